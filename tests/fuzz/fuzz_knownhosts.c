/* A known_hosts file. */
#include <libssh2.h>
#include <openssl/evp.h>

#include "certsync/cleanup.h"
#include "fuzz.h"
#include "knownhosts.h"

/* The key of mail.example.org and of its port 2222, as the corpus has them. */
static const char key_base64[] =
	"AAAAC3NzaC1lZDI1NTE5AAAAICYN8JPtDVUuJkSBkTPPnbMjOcVrkqJOhJGVRTjcHoOV";

#define KEY_LEN 51
#define TYPE    LIBSSH2_KNOWNHOST_KEY_ED25519

/* libssh2 (1.10, 1.11) loses some memory at each hashed name that has not the length of a hash. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static void ask(const struct bytes *contents, const char *host, int port)
{
	_cleanup_(knownhosts_freep) struct knownhosts *known = NULL;
	const bool there = memmem(contents->data, contents->len, key_base64, strlen(key_base64));
	unsigned char key[2 * KEY_LEN];
	bool has;

	must(EVP_DecodeBlock(key, (const unsigned char *)key_base64, (int)strlen(key_base64)) ==
	     KEY_LEN);
	must(!outcome_failed(knownhosts_parse("known_hosts", contents, host, port, &known)));
	has = knownhosts_has_key(known, key, KEY_LEN, TYPE);
	/* Only a key that stands there is known, and then its type and some key are. */
	must(!has || (there && knownhosts_has_type(known, TYPE) && knownhosts_has_any(known)));
	must(!knownhosts_revokes(known, key, KEY_LEN) || there);
	for (int type = 0; type <= 7; type++)
		must(!knownhosts_has_type(known, type << LIBSSH2_KNOWNHOST_KEY_SHIFT) ||
		     knownhosts_has_any(known));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_(bytes_clear) struct bytes contents = fuzz_bytes(data, size);

	ask(&contents, "mail.example.org", 22);
	ask(&contents, "mail.example.org", 2222);
	ask(&contents, "192.0.2.10", 22);
	return 0;
}

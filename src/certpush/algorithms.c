#include <stdio.h>
#include <string.h>

#include "algorithms.h"
#include "certsync/text.h"

#define OFFER_MAX 1024 /* bytes of all names of one kind */
#define SHOWN_MAX 256  /* bytes of a server's list that are worth showing */

/* What we want of each kind, best first, as the latest libssh2 knows it. */
static const char wanted_kex[] =
	"curve25519-sha256,curve25519-sha256@libssh.org,"
	"ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,"
	"diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"
	"diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha256";
#define WANTED_AEAD "aes256-gcm@openssh.com,aes128-gcm@openssh.com"
static const char wanted_aead[] = WANTED_AEAD;
static const char wanted_ciphers[] = WANTED_AEAD ",aes256-ctr,aes192-ctr,aes128-ctr";
static const char wanted_macs[] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,"
				  "hmac-sha2-256,hmac-sha2-512";
static const char wanted_compression[] = "none";

/*
 * A kind of algorithm; one without a name is explained by its twin for the other direction, or
 * never differs.
 */
static const struct kind {
	int method; /* LIBSSH2_METHOD_... */
	enum kexinit_list list;
	const char *name;
	const char *wanted; /* NULL: the host key methods */
} kinds[] = {
	{ LIBSSH2_METHOD_KEX, KEXINIT_KEX, "key exchange", wanted_kex },
	{ LIBSSH2_METHOD_HOSTKEY, KEXINIT_HOST_KEY, "host key", NULL },
	{ LIBSSH2_METHOD_CRYPT_CS, KEXINIT_CIPHER_OUT, "cipher", wanted_ciphers },
	{ LIBSSH2_METHOD_CRYPT_SC, KEXINIT_CIPHER_IN, NULL, wanted_ciphers },
	{ LIBSSH2_METHOD_MAC_CS, KEXINIT_MAC_OUT, "MAC", wanted_macs },
	{ LIBSSH2_METHOD_MAC_SC, KEXINIT_MAC_IN, NULL, wanted_macs },
	{ LIBSSH2_METHOD_COMP_CS, KEXINIT_COMPRESSION_OUT, "compression", wanted_compression },
	{ LIBSSH2_METHOD_COMP_SC, KEXINIT_COMPRESSION_IN, NULL, wanted_compression },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool algorithms_rsa_is_sound(void)
{
	return libssh2_version(ALGORITHMS_RSA_SHA2_VERSION) != NULL;
}

static bool is_one_of(const char *name, size_t len, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strlen(names[i]) == len && !memcmp(names[i], name, len))
			return true;
	return false;
}

/*
 * Write the names in ${wanted} that this libssh2 has to ${offer}. libssh2 leaves unknown names out
 * as well, but with a memcpy of overlapping memory (1.10.0).
 */
static int build_offer(LIBSSH2_SESSION *session, int method, const char *wanted,
		       char offer[static OFFER_MAX])
{
	const char **supported = NULL;
	int count = libssh2_session_supported_algs(session, method, &supported);
	size_t used = 0;

	offer[0] = '\0';
	if (count < 0)
		return count;
	for (const char *name = wanted; *name;) {
		size_t len = strcspn(name, ",");

		if (is_one_of(name, len, supported, count) && used + len + 2 <= OFFER_MAX)
			used += (size_t)snprintf(offer + used, OFFER_MAX - used, "%s%.*s",
						 used ? "," : "", (int)len, name);
		name += len;
		name += *name == ',';
	}
	libssh2_free(session, supported);
	return used ? 0 : LIBSSH2_ERROR_METHOD_NOT_SUPPORTED;
}

static const char *wanted_of(const struct kind *kind, const char *host_key_methods)
{
	return kind->wanted ? kind->wanted : host_key_methods;
}

/*
 * Libssh2 1.11.0 hears that a server accepts RSA with SHA-2 only if the key exchange preference
 * says ext-info-c (RFC 8308). 1.11.1 puts that, and kex-strict-c-v00@openssh.com against Terrapin,
 * in front of any preference by itself; 1.10 knows neither.
 */
static int set_kex(LIBSSH2_SESSION *session, const char *offer)
{
	char extended[OFFER_MAX + sizeof("ext-info-c,")];

	if (libssh2_version(0x010b01) || !libssh2_version(0x010b00))
		return libssh2_session_method_pref(session, LIBSSH2_METHOD_KEX, offer);
	snprintf(extended, sizeof(extended), "ext-info-c,%s", offer);
	return libssh2_session_method_pref(session, LIBSSH2_METHOD_KEX, extended);
}

int algorithms_set(LIBSSH2_SESSION *session, const char *host_key_methods)
{
	for (size_t i = 0; i < KINDS; i++) {
		char offer[OFFER_MAX];
		int error = build_offer(session, kinds[i].method,
					wanted_of(&kinds[i], host_key_methods), offer);

		if (!error && kinds[i].method == LIBSSH2_METHOD_KEX)
			error = set_kex(session, offer);
		else if (!error)
			error = libssh2_session_method_pref(session, kinds[i].method, offer);
		if (error)
			return error;
	}
	return 0;
}

/*
 * A cipher that authenticates by itself needs no MAC in common; ours are named first, so that one
 * is taken.
 */
static bool mac_matters(LIBSSH2_SESSION *session, const struct kexinit *server)
{
	char offer[OFFER_MAX];

	return build_offer(session, LIBSSH2_METHOD_CRYPT_CS, wanted_aead, offer) ||
	       !kexinit_overlaps(&server->lists[KEXINIT_CIPHER_OUT], offer);
}

static bool begins_with(const char *name, size_t len, const char *prefix)
{
	return len >= strlen(prefix) && !memcmp(name, prefix, strlen(prefix));
}

/*
 * Write the names in ${list} to ${shown}, without the marks of extensions that stand among them
 * (RFC 8308).
 */
static void show_list(char shown[static SHOWN_MAX], const struct slice *list)
{
	const char *name = list->data, *end = list->data + list->len;
	size_t used = 0;

	shown[0] = '\0';
	while (name < end && used < SHOWN_MAX - 1) {
		const char *comma = memchr(name, ',', (size_t)(end - name));
		size_t len = (size_t)((comma ? comma : end) - name);

		if (!begins_with(name, len, "kex-strict-") &&
		    !begins_with(name, len, "ext-info-")) {
			if (used)
				shown[used++] = ',';
			text_printable(shown + used, SHOWN_MAX - used, name, len);
			used += strlen(shown + used);
		}
		name += len + 1;
	}
}

void algorithms_explain(LIBSSH2_SESSION *session, const char *host_key_methods,
			const struct kexinit *server, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < KINDS && used < size; i++) {
		const struct slice *theirs = &server->lists[kinds[i].list];
		char ours[OFFER_MAX], shown[SHOWN_MAX];

		if (!kinds[i].name ||
		    build_offer(session, kinds[i].method, wanted_of(&kinds[i], host_key_methods),
				ours) ||
		    kexinit_overlaps(theirs, ours) ||
		    (kinds[i].method == LIBSSH2_METHOD_MAC_CS && !mac_matters(session, server)))
			continue;
		show_list(shown, theirs);
		used += (size_t)snprintf(text + used, size - used,
					 "%s%s: the server has %s, we have %s", used ? "; " : "",
					 kinds[i].name, shown, ours);
	}
}

/* What an SSH server says in clear, and how the lists of its KEXINIT are explained. */
#include <libssh2.h>

#include "algorithms.h"
#include "certsync/cleanup.h"
#include "fuzz.h"
#include "kexinit.h"

static void check_inside(const struct slice *text, const struct bytes *bytes)
{
	must(!text->len ||
	     (text->data >= bytes->data && text->data + text->len <= bytes->data + bytes->len));
}

/* A list has a name in common with itself, if it has any. */
static void check_overlap(const struct slice *list)
{
	char *copy = strndup(list->len ? list->data : "", list->len);

	must(copy);
	if (strlen(copy) == list->len)
		must(kexinit_overlaps(list, copy) == (strspn(copy, ",") < list->len));
	free(copy);
}

static void explain(const struct kexinit *server)
{
	static LIBSSH2_SESSION *session;
	char text[512];

	if (!session)
		session = libssh2_session_init();
	must(session);
	algorithms_explain(session, "ssh-ed25519,rsa-sha2-512", server, text, sizeof(text));
	must(strnlen(text, sizeof(text)) < sizeof(text) && fuzz_is_printable(text));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_(bytes_clear) struct bytes bytes = fuzz_bytes(data, size);
	struct kexinit server = kexinit_parse(bytes.data, bytes.len);

	check_inside(&server.identification, &bytes);
	check_inside(&server.words, &bytes);
	if (server.state != KEXINIT_COMPLETE)
		return 0;
	for (size_t i = 0; i < KEXINIT_LISTS; i++) {
		check_inside(&server.lists[i], &bytes);
		check_overlap(&server.lists[i]);
	}
	explain(&server);
	return 0;
}

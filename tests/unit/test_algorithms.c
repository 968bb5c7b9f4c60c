/* What is offered to a server, and how it is told that it has nothing of that. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "algorithms.h"
#include "run_child.h"
#include "wire.h"

#define HOST_KEY  "ssh-ed25519"
#define TEXT_MAX  900
#define NAMES_MAX 1024

static LIBSSH2_SESSION *session;
static int client, server;
static struct wire heard;

static int begin(void **state)
{
	int ends[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	client = ends[0];
	server = ends[1];
	session = libssh2_session_init();
	if (!session)
		return -1;
	libssh2_session_set_blocking(session, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	/* A server that is gone keeps libssh2 from waiting for it. */
	close(server);
	libssh2_session_free(session);
	close(client);
	return 0;
}

/* --- what is offered --- */

/* What the client says to a server that has only given its name, until the server ends it. */
static struct kexinit offered(const char *host_key_methods)
{
	struct kexinit offer;

	assert_int_equal(algorithms_set(session, host_key_methods), 0);
	assert_int_equal(write(server, WIRE_BANNER, strlen(WIRE_BANNER)), strlen(WIRE_BANNER));
	assert_int_equal(shutdown(server, SHUT_WR), 0);
	while (libssh2_session_handshake(session, client) == LIBSSH2_ERROR_EAGAIN)
		;
	heard.len = (size_t)read(server, heard.data, sizeof(heard.data));
	offer = kexinit_parse(heard.data, heard.len);
	assert_int_equal(offer.state, KEXINIT_COMPLETE);
	return offer;
}

/* The name-list as text, until the next call. */
static const char *names(const struct kexinit *offer, enum kexinit_list list)
{
	static char text[NAMES_MAX];

	snprintf(text, sizeof(text), "%.*s", (int)offer->lists[list].len, offer->lists[list].data);
	return text;
}

static void nothing_unsound_is_offered(void **state)
{
	static const char *const unsound[] = {
		"chacha20", "cbc",    "arcfour", "3des",    "sha1",
		"md5",      "ripemd", "umac",    "ssh-rsa", "ssh-dss",
	};
	struct kexinit offer = offered(HOST_KEY);

	(void)state;
	for (enum kexinit_list list = 0; list < KEXINIT_LISTS; list++)
		for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++)
			assert_lacks(names(&offer, list), unsound[i]);
}

static void what_every_sound_server_has_is_offered(void **state)
{
	struct kexinit offer = offered(HOST_KEY);

	(void)state;
	assert_contains(names(&offer, KEXINIT_KEX), "curve25519-sha256");
	assert_contains(names(&offer, KEXINIT_KEX), "ecdh-sha2-nistp256");
	assert_contains(names(&offer, KEXINIT_CIPHER_OUT), "aes256-ctr");
	assert_contains(names(&offer, KEXINIT_MAC_OUT), "hmac-sha2-256");
}

static void the_stronger_stands_in_front_of_the_weaker(void **state)
{
	struct kexinit offer = offered(HOST_KEY);
	const char *kex = names(&offer, KEXINIT_KEX), *ciphers;

	(void)state;
	assert_true(strstr(kex, "curve25519-sha256") < strstr(kex, "ecdh-sha2-nistp256"));
	assert_true(strstr(kex, "ecdh-sha2-nistp521") < strstr(kex, "group14-sha256"));
	ciphers = names(&offer, KEXINIT_CIPHER_OUT);
	assert_true(strstr(ciphers, "aes256-ctr") < strstr(ciphers, "aes128-ctr"));
}

static void both_directions_are_alike(void **state)
{
	struct kexinit offer = offered(HOST_KEY);
	char out[NAMES_MAX];

	(void)state;
	for (enum kexinit_list list = KEXINIT_CIPHER_OUT; list < KEXINIT_LISTS; list += 2) {
		snprintf(out, sizeof(out), "%s", names(&offer, list));
		assert_string_equal(names(&offer, list + 1), out);
	}
}

static void nothing_is_compressed(void **state)
{
	struct kexinit offer;

	(void)state;
	/* Even where libssh2 would. */
	assert_int_equal(libssh2_session_flag(session, LIBSSH2_FLAG_COMPRESS, 1), 0);
	offer = offered(HOST_KEY);
	assert_string_equal(names(&offer, KEXINIT_COMPRESSION_OUT), "none");
}

static void the_host_key_methods_are_those_asked_for(void **state)
{
	struct kexinit offer = offered("ecdsa-sha2-nistp384,ssh-ed25519");

	(void)state;
	assert_string_equal(names(&offer, KEXINIT_HOST_KEY), "ecdsa-sha2-nistp384,ssh-ed25519");
}

static void what_libssh2_lacks_is_left_out(void **state)
{
	struct kexinit offer = offered("ssh-ed25519-v2,ssh,ssh-ed25519,new@example.org");

	(void)state;
	assert_string_equal(names(&offer, KEXINIT_HOST_KEY), "ssh-ed25519");
}

static void without_any_method_that_libssh2_has_nothing_is_set(void **state)
{
	(void)state;
	assert_int_equal(algorithms_set(session, "new@example.org"),
			 LIBSSH2_ERROR_METHOD_NOT_SUPPORTED);
	assert_int_equal(algorithms_set(session, ""), LIBSSH2_ERROR_METHOD_NOT_SUPPORTED);
}

static bool libssh2_has(int method, const char *name)
{
	const char **supported = NULL;
	int count = libssh2_session_supported_algs(session, method, &supported);
	bool has = false;

	for (int i = 0; i < count; i++)
		has = has || !strcmp(supported[i], name);
	libssh2_free(session, supported);
	return has;
}

static void rsa_is_sound_where_libssh2_has_it_with_sha2(void **state)
{
	(void)state;
	assert_int_equal(algorithms_rsa_is_sound(),
			 libssh2_has(LIBSSH2_METHOD_HOSTKEY, "rsa-sha2-512"));
}

/* --- how a server is explained --- */

/* What a server with these ${lists} says, until the next call. */
static const struct kexinit *server_with(const char *const lists[KEXINIT_LISTS])
{
	static struct wire greeting;
	static struct kexinit parsed;

	greeting = wire_greeting(wire_kexinit(lists));
	parsed = kexinit_parse(greeting.data, greeting.len);
	assert_int_equal(parsed.state, KEXINIT_COMPLETE);
	return &parsed;
}

/* Nothing of this is ours. */
static const char *const nothing_common[KEXINIT_LISTS] = WIRE_NOTHING_COMMON;

/* How a server is explained with which all is in common but the ${list} of ${theirs}. */
static const char *explain(enum kexinit_list list, const char *theirs)
{
	static char text[TEXT_MAX];
	const char *lists[KEXINIT_LISTS] = {
		"curve25519-sha256", HOST_KEY, "aes256-ctr", "aes256-ctr", "hmac-sha2-256",
		"hmac-sha2-256",     "none",   "none",       "",           "",
	};

	lists[list] = theirs;
	algorithms_explain(session, HOST_KEY, server_with(lists), text, sizeof(text));
	return text;
}

static void a_server_with_all_in_common_needs_no_explanation(void **state)
{
	(void)state;
	assert_string_equal(explain(KEXINIT_CIPHER_OUT, "3des-cbc,aes128-ctr"), "");
}

static void a_server_with_only_unsound_ciphers_is_explained(void **state)
{
	const char *text = explain(KEXINIT_CIPHER_OUT, "3des-cbc,chacha20-poly1305@openssh.com");

	(void)state;
	assert_ptr_equal(text, strstr(text, "cipher: the server has "
					    "3des-cbc,chacha20-poly1305@openssh.com, we have "));
	assert_contains(text, "aes256-ctr");
	assert_lacks(text, ";");
}

static void a_server_with_another_host_key_is_explained(void **state)
{
	(void)state;
	assert_string_equal(explain(KEXINIT_HOST_KEY, "ssh-rsa"),
			    "host key: the server has ssh-rsa, we have ssh-ed25519");
}

static void what_libssh2_lacks_is_not_said_to_be_ours(void **state)
{
	char text[2 * TEXT_MAX];

	(void)state;
	algorithms_explain(session, "ssh,new@example.org,ssh-ed25519", server_with(nothing_common),
			   text, sizeof(text));
	assert_contains(text, "host key: the server has old, we have ssh-ed25519;");
}

static void a_server_with_only_unsound_macs_is_explained(void **state)
{
	(void)state;
	assert_contains(explain(KEXINIT_MAC_OUT, "hmac-sha1,hmac-md5"),
			"MAC: the server has hmac-sha1,hmac-md5, we have ");
}

static void a_server_that_insists_on_compression_is_explained(void **state)
{
	(void)state;
	assert_string_equal(explain(KEXINIT_COMPRESSION_OUT, "zlib"),
			    "compression: the server has zlib, we have none");
}

static void marks_of_extensions_are_not_shown(void **state)
{
	(void)state;
	assert_contains(explain(KEXINIT_KEX, "ext-info-s,diffie-hellman-group1-sha1,"
					     "kex-strict-s-v00@openssh.com,old"),
			"key exchange: the server has diffie-hellman-group1-sha1,old, we have ");
}

static void all_kinds_are_explained(void **state)
{
	char text[TEXT_MAX];

	(void)state;
	algorithms_explain(session, HOST_KEY, server_with(nothing_common), text, sizeof(text));
	assert_contains(text, "key exchange: the server has old, we have curve25519-sha256");
	assert_contains(text, "; host key: the server has old");
	assert_contains(text, "; cipher: the server has old");
	assert_contains(text, "; MAC: the server has old");
	assert_contains(text, "; compression: the server has old");
}

static void beside_a_cipher_that_authenticates_no_mac_is_missed(void **state)
{
	static const char ciphers[] = "aes256-gcm@openssh.com,aes256-ctr";
	const char *const lists[KEXINIT_LISTS] = {
		"curve25519-sha256", HOST_KEY, ciphers, ciphers, "hmac-sha1",
		"hmac-sha1",         "none",   "none",  "",      "",
	};
	char text[TEXT_MAX];

	(void)state;
	algorithms_explain(session, HOST_KEY, server_with(lists), text, sizeof(text));
	/* libssh2 before 1.11.0 has no such cipher. */
	if (libssh2_has(LIBSSH2_METHOD_CRYPT_CS, "aes256-gcm@openssh.com"))
		assert_string_equal(text, "");
	else
		assert_contains(text, "MAC: the server has hmac-sha1");
}

static void what_a_server_calls_its_algorithms_cannot_harm_a_terminal(void **state)
{
	(void)state;
	assert_contains(explain(KEXINIT_HOST_KEY, "a\033[2J,b\r\n"),
			"the server has a\\x1b[2J,b\\x0d\\x0a, we have ");
}

static void a_list_without_end_is_cut(void **state)
{
	char list[1000];
	const char *text;

	(void)state;
	memset(list, 'x', sizeof(list) - 1);
	list[sizeof(list) - 1] = '\0';
	text = explain(KEXINIT_HOST_KEY, list);
	assert_contains(text, "xxx..., we have ssh-ed25519");
	for (size_t i = 1; i < sizeof(list) - 1; i += 2)
		list[i] = ',';
	assert_true(strlen(explain(KEXINIT_HOST_KEY, list)) < sizeof(list) / 2);
}

static void an_explanation_keeps_to_its_room(void **state)
{
	char text[2 * TEXT_MAX], untouched[sizeof(text)];

	(void)state;
	memset(untouched, '#', sizeof(untouched));
	for (size_t size = 1; size < TEXT_MAX; size++) {
		memset(text, '#', sizeof(text));
		algorithms_explain(session, HOST_KEY, server_with(nothing_common), text, size);
		assert_true(strnlen(text, size) < size);
		assert_memory_equal(text + size, untouched, sizeof(text) - size);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(nothing_unsound_is_offered),
		TEST(what_every_sound_server_has_is_offered),
		TEST(the_stronger_stands_in_front_of_the_weaker),
		TEST(both_directions_are_alike),
		TEST(nothing_is_compressed),
		TEST(the_host_key_methods_are_those_asked_for),
		TEST(what_libssh2_lacks_is_left_out),
		TEST(without_any_method_that_libssh2_has_nothing_is_set),
		TEST(rsa_is_sound_where_libssh2_has_it_with_sha2),
		TEST(a_server_with_all_in_common_needs_no_explanation),
		TEST(a_server_with_only_unsound_ciphers_is_explained),
		TEST(a_server_with_another_host_key_is_explained),
		TEST(what_libssh2_lacks_is_not_said_to_be_ours),
		TEST(a_server_with_only_unsound_macs_is_explained),
		TEST(a_server_that_insists_on_compression_is_explained),
		TEST(marks_of_extensions_are_not_shown),
		TEST(all_kinds_are_explained),
		TEST(beside_a_cipher_that_authenticates_no_mac_is_missed),
		TEST(what_a_server_calls_its_algorithms_cannot_harm_a_terminal),
		TEST(a_list_without_end_is_cut),
		TEST(an_explanation_keeps_to_its_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

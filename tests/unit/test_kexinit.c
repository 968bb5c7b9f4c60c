/* What a server says before keys are agreed on. */
#include <stdlib.h>
#include <string.h>

#include "certsync/file.h"
#include "kexinit.h"
#include "unit.h"
#include "wire.h"

static struct wire kexinit_payload(void)
{
	static const char *const lists[KEXINIT_LISTS] = {
		"curve25519-sha256,kex-strict-s-v00@openssh.com",
		"ssh-ed25519,rsa-sha2-512",
		"aes256-ctr",
		"aes128-ctr",
		"hmac-sha2-256",
		"hmac-sha2-512",
		"none",
		"none,zlib",
		"",
		"",
	};

	return wire_kexinit(lists);
}

static struct wire kexinit_wire(void)
{
	return wire_greeting(kexinit_payload());
}

static void assert_text(struct slice text, const char *expected)
{
	assert_int_equal(text.len, strlen(expected));
	if (text.len)
		assert_memory_equal(text.data, expected, text.len);
}

static void the_lists_are_found(void **state)
{
	struct wire wire = kexinit_wire();
	struct kexinit server = kexinit_parse(wire.data, wire.len);

	(void)state;
	assert_int_equal(server.state, KEXINIT_COMPLETE);
	assert_text(server.identification, "SSH-2.0-Test_1.0 comment");
	assert_text(server.lists[KEXINIT_KEX], "curve25519-sha256,kex-strict-s-v00@openssh.com");
	assert_text(server.lists[KEXINIT_HOST_KEY], "ssh-ed25519,rsa-sha2-512");
	assert_text(server.lists[KEXINIT_CIPHER_OUT], "aes256-ctr");
	assert_text(server.lists[KEXINIT_CIPHER_IN], "aes128-ctr");
	assert_text(server.lists[KEXINIT_MAC_OUT], "hmac-sha2-256");
	assert_text(server.lists[KEXINIT_MAC_IN], "hmac-sha2-512");
	assert_text(server.lists[KEXINIT_COMPRESSION_IN], "none,zlib");
	assert_text(server.lists[KEXINIT_LANGUAGE_IN], "");
}

static void every_beginning_is_partial(void **state)
{
	struct wire wire = kexinit_wire();

	(void)state;
	for (size_t len = 0; len < wire.len; len++) {
		/* On the heap and of that size, so that a checker sees a read past its end. */
		char *copy = malloc(len ? len : 1);

		memcpy(copy, wire.data, len);
		assert_int_equal(kexinit_parse(copy, len).state, KEXINIT_PARTIAL);
		free(copy);
	}
}

static void any_changed_byte_is_survived(void **state)
{
	struct wire original = kexinit_wire();

	(void)state;
	for (size_t at = 0; at < original.len; at++) {
		for (int value = 0; value < 256; value++) {
			char *copy = malloc(original.len);
			struct kexinit server;

			memcpy(copy, original.data, original.len);
			copy[at] = (char)value;
			server = kexinit_parse(copy, original.len);
			for (int i = 0; i < KEXINIT_LISTS; i++)
				if (server.lists[i].len)
					assert_true(server.lists[i].data >= copy &&
						    server.lists[i].data + server.lists[i].len <=
							    copy + original.len);
			free(copy);
		}
	}
}

static void lines_before_the_identification_are_skipped(void **state)
{
	struct wire whole = kexinit_wire(), wire = { .len = 0 };
	struct kexinit server;

	(void)state;
	wire_add(&wire, "Welcome\r\nto this host\n", 22);
	wire_add(&wire, whole.data, whole.len);
	server = kexinit_parse(wire.data, wire.len);
	assert_int_equal(server.state, KEXINIT_COMPLETE);
	assert_text(server.identification, "SSH-2.0-Test_1.0 comment");
}

static void packets_to_be_ignored_are_skipped(void **state)
{
	struct wire wire = { .len = 0 }, payload = kexinit_payload(), ignore = wire_ignore("noise");

	(void)state;
	wire_add_text(&wire, WIRE_BANNER);
	wire_add_packet(&wire, &ignore, 5);
	wire_add_packet(&wire, &ignore, 250);
	wire_add_packet(&wire, &payload, 4);
	assert_int_equal(kexinit_parse(wire.data, wire.len).state, KEXINIT_COMPLETE);
}

static void other_protocols_are_told_by_their_words(void **state)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n";
	struct kexinit server = kexinit_parse(http, sizeof(http) - 1);

	(void)state;
	assert_int_equal(server.state, KEXINIT_NOT_SSH);
	assert_text(server.words, "HTTP/1.1 400 Bad Request");
}

static void a_disconnect_is_told_by_its_description(void **state)
{
	struct wire wire = wire_greeting(wire_disconnect("Too many connections"));
	struct kexinit server = kexinit_parse(wire.data, wire.len);

	(void)state;
	assert_int_equal(server.state, KEXINIT_DISCONNECTED);
	assert_text(server.words, "Too many connections");
}

static void assert_broken(const void *data, size_t len)
{
	struct wire wire = { .len = 0 };

	wire_add_text(&wire, WIRE_BANNER);
	wire_add(&wire, data, len);
	assert_int_equal(kexinit_parse(wire.data, wire.len).state, KEXINIT_BROKEN);
}

static void what_is_no_packet_is_broken(void **state)
{
	struct wire payload = kexinit_payload(), wire = { .len = 0 };

	(void)state;
	assert_broken("GET / HTTP/1.1\r\n", 16);        /* a length of 1.2 GB */
	assert_broken("\0\0\0\5\4xxxx", 9);             /* no payload */
	assert_broken("\0\0\0\14\3xxxxxxxxxxx", 16);    /* too little padding */
	assert_broken("\0\0\0\14\13\24xxxxxxxxxx", 16); /* nothing but padding */
	assert_broken("\0\0\0\14\4\25xxxxxxxxxx", 16);  /* NEWKEYS, at this point */
	payload.len -= 1;                               /* a list that ends too early */
	wire_add_packet(&wire, &payload, 7);
	assert_broken(wire.data, wire.len);
}

static void overlap_is_by_whole_names(void **state)
{
	const struct slice offered = { "aes256-ctr,aes128-ctr@x,none", 28 };
	const struct slice nothing = { NULL, 0 };

	(void)state;
	assert_true(kexinit_overlaps(&offered, "aes256-ctr"));
	assert_true(kexinit_overlaps(&offered, "foo,none"));
	assert_false(kexinit_overlaps(&offered, "aes128-ctr"));
	assert_false(kexinit_overlaps(&offered, "aes256"));
	assert_false(kexinit_overlaps(&offered, "aes256-ctr2,non"));
	assert_false(kexinit_overlaps(&offered, ""));
	assert_false(kexinit_overlaps(&nothing, "aes256-ctr"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_lists_are_found),
		cmocka_unit_test(every_beginning_is_partial),
		cmocka_unit_test(any_changed_byte_is_survived),
		cmocka_unit_test(lines_before_the_identification_are_skipped),
		cmocka_unit_test(packets_to_be_ignored_are_skipped),
		cmocka_unit_test(other_protocols_are_told_by_their_words),
		cmocka_unit_test(a_disconnect_is_told_by_its_description),
		cmocka_unit_test(what_is_no_packet_is_broken),
		cmocka_unit_test(overlap_is_by_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

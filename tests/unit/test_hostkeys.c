/* Which host keys are asked for, and which are believed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libssh2.h>
#include <openssl/evp.h>

#include "certsync/cleanup.h"
#include "hostkeys.h"
#include "unit.h"

/* Keys in base64, as in known_hosts; their private halves are thrown away. */
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOSdJr8piPVtbQguToUZi1+bOcRx5Xqlel0y/KRUoAL6"
#define OTHER_ED25519                                                                              \
	"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDWaL8zUGn2wre1GfOyXQ9KTWIuVJZRaKeIc4ZgwbXkE"
#define ECDSA                                                                                      \
	"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMuVRcnL"         \
	"T6SVgowxP2gMuh79ewTuRpiwlfi4SNNnBrz1UAsNNJmAnsRpOsQb5R7Fed1w28HmkSeqVdgS0We/Lls="
#define RSA                                                                                        \
	"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDoNSSQvsP6RhBeFwKYK9ImPwJDO8IR"                     \
	"g2qyxtIr17cY0oqgnn2bKDF6CQqA4OijJpeax/6hM/"                                               \
	"9hWaAE7ESYHpphb5YDJVWd7UXqpaQVRv9fK9+MrYXwuk45gL"                                         \
	"FgGqoSEEOOZdX8qbuzB0Li6mtvz70907cSFo4gJuzi15d392tIUdX4b25HzIDQYQxFYvYhQ0PBCx/"            \
	"Kyz57gubWLsal"                                                                            \
	"WtSv/"                                                                                    \
	"X0wUsYBfB9qhQM7Wdum8JxZmFyf6KBhokkJNZuo3ri+iCXhaFi577HF7PNcgxXIoHnevgox15EejmVBvTfoFd"    \
	"SwBFmvU4OZd/bzNMYDme4WdSChkzm3t9Pa1wA6y33H"
#define ED25519_FINGERPRINT "SHA256:wv31UZfMttFOzboABm8gEZrgTeX10LIdKaqp08UiuVo"
#define ECDSA_FINGERPRINT   "SHA256:Acr2OdJHnnIsnFjsWAPWtBvZwB9mvYjP+F34KZ3RjeE"
/* mail.example.org and [mail.example.org]:2222, hashed by ssh-keygen -H */
#define HASHED_NAME      "|1|5mgyeTxnjdFA0TaaUYc77PIroPs=|e8Yz2FQEanE+24qkzFiiq5wsw/U="
#define HASHED_NAME_PORT "|1|h6sCti9C07TTDPBnhogQ/6dMTSc=|fnKCHp251jX0UZE1uZy2liublZA="

#define HOST "mail.example.org"

static char directory[] = "/tmp/test_hostkeys.XXXXXX";
static char known_hosts[sizeof(directory) + 16];

static char no_text[] = "";

static struct push_conf conf = {
	.host = (char *)(uintptr_t)HOST,
	.known_hosts = known_hosts,
	.host_key = no_text,
};

/* Load host keys for ${port} with ${lines} in known_hosts; NULL: there is none. */
static struct hostkeys *load(const char *lines, int port)
{
	struct hostkeys *keys = NULL;

	unlink(known_hosts);
	if (lines) {
		FILE *stream = fopen(known_hosts, "w");

		assert_non_null(stream);
		fputs(lines, stream);
		fclose(stream);
	}
	conf.port = port;
	conf.host_key = no_text;
	assert_int_equal(hostkeys_load(&conf, &keys), OUTCOME_OK);
	return keys;
}

static struct hostkeys *load_pinned(const char *pin)
{
	struct hostkeys *keys = NULL;

	unlink(known_hosts);
	conf.port = 22;
	conf.host_key = (char *)(uintptr_t)pin;
	assert_int_equal(hostkeys_load(&conf, &keys), OUTCOME_OK);
	return keys;
}

/* Judge the key of a "type base64" text. */
static enum outcome judge(struct hostkeys *keys, const char *text, bool *again)
{
	const char *base64 = strchr(text, ' ') + 1;
	unsigned char blob[1024];
	size_t padding = strlen(base64) - strcspn(base64, "=");
	int len = EVP_DecodeBlock(blob, (const unsigned char *)base64, (int)strlen(base64));

	assert_true(len > 0);
	return hostkeys_judge(keys, blob, (size_t)len - padding, again);
}

static void assert_methods(struct hostkeys *keys, const char *expected)
{
	char methods[HOSTKEYS_METHODS_MAX];

	assert_int_equal(hostkeys_methods(keys, methods), OUTCOME_OK);
	assert_string_equal(methods, expected);
}

/* ${lines} know exactly the ed25519 key of the host at ${port}. */
static void assert_knows_ed25519(const char *lines, int port)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(lines, port);
	bool again;

	assert_int_equal(hostkeys_check(keys), OUTCOME_OK);
	assert_methods(keys, "ssh-ed25519");
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_OK);
	assert_int_equal(judge(keys, OTHER_ED25519, &again), OUTCOME_HOST_KEY_CHANGED);
	assert_false(again);
}

/* ${lines} say nothing of the host at ${port}. */
static void assert_unknown(const char *lines, int port)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(lines, port);
	bool again;

	assert_int_equal(hostkeys_check(keys), OUTCOME_HOST_KEY_UNKNOWN);
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_HOST_KEY_UNKNOWN);
	assert_non_null(strstr(outcome_reason(OUTCOME_HOST_KEY_UNKNOWN), ED25519_FINGERPRINT));
	assert_false(again);
}

static void a_plain_line_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519(HOST " " ED25519 "\n", 22);
}

static void a_line_without_its_newline_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519("# comment\n\n" HOST " " ED25519, 22);
}

static void a_line_of_another_system_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519(HOST " " ED25519 "\r\n", 22);
}

static void a_line_with_a_comment_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519("  " HOST "\t" ED25519 " root@mail, added by hand\n", 22);
}

static void a_hashed_line_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519(HASHED_NAME " " ED25519 "\n", 22);
}

static void a_hashed_line_with_a_port_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519(HASHED_NAME_PORT " " ED25519 "\n", 2222);
	assert_unknown(HASHED_NAME_PORT " " ED25519 "\n", 22);
}

/* As for ssh: a stale line for the host at large does not make a replaced key good again. */
static void a_line_for_the_port_stands_in_front_of_one_for_the_host(void **state)
{
	(void)state;
	assert_knows_ed25519("[" HOST "]:2222 " ED25519 "\n" HOST " " OTHER_ED25519 "\n" HOST
			     " " ECDSA "\n",
			     2222);
}

static void a_line_with_a_port_is_for_that_port_only(void **state)
{
	(void)state;
	assert_knows_ed25519("[" HOST "]:2222 " ED25519 "\n", 2222);
	assert_unknown("[" HOST "]:2222 " ED25519 "\n", 2223);
	assert_unknown("[" HOST "]:2222 " ED25519 "\n", 22);
}

static void one_of_several_names_is_found(void **state)
{
	(void)state;
	assert_knows_ed25519("a.example,192.0.2.10," HOST ",b.example " ED25519 "\n", 22);
}

static void another_host_is_not_ours(void **state)
{
	(void)state;
	assert_unknown(
		"x" HOST " " ED25519 "\n" HOST ".uk " ED25519 "\n*.example.org " ED25519 "\n", 22);
}

static void without_known_hosts_every_sound_type_is_asked_for(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(NULL, 22);
	char methods[HOSTKEYS_METHODS_MAX];

	(void)state;
	assert_int_equal(hostkeys_check(keys), OUTCOME_HOST_KEY_UNKNOWN);
	assert_non_null(strstr(outcome_reason(OUTCOME_HOST_KEY_UNKNOWN), known_hosts));
	assert_int_equal(hostkeys_methods(keys, methods), OUTCOME_OK);
	assert_non_null(strstr(methods, "ssh-ed25519,ecdsa-sha2-nistp256"));
	assert_null(strstr(methods, "ssh-rsa"));
	assert_null(strstr(methods, "ssh-dss"));
}

static void the_fingerprint_is_that_of_ssh_keygen(void **state)
{
	(void)state;
	assert_unknown("", 22);
}

static void exactly_the_known_types_are_asked_for(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys =
		load(HOST " " ECDSA "\nother.example " RSA "\n" HOST " " ED25519 "\n", 22);
	bool again;

	(void)state;
	assert_methods(keys, "ssh-ed25519,ecdsa-sha2-nistp256");
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_OK);
	assert_int_equal(judge(keys, ECDSA, &again), OUTCOME_OK);
}

static void a_stale_line_beside_the_right_one_does_no_harm(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys =
		load(HOST " " OTHER_ED25519 "\n" HOST " " ED25519 "\n", 22);
	bool again;

	(void)state;
	assert_methods(keys, "ssh-ed25519");
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_OK);
}

static void a_known_rsa_key_never_means_sha1(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(HOST " " RSA "\n", 22);
	char methods[HOSTKEYS_METHODS_MAX];

	(void)state;
	assert_int_equal(hostkeys_check(keys), OUTCOME_OK);
	if (libssh2_version(0x010b00)) {
		assert_methods(keys, "rsa-sha2-512,rsa-sha2-256");
		return;
	}
	assert_int_equal(hostkeys_methods(keys, methods), OUTCOME_NO_COMMON_ALGORITHM);
	assert_non_null(strstr(outcome_reason(OUTCOME_NO_COMMON_ALGORITHM), "ssh-ed25519"));
}

static void a_revoked_key_is_refused_whatever_the_line_is_for(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(
		"@revoked other.example " ED25519 "\n" HOST " " ED25519 "\n" HOST " " ECDSA "\n",
		22);
	bool again;

	(void)state;
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_HOST_KEY_CHANGED);
	assert_non_null(strstr(outcome_reason(OUTCOME_HOST_KEY_CHANGED), "revoked"));
	assert_int_equal(judge(keys, ECDSA, &again), OUTCOME_OK);
}

static void a_certificate_authority_is_no_host_key(void **state)
{
	(void)state;
	assert_unknown("@cert-authority " HOST " " ED25519 "\n", 22);
	assert_knows_ed25519("@cert-authority * " RSA "\n" HOST " " ED25519 "\n", 22);
}

static void malformed_lines_are_skipped(void **state)
{
	(void)state;
	assert_knows_ed25519("nonsense\n" HOST "\n" HOST " ssh-ed25519\n" HOST
			     " ssh-ed25519 AA\n@revoked\n|1|x\n"
			     "|1|AAAA|BBBB ssh-ed25519\n" HOST " " ED25519 "\n",
			     22);
}

static void a_host_with_only_unsound_keys_is_not_asked_for_any(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys =
		load(HOST " ssh-dss AAAAB3NzaC1kc3MAAAAEAAAAAQ==\n", 22);
	char methods[HOSTKEYS_METHODS_MAX];

	(void)state;
	assert_int_equal(hostkeys_check(keys), OUTCOME_OK);
	assert_int_equal(hostkeys_methods(keys, methods), OUTCOME_NO_COMMON_ALGORITHM);
	assert_non_null(strstr(outcome_reason(OUTCOME_NO_COMMON_ALGORITHM), "no longer sound"));
	assert_string_equal(methods, "");
}

static void a_pinned_key_needs_no_known_hosts(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load_pinned(ED25519_FINGERPRINT);
	bool again;

	(void)state;
	assert_int_equal(hostkeys_check(keys), OUTCOME_OK);
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_OK);
	assert_int_equal(hostkeys_exhausted(keys), OUTCOME_OK);
}

static void a_pin_may_have_padding(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load_pinned(ED25519_FINGERPRINT "=");
	bool again;

	(void)state;
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_OK);
}

static void the_next_key_of_the_server_may_be_the_pinned_one(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load_pinned(ECDSA_FINGERPRINT);
	char methods[HOSTKEYS_METHODS_MAX];
	bool again;

	(void)state;
	assert_int_equal(judge(keys, ED25519, &again), OUTCOME_HOST_KEY_CHANGED);
	assert_true(again);
	assert_int_equal(hostkeys_methods(keys, methods), OUTCOME_OK);
	assert_null(strstr(methods, "ssh-ed25519"));
	assert_int_equal(judge(keys, ECDSA, &again), OUTCOME_OK);
	assert_false(again);
}

static void a_server_without_the_pinned_key_is_refused_in_the_end(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load_pinned(ECDSA_FINGERPRINT);
	bool again;

	(void)state;
	assert_int_equal(judge(keys, OTHER_ED25519, &again), OUTCOME_HOST_KEY_CHANGED);
	assert_int_equal(hostkeys_exhausted(keys), OUTCOME_HOST_KEY_CHANGED);
	assert_non_null(strstr(outcome_reason(OUTCOME_HOST_KEY_CHANGED), ECDSA_FINGERPRINT));
}

static void a_key_that_is_none_is_refused(void **state)
{
	_cleanup_(hostkeys_freep) struct hostkeys *keys = load(HOST " " ED25519 "\n", 22);
	bool again;

	(void)state;
	assert_int_equal(hostkeys_judge(keys, "", 0, &again), OUTCOME_SSH_PROTOCOL);
	assert_int_equal(hostkeys_judge(keys, "\0\0\0\7ssh-dss", 11, &again), OUTCOME_SSH_PROTOCOL);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(known_hosts, sizeof(known_hosts), "%s/known_hosts", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(known_hosts);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_line_is_found),
		cmocka_unit_test(a_line_without_its_newline_is_found),
		cmocka_unit_test(a_line_of_another_system_is_found),
		cmocka_unit_test(a_line_with_a_comment_is_found),
		cmocka_unit_test(a_hashed_line_is_found),
		cmocka_unit_test(a_hashed_line_with_a_port_is_found),
		cmocka_unit_test(a_line_for_the_port_stands_in_front_of_one_for_the_host),
		cmocka_unit_test(a_line_with_a_port_is_for_that_port_only),
		cmocka_unit_test(one_of_several_names_is_found),
		cmocka_unit_test(another_host_is_not_ours),
		cmocka_unit_test(without_known_hosts_every_sound_type_is_asked_for),
		cmocka_unit_test(the_fingerprint_is_that_of_ssh_keygen),
		cmocka_unit_test(exactly_the_known_types_are_asked_for),
		cmocka_unit_test(a_stale_line_beside_the_right_one_does_no_harm),
		cmocka_unit_test(a_known_rsa_key_never_means_sha1),
		cmocka_unit_test(a_revoked_key_is_refused_whatever_the_line_is_for),
		cmocka_unit_test(a_certificate_authority_is_no_host_key),
		cmocka_unit_test(malformed_lines_are_skipped),
		cmocka_unit_test(a_host_with_only_unsound_keys_is_not_asked_for_any),
		cmocka_unit_test(a_pinned_key_needs_no_known_hosts),
		cmocka_unit_test(a_pin_may_have_padding),
		cmocka_unit_test(the_next_key_of_the_server_may_be_the_pinned_one),
		cmocka_unit_test(a_server_without_the_pinned_key_is_refused_in_the_end),
		cmocka_unit_test(a_key_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

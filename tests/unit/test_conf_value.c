/* One value of a configuration file: what each kind takes and what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_value.h"
#include "unit.h"

struct place {
	char *text;
	int number;
	bool on;
};

/* Store ${text} as ${type}: the stored text (the caller frees it), or NULL and what it must be. */
static char *store(enum conf_type type, const char *text, const char **wanted)
{
	const struct conf_setting setting = {
		"section", "key", type, false, offsetof(struct place, text), NULL, NULL
	};
	struct place place = { 0 };

	*wanted = conf_value_store(&setting, text, &place);
	if (*wanted)
		assert_null(place.text);
	return place.text;
}

static void becomes(enum conf_type type, const char *text, const char *result)
{
	const char *wanted;
	char *stored = store(type, text, &wanted);

	if (wanted)
		fail_msg("'%s' must be %s", text, wanted);
	assert_string_equal(stored, result);
	free(stored);
}

static void is_refused(enum conf_type type, const char *text, const char *must_be)
{
	const char *wanted;
	char *stored = store(type, text, &wanted);

	if (!wanted)
		fail_msg("'%s' was stored as '%s'", text, stored);
	assert_string_equal(wanted, must_be);
}

static void number_becomes(enum conf_type type, const char *text, int result)
{
	const struct conf_setting setting = {
		"section", "key", type, false, offsetof(struct place, number), NULL, NULL
	};
	struct place place = { 0 };
	const char *wanted = conf_value_store(&setting, text, &place);

	if (wanted)
		fail_msg("'%s' must be %s", text, wanted);
	assert_int_equal(place.number, result);
	assert_null(place.text);
}

static void numbers_are_refused(enum conf_type type, const char *const *texts, const char *must_be)
{
	const struct conf_setting setting = {
		"section", "key", type, false, offsetof(struct place, number), NULL, NULL
	};

	for (; *texts; texts++) {
		struct place place = { .number = 7 };
		const char *wanted = conf_value_store(&setting, *texts, &place);

		if (!wanted)
			fail_msg("'%s' was stored as %d", *texts, place.number);
		assert_string_equal(wanted, must_be);
		assert_int_equal(place.number, 7);
	}
}

/* --- switches --- */

static void a_switch_is_on_or_off(void **state)
{
	static const struct conf_setting setting = {
		"section", "key", CONF_SWITCH, false, offsetof(struct place, on), NULL, NULL
	};
	static const char *const odd[] = {
		"yes", "no", "1", "0", "true", "ON", "Off", "on ", "onn"
	};
	struct place place = { .on = false };

	(void)state;
	assert_null(conf_value_store(&setting, "on", &place));
	assert_true(place.on);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_string_equal(conf_value_store(&setting, odd[i], &place), "on or off");
	assert_true(place.on);
	assert_null(conf_value_store(&setting, "off", &place));
	assert_false(place.on);
}

/* --- numbers --- */

static void ports_from_1_to_65535_are_taken(void **state)
{
	(void)state;
	number_becomes(CONF_PORT, "1", 1);
	number_becomes(CONF_PORT, "22", 22);
	number_becomes(CONF_PORT, "022", 22);
	number_becomes(CONF_PORT, "65535", 65535);
}

static void anything_else_is_no_port(void **state)
{
	static const char *const texts[] = { "0",
					     "65536",
					     "-1",
					     "+22",
					     "1e3",
					     "22.0",
					     "0x16",
					     "ssh",
					     "22 22",
					     "22a",
					     " 22",
					     "4294967318",
					     "18446744073709551638",
					     "99999999999999999999999",
					     NULL };

	(void)state;
	numbers_are_refused(CONF_PORT, texts, "a port number from 1 to 65535");
}

static void numbers_from_0_to_9999_are_taken(void **state)
{
	static const char *const texts[] = {
		"10000", "-1", "+7", "7d", "0x7", "seven", "7.5", NULL
	};

	(void)state;
	number_becomes(CONF_NUMBER, "0", 0);
	number_becomes(CONF_NUMBER, "7", 7);
	number_becomes(CONF_NUMBER, "9999", 9999);
	numbers_are_refused(CONF_NUMBER, texts, "a whole number from 0 to 9999");
}

static void durations_are_kept_in_milliseconds(void **state)
{
	(void)state;
	number_becomes(CONF_DURATION, "1ms", 1);
	number_becomes(CONF_DURATION, "500ms", 500);
	number_becomes(CONF_DURATION, "10s", 10000);
	number_becomes(CONF_DURATION, "10 s", 10000);
	number_becomes(CONF_DURATION, "5m", 300000);
	number_becomes(CONF_DURATION, "5min", 300000);
	number_becomes(CONF_DURATION, "1h", 3600000);
	number_becomes(CONF_DURATION, "24h", 86400000);
	number_becomes(CONF_DURATION, "1440m", 86400000);
	number_becomes(CONF_DURATION, "86400s", 86400000);
	number_becomes(CONF_DURATION, "86400000ms", 86400000);
}

static void a_duration_needs_a_number_and_a_unit_within_a_day(void **state)
{
	static const char *const texts[] = { "10",
					     "0",
					     "0s",
					     "-1s",
					     "+1s",
					     "1.5s",
					     "1e3s",
					     "s",
					     "10x",
					     "10S",
					     "10sec",
					     "1d",
					     "25h",
					     "1441m",
					     "86401s",
					     "10s5",
					     "ten s",
					     "86400001ms",
					     "9223372036854775808ms",
					     "99999999999999999999h",
					     NULL };

	(void)state;
	numbers_are_refused(CONF_DURATION, texts,
			    "a time with its unit, from 1ms to 24h (500ms, 10s, 5m, 1h)");
}

/* --- texts --- */

static void texts_are_kept_as_they_are(void **state)
{
	(void)state;
	becomes(CONF_TEXT, "any text, at all", "any text, at all");
	becomes(CONF_TEXT, ".", ".");
	becomes(CONF_PATH, "/etc/certsync/push.conf", "/etc/certsync/push.conf");
	becomes(CONF_PATH, "/", "/");
	becomes(CONF_PATH, "//./", "/");
	becomes(CONF_PATH, "/home/certsync/incoming//./", "/home/certsync/incoming");
	becomes(CONF_PATH, "/home/certsync/.incoming.", "/home/certsync/.incoming.");
	becomes(CONF_NAME, "npm-5", "npm-5");
	becomes(CONF_NAME, "...", "...");
}

static void control_characters_are_refused_in_every_kind(void **state)
{
	(void)state;
	is_refused(CONF_TEXT, "a\tb", "free of control characters");
	is_refused(CONF_TEXT, "\x7f", "free of control characters");
	is_refused(CONF_PATH, "/a\033b", "free of control characters");
	is_refused(CONF_WORDS, "a\nb", "free of control characters");
	is_refused(CONF_PORT, "22\r", "free of control characters");
}

static void a_path_is_absolute(void **state)
{
	(void)state;
	is_refused(CONF_PATH, "etc/certsync", "an absolute path");
	is_refused(CONF_PATH, "./x", "an absolute path");
	is_refused(CONF_PATH, "~/x", "an absolute path");
}

static void a_name_leads_nowhere_else(void **state)
{
	(void)state;
	is_refused(CONF_NAME, "../npm-5", "a name, without a path and without blanks");
	is_refused(CONF_NAME, "live/npm-5", "a name, without a path and without blanks");
	is_refused(CONF_NAME, "npm-5/", "a name, without a path and without blanks");
	is_refused(CONF_NAME, ".", "a name, without a path and without blanks");
	is_refused(CONF_NAME, "npm 5", "a name, without a path and without blanks");
	is_refused(CONF_NAME, "..", "a name, without a path and without blanks");
}

static void words_are_separated_by_single_spaces(void **state)
{
	(void)state;
	becomes(CONF_WORDS, "postfix", "postfix");
	becomes(CONF_WORDS, "postfix   dovecot  nginx", "postfix dovecot nginx");
	becomes(CONF_WORDS, "  postfix dovecot ", "postfix dovecot");
}

static void an_empty_value_is_stored_only_where_it_may_be(void **state)
{
	static const enum conf_type types[] = { CONF_TEXT, CONF_PATH,     CONF_NAME, CONF_DNS_NAME,
						CONF_HOST, CONF_HOST_KEY, CONF_WORDS };
	struct conf_setting setting = {
		"section", "key", CONF_TEXT, false, offsetof(struct place, text), NULL, NULL
	};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct place place = { 0 };

		setting.type = types[i];
		setting.may_be_empty = false;
		assert_string_equal(conf_value_store(&setting, "", &place), "set to something");
		assert_null(place.text);
		setting.may_be_empty = true;
		assert_null(conf_value_store(&setting, "", &place));
		assert_string_equal(place.text, "");
		free(place.text);
	}
}

static void only_the_kinds_that_are_texts_are_freed(void **state)
{
	(void)state;
	assert_false(conf_value_is_text(CONF_PORT));
	assert_false(conf_value_is_text(CONF_DURATION));
	assert_true(conf_value_is_text(CONF_TEXT));
	assert_true(conf_value_is_text(CONF_PATH));
	assert_true(conf_value_is_text(CONF_NAME));
	assert_true(conf_value_is_text(CONF_DNS_NAME));
	assert_true(conf_value_is_text(CONF_HOST));
	assert_true(conf_value_is_text(CONF_HOST_KEY));
	assert_true(conf_value_is_text(CONF_WORDS));
}

/* --- host names --- */

static void host_names_are_taken_without_their_last_dot(void **state)
{
	(void)state;
	becomes(CONF_DNS_NAME, "mail.example.org", "mail.example.org");
	becomes(CONF_DNS_NAME, "mail.example.org.", "mail.example.org");
	becomes(CONF_DNS_NAME, "localhost", "localhost");
	becomes(CONF_DNS_NAME, "xn--bcher-kva.example.org", "xn--bcher-kva.example.org");
	becomes(CONF_DNS_NAME, "3com.example.org", "3com.example.org");
	becomes(CONF_DNS_NAME, "a_b.example.org", "a_b.example.org");
}

static void what_is_not_a_host_name_is_refused(void **state)
{
	static const char *const texts[] = {
		".",
		"..",
		"example.org..",
		"a..b",
		".example.org",
		"-a.example.org",
		"a-.example.org",
		"a.example-",
		"a b",
		"mail.example.org:22",
		"user@example.org",
		"*.example.org",
		"https://x",
		"a/b",
		"-",
		"a,b",
		"[::1]",
		NULL,
	};

	(void)state;
	for (const char *const *text = texts; *text; text++)
		is_refused(CONF_DNS_NAME, *text, "a host name");
}

static void a_host_name_in_another_script_is_asked_for_in_ascii(void **state)
{
	(void)state;
	is_refused(CONF_DNS_NAME,
		   "b\xc3\xbc"
		   "cher.example.org",
		   "a host name in its ASCII form (xn--...)");
}

static void labels_have_63_characters_at_the_most_and_names_253(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	becomes(CONF_DNS_NAME, text, text);
	text[63] = 'a';
	text[64] = '\0';
	is_refused(CONF_DNS_NAME, text, "a host name");

	memset(text, 'a', sizeof(text));
	for (size_t i = 60; i < 250; i += 61)
		text[i] = '.';
	text[253] = '\0';
	becomes(CONF_DNS_NAME, text, text);
	text[253] = 'a';
	text[254] = '\0';
	is_refused(CONF_DNS_NAME, text, "a host name");
}

static void a_name_from_elsewhere_is_judged_without_its_last_dot(void **state)
{
	(void)state;
	assert_true(conf_is_dns_name("mail.example.org"));
	assert_false(conf_is_dns_name("mail.example.org."));
	assert_false(conf_is_dns_name(".example.org"));
	assert_false(conf_is_dns_name("mail example.org"));
	assert_false(conf_is_dns_name("b\xc3\xbc"
				      "cher.example.org"));
	assert_false(conf_is_dns_name(""));
}

static void a_host_is_a_name_or_an_address(void **state)
{
	(void)state;
	becomes(CONF_HOST, "mail.example.org.", "mail.example.org");
	becomes(CONF_HOST, "192.0.2.1", "192.0.2.1");
	becomes(CONF_HOST, "2001:db8::1", "2001:db8::1");
	becomes(CONF_HOST, "::1", "::1");
	is_refused(CONF_HOST, "[2001:db8::1]", "a host name or an IP address");
	is_refused(CONF_HOST, "2001:db8::1::2", "a host name or an IP address");
	is_refused(CONF_HOST, "mail.example.org:22", "a host name or an IP address");
	is_refused(CONF_HOST, "a b", "a host name or an IP address");
}

/* RFC 1123 2.1: a name's last label is not all digits; such a text is an address mistyped. */
static void a_mistyped_address_is_not_a_host_name(void **state)
{
	(void)state;
	is_refused(CONF_HOST, "192.0.2.256", "a host name or an IP address");
	is_refused(CONF_HOST, "192.0.2.1.1", "a host name or an IP address");
	is_refused(CONF_HOST, "192.0.2", "a host name or an IP address");
}

/* --- host keys --- */

#define BASE64_42 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ+/0123"

static void a_host_key_is_taken_with_or_without_padding(void **state)
{
	(void)state;
	assert_int_equal(strlen(BASE64_42), 42);
	becomes(CONF_HOST_KEY, "SHA256:" BASE64_42 "4", "SHA256:" BASE64_42 "4");
	becomes(CONF_HOST_KEY, "SHA256:" BASE64_42 "4=", "SHA256:" BASE64_42 "4");
}

static void what_is_not_a_sha_256_fingerprint_is_refused(void **state)
{
	static const char *const texts[] = { "SHA256:",
					     BASE64_42 "4",
					     "SHA256:" BASE64_42,
					     "SHA256:" BASE64_42 "=",
					     "SHA256:" BASE64_42 "=4",
					     "SHA256:=" BASE64_42,
					     "SHA256:" BASE64_42 "44",
					     "SHA256:" BASE64_42 "4==",
					     "SHA256:" BASE64_42 "-",
					     "sha256:" BASE64_42 "4",
					     "SHA1:" BASE64_42 "444",
					     "MD5:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff",
					     "ssh-ed25519 AAAA",
					     NULL };

	(void)state;
	for (const char *const *text = texts; *text; text++)
		is_refused(CONF_HOST_KEY, *text,
			   "a fingerprint as ssh-keygen -l prints it, SHA256:...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_switch_is_on_or_off),
		cmocka_unit_test(ports_from_1_to_65535_are_taken),
		cmocka_unit_test(anything_else_is_no_port),
		cmocka_unit_test(numbers_from_0_to_9999_are_taken),
		cmocka_unit_test(durations_are_kept_in_milliseconds),
		cmocka_unit_test(a_duration_needs_a_number_and_a_unit_within_a_day),
		cmocka_unit_test(texts_are_kept_as_they_are),
		cmocka_unit_test(control_characters_are_refused_in_every_kind),
		cmocka_unit_test(a_path_is_absolute),
		cmocka_unit_test(a_name_leads_nowhere_else),
		cmocka_unit_test(words_are_separated_by_single_spaces),
		cmocka_unit_test(an_empty_value_is_stored_only_where_it_may_be),
		cmocka_unit_test(only_the_kinds_that_are_texts_are_freed),
		cmocka_unit_test(host_names_are_taken_without_their_last_dot),
		cmocka_unit_test(what_is_not_a_host_name_is_refused),
		cmocka_unit_test(a_host_name_in_another_script_is_asked_for_in_ascii),
		cmocka_unit_test(labels_have_63_characters_at_the_most_and_names_253),
		cmocka_unit_test(a_name_from_elsewhere_is_judged_without_its_last_dot),
		cmocka_unit_test(a_host_is_a_name_or_an_address),
		cmocka_unit_test(a_mistyped_address_is_not_a_host_name),
		cmocka_unit_test(a_host_key_is_taken_with_or_without_padding),
		cmocka_unit_test(what_is_not_a_sha_256_fingerprint_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

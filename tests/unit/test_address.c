/* Endpoints as push.conf names them. */
#include <string.h>

#include "certsync/address.h"
#include "unit.h"

static void is(const char *text, const char *host, int port)
{
	struct address address;

	if (!address_parse(text, 993, &address))
		fail_msg("%s is refused", text);
	assert_string_equal(address.host, host);
	assert_int_equal(address.port, port);
	assert_int_equal(address_check(text), OUTCOME_OK);
}

static void is_none(const char *text)
{
	struct address address;

	if (address_parse(text, 993, &address))
		fail_msg("%s passes for %s port %d", text, address.host, address.port);
	assert_int_equal(address_check(text), OUTCOME_CONF_INVALID);
}

static void a_host_without_a_port_has_the_usual_one(void **state)
{
	(void)state;
	is("mail.example.org", "mail.example.org", 993);
	is("mail.example.org.", "mail.example.org", 993);
	is("192.0.2.10", "192.0.2.10", 993);
	is("2001:db8::10", "2001:db8::10", 993);
	is("[2001:db8::10]", "2001:db8::10", 993);
	is("::1", "::1", 993);
}

static void a_port_follows_a_colon(void **state)
{
	(void)state;
	is("mail.example.org:465", "mail.example.org", 465);
	is("mail.example.org.:465", "mail.example.org", 465);
	is("192.0.2.10:1", "192.0.2.10", 1);
	is("[::1]:65535", "::1", 65535);
}

static void anything_else_is_no_endpoint(void **state)
{
	static const char *const odd[] = { ":993",
					   "mail.example.org:",
					   "mail.example.org:0",
					   "mail.example.org:65536",
					   "mail.example.org:99399",
					   "mail.example.org:-1",
					   "mail.example.org:imaps",
					   "mail.example.org:993:",
					   "mail.example.org 993",
					   "imaps://mail.example.org",
					   "[::1",
					   "[::1]993",
					   "[::1]:",
					   "[]:993",
					   "[192.0.2.10]:993",
					   "[mail.example.org]:993",
					   "192.0.2.300",
					   "2001:db8::g",
					   "mail..example.org",
					   ".",
					   "a/b",
					   "1:2" };
	char longer[512];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		is_none(odd[i]);
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	is_none(longer);
}

static void an_empty_setting_is_in_order(void **state)
{
	(void)state;
	assert_int_equal(address_check(""), OUTCOME_OK);
}

static void an_ip_address_is_no_name_and_has_no_brackets(void **state)
{
	(void)state;
	assert_true(address_is_ip("192.0.2.10"));
	assert_true(address_is_ip("2001:db8::10"));
	assert_false(address_is_ip("[::1]"));
	assert_false(address_is_ip("192.0.2"));
	assert_false(address_is_ip("localhost"));
	assert_false(address_is_ip(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_without_a_port_has_the_usual_one),
		cmocka_unit_test(a_port_follows_a_colon),
		cmocka_unit_test(anything_else_is_no_endpoint),
		cmocka_unit_test(an_empty_setting_is_in_order),
		cmocka_unit_test(an_ip_address_is_no_name_and_has_no_brackets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

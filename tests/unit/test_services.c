#include <string.h>

#include "run_child.h"
#include "services.h"

static void services_are_parsed_with_their_kinds(void **state)
{
	struct services services;

	(void)state;
	assert_int_equal(
		services_parse("postfix-mailcow  dovecot-mailcow\tnginx-mailcow", &services),
		OUTCOME_OK);
	assert_int_equal(services.count, 3);
	assert_string_equal(services.service[0].name, "postfix-mailcow");
	assert_string_equal(services.service[1].name, "dovecot-mailcow");
	assert_string_equal(services.service[2].name, "nginx-mailcow");
	assert_non_null(services.service[0].kind);
	assert_ptr_not_equal(services.service[0].kind, services.service[1].kind);
}

static void a_kind_can_be_said(void **state)
{
	struct services said, plain;

	(void)state;
	assert_int_equal(services_parse("frontend:nginx", &said), OUTCOME_OK);
	assert_int_equal(services_parse("nginx", &plain), OUTCOME_OK);
	assert_string_equal(said.service[0].name, "frontend");
	assert_ptr_equal(said.service[0].kind, plain.service[0].kind);
}

static void what_cannot_be_reloaded_is_refused(void **state)
{
	static const char *const wrong[] = { "rspamd-mailcow",  "nginxmailcow", "frontend:",
					     "frontend:apache", ":nginx",       "frontend:nginxx" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (services_check(wrong[i]) != OUTCOME_CONF_INVALID)
			fail_msg("'%s' is taken", wrong[i]);
	assert_int_equal(services_check("rspamd-mailcow"), OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "rspamd-mailcow:nginx");
}

static void too_many_and_too_long_ones_are_refused(void **state)
{
	char many[512] = "", long_name[128] = "nginx-";

	(void)state;
	for (int i = 0; i <= SERVICES_MAX; i++)
		strcat(many, "nginx-a ");
	assert_int_equal(services_check(many), OUTCOME_CONF_INVALID);
	memset(long_name + 6, 'x', SERVICE_NAME_MAX);
	assert_int_equal(services_check(long_name), OUTCOME_CONF_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_parsed_with_their_kinds),
		cmocka_unit_test(a_kind_can_be_said),
		cmocka_unit_test(what_cannot_be_reloaded_is_refused),
		cmocka_unit_test(too_many_and_too_long_ones_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

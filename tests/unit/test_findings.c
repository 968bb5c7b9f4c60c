/* What a check prints of its findings. */
#include <stdlib.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/findings.h"
#include "run_child.h"

#define DAY ((time_t)86400)
#define NOW ((time_t)1795744807)

/* Too large for a stack. */
static struct findings findings;

static int setup(void **state)
{
	(void)state;
	memset(&findings, 0, sizeof(findings));
	return 0;
}

/* What is printed with ${summary} and ${perfdata}; the caller frees it. */
static char *printed(const char *summary, const char *perfdata)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_true(findings_print(&findings, "CERTTEST", summary, perfdata, to));
	fclose(to);
	return text;
}

static void prints(const char *wanted)
{
	_cleanup_(string_freep) char *text = printed("fine", "");

	assert_string_equal(text, wanted);
}

static void findings_are_a_line_and_a_table(void **state)
{
	(void)state;
	findings_add(&findings, "lineage", VERDICT_OK, "%s: %s", "npm-5", "mail.example.org");
	findings_add(&findings, "days left", VERDICT_WARNING, "%d", 20);
	findings_skip(&findings, "served", "not asked");
	prints("CERTTEST WARNING - days left: 20\n"
	       "CHECK      STATUS   DETAIL\n"
	       "lineage    OK       npm-5: mail.example.org\n"
	       "days left  WARNING  20\n"
	       "served     -        not asked\n");
}

static void where_all_is_well_the_summary_is_the_first_line(void **state)
{
	_cleanup_(string_freep) char *text = NULL;

	(void)state;
	findings_add(&findings, "sshd", VERDICT_OK, "answers");
	text = printed("42.0 days left", "days_left=42.0;22.5:;7.5:");
	assert_string_equal(text, "CERTTEST OK - 42.0 days left | days_left=42.0;22.5:;7.5:\n"
				  "CHECK  STATUS  DETAIL\n"
				  "sshd   OK      answers\n");
}

static void without_findings_there_is_no_table(void **state)
{
	(void)state;
	verdict_note(&findings.verdict, VERDICT_UNKNOWN, "no configuration");
	prints("CERTTEST UNKNOWN - no configuration\n");
}

static void a_failure_is_critical_and_has_its_advice_below_the_table(void **state)
{
	_cleanup_(string_freep) char *text = NULL;

	(void)state;
	outcome_because(OUTCOME_AUTH_REFUSED, "no");
	findings_fail(&findings, "login", OUTCOME_AUTH_REFUSED);
	assert_int_equal(findings.verdict.level, VERDICT_CRITICAL);
	text = printed("fine", "");
	assert_contains(text, "CERTTEST CRITICAL - login: no\n");
	assert_contains(text, "\nlogin: Check user in push.conf");
}

static void what_we_may_not_look_at_is_unknown(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_DENIED, "denied");
	findings_fail(&findings, "settings", OUTCOME_FILE_DENIED);
	assert_int_equal(findings.verdict.level, VERDICT_UNKNOWN);
}

static void what_was_skipped_is_no_failure(void **state)
{
	(void)state;
	findings_skip(&findings, "served", "cannot be asked");
	assert_int_equal(findings.verdict.level, VERDICT_OK);
}

static void text_from_elsewhere_adds_no_numbers_and_no_lines(void **state)
{
	(void)state;
	findings_add(&findings, "a|b", VERDICT_CRITICAL, "a|b\nc\033");
	prints("CERTTEST CRITICAL - a/b: a/b\\x0ac\\x1b\n"
	       "CHECK  STATUS    DETAIL\n"
	       "a/b    CRITICAL  a/b\\x0ac\\x1b\n");
}

static void more_findings_than_fit_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3 * (size_t)FINDINGS_MAX; i++)
		findings_add(&findings, "row", VERDICT_OK, "%zu", i);
	assert_int_equal(findings.count, FINDINGS_MAX);
	/* Of those that do not fit the last one is told, with its own advice. */
	findings_add(&findings, "last", VERDICT_WARNING, "here");
	findings_advise(&findings, "Do it.");
	assert_int_equal(findings.count, FINDINGS_MAX);
	assert_string_equal(findings.finding[FINDINGS_MAX - 1].name, "last");
	assert_string_equal(findings.finding[FINDINGS_MAX - 1].advice, "Do it.");
	assert_string_equal(findings.finding[FINDINGS_MAX - 2].advice, "");
}

static void json_has_null_for_what_was_skipped(void **state)
{
	const char *status, *summary, *check;
	json_t *object, *nothing;
	int version;

	(void)state;
	findings_add(&findings, "sshd", VERDICT_OK, "answers");
	findings_skip(&findings, "served", "cannot be asked");
	object = findings_json(&findings, "fine");
	assert_non_null(object);
	assert_int_equal(json_unpack(object, "{s:i, s:s, s:s, s:[{s:s}, {s:n, s:o}]}", "version",
				     &version, "status", &status, "summary", &summary, "checks",
				     "check", &check, "status", "detail", &nothing),
			 0);
	assert_int_equal(version, 1);
	assert_string_equal(status, "OK");
	assert_string_equal(summary, "fine");
	assert_string_equal(check, "sshd");
	json_decref(object);
}

static void no_more_days_are_told_than_are_left(void **state)
{
	(void)state;
	assert_true(findings_days(NOW + 42 * DAY, NOW) == 42);
	assert_true(findings_days(NOW + 7 * DAY + DAY / 2, NOW) == 7.5);
	assert_true(findings_days(NOW + 7 * DAY + DAY / 2 - 1, NOW) == 7.4);
	assert_true(findings_days(NOW, NOW) == 0);
	assert_true(findings_days(NOW - 1, NOW) == -0.1);
	assert_true(findings_days(NOW - DAY, NOW) == -1);
}

#define test(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(findings_are_a_line_and_a_table),
		test(where_all_is_well_the_summary_is_the_first_line),
		test(without_findings_there_is_no_table),
		test(a_failure_is_critical_and_has_its_advice_below_the_table),
		test(what_we_may_not_look_at_is_unknown),
		test(what_was_skipped_is_no_failure),
		test(text_from_elsewhere_adds_no_numbers_and_no_lines),
		test(more_findings_than_fit_do_no_harm),
		test(json_has_null_for_what_was_skipped),
		test(no_more_days_are_told_than_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

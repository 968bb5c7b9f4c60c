/* What certpush check prints of its findings. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "certsync/cleanup.h"
#include "make_pair.h"
#include "report.h"
#include "run_child.h"

typedef bool print_fn(const struct report *report, FILE *to);

/* What ${print} prints; the caller frees it. */
static char *printed(print_fn *print, const struct report *report)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_true(print(report, to));
	fclose(to);
	return text;
}

static void prints(const struct report *report, const char *wanted)
{
	_cleanup_(string_freep) char *text = printed(report_print, report);

	assert_string_equal(text, wanted);
}

static void findings_are_a_line_and_a_table(void **state)
{
	struct report report = { .now = 0 };

	(void)state;
	report_add(&report, "lineage", VERDICT_OK, "%s: %s", "npm-5", "mail.example.org");
	report_add(&report, "days left", VERDICT_WARNING, "%d", 20);
	report_skip(&report, "served", "not asked");
	prints(&report, "CERTPUSH WARNING - days left: 20\n"
			"CHECK      STATUS   DETAIL\n"
			"lineage    OK       npm-5: mail.example.org\n"
			"days left  WARNING  20\n"
			"served     -        not asked\n");
}

#define NOW ((time_t)1795744807)

/* A certificate that ends so many ${seconds} from NOW; the caller frees it. */
static struct bundle *leaf_that_ends_in(time_t seconds)
{
	struct identity identity = make_identity(
		&(struct make_certificate){ .from = NOW - 80 * A_DAY, .to = NOW + seconds });
	_cleanup_(bytes_clear) struct bytes chain = pem_chain(identity.certificate, NULL, NULL);
	struct bundle *bundle = NULL;

	identity_clear(&identity);
	assert_int_equal(bundle_load_leaf(&chain, &bundle), OUTCOME_OK);
	return bundle;
}

static void the_first_line_has_the_days_and_both_thresholds(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle = leaf_that_ends_in(42 * A_DAY);
	struct report report = {
		.now = NOW, .lineage = "npm-5", .bundle = bundle, .limits = { 22.5, 7.5 }
	};

	(void)state;
	prints(&report, "CERTPUSH OK - npm-5: 42.0 days left | days_left=42.0;22.5;7.5\n");
	report.endpoint = "mail.example.org:993";
	prints(&report, "CERTPUSH OK - npm-5: 42.0 days left | days_left=42.0;22.5;7.5\n");
	report.served = "AA:BB";
	prints(&report, "CERTPUSH OK - npm-5: 42.0 days left, served by mail.example.org:993 | "
			"days_left=42.0;22.5;7.5\n");
	report.now = NOW + 42 * A_DAY + 1;
	verdict_note(&report.verdict, VERDICT_CRITICAL, "expired");
	prints(&report, "CERTPUSH CRITICAL - expired | days_left=-0.1;22.5;7.5\n");
}

static void no_more_days_are_shown_than_are_left(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		leaf_that_ends_in(7 * A_DAY + A_DAY / 2 - 1);
	struct report report = { .now = NOW, .bundle = bundle };

	(void)state;
	assert_true(report_days_left(&report) == 7.4);
	report.now--;
	assert_true(report_days_left(&report) == 7.5);
}

static void a_failure_is_critical_and_has_its_advice_below_the_table(void **state)
{
	struct report report = { .now = 0 };
	_cleanup_(string_freep) char *text = NULL;

	(void)state;
	outcome_because(OUTCOME_AUTH_REFUSED, "no");
	report_failure(&report, "login", OUTCOME_AUTH_REFUSED);
	assert_int_equal(report.verdict.level, VERDICT_CRITICAL);
	text = printed(report_print, &report);
	assert_contains(text, "CERTPUSH CRITICAL - login: no\n");
	assert_contains(text, "\nlogin: Check user in push.conf");
}

static void what_we_may_not_look_at_is_unknown(void **state)
{
	struct report report = { .now = 0 };

	(void)state;
	outcome_because(OUTCOME_FILE_DENIED, "denied");
	report_failure(&report, "settings", OUTCOME_FILE_DENIED);
	assert_int_equal(report.verdict.level, VERDICT_UNKNOWN);
}

static void what_was_skipped_is_no_failure(void **state)
{
	struct report report = { .now = 0 };

	(void)state;
	report_skip(&report, "served", "cannot be asked");
	assert_int_equal(report.verdict.level, VERDICT_OK);
}

static void text_from_elsewhere_adds_no_numbers_and_no_lines(void **state)
{
	struct report report = { .now = 0 };

	(void)state;
	report_add(&report, "sshd", VERDICT_CRITICAL, "a|b\nc\033");
	prints(&report, "CERTPUSH CRITICAL - sshd: a/b\\x0ac\\x1b\n"
			"CHECK  STATUS    DETAIL\n"
			"sshd   CRITICAL  a/b\\x0ac\\x1b\n");
}

static void more_findings_than_fit_do_no_harm(void **state)
{
	struct report report = { .now = 0 };

	(void)state;
	for (size_t i = 0; i < 3 * (size_t)REPORT_ROWS_MAX; i++)
		report_add(&report, "row", VERDICT_OK, "%zu", i);
	assert_true(report.count < REPORT_ROWS_MAX);
}

static void json_has_null_for_what_was_skipped_and_leaves_out_what_is_not_known(void **state)
{
	struct report report = { .hostname = "mail.example.org" };
	_cleanup_(string_freep) char *text = NULL;
	const char *status, *check;
	json_t *document, *nothing;

	(void)state;
	report_add(&report, "sshd", VERDICT_OK, "answers");
	report_skip(&report, "served", "cannot be asked");
	text = printed(report_print_json, &report);
	document = json_loads(text, 0, NULL);
	assert_non_null(document);
	assert_int_equal(json_unpack(document, "{s:s, s:[{s:s}, {s:n, s:o}]}", "status", &status,
				     "checks", "check", &check, "status", "status", &nothing),
			 0);
	assert_string_equal(status, "OK");
	assert_string_equal(check, "sshd");
	assert_null(json_object_get(document, "certificate"));
	assert_null(json_object_get(document, "pushed"));
	assert_null(json_object_get(document, "endpoint"));
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_a_line_and_a_table),
		cmocka_unit_test(the_first_line_has_the_days_and_both_thresholds),
		cmocka_unit_test(no_more_days_are_shown_than_are_left),
		cmocka_unit_test(a_failure_is_critical_and_has_its_advice_below_the_table),
		cmocka_unit_test(what_we_may_not_look_at_is_unknown),
		cmocka_unit_test(what_was_skipped_is_no_failure),
		cmocka_unit_test(text_from_elsewhere_adds_no_numbers_and_no_lines),
		cmocka_unit_test(more_findings_than_fit_do_no_harm),
		cmocka_unit_test(
			json_has_null_for_what_was_skipped_and_leaves_out_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

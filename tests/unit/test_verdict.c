/* What a check found, and how bad it is. */
#include <string.h>

#include "certsync/verdict.h"
#include "unit.h"

#define DAY ((time_t)86400)
#define NOW ((time_t)1795744807)

static const struct command_options nothing_given = { .warning = -1, .critical = -1 };

/* --- findings --- */

static void without_a_finding_all_is_well(void **state)
{
	struct verdict verdict = { 0 };

	(void)state;
	assert_int_equal(verdict.level, VERDICT_OK);
	assert_string_equal(verdict_word(verdict.level), "OK");
}

static void a_worse_finding_replaces_the_one_before(void **state)
{
	struct verdict verdict = { 0 };

	(void)state;
	verdict_note(&verdict, VERDICT_OK, "served");
	assert_string_equal(verdict.reason, "served");
	verdict_note(&verdict, VERDICT_WARNING, "%d days left", 20);
	assert_int_equal(verdict.level, VERDICT_WARNING);
	assert_string_equal(verdict.reason, "20 days left");
	verdict_note(&verdict, VERDICT_CRITICAL, "not served");
	assert_int_equal(verdict.level, VERDICT_CRITICAL);
	assert_string_equal(verdict.reason, "not served");
}

static void a_lesser_finding_changes_nothing(void **state)
{
	struct verdict verdict = { 0 };

	(void)state;
	verdict_note(&verdict, VERDICT_CRITICAL, "not served");
	verdict_note(&verdict, VERDICT_WARNING, "20 days left");
	verdict_note(&verdict, VERDICT_OK, "found");
	assert_int_equal(verdict.level, VERDICT_CRITICAL);
	assert_string_equal(verdict.reason, "not served");
}

static void of_equals_the_first_is_told(void **state)
{
	static const enum verdict_level levels[] = { VERDICT_OK, VERDICT_WARNING, VERDICT_CRITICAL,
						     VERDICT_UNKNOWN };

	(void)state;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct verdict verdict = { 0 };

		verdict_note(&verdict, levels[i], "first");
		verdict_note(&verdict, levels[i], "second");
		assert_int_equal(verdict.level, levels[i]);
		assert_string_equal(verdict.reason, "first");
	}
}

static void what_is_unknown_beats_only_what_is_well(void **state)
{
	struct verdict verdict = { 0 };

	(void)state;
	verdict_note(&verdict, VERDICT_OK, "found");
	verdict_note(&verdict, VERDICT_UNKNOWN, "cannot be read");
	verdict_note(&verdict, VERDICT_OK, "found");
	assert_int_equal(verdict.level, VERDICT_UNKNOWN);
	assert_string_equal(verdict.reason, "cannot be read");
	verdict_note(&verdict, VERDICT_WARNING, "20 days left");
	verdict_note(&verdict, VERDICT_UNKNOWN, "cannot be read");
	assert_int_equal(verdict.level, VERDICT_WARNING);
	assert_string_equal(verdict.reason, "20 days left");
}

static void a_reason_is_printable_and_fits(void **state)
{
	char longer[2 * VERDICT_REASON_MAX];
	struct verdict verdict = { 0 };

	(void)state;
	verdict_note(&verdict, VERDICT_WARNING, "a\nb\033c");
	assert_string_equal(verdict.reason, "a\\x0ab\\x1bc");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	verdict_note(&verdict, VERDICT_CRITICAL, "%s", longer);
	assert_int_equal(strlen(verdict.reason), VERDICT_REASON_MAX - 1);
}

static void words_are_those_of_the_monitoring_plugins(void **state)
{
	(void)state;
	assert_string_equal(verdict_word(VERDICT_OK), "OK");
	assert_string_equal(verdict_word(VERDICT_WARNING), "WARNING");
	assert_string_equal(verdict_word(VERDICT_CRITICAL), "CRITICAL");
	assert_string_equal(verdict_word(VERDICT_UNKNOWN), "UNKNOWN");
	assert_int_equal(VERDICT_OK, 0);
	assert_int_equal(VERDICT_WARNING, 1);
	assert_int_equal(VERDICT_CRITICAL, 2);
	assert_int_equal(VERDICT_UNKNOWN, 3);
}

/* --- thresholds --- */

static void limits_are(const struct command_options *options, long lifetime, double warning,
		       double critical)
{
	struct verdict_limits limits = verdict_limits(options, NOW, NOW + lifetime * DAY);

	assert_true(limits.warning == warning);
	assert_true(limits.critical == critical);
}

static void by_default_they_are_a_quarter_and_a_twelfth_of_the_lifetime(void **state)
{
	(void)state;
	limits_are(&nothing_given, 90, 22.5, 7.5);
	limits_are(&nothing_given, 48, 12, 4);
	limits_are(&nothing_given, 6, 1.5, 0.5);
}

static void what_is_given_counts(void **state)
{
	(void)state;
	limits_are(&(struct command_options){ .warning = 30, .critical = 10 }, 90, 30, 10);
	limits_are(&(struct command_options){ .warning = 30, .critical = -1 }, 90, 30, 7.5);
	limits_are(&(struct command_options){ .warning = -1, .critical = 10 }, 90, 22.5, 10);
	limits_are(&(struct command_options){ .warning = 0, .critical = 0 }, 90, 0, 0);
}

static void the_one_not_given_makes_way_for_the_given_one(void **state)
{
	(void)state;
	limits_are(&(struct command_options){ .warning = 3, .critical = -1 }, 90, 3, 3);
	limits_are(&(struct command_options){ .warning = -1, .critical = 40 }, 90, 40, 40);
}

static void age_is(double warning, double critical, time_t left, enum verdict_level level)
{
	const struct verdict_limits limits = { warning, critical };

	assert_int_equal(verdict_of_age(&limits, NOW + left, NOW), level);
}

static void fewer_days_than_a_threshold_are_worse(void **state)
{
	(void)state;
	age_is(21, 7, 90 * DAY, VERDICT_OK);
	age_is(21, 7, 21 * DAY, VERDICT_OK);
	age_is(21, 7, 21 * DAY - 1, VERDICT_WARNING);
	age_is(21, 7, 7 * DAY, VERDICT_WARNING);
	age_is(21, 7, 7 * DAY - 1, VERDICT_CRITICAL);
	age_is(0.5, 0.25, DAY / 3, VERDICT_WARNING);
}

static void what_has_expired_is_critical_whatever_the_thresholds(void **state)
{
	(void)state;
	age_is(0, 0, 0, VERDICT_OK);
	age_is(0, 0, -1, VERDICT_CRITICAL);
	age_is(21, 7, -100 * DAY, VERDICT_CRITICAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_finding_all_is_well),
		cmocka_unit_test(a_worse_finding_replaces_the_one_before),
		cmocka_unit_test(a_lesser_finding_changes_nothing),
		cmocka_unit_test(of_equals_the_first_is_told),
		cmocka_unit_test(what_is_unknown_beats_only_what_is_well),
		cmocka_unit_test(a_reason_is_printable_and_fits),
		cmocka_unit_test(words_are_those_of_the_monitoring_plugins),
		cmocka_unit_test(by_default_they_are_a_quarter_and_a_twelfth_of_the_lifetime),
		cmocka_unit_test(what_is_given_counts),
		cmocka_unit_test(the_one_not_given_makes_way_for_the_given_one),
		cmocka_unit_test(fewer_days_than_a_threshold_are_worse),
		cmocka_unit_test(what_has_expired_is_critical_whatever_the_thresholds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

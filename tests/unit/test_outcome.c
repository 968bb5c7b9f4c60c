/* The table of outcomes is sound, and reasons are kept as they were given. */
#include <ctype.h>
#include <string.h>

#include "certsync/outcome.h"
#include "unit.h"

#define EACH_OUTCOME(text)                                                                         \
	for (enum outcome each = 0; each < OUTCOME_COUNT; each++)                                  \
		for (const struct outcome_text *text = outcome_text(each); text; text = NULL)

/* --- the table --- */

static void the_row_of_an_outcome_is_its_own(void **state)
{
	(void)state;
	assert_string_equal(outcome_text(OUTCOME_OK)->name, "OK");
	assert_string_equal(outcome_text(OUTCOME_KEY_MISMATCH)->name, "KEY_MISMATCH");
	assert_string_equal(outcome_text(OUTCOME_INTERNAL)->name, "INTERNAL");
	assert_int_equal(OUTCOME_INTERNAL, OUTCOME_COUNT - 1);
}

static void a_number_that_is_no_outcome_is_an_internal_error(void **state)
{
	(void)state;
	assert_string_equal(outcome_text(OUTCOME_COUNT)->name, "INTERNAL");
	assert_string_equal(outcome_text((enum outcome) - 1)->name, "INTERNAL");
	assert_true(outcome_failed(OUTCOME_COUNT));
}

static void every_message_id_is_32_lower_case_hex_digits(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		assert_int_equal(strlen(text->id), 32);
		assert_int_equal(strspn(text->id, "0123456789abcdef"), 32);
	}
}

static void no_two_outcomes_share_an_id_a_name_or_a_meaning(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		for (enum outcome other = 0; other < each; other++) {
			assert_string_not_equal(text->id, outcome_text(other)->id);
			assert_string_not_equal(text->name, outcome_text(other)->name);
			assert_string_not_equal(text->meaning, outcome_text(other)->meaning);
		}
	}
}

static void every_exit_status_is_one_of_sysexits(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		if (text->status != EX_OK)
			assert_in_range(text->status, EX__BASE, EX__MAX);
	}
}

static void failures_are_logged_as_warnings_or_worse_and_successes_never_as_errors(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		if (outcome_failed(each))
			assert_in_range(text->priority, LOG_CRIT, LOG_WARNING);
		else
			assert_in_range(text->priority, LOG_WARNING, LOG_DEBUG);
	}
}

static void every_failure_and_every_warning_has_advice(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		if (text->priority <= LOG_WARNING)
			assert_string_not_equal(text->advice, "");
	}
}

/* The advice follows the message and ends it; the meaning stands in the middle of a line. */
static void advice_ends_in_a_full_stop_and_a_meaning_does_not(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		assert_true(strlen(text->meaning) > 10);
		assert_int_not_equal(text->meaning[strlen(text->meaning) - 1], '.');
		assert_null(strstr(text->meaning, ". "));
		if (text->advice[0])
			assert_int_equal(text->advice[strlen(text->advice) - 1], '.');
	}
}

static void every_text_is_one_line_of_printable_ascii(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	{
		for (const char *c = text->meaning; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
		for (const char *c = text->advice; *c; c++)
			assert_in_range(*c, 0x20, 0x7e);
		for (const char *c = text->name; *c; c++)
			assert_true(isupper((unsigned char)*c) || *c == '_');
	}
}

static void every_outcome_is_met_by_a_program(void **state)
{
	(void)state;
	EACH_OUTCOME(text)
	assert_in_range(text->programs, OUTCOME_BY_PUSH, OUTCOME_BY_BOTH);
}

/*
 * The units retry on exit status 75 alone: only what may pass by itself may have it, or as soon as
 * somebody has done something elsewhere.
 */
static void only_what_may_pass_by_itself_is_retried(void **state)
{
	static const enum outcome passing[] = { OUTCOME_LOCKED,         OUTCOME_HOST_UNRESOLVED,
						OUTCOME_CONNECT_FAILED, OUTCOME_CONNECTION_LOST,
						OUTCOME_TIMED_OUT,      OUTCOME_INTERRUPTED,
						OUTCOME_DANE_HELD,      OUTCOME_DANE_WAITING,
						OUTCOME_DANE_UNKNOWN };
	size_t retried = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++)
		assert_int_equal(outcome_text(passing[i])->status, EX_TEMPFAIL);
	EACH_OUTCOME(text)
	retried += text->status == EX_TEMPFAIL;
	assert_int_equal(retried, sizeof(passing) / sizeof(passing[0]));
}

static void a_host_key_that_is_unknown_or_changed_is_exit_status_76(void **state)
{
	(void)state;
	assert_int_equal(outcome_text(OUTCOME_HOST_KEY_UNKNOWN)->status, 76);
	assert_int_equal(outcome_text(OUTCOME_HOST_KEY_CHANGED)->status, 76);
}

static void exit_status_0_alone_is_success(void **state)
{
	(void)state;
	assert_false(outcome_failed(OUTCOME_OK));
	assert_false(outcome_failed(OUTCOME_NOTHING_TO_DO));
	assert_false(outcome_failed(OUTCOME_ACME_ENABLED));
	assert_true(outcome_failed(OUTCOME_KEY_MISMATCH));
	EACH_OUTCOME(text)
	assert_int_equal(outcome_failed(each), text->status != 0);
}

/* --- reasons --- */

static void the_reason_is_the_one_recorded(void **state)
{
	(void)state;
	assert_int_equal(outcome_because(OUTCOME_FILE_IO, "%s: %d", "disk", 7), OUTCOME_FILE_IO);
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO), "disk: 7");
}

static void a_later_reason_replaces_the_earlier(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "first");
	outcome_because(OUTCOME_FILE_IO, "second");
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO), "second");
}

static void without_a_reason_of_its_own_an_outcome_has_its_meaning(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "of another outcome");
	assert_string_equal(outcome_reason(OUTCOME_KEY_WEAK),
			    outcome_text(OUTCOME_KEY_WEAK)->meaning);
	outcome_because(OUTCOME_KEY_WEAK, "%s", "");
	assert_string_equal(outcome_reason(OUTCOME_KEY_WEAK),
			    outcome_text(OUTCOME_KEY_WEAK)->meaning);
}

static void control_and_non_ascii_bytes_in_a_reason_are_made_visible(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "a\nb\033c\x7f d\xc3\xa9");
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO), "a\\x0ab\\x1bc\\x7f d\\xc3\\xa9");
}

static void callers_put_their_words_in_front(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "inner");
	assert_int_equal(outcome_in(OUTCOME_FILE_IO, "lineage %s", "npm-5"), OUTCOME_FILE_IO);
	assert_int_equal(outcome_in(OUTCOME_FILE_IO, "outer"), OUTCOME_FILE_IO);
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO), "outer: lineage npm-5: inner");
}

static void words_in_front_of_no_reason_stand_in_front_of_the_meaning(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "of another outcome");
	outcome_in(OUTCOME_CERT_EXPIRED, "npm-5");
	assert_string_equal(outcome_reason(OUTCOME_CERT_EXPIRED),
			    "npm-5: The certificate has expired");
}

static void a_success_is_handed_on_and_records_nothing(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "inner");
	assert_int_equal(outcome_in(OUTCOME_OK, "words"), OUTCOME_OK);
	assert_string_equal(outcome_reason(OUTCOME_FILE_IO), "inner");
	assert_string_equal(outcome_reason(OUTCOME_OK), outcome_text(OUTCOME_OK)->meaning);
}

static void a_reason_may_be_made_of_the_reason_before(void **state)
{
	(void)state;
	outcome_because(OUTCOME_FILE_IO, "inner");
	outcome_because(OUTCOME_CONF_MISSING, "%s, twice: %s", outcome_reason(OUTCOME_FILE_IO),
			outcome_reason(OUTCOME_FILE_IO));
	assert_string_equal(outcome_reason(OUTCOME_CONF_MISSING), "inner, twice: inner");
}

static void a_reason_longer_than_there_is_room_for_is_cut(void **state)
{
	char text[5000];

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	outcome_because(OUTCOME_FILE_IO, "%s", text);
	assert_true(strlen(outcome_reason(OUTCOME_FILE_IO)) < OUTCOME_REASON_MAX);
	assert_string_equal(strrchr(outcome_reason(OUTCOME_FILE_IO), 'a') + 1, "...");
	outcome_in(OUTCOME_FILE_IO, "%s", text);
	assert_true(strlen(outcome_reason(OUTCOME_FILE_IO)) < OUTCOME_REASON_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_row_of_an_outcome_is_its_own),
		cmocka_unit_test(a_number_that_is_no_outcome_is_an_internal_error),
		cmocka_unit_test(every_message_id_is_32_lower_case_hex_digits),
		cmocka_unit_test(no_two_outcomes_share_an_id_a_name_or_a_meaning),
		cmocka_unit_test(every_exit_status_is_one_of_sysexits),
		cmocka_unit_test(
			failures_are_logged_as_warnings_or_worse_and_successes_never_as_errors),
		cmocka_unit_test(every_failure_and_every_warning_has_advice),
		cmocka_unit_test(advice_ends_in_a_full_stop_and_a_meaning_does_not),
		cmocka_unit_test(every_text_is_one_line_of_printable_ascii),
		cmocka_unit_test(every_outcome_is_met_by_a_program),
		cmocka_unit_test(only_what_may_pass_by_itself_is_retried),
		cmocka_unit_test(a_host_key_that_is_unknown_or_changed_is_exit_status_76),
		cmocka_unit_test(exit_status_0_alone_is_success),
		cmocka_unit_test(the_reason_is_the_one_recorded),
		cmocka_unit_test(a_later_reason_replaces_the_earlier),
		cmocka_unit_test(without_a_reason_of_its_own_an_outcome_has_its_meaning),
		cmocka_unit_test(control_and_non_ascii_bytes_in_a_reason_are_made_visible),
		cmocka_unit_test(callers_put_their_words_in_front),
		cmocka_unit_test(words_in_front_of_no_reason_stand_in_front_of_the_meaning),
		cmocka_unit_test(a_success_is_handed_on_and_records_nothing),
		cmocka_unit_test(a_reason_may_be_made_of_the_reason_before),
		cmocka_unit_test(a_reason_longer_than_there_is_room_for_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

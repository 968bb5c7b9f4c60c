/* What the answers of the mail host mean, and from when on it must serve what was pushed. */
#include <stdio.h>
#include <string.h>

#include "served.h"
#include "unit.h"

#define OURS   "0D:4C"
#define OTHER  "88:73"
#define THIRD  "E4:29"
#define ISSUED ((time_t)1795744807)

static struct wire_answer shown(const char *fingerprint)
{
	struct wire_answer answer = { .result = WIRE_SERVED, .not_before = ISSUED };

	snprintf(answer.fingerprint, sizeof(answer.fingerprint), "%s", fingerprint);
	return answer;
}

static struct wire_answer silent(const char *reason)
{
	struct wire_answer answer = { .result = WIRE_REFUSED };

	snprintf(answer.reason, sizeof(answer.reason), "%s", reason);
	return answer;
}

static struct served judged(struct wire_answer with_sni, struct wire_answer without_sni)
{
	const struct wire_answer answers[] = {
		[SERVED_WITH_SNI] = with_sni,
		[SERVED_WITHOUT_SNI] = without_sni,
	};
	struct served served = { .to = "" };

	served_judge(answers, OURS, &served);
	return served;
}

static void is_other(const struct served *served, const char *fingerprint, const char *to)
{
	assert_int_equal(served->state, SERVED_OTHER);
	assert_string_equal(served->fingerprint, fingerprint);
	assert_int_equal(served->not_before, ISSUED);
	assert_string_equal(served->to, to);
}

static void ours_with_and_without_sni_is_the_same(void **state)
{
	struct served served = judged(shown(OURS), shown(OURS));

	(void)state;
	assert_int_equal(served.state, SERVED_SAME);
}

static void another_one_is_named_and_to_whom(void **state)
{
	struct served served = judged(shown(OTHER), shown(OTHER));

	(void)state;
	is_other(&served, OTHER, "");
	served = judged(shown(OTHER), shown(OURS));
	is_other(&served, OTHER, " with SNI");
	served = judged(shown(OURS), shown(OTHER));
	is_other(&served, OTHER, " without SNI");
	served = judged(shown(OTHER), shown(THIRD));
	is_other(&served, OTHER, "");
}

static void without_an_answer_to_both_it_is_not_known(void **state)
{
	struct served served = judged(silent("refused"), silent("gone"));

	(void)state;
	assert_int_equal(served.state, SERVED_UNKNOWN);
	assert_string_equal(served.reason, "refused");
	served = judged(shown(OURS), silent("gone"));
	assert_int_equal(served.state, SERVED_UNKNOWN);
	assert_string_equal(served.reason, "gone");
}

static void one_answer_is_enough_to_know_of_another_one(void **state)
{
	struct served served = judged(silent("refused"), shown(OTHER));

	(void)state;
	is_other(&served, OTHER, " without SNI");
	served = judged(shown(OTHER), silent("gone"));
	is_other(&served, OTHER, " with SNI");
}

static void it_is_due_once_the_time_to_propagate_has_passed(void **state)
{
	const struct push_conf conf = { .propagate_within = 30 * 60 * 1000 };

	(void)state;
	assert_false(served_is_due(&conf, ISSUED, ISSUED));
	assert_false(served_is_due(&conf, ISSUED, ISSUED + 1799));
	assert_true(served_is_due(&conf, ISSUED, ISSUED + 1800));
	assert_true(served_is_due(&conf, 0, ISSUED));
}

static void what_was_pushed_in_the_future_is_due(void **state)
{
	const struct push_conf conf = { .propagate_within = 30 * 60 * 1000 };

	(void)state;
	assert_true(served_is_due(&conf, ISSUED + 1, ISSUED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_with_and_without_sni_is_the_same),
		cmocka_unit_test(another_one_is_named_and_to_whom),
		cmocka_unit_test(without_an_answer_to_both_it_is_not_known),
		cmocka_unit_test(one_answer_is_enough_to_know_of_another_one),
		cmocka_unit_test(it_is_due_once_the_time_to_propagate_has_passed),
		cmocka_unit_test(what_was_pushed_in_the_future_is_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

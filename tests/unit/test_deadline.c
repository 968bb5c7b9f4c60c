/* Time limits. What takes time is given room: a busy machine must not fail these tests. */
#include <limits.h>
#include <signal.h>
#include <sys/time.h>

#include "certsync/deadline.h"
#include "unit.h"

/* How late a machine under load may be. */
#define SLACK_MS 5000

static void a_new_deadline_has_what_was_given_left(void **state)
{
	deadline when = deadline_in(60000);

	(void)state;
	assert_in_range(deadline_left(when), 60000 - SLACK_MS, 60000);
}

static void a_deadline_that_has_passed_has_nothing_left(void **state)
{
	(void)state;
	assert_int_equal(deadline_left(deadline_in(0) - 1), 0);
	assert_int_equal(deadline_left(deadline_in(0) - 100000), 0);
	assert_int_equal(deadline_left(INT64_MIN / 2), 0);
}

/* poll(2) would wait for ever if the number came out negative. */
static void what_is_left_never_overflows(void **state)
{
	(void)state;
	assert_int_equal(deadline_left(deadline_in(0) + (deadline)INT_MAX * 4), INT_MAX);
	assert_in_range(deadline_left(deadline_in(INT_MAX)), INT_MAX - SLACK_MS, INT_MAX);
}

static void the_earlier_of_two_is_chosen(void **state)
{
	(void)state;
	assert_int_equal(deadline_earlier(1, 2), 1);
	assert_int_equal(deadline_earlier(2, 1), 1);
	assert_int_equal(deadline_earlier(3, 3), 3);
}

static void a_pause_lasts_as_long_as_asked(void **state)
{
	deadline begin = deadline_in(0);

	(void)state;
	assert_true(deadline_pause(deadline_in(60000), 30));
	assert_in_range(deadline_in(0) - begin, 30, 30 + SLACK_MS);
}

static void a_pause_ends_at_the_deadline(void **state)
{
	deadline begin = deadline_in(0);

	(void)state;
	assert_true(deadline_pause(deadline_in(30), 60000));
	assert_in_range(deadline_in(0) - begin, 29, 30 + SLACK_MS);
}

static void there_is_no_pause_once_the_deadline_has_passed(void **state)
{
	deadline begin = deadline_in(0);

	(void)state;
	assert_false(deadline_pause(deadline_in(0) - 1, 60000));
	assert_in_range(deadline_in(0) - begin, 0, SLACK_MS);
}

static void ignore(int signal_number)
{
	(void)signal_number;
}

/* Whoever pauses in a loop asks interrupt_pending() next. */
static void a_signal_ends_a_pause(void **state)
{
	const struct sigaction action = { .sa_handler = ignore };
	const struct itimerval soon = { .it_value = { .tv_usec = 30000 } };
	deadline begin = deadline_in(0);

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_true(deadline_pause(deadline_in(60000), 60000));
	assert_in_range(deadline_in(0) - begin, 29, 30 + SLACK_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_deadline_has_what_was_given_left),
		cmocka_unit_test(a_deadline_that_has_passed_has_nothing_left),
		cmocka_unit_test(what_is_left_never_overflows),
		cmocka_unit_test(the_earlier_of_two_is_chosen),
		cmocka_unit_test(a_pause_lasts_as_long_as_asked),
		cmocka_unit_test(a_pause_ends_at_the_deadline),
		cmocka_unit_test(there_is_no_pause_once_the_deadline_has_passed),
		cmocka_unit_test(a_signal_ends_a_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

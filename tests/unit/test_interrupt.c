/* Signals as a question. Each test in a process of its own, for signals are the process's. */
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "certsync/interrupt.h"
#include "run_child.h"
#include "unit.h"

/* What a process that did not do as wanted ends with. */
#define WRONG 1
#define RIGHT 0

static int catch_and_ask(void *signal_number)
{
	interrupt_catch();
	if (interrupt_pending())
		return WRONG;
	raise(*(int *)signal_number);
	return interrupt_pending() ? RIGHT : WRONG;
}

static int catch_and_die(void *signal_number)
{
	interrupt_catch();
	raise(*(int *)signal_number);
	interrupt_raise();
	return WRONG;
}

static int raise_nothing(void *unused)
{
	(void)unused;
	interrupt_raise();
	interrupt_catch();
	interrupt_raise();
	return interrupt_pending() ? WRONG : RIGHT;
}

/* A read that would wait for ever, and the signal in a moment. */
static int wait_for_a_byte(void *unused)
{
	const struct itimerval soon = { .it_value = { .tv_usec = 20000 },
					.it_interval = { .tv_usec = 20000 } };
	struct sigaction on_alarm;
	int pipe_ends[2];
	char byte;

	(void)unused;
	interrupt_catch();
	/* The handler that SIGTERM has, at the time of an alarm. */
	sigaction(SIGTERM, NULL, &on_alarm);
	sigaction(SIGALRM, &on_alarm, NULL);
	if (pipe(pipe_ends) < 0)
		return WRONG;
	setitimer(ITIMER_REAL, &soon, NULL);
	return read(pipe_ends[0], &byte, 1) < 0 && errno == EINTR && interrupt_pending() ? RIGHT
											 : WRONG;
}

static int die_of_the_signal(void *signal_number)
{
	raise(*(int *)signal_number);
	return RIGHT;
}

static int status_of(child_fn *run, int signal_number)
{
	struct child child;

	run_child(&child, run, &signal_number);
	return child.status;
}

static void an_interrupting_signal_is_remembered(void **state)
{
	(void)state;
	assert_int_equal(status_of(catch_and_ask, SIGINT), RIGHT);
	assert_int_equal(status_of(catch_and_ask, SIGTERM), RIGHT);
	assert_int_equal(status_of(catch_and_ask, SIGHUP), RIGHT);
}

static void without_catching_a_signal_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(status_of(die_of_the_signal, SIGTERM), 128 + SIGTERM);
}

static void other_signals_are_not_caught(void **state)
{
	(void)state;
	assert_int_equal(status_of(catch_and_ask, SIGUSR1), 128 + SIGUSR1);
}

static void the_process_dies_of_the_signal_that_came(void **state)
{
	(void)state;
	assert_int_equal(status_of(catch_and_die, SIGINT), 128 + SIGINT);
	assert_int_equal(status_of(catch_and_die, SIGTERM), 128 + SIGTERM);
	assert_int_equal(status_of(catch_and_die, SIGHUP), 128 + SIGHUP);
}

static void raising_returns_if_no_signal_came(void **state)
{
	(void)state;
	assert_int_equal(status_of(raise_nothing, 0), RIGHT);
}

static void a_system_call_that_waits_is_interrupted(void **state)
{
	(void)state;
	assert_int_equal(status_of(wait_for_a_byte, 0), RIGHT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interrupting_signal_is_remembered),
		cmocka_unit_test(without_catching_a_signal_ends_the_process),
		cmocka_unit_test(other_signals_are_not_caught),
		cmocka_unit_test(the_process_dies_of_the_signal_that_came),
		cmocka_unit_test(raising_returns_if_no_signal_came),
		cmocka_unit_test(a_system_call_that_waits_is_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

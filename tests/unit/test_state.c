#include <sys/stat.h>
#include <sys/wait.h>

#include "certsync/cleanup.h"
#include "certsync/state.h"
#include "run_child.h"
#include "scratch.h"

static void a_missing_directory_is_made_for_its_owner_only(void **state)
{
	_cleanup_(fd_closep) int fd = -1;
	struct stat status;

	(void)state;
	assert_int_equal(state_open(scratch_path("state"), &fd), OUTCOME_OK);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & ALLPERMS, 0700);
}

static void only_the_last_directory_is_made(void **state)
{
	_cleanup_(fd_closep) int fd = -1;

	(void)state;
	assert_int_equal(state_open(scratch_path("missing/state"), &fd), OUTCOME_FILE_WRITE);
	assert_contains(outcome_reason(OUTCOME_FILE_WRITE), "missing/state");
	assert_int_equal(access(scratch_path("missing"), F_OK), -1);
}

static void a_file_in_its_place_is_told(void **state)
{
	_cleanup_(fd_closep) int fd = -1;

	(void)state;
	scratch_write("state", "", 0);
	assert_int_equal(state_open(scratch_path("state"), &fd), OUTCOME_FILE_MISSING);
	assert_contains(outcome_reason(OUTCOME_FILE_MISSING), "Not a directory");
}

static void a_second_run_is_told_to_wait(void **state)
{
	_cleanup_(fd_closep) int first = -1, second = -1;

	(void)state;
	assert_int_equal(state_open(scratch_path("state"), &first), OUTCOME_OK);
	assert_int_equal(state_open(scratch_path("state"), &second), OUTCOME_LOCKED);
	assert_contains(outcome_reason(OUTCOME_LOCKED), "another run");
}

static int hold_and_die(void *context)
{
	int fd;

	(void)context;
	return state_open(scratch_path("state"), &fd) == OUTCOME_OK ? raise(SIGKILL) : 1;
}

static void death_releases_the_lock(void **state)
{
	_cleanup_(fd_closep) int fd = -1;
	struct child child;

	(void)state;
	run_child(&child, hold_and_die, NULL);
	assert_int_equal(child.status, 128 + SIGKILL);
	assert_int_equal(state_open(scratch_path("state"), &fd), OUTCOME_OK);
}

static void a_look_makes_nothing_and_does_not_lock(void **state)
{
	_cleanup_(fd_closep) int looking = -1, running = -1;

	(void)state;
	assert_int_equal(state_look(scratch_path("state"), &looking), OUTCOME_OK);
	assert_int_equal(looking, -1);
	assert_int_equal(access(scratch_path("state"), F_OK), -1);
	assert_int_equal(state_open(scratch_path("state"), &running), OUTCOME_OK);
	assert_int_equal(state_look(scratch_path("state"), &looking), OUTCOME_OK);
	assert_true(looking >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_missing_directory_is_made_for_its_owner_only),
		scratch_test(only_the_last_directory_is_made),
		scratch_test(a_file_in_its_place_is_told),
		scratch_test(a_second_run_is_told_to_wait),
		scratch_test(death_releases_the_lock),
		scratch_test(a_look_makes_nothing_and_does_not_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

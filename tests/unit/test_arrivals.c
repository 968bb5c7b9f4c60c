#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrivals.h"
#include "scratch.h"
#include "unit.h"

#define FIRST  "20260301T000000Z-0000000000000001"
#define SECOND "20260101T000000Z-0000000000000002"

static struct arrivals seen;

static int begin(void **state)
{
	seen = (struct arrivals){ .generations = NULL };
	return scratch_make(state);
}

static int end(void **state)
{
	arrivals_clear(&seen);
	return scratch_remove(state);
}

static void make(const char *name)
{
	assert_int_equal(mkdirat(scratch_fd, name, 0700), 0);
}

static void look(void)
{
	assert_int_equal(arrivals_list(scratch_fd, &seen), OUTCOME_OK);
}

static struct timespec changed(const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(scratch_fd, name, &status, 0), 0);
	return status.st_ctim;
}

static void what_arrived_last_comes_first(void **state)
{
	struct timespec first, second;

	(void)state;
	make(FIRST);
	make(".hidden");
	make("other");
	first = changed(FIRST);
	/* The clock of change times is a coarse one. */
	do {
		unlinkat(scratch_fd, SECOND, AT_REMOVEDIR);
		make(SECOND);
		second = changed(SECOND);
	} while (!arrivals_in_order(&first, &second));
	look();
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.found, 2);
	assert_string_equal(seen.generations[0].name, SECOND);
	assert_string_equal(seen.generations[1].name, FIRST);
}

static void what_was_seen_is_no_arrival(void **state)
{
	(void)state;
	look();
	assert_false(arrivals_since(scratch_fd, &seen));
	arrivals_clear(&seen);
	make(FIRST);
	scratch_write(GENERATION_CHAIN, "x", 1);
	look();
	assert_false(arrivals_since(scratch_fd, &seen));
}

static void a_generation_is_an_arrival_and_anything_else_is_not(void **state)
{
	(void)state;
	look();
	make("other");
	assert_false(arrivals_since(scratch_fd, &seen));
	make(FIRST);
	assert_true(arrivals_since(scratch_fd, &seen));
}

static void a_file_of_the_flat_pair_is_an_arrival(void **state)
{
	(void)state;
	look();
	scratch_write(GENERATION_KEY, "x", 1);
	assert_true(arrivals_since(scratch_fd, &seen));
}

static void an_upload_under_way_is_an_arrival_to_come(void **state)
{
	(void)state;
	look();
	make("." FIRST ".part");
	assert_true(arrivals_since(scratch_fd, &seen));
}

/* Why it cannot be listed is for another pass to say. */
static void what_cannot_be_listed_may_have_something_new(void **state)
{
	int file;

	(void)state;
	look();
	scratch_write("file", "x", 1);
	file = openat(scratch_fd, "file", O_RDONLY);
	assert_true(file >= 0);
	assert_true(arrivals_since(file, &seen));
	close(file);
}

#define arrivals_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		arrivals_test(what_arrived_last_comes_first),
		arrivals_test(what_was_seen_is_no_arrival),
		arrivals_test(a_generation_is_an_arrival_and_anything_else_is_not),
		arrivals_test(a_file_of_the_flat_pair_is_an_arrival),
		arrivals_test(an_upload_under_way_is_an_arrival_to_come),
		arrivals_test(what_cannot_be_listed_may_have_something_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

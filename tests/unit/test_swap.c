#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certsync/generation.h"
#include "scratch.h"
#include "swap.h"
#include "unit.h"

#define ARCHIVE "archive/npm-5"
#define LINEAGE "live/npm-5"

static int live = -1;

static void put(const char *file, const char *text)
{
	scratch_write(file, text, strlen(text));
}

static void lead(const char *link, const char *target)
{
	unlinkat(scratch_fd, link, 0);
	assert_int_equal(symlinkat(target, scratch_fd, link), 0);
}

static int begin(void **state)
{
	if (scratch_make(state))
		return 1;
	for (const char *const *name =
		     (const char *const[]){ "archive", ARCHIVE, "live", LINEAGE, NULL };
	     *name; name++)
		mkdirat(scratch_fd, *name, 0700);
	put(ARCHIVE "/fullchain9.pem", "chain");
	put(ARCHIVE "/privkey9.pem", "key");
	lead(LINEAGE "/" GENERATION_CHAIN, "../../" ARCHIVE "/fullchain9.pem");
	lead(LINEAGE "/" GENERATION_KEY, "../../" ARCHIVE "/privkey9.pem");
	live = openat(scratch_fd, "live", O_RDONLY | O_DIRECTORY);
	return live < 0;
}

static int end(void **state)
{
	close(live);
	return scratch_remove(state);
}

static void agreeing_links_are_no_swap(void **state)
{
	(void)state;
	assert_false(swap_is_under_way(live, "npm-5"));
	assert_false(swap_is_under_way(live, "npm-6"));
}

static void something_newer_than_the_links_lead_to_is_one(void **state)
{
	(void)state;
	put(ARCHIVE "/cert10.pem", "certificate");
	assert_true(swap_is_under_way(live, "npm-5"));
}

static void something_older_is_none(void **state)
{
	(void)state;
	put(ARCHIVE "/cert8.pem", "certificate");
	put(ARCHIVE "/README10", "no certificate");
	assert_false(swap_is_under_way(live, "npm-5"));
}

static void links_that_do_not_agree_are_one(void **state)
{
	(void)state;
	put(ARCHIVE "/privkey8.pem", "key");
	lead(LINEAGE "/" GENERATION_KEY, "../../" ARCHIVE "/privkey8.pem");
	assert_true(swap_is_under_way(live, "npm-5"));
}

static void an_empty_chain_is_one(void **state)
{
	(void)state;
	put(ARCHIVE "/fullchain9.pem", "");
	assert_true(swap_is_under_way(live, "npm-5"));
}

static void what_was_broken_off_is_none(void **state)
{
	const struct timespec then[2] = { { .tv_sec = time(NULL) - 2L * SWAP_RECENT_SECONDS },
					  { .tv_sec = time(NULL) - 2L * SWAP_RECENT_SECONDS } };

	(void)state;
	put(ARCHIVE "/cert10.pem", "certificate");
	assert_int_equal(utimensat(scratch_fd, ARCHIVE, then, 0), 0);
	assert_false(swap_is_under_way(live, "npm-5"));
}

#define swap_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		swap_test(agreeing_links_are_no_swap),
		swap_test(something_newer_than_the_links_lead_to_is_one),
		swap_test(something_older_is_none),
		swap_test(links_that_do_not_agree_are_one),
		swap_test(an_empty_chain_is_one),
		swap_test(what_was_broken_off_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

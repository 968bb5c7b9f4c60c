#include <string.h>
#include <sys/stat.h>

#include "last_fp.h"
#include "scratch.h"

#define ONE                                                                                        \
	"0D:4C:4B:09:C8:3C:77:F8:3A:D9:62:E6:D8:D8:23:C2:BE:75:32:48:87:E1:74:CD:FC:32:F8:45:37:"  \
	"80:"                                                                                      \
	"A7:D3"
#define OTHER                                                                                      \
	"88:73:A6:31:31:F0:4C:02:34:43:B3:E3:73:21:52:B9:EA:66:6B:3F:CA:86:39:D1:94:1D:A0:1A:BA:"  \
	"EB:"                                                                                      \
	"EC:49"

static void without_a_file_or_a_directory_nothing_was_pushed(void **state)
{
	(void)state;
	assert_false(last_fp_is(-1, ONE));
	assert_false(last_fp_is(scratch_fd, ONE));
}

static void what_was_written_is_what_was_pushed(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(last_fp_write(scratch_fd, OTHER), OUTCOME_OK);
	assert_int_equal(last_fp_write(scratch_fd, ONE), OUTCOME_OK);
	assert_true(last_fp_is(scratch_fd, ONE));
	assert_false(last_fp_is(scratch_fd, OTHER));
	assert_int_equal(stat(scratch_path("last_fp"), &status), 0);
	assert_int_equal(status.st_size, strlen(ONE "\n"));
}

/* The service's directory is that of a user of its own, and root pushes by hand. */
static void it_belongs_to_whom_the_directory_belongs(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(fchown(scratch_fd, 4711, 4712), 0);
	assert_int_equal(last_fp_write(scratch_fd, ONE), OUTCOME_OK);
	assert_int_equal(stat(scratch_path("last_fp"), &status), 0);
	assert_int_equal(status.st_uid, 4711);
	assert_int_equal(status.st_gid, 4712);
	assert_int_equal(status.st_mode & 07777, 0644);
}

static void it_was_pushed_when_it_was_written(void **state)
{
	const struct timespec times[] = { { .tv_sec = 1795744807 }, { .tv_sec = 1795744807 } };

	(void)state;
	assert_int_equal(last_fp_when(-1), 0);
	assert_int_equal(last_fp_when(scratch_fd), 0);
	assert_int_equal(last_fp_write(scratch_fd, ONE), OUTCOME_OK);
	assert_int_equal(utimensat(scratch_fd, "last_fp", times, 0), 0);
	assert_int_equal(last_fp_when(scratch_fd), 1795744807);
	assert_int_equal(last_fp_write(scratch_fd, ONE), OUTCOME_OK);
	assert_true(last_fp_when(scratch_fd) != 1795744807);
}

/* Somebody's script wrote it: with echo, without a newline, in lower case. */
static void the_form_of_the_line_does_not_matter(void **state)
{
	static const char lower[] = "0d:4c:4b:09:c8:3c:77:f8:3a:d9:62:e6:d8:d8:23:c2:be:75:32:48:"
				    "87:e1:74:cd:fc:32:f8:45:37:80:a7:d3\r\n";

	(void)state;
	scratch_write("last_fp", ONE, strlen(ONE));
	assert_true(last_fp_is(scratch_fd, ONE));
	scratch_write("last_fp", lower, strlen(lower));
	assert_true(last_fp_is(scratch_fd, ONE));
}

static void an_odd_file_is_no_fingerprint(void **state)
{
	static const char *const odd[] = { "", "\n", "0D:4C", ONE "00", " " ONE, OTHER "\n" ONE };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		scratch_write("last_fp", odd[i], strlen(odd[i]));
		if (last_fp_is(scratch_fd, ONE))
			fail_msg("'%s' passes for the fingerprint", odd[i]);
	}
}

static void a_link_is_not_followed(void **state)
{
	(void)state;
	scratch_write("elsewhere", ONE, strlen(ONE));
	assert_int_equal(symlinkat("elsewhere", scratch_fd, "last_fp"), 0);
	assert_false(last_fp_is(scratch_fd, ONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(without_a_file_or_a_directory_nothing_was_pushed),
		scratch_test(what_was_written_is_what_was_pushed),
		scratch_test(it_belongs_to_whom_the_directory_belongs),
		scratch_test(it_was_pushed_when_it_was_written),
		scratch_test(the_form_of_the_line_does_not_matter),
		scratch_test(an_odd_file_is_no_fingerprint),
		scratch_test(a_link_is_not_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

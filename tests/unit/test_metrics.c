/* The file for Prometheus: what is in it, what it remembers, and that it is never half there. */
#include <string.h>
#include <sys/file.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "certsync/journal.h"
#include "certsync/metrics.h"
#include "run_child.h"
#include "scratch.h"

#define PROGRAM     "certtest"
#define FINGERPRINT "AA:BB"
#define FILE_NAME   "certsync.prom"
#define LABEL       "{program=\"" PROGRAM "\"} "

/* Too large for a stack. */
static struct metrics metrics;

static int setup(void **state)
{
	memset(&metrics, 0, sizeof(metrics));
	return scratch_make(state);
}

#define metrics_test(test) cmocka_unit_test_setup_teardown(test, setup, scratch_remove)

static void read_file(struct bytes *bytes)
{
	assert_int_equal(file_read(scratch_fd, FILE_NAME, FILE_OWN, 65536, bytes), OUTCOME_OK);
}

/* Is the whole ${line} in the file? */
static bool has(const char *line)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	const size_t len = strlen(line);

	read_file(&bytes);
	for (const char *at = bytes.data; (at = strstr(at, line)); at++)
		if ((at == bytes.data || at[-1] == '\n') && at[len] == '\n')
			return true;
	return false;
}

/* The value of the sample that begins with ${start}; -1: there is none. */
static long long value_of(const char *start)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	const char *at;

	read_file(&bytes);
	at = strstr(bytes.data, start);
	return at ? strtoll(at + strlen(start), NULL, 10) : -1;
}

#define LAST_RUN     value_of("\ncertsync_last_run_timestamp_seconds" LABEL)
#define LAST_SUCCESS value_of("\ncertsync_last_success_timestamp_seconds" LABEL)
#define LAST_CHECK   value_of("\ncertsync_last_check_timestamp_seconds" LABEL)

static void run_ends(enum outcome outcome)
{
	metrics_write_run(scratch_path(FILE_NAME), PROGRAM, &metrics, outcome);
}

static void write_previous(const char *text)
{
	scratch_write(FILE_NAME, text, strlen(text));
}

static void which_of_several_mail_hosts_it_is_about_is_in_each_sample(void **state)
{
	static const char labels[] = "{program=\"" PROGRAM "\",target=\"a\\\"b\\\\c\"";
	char line[256];

	(void)state;
	metrics.target = "a\"b\\c";
	metrics_certificate(&metrics, FINGERPRINT, 1, 2);
	run_ends(OUTCOME_PUSHED);
	snprintf(line, sizeof(line), "certsync_last_run_outcome%s,outcome=\"PUSHED\"} 1", labels);
	assert_true(has(line));
	snprintf(line, sizeof(line), "certsync_certificate_not_after_timestamp_seconds%s} 2",
		 labels);
	assert_true(has(line));
	/* And it is remembered by that. */
	run_ends(OUTCOME_CONNECT_FAILED);
	snprintf(line, sizeof(line), "\ncertsync_last_success_timestamp_seconds%s} ", labels);
	assert_true(value_of(line) > 0);
	metrics.target = "another";
	run_ends(OUTCOME_CONNECT_FAILED);
	assert_int_equal(value_of("\ncertsync_last_success_timestamp_seconds{program=\"" PROGRAM
				  "\",target=\"another\"} "),
			 0);
}

static void what_was_found_out_is_in_the_file(void **state)
{
	const time_t now = time(NULL);

	(void)state;
	metrics_certificate(&metrics, FINGERPRINT, 1000, now + 5000);
	metrics.asked = true;
	metrics.endpoints = 3;
	metrics.endpoints_ok = 2;
	metrics_served(&metrics, "imaps", FINGERPRINT);
	metrics_served(&metrics, "https", "CC:DD");
	run_ends(OUTCOME_PUSHED);
	assert_true(has("certsync_certificate_info{program=\"certtest\",fingerprint=\"AA:BB\"} 1"));
	assert_true(has("certsync_certificate_not_before_timestamp_seconds" LABEL "1000"));
	assert_int_equal(value_of("\ncertsync_certificate_not_after_timestamp_seconds" LABEL),
			 now + 5000);
	assert_in_range(value_of("\ncertsync_certificate_remaining_seconds" LABEL), 4000, 5000);
	assert_true(has("certsync_endpoints" LABEL "3"));
	assert_true(has("certsync_endpoints_ok" LABEL "2"));
	assert_true(has("certsync_served_certificate_info{program=\"certtest\",endpoint=\"imaps\","
			"fingerprint=\"AA:BB\"} 1"));
	assert_true(has("certsync_served_certificate_info{program=\"certtest\",endpoint=\"https\","
			"fingerprint=\"CC:DD\"} 1"));
	assert_true(has("certsync_last_run_outcome{program=\"certtest\",outcome=\"PUSHED\"} 1"));
	assert_true(has("# TYPE certsync_endpoints gauge"));
	assert_in_range(LAST_RUN, now, now + 60);
	assert_int_equal(LAST_SUCCESS, LAST_RUN);
}

static void what_is_not_known_is_left_out(void **state)
{
	(void)state;
	run_ends(OUTCOME_CONF_INVALID);
	assert_int_equal(value_of("certsync_certificate"), -1);
	assert_int_equal(value_of("certsync_endpoints"), -1);
	assert_int_equal(value_of("certsync_served"), -1);
	assert_int_equal(value_of("certsync_last_check"), -1);
	assert_int_equal(LAST_SUCCESS, 0);
	assert_true(LAST_RUN > 0);
}

static void what_is_served_twice_is_told_once(void **state)
{
	(void)state;
	metrics_served(&metrics, "imaps", FINGERPRINT);
	metrics_served(&metrics, "imaps", FINGERPRINT);
	metrics_served(&metrics, "imaps", "CC:DD");
	metrics_served(&metrics, "https", FINGERPRINT);
	assert_int_equal(metrics.served_count, 3);
}

static void more_than_there_is_room_for_is_left_out(void **state)
{
	(void)state;
	for (int i = 0; i < METRICS_SERVED_MAX + 5; i++) {
		char name[32];

		snprintf(name, sizeof(name), "endpoint-%d", i);
		metrics_served(&metrics, name, FINGERPRINT);
	}
	assert_int_equal(metrics.served_count, METRICS_SERVED_MAX);
}

static void a_label_is_escaped(void **state)
{
	(void)state;
	metrics.asked = true;
	metrics_served(&metrics, "a\"b\\c\nd", FINGERPRINT);
	run_ends(OUTCOME_PUSHED);
	assert_true(has("certsync_served_certificate_info{program=\"certtest\",endpoint=\"a\\\"b"
			"\\\\c\\nd\",fingerprint=\"AA:BB\"} 1"));
}

static void a_failed_run_keeps_the_last_success(void **state)
{
	(void)state;
	write_previous("certsync_last_run_timestamp_seconds" LABEL "2000\n"
		       "certsync_last_success_timestamp_seconds" LABEL "1000\n");
	run_ends(OUTCOME_NO_LINEAGE);
	assert_int_equal(LAST_SUCCESS, 1000);
	assert_true(LAST_RUN > 2000);
	assert_true(
		has("certsync_last_run_outcome{program=\"certtest\",outcome=\"NO_LINEAGE\"} 1"));
}

static void a_check_keeps_what_is_said_of_the_run_and_a_run_of_the_check(void **state)
{
	(void)state;
	write_previous("certsync_last_run_timestamp_seconds" LABEL "2000\n"
		       "certsync_last_success_timestamp_seconds" LABEL "1000\n"
		       "certsync_last_run_outcome{program=\"certtest\",outcome=\"TIMED_OUT\"} 1\n");
	metrics_write_check(scratch_path(FILE_NAME), PROGRAM, &metrics, VERDICT_CRITICAL);
	assert_int_equal(LAST_RUN, 2000);
	assert_int_equal(LAST_SUCCESS, 1000);
	assert_true(has("certsync_last_run_outcome{program=\"certtest\",outcome=\"TIMED_OUT\"} 1"));
	assert_true(has("certsync_last_check_status" LABEL "2"));
	assert_true(LAST_CHECK > 0);
	run_ends(OUTCOME_PUSHED);
	assert_true(has("certsync_last_check_status" LABEL "2"));
	assert_true(LAST_CHECK > 0);
	assert_true(has("certsync_last_run_outcome{program=\"certtest\",outcome=\"PUSHED\"} 1"));
	assert_false(
		has("certsync_last_run_outcome{program=\"certtest\",outcome=\"TIMED_OUT\"} 1"));
}

static void nothing_else_of_the_previous_file_is_taken_over(void **state)
{
	(void)state;
	write_previous("certsync_last_success_timestamp_seconds{program=\"other\"} 1000\n"
		       "# certsync_last_success_timestamp_seconds" LABEL "1001\n"
		       "certsync_last_check_timestamp_seconds" LABEL "12x\n"
		       "certsync_last_check_status" LABEL "-4\n"
		       "certsync_last_run_outcome{program=\"certtest\",outcome=\"PUSH\\nED\"} 1\n"
		       "secret 1\n");
	metrics_write_check(scratch_path(FILE_NAME), PROGRAM, &metrics, VERDICT_OK);
	assert_int_equal(value_of("certsync_last_run"), -1);
	assert_int_equal(value_of("certsync_last_success"), -1);
	assert_int_equal(value_of("secret"), -1);
	assert_true(has("certsync_last_check_status" LABEL "0"));
}

static void everybody_may_read_it_and_no_temporary_is_left(void **state)
{
	_cleanup_(dir_closep) DIR *directory = NULL;
	struct dirent *entry;
	struct stat status;

	(void)state;
	umask(077);
	run_ends(OUTCOME_PUSHED);
	umask(022);
	assert_int_equal(stat(scratch_path(FILE_NAME), &status), 0);
	assert_int_equal(status.st_mode & ALLPERMS, 0644);
	directory = file_list(scratch_fd, ".");
	while ((entry = file_next_entry(directory)))
		assert_string_equal(entry->d_name, FILE_NAME);
}

static void without_a_file_nothing_is_written(void **state)
{
	(void)state;
	metrics_write_run(NULL, PROGRAM, &metrics, OUTCOME_PUSHED);
	metrics_write_run("", PROGRAM, &metrics, OUTCOME_PUSHED);
	assert_int_equal(access(scratch_path(FILE_NAME), F_OK), -1);
}

/* --- what cannot be written --- */

static int write_nowhere(void *context)
{
	journal_open(PROGRAM, JOURNAL_NORMAL);
	metrics_write_run(context, PROGRAM, &metrics, OUTCOME_PUSHED);
	return 0;
}

static void warns(const char *path, const char *why)
{
	char wanted[512], place[512];
	struct child child;

	snprintf(place, sizeof(place), "%s", path);
	snprintf(wanted, sizeof(wanted), "warning: the metrics file %s is not written: %s", path,
		 why);
	run_child(&child, write_nowhere, place);
	assert_contains(child.err, wanted);
}

static void that_it_cannot_be_written_is_a_warning_that_names_the_file(void **state)
{
	(void)state;
	warns("/nowhere/certsync.prom", "/nowhere: No such file or directory");
	warns("/tmp/", "is no file name");
}

static void a_link_in_its_place_stays_and_is_not_followed(void **state)
{
	struct stat status;

	(void)state;
	scratch_write("other", "", 0);
	assert_int_equal(symlinkat("other", scratch_fd, FILE_NAME), 0);
	warns(scratch_path(FILE_NAME), FILE_NAME ": is a symbolic link");
	assert_int_equal(lstat(scratch_path(FILE_NAME), &status), 0);
	assert_true(S_ISLNK(status.st_mode));
	assert_int_equal(stat(scratch_path("other"), &status), 0);
	assert_int_equal(status.st_size, 0);
}

static void a_fifo_in_its_place_stays_and_is_not_waited_for(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(mkfifoat(scratch_fd, FILE_NAME, 0600), 0);
	warns(scratch_path(FILE_NAME), FILE_NAME ": is not a plain file");
	assert_int_equal(lstat(scratch_path(FILE_NAME), &status), 0);
	assert_true(S_ISFIFO(status.st_mode));
}

/* The lock is the process's that holds it, so that of a second descriptor counts as another's. */
static void while_another_process_writes_it_is_waited_for(void **state)
{
	_cleanup_(fd_closep) int other = open(scratch, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct child child;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s", scratch_path(FILE_NAME));
	assert_int_equal(flock(other, LOCK_EX), 0);
	run_child(&child, write_nowhere, path);
	assert_contains(child.err, "another process holds a lock on the directory");
	assert_int_equal(access(path, F_OK), -1);
}

static void what_is_no_file_of_metrics_stays(void **state)
{
	static const char key[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;

	(void)state;
	write_previous(key);
	warns(scratch_path(FILE_NAME), "the file there holds something else");
	read_file(&bytes);
	assert_string_equal(bytes.data, key);
	/* An empty one is nobody's. */
	write_previous("");
	run_ends(OUTCOME_PUSHED);
	assert_true(LAST_RUN > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		metrics_test(what_was_found_out_is_in_the_file),
		metrics_test(which_of_several_mail_hosts_it_is_about_is_in_each_sample),
		metrics_test(what_is_not_known_is_left_out),
		metrics_test(what_is_served_twice_is_told_once),
		metrics_test(more_than_there_is_room_for_is_left_out),
		metrics_test(a_label_is_escaped),
		metrics_test(a_failed_run_keeps_the_last_success),
		metrics_test(a_check_keeps_what_is_said_of_the_run_and_a_run_of_the_check),
		metrics_test(nothing_else_of_the_previous_file_is_taken_over),
		metrics_test(everybody_may_read_it_and_no_temporary_is_left),
		metrics_test(without_a_file_nothing_is_written),
		metrics_test(that_it_cannot_be_written_is_a_warning_that_names_the_file),
		metrics_test(while_another_process_writes_it_is_waited_for),
		metrics_test(a_link_in_its_place_stays_and_is_not_followed),
		metrics_test(a_fifo_in_its_place_stays_and_is_not_waited_for),
		metrics_test(what_is_no_file_of_metrics_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

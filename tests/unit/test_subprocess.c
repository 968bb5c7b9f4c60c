#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run_child.h"
#include "subprocess.h"

/* A guard against hanging, not an assertion. */
#define LONG_MS (60 * 1000)

static const char *const nothing[] = { NULL };

static struct subprocess *run(const char *script, int ms, const char *const keep[])
{
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct subprocess *process = calloc(1, sizeof(*process));

	assert_non_null(process);
	assert_true(subprocess_start(process, argv, keep));
	subprocess_wait(process, 1, deadline_in(ms));
	return process;
}

static void output_and_error_are_kept_apart(void **state)
{
	struct subprocess *process = run("echo out; echo err >&2", LONG_MS, nothing);

	(void)state;
	assert_true(subprocess_succeeded(process));
	assert_string_equal(process->out.text, "out\n");
	assert_string_equal(process->err.text, "err\n");
	free(process);
}

static void a_failure_is_explained_by_what_was_said(void **state)
{
	struct subprocess *process =
		run("echo first >&2; echo 'no such' >&2; exit 3", LONG_MS, nothing);
	char text[256];

	(void)state;
	assert_false(subprocess_succeeded(process));
	subprocess_explain(process, text, sizeof(text));
	assert_string_equal(text, "exit status 3: first no such");
	free(process);
}

/* Half of an answer must not be taken for all of it. */
static void an_answer_that_cannot_be_read_is_a_failure(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "echo here", NULL };
	struct subprocess process;
	char text[256];
	int directory = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_true(directory >= 0);
	assert_true(subprocess_start(&process, argv, nothing));
	assert_int_equal(dup2(directory, process.out.fd), process.out.fd);
	close(directory);
	subprocess_wait(&process, 1, deadline_in(LONG_MS));
	assert_false(subprocess_succeeded(&process));
	subprocess_explain(&process, text, sizeof(text));
	assert_string_equal(text, "what it said could not be read: Is a directory");
}

static void death_by_a_signal_is_a_failure(void **state)
{
	struct subprocess *process = run("kill -9 $$", LONG_MS, nothing);
	char text[256];

	(void)state;
	assert_false(subprocess_succeeded(process));
	subprocess_explain(process, text, sizeof(text));
	assert_contains(text, "signal 9");
	free(process);
}

/* Gone, or a zombie that nobody has waited for yet. */
static bool has_ended(pid_t pid)
{
	char path[64], status[512] = ") Z";
	FILE *stream;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	stream = fopen(path, "r");
	if (stream && !fgets(status, sizeof(status), stream))
		strcpy(status, ") Z");
	if (stream)
		fclose(stream);
	return strstr(status, ") Z") != NULL;
}

static void what_hangs_is_ended_with_all_it_started(void **state)
{
	struct subprocess *process = run("sleep 1000 & echo $!; wait", 200, nothing);
	deadline end = deadline_in(LONG_MS);
	pid_t grandchild = (pid_t)strtol(process->out.text, NULL, 10);
	char text[256];

	(void)state;
	assert_true(process->timed_out);
	assert_false(subprocess_succeeded(process));
	subprocess_explain(process, text, sizeof(text));
	assert_contains(text, "did not end in time");
	/* The signal was sent; to die of it takes its time. */
	while (!has_ended(grandchild) && deadline_pause(end, 10))
		;
	assert_true(has_ended(grandchild));
	free(process);
}

static void what_is_left_running_is_not_waited_for(void **state)
{
	struct subprocess *process = run("sleep 30 & echo done", LONG_MS, nothing);

	(void)state;
	assert_true(subprocess_succeeded(process));
	assert_string_equal(process->out.text, "done\n");
	free(process);
}

static void a_flood_is_cut_and_does_not_block(void **state)
{
	struct subprocess *process =
		run("head -c 1000000 /dev/zero | tr '\\0' x", LONG_MS, nothing);

	(void)state;
	assert_true(subprocess_succeeded(process));
	assert_int_equal(process->out.len, SUBPROCESS_OUTPUT_MAX);
	free(process);
}

static void only_the_named_variables_are_handed_on(void **state)
{
	static const char *const keep[] = { "KEPT", "NOT_SET", NULL };
	struct subprocess *process;

	(void)state;
	setenv("KEPT", "yes", 1);
	setenv("SECRET", "no", 1);
	process = run("/usr/bin/env", LONG_MS, keep);
	assert_contains(process->out.text, "KEPT=yes\n");
	assert_contains(process->out.text, "PATH=");
	assert_contains(process->out.text, "LC_ALL=C\n");
	assert_lacks(process->out.text, "SECRET");
	assert_lacks(process->out.text, "NOT_SET");
	free(process);
}

static void what_cannot_be_started_says_why(void **state)
{
	static const char *const argv[] = { "/nonexistent/docker", NULL };
	struct subprocess *process = calloc(1, sizeof(*process));

	(void)state;
	assert_non_null(process);
	/* Under valgrind posix_spawn(3) learns of it only from the child's exit status. */
	if (!subprocess_start(process, argv, nothing))
		assert_int_equal(errno, ENOENT);
	subprocess_wait(process, 1, deadline_in(LONG_MS));
	assert_false(subprocess_succeeded(process));
	free(process);
}

static void several_run_side_by_side(void **state)
{
	/* Each waits for the other: one after the other they would never end. */
	static const char *const argvs[][4] = {
		{ "/bin/sh", "-c", "echo a > \"$PIPES/one\"; cat \"$PIPES/two\"", NULL },
		{ "/bin/sh", "-c", "cat \"$PIPES/one\"; echo b > \"$PIPES/two\"", NULL },
	};
	static const char *const keep[] = { "PIPES", NULL };
	struct subprocess *processes = calloc(2, sizeof(*processes));
	char directory[] = "/tmp/certsync-unit-XXXXXX", command[128];

	(void)state;
	assert_non_null(processes);
	assert_non_null(mkdtemp(directory));
	setenv("PIPES", directory, 1);
	snprintf(command, sizeof(command), "mkfifo %s/one %s/two", directory, directory);
	free(run(command, LONG_MS, nothing));
	for (size_t i = 0; i < 2; i++)
		assert_true(subprocess_start(&processes[i], argvs[i], keep));
	subprocess_wait(processes, 2, deadline_in(LONG_MS));
	assert_string_equal(processes[0].out.text, "b\n");
	assert_string_equal(processes[1].out.text, "a\n");
	free(processes);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	free(run(command, LONG_MS, nothing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_error_are_kept_apart),
		cmocka_unit_test(a_failure_is_explained_by_what_was_said),
		cmocka_unit_test(an_answer_that_cannot_be_read_is_a_failure),
		cmocka_unit_test(death_by_a_signal_is_a_failure),
		cmocka_unit_test(what_hangs_is_ended_with_all_it_started),
		cmocka_unit_test(what_is_left_running_is_not_waited_for),
		cmocka_unit_test(a_flood_is_cut_and_does_not_block),
		cmocka_unit_test(only_the_named_variables_are_handed_on),
		cmocka_unit_test(what_cannot_be_started_says_why),
		cmocka_unit_test(several_run_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

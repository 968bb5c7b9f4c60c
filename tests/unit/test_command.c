/* The command line. Each test in a process of its own, for the options are the process's. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "certsync/command.h"
#include "certsync/journal.h"
#include "run_child.h"

#define ADVICE "certtest:   Run the program with --help.\n"

static int run_first(const struct command_options *options)
{
	printf("first conf=%s dry_run=%d force=%d json=%d\n", options->conf, options->dry_run,
	       options->force, options->json);
	return EX_OK;
}

static int run_other(const struct command_options *options)
{
	printf("other conf=%s\n", options->conf);
	return 42;
}

static int run_watch(const struct command_options *options)
{
	printf("watch warning=%g critical=%g\n", options->warning, options->critical);
	return EX_OK;
}

static int run_measure(const struct command_options *options)
{
	printf("measure metrics=%s\n", options->metrics ? options->metrics : "none");
	return EX_OK;
}

/* What the process may still give away. */
static int run_inspect(const struct command_options *options)
{
	struct rlimit core;
	mode_t mask = umask(0);

	(void)options;
	getrlimit(RLIMIT_CORE, &core);
	printf("core %ju %ju, dumpable %d, umask %03o\n", (uintmax_t)core.rlim_cur,
	       (uintmax_t)core.rlim_max, prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), mask);
	return EX_OK;
}

static int run_talk(const struct command_options *options)
{
	(void)options;
	journal_log(OUTCOME_NOTHING_TO_DO, "nothing to do");
	journal_detail("trying");
	return EX_OK;
}

static const struct command commands[] = {
	{ "first", run_first, COMMAND_DRY_RUN | COMMAND_FORCE | COMMAND_JSON,
	  "do the first thing" },
	{ "other", run_other, 0, "do another" },
	{ "watch", run_watch, COMMAND_THRESHOLDS, "watch out" },
	{ "measure", run_measure, COMMAND_METRICS, "measure" },
	{ "inspect", run_inspect, 0, "look" },
	{ "talk", run_talk, 0, "say something" },
	{ NULL, NULL, 0, NULL },
};

static const struct command_program program = { "certtest", "Test the command line.",
						"/etc/certtest.conf", commands };

#define ARGUMENTS_MAX 8

/* The program's arguments behind its name. */
static int run_line(void *context)
{
	char **arguments = context;
	char *argv[ARGUMENTS_MAX + 2] = { "certtest" };
	int argc = 1;

	unsetenv("JOURNAL_STREAM");
	unsetenv("POSIXLY_CORRECT");
	for (; *arguments && argc <= ARGUMENTS_MAX; arguments++)
		argv[argc++] = *arguments;
	return command_main(&program, argc, argv);
}

#define LINE(...)    ((char *[]){ __VA_ARGS__, NULL })
#define NO_ARGUMENTS ((char *[]){ NULL })

static void prints(char *argv[], int status, const char *out, const char *err)
{
	struct child child;

	run_child(&child, run_line, argv);
	assert_string_equal(child.out, out);
	assert_string_equal(child.err, err);
	assert_int_equal(child.status, status);
}

static void is_usage_error(char *argv[], const char *message)
{
	char err[512];

	snprintf(err, sizeof(err), "certtest: error: %s\n" ADVICE, message);
	prints(argv, EX_USAGE, "", err);
}

/* --- commands and options --- */

static void without_a_command_the_first_is_run(void **state)
{
	(void)state;
	prints(NO_ARGUMENTS, EX_OK, "first conf=/etc/certtest.conf dry_run=0 force=0 json=0\n", "");
}

static void a_command_is_run_and_its_status_returned(void **state)
{
	(void)state;
	prints(LINE("first"), EX_OK, "first conf=/etc/certtest.conf dry_run=0 force=0 json=0\n",
	       "");
	prints(LINE("other"), 42, "other conf=/etc/certtest.conf\n", "");
}

static void options_are_handed_to_the_command(void **state)
{
	static const char all[] = "first conf=/x dry_run=1 force=1 json=1\n";

	(void)state;
	prints(LINE("-n", "-f", "-c", "/x", "--json"), EX_OK, all, "");
	prints(LINE("--dry-run", "--force", "--config", "/x", "--json"), EX_OK, all, "");
	prints(LINE("-nfc/x", "--json"), EX_OK, all, "");
	prints(LINE("--config=/x", "-nf", "--json", "first"), EX_OK, all, "");
}

static void each_option_sets_one_thing(void **state)
{
	(void)state;
	prints(LINE("-n"), EX_OK, "first conf=/etc/certtest.conf dry_run=1 force=0 json=0\n", "");
	prints(LINE("-f"), EX_OK, "first conf=/etc/certtest.conf dry_run=0 force=1 json=0\n", "");
	prints(LINE("--json"), EX_OK, "first conf=/etc/certtest.conf dry_run=0 force=0 json=1\n",
	       "");
	prints(LINE("-c", "/x"), EX_OK, "first conf=/x dry_run=0 force=0 json=0\n", "");
}

static void the_metrics_file_is_handed_to_a_command_that_takes_it(void **state)
{
	(void)state;
	prints(LINE("measure", "--metrics", "/x.prom"), EX_OK, "measure metrics=/x.prom\n", "");
	prints(LINE("measure"), EX_OK, "measure metrics=none\n", "");
	is_usage_error(LINE("other", "--metrics", "/x.prom"), "--metrics does not go with other");
}

static void options_may_follow_the_command(void **state)
{
	(void)state;
	prints(LINE("other", "-c", "/x"), 42, "other conf=/x\n", "");
}

static void the_volume_is_what_was_asked_for(void **state)
{
	(void)state;
	prints(LINE("talk"), EX_OK, "", "certtest: nothing to do\n");
	prints(LINE("-q", "talk"), EX_OK, "", "");
	prints(LINE("--quiet", "talk"), EX_OK, "", "");
	prints(LINE("-v", "talk"), EX_OK, "", "certtest: nothing to do\ncerttest: trying\n");
	prints(LINE("--verbose", "talk"), EX_OK, "", "certtest: nothing to do\ncerttest: trying\n");
	prints(LINE("-q", "-v", "talk"), EX_OK, "", "certtest: nothing to do\ncerttest: trying\n");
}

static void thresholds_are_days_with_or_without_a_fraction(void **state)
{
	(void)state;
	prints(LINE("watch", "--warning", "21", "--critical=0.5"), EX_OK,
	       "watch warning=21 critical=0.5\n", "");
	prints(LINE("--critical", "0", "watch", "--warning", "0"), EX_OK,
	       "watch warning=0 critical=0\n", "");
}

static void a_threshold_that_is_not_given_is_negative(void **state)
{
	(void)state;
	prints(LINE("watch"), EX_OK, "watch warning=-1 critical=-1\n", "");
	prints(LINE("watch", "--warning", "3"), EX_OK, "watch warning=3 critical=-1\n", "");
	prints(LINE("watch", "--critical", "3"), EX_OK, "watch warning=-1 critical=3\n", "");
}

/* --- help --- */

static void help_names_every_command_and_option_on_standard_output(void **state)
{
	static const char *const words[] = {
		"Usage: certtest [-c FILE]",
		"Test the command line.",
		"first    do the first thing (default)",
		"other    do another\n",
		"-c, --config FILE",
		"/etc/certtest.conf",
		"-n, --dry-run",
		"-f, --force",
		"-v, --verbose",
		"-q, --quiet",
		"--json",
		"--warning DAYS",
		"--critical DAYS",
		"-h, --help",
		"-V, --version",
		"certtest(8)",
		"certsync.conf(5)",
	};
	struct child child;

	(void)state;
	run_child(&child, run_line, LINE("--help"));
	assert_int_equal(child.status, EX_OK);
	assert_string_equal(child.err, "");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_contains(child.out, words[i]);
	prints(LINE("-h"), EX_OK, child.out, "");
}

static void the_version_is_printed(void **state)
{
	(void)state;
	prints(LINE("--version"), EX_OK, "certtest " CERTSYNC_VERSION "\n", "");
	prints(LINE("-V"), EX_OK, "certtest " CERTSYNC_VERSION "\n", "");
}

/* --- what is wrong --- */

static void an_unknown_command_is_named(void **state)
{
	(void)state;
	is_usage_error(LINE("frist"), "unknown command frist");
	is_usage_error(LINE("-n", "firs"), "unknown command firs");
}

static void too_many_arguments_are_named(void **state)
{
	(void)state;
	is_usage_error(LINE("first", "other"), "too many arguments: other");
}

static void an_unknown_option_is_named(void **state)
{
	(void)state;
	is_usage_error(LINE("--colour"), "unknown option --colour");
	is_usage_error(LINE("first", "-x"), "unknown option -x");
	is_usage_error(LINE("-n", "-x", "first"), "unknown option -x");
}

static void an_unknown_letter_among_others_is_named(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, run_line, LINE("-xn"));
	assert_int_equal(child.status, EX_USAGE);
	assert_contains(child.err, "unknown option -x");
	run_child(&child, run_line, LINE("-nx"));
	assert_int_equal(child.status, EX_USAGE);
	assert_contains(child.err, "unknown option -");
	assert_contains(child.err, "x\n");
}

static void an_option_without_its_argument_is_named(void **state)
{
	(void)state;
	is_usage_error(LINE("-c"), "an argument is missing after -c");
	is_usage_error(LINE("first", "--config"), "an argument is missing after --config");
}

static void an_option_with_an_argument_too_many_is_not_called_unknown(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, run_line, LINE("--force=yes"));
	assert_int_equal(child.status, EX_USAGE);
	assert_contains(child.err, "--force");
	assert_lacks(child.err, "unknown option");
}

static void an_option_that_a_command_does_not_take_is_named(void **state)
{
	(void)state;
	is_usage_error(LINE("other", "-n"), "--dry-run does not go with other");
	is_usage_error(LINE("other", "-f"), "--force does not go with other");
	is_usage_error(LINE("--json", "other"), "--json does not go with other");
}

static void thresholds_go_only_with_a_command_that_takes_them(void **state)
{
	(void)state;
	is_usage_error(LINE("first", "--warning", "3"), "--warning does not go with first");
	is_usage_error(LINE("--critical", "0", "first"), "--critical does not go with first");
}

static void a_threshold_that_is_no_number_of_days_is_named(void **state)
{
	static char *const odd[] = { "",    "x",   "3d",    "-1", "+1", "1e1", "0x10",
				     "inf", "nan", "1.2.3", ".",  " 1", "1,5", "99999999" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		char message[128];

		snprintf(message, sizeof(message),
			 "--warning %s: must be a number of days, such as 21 or 0.5", odd[i]);
		is_usage_error(LINE("watch", "--warning", odd[i]), message);
		snprintf(message, sizeof(message),
			 "--critical %s: must be a number of days, such as 21 or 0.5", odd[i]);
		is_usage_error(LINE("watch", "--critical", odd[i]), message);
	}
	is_usage_error(LINE("watch", "--warning"), "an argument is missing after --warning");
}

static void a_critical_threshold_above_the_warning_is_refused(void **state)
{
	(void)state;
	is_usage_error(LINE("watch", "--warning", "7", "--critical", "21"),
		       "--critical 21 is above --warning 7: it must be the lower one");
	prints(LINE("watch", "--warning", "7", "--critical", "7"), EX_OK,
	       "watch warning=7 critical=7\n", "");
}

static void nothing_is_run_on_a_wrong_command_line(void **state)
{
	(void)state;
	is_usage_error(LINE("other", "--colour"), "unknown option --colour");
	is_usage_error(LINE("-q", "frist"), "unknown command frist");
}

static void control_characters_of_the_command_line_are_not_sent_to_the_terminal(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, run_line, LINE("\033[31mred"));
	assert_int_equal(child.status, EX_USAGE);
	assert_null(strchr(child.err, '\033'));
}

/* --- the process --- */

static void keys_cannot_leave_the_process_by_dumps_debuggers_or_modes(void **state)
{
	(void)state;
	prints(LINE("inspect"), EX_OK, "core 0 0, dumpable 0, umask 077\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_command_the_first_is_run),
		cmocka_unit_test(a_command_is_run_and_its_status_returned),
		cmocka_unit_test(options_are_handed_to_the_command),
		cmocka_unit_test(each_option_sets_one_thing),
		cmocka_unit_test(the_metrics_file_is_handed_to_a_command_that_takes_it),
		cmocka_unit_test(options_may_follow_the_command),
		cmocka_unit_test(the_volume_is_what_was_asked_for),
		cmocka_unit_test(thresholds_are_days_with_or_without_a_fraction),
		cmocka_unit_test(a_threshold_that_is_not_given_is_negative),
		cmocka_unit_test(help_names_every_command_and_option_on_standard_output),
		cmocka_unit_test(the_version_is_printed),
		cmocka_unit_test(an_unknown_command_is_named),
		cmocka_unit_test(too_many_arguments_are_named),
		cmocka_unit_test(an_unknown_option_is_named),
		cmocka_unit_test(an_unknown_letter_among_others_is_named),
		cmocka_unit_test(an_option_without_its_argument_is_named),
		cmocka_unit_test(an_option_with_an_argument_too_many_is_not_called_unknown),
		cmocka_unit_test(an_option_that_a_command_does_not_take_is_named),
		cmocka_unit_test(thresholds_go_only_with_a_command_that_takes_them),
		cmocka_unit_test(a_threshold_that_is_no_number_of_days_is_named),
		cmocka_unit_test(a_critical_threshold_above_the_warning_is_refused),
		cmocka_unit_test(nothing_is_run_on_a_wrong_command_line),
		cmocka_unit_test(
			control_characters_of_the_command_line_are_not_sent_to_the_terminal),
		cmocka_unit_test(keys_cannot_leave_the_process_by_dumps_debuggers_or_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What is said, to whom and in which form. Each test in a process of its own, with an environment
 * of its own. */
#include <fcntl.h>
#include <pty.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "certsync/journal.h"
#include "run_child.h"

#define ADVICE "Renew it in Nginx Proxy Manager, and look there for why it was not renewed."

/* What one process says. */
struct speech {
	enum journal_volume volume;
	void (*say)(void);
	const char *term;      /* NULL: not set */
	const char *no_colour; /* NULL: not set */
	bool with_socket;      /* of journald */
	bool wrong_stream;     /* $JOURNAL_STREAM names another file than standard error */
};

static void set_or_unset(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void open_journal(const struct speech *speech)
{
	set_or_unset("TERM", speech->term);
	set_or_unset("NO_COLOR", speech->no_colour);
	journal_open("certtest", speech->volume);
	speech->say();
}

/* --- text on standard error --- */

static int speak(void *context)
{
	unsetenv("JOURNAL_STREAM");
	open_journal(context);
	return 0;
}

static void speech_is(enum journal_volume volume, void (*say)(void), const char *wanted)
{
	struct speech speech = { .volume = volume, .say = say };
	struct child child;

	run_child(&child, speak, &speech);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.out, "");
	assert_string_equal(child.err, wanted);
}

static void say_failure(void)
{
	journal_log(OUTCOME_CERT_EXPIRED, "npm-%d: expired", 5);
}

static void say_warning(void)
{
	journal_log(OUTCOME_ACME_ENABLED, "it is on");
}

static void say_success(void)
{
	journal_log(OUTCOME_PUSHED, "pushed");
}

static void say_information(void)
{
	journal_log(OUTCOME_NOTHING_TO_DO, "nothing to do");
}

static void say_debug(void)
{
	journal_log(OUTCOME_OK, "fine");
}

static void say_detail(void)
{
	journal_detail("trying %s", "192.0.2.1");
}

static void say_step(void)
{
	journal_step("installed in %s", "/opt");
}

static void say_everything(void)
{
	say_failure();
	say_warning();
	say_success();
	say_information();
	say_debug();
	say_detail();
}

static void a_failure_is_told_with_what_to_do(void **state)
{
	(void)state;
	speech_is(JOURNAL_NORMAL, say_failure,
		  "certtest: error: npm-5: expired\ncerttest:   " ADVICE "\n");
}

static void a_warning_is_called_one(void **state)
{
	(void)state;
	speech_is(JOURNAL_NORMAL, say_warning,
		  "certtest: warning: it is on\ncerttest:   Set SKIP_LETS_ENCRYPT=y in "
		  "mailcow.conf, then run 'docker compose up -d' there.\n");
}

static void what_was_done_is_told_without_a_label(void **state)
{
	(void)state;
	speech_is(JOURNAL_NORMAL, say_success, "certtest: pushed\n");
	speech_is(JOURNAL_NORMAL, say_information, "certtest: nothing to do\n");
}

static void quietly_only_warnings_and_errors_are_told(void **state)
{
	(void)state;
	speech_is(JOURNAL_QUIET, say_success, "");
	speech_is(JOURNAL_QUIET, say_information, "");
	speech_is(JOURNAL_QUIET, say_detail, "");
	speech_is(JOURNAL_QUIET, say_failure,
		  "certtest: error: npm-5: expired\ncerttest:   " ADVICE "\n");
}

static void how_it_is_done_is_told_verbosely_only(void **state)
{
	(void)state;
	speech_is(JOURNAL_NORMAL, say_detail, "");
	speech_is(JOURNAL_NORMAL, say_debug, "");
	speech_is(JOURNAL_VERBOSE, say_detail, "certtest: trying 192.0.2.1\n");
	speech_is(JOURNAL_VERBOSE, say_debug, "certtest: fine\n");
}

static void a_step_is_told_verbosely_only(void **state)
{
	(void)state;
	speech_is(JOURNAL_QUIET, say_step, "");
	speech_is(JOURNAL_NORMAL, say_step, "");
	speech_is(JOURNAL_VERBOSE, say_step, "certtest: installed in /opt\n");
}

static void say_reason(void)
{
	outcome_because(OUTCOME_CERT_EXPIRED, "the certificate expired at noon");
	journal_outcome(outcome_in(OUTCOME_CERT_EXPIRED, "npm-5"));
}

static void a_failure_is_told_with_the_reason_recorded_for_it(void **state)
{
	(void)state;
	speech_is(JOURNAL_NORMAL, say_reason,
		  "certtest: error: npm-5: the certificate expired at noon\ncerttest:   " ADVICE
		  "\n");
}

static void say_too_much(void)
{
	journal_log(OUTCOME_PUSHED, "%05000d", 0);
	journal_log(OUTCOME_PUSHED, "still here");
}

static void a_message_longer_than_there_is_room_for_is_cut(void **state)
{
	struct speech speech = { .say = say_too_much, .volume = JOURNAL_NORMAL };
	struct child child;

	(void)state;
	run_child(&child, speak, &speech);
	assert_int_equal(child.status, 0);
	assert_true(strlen(child.err) < 3000);
	assert_contains(child.err, "00\ncerttest: still here\n");
}

/* --- on a terminal --- */

/* What a terminal would get of ${speech}, on standard output. */
static int speak_to_terminal(void *context)
{
	int master, terminal;
	char text[4096];
	ssize_t got;

	unsetenv("JOURNAL_STREAM");
	if (openpty(&master, &terminal, NULL, NULL, NULL) < 0)
		return 1;
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	open_journal(context);
	close(STDERR_FILENO);
	while ((got = read(master, text, sizeof(text))) > 0)
		if (write(STDOUT_FILENO, text, (size_t)got) != got)
			return 1;
	close(master);
	return 0;
}

static void terminal_hears(struct speech speech, const char *wanted)
{
	struct child child;

	run_child(&child, speak_to_terminal, &speech);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.out, wanted);
}

static void terminal_gets(void (*say)(void), const char *term, const char *no_colour,
			  const char *wanted)
{
	terminal_hears((struct speech){ .volume = JOURNAL_VERBOSE,
					.say = say,
					.term = term,
					.no_colour = no_colour },
		       wanted);
}

static void a_person_at_a_terminal_is_told_of_steps(void **state)
{
	(void)state;
	terminal_hears(
		(struct speech){ .volume = JOURNAL_NORMAL, .say = say_step, .term = "xterm" },
		"certtest: installed in /opt\r\n");
	terminal_hears((struct speech){ .volume = JOURNAL_NORMAL, .say = say_detail }, "");
	terminal_hears((struct speech){ .volume = JOURNAL_QUIET, .say = say_step }, "");
}

static void a_terminal_gets_colours_by_weight(void **state)
{
	(void)state;
	terminal_gets(say_failure, "xterm", NULL,
		      "certtest: \033[1;31merror: npm-5: expired\033[0m\r\ncerttest:   " ADVICE
		      "\r\n");
	terminal_gets(say_success, "xterm", NULL, "certtest: \033[1mpushed\033[0m\r\n");
	terminal_gets(say_detail, "xterm", NULL, "certtest: \033[2mtrying 192.0.2.1\033[0m\r\n");
}

static void an_empty_no_color_is_as_good_as_none(void **state)
{
	(void)state;
	terminal_gets(say_success, "xterm", "", "certtest: \033[1mpushed\033[0m\r\n");
}

static void colours_are_left_out_where_they_are_not_wanted(void **state)
{
	(void)state;
	terminal_gets(say_success, "xterm", "1", "certtest: pushed\r\n");
	terminal_gets(say_success, "dumb", NULL, "certtest: pushed\r\n");
	terminal_gets(say_success, NULL, NULL, "certtest: pushed\r\n");
}

static void a_pipe_gets_no_colours_whatever_the_terminal(void **state)
{
	struct speech speech = { .volume = JOURNAL_VERBOSE,
				 .say = say_everything,
				 .term = "xterm" };
	struct child child;

	(void)state;
	run_child(&child, speak, &speech);
	assert_null(strchr(child.err, '\033'));
	assert_contains(child.err, "certtest: pushed\n");
}

/* --- to journald --- */

/* A /run of our own, with journald's socket in it if ${with_socket}; the socket. */
static int own_run_directory(bool with_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0 || mkdir("/run/systemd", 0755) < 0 ||
	    mkdir("/run/systemd/journal", 0755) < 0)
		return -1;
	if (with_socket && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return fd;
}

/* Print the datagrams that wait at ${fd}, an empty line after each. */
static void print_datagrams(int fd)
{
	char text[8192];
	ssize_t got;

	while ((got = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0)
		printf("%.*s\n", (int)got, text);
	fflush(stdout);
}

static int speak_to_journald(void *context)
{
	const struct speech *speech = context;
	struct stat status;
	char stream[64];
	int fd = own_run_directory(speech->with_socket);

	if (fd < 0 || fstat(STDERR_FILENO, &status) < 0)
		return 1;
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
		 (uintmax_t)status.st_ino + (speech->wrong_stream ? 1 : 0));
	setenv("JOURNAL_STREAM", stream, 1);
	open_journal(speech);
	if (speech->with_socket)
		print_datagrams(fd);
	close(fd);
	return 0;
}

static void run_journald(struct child *child, void (*say)(void), enum journal_volume volume)
{
	struct speech speech = { .volume = volume, .say = say, .with_socket = true };

	run_child(child, speak_to_journald, &speech);
	assert_int_equal(child->status, 0);
}

static void journald_gets_every_field_and_standard_error_nothing(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_failure, JOURNAL_NORMAL);
	assert_string_equal(child.err, "");
	assert_contains(child.out, "PRIORITY=3\n");
	assert_contains(child.out, "MESSAGE=npm-5: expired. " ADVICE "\n");
	assert_contains(child.out, "MESSAGE_ID=6ddcfdefd1e747fab0c4fdee19e0b4d4\n");
	assert_contains(child.out, "CERTSYNC_OUTCOME=CERT_EXPIRED\n");
	assert_contains(child.out, "CERTSYNC_ADVICE=" ADVICE "\n");
	assert_contains(child.out, "SYSLOG_IDENTIFIER=certtest\n");
}

static void journald_gets_no_advice_where_there_is_none(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_success, JOURNAL_NORMAL);
	assert_contains(child.out, "PRIORITY=5\n");
	assert_contains(child.out, "MESSAGE=pushed\n");
	assert_lacks(child.out, "CERTSYNC_ADVICE");
}

static void journald_gets_details_without_an_id(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_detail, JOURNAL_VERBOSE);
	assert_contains(child.out, "PRIORITY=7\n");
	assert_contains(child.out, "MESSAGE=trying 192.0.2.1\n");
	assert_lacks(child.out, "MESSAGE_ID");
	assert_lacks(child.out, "CERTSYNC_OUTCOME");
}

static void journald_gets_steps_as_details(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_step, JOURNAL_NORMAL);
	assert_string_equal(child.out, "");
	run_journald(&child, say_step, JOURNAL_VERBOSE);
	assert_contains(child.out, "PRIORITY=7\n");
	assert_contains(child.out, "MESSAGE=installed in /opt\n");
	assert_lacks(child.out, "MESSAGE_ID");
}

static void journald_gets_no_more_than_was_asked_for(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_everything, JOURNAL_QUIET);
	assert_contains(child.out, "MESSAGE=npm-5: expired");
	assert_contains(child.out, "MESSAGE=it is on");
	assert_lacks(child.out, "pushed");
	assert_lacks(child.out, "nothing to do");
	assert_lacks(child.out, "trying");
}

static void say_with_fields(void)
{
	journal_field("CERTSYNC_HOST", "a.example.org");
	journal_field("CERTSYNC_HOST", "b.example.org");
	journal_field("CERTSYNC_LINEAGE", "npm-5");
	journal_log(OUTCOME_PUSHED, "one");
	journal_field("CERTSYNC_LINEAGE", NULL);
	journal_detail("two");
}

static void fields_go_with_every_later_record_until_they_are_taken_away(void **state)
{
	struct child child;
	char *second;

	(void)state;
	run_journald(&child, say_with_fields, JOURNAL_VERBOSE);
	second = strstr(child.out, "MESSAGE=two");
	assert_non_null(second);
	assert_lacks(child.out, "a.example.org");
	assert_contains(second, "CERTSYNC_HOST=b.example.org\n");
	assert_lacks(second, "CERTSYNC_LINEAGE");
	assert_contains(child.out, "CERTSYNC_LINEAGE=npm-5\n");
}

static void say_with_too_many_and_too_long_fields(void)
{
	static char names[40][32], value[2000];

	memset(value, 'v', sizeof(value) - 1);
	for (size_t i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "CERTSYNC_F%zu", i);
		journal_field(names[i], value);
	}
	journal_log(OUTCOME_CERT_EXPIRED, "%02000d", 0);
}

static void too_many_and_too_long_fields_do_no_harm(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_with_too_many_and_too_long_fields, JOURNAL_NORMAL);
	assert_contains(child.out, "CERTSYNC_F0=vvv");
	assert_contains(child.out, "CERTSYNC_OUTCOME=CERT_EXPIRED\n");
	assert_contains(child.out, "CERTSYNC_ADVICE=" ADVICE "\n");
}

static void say_with_a_field_of_two_lines(void)
{
	journal_field("CERTSYNC_LINEAGE", "npm-5\nMESSAGE_ID=1");
	journal_log(OUTCOME_PUSHED, "pushed");
}

static void a_field_of_two_lines_is_no_other_field(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_with_a_field_of_two_lines, JOURNAL_NORMAL);
	assert_contains(child.out, "CERTSYNC_LINEAGE=npm-5\\x0aMESSAGE_ID=1\n");
}

/* Where the code that logs stands is nothing that a reader of the journal wants. */
static void journald_is_not_told_of_source_files(void **state)
{
	struct child child;

	(void)state;
	run_journald(&child, say_failure, JOURNAL_NORMAL);
	assert_lacks(child.out, "CODE_FILE");
	assert_lacks(child.out, "CODE_FUNC");
}

static void standard_error_that_was_redirected_gets_text(void **state)
{
	struct speech speech = { .volume = JOURNAL_NORMAL,
				 .say = say_success,
				 .with_socket = true,
				 .wrong_stream = true };
	struct child child;

	(void)state;
	run_child(&child, speak_to_journald, &speech);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.out, "");
	assert_string_equal(child.err, "certtest: pushed\n");
}

/* As in a sandbox that does not show it. */
static void without_its_socket_standard_error_gets_the_text(void **state)
{
	struct speech speech = { .volume = JOURNAL_NORMAL, .say = say_success };
	struct child child;

	(void)state;
	run_child(&child, speak_to_journald, &speech);
	assert_int_equal(child.status, 0);
	assert_string_equal(child.err, "certtest: pushed\n");
}

/* --- the status --- */

static int tell_status(void *text)
{
	static const struct timeval patience = { .tv_sec = 5 };
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0certsync-unit" };
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 14);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char got[4096];
	ssize_t size;

	len += (socklen_t)snprintf(address.sun_path + 14, 32, "-%d", getpid());
	if (bind(fd, (struct sockaddr *)&address, len) < 0)
		return 1;
	/* In the notation of sd_notify(3) "@" is the byte 0. */
	snprintf(got, sizeof(got), "@%.60s", address.sun_path + 1);
	setenv("NOTIFY_SOCKET", got, 1);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	journal_open("certtest", JOURNAL_QUIET);
	journal_status("%s", (char *)text);
	size = recv(fd, got, sizeof(got), 0);
	if (size < 0)
		return 1;
	printf("%.*s", (int)size, got);
	close(fd);
	return 0;
}

static void the_service_manager_is_told_the_status(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, tell_status, (char[]){ "nothing to do: 6 days left" });
	assert_int_equal(child.status, 0);
	assert_string_equal(child.out, "STATUS=nothing to do: 6 days left");
	assert_string_equal(child.err, "");
}

/* A line of its own would be another assignment (sd_notify(3)). */
static void a_status_of_two_lines_says_nothing_else(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, tell_status, (char[]){ "one\nMAINPID=1" });
	assert_int_equal(child.status, 0);
	assert_lacks(child.out, "\nMAINPID=1");
}

static void say_status(void)
{
	unsetenv("NOTIFY_SOCKET");
	journal_status("words");
}

static void without_a_service_manager_the_status_is_not_told(void **state)
{
	(void)state;
	speech_is(JOURNAL_VERBOSE, say_status, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_told_with_what_to_do),
		cmocka_unit_test(a_warning_is_called_one),
		cmocka_unit_test(what_was_done_is_told_without_a_label),
		cmocka_unit_test(quietly_only_warnings_and_errors_are_told),
		cmocka_unit_test(how_it_is_done_is_told_verbosely_only),
		cmocka_unit_test(a_step_is_told_verbosely_only),
		cmocka_unit_test(a_failure_is_told_with_the_reason_recorded_for_it),
		cmocka_unit_test(a_message_longer_than_there_is_room_for_is_cut),
		cmocka_unit_test(a_terminal_gets_colours_by_weight),
		cmocka_unit_test(a_person_at_a_terminal_is_told_of_steps),
		cmocka_unit_test(an_empty_no_color_is_as_good_as_none),
		cmocka_unit_test(colours_are_left_out_where_they_are_not_wanted),
		cmocka_unit_test(a_pipe_gets_no_colours_whatever_the_terminal),
		cmocka_unit_test(journald_gets_every_field_and_standard_error_nothing),
		cmocka_unit_test(journald_gets_no_advice_where_there_is_none),
		cmocka_unit_test(journald_gets_details_without_an_id),
		cmocka_unit_test(journald_gets_steps_as_details),
		cmocka_unit_test(journald_gets_no_more_than_was_asked_for),
		cmocka_unit_test(fields_go_with_every_later_record_until_they_are_taken_away),
		cmocka_unit_test(too_many_and_too_long_fields_do_no_harm),
		cmocka_unit_test(a_field_of_two_lines_is_no_other_field),
		cmocka_unit_test(journald_is_not_told_of_source_files),
		cmocka_unit_test(standard_error_that_was_redirected_gets_text),
		cmocka_unit_test(without_its_socket_standard_error_gets_the_text),
		cmocka_unit_test(the_service_manager_is_told_the_status),
		cmocka_unit_test(a_status_of_two_lines_says_nothing_else),
		cmocka_unit_test(without_a_service_manager_the_status_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

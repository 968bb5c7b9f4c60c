/* An SSH session with servers that end, hang or talk too much; both ends are in this process. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "run_child.h"
#include "session.h"
#include "wire.h"

/* A guard against hanging, not an assertion. */
#define LONG_MS (60 * 1000)

static struct session *session;
static int server; /* -1: closed */

static int begin(void **state)
{
	int ends[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	server = ends[1];
	return session_new(ends[0], &session) == OUTCOME_OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	session_freep(&session);
	fd_closep(&server);
	return 0;
}

/* --- the server --- */

static void say(const void *data, size_t len)
{
	assert_int_equal(write(server, data, len), len);
}

/* No more will be said; what the client says is still taken. */
static void fall_silent(void)
{
	assert_int_equal(shutdown(server, SHUT_WR), 0);
}

/* As much noise as the client's socket takes, of which ${said} bytes have been said. */
static size_t talk_on(size_t said)
{
	struct wire wire = wire_noise();
	ssize_t put;

	while ((put = write(server, wire.data + said % wire.len, wire.len - said % wire.len)) > 0)
		said += (size_t)put;
	return said;
}

/* All that the client has said. */
static struct wire heard(void)
{
	struct wire wire = { .len = 0 };
	ssize_t got;

	while ((got = read(server, wire.data + wire.len, sizeof(wire.data) - wire.len)) > 0)
		wire.len += (size_t)got;
	return wire;
}

/* --- the client --- */

static int shake_hands(void)
{
	int error;

	do
		error = libssh2_session_handshake(session->ssh, session->fd);
	while (session_again(session, error));
	return error;
}

/* The handshake fails with ${expected}, for the reason ${words}. */
static void assert_fails(enum outcome expected, const char *words)
{
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	assert_int_not_equal(shake_hands(), 0);
	assert_int_equal(session_failure(session), expected);
	assert_contains(outcome_reason(expected), words);
}

/* --- what is kept of a greeting, and what ends a session --- */

static void what_the_server_says_first_is_kept(void **state)
{
	static const char greeting[] = "Welcome\r\n" WIRE_BANNER;

	(void)state;
	say(greeting, strlen(greeting));
	fall_silent();
	assert_fails(OUTCOME_CONNECTION_LOST, "");
	assert_int_equal(session->greeting_len, strlen(greeting));
	assert_memory_equal(session->greeting, greeting, strlen(greeting));
}

static void of_a_greeting_without_end_the_beginning_is_kept(void **state)
{
	struct wire wire = wire_noise();

	(void)state;
	say(WIRE_BANNER, strlen(WIRE_BANNER));
	for (size_t said = 0; said < SESSION_GREETING_MAX; said += wire.len)
		say(wire.data, wire.len);
	fall_silent();
	assert_fails(OUTCOME_CONNECTION_LOST, "");
	assert_int_equal(session->greeting_len, SESSION_GREETING_MAX);
	assert_memory_equal(session->greeting, WIRE_BANNER, strlen(WIRE_BANNER));
	assert_memory_equal(session->greeting + strlen(WIRE_BANNER), wire.data, wire.len);
}

static void a_server_that_hangs_up_has_closed_the_connection(void **state)
{
	(void)state;
	fall_silent();
	assert_fails(OUTCOME_CONNECTION_LOST,
		     "the server closed the connection while shaking hands");
}

static void a_server_that_takes_its_leave_is_quoted(void **state)
{
	struct wire wire = wire_greeting(wire_disconnect("Too many\033[2J connections"));

	(void)state;
	say(wire.data, wire.len);
	fall_silent();
	assert_fails(OUTCOME_CONNECTION_LOST, "ended the connection while shaking hands: Too many");
	assert_string_equal(session->words, "Too many\\x1b[2J connections");
}

/* Writing to it is an error to report, not a signal to die of. */
static void a_broken_connection_is_told_by_its_error(void **state)
{
	(void)state;
	fd_closep(&server);
	assert_fails(OUTCOME_CONNECTION_LOST,
		     "the connection broke off while shaking hands: Broken pipe");
}

static void a_reset_connection_is_told_by_its_error(void **state)
{
	(void)state;
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	assert_int_equal(libssh2_session_handshake(session->ssh, session->fd),
			 LIBSSH2_ERROR_EAGAIN);
	/* With the client's greeting unread. */
	fd_closep(&server);
	assert_fails(OUTCOME_CONNECTION_LOST, "shaking hands: Connection reset by peer");
}

static void a_server_that_talks_without_end_is_given_up(void **state)
{
	size_t most = (size_t)64 * 1024 * 1024, said = 0;
	int error;

	(void)state;
	say(WIRE_BANNER, strlen(WIRE_BANNER));
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	do {
		error = libssh2_session_handshake(session->ssh, session->fd);
		said = talk_on(said);
	} while (session_again(session, error) && session->received < most);
	assert_int_equal(session_failure(session), OUTCOME_SSH_PROTOCOL);
	assert_contains(outcome_reason(OUTCOME_SSH_PROTOCOL),
			"the server sends far too much while shaking hands");
	assert_true(session->received < most);
}

static void what_libssh2_cannot_do_is_told_in_its_words(void **state)
{
	static const char *const lists[KEXINIT_LISTS] = WIRE_NOTHING_COMMON;
	struct wire wire = wire_greeting(wire_kexinit(lists));

	(void)state;
	say(wire.data, wire.len);
	assert_string_equal(session_error_text(session), "");
	assert_fails(OUTCOME_SSH_PROTOCOL, "shaking hands failed: ");
	assert_true(strlen(session_error_text(session)) > 0);
	assert_contains(outcome_reason(OUTCOME_SSH_PROTOCOL), session_error_text(session));
}

/* --- the time limit --- */

static void a_server_that_says_nothing_is_given_up_in_time(void **state)
{
	(void)state;
	session_begin(session, "shaking hands", deadline_in(1), 0);
	assert_int_not_equal(shake_hands(), 0);
	assert_int_equal(session_failure(session), OUTCOME_TIMED_OUT);
	assert_string_equal(outcome_reason(OUTCOME_TIMED_OUT),
			    "the time was up while shaking hands");
}

static void only_what_would_block_is_tried_again(void **state)
{
	(void)state;
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	assert_false(session_again(session, 0));
	assert_false(session_again(session, LIBSSH2_ERROR_SOCKET_DISCONNECT));
	assert_false(session_again(session, 1));
	say("x", 1);
	assert_true(session_again(session, LIBSSH2_ERROR_EAGAIN));
	assert_int_equal(session_check(session), OUTCOME_OK);
}

/* The time for ${stage} is up, and the request under way is given ${patience}. */
static void run_out_of_time(const char *stage, int patience)
{
	session_begin(session, stage, deadline_in(-1), patience);
	say("x", 1);
	assert_true(session_again(session, LIBSSH2_ERROR_EAGAIN));
	assert_int_equal(session_check(session), OUTCOME_TIMED_OUT);
}

static void what_was_under_way_when_the_time_was_up_is_what_is_told(void **state)
{
	(void)state;
	run_out_of_time("writing the file", LONG_MS);
	session_begin(session, "closing the file", deadline_in(LONG_MS), LONG_MS);
	session_tidy(session, "tidying up", deadline_in(LONG_MS));
	assert_int_equal(session_check(session), OUTCOME_TIMED_OUT);
	assert_string_equal(outcome_reason(OUTCOME_TIMED_OUT),
			    "the time was up while writing the file");
}

static void the_request_under_way_is_brought_to_its_end(void **state)
{
	(void)state;
	run_out_of_time("writing the file", LONG_MS);
	/* It is still heard what the server says. */
	say(WIRE_BANNER, strlen(WIRE_BANNER));
	libssh2_session_handshake(session->ssh, session->fd);
	assert_true(session->received > 0);
	assert_false(session->dead);
}

static void without_patience_the_connection_is_given_up(void **state)
{
	(void)state;
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	libssh2_session_handshake(session->ssh, session->fd);
	assert_true(heard().len > 0);
	run_out_of_time("writing the file", 0);
	say(WIRE_BANNER, strlen(WIRE_BANNER));
	libssh2_session_handshake(session->ssh, session->fd);
	assert_true(session->received == 0);
	libssh2_session_disconnect(session->ssh, "done");
	assert_int_equal(heard().len, 0);
}

static void tidying_takes_no_longer_than_the_request_would_have(void **state)
{
	(void)state;
	run_out_of_time("writing the file", LONG_MS);
	session_tidy(session, "tidying up", deadline_in(-1));
	assert_true(session_again(session, LIBSSH2_ERROR_EAGAIN));
	assert_true(session->dead);
}

/* Whatever libssh2 waits for. */
static void a_connection_given_up_is_not_asked_for_ever(void **state)
{
	(void)state;
	run_out_of_time("writing the file", 0);
	while (session_again(session, LIBSSH2_ERROR_EAGAIN))
		;
}

/* --- signals, each in a process of its own --- */

#define WRONG 255

static int shake_hands_interrupted(void *unused)
{
	(void)unused;
	interrupt_catch();
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	raise(SIGTERM);
	shake_hands();
	session_failure(session);
	printf("%s", outcome_reason(OUTCOME_INTERRUPTED));
	return (int)session_check(session);
}

static void a_signal_interrupts(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, shake_hands_interrupted, NULL);
	assert_int_equal(child.status, OUTCOME_INTERRUPTED);
	assert_string_equal(child.out, "interrupted while shaking hands");
}

static int tidy_interrupted(void *unused)
{
	(void)unused;
	interrupt_catch();
	session_tidy(session, "tidying up", deadline_in(LONG_MS));
	raise(SIGTERM);
	fall_silent();
	if (!session_again(session, LIBSSH2_ERROR_EAGAIN) || session->dead)
		return WRONG;
	return (int)session_check(session);
}

static void what_must_be_tidied_up_is_not_interrupted(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, tidy_interrupted, NULL);
	assert_int_equal(child.status, OUTCOME_OK);
}

/* --- the end --- */

static void a_server_is_taken_leave_of(void **state)
{
	struct wire wire;
	struct kexinit parting;

	(void)state;
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	libssh2_session_handshake(session->ssh, session->fd);
	session_goodbye(session, deadline_in(LONG_MS));
	wire = heard();
	parting = kexinit_parse(wire.data, wire.len);
	assert_int_equal(parting.state, KEXINIT_DISCONNECTED);
	assert_int_equal(parting.words.len, strlen("done"));
	assert_memory_equal(parting.words.data, "done", strlen("done"));
}

static void a_server_that_has_gone_is_not_taken_leave_of(void **state)
{
	(void)state;
	fall_silent();
	assert_fails(OUTCOME_CONNECTION_LOST, "");
	assert_true(heard().len > 0);
	session_goodbye(session, deadline_in(LONG_MS));
	assert_int_equal(heard().len, 0);
}

static void a_session_is_freed_without_the_server(void **state)
{
	int fd = session->fd;

	(void)state;
	/* In the middle of the handshake, and nothing will be said any more. */
	session_begin(session, "shaking hands", deadline_in(LONG_MS), 0);
	say(WIRE_BANNER, strlen(WIRE_BANNER));
	assert_int_equal(libssh2_session_handshake(session->ssh, fd), LIBSSH2_ERROR_EAGAIN);
	session_freep(&session);
	assert_null(session);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	session_freep(&session);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_the_server_says_first_is_kept),
		TEST(of_a_greeting_without_end_the_beginning_is_kept),
		TEST(a_server_that_hangs_up_has_closed_the_connection),
		TEST(a_server_that_takes_its_leave_is_quoted),
		TEST(a_broken_connection_is_told_by_its_error),
		TEST(a_reset_connection_is_told_by_its_error),
		TEST(a_server_that_talks_without_end_is_given_up),
		TEST(what_libssh2_cannot_do_is_told_in_its_words),
		TEST(a_server_that_says_nothing_is_given_up_in_time),
		TEST(only_what_would_block_is_tried_again),
		TEST(what_was_under_way_when_the_time_was_up_is_what_is_told),
		TEST(the_request_under_way_is_brought_to_its_end),
		TEST(without_patience_the_connection_is_given_up),
		TEST(tidying_takes_no_longer_than_the_request_would_have),
		TEST(a_connection_given_up_is_not_asked_for_ever),
		TEST(a_signal_interrupts),
		TEST(what_must_be_tidied_up_is_not_interrupted),
		TEST(a_server_is_taken_leave_of),
		TEST(a_server_that_has_gone_is_not_taken_leave_of),
		TEST(a_session_is_freed_without_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

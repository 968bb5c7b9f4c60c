/* Endpoints that would have us wait for ever, and signals: when asking ends, and for whom. */
#include <signal.h>

#include "certsync/interrupt.h"
#include "certsync/worker.h"
#include "wire_answer.h"

/*
 * A client takes no notice of a HelloRequest while it shakes hands (RFC 5246, section 7.4.1.1), and
 * so would read on for ever.
 */
static void say_hello_request_for_ever(struct server *server, int connection)
{
	static const char header[] = "\x16\x03\x03\x40\x00";
	static const char requests[16384];

	(void)server;
	while (server_say(connection, header, sizeof(header) - 1) &&
	       server_say(connection, requests, sizeof(requests)))
		;
}

static void a_handshake_without_end_is_nonsense(void **state)
{
	(void)state;
	fails(&(struct server){ .serve = say_hello_request_for_ever }, WIRE_TLS, WIRE_NONSENSE,
	      "bytes during the TLS handshake");
}

/* --- time --- */

/* One byte, and after a while another, as long as the client listens. */
static void say_it_slowly(struct server *server, int connection)
{
	struct pollfd closed = { .fd = connection, .events = POLLIN };

	(void)server;
	while (poll(&closed, 1, 50) == 0 && server_say(connection, "2", 1))
		;
	server_await_close(connection);
}

static void shake_hands_slowly(struct server *server, int connection)
{
	struct pollfd closed = { .fd = connection, .events = POLLIN };
	const char byte = 0;
	char hello[4096];

	(void)server;
	if (recv(connection, hello, sizeof(hello), 0) <= 0 ||
	    !server_say_text(connection, "\x16\x03\x03\x3f\xff\x02"))
		return;
	while (poll(&closed, 1, 50) == 0 && server_say(connection, &byte, 1))
		;
	server_await_close(connection);
}

enum {
	SILENT_TLS,
	SILENT_SMTP,
	SLOW_SMTP,
	SLOW_TLS,
	SILENT_AFTER_STARTTLS,
	SERVERS_THAT_STALL,
	GOOD_TLS = SERVERS_THAT_STALL,
	GOOD_SMTP,
	ALL_SERVERS,
	BLOCKED = ALL_SERVERS,
	ALL_QUESTIONS,
};

static const char *const good_smtp[] = { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n",
					 NULL };

static void those_that_stall_do_not_keep_the_others(void **state)
{
	struct server servers[ALL_SERVERS] = {
		[SLOW_SMTP] = { .serve = say_it_slowly },
		[SLOW_TLS] = { .serve = shake_hands_slowly },
		[SILENT_AFTER_STARTTLS] = { .script = good_smtp },
		[GOOD_TLS] = { .tls = leaf_tls },
		[GOOD_SMTP] = { .tls = leaf_tls, .script = good_smtp },
	};
	struct wire_question questions[ALL_QUESTIONS];
	struct wire_answer answers[ALL_QUESTIONS] = { 0 };
	struct blocked_port blocked;
	int limit = 500;

	(void)state;
	block_port(&blocked, "127.0.0.1", 0);
	for (size_t i = 0; i < ALL_SERVERS; i++) {
		server_start(&servers[i]);
		questions[i] = question(
			&servers[i],
			i == SILENT_TLS || i == SLOW_TLS || i == GOOD_TLS ? WIRE_TLS : WIRE_SMTP);
	}
	questions[BLOCKED] = (struct wire_question){ .host = "127.0.0.1", .port = blocked.port };
	/* However slow this machine is, there is a limit within which the good ones answer. */
	do {
		assert_int_equal(
			wire_ask(questions, ALL_QUESTIONS, NULL, deadline_in(limit), answers),
			OUTCOME_OK);
		limit *= 4;
	} while (limit < LONG_MS && (answers[GOOD_TLS].result == WIRE_TIMED_OUT ||
				     answers[GOOD_SMTP].result == WIRE_TIMED_OUT));
	for (size_t i = 0; i < ALL_SERVERS; i++)
		server_stop(&servers[i]);
	unblock_port(&blocked);
	assert_answer(&answers[GOOD_TLS], WIRE_SERVED, "");
	assert_answer(&answers[GOOD_SMTP], WIRE_SERVED, "");
	/* Or "Connection timed out", where the kernel gives up before that limit. */
	assert_answer(&answers[BLOCKED], WIRE_TIMED_OUT, "");
	assert_answer(&answers[SILENT_TLS], WIRE_TIMED_OUT, "TLS handshake");
	assert_answer(&answers[SLOW_TLS], WIRE_TIMED_OUT, "TLS handshake");
	assert_answer(&answers[SILENT_AFTER_STARTTLS], WIRE_TIMED_OUT, "TLS handshake");
	assert_answer(&answers[SILENT_SMTP], WIRE_TIMED_OUT, "did not say enough");
	assert_answer(&answers[SLOW_SMTP], WIRE_TIMED_OUT, "did not say enough");
}

static void a_limit_that_has_passed_already_is_kept(void **state)
{
	struct server server = { .tls = leaf_tls };
	struct wire_question one;
	struct wire_answer answer;

	(void)state;
	server_start(&server);
	one = question(&server, WIRE_TLS);
	assert_int_equal(wire_ask(&one, 1, NULL, deadline_in(-1), &answer), OUTCOME_OK);
	server_stop(&server);
	assert_answer(&answer, WIRE_TIMED_OUT, "no answer");
}

/* --- signals --- */

static struct server *awaited;

/* Once the other server has been spoken to, the signal comes; then nothing is said. */
static void signal_and_wait(struct server *server, int connection)
{
	(void)server;
	while (!awaited->served)
		poll(NULL, 0, 5);
	kill(getpid(), SIGTERM);
	server_await_close(connection);
}

static int be_interrupted(void *unused)
{
	struct server good = { .tls = leaf_tls }, bad = { .serve = signal_and_wait };
	struct wire_question questions[2];
	struct wire_answer answers[2];

	(void)unused;
	/* This test's own, which is not to know of the signal after it. */
	worker_stop();
	interrupt_catch();
	awaited = &good;
	server_start(&good);
	server_start(&bad);
	questions[0] = question(&good, WIRE_TLS);
	questions[1] = question(&bad, WIRE_TLS);
	if (wire_ask(questions, 2, NULL, deadline_in(LONG_MS), answers) != OUTCOME_OK)
		return 1;
	server_stop(&good);
	server_stop(&bad);
	printf("%s, %s: %s\n", wire_results[answers[0].result], wire_results[answers[1].result],
	       answers[1].reason);
	return 0;
}

static void a_signal_ends_what_is_not_over(void **state)
{
	struct child child;

	(void)state;
	run_child(&child, be_interrupted, NULL);
	assert_string_equal(child.out, "served, interrupted: interrupted\n");
	assert_int_equal(child.status, 0);
}

static void sigpipe_is_ignored_only_while_it_asks(void **state)
{
	struct sigaction now;

	(void)state;
	fails(&(struct server){ .serve = serve_and_close }, WIRE_TLS, WIRE_CLOSED, "");
	sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_without_end_is_nonsense),
		cmocka_unit_test(those_that_stall_do_not_keep_the_others),
		cmocka_unit_test(a_limit_that_has_passed_already_is_kept),
		cmocka_unit_test(a_signal_ends_what_is_not_over),
		cmocka_unit_test(sigpipe_is_ignored_only_while_it_asks),
	};

	return cmocka_run_group_tests(tests, make_leaf, clear_leaf);
}

/* Endpoints that do not show a certificate: what is said of them, and that the others are served.
 */
#include <signal.h>
#include <sys/wait.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/wire.h"
#include "conversation.h"
#include "run_child.h"
#include "tls_server.h"

static struct identity leaf;
static SSL_CTX *leaf_tls;

static int make_all(void **state)
{
	(void)state;
	leaf = make_identity(&(struct make_certificate){ 0 });
	leaf_tls = server_tls(&leaf, NULL);
	return 0;
}

static int clear_all(void **state)
{
	(void)state;
	SSL_CTX_free(leaf_tls);
	identity_clear(&leaf);
	return 0;
}

/* --- helpers --- */

static const char *const results[] = {
	[WIRE_SERVED] = "served",           [WIRE_UNRESOLVED] = "unresolved",
	[WIRE_REFUSED] = "refused",         [WIRE_TIMED_OUT] = "timed out",
	[WIRE_CLOSED] = "closed",           [WIRE_DECLINED] = "declined",
	[WIRE_NO_STARTTLS] = "no STARTTLS", [WIRE_TLS_FAILED] = "TLS failed",
	[WIRE_NONSENSE] = "nonsense",       [WIRE_INTERRUPTED] = "interrupted",
};

static struct wire_question question(const struct server *server, enum wire_protocol protocol)
{
	return (struct wire_question){
		.host = "127.0.0.1",
		.port = server->port,
		.protocol = protocol,
		.sni = "mail.example.org",
	};
}

static void assert_answer(const struct wire_answer *answer, enum wire_result result,
			  const char *reason)
{
	if (answer->result != result)
		fail_msg("%s (%s) instead of %s", results[answer->result], answer->reason,
			 results[result]);
	assert_contains(answer->reason, reason);
	for (const char *c = answer->reason; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
	if (result == WIRE_SERVED)
		return;
	assert_string_equal(answer->fingerprint, "");
	assert_string_equal(answer->spki, "");
	assert_false(answer->trusted);
}

/* Ask ${server} in ${protocol}, stop it, and expect ${result} for ${reason}. */
static void fails(struct server *server, enum wire_protocol protocol, enum wire_result result,
		  const char *reason)
{
	struct wire_question one;
	struct wire_answer answer;

	server_start(server);
	one = question(server, protocol);
	assert_int_equal(wire_ask(&one, 1, NULL, deadline_in(LONG_MS), &answer), OUTCOME_OK);
	server_stop(server);
	assert_answer(&answer, result, reason);
}

/* The same of one that says ${...} in clear, awaiting a line in between, and then waits. */
#define says(protocol, result, reason, ...)                                                        \
	fails(&(struct server){ .script = (const char *const[]){ __VA_ARGS__, NULL } }, protocol,  \
	      result, reason)

/* --- before anything is said --- */

static void a_port_where_nobody_listens_is_refused(void **state)
{
	struct wire_question one = { .host = "127.0.0.1" };
	_cleanup_(fd_closep) int silent = bind_to("127.0.0.1", &one.port);
	struct wire_answer answer;

	(void)state;
	assert_true(silent >= 0);
	assert_int_equal(wire_ask(&one, 1, NULL, deadline_in(LONG_MS), &answer), OUTCOME_OK);
	assert_answer(&answer, WIRE_REFUSED, "Connection refused");
}

static void an_address_where_no_way_leads_is_refused(void **state)
{
	/* The broadcast address, which TCP cannot connect to. */
	struct wire_question one = { .host = "255.255.255.255", .port = 443 };
	struct wire_answer answer;

	(void)state;
	assert_int_equal(wire_ask(&one, 1, NULL, deadline_in(LONG_MS), &answer), OUTCOME_OK);
	assert_answer(&answer, WIRE_REFUSED, "unreachable");
}

static void a_connection_that_is_closed_without_a_word_is_told_so(void **state)
{
	(void)state;
	fails(&(struct server){ .serve = serve_and_close }, WIRE_SMTP, WIRE_CLOSED,
	      "without a word");
	fails(&(struct server){ .serve = serve_and_close }, WIRE_TLS, WIRE_CLOSED,
	      "closed during the TLS handshake");
}

static void a_connection_that_is_reset_is_closed(void **state)
{
	(void)state;
	fails(&(struct server){ .serve = serve_and_reset }, WIRE_SMTP, WIRE_CLOSED, "");
	fails(&(struct server){ .serve = serve_and_reset }, WIRE_TLS, WIRE_CLOSED, "");
}

/* docker-proxy takes every connection, and drops it if nobody listens behind it. */
static void one_that_is_reset_before_it_was_noticed_to_stand_is_closed(void **state)
{
	const struct linger at_once = { .l_onoff = 1 };
	struct wire_question one = { .host = "127.0.0.1", .protocol = WIRE_SMTP };
	_cleanup_(fd_closep) int listening = bind_to("127.0.0.1", &one.port);
	struct conversation conversation;
	struct wire_answer answer;
	struct pollfd until_reset = { 0 };
	int accepted;

	(void)state;
	assert_int_equal(listen(listening, 1), 0);
	conversation_begin(&conversation, &one, leaf_tls, deadline_in(LONG_MS), &answer);
	accepted = accept(listening, NULL, NULL);
	assert_true(accepted >= 0);
	setsockopt(accepted, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(accepted);
	until_reset.fd = conversation.fd;
	assert_int_equal(poll(&until_reset, 1, LONG_MS), 1);
	assert_true(until_reset.revents & POLLERR);
	conversation_go_on(&conversation);
	assert_int_equal(conversation.state, CONVERSATION_OVER);
	assert_answer(&answer, WIRE_CLOSED, "reset");
	conversation_clear(&conversation);
}

/* --- in clear --- */

static void one_that_hangs_up_in_the_midst_of_starttls_is_closed(void **state)
{
	static const char *const script[] = { "220 ready\r\n", "250-x\r\n250 STARTTLS\r\n", NULL };
	static const char *const half_a_line[] = { "220 rea", NULL };

	(void)state;
	fails(&(struct server){ .serve = serve_and_close, .script = script }, WIRE_SMTP,
	      WIRE_CLOSED, "in the midst of STARTTLS");
	fails(&(struct server){ .serve = serve_and_close, .script = half_a_line }, WIRE_SMTP,
	      WIRE_CLOSED, "in the midst of STARTTLS");
}

static void a_refusal_is_quoted(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_DECLINED, "\"554 no service for you\"", "554 no service for you\r\n");
	says(WIRE_IMAP, WIRE_DECLINED, "\"* BYE overloaded\"", "* BYE overloaded\r\n");
	says(WIRE_POP3, WIRE_DECLINED, "\"-ERR not now\"", "-ERR not now\r\n");
	says(WIRE_SIEVE, WIRE_DECLINED, "\"BYE\"", "BYE\r\n");
}

static void a_server_without_starttls_is_told_so(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_NO_STARTTLS, "250 SIZE", "220 x\r\n", "250-x\r\n250 SIZE\r\n");
	says(WIRE_SMTP, WIRE_NO_STARTTLS, "454 TLS not available", "220 x\r\n",
	     "250-x\r\n250 STARTTLS\r\n", "454 TLS not available\r\n");
	says(WIRE_IMAP, WIRE_NO_STARTTLS, "PREAUTH", "* PREAUTH hello\r\n");
	says(WIRE_IMAP, WIRE_NO_STARTTLS, "", "* OK\r\n", "* CAPABILITY X\r\na OK\r\n");
	says(WIRE_POP3, WIRE_NO_STARTTLS, "", "+OK\r\n", "+OK\r\nTOP\r\n.\r\n");
	says(WIRE_SIEVE, WIRE_NO_STARTTLS, "", "\"SIEVE\" \"\"\r\nOK\r\n");
}

static void another_protocol_is_nonsense_and_quoted(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_NONSENSE, "\"* OK ready\"", "* OK ready\r\n");
	says(WIRE_IMAP, WIRE_NONSENSE, "\"220 x ESMTP\"", "220 x ESMTP\r\n");
	says(WIRE_POP3, WIRE_NONSENSE, "\"HTTP/1.1 400 Bad Request\"",
	     "HTTP/1.1 400 Bad Request\r\n\r\n");
	says(WIRE_SIEVE, WIRE_NONSENSE, "\"SSH-2.0-x\"", "SSH-2.0-x\r\n");
}

static void control_bytes_are_made_visible(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_DECLINED, "554 \\x1b[31mred\\x07", "554 \033[31mred\007\r\n");
	says(WIRE_SMTP, WIRE_NONSENSE, "\\xff\\xfe\\x0d.", "\xff\xfe\r.\r\n");
}

static void say_a_nul(struct server *server, int connection)
{
	server_say(connection, "220 mail\0rest\r\n", 15);
	server_await_close(connection);
	(void)server;
}

static void a_nul_in_a_line_is_nonsense(void **state)
{
	(void)state;
	fails(&(struct server){ .serve = say_a_nul }, WIRE_SMTP, WIRE_NONSENSE,
	      "\"220 mail\\x00rest\"");
}

static void a_long_line_is_quoted_in_part(void **state)
{
	char line[2002];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "554 ", 4);
	memcpy(line + 1999, "\r\n", 3);
	says(WIRE_SMTP, WIRE_DECLINED, "xxxxx...\"", line);
}

static void say_a_mebibyte(struct server *server, int connection)
{
	const char *piece = server->script[0];

	for (size_t said = 0; said < 1024 * 1024; said += strlen(piece))
		if (!server_say_text(connection, piece))
			return;
	server_await_close(connection);
}

static void a_mebibyte_of_greeting_is_nonsense(void **state)
{
	static const char *const without_end[] = { "220-and so on", NULL };
	static const char *const line_by_line[] = { "220-and so on\r\n", NULL };

	(void)state;
	fails(&(struct server){ .serve = say_a_mebibyte, .script = without_end }, WIRE_SMTP,
	      WIRE_NONSENSE, "a line of more than 4096 bytes");
	fails(&(struct server){ .serve = say_a_mebibyte, .script = line_by_line }, WIRE_SMTP,
	      WIRE_NONSENSE, "more than 16384 bytes before TLS");
}

/* The line end does not count. */
static void a_line_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
	char line[CONVERSATION_LINE_MAX + 4] = { 0 };

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "554 ", 4);
	memcpy(line + CONVERSATION_LINE_MAX, "\n", 2);
	says(WIRE_SMTP, WIRE_DECLINED, "xxx", line);
	memcpy(line + CONVERSATION_LINE_MAX, "x\n", 3);
	says(WIRE_SMTP, WIRE_NONSENSE, "a line of more than", line);
}

static void a_server_that_does_not_await_its_turn_speaks_nonsense(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_NONSENSE, "before it was its turn",
	     "220 x\r\n250-x\r\n250 STARTTLS\r\n220 go\r\n");
	says(WIRE_SMTP, WIRE_NONSENSE, "before it was its turn", "220 x\r\n",
	     "250-x\r\n250 STARTTLS\r\n220 go\r\n");
	says(WIRE_SIEVE, WIRE_NONSENSE, "before it was its turn", "\"STARTTLS\"\r\nOK\r\nOK\r\n");
}

/* --- what an attacker puts in clear between STARTTLS and TLS (CVE-2011-0411) --- */

static const char *const accepted_and_more[][5] = {
	[WIRE_SMTP] = { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 injected\r\n" },
	[WIRE_IMAP] = { "* OK\r\n", "* CAPABILITY STARTTLS\r\na OK\r\n",
			"b OK\r\n* CAPABILITY AUTH=PLAIN\r\n" },
	[WIRE_POP3] = { "+OK\r\n", "+OK\r\nSTLS\r\n.\r\n", "+OK\r\n+OK injected\r\n" },
	[WIRE_SIEVE] = { "\"STARTTLS\"\r\nOK\r\n", "OK\r\n\"SASL\" \"PLAIN\"\r\n" },
};

static void clear_text_behind_the_acceptance_is_nonsense(void **state)
{
	(void)state;
	for (enum wire_protocol i = WIRE_SMTP; i <= WIRE_SIEVE; i++)
		fails(&(struct server){ .script = accepted_and_more[i], .tls = leaf_tls }, i,
		      WIRE_NONSENSE, "more in clear after it accepted STARTTLS");
}

/* A single byte is enough, be it one that TLS could begin with. */
static void a_byte_of_tls_behind_the_acceptance_is_nonsense_too(void **state)
{
	(void)state;
	says(WIRE_SMTP, WIRE_NONSENSE, "more in clear", "220 x\r\n", "250-x\r\n250 STARTTLS\r\n",
	     "220 go\r\n\x16");
	says(WIRE_SMTP, WIRE_NONSENSE, "more in clear", "220 x\r\n", "250-x\r\n250 STARTTLS\r\n",
	     "220 go\r\n\n");
}

static void clear_text_that_comes_later_is_not_tls(void **state)
{
	static const char *const script[] = { "220 x\r\n", "250-x\r\n250 STARTTLS\r\n",
					      "220 go\r\n", NULL };
	static const char injected[] = "250 injected\r\n";

	(void)state;
	fails(&(struct server){ .script = script,
				.said_instead = injected,
				.said_instead_len = sizeof(injected) - 1 },
	      WIRE_SMTP, WIRE_TLS_FAILED, "the TLS handshake failed");
}

/* --- TLS --- */

static void says_instead_of_tls(const char *bytes, size_t len, enum wire_result result,
				const char *reason)
{
	fails(&(struct server){ .said_instead = bytes, .said_instead_len = len }, WIRE_TLS, result,
	      reason);
}

static void a_server_that_speaks_no_tls_is_told_so(void **state)
{
	static const char http[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	(void)state;
	says_instead_of_tls(http, sizeof(http) - 1, WIRE_TLS_FAILED, "handshake failed: ");
	says(WIRE_TLS, WIRE_TLS_FAILED, "handshake failed: ", "220 mail.example.org ESMTP\r\n");
}

static void an_alert_is_named(void **state)
{
	(void)state;
	says_instead_of_tls("\x15\x03\x01\x00\x02\x02\x28", 7, WIRE_TLS_FAILED,
			    "alert handshake failure");
	says_instead_of_tls("\x15\x03\x03\x00\x02\x02\x70", 7, WIRE_TLS_FAILED,
			    "unrecognized name");
}

static void one_that_takes_leave_instead_of_shaking_hands_is_closed(void **state)
{
	(void)state;
	says_instead_of_tls("\x15\x03\x03\x00\x02\x01\x00", 7, WIRE_CLOSED, "closed during");
}

static void a_handshake_that_is_cut_off_is_closed(void **state)
{
	static const char *const half_a_record[] = { "\x16\x03\x03\x01\x01\x02", NULL };

	(void)state;
	fails(&(struct server){ .serve = serve_and_close, .script = half_a_record }, WIRE_TLS,
	      WIRE_CLOSED, "closed during the TLS handshake");
}

/* A server that has nothing in common with us, and one that has no certificate to show. */
static void a_server_that_cannot_agree_is_told_so(void **state)
{
	struct server no_name = { .tls = server_tls(&leaf, NULL) };
	struct server anonymous = { .tls = SSL_CTX_new(TLS_server_method()) };

	(void)state;
	SSL_CTX_set_max_proto_version(no_name.tls, TLS1_2_VERSION);
	assert_int_equal(SSL_CTX_set_cipher_list(no_name.tls, "ECDHE-RSA-AES128-GCM-SHA256"), 1);
	fails(&no_name, WIRE_TLS, WIRE_TLS_FAILED, "alert handshake failure");
	fails(&anonymous, WIRE_TLS, WIRE_TLS_FAILED, "alert");
	SSL_CTX_free(no_name.tls);
	SSL_CTX_free(anonymous.tls);
}

/*
 * Shows a certificate, but with a signature that its key has not made: the server's first flight is
 * caught on its way and a bit of it flipped.
 */
static void shake_hands_wrongly(struct server *server, int connection)
{
	SSL *ssl = SSL_new(server->tls);
	char bytes[8192];
	ssize_t got;
	int inner[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, inner) < 0)
		return;
	SSL_set_fd(ssl, inner[1]);
	got = recv(connection, bytes, sizeof(bytes), 0);
	if (got > 0 && write(inner[0], bytes, (size_t)got) == got) {
		/* It answers the hello, and finds that there is no more as yet. */
		SSL_accept(ssl);
		got = read(inner[0], bytes, sizeof(bytes));
		/* The signature ends where the 9 bytes of ServerHelloDone begin. */
		if (got > 16) {
			bytes[got - 16] ^= 1;
			server_say(connection, bytes, (size_t)got);
		}
	}
	SSL_free(ssl);
	close(inner[0]);
	close(inner[1]);
	server_await_close(connection);
}

static void a_certificate_whose_key_is_not_proved_was_not_served(void **state)
{
	struct server server = { .serve = shake_hands_wrongly, .tls = server_tls(&leaf, NULL) };

	(void)state;
	SSL_CTX_set_max_proto_version(server.tls, TLS1_2_VERSION);
	fails(&server, WIRE_TLS, WIRE_TLS_FAILED, "bad signature");
	SSL_CTX_free(server.tls);
}

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

static void a_certificate_without_dates_cannot_be_read(void **state)
{
	struct identity undated = make_identity(&(struct make_certificate){ 0 });
	struct server server = { 0 };

	(void)state;
	ASN1_STRING_set(X509_getm_notAfter(undated.certificate), "never", 5);
	X509_sign(undated.certificate, undated.key, EVP_sha256());
	server.tls = server_tls(&undated, NULL);
	fails(&server, WIRE_TLS, WIRE_TLS_FAILED, "cannot be read");
	SSL_CTX_free(server.tls);
	identity_clear(&undated);
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
	assert_answer(&answers[BLOCKED], WIRE_TIMED_OUT, "no answer");
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
	printf("%s, %s: %s\n", results[answers[0].result], results[answers[1].result],
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

static bool ignored_meanwhile;

static void look_at_sigpipe(struct server *server, int connection)
{
	struct sigaction now;

	sigaction(SIGPIPE, NULL, &now);
	ignored_meanwhile = now.sa_handler == SIG_IGN;
	serve_and_close(server, connection);
}

static void sigpipe_is_ignored_only_while_it_asks(void **state)
{
	struct server server = { .serve = look_at_sigpipe };
	struct sigaction now;

	(void)state;
	sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_DFL);
	fails(&server, WIRE_TLS, WIRE_CLOSED, "");
	assert_true(ignored_meanwhile);
	sigaction(SIGPIPE, NULL, &now);
	assert_true(now.sa_handler == SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_where_nobody_listens_is_refused),
		cmocka_unit_test(an_address_where_no_way_leads_is_refused),
		cmocka_unit_test(a_connection_that_is_closed_without_a_word_is_told_so),
		cmocka_unit_test(a_connection_that_is_reset_is_closed),
		cmocka_unit_test(one_that_is_reset_before_it_was_noticed_to_stand_is_closed),
		cmocka_unit_test(one_that_hangs_up_in_the_midst_of_starttls_is_closed),
		cmocka_unit_test(a_refusal_is_quoted),
		cmocka_unit_test(a_server_without_starttls_is_told_so),
		cmocka_unit_test(another_protocol_is_nonsense_and_quoted),
		cmocka_unit_test(control_bytes_are_made_visible),
		cmocka_unit_test(a_nul_in_a_line_is_nonsense),
		cmocka_unit_test(a_long_line_is_quoted_in_part),
		cmocka_unit_test(a_mebibyte_of_greeting_is_nonsense),
		cmocka_unit_test(a_line_may_be_as_long_as_the_limit_and_no_longer),
		cmocka_unit_test(a_server_that_does_not_await_its_turn_speaks_nonsense),
		cmocka_unit_test(clear_text_behind_the_acceptance_is_nonsense),
		cmocka_unit_test(a_byte_of_tls_behind_the_acceptance_is_nonsense_too),
		cmocka_unit_test(clear_text_that_comes_later_is_not_tls),
		cmocka_unit_test(a_server_that_speaks_no_tls_is_told_so),
		cmocka_unit_test(an_alert_is_named),
		cmocka_unit_test(one_that_takes_leave_instead_of_shaking_hands_is_closed),
		cmocka_unit_test(a_handshake_that_is_cut_off_is_closed),
		cmocka_unit_test(a_server_that_cannot_agree_is_told_so),
		cmocka_unit_test(a_certificate_whose_key_is_not_proved_was_not_served),
		cmocka_unit_test(a_handshake_without_end_is_nonsense),
		cmocka_unit_test(a_certificate_without_dates_cannot_be_read),
		cmocka_unit_test(those_that_stall_do_not_keep_the_others),
		cmocka_unit_test(a_limit_that_has_passed_already_is_kept),
		cmocka_unit_test(a_signal_ends_what_is_not_over),
		cmocka_unit_test(sigpipe_is_ignored_only_while_it_asks),
	};

	return cmocka_run_group_tests(tests, make_all, clear_all);
}

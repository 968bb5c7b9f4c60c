/* Endpoints that do not show a certificate, and what is said of them. */
#include "ask.h"
#include "certsync/cleanup.h"
#include "conversation.h"
#include "wire_answer.h"

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
	struct ask_addresses *addresses = ask_resolve(&one, 1, deadline_in(LONG_MS));
	struct conversation conversation;
	struct wire_answer answer;
	struct pollfd until_reset = { 0 };
	int accepted;

	(void)state;
	assert_int_equal(listen(listening, 1), 0);
	conversation_begin(&conversation, &one, addresses->found, leaf_tls, deadline_in(LONG_MS),
			   &answer);
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
	ask_release(addresses, 1);
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
		cmocka_unit_test(a_certificate_without_dates_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, make_leaf, clear_leaf);
}

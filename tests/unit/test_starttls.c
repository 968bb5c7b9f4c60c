/*
 * The client's side of what is said before TLS, line by line. A dialogue is what the server says
 * and, after "> ", what the client is to say next; the last line is what becomes of it.
 */
#include <string.h>

#include "starttls.h"
#include "unit.h"

static const char *const outcomes[] = {
	[STARTTLS_LISTEN] = "listen",     [STARTTLS_SPEAK] = "speak",
	[STARTTLS_BEGIN] = "begin",       [STARTTLS_MISSING] = "missing",
	[STARTTLS_DECLINED] = "declined", [STARTTLS_NONSENSE] = "nonsense",
};

/* Hand over one line of a dialogue after another; what is not said is not to be said. */
static void follow(enum wire_protocol protocol, const char *const dialogue[], const char *outcome)
{
	struct starttls starttls = { .protocol = protocol };
	const char *say = NULL;
	const char *next = outcomes[STARTTLS_LISTEN];

	for (size_t i = 0; dialogue[i]; i++) {
		if (!strncmp(dialogue[i], "> ", 2)) {
			assert_string_equal(next, "speak");
			assert_string_equal(say, dialogue[i] + 2);
			continue;
		}
		if (i && strncmp(dialogue[i - 1], "> ", 2) != 0)
			assert_string_equal(next, "listen");
		say = NULL;
		next = outcomes[starttls_take(&starttls, dialogue[i], &say)];
		assert_true(!strcmp(next, "speak") == (say != NULL));
	}
	assert_string_equal(next, outcome);
}

#define dialogue(protocol, outcome, ...)                                                           \
	follow(protocol, (const char *const[]){ __VA_ARGS__, NULL }, outcome)

/* The beginnings that all dialogues share. */
#define SMTP_GREETED  "220 mail.example.org ESMTP", "> EHLO localhost\r\n"
#define SMTP_OFFERED  SMTP_GREETED, "250-mail.example.org", "250 STARTTLS", "> STARTTLS\r\n"
#define IMAP_GREETED  "* OK ready", "> a CAPABILITY\r\n"
#define IMAP_OFFERED  IMAP_GREETED, "* CAPABILITY IMAP4rev1 STARTTLS", "a OK", "> b STARTTLS\r\n"
#define POP3_GREETED  "+OK ready", "> CAPA\r\n"
#define POP3_OFFERED  POP3_GREETED, "+OK", "STLS", ".", "> STLS\r\n"
#define SIEVE_OFFERED "\"STARTTLS\"", "OK \"ready\"", "> STARTTLS\r\n"

/* --- SMTP --- */

static void smtp_begins_tls_once_it_is_offered_and_accepted(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "begin", SMTP_GREETED, "250-mail.example.org", "250-PIPELINING",
		 "250-STARTTLS", "250 8BITMIME", "> STARTTLS\r\n", "220 2.0.0 Ready to start TLS");
}

static void smtp_replies_may_have_many_lines_or_no_text(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "begin", "220-mail.example.org", "220-", "220-no spam", "220 ESMTP",
		 "> EHLO localhost\r\n", "250-mail.example.org", "250-", "250-STARTTLS", "250",
		 "> STARTTLS\r\n", "220-ready", "220-", "220");
}

static void smtp_keywords_are_in_any_case(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "speak", SMTP_GREETED, "250-x", "250 starttls");
	dialogue(WIRE_SMTP, "speak", SMTP_GREETED, "250-x", "250-StartTLS", "250 HELP");
	dialogue(WIRE_SMTP, "speak", SMTP_GREETED, "250-x", "250 STARTTLS and a parameter");
}

/* Only the first word of a line is what the server can do. */
static void smtp_offers_starttls_in_a_line_of_its_own_only(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "missing", SMTP_GREETED, "250-x", "250 PIPELINING");
	dialogue(WIRE_SMTP, "missing", SMTP_GREETED, "250-x", "250 STARTTLSX");
	dialogue(WIRE_SMTP, "missing", SMTP_GREETED, "250-x", "250 XSTARTTLS");
	dialogue(WIRE_SMTP, "missing", SMTP_GREETED, "250-x", "250 X-NO STARTTLS");
	dialogue(WIRE_SMTP, "missing", SMTP_GREETED, "250 x has no STARTTLS");
	dialogue(WIRE_SMTP, "missing", "220-STARTTLS", "220 STARTTLS", "> EHLO localhost\r\n",
		 "250 x");
}

static void an_smtp_server_may_decline_at_the_greeting_or_at_ehlo(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "declined", "554 no service for you");
	dialogue(WIRE_SMTP, "declined", "421-too", "421 busy");
	dialogue(WIRE_SMTP, "declined", SMTP_GREETED, "502 what is EHLO?");
	dialogue(WIRE_SMTP, "declined", SMTP_GREETED, "421 shutting down");
}

static void an_smtp_server_may_refuse_starttls(void **state)
{
	(void)state;
	dialogue(WIRE_SMTP, "missing", SMTP_OFFERED, "454 TLS not available");
	dialogue(WIRE_SMTP, "missing", SMTP_OFFERED, "501-no", "501 parameters");
	dialogue(WIRE_SMTP, "missing", SMTP_OFFERED, "421 shutting down");
}

/* RFC 5321, section 4.2: 2yz to 5yz; 1yz is of no use, and no command here can lead to 3yz. */
static void what_is_no_smtp_reply_is_nonsense(void **state)
{
	static const char *const lines[] = {
		"",      "2",      "22",     "hello",        "* OK ready", "+OK ready", "2200 x",
		"220x",  "220\tx", " 220 x", "-220 x",       "2 0 x",      "100 x",     "354 x",
		"000 x", "999 x",  "600 x",  "\x16\x03\x01", "\xff\xfe",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		dialogue(WIRE_SMTP, "nonsense", lines[i]);
		dialogue(WIRE_SMTP, "nonsense", "220-first", lines[i]);
		dialogue(WIRE_SMTP, "nonsense", SMTP_GREETED, lines[i]);
		dialogue(WIRE_SMTP, "nonsense", SMTP_OFFERED, lines[i]);
	}
}

/* --- IMAP --- */

static void imap_begins_tls_once_it_is_offered_and_accepted(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "begin", "* OK [CAPABILITY IMAP4rev1] ready", "> a CAPABILITY\r\n",
		 "* CAPABILITY IMAP4rev1 ID STARTTLS LOGINDISABLED", "a OK done",
		 "> b STARTTLS\r\n", "b OK begin now");
}

static void imap_is_in_any_case(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "begin", "* ok ready", "> a CAPABILITY\r\n",
		 "* Capability imap4rev1 StartTls", "a Ok done", "> b STARTTLS\r\n", "b ok");
}

static void imap_servers_may_say_other_things_in_between(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "begin", IMAP_GREETED, "* OK still here", "*", "* CAPABILITY STARTTLS",
		 "* OK more", "a OK", "> b STARTTLS\r\n", "* OK nearly there", "b OK");
}

static void imap_offers_starttls_in_its_last_list_of_capabilities_only(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "missing", IMAP_GREETED, "* CAPABILITY IMAP4rev1", "a OK");
	dialogue(WIRE_IMAP, "missing", IMAP_GREETED, "a OK");
	dialogue(WIRE_IMAP, "missing", IMAP_GREETED, "* CAPABILITY XSTARTTLS STARTTLSX", "a OK");
	dialogue(WIRE_IMAP, "missing", IMAP_GREETED, "* OK STARTTLS", "a OK STARTTLS");
	dialogue(WIRE_IMAP, "missing", IMAP_GREETED, "* CAPABILITY STARTTLS", "* CAPABILITY X",
		 "a OK");
}

/* RFC 9051, section 7.1.4: who is logged in already cannot begin TLS. */
static void imap_without_login_has_no_starttls(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "missing", "* PREAUTH welcome back");
}

static void an_imap_server_may_decline_at_any_time(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "declined", "* BYE overloaded");
	dialogue(WIRE_IMAP, "declined", IMAP_GREETED, "* BYE shutting down");
	dialogue(WIRE_IMAP, "declined", IMAP_GREETED, "a NO not now");
	dialogue(WIRE_IMAP, "declined", IMAP_GREETED, "a BAD what?");
	dialogue(WIRE_IMAP, "declined", IMAP_OFFERED, "* BYE shutting down");
}

static void an_imap_server_may_refuse_starttls(void **state)
{
	(void)state;
	dialogue(WIRE_IMAP, "missing", IMAP_OFFERED, "b NO no certificate");
	dialogue(WIRE_IMAP, "missing", IMAP_OFFERED, "b BAD what?");
}

static void what_is_no_imap_response_is_nonsense(void **state)
{
	static const char *const lines[] = {
		"", "hello", "220 x", "+OK", "+ go on", "c OK", "a OKAY", "b OKAY", "*OK", " * OK",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		dialogue(WIRE_IMAP, "nonsense", lines[i]);
		dialogue(WIRE_IMAP, "nonsense", IMAP_GREETED, lines[i]);
		dialogue(WIRE_IMAP, "nonsense", IMAP_OFFERED, lines[i]);
	}
	dialogue(WIRE_IMAP, "nonsense", "* CAPABILITY IMAP4rev1");
	dialogue(WIRE_IMAP, "nonsense", "* OKAY");
	/* The answer to another command. */
	dialogue(WIRE_IMAP, "nonsense", IMAP_GREETED, "b OK");
	dialogue(WIRE_IMAP, "nonsense", IMAP_OFFERED, "a OK");
}

/* --- POP3 --- */

static void pop3_begins_tls_once_it_is_offered_and_accepted(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "begin", "+OK Dovecot ready.", "> CAPA\r\n", "+OK", "CAPA", "TOP",
		 "STLS", "USER", ".", "> STLS\r\n", "+OK Begin TLS negotiation now.");
}

static void pop3_is_in_any_case(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "begin", "+ok", "> CAPA\r\n", "+Ok", "stls", ".", "> STLS\r\n", "+oK");
}

/* RFC 2449 is younger than RFC 1939. */
static void a_pop3_server_without_capabilities_is_asked_for_tls_all_the_same(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "begin", POP3_GREETED, "-ERR what?", "> STLS\r\n", "+OK");
	dialogue(WIRE_POP3, "missing", POP3_GREETED, "-ERR", "> STLS\r\n", "-ERR what?");
}

static void pop3_offers_stls_in_a_line_of_its_own_only(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "missing", POP3_GREETED, "+OK", ".");
	dialogue(WIRE_POP3, "missing", POP3_GREETED, "+OK STLS", "TOP", ".");
	dialogue(WIRE_POP3, "missing", POP3_GREETED, "+OK", "XSTLS", "STLSX", "SASL STLS", ".");
}

/* ".." and the like are not the end of the list. */
static void a_pop3_list_ends_with_a_dot_alone(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "listen", POP3_GREETED, "+OK", "STLS", "", "..", ". ", "-ERR", ".x");
}

static void a_pop3_server_may_decline_at_the_greeting(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "declined", "-ERR [SYS/TEMP] not now");
	dialogue(WIRE_POP3, "declined", "-err");
}

static void a_pop3_server_may_refuse_stls(void **state)
{
	(void)state;
	dialogue(WIRE_POP3, "missing", POP3_OFFERED, "-ERR no certificate");
}

static void what_is_no_pop3_response_is_nonsense(void **state)
{
	static const char *const lines[] = {
		"", "hello", "220 x", "* OK", "+OKAY", "-ERROR", "+", "OK", "+ OK", ".", "STLS",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		dialogue(WIRE_POP3, "nonsense", lines[i]);
		dialogue(WIRE_POP3, "nonsense", POP3_GREETED, lines[i]);
		dialogue(WIRE_POP3, "nonsense", POP3_OFFERED, lines[i]);
	}
}

/* --- ManageSieve --- */

static void sieve_begins_tls_once_it_is_offered_and_accepted(void **state)
{
	(void)state;
	dialogue(WIRE_SIEVE, "begin", "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"",
		 "\"SIEVE\" \"fileinto reject\"", "\"NOTIFY\" \"mailto\"", "\"SASL\" \"\"",
		 "\"STARTTLS\"", "\"VERSION\" \"1.0\"", "OK \"Dovecot ready.\"", "> STARTTLS\r\n",
		 "OK \"Begin TLS negotiation now.\"");
}

static void sieve_is_in_any_case(void **state)
{
	(void)state;
	dialogue(WIRE_SIEVE, "begin", "\"StartTls\"", "Ok", "> STARTTLS\r\n", "ok");
}

static void sieve_offers_starttls_in_a_line_of_its_own_only(void **state)
{
	(void)state;
	dialogue(WIRE_SIEVE, "missing", "OK");
	dialogue(WIRE_SIEVE, "missing", "\"SIEVE\" \"STARTTLS\"", "OK \"STARTTLS\"");
	dialogue(WIRE_SIEVE, "missing", "\"STARTTLSX\"", "\"XSTARTTLS\"", "\"STARTTLS", "OK");
}

static void a_sieve_server_may_decline_at_the_greeting(void **state)
{
	(void)state;
	dialogue(WIRE_SIEVE, "declined", "BYE \"not now\"");
	dialogue(WIRE_SIEVE, "declined", "NO (TRYLATER) \"not now\"");
	dialogue(WIRE_SIEVE, "declined", "\"STARTTLS\"", "bye");
}

static void a_sieve_server_may_refuse_starttls(void **state)
{
	(void)state;
	dialogue(WIRE_SIEVE, "missing", SIEVE_OFFERED, "NO \"no certificate\"");
	dialogue(WIRE_SIEVE, "missing", SIEVE_OFFERED, "BYE \"not now\"");
}

static void what_is_no_sieve_response_is_nonsense(void **state)
{
	static const char *const lines[] = {
		"", "hello", "220 x", "* OK", "+OK", "OKAY", "NOT", "STARTTLS", " OK", "{8}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		dialogue(WIRE_SIEVE, "nonsense", lines[i]);
		dialogue(WIRE_SIEVE, "nonsense", "\"STARTTLS\"", lines[i]);
		dialogue(WIRE_SIEVE, "nonsense", SIEVE_OFFERED, lines[i]);
	}
	dialogue(WIRE_SIEVE, "nonsense", SIEVE_OFFERED, "\"STARTTLS\"");
}

/* --- all --- */

/* TLS from the first byte: there is nothing to say before it. */
static void tls_from_the_first_byte_has_no_dialogue(void **state)
{
	(void)state;
	dialogue(WIRE_TLS, "nonsense", "220 mail.example.org ESMTP");
}

static void one_takes_leave_as_the_protocol_has_it(void **state)
{
	(void)state;
	assert_string_equal(starttls_goodbye(WIRE_SMTP), "QUIT\r\n");
	assert_string_equal(starttls_goodbye(WIRE_POP3), "QUIT\r\n");
	assert_string_equal(starttls_goodbye(WIRE_IMAP), "c LOGOUT\r\n");
	assert_string_equal(starttls_goodbye(WIRE_SIEVE), "LOGOUT\r\n");
	assert_string_equal(starttls_goodbye(WIRE_TLS), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(smtp_begins_tls_once_it_is_offered_and_accepted),
		cmocka_unit_test(smtp_replies_may_have_many_lines_or_no_text),
		cmocka_unit_test(smtp_keywords_are_in_any_case),
		cmocka_unit_test(smtp_offers_starttls_in_a_line_of_its_own_only),
		cmocka_unit_test(an_smtp_server_may_decline_at_the_greeting_or_at_ehlo),
		cmocka_unit_test(an_smtp_server_may_refuse_starttls),
		cmocka_unit_test(what_is_no_smtp_reply_is_nonsense),
		cmocka_unit_test(imap_begins_tls_once_it_is_offered_and_accepted),
		cmocka_unit_test(imap_is_in_any_case),
		cmocka_unit_test(imap_servers_may_say_other_things_in_between),
		cmocka_unit_test(imap_offers_starttls_in_its_last_list_of_capabilities_only),
		cmocka_unit_test(imap_without_login_has_no_starttls),
		cmocka_unit_test(an_imap_server_may_decline_at_any_time),
		cmocka_unit_test(an_imap_server_may_refuse_starttls),
		cmocka_unit_test(what_is_no_imap_response_is_nonsense),
		cmocka_unit_test(pop3_begins_tls_once_it_is_offered_and_accepted),
		cmocka_unit_test(pop3_is_in_any_case),
		cmocka_unit_test(a_pop3_server_without_capabilities_is_asked_for_tls_all_the_same),
		cmocka_unit_test(pop3_offers_stls_in_a_line_of_its_own_only),
		cmocka_unit_test(a_pop3_list_ends_with_a_dot_alone),
		cmocka_unit_test(a_pop3_server_may_decline_at_the_greeting),
		cmocka_unit_test(a_pop3_server_may_refuse_stls),
		cmocka_unit_test(what_is_no_pop3_response_is_nonsense),
		cmocka_unit_test(sieve_begins_tls_once_it_is_offered_and_accepted),
		cmocka_unit_test(sieve_is_in_any_case),
		cmocka_unit_test(sieve_offers_starttls_in_a_line_of_its_own_only),
		cmocka_unit_test(a_sieve_server_may_decline_at_the_greeting),
		cmocka_unit_test(a_sieve_server_may_refuse_starttls),
		cmocka_unit_test(what_is_no_sieve_response_is_nonsense),
		cmocka_unit_test(tls_from_the_first_byte_has_no_dialogue),
		cmocka_unit_test(one_takes_leave_as_the_protocol_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

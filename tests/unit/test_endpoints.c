#include <string.h>

#include "endpoints.h"
#include "run_child.h"

/* A mailcow that publishes as it does by default. */
static struct mailcow plain_mailcow(void)
{
	static const int ports[MAILCOW_PORTS] = { 25, 587, 465, 143, 993, 110, 995, 4190, 443 };
	struct mailcow mailcow = { .hostname = "mail.example.org" };

	for (size_t i = 0; i < MAILCOW_PORTS; i++) {
		strcpy(mailcow.published[i].address, MAILCOW_ANY_4);
		mailcow.published[i].port = ports[i];
	}
	return mailcow;
}

static void find(const struct mailcow *mailcow, const char *changes, struct endpoints *endpoints)
{
	if (endpoints_find(mailcow, changes, endpoints) != OUTCOME_OK)
		fail_msg("%s: %s", changes, outcome_reason(OUTCOME_CONF_INVALID));
	/* What can be used passes the look at the configuration, too. */
	assert_int_equal(endpoints_check(changes), OUTCOME_OK);
}

static const struct endpoint *named(const struct endpoints *endpoints, const char *name)
{
	for (size_t i = 0; i < endpoints->count; i++)
		if (!strcmp(endpoints->endpoint[i].name, name))
			return &endpoints->endpoint[i];
	return NULL;
}

static void is_at(const struct endpoints *endpoints, const char *name, const char *address,
		  int port)
{
	const struct endpoint *endpoint = named(endpoints, name);

	if (!endpoint)
		fail_msg("there is no %s", name);
	if (strcmp(endpoint->address, address) != 0 || endpoint->port != port)
		fail_msg("%s is at %s port %d", name, endpoint->address, endpoint->port);
}

static void refused(const char *changes, const char *reason)
{
	struct endpoints endpoints;
	const struct mailcow mailcow = plain_mailcow();

	if (endpoints_check(changes) != OUTCOME_CONF_INVALID)
		fail_msg("%s is taken", changes);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), reason);
	assert_int_equal(endpoints_find(&mailcow, changes, &endpoints), OUTCOME_CONF_INVALID);
}

/* --- what mailcow publishes --- */

static void the_nine_ports_of_mailcow_are_asked(void **state)
{
	static const struct endpoint wanted[] = {
		{ "smtp", "127.0.0.1", 25, 25, WIRE_SMTP, false, "postfix" },
		{ "submission", "127.0.0.1", 587, 587, WIRE_SMTP, false, "postfix" },
		{ "smtps", "127.0.0.1", 465, 465, WIRE_TLS, false, "postfix" },
		{ "imap", "127.0.0.1", 143, 143, WIRE_IMAP, false, "dovecot" },
		{ "imaps", "127.0.0.1", 993, 993, WIRE_TLS, false, "dovecot" },
		{ "pop3", "127.0.0.1", 110, 110, WIRE_POP3, false, "dovecot" },
		{ "pop3s", "127.0.0.1", 995, 995, WIRE_TLS, false, "dovecot" },
		{ "sieve", "127.0.0.1", 4190, 4190, WIRE_SIEVE, false, "dovecot" },
		{ "https", "127.0.0.1", 443, 443, WIRE_TLS, false, "nginx" },
	};
	const struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	find(&mailcow, "", &endpoints);
	assert_int_equal(endpoints.count, sizeof(wanted) / sizeof(wanted[0]));
	for (size_t i = 0; i < endpoints.count; i++) {
		const struct endpoint *endpoint = &endpoints.endpoint[i];

		is_at(&endpoints, wanted[i].name, wanted[i].address, wanted[i].port);
		assert_string_equal(endpoint->name, wanted[i].name);
		assert_string_equal(endpoint->kind, wanted[i].kind);
		if (endpoint->inside != wanted[i].inside ||
		    endpoint->protocol != wanted[i].protocol || endpoint->proxy_header)
			fail_msg("%s: port %d in the container, protocol %d, PROXY line %d",
				 endpoint->name, endpoint->inside, endpoint->protocol,
				 endpoint->proxy_header);
	}
}

static void where_all_addresses_are_meant_loopback_is_asked(void **state)
{
	struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	strcpy(mailcow.published[MAILCOW_IMAPS].address, MAILCOW_ANY_6);
	strcpy(mailcow.published[MAILCOW_SIEVE].address, "192.0.2.10");
	find(&mailcow, "pop3=0.0.0.0:1110 pop3s=[::]:1995 more=imap://0.0.0.0:1143", &endpoints);
	is_at(&endpoints, "smtp", "127.0.0.1", 25);
	is_at(&endpoints, "imaps", "::1", 993);
	is_at(&endpoints, "sieve", "192.0.2.10", 4190);
	is_at(&endpoints, "pop3", "127.0.0.1", 1110);
	is_at(&endpoints, "pop3s", "::1", 1995);
	is_at(&endpoints, "more", "127.0.0.1", 1143);
}

static void the_port_in_the_container_is_not_that_on_the_host_but_for_https(void **state)
{
	struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	mailcow.published[MAILCOW_SMTP].port = 2525;
	mailcow.published[MAILCOW_HTTPS].port = 8443;
	find(&mailcow, "", &endpoints);
	is_at(&endpoints, "smtp", "127.0.0.1", 2525);
	assert_int_equal(named(&endpoints, "smtp")->inside, 25);
	is_at(&endpoints, "https", "127.0.0.1", 8443);
	assert_int_equal(named(&endpoints, "https")->inside, 8443);
}

static void only_the_https_of_mailcow_is_sent_a_proxy_line(void **state)
{
	struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	mailcow.proxy_protocol = true;
	find(&mailcow, "https=192.0.2.10:443 front=https://192.0.2.10:443", &endpoints);
	assert_int_equal(endpoints.count, 10);
	for (size_t i = 0; i < endpoints.count; i++)
		assert_int_equal(endpoints.endpoint[i].proxy_header,
				 !strcmp(endpoints.endpoint[i].name, "https"));
}

/* --- what the configuration changes --- */

static void an_endpoint_that_is_off_is_not_asked(void **state)
{
	const struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	find(&mailcow, "pop3=off smtp=off https=off", &endpoints);
	assert_int_equal(endpoints.count, 6);
	assert_null(named(&endpoints, "smtp"));
	assert_null(named(&endpoints, "pop3"));
	assert_null(named(&endpoints, "https"));
	is_at(&endpoints, "submission", "127.0.0.1", 587);
	is_at(&endpoints, "sieve", "127.0.0.1", 4190);
}

static void an_endpoint_is_asked_elsewhere_in_the_same_manner(void **state)
{
	const struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	find(&mailcow, "smtp=192.0.2.10:2525 imap=[2001:db8::10]:143 sieve=mail.example.org:4191",
	     &endpoints);
	assert_int_equal(endpoints.count, 9);
	is_at(&endpoints, "smtp", "192.0.2.10", 2525);
	is_at(&endpoints, "imap", "2001:db8::10", 143);
	is_at(&endpoints, "sieve", "mail.example.org", 4191);
	assert_int_equal(named(&endpoints, "imap")->protocol, WIRE_IMAP);
	assert_string_equal(named(&endpoints, "imap")->kind, "dovecot");
	/* What is there may be any port of any container. */
	assert_int_equal(named(&endpoints, "imap")->inside, 0);
}

static void the_scheme_of_a_new_endpoint_says_how_it_is_asked_and_what_serves_it(void **state)
{
	static const struct {
		const char *scheme;
		enum wire_protocol protocol;
		const char *kind;
	} cases[] = {
		{ "smtp", WIRE_SMTP, "postfix" }, { "submission", WIRE_SMTP, "postfix" },
		{ "smtps", WIRE_TLS, "postfix" }, { "imap", WIRE_IMAP, "dovecot" },
		{ "imaps", WIRE_TLS, "dovecot" }, { "pop3", WIRE_POP3, "dovecot" },
		{ "pop3s", WIRE_TLS, "dovecot" }, { "sieve", WIRE_SIEVE, "dovecot" },
		{ "https", WIRE_TLS, "nginx" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mailcow mailcow = plain_mailcow();
		const struct endpoint *endpoint;
		struct endpoints endpoints;
		char text[128];

		snprintf(text, sizeof(text), "another_1=%s://[2001:db8::10]:2525", cases[i].scheme);
		find(&mailcow, text, &endpoints);
		assert_int_equal(endpoints.count, 10);
		is_at(&endpoints, "another_1", "2001:db8::10", 2525);
		endpoint = named(&endpoints, "another_1");
		assert_int_equal(endpoint->protocol, cases[i].protocol);
		assert_string_equal(endpoint->kind, cases[i].kind);
		assert_int_equal(endpoint->inside, 0);
	}
}

static void any_blanks_stand_between_the_words(void **state)
{
	const struct mailcow mailcow = plain_mailcow();
	struct endpoints endpoints;

	(void)state;
	find(&mailcow, " \t pop3=off\t\tpop3s=off  ", &endpoints);
	assert_int_equal(endpoints.count, 7);
	find(&mailcow, " \t ", &endpoints);
	assert_int_equal(endpoints.count, 9);
}

/* --- mistakes --- */

static void a_name_nobody_knows_needs_a_scheme(void **state)
{
	(void)state;
	refused("pop=off", "pop=off: there is no endpoint of this name");
	refused("relay=192.0.2.10:25", "relay=192.0.2.10:25: there is no endpoint of this name; a "
				       "new one needs a scheme");
	/* Names are lower case. */
	refused("IMAP=off", "no endpoint of this name");
}

static void a_name_comes_only_once(void **state)
{
	(void)state;
	refused("imap=off imap=off", "imap=off: this endpoint comes twice");
	refused("imap=192.0.2.1:143 pop3=off imap=192.0.2.2:143", "imap=192.0.2.2:143: this");
	refused("relay=smtp://192.0.2.1:25 relay=off", "relay=off: this endpoint comes twice");
	refused("imap=imap://192.0.2.1:143", "there is an endpoint of this name already");
	/* One is not the other only because it begins so. */
	assert_int_equal(endpoints_check("imaps=off imap=off pop3s=off pop3=off"), OUTCOME_OK);
}

static void a_scheme_nobody_knows_is_refused(void **state)
{
	(void)state;
	refused("web=http://192.0.2.1:80", "web=http://192.0.2.1:80: the scheme must be smtp,");
	refused("more=SMTP://192.0.2.1:25", "the scheme must be");
	refused("more=://192.0.2.1:25", "the scheme must be");
	refused("more=smt://192.0.2.1:25", "the scheme must be");
}

static void a_place_without_a_good_port_is_refused(void **state)
{
	static const char *const words[] = {
		"imap=",
		"imap=Off",
		"imap=192.0.2.1",
		"imap=192.0.2.1:",
		"imap=192.0.2.1:0",
		"imap=192.0.2.1:65536",
		"imap=192.0.2.1:imap",
		"imap=192.0.2.1:143,pop3=off",
		"imap=:143",
		"imap=2001:db8::10:143",
		"imap=[2001:db8::10]",
		"imap=[192.0.2.1]:143",
		"more=imap://",
		"more=imap://192.0.2.1",
		"more=imap://192.0.2.1:143/",
		"more=imap://imap://192.0.2.1:143",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		refused(words[i], words[i]);
		assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "a port from 1 to 65535");
	}
}

static void what_is_no_assignment_is_refused(void **state)
{
	(void)state;
	refused("pop3", "pop3: must be NAME=off, NAME=ADDRESS:PORT or");
	refused("=off", "=off: must be NAME=off");
	refused("pop3 = off", "pop3: must be NAME=off");
	refused("a.b=smtp://192.0.2.1:25", "a name has letters, digits, - and _");
	refused("a-name-of-thirty-two-characters-=off", "must be NAME=off");
}

static void a_word_of_any_length_is_refused_and_named(void **state)
{
	char text[2048] = "imap=";

	(void)state;
	memset(text + strlen(text), 'a', sizeof(text) - strlen(text) - 1);
	refused(text, "imap=aaa");
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), ": is too long");
}

static void there_is_an_end_to_how_many_are_asked(void **state)
{
	char text[4096] = "";
	size_t used = 0;

	(void)state;
	for (size_t i = MAILCOW_PORTS; i < ENDPOINTS_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "more%zu=smtp://192.0.2.1:25 ", i);
	assert_int_equal(endpoints_check(text), OUTCOME_OK);
	snprintf(text + used, sizeof(text) - used, "last=smtp://192.0.2.1:25");
	refused(text, "last=smtp://192.0.2.1:25: too many endpoints");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nine_ports_of_mailcow_are_asked),
		cmocka_unit_test(where_all_addresses_are_meant_loopback_is_asked),
		cmocka_unit_test(the_port_in_the_container_is_not_that_on_the_host_but_for_https),
		cmocka_unit_test(only_the_https_of_mailcow_is_sent_a_proxy_line),
		cmocka_unit_test(an_endpoint_that_is_off_is_not_asked),
		cmocka_unit_test(an_endpoint_is_asked_elsewhere_in_the_same_manner),
		cmocka_unit_test(
			the_scheme_of_a_new_endpoint_says_how_it_is_asked_and_what_serves_it),
		cmocka_unit_test(any_blanks_stand_between_the_words),
		cmocka_unit_test(a_name_nobody_knows_needs_a_scheme),
		cmocka_unit_test(a_name_comes_only_once),
		cmocka_unit_test(a_scheme_nobody_knows_is_refused),
		cmocka_unit_test(a_place_without_a_good_port_is_refused),
		cmocka_unit_test(what_is_no_assignment_is_refused),
		cmocka_unit_test(a_word_of_any_length_is_refused_and_named),
		cmocka_unit_test(there_is_an_end_to_how_many_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <string.h>
#include <sys/stat.h>

#include "mailcow.h"
#include "run_child.h"
#include "scratch.h"

static char no_text[] = "";
static char root[512];
static struct deploy_conf conf;

/* Read a mailcow whose mailcow.conf is ${text}. */
static enum outcome mailcow_of(const char *text, struct mailcow *mailcow)
{
	snprintf(root, sizeof(root), "%s/Mail-cow.d", scratch);
	conf = (struct deploy_conf){ .root = root, .hostname = no_text };
	mkdir(root, 0755);
	mkdir(scratch_path("Mail-cow.d/data"), 0755);
	mkdir(scratch_path("Mail-cow.d/data/assets"), 0755);
	mkdir(scratch_path("Mail-cow.d/data/assets/ssl"), 0755);
	if (text)
		scratch_write("Mail-cow.d/mailcow.conf", text, strlen(text));
	return mailcow_read(&conf, mailcow);
}

static void what_mailcow_conf_says_is_read(void **state)
{
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of("# comment\nMAILCOW_HOSTNAME=mail.example.org\n"
				    "COMPOSE_PROJECT_NAME=mailcowdockerized\nSKIP_LETS_ENCRYPT=y\n",
				    &mailcow),
			 OUTCOME_OK);
	assert_string_equal(mailcow.hostname, "mail.example.org");
	assert_string_equal(mailcow.project, "mailcowdockerized");
	assert_false(mailcow.acme);
	assert_contains(mailcow.ssl_dir, "/data/assets/ssl");
}

static void the_acme_client_is_off_only_if_that_is_said(void **state)
{
	static const struct {
		const char *line;
		bool acme;
	} cases[] = {
		{ "", true },
		{ "SKIP_LETS_ENCRYPT=n", true },
		{ "SKIP_LETS_ENCRYPT=", true },
		{ "#SKIP_LETS_ENCRYPT=y", true },
		{ "SKIP_LETS_ENCRYPT=Y", false },
		{ "SKIP_LETS_ENCRYPT=yes", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailcow mailcow;
		char text[256];

		snprintf(text, sizeof(text), "MAILCOW_HOSTNAME=mail.example.org\n%s\n",
			 cases[i].line);
		assert_int_equal(mailcow_of(text, &mailcow), OUTCOME_OK);
		if (mailcow.acme != cases[i].acme)
			fail_msg("%s: acme %d", cases[i].line, mailcow.acme);
	}
}

static void without_a_project_name_it_is_the_directorys(void **state)
{
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of("MAILCOW_HOSTNAME=mail.example.org\n", &mailcow), OUTCOME_OK);
	assert_string_equal(mailcow.project, "mail-cowd");
}

/* As docker compose does: a project's name begins with a letter or a digit. */
static void what_a_project_name_cannot_begin_with_is_left_out(void **state)
{
	static char odd_root[sizeof(root)];
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of("MAILCOW_HOSTNAME=mail.example.org\n", &mailcow), OUTCOME_OK);
	snprintf(odd_root, sizeof(odd_root), "%s/_-.-Mail_cow//", scratch);
	assert_int_equal(symlinkat("Mail-cow.d", scratch_fd, "_-.-Mail_cow"), 0);
	conf.root = odd_root;
	assert_int_equal(mailcow_read(&conf, &mailcow), OUTCOME_OK);
	assert_string_equal(mailcow.project, "mail_cow");
}

static void the_configured_host_name_wins(void **state)
{
	static char hostname[] = "mx.example.org";
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of("MAILCOW_HOSTNAME=mail.example.org\n", &mailcow), OUTCOME_OK);
	conf.hostname = hostname;
	assert_int_equal(mailcow_read(&conf, &mailcow), OUTCOME_OK);
	assert_string_equal(mailcow.hostname, "mx.example.org");
}

static void a_host_name_that_is_none_is_refused(void **state)
{
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of("DBNAME=mailcow\n", &mailcow), OUTCOME_MAILCOW_CONF);
	assert_contains(outcome_reason(OUTCOME_MAILCOW_CONF), "MAILCOW_HOSTNAME is not set");
	assert_int_equal(mailcow_of("MAILCOW_HOSTNAME=.example.org\n", &mailcow),
			 OUTCOME_MAILCOW_CONF);
	assert_contains(outcome_reason(OUTCOME_MAILCOW_CONF), ".example.org is not a host name");
}

static void what_is_missing_is_named(void **state)
{
	struct mailcow mailcow;

	(void)state;
	assert_int_equal(mailcow_of(NULL, &mailcow), OUTCOME_MAILCOW_MISSING);
	assert_contains(outcome_reason(OUTCOME_MAILCOW_MISSING), "mailcow.conf: No such file");
	assert_int_equal(mailcow_of("MAILCOW_HOSTNAME=mail.example.org\n", &mailcow), OUTCOME_OK);
	assert_int_equal(rmdir(mailcow.ssl_dir), 0);
	assert_int_equal(mailcow_read(&conf, &mailcow), OUTCOME_MAILCOW_MISSING);
	assert_contains(outcome_reason(OUTCOME_MAILCOW_MISSING), "data/assets/ssl");
}

/* --- what it publishes --- */

static void published_at(const char *lines, enum mailcow_port which, const char *address, int port)
{
	struct mailcow mailcow;
	char text[512];

	snprintf(text, sizeof(text), "MAILCOW_HOSTNAME=mail.example.org\n%s\n", lines);
	if (mailcow_of(text, &mailcow) != OUTCOME_OK)
		fail_msg("%s: %s", lines, outcome_reason(OUTCOME_MAILCOW_CONF));
	if (strcmp(mailcow.published[which].address, address) != 0 ||
	    mailcow.published[which].port != port)
		fail_msg("%s: published at %s, port %d", lines, mailcow.published[which].address,
			 mailcow.published[which].port);
}

static void a_port_that_is_not_set_is_the_default_of_mailcow(void **state)
{
	static const char *const lines[] = {
		"",
		"SMTP_PORT=\nSMTPS_PORT=\nSUBMISSION_PORT=\nIMAP_PORT=\nIMAPS_PORT=\nPOP_PORT=\n"
		"POPS_PORT=\nSIEVE_PORT=\nHTTPS_PORT=\nHTTPS_BIND=",
	};
	static const int ports[MAILCOW_PORTS] = {
		[MAILCOW_SMTP] = 25,   [MAILCOW_SUBMISSION] = 587, [MAILCOW_SMTPS] = 465,
		[MAILCOW_IMAP] = 143,  [MAILCOW_IMAPS] = 993,      [MAILCOW_POP3] = 110,
		[MAILCOW_POP3S] = 995, [MAILCOW_SIEVE] = 4190,     [MAILCOW_HTTPS] = 443,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (enum mailcow_port which = 0; which < MAILCOW_PORTS; which++)
			published_at(lines[i], which, MAILCOW_ANY_4, ports[which]);
}

static void each_variable_moves_the_port_that_is_its_own(void **state)
{
	static const struct {
		const char *line;
		enum mailcow_port which;
	} cases[] = {
		{ "SMTP_PORT=1000", MAILCOW_SMTP },
		{ "SUBMISSION_PORT=1000", MAILCOW_SUBMISSION },
		{ "SMTPS_PORT=1000", MAILCOW_SMTPS },
		{ "IMAP_PORT=1000", MAILCOW_IMAP },
		{ "IMAPS_PORT=1000", MAILCOW_IMAPS },
		{ "POP_PORT=1000", MAILCOW_POP3 },
		{ "POPS_PORT=1000", MAILCOW_POP3S },
		{ "SIEVE_PORT=1000", MAILCOW_SIEVE },
		{ "HTTPS_PORT=1000", MAILCOW_HTTPS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		published_at(cases[i].line, cases[i].which, MAILCOW_ANY_4, 1000);
}

static void a_port_may_carry_an_address(void **state)
{
	(void)state;
	published_at("IMAP_PORT=127.0.0.1:143", MAILCOW_IMAP, "127.0.0.1", 143);
	published_at("IMAP_PORT=[::1]:1143", MAILCOW_IMAP, "::1", 1143);
	published_at("IMAP_PORT=\"192.0.2.10:65535\"", MAILCOW_IMAP, "192.0.2.10", 65535);
	published_at("IMAP_PORT=[2001:db8::a:b:c:d:e]:1 # there", MAILCOW_IMAP,
		     "2001:db8::a:b:c:d:e", 1);
	published_at("IMAP_PORT=[::]:143", MAILCOW_IMAP, MAILCOW_ANY_6, 143);
	/* The later counts. */
	published_at("IMAP_PORT=127.0.0.1:143\nIMAP_PORT=144", MAILCOW_IMAP, MAILCOW_ANY_4, 144);
}

static void https_is_bound_to_the_address_of_its_own(void **state)
{
	(void)state;
	published_at("HTTPS_BIND=0.0.0.0", MAILCOW_HTTPS, MAILCOW_ANY_4, 443);
	published_at("HTTPS_BIND=::", MAILCOW_HTTPS, MAILCOW_ANY_6, 443);
	published_at("HTTPS_BIND=[::]\nHTTPS_PORT=8443", MAILCOW_HTTPS, MAILCOW_ANY_6, 8443);
	published_at("HTTPS_BIND=192.0.2.10\nHTTPS_PORT=8443", MAILCOW_HTTPS, "192.0.2.10", 8443);
	published_at("HTTPS_BIND=2001:db8::10", MAILCOW_HTTPS, "2001:db8::10", 443);
	published_at("HTTPS_BIND=[2001:db8::10]", MAILCOW_HTTPS, "2001:db8::10", 443);
	/* And that of no other. */
	published_at("HTTPS_BIND=192.0.2.10", MAILCOW_IMAPS, MAILCOW_ANY_4, 993);
}

static void a_bad_value_is_named_with_its_variable_and_file(void **state)
{
	static const char *const lines[] = {
		"SMTP_PORT=smtp",
		"SMTPS_PORT=0",
		"SUBMISSION_PORT=65536",
		"IMAP_PORT=-1",
		"IMAPS_PORT=993-995",
		"POP_PORT=127.0.0.1",
		"POP_PORT=127.0.0.1:",
		"POPS_PORT=::1:995",
		"POPS_PORT=[::1]",
		"POPS_PORT=[::1:995",
		"SIEVE_PORT=4190/tcp",
		("SIEVE_PORT="
		 "00000000000000000000000000000000000000000000000000000000000000000000004190"),
		/* Docker takes no names. */
		"SMTP_PORT=mail.example.org:25",
		"SMTP_PORT=localhost:25",
		"SMTP_PORT=*:25",
		"HTTPS_PORT=443 443",
		"HTTPS_BIND=localhost",
		"HTTPS_BIND=192.0.2.10:443",
		"HTTPS_BIND=[::1]:443",
		"HTTPS_BIND=[::1",
		"HTTPS_BIND=192.0.2",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct mailcow mailcow;
		char text[512];

		snprintf(text, sizeof(text), "MAILCOW_HOSTNAME=mail.example.org\n%s\n", lines[i]);
		if (mailcow_of(text, &mailcow) != OUTCOME_MAILCOW_CONF)
			fail_msg("%s is taken", lines[i]);
		assert_contains(outcome_reason(OUTCOME_MAILCOW_CONF), "/mailcow.conf: ");
		snprintf(text, sizeof(text), "%.70s", lines[i]);
		assert_contains(outcome_reason(OUTCOME_MAILCOW_CONF), text);
	}
}

static void nginx_expects_a_proxy_line_if_mailcow_reads_it_so(void **state)
{
	static const struct {
		const char *line;
		bool expected;
	} cases[] = {
		{ "", false },
		{ "NGINX_USE_PROXY_PROTOCOL=", false },
		{ "NGINX_USE_PROXY_PROTOCOL=n", false },
		{ "NGINX_USE_PROXY_PROTOCOL=y", true },
		{ "NGINX_USE_PROXY_PROTOCOL=YES", true },
		/* mailcow's nginx takes that for no. */
		{ "NGINX_USE_PROXY_PROTOCOL=true", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailcow mailcow;
		char text[256];

		snprintf(text, sizeof(text), "MAILCOW_HOSTNAME=mail.example.org\n%s\n",
			 cases[i].line);
		assert_int_equal(mailcow_of(text, &mailcow), OUTCOME_OK);
		if (mailcow.proxy_protocol != cases[i].expected)
			fail_msg("%s: %d", cases[i].line, mailcow.proxy_protocol);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_mailcow_conf_says_is_read),
		scratch_test(the_acme_client_is_off_only_if_that_is_said),
		scratch_test(without_a_project_name_it_is_the_directorys),
		scratch_test(what_a_project_name_cannot_begin_with_is_left_out),
		scratch_test(the_configured_host_name_wins),
		scratch_test(a_host_name_that_is_none_is_refused),
		scratch_test(what_is_missing_is_named),
		scratch_test(a_port_that_is_not_set_is_the_default_of_mailcow),
		scratch_test(each_variable_moves_the_port_that_is_its_own),
		scratch_test(a_port_may_carry_an_address),
		scratch_test(https_is_bound_to_the_address_of_its_own),
		scratch_test(a_bad_value_is_named_with_its_variable_and_file),
		scratch_test(nginx_expects_a_proxy_line_if_mailcow_reads_it_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

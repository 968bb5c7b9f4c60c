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

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(what_mailcow_conf_says_is_read),
		scratch_test(the_acme_client_is_off_only_if_that_is_said),
		scratch_test(without_a_project_name_it_is_the_directorys),
		scratch_test(the_configured_host_name_wins),
		scratch_test(a_host_name_that_is_none_is_refused),
		scratch_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

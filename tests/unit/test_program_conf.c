#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "deploy_conf.h"
#include "push_conf.h"
#include "run_child.h"
#include "scratch.h"

static void certpush_needs_the_host_name_and_nothing_else(void **state)
{
	static const char text[] = "[source]\nhostname = mail.example.org\n";
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };

	(void)state;
	scratch_write("push.conf", text, strlen(text));
	assert_int_equal(push_conf_load(scratch_path("push.conf"), &conf), OUTCOME_OK);
	assert_string_equal(conf.live_dir, "/etc/nginx/letsencrypt/live");
	assert_string_equal(conf.host, "mail.example.org");
	assert_int_equal(conf.port, 22);
	assert_string_equal(conf.user, "certsync");
	assert_string_equal(conf.staging, ".");
	assert_int_equal(conf.connect_timeout, 10 * 1000);
	assert_int_equal(conf.run_timeout, 60 * 1000);
	assert_string_equal(conf.state_dir, "/var/lib/mailcow-cert-push");
	assert_true(conf.verify);
	assert_string_equal(conf.endpoint, "");
	assert_int_equal(conf.propagate_within, 30 * 60 * 1000);
	assert_int_equal(conf.verify_timeout, 5 * 1000);
	assert_string_equal(conf.metrics, "");
}

/* The state directory of the settings in ${path} is ${wanted}. */
static void remembers_in(const char *path, const char *wanted)
{
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };

	assert_int_equal(push_conf_load(path, &conf), OUTCOME_OK);
	assert_string_equal(conf.state_dir, wanted);
}

static void each_of_several_targets_has_a_state_of_its_own(void **state)
{
	static const char text[] = "[source]\nhostname = mail.example.org\n";
	static const char own[] =
		"[source]\nhostname = mail.example.org\n[state]\ndir = /srv/state\n";
	static const char *const none[] = { "push.d/.conf", "push.d/standby", "push.d/.d/a.conf",
					    "push.dd/a.conf" };
	char here[PATH_MAX];

	(void)state;
	assert_int_equal(mkdir(scratch_path("push.d"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("push.d/.d"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("push.dd"), 0700), 0);
	scratch_write("push.d/standby.conf", text, strlen(text));
	scratch_write("push.d/a.b.conf", text, strlen(text));
	scratch_write("push.d/own.conf", own, strlen(own));
	remembers_in(scratch_path("push.d/standby.conf"), "/var/lib/mailcow-cert-push@standby");
	remembers_in(scratch_path("push.d/../push.d/standby.conf"),
		     "/var/lib/mailcow-cert-push@standby");
	remembers_in(scratch_path("push.d/a.b.conf"), "/var/lib/mailcow-cert-push@a.b");
	remembers_in(scratch_path("push.d/own.conf"), "/srv/state");
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		scratch_write(none[i], text, strlen(text));
		remembers_in(scratch_path(none[i]), "/var/lib/mailcow-cert-push");
	}
	assert_int_equal(renameat(scratch_fd, "push.d", scratch_fd, "elsewhere"), 0);
	assert_int_equal(symlinkat("elsewhere", scratch_fd, "push.d"), 0);
	remembers_in(scratch_path("push.d/standby.conf"), "/var/lib/mailcow-cert-push@standby");
	assert_int_equal(unlink(scratch_path("push.d")), 0);
	assert_int_equal(renameat(scratch_fd, "elsewhere", scratch_fd, "push.d"), 0);
	/* Whatever directory it is named from. */
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(scratch_path("push.d")), 0);
	remembers_in("standby.conf", "/var/lib/mailcow-cert-push@standby");
	assert_int_equal(chdir(".."), 0);
	remembers_in("push.d/standby.conf", "/var/lib/mailcow-cert-push@standby");
	assert_int_equal(chdir(here), 0);
}

static void an_endpoint_that_is_none_is_named_with_its_line(void **state)
{
	static const char text[] = "[source]\nhostname = mail.example.org\n[verify]\nendpoint = "
				   "mail.example.org:imaps\n";
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };

	(void)state;
	scratch_write("push.conf", text, strlen(text));
	assert_int_equal(push_conf_load(scratch_path("push.conf"), &conf), OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID),
			"push.conf:4: endpoint: mail.example.org:imaps is neither HOST nor");
}

static void without_the_host_name_certpush_says_so(void **state)
{
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };

	(void)state;
	scratch_write("push.conf", "", 0);
	assert_int_equal(push_conf_load(scratch_path("push.conf"), &conf), OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "hostname in section [source]");
}

static void certdeploy_needs_nothing_at_all(void **state)
{
	_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };

	(void)state;
	scratch_write("deploy.conf", "", 0);
	assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf), OUTCOME_OK);
	assert_string_equal(conf.root, "/opt/mailcow-dockerized");
	assert_string_equal(conf.hostname, "");
	assert_string_equal(conf.services, "postfix-mailcow dovecot-mailcow nginx-mailcow");
	assert_string_equal(conf.docker, "/usr/bin/docker");
	assert_string_equal(conf.staging_dir, "/home/certsync/incoming");
	assert_string_equal(conf.ca_file, "");
	assert_string_equal(conf.state_dir, "/var/lib/mailcow-cert-deploy");
	assert_int_equal(conf.docker_timeout, 60 * 1000);
	assert_int_equal(deploy_conf_sni(&conf), DEPLOY_SNI_UPDATE);
	assert_true(conf.verify);
	assert_string_equal(conf.endpoints, "");
	assert_int_equal(conf.verify_timeout, 10 * 1000);
	assert_int_equal(conf.settle, 10 * 1000);
	assert_string_equal(conf.metrics, "");
}

static void what_certdeploy_verifies_can_be_set(void **state)
{
	static const char text[] = "[verify]\nverify = off\nendpoints = pop3=off  "
				   "relay=smtp://[::1]:2525\ntimeout = 800ms\nsettle = 1m\n";
	_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };

	(void)state;
	scratch_write("deploy.conf", text, strlen(text));
	assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf), OUTCOME_OK);
	assert_false(conf.verify);
	assert_contains(conf.endpoints, "pop3=off");
	assert_contains(conf.endpoints, "relay=smtp://[::1]:2525");
	assert_int_equal(conf.verify_timeout, 800);
	assert_int_equal(conf.settle, 60 * 1000);
}

static void a_change_of_endpoints_that_is_none_is_named_with_its_line(void **state)
{
	static const char text[] = "[verify]\nverify = on\nendpoints = imaps=off relay=off\n";
	_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };

	(void)state;
	scratch_write("deploy.conf", text, strlen(text));
	assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf),
			 OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID),
			"deploy.conf:3: endpoints: relay=off: there is no endpoint of this name");
}

static void directories_for_names_of_their_own_are_updated_warned_of_or_ignored(void **state)
{
	static const struct {
		const char *word;
		enum deploy_sni sni;
	} cases[] = {
		{ "update", DEPLOY_SNI_UPDATE },
		{ "warn", DEPLOY_SNI_WARN },
		{ "ignore", DEPLOY_SNI_IGNORE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };
		char text[64];

		snprintf(text, sizeof(text), "[mailcow]\nsni = %s\n", cases[i].word);
		scratch_write("deploy.conf", text, strlen(text));
		assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf), OUTCOME_OK);
		assert_int_equal(deploy_conf_sni(&conf), cases[i].sni);
	}
}

static void another_word_about_them_is_refused(void **state)
{
	static const char *const words[] = { "Update", "on", "updates", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };
		char text[64];

		snprintf(text, sizeof(text), "[mailcow]\nsni = %s\n", words[i]);
		scratch_write("deploy.conf", text, strlen(text));
		assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf),
				 OUTCOME_CONF_INVALID);
		assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "deploy.conf:2: sni");
	}
}

static void a_ca_file_must_be_a_file(void **state)
{
	static const char text[] = "[staging]\nca_file = /etc\n";
	_cleanup_(deploy_conf_clear) struct deploy_conf conf = { 0 };

	(void)state;
	scratch_write("deploy.conf", text, strlen(text));
	assert_int_equal(deploy_conf_load(scratch_path("deploy.conf"), &conf),
			 OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "deploy.conf:2: ca_file: /etc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(certpush_needs_the_host_name_and_nothing_else),
		scratch_test(each_of_several_targets_has_a_state_of_its_own),
		scratch_test(each_of_several_targets_has_a_state_of_its_own),
		scratch_test(an_endpoint_that_is_none_is_named_with_its_line),
		scratch_test(without_the_host_name_certpush_says_so),
		scratch_test(certdeploy_needs_nothing_at_all),
		scratch_test(what_certdeploy_verifies_can_be_set),
		scratch_test(a_change_of_endpoints_that_is_none_is_named_with_its_line),
		scratch_test(directories_for_names_of_their_own_are_updated_warned_of_or_ignored),
		scratch_test(another_word_about_them_is_refused),
		scratch_test(a_ca_file_must_be_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

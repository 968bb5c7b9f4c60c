#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "certsync/journal.h"
#include "run_child.h"
#include "scratch.h"
#include "services.h"

static void services_are_parsed_with_their_kinds(void **state)
{
	struct services services;

	(void)state;
	assert_int_equal(
		services_parse("postfix-mailcow  dovecot-mailcow\tnginx-mailcow", &services),
		OUTCOME_OK);
	assert_int_equal(services.count, 3);
	assert_string_equal(services.service[0].name, "postfix-mailcow");
	assert_string_equal(services.service[1].name, "dovecot-mailcow");
	assert_string_equal(services.service[2].name, "nginx-mailcow");
	assert_non_null(services.service[0].kind);
	assert_ptr_not_equal(services.service[0].kind, services.service[1].kind);
}

static void a_kind_can_be_said(void **state)
{
	struct services said, plain;

	(void)state;
	assert_int_equal(services_parse("frontend:nginx", &said), OUTCOME_OK);
	assert_int_equal(services_parse("nginx", &plain), OUTCOME_OK);
	assert_string_equal(said.service[0].name, "frontend");
	assert_ptr_equal(said.service[0].kind, plain.service[0].kind);
}

static void what_cannot_be_reloaded_is_refused(void **state)
{
	static const char *const wrong[] = { "rspamd-mailcow",  "nginxmailcow", "frontend:",
					     "frontend:apache", ":nginx",       "frontend:nginxx" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (services_check(wrong[i]) != OUTCOME_CONF_INVALID)
			fail_msg("'%s' is taken", wrong[i]);
	assert_int_equal(services_check("rspamd-mailcow"), OUTCOME_CONF_INVALID);
	assert_contains(outcome_reason(OUTCOME_CONF_INVALID), "rspamd-mailcow:nginx");
}

static void too_many_and_too_long_ones_are_refused(void **state)
{
	char many[512] = "", long_name[128] = "nginx-";

	(void)state;
	for (int i = 0; i <= SERVICES_MAX; i++)
		strcat(many, "nginx-a ");
	assert_int_equal(services_check(many), OUTCOME_CONF_INVALID);
	memset(long_name + 6, 'x', SERVICE_NAME_MAX);
	assert_int_equal(services_check(long_name), OUTCOME_CONF_INVALID);
}

/* --- published ports --- */

static void what_docker_publishes_is_seen(void **state)
{
	static const struct {
		const char *ports;
		int inside;
		bool published;
	} cases[] = {
		{ "", 25, false },
		{ "25/tcp", 25, false },
		{ "25/tcp, 465/tcp, 587/tcp", 465, false },
		{ "0.0.0.0:25->25/tcp", 25, true },
		{ "127.0.0.1:25->25/tcp", 25, true },
		{ ":::25->25/tcp", 25, true },
		{ "[::]:25->25/tcp", 25, true },
		{ "[2001:db8::1]:25->25/tcp", 25, true },
		{ "25/tcp, 0.0.0.0:465->465/tcp, [::]:465->465/tcp", 465, true },
		{ "25/tcp, 0.0.0.0:465->465/tcp, [::]:465->465/tcp", 25, false },
		/* The host's port is another one. */
		{ "0.0.0.0:1143->143/tcp", 143, true },
		{ "0.0.0.0:1143->143/tcp", 1143, false },
		{ "0.0.0.0:143->1143/tcp", 143, false },
		{ "0.0.0.0:14->143/tcp", 14, false },
		{ "0.0.0.0:143->143/tcp", 14, false },
		/* Neighbours are put together. */
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 993, true },
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 994, true },
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 995, true },
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 992, false },
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 996, false },
		{ "0.0.0.0:110->110/tcp, 0.0.0.0:993-995->993-995/tcp, 80/tcp", 80, false },
		{ "0.0.0.0:1993-1995->993-995/tcp", 994, true },
		{ "993-995/tcp", 994, false },
		/* Another protocol on the port of the same number. */
		{ "0.0.0.0:443->443/udp", 443, false },
		{ "0.0.0.0:440-450->440-450/udp, 0.0.0.0:25->25/tcp", 443, false },
		{ "0.0.0.0:443->443/udp, 0.0.0.0:443->443/tcp", 443, true },
		{ "0.0.0.0:25->", 25, false },
		{ "0.0.0.0:25->x", 0, false },
		{ "->->", 25, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct service service = { .name = "postfix-mailcow" };

		snprintf(service.ports, sizeof(service.ports), "%s", cases[i].ports);
		if (service_publishes(&service, cases[i].inside, 0) != cases[i].published)
			fail_msg("'%s': %d", cases[i].ports, cases[i].inside);
	}
}

/* Whatever is behind it: the port of the host is taken by a service of ours. */
static void a_port_of_the_host_counts_as_well(void **state)
{
	struct service service = { .ports =
					   "127.0.0.1:8443->443/tcp, [::1]:993-995->1993-1995/tcp, "
					   "127.0.0.1:53->53/udp" };

	(void)state;
	assert_true(service_publishes(&service, 8443, 8443));
	assert_true(service_publishes(&service, 1, 994));
	assert_false(service_publishes(&service, 1, 996));
	assert_false(service_publishes(&service, 1, 127));
	assert_false(service_publishes(&service, 1, 53));
}

/* --- one of them --- */

static void the_first_service_of_a_kind_is_found(void **state)
{
	struct services services;

	(void)state;
	assert_int_equal(services_parse("a:nginx b:postfix c:postfix", &services), OUTCOME_OK);
	assert_ptr_equal(services_of_kind(&services, "nginx"), &services.service[0]);
	assert_ptr_equal(services_of_kind(&services, "postfix"), &services.service[1]);
	assert_null(services_of_kind(&services, "dovecot"));
	assert_null(services_of_kind(&services, "a"));
	assert_null(services_of_kind(&services, ""));
	services.count = 0;
	assert_null(services_of_kind(&services, "nginx"));
}

static void only_a_found_container_that_runs_is_running(void **state)
{
	struct service service = { .name = "postfix-mailcow" };

	(void)state;
	assert_false(service_is_running(&service));
	strcpy(service.state, "running");
	assert_false(service_is_running(&service));
	strcpy(service.id, "0123456789ab");
	assert_true(service_is_running(&service));
	strcpy(service.state, "exited");
	assert_false(service_is_running(&service));
}

/* --- found with docker --- */

static char docker[512];
static struct deploy_conf conf;
static const struct mailcow mailcow = { .project = "mailcowdockerized" };

/* Find ${services} with a docker that answers ${lines}, in printf(1)'s notation. */
static enum outcome find_in(const char *lines, struct services *services)
{
	char script[2048];

	snprintf(script, sizeof(script), "#!/bin/sh\necho \"$@\" >%s/said\nprintf '%s'\n", scratch,
		 lines);
	scratch_write("docker", script, strlen(script));
	assert_int_equal(fchmodat(scratch_fd, "docker", 0755, 0), 0);
	snprintf(docker, sizeof(docker), "%s/docker", scratch);
	conf = (struct deploy_conf){ .docker = docker, .docker_timeout = 20 * 1000 };
	journal_open("test", JOURNAL_QUIET);
	return services_find(&conf, &mailcow, services);
}

static void containers_are_found_by_their_labels(void **state)
{
	_cleanup_(bytes_clear) struct bytes said = BYTES_NONE;
	struct services services;

	(void)state;
	assert_int_equal(services_parse("postfix-mailcow dovecot-mailcow nginx-mailcow", &services),
			 OUTCOME_OK);
	assert_int_equal(find_in("aaaa\\trunning\\tpostfix-mailcow\\tFalse\\t0.0.0.0:25->25/tcp\\n"
				 "bbbb\\texited\\tdovecot-mailcow\\t\\t\\n"
				 "cccc\\trunning\\tnginx-mailcow\\tTrue\\t\\n"
				 "dddd\\trunning\\tredis-mailcow\\tFalse\\t\\n"
				 "eeee\\trunning\\n",
				 &services),
			 OUTCOME_OK);
	assert_string_equal(services.service[0].id, "aaaa");
	assert_true(service_is_running(&services.service[0]));
	assert_true(service_publishes(&services.service[0], 25, 0));
	assert_string_equal(services.service[1].id, "bbbb");
	assert_string_equal(services.service[1].state, "exited");
	/* A container of 'docker compose run' is not the service. */
	assert_string_equal(services.service[2].id, "");
	assert_int_equal(file_read(scratch_fd, "said", FILE_OWN, 4096, &said), OUTCOME_OK);
	assert_contains(said.data, "label=com.docker.compose.project=mailcowdockerized ");
}

static void of_two_containers_the_running_one_counts(void **state)
{
	struct services services;

	(void)state;
	assert_int_equal(services_parse("nginx-mailcow", &services), OUTCOME_OK);
	assert_int_equal(find_in("aaaa\\texited\\tnginx-mailcow\\tFalse\\t\\n"
				 "bbbb\\trunning\\tnginx-mailcow\\tFalse\\t\\n"
				 "cccc\\texited\\tnginx-mailcow\\tFalse\\t\\n",
				 &services),
			 OUTCOME_OK);
	assert_string_equal(services.service[0].id, "bbbb");
}

/* Between two looks it was made anew, stopped or taken away. */
static void what_is_found_anew_takes_the_place_of_what_was_found_before(void **state)
{
	struct services services;

	(void)state;
	assert_int_equal(services_parse("nginx-mailcow", &services), OUTCOME_OK);
	assert_int_equal(find_in("aaaa\\trunning\\tnginx-mailcow\\tFalse\\t0.0.0.0:443->443/tcp\\n",
				 &services),
			 OUTCOME_OK);
	assert_int_equal(find_in("bbbb\\texited\\tnginx-mailcow\\tFalse\\t\\n", &services),
			 OUTCOME_OK);
	assert_string_equal(services.service[0].id, "bbbb");
	assert_false(service_is_running(&services.service[0]));
	assert_false(service_publishes(&services.service[0], 443, 443));
	assert_int_equal(find_in("", &services), OUTCOME_OK);
	assert_string_equal(services.service[0].id, "");
	assert_false(service_is_running(&services.service[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_are_parsed_with_their_kinds),
		cmocka_unit_test(a_kind_can_be_said),
		cmocka_unit_test(what_cannot_be_reloaded_is_refused),
		cmocka_unit_test(too_many_and_too_long_ones_are_refused),
		cmocka_unit_test(what_docker_publishes_is_seen),
		cmocka_unit_test(a_port_of_the_host_counts_as_well),
		cmocka_unit_test(the_first_service_of_a_kind_is_found),
		cmocka_unit_test(only_a_found_container_that_runs_is_running),
		scratch_test(containers_are_found_by_their_labels),
		scratch_test(of_two_containers_the_running_one_counts),
		scratch_test(what_is_found_anew_takes_the_place_of_what_was_found_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

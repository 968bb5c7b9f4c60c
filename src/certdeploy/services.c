#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/deadline.h"
#include "certsync/journal.h"
#include "services.h"
#include "subprocess.h"

#define PROJECT_LABEL           "com.docker.compose.project"
#define SERVICE_LABEL           "com.docker.compose.service"
#define ONEOFF_LABEL            "com.docker.compose.oneoff"
#define RUNNING                 "running"
#define TCP                     "/tcp"
#define SERVICE_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define BLANKS                  " \t"
#define ARGUMENTS_MAX           8

/* How a kind of server tests its configuration, and takes a new certificate without losing a
 * connection. */
struct service_kind {
	const char *name;
	const char *test[4];
	const char *reload[4];
};

/*
 * The map by which postfix finds a certificate for a name holds the certificates themselves
 * (postmap -F): where there is anything in it, it is made anew before the reload. Which map that
 * is, postfix says.
 */
#define POSTFIX_RELOAD                                                                             \
	"status=0; for map in $(postconf -hx tls_server_sni_maps 2>/dev/null); do "                \
	"file=${map#*:}; file=${file%,}; "                                                         \
	"if [ -s \"$file\" ]; then postmap -F \"${map%,}\" || status=1; fi; "                      \
	"done; postfix reload || status=1; exit $status"

static const struct service_kind kinds[] = {
	{ "postfix", { "postfix", "check" }, { "sh", "-c", POSTFIX_RELOAD } },
	{ "dovecot", { "sh", "-c", "doveconf -n >/dev/null" }, { "doveadm", "reload" } },
	/* Without the test a bad configuration is only logged, and the signal succeeds. */
	{ "nginx", { "nginx", "-t", "-q" }, { "sh", "-c", "nginx -t -q && nginx -s reload" } },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/*
 * Where the engine is may be set for the user; everything else in our environment is none of
 * docker's business.
 */
static const char *const docker_variables[] = { "DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG",
						NULL };

/* --- configuration --- */

/* "postfix-mailcow" tells its kind by its first word; "frontend:nginx" says it. */
static const struct service_kind *kind_of(const char *word, size_t name_len)
{
	bool said = word[name_len] == ':';
	const char *kind = said ? word + name_len + 1 : word;
	size_t len = strcspn(kind, said ? BLANKS : "-_:" BLANKS);

	for (size_t i = 0; i < KINDS; i++)
		if (len == strlen(kinds[i].name) && !strncmp(kind, kinds[i].name, len))
			return &kinds[i];
	return NULL;
}

enum outcome services_parse(const char *list, struct services *services)
{
	*services = (struct services){ .count = 0 };
	for (const char *word = list + strspn(list, BLANKS); *word; word += strspn(word, BLANKS)) {
		size_t len = strcspn(word, BLANKS), name_len = strcspn(word, ":" BLANKS);
		struct service *service = &services->service[services->count];

		if (services->count == SERVICES_MAX || name_len > SERVICE_NAME_MAX || !name_len)
			return outcome_because(OUTCOME_CONF_INVALID,
					       "%.*s: too many services, or too "
					       "long a name",
					       (int)len, word);
		if (strspn(word, SERVICE_NAME_CHARACTERS) < name_len)
			return outcome_because(OUTCOME_CONF_INVALID,
					       "%.*s: is no name of a service; names are separated "
					       "by blanks",
					       (int)len, word);
		memcpy(service->name, word, name_len);
		service->kind = kind_of(word, name_len);
		if (!service->kind)
			return outcome_because(
				OUTCOME_CONF_INVALID,
				"%.*s: how to reload it is not known; write %s:postfix, "
				"%s:dovecot or %s:nginx",
				(int)len, word, service->name, service->name, service->name);
		services->count++;
		word += len;
	}
	return OUTCOME_OK;
}

enum outcome services_check(const char *list)
{
	struct services services;

	return services_parse(list, &services);
}

/* --- docker --- */

static enum outcome docker_unusable(const struct deploy_conf *conf, int error)
{
	return outcome_because(OUTCOME_DOCKER_MISSING, "%s: %s", conf->docker, strerror(error));
}

/* One line of docker ps: id, state, service, oneoff, ports, separated by tabs. */
static void take_container(struct services *services, char *line)
{
	const char *id = strsep(&line, "\t"), *state = strsep(&line, "\t"),
		   *name = strsep(&line, "\t"), *oneoff = strsep(&line, "\t"),
		   *ports = strsep(&line, "\t");

	/* What 'docker compose run' left is not the service. */
	if (!ports || !strcmp(oneoff, "True"))
		return;
	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->service[i];

		if (strcmp(service->name, name) != 0 ||
		    (service->id[0] && !strcmp(service->state, RUNNING)))
			continue;
		snprintf(service->id, sizeof(service->id), "%s", id);
		snprintf(service->state, sizeof(service->state), "%s", state);
		snprintf(service->ports, sizeof(service->ports), "%s", ports);
	}
}

/* An earlier look may have found others. */
static void forget_containers(struct services *services)
{
	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->service[i];

		service->id[0] = service->state[0] = service->ports[0] = '\0';
	}
}

enum outcome services_find(const struct deploy_conf *conf, const struct mailcow *mailcow,
			   struct services *services)
{
	static const char format[] = "{{.ID}}\t{{.State}}\t{{.Label \"" SERVICE_LABEL
				     "\"}}\t{{.Label \"" ONEOFF_LABEL "\"}}\t{{.Ports}}";
	char filter[sizeof("label=" PROJECT_LABEL "=") + MAILCOW_PROJECT_MAX];
	const char *const argv[] = { conf->docker, "ps",       "--all", "--no-trunc", "--filter",
				     filter,       "--format", format,  NULL };
	struct subprocess process;
	char *rest, *line;

	/* Docker need not even run then. */
	if (!services->count)
		return OUTCOME_OK;
	snprintf(filter, sizeof(filter), "label=" PROJECT_LABEL "=%s", mailcow->project);
	if (!subprocess_start(&process, argv, docker_variables)) {
		int error = errno;

		subprocess_wait(&process, 1, 0);
		return docker_unusable(conf, error);
	}
	subprocess_wait(&process, 1, deadline_in(conf->docker_timeout));
	if (!subprocess_succeeded(&process)) {
		char reason[512];

		subprocess_explain(&process, reason, sizeof(reason));
		return outcome_because(OUTCOME_DOCKER_FAILED, "%s ps: %s", conf->docker, reason);
	}
	forget_containers(services);
	rest = process.out.text;
	while ((line = strsep(&rest, "\n")) && *line)
		take_container(services, line);
	for (size_t i = 0; i < services->count; i++)
		journal_detail("%s: container %.12s, %s", services->service[i].name,
			       services->service[i].id,
			       services->service[i].id[0] ? services->service[i].state
							  : "not found");
	return OUTCOME_OK;
}

struct service *services_of_kind(struct services *services, const char *kind)
{
	for (size_t i = 0; i < services->count; i++)
		if (!strcmp(services->service[i].kind->name, kind))
			return &services->service[i];
	return NULL;
}

bool service_is_running(const struct service *service)
{
	return service->id[0] && !strcmp(service->state, RUNNING);
}

/* Is ${port} the number at ${text}, or in the range FIRST-LAST there? ${end}: what follows. */
static bool is_in(const char *text, int port, char **end)
{
	long first = strtol(text, end, 10), last = first;

	if (**end == '-' && (*end)[1] != '>')
		last = strtol(*end + 1, end, 10);
	return first <= port && port <= last;
}

/* "127.0.0.1:25->25/tcp, [::]:993-995->993-995/tcp, 80/tcp": only what has an arrow is published.
 */
bool service_publishes(const struct service *service, int inside, int outside)
{
	const char *arrow = service->ports;

	while ((arrow = strstr(arrow, "->"))) {
		const char *left = arrow;
		bool found;
		char *end;

		while (left > service->ports && left[-1] != ':')
			left--;
		arrow += strlen("->");
		found = is_in(left, outside, &end);
		found |= is_in(arrow, inside, &end);
		if (found && !strncmp(end, TCP, strlen(TCP)))
			return true;
	}
	return false;
}

/* --- doing something to all of them --- */

static void conclude(struct service *service, enum outcome outcome)
{
	service->outcome = outcome;
	snprintf(service->reason, sizeof(service->reason), "%s", outcome_reason(outcome));
}

/* What is done, and what came of it. */
struct action {
	const char *name;
	bool needs_running;
	void (*words)(const struct service *service, const char *argv[static ARGUMENTS_MAX + 1]);
	enum outcome done;
	enum outcome failed;
	const char *done_text;
};

static void exec_words(const struct service *service, const char *const command[],
		       const char *argv[static ARGUMENTS_MAX + 1])
{
	size_t used = 1;

	argv[used++] = "exec";
	argv[used++] = service->id;
	while (*command && used < ARGUMENTS_MAX)
		argv[used++] = *command++;
}

static void reload_words(const struct service *service, const char *argv[static ARGUMENTS_MAX + 1])
{
	exec_words(service, service->kind->reload, argv);
}

static void test_words(const struct service *service, const char *argv[static ARGUMENTS_MAX + 1])
{
	exec_words(service, service->kind->test, argv);
}

static void restart_words(const struct service *service, const char *argv[static ARGUMENTS_MAX + 1])
{
	argv[1] = "restart";
	argv[2] = service->id;
}

static bool can_be_done(const struct action *action, struct service *service)
{
	if (!service->id[0])
		conclude(service, outcome_because(OUTCOME_SERVICE_DOWN,
						  "%s: there is no container of this service",
						  service->name));
	else if (action->needs_running && !service_is_running(service))
		conclude(service, outcome_because(OUTCOME_SERVICE_DOWN,
						  "%s: its container is not running (%s)",
						  service->name, service->state));
	else
		return true;
	return false;
}

static void conclude_action(const struct action *action, struct service *service,
			    const struct subprocess *process)
{
	char reason[480];

	if (subprocess_succeeded(process)) {
		conclude(service,
			 outcome_because(action->done, "%s: %s", service->name, action->done_text));
		return;
	}
	subprocess_explain(process, reason, sizeof(reason));
	conclude(service, outcome_because(action->failed, "%s: %s failed: %s", service->name,
					  action->name, reason));
}

static enum outcome first_failure(const struct services *services)
{
	for (size_t i = 0; i < services->count; i++)
		if (services->service[i].chosen && outcome_failed(services->service[i].outcome))
			return outcome_because(services->service[i].outcome, "%s",
					       services->service[i].reason);
	return OUTCOME_OK;
}

static enum outcome act(const struct deploy_conf *conf, struct services *services,
			const struct action *action)
{
	struct subprocess *processes = calloc(services->count, sizeof(*processes));
	struct service *acting[SERVICES_MAX];
	size_t count = 0;

	if (!processes)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < services->count; i++) {
		const char *argv[ARGUMENTS_MAX + 1] = { conf->docker };
		struct service *service = &services->service[i];

		if (!service->chosen || !can_be_done(action, service))
			continue;
		action->words(service, argv);
		subprocess_start(&processes[count], argv, docker_variables);
		acting[count++] = service;
	}
	subprocess_wait(processes, count, deadline_in(conf->docker_timeout));
	for (size_t i = 0; i < count; i++)
		conclude_action(action, acting[i], &processes[i]);
	free(processes);
	return first_failure(services);
}

enum outcome services_reload(const struct deploy_conf *conf, struct services *services)
{
	static const struct action reload = {
		"reload", true, reload_words, OUTCOME_RELOADED, OUTCOME_RELOAD_FAILED, "reloaded"
	};

	return act(conf, services, &reload);
}

enum outcome services_test(const struct deploy_conf *conf, struct services *services)
{
	static const struct action test = { "the test of its configuration",
					    true,
					    test_words,
					    OUTCOME_OK,
					    OUTCOME_SERVICE_BROKEN,
					    "its configuration is in order" };

	return act(conf, services, &test);
}

enum outcome services_restart(const struct deploy_conf *conf, struct services *services)
{
	static const struct action restart = {
		"restart",  false, restart_words, OUTCOME_RESTARTED, OUTCOME_RESTART_FAILED,
		"restarted"
	};

	return act(conf, services, &restart);
}

enum outcome service_ends_sessions(const struct deploy_conf *conf, struct service *service,
				   bool *ends)
{
	const char *const argv[] = { conf->docker,       "exec", service->id, "doveconf", "-h",
				     "shutdown_clients", NULL };
	struct subprocess process;
	char reason[512];

	if (!service_is_running(service))
		return outcome_because(OUTCOME_SERVICE_DOWN, "%s: its container is not running",
				       service->name);
	subprocess_start(&process, argv, docker_variables);
	subprocess_wait(&process, 1, deadline_in(conf->docker_timeout));
	if (!subprocess_succeeded(&process)) {
		subprocess_explain(&process, reason, sizeof(reason));
		return outcome_because(OUTCOME_DOCKER_FAILED, "%s: %s", service->name, reason);
	}
	*ends = strncmp(process.out.text, "no", 2) != 0;
	return OUTCOME_OK;
}

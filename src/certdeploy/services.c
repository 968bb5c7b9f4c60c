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
#define SERVICE_NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
#define BLANKS                  " \t"
#define ARGUMENTS_MAX           8

/* How a kind of server takes a new certificate without losing a connection. */
struct service_kind {
	const char *name;
	const char *reload[4];
};

static const struct service_kind kinds[] = {
	{ "postfix", { "postfix", "reload" } },
	{ "dovecot", { "doveadm", "reload" } },
	/* Without the test a bad configuration is only logged, and the signal succeeds. */
	{ "nginx", { "sh", "-c", "nginx -t -q && nginx -s reload" } },
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

/* One line of docker ps: id, state, service, oneoff, separated by tabs. */
static void take_container(struct services *services, char *line)
{
	const char *id = strsep(&line, "\t"), *state = strsep(&line, "\t"),
		   *name = strsep(&line, "\t");

	/* What 'docker compose run' left is not the service. */
	if (!name || (line && !strcmp(line, "True")))
		return;
	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->service[i];

		if (strcmp(service->name, name) != 0 ||
		    (service->id[0] && !strcmp(service->state, RUNNING)))
			continue;
		snprintf(service->id, sizeof(service->id), "%s", id);
		snprintf(service->state, sizeof(service->state), "%s", state);
	}
}

enum outcome services_find(const struct deploy_conf *conf, const struct mailcow *mailcow,
			   struct services *services)
{
	static const char format[] = "{{.ID}}\t{{.State}}\t{{.Label \"" SERVICE_LABEL
				     "\"}}\t{{.Label \"" ONEOFF_LABEL "\"}}";
	char filter[sizeof("label=" PROJECT_LABEL "=") + MAILCOW_PROJECT_MAX];
	const char *const argv[] = { conf->docker, "ps",       "--all", "--no-trunc", "--filter",
				     filter,       "--format", format,  NULL };
	struct subprocess process;
	char *rest, *line;

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

/* --- reloading --- */

static void conclude(struct service *service, enum outcome outcome)
{
	service->outcome = outcome;
	snprintf(service->reason, sizeof(service->reason), "%s", outcome_reason(outcome));
}

static bool start_reload(const struct deploy_conf *conf, const struct service *service,
			 struct subprocess *process)
{
	const char *argv[ARGUMENTS_MAX + 1] = { conf->docker, "exec", service->id };
	size_t used = 3;

	for (const char *const *word = service->kind->reload; *word && used < ARGUMENTS_MAX; word++)
		argv[used++] = *word;
	return subprocess_start(process, argv, docker_variables);
}

static bool is_up(struct service *service)
{
	if (!service->id[0])
		conclude(service, outcome_because(OUTCOME_SERVICE_DOWN,
						  "%s: there is no container of this service",
						  service->name));
	else if (strcmp(service->state, RUNNING) != 0)
		conclude(service, outcome_because(OUTCOME_SERVICE_DOWN,
						  "%s: its container is not running (%s)",
						  service->name, service->state));
	else
		return true;
	return false;
}

static void conclude_reload(struct service *service, const struct subprocess *process)
{
	char reason[480];

	if (subprocess_succeeded(process)) {
		conclude(service, outcome_because(OUTCOME_RELOADED, "%s: reloaded", service->name));
		return;
	}
	subprocess_explain(process, reason, sizeof(reason));
	conclude(service, outcome_because(OUTCOME_RELOAD_FAILED, "%s: reload failed: %s",
					  service->name, reason));
}

enum outcome services_reload(const struct deploy_conf *conf, struct services *services)
{
	struct subprocess *processes = calloc(services->count, sizeof(*processes));
	struct service *reloading[SERVICES_MAX];
	enum outcome result = OUTCOME_OK;
	size_t count = 0;

	if (!processes)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < services->count; i++) {
		if (!is_up(&services->service[i]))
			continue;
		reloading[count] = &services->service[i];
		start_reload(conf, reloading[count], &processes[count]);
		count++;
	}
	subprocess_wait(processes, count, deadline_in(conf->docker_timeout));
	for (size_t i = 0; i < count; i++)
		conclude_reload(reloading[i], &processes[i]);
	free(processes);
	for (size_t i = services->count; i-- > 0;)
		if (outcome_failed(services->service[i].outcome))
			result = outcome_because(services->service[i].outcome, "%s",
						 services->service[i].reason);
	return result;
}

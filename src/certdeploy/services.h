/*
 * mailcow's services: docker compose containers, found by their labels (the names differ between
 * compose versions) and spoken to through the docker command.
 */
#ifndef SERVICES_H
#define SERVICES_H

#include <stddef.h>

#include "deploy_conf.h"
#include "mailcow.h"

#define SERVICES_MAX     16
#define SERVICE_NAME_MAX 63
#define SERVICE_ID_MAX   64

struct service {
	char name[SERVICE_NAME_MAX + 1]; /* compose service: "postfix-mailcow" */
	const struct service_kind *kind; /* how it is told to reload */
	char id[SERVICE_ID_MAX + 1];     /* container; "": none was found */
	char state[32];                  /* "running", "exited"... */
	char ports[1024];                /* what it publishes, as docker ps has it */
	bool chosen;                     /* what is done next is done to it */
	enum outcome outcome;            /* of what was last done to it */
	char reason[512];
};

struct services {
	struct service service[SERVICES_MAX];
	size_t count;
};

/*
 * Fill ${services} from ${list}, NAME or NAME:KIND separated by spaces. CONF_INVALID: a service of
 * an unknown kind.
 */
enum outcome services_parse(const char *list, struct services *services);

/* Can ${list} be parsed? CONF_INVALID. */
enum outcome services_check(const char *list);

/*
 * Find their containers. DOCKER_MISSING, DOCKER_FAILED; what is not there is told by
 * services_reload.
 */
enum outcome services_find(const struct deploy_conf *conf, const struct mailcow *mailcow,
			   struct services *services);

/* The service of ${kind}, "postfix" for example; NULL: none is configured. */
struct service *services_of_kind(struct services *services, const char *kind);

/* Was its container found running? */
bool service_is_running(const struct service *service);

/* Does the container of ${service} publish its port ${inside}, or something as port ${outside}, by
 * TCP?
 */
bool service_publishes(const struct service *service, int inside, int outside);

/*
 * Each of these is done to all chosen services side by side. Each service's outcome and reason say
 * how it went; the first failure is returned, OK if there is none.
 *
 * Reload: RELOADED, SERVICE_DOWN (its container does not run), RELOAD_FAILED.
 */
enum outcome services_reload(const struct deploy_conf *conf, struct services *services);

/* Have each test its own configuration: OK, SERVICE_DOWN, SERVICE_BROKEN. */
enum outcome services_test(const struct deploy_conf *conf, struct services *services);

/*
 * Does dovecot's ${service} end the sessions of old processes when it is reloaded (its setting
 * shutdown_clients)? OK: ${ends} says so. SERVICE_DOWN, DOCKER_FAILED.
 */
enum outcome service_ends_sessions(const struct deploy_conf *conf, struct service *service,
				   bool *ends);

/* Restart the containers: RESTARTED, SERVICE_DOWN (there is no container), RESTART_FAILED. */
enum outcome services_restart(const struct deploy_conf *conf, struct services *services);

#endif

#include <stdio.h>
#include <string.h>

#include "certsync/journal.h"
#include "converge.h"

size_t converge_choose_all(struct situation *situation)
{
	struct services *services = &situation->services;

	for (size_t i = 0; i < services->count; i++)
		services->service[i].chosen = true;
	return services->count;
}

/* Choose the services that have an endpoint which was up and is ${not_wanted}. */
static size_t choose(struct situation *situation,
		     bool (*not_wanted)(const struct serving_endpoint *))
{
	struct services *services = &situation->services;
	struct serving *serving = &situation->serving;
	size_t count = 0;

	for (size_t i = 0; i < services->count; i++)
		services->service[i].chosen = false;
	for (size_t i = 0; i < serving->count; i++)
		if (serving->endpoint[i].service && not_wanted(&serving->endpoint[i]))
			serving->endpoint[i].service->chosen = true;
	for (size_t i = 0; i < services->count; i++)
		count += services->service[i].chosen;
	return count;
}

static bool is_stale(const struct serving_endpoint *endpoint)
{
	return endpoint->state == SERVING_STALE;
}

static bool is_behind(const struct serving_endpoint *endpoint)
{
	return is_stale(endpoint) || (endpoint->state == SERVING_DOWN && endpoint->was_up);
}

size_t converge_choose_stale(struct situation *situation)
{
	return choose(situation, is_stale);
}

/* Log what came of the last action; ${level} is for successes. */
static void tell(const struct services *services)
{
	for (size_t i = 0; i < services->count; i++)
		if (services->service[i].chosen)
			journal_log(services->service[i].outcome, "%s",
				    services->service[i].reason);
}

static void tell_progress(const struct situation *situation, const char *wanted)
{
	char text[SERVING_SUMMARY_MAX];

	serving_summarize(&situation->serving, wanted, text, sizeof(text));
	journal_step("%s", text);
}

/*
 * A restart ends the old processes: only where the service's own test promises that new ones can
 * follow. Returns how many remain chosen.
 */
static size_t choose_restartable(struct situation *situation)
{
	struct services *services = &situation->services;
	size_t count = 0;

	services_test(&situation->conf, services);
	for (size_t i = 0; i < services->count; i++) {
		struct service *service = &services->service[i];

		if (!service->chosen)
			continue;
		if (service->outcome == OUTCOME_SERVICE_BROKEN) {
			journal_log(service->outcome, "%s; it is not restarted", service->reason);
			service->chosen = false;
		}
		count += service->chosen;
	}
	return count;
}

enum outcome converge(struct situation *situation, const char *wanted)
{
	struct services *services = &situation->services;
	enum outcome outcome;

	if (services_reload(&situation->conf, services) == OUTCOME_NO_MEMORY)
		return OUTCOME_NO_MEMORY;
	tell(services);
	outcome = serving_await(&situation->serving, serving_of_chosen, wanted);
	if (outcome_failed(outcome))
		return outcome;
	tell_progress(situation, wanted);
	if (!choose(situation, is_behind) || !choose_restartable(situation))
		return OUTCOME_OK;
	journal_step("a reload was not enough: restarting");
	if (services_restart(&situation->conf, services) == OUTCOME_NO_MEMORY)
		return OUTCOME_NO_MEMORY;
	tell(services);
	outcome = serving_await(&situation->serving, serving_of_chosen, wanted);
	if (!outcome_failed(outcome))
		tell_progress(situation, wanted);
	return outcome;
}

void converge_test(struct situation *situation)
{
	struct services *services = &situation->services;
	struct serving *serving = &situation->serving;

	converge_choose_all(situation);
	services_test(&situation->conf, services);
	for (size_t i = 0; i < services->count; i++)
		if (services->service[i].outcome == OUTCOME_SERVICE_BROKEN)
			journal_log(OUTCOME_SERVICE_BROKEN, "%s", services->service[i].reason);
	for (size_t i = 0; i < serving->count; i++)
		if (serving->endpoint[i].service &&
		    serving->endpoint[i].service->outcome == OUTCOME_SERVICE_BROKEN)
			serving->endpoint[i].was_healthy = false;
}

static bool is_broken(const struct serving_endpoint *endpoint)
{
	return endpoint->was_healthy && endpoint->state != SERVING_CURRENT;
}

bool converge_broke_something(const struct situation *situation)
{
	const struct serving *serving = &situation->serving;

	for (size_t i = 0; i < serving->count; i++)
		if (is_broken(&serving->endpoint[i]))
			return true;
	return false;
}

bool converge_failed_to_load(const struct situation *situation)
{
	const struct serving *serving = &situation->serving;

	for (size_t i = 0; i < serving->count; i++) {
		const struct service *service = serving->endpoint[i].service;

		if (is_broken(&serving->endpoint[i]) &&
		    !(service && service->outcome == OUTCOME_SERVICE_DOWN))
			return true;
	}
	return false;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "serving.h"

/* nginx's old workers take connections for another tenth of a second after a reload. */
#define CONFIRM_MS 150
#define PROOFS     2
/* After a first answer that will not do; then ever more. */
#define POLL_MS     100
#define POLL_MAX_MS 800

bool serving_any(const struct serving_endpoint *endpoint)
{
	return endpoint->state != SERVING_SKIPPED;
}

bool serving_of_chosen(const struct serving_endpoint *endpoint)
{
	return endpoint->state != SERVING_SKIPPED && endpoint->service &&
	       endpoint->service->chosen && (endpoint->state != SERVING_DOWN || endpoint->was_up);
}

static bool shows(const struct wire_answer *answer, const char *wanted)
{
	return answer->result == WIRE_SERVED && !strcmp(answer->fingerprint, wanted);
}

static void judge(struct serving_endpoint *endpoint, const char *wanted)
{
	if (endpoint->named.result != WIRE_SERVED || endpoint->unnamed.result != WIRE_SERVED)
		endpoint->state = SERVING_DOWN;
	else if (shows(&endpoint->named, wanted) && shows(&endpoint->unnamed, wanted))
		endpoint->state = SERVING_CURRENT;
	else
		endpoint->state = SERVING_STALE;
}

/* As many questions as wire_ask takes at once, two for each endpoint. */
struct round {
	struct wire_question question[2 * ENDPOINTS_MAX];
	struct wire_answer answer[2 * ENDPOINTS_MAX];
	struct serving_endpoint *endpoint[ENDPOINTS_MAX];
	size_t count; /* endpoints */
};

static void add(struct round *round, struct serving_endpoint *endpoint, const char *hostname)
{
	struct wire_question *question = &round->question[2 * round->count];

	question[0] = (struct wire_question){
		.host = endpoint->endpoint.address,
		.port = endpoint->endpoint.port,
		.protocol = endpoint->endpoint.protocol,
		.sni = hostname,
		.proxy_header = endpoint->endpoint.proxy_header,
	};
	question[1] = question[0];
	question[1].sni = NULL;
	round->endpoint[round->count++] = endpoint;
}

static void tell_time(const struct round *round, deadline begun)
{
	const struct wire_answer *slowest = &round->answer[0];
	size_t at = 0;

	for (size_t i = 1; i < 2 * round->count; i++)
		if (round->answer[i].milliseconds > slowest->milliseconds)
			slowest = &round->answer[at = i];
	journal_detail("asked %zu endpoints in %d ms; the slowest, %s, took %d ms", round->count,
		       (int)(deadline_in(0) - begun), round->endpoint[at / 2]->endpoint.name,
		       slowest->milliseconds);
}

static enum outcome ask(struct serving *serving, const bool asked[static ENDPOINTS_MAX],
			const char *wanted)
{
	struct round *round = calloc(1, sizeof(*round));
	const deadline begun = deadline_in(0);
	enum outcome outcome = OUTCOME_OK;

	if (!round)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < serving->count; i++)
		if (asked[i])
			add(round, &serving->endpoint[i], serving->hostname);
	if (round->count)
		outcome = wire_ask(round->question, 2 * round->count, serving->roots,
				   deadline_in(serving->timeout), round->answer);
	for (size_t i = 0; i < round->count && !outcome_failed(outcome); i++) {
		round->endpoint[i]->named = round->answer[2 * i];
		round->endpoint[i]->unnamed = round->answer[2 * i + 1];
		judge(round->endpoint[i], wanted);
	}
	if (round->count && !outcome_failed(outcome))
		tell_time(round, begun);
	free(round);
	return outcome;
}

/* Which are meant, settled once: the states change. Returns how many. */
static size_t select_some(const struct serving *serving, serving_which *which,
			  bool selected[static ENDPOINTS_MAX])
{
	size_t count = 0;

	memset(selected, 0, sizeof(bool) * ENDPOINTS_MAX);
	for (size_t i = 0; i < serving->count; i++) {
		selected[i] = which(&serving->endpoint[i]);
		count += selected[i];
	}
	return count;
}

enum outcome serving_ask(struct serving *serving, serving_which *which, const char *wanted)
{
	bool selected[ENDPOINTS_MAX];

	select_some(serving, which, selected);
	return ask(serving, selected, wanted);
}

/*
 * Take those off ${awaited} that have now been seen to serve what they should twice in a row;
 * ${seen} is how often each was.
 */
static void take_proved(const struct serving *serving, bool awaited[static ENDPOINTS_MAX],
			int seen[static ENDPOINTS_MAX], size_t *left, bool *all_seen)
{
	*all_seen = true;
	for (size_t i = 0; i < serving->count; i++) {
		if (!awaited[i])
			continue;
		seen[i] = serving->endpoint[i].state == SERVING_CURRENT ? seen[i] + 1 : 0;
		*all_seen &= seen[i] > 0;
		if (seen[i] < PROOFS)
			continue;
		awaited[i] = false;
		--*left;
	}
}

enum outcome serving_await(struct serving *serving, serving_which *which, const char *wanted)
{
	const deadline end = deadline_in(serving->settle);
	bool awaited[ENDPOINTS_MAX], all_seen;
	int seen[ENDPOINTS_MAX] = { 0 }, pause = POLL_MS;
	size_t left = select_some(serving, which, awaited);

	while (left) {
		enum outcome outcome = ask(serving, awaited, wanted);

		if (outcome_failed(outcome))
			return outcome;
		take_proved(serving, awaited, seen, &left, &all_seen);
		if (!left || interrupt_pending() ||
		    !deadline_pause(end, all_seen ? CONFIRM_MS : pause))
			break;
		/* Who is slow is not made slower by being asked. */
		pause = pause < POLL_MAX_MS ? pause * 2 : pause;
	}
	return OUTCOME_OK;
}

size_t serving_count(const struct serving *serving, enum serving_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < serving->count; i++)
		count += serving->endpoint[i].state == state;
	return count;
}

size_t serving_asked(const struct serving *serving)
{
	return serving->count - serving_count(serving, SERVING_SKIPPED);
}

const struct serving_endpoint *serving_first(const struct serving *serving,
					     enum serving_state state)
{
	for (size_t i = 0; i < serving->count; i++)
		if (serving->endpoint[i].state == state)
			return &serving->endpoint[i];
	return NULL;
}

void serving_describe(const struct serving_endpoint *endpoint, char *to, size_t size)
{
	const struct wire_answer *named = &endpoint->named, *unnamed = &endpoint->unnamed;

	if (endpoint->state == SERVING_SKIPPED)
		snprintf(to, size, "not asked");
	else if (named->result != WIRE_SERVED)
		snprintf(to, size, "%s", named->reason);
	else if (unnamed->result != WIRE_SERVED)
		snprintf(to, size, "without a name (SNI): %s", unnamed->reason);
	else if (strcmp(named->fingerprint, unnamed->fingerprint) != 0)
		snprintf(to, size, "%s; without a name (SNI) %s", named->fingerprint,
			 unnamed->fingerprint);
	else
		snprintf(to, size, "%s", named->fingerprint);
}

/* As serving_describe, without saying again what is ${wanted}. */
static void describe_fault(const struct serving_endpoint *endpoint, const char *wanted, char *to,
			   size_t size)
{
	const struct wire_answer *named = &endpoint->named, *unnamed = &endpoint->unnamed;

	if (endpoint->state != SERVING_STALE)
		serving_describe(endpoint, to, size);
	else if (strcmp(named->fingerprint, wanted) != 0)
		snprintf(to, size, "serves %s", named->fingerprint);
	else
		snprintf(to, size, "serves %s without a name (SNI)", unnamed->fingerprint);
}

void serving_summarize(const struct serving *serving, const char *wanted, char *to, size_t size)
{
	static const char more[] = "; and 999 more";
	size_t faults =
		serving_count(serving, SERVING_STALE) + serving_count(serving, SERVING_DOWN);
	size_t used = (size_t)snprintf(to, size, "%zu of %zu endpoints serve %s",
				       serving_count(serving, SERVING_CURRENT),
				       serving_asked(serving), wanted);

	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_endpoint *endpoint = &serving->endpoint[i];
		char what[2 * WIRE_REASON_MAX], words[4 * WIRE_REASON_MAX];
		size_t len;

		if (endpoint->state != SERVING_STALE && endpoint->state != SERVING_DOWN)
			continue;
		describe_fault(endpoint, wanted, what, sizeof(what));
		len = (size_t)snprintf(words, sizeof(words), "; %s (%s port %d): %s",
				       endpoint->endpoint.name, endpoint->endpoint.address,
				       endpoint->endpoint.port, what);
		if (used + len + sizeof(more) > size) {
			snprintf(to + used, size - used, "; and %zu more", faults);
			break;
		}
		used += (size_t)snprintf(to + used, size - used, "%s", words);
		faults--;
	}
}

#include <stdio.h>
#include <string.h>

#include "certsync/journal.h"
#include "certsync/text.h"
#include "certsync/worker.h"
#include "served.h"

#define IMAPS_PORT 993

static void name_endpoint(const struct address *address, char name[static SERVED_ENDPOINT_LEN + 1])
{
	const bool bracketed = strchr(address->host, ':');

	snprintf(name, SERVED_ENDPOINT_LEN + 1, "%s%s%s:%d", bracketed ? "[" : "", address->host,
		 bracketed ? "]" : "", address->port);
}

/* --- asking --- */

void served_judge(const struct wire_answer answers[static SERVED_QUESTIONS],
		  const char *fingerprint, struct served *served)
{
	static const char *const to[] = {
		[SERVED_WITH_SNI] = " with SNI",
		[SERVED_WITHOUT_SNI] = " without SNI",
	};
	size_t others = 0;

	served->state = SERVED_SAME;
	for (size_t i = 0; i < SERVED_QUESTIONS; i++) {
		const struct wire_answer *answer = &answers[i];

		if (answer->result == WIRE_SERVED)
			memcpy(served->answered[i], answer->fingerprint,
			       sizeof(served->answered[i]));
		if (answer->result != WIRE_SERVED && served->state == SERVED_SAME) {
			served->state = SERVED_UNKNOWN;
			memcpy(served->reason, answer->reason, sizeof(served->reason));
		}
		if (answer->result != WIRE_SERVED || !strcmp(answer->fingerprint, fingerprint))
			continue;
		if (!others++) {
			served->state = SERVED_OTHER;
			memcpy(served->fingerprint, answer->fingerprint,
			       sizeof(served->fingerprint));
			memcpy(served->spki, answer->spki, sizeof(served->spki));
			served->not_before = answer->not_before;
			served->to = to[i];
		}
	}
	if (others == SERVED_QUESTIONS)
		served->to = "";
}

enum outcome served_ask(const struct push_conf *conf, const char *fingerprint,
			struct served *served)
{
	struct wire_question questions[SERVED_QUESTIONS];
	struct wire_answer answers[SERVED_QUESTIONS] = { 0 };
	struct address address;
	enum outcome outcome;

	*served = (struct served){ .to = "" };
	if (!address_parse(conf->endpoint[0] ? conf->endpoint : conf->hostname, IMAPS_PORT,
			   &address))
		return outcome_because(OUTCOME_INTERNAL, "%s is no endpoint", conf->endpoint);
	name_endpoint(&address, served->endpoint);
	for (size_t i = 0; i < SERVED_QUESTIONS; i++)
		questions[i] = (struct wire_question){
			.host = address.host,
			.port = address.port,
			.protocol = WIRE_TLS,
			.sni = i == SERVED_WITH_SNI ? conf->hostname : NULL,
		};
	journal_detail("asking %s which certificate it serves", served->endpoint);
	outcome = wire_ask(questions, SERVED_QUESTIONS, NULL, deadline_in(conf->verify_timeout),
			   answers);
	worker_stop();
	if (!outcome_failed(outcome))
		served_judge(answers, fingerprint, served);
	return outcome;
}

void served_note(const struct served *served, struct metrics *metrics)
{
	metrics->asked = true;
	metrics->endpoints = 1;
	metrics->endpoints_ok = served->state == SERVED_SAME;
	for (size_t i = 0; i < SERVED_QUESTIONS; i++)
		if (served->answered[i][0])
			metrics_served(metrics, served->endpoint, served->answered[i]);
}

/* --- closing the loop --- */

bool served_is_due(const struct push_conf *conf, time_t pushed, time_t now)
{
	return pushed > now || now - pushed >= conf->propagate_within / 1000;
}

/* Another one is served: is that still to be expected? */
static enum outcome judge_other(const struct push_conf *conf, const char *lineage,
				const struct served *served, time_t pushed, time_t now)
{
	char span[TEXT_SPAN_LEN + 1], since[TEXT_TIME_LEN + 1], issued[TEXT_TIME_LEN + 1];

	text_span(span, now - pushed);
	if (!served_is_due(conf, pushed, now))
		return outcome_because(OUTCOME_NOTHING_TO_DO,
				       "nothing to do: %s was pushed %s ago, not served yet by %s",
				       lineage, span, served->endpoint);
	text_time(since, pushed);
	text_time(issued, served->not_before);
	return outcome_because(
		OUTCOME_NOT_PROPAGATED, "%s was pushed %s ago (%s), but %s serves %s%s, issued %s",
		lineage, span, since, served->endpoint, served->fingerprint, served->to, issued);
}

enum outcome served_confirm(const struct push_conf *conf, const char *lineage,
			    const char *fingerprint, time_t pushed, time_t now,
			    struct metrics *metrics)
{
	struct served served;
	enum outcome outcome = served_ask(conf, fingerprint, &served);

	if (outcome_failed(outcome))
		return outcome;
	served_note(&served, metrics);
	journal_field("CERTSYNC_ENDPOINT", served.endpoint);
	switch (served.state) {
	case SERVED_SAME:
		return outcome_because(OUTCOME_NOTHING_TO_DO,
				       "nothing to do: %s is served by %s (%s)", lineage,
				       served.endpoint, fingerprint);
	case SERVED_OTHER:
		journal_field("CERTSYNC_SERVED", served.fingerprint);
		return judge_other(conf, lineage, &served, pushed, now);
	case SERVED_UNKNOWN:
		break;
	}
	journal_log(OUTCOME_NOT_ASKED, "%s cannot be asked which certificate it serves: %s",
		    served.endpoint, served.reason);
	return outcome_because(OUTCOME_NOTHING_TO_DO, "nothing to do: %s was pushed before (%s)",
			       lineage, fingerprint);
}

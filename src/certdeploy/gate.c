#include <stdio.h>
#include <string.h>

#include "certsync/findings.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "gate.h"

/* --- one place --- */

static const char *not_validated(const struct lookup_answer *answer)
{
	return answer->authenticated ? "" : " (an answer that the resolver has not validated)";
}

/* When the first of the records that match ${chain} is known to all; 0: none matches. */
static time_t known_from(const struct lookup_answer *answer, const struct tlsa_chain *chain,
			 const struct sightings *sightings, const struct tlsa_record **which,
			 time_t *first)
{
	time_t earliest = 0;

	for (size_t i = 0; i < answer->count; i++) {
		const struct tlsa_record *record = &answer->record[i];
		time_t seen, known;

		if (!tlsa_matches(record, chain))
			continue;
		known = sightings_known_from(sightings, answer->name, record, &seen);
		if (earliest && known >= earliest)
			continue;
		earliest = known;
		*which = record;
		*first = seen;
	}
	return earliest;
}

static enum outcome judge_matched(const struct situation *situation,
				  const struct lookup_answer *answer,
				  const struct tlsa_chain *chain, const struct sightings *sightings)
{
	char line[DANE_LINE_LEN + 1], seen[TEXT_TIME_LEN + 1], until[TEXT_TIME_LEN + 1];
	const struct tlsa_record *record = NULL;
	time_t first = 0, known = known_from(answer, chain, sightings, &record, &first);

	if (deploy_conf_dane(&situation->conf) == DEPLOY_DANE_REQUIRE && !answer->authenticated)
		return outcome_because(
			OUTCOME_DANE_HELD,
			"the resolver has not validated the TLSA records at %s, and dane = require",
			answer->name);
	if (known <= situation->now || !record)
		return OUTCOME_OK;
	dane_line(answer, record, line);
	text_time(seen, first);
	text_time(until, known);
	return outcome_because(OUTCOME_DANE_WAITING,
			       "'%s' was first seen %s; until %s others may not know of it", line,
			       seen, until);
}

enum outcome gate_judge(const struct situation *situation, const struct lookup_answer *answer,
			const struct tlsa_chain *chain, const struct sightings *sightings)
{
	const bool required = deploy_conf_dane(&situation->conf) == DEPLOY_DANE_REQUIRE;
	const struct tlsa_record wanted = tlsa_recommended(chain);
	char line[DANE_LINE_LEN + 1];

	dane_line(answer, &wanted, line);
	switch (dane_compare(answer, chain)) {
	case DANE_MATCHED:
		return judge_matched(situation, answer, chain, sightings);
	case DANE_MISMATCHED:
		return outcome_because(OUTCOME_DANE_HELD,
				       "no TLSA record at %s matches the new key%s: publish '%s' "
				       "beside what is there",
				       answer->name, not_validated(answer), line);
	case DANE_ABSENT:
	case DANE_UNUSABLE:
		if (!required)
			return OUTCOME_OK;
		return outcome_because(
			OUTCOME_DANE_HELD,
			"there is no usable TLSA record at %s, and dane = require: publish '%s'",
			answer->name, line);
	case DANE_UNKNOWN:
		break;
	}
	return outcome_because(OUTCOME_DANE_UNKNOWN,
			       "the TLSA records at %s cannot be looked up: %s", answer->name,
			       answer->reason);
}

/* --- all of them --- */

/* The one that somebody has to do something about comes first. */
static int urgency(enum outcome outcome)
{
	return outcome == OUTCOME_DANE_HELD      ? 3
	       : outcome == OUTCOME_DANE_UNKNOWN ? 2
	       : outcome == OUTCOME_DANE_WAITING ? 1
						 : 0;
}

bool gate_holds(enum outcome outcome)
{
	return urgency(outcome) > 0;
}

static enum outcome judge_all(const struct situation *situation, struct gate *gate)
{
	enum outcome worst = OUTCOME_OK;
	char reason[OUTCOME_REASON_MAX] = "";

	for (size_t i = 0; i < gate->dane.count; i++) {
		const struct lookup_answer *answer = &gate->dane.answer[i];
		enum outcome outcome;

		sightings_note(gate->sightings, answer, situation->now);
		outcome = gate_judge(situation, answer, &gate->staged, gate->sightings);
		if (urgency(outcome) <= urgency(worst)) {
			if (outcome_failed(outcome))
				journal_outcome(outcome);
			continue;
		}
		if (outcome_failed(worst))
			journal_log(worst, "%s", reason);
		worst = outcome;
		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
	}
	return outcome_failed(worst) ? outcome_because(worst, "%s", reason) : OUTCOME_OK;
}

/* Has the installed certificate so little left that other clients would soon refuse it? */
static bool is_pressing(const struct situation *situation)
{
	const time_t not_after = (time_t)situation->installed.judged.not_after;

	return deploy_conf_dane(&situation->conf) == DEPLOY_DANE_AUTO &&
	       findings_days(not_after, situation->now) < situation->conf.hold_until_days_left;
}

static enum outcome hold(const struct situation *situation, struct gate *gate, enum outcome why)
{
	char since[TEXT_TIME_LEN + 1], reason[OUTCOME_REASON_MAX];

	snprintf(reason, sizeof(reason), "%s", outcome_reason(why));
	if (is_pressing(situation)) {
		sightings_release(gate->sightings);
		snprintf(gate->overridden, sizeof(gate->overridden), "%s", reason);
		return OUTCOME_OK;
	}
	text_time(since, sightings_hold(gate->sightings, situation->staging.pair.judged.spki,
					situation->now));
	return outcome_because(why, "%s; held since %s", reason, since);
}

static bool is_needed(const struct situation *situation)
{
	const struct pair *installed = &situation->installed;

	return deploy_conf_dane(&situation->conf) != DEPLOY_DANE_OFF && pair_is_whole(installed) &&
	       strcmp(installed->judged.spki, situation->staging.pair.judged.spki) != 0;
}

/* Save what was noted, which ${why} must survive. */
static enum outcome save(const struct situation *situation, const struct gate *gate,
			 enum outcome why)
{
	char reason[OUTCOME_REASON_MAX];
	enum outcome outcome;

	if (situation->looking)
		return why;
	snprintf(reason, sizeof(reason), "%s", outcome_reason(why));
	outcome = sightings_save(situation->install.state, gate->sightings);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->conf.state_dir);
	return outcome_failed(why) ? outcome_because(why, "%s", reason) : OUTCOME_OK;
}

enum outcome gate_pass(const struct situation *situation, struct gate *gate)
{
	enum outcome outcome;

	if (!is_needed(situation))
		return OUTCOME_OK;
	outcome = sightings_load(situation->install.state, &gate->sightings);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->conf.state_dir);
	outcome = tlsa_chain_read(&situation->installed.chain, &gate->installed);
	if (!outcome_failed(outcome))
		outcome = tlsa_chain_read(&situation->staging.pair.chain, &gate->staged);
	/* It was judged to be a chain. */
	if (!outcome_failed(outcome) && !gate->staged.count)
		outcome = outcome_because(OUTCOME_WORKER_DIED,
					  "the staged chain could not be digested");
	if (!outcome_failed(outcome))
		outcome = dane_look(&situation->conf, situation->mailcow.hostname, &gate->dane);
	if (outcome_failed(outcome))
		return outcome;
	outcome = judge_all(situation, gate);
	if (outcome_failed(outcome))
		outcome = hold(situation, gate, outcome);
	else
		sightings_release(gate->sightings);
	return save(situation, gate, outcome);
}

void gate_passed(const struct situation *situation, struct gate *gate)
{
	for (size_t i = 0; i < gate->dane.count; i++) {
		const struct lookup_answer *answer = &gate->dane.answer[i];

		/* Without one that matches the old ones are all there is. */
		if (dane_compare(answer, &gate->staged) != DANE_MATCHED)
			continue;
		for (size_t j = 0; j < answer->count; j++) {
			const struct tlsa_record *record = &answer->record[j];
			char line[DANE_LINE_LEN + 1], when[TEXT_TIME_LEN + 1];

			if (tlsa_matches(record, &gate->staged) ||
			    !tlsa_matches(record, &gate->installed))
				continue;
			dane_line(answer, record, line);
			text_time(when, situation->now + (time_t)answer->ttl);
			journal_log(OUTCOME_DANE_SUPERSEDED,
				    "'%s' is of the key before this one: remove it after %s", line,
				    when);
		}
	}
}

void gate_clear(struct gate *gate)
{
	dane_clear(&gate->dane);
	sightings_freep(&gate->sightings);
}

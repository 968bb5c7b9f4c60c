#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "gate.h"
#include "tlsa.h"

#define PROGRAM_WORD "CERTDEPLOY"
#define SUMMARY_MAX  512

static const char *const whose_names[TLSA_KEYS] = { "served", "installed", "staged" };

/* --- the keys --- */

/* What is served, of which only hashes are known: SHA-256 of the certificate and of its key. */
static void hashes_only(const struct wire_answer *answer, struct tlsa_chain *chain)
{
	struct tlsa_digests *digests = &chain->certificate[0];
	size_t len;

	chain->count = OPENSSL_hexstr2buf_ex(digests->sha256[TLSA_CERT], TLSA_SHA256_LEN, &len,
					     answer->fingerprint, ':') &&
		       OPENSSL_hexstr2buf_ex(digests->sha256[TLSA_SPKI], TLSA_SHA256_LEN, &len,
					     answer->spki, '\0');
}

/* The endpoint to which other servers deliver. */
static const struct wire_answer *served_to_servers(const struct serving *serving)
{
	for (size_t i = 0; i < serving->count; i++)
		if (!strcmp(serving->endpoint[i].endpoint.name, "smtp") &&
		    serving->endpoint[i].named.result == WIRE_SERVED)
			return &serving->endpoint[i].named;
	return NULL;
}

static enum outcome read_keys(const struct situation *situation, struct tlsa_view *view)
{
	const struct pair *installed = &situation->installed, *staged = &situation->staging.pair;
	const struct wire_answer *answer = served_to_servers(&situation->serving);
	enum outcome outcome = OUTCOME_OK;

	if (pair_is_whole(installed))
		outcome = tlsa_chain_read(&installed->chain, &view->key[TLSA_INSTALLED]);
	if (!outcome_failed(outcome) && pair_is_whole(staged))
		outcome = tlsa_chain_read(&staged->chain, &view->key[TLSA_STAGED]);
	if (outcome_failed(outcome) || !answer)
		return outcome;
	if (!strcmp(answer->fingerprint, installed->judged.fingerprint))
		view->key[TLSA_SERVED] = view->key[TLSA_INSTALLED];
	else
		hashes_only(answer, &view->key[TLSA_SERVED]);
	return OUTCOME_OK;
}

static bool same_key(const struct tlsa_chain *one, const struct tlsa_chain *other)
{
	return one->count && other->count &&
	       !memcmp(one->certificate[0].sha256[TLSA_SPKI],
		       other->certificate[0].sha256[TLSA_SPKI], TLSA_SHA256_LEN);
}

/* --- what is to be thought of them --- */

static bool is_required(const struct situation *situation)
{
	return deploy_conf_dane(&situation->conf) == DEPLOY_DANE_REQUIRE;
}

/* What mail servers think of ${key}, which they meet now, or would if it were served. */
static void judge_present(const struct situation *situation, const struct lookup_answer *answer,
			  const struct tlsa_chain *key, const char *name, struct findings *findings)
{
	const enum verdict_level missing = is_required(situation) ? VERDICT_CRITICAL : VERDICT_OK;
	const struct tlsa_record wanted = tlsa_recommended(key);
	char line[DANE_LINE_LEN + 1];

	dane_line(answer, &wanted, line);
	switch (dane_compare(answer, key)) {
	case DANE_UNKNOWN:
		findings_add(findings, name,
			     is_required(situation) ? VERDICT_CRITICAL : VERDICT_WARNING,
			     "%s cannot be looked up: %s", answer->name, answer->reason);
		findings_advise(findings, outcome_text(OUTCOME_DANE_UNKNOWN)->advice);
		return;
	case DANE_ABSENT:
		findings_add(findings, name, missing, "no record at %s", answer->name);
		break;
	case DANE_UNUSABLE:
		findings_add(findings, name, missing, "no record at %s that mail servers can use",
			     answer->name);
		break;
	case DANE_MATCHED:
		if (answer->authenticated)
			findings_add(findings, name, VERDICT_OK, "a record at %s matches",
				     answer->name);
		else
			findings_add(findings, name, missing,
				     "a record at %s matches, but the resolver has not validated "
				     "it: mail servers use none that is not signed",
				     answer->name);
		return;
	case DANE_MISMATCHED:
		findings_add(findings, name, VERDICT_CRITICAL,
			     "no record at %s matches: mail servers that look for one do not "
			     "deliver; publish '%s'",
			     answer->name, line);
		findings_advise(findings, "Publish the record that is named, or remove those that "
					  "match no key: a record that matches none is worse than "
					  "no record.");
		return;
	}
	if (is_required(situation))
		findings_advise(findings, outcome_text(OUTCOME_DANE_HELD)->advice);
}

/* What a run would do with the staged key. */
static void judge_staged(const struct situation *situation, const struct lookup_answer *answer,
			 const struct tlsa_view *view, const char *name, struct findings *findings)
{
	const time_t held = sightings_held(view->sightings, situation->staging.pair.judged.spki);
	enum outcome outcome =
		gate_judge(situation, answer, &view->key[TLSA_STAGED], view->sightings);
	char since[TEXT_TIME_LEN + 1] = "";

	text_time(since, held);
	if (!outcome_failed(outcome))
		findings_add(findings, name, VERDICT_OK, "%s does not keep the new key back",
			     answer->name);
	else
		findings_add(findings, name, VERDICT_WARNING, "%s%s%s", outcome_reason(outcome),
			     held ? "; held since " : "", held ? since : "");
	findings_advise(findings, outcome_text(outcome)->advice);
}

static void judge_place(const struct situation *situation, const struct lookup_answer *answer,
			const struct tlsa_view *view, struct findings *findings)
{
	const struct tlsa_chain *key = view->key;
	char name[FINDINGS_NAME_MAX];

	for (int i = TLSA_SERVED; i <= TLSA_INSTALLED; i++) {
		if (!key[i].count || (i == TLSA_INSTALLED && same_key(&key[TLSA_SERVED], &key[i])))
			continue;
		snprintf(name, sizeof(name), "TLSA of the %s key", whose_names[i]);
		judge_present(situation, answer, &key[i], name, findings);
	}
	if (key[TLSA_STAGED].count && !same_key(&key[TLSA_INSTALLED], &key[TLSA_STAGED]))
		judge_staged(situation, answer, view, "TLSA of the staged key", findings);
}

void tlsa_find(const struct situation *situation, struct tlsa_view *view, struct findings *findings)
{
	enum outcome outcome = sightings_load(situation->install.state, &view->sightings);

	if (!outcome_failed(outcome))
		outcome = read_keys(situation, view);
	if (!outcome_failed(outcome))
		outcome = dane_look(&situation->conf, situation->mailcow.hostname, &view->dane);
	if (outcome_failed(outcome))
		findings_fail(findings, "TLSA", outcome);
	for (size_t i = 0; i < view->dane.count && !outcome_failed(outcome); i++) {
		sightings_note(view->sightings, &view->dane.answer[i], situation->now);
		judge_place(situation, &view->dane.answer[i], view, findings);
	}
}

void tlsa_clear(struct tlsa_view *view)
{
	dane_clear(&view->dane);
	sightings_freep(&view->sightings);
}

/* --- the records --- */

/* Whose keys ${record} matches, with ", " between them, or "none". */
static void list_matches(const struct tlsa_view *view, const struct tlsa_record *record, char *to,
			 size_t size)
{
	size_t used = 0;

	snprintf(to, size, "none");
	for (int i = 0; i < TLSA_KEYS; i++)
		if (tlsa_matches(record, &view->key[i]))
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "",
						 whose_names[i]);
}

static void print_place(const struct tlsa_view *view, const struct lookup_answer *answer, FILE *to)
{
	if (answer->result == LOOKUP_FAILED)
		fprintf(to, "\n; %s could not be looked up: %s\n", answer->name, answer->reason);
	else
		fprintf(to, "\n; published at %s%s, TTL %u:%s\n", answer->name,
			answer->authenticated ? ", validated (AD)" : ", not validated (no AD)",
			answer->ttl, answer->count ? "" : " none");
	for (size_t i = 0; i < answer->count; i++) {
		char line[DANE_LINE_LEN + 1], matches[64];

		dane_line(answer, &answer->record[i], line);
		list_matches(view, &answer->record[i], matches, sizeof(matches));
		fprintf(to, "%s ; matches: %s%s\n", line, matches,
			tlsa_is_usable(&answer->record[i]) ? "" : " (cannot be used)");
	}
	for (int i = 0; i < TLSA_KEYS; i++) {
		char line[DANE_LINE_LEN + 1];
		struct tlsa_record record;

		if (!view->key[i].count)
			continue;
		record = tlsa_recommended(&view->key[i]);
		dane_line(answer, &record, line);
		fprintf(to, "; for the %s key:\n%s\n", whose_names[i], line);
	}
}

/* --- JSON --- */

static json_t *record_object(const struct tlsa_view *view, const struct lookup_answer *answer,
			     const struct tlsa_record *record)
{
	char text[TLSA_TEXT_LEN + 1], when[TEXT_TIME_LEN + 1];
	json_t *matches = json_array();
	time_t first, known = sightings_known_from(view->sightings, answer->name, record, &first);

	tlsa_text(record, text);
	text_time(when, known);
	for (int i = 0; i < TLSA_KEYS; i++)
		if (tlsa_matches(record, &view->key[i]))
			json_array_append_new(matches, json_string(whose_names[i]));
	return json_pack("{s:s, s:b, s:o, s:s}", "record", text, "usable", tlsa_is_usable(record),
			 "matches", matches, "known_from", when);
}

static json_t *place_object(const struct tlsa_view *view, const struct lookup_answer *answer)
{
	json_t *records = json_array();

	if (answer->result == LOOKUP_FAILED) {
		json_decref(records);
		return json_pack("{s:s, s:s}", "name", answer->name, "error", answer->reason);
	}
	for (size_t i = 0; i < answer->count; i++)
		json_array_append_new(records, record_object(view, answer, &answer->record[i]));
	return json_pack("{s:s, s:b, s:I, s:o}", "name", answer->name, "authenticated",
			 answer->authenticated, "ttl", (json_int_t)answer->ttl, "records", records);
}

json_t *tlsa_json(const struct tlsa_view *view)
{
	json_t *places = json_array(), *keys = json_object();

	for (size_t i = 0; i < view->dane.count; i++)
		json_array_append_new(places, place_object(view, &view->dane.answer[i]));
	for (int i = 0; i < TLSA_KEYS; i++) {
		char text[TLSA_TEXT_LEN + 1];
		struct tlsa_record record;

		if (!view->key[i].count)
			continue;
		record = tlsa_recommended(&view->key[i]);
		tlsa_text(&record, text);
		json_object_set_new(keys, whose_names[i], json_string(text));
	}
	return json_pack("{s:o, s:o}", "keys", keys, "published", places);
}

/* --- the command --- */

/* What all parts work on; too large for the stack. */
struct tlsa {
	struct situation situation;
	struct tlsa_view view;
	struct findings findings;
};

static void tlsa_freep(struct tlsa **tlsa)
{
	if (*tlsa) {
		tlsa_clear(&(*tlsa)->view);
		situation_clear(&(*tlsa)->situation);
	}
	free(*tlsa);
	*tlsa = NULL;
}

static void look(struct tlsa *tlsa)
{
	struct situation *situation = &tlsa->situation;
	enum outcome outcome = situation_read(situation);

	if (!outcome_failed(outcome) && situation->conf.verify)
		outcome = situation_look(situation, NULL);
	if (outcome_failed(outcome)) {
		verdict_note(&tlsa->findings.verdict, VERDICT_UNKNOWN, "%s",
			     outcome_reason(outcome));
		journal_outcome(outcome);
		return;
	}
	tlsa_find(situation, &tlsa->view, &tlsa->findings);
}

static bool print(const struct tlsa *tlsa, bool as_json)
{
	static const char summary[] = "no TLSA record stands in the way of mail";
	json_t *object;

	if (as_json) {
		object = findings_json(&tlsa->findings, summary);
		json_object_set_new(object, "hostname",
				    json_string(tlsa->situation.mailcow.hostname));
		json_object_set_new(object, "tlsa", tlsa_json(&tlsa->view));
		return findings_print_json(object, stdout);
	}
	if (!findings_print(&tlsa->findings, PROGRAM_WORD, summary, "", stdout))
		return false;
	for (size_t i = 0; i < tlsa->view.dane.count; i++)
		print_place(&tlsa->view, &tlsa->view.dane.answer[i], stdout);
	return !ferror(stdout) && fflush(stdout) == 0;
}

int tlsa_command(const struct command_options *options)
{
	_cleanup_(tlsa_freep) struct tlsa *tlsa = calloc(1, sizeof(*tlsa));

	if (!tlsa) {
		journal_outcome(OUTCOME_NO_MEMORY);
		return VERDICT_UNKNOWN;
	}
	situation_begin(&tlsa->situation, options, true);
	look(tlsa);
	return print(tlsa, options->json) ? (int)tlsa->findings.verdict.level : VERDICT_UNKNOWN;
}

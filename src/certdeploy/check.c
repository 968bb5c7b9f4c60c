#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/findings.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "check.h"
#include "situation.h"
#include "tlsa.h"

#define PROGRAM_WORD "CERTDEPLOY"
#define SUMMARY_MAX  512
/* The timer deploys twice a day: what has been staged for longer has missed its turn. */
#define DEPLOY_WITHIN_SECONDS ((time_t)13 * 60 * 60)

/* What all parts work on. */
struct check {
	struct situation situation;
	struct findings findings;
	struct verdict_limits limits;
	struct tlsa_view tlsa;
};

/* --- staged --- */

static void look_at_staged(struct check *check)
{
	const struct situation *situation = &check->situation;
	const struct staging *staging = &situation->staging;
	const bool whole = pair_is_whole(&staging->pair);
	const char *fingerprint = staging->pair.judged.fingerprint;
	const char *name = staging->name[0] ? staging->name : "a flat pair";

	if (outcome_failed(staging->rejected)) {
		findings_add(&check->findings, "staged", VERDICT_WARNING, "refused: %s",
			     staging->reason);
		findings_advise(&check->findings, outcome_text(staging->rejected)->advice);
	}
	if (!whole && !outcome_failed(staging->rejected))
		findings_add(&check->findings, "staged", VERDICT_OK, "nothing new");
	if (!whole)
		return;
	if (situation_is_installed(situation))
		findings_add(&check->findings, "staged", VERDICT_OK, "%s, which is installed",
			     name);
	else if (situation->now - staging->pair.arrived.tv_sec < DEPLOY_WITHIN_SECONDS)
		findings_add(&check->findings, "staged", VERDICT_OK,
			     "%s with %s, which the next run installs", name, fingerprint);
	else {
		findings_add(&check->findings, "staged", VERDICT_WARNING,
			     "%s with %s has been there for more than %d hours", name, fingerprint,
			     (int)(DEPLOY_WITHIN_SECONDS / 3600));
		findings_advise(&check->findings,
				"Run certdeploy, and see that its timer is active.");
	}
}

/* --- installed --- */

static void look_at_age(struct check *check, const struct judgement *installed)
{
	const time_t not_after = (time_t)installed->not_after, now = check->situation.now;
	char text[TEXT_TIME_LEN + 1];

	check->limits =
		verdict_limits(check->situation.options, (time_t)installed->not_before, not_after);
	text_time(text, not_after);
	findings_add(&check->findings, "days left", verdict_of_age(&check->limits, not_after, now),
		     "%.1f until %s; warning below %.1f, critical below %.1f",
		     findings_days(not_after, now), text, check->limits.warning,
		     check->limits.critical);
}

static void look_at_installed(struct check *check)
{
	const struct situation *situation = &check->situation;
	const struct judgement *installed = &situation->installed.judged;
	enum outcome outcome;

	if (!pair_is_whole(&situation->installed)) {
		findings_add(&check->findings, "installed", VERDICT_CRITICAL,
			     "no usable pair is in %s: %s", situation->mailcow.ssl_dir,
			     situation->no_pair);
		return;
	}
	outcome = judge_outcome(installed, installed->good);
	if (outcome_failed(outcome))
		findings_fail(&check->findings, "installed", outcome);
	else if (!install_is_real(&situation->install))
		findings_add(&check->findings, "installed", VERDICT_CRITICAL,
			     "in %s cert.pem or key.pem is a symbolic link, which mailcow's "
			     "containers cannot follow",
			     situation->mailcow.ssl_dir);
	else if (install_is_pending(&situation->install))
		findings_add(&check->findings, "installed", VERDICT_WARNING,
			     "%s, but the run that installed it did not come to its end",
			     installed->fingerprint);
	else
		findings_add(&check->findings, "installed", VERDICT_OK, "%s, %s",
			     installed->fingerprint, installed->key_type);
	look_at_age(check, installed);
}

/* --- served --- */

static void look_at_endpoint(struct check *check, const struct serving_endpoint *endpoint)
{
	const struct wire_answer *answer = &endpoint->named;
	const bool trust_matters = check->situation.conf.ca_file[0];
	char name[FINDINGS_NAME_MAX], what[2 * WIRE_REASON_MAX];

	snprintf(name, sizeof(name), "%s %s:%d", endpoint->endpoint.name,
		 endpoint->endpoint.address, endpoint->endpoint.port);
	serving_describe(endpoint, what, sizeof(what));
	switch (endpoint->state) {
	case SERVING_SKIPPED:
		findings_skip(&check->findings, name, "%s", what);
		break;
	case SERVING_CURRENT:
		findings_add(&check->findings, name,
			     trust_matters && !answer->trusted ? VERDICT_CRITICAL : VERDICT_OK,
			     "serves it, %s, %s", answer->tls,
			     answer->trusted ? "chain verified" : answer->distrust);
		break;
	case SERVING_STALE:
		findings_add(&check->findings, name, VERDICT_CRITICAL, "serves %s", what);
		findings_advise(&check->findings, "Run certdeploy: it reloads the service.");
		break;
	case SERVING_DOWN:
		findings_add(&check->findings, name, VERDICT_CRITICAL, "%s", what);
		findings_advise(&check->findings, outcome_text(OUTCOME_ENDPOINT_DOWN)->advice);
	}
}

static void look_at_served(struct check *check)
{
	struct situation *situation = &check->situation;
	enum outcome outcome;

	if (!situation->conf.verify) {
		findings_skip(&check->findings, "served", "not asked: verify = off");
		return;
	}
	/* The roots that the configuration names, or the system's. */
	outcome = situation_look(situation, situation->conf.ca_file);
	if (outcome_failed(outcome)) {
		findings_fail(&check->findings, "served", outcome);
		return;
	}
	for (size_t i = 0; i < situation->serving.count; i++)
		look_at_endpoint(check, &situation->serving.endpoint[i]);
}

/* --- DANE --- */

static void look_at_tlsa(struct check *check)
{
	if (deploy_conf_dane(&check->situation.conf) == DEPLOY_DANE_OFF)
		findings_skip(&check->findings, "TLSA", "not looked up: dane = off");
	else
		tlsa_find(&check->situation, &check->tlsa, &check->findings);
}

/* --- mailcow --- */

static void look_at_sni(struct check *check)
{
	static const char *const words[] = {
		[SNI_CURRENT] = "holds the installed pair",
		[SNI_STALE] = "holds another certificate, which is served for its names",
		[SNI_FOREIGN] = "holds another certificate for names of its own",
		[SNI_SHADOWING] = "holds another certificate, which is served for the mail host",
	};
	struct situation *situation = &check->situation;
	enum outcome outcome;

	if (!pair_is_whole(&situation->installed))
		return;
	outcome = sni_find(situation->install.ssl, &situation->installed,
			   situation->mailcow.hostname, &situation->sni);
	if (outcome_failed(outcome))
		findings_fail(&check->findings, "SNI directories", outcome);
	for (size_t i = 0; i < situation->sni.count; i++) {
		const struct sni_directory *directory = &situation->sni.directory[i];
		enum verdict_level level = directory->state == SNI_STALE       ? VERDICT_WARNING
					   : directory->state == SNI_SHADOWING ? VERDICT_CRITICAL
									       : VERDICT_OK;
		char name[FINDINGS_NAME_MAX];

		snprintf(name, sizeof(name), "SNI directory %s", directory->name);
		findings_add(&check->findings, name,
			     deploy_conf_sni(&situation->conf) != DEPLOY_SNI_IGNORE ? level
										    : VERDICT_OK,
			     "%s", words[directory->state]);
		if (level != VERDICT_OK)
			findings_advise(&check->findings,
					outcome_text(directory->state == SNI_STALE
							     ? OUTCOME_SNI_STALE
							     : OUTCOME_SNI_SHADOWED)
						->advice);
	}
}

/* No reason to warn: sessions are only interrupted, once in a renewal, and taken up again. */
static void look_at_dovecot(struct check *check)
{
	struct situation *situation = &check->situation;
	struct service *service = services_of_kind(&situation->services, "dovecot");
	enum outcome outcome;
	bool ends = true;

	if (!service)
		return;
	outcome = services_find(&situation->conf, &situation->mailcow, &situation->services);
	if (!outcome_failed(outcome))
		outcome = service_ends_sessions(&situation->conf, service, &ends);
	if (outcome_failed(outcome)) {
		findings_skip(&check->findings, "dovecot", "%s", outcome_reason(outcome));
		return;
	}
	findings_add(&check->findings, "dovecot", VERDICT_OK, "a reload ends %s sessions",
		     ends ? "open" : "no");
	if (ends)
		findings_advise(&check->findings,
				"To have renewals end no sessions, put shutdown_clients = no into "
				"data/conf/dovecot/extra.conf and restart dovecot once.");
}

static void look_at_mailcow(struct check *check)
{
	if (check->situation.mailcow.acme) {
		findings_add(&check->findings, "mailcow.conf", VERDICT_WARNING,
			     "SKIP_LETS_ENCRYPT is not y: mailcow's own ACME client may replace "
			     "the certificate");
		findings_advise(&check->findings, outcome_text(OUTCOME_ACME_ENABLED)->advice);
	} else {
		findings_add(&check->findings, "mailcow.conf", VERDICT_OK, "SKIP_LETS_ENCRYPT=y");
	}
}

/* --- all together --- */

static void summarize(const struct check *check, char *to, size_t size)
{
	const struct serving *serving = &check->situation.serving;
	const struct judgement *installed = &check->situation.installed.judged;

	if (!pair_is_whole(&check->situation.installed))
		to[0] = '\0';
	else if (!serving->count)
		snprintf(to, size, "%s is installed, %.1f days left", installed->fingerprint,
			 findings_days((time_t)installed->not_after, check->situation.now));
	else
		snprintf(to, size, "%zu of %zu endpoints serve %s, %.1f days left",
			 serving_count(serving, SERVING_CURRENT), serving_asked(serving),
			 installed->fingerprint,
			 findings_days((time_t)installed->not_after, check->situation.now));
}

/* The less there is left the worse: the plugins' range for that is "LIMIT:". */
static void write_perfdata(const struct check *check, char *to, size_t size)
{
	const struct serving *serving = &check->situation.serving;
	const struct judgement *installed = &check->situation.installed.judged;
	size_t used = 0;

	to[0] = '\0';
	if (pair_is_whole(&check->situation.installed))
		used = (size_t)snprintf(
			to, size, "days_left=%.1f;%.1f:;%.1f: ",
			findings_days((time_t)installed->not_after, check->situation.now),
			check->limits.warning, check->limits.critical);
	if (serving->count)
		snprintf(to + used, size - used, "endpoints_ok=%zu;;%zu:;0;%zu endpoints_total=%zu",
			 serving_count(serving, SERVING_CURRENT), serving_asked(serving),
			 serving_asked(serving), serving_asked(serving));
}

static json_t *certificate_object(const struct judgement *certificate, time_t now)
{
	char not_before[TEXT_TIME_LEN + 1], not_after[TEXT_TIME_LEN + 1];

	text_time(not_before, (time_t)certificate->not_before);
	text_time(not_after, (time_t)certificate->not_after);
	return json_pack("{s:s, s:s, s:s, s:s, s:f}", "sha256", certificate->fingerprint,
			 "spki_sha256", certificate->spki, "not_before", not_before, "not_after",
			 not_after, "days_left",
			 findings_days((time_t)certificate->not_after, now));
}

static json_t *answer_object(const struct wire_answer *answer)
{
	char not_after[TEXT_TIME_LEN + 1];

	if (answer->result != WIRE_SERVED)
		return json_pack("{s:s}", "error", answer->reason);
	text_time(not_after, answer->not_after);
	return json_pack("{s:s, s:s, s:s, s:s, s:b}", "sha256", answer->fingerprint, "spki_sha256",
			 answer->spki, "not_after", not_after, "tls", answer->tls, "chain_verified",
			 answer->trusted);
}

static json_t *endpoints_array(const struct serving *serving)
{
	static const char *const states[] = { "current", "stale", "down", "skipped" };
	json_t *array = json_array();

	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_endpoint *endpoint = &serving->endpoint[i];
		json_t *object =
			json_pack("{s:s, s:s, s:i, s:s}", "name", endpoint->endpoint.name,
				  "address", endpoint->endpoint.address, "port",
				  endpoint->endpoint.port, "state", states[endpoint->state]);

		if (endpoint->state != SERVING_SKIPPED) {
			json_object_set_new(object, "with_sni", answer_object(&endpoint->named));
			json_object_set_new(object, "without_sni",
					    answer_object(&endpoint->unnamed));
		}
		json_array_append_new(array, object);
	}
	return array;
}

static bool print_json(const struct check *check, const char *summary)
{
	const struct situation *situation = &check->situation;
	json_t *object = findings_json(&check->findings, summary);

	json_object_set_new(object, "hostname", json_string(situation->mailcow.hostname));
	if (pair_is_whole(&situation->staging.pair))
		json_object_set_new(
			object, "staged",
			certificate_object(&situation->staging.pair.judged, situation->now));
	if (pair_is_whole(&situation->installed))
		json_object_set_new(
			object, "installed",
			certificate_object(&situation->installed.judged, situation->now));
	json_object_set_new(object, "endpoints", endpoints_array(&situation->serving));
	if (check->tlsa.dane.count)
		json_object_set_new(object, "tlsa", tlsa_json(&check->tlsa));
	return findings_print_json(object, stdout);
}

static void look(struct check *check)
{
	enum outcome outcome = situation_read(&check->situation);

	if (outcome_failed(outcome)) {
		verdict_note(&check->findings.verdict, VERDICT_UNKNOWN, "%s",
			     outcome_reason(outcome));
		journal_outcome(outcome);
		return;
	}
	look_at_staged(check);
	look_at_installed(check);
	look_at_served(check);
	look_at_tlsa(check);
	look_at_dovecot(check);
	look_at_sni(check);
	look_at_mailcow(check);
}

static void check_freep(struct check **check)
{
	if (*check) {
		tlsa_clear(&(*check)->tlsa);
		situation_clear(&(*check)->situation);
	}
	free(*check);
	*check = NULL;
}

int check_command(const struct command_options *options)
{
	_cleanup_(check_freep) struct check *check = calloc(1, sizeof(*check));
	char summary[SUMMARY_MAX], perfdata[SUMMARY_MAX];
	struct metrics metrics = { 0 };
	bool printed;

	if (!check) {
		journal_outcome(OUTCOME_NO_MEMORY);
		return VERDICT_UNKNOWN;
	}
	situation_begin(&check->situation, options, true);
	look(check);
	summarize(check, summary, sizeof(summary));
	write_perfdata(check, perfdata, sizeof(perfdata));
	printed = options->json ? print_json(check, summary)
				: findings_print(&check->findings, PROGRAM_WORD, summary, perfdata,
						 stdout);
	situation_note(&check->situation, &metrics);
	metrics_write_check(situation_metrics_file(&check->situation), "certdeploy", &metrics,
			    check->findings.verdict.level);
	return printed ? (int)check->findings.verdict.level : VERDICT_UNKNOWN;
}

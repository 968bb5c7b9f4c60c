#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/state.h"
#include "certsync/worker.h"
#include "situation.h"

void situation_begin(struct situation *situation, const struct command_options *options,
		     bool looking)
{
	memset(situation, 0, sizeof(*situation));
	situation->options = options;
	situation->looking = looking;
	situation->now = time(NULL);
	situation->install = (struct install){ .ssl = -1, .state = -1 };
	situation->staging.dir = -1;
}

void situation_clear(struct situation *situation)
{
	deploy_conf_clear(&situation->conf);
	fd_closep(&situation->install.ssl);
	fd_closep(&situation->install.state);
	pair_clear(&situation->installed);
	bytes_clear(&situation->roots);
	staging_clear(&situation->staging);
	sni_clear(&situation->sni);
	worker_stop();
}

static enum outcome read_roots(const char *path, struct bytes *roots)
{
	enum outcome outcome = file_read(AT_FDCWD, path, FILE_OWN, BUNDLE_ROOTS_MAX, roots);

	if (outcome_failed(outcome) || strstr(roots->data, "-----BEGIN "))
		return outcome;
	return outcome_because(OUTCOME_CHAIN_UNTRUSTED, "there are no roots in %s", path);
}

static enum outcome read_configuration(struct situation *situation)
{
	enum outcome outcome = deploy_conf_load(situation->options->conf, &situation->conf);

	if (!outcome_failed(outcome))
		outcome = services_parse(situation->conf.services, &situation->services);
	if (!outcome_failed(outcome))
		outcome = mailcow_read(&situation->conf, &situation->mailcow);
	if (!outcome_failed(outcome) && situation->conf.ca_file[0])
		outcome = read_roots(situation->conf.ca_file, &situation->roots);
	if (outcome_failed(outcome))
		return outcome;
	journal_field("CERTSYNC_HOST", situation->mailcow.hostname);
	if (situation->mailcow.acme)
		journal_log(OUTCOME_ACME_ENABLED,
			    "%s/mailcow.conf: SKIP_LETS_ENCRYPT is not y: mailcow's own ACME "
			    "client may replace the certificate",
			    situation->conf.root);
	return OUTCOME_OK;
}

static enum outcome open_directories(struct situation *situation)
{
	const char *state = situation->conf.state_dir;
	enum outcome outcome = situation->looking ? state_look(state, &situation->install.state)
						  : state_open(state, &situation->install.state);

	if (!outcome_failed(outcome))
		outcome = file_open_directory(situation->mailcow.ssl_dir, &situation->install.ssl);
	return outcome;
}

static enum outcome judge_installed(struct situation *situation)
{
	const struct judge_rules rules = {
		.hostname = situation->mailcow.hostname,
		.now = situation->now,
	};
	struct pair *installed = &situation->installed;
	enum outcome outcome = install_read(&situation->install, installed), judged = OUTCOME_OK;

	/*
	 * There may be no pair; but one that is there and cannot be read must not count for none.
	 */
	if (file_is_unreadable(outcome))
		return outcome_in(outcome, "%s", situation->mailcow.ssl_dir);
	snprintf(situation->no_pair, sizeof(situation->no_pair), "%s", outcome_reason(outcome));
	/* Without its key the certificate still says what would be a step back. */
	if (installed->chain.len)
		judged = pair_judge(installed, &rules);
	if (installed->judged.loaded == OUTCOME_NO_MEMORY)
		judged = OUTCOME_NO_MEMORY;
	/* It may well be one that is worth keeping. */
	if (outcome_failed(judged))
		return outcome_in(judged, "%s", situation->mailcow.ssl_dir);
	if (!outcome_failed(outcome))
		snprintf(situation->no_pair, sizeof(situation->no_pair), "%s",
			 installed->judged.reason);
	if (!pair_is_whole(installed))
		journal_detail("%s: no usable pair is installed: %s", situation->mailcow.ssl_dir,
			       situation->no_pair);
	return OUTCOME_OK;
}

static enum outcome settle_installed(struct situation *situation)
{
	const struct install *install = &situation->install;
	enum outcome outcome = OUTCOME_OK;

	if (!situation->looking) {
		outcome = install_recover(install);
		if (outcome == OUTCOME_COMPLETED)
			journal_outcome(outcome);
		if (!outcome_failed(outcome))
			outcome = install_correct_modes(install);
	}
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->mailcow.ssl_dir);
	return judge_installed(situation);
}

static enum outcome choose_staged(struct situation *situation)
{
	struct staging_rules rules = {
		.dir = situation->conf.staging_dir,
		.hostname = situation->mailcow.hostname,
		.roots = &situation->roots,
		.installed = &situation->installed,
		.installed_arrived = situation->installed.arrived,
		.rejected_in = situation->options->force ? -1 : situation->install.state,
		.now = situation->now,
		.patient = !situation->looking,
	};

	/* Our clock was wrong then, or is now: nothing may be passed over for that. */
	if (rules.installed_arrived.tv_sec > situation->now)
		rules.installed_arrived = (struct timespec){ 0 };
	return staging_choose(&rules, &situation->staging);
}

enum outcome situation_read(struct situation *situation)
{
	enum outcome outcome = worker_prepare();

	if (!outcome_failed(outcome))
		outcome = read_configuration(situation);
	if (!outcome_failed(outcome))
		outcome = open_directories(situation);
	if (!outcome_failed(outcome))
		outcome = settle_installed(situation);
	if (!outcome_failed(outcome))
		outcome = choose_staged(situation);
	return outcome;
}

const struct judgement *situation_installed(const struct situation *situation)
{
	const struct judgement *judged = &situation->installed.judged;

	return judged->fingerprint[0] ? judged : NULL;
}

bool situation_is_installed(const struct situation *situation)
{
	return pair_is_whole(&situation->installed) && install_is_real(&situation->install) &&
	       pair_equal(&situation->staging.pair, &situation->installed);
}

/* --- what is served --- */

static enum outcome list_endpoints(struct situation *situation)
{
	struct endpoints endpoints;
	enum outcome outcome =
		endpoints_find(&situation->mailcow, situation->conf.endpoints, &endpoints);

	for (size_t i = 0; i < endpoints.count && !outcome_failed(outcome); i++) {
		struct serving_endpoint *serving = &situation->serving.endpoint[i];

		*serving = (struct serving_endpoint){
			.endpoint = endpoints.endpoint[i],
			.service =
				services_of_kind(&situation->services, endpoints.endpoint[i].kind),
		};
		serving->state = serving->service ? SERVING_DOWN : SERVING_SKIPPED;
		if (!serving->service)
			journal_detail("%s: not asked, as no %s is among the services",
				       serving->endpoint.name, serving->endpoint.kind);
		situation->serving.count = i + 1;
	}
	return outcome;
}

/*
 * Nobody listens: perhaps mailcow does not publish that port at all (docker-compose.override.yml).
 * Docker is asked only then.
 */
static void skip_unpublished(struct situation *situation)
{
	struct serving *serving = &situation->serving;

	if (!serving_first(serving, SERVING_DOWN) ||
	    outcome_failed(
		    services_find(&situation->conf, &situation->mailcow, &situation->services)))
		return;
	for (size_t i = 0; i < serving->count; i++) {
		struct serving_endpoint *endpoint = &serving->endpoint[i];

		if (endpoint->state != SERVING_DOWN || !endpoint->endpoint.inside ||
		    endpoint->named.result != WIRE_REFUSED ||
		    !service_is_running(endpoint->service) ||
		    service_publishes(endpoint->service, endpoint->endpoint.inside,
				      endpoint->endpoint.port))
			continue;
		endpoint->state = SERVING_SKIPPED;
		journal_log(OUTCOME_ENDPOINT_SKIPPED,
			    "%s (%s port %d) is not asked: %s does not publish it",
			    endpoint->endpoint.name, endpoint->endpoint.address,
			    endpoint->endpoint.port, endpoint->service->name);
	}
}

enum outcome situation_look(struct situation *situation, const char *roots)
{
	const struct judgement *installed = situation_installed(situation);
	struct serving *serving = &situation->serving;
	enum outcome outcome = list_endpoints(situation);

	serving->hostname = situation->mailcow.hostname;
	serving->roots = roots;
	serving->timeout = situation->conf.verify_timeout;
	serving->settle = situation->conf.settle;
	if (!outcome_failed(outcome))
		outcome =
			serving_ask(serving, serving_any, installed ? installed->fingerprint : "");
	if (outcome_failed(outcome))
		return outcome;
	skip_unpublished(situation);
	for (size_t i = 0; i < serving->count; i++) {
		struct serving_endpoint *endpoint = &serving->endpoint[i];

		endpoint->was_up =
			endpoint->state == SERVING_CURRENT || endpoint->state == SERVING_STALE;
		endpoint->was_healthy = endpoint->state == SERVING_CURRENT;
	}
	return OUTCOME_OK;
}

/* --- metrics --- */

void situation_note(const struct situation *situation, struct metrics *metrics)
{
	const struct judgement *installed = situation_installed(situation);
	const struct serving *serving = &situation->serving;

	if (installed)
		metrics_certificate(metrics, installed->fingerprint, (time_t)installed->not_before,
				    (time_t)installed->not_after);
	metrics->asked = serving->count > 0;
	metrics->endpoints = serving_asked(serving);
	metrics->endpoints_ok = serving_count(serving, SERVING_CURRENT);
	for (size_t i = 0; i < serving->count; i++) {
		const struct serving_endpoint *endpoint = &serving->endpoint[i];
		const struct wire_answer *answers[] = { &endpoint->named, &endpoint->unnamed };
		char name[METRICS_ENDPOINT_MAX];

		snprintf(name, sizeof(name), "%s %s:%d", endpoint->endpoint.name,
			 endpoint->endpoint.address, endpoint->endpoint.port);
		for (size_t j = 0; j < sizeof(answers) / sizeof(answers[0]); j++)
			if (endpoint->state != SERVING_SKIPPED && answers[j]->result == WIRE_SERVED)
				metrics_served(metrics, name, answers[j]->fingerprint);
	}
}

const char *situation_metrics_file(const struct situation *situation)
{
	return command_metrics(situation->options, situation->conf.metrics);
}

/* --- directories for names of their own --- */

enum outcome situation_compare_sni(struct situation *situation, const struct pair *pair)
{
	const enum deploy_sni what = deploy_conf_sni(&situation->conf);
	struct sni *sni = &situation->sni;
	enum outcome outcome;

	sni_clear(sni);
	if (what == DEPLOY_SNI_IGNORE || !pair_is_whole(pair))
		return OUTCOME_OK;
	outcome = sni_find(situation->install.ssl, pair, situation->mailcow.hostname, sni);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->mailcow.ssl_dir);
	for (size_t i = 0; i < sni->count; i++) {
		struct sni_directory *directory = &sni->directory[i];

		if (directory->state == SNI_SHADOWING)
			outcome = outcome_because(
				OUTCOME_SNI_SHADOWED,
				"%s/%s has another certificate, which is served for %s; the "
				"installed one cannot take its place, as it does not cover %s",
				situation->mailcow.ssl_dir, directory->name,
				situation->mailcow.hostname, directory->uncovered);
		if (directory->state == SNI_STALE && what != DEPLOY_SNI_UPDATE)
			journal_log(
				OUTCOME_SNI_STALE,
				"%s/%s has another certificate, which is served for the names in "
				"its file domains",
				situation->mailcow.ssl_dir, directory->name);
	}
	return outcome;
}

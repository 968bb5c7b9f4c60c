/* certpush: put the mail host's certificate into its staging directory when it has changed. */

#include <stdio.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/command.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/metrics.h"
#include "certsync/state.h"
#include "certsync/systemd.h"
#include "check.h"
#include "delivery.h"
#include "last_fp.h"
#include "lineage.h"
#include "list.h"
#include "open.h"
#include "push_conf.h"
#include "remote.h"
#include "served.h"

#define REASON_MAX 1024

/* Put the pair on the mail host, and only when that is certain remember it. */
static enum outcome push(const struct push_conf *conf, int state, const struct bundle *bundle,
			 const struct bytes *chain, const struct bytes *key)
{
	char generation[GENERATION_NAME_LEN + 1];
	enum outcome outcome;

	outcome = delivery_put(conf, bundle_fingerprint(bundle), chain, key, generation);
	if (outcome_failed(outcome))
		return outcome;
	journal_field("CERTSYNC_GENERATION", generation);
	outcome = last_fp_write(state, bundle_fingerprint(bundle));
	if (outcome_failed(outcome))
		return outcome_in(outcome, "pushed, but the next run will push again: %s",
				  conf->state_dir);
	return outcome_because(OUTCOME_PUSHED, "pushed %s to %s as %s", bundle_fingerprint(bundle),
			       conf->host, generation);
}

/* Judge the pair and push it, or say what would be pushed. */
static enum outcome deliver(const struct command_options *options, const struct push_conf *conf,
			    int state, const char *lineage, time_t now)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome;

	interrupt_catch();
	outcome = lineage_read_pair(conf, lineage, now, &chain, &key, &bundle);
	if (outcome_failed(outcome))
		return outcome;
	if (!options->dry_run)
		return push(conf, state, bundle, &chain, &key);
	outcome = remote_check_settings(conf);
	if (outcome_failed(outcome))
		return outcome;
	return outcome_because(OUTCOME_DRY_RUN,
			       "dry run: would push %s (%s) to %s@%s port %d, directory %s",
			       lineage, bundle_fingerprint(bundle), conf->user, conf->host,
			       conf->port, conf->staging);
}

/*
 * What was pushed is not served, for the reason recorded: push it again, and end with that failure
 * even if it goes well. If it does not, why it does not is what is to be cured first.
 */
static enum outcome deliver_again(const struct command_options *options,
				  const struct push_conf *conf, int state, const char *lineage,
				  time_t now)
{
	char reason[REASON_MAX];
	enum outcome outcome;

	snprintf(reason, sizeof(reason), "%s", outcome_reason(OUTCOME_NOT_PROPAGATED));
	if (options->dry_run) {
		journal_log(OUTCOME_DRY_RUN, "dry run: %s", reason);
		return deliver(options, conf, state, lineage, now);
	}
	outcome = deliver(options, conf, state, lineage, now);
	if (outcome_failed(outcome)) {
		journal_log(OUTCOME_NOT_PROPAGATED, "%s", reason);
		return outcome;
	}
	journal_outcome(outcome);
	return outcome_because(OUTCOME_NOT_PROPAGATED, "%s; it was pushed again", reason);
}

static enum outcome run(const struct command_options *options, struct push_conf *conf,
			struct metrics *metrics)
{
	_cleanup_(lineage_clear) struct lineage lineage = { .bundle = NULL };
	_cleanup_(fd_closep) int state = -1;
	const char *fingerprint;
	time_t now = time(NULL);
	enum outcome outcome;

	outcome = push_conf_load(options->conf, conf);
	if (!outcome_failed(outcome))
		outcome = lineage_find(conf, now, &lineage);
	if (outcome_failed(outcome))
		return outcome;
	lineage_describe(&lineage, conf->hostname);
	lineage_note(&lineage, metrics);
	outcome = options->dry_run ? state_look(conf->state_dir, &state)
				   : state_open(conf->state_dir, &state);
	if (outcome_failed(outcome))
		return outcome;
	fingerprint = bundle_fingerprint(lineage.bundle);
	if (options->force || !last_fp_is(state, fingerprint))
		return deliver(options, conf, state, lineage.name, now);
	if (!conf->verify)
		return outcome_because(OUTCOME_NOTHING_TO_DO,
				       "nothing to do: %s was pushed before (%s)", lineage.name,
				       fingerprint);
	outcome =
		served_confirm(conf, lineage.name, fingerprint, last_fp_when(state), now, metrics);
	if (outcome == OUTCOME_NOT_PROPAGATED)
		outcome = deliver_again(options, conf, state, lineage.name, now);
	return outcome;
}

static int run_command(const struct command_options *options)
{
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };
	struct metrics metrics = { 0 };
	enum outcome outcome = run(options, &conf, &metrics);

	journal_outcome(outcome);
	journal_status("%s", outcome_reason(outcome));
	metrics.target = conf.target;
	/* A run that found another one under way leaves it to that one. */
	if (!options->dry_run && outcome != OUTCOME_LOCKED)
		metrics_write_run(command_metrics(options, conf.metrics), "certpush", &metrics,
				  outcome);
	systemd_flush();
	interrupt_raise();
	return outcome_text(outcome)->status;
}

static const struct command commands[] = {
	{ "run", run_command, COMMAND_DRY_RUN | COMMAND_FORCE | COMMAND_METRICS,
	  "push the certificate if it has changed" },
	{ "check", check_run, COMMAND_JSON | COMMAND_THRESHOLDS | COMMAND_METRICS,
	  "see whether all that a run needs is there, and what is served" },
	{ "list", list_run, COMMAND_JSON, "show all lineages, the one for the mail host marked" },
	{ "open", open_run, COMMAND_METRICS,
	  "read what is root's, for a run of the same service without root" },
	{ 0 },
};

static const struct command_program program = {
	.name = "certpush",
	.summary = "Push the mail host's certificate from Nginx Proxy Manager to mailcow when it "
		   "has changed.",
	.conf = "/etc/certsync/push.conf",
	.commands = commands,
};

int main(int argc, char *argv[])
{
	return command_main(&program, argc, argv);
}

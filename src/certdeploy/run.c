#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "deploy.h"
#include "gate.h"
#include "overview.h"
#include "run.h"

/* Whoever goes on putting things into staging does not keep a run going. */
#define PASSES_MAX 3

/* From here on every record says which certificate it is about. */
static void describe(const struct judgement *certificate)
{
	char not_after[TEXT_TIME_LEN + 1];

	text_time(not_after, (time_t)certificate->not_after);
	journal_field("CERTSYNC_FINGERPRINT", certificate->fingerprint);
	journal_field("CERTSYNC_NOT_AFTER", not_after);
	journal_step("certificate %s, %s, valid until %s", certificate->fingerprint,
		     certificate->key_type, not_after);
}

/* Nothing good is staged: that is well if what is installed is good. */
static enum outcome judge_installed(const struct situation *situation)
{
	const struct pair *installed = &situation->installed;
	const char *dir = situation->conf.staging_dir;
	enum outcome outcome;
	char reason[512];

	if (!pair_is_whole(installed))
		return outcome_because(OUTCOME_NOTHING_STAGED,
				       "%s: no certificate is staged, and no pair is installed: %s",
				       dir, situation->no_pair);
	if (!install_is_real(&situation->install))
		return outcome_because(
			OUTCOME_NOTHING_STAGED,
			"%s: no certificate is staged, and in %s cert.pem or key.pem is a "
			"symbolic link, which mailcow's containers cannot follow",
			dir, situation->mailcow.ssl_dir);
	outcome = judge_outcome(&installed->judged, installed->judged.good);
	if (!outcome_failed(outcome))
		return OUTCOME_OK;
	snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
	return outcome_because(OUTCOME_NOTHING_STAGED,
			       "%s: no certificate is staged, and the installed one will not do: "
			       "%s",
			       dir, reason);
}

/* What a run would do now. */
static enum outcome say(struct situation *situation, bool install)
{
	const struct pair *pair = install ? &situation->staging.pair : &situation->installed;
	const char *fingerprint = pair->judged.fingerprint;
	char state[SERVING_SUMMARY_MAX];

	if (install)
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would install %s and reload %s",
				       fingerprint, situation->conf.services);
	if (situation->options->force || install_is_pending(&situation->install))
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would reload %s with %s",
				       situation->conf.services, fingerprint);
	if (situation->conf.verify && deploy_is_behind(situation)) {
		serving_summarize(&situation->serving, fingerprint, state, sizeof(state));
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would reload the services, as %s",
				       state);
	}
	return outcome_because(OUTCOME_NOTHING_TO_DO, "nothing to do: %s is installed",
			       fingerprint);
}

/* Is what was chosen installed for good, although something else may be wrong? */
static bool is_deployed(enum outcome outcome)
{
	return !outcome_failed(outcome) || outcome == OUTCOME_ENDPOINT_DOWN ||
	       outcome == OUTCOME_SNI_SHADOWED || outcome == OUTCOME_DANE_OVERRIDDEN;
}

/*
 * What is staged is held back, ${held} for the reason recorded: what is installed is to be served
 * meanwhile.
 */
static enum outcome keep_installed(struct situation *situation, enum outcome held)
{
	char reason[OUTCOME_REASON_MAX];
	enum outcome outcome = OUTCOME_NOTHING_TO_DO;

	snprintf(reason, sizeof(reason), "%s", outcome_reason(held));
	if (situation->options->dry_run)
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would hold %s back: %s",
				       situation->staging.pair.judged.fingerprint, reason);
	/* What is wrong with it, the services had better not load. */
	if (!outcome_failed((enum outcome)situation->installed.judged.good))
		outcome = deploy_installed(situation);
	if (outcome != OUTCOME_NOTHING_TO_DO)
		journal_outcome(outcome);
	return outcome_because(held, "%s", reason);
}

/* Install what is staged, if it may be. */
static enum outcome install_staged(struct situation *situation)
{
	_cleanup_(gate_clear) struct gate gate = { .sightings = NULL };
	enum outcome outcome = gate_pass(situation, &gate);

	if (gate_holds(outcome))
		return keep_installed(situation, outcome);
	if (outcome_failed(outcome))
		return outcome;
	if (situation->options->dry_run)
		return say(situation, true);
	outcome = deploy_staged(situation);
	if (is_deployed(outcome))
		gate_passed(situation, &gate);
	if (!gate.overridden[0] || outcome_failed(outcome))
		return outcome;
	journal_outcome(outcome);
	return outcome_because(OUTCOME_DANE_OVERRIDDEN, "installed although %s", gate.overridden);
}

static enum outcome carry_out(struct situation *situation)
{
	bool staged = pair_is_whole(&situation->staging.pair);
	bool install = staged && (situation->options->force || !situation_is_installed(situation));
	enum outcome outcome = OUTCOME_OK;

	if (staged || pair_is_whole(&situation->installed))
		describe(staged ? &situation->staging.pair.judged : &situation->installed.judged);
	/* What is wrong with it, the services had better not load. */
	if (!staged)
		outcome = judge_installed(situation);
	if (!outcome_failed(outcome) && situation->conf.verify)
		outcome = situation_look(situation, NULL);
	if (outcome_failed(outcome))
		return outcome;
	if (install)
		return install_staged(situation);
	return situation->options->dry_run ? say(situation, false) : deploy_installed(situation);
}

/* What was refused makes every run fail until a good one comes, whatever else there was to do. */
static enum outcome refuse(const struct situation *situation)
{
	return outcome_because(situation->staging.rejected, "refused: %s",
			       situation->staging.reason);
}

/*
 * Remove what is of no more use from staging; ${outcome} is what the run came to, and what was
 * chosen is ${deployed}. A failure to remove keys is a failure of the run, but stops nothing.
 */
static enum outcome clean_staging(struct situation *situation, enum outcome outcome, bool deployed)
{
	enum outcome tidied = OUTCOME_OK, stale;
	char reason[OUTCOME_REASON_MAX];

	snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
	if (deployed)
		tidied = staging_tidy(&situation->staging);
	stale = staging_remove_stale(&situation->staging);
	if (!outcome_failed(tidied))
		tidied = stale;
	if (!outcome_failed(tidied))
		return outcome_because(outcome, "%s", reason);
	if (!outcome_failed(outcome)) {
		journal_log(outcome, "%s", reason);
		return tidied;
	}
	journal_outcome(tidied);
	return outcome_because(outcome, "%s", reason);
}

static enum outcome run_steps(struct situation *situation)
{
	enum outcome outcome = situation_read(situation);
	bool staged, refused, deployed = false;

	if (outcome_failed(outcome))
		return outcome;
	staged = pair_is_whole(&situation->staging.pair);
	refused = outcome_failed(situation->staging.rejected);
	if (!refused || staged || pair_is_whole(&situation->installed)) {
		outcome = carry_out(situation);
		deployed = staged && is_deployed(outcome);
		/* What is told of the installed one then tells nothing new. */
		if (refused && outcome != OUTCOME_NOTHING_STAGED)
			journal_outcome(outcome);
	}
	if (refused)
		outcome = refuse(situation);
	return situation->options->dry_run ? outcome : clean_staging(situation, outcome, deployed);
}

/*
 * The path unit notices nothing while the service runs: has anything come to staging since this run
 * has looked?
 */
static bool is_behind_arrivals(const struct situation *situation)
{
	return !situation->options->dry_run && situation->staging.dir >= 0 &&
	       arrivals_since(situation->staging.dir, &situation->staging.arrivals);
}

static void write_metrics(const struct situation *situation, enum outcome outcome)
{
	struct metrics metrics = { 0 };

	/* A run that found another one under way leaves it to that one. */
	if (situation->options->dry_run || outcome == OUTCOME_LOCKED)
		return;
	situation_note(situation, &metrics);
	metrics_write_run(situation_metrics_file(situation), "certdeploy", &metrics, outcome);
}

/* One pass, to its exit status; ${again}: there is reason for another one. */
static int pass(const struct command_options *options, bool *again)
{
	_cleanup_(situation_clear) struct situation situation;
	enum outcome outcome;

	situation_begin(&situation, options, options->dry_run);
	outcome = run_steps(&situation);
	journal_outcome(outcome);
	journal_status("%s", outcome_reason(outcome));
	if (situation.serving.count && !options->quiet && isatty(STDOUT_FILENO))
		overview_endpoints(&situation.serving, stdout);
	write_metrics(&situation, outcome);
	*again = is_behind_arrivals(&situation);
	return outcome_text(outcome)->status;
}

int run_command(const struct command_options *options)
{
	bool again;
	int status = pass(options, &again);

	for (int passes = 1; again && passes < PASSES_MAX; passes++) {
		journal_step("%s", "more has come to staging meanwhile");
		status = pass(options, &again);
	}
	return status;
}

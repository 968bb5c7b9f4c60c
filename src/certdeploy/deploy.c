#include <stdio.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "deploy.h"
#include "history.h"
#include "rejected.h"

static const char *wanted(const struct situation *situation)
{
	return situation->installed.judged.fingerprint;
}

/* --- without a look at what is served --- */

/* Reload all, and take the commands' word for it. */
static enum outcome reload_unseen(struct situation *situation)
{
	struct services *services = &situation->services;
	enum outcome outcome = services_find(&situation->conf, &situation->mailcow, services);
	size_t failed = 0;

	if (outcome_failed(outcome)) {
		journal_outcome(outcome);
		return outcome_because(OUTCOME_INCOMPLETE,
				       "the certificate is installed, but no service was reloaded");
	}
	converge_choose_all(situation);
	outcome = services_reload(&situation->conf, services);
	for (size_t i = 0; i < services->count; i++) {
		failed += outcome_failed(services->service[i].outcome);
		journal_log(services->service[i].outcome, "%s", services->service[i].reason);
	}
	if (outcome_failed(outcome))
		return outcome_because(
			OUTCOME_INCOMPLETE,
			"the certificate is installed, but %zu of %zu services did not load it",
			failed, services->count);
	return install_finish(&situation->install);
}

/* --- directories for names of their own --- */

/* Bring the SNI directories in step. True: one was changed. A failure is put into ${complaint}. */
static bool update_sni(struct situation *situation, enum outcome *complaint, char *words)
{
	bool changed = false;
	enum outcome updated;

	*complaint = situation_compare_sni(situation, &situation->installed);
	snprintf(words, OUTCOME_REASON_MAX, "%s", outcome_reason(*complaint));
	if (deploy_conf_sni(&situation->conf) != DEPLOY_SNI_UPDATE)
		return false;
	updated = sni_update(situation->install.ssl, &situation->installed, &situation->sni);
	if (outcome_failed(updated)) {
		*complaint = outcome_in(updated, "%s", situation->mailcow.ssl_dir);
		snprintf(words, OUTCOME_REASON_MAX, "%s", outcome_reason(updated));
	}
	for (size_t i = 0; i < situation->sni.count; i++) {
		if (!situation->sni.directory[i].updated)
			continue;
		changed = true;
		journal_log(OUTCOME_SNI_UPDATED, "%s/%s has the installed pair now",
			    situation->mailcow.ssl_dir, situation->sni.directory[i].name);
	}
	return changed;
}

/* --- rolling back --- */

static enum outcome put_previous_back(struct situation *situation, struct history *history,
				      const char *reason)
{
	struct pair failed = situation->installed;
	enum outcome outcome, complaint;
	char words[OUTCOME_REASON_MAX];

	outcome = rejected_add(situation->install.state, &failed, reason);
	if (!outcome_failed(outcome))
		outcome = install_pair(&situation->install, &history->previous, &failed, false);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->mailcow.ssl_dir);
	situation->installed = history->previous;
	history->previous = failed;
	outcome = sni_restore(situation->install.ssl, &situation->sni);
	if (outcome_failed(outcome))
		journal_outcome(outcome_in(outcome, "%s", situation->mailcow.ssl_dir));
	/* An earlier run may have put the failed pair there, which knew what was there before. */
	update_sni(situation, &complaint, words);
	if (outcome_failed(complaint))
		journal_log(complaint, "%s", words);
	journal_step("the previous certificate %s is in place again", wanted(situation));
	return OUTCOME_OK;
}

static bool can_roll_back(const struct situation *situation, const struct history *history)
{
	return pair_is_whole(&history->previous) &&
	       strcmp(history->previous.judged.fingerprint, wanted(situation)) != 0;
}

/* ${reason}: what became of the new certificate. */
static enum outcome roll_back(struct situation *situation, struct history *history,
			      const char *reason)
{
	enum outcome outcome;

	journal_log(OUTCOME_NOT_SERVED, "%s", reason);
	outcome = put_previous_back(situation, history, reason);
	if (outcome_failed(outcome))
		return outcome;
	converge_choose_all(situation);
	outcome = converge(situation, wanted(situation));
	if (outcome_failed(outcome))
		return outcome;
	if (converge_broke_something(situation)) {
		char state[SERVING_SUMMARY_MAX];

		serving_summarize(&situation->serving, wanted(situation), state, sizeof(state));
		return outcome_because(
			OUTCOME_ROLLBACK_FAILED, "%s was put back in the place of %s, but %s",
			wanted(situation), history->previous.judged.fingerprint, state);
	}
	outcome = install_finish(&situation->install);
	if (outcome_failed(outcome))
		return outcome;
	return outcome_because(OUTCOME_ROLLED_BACK,
			       "%s was rolled back: %s is installed and served again",
			       history->previous.judged.fingerprint, wanted(situation));
}

/* --- proving --- */

/* How well is the installed certificate served? */
static enum outcome judge(struct situation *situation)
{
	const struct serving *serving = &situation->serving;
	char state[SERVING_SUMMARY_MAX];

	serving_summarize(&situation->serving, wanted(situation), state, sizeof(state));
	if (serving_count(serving, SERVING_STALE))
		return outcome_because(OUTCOME_NOT_SERVED, "%s", state);
	if (serving_count(serving, SERVING_DOWN))
		return outcome_because(OUTCOME_ENDPOINT_DOWN, "%s", state);
	return outcome_because(OUTCOME_SERVED, "%s", state);
}

/* Have the chosen services serve the installed pair, which is ${fresh}: it may be rolled back. */
static enum outcome prove(struct situation *situation, struct history *history, bool fresh)
{
	enum outcome outcome = converge(situation, wanted(situation));

	if (outcome_failed(outcome))
		return outcome;
	outcome = judge(situation);
	if (!converge_broke_something(situation) || outcome == OUTCOME_SERVED) {
		enum outcome finished = install_finish(&situation->install);

		if (outcome_failed(finished))
			return finished;
		return outcome;
	}
	if (fresh && converge_failed_to_load(situation) && can_roll_back(situation, history)) {
		char reason[OUTCOME_REASON_MAX];

		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
		return roll_back(situation, history, reason);
	}
	return outcome;
}

/* Find the containers; without them nothing can be reloaded, but the pair is in place. */
static enum outcome find_services(struct situation *situation)
{
	enum outcome outcome =
		services_find(&situation->conf, &situation->mailcow, &situation->services);

	if (!outcome_failed(outcome))
		return outcome;
	journal_outcome(outcome);
	return OUTCOME_INCOMPLETE;
}

/* ${complaint} is a failure that stopped nothing; the run ends with it if nothing worse came. */
static enum outcome conclude(enum outcome outcome, enum outcome complaint, const char *words)
{
	char reason[OUTCOME_REASON_MAX];

	if (!outcome_failed(complaint))
		return outcome;
	if (outcome_failed(outcome)) {
		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
		journal_log(complaint, "%s", words);
		return outcome_because(outcome, "%s", reason);
	}
	journal_outcome(outcome);
	return outcome_because(complaint, "%s", words);
}

static enum outcome deployed(const struct situation *situation, enum outcome outcome)
{
	char state[64] = "";
	enum outcome forgotten;

	if (outcome_failed(outcome))
		return outcome;
	/* The next pair that is deployed is another chance. */
	forgotten = rejected_forget(situation->install.state);
	if (outcome_failed(forgotten))
		journal_outcome(outcome_in(forgotten, "%s", situation->conf.state_dir));
	if (situation->conf.verify)
		snprintf(state, sizeof(state), "; %zu of %zu endpoints serve it",
			 serving_count(&situation->serving, SERVING_CURRENT),
			 serving_asked(&situation->serving));
	return outcome_because(OUTCOME_DEPLOYED, "deployed %s for %s%s", wanted(situation),
			       situation->mailcow.hostname, state);
}

/* --- the interface --- */

enum outcome deploy_staged(struct situation *situation)
{
	_cleanup_(history_clear) struct history history = { .healthy = "" };
	enum outcome outcome, complaint, found = OUTCOME_OK;
	struct pair *new = &situation->staging.pair, *old = &situation->installed;
	char words[OUTCOME_REASON_MAX];
	bool unproven;

	outcome = history_recall(situation, &history, &unproven);
	if (outcome_failed(outcome))
		return outcome;
	if (situation->conf.verify) {
		found = find_services(situation);
		/* What a pair has broken that was not proved was in order before. */
		if (!outcome_failed(found) && !unproven)
			converge_test(situation);
	}
	history_note(situation, &history);
	outcome = install_pair(&situation->install, new, old, !unproven && !pair_equal(new, old));
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", situation->mailcow.ssl_dir);
	journal_step("installed in %s", situation->mailcow.ssl_dir);
	if (unproven)
		pair_clear(old);
	else
		history.previous = *old;
	*old = *new;
	*new = PAIR_NONE;

	update_sni(situation, &complaint, words);
	if (!situation->conf.verify)
		outcome = reload_unseen(situation);
	else if (outcome_failed(found))
		outcome = outcome_because(OUTCOME_INCOMPLETE, "the certificate is installed, but "
							      "no service was reloaded");
	else {
		converge_choose_all(situation);
		outcome = prove(situation, &history, true);
	}
	return conclude(deployed(situation, outcome), complaint, words);
}

bool deploy_is_behind(struct situation *situation)
{
	return converge_choose_stale(situation) > 0;
}

/* The reload that ${fingerprint}'s installation, or --force, asks for. */
static enum outcome reload_installed(struct situation *situation)
{
	enum outcome outcome = install_mark_pending(&situation->install, &situation->installed);

	if (!outcome_failed(outcome))
		outcome = reload_unseen(situation);
	if (outcome_failed(outcome))
		return outcome;
	if (!situation->services.count)
		return outcome_because(OUTCOME_NOTHING_TO_DO,
				       "%s is installed, and there is no service to reload",
				       wanted(situation));
	return outcome_because(OUTCOME_RELOADED, "all services were reloaded with %s",
			       wanted(situation));
}

static enum outcome heal(struct situation *situation, struct history *history, bool all, bool fresh)
{
	enum outcome outcome;

	if (all || fresh)
		converge_choose_all(situation);
	else
		converge_choose_stale(situation);
	outcome = find_services(situation);
	if (outcome_failed(outcome))
		return outcome_because(OUTCOME_INCOMPLETE, "the certificate is installed, but no "
							   "service was reloaded");
	outcome = prove(situation, history, fresh);
	if (outcome != OUTCOME_SERVED)
		return outcome;
	return outcome_because(OUTCOME_RELOADED, "%s is served again: %zu of %zu endpoints",
			       wanted(situation),
			       serving_count(&situation->serving, SERVING_CURRENT),
			       serving_asked(&situation->serving));
}

/* All is as it should be. */
static enum outcome nothing_to_do(const struct situation *situation)
{
	const char *staged =
		pair_is_whole(&situation->staging.pair) ? "" : "nothing new is staged, ";

	if (!situation->conf.verify)
		return outcome_because(OUTCOME_NOTHING_TO_DO, "nothing to do: %s%s is installed",
				       staged, wanted(situation));
	return outcome_because(
		OUTCOME_NOTHING_TO_DO,
		"nothing to do: %s%s is installed, and %zu of %zu endpoints serve it", staged,
		wanted(situation), serving_count(&situation->serving, SERVING_CURRENT),
		serving_asked(&situation->serving));
}

enum outcome deploy_installed(struct situation *situation)
{
	_cleanup_(history_clear) struct history history = { .healthy = "" };
	bool pending = install_is_pending(&situation->install), changed, unproven;
	enum outcome outcome, complaint;
	char words[OUTCOME_REASON_MAX];
	struct record rejected = { .note = "" };

	changed = update_sni(situation, &complaint, words);
	if (!situation->conf.verify) {
		outcome = pending || changed || situation->options->force
				  ? reload_installed(situation)
				  : nothing_to_do(situation);
		return conclude(outcome, complaint, words);
	}
	outcome = history_recall(situation, &history, &unproven);
	if (outcome_failed(outcome))
		return conclude(outcome, complaint, words);
	history_note(situation, &history);
	if (unproven)
		outcome = rejected_find(situation->install.state, &situation->installed, &rejected);
	if (outcome_failed(outcome))
		return conclude(outcome_in(outcome, "%s", situation->conf.state_dir), complaint,
				words);
	if (!record_is_empty(&rejected) && can_roll_back(situation, &history)) {
		outcome = find_services(situation);
		if (!outcome_failed(outcome))
			outcome = roll_back(situation, &history,
					    "an earlier run was about to roll back");
	} else if (changed || situation->options->force || deploy_is_behind(situation) ||
		   (pending && converge_broke_something(situation)))
		outcome = heal(situation, &history, changed || situation->options->force, pending);
	else
		outcome = judge(situation);
	if (outcome == OUTCOME_SERVED && pending)
		outcome = install_finish(&situation->install);
	if (!outcome_failed(outcome) && outcome != OUTCOME_RELOADED)
		outcome = nothing_to_do(situation);
	return conclude(outcome, complaint, words);
}

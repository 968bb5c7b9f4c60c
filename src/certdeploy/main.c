/* certdeploy: install the staged certificate as mailcow's and have the services load it. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/command.h"
#include "certsync/journal.h"
#include "certsync/state.h"
#include "certsync/text.h"
#include "deploy_conf.h"
#include "install.h"
#include "mailcow.h"
#include "services.h"
#include "staging.h"

/* Everything a run works on. */
struct run {
	const struct command_options *options;
	struct deploy_conf conf;
	struct mailcow mailcow;
	struct services services;
	struct install install;
	struct pair installed;
	char no_pair[512];             /* why it has no bundle */
	struct bundle *installed_leaf; /* then perhaps its certificate alone */
	struct staging staging;
	time_t now;
};

static void run_clear(struct run *run)
{
	deploy_conf_clear(&run->conf);
	fd_closep(&run->install.ssl);
	fd_closep(&run->install.state);
	pair_clear(&run->installed);
	bundle_freep(&run->installed_leaf);
	staging_clear(&run->staging);
}

/* From here on every record says which certificate it is about. */
static void describe(const struct bundle *bundle)
{
	char not_after[TEXT_TIME_LEN + 1];

	text_time(not_after, bundle_not_after(bundle));
	journal_field("CERTSYNC_FINGERPRINT", bundle_fingerprint(bundle));
	journal_field("CERTSYNC_NOT_AFTER", not_after);
}

/* --- the steps --- */

static enum outcome read_configuration(struct run *run)
{
	enum outcome outcome = deploy_conf_load(run->options->conf, &run->conf);

	if (!outcome_failed(outcome))
		outcome = services_parse(run->conf.services, &run->services);
	if (!outcome_failed(outcome))
		outcome = mailcow_read(&run->conf, &run->mailcow);
	if (outcome_failed(outcome))
		return outcome;
	journal_field("CERTSYNC_HOST", run->mailcow.hostname);
	if (run->mailcow.acme)
		journal_log(OUTCOME_ACME_ENABLED,
			    "%s/mailcow.conf: SKIP_LETS_ENCRYPT is not y: mailcow's own ACME "
			    "client may replace the "
			    "certificate",
			    run->conf.root);
	return OUTCOME_OK;
}

static enum outcome open_directories(struct run *run)
{
	enum outcome outcome = run->options->dry_run
				       ? state_look(run->conf.state_dir, &run->install.state)
				       : state_open(run->conf.state_dir, &run->install.state);

	if (!outcome_failed(outcome))
		outcome = file_open_directory(run->mailcow.ssl_dir, &run->install.ssl);
	return outcome;
}

/* What an earlier run left undone comes first: only then the installed pair is what it will be. */
static enum outcome settle_installed(struct run *run)
{
	enum outcome outcome = OUTCOME_OK;

	if (!run->options->dry_run) {
		outcome = install_recover(&run->install);
		if (outcome == OUTCOME_COMPLETED)
			journal_outcome(outcome);
		if (!outcome_failed(outcome))
			outcome = install_correct_modes(&run->install);
	}
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", run->mailcow.ssl_dir);
	outcome = install_read(&run->install, &run->installed);
	/*
	 * There may be no pair; but one that is there and cannot be read must not count for none.
	 */
	if (outcome == OUTCOME_FILE_IO || outcome == OUTCOME_FILE_DENIED ||
	    outcome == OUTCOME_NO_MEMORY)
		return outcome_in(outcome, "%s", run->mailcow.ssl_dir);
	if (outcome_failed(outcome)) {
		snprintf(run->no_pair, sizeof(run->no_pair), "%s", outcome_reason(outcome));
		journal_detail("%s: no usable pair is installed: %s", run->mailcow.ssl_dir,
			       run->no_pair);
		/* Its certificate alone still says what would be a step back. */
		if (run->installed.chain.len)
			bundle_load_leaf(&run->installed.chain, &run->installed_leaf);
	}
	return OUTCOME_OK;
}

static enum outcome choose_staged(struct run *run)
{
	struct staging_rules rules = {
		.dir = run->conf.staging_dir,
		.hostname = run->mailcow.hostname,
		.ca_file = run->conf.ca_file,
		.installed = run->installed.bundle ? run->installed.bundle : run->installed_leaf,
		.installed_arrived = run->installed.arrived,
		.now = run->now,
	};

	return staging_choose(&rules, &run->staging);
}

/* Nothing good is staged: that is well if what is installed is good. */
static enum outcome judge_installed(struct run *run)
{
	const struct bundle *bundle = run->installed.bundle;
	enum outcome outcome;

	if (!bundle)
		return outcome_because(OUTCOME_NOTHING_STAGED,
				       "%s: no certificate is staged, and no pair is installed: %s",
				       run->conf.staging_dir, run->no_pair);
	if (!install_is_real(&run->install))
		return outcome_because(
			OUTCOME_NOTHING_STAGED,
			"%s: no certificate is staged, and in %s cert.pem or key.pem is a "
			"symbolic link, which mailcow's containers cannot follow",
			run->conf.staging_dir, run->mailcow.ssl_dir);
	outcome = bundle_check(bundle, run->mailcow.hostname, run->now);
	if (outcome_failed(outcome)) {
		char reason[512];

		snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
		return outcome_because(
			OUTCOME_NOTHING_STAGED,
			"%s: no certificate is staged, and the installed one will not do: %s",
			run->conf.staging_dir, reason);
	}
	return outcome_because(OUTCOME_NOTHING_TO_DO,
			       "nothing to do: nothing new is staged, %s is installed",
			       bundle_fingerprint(bundle));
}

static bool is_installed(const struct run *run)
{
	return run->installed.bundle && install_is_real(&run->install) &&
	       bytes_equal(&run->staging.pair.chain, &run->installed.chain) &&
	       bytes_equal(&run->staging.pair.key, &run->installed.key);
}

/* Have the services load what is installed; each says how that went. */
static enum outcome reload_services(struct run *run)
{
	enum outcome outcome = services_find(&run->conf, &run->mailcow, &run->services);
	size_t failed = 0;

	if (outcome_failed(outcome)) {
		journal_outcome(outcome);
		return outcome_because(OUTCOME_INCOMPLETE,
				       "the certificate is installed, but no service was reloaded");
	}
	outcome = services_reload(&run->conf, &run->services);
	for (size_t i = 0; i < run->services.count; i++) {
		const struct service *service = &run->services.service[i];

		failed += outcome_failed(service->outcome);
		journal_log(service->outcome, "%s", service->reason);
	}
	if (outcome_failed(outcome))
		return outcome_because(
			OUTCOME_INCOMPLETE,
			"the certificate is installed, but %zu of %zu services did not load it",
			failed, run->services.count);
	return OUTCOME_OK;
}

static enum outcome install_staged(struct run *run)
{
	enum outcome outcome = install_pair(&run->install, &run->staging.pair, &run->installed);

	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", run->mailcow.ssl_dir);
	journal_detail("installed in %s", run->mailcow.ssl_dir);
	return OUTCOME_OK;
}

/* Bring installed and loaded to what is staged: what ${install} and ${reload} say is missing. */
static enum outcome converge(struct run *run, bool install, bool reload, const char *fingerprint)
{
	enum outcome outcome = OUTCOME_OK;

	if (install)
		outcome = install_staged(run);
	else if (reload)
		outcome = install_mark_pending(&run->install, &run->installed);
	if (!outcome_failed(outcome) && reload)
		outcome = reload_services(run);
	if (!outcome_failed(outcome) && reload)
		outcome = install_finish(&run->install);
	if (outcome_failed(outcome))
		return outcome;
	if (install)
		return outcome_because(OUTCOME_DEPLOYED, "deployed %s for %s", fingerprint,
				       run->mailcow.hostname);
	if (reload)
		return outcome_because(OUTCOME_RELOADED, "all services were reloaded with %s",
				       fingerprint);
	return outcome_because(OUTCOME_NOTHING_TO_DO, "nothing to do: %s is installed",
			       fingerprint);
}

static enum outcome carry_out(struct run *run)
{
	bool staged = run->staging.pair.bundle;
	bool install = staged && (run->options->force || !is_installed(run));
	bool reload = install || run->options->force || install_is_pending(&run->install);
	const struct bundle *bundle = staged ? run->staging.pair.bundle : run->installed.bundle;
	enum outcome outcome = OUTCOME_OK;

	if (bundle)
		describe(bundle);
	/* What is wrong with it, the services had better not load. */
	if (!staged)
		outcome = judge_installed(run);
	if (outcome_failed(outcome) || (!staged && !reload))
		return outcome;
	if (run->options->dry_run && install)
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would install %s and reload %s",
				       bundle_fingerprint(bundle), run->conf.services);
	if (run->options->dry_run && reload)
		return outcome_because(OUTCOME_DRY_RUN, "dry run: would reload %s with %s",
				       run->conf.services, bundle_fingerprint(bundle));
	if (run->options->dry_run)
		return outcome_because(OUTCOME_NOTHING_TO_DO, "nothing to do: %s is installed",
				       bundle_fingerprint(bundle));
	return converge(run, install, reload, bundle_fingerprint(bundle));
}

/* What was refused makes every run fail until a good one comes, whatever else there was to do. */
static enum outcome refuse(const struct run *run)
{
	return outcome_because(run->staging.rejected, "refused: %s", run->staging.reason);
}

/*
 * Remove what is of no more use from staging; ${outcome} is what the run came to, and what was
 * chosen is ${deployed}. A failure to remove keys is a failure of the run, but stops nothing.
 */
static enum outcome clean_staging(struct run *run, enum outcome outcome, bool deployed)
{
	enum outcome tidied = OUTCOME_OK, stale;
	char reason[1024];

	snprintf(reason, sizeof(reason), "%s", outcome_reason(outcome));
	if (deployed)
		tidied = staging_tidy(&run->staging);
	stale = staging_remove_stale(&run->staging);
	if (!outcome_failed(tidied))
		tidied = stale;
	if (!outcome_failed(tidied))
		return outcome;
	if (!outcome_failed(outcome)) {
		journal_log(outcome, "%s", reason);
		return tidied;
	}
	journal_outcome(tidied);
	return outcome_because(outcome, "%s", reason);
}

static enum outcome run_steps(struct run *run)
{
	enum outcome outcome = read_configuration(run);
	bool refused, deployed = false;

	if (!outcome_failed(outcome))
		outcome = open_directories(run);
	if (!outcome_failed(outcome))
		outcome = settle_installed(run);
	if (!outcome_failed(outcome))
		outcome = choose_staged(run);
	if (outcome_failed(outcome))
		return outcome;

	refused = outcome_failed(run->staging.rejected);
	if (!refused || run->staging.pair.bundle || install_is_pending(&run->install)) {
		outcome = carry_out(run);
		deployed = !outcome_failed(outcome) && run->staging.pair.bundle;
		if (refused)
			journal_outcome(outcome);
	}
	if (refused)
		outcome = refuse(run);
	return run->options->dry_run ? outcome : clean_staging(run, outcome, deployed);
}

static int run_command(const struct command_options *options)
{
	_cleanup_(run_clear) struct run run = {
		.options = options,
		.install = { .ssl = -1, .state = -1 },
		.staging = { .dir = -1 },
		.now = time(NULL),
	};
	enum outcome outcome = run_steps(&run);

	journal_outcome(outcome);
	journal_status("%s", outcome_reason(outcome));
	return outcome_text(outcome)->status;
}

static const struct command commands[] = {
	{ "run", run_command, COMMAND_DRY_RUN | COMMAND_FORCE,
	  "install the staged certificate if it is new, and reload the services" },
	{ 0 },
};

static const struct command_program program = {
	.name = "certdeploy",
	.summary = "Install the certificate that was pushed to this host as mailcow's.",
	.conf = "/etc/certsync/deploy.conf",
	.commands = commands,
};

int main(int argc, char *argv[])
{
	return command_main(&program, argc, argv);
}

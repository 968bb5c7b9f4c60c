#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/state.h"
#include "certsync/text.h"
#include "check.h"
#include "last_fp.h"
#include "lineage.h"
#include "push_conf.h"
#include "remote.h"
#include "report.h"
#include "served.h"

/*
 * A new certificate is pushed by the timer, twice a day: only one that is older than this has
 * missed its turn.
 */
#define PUSH_WITHIN_SECONDS ((time_t)24 * 60 * 60)

/* --- the source --- */

static void look_at_age(struct report *report, const struct command_options *options)
{
	const time_t not_after = bundle_not_after(report->bundle);
	char text[TEXT_TIME_LEN + 1];

	report->limits = verdict_limits(options, bundle_not_before(report->bundle), not_after);
	text_time(text, not_after);
	report_add(report, "days left", verdict_of_age(&report->limits, not_after, report->now),
		   "%.1f until %s; warning below %g, critical below %g", report_days_left(report),
		   text, report->limits.warning, report->limits.critical);
}

/* Would the pair be pushed? */
static void look_at_pair(struct report *report, const struct push_conf *conf)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome =
		lineage_read_pair(conf, report->lineage, report->now, &chain, &key, &bundle);

	if (outcome_failed(outcome))
		report_failure(report, "pair", outcome);
	else
		report_add(report, "pair", VERDICT_OK, "chain and key (%s) are in order",
			   bundle_key_type(bundle));
}

static void look_at_source(struct report *report, const struct push_conf *conf,
			   const struct command_options *options, struct lineage *lineage)
{
	enum outcome outcome = lineage_find(conf, report->now, lineage);

	if (outcome_failed(outcome)) {
		report_failure(report, "lineage", outcome);
		report_skip(report, "pair", "no lineage");
		report_skip(report, "days left", "no lineage");
		return;
	}
	report->lineage = lineage->name;
	report->bundle = lineage->bundle;
	if (lineage->skipped[0])
		report_add(report, "lineage", VERDICT_WARNING,
			   "%s was chosen without a look at another%s", lineage->name,
			   lineage->skipped);
	else
		report_add(report, "lineage", VERDICT_OK, "%s: %s", lineage->name,
			   bundle_names(lineage->bundle));
	look_at_pair(report, conf);
	look_at_age(report, options);
}

/* --- the way to the mail host --- */

static const char *const stage_names[] = {
	[REMOTE_SETTINGS] = "settings", [REMOTE_CONNECT] = "sshd", [REMOTE_HOST_KEY] = "host key",
	[REMOTE_LOGIN] = "login",       [REMOTE_SFTP] = "sftp",    [REMOTE_READY] = "staging",
};

static void look_at_staging(struct report *report, const struct push_conf *conf,
			    struct remote *remote)
{
	bool removed;
	enum outcome outcome = remote_probe(remote, &removed);

	if (outcome_failed(outcome))
		report_failure(report, stage_names[REMOTE_READY], outcome);
	else
		report_add(report, stage_names[REMOTE_READY], VERDICT_OK,
			   "an empty directory was made, renamed and %s in %s",
			   removed ? "removed" : "left to certdeploy to remove", conf->staging);
}

static void add_passed(struct report *report, const struct push_conf *conf, enum remote_stage stage)
{
	const char *name = stage_names[stage];

	switch (stage) {
	case REMOTE_SETTINGS:
		report_add(report, name, VERDICT_OK, "%s can be used", conf->identity);
		break;
	case REMOTE_CONNECT:
		report_add(report, name, VERDICT_OK, "%s port %d answers", conf->host, conf->port);
		break;
	case REMOTE_HOST_KEY:
		report_add(report, name, VERDICT_OK, "is the known one");
		break;
	case REMOTE_LOGIN:
		report_add(report, name, VERDICT_OK, "as %s", conf->user);
		break;
	case REMOTE_SFTP:
	case REMOTE_READY:
		report_add(report, name, VERDICT_OK, "is started");
	}
}

static void look_at_way(struct report *report, const struct push_conf *conf)
{
	_cleanup_(remote_closep) struct remote *remote = NULL;
	enum remote_stage reached = REMOTE_SETTINGS, stage;
	enum outcome outcome = remote_open(conf, deadline_in(conf->run_timeout), &reached, &remote);

	for (stage = REMOTE_SETTINGS; stage < reached; stage++)
		add_passed(report, conf, stage);
	if (remote) {
		look_at_staging(report, conf, remote);
		return;
	}
	report_failure(report, stage_names[reached], outcome);
	for (stage = reached + 1; stage <= REMOTE_READY; stage++)
		report_skip(report, stage_names[stage], "not reached");
}

/* --- the other end --- */

/*
 * Another certificate is served: is a rotation under way, or has it got stuck? ${last_push} is when
 * any certificate was pushed.
 */
static void judge_other(struct report *report, const struct push_conf *conf,
			const struct served *served, time_t last_push)
{
	const time_t issued = bundle_not_before(report->bundle), now = report->now;
	const bool pushed = report->pushed;
	const bool stuck = pushed ? served_is_due(conf, report->pushed, now)
				  : !last_push || now - issued >= PUSH_WITHIN_SECONDS;
	char span[TEXT_SPAN_LEN + 1];

	text_span(span, now - (pushed ? report->pushed : issued));
	report_add(report, "served", stuck ? VERDICT_CRITICAL : VERDICT_WARNING,
		   "%s%s %s ago%s, %s serves %s%s",
		   stuck ? "" : "rotation under way: ", pushed ? "pushed" : "issued", span,
		   pushed ? "" : " and not pushed", served->endpoint, served->fingerprint,
		   served->to);
	if (stuck)
		report_advise(report, pushed ? outcome_text(OUTCOME_NOT_PROPAGATED)->advice
					     : "Run certpush, and see that its timer is active.");
}

static void look_at_served(struct report *report, const struct push_conf *conf,
			   struct served *served, time_t last_push)
{
	const char *fingerprint = bundle_fingerprint(report->bundle);
	enum outcome outcome = served_ask(conf, fingerprint, served);

	if (outcome_failed(outcome)) {
		report_failure(report, "served", outcome);
		return;
	}
	report->endpoint = served->endpoint;
	switch (served->state) {
	case SERVED_SAME:
		report->served = fingerprint;
		report_add(report, "served", VERDICT_OK, "%s serves it", served->endpoint);
		break;
	case SERVED_OTHER:
		report->served = served->fingerprint;
		judge_other(report, conf, served, last_push);
		break;
	case SERVED_UNKNOWN:
		report_skip(report, "served", "%s cannot be asked: %s", served->endpoint,
			    served->reason);
	}
}

/* --- all together --- */

static void look(struct report *report, const struct push_conf *conf,
		 const struct command_options *options, struct lineage *lineage,
		 struct served *served)
{
	_cleanup_(fd_closep) int state = -1;
	enum outcome outcome;

	report->hostname = conf->hostname;
	look_at_source(report, conf, options, lineage);
	look_at_way(report, conf);
	outcome = state_look(conf->state_dir, &state);
	if (outcome_failed(outcome)) {
		report_failure(report, "state", outcome);
		return;
	}
	if (report->bundle && last_fp_is(state, bundle_fingerprint(report->bundle)))
		report->pushed = last_fp_when(state);
	if (!conf->verify)
		report_skip(report, "served", "not asked: verify = off");
	else if (!report->bundle)
		report_skip(report, "served", "no lineage");
	else
		look_at_served(report, conf, served, last_fp_when(state));
}

int check_run(const struct command_options *options)
{
	_cleanup_(push_conf_clear) struct push_conf conf = { 0 };
	_cleanup_(lineage_clear) struct lineage lineage = { .bundle = NULL };
	struct served served;
	struct report report = { .now = time(NULL) };
	enum outcome outcome = push_conf_load(options->conf, &conf);
	bool printed;

	if (outcome_failed(outcome)) {
		verdict_note(&report.verdict, VERDICT_UNKNOWN, "%s", outcome_reason(outcome));
		journal_outcome(outcome);
	} else {
		interrupt_catch();
		look(&report, &conf, options, &lineage, &served);
		interrupt_raise();
	}
	printed =
		options->json ? report_print_json(&report, stdout) : report_print(&report, stdout);
	return printed ? (int)report.verdict.level : VERDICT_UNKNOWN;
}

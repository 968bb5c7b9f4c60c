#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/findings.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/state.h"
#include "certsync/text.h"
#include "check.h"
#include "delivery.h"
#include "last_fp.h"
#include "lineage.h"
#include "push_conf.h"
#include "remote.h"
#include "served.h"

#define PROGRAM_WORD "CERTPUSH"
#define SUMMARY_MAX  1024
/*
 * A new certificate is pushed by the timer, twice a day: only one that is older than this has
 * missed its turn.
 */
#define PUSH_WITHIN_SECONDS ((time_t)24 * 60 * 60)

/* What all parts work on. */
struct check {
	struct push_conf conf;
	time_t now;
	struct findings findings;
	struct lineage lineage; /* its bundle is NULL: none was found */
	struct verdict_limits limits;
	time_t pushed;    /* when the lineage's certificate was pushed; 0: it was not */
	time_t last_push; /* when any was; 0: none was */
	bool asked;       /* was the mail host asked what it serves? */
	struct served served;
};

/* --- the source --- */

static double days_left(const struct check *check)
{
	return findings_days(bundle_not_after(check->lineage.bundle), check->now);
}

static void look_at_age(struct check *check, const struct command_options *options)
{
	const struct bundle *bundle = check->lineage.bundle;
	char not_after[TEXT_TIME_LEN + 1];

	check->limits =
		verdict_limits(options, bundle_not_before(bundle), bundle_not_after(bundle));
	text_time(not_after, bundle_not_after(bundle));
	findings_add(&check->findings, "days left",
		     verdict_of_age(&check->limits, bundle_not_after(bundle), check->now),
		     "%.1f until %s; warning below %.1f, critical below %.1f", days_left(check),
		     not_after, check->limits.warning, check->limits.critical);
}

/* Would the pair be pushed? */
static void look_at_pair(struct check *check)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome = lineage_read_pair(&check->conf, check->lineage.name, check->now,
						 &chain, &key, &bundle);

	if (outcome_failed(outcome))
		findings_fail(&check->findings, "pair", outcome);
	else
		findings_add(&check->findings, "pair", VERDICT_OK,
			     "chain and key (%s) are in order", bundle_key_type(bundle));
}

static void look_at_source(struct check *check, const struct command_options *options)
{
	struct lineage *lineage = &check->lineage;
	enum outcome outcome = lineage_find(&check->conf, check->now, lineage);

	if (outcome_failed(outcome)) {
		/* A pinned one that will not do is found all the same. */
		lineage_clear(lineage);
		findings_fail(&check->findings, "lineage", outcome);
		findings_skip(&check->findings, "pair", "no lineage");
		findings_skip(&check->findings, "days left", "no lineage");
		return;
	}
	if (lineage->skipped[0])
		findings_add(&check->findings, "lineage", VERDICT_WARNING,
			     "%s was chosen without a look at another%s", lineage->name,
			     lineage->skipped);
	else
		findings_add(&check->findings, "lineage", VERDICT_OK, "%s: %s", lineage->name,
			     bundle_names(lineage->bundle));
	look_at_pair(check);
	look_at_age(check, options);
}

/* --- the way to the mail host --- */

static const char *const stage_names[] = {
	[REMOTE_SETTINGS] = "settings", [REMOTE_CONNECT] = "sshd", [REMOTE_HOST_KEY] = "host key",
	[REMOTE_LOGIN] = "login",       [REMOTE_SFTP] = "sftp",    [REMOTE_READY] = "staging",
};

static void add_passed(struct check *check, enum remote_stage stage)
{
	const struct push_conf *conf = &check->conf;
	struct findings *findings = &check->findings;
	const char *name = stage_names[stage];

	switch (stage) {
	case REMOTE_SETTINGS:
		findings_add(findings, name, VERDICT_OK, "%s can be used", conf->identity);
		break;
	case REMOTE_CONNECT:
		findings_add(findings, name, VERDICT_OK, "%s port %d answers", conf->host,
			     conf->port);
		break;
	case REMOTE_HOST_KEY:
		findings_add(findings, name, VERDICT_OK, "is the known one");
		break;
	case REMOTE_LOGIN:
		findings_add(findings, name, VERDICT_OK, "as %s", conf->user);
		break;
	case REMOTE_SFTP:
	case REMOTE_READY:
		findings_add(findings, name, VERDICT_OK, "is started");
	}
}

static void look_at_way(struct check *check)
{
	enum remote_stage reached = REMOTE_SETTINGS, stage;
	bool removed = false;
	enum outcome outcome = delivery_probe(&check->conf, &reached, &removed);

	for (stage = REMOTE_SETTINGS; stage < reached; stage++)
		add_passed(check, stage);
	if (!outcome_failed(outcome)) {
		findings_add(&check->findings, stage_names[REMOTE_READY], VERDICT_OK,
			     "an empty directory was made, renamed and %s in %s",
			     removed ? "removed" : "left to certdeploy to remove",
			     check->conf.staging);
		return;
	}
	findings_fail(&check->findings, stage_names[reached], outcome);
	for (stage = reached + 1; stage <= REMOTE_READY; stage++)
		findings_skip(&check->findings, stage_names[stage], "not reached");
}

/* --- the other end --- */

/* Another certificate is served: is a rotation under way, or has it got stuck? */
static void judge_other(struct check *check)
{
	const struct served *served = &check->served;
	const time_t issued = bundle_not_before(check->lineage.bundle), now = check->now;
	const bool pushed = check->pushed;
	const bool stuck = pushed ? served_is_due(&check->conf, check->pushed, now)
				  : !check->last_push || now - issued >= PUSH_WITHIN_SECONDS;
	char span[TEXT_SPAN_LEN + 1];

	text_span(span, now - (pushed ? check->pushed : issued));
	findings_add(&check->findings, "served", stuck ? VERDICT_CRITICAL : VERDICT_WARNING,
		     "%s%s %s ago%s, %s serves %s%s",
		     stuck ? "" : "rotation under way: ", pushed ? "pushed" : "issued", span,
		     pushed ? "" : " and not pushed", served->endpoint, served->fingerprint,
		     served->to);
	if (stuck)
		findings_advise(&check->findings,
				pushed ? outcome_text(OUTCOME_NOT_PROPAGATED)->advice
				       : "Run certpush, and see that its timer is active.");
}

static void judge_served(struct check *check)
{
	const struct served *served = &check->served;

	switch (served->state) {
	case SERVED_SAME:
		findings_add(&check->findings, "served", VERDICT_OK, "%s serves it",
			     served->endpoint);
		break;
	case SERVED_OTHER:
		judge_other(check);
		break;
	case SERVED_UNKNOWN:
		findings_skip(&check->findings, "served", "%s cannot be asked: %s",
			      served->endpoint, served->reason);
	}
}

/* Where a record pins the key that is served, one for the new key has to come first (RFC 7671 8.1).
 */
static void judge_key(struct check *check)
{
	const char *spki = bundle_spki(check->lineage.bundle);

	if (check->served.state != SERVED_OTHER || !strcmp(check->served.spki, spki))
		return;
	findings_add(&check->findings, "key", VERDICT_WARNING,
		     "the lineage has another key than the one that is served: its TLSA record is "
		     "'3 1 1 %s'",
		     spki);
	findings_advise(&check->findings,
			"If TLSA records are published for the mail host, publish this one beside "
			"the old one: the certificate is not deployed without it.");
}

static enum outcome read_state(struct check *check)
{
	_cleanup_(fd_closep) int state = -1;
	enum outcome outcome = state_look(check->conf.state_dir, &state);

	check->last_push = last_fp_when(state);
	if (last_fp_is(state, bundle_fingerprint(check->lineage.bundle)))
		check->pushed = check->last_push;
	return outcome;
}

static void look_at_served(struct check *check)
{
	enum outcome outcome;

	if (!check->lineage.bundle) {
		findings_skip(&check->findings, "served", "no lineage");
		return;
	}
	outcome = read_state(check);
	if (!check->conf.verify) {
		findings_skip(&check->findings, "served", "not asked: verify = off");
		return;
	}
	if (!outcome_failed(outcome))
		outcome = served_ask(&check->conf, bundle_fingerprint(check->lineage.bundle),
				     &check->served);
	check->asked = !outcome_failed(outcome);
	if (check->asked) {
		judge_served(check);
		judge_key(check);
	} else {
		findings_fail(&check->findings, "served", outcome);
	}
}

/* --- all together --- */

/* The fingerprint of what is served; NULL: not known. */
static const char *served_fingerprint(const struct check *check)
{
	if (!check->asked || check->served.state == SERVED_UNKNOWN)
		return NULL;
	return check->served.state == SERVED_OTHER ? check->served.fingerprint
						   : bundle_fingerprint(check->lineage.bundle);
}

static void summarize(const struct check *check, char *to, size_t size)
{
	const bool served = check->asked && check->served.state == SERVED_SAME;

	to[0] = '\0';
	if (check->lineage.bundle)
		snprintf(to, size, "%s: %.1f days left%s%s", check->lineage.name, days_left(check),
			 served ? ", served by " : "", served ? check->served.endpoint : "");
}

/* The less there is left the worse: the plugins' range for that is "LIMIT:". */
static void write_perfdata(const struct check *check, char *to, size_t size)
{
	to[0] = '\0';
	if (check->lineage.bundle)
		snprintf(to, size, "days_left=%.1f;%.1f:;%.1f:", days_left(check),
			 check->limits.warning, check->limits.critical);
}

static json_t *time_string(time_t when)
{
	char text[TEXT_TIME_LEN + 1];

	text_time(text, when);
	return json_string(text);
}

static json_t *certificate_object(const struct check *check)
{
	const struct bundle *bundle = check->lineage.bundle;

	return json_pack("{s:s, s:s, s:o, s:o, s:f, s:f, s:f}", "lineage", check->lineage.name,
			 "sha256", bundle_fingerprint(bundle), "not_before",
			 time_string(bundle_not_before(bundle)), "not_after",
			 time_string(bundle_not_after(bundle)), "days_left", days_left(check),
			 "warning", check->limits.warning, "critical", check->limits.critical);
}

static bool print_json(const struct check *check, const char *summary)
{
	json_t *object = findings_json(&check->findings, summary);

	if (check->conf.hostname)
		json_object_set_new(object, "hostname", json_string(check->conf.hostname));
	if (check->lineage.bundle)
		json_object_set_new(object, "certificate", certificate_object(check));
	if (check->pushed)
		json_object_set_new(object, "pushed", time_string(check->pushed));
	if (check->asked)
		json_object_set_new(object, "endpoint", json_string(check->served.endpoint));
	if (served_fingerprint(check))
		json_object_set_new(object, "served_sha256",
				    json_string(served_fingerprint(check)));
	return findings_print_json(object, stdout);
}

static void look(struct check *check, const struct command_options *options)
{
	enum outcome outcome = push_conf_load(options->conf, &check->conf);

	if (outcome_failed(outcome)) {
		verdict_note(&check->findings.verdict, VERDICT_UNKNOWN, "%s",
			     outcome_reason(outcome));
		journal_outcome(outcome);
		return;
	}
	interrupt_catch();
	look_at_source(check, options);
	look_at_way(check);
	look_at_served(check);
	interrupt_raise();
}

static void check_freep(struct check **check)
{
	if (*check) {
		lineage_clear(&(*check)->lineage);
		push_conf_clear(&(*check)->conf);
	}
	free(*check);
	*check = NULL;
}

static void write_metrics(const struct check *check, const struct command_options *options)
{
	struct metrics metrics = { .target = check->conf.target };

	lineage_note(&check->lineage, &metrics);
	if (check->asked)
		served_note(&check->served, &metrics);
	metrics_write_check(command_metrics(options, check->conf.metrics), "certpush", &metrics,
			    check->findings.verdict.level);
}

int check_run(const struct command_options *options)
{
	_cleanup_(check_freep) struct check *check = calloc(1, sizeof(*check));
	char summary[SUMMARY_MAX], perfdata[SUMMARY_MAX];
	bool printed;

	if (!check) {
		journal_outcome(OUTCOME_NO_MEMORY);
		return VERDICT_UNKNOWN;
	}
	check->now = time(NULL);
	look(check, options);
	summarize(check, summary, sizeof(summary));
	write_perfdata(check, perfdata, sizeof(perfdata));
	printed = options->json ? print_json(check, summary)
				: findings_print(&check->findings, PROGRAM_WORD, summary, perfdata,
						 stdout);
	write_metrics(check, options);
	return printed ? (int)check->findings.verdict.level : VERDICT_UNKNOWN;
}

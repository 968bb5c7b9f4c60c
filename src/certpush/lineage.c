#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/generation.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/text.h"
#include "handover.h"
#include "lineage.h"
#include "swap.h"

/* certbot is done with its four links in an instant; this is for a host under load. */
#define SWAP_WAIT_MS 5000
#define SWAP_POLL_MS 50

void lineage_clear(struct lineage *lineage)
{
	bundle_freep(&lineage->bundle);
}

static enum outcome open_live_dir(const struct push_conf *conf, int *live)
{
	enum outcome outcome = file_open_directory(conf->live_dir, live);

	if (outcome == OUTCOME_FILE_MISSING)
		return outcome_because(OUTCOME_NO_LINEAGE, "live_dir: %s", outcome_reason(outcome));
	return outcome;
}

static enum outcome read_part(int live, const char *name, const char *file, struct bytes *bytes)
{
	char path[LINEAGE_NAME_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", name, file);
	return file_read(live, path, FILE_OWN, BUNDLE_BYTES_MAX, bytes);
}

/* Leaves ${bundle} NULL where the lineage cannot cover ${host}; NULL: any will do. */
static enum outcome read_leaf(int live, const char *name, const char *host, struct bundle **bundle)
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE;
	enum outcome outcome = read_part(live, name, GENERATION_CHAIN, &chain);

	if (outcome_failed(outcome))
		return outcome;
	if (host && !bundle_may_cover(&chain, host))
		return OUTCOME_OK;
	outcome = bundle_load_leaf(&chain, bundle);
	return outcome_in(outcome, "%s/%s", name, GENERATION_CHAIN);
}

/* Was the lineage's directory changed a moment ago, as a renewal does? */
static bool changed_recently(int live, const char *name)
{
	struct stat status;

	return fstatat(live, name, &status, 0) == 0 &&
	       time(NULL) - status.st_mtime < SWAP_RECENT_SECONDS;
}

/* Read the leaf of ${name}; while its links are being exchanged, wait, until ${end} at the most. */
static enum outcome await_leaf(int live, const char *name, const char *host, deadline end,
			       struct bundle **bundle)
{
	bool told = false;

	for (;;) {
		/* Asked first: what is read after an exchange is what it led to. */
		bool swapping = swap_is_under_way(live, name);
		enum outcome outcome = read_leaf(live, name, host, bundle);

		if (outcome == OUTCOME_FILE_MISSING && changed_recently(live, name))
			swapping = true;
		if (!swapping || !deadline_left(end))
			return outcome;
		if (!told)
			journal_detail("lineage %s is being renewed", name);
		told = true;
		deadline_pause(end, SWAP_POLL_MS);
		bundle_freep(bundle);
	}
}

static bool is_lineage(int live, const struct dirent *entry)
{
	struct stat status;

	return entry->d_name[0] != '.' && fstatat(live, entry->d_name, &status, 0) == 0 &&
	       S_ISDIR(status.st_mode);
}

enum outcome lineage_each(const struct push_conf *conf, const char *host, lineage_fn *each,
			  void *context)
{
	_cleanup_(dir_closep) DIR *directory = NULL;
	deadline end = deadline_in(SWAP_WAIT_MS);
	struct dirent *entry;
	enum outcome outcome;
	int live;

	outcome = open_live_dir(conf, &live);
	if (outcome_failed(outcome))
		return outcome;
	directory = fdopendir(live);
	if (!directory) {
		close(live);
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", conf->live_dir);
	}
	while ((entry = file_next_entry(directory))) {
		_cleanup_(lineage_clear) struct lineage lineage = { .bundle = NULL };

		if (!is_lineage(live, entry))
			continue;
		snprintf(lineage.name, sizeof(lineage.name), "%s", entry->d_name);
		outcome = await_leaf(live, lineage.name, host, end, &lineage.bundle);
		if (lineage.bundle || outcome_failed(outcome))
			each(&lineage, outcome, context);
	}
	/* The one that was not seen may be the one to push. */
	return errno ? outcome_because(OUTCOME_FILE_IO, "%s: cannot list: %s", conf->live_dir,
				       strerror(errno))
		     : OUTCOME_OK;
}

/* --- choosing --- */

struct choice {
	const char *hostname;
	time_t now;
	struct lineage *best;
	enum outcome invalid; /* one covers the host, but not now; OK: none does */
	char invalid_reason[512];
	char unreadable[LINEAGE_SKIPPED_MAX]; /* why one cannot be judged at all */
};

static void consider(struct lineage *lineage, enum outcome outcome, void *context)
{
	struct choice *choice = context;

	if (outcome_failed(outcome)) {
		journal_detail("%s", outcome_reason(outcome));
		snprintf(choice->unreadable, sizeof(choice->unreadable), "; %s",
			 outcome_reason(outcome));
		return;
	}
	if (outcome_failed(bundle_check_host(lineage->bundle, choice->hostname)))
		return;
	outcome = bundle_check_validity(lineage->bundle, choice->now);
	if (outcome_failed(outcome)) {
		choice->invalid = outcome;
		snprintf(choice->invalid_reason, sizeof(choice->invalid_reason), "lineage %s: %s",
			 lineage->name, outcome_reason(outcome));
		return;
	}
	if (choice->best->bundle && !bundle_older(choice->best->bundle, lineage->bundle))
		return;
	lineage_clear(choice->best);
	*choice->best = *lineage;
	lineage->bundle = NULL;
}

static enum outcome choose(const struct push_conf *conf, time_t now, struct lineage *best)
{
	struct choice choice = { .hostname = conf->hostname, .now = now, .best = best };
	enum outcome outcome = lineage_each(conf, conf->hostname, consider, &choice);

	memcpy(best->skipped, choice.unreadable, sizeof(best->skipped));
	if (outcome_failed(outcome) || best->bundle)
		return outcome;
	if (outcome_failed(choice.invalid))
		return outcome_because(choice.invalid, "%s", choice.invalid_reason);
	return outcome_because(OUTCOME_NO_LINEAGE, "%s: no lineage covers %s%s", conf->live_dir,
			       conf->hostname, choice.unreadable);
}

/* The pinned lineage does not serve: say so, and which one would. */
static enum outcome pinned_wrong(const struct push_conf *conf, time_t now)
{
	_cleanup_(lineage_clear) struct lineage other = { .bundle = NULL };
	char reason[512];

	snprintf(reason, sizeof(reason), "%s", outcome_reason(OUTCOME_LINEAGE_WRONG));
	if (outcome_failed(choose(conf, now, &other)))
		return outcome_because(OUTCOME_LINEAGE_WRONG, "%s; no other lineage covers %s",
				       reason, conf->hostname);
	return outcome_because(OUTCOME_LINEAGE_WRONG, "%s; %s would do", reason, other.name);
}

static enum outcome find_pinned(const struct push_conf *conf, time_t now, struct lineage *found)
{
	_cleanup_(fd_closep) int live = -1;
	enum outcome outcome = open_live_dir(conf, &live);

	if (outcome_failed(outcome))
		return outcome;
	snprintf(found->name, sizeof(found->name), "%s", conf->lineage);
	outcome = await_leaf(live, found->name, NULL, deadline_in(SWAP_WAIT_MS), &found->bundle);
	if (outcome == OUTCOME_FILE_MISSING && faccessat(live, found->name, F_OK, 0) < 0) {
		outcome_because(OUTCOME_LINEAGE_WRONG, "there is no lineage %s in %s",
				conf->lineage, conf->live_dir);
		return pinned_wrong(conf, now);
	}
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", conf->live_dir);
	if (outcome_failed(bundle_check_host(found->bundle, conf->hostname))) {
		outcome_because(OUTCOME_LINEAGE_WRONG, "lineage %s: %s", conf->lineage,
				outcome_reason(OUTCOME_CERT_WRONG_HOST));
		return pinned_wrong(conf, now);
	}
	return outcome_in(bundle_check_validity(found->bundle, now), "lineage %s", conf->lineage);
}

/* The lineage that was found before us, and handed over. */
static enum outcome find_handed(struct lineage *found)
{
	_cleanup_(bytes_clear) struct bytes name = BYTES_NONE, chain = BYTES_NONE;
	enum outcome outcome = handover_take(HANDOVER_LINEAGE, &name);

	if (!outcome_failed(outcome))
		outcome = handover_take(HANDOVER_CHAIN, &chain);
	if (outcome_failed(outcome))
		return outcome;
	snprintf(found->name, sizeof(found->name), "%s", name.data);
	return outcome_in(bundle_load_leaf(&chain, &found->bundle), "lineage %s", found->name);
}

enum outcome lineage_find(const struct push_conf *conf, time_t now, struct lineage *found)
{
	*found = (struct lineage){ .bundle = NULL };
	if (handover_file(HANDOVER_LINEAGE) >= 0)
		return find_handed(found);
	return conf->lineage[0] ? find_pinned(conf, now, found) : choose(conf, now, found);
}

void lineage_describe(const struct lineage *lineage, const char *hostname)
{
	char not_after[TEXT_TIME_LEN + 1];

	text_time(not_after, bundle_not_after(lineage->bundle));
	journal_field("CERTSYNC_HOST", hostname);
	journal_field("CERTSYNC_LINEAGE", lineage->name);
	journal_field("CERTSYNC_FINGERPRINT", bundle_fingerprint(lineage->bundle));
	journal_field("CERTSYNC_NOT_AFTER", not_after);
	journal_detail("lineage %s: %s, %s, valid until %s", lineage->name,
		       bundle_names(lineage->bundle), bundle_key_type(lineage->bundle), not_after);
	if (lineage->skipped[0])
		journal_log(OUTCOME_LINEAGE_SKIPPED,
			    "lineage %s was chosen without a look at another%s", lineage->name,
			    lineage->skipped);
}

void lineage_note(const struct lineage *lineage, struct metrics *metrics)
{
	const struct bundle *bundle = lineage->bundle;

	if (bundle)
		metrics_certificate(metrics, bundle_fingerprint(bundle), bundle_not_before(bundle),
				    bundle_not_after(bundle));
}

/* --- the pair --- */

static enum outcome judge_pair(const struct push_conf *conf, const char *name, time_t now,
			       const struct bytes *chain, const struct bytes *key,
			       struct bundle **bundle)
{
	enum outcome outcome = bundle_load(chain, key, bundle);

	if (!outcome_failed(outcome))
		outcome = bundle_check(*bundle, conf->hostname, now);
	if (*bundle)
		bundle_forget_key(*bundle);
	return outcome_in(outcome, "lineage %s", name);
}

static enum outcome read_pair(int live, const struct push_conf *conf, const char *name, time_t now,
			      struct bytes *chain, struct bytes *key, struct bundle **bundle)
{
	enum outcome outcome = read_part(live, name, GENERATION_CHAIN, chain);

	if (!outcome_failed(outcome))
		outcome = read_part(live, name, GENERATION_KEY, key);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", conf->live_dir);
	return judge_pair(conf, name, now, chain, key, bundle);
}

static enum outcome take_pair(const struct push_conf *conf, const char *name, time_t now,
			      struct bytes *chain, struct bytes *key, struct bundle **bundle)
{
	enum outcome outcome = handover_take(HANDOVER_CHAIN, chain);

	if (!outcome_failed(outcome))
		outcome = handover_take(HANDOVER_KEY, key);
	return outcome_failed(outcome) ? outcome : judge_pair(conf, name, now, chain, key, bundle);
}

static bool may_be_half_renewed(enum outcome outcome)
{
	return outcome == OUTCOME_FILE_MISSING || outcome == OUTCOME_KEY_MISMATCH ||
	       outcome == OUTCOME_CERT_UNREADABLE || outcome == OUTCOME_KEY_UNREADABLE;
}

enum outcome lineage_read_pair(const struct push_conf *conf, const char *name, time_t now,
			       struct bytes *chain, struct bytes *key, struct bundle **bundle)
{
	_cleanup_(fd_closep) int live = -1;
	deadline end = deadline_in(SWAP_WAIT_MS);
	enum outcome outcome;
	bool told = false;

	if (handover_file(HANDOVER_LINEAGE) >= 0)
		return take_pair(conf, name, now, chain, key, bundle);
	outcome = open_live_dir(conf, &live);
	if (outcome_failed(outcome))
		return outcome;
	for (;;) {
		outcome = read_pair(live, conf, name, now, chain, key, bundle);
		if (!may_be_half_renewed(outcome))
			return outcome;
		if (interrupt_pending())
			return outcome_because(OUTCOME_INTERRUPTED,
					       "interrupted while waiting for the renewal of %s",
					       name);
		if (!told)
			journal_detail("%s; reading again, it may be renewed just now",
				       outcome_reason(outcome));
		told = true;
		if (!deadline_pause(end, SWAP_POLL_MS))
			return outcome;
		bundle_freep(bundle);
		bytes_clear(chain);
		bytes_clear(key);
	}
}

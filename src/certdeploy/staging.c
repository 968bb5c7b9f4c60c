#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/journal.h"
#include "rejected.h"
#include "staging.h"

/* An upload that was not finished within this time never will be. */
#define PART_STALE_SECONDS (60L * 60)
/* rsync and scp write one file of the flat pair after the other. */
#define COPY_WAIT_MS        5000
#define COPY_POLL_MS        100
#define COPY_RECENT_SECONDS 10

/* --- judging --- */

/*
 * Going from a self-signed certificate, as mailcow makes one when it is set up, to one of a CA is
 * never a step back.
 */
static enum outcome check_not_older(const struct staging_rules *rules,
				    const struct judgement *judged)
{
	const struct judgement *installed = &rules->installed->judged;

	/* One that is not good for the host is no standard; its key may be damaged all the same. */
	if (!installed->fingerprint[0] || !(installed->is & JUDGED_STANDARD))
		return OUTCOME_OK;
	if (installed->is & JUDGED_SELF_ISSUED && !(judged->is & JUDGED_SELF_ISSUED))
		return OUTCOME_OK;
	if (judged->not_before < installed->not_before)
		return outcome_because(OUTCOME_CERT_OLDER,
				       "the certificate %s was issued before the installed one",
				       judged->fingerprint);
	return OUTCOME_OK;
}

static enum outcome check_not_rejected(const struct staging_rules *rules, const struct pair *pair)
{
	struct record record;
	enum outcome outcome = rejected_find(rules->rejected_in, pair, &record);

	if (outcome_failed(outcome))
		return outcome_in(outcome, "the state directory");
	if (record_is_empty(&record))
		return OUTCOME_OK;
	return outcome_because(OUTCOME_ROLLED_BACK,
			       "%s was rolled back before, as the services could not serve it: %s",
			       pair->judged.fingerprint, record.note);
}

/* What is installed was judged already; but not whether its chain ends in one of the roots. */
static enum outcome judge_bytes(const struct staging_rules *rules, struct pair *pair)
{
	const struct judge_rules by = {
		.hostname = rules->hostname,
		.now = rules->now,
		.roots = rules->roots,
	};

	if ((rules->roots && rules->roots->len) || !pair_is_whole(rules->installed) ||
	    !pair_equal(pair, rules->installed))
		return pair_judge(pair, &by);
	pair->judged = rules->installed->judged;
	return OUTCOME_OK;
}

/* Read the pair in directory ${dir} and judge it. */
static enum outcome judge(int dir, const struct staging_rules *rules, struct pair *pair)
{
	enum outcome outcome;

	outcome = file_read(dir, GENERATION_CHAIN, FILE_STAGED, BUNDLE_BYTES_MAX, &pair->chain);
	if (!outcome_failed(outcome))
		outcome = file_read(dir, GENERATION_KEY, FILE_STAGED, BUNDLE_BYTES_MAX, &pair->key);
	if (!outcome_failed(outcome))
		outcome = judge_bytes(rules, pair);
	if (!outcome_failed(outcome))
		outcome = judge_outcome(&pair->judged, pair->judged.good);
	if (!outcome_failed(outcome))
		outcome = check_not_older(rules, &pair->judged);
	if (!outcome_failed(outcome))
		outcome = check_not_rejected(rules, pair);
	if (outcome_failed(outcome))
		pair_clear(pair);
	return outcome;
}

static enum outcome judge_generation(int dir, const char *name, const struct staging_rules *rules,
				     struct pair *pair)
{
	_cleanup_(fd_closep) int fd =
		openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return outcome_because(OUTCOME_FILE_UNSAFE, "%s/%s: is not a directory of its own",
				       rules->dir, name);
	return outcome_in(judge(fd, rules, pair), "%s/%s", rules->dir, name);
}

/* ${changed}: when it did last, before it was judged; 0: there is none. */
static enum outcome judge_flat(int dir, const struct staging_rules *rules, struct pair *pair,
			       struct timespec *changed)
{
	deadline end = deadline_in(COPY_WAIT_MS);

	for (;;) {
		enum outcome outcome = arrivals_flat(dir, changed);

		if (outcome_failed(outcome) || !changed->tv_sec)
			return outcome_in(outcome, "%s", rules->dir);
		outcome = judge(dir, rules, pair);
		/* A good one came since: this was left over, as a flat pair always is. */
		if (outcome_failed(outcome) &&
		    arrivals_in_order(changed, &rules->installed_arrived)) {
			journal_detail("%s: a flat pair from before the installed one is ignored: "
				       "%s",
				       rules->dir, outcome_reason(outcome));
			return OUTCOME_OK;
		}
		if (!outcome_failed(outcome) ||
		    time(NULL) - changed->tv_sec > COPY_RECENT_SECONDS ||
		    !deadline_pause(end, COPY_POLL_MS))
			return outcome_in(outcome, "%s", rules->dir);
	}
}

/* --- choosing --- */

static void reject(struct staging *staging, enum outcome outcome, const char *name,
		   const struct timespec *arrived)
{
	if (outcome_failed(staging->rejected)) {
		journal_detail("%s", outcome_reason(outcome));
		return;
	}
	staging->rejected = outcome;
	snprintf(staging->reason, sizeof(staging->reason), "%s", outcome_reason(outcome));
	snprintf(staging->rejected_name, sizeof(staging->rejected_name), "%s", name);
	staging->rejected_arrived = *arrived;
}

/*
 * A good one came after it, whatever their names say: another host's clock made those. A flat pair
 * has no name and counts like a generation.
 */
static void forgive_superseded(struct staging *staging)
{
	if (!outcome_failed(staging->rejected) || !pair_is_whole(&staging->pair) ||
	    !arrivals_in_order(&staging->rejected_arrived, &staging->pair.arrived))
		return;
	journal_detail("superseded: %s", staging->reason);
	staging->rejected = OUTCOME_OK;
	staging->rejected_name[0] = '\0';
}

static bool is_older(const struct pair *one, const struct pair *other)
{
	return one->judged.not_before < other->judged.not_before;
}

/* The good one that was issued last; of two of the same moment the one with the later name. */
static void choose_generation(const struct staging_rules *rules, struct staging *staging)
{
	for (size_t i = 0; i < staging->arrivals.count; i++) {
		_cleanup_(pair_clear) struct pair pair = PAIR_NONE;
		const char *name = staging->arrivals.generations[i].name;
		const struct timespec arrived = staging->arrivals.generations[i].when;
		enum outcome outcome = judge_generation(staging->dir, name, rules, &pair);

		/* What is older than a good one is superseded, good or not, staged or installed. */
		if (outcome_failed(outcome) &&
		    arrivals_in_order(&arrived, &rules->installed_arrived))
			journal_detail("superseded: %s", outcome_reason(outcome));
		else if (outcome_failed(outcome) && !pair_is_whole(&staging->pair))
			reject(staging, outcome, name, &arrived);
		if (outcome_failed(outcome) ||
		    (pair_is_whole(&staging->pair) && !is_older(&staging->pair, &pair)))
			continue;
		pair_clear(&staging->pair);
		staging->pair = pair;
		staging->pair.arrived = arrived;
		pair = PAIR_NONE;
		memcpy(staging->name, name, sizeof(staging->name));
	}
}

static void consider_flat(const struct staging_rules *rules, struct staging *staging)
{
	_cleanup_(pair_clear) struct pair flat = PAIR_NONE;
	struct timespec changed = { 0 };
	enum outcome outcome = judge_flat(staging->dir, rules, &flat, &changed);

	staging->arrivals.flat = changed;

	if (outcome_failed(outcome)) {
		reject(staging, outcome, "", &changed);
		return;
	}
	if (!pair_is_whole(&flat) ||
	    (pair_is_whole(&staging->pair) && !is_older(&staging->pair, &flat)))
		return;
	pair_clear(&staging->pair);
	staging->pair = flat;
	staging->pair.arrived = changed;
	staging->name[0] = '\0';
	flat = PAIR_NONE;
}

static enum outcome cannot_open(const char *dir)
{
	const int error = errno;
	struct stat status;

	if (lstat(dir, &status) == 0 && S_ISLNK(status.st_mode))
		return outcome_because(OUTCOME_STAGING_MISSING, "%s: is a symbolic link", dir);
	return outcome_because(OUTCOME_STAGING_MISSING, "%s: %s", dir, strerror(error));
}

enum outcome staging_choose(const struct staging_rules *rules, struct staging *staging)
{
	enum outcome outcome;

	*staging = (struct staging){ .path = rules->dir, .rejected = OUTCOME_OK };
	staging->dir = open(rules->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (staging->dir < 0)
		return cannot_open(rules->dir);
	if (rules->patient)
		arrivals_await(staging->dir);
	outcome = arrivals_list(staging->dir, &staging->arrivals);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", rules->dir);
	/* What is not looked at now is not removed either. */
	if (staging->arrivals.found > ARRIVALS_MAX)
		journal_log(OUTCOME_STAGING_CROWDED,
			    "%s holds %zu generations; only the %d that arrived last are looked at",
			    staging->path, staging->arrivals.found, ARRIVALS_MAX);
	choose_generation(rules, staging);
	consider_flat(rules, staging);
	forgive_superseded(staging);
	return OUTCOME_OK;
}

/* --- tidying --- */

static bool is_stale_part(int dir, const char *name)
{
	struct stat status;

	return generation_is_part(name) && fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       labs(time(NULL) - status.st_ctim.tv_sec) > PART_STALE_SECONDS;
}

enum outcome staging_remove_stale(const struct staging *staging)
{
	_cleanup_(dir_closep) DIR *entries = file_list(staging->dir, ".");
	const int dir = staging->dir;
	enum outcome result = OUTCOME_OK;
	struct dirent *entry;

	if (!entries)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot list: %s", staging->path,
				       strerror(errno));
	while ((entry = file_next_entry(entries))) {
		enum outcome outcome =
			generation_is_spent(entry->d_name) || is_stale_part(dir, entry->d_name)
				? file_remove_tree(dir, entry->d_name)
				: OUTCOME_OK;

		if (outcome_failed(outcome))
			result = outcome;
	}
	if (errno && !outcome_failed(result))
		result = outcome_because(OUTCOME_FILE_WRITE, "cannot list: %s", strerror(errno));
	return outcome_in(result, "%s", staging->path);
}

/*
 * A generation is complete as long as it has its name: that goes first, so that a run which dies
 * meanwhile leaves no half of one behind.
 */
static enum outcome remove_generation(int dir, const char *name)
{
	char spent[GENERATION_NAME_LEN + sizeof("..spent")];

	snprintf(spent, sizeof(spent), ".%s.spent", name);
	/*
	 * Where that name is taken, or the generation is none at all, there is nothing to keep up.
	 */
	if (renameat2(dir, name, dir, spent, RENAME_NOREPLACE) < 0)
		return file_remove_tree(dir, name);
	return file_remove_tree(dir, spent);
}

enum outcome staging_tidy(const struct staging *staging)
{
	enum outcome result = OUTCOME_OK;

	for (size_t i = 0; i < staging->arrivals.count; i++) {
		const char *name = staging->arrivals.generations[i].name;
		enum outcome outcome = OUTCOME_OK;

		if (strcmp(name, staging->rejected_name) != 0)
			outcome = remove_generation(staging->dir, name);
		if (outcome_failed(outcome))
			result = outcome;
	}
	return outcome_in(result, "%s", staging->path);
}

void staging_clear(struct staging *staging)
{
	pair_clear(&staging->pair);
	arrivals_clear(&staging->arrivals);
	if (staging->dir >= 0)
		close(staging->dir);
	staging->dir = -1;
}

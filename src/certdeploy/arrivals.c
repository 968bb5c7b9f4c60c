#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "arrivals.h"
#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/file.h"
#include "certsync/journal.h"

/* An upload is two small files, and each begins to be written when the one before is done. */
#define UPLOAD_QUIET_SECONDS 10
#define UPLOAD_POLL_MS       100
/* Whoever keeps on touching one is not waited for. */
#define UPLOAD_WAIT_MS 20000
#define UPLOADS_MAX    8

bool arrivals_in_order(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec != other->tv_sec ? one->tv_sec < other->tv_sec
					    : one->tv_nsec < other->tv_nsec;
}

/* --- listing --- */

/* The one that arrived last first; of two of the same moment the one with the later name. */
static int newest_first(const void *one, const void *other)
{
	const struct arrival *a = one, *b = other;

	if (arrivals_in_order(&a->when, &b->when))
		return 1;
	return arrivals_in_order(&b->when, &a->when) ? -1 : strcmp(b->name, a->name);
}

static enum outcome append(int dir, const char *name, struct arrivals *arrivals, size_t *room)
{
	struct arrival *arrival;
	struct stat status;

	if (fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? OUTCOME_OK
				       : outcome_because(OUTCOME_FILE_IO, "%s: cannot stat: %s",
							 name, strerror(errno));
	if (!arrivals->generations || arrivals->found == *room) {
		*room = *room ? *room * 2 : 16;
		arrival = reallocarray(arrivals->generations, *room, sizeof(*arrival));
		if (!arrival)
			return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
		arrivals->generations = arrival;
	}
	arrival = &arrivals->generations[arrivals->found++];
	memcpy(arrival->name, name, sizeof(arrival->name));
	/* What a rename of the directory changes, and its owner cannot set back. */
	arrival->when = status.st_ctim;
	return OUTCOME_OK;
}

static enum outcome list_generations(int dir, struct arrivals *arrivals)
{
	_cleanup_(dir_closep) DIR *entries = file_list(dir, ".");
	struct dirent *entry;
	size_t room = 0;

	if (!entries)
		return outcome_because(OUTCOME_STAGING_MISSING, "cannot list: %s", strerror(errno));
	while ((entry = file_next_entry(entries))) {
		enum outcome outcome = OUTCOME_OK;

		if (generation_is_name(entry->d_name))
			outcome = append(dir, entry->d_name, arrivals, &room);
		if (outcome_failed(outcome))
			return outcome;
	}
	if (errno)
		return outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	if (arrivals->found)
		qsort(arrivals->generations, arrivals->found, sizeof(*arrivals->generations),
		      newest_first);
	arrivals->count = arrivals->found < ARRIVALS_MAX ? arrivals->found : ARRIVALS_MAX;
	return OUTCOME_OK;
}

enum outcome arrivals_flat(int dir, struct timespec *when)
{
	static const char *const names[] = { GENERATION_CHAIN, GENERATION_KEY };

	*when = (struct timespec){ 0 };
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct stat status;

		if (fstatat(dir, names[i], &status, AT_SYMLINK_NOFOLLOW) == 0) {
			if (arrivals_in_order(when, &status.st_ctim))
				*when = status.st_ctim;
		} else if (errno != ENOENT)
			return outcome_because(OUTCOME_FILE_IO, "%s: cannot stat: %s", names[i],
					       strerror(errno));
	}
	return OUTCOME_OK;
}

enum outcome arrivals_list(int dir, struct arrivals *arrivals)
{
	enum outcome outcome;

	*arrivals = (struct arrivals){ .generations = NULL };
	outcome = list_generations(dir, arrivals);
	return outcome_failed(outcome) ? outcome : arrivals_flat(dir, &arrivals->flat);
}

void arrivals_clear(struct arrivals *arrivals)
{
	free(arrivals->generations);
	*arrivals = (struct arrivals){ .generations = NULL };
}

/* --- what is on its way --- */

static bool is_being_uploaded(int dir, const char *name)
{
	struct stat status;

	return generation_is_part(name) && fstatat(dir, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISDIR(status.st_mode) &&
	       labs(time(NULL) - status.st_ctim.tv_sec) <= UPLOAD_QUIET_SECONDS;
}

/* Any one of them: its ${name}, of the length that those have. */
static bool find_upload(int dir, char name[static GENERATION_PART_LEN + 1])
{
	_cleanup_(dir_closep) DIR *entries = file_list(dir, ".");
	struct dirent *entry;

	while (entries && (entry = file_next_entry(entries))) {
		if (!is_being_uploaded(dir, entry->d_name))
			continue;
		memcpy(name, entry->d_name, GENERATION_PART_LEN + 1);
		return true;
	}
	return false;
}

void arrivals_await(int dir)
{
	deadline end = deadline_in(UPLOAD_WAIT_MS);
	char name[GENERATION_PART_LEN + 1];

	for (int i = 0; i < UPLOADS_MAX && find_upload(dir, name); i++) {
		journal_detail("%s is being uploaded", name);
		while (is_being_uploaded(dir, name))
			if (!deadline_pause(end, UPLOAD_POLL_MS))
				return;
	}
}

static bool was_seen(const struct arrival *arrival, const struct arrivals *seen)
{
	/* What came before those that were looked at was passed over. */
	if (seen->count && arrivals_in_order(&arrival->when, &seen->generations[0].when))
		return true;
	for (size_t i = 0; i < seen->count; i++)
		if (newest_first(arrival, &seen->generations[i]) == 0)
			return true;
	return false;
}

bool arrivals_since(int dir, const struct arrivals *seen)
{
	_cleanup_(arrivals_clear) struct arrivals now = { .generations = NULL };
	char name[GENERATION_PART_LEN + 1];

	if (find_upload(dir, name))
		return true;
	/* Why not is for another pass to find and to say. */
	if (outcome_failed(arrivals_list(dir, &now)))
		return true;
	for (size_t i = 0; i < now.count; i++)
		if (!was_seen(&now.generations[i], seen))
			return true;
	return arrivals_in_order(&seen->flat, &now.flat);
}

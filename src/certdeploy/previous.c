#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/generation.h"
#include "previous.h"

#define DIRECTORY      "previous"
#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

static enum outcome open_inside(int parent, const char *name, int *fd)
{
	if (mkdirat(parent, name, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot make: %s", name,
				       strerror(errno));
	*fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot open: %s", name,
				       strerror(errno));
	return OUTCOME_OK;
}

static enum outcome write_generation(int directory, const char *name, const struct pair *pair)
{
	const struct file_access access = { .uid = geteuid(), .gid = getegid(), .mode = FILE_MODE };
	_cleanup_(fd_closep) int fd = -1;
	enum outcome outcome = open_inside(directory, name, &fd);

	if (!outcome_failed(outcome))
		outcome = file_write(fd, GENERATION_CHAIN, &pair->chain, &access);
	if (!outcome_failed(outcome))
		outcome = file_write(fd, GENERATION_KEY, &pair->key, &access);
	if (!outcome_failed(outcome))
		outcome = file_sync_directory(fd);
	return outcome;
}

/* Remove everything but ${name}. */
static enum outcome remove_others(int directory, const char *name)
{
	_cleanup_(dir_closep) DIR *entries = file_list(directory, ".");
	struct dirent *entry;

	if (!entries)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot list: %s", DIRECTORY,
				       strerror(errno));
	while ((entry = file_next_entry(entries))) {
		enum outcome outcome;

		if (!strcmp(entry->d_name, name))
			continue;
		outcome = file_remove_tree(directory, entry->d_name);
		if (outcome_failed(outcome))
			return outcome;
	}
	return errno ? outcome_because(OUTCOME_FILE_WRITE, "cannot list: %s", strerror(errno))
		     : OUTCOME_OK;
}

enum outcome previous_keep(int state, const struct pair *pair)
{
	char name[GENERATION_NAME_LEN + 1], part[GENERATION_NAME_LEN + sizeof("..part")];
	_cleanup_(fd_closep) int directory = -1;
	enum outcome outcome;

	if (!pair_is_matched(pair))
		return OUTCOME_OK;
	generation_name(time(NULL), pair->judged.fingerprint, name);
	snprintf(part, sizeof(part), ".%s.part", name);
	outcome = open_inside(state, DIRECTORY, &directory);
	if (!outcome_failed(outcome))
		outcome = write_generation(directory, part, pair);
	if (outcome_failed(outcome))
		return outcome_in(outcome, "%s", DIRECTORY);
	/* The same pair may have been kept in this very second. */
	if (renameat(directory, part, directory, name) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		return outcome_because(OUTCOME_FILE_WRITE, "%s: cannot rename: %s", part,
				       strerror(errno));
	outcome = file_sync_directory(directory);
	if (!outcome_failed(outcome))
		outcome = remove_others(directory, name);
	return outcome_in(outcome, "%s", DIRECTORY);
}

/* It stays PAIR_NONE if generation ${name} is none that is whole. */
static enum outcome read_generation(int directory, const char *name, struct pair *pair)
{
	_cleanup_(fd_closep) int fd =
		openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	enum outcome outcome;

	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return OUTCOME_OK;
	if (fd < 0)
		return outcome_because(OUTCOME_FILE_IO, "%s: %s", name, strerror(errno));
	outcome = file_read(fd, GENERATION_CHAIN, FILE_STAGED, BUNDLE_BYTES_MAX, &pair->chain);
	if (!outcome_failed(outcome))
		outcome = file_read(fd, GENERATION_KEY, FILE_STAGED, BUNDLE_BYTES_MAX, &pair->key);
	if (outcome_failed(outcome) && !file_is_unreadable(outcome)) {
		pair_clear(pair);
		return OUTCOME_OK;
	}
	if (!outcome_failed(outcome))
		outcome = pair_judge(pair, &(struct judge_rules){ .hostname = "" });
	if (outcome_failed(outcome) || !pair_is_matched(pair))
		pair_clear(pair);
	return outcome;
}

enum outcome previous_read(int state, struct pair *pair)
{
	_cleanup_(fd_closep) int directory =
		state < 0 ? -1 : openat(state, DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(dir_closep) DIR *entries = NULL;
	enum outcome outcome = OUTCOME_OK;
	struct dirent *entry = NULL;

	if (directory < 0 && (state < 0 || errno == ENOENT || errno == ENOTDIR))
		return OUTCOME_OK;
	entries = directory < 0 ? NULL : file_list(directory, ".");
	if (!entries)
		return outcome_because(OUTCOME_FILE_IO, DIRECTORY ": %s", strerror(errno));
	/* One that was just being kept when a run was killed stands beside it; both will do. */
	while (!outcome_failed(outcome) && !pair_is_whole(pair) &&
	       (entry = file_next_entry(entries)))
		if (generation_is_name(entry->d_name))
			outcome = read_generation(directory, entry->d_name, pair);
	if (!outcome_failed(outcome) && !pair_is_whole(pair) && !entry && errno)
		outcome = outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	return outcome_in(outcome, DIRECTORY);
}

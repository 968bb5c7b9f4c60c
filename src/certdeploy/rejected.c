#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "rejected.h"

#define PREFIX     "rejected-"
#define DIGITS     16 /* of each of the two hashes */
#define NAME_BYTES (sizeof(PREFIX) + DIGITS + DIGITS)

/* Another certificate, or another key's bytes: another name. */
static enum outcome name_of(const struct pair *pair, char name[static NAME_BYTES])
{
	struct record record;
	enum outcome outcome = record_make(pair, &record);

	if (outcome_failed(outcome))
		return outcome;
	snprintf(name, NAME_BYTES, PREFIX "%.*s%.*s", DIGITS, record.chain, DIGITS, record.key);
	return OUTCOME_OK;
}

enum outcome rejected_add(int state, const struct pair *pair, const char *why)
{
	char name[NAME_BYTES];
	enum outcome outcome = name_of(pair, name);

	return outcome_failed(outcome) ? outcome : record_write(state, name, pair, why);
}

static bool is_rejected(const struct dirent *entry)
{
	return !strncmp(entry->d_name, PREFIX, strlen(PREFIX));
}

/* False if it is certain that no pair is noted. */
static bool may_find(int state)
{
	_cleanup_(dir_closep) DIR *entries = state >= 0 ? file_list(state, ".") : NULL;
	struct dirent *entry;

	if (!entries)
		return state >= 0;
	while ((entry = file_next_entry(entries)))
		if (is_rejected(entry))
			return true;
	return errno != 0;
}

enum outcome rejected_find(int state, const struct pair *pair, struct record *record)
{
	char name[NAME_BYTES];
	enum outcome outcome;

	*record = (struct record){ .note = "" };
	/* Most of the time there is nothing to hash the pair for. */
	if (!may_find(state))
		return OUTCOME_OK;
	outcome = name_of(pair, name);
	if (!outcome_failed(outcome))
		outcome = record_read(state, name, record);
	if (outcome_failed(outcome) || !record_is_of(record, pair))
		*record = (struct record){ .note = "" };
	return outcome;
}

enum outcome rejected_forget(int state)
{
	_cleanup_(dir_closep) DIR *entries = file_list(state, ".");
	enum outcome result = OUTCOME_OK;
	struct dirent *entry;

	if (!entries)
		return outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	while ((entry = file_next_entry(entries))) {
		enum outcome outcome = OUTCOME_OK;

		if (is_rejected(entry))
			outcome = record_remove(state, entry->d_name);
		if (outcome_failed(outcome))
			result = outcome;
	}
	if (errno && !outcome_failed(result))
		result = outcome_because(OUTCOME_FILE_IO, "cannot list: %s", strerror(errno));
	return result;
}

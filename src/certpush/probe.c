#include <time.h>

#include "certsync/journal.h"
#include "probe.h"

/* In the place of a fingerprint, before and after the renaming; no certificate has either. */
#define MADE    "0000000000000000"
#define RENAMED "ffffffffffffffff"

/* Rename ${made} to the first name of ${when} and the seconds after it that is free. */
static enum outcome rename_probe(const struct dropbox *box, const char *made, time_t when,
				 char renamed[static DROPBOX_PATH_LEN])
{
	int tries = 0, error;

	do {
		dropbox_part_path(box, when, RENAMED, renamed);
		error = dropbox_rename(box, made, renamed);
	} while (error && dropbox_may_be_taken(box) && ++tries < DROPBOX_NAMES_MAX && ++when);
	return error ? dropbox_explain(box, &dropbox_renaming, renamed) : OUTCOME_OK;
}

enum outcome probe_staging(const struct dropbox *box, bool *removed)
{
	char made[DROPBOX_PATH_LEN], renamed[DROPBOX_PATH_LEN];
	time_t when = time(NULL);
	enum outcome outcome = dropbox_make_part(box, &when, MADE, made);
	const char *left = made;

	*removed = false;
	if (outcome_failed(outcome))
		return outcome;
	outcome = dropbox_check(box, made);
	if (!outcome_failed(outcome))
		outcome = rename_probe(box, made, when, renamed);
	if (!outcome_failed(outcome))
		left = renamed;
	if (dropbox_tidy(box))
		*removed = !dropbox_remove_directory(box, left);
	journal_detail("%s: %s", left, *removed ? "removed" : "could not be removed");
	return outcome;
}

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "probe.h"

/*
 * In the place of a fingerprint, before and after the renaming: no certificate has either, and
 * whoever looks into the directory can tell what it is.
 */
#define MADE       "00000000%08" PRIx32
#define RENAMED    "ffffffff%08" PRIx32
#define DIGITS_LEN 16

static enum outcome make(const struct dropbox *box, const char *path)
{
	_cleanup_(batch_clear) struct batch batch = sftp_batch(box->sftp);
	const struct dropbox_step step = { &dropbox_making, path };

	batch_mkdir(&batch, dropbox_making.stage, path, DROPBOX_DIRECTORY_MODE);
	dropbox_exchange(box, &batch);
	return dropbox_judge(box, &batch, &step, 1);
}

static bool remove_directory(const struct dropbox *box, const char *path)
{
	_cleanup_(batch_clear) struct batch batch = sftp_batch(box->sftp);

	batch_rmdir(&batch, "tidying up", path);
	dropbox_exchange(box, &batch);
	return dropbox_is_done(&batch);
}

enum outcome probe_staging(const struct dropbox *box, bool *removed)
{
	char made[DROPBOX_PATH_LEN], renamed[DROPBOX_PATH_LEN], digits[DIGITS_LEN + 1];
	time_t when = time(NULL);
	uint32_t number = 0;
	const char *left = made;
	enum outcome outcome = dropbox_check_staging(box);
	bool taken;

	*removed = false;
	if (outcome_failed(outcome))
		return outcome;
	/* Probes of the same second are not to be in each other's way; chance is enough for that.
	 */
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) < 0)
		number = (uint32_t)getpid();
	snprintf(digits, sizeof(digits), MADE, number);
	dropbox_part_path(box, when, digits, made);
	outcome = make(box, made);
	if (outcome_failed(outcome))
		return outcome;
	snprintf(digits, sizeof(digits), RENAMED, number);
	dropbox_part_path(box, when, digits, renamed);
	outcome = dropbox_check(box, made);
	if (!outcome_failed(outcome))
		outcome = dropbox_rename(box, made, renamed, &taken);
	if (!outcome_failed(outcome))
		left = renamed;
	if (dropbox_tidy(box))
		*removed = remove_directory(box, left);
	journal_detail("%s: %s", left, *removed ? "removed" : "could not be removed");
	return outcome;
}

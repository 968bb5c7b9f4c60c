#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "put.h"

#define FILE_MODE 0600
/* A file of a generation in the staging directory. */
#define FILE_PATH_LEN (DROPBOX_PATH_LEN + sizeof("/" GENERATION_CHAIN))

static const struct dropbox_doing creating = { "creating the file", "create",
					       "its directory has vanished", DROPBOX_IS_FULL };
static const struct dropbox_doing writing = { "writing the file", "write", "it has vanished",
					      DROPBOX_IS_FULL };
static const struct dropbox_doing syncing = { "syncing the file", "sync", "it has vanished",
					      DROPBOX_IS_FULL };
static const struct dropbox_doing closing = { "closing the file", "close", "it has vanished",
					      DROPBOX_IS_FULL };

enum {
	CHAIN,
	KEY,
	FILES
};

/* A generation as long as it has not got its name. */
struct part {
	const struct dropbox *box;
	char path[DROPBOX_PATH_LEN];
	bool made; /* the directory is ours */
	struct part_file {
		char path[FILE_PATH_LEN];
		const struct bytes *content;
		bool created;
		struct sftp_handle handle; /* as long as it is open */
	} files[FILES];
};

/* --- to the server --- */

/*
 * Make the directory and the files in it; ${taken}: somebody else may have made one of that name,
 * or, as the files are asked for at once, been quicker with a file in ours.
 */
static enum outcome make(struct part *part, bool *taken)
{
	_cleanup_(batch_clear) struct batch batch = sftp_batch(part->box->sftp);
	const struct dropbox_step steps[] = {
		{ &dropbox_making, part->path },
		{ &creating, part->files[CHAIN].path },
		{ &creating, part->files[KEY].path },
	};
	const struct batch_request *made =
		batch_mkdir(&batch, dropbox_making.stage, part->path, DROPBOX_DIRECTORY_MODE);
	const struct batch_request *created[FILES];

	for (size_t i = 0; i < FILES; i++)
		created[i] = batch_create(&batch, creating.stage, part->files[i].path, FILE_MODE);
	dropbox_exchange(part->box, &batch);
	*taken = dropbox_is_taken(made);
	part->made = made->answered && made->status == SFTP_OK;
	for (size_t i = 0; i < FILES; i++) {
		part->files[i].handle = created[i]->handle;
		part->files[i].created = created[i]->handle.len > 0;
		if (part->made && dropbox_is_taken(created[i]))
			*taken = true;
	}
	return dropbox_judge(part->box, &batch, steps, batch.count);
}

/*
 * A server that cannot or may not sync (fsync@openssh.com) has still taken every byte, and a crash
 * of it in the next seconds is all that can lose them.
 */
static void forgive(struct batch_request *sync, const char *path)
{
	if (sync->status != SFTP_UNSUPPORTED && sync->status != SFTP_PERMISSION_DENIED)
		return;
	journal_detail("%s: not synced: the server %s", path,
		       sync->status == SFTP_UNSUPPORTED ? "cannot" : "does not permit it");
	sync->status = SFTP_OK;
}

/* Write, sync and close the files. */
static enum outcome fill(struct part *part)
{
	_cleanup_(batch_clear) struct batch batch = sftp_batch(part->box->sftp);
	const char *chain = part->files[CHAIN].path, *key = part->files[KEY].path;
	const struct dropbox_step steps[] = {
		{ &writing, chain }, { &syncing, chain }, { &closing, chain },
		{ &writing, key },   { &syncing, key },   { &closing, key },
	};
	struct batch_request *synced[FILES];

	for (size_t i = 0; i < FILES; i++) {
		struct part_file *file = &part->files[i];

		batch_write(&batch, writing.stage, &file->handle, file->content);
		synced[i] = batch_sync(&batch, syncing.stage, &file->handle);
		batch_close(&batch, closing.stage, &file->handle);
		file->handle.len = 0;
	}
	dropbox_exchange(part->box, &batch);
	for (size_t i = 0; i < FILES; i++)
		forgive(synced[i], part->files[i].path);
	return dropbox_judge(part->box, &batch, steps, batch.count);
}

/*
 * Remove what was made. What is not permitted stays under its temporary name, which nobody takes.
 */
static void discard(struct part *part)
{
	static const char stage[] = "tidying up";
	_cleanup_(batch_clear) struct batch batch = sftp_batch(part->box->sftp);

	for (size_t i = 0; i < FILES; i++) {
		struct part_file *file = &part->files[i];

		if (file->handle.len)
			batch_close(&batch, stage, &file->handle);
		if (file->created)
			batch_remove(&batch, stage, file->path);
		*file = (struct part_file){ .content = file->content };
	}
	if (part->made)
		batch_rmdir(&batch, stage, part->path);
	part->made = false;
	if (!batch.count)
		return;
	dropbox_exchange(part->box, &batch);
	journal_detail(dropbox_is_done(&batch) ? "%s: removed" : "%s: could not be removed",
		       part->path);
}

/* --- a generation --- */

static void name_part(struct part *part, time_t when, const char *fingerprint)
{
	static const char *const names[FILES] = { GENERATION_CHAIN, GENERATION_KEY };

	dropbox_part_path(part->box, when, fingerprint, part->path);
	for (size_t i = 0; i < FILES; i++)
		snprintf(part->files[i].path, sizeof(part->files[i].path), "%s/%s", part->path,
			 names[i]);
}

/*
 * Make the directory and the files under the first name from ${when} on that is free. A file that
 * was made in another one's directory is removed again.
 */
static enum outcome make_under_free_name(struct part *part, time_t *when, const char *fingerprint)
{
	int tries = 0;
	bool taken;

	for (;;) {
		enum outcome outcome;

		name_part(part, *when, fingerprint);
		outcome = make(part, &taken);
		if (!taken || ++tries == DROPBOX_NAMES_MAX)
			return outcome;
		discard(part);
		/* Whether it was the name is not found out if the run has to stop. */
		outcome = dropbox_check(part->box, part->path);
		if (outcome_failed(outcome))
			return outcome;
		++*when;
	}
}

/*
 * Give the directory its final name, that of ${when} or of the first second after it that is free.
 */
static enum outcome make_final(const struct part *part, time_t when, const char *fingerprint,
			       char name[static GENERATION_NAME_LEN + 1])
{
	char path[DROPBOX_PATH_LEN];
	int tries = 0;
	bool taken;

	for (;;) {
		enum outcome outcome;

		generation_name(when, fingerprint, name);
		dropbox_path(part->box, name, path);
		/* What the server has confirmed is done, even if the run was to stop meanwhile. */
		outcome = dropbox_rename(part->box, part->path, path, &taken);
		if (!taken || ++tries == DROPBOX_NAMES_MAX)
			return outcome;
		outcome = dropbox_check(part->box, path);
		if (outcome_failed(outcome))
			return outcome;
		when++;
	}
}

enum outcome put_generation(const struct put *put, char name[static GENERATION_NAME_LEN + 1])
{
	struct part part = {
		.box = put->box,
		.files = { [CHAIN] = { .content = put->chain }, [KEY] = { .content = put->key } },
	};
	time_t when = time(NULL);
	enum outcome outcome = dropbox_check_staging(put->box);

	if (outcome_failed(outcome))
		return outcome;
	outcome = make_under_free_name(&part, &when, put->fingerprint);
	if (!outcome_failed(outcome))
		outcome = dropbox_check(put->box, part.path);
	if (!outcome_failed(outcome))
		outcome = fill(&part);
	if (!outcome_failed(outcome))
		outcome = dropbox_check(put->box, part.path);
	if (!outcome_failed(outcome))
		outcome = make_final(&part, when, put->fingerprint, name);
	if (outcome_failed(outcome) && dropbox_tidy(put->box))
		discard(&part);
	return outcome;
}

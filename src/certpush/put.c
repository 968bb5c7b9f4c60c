#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/journal.h"
#include "put.h"

#define FILE_MODE 0600
/* A file of a generation in the staging directory. */
#define FILE_PATH_LEN (DROPBOX_PATH_LEN + sizeof("/" GENERATION_CHAIN))

static const struct dropbox_doing creating = { "create", "its directory has vanished",
					       DROPBOX_IS_FULL };
static const struct dropbox_doing writing = { "write", "it has vanished", DROPBOX_IS_FULL };
static const struct dropbox_doing syncing = { "sync", "it has vanished", DROPBOX_IS_FULL };
static const struct dropbox_doing closing = { "close", "it has vanished", DROPBOX_IS_FULL };

/* --- one request each --- */

static LIBSSH2_SFTP_HANDLE *create_file(const struct dropbox *box, const char *path)
{
	LIBSSH2_SFTP_HANDLE *file;

	dropbox_begin(box, "creating the file");
	do
		file = libssh2_sftp_open_ex(box->session->sftp, path, (unsigned)strlen(path),
					    LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
						    LIBSSH2_FXF_EXCL,
					    FILE_MODE, LIBSSH2_SFTP_OPENFILE);
	while (!file && session_again(box->session, libssh2_session_last_errno(box->session->ssh)));
	return file;
}

static int write_file(const struct dropbox *box, LIBSSH2_SFTP_HANDLE *file,
		      const struct bytes *content)
{
	size_t used = 0;

	dropbox_begin(box, "writing the file");
	while (used < content->len) {
		ssize_t wrote = libssh2_sftp_write(file, content->data + used, content->len - used);

		if (wrote > 0)
			used += (size_t)wrote;
		else if (!session_again(box->session, wrote ? (int)wrote : LIBSSH2_ERROR_EAGAIN))
			return wrote ? (int)wrote : LIBSSH2_ERROR_SFTP_PROTOCOL;
	}
	return 0;
}

/*
 * A server that cannot or may not sync (fsync@openssh.com) has still taken every byte, and a crash
 * of it in the next seconds is all that can lose them.
 */
static int sync_file(const struct dropbox *box, LIBSSH2_SFTP_HANDLE *file, const char *path)
{
	unsigned long refusal;
	int error;

	dropbox_begin(box, "syncing the file");
	do
		error = libssh2_sftp_fsync(file);
	while (session_again(box->session, error));
	if (!error)
		return 0;
	refusal = dropbox_refusal(box);
	if (refusal != LIBSSH2_FX_OP_UNSUPPORTED && refusal != LIBSSH2_FX_PERMISSION_DENIED)
		return error;
	journal_detail("%s: not synced: the server %s", path,
		       refusal == LIBSSH2_FX_OP_UNSUPPORTED ? "cannot" : "does not permit it");
	return 0;
}

static int close_file(const struct dropbox *box, LIBSSH2_SFTP_HANDLE *file)
{
	int error;

	dropbox_begin(box, "closing the file");
	do
		error = libssh2_sftp_close_handle(file);
	while (session_again(box->session, error));
	return error;
}

/* --- a generation --- */

static enum outcome put_file(const struct dropbox *box, const char *path,
			     const struct bytes *content)
{
	LIBSSH2_SFTP_HANDLE *file = create_file(box, path);
	enum outcome outcome = OUTCOME_OK;

	if (!file)
		return dropbox_explain(box, &creating, path);
	if (write_file(box, file, content))
		outcome = dropbox_explain(box, &writing, path);
	else if (sync_file(box, file, path))
		outcome = dropbox_explain(box, &syncing, path);
	/* Frees the handle as well; what failed before counts more. */
	if (close_file(box, file) && !outcome_failed(outcome))
		outcome = dropbox_explain(box, &closing, path);
	return outcome_failed(outcome) ? outcome : dropbox_check(box, path);
}

/*
 * Give the directory ${part} its final name, that of ${when} or of the first second after it that
 * is free.
 */
static enum outcome make_final(const struct dropbox *box, const char *part, time_t when,
			       const char *fingerprint, char name[static GENERATION_NAME_LEN + 1])
{
	char path[DROPBOX_PATH_LEN];
	int tries = 0, error;

	do {
		generation_name(when, fingerprint, name);
		dropbox_path(box, name, path);
		error = dropbox_rename(box, part, path);
	} while (error && dropbox_may_be_taken(box) && ++tries < DROPBOX_NAMES_MAX && ++when);
	/* Once the server has confirmed it, it is done, even if the run was to stop meanwhile. */
	return error ? dropbox_explain(box, &dropbox_renaming, path) : OUTCOME_OK;
}

/*
 * Remove the half-made directory ${part}. What is not permitted stays under its temporary name,
 * which nobody takes.
 */
static void remove_part(const struct dropbox *box, const char *part, const char *chain,
			const char *key)
{
	if (!dropbox_tidy(box))
		return;
	dropbox_remove_file(box, key);
	dropbox_remove_file(box, chain);
	journal_detail(dropbox_remove_directory(box, part) ? "%s: could not be removed"
							   : "%s: removed",
		       part);
}

enum outcome put_generation(const struct put *put, char name[static GENERATION_NAME_LEN + 1])
{
	const struct dropbox *box = put->box;
	char part[DROPBOX_PATH_LEN], chain[FILE_PATH_LEN], key[FILE_PATH_LEN];
	time_t when = time(NULL);
	enum outcome outcome = dropbox_make_part(box, &when, put->fingerprint, part);

	if (outcome_failed(outcome))
		return outcome;
	snprintf(chain, sizeof(chain), "%s/" GENERATION_CHAIN, part);
	snprintf(key, sizeof(key), "%s/" GENERATION_KEY, part);

	outcome = dropbox_check(box, part);
	if (!outcome_failed(outcome))
		outcome = put_file(box, chain, put->chain);
	if (!outcome_failed(outcome))
		outcome = put_file(box, key, put->key);
	if (!outcome_failed(outcome))
		outcome = make_final(box, part, when, put->fingerprint, name);
	if (outcome_failed(outcome))
		remove_part(box, part, chain, key);
	return outcome;
}

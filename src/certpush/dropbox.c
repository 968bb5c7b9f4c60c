#include <stdio.h>
#include <string.h>

#include "dropbox.h"

#define STAGING_MAX    900
#define DIRECTORY_MODE 0700

const struct dropbox_doing dropbox_renaming = {
	"rename a directory to", "that directory has vanished",
	"names are taken, or its file system is full or read-only"
};
static const struct dropbox_doing making = { "make", "the staging directory does not exist",
					     DROPBOX_IS_FULL };

/* --- answers --- */

unsigned long dropbox_refusal(const struct dropbox *box)
{
	const struct session *session = box->session;

	if (libssh2_session_last_errno(session->ssh) != LIBSSH2_ERROR_SFTP_PROTOCOL)
		return LIBSSH2_FX_OK;
	return libssh2_sftp_last_error(session->sftp);
}

bool dropbox_may_be_taken(const struct dropbox *box)
{
	const struct session *session = box->session;
	unsigned long refusal = dropbox_refusal(box);

	return session->stopped == OUTCOME_OK && !session->dead &&
	       (refusal == LIBSSH2_FX_FAILURE || refusal == LIBSSH2_FX_FILE_ALREADY_EXISTS);
}

/* Why the server said no, or the connection failed. */
static enum outcome explain_refusal(const struct dropbox *box, const struct dropbox_doing *doing)
{
	const struct session *session = box->session;
	unsigned long refusal = dropbox_refusal(box);

	if (session->ended || session->dead)
		return session_failure(session);
	switch (refusal) {
	case LIBSSH2_FX_PERMISSION_DENIED:
	case LIBSSH2_FX_WRITE_PROTECT:
		return outcome_because(OUTCOME_REMOTE_DENIED,
				       "the server refuses to %s it: permission denied",
				       doing->verb);
	case LIBSSH2_FX_NO_SUCH_FILE:
	case LIBSSH2_FX_NO_SUCH_PATH:
		return outcome_because(OUTCOME_REMOTE_MISSING, "the server cannot %s it: %s",
				       doing->verb, doing->missing);
	case LIBSSH2_FX_FAILURE: /* OpenSSH's word for most errors: ENOSPC, EDQUOT, EROFS */
	case LIBSSH2_FX_NO_SPACE_ON_FILESYSTEM:
	case LIBSSH2_FX_QUOTA_EXCEEDED:
		return outcome_because(OUTCOME_REMOTE_FULL, "the server failed to %s it: %s",
				       doing->verb, doing->failed);
	case LIBSSH2_FX_NO_CONNECTION:
	case LIBSSH2_FX_CONNECTION_LOST:
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the SFTP server lost its connection");
	case LIBSSH2_FX_OK:
		return session_failure(session);
	default:
		return outcome_because(OUTCOME_SSH_PROTOCOL,
				       "the server failed to %s it (SFTP status %lu)", doing->verb,
				       refusal);
	}
}

enum outcome dropbox_explain(const struct dropbox *box, const struct dropbox_doing *doing,
			     const char *path)
{
	return outcome_in(explain_refusal(box, doing), "%s:%s", box->target, path);
}

enum outcome dropbox_check(const struct dropbox *box, const char *path)
{
	return outcome_in(session_check(box->session), "%s:%s", box->target, path);
}

/* --- requests --- */

void dropbox_begin(const struct dropbox *box, const char *stage)
{
	session_begin(box->session, stage, box->end, DROPBOX_TIDY_MS);
}

void dropbox_path(const struct dropbox *box, const char *name, char path[static DROPBOX_PATH_LEN])
{
	const char *staging = strcmp(box->staging, ".") != 0 ? box->staging : "";
	size_t len = strlen(staging);

	snprintf(path, DROPBOX_PATH_LEN, "%s%s%s", staging,
		 len && staging[len - 1] != '/' ? "/" : "", name);
}

void dropbox_part_path(const struct dropbox *box, time_t when, const char *fingerprint,
		       char path[static DROPBOX_PATH_LEN])
{
	char name[GENERATION_NAME_LEN + 1], file[sizeof(name) + sizeof("..part")];

	generation_name(when, fingerprint, name);
	snprintf(file, sizeof(file), ".%s.part", name);
	dropbox_path(box, file, path);
}

static int make_directory(const struct dropbox *box, const char *path)
{
	int error;

	dropbox_begin(box, "making the directory");
	do
		error = libssh2_sftp_mkdir_ex(box->session->sftp, path, (unsigned)strlen(path),
					      DIRECTORY_MODE);
	while (session_again(box->session, error));
	return error;
}

enum outcome dropbox_make_part(const struct dropbox *box, time_t *when, const char *fingerprint,
			       char path[static DROPBOX_PATH_LEN])
{
	int tries = 0, error;

	if (strlen(box->staging) > STAGING_MAX)
		return outcome_because(OUTCOME_REMOTE_MISSING,
				       "%s: the staging directory's name is too long", box->target);
	do {
		dropbox_part_path(box, *when, fingerprint, path);
		error = make_directory(box, path);
	} while (error && dropbox_may_be_taken(box) && ++tries < DROPBOX_NAMES_MAX && ++*when);
	return error ? dropbox_explain(box, &making, path) : OUTCOME_OK;
}

int dropbox_rename(const struct dropbox *box, const char *from, const char *to)
{
	int error;

	dropbox_begin(box, "giving the directory its final name");
	do
		/*
		 * The flags are for SFTP 5 and do not get to a server of version 3, which never
		 * replaces.
		 */
		error = libssh2_sftp_rename_ex(box->session->sftp, from, (unsigned)strlen(from), to,
					       (unsigned)strlen(to), 0);
	while (session_again(box->session, error));
	return error;
}

bool dropbox_tidy(const struct dropbox *box)
{
	if (box->session->dead || box->session->ended)
		return false;
	session_tidy(box->session, "tidying up", deadline_in(DROPBOX_TIDY_MS));
	return true;
}

int dropbox_remove_file(const struct dropbox *box, const char *path)
{
	int error;

	do
		error = libssh2_sftp_unlink_ex(box->session->sftp, path, (unsigned)strlen(path));
	while (session_again(box->session, error));
	return error;
}

int dropbox_remove_directory(const struct dropbox *box, const char *path)
{
	int error;

	do
		error = libssh2_sftp_rmdir_ex(box->session->sftp, path, (unsigned)strlen(path));
	while (session_again(box->session, error));
	return error;
}

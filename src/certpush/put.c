#include <stdio.h>
#include <string.h>
#include <time.h>

#include "certsync/journal.h"
#include "put.h"

/*
 * How long a request under way may still take when the run has to stop, and removing what was made
 * along with it.
 */
#define TIDY_MS 2000
/* How many names are tried, each a second later than the one before. */
#define NAMES_MAX   8
#define PATH_LEN    1024
#define STAGING_MAX 900

#define DIRECTORY_MODE 0700
#define FILE_MODE      0600

/* The server's answer to the request that failed; 0 if it was not the server that said no. */
static unsigned long refusal_of(const struct session *session)
{
	if (libssh2_session_last_errno(session->ssh) != LIBSSH2_ERROR_SFTP_PROTOCOL)
		return LIBSSH2_FX_OK;
	return libssh2_sftp_last_error(session->sftp);
}

/* What was being done, in words for an answer of the server. */
struct doing {
	const char *verb;    /* "write" */
	const char *missing; /* what it means if there is no such file */
	const char *failed;  /* and if the server says no more than that it failed */
};

#define IS_FULL "its file system is full, over quota or read-only"

static const struct doing making = { "make", "the staging directory does not exist", IS_FULL };
static const struct doing creating = { "create", "its directory has vanished", IS_FULL };
static const struct doing writing = { "write", "it has vanished", IS_FULL };
static const struct doing syncing = { "sync", "it has vanished", IS_FULL };
static const struct doing closing = { "close", "it has vanished", IS_FULL };
static const struct doing renaming = { "rename a directory to", "that directory has vanished",
				       "names are taken, or its file system is full or read-only" };

/* Why the server said no, or the connection failed. */
static enum outcome explain_refusal(const struct session *session, const struct doing *doing)
{
	unsigned long refusal = refusal_of(session);

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

/* Why did ${doing} with ${path} fail? */
static enum outcome explain(const struct put *put, const struct doing *doing, const char *path)
{
	return outcome_in(explain_refusal(put->session, doing), "%s:%s", put->target, path);
}

/* May the next request be made? */
static enum outcome check(const struct put *put, const char *path)
{
	return outcome_in(session_check(put->session), "%s:%s", put->target, path);
}

static void begin(const struct put *put, const char *stage)
{
	session_begin(put->session, stage, put->end, TIDY_MS);
}

/* The path of ${name} in the staging directory: just the name where the server starts in it. */
static void path_of(const struct put *put, const char *name, char path[static PATH_LEN])
{
	const char *staging = strcmp(put->staging, ".") != 0 ? put->staging : "";
	size_t len = strlen(staging);

	snprintf(path, PATH_LEN, "%s%s%s", staging, len && staging[len - 1] != '/' ? "/" : "",
		 name);
}

/* --- one request each --- */

static int make_directory(const struct put *put, const char *path)
{
	int error;

	begin(put, "making the directory");
	do
		error = libssh2_sftp_mkdir_ex(put->session->sftp, path, (unsigned)strlen(path),
					      DIRECTORY_MODE);
	while (session_again(put->session, error));
	return error;
}

static LIBSSH2_SFTP_HANDLE *create_file(const struct put *put, const char *path)
{
	LIBSSH2_SFTP_HANDLE *file;

	begin(put, "creating the file");
	do
		file = libssh2_sftp_open_ex(put->session->sftp, path, (unsigned)strlen(path),
					    LIBSSH2_FXF_WRITE | LIBSSH2_FXF_CREAT |
						    LIBSSH2_FXF_EXCL,
					    FILE_MODE, LIBSSH2_SFTP_OPENFILE);
	while (!file && session_again(put->session, libssh2_session_last_errno(put->session->ssh)));
	return file;
}

static int write_file(const struct put *put, LIBSSH2_SFTP_HANDLE *file, const struct bytes *content)
{
	size_t used = 0;

	begin(put, "writing the file");
	while (used < content->len) {
		ssize_t wrote = libssh2_sftp_write(file, content->data + used, content->len - used);

		if (wrote > 0)
			used += (size_t)wrote;
		else if (!session_again(put->session, wrote ? (int)wrote : LIBSSH2_ERROR_EAGAIN))
			return wrote ? (int)wrote : LIBSSH2_ERROR_SFTP_PROTOCOL;
	}
	return 0;
}

/*
 * A server that cannot or may not sync (fsync@openssh.com) has still taken every byte, and a crash
 * of it in the next seconds is all that can lose them.
 */
static int sync_file(const struct put *put, LIBSSH2_SFTP_HANDLE *file, const char *path)
{
	unsigned long refusal;
	int error;

	begin(put, "syncing the file");
	do
		error = libssh2_sftp_fsync(file);
	while (session_again(put->session, error));
	if (!error)
		return 0;
	refusal = refusal_of(put->session);
	if (refusal != LIBSSH2_FX_OP_UNSUPPORTED && refusal != LIBSSH2_FX_PERMISSION_DENIED)
		return error;
	journal_detail("%s: not synced: the server %s", path,
		       refusal == LIBSSH2_FX_OP_UNSUPPORTED ? "cannot" : "does not permit it");
	return 0;
}

static int close_file(const struct put *put, LIBSSH2_SFTP_HANDLE *file)
{
	int error;

	begin(put, "closing the file");
	do
		error = libssh2_sftp_close_handle(file);
	while (session_again(put->session, error));
	return error;
}

static int rename_directory(const struct put *put, const char *from, const char *to)
{
	int error;

	begin(put, "giving the directory its final name");
	do
		/*
		 * The flags are for SFTP 5 and do not get to a server of version 3, which never
		 * replaces.
		 */
		error = libssh2_sftp_rename_ex(put->session->sftp, from, (unsigned)strlen(from), to,
					       (unsigned)strlen(to), 0);
	while (session_again(put->session, error));
	return error;
}

/* --- a generation --- */

/* Is the failure that of a name that is taken? SFTP 3 has only a general failure for it. */
static bool may_be_taken(const struct session *session)
{
	unsigned long refusal = refusal_of(session);

	return session->stopped == OUTCOME_OK && !session->dead &&
	       (refusal == LIBSSH2_FX_FAILURE || refusal == LIBSSH2_FX_FILE_ALREADY_EXISTS);
}

/* Make the temporary directory under the first of ${when} and the seconds after it that is free. */
static enum outcome make_part(const struct put *put, time_t *when, char part[static PATH_LEN])
{
	char name[GENERATION_NAME_LEN + 1], file[sizeof(name) + sizeof("..part")];
	int tries = 0, error;

	do {
		generation_name(*when, put->fingerprint, name);
		snprintf(file, sizeof(file), ".%s.part", name);
		path_of(put, file, part);
		error = make_directory(put, part);
	} while (error && may_be_taken(put->session) && ++tries < NAMES_MAX && ++*when);
	return error ? explain(put, &making, part) : OUTCOME_OK;
}

static enum outcome put_file(const struct put *put, const char *path, const struct bytes *content)
{
	LIBSSH2_SFTP_HANDLE *file = create_file(put, path);
	enum outcome outcome = OUTCOME_OK;

	if (!file)
		return explain(put, &creating, path);
	if (write_file(put, file, content))
		outcome = explain(put, &writing, path);
	else if (sync_file(put, file, path))
		outcome = explain(put, &syncing, path);
	/* Frees the handle as well; what failed before counts more. */
	if (close_file(put, file) && !outcome_failed(outcome))
		outcome = explain(put, &closing, path);
	return outcome_failed(outcome) ? outcome : check(put, path);
}

/*
 * Give the directory ${part} its final name, that of ${when} or of the first second after it that
 * is free.
 */
static enum outcome make_final(const struct put *put, const char *part, time_t when,
			       char name[static GENERATION_NAME_LEN + 1])
{
	char path[PATH_LEN];
	int tries = 0, error;

	do {
		generation_name(when, put->fingerprint, name);
		path_of(put, name, path);
		error = rename_directory(put, part, path);
	} while (error && may_be_taken(put->session) && ++tries < NAMES_MAX && ++when);
	/* Once the server has confirmed it, it is done, even if the run was to stop meanwhile. */
	return error ? explain(put, &renaming, path) : OUTCOME_OK;
}

/*
 * Remove the half-made directory ${part}. What is not permitted stays under its temporary name,
 * which nobody takes.
 */
static void remove_part(const struct put *put, const char *part, const char *chain, const char *key)
{
	struct session *session = put->session;
	const char *const files[] = { key, chain };
	int error;

	if (session->dead || session->ended)
		return;
	session_tidy(session, "tidying up", deadline_in(TIDY_MS));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		do
			error = libssh2_sftp_unlink_ex(session->sftp, files[i],
						       (unsigned)strlen(files[i]));
		while (session_again(session, error));
	}
	do
		error = libssh2_sftp_rmdir_ex(session->sftp, part, (unsigned)strlen(part));
	while (session_again(session, error));
	journal_detail(error ? "%s: could not be removed" : "%s: removed", part);
}

enum outcome put_generation(const struct put *put, char name[static GENERATION_NAME_LEN + 1])
{
	char part[PATH_LEN], chain[PATH_LEN + sizeof(GENERATION_CHAIN)],
		key[PATH_LEN + sizeof(GENERATION_KEY)];
	time_t when = time(NULL);
	enum outcome outcome;

	if (strlen(put->staging) > STAGING_MAX)
		return outcome_because(OUTCOME_REMOTE_MISSING,
				       "%s: the staging directory's name is too long", put->target);
	outcome = make_part(put, &when, part);
	if (outcome_failed(outcome))
		return outcome;
	snprintf(chain, sizeof(chain), "%s/" GENERATION_CHAIN, part);
	snprintf(key, sizeof(key), "%s/" GENERATION_KEY, part);

	outcome = check(put, part);
	if (!outcome_failed(outcome))
		outcome = put_file(put, chain, put->chain);
	if (!outcome_failed(outcome))
		outcome = put_file(put, key, put->key);
	if (!outcome_failed(outcome))
		outcome = make_final(put, part, when, name);
	if (outcome_failed(outcome))
		remove_part(put, part, chain, key);
	return outcome;
}

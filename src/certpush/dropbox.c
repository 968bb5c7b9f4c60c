#include <stdio.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "dropbox.h"

#define STAGING_MAX 900

const struct dropbox_doing dropbox_making = { "making the directory", "make",
					      "the staging directory does not exist",
					      DROPBOX_IS_FULL };
const struct dropbox_doing dropbox_renaming = {
	"giving the directory its final name", "rename a directory to",
	"that directory has vanished", "names are taken, or its file system is full or read-only"
};

/* --- answers --- */

bool dropbox_is_taken(const struct batch_request *request)
{
	return request->status == SFTP_FAILURE || request->status == SFTP_FILE_ALREADY_EXISTS;
}

/* Why the server said no. */
static enum outcome explain_refusal(uint32_t status, const struct dropbox_doing *doing)
{
	switch (status) {
	case SFTP_PERMISSION_DENIED:
	case SFTP_WRITE_PROTECT:
		return outcome_because(OUTCOME_REMOTE_DENIED,
				       "the server refuses to %s it: permission denied",
				       doing->verb);
	case SFTP_NO_SUCH_FILE:
	case SFTP_NO_SUCH_PATH:
		return outcome_because(OUTCOME_REMOTE_MISSING, "the server cannot %s it: %s",
				       doing->verb, doing->missing);
	case SFTP_FAILURE: /* OpenSSH's word for most errors: ENOSPC, EDQUOT, EROFS */
	case SFTP_NO_SPACE:
	case SFTP_QUOTA_EXCEEDED:
		return outcome_because(OUTCOME_REMOTE_FULL, "the server failed to %s it: %s",
				       doing->verb, doing->failed);
	case SFTP_NO_CONNECTION:
	case SFTP_CONNECTION_LOST:
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the SFTP server lost its connection");
	default:
		return outcome_because(OUTCOME_SSH_PROTOCOL,
				       "the server failed to %s it (SFTP status %lu)", doing->verb,
				       (unsigned long)status);
	}
}

static enum outcome judge(const struct dropbox *box, const struct batch_request *request,
			  const struct dropbox_doing *doing)
{
	if (request->answered < request->count)
		return session_failure(box->session);
	return request->status == SFTP_OK ? OUTCOME_OK : explain_refusal(request->status, doing);
}

enum outcome dropbox_judge(const struct dropbox *box, const struct batch *batch,
			   const struct dropbox_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum outcome outcome = judge(box, &batch->requests[i], steps[i].doing);

		if (outcome_failed(outcome))
			return outcome_in(outcome, "%s:%s", box->target, steps[i].path);
	}
	return OUTCOME_OK;
}

void dropbox_exchange(const struct dropbox *box, struct batch *batch)
{
	if (!box->session->tidying)
		session_begin(box->session, batch->requests[0].stage, box->end,
			      DROPBOX_PATIENCE_MS);
	/* Each request has its answer, as far as it came. */
	sftp_exchange(box->sftp, batch);
}

bool dropbox_is_done(const struct batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_request *request = &batch->requests[i];

		if (request->answered < request->count || request->status != SFTP_OK)
			return false;
	}
	return true;
}

enum outcome dropbox_check(const struct dropbox *box, const char *path)
{
	return outcome_in(session_check(box->session), "%s:%s", box->target, path);
}

/* --- names --- */

enum outcome dropbox_check_staging(const struct dropbox *box)
{
	if (strlen(box->staging) <= STAGING_MAX)
		return OUTCOME_OK;
	return outcome_because(OUTCOME_REMOTE_MISSING,
			       "%s: the staging directory's name is too long", box->target);
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

/* --- requests --- */

enum outcome dropbox_rename(const struct dropbox *box, const char *from, const char *to,
			    bool *taken)
{
	_cleanup_(batch_clear) struct batch batch = sftp_batch(box->sftp);
	const struct dropbox_step step = { &dropbox_renaming, to };
	/* A server of version 3 never replaces what has the name. */
	const struct batch_request *rename = batch_rename(&batch, dropbox_renaming.stage, from, to);

	dropbox_exchange(box, &batch);
	*taken = dropbox_is_taken(rename);
	return dropbox_judge(box, &batch, &step, 1);
}

bool dropbox_tidy(const struct dropbox *box)
{
	if (box->session->dead || box->session->ended)
		return false;
	session_tidy(box->session, "tidying up", deadline_in(DROPBOX_TIDY_MS));
	return true;
}

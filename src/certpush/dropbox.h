/*
 * Requests to the staging directory on the mail host by SFTP (draft-ietf-secsh-filexfer-02), which
 * takes what is put there and shows nothing. Each request waits for its answer, and for no longer
 * than its session's limits.
 */
#ifndef DROPBOX_H
#define DROPBOX_H

#include <stdbool.h>
#include <time.h>

#include "certsync/deadline.h"
#include "certsync/generation.h"
#include "certsync/outcome.h"
#include "session.h"

#define DROPBOX_PATH_LEN 1024
/* How many names are tried, each a second later than the one before. */
#define DROPBOX_NAMES_MAX 8
/*
 * How long a request under way may still take when the run has to stop, and removing what was made
 * along with it.
 */
#define DROPBOX_TIDY_MS 2000

struct dropbox {
	struct session *session;
	const char *target;  /* "user@host", for messages */
	const char *staging; /* directory on the server */
	deadline end;
};

/* What was being done, in words for an answer of the server. */
struct dropbox_doing {
	const char *verb;    /* "write" */
	const char *missing; /* what it means if there is no such file */
	const char *failed;  /* and if the server says no more than that it failed */
};

#define DROPBOX_IS_FULL "its file system is full, over quota or read-only"

extern const struct dropbox_doing dropbox_renaming;

/* Begin with ${stage}. */
void dropbox_begin(const struct dropbox *box, const char *stage);

/* The server's answer to the request that failed; 0 if it was not the server that said no. */
unsigned long dropbox_refusal(const struct dropbox *box);

/* Is the failure that of a name that is taken? SFTP 3 has only a general failure for it. */
bool dropbox_may_be_taken(const struct dropbox *box);

/*
 * Why did ${doing} with ${path} fail? REMOTE_DENIED, REMOTE_MISSING, REMOTE_FULL, SSH_PROTOCOL,
 * TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome dropbox_explain(const struct dropbox *box, const struct dropbox_doing *doing,
			     const char *path);

/* May the next request be made? ${path} is what it is about. TIMED_OUT, INTERRUPTED. */
enum outcome dropbox_check(const struct dropbox *box, const char *path);

/* The path of ${name} in the staging directory: just the name where the server starts in it. */
void dropbox_path(const struct dropbox *box, const char *name, char path[static DROPBOX_PATH_LEN]);

/* The path of the part (generation.h) that is begun at ${when} of the leaf with ${fingerprint}. */
void dropbox_part_path(const struct dropbox *box, time_t when, const char *fingerprint,
		       char path[static DROPBOX_PATH_LEN]);

/*
 * Make the directory of a part, under the first of ${when} and the seconds after it that is free;
 * ${path} is what it is called. REMOTE_..., SSH_PROTOCOL, TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome dropbox_make_part(const struct dropbox *box, time_t *when, const char *fingerprint,
			       char path[static DROPBOX_PATH_LEN]);

/* Rename a directory; 0 or libssh2's error. */
int dropbox_rename(const struct dropbox *box, const char *from, const char *to);

/*
 * Prepare for the end: what follows is done even if the run has to stop. False if nothing can be
 * done any more.
 */
bool dropbox_tidy(const struct dropbox *box);

/* Remove a file, or an empty directory; 0 or libssh2's error. */
int dropbox_remove_file(const struct dropbox *box, const char *path);
int dropbox_remove_directory(const struct dropbox *box, const char *path);

#endif

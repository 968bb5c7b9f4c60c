/*
 * Requests to the staging directory on the mail host by SFTP (draft-ietf-secsh-filexfer-02), which
 * takes what is put there and shows nothing. They are made in batches; each takes no longer than
 * its session's limits.
 */
#ifndef DROPBOX_H
#define DROPBOX_H

#include <stdbool.h>
#include <time.h>

#include "certsync/deadline.h"
#include "certsync/generation.h"
#include "certsync/outcome.h"
#include "session.h"
#include "sftp.h"

#define DROPBOX_PATH_LEN 1024
/* How many names are tried, each a second later than the one before. */
#define DROPBOX_NAMES_MAX      8
#define DROPBOX_DIRECTORY_MODE 0700
/*
 * How long the batch under way may still take when the run has to stop, and removing what was made.
 */
#define DROPBOX_PATIENCE_MS 4000
#define DROPBOX_TIDY_MS     2000

struct dropbox {
	struct session *session;
	struct sftp *sftp;
	const char *target;  /* "user@host", for messages */
	const char *staging; /* directory on the server */
	deadline end;
};

/* What is done by a request, in words for an answer of the server. */
struct dropbox_doing {
	const char *stage;   /* "writing the file" */
	const char *verb;    /* "write" */
	const char *missing; /* what it means if there is no such file */
	const char *failed;  /* and if the server says no more than that it failed */
};

#define DROPBOX_IS_FULL "its file system is full, over quota or read-only"

extern const struct dropbox_doing dropbox_making, dropbox_renaming;

/* What a request of a batch is about. */
struct dropbox_step {
	const struct dropbox_doing *doing;
	const char *path;
};

/* Send ${batch} and wait for its answers. */
void dropbox_exchange(const struct dropbox *box, struct batch *batch);

/*
 * Why did the first request of ${batch} that did not go well not? ${count} ${steps} are what
 * its requests are about, in their order. REMOTE_DENIED, REMOTE_MISSING, REMOTE_FULL, SSH_PROTOCOL,
 * NO_MEMORY, TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome dropbox_judge(const struct dropbox *box, const struct batch *batch,
			   const struct dropbox_step *steps, size_t count);

/* May ${request} have been refused as its name is taken? SFTP 3 has only a general failure. */
bool dropbox_is_taken(const struct batch_request *request);

/* May the next request be made? ${path} is what it is about. TIMED_OUT, INTERRUPTED. */
enum outcome dropbox_check(const struct dropbox *box, const char *path);

/* Is the staging directory's own name short enough? REMOTE_MISSING. */
enum outcome dropbox_check_staging(const struct dropbox *box);

/* The path of ${name} in the staging directory: just the name where the server starts in it. */
void dropbox_path(const struct dropbox *box, const char *name, char path[static DROPBOX_PATH_LEN]);

/* The path of the part (generation.h) that is begun at ${when} of the leaf with ${fingerprint}. */
void dropbox_part_path(const struct dropbox *box, time_t when, const char *fingerprint,
		       char path[static DROPBOX_PATH_LEN]);

/* Rename a directory; ${taken}: it failed, and perhaps because there is one of that name. As
 * dropbox_judge. */
enum outcome dropbox_rename(const struct dropbox *box, const char *from, const char *to,
			    bool *taken);

/*
 * Prepare for the end: what follows is done even if the run has to stop. False if nothing can be
 * done any more.
 */
bool dropbox_tidy(const struct dropbox *box);

/* Did all that ${batch} asks for happen? */
bool dropbox_is_done(const struct batch *batch);

#endif

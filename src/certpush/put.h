/* Putting a pair into the mail host's staging directory by SFTP (draft-ietf-secsh-filexfer-02). */
#ifndef PUT_H
#define PUT_H

#include "certsync/deadline.h"
#include "certsync/file.h"
#include "certsync/generation.h"
#include "certsync/outcome.h"
#include "session.h"

/* One generation on its way. */
struct put {
	struct session *session;
	const char *target;      /* "user@host", for messages */
	const char *staging;     /* directory on the server */
	const char *fingerprint; /* of the leaf */
	const struct bytes *chain;
	const struct bytes *key;
	deadline end;
};

/*
 * Make the generation: a directory under a temporary name, both files in it synced where the server
 * can, renamed last. On success ${name} is what it is called. On failure what was made is removed
 * where that is permitted. REMOTE_DENIED, REMOTE_MISSING, REMOTE_FULL, SSH_PROTOCOL, TIMED_OUT,
 * CONNECTION_LOST, INTERRUPTED.
 */
enum outcome put_generation(const struct put *put, char name[static GENERATION_NAME_LEN + 1]);

#endif

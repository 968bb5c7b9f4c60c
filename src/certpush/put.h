/* Putting a pair into the mail host's staging directory. */
#ifndef PUT_H
#define PUT_H

#include "certsync/file.h"
#include "certsync/generation.h"
#include "certsync/outcome.h"
#include "dropbox.h"

/* One generation on its way. */
struct put {
	const struct dropbox *box;
	const char *fingerprint; /* of the leaf */
	const struct bytes *chain;
	const struct bytes *key;
};

/*
 * Make the generation: a directory under a temporary name, both files in it synced where the server
 * can, renamed last. On success ${name} is what it is called. On failure what was made is removed
 * where that is permitted. REMOTE_DENIED, REMOTE_MISSING, REMOTE_FULL, SSH_PROTOCOL, TIMED_OUT,
 * CONNECTION_LOST, INTERRUPTED.
 */
enum outcome put_generation(const struct put *put, char name[static GENERATION_NAME_LEN + 1]);

#endif

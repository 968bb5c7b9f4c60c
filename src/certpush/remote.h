/*
 * The mail host's drop box: an SSH connection with a known host key and our own, and SFTP by
 * libssh2. Nothing here waits longer than it was told to, and nothing is tried twice.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <stdbool.h>

#include "certsync/deadline.h"
#include "certsync/file.h"
#include "certsync/generation.h"
#include "certsync/outcome.h"
#include "push_conf.h"

struct remote;

/* What is being done, in this order, until the connection is there to be used. */
enum remote_stage {
	REMOTE_SETTINGS, /* reading our own key, and which keys of the host are known */
	REMOTE_CONNECT,  /* reaching the host's sshd, and agreeing on algorithms */
	REMOTE_HOST_KEY, /* judging its key */
	REMOTE_LOGIN,    /* authenticating */
	REMOTE_SFTP,     /* starting SFTP */
	REMOTE_READY,
};

/*
 * See that ${conf}'s identity and host key settings can be used, without opening a socket: the
 * identity is a private key that others cannot read and that this libssh2 can sign with soundly,
 * and a key of the host is known. IDENTITY_UNUSABLE, IDENTITY_EXPOSED, HOST_KEY_UNKNOWN,
 * NO_COMMON_ALGORITHM, FILE_...
 */
enum outcome remote_check_settings(const struct push_conf *conf);

/*
 * Read what is needed to connect to ${conf}'s host: our identity, and which keys of the host are
 * known. All is to be over before ${end}. On success ${out} is the caller's, to remote_closep.
 * Failures as of remote_check_settings.
 */
enum outcome remote_new(const struct push_conf *conf, deadline end, struct remote **out);

/*
 * Look up the host's addresses: the last thing for which a file is opened. HOST_UNRESOLVED,
 * TIMED_OUT, INTERRUPTED, HOST_KEY_UNKNOWN.
 */
enum outcome remote_resolve(struct remote *remote);

/*
 * Connect to the host (each of its addresses in turn), check its key, authenticate and start SFTP.
 * CONNECT_FAILED, TIMED_OUT, CONNECTION_LOST, HOST_KEY_UNKNOWN, HOST_KEY_CHANGED,
 * NO_COMMON_ALGORITHM, SSH_PROTOCOL, AUTH_REFUSED, INTERRUPTED.
 */
enum outcome remote_connect(struct remote *remote);

/* Where it is, or where it ended. */
enum remote_stage remote_stage(const struct remote *remote);

/*
 * Put the pair as a new generation into the staging directory: under a temporary name, both files
 * synced where the server can, renamed last. ${name} is what it is called there. On failure, what
 * was made is removed where that is permitted. REMOTE_DENIED, REMOTE_MISSING, REMOTE_FULL,
 * SSH_PROTOCOL, TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome remote_put(struct remote *remote, const char *fingerprint, const struct bytes *chain,
			const struct bytes *key, char name[static GENERATION_NAME_LEN + 1]);

/* May we write to the staging directory? As probe_staging (probe.h). */
enum outcome remote_probe(struct remote *remote, bool *removed);

/* Take leave of the server (within a second) and free ${remote}; for _cleanup_. */
void remote_closep(struct remote **remote);

#endif

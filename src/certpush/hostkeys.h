/*
 * Which of the mail host's SSH keys to ask the server for, and whether the one it shows is right:
 * it must be in known_hosts, or have the pinned fingerprint.
 */
#ifndef HOSTKEYS_H
#define HOSTKEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/file.h"
#include "certsync/outcome.h"
#include "push_conf.h"

#define HOSTKEYS_FINGERPRINT_LEN 50  /* "SHA256:" and 32 bytes in base64 without padding */
#define HOSTKEYS_METHODS_MAX     160 /* the names of all methods, with the final '\0' */

struct hostkeys;

/*
 * Read what ${conf} says of its host's keys, and its known_hosts file unless a key is pinned; no
 * such file is the same as one without lines. ${conf} must live as long as ${out}, which is the
 * caller's, to hostkeys_freep. FILE_DENIED and the like, NO_MEMORY.
 */
enum outcome hostkeys_load(const struct push_conf *conf, struct hostkeys **out);

void hostkeys_freep(struct hostkeys **keys);

/* Without a connection: is a key of the host known? HOST_KEY_UNKNOWN. */
enum outcome hostkeys_check(const struct hostkeys *keys);

/*
 * Write to ${methods} the host key methods to offer, best first, separated by commas: those of the
 * types that are known for the host; if none is, or a key is pinned, all sound ones but those
 * already seen. NO_COMMON_ALGORITHM if only keys are known that this libssh2 cannot verify.
 */
enum outcome hostkeys_methods(const struct hostkeys *keys,
			      char methods[static HOSTKEYS_METHODS_MAX]);

/*
 * Judge the ${key} (wire form, RFC 4253 6.6) that the server showed. HOST_KEY_UNKNOWN,
 * HOST_KEY_CHANGED; the reason names host, port, key type and fingerprint. ${again} is set if it is
 * not the pinned one but the server may have others: connect again, with what hostkeys_methods says
 * then.
 */
enum outcome hostkeys_judge(struct hostkeys *keys, const void *key, size_t len, bool *again);

/*
 * For a server that has no more keys to show: record again that none of those seen was the pinned
 * one. HOST_KEY_CHANGED, or OK if none was seen.
 */
enum outcome hostkeys_exhausted(const struct hostkeys *keys);

/* Write the fingerprint of a public ${key} to ${text} as ssh-keygen -l prints it. */
void hostkeys_fingerprint(const void *key, size_t len,
			  char text[static HOSTKEYS_FINGERPRINT_LEN + 1]);

#endif

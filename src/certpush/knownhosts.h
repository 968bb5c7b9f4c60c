/*
 * What a known_hosts file (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT) says of one host. Lines are
 * understood by libssh2: plain and hashed names, [host]:port, lists. Patterns (*, ?, !) match
 * nothing. @revoked keys count for every host, as it is the key that leaked; @cert-authority lines
 * are reported and left out.
 */
#ifndef KNOWNHOSTS_H
#define KNOWNHOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/file.h"
#include "certsync/outcome.h"

struct knownhosts;

/*
 * Keep the lines of ${contents} that are about ${host} at ${port}; ${file} is what messages call
 * it. On success ${out} is the caller's, to knownhosts_freep. NO_MEMORY.
 */
enum outcome knownhosts_parse(const char *file, const struct bytes *contents, const char *host,
			      int port, struct knownhosts **out);

void knownhosts_freep(struct knownhosts **known);

/* Is any key of the host known? */
bool knownhosts_has_any(const struct knownhosts *known);

/* Is a key of type ${type} (LIBSSH2_KNOWNHOST_KEY_...) known? */
bool knownhosts_has_type(const struct knownhosts *known, int type);

/* Is ${key} (wire form, RFC 4253 6.6), which is of ${type}, one of the host's? */
bool knownhosts_has_key(const struct knownhosts *known, const void *key, size_t len, int type);

/* Is ${key} named in a @revoked line? */
bool knownhosts_revokes(const struct knownhosts *known, const void *key, size_t len);

#endif

/*
 * The service is two processes, one after the other. `certpush open` is root, without a single one
 * of root's capabilities, and reads what only root may read: the pair and the SSH key. `certpush
 * run` talks to the network, and is a user that can read none of that. What the first one has read,
 * the service manager keeps for the second (sd_pid_notify_with_fds(3), FDSTORE=1). By hand, run
 * does without the other.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "certsync/file.h"
#include "certsync/outcome.h"

/* What is handed over, by its name there. */
#define HANDOVER_LINEAGE  "lineage"
#define HANDOVER_CHAIN    "fullchain.pem"
#define HANDOVER_KEY      "privkey.pem"
#define HANDOVER_IDENTITY "identity"

/* Hand over ${len} bytes at ${data} as ${name}, in memory. USAGE (nobody keeps it), NO_MEMORY. */
enum outcome handover_give(const char *name, const void *data, size_t len);

/* Hand over the open file ${fd} as ${name}. USAGE. */
enum outcome handover_give_file(const char *name, int fd);

/* The descriptor that was handed over to us as ${name}, at its beginning; -1: none was. */
int handover_file(const char *name);

/* Read what was handed over as ${name} into ${bytes}, which the caller clears. FILE_... */
enum outcome handover_take(const char *name, struct bytes *bytes);

#endif

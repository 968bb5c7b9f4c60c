/* May we write to the mail host's staging directory? */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

#include "certsync/outcome.h"
#include "dropbox.h"

/*
 * Make and rename an empty directory there, as pushing a generation does. certdeploy never takes it
 * for one: both of its names are those of parts (generation.h), which it removes once they are an
 * hour old. So nothing piles up where the server does not permit to remove it at once; ${removed}
 * says whether it does. REMOTE_..., SSH_PROTOCOL, TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome probe_staging(const struct dropbox *box, bool *removed);

#endif

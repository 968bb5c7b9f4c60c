/*
 * A generation: a directory that holds one complete pair, named for when it was made and what it
 * holds: <UTC time>-<first 16 hex digits of the leaf's SHA-256 fingerprint>, e.g.
 * 20261122T030007Z-2d711642b726b044. While it is being written it is called .<name>.part. Names
 * sort by time.
 */
#ifndef CERTSYNC_GENERATION_H
#define CERTSYNC_GENERATION_H

#include <stdbool.h>
#include <time.h>

#define GENERATION_NAME_LEN 33
#define GENERATION_PART_LEN (GENERATION_NAME_LEN + 6)
#define GENERATION_CHAIN    "fullchain.pem"
#define GENERATION_KEY      "privkey.pem"

/*
 * Write the name of a generation made at ${when} of the leaf with ${fingerprint} ("AA:BB:...") to
 * ${name}.
 */
void generation_name(time_t when, const char *fingerprint,
		     char name[static GENERATION_NAME_LEN + 1]);

/* Is ${name} the name of a complete generation? */
bool generation_is_name(const char *name);

/* Is ${name} the name of one that is still being written, or never was finished? */
bool generation_is_part(const char *name);

/* Is ${name} that of a generation which is being removed: .<name>.spent? */
bool generation_is_spent(const char *name);

#endif

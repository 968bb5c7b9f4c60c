/*
 * What arrives in the staging directory, and when: by our clock, in change times, which the account
 * that writes there cannot set.
 */
#ifndef ARRIVALS_H
#define ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "certsync/generation.h"
#include "certsync/outcome.h"

/*
 * More generations than this are not looked at: those that arrived last come first, whatever their
 * names say, and each costs a signature check or two.
 */
#define ARRIVALS_MAX 32

struct arrival {
	char name[GENERATION_NAME_LEN + 1];
	struct timespec when;
};

struct arrivals {
	struct arrival *generations; /* the ARRIVALS_MAX that arrived last, the last one first */
	size_t count;
	size_t found;         /* how many there are in all */
	struct timespec flat; /* when the flat pair last changed; 0: there is none */
};

/* Did ${one} come before ${other}? */
bool arrivals_in_order(const struct timespec *one, const struct timespec *other);

/*
 * List what is in directory ${dir} into ${arrivals}, which the caller clears in any case.
 * STAGING_MISSING, FILE_IO, NO_MEMORY.
 */
enum outcome arrivals_list(int dir, struct arrivals *arrivals);

/* When did the flat pair in ${dir} last change? 0: there is none. FILE_IO. */
enum outcome arrivals_flat(int dir, struct timespec *when);

/*
 * Wait for uploads to ${dir} that are under way to be complete: until none has gone on for some
 * seconds, and never for long, as their owner may go on for ever.
 */
void arrivals_await(int dir);

/* Has anything come to ${dir} that is not among what was ${seen}, or is it about to? If it cannot
 * be seen, it may have. */
bool arrivals_since(int dir, const struct arrivals *seen);

/* Free what ${arrivals} holds; for _cleanup_. */
void arrivals_clear(struct arrivals *arrivals);

#endif

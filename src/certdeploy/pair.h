/* A chain and its key as they are on disk. */
#ifndef PAIR_H
#define PAIR_H

#include <time.h>

#include "certsync/bundle.h"

struct pair {
	struct bytes chain;
	struct bytes key;
	struct bundle *bundle;   /* NULL: the two are missing or cannot be read */
	struct timespec arrived; /* when it came to this host; 0: not known */
};

/* Free what ${pair} holds; for _cleanup_. */
void pair_clear(struct pair *pair);

#endif

/* A chain and its key as they are on disk, and what is to be thought of them. */
#ifndef PAIR_H
#define PAIR_H

#include <time.h>

#include "judge.h"

struct pair {
	struct bytes chain;
	struct bytes key;
	struct judgement judged;
	struct timespec arrived; /* when it came to this host; 0: not known */
};

#define PAIR_NONE ((struct pair){ .judged = { .loaded = OUTCOME_OK } })

/* judge_pair, of what ${pair} holds. */
enum outcome pair_judge(struct pair *pair, const struct judge_rules *rules);

/* Was it judged, and found to be a chain and a key that can be read? */
bool pair_is_whole(const struct pair *pair);

/* ... and do the two belong together? */
bool pair_is_matched(const struct pair *pair);

/* Does it hold the very bytes of ${other}? */
bool pair_equal(const struct pair *pair, const struct pair *other);

/* Free what ${pair} holds; it is PAIR_NONE afterwards. For _cleanup_. */
void pair_clear(struct pair *pair);

#endif

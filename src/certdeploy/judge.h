/*
 * What is to be thought of a chain and its key, found out by a process that can do no harm
 * (worker.h): this one never parses them.
 */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>
#include <time.h>

#include "certsync/bundle.h"
#include "certsync/file.h"

#define JUDGE_REASON_MAX   512
#define JUDGE_KEY_TYPE_MAX 32
#define JUDGE_NAME_MAX     256

/* By what it is judged. */
struct judge_rules {
	const char *hostname;      /* what the certificate must cover */
	time_t now;                /* ... and when it must be valid */
	const struct bytes *roots; /* PEM, one of which the chain must end in; NULL or empty: any */
	const struct bytes *names; /* further names, between white space; NULL: none */
};

/* Of a fixed size and without pointers, as it is what crosses between the processes. */
struct judgement {
	int loaded;                    /* enum outcome: OK, or why it is no chain and key */
	int good;                      /* ... OK, or the first reason against it */
	char reason[JUDGE_REASON_MAX]; /* of the one of these that failed; printable */

	/* What is known of the leaf, which can do without a key; "" and 0 if none can be read. */
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1]; /* as bundle_fingerprint */
	char spki[BUNDLE_SPKI_LEN + 1];               /* as bundle_spki */
	char key_type[JUDGE_KEY_TYPE_MAX];
	int64_t not_before, not_after;
	unsigned is;                    /* JUDGED_... */
	char uncovered[JUDGE_NAME_MAX]; /* the first of the further names that it does not cover */
};

#define JUDGED_MATCHED     1U /* the key is the leaf's */
#define JUDGED_STANDARD    2U /* the leaf is a server's, covers the host and is valid now */
#define JUDGED_SELF_ISSUED 4U
#define JUDGED_ALL         7U

/*
 * Judge ${chain} and ${key} by ${rules}. OK: ${judgement} says what came of it, and whether it is
 * good. SANDBOX_FAILED, WORKER_DIED, INTERRUPTED, NO_MEMORY.
 */
enum outcome judge_pair(const struct bytes *chain, const struct bytes *key,
			const struct judge_rules *rules, struct judgement *judgement);

/* The outcome ${judged}, loaded or good, for the reason that it gives. */
enum outcome judge_outcome(const struct judgement *judgement, int judged);

/*
 * Is ${judgement}, which came from a process that may have been taken over, one that can be? Its
 * text is made printable.
 */
bool judge_accept(struct judgement *judgement);

#endif

/*
 * The staging directory, which a network-facing account writes to: choose among the generations
 * (and a flat fullchain.pem + privkey.pem, as rsync and scp leave them) the newest good pair.
 */
#ifndef STAGING_H
#define STAGING_H

#include <time.h>

#include "arrivals.h"
#include "pair.h"

struct staging_rules {
	const char *dir;
	const char *hostname;         /* what the certificate must cover */
	const struct bytes *roots;    /* as in judge_rules */
	const struct pair *installed; /* judged for the same host and time: a certificate that was
					 issued before this one is refused */
	struct timespec installed_arrived; /* when that one came to this host; 0: not known */
	int rejected_in; /* the state directory, where pairs are noted that were rolled back and
			    are not tried again (rejected.h), or -1 */
	time_t now;
	bool patient; /* uploads that are under way are waited for */
};

/* What was found. */
struct staging {
	const char *path; /* the rules' dir, which must live as long */
	int dir;
	struct arrivals arrivals;
	struct pair pair;                   /* the chosen one; not whole if there is none */
	char name[GENERATION_NAME_LEN + 1]; /* its generation; "": the flat pair */
	enum outcome rejected; /* why the newest one was refused; OK if it was not, or if the chosen
				  one came after it */
	char reason[1024];     /* ... in words */
	char rejected_name[GENERATION_NAME_LEN + 1];
	struct timespec rejected_arrived;
};

/*
 * Judge what is staged by ${rules} into ${staging}, which the caller clears in any case. OK:
 * chosen, rejected, both or neither. STAGING_MISSING, SANDBOX_FAILED, NO_MEMORY.
 */
enum outcome staging_choose(const struct staging_rules *rules, struct staging *staging);

/*
 * The chosen pair is deployed: remove its generation and those it supersedes. The newest rejected
 * generation stays, and so do a flat pair and whatever arrived since. FILE_WRITE, FILE_DENIED.
 */
enum outcome staging_tidy(const struct staging *staging);

/*
 * Remove uploads that were begun more than an hour ago and never finished, and what staging_tidy
 * did not get done: they may hold a key. FILE_WRITE, FILE_DENIED.
 */
enum outcome staging_remove_stale(const struct staging *staging);

/* Free what ${staging} holds; for _cleanup_. */
void staging_clear(struct staging *staging);

#endif

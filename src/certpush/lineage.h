/*
 * Lineages: certbot's live/<name>/ directories, each with the newest certificate of one kind, as
 * links into archive/. Nginx Proxy Manager names them npm-N and gives a certificate that is made
 * anew another N.
 */
#ifndef LINEAGE_H
#define LINEAGE_H

#include <time.h>

#include "certsync/bundle.h"
#include "certsync/metrics.h"
#include "push_conf.h"

#define LINEAGE_NAME_MAX    255
#define LINEAGE_SKIPPED_MAX 512

struct lineage {
	char name[LINEAGE_NAME_MAX + 1];
	struct bundle *bundle; /* the leaf alone: for describing and choosing, not for sending */
	char skipped[LINEAGE_SKIPPED_MAX]; /* why another could not be looked at, "" if all could */
};

/* Free what ${lineage} holds; for _cleanup_. */
void lineage_clear(struct lineage *lineage);

/*
 * Hear of one lineage: ${outcome} is OK and ${lineage} complete (take its bundle by setting it to
 * NULL), or its chain cannot be read, for the recorded reason, and its bundle is NULL.
 */
typedef void lineage_fn(struct lineage *lineage, enum outcome outcome, void *context);

/*
 * Hand every lineage below ${conf}'s live_dir to ${each}, in no order; with a ${host} only those
 * that may cover it. One that certbot is changing at this moment is waited for, a few seconds.
 * NO_LINEAGE, FILE_DENIED...: the tree itself cannot be read.
 */
enum outcome lineage_each(const struct push_conf *conf, const char *host, lineage_fn *each,
			  void *context);

/*
 * Find the lineage to push: the pinned one, or of those that cover the host and are valid at ${now}
 * the one issued last; or the one that was handed over. Reads no private key. ${found} is the
 * caller's to clear. NO_LINEAGE, LINEAGE_WRONG, CERT_..., FILE_...
 */
enum outcome lineage_find(const struct push_conf *conf, time_t now, struct lineage *found);

/*
 * Say which certificate every later record is about, that of ${lineage} for ${hostname}, and that
 * another lineage could not be looked at.
 */
void lineage_describe(const struct lineage *lineage, const char *hostname);

/* Note in ${metrics} the certificate of ${lineage}, if one was found. */
void lineage_note(const struct lineage *lineage, struct metrics *metrics);

/*
 * Read chain and key of the lineage ${name} and judge them (bundle_check). Read again for a few
 * seconds while they do not make a pair: certbot replaces one link after the other. The caller
 * clears and frees all three; the bundle is without the key.
 */
enum outcome lineage_read_pair(const struct push_conf *conf, const char *name, time_t now,
			       struct bytes *chain, struct bytes *key, struct bundle **bundle);

#endif

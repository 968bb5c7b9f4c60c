/* certdeploy tlsa, and what check says of TLSA records. */
#ifndef TLSA_H
#define TLSA_H

#include <jansson.h>

#include "certsync/command.h"
#include "certsync/findings.h"
#include "dane.h"
#include "sightings.h"
#include "situation.h"

/* The keys that records may match, in the order in which they are shown. */
enum tlsa_whose {
	TLSA_SERVED,
	TLSA_INSTALLED,
	TLSA_STAGED,
	TLSA_KEYS
};

/* All that was found out of them; a key that there is none of, or that is not known, has no chain.
 */
struct tlsa_view {
	struct dane dane;
	struct tlsa_chain key[TLSA_KEYS];
	struct sightings *sightings;
};

/*
 * Look up the records, compare them with the keys of ${situation}, whose endpoints were asked if
 * they are to be, and add what is found to ${findings}. The caller clears ${view} in any case.
 */
void tlsa_find(const struct situation *situation, struct tlsa_view *view,
	       struct findings *findings);

/* The records and the keys as JSON: what certdeploy(8) documents as "tlsa". */
json_t *tlsa_json(const struct tlsa_view *view);

/* For _cleanup_. */
void tlsa_clear(struct tlsa_view *view);

/* Print the records of the served, installed and staged keys, and a verdict for each. */
int tlsa_command(const struct command_options *options);

#endif

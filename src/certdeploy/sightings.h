/*
 * When which TLSA record was first seen: until the caches of others have forgotten the records that
 * were there before it, some senders do not know of it. Kept in the state directory as JSON.
 */
#ifndef SIGHTINGS_H
#define SIGHTINGS_H

#include <time.h>

#include "lookup.h"

struct sightings;

/*
 * Read them from directory ${state}, which may be -1; what cannot be understood counts for nothing,
 * and time is counted from now on. The caller frees ${out}. FILE_IO, FILE_DENIED, NO_MEMORY.
 */
enum outcome sightings_load(int state, struct sightings **out);

/* Write them there. FILE_WRITE, NO_MEMORY. */
enum outcome sightings_save(int state, const struct sightings *sightings);

/* Note what was found ${now}. */
void sightings_note(struct sightings *sightings, const struct lookup_answer *answer, time_t now);

/*
 * From when on do all know of ${record}, which was noted at ${name}? ${first}: when it was first
 * seen.
 */
time_t sightings_known_from(const struct sightings *sightings, const char *name,
			    const struct tlsa_record *record, time_t *first);

/* Since when is the key with ${spki} held? ${now}, if it is not; it is from then on. */
time_t sightings_hold(struct sightings *sightings, const char *spki, time_t now);

/* The same without holding it: 0, if it is not. */
time_t sightings_held(const struct sightings *sightings, const char *spki);

/* None is held any more. */
void sightings_release(struct sightings *sightings);

/* For _cleanup_. */
void sightings_freep(struct sightings **sightings);

#endif

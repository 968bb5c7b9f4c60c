/*
 * Notes in the state directory about one pair, which is named by the hashes of its files:
 *
 *	pending          it is being installed, or is installed and was not seen to be served yet
 *	rejected-DIGITS  the services could not serve it, and it was rolled back (rejected.h)
 */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>

#include "pair.h"

#define RECORD_PENDING  "pending"
#define RECORD_HASH_LEN 64
#define RECORD_NOTE_MAX 511

struct record {
	char chain[RECORD_HASH_LEN + 1]; /* SHA-256, hexadecimal */
	char key[RECORD_HASH_LEN + 1];
	char note[RECORD_NOTE_MAX + 1]; /* one line of text; may be "" */
};

/* One of ${pair}, without a note. NO_MEMORY. */
enum outcome record_make(const struct pair *pair, struct record *record);

/* Write record ${name} of ${pair} into directory ${state}. FILE_WRITE, NO_MEMORY. */
enum outcome record_write(int state, const char *name, const struct pair *pair, const char *note);

/*
 * Read it; ${record} is empty where there is none, or none that can be understood; ${state} may be
 * -1. FILE_IO, FILE_DENIED, NO_MEMORY: who knows what it says.
 */
enum outcome record_read(int state, const char *name, struct record *record);

/* Does it speak of a pair? */
bool record_is_empty(const struct record *record);

/* Is there, or may there be, a record ${name}, whatever it says? */
bool record_exists(int state, const char *name);

/* Is ${record} of these very bytes? */
bool record_is_of(const struct record *record, const struct pair *pair);
bool record_hash_is(const char *hash, const struct bytes *bytes);

/* Remove it, if there is one. FILE_WRITE. */
enum outcome record_remove(int state, const char *name);

#endif

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "sightings.h"

#define FILE_NAME      "tlsa.json"
#define FILE_MODE      0600
#define FILE_BYTES_MAX ((size_t)1024 * 1024)
/* No cache keeps anything for longer, whatever the TTL says (RFC 8767 4). */
#define TTL_MAX ((time_t)7 * 24 * 60 * 60)
/*
 * Seconds are cut off by us, by the resolvers, and by mail servers, which keep an answer in memory
 * for one more; and the look-up itself takes time.
 */
#define MARGIN ((time_t)10)

/*
 *	{ "names": { NAME: { "ttl": SECONDS, "cached_until": TIME,
 *	                     "records": { TEXT: { "first_seen": TIME, "known_from": TIME } } } },
 *	  "held": { "spki_sha256": TEXT, "since": TIME } }
 *
 * The TTL is that of the set as it was last seen, 0 if there was none; no cache has an earlier set
 * after cached_until. Times are seconds since the epoch.
 */
struct sightings {
	json_t *root;
};

static time_t get_time(const json_t *object, const char *key)
{
	return (time_t)json_integer_value(json_object_get(object, key));
}

static void set_time(json_t *object, const char *key, time_t when)
{
	json_object_set_new(object, key, json_integer((json_int_t)when));
}

static time_t later(time_t one, time_t other)
{
	return one > other ? one : other;
}

static time_t limited(unsigned ttl)
{
	return ttl < TTL_MAX ? (time_t)ttl : TTL_MAX;
}

/* The object ${key} in ${object}, which is made if there is none. */
static json_t *object_in(json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);

	if (!json_is_object(found)) {
		json_object_set_new(object, key, json_object());
		found = json_object_get(object, key);
	}
	return found;
}

/* --- the file --- */

enum outcome sightings_load(int state, struct sightings **out)
{
	_cleanup_(bytes_clear) struct bytes bytes = BYTES_NONE;
	struct sightings *sightings = calloc(1, sizeof(*sightings));
	enum outcome outcome = OUTCOME_OK;

	*out = sightings;
	if (sightings && state >= 0)
		outcome = file_read(state, FILE_NAME, FILE_STAGED, FILE_BYTES_MAX, &bytes);
	if (file_is_unreadable(outcome))
		return outcome;
	if (sightings && bytes.data)
		sightings->root = json_loadb(bytes.data, bytes.len, JSON_REJECT_DUPLICATES, NULL);
	if (sightings && !json_is_object(sightings->root)) {
		json_decref(sightings->root);
		sightings->root = json_object();
	}
	return sightings && sightings->root ? OUTCOME_OK
					    : outcome_because(OUTCOME_NO_MEMORY, "out of memory");
}

enum outcome sightings_save(int state, const struct sightings *sightings)
{
	const struct file_access access = { FILE_ANY_UID, FILE_ANY_GID, FILE_MODE };
	_cleanup_(string_freep) char *text =
		json_dumps(sightings->root, JSON_INDENT(1) | JSON_SORT_KEYS);
	const struct bytes bytes = { .data = text, .len = text ? strlen(text) : 0 };

	return text ? file_replace(state, FILE_NAME, &bytes, &access)
		    : outcome_because(OUTCOME_NO_MEMORY, "out of memory");
}

void sightings_freep(struct sightings **sightings)
{
	if (*sightings)
		json_decref((*sightings)->root);
	free(*sightings);
	*sightings = NULL;
}

/* --- records --- */

/* Was ${record} there before? What is said to be from the future is not to be believed. */
static bool is_noted(const json_t *record, time_t now)
{
	return json_is_object(record) && get_time(record, "first_seen") <= now &&
	       get_time(record, "known_from") <= now + TTL_MAX + MARGIN;
}

/* Does ${place} say what was there before? */
static bool is_place(const json_t *place)
{
	return json_is_integer(json_object_get(place, "ttl")) &&
	       json_is_object(json_object_get(place, "records"));
}

/* Is what was found the set that ${place} says? */
static bool is_same_set(const json_t *place, const struct lookup_answer *answer, time_t now)
{
	const json_t *records = json_object_get(place, "records");

	if (json_object_size(records) != answer->count ||
	    get_time(place, "ttl") != limited(answer->ttl))
		return false;
	for (size_t i = 0; i < answer->count; i++) {
		char text[TLSA_TEXT_LEN + 1];

		tlsa_text(&answer->record[i], text);
		if (!is_noted(json_object_get(records, text), now))
			return false;
	}
	return true;
}

void sightings_note(struct sightings *sightings, const struct lookup_answer *answer, time_t now)
{
	json_t *names = object_in(sightings->root, "names"), *records, *place;
	const json_t *before;
	time_t forgotten;
	bool known;

	if (answer->result == LOOKUP_FAILED)
		return;
	known = is_place(json_object_get(names, answer->name));
	place = object_in(names, answer->name);
	before = json_object_get(place, "records");
	if (known && is_same_set(place, answer, now))
		return;
	/* The set before was there until now at the latest; of one that is not known, as long. */
	forgotten = now + limited(known ? (unsigned)get_time(place, "ttl") : answer->ttl);
	if (forgotten > now)
		forgotten += MARGIN;
	if (get_time(place, "cached_until") <= now + TTL_MAX + MARGIN)
		forgotten = later(forgotten, get_time(place, "cached_until"));
	records = json_object();
	for (size_t i = 0; i < answer->count; i++) {
		char text[TLSA_TEXT_LEN + 1];
		json_t *record;

		tlsa_text(&answer->record[i], text);
		record = json_object_get(before, text);
		if (is_noted(record, now)) {
			json_object_set(records, text, record);
			continue;
		}
		record = object_in(records, text);
		set_time(record, "first_seen", now);
		set_time(record, "known_from", forgotten);
	}
	json_object_set_new(place, "records", records);
	set_time(place, "ttl", limited(answer->ttl));
	set_time(place, "cached_until", forgotten);
}

time_t sightings_known_from(const struct sightings *sightings, const char *name,
			    const struct tlsa_record *record, time_t *first)
{
	const json_t *place = json_object_get(json_object_get(sightings->root, "names"), name);
	char text[TLSA_TEXT_LEN + 1];

	tlsa_text(record, text);
	place = json_object_get(json_object_get(place, "records"), text);
	*first = get_time(place, "first_seen");
	return get_time(place, "known_from");
}

/* --- the key that is held --- */

time_t sightings_held(const struct sightings *sightings, const char *spki)
{
	const json_t *held = json_object_get(sightings->root, "held");
	const char *whose = json_string_value(json_object_get(held, "spki_sha256"));

	return whose && !strcmp(whose, spki) ? get_time(held, "since") : 0;
}

time_t sightings_hold(struct sightings *sightings, const char *spki, time_t now)
{
	const time_t since = sightings_held(sightings, spki);
	json_t *held;

	if (since && since <= now)
		return since;
	held = object_in(sightings->root, "held");
	json_object_set_new(held, "spki_sha256", json_string(spki));
	set_time(held, "since", now);
	return now;
}

void sightings_release(struct sightings *sightings)
{
	json_object_del(sightings->root, "held");
}

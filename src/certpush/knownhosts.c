#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "knownhosts.h"

/* How entries are asked for: names and keys as the caller has them. */
#define PLAIN_RAW    (LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_RAW)
#define PLAIN_BASE64 (LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64)

/* Revoked keys are kept under one name and one type, as neither matters. */
#define NAME_MAX_LEN 280 /* [host]:port */
#define ANY_PORT     (-1)
#define REVOKED_NAME "revoked"
#define REVOKED_TYPE LIBSSH2_KNOWNHOST_KEY_ED25519

struct knownhosts {
	const char *host;
	int port;
	LIBSSH2_SESSION *session;      /* libssh2 wants one to allocate from */
	LIBSSH2_KNOWNHOSTS *keys;      /* of lines that name the host */
	LIBSSH2_KNOWNHOSTS *port_keys; /* of lines that name [host]:port; then they alone count */
	char port_name[NAME_MAX_LEN];
	LIBSSH2_KNOWNHOSTS *revoked;
};

void knownhosts_freep(struct knownhosts **known)
{
	struct knownhosts *old = *known;

	*known = NULL;
	if (!old)
		return;
	if (old->keys)
		libssh2_knownhost_free(old->keys);
	if (old->port_keys)
		libssh2_knownhost_free(old->port_keys);
	if (old->revoked)
		libssh2_knownhost_free(old->revoked);
	if (old->session)
		libssh2_session_free(old->session);
	free(old);
}

static void collection_freep(LIBSSH2_KNOWNHOSTS **collection)
{
	if (*collection)
		libssh2_knownhost_free(*collection);
}

static enum outcome out_of_memory(const char *file)
{
	return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", file);
}

/* Does one of the entries in ${collection} bear this ${name}? */
static bool bears_name(LIBSSH2_KNOWNHOSTS *collection, const char *name)
{
	struct libssh2_knownhost *entry = NULL;

	/* There is no asking for a name alone, so each entry is asked for by its own key. */
	while (!libssh2_knownhost_get(collection, &entry, entry)) {
		int type = entry->typemask & LIBSSH2_KNOWNHOST_KEY_MASK;

		if (libssh2_knownhost_checkp(collection, name, ANY_PORT, entry->key, 0,
					     PLAIN_BASE64 | type,
					     NULL) == LIBSSH2_KNOWNHOST_CHECK_MATCH)
			return true;
	}
	return false;
}

/*
 * Keep ${line} if it is about the host. Alone in a collection first, so that a long file costs no
 * more than its length.
 */
static enum outcome add_host_line(struct knownhosts *known, const char *file, size_t number,
				  const char *line)
{
	_cleanup_(collection_freep) LIBSSH2_KNOWNHOSTS *alone =
		libssh2_knownhost_init(known->session);
	int error;

	if (!alone)
		return out_of_memory(file);
	error = libssh2_knownhost_readline(alone, line, strlen(line),
					   LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	if (!error && bears_name(alone, known->port_name))
		error = libssh2_knownhost_readline(known->port_keys, line, strlen(line),
						   LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	else if (!error && bears_name(alone, known->host))
		error = libssh2_knownhost_readline(known->keys, line, strlen(line),
						   LIBSSH2_KNOWNHOST_FILE_OPENSSH);
	if (error == LIBSSH2_ERROR_ALLOC)
		return out_of_memory(file);
	if (error)
		journal_detail("%s:%zu: malformed, left out", file, number);
	return OUTCOME_OK;
}

/* "@revoked names type base64 comment"; ${rest} begins at the names. */
static enum outcome add_revoked(struct knownhosts *known, const char *file, size_t number,
				char *rest)
{
	char *names = strtok_r(rest, " \t", &rest), *type = strtok_r(NULL, " \t", &rest);
	char *key = strtok_r(NULL, " \t", &rest);

	if (!names || !type || !key) {
		journal_detail("%s:%zu: malformed, left out", file, number);
		return OUTCOME_OK;
	}
	if (libssh2_knownhost_addc(known->revoked, REVOKED_NAME, NULL, key, strlen(key), NULL, 0,
				   PLAIN_BASE64 | REVOKED_TYPE, NULL))
		return out_of_memory(file);
	return OUTCOME_OK;
}

static enum outcome add_line(struct knownhosts *known, const char *file, size_t number, char *line)
{
	static const char revoked[] = "@revoked";

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return OUTCOME_OK;
	if (*line != '@')
		return add_host_line(known, file, number, line);
	if (!strncmp(line, revoked, sizeof(revoked) - 1) &&
	    strchr(" \t", line[sizeof(revoked) - 1]))
		return add_revoked(known, file, number, line + sizeof(revoked) - 1);
	journal_log(OUTCOME_MARKER_IGNORED, "%s:%zu: a line with the marker %.*s is left out", file,
		    number, (int)strcspn(line, " \t"), line);
	return OUTCOME_OK;
}

static enum outcome add_lines(struct knownhosts *known, const char *file,
			      const struct bytes *contents)
{
	_cleanup_(string_freep) char *copy = malloc(contents->len + 1);
	enum outcome outcome = OUTCOME_OK;
	size_t number = 1;

	if (!copy)
		return out_of_memory(file);
	if (contents->len)
		memcpy(copy, contents->data, contents->len);
	copy[contents->len] = '\0';

	for (char *line = copy, *next; line && !outcome_failed(outcome); line = next, number++) {
		size_t left = contents->len - (size_t)(line - copy);
		char *end = memchr(line, '\n', left);

		next = end ? end + 1 : NULL;
		if (!end)
			end = line + left;
		*end = '\0';
		if (end > line && end[-1] == '\r')
			end[-1] = '\0';
		outcome = add_line(known, file, number, line);
	}
	return outcome;
}

static bool has_entry(LIBSSH2_KNOWNHOSTS *collection)
{
	struct libssh2_knownhost *entry = NULL;

	return !libssh2_knownhost_get(collection, &entry, NULL);
}

enum outcome knownhosts_parse(const char *file, const struct bytes *contents, const char *host,
			      int port, struct knownhosts **out)
{
	_cleanup_(knownhosts_freep) struct knownhosts *known = calloc(1, sizeof(*known));
	enum outcome outcome;

	if (!known)
		return out_of_memory(file);
	known->host = host;
	known->port = port;
	snprintf(known->port_name, sizeof(known->port_name), "[%s]:%d", host, port);
	known->session = libssh2_session_init();
	if (known->session) {
		known->keys = libssh2_knownhost_init(known->session);
		known->port_keys = libssh2_knownhost_init(known->session);
		known->revoked = libssh2_knownhost_init(known->session);
	}
	if (!known->keys || !known->port_keys || !known->revoked)
		return out_of_memory(file);
	outcome = add_lines(known, file, contents);
	if (outcome_failed(outcome))
		return outcome;
	/* As for ssh: a line for the port stands in front of one for the host at large. */
	if (has_entry(known->port_keys)) {
		libssh2_knownhost_free(known->keys);
		known->keys = known->port_keys;
		known->port_keys = NULL;
	}
	*out = known;
	known = NULL;
	return OUTCOME_OK;
}

bool knownhosts_has_any(const struct knownhosts *known)
{
	return has_entry(known->keys);
}

bool knownhosts_has_type(const struct knownhosts *known, int type)
{
	/* A key that cannot be: a mismatch says that there is another of the type. */
	static const char no_key[] = "-";

	return libssh2_knownhost_checkp(known->keys, known->host, known->port, no_key, 0,
					PLAIN_BASE64 | type,
					NULL) == LIBSSH2_KNOWNHOST_CHECK_MISMATCH;
}

bool knownhosts_has_key(const struct knownhosts *known, const void *key, size_t len, int type)
{
	/* Without the type libssh2 compares with keys of any type. */
	return libssh2_knownhost_checkp(known->keys, known->host, known->port, key, len,
					PLAIN_RAW | type, NULL) == LIBSSH2_KNOWNHOST_CHECK_MATCH;
}

bool knownhosts_revokes(const struct knownhosts *known, const void *key, size_t len)
{
	return libssh2_knownhost_check(known->revoked, REVOKED_NAME, key, len,
				       PLAIN_RAW | REVOKED_TYPE,
				       NULL) == LIBSSH2_KNOWNHOST_CHECK_MATCH;
}

/*
 * Configuration files: INI by inih for our own, and mailcow.conf as docker compose reads it. Every
 * setting stands in one table, which holds its section, key, type and default; certsync.conf(5)
 * documents them.
 */
#ifndef CERTSYNC_CONF_H
#define CERTSYNC_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/outcome.h"

enum conf_type {
	CONF_TEXT,     /* char *: any printable text */
	CONF_PATH,     /* char *: absolute path */
	CONF_NAME,     /* char *: a file name, no slash */
	CONF_DNS_NAME, /* char *: a DNS name in A-labels; a trailing dot is taken off */
	CONF_HOST,     /* char *: DNS name as above, or IP address */
	CONF_HOST_KEY, /* char *: SHA256:<base64>, as ssh-keygen -l prints it */
	CONF_PORT,     /* int: 1 to 65535 */
	CONF_NUMBER,   /* int: 0 to 9999 */
	CONF_DURATION, /* int, milliseconds: a number and ms, s, m or h */
	CONF_SWITCH,   /* bool: on or off */
	CONF_WORDS,    /* char *: words separated by single spaces */
};

/* One setting; the value is stored at ${offset} of the program's configuration structure. */
struct conf_setting {
	const char *section;
	const char *key;
	enum conf_type type;
	bool may_be_empty; /* an empty value means "not set" and is stored as "" */
	size_t offset;
	/* Judges the text further; NULL: the type says it all. CONF_INVALID, with a reason. */
	enum outcome (*check)(const char *text);
	const char *default_text; /* in the file's notation; NULL: the setting must be given */
};

/*
 * Fill the structure at ${values}, which is all zero bytes, from ${path} by the ${settings};
 * conf_clear it in any case. CONF_MISSING, FILE_DENIED, CONF_INVALID; the reason names file and
 * line and, for a near miss, the key that was meant.
 */
enum outcome conf_load(const char *path, const struct conf_setting *settings, size_t count,
		       void *values);

/* Free the texts in ${values}. */
void conf_clear(const struct conf_setting *settings, size_t count, void *values);

/* Is ${text} a DNS name in A-labels, without a trailing dot (RFC 1035, RFC 5890)? */
bool conf_is_dns_name(const char *text);

/* One line of mailcow.conf; ${value} without surrounding quotes. */
typedef void conf_variable_fn(const char *name, const char *value, void *context);

/*
 * Hand every NAME=VALUE of ${path} to ${each}, in order (where a name comes twice, the later
 * counts, as for docker compose). CONF_MISSING, FILE_DENIED, CONF_INVALID.
 */
enum outcome conf_variables(const char *path, conf_variable_fn *each, void *context);

#endif

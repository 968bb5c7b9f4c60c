/* mailcow's files domains: the names that a directory of certificates is served for. */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdbool.h>

/*
 * The first name in ${text}, which has them between white space and is taken apart, that ${wanted}
 * says is the one; NULL: none.
 */
const char *domains_find(char *text, bool (*wanted)(const char *name, const void *context),
			 const void *context);

/* Does ${name}, perhaps a wildcard, stand for the host ${host} (RFC 6125)? For domains_find. */
bool domains_stand_for(const char *name, const void *host);

/* Is there no name in ${text} at all? */
bool domains_are_none(const char *text);

#endif

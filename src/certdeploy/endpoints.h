/*
 * The places where mailcow serves its certificate: as mailcow.conf publishes them, changed by what
 * section [verify] of deploy.conf says.
 */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include <stddef.h>

#include "certsync/wire.h"
#include "mailcow.h"

#define ENDPOINTS_MAX        32
#define ENDPOINT_NAME_MAX    31
#define ENDPOINT_ADDRESS_MAX 253

struct endpoint {
	char name[ENDPOINT_NAME_MAX + 1]; /* smtp, submission, smtps, imap, imaps, pop3, pop3s,
					     sieve, https, or the configuration's own */
	char address[ENDPOINT_ADDRESS_MAX + 1]; /* where to ask: never 0.0.0.0 or :: */
	int port;                               /* as published on the host */
	int inside;                             /* the container's port; 0: not known */
	enum wire_protocol protocol;
	bool proxy_header; /* only that of mailcow's own https */
	const char *kind;  /* "postfix", "dovecot", "nginx": what serves it; static */
};

struct endpoints {
	struct endpoint endpoint[ENDPOINTS_MAX];
	size_t count;
};

/*
 * Fill ${endpoints} from what ${mailcow} publishes and the configuration's list of ${changes}:
 * words separated by blanks,
 *
 *	NAME=off                            not asked
 *	NAME=ADDRESS:PORT                   asked there instead; [ADDRESS]:PORT for IPv6
 *	NAME=SCHEME://ADDRESS:PORT          one more; SCHEME: smtp, submission, smtps, imap, imaps,
 *	                                    pop3, pop3s, sieve, https
 *
 * each NAME once. CONF_INVALID.
 */
enum outcome endpoints_find(const struct mailcow *mailcow, const char *changes,
			    struct endpoints *endpoints);

/* Can ${changes} be parsed? CONF_INVALID. */
enum outcome endpoints_check(const char *changes);

#endif

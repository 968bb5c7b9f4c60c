/*
 * What is said before TLS begins: the client's side of STARTTLS in SMTP (RFC 3207), IMAP (RFC 9051,
 * section 6.2.1), POP3 (RFC 2595, section 4) and ManageSieve (RFC 5804, section 2.2). Knows no
 * sockets: it is given line after line.
 */
#ifndef STARTTLS_H
#define STARTTLS_H

#include <stdbool.h>

#include "certsync/wire.h"

/* All zero bytes but for the protocol when the connection is made. */
struct starttls {
	enum wire_protocol protocol;
	int step;
	bool offered;
};

enum starttls_next {
	STARTTLS_LISTEN,   /* for another line */
	STARTTLS_SPEAK,    /* send what ${say} points to, then listen */
	STARTTLS_BEGIN,    /* begin TLS; nothing more may come in clear */
	STARTTLS_MISSING,  /* STARTTLS is not offered, or was refused */
	STARTTLS_DECLINED, /* the server wants no conversation now */
	STARTTLS_NONSENSE, /* that is not the protocol */
};

/* Take the server's next ${line} (without its line end). */
enum starttls_next starttls_take(struct starttls *starttls, const char *line, const char **say);

/* How one takes leave in ${protocol}, within TLS. */
const char *starttls_goodbye(enum wire_protocol protocol);

#endif

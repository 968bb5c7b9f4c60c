/* What mailcow says of itself: mailcow.conf and its directory of certificates. */
#ifndef MAILCOW_H
#define MAILCOW_H

#include <limits.h>
#include <stdbool.h>

#include "certsync/outcome.h"
#include "deploy_conf.h"

#define MAILCOW_HOSTNAME_MAX 253
#define MAILCOW_PROJECT_MAX  128
#define MAILCOW_ADDRESS_MAX  63

/* The ports that mailcow publishes, each by a variable in mailcow.conf. */
enum mailcow_port {
	MAILCOW_SMTP,
	MAILCOW_SUBMISSION,
	MAILCOW_SMTPS,
	MAILCOW_IMAP,
	MAILCOW_IMAPS,
	MAILCOW_POP3,
	MAILCOW_POP3S,
	MAILCOW_SIEVE,
	MAILCOW_HTTPS,
	MAILCOW_PORTS
};

/* Stand for all addresses. */
#define MAILCOW_ANY_4 "0.0.0.0"
#define MAILCOW_ANY_6 "::"

/* Where a port is published. */
struct mailcow_published {
	char address[MAILCOW_ADDRESS_MAX + 1]; /* numeric; perhaps MAILCOW_ANY_... */
	int port;
};

struct mailcow {
	char hostname[MAILCOW_HOSTNAME_MAX + 1]; /* the name the certificate must cover */
	char project[MAILCOW_PROJECT_MAX + 1];   /* of docker compose */
	bool acme;                               /* mailcow's own ACME client is not switched off */
	char ssl_dir[PATH_MAX];                  /* data/assets/ssl */
	struct mailcow_published published[MAILCOW_PORTS];
	bool proxy_protocol; /* nginx expects a PROXY line first */
};

/* Read what ${conf}'s mailcow says into ${mailcow}. MAILCOW_MISSING, MAILCOW_CONF. */
enum outcome mailcow_read(const struct deploy_conf *conf, struct mailcow *mailcow);

#endif

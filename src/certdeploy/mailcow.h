/* What mailcow says of itself: mailcow.conf and its directory of certificates. */
#ifndef MAILCOW_H
#define MAILCOW_H

#include <limits.h>
#include <stdbool.h>

#include "certsync/outcome.h"
#include "deploy_conf.h"

#define MAILCOW_HOSTNAME_MAX 253
#define MAILCOW_PROJECT_MAX  128

struct mailcow {
	char hostname[MAILCOW_HOSTNAME_MAX + 1]; /* the name the certificate must cover */
	char project[MAILCOW_PROJECT_MAX + 1];   /* of docker compose */
	bool acme;                               /* mailcow's own ACME client is not switched off */
	char ssl_dir[PATH_MAX];                  /* data/assets/ssl */
};

/* Read what ${conf}'s mailcow says into ${mailcow}. MAILCOW_MISSING, MAILCOW_CONF. */
enum outcome mailcow_read(const struct deploy_conf *conf, struct mailcow *mailcow);

#endif

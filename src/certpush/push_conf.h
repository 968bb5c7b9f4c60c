/* push.conf: the settings of certpush; certsync.conf(5) documents them. */
#ifndef PUSH_CONF_H
#define PUSH_CONF_H

#include <stdbool.h>

#include "certsync/outcome.h"

struct push_conf {
	char *target;   /* the name of one of several, from the file's own; "": the only one */
	char *live_dir; /* certbot's tree of lineages */
	char *hostname; /* the mail host's name, which the certificate must cover */
	char *lineage;  /* the pinned one; "": find it */
	char *host;     /* where the mail host's sshd is; "": ${hostname} */
	int port;
	char *user;
	char *identity; /* SSH private key file */
	char *known_hosts;
	char *host_key;        /* "SHA256:..." instead of known_hosts; "": not pinned */
	char *staging;         /* directory on the mail host, as the forced SFTP server sees it */
	int connect_timeout;   /* milliseconds, for each address */
	int handshake_timeout; /* milliseconds: key exchange and authentication */
	int run_timeout;       /* milliseconds: the whole run's network part */
	char *state_dir;
	bool verify;          /* ask the mail host what it serves? */
	char *endpoint;       /* where: certsync/address.h; "": IMAPS at ${hostname} */
	int propagate_within; /* milliseconds from a push until its certificate is to be served */
	int verify_timeout;   /* milliseconds, for all that is asked */
	char *metrics;        /* file to write for Prometheus; "": none */
};

/* Read ${path} into ${conf}; push_conf_clear it in any case. CONF_MISSING, CONF_INVALID. */
enum outcome push_conf_load(const char *path, struct push_conf *conf);

/* Free what ${conf} holds; for _cleanup_. */
void push_conf_clear(struct push_conf *conf);

#endif

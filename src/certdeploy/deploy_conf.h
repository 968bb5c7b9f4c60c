/* deploy.conf: the settings of certdeploy; certsync.conf(5) documents them. */
#ifndef DEPLOY_CONF_H
#define DEPLOY_CONF_H

#include <stdbool.h>

#include "certsync/outcome.h"

/* What is done about directories of certificates for names of their own: see sni.h. */
enum deploy_sni {
	DEPLOY_SNI_UPDATE,
	DEPLOY_SNI_WARN,
	DEPLOY_SNI_IGNORE,
};

/* Whether a new key waits for its TLSA record: see gate.h. */
enum deploy_dane {
	DEPLOY_DANE_AUTO,    /* where there are such records */
	DEPLOY_DANE_REQUIRE, /* there must be some */
	DEPLOY_DANE_OFF,
};

struct deploy_conf {
	char *root;         /* mailcow's directory, with mailcow.conf */
	char *hostname;     /* "": MAILCOW_HOSTNAME */
	char *services;     /* compose services to reload, each NAME or NAME:KIND */
	char *docker;       /* the docker command */
	char *sni;          /* "update", "warn" or "ignore": deploy_conf_sni */
	char *staging_dir;  /* where the other host drops generations */
	char *ca_file;      /* roots the chain must end in; "": not verified */
	int docker_timeout; /* milliseconds, for each docker command */
	bool verify;        /* look at what is served */
	char *endpoints;    /* changes to where it is looked: see endpoints.h */
	int verify_timeout; /* milliseconds, for one question to all endpoints */
	int settle;         /* milliseconds: what a service may take after a reload or restart */
	char *dane;         /* "auto", "require" or "off": deploy_conf_dane */
	int hold_until_days_left; /* past that, auto installs what it would hold */
	char *resolver;           /* IP address, perhaps with a port; "": the system's */
	char *dane_names;         /* "": the mail host */
	char *dane_ports;
	int dane_timeout; /* milliseconds, for one name with one port */
	char *state_dir;
	char *metrics; /* file to write for Prometheus; "": none */
};

/* Read ${path} into ${conf}; deploy_conf_clear it in any case. CONF_MISSING, CONF_INVALID. */
enum outcome deploy_conf_load(const char *path, struct deploy_conf *conf);

enum deploy_sni deploy_conf_sni(const struct deploy_conf *conf);
enum deploy_dane deploy_conf_dane(const struct deploy_conf *conf);

/* Free what ${conf} holds; for _cleanup_. */
void deploy_conf_clear(struct deploy_conf *conf);

#endif

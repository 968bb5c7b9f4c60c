/*
 * How things stand: the configuration, mailcow, what is staged, what is installed and what is
 * serving. A run and a check begin by finding it out.
 */
#ifndef SITUATION_H
#define SITUATION_H

#include <time.h>

#include "certsync/command.h"
#include "certsync/metrics.h"
#include "deploy_conf.h"
#include "install.h"
#include "mailcow.h"
#include "record.h"
#include "services.h"
#include "serving.h"
#include "sni.h"
#include "staging.h"

struct situation {
	const struct command_options *options;
	bool looking; /* nothing may be changed: a dry run or a check */
	time_t now;
	struct deploy_conf conf;
	struct mailcow mailcow;
	struct services services;
	struct install install;
	struct pair installed;
	char no_pair[512];  /* why it is not whole */
	struct bytes roots; /* in one of which a chain must end; none: in any */
	struct staging staging;
	struct sni sni;
	struct serving serving;
};

/* One of which situation_clear can free what there is. */
void situation_begin(struct situation *situation, const struct command_options *options,
		     bool looking);

/*
 * Find out what there is but for what is serving. Unless only looking, what an earlier run left
 * undone is completed first: only then the installed pair is what it will be.
 */
enum outcome situation_read(struct situation *situation);

/*
 * Ask the endpoints what they serve and compare it with the installed certificate; which of them
 * were well is noted. ${roots} as for wire_ask. Not for a situation without an installed
 * certificate.
 */
enum outcome situation_look(struct situation *situation, const char *roots);

/* Of the certificate that is installed, which need not have a key; NULL: none can be read. */
const struct judgement *situation_installed(const struct situation *situation);

/* Is what is staged installed, byte for byte and as real files? */
bool situation_is_installed(const struct situation *situation);

/*
 * Compare the SNI directories with ${pair}, by what the configuration says of them: they are not
 * looked at, warned of, or listed for sni_update.
 */
enum outcome situation_compare_sni(struct situation *situation, const struct pair *pair);

/* Note in ${metrics} what is installed, and what is served if that was looked at. */
void situation_note(const struct situation *situation, struct metrics *metrics);

/* The file that the command line or the configuration names for them; NULL or "": none. */
const char *situation_metrics_file(const struct situation *situation);

/* Free it, and end the process for reading foreign bytes; for _cleanup_. */
void situation_clear(struct situation *situation);

#endif

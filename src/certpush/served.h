/*
 * Which certificate the mail host serves, asked from here: the end of the way that a pushed one
 * goes. Clients that name the host they want (SNI) and those that do not can be served different
 * ones.
 */
#ifndef SERVED_H
#define SERVED_H

#include <stdbool.h>
#include <time.h>

#include "certsync/address.h"
#include "certsync/metrics.h"
#include "certsync/wire.h"
#include "push_conf.h"

#define SERVED_ENDPOINT_LEN (ADDRESS_HOST_MAX + 8) /* "[2001:db8::10]:993" */

enum served_state {
	SERVED_SAME,    /* the one that was asked about, to all */
	SERVED_OTHER,   /* another one, to some or all */
	SERVED_UNKNOWN, /* it could not be asked */
};

/* The order of the questions and answers. */
enum {
	SERVED_WITH_SNI,
	SERVED_WITHOUT_SNI,
	SERVED_QUESTIONS,
};

struct served {
	enum served_state state;
	char endpoint[SERVED_ENDPOINT_LEN + 1];
	/* Of SERVED_OTHER: the other one, and to whom; "": to all, " with SNI", " without SNI". */
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1];
	char spki[BUNDLE_SPKI_LEN + 1];
	time_t not_before;
	const char *to;
	/* To each: the one it is served, "" if it could not be asked. */
	char answered[SERVED_QUESTIONS][BUNDLE_FINGERPRINT_LEN + 1];
	/* Of SERVED_UNKNOWN: why. */
	char reason[WIRE_REASON_MAX];
};

/* Judge the ${answers}: is the certificate with ${fingerprint} served? */
void served_judge(const struct wire_answer answers[static SERVED_QUESTIONS],
		  const char *fingerprint, struct served *served);

/*
 * Ask ${conf}'s endpoint whether it serves the certificate with ${fingerprint}. That it cannot be
 * asked is no failure. NO_MEMORY.
 */
enum outcome served_ask(const struct push_conf *conf, const char *fingerprint,
			struct served *served);

/*
 * Must the mail host serve by ${now} what was ${pushed} then? It must, too, when that lies in the
 * future, as it does after a clock has been set back.
 */
bool served_is_due(const struct push_conf *conf, time_t pushed, time_t now);

/*
 * Does the mail host serve the certificate with ${fingerprint} of the ${lineage}, which was
 * ${pushed} then? What it serves is noted in ${metrics}. NOTHING_TO_DO: it does, need not yet, or
 * cannot be asked, which is logged.
 * NOT_PROPAGATED, NO_MEMORY.
 */
enum outcome served_confirm(const struct push_conf *conf, const char *lineage,
			    const char *fingerprint, time_t pushed, time_t now,
			    struct metrics *metrics);

/* Note in ${metrics} what was ${served}. */
void served_note(const struct served *served, struct metrics *metrics);

#endif

/*
 * The gate before a new key: it is not installed before those who send mail by DANE know of a TLSA
 * record that matches it (RFC 7671 8.1, RFC 7672). certdeploy(8) has the table of what is decided.
 */
#ifndef GATE_H
#define GATE_H

#include "certsync/tlsa.h"
#include "dane.h"
#include "sightings.h"
#include "situation.h"

struct gate {
	struct dane dane; /* what was looked up; nothing, if nobody had to be asked */
	struct tlsa_chain installed, staged;
	struct sightings *sightings;
	char overridden[OUTCOME_REASON_MAX]; /* why it would have been held; "": it passes */
};

/*
 * May what is staged be installed? OK: yes, perhaps only because little is left of the one that is
 * installed, which ${gate} then says. DANE_HELD, DANE_WAITING, DANE_UNKNOWN: not now, and the
 * reason says what to do. What is seen is noted in the state directory, unless only looking.
 * FILE_..., SANDBOX_FAILED, WORKER_DIED, NO_MEMORY. The caller clears ${gate}.
 */
enum outcome gate_pass(const struct situation *situation, struct gate *gate);

/* Is ${outcome} one of the three that hold a key back? */
bool gate_holds(enum outcome outcome);

/* What was staged is installed: say which records have become of no use. */
void gate_passed(const struct situation *situation, struct gate *gate);

/*
 * What keeps ${chain}, to be installed by ${situation}'s rules, out at one place: OK, or as above.
 */
enum outcome gate_judge(const struct situation *situation, const struct lookup_answer *answer,
			const struct tlsa_chain *chain, const struct sightings *sightings);

/* For _cleanup_. */
void gate_clear(struct gate *gate);

#endif

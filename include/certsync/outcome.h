/*
 * Everything that can happen, and why it happened.
 *
 * One table (outcome_table.h) gives each outcome its exit status (sysexits(3)), syslog priority,
 * MESSAGE_ID (systemd.journal-fields(7)), meaning and advice. A function that fails records the
 *reason where it is known and returns the outcome; each caller may put its own words in front;
 *main() logs it once.
 *
 *	return outcome_because(OUTCOME_KEY_MISMATCH, "the private key belongs to another
 *certificate");
 *	...
 *	return outcome_in(result, "lineage %s", name);
 */
#ifndef CERTSYNC_OUTCOME_H
#define CERTSYNC_OUTCOME_H

#include <stdbool.h>

#include "certsync/outcome_table.h"

enum outcome {
#define OUTCOME_NAME(name, status, priority, programs, id, meaning, advice) OUTCOME_##name,
	OUTCOME_TABLE(OUTCOME_NAME)
#undef OUTCOME_NAME
	OUTCOME_COUNT
};

/* Who can meet an outcome: for the documentation. */
#define OUTCOME_BY_PUSH   1U
#define OUTCOME_BY_DEPLOY 2U
#define OUTCOME_BY_BOTH   3U

struct outcome_text {
	const char *name;    /* KEY_MISMATCH */
	int status;          /* exit status, sysexits(3) */
	int priority;        /* LOG_ERR and so on, syslog(3) */
	unsigned programs;   /* OUTCOME_BY_... */
	const char *id;      /* MESSAGE_ID, 32 hexadecimal digits */
	const char *meaning; /* one sentence, without a full stop */
	const char *advice;  /* what to do, one sentence; "" where nothing is to be done */
};

/* The table's row of an ${outcome}. Never NULL; static. */
const struct outcome_text *outcome_text(enum outcome outcome);

/* True unless ${outcome} has exit status 0. */
bool outcome_failed(enum outcome outcome);

/* Longer reasons are cut. */
#define OUTCOME_REASON_MAX 2048

/*
 * Record the reason of ${outcome} (printf-like; control and non-ASCII bytes are replaced by \xNN,
 * so that text from elsewhere can be named) and return ${outcome}. Replaces the reason recorded
 * before.
 */
enum outcome outcome_because(enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Put "<text>: " in front of the recorded reason if ${outcome} is a failure; return ${outcome}. */
enum outcome outcome_in(enum outcome outcome, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The reason recorded last, or the table's meaning of ${outcome} where none was recorded for it. */
const char *outcome_reason(enum outcome outcome);

#endif

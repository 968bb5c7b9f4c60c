/*
 * What a check found, in the words and with the exit status of the monitoring plugins
 * (https://www.monitoring-plugins.org/doc/guidelines.html).
 */
#ifndef CERTSYNC_VERDICT_H
#define CERTSYNC_VERDICT_H

#include <time.h>

#include "certsync/command.h"

/* The exit status; ordered by how bad it is, but for UNKNOWN, which any other finding beats. */
enum verdict_level {
	VERDICT_OK = 0,
	VERDICT_WARNING = 1,
	VERDICT_CRITICAL = 2,
	VERDICT_UNKNOWN = 3,
};

#define VERDICT_REASON_MAX 512

/* All zero bytes: OK so far. */
struct verdict {
	enum verdict_level level;
	char reason[VERDICT_REASON_MAX]; /* of the worst finding, the first of several; printable */
};

/* Note a finding: it counts if it is worse than what was noted before. */
void verdict_note(struct verdict *verdict, enum verdict_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "OK", "WARNING", "CRITICAL", "UNKNOWN". */
const char *verdict_word(enum verdict_level level);

/*
 * Thresholds of what a certificate valid from ${not_before} to ${not_after} has left, in days:
 * those on the command line, or a quarter and a twelfth of its lifetime.
 */
struct verdict_limits {
	double warning;
	double critical;
};

struct verdict_limits verdict_limits(const struct command_options *options, time_t not_before,
				     time_t not_after);

/* How bad is it, at ${now}, that the certificate ends at ${not_after}? */
enum verdict_level verdict_of_age(const struct verdict_limits *limits, time_t not_after,
				  time_t now);

#endif

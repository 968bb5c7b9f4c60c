/*
 * What `certpush check` has to report: findings in a table, and one line for monitoring above it
 * (https://www.monitoring-plugins.org/doc/guidelines.html); or all of it as JSON.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "certsync/bundle.h"
#include "certsync/verdict.h"

#define REPORT_ROWS_MAX   16
#define REPORT_DETAIL_MAX 1024

struct report_row {
	const char *name;         /* what was looked at; static */
	bool skipped;             /* it could not be looked at, or need not be */
	enum verdict_level level; /* if not skipped */
	char detail[REPORT_DETAIL_MAX];
	const char *advice; /* what to do; static, "" where nothing is to be done */
};

/* All zero bytes: nothing to report. Texts that are not static live as long as the report. */
struct report {
	struct verdict verdict;
	struct report_row row[REPORT_ROWS_MAX];
	size_t count;
	const char *hostname; /* NULL: not known, and so on */
	const char *lineage;
	const struct bundle *bundle; /* the source's leaf */
	struct verdict_limits limits;
	time_t now;
	time_t pushed; /* when it was pushed; 0: it was not */
	const char *endpoint;
	const char *served; /* fingerprint of what is served there */
};

/* Add what was found out about ${name}. */
void report_add(struct report *report, const char *name, enum verdict_level level,
		const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Add that ${name} failed: ${outcome}, for the reason recorded. What is not permitted here, or
 * lacks memory, is not the mail host's fault, but UNKNOWN.
 */
void report_failure(struct report *report, const char *name, enum outcome outcome);

/* Add to the last finding what to do: ${advice}, static. */
void report_advise(struct report *report, const char *advice);

/* Add that ${name} was not looked at, and why. */
void report_skip(struct report *report, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Days that the certificate has left, with one digit of fraction, never more than it has. */
double report_days_left(const struct report *report);

/* False: it could not be printed whole. */
bool report_print(const struct report *report, FILE *to);
bool report_print_json(const struct report *report, FILE *to);

#endif

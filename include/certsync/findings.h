/*
 * What a check has found: a table of findings, and above it the one line that monitoring plugins
 * print (https://www.monitoring-plugins.org/doc/guidelines.html); or JSON.
 */
#ifndef CERTSYNC_FINDINGS_H
#define CERTSYNC_FINDINGS_H

#include <stdio.h>

#include <jansson.h>

#include "certsync/outcome.h"
#include "certsync/verdict.h"

#define FINDINGS_MAX        128
#define FINDINGS_NAME_MAX   300
#define FINDINGS_DETAIL_MAX 1024

struct finding {
	char name[FINDINGS_NAME_MAX]; /* what was looked at */
	bool skipped;                 /* it could not be looked at, or need not be */
	enum verdict_level level;     /* if not skipped */
	char detail[FINDINGS_DETAIL_MAX];
	const char *advice; /* what to do; static, "" where nothing is to be done */
};

/* All zero bytes: nothing was found. */
struct findings {
	struct verdict verdict;
	struct finding finding[FINDINGS_MAX];
	size_t count;
};

/* Add what was found out about ${name}. */
void findings_add(struct findings *findings, const char *name, enum verdict_level level,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * Add that ${name} failed: ${outcome}, for the reason recorded. What is not permitted here, or
 * lacks memory, is UNKNOWN.
 */
void findings_fail(struct findings *findings, const char *name, enum outcome outcome);

/* Add to the last finding what to do: ${advice}, static. */
void findings_advise(struct findings *findings, const char *advice);

/* Add that ${name} was not looked at, and why. */
void findings_skip(struct findings *findings, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Print the first line, with ${summary} where all is well and the worst finding otherwise, and with
 * the ${perfdata} ("" for none); then the table and the advice. False: not printed whole.
 */
bool findings_print(const struct findings *findings, const char *program, const char *summary,
		    const char *perfdata, FILE *to);

/* A JSON object with version, status, summary and checks, the caller's to fill and to free. */
json_t *findings_json(const struct findings *findings, const char *summary);

/* Print ${object}, and free it. False: not printed whole. */
bool findings_print_json(json_t *object, FILE *to);

/*
 * Days from ${now} to ${not_after}, with one digit of fraction, never more than there are.
 */
double findings_days(time_t not_after, time_t now);

#endif

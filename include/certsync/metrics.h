/*
 * What a program tells Prometheus: a file for the textfile collector of node_exporter, in the text
 * format (https://prometheus.io/docs/instrumenting/exposition_formats/). certsync(7) lists what is
 * in it.
 */
#ifndef CERTSYNC_METRICS_H
#define CERTSYNC_METRICS_H

#include <stdbool.h>
#include <time.h>

#include "certsync/bundle.h"
#include "certsync/outcome.h"
#include "certsync/verdict.h"

#define METRICS_SERVED_MAX   128
#define METRICS_ENDPOINT_MAX 320

struct metrics_served {
	char endpoint[METRICS_ENDPOINT_MAX];
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1];
};

/* What was found out; all zero bytes: nothing. */
struct metrics {
	/* Which of several mail hosts all this is of; NULL or "": the only one. */
	const char *target;
	/* The certificate that is to be served; "": not known. */
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1];
	time_t not_before;
	time_t not_after;
	bool asked; /* were the endpoints asked what they serve? */
	size_t endpoints;
	size_t endpoints_ok; /* so many serve that certificate, to all */
	struct metrics_served served[METRICS_SERVED_MAX];
	size_t served_count;
};

/* Note the certificate with ${fingerprint}, valid from ${not_before} to ${not_after}. */
void metrics_certificate(struct metrics *metrics, const char *fingerprint, time_t not_before,
			 time_t not_after);

/* Note that ${endpoint} serves the certificate with ${fingerprint}; a second time changes nothing.
 */
void metrics_served(struct metrics *metrics, const char *endpoint, const char *fingerprint);

/*
 * Replace the file ${path} by what ${program}'s run, which ended with ${outcome}, has found out,
 * and what the file said of the last success and the last check. NULL or "": there is none. That it
 * cannot be written is logged, and no failure of the run.
 */
void metrics_write_run(const char *path, const char *program, const struct metrics *metrics,
		       enum outcome outcome);

/* The same of a check, which came to ${level}; what the file said of the last run is kept. */
void metrics_write_check(const char *path, const char *program, const struct metrics *metrics,
			 enum verdict_level level);

#endif

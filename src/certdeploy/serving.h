/*
 * What the endpoints serve, compared with what they should serve. Each is asked twice, with the
 * mail host's name (SNI) and without a name, as clients do both and servers may answer differently.
 */
#ifndef SERVING_H
#define SERVING_H

#include "endpoints.h"
#include "services.h"

enum serving_state {
	SERVING_CURRENT, /* both answers are the wanted certificate */
	SERVING_STALE,   /* another certificate is served */
	SERVING_DOWN,    /* nothing is served */
	SERVING_SKIPPED, /* not asked: it is not published, or none of our services serves it */
};

struct serving_endpoint {
	struct endpoint endpoint;
	struct service *service; /* NULL: none that is configured */
	enum serving_state state;
	bool was_up;      /* something was served before this run changed anything */
	bool was_healthy; /* and that was what was installed then */
	struct wire_answer named;
	struct wire_answer unnamed;
};

struct serving {
	struct serving_endpoint endpoint[ENDPOINTS_MAX];
	size_t count;
	const char *hostname;
	const char *roots; /* to verify the chains with, as for wire_ask; NULL: they are not */
	int timeout;       /* milliseconds: for one question to all */
	int settle;        /* milliseconds: what a service may take after a reload */
};

/* Which endpoints are meant: those for which it returns true. */
typedef bool serving_which(const struct serving_endpoint *endpoint);

/* All that are not SERVING_SKIPPED. */
serving_which serving_any;
/* Those of a chosen service that were not down. */
serving_which serving_of_chosen;

/* Ask those of ${which} and set their state by the ${wanted} fingerprint. NO_MEMORY, FILE_... */
enum outcome serving_ask(struct serving *serving, serving_which *which, const char *wanted);

/*
 * Ask again and again until each of ${which} was seen to serve ${wanted} twice in a row: for a
 * moment old and new processes answer side by side. Ends, all the same with OK, when ${serving}'s
 * settle has passed and the last answers are there; the states say how far it came.
 */
enum outcome serving_await(struct serving *serving, serving_which *which, const char *wanted);

/* How many are in ${state}? */
size_t serving_count(const struct serving *serving, enum serving_state state);

/* How many were asked? */
size_t serving_asked(const struct serving *serving);

/* The first in ${state}, NULL if there is none. */
const struct serving_endpoint *serving_first(const struct serving *serving,
					     enum serving_state state);

/* In a few words: what is serving, or why not. ${to} has room for ${size} bytes. */
void serving_describe(const struct serving_endpoint *endpoint, char *to, size_t size);

/* Room for nine endpoints that are behind, in one sentence. */
#define SERVING_SUMMARY_MAX 1536

/*
 * "7 of 9 endpoints serve AA:BB...; imaps (127.0.0.1 port 993): Connection refused; ...". What does
 * not fit is counted, "; and 5 more", and nothing is cut in its middle. ${size} of
 * SERVING_SUMMARY_MAX bytes, or of 256 at the least.
 */
void serving_summarize(const struct serving *serving, const char *wanted, char *to, size_t size);

#endif

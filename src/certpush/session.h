/*
 * An SSH session that never waits longer than it was told to: libssh2 in non-blocking mode, its
 * input and output through functions of ours that know the time limit. Each call of libssh2 that
 * can block stands in a loop:
 *
 *	session_begin(session, "authenticating", end, 0);
 *	do
 *		error = libssh2_...(session->ssh, ...);
 *	while (session_again(session, error));
 *	if (error)
 *		return session_failure(session);
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include <libssh2.h>

#include "certsync/deadline.h"
#include "certsync/outcome.h"

#define SESSION_GREETING_MAX 16384 /* of what the server says in clear */
#define SESSION_STAGE_MAX    96
#define SESSION_WORDS_MAX    160

struct session {
	LIBSSH2_SESSION *ssh;
	int fd;
	/* What is being done, and until when it may take. */
	char stage[SESSION_STAGE_MAX];
	deadline end;
	int patience; /* ms that the request under way may still take once the run has to stop */
	/* How things stand. */
	enum outcome stopped; /* TIMED_OUT or INTERRUPTED: nothing new may be begun */
	bool tidying;         /* what is done must be done although a signal came */
	bool dead;            /* the connection is given up: input and output fail at once */
	bool flooded;         /* the server sent far more than it can have to say */
	bool ended;           /* the server closed the connection, or its SFTP server ended */
	const char *fault;    /* what of the server's makes it useless to go on; NULL: nothing */
	bool out_of_memory;   /* there was none for libssh2, or for what is to be sent */
	int error;            /* errno of the socket */
	unsigned dead_calls;  /* of libssh2 since then */
	unsigned starved;     /* reads that found nothing since libssh2 was called */
	size_t received;      /* bytes, altogether */
	char words[SESSION_WORDS_MAX]; /* what the server said when it took its leave */
	char greeting[SESSION_GREETING_MAX];
	size_t greeting_len;
};

/*
 * Make a session on the connected, non-blocking socket ${fd}, which becomes the session's. On
 * success ${out} is the caller's, to session_freep. NO_MEMORY.
 */
enum outcome session_new(int fd, struct session **out);

/* Free the session and its channels without waiting for the server, and close the socket. */
void session_freep(struct session **session);

/* Take leave of the server, waiting no longer than ${end}. */
void session_goodbye(struct session *session, deadline end);

/*
 * From now on ${stage} is done, and may take until ${end}. When the time is up or a signal comes,
 * the request under way may take ${patience} milliseconds more, so that the connection stays usable
 * to tidy up.
 */
void session_begin(struct session *session, const char *stage, deadline end, int patience);

/* From now on ${stage} is done, within the limits that were set. */
void session_stage(struct session *session, const char *stage);

/*
 * From now on the end is prepared for by ${stage}, which may take until ${end}, or as long as was
 * left for the request under way if the run already has to stop. Signals are no longer heeded.
 */
void session_tidy(struct session *session, const char *stage, deadline end);

/*
 * Is libssh2 to be called again after it returned ${error}? If so, waits for what it waits for.
 * When the time is up it lets libssh2 fail rather than leaving it in the middle of something.
 */
bool session_again(struct session *session, int error);

/* TIMED_OUT or INTERRUPTED once nothing new may be begun; OK otherwise. */
enum outcome session_check(struct session *session);

/*
 * What ended the stage: TIMED_OUT, INTERRUPTED, CONNECTION_LOST, or else SSH_PROTOCOL with
 * libssh2's own words.
 */
enum outcome session_failure(const struct session *session);

/* libssh2's own words for its last error. */
const char *session_error_text(const struct session *session);

#endif

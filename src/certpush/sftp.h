/*
 * SFTP over a session. libssh2's own waits for the answer to each request before it sends the next
 * one; this one sends a batch at a time, so that what does not depend on each other costs one round
 * trip together.
 */
#ifndef SFTP_H
#define SFTP_H

#include "batch.h"
#include "certsync/outcome.h"
#include "session.h"

struct sftp {
	struct session *session;
	LIBSSH2_CHANNEL *channel; /* freed with the session */
	uint32_t next_number;
	bool ended; /* the SFTP server has gone, whatever became of the connection */
	char packet[4 + BATCH_ANSWER_MAX];
	size_t packet_len;
};

/*
 * Start SFTP on ${session}, whose stage has been begun. On success ${out} is the caller's, to
 * sftp_freep before the session. SSH_PROTOCOL, NO_MEMORY, TIMED_OUT, CONNECTION_LOST, INTERRUPTED.
 */
enum outcome sftp_start(struct session *session, struct sftp **out);
void sftp_freep(struct sftp **sftp);

/* A batch of requests to be added to. */
struct batch sftp_batch(const struct sftp *sftp);

/*
 * Send all of ${batch} and wait for all answers, within the limits of the session's stage. False if
 * the connection, or what the server says, does not permit to go on: session_failure tells why.
 * What the server refused is in the batch.
 */
bool sftp_exchange(struct sftp *sftp, struct batch *batch);

#endif

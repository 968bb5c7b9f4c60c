#include <stdlib.h>

#include "certsync/cleanup.h"
#include "sftp.h"

/* --- bytes --- */

/* Something else than SFTP speaks at the other end: nothing it says is listened to any more. */
static bool talks_nonsense(struct sftp *sftp)
{
	sftp->session->fault = "the server's answer is not one in SFTP";
	sftp->session->dead = true;
	return false;
}

static bool has_ended(struct sftp *sftp)
{
	sftp->ended = true;
	sftp->session->ended = true;
	sftp->session->dead = true;
	return false;
}

static bool send_all(struct sftp *sftp, const char *data, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t put = libssh2_channel_write_ex(sftp->channel, 0, data + sent, len - sent);

		if (put > 0)
			sent += (size_t)put;
		else if (libssh2_channel_eof(sftp->channel) == 1)
			return has_ended(sftp);
		else if (!session_again(sftp->session, put ? (int)put : LIBSSH2_ERROR_EAGAIN))
			return false;
	}
	return true;
}

/* Have the first ${len} bytes of a packet. */
static bool receive(struct sftp *sftp, size_t len)
{
	while (sftp->packet_len < len) {
		ssize_t got = libssh2_channel_read_ex(
			sftp->channel, 0, sftp->packet + sftp->packet_len, len - sftp->packet_len);

		if (got > 0)
			sftp->packet_len += (size_t)got;
		else if (libssh2_channel_eof(sftp->channel) == 1)
			return has_ended(sftp);
		else if (!session_again(sftp->session, got ? (int)got : LIBSSH2_ERROR_EAGAIN))
			return false;
	}
	return true;
}

/* The next packet, without its length; it is overwritten by the one after it. */
static bool receive_packet(struct sftp *sftp, struct slice *packet)
{
	struct slice head = { sftp->packet, 4 };
	uint32_t len;

	sftp->packet_len = 0;
	if (!receive(sftp, head.len))
		return false;
	if (!slice_uint32(&head, &len) || len > BATCH_ANSWER_MAX)
		return talks_nonsense(sftp);
	*packet = (struct slice){ sftp->packet + 4, len };
	return receive(sftp, 4 + len);
}

/* --- starting --- */

static bool open_channel(struct sftp *sftp)
{
	struct session *session = sftp->session;

	do
		sftp->channel = libssh2_channel_open_session(session->ssh);
	while (!sftp->channel && session_again(session, libssh2_session_last_errno(session->ssh)));
	if (!sftp->channel)
		return false;
	/* What it says besides SFTP is not for us. */
	libssh2_channel_handle_extended_data2(sftp->channel, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
	return true;
}

/* OpenSSH has no room for what we could already say before it has started it. */
static bool start_subsystem(struct sftp *sftp)
{
	char greeting[BATCH_INIT_LEN];
	int error;

	do
		error = libssh2_channel_process_startup(sftp->channel, "subsystem", 9, "sftp", 4);
	while (session_again(sftp->session, error));
	batch_init(greeting);
	return !error && send_all(sftp, greeting, sizeof(greeting));
}

static enum outcome explain(const struct sftp *sftp)
{
	static const char no_sftp[] =
		"the server does not answer in SFTP; does the key's line in authorized_keys force "
		"internal-sftp?";
	const struct session *session = sftp->session;
	int error = libssh2_session_last_errno(session->ssh);

	if (session->stopped != OUTCOME_OK || session->flooded || session->out_of_memory ||
	    (session->ended && !sftp->ended))
		return session_failure(session);
	if (!session->fault && !sftp->ended &&
	    (error == LIBSSH2_ERROR_CHANNEL_FAILURE ||
	     error == LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED))
		return outcome_because(OUTCOME_SSH_PROTOCOL, "the server refuses to start SFTP: %s",
				       session_error_text(session));
	return outcome_because(OUTCOME_SSH_PROTOCOL, "%s", no_sftp);
}

enum outcome sftp_start(struct session *session, struct sftp **out)
{
	_cleanup_(sftp_freep) struct sftp *sftp = calloc(1, sizeof(*sftp));
	struct slice answer;

	if (!sftp)
		return outcome_because(OUTCOME_NO_MEMORY, "SFTP: out of memory");
	sftp->session = session;
	sftp->next_number = 1;
	if (!open_channel(sftp) || !start_subsystem(sftp) || !receive_packet(sftp, &answer))
		return explain(sftp);
	if (!batch_init_answer(answer)) {
		talks_nonsense(sftp);
		return explain(sftp);
	}
	*out = sftp;
	sftp = NULL;
	return OUTCOME_OK;
}

void sftp_freep(struct sftp **sftp)
{
	free(*sftp);
	*sftp = NULL;
}

/* --- requests and answers --- */

struct batch sftp_batch(const struct sftp *sftp)
{
	return batch_new(sftp->next_number);
}

bool sftp_exchange(struct sftp *sftp, struct batch *batch)
{
	const struct batch_request *awaited;
	struct slice answer;

	sftp->next_number = batch->next_number;
	if (batch->out_of_memory) {
		sftp->session->out_of_memory = true;
		return false;
	}
	if (!send_all(sftp, batch->out.data, batch->used))
		return false;
	while ((awaited = batch_awaited(batch))) {
		session_stage(sftp->session, awaited->stage);
		if (!receive_packet(sftp, &answer))
			return false;
		if (!batch_answer(batch, answer))
			return talks_nonsense(sftp);
	}
	return true;
}

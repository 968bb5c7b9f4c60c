#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/memory.h"
#include "certsync/text.h"
#include "session.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200
/*
 * libssh2 has loops that do not come back to us while there is nothing to read; from here on they
 * are slowed down.
 */
#define STARVED_MAX      64
#define STARVED_PAUSE_MS 20
/* More than any server has to say to us; libssh2 keeps packets that nobody asks for. */
#define RECEIVED_MAX ((size_t)4 * 1024 * 1024)
/* How often libssh2 may ask again for a connection that was given up. */
#define DEAD_CALLS_MAX 1000

/* --- memory: keys pass through libssh2's, so it is overwritten before it is given back --- */

/*
 * It must be malloc's memory all the same: here and there libssh2 gives such memory to free, and
 * the other way round (1.11.1 with an ECDSA key does).
 */
static LIBSSH2_ALLOC_FUNC(allocate)
{
	struct session *session = *abstract;
	void *memory = malloc(count);

	if (!memory)
		session->out_of_memory = true;
	return memory;
}

static LIBSSH2_FREE_FUNC(release)
{
	(void)abstract;
	memory_free(ptr);
}

static LIBSSH2_REALLOC_FUNC(reallocate)
{
	struct session *session = *abstract;
	void *moved = memory_resize(ptr, count);

	if (!moved)
		session->out_of_memory = true;
	return moved;
}

/* --- input and output --- */

/* Note whether the run has to stop, and whether the request under way has had its patience. */
static void stop_if_due(struct session *session)
{
	if (session->stopped == OUTCOME_OK) {
		if (interrupt_pending() && !session->tidying)
			session->stopped = OUTCOME_INTERRUPTED;
		else if (!deadline_left(session->end))
			session->stopped = OUTCOME_TIMED_OUT;
		if (session->stopped != OUTCOME_OK)
			session->end = deadline_in(session->patience);
	}
	if (session->stopped != OUTCOME_OK && !deadline_left(session->end))
		session->dead = true;
}

static LIBSSH2_RECV_FUNC(receive)
{
	struct session *session = *abstract;
	ssize_t got;

	/* A server that never stops talking keeps libssh2 from coming back to us. */
	stop_if_due(session);
	if (session->dead)
		return -ECONNABORTED;
	got = recv(socket, buffer, length, flags);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (++session->starved > STARVED_MAX)
			poll(&(struct pollfd){ .fd = socket, .events = POLLIN }, 1,
			     STARVED_PAUSE_MS);
		return -EAGAIN;
	}
	if (got <= 0) {
		session->ended = true;
		session->error = got < 0 ? errno : 0;
		return got < 0 ? -errno : 0;
	}
	session->received += (size_t)got;
	if (session->received > RECEIVED_MAX) {
		session->flooded = true;
		session->dead = true;
		return -ECONNABORTED;
	}
	session->starved = 0;
	if (session->greeting_len < sizeof(session->greeting)) {
		size_t room = sizeof(session->greeting) - session->greeting_len;
		size_t keep = (size_t)got < room ? (size_t)got : room;

		memcpy(session->greeting + session->greeting_len, buffer, keep);
		session->greeting_len += keep;
	}
	return got;
}

static LIBSSH2_SEND_FUNC(transmit)
{
	struct session *session = *abstract;
	ssize_t put;

	stop_if_due(session);
	if (session->dead)
		return -ECONNABORTED;
	/* A connection that is closed is an error to report, not a signal to die of. */
	put = send(socket, buffer, length, flags | MSG_NOSIGNAL);
	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return -EAGAIN;
	if (put < 0) {
		session->ended = true;
		session->error = errno;
		return -errno;
	}
	return put;
}

static LIBSSH2_DISCONNECT_FUNC(note_disconnect)
{
	struct session *of = *abstract;

	(void)session;
	(void)reason;
	(void)language;
	(void)language_len;
	of->ended = true;
	text_printable(of->words, sizeof(of->words), message,
		       message_len > 0 ? (size_t)message_len : 0);
}

typedef void callback(void);

static void set_callback(LIBSSH2_SESSION *ssh, int type, callback *function)
{
#if LIBSSH2_VERSION_NUM >= 0x010b01
	libssh2_session_callback_set2(ssh, type, function);
#else
	/* The older function takes a pointer to data, which ISO C lets no function be cast to. */
	void *pointer;

	memcpy(&pointer, &function, sizeof(pointer));
	libssh2_session_callback_set(ssh, type, pointer);
#endif
}

/* --- the session --- */

enum outcome session_new(int fd, struct session **out)
{
	_cleanup_(session_freep) struct session *session = calloc(1, sizeof(*session));

	if (!session) {
		close(fd);
		return outcome_because(OUTCOME_NO_MEMORY, "SSH: out of memory");
	}
	session->fd = fd;
	session->ssh = libssh2_session_init_ex(allocate, release, reallocate, session);
	if (!session->ssh)
		return outcome_because(OUTCOME_NO_MEMORY, "SSH: out of memory");
	libssh2_session_set_blocking(session->ssh, 0);
	set_callback(session->ssh, LIBSSH2_CALLBACK_RECV, (callback *)receive);
	set_callback(session->ssh, LIBSSH2_CALLBACK_SEND, (callback *)transmit);
	set_callback(session->ssh, LIBSSH2_CALLBACK_DISCONNECT, (callback *)note_disconnect);
	*out = session;
	session = NULL;
	return OUTCOME_OK;
}

void session_freep(struct session **session)
{
	struct session *old = *session;

	*session = NULL;
	if (!old)
		return;
	/* libssh2 would wait for the server to close the channel; this way it only frees. */
	old->dead = true;
	if (old->ssh)
		while (session_again(old, libssh2_session_free(old->ssh)))
			;
	close(old->fd);
	free(old);
}

void session_goodbye(struct session *session, deadline end)
{
	int error;

	if (session->dead || session->ended)
		return;
	session_tidy(session, "taking leave", end);
	do
		error = libssh2_session_disconnect(session->ssh, "done");
	while (session_again(session, error));
}

void session_stage(struct session *session, const char *stage)
{
	/* What was being done when the run had to stop is what is told. */
	if (session->stopped == OUTCOME_OK)
		snprintf(session->stage, sizeof(session->stage), "%s", stage);
}

void session_begin(struct session *session, const char *stage, deadline end, int patience)
{
	if (session->stopped != OUTCOME_OK)
		return;
	session_stage(session, stage);
	session->end = end;
	session->patience = patience;
}

void session_tidy(struct session *session, const char *stage, deadline end)
{
	session_begin(session, stage, end, 0);
	session->end = deadline_earlier(session->end, end);
	session->tidying = true;
}

static void wait_for_socket(struct session *session)
{
	int directions = libssh2_session_block_directions(session->ssh);
	int left = deadline_left(session->end);
	struct pollfd socket = { .fd = session->fd };

	if (directions & LIBSSH2_SESSION_BLOCK_OUTBOUND)
		socket.events |= POLLOUT;
	if (directions & LIBSSH2_SESSION_BLOCK_INBOUND || !directions)
		socket.events |= POLLIN;
	poll(&socket, 1, left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS);
}

bool session_again(struct session *session, int error)
{
	if (error != LIBSSH2_ERROR_EAGAIN)
		return false;
	stop_if_due(session);
	if (session->dead)
		return ++session->dead_calls < DEAD_CALLS_MAX;
	session->starved = 0;
	wait_for_socket(session);
	return true;
}

/* Why nothing new may be begun, if so. */
static enum outcome explain_stop(const struct session *session)
{
	switch (session->stopped) {
	case OUTCOME_OK:
		return OUTCOME_OK;
	case OUTCOME_INTERRUPTED:
		return outcome_because(OUTCOME_INTERRUPTED, "interrupted while %s", session->stage);
	default:
		return outcome_because(OUTCOME_TIMED_OUT, "the time was up while %s",
				       session->stage);
	}
}

enum outcome session_check(struct session *session)
{
	stop_if_due(session);
	return explain_stop(session);
}

const char *session_error_text(const struct session *session)
{
	char *text = NULL;

	libssh2_session_last_error(session->ssh, &text, NULL, 0);
	return text ? text : "";
}

enum outcome session_failure(const struct session *session)
{
	if (session->stopped != OUTCOME_OK)
		return explain_stop(session);
	if (session->flooded)
		return outcome_because(OUTCOME_SSH_PROTOCOL,
				       "the server sends far too much while %s", session->stage);
	if (session->fault)
		return outcome_because(OUTCOME_SSH_PROTOCOL, "%s failed: %s", session->stage,
				       session->fault);
	if (session->ended && session->words[0])
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the server ended the connection while %s: %s",
				       session->stage, session->words);
	if (session->ended && session->error)
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the connection broke off while %s: %s", session->stage,
				       strerror(session->error));
	if (session->ended)
		return outcome_because(OUTCOME_CONNECTION_LOST,
				       "the server closed the connection while %s", session->stage);
	/* libssh2 also says that it is, of packets with nothing in them. */
	if (session->out_of_memory)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory while %s", session->stage);
	return outcome_because(OUTCOME_SSH_PROTOCOL, "%s failed: %s", session->stage,
			       session_error_text(session));
}

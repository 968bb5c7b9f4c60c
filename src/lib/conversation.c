#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "certsync/cleanup.h"
#include "certsync/text.h"
#include "conversation.h"
#include "handshake.h"

/* What a server said is shown up to this length. */
#define SHOWN_MAX 120

void conversation_end(struct conversation *conversation, enum wire_result result,
		      const char *format, ...)
{
	char reason[2 * WIRE_REASON_MAX];
	va_list arguments;

	if (conversation->state == CONVERSATION_OVER)
		return;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	text_printable(conversation->answer->reason, sizeof(conversation->answer->reason), reason,
		       strlen(reason));
	conversation->answer->result = result;
	conversation->answer->milliseconds = (int)(deadline_in(0) - conversation->begun);
	conversation->state = CONVERSATION_OVER;
}

/* --- in clear --- */

static void quote(char to[static SHOWN_MAX + 1], const struct conversation *conversation)
{
	text_printable(to, SHOWN_MAX + 1, conversation->line, conversation->line_len);
}

/* The server's ${line} is complete. */
static void take_line(struct conversation *conversation)
{
	char said[SHOWN_MAX + 1];

	if (conversation->line_len && conversation->line[conversation->line_len - 1] == '\r')
		conversation->line_len--;
	conversation->line[conversation->line_len] = '\0';
	quote(said, conversation);
	if (strlen(conversation->line) != conversation->line_len) {
		conversation_end(conversation, WIRE_NONSENSE, "the server said \"%s\"", said);
		return;
	}
	switch (starttls_take(&conversation->starttls, conversation->line, &conversation->say)) {
	case STARTTLS_LISTEN:
	case STARTTLS_SPEAK:
		break;
	case STARTTLS_BEGIN:
		conversation->state = CONVERSATION_TLS;
		break;
	case STARTTLS_MISSING:
		conversation_end(conversation, WIRE_NO_STARTTLS,
				 "the server does not offer STARTTLS: it said \"%s\"", said);
		break;
	case STARTTLS_DECLINED:
		conversation_end(conversation, WIRE_DECLINED, "the server declined: \"%s\"", said);
		break;
	case STARTTLS_NONSENSE:
		conversation_end(conversation, WIRE_NONSENSE, "the server said \"%s\"", said);
		break;
	}
	conversation->line_len = 0;
}

/*
 * Take ${len} bytes. After the line that lets TLS begin nothing may follow in clear: whoever is in
 * between could have put it there for what comes to be read under TLS (CVE-2011-0411).
 */
static void take_bytes(struct conversation *conversation, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (conversation->state == CONVERSATION_TLS)
			conversation_end(
				conversation, WIRE_NONSENSE,
				"the server said more in clear after it accepted STARTTLS");
		else if (conversation->say)
			conversation_end(conversation, WIRE_NONSENSE,
					 "the server spoke before it was its turn");
		if (conversation->state == CONVERSATION_OVER)
			return;
		if (bytes[i] == '\n') {
			take_line(conversation);
			continue;
		}
		if (conversation->line_len == CONVERSATION_LINE_MAX)
			conversation_end(conversation, WIRE_NONSENSE,
					 "the server sent a line of more than %d bytes",
					 CONVERSATION_LINE_MAX);
		else
			conversation->line[conversation->line_len++] = bytes[i];
	}
}

/* False: nothing can be sent now. */
static bool speak(struct conversation *conversation)
{
	while (conversation->say && *conversation->say) {
		ssize_t sent = send(conversation->fd, conversation->say, strlen(conversation->say),
				    MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			conversation->events = POLLOUT;
			return false;
		}
		if (sent < 0) {
			conversation_end(conversation, WIRE_CLOSED, "%s", strerror(errno));
			return false;
		}
		conversation->say += sent;
	}
	conversation->say = NULL;
	conversation->events = POLLIN;
	return true;
}

/* False: nothing has come. */
static bool listen_to(struct conversation *conversation)
{
	char bytes[CONVERSATION_LINE_MAX];
	ssize_t got = recv(conversation->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got < 0)
		conversation_end(conversation, WIRE_CLOSED, "%s", strerror(errno));
	else if (!got)
		conversation_end(conversation, WIRE_CLOSED,
				 conversation->clear_len
					 ? "the connection was closed in the midst of STARTTLS"
					 : "the connection was closed without a word");
	else
		take_bytes(conversation, bytes, (size_t)got);
	conversation->clear_len += got > 0 ? (size_t)got : 0;
	if (conversation->clear_len > CONVERSATION_CLEAR_MAX)
		conversation_end(conversation, WIRE_NONSENSE,
				 "the server said more than %d bytes before TLS",
				 CONVERSATION_CLEAR_MAX);
	return true;
}

static void converse(struct conversation *conversation)
{
	const bool direct = conversation->question->protocol == WIRE_TLS;

	while (conversation->state == CONVERSATION_CLEAR && speak(conversation)) {
		if (direct)
			conversation->state = CONVERSATION_TLS;
		else if (!listen_to(conversation))
			return;
	}
	if (conversation->state == CONVERSATION_TLS)
		handshake_begin(conversation);
}

/* --- connecting --- */

/*
 * PROXY protocol, version 1: "PROXY TCP4 from to from-port to-port". It says who we are, which is
 * true.
 */
static void write_header(struct conversation *conversation)
{
	char from[NI_MAXHOST], to[NI_MAXHOST], from_port[NI_MAXSERV], to_port[NI_MAXSERV];
	struct sockaddr_storage ours = { 0 }, theirs = { 0 };
	socklen_t ours_len = sizeof(ours), theirs_len = sizeof(theirs);
	const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;

	if (getsockname(conversation->fd, (struct sockaddr *)&ours, &ours_len) < 0 ||
	    getpeername(conversation->fd, (struct sockaddr *)&theirs, &theirs_len) < 0 ||
	    getnameinfo((struct sockaddr *)&ours, ours_len, from, sizeof(from), from_port,
			sizeof(from_port), numeric) != 0 ||
	    getnameinfo((struct sockaddr *)&theirs, theirs_len, to, sizeof(to), to_port,
			sizeof(to_port), numeric) != 0)
		snprintf(conversation->header, sizeof(conversation->header), "PROXY UNKNOWN\r\n");
	else
		snprintf(conversation->header, sizeof(conversation->header),
			 "PROXY TCP%c %.45s %.45s %.5s %.5s\r\n",
			 ours.ss_family == AF_INET6 ? '6' : '4', from, to, from_port, to_port);
	conversation->say = conversation->header;
}

static void connected(struct conversation *conversation)
{
	conversation->state = CONVERSATION_CLEAR;
	conversation->starttls.protocol = conversation->question->protocol;
	if (conversation->question->proxy_header)
		write_header(conversation);
	converse(conversation);
}

/* Does the socket's connection stand? The errno of why not; EINPROGRESS: not yet. */
static int look_at_connection(int fd)
{
	struct pollfd socket = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	if (poll(&socket, 1, 0) <= 0)
		return EINPROGRESS;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

/* 0: it stands or comes about; otherwise errno. */
static int start_connecting(struct conversation *conversation)
{
	const struct addrinfo *address = conversation->address;
	const int on = 1;

	conversation->fd =
		socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       address->ai_protocol);
	if (conversation->fd < 0)
		return errno;
	setsockopt(conversation->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(conversation->fd, address->ai_addr, address->ai_addrlen) < 0 &&
	    errno != EINPROGRESS)
		return errno;
	conversation->events = POLLOUT;
	return 0;
}

/* Did the other side take the connection, before it dropped it again? */
static bool was_taken(int error)
{
	return error == ECONNRESET || error == EPIPE;
}

/* The next address has its share of the time that is left; ${error} is what the last one met. */
static void try_address(struct conversation *conversation, int error)
{
	while (conversation->address) {
		int count = 0;

		fd_closep(&conversation->fd);
		for (const struct addrinfo *a = conversation->address; a; a = a->ai_next)
			count++;
		conversation->address_end = deadline_in(deadline_left(conversation->end) / count);
		error = start_connecting(conversation);
		if (!error)
			return;
		conversation->address = conversation->address->ai_next;
	}
	conversation_end(conversation,
			 error == ETIMEDOUT ? WIRE_TIMED_OUT
			 : was_taken(error) ? WIRE_CLOSED
					    : WIRE_REFUSED,
			 "%s", strerror(error));
}

static void connect_on(struct conversation *conversation)
{
	int error = look_at_connection(conversation->fd);

	if (error == EINPROGRESS && deadline_left(conversation->address_end))
		return;
	if (!error) {
		connected(conversation);
		return;
	}
	conversation->address = conversation->address->ai_next;
	try_address(conversation, error == EINPROGRESS ? ETIMEDOUT : error);
}

/* --- the interface --- */

void conversation_begin(struct conversation *conversation, const struct wire_question *question,
			const struct addrinfo *addresses, SSL_CTX *tls, deadline end,
			struct wire_answer *answer)
{
	*conversation = (struct conversation){
		.question = question,
		.answer = answer,
		.tls = tls,
		.fd = -1,
		.begun = deadline_in(0),
		.end = end,
		.address = addresses,
	};
	*answer = (struct wire_answer){ .result = WIRE_TIMED_OUT };
	try_address(conversation, EADDRNOTAVAIL);
}

void conversation_go_on(struct conversation *conversation)
{
	switch (conversation->state) {
	case CONVERSATION_CONNECTING:
		connect_on(conversation);
		break;
	case CONVERSATION_CLEAR:
		converse(conversation);
		break;
	case CONVERSATION_TLS:
		handshake_go_on(conversation);
		break;
	case CONVERSATION_OVER:
		break;
	}
}

deadline conversation_wakes(const struct conversation *conversation)
{
	if (conversation->state == CONVERSATION_CONNECTING)
		return deadline_earlier(conversation->end, conversation->address_end);
	return conversation->end;
}

void conversation_clear(struct conversation *conversation)
{
	const char *goodbye = starttls_goodbye(conversation->question->protocol);

	if (conversation->ssl && SSL_is_init_finished(conversation->ssl)) {
		if (goodbye[0])
			SSL_write(conversation->ssl, goodbye, (int)strlen(goodbye));
		SSL_shutdown(conversation->ssl);
	}
	ERR_clear_error();
	SSL_free(conversation->ssl);
	conversation->ssl = NULL;
	fd_closep(&conversation->fd);
}

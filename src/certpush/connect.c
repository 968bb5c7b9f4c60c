#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "certsync/resolve.h"
#include "connect.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200
#define TRIED_MAX     768

enum outcome connect_resolve(const char *host, int port, deadline end, struct addrinfo **out)
{
	_cleanup_(resolve_freep) struct resolve *question = resolve_start(host, port);
	int error, left;

	if (!question)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", host);
	while ((error = resolve_result(question, out)) == EAI_INPROGRESS) {
		if (interrupt_pending())
			return outcome_because(OUTCOME_INTERRUPTED,
					       "interrupted while resolving %s", host);
		left = deadline_left(end);
		if (!left)
			return outcome_because(OUTCOME_TIMED_OUT, "%s: no answer from the resolver",
					       host);
		resolve_wait(question, left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS);
	}
	if (error == EAI_MEMORY)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: %s", host, gai_strerror(error));
	if (error)
		return outcome_because(OUTCOME_HOST_UNRESOLVED, "%s: %s", host,
				       gai_strerror(error));
	return OUTCOME_OK;
}

/* 0, or the errno of why the connection was not made; EINTR if a signal came. */
static int wait_connected(int fd, deadline end)
{
	struct pollfd socket = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0;

	for (;;) {
		int left = deadline_left(end);

		if (interrupt_pending())
			return EINTR;
		if (!left)
			return ETIMEDOUT;
		if (poll(&socket, 1, left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS) > 0)
			break;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

static int connect_to(const struct addrinfo *address, deadline end, int *out)
{
	_cleanup_(fd_closep) int fd =
		socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       address->ai_protocol);
	const int on = 1;
	int error;

	if (fd < 0)
		return errno;
	/* SSH sends small packets and waits for the answer to each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
		return errno;
	error = wait_connected(fd, end);
	if (error)
		return error;
	*out = fd;
	fd = -1;
	return 0;
}

static void name_address(const struct addrinfo *address, char *text, socklen_t size)
{
	if (getnameinfo(address->ai_addr, address->ai_addrlen, text, size, NULL, 0, NI_NUMERICHOST))
		snprintf(text, size, "?");
}

enum outcome connect_open(const char *host, int port, const struct addrinfo *addresses, int timeout,
			  deadline end, int *fd)
{
	char tried[TRIED_MAX] = "", name[NI_MAXHOST];
	size_t used = 0;

	for (const struct addrinfo *address = addresses; address; address = address->ai_next) {
		int error = connect_to(address, deadline_earlier(deadline_in(timeout), end), fd);

		name_address(address, name, sizeof(name));
		if (!error) {
			journal_detail("connected to %s port %d", name, port);
			return OUTCOME_OK;
		}
		if (error == EINTR)
			return outcome_because(OUTCOME_INTERRUPTED,
					       "interrupted while connecting to %s port %d", host,
					       port);
		if (used < sizeof(tried))
			used += (size_t)snprintf(tried + used, sizeof(tried) - used, "%s%s: %s",
						 used ? "; " : "", name, strerror(error));
		if (!deadline_left(end))
			break;
	}
	return outcome_because(OUTCOME_CONNECT_FAILED, "%s port %d: %s", host, port, tried);
}

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "certsync/cleanup.h"
#include "certsync/interrupt.h"
#include "certsync/journal.h"
#include "connect.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200
#define TRIED_MAX     768
#define SERVICE_MAX   8

/* A question to the resolver. On the heap, as its thread may outlive our waiting for it. */
struct lookup {
	struct gaicb request;
	struct addrinfo hints;
	char service[SERVICE_MAX];
	char host[NI_MAXHOST];
};

static void addresses_freep(struct addrinfo **addresses)
{
	if (*addresses)
		freeaddrinfo(*addresses);
	*addresses = NULL;
}

static struct lookup *lookup_new(const char *host, int port)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));

	if (!lookup)
		return NULL;
	snprintf(lookup->host, sizeof(lookup->host), "%s", host);
	snprintf(lookup->service, sizeof(lookup->service), "%d", port);
	lookup->hints.ai_family = AF_UNSPEC;
	lookup->hints.ai_socktype = SOCK_STREAM;
	/*
	 * Not AI_ADDRCONFIG: it leaves out ::1 and 127.0.0.1 where there is nothing but loopback.
	 */
	lookup->hints.ai_flags = AI_NUMERICSERV;
	lookup->request.ar_name = lookup->host;
	lookup->request.ar_service = lookup->service;
	lookup->request.ar_request = &lookup->hints;
	return lookup;
}

/* Wait for the answer; EAI_INPROGRESS if there was none in time, EAI_INTR if a signal came. */
static int lookup_wait(struct lookup *lookup, deadline end)
{
	const struct gaicb *list[] = { &lookup->request };
	int error;

	while ((error = gai_error(&lookup->request)) == EAI_INPROGRESS) {
		int left = deadline_left(end);
		int slice = left < WAIT_SLICE_MS ? left : WAIT_SLICE_MS;
		struct timespec wait = { slice / 1000, (long)(slice % 1000) * 1000000 };

		if (interrupt_pending())
			return EAI_INTR;
		if (!left)
			return EAI_INPROGRESS;
		gai_suspend(list, 1, &wait);
	}
	return error;
}

/* getaddrinfo(3) knows no time limit of its own; getaddrinfo_a(3) lets us stop waiting. */
static enum outcome resolve(const char *host, int port, deadline end, struct addrinfo **out)
{
	struct lookup *lookup = lookup_new(host, port);
	struct gaicb *list[] = { lookup ? &lookup->request : NULL };
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	int error;

	if (!lookup)
		return outcome_because(OUTCOME_NO_MEMORY, "%s: out of memory", host);
	/* An address needs neither a resolver nor a thread. */
	lookup->hints.ai_flags |= AI_NUMERICHOST;
	error = getaddrinfo(lookup->host, lookup->service, &lookup->hints,
			    &lookup->request.ar_result);
	if (error == EAI_NONAME) {
		lookup->hints.ai_flags &= ~AI_NUMERICHOST;
		error = getaddrinfo_a(GAI_NOWAIT, list, 1, &none);
		if (!error)
			error = lookup_wait(lookup, end);
	}
	*out = lookup->request.ar_result;
	/* What the resolver's thread still works on stays until the process ends. */
	if ((error != EAI_INPROGRESS && error != EAI_INTR) ||
	    gai_cancel(&lookup->request) != EAI_NOTCANCELED)
		free(lookup);

	switch (error) {
	case 0:
		return OUTCOME_OK;
	case EAI_INTR:
		return outcome_because(OUTCOME_INTERRUPTED, "interrupted while resolving %s", host);
	case EAI_INPROGRESS:
		return outcome_because(OUTCOME_TIMED_OUT, "%s: no answer from the resolver", host);
	case EAI_MEMORY:
		return outcome_because(OUTCOME_NO_MEMORY, "%s: %s", host, gai_strerror(error));
	default:
		return outcome_because(OUTCOME_HOST_UNRESOLVED, "%s: %s", host,
				       gai_strerror(error));
	}
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

enum outcome connect_open(const char *host, int port, int timeout, deadline end, int *fd)
{
	_cleanup_(addresses_freep) struct addrinfo *addresses = NULL;
	char tried[TRIED_MAX] = "", name[NI_MAXHOST];
	enum outcome outcome = resolve(host, port, end, &addresses);
	size_t used = 0;

	if (outcome_failed(outcome))
		return outcome;
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

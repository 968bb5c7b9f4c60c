#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "certsync/resolve.h"

#define SERVICE_MAX 8

/* On the heap, as the library's thread may outlive our waiting for it. */
struct resolve {
	struct gaicb request;
	struct addrinfo hints;
	char service[SERVICE_MAX];
	char host[NI_MAXHOST];
	bool asked; /* a thread was, and so may still be at it */
	int error;  /* of what was found without one */
};

/*
 * The library's thread ends itself after a second without work, by pthread_exit(3), which loads the
 * unwinder. By then we may not open files any more, and that would end the whole process.
 */
static void prepare_thread(void)
{
	static bool prepared;

	if (!prepared)
		dlopen(LIBGCC_S_SO, RTLD_NOW);
	prepared = true;
}

struct resolve *resolve_start(const char *host, int port)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct gaicb *list[1];

	if (!resolve)
		return NULL;
	snprintf(resolve->host, sizeof(resolve->host), "%s", host);
	snprintf(resolve->service, sizeof(resolve->service), "%d", port);
	resolve->hints.ai_family = AF_UNSPEC;
	resolve->hints.ai_socktype = SOCK_STREAM;
	/*
	 * Not AI_ADDRCONFIG: it leaves out ::1 and 127.0.0.1 where there is nothing but loopback.
	 * An address needs neither a resolver nor a thread.
	 */
	resolve->hints.ai_flags = AI_NUMERICSERV | AI_NUMERICHOST;
	resolve->request.ar_name = resolve->host;
	resolve->request.ar_service = resolve->service;
	resolve->request.ar_request = &resolve->hints;
	resolve->error = getaddrinfo(resolve->host, resolve->service, &resolve->hints,
				     &resolve->request.ar_result);
	if (resolve->error != EAI_NONAME)
		return resolve;
	resolve->hints.ai_flags &= ~AI_NUMERICHOST;
	prepare_thread();
	list[0] = &resolve->request;
	resolve->error = getaddrinfo_a(GAI_NOWAIT, list, 1, &none);
	resolve->asked = !resolve->error;
	return resolve;
}

int resolve_result(struct resolve *resolve, struct addrinfo **addresses)
{
	int error = resolve->asked ? gai_error(&resolve->request) : resolve->error;

	*addresses = NULL;
	if (!error) {
		*addresses = resolve->request.ar_result;
		resolve->request.ar_result = NULL;
	}
	return error;
}

void resolve_wait(struct resolve *resolve, int ms)
{
	const struct gaicb *list[] = { &resolve->request };
	struct timespec wait = { ms / 1000, (long)(ms % 1000) * 1000000 };

	if (resolve->asked)
		gai_suspend(list, 1, &wait);
}

void resolve_freep(struct resolve **resolve)
{
	struct resolve *old = *resolve;

	*resolve = NULL;
	/* What the library's thread still works on stays until the process ends. */
	if (!old || (old->asked && gai_error(&old->request) == EAI_INPROGRESS &&
		     gai_cancel(&old->request) == EAI_NOTCANCELED))
		return;
	resolve_addresses_freep(&old->request.ar_result);
	free(old);
}

void resolve_addresses_freep(struct addrinfo **addresses)
{
	if (*addresses)
		freeaddrinfo(*addresses);
	*addresses = NULL;
}

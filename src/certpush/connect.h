/* A TCP connection to a host that may have several addresses, each tried in turn. */
#ifndef CONNECT_H
#define CONNECT_H

#include <netdb.h>

#include "certsync/deadline.h"
#include "certsync/outcome.h"

/*
 * Look up the ${addresses} of ${host} (a name or an address) for ${port}, until ${end}; the caller
 * frees them, to resolve_addresses_freep. HOST_UNRESOLVED, TIMED_OUT, INTERRUPTED, NO_MEMORY.
 */
enum outcome connect_resolve(const char *host, int port, deadline end, struct addrinfo **addresses);

/*
 * Connect to ${host} at ${port}, that is to one of its ${addresses}, allowing ${timeout}
 * milliseconds for each address and until ${end} for all of it. ${fd} is non-blocking and the
 * caller's, to close. CONNECT_FAILED, INTERRUPTED; the reason names every address tried and what
 * came of it.
 */
enum outcome connect_open(const char *host, int port, const struct addrinfo *addresses, int timeout,
			  deadline end, int *fd);

#endif

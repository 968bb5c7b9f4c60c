/* A TCP connection to a host that may have several addresses, each tried in turn. */
#ifndef CONNECT_H
#define CONNECT_H

#include "certsync/deadline.h"
#include "certsync/outcome.h"

/*
 * Connect to ${host} (a name or an address) at ${port}, allowing ${timeout} milliseconds for each
 * address and until ${end} for all of it. ${fd} is non-blocking and the caller's, to close.
 * HOST_UNRESOLVED, CONNECT_FAILED, TIMED_OUT (while resolving), INTERRUPTED; the reason names every
 * address tried and what came of it.
 */
enum outcome connect_open(const char *host, int port, int timeout, deadline end, int *fd);

#endif

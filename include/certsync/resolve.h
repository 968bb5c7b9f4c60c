/*
 * Addresses of a host, without getaddrinfo(3)'s waiting for as long as it likes: the question is
 * put to a thread of the C library (getaddrinfo_a(3)), and one may stop waiting for it.
 */
#ifndef CERTSYNC_RESOLVE_H
#define CERTSYNC_RESOLVE_H

#include <netdb.h>

struct resolve;

/*
 * Begin to look up ${host}, a name or an address, for TCP port ${port}. An address is found at
 * once. The caller resolve_freeps what is returned; NULL: out of memory.
 */
struct resolve *resolve_start(const char *host, int port);

/*
 * What is known by now: 0 and the ${addresses}, which the caller frees with freeaddrinfo(3);
 * EAI_INPROGRESS; or another EAI_... of getaddrinfo(3).
 */
int resolve_result(struct resolve *resolve, struct addrinfo **addresses);

/* Wait for news of it, ${ms} milliseconds or until a signal comes at the most. */
void resolve_wait(struct resolve *resolve, int ms);

/* Give up waiting, or free what is no more needed; for _cleanup_. */
void resolve_freep(struct resolve **resolve);

/* Free ${addresses}; for _cleanup_. */
void resolve_addresses_freep(struct addrinfo **addresses);

#endif

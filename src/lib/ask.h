/*
 * The asking behind wire_ask, for a process that has nothing to lose: it resolves names while it
 * may still open the resolver's files, and then talks to servers.
 */
#ifndef ASK_H
#define ASK_H

#include "certsync/resolve.h"
#include "certsync/wire.h"

/* A host's addresses. */
struct ask_addresses {
	struct resolve *resolve;
	struct addrinfo *found;
	int error; /* EAI_... of getaddrinfo(3); EAI_INPROGRESS: no answer in time */
};

/*
 * Look up the hosts of all ${count} ${questions} at once. What is not there when half of the time
 * until ${end} has passed does not come: the others' answers would be late. The caller frees it,
 * to ask_release. NULL: out of memory.
 */
struct ask_addresses *ask_resolve(const struct wire_question *questions, size_t count,
				  deadline end);

/* As wire_ask; ${roots} are bytes, NULL if no chain is to be verified. */
enum outcome ask_all(const struct wire_question *questions, size_t count,
		     const struct ask_addresses *addresses, const struct bytes *roots, deadline end,
		     struct wire_answer *answers);

void ask_release(struct ask_addresses *addresses, size_t count);

#endif

/*
 * The TLSA records of a mail host, asked of a resolver by the C library (resolver(3)): with EDNS0
 * and DO, so that one that validates says whether it could (RFC 6840), by TCP where the answer is
 * longer than a datagram. Asked and parsed by a process that can do no harm (worker.h).
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/address.h"
#include "certsync/tlsa.h"

/* More records than anybody has; a set with more counts for one that cannot be looked up. */
#define LOOKUP_RECORDS_MAX 512
#define LOOKUP_NAME_MAX    (ADDRESS_HOST_MAX + 12) /* "_65535._tcp.mail.example.org" */
#define LOOKUP_REASON_MAX  256

struct lookup_question {
	char host[ADDRESS_HOST_MAX + 1];
	int port;
	char resolver[ADDRESS_HOST_MAX + 1]; /* its address; "": those of /etc/resolv.conf */
	int resolver_port;
	int timeout; /* milliseconds, for all of it */
};

enum lookup_result {
	LOOKUP_FAILED, /* no answer, or one from which nothing follows: SERVFAIL, nonsense */
	LOOKUP_NONE,   /* there are no records */
	LOOKUP_FOUND,
};

/* Of a fixed size and without pointers. */
struct lookup_answer {
	enum lookup_result result;
	char reason[LOOKUP_REASON_MAX]; /* of LOOKUP_FAILED; printable */
	char name[LOOKUP_NAME_MAX + 1]; /* where the records are, or are to be */
	bool authenticated;             /* the resolver has validated it (AD) */
	unsigned ttl;                   /* seconds that others may have it in their caches */
	size_t count;
	struct tlsa_record record[LOOKUP_RECORDS_MAX];
};

/*
 * Look up what ${question} asks for. A host that is an alias has its records at the name that it
 * stands for, or else at its own (RFC 7671 7, RFC 7672 2.2.2). OK: see ${answer}, also for what
 * came to nothing. SANDBOX_FAILED, NO_MEMORY.
 */
enum outcome lookup_tlsa(const struct lookup_question *question, struct lookup_answer *answer);

/*
 * Fill ${answer} from the ${len} bytes of a DNS ${message} (RFC 1035 4) that answers what TLSA
 * records are at ${name}. For a process that can do no harm.
 */
void lookup_parse(const unsigned char *message, size_t len, const char *name,
		  struct lookup_answer *answer);

/* The name that ${host} is an alias of by ${message}; itself where it is none. The same holds. */
void lookup_alias(const unsigned char *message, size_t len, const char *host,
		  char to[static ADDRESS_HOST_MAX + 1], bool *authenticated);

#endif

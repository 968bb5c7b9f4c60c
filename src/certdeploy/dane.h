/*
 * DANE (RFC 7672): what TLSA records are published for the mail host, and whether a certificate
 * chain would pass with those who send mail by them.
 */
#ifndef DANE_H
#define DANE_H

#include "certsync/tlsa.h"
#include "deploy_conf.h"
#include "lookup.h"

struct dane {
	size_t count;
	struct lookup_answer *answer; /* of each name with each port */
};

/*
 * Look up all that ${conf} names, or the mail host ${hostname}; the caller clears ${dane} in any
 * case. SANDBOX_FAILED, NO_MEMORY.
 */
enum outcome dane_look(const struct deploy_conf *conf, const char *hostname, struct dane *dane);

/* What becomes of ${chain} by what was found in one place. */
enum dane_state {
	DANE_UNKNOWN,  /* the look-up failed */
	DANE_ABSENT,   /* there are no records: nobody asks for anything */
	DANE_UNUSABLE, /* none can be used: senders want TLS, with whatever certificate */
	DANE_MATCHED,
	DANE_MISMATCHED, /* senders refuse it */
};

enum dane_state dane_compare(const struct lookup_answer *answer, const struct tlsa_chain *chain);

/* Write what is to be published for ${record}, as a line of a zone file, to ${to}. */
#define DANE_LINE_LEN (LOOKUP_NAME_MAX + 16 + TLSA_TEXT_LEN)
void dane_line(const struct lookup_answer *answer, const struct tlsa_record *record,
	       char to[static DANE_LINE_LEN + 1]);

/* Are ${names} words that are host names, ${ports} numbers? For conf_setting. CONF_INVALID. */
enum outcome dane_check_names(const char *names);
enum outcome dane_check_ports(const char *ports);
/* Is ${resolver} an IP address, perhaps with a port? */
enum outcome dane_check_resolver(const char *resolver);

/* For _cleanup_. */
void dane_clear(struct dane *dane);

#endif

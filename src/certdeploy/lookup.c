#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certsync/deadline.h"
#include "certsync/text.h"
#include "certsync/worker.h"
#include "lookup.h"

#define TYPE_TLSA 52 /* RFC 6698 7.1; not in every <arpa/nameser.h> */
/* Where an RRSIG has the type that it covers, and the TTL that the authority gave (RFC 4034 3.1).
 */
#define RRSIG_COVERED 0
#define RRSIG_TTL     4
#define RRSIG_MIN     18

/* Aliases of aliases are followed so far. */
#define ALIASES_MAX 16
/* A question that gets no answer is asked again once, after a wait that doubles: three waits. */
#define TRIES 2
#define WAITS 3
/* The worker keeps to the limit by itself; this much later it is ended. */
#define GRACE_MS 2000

/* --- messages --- */

static bool fail(struct lookup_answer *answer, const char *reason)
{
	answer->result = LOOKUP_FAILED;
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
	return false;
}

static unsigned max(unsigned one, unsigned other)
{
	return one > other ? one : other;
}

/* The name that ${name} is an alias of after all aliases in ${message}, into ${to}. */
static bool follow(ns_msg *message, const char *name, char to[static NS_MAXDNAME], unsigned *ttl)
{
	const int count = ns_msg_count(*message, ns_s_an);
	ns_rr record;

	snprintf(to, NS_MAXDNAME, "%s", name);
	for (int step = 0, i = 0; i < count && step < ALIASES_MAX; i++) {
		char target[NS_MAXDNAME];

		if (ns_parserr(message, ns_s_an, i, &record) < 0)
			return false;
		if (ns_rr_type(record) != ns_t_cname || strcasecmp(ns_rr_name(record), to) != 0)
			continue;
		if (ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message),
				       ns_rr_rdata(record), target, sizeof(target)) < 0)
			return false;
		snprintf(to, NS_MAXDNAME, "%s", target);
		*ttl = max(*ttl, ns_rr_ttl(record));
		/* They may stand in any order. */
		i = -1;
		step++;
	}
	return true;
}

/*
 * What a cache has left of a record's time is less than others may have: the signature says how
 * much it was.
 */
static unsigned signed_ttl(const ns_rr *record)
{
	const unsigned char *data = ns_rr_rdata(*record);

	if (ns_rr_type(*record) != ns_t_rrsig || ns_rr_rdlen(*record) < RRSIG_MIN ||
	    ns_get16(data + RRSIG_COVERED) != TYPE_TLSA)
		return 0;
	return (unsigned)ns_get32(data + RRSIG_TTL);
}

static bool take_records(ns_msg *message, const char *owner, struct lookup_answer *answer)
{
	for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
		ns_rr record;

		if (ns_parserr(message, ns_s_an, i, &record) < 0)
			return fail(answer, "the answer cannot be parsed");
		if (strcasecmp(ns_rr_name(record), owner) != 0)
			continue;
		answer->ttl = max(answer->ttl, signed_ttl(&record));
		if (ns_rr_type(record) != TYPE_TLSA)
			continue;
		if (answer->count == LOOKUP_RECORDS_MAX)
			return fail(answer, "there are too many records");
		answer->ttl = max(answer->ttl, ns_rr_ttl(record));
		if (!tlsa_parse(ns_rr_rdata(record), ns_rr_rdlen(record),
				&answer->record[answer->count++]))
			return fail(answer, "a record is too short");
	}
	return true;
}

/* By their numbers first. */
static int compare(const void *one, const void *other)
{
	return memcmp(one, other, sizeof(struct tlsa_record));
}

void lookup_parse(const unsigned char *message, size_t len, const char *name,
		  struct lookup_answer *answer)
{
	char owner[NS_MAXDNAME];
	ns_msg parsed;

	answer->ttl = 0;
	answer->count = 0;
	if (ns_initparse(message, (int)len, &parsed) < 0 ||
	    !follow(&parsed, name, owner, &answer->ttl)) {
		fail(answer, "the answer cannot be parsed");
		return;
	}
	/* It stands in the header, as a bit that older headers have no name for (RFC 4035 3.2.3).
	 */
	answer->authenticated = ((const HEADER *)message)->ad;
	if (!take_records(&parsed, owner, answer)) {
		answer->count = 0;
		return;
	}
	answer->result = answer->count ? LOOKUP_FOUND : LOOKUP_NONE;
	/* Resolvers shuffle them; people compare what they see with what they have seen. */
	qsort(answer->record, answer->count, sizeof(answer->record[0]), compare);
}

void lookup_alias(const unsigned char *message, size_t len, const char *host,
		  char to[static ADDRESS_HOST_MAX + 1], bool *authenticated)
{
	char target[NS_MAXDNAME];
	unsigned ttl = 0;
	ns_msg parsed;

	snprintf(to, ADDRESS_HOST_MAX + 1, "%s", host);
	*authenticated = false;
	if (ns_initparse(message, (int)len, &parsed) < 0 || !follow(&parsed, host, target, &ttl) ||
	    strlen(target) > ADDRESS_HOST_MAX)
		return;
	snprintf(to, ADDRESS_HOST_MAX + 1, "%s", target);
	*authenticated = ((const HEADER *)message)->ad;
}

/* --- asking, in the worker's process --- */

/* Ask ${question}'s resolver instead of those in /etc/resolv.conf. */
static bool choose_resolver(res_state state, const struct lookup_question *question)
{
	const uint16_t port = htons((uint16_t)question->resolver_port);
	struct sockaddr_in *four = &state->nsaddr_list[0];
	struct sockaddr_in6 *six;

	state->nscount = 1;
	*four = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
	if (inet_pton(AF_INET, question->resolver, &four->sin_addr) == 1)
		return true;
	six = calloc(1, sizeof(*six));
	if (!six || inet_pton(AF_INET6, question->resolver, &six->sin6_addr) != 1) {
		free(six);
		return false;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = port;
	/* The C library's own way to have one of another family in that list. */
	four->sin_family = 0;
	free(state->_u._ext.nsaddrs[0]);
	state->_u._ext.nsaddrs[0] = six;
	return true;
}

/* The resolver's configuration is read while files can still be opened. */
static void *prepare(void *input)
{
	const struct lookup_question *question =
		(const struct lookup_question *)((const struct bytes *)input)->data;
	res_state state = calloc(1, sizeof(*state));

	if (!state || res_ninit(state) < 0 ||
	    (question->resolver[0] && !choose_resolver(state, question))) {
		free(state);
		return NULL;
	}
	state->options |= RES_USE_EDNS0 | RES_USE_DNSSEC | RES_TRUSTAD;
	state->options &= ~(unsigned long)(RES_ROTATE | RES_DNSRCH | RES_DEFNAMES);
	state->retry = TRIES;
	state->retrans = question->timeout / 1000 / WAITS;
	if (state->retrans < 1)
		state->retrans = 1;
	return state;
}

/* Why is there no answer? ${message} is what there is, all zero if there is nothing. */
static void explain(const unsigned char *message, struct lookup_answer *answer)
{
	static const char *const words[] = {
		[ns_r_formerr] = "FORMERR",
		[ns_r_servfail] = "SERVFAIL",
		[ns_r_notimpl] = "NOTIMP",
		[ns_r_refused] = "REFUSED",
	};
	const HEADER *header = (const HEADER *)message;
	const char *word = header->qr && header->rcode < sizeof(words) / sizeof(words[0])
				   ? words[header->rcode]
				   : NULL;

	fail(answer, word ? word : "no answer from the resolver");
	if (word && header->rcode == ns_r_servfail)
		snprintf(answer->reason, sizeof(answer->reason),
			 "SERVFAIL: the resolver could not get an answer, or one that is not "
			 "signed as it should be");
}

/* Ask for ${type} at ${name}; 0: failed, and ${answer} says why. */
static size_t ask(res_state state, const char *name, int type, unsigned char *message,
		  struct lookup_answer *answer)
{
	int len;

	memset(message, 0, NS_MAXMSG);
	len = res_nquery(state, name, ns_c_in, type, message, NS_MAXMSG);
	if (len > 0)
		return (size_t)len;
	/* There is no such name, or nothing of that type: this is an answer as well. */
	if (state->res_h_errno == HOST_NOT_FOUND || state->res_h_errno == NO_DATA)
		return NS_HFIXEDSZ;
	explain(message, answer);
	return 0;
}

static bool ask_records(res_state state, const char *host, int port, unsigned char *message,
			struct lookup_answer *answer)
{
	size_t len;

	snprintf(answer->name, sizeof(answer->name), "_%d._tcp.%s", port, host);
	len = ask(state, answer->name, TYPE_TLSA, message, answer);
	if (!len)
		return false;
	if (len > NS_HFIXEDSZ) {
		lookup_parse(message, len, answer->name, answer);
		return answer->result != LOOKUP_FAILED;
	}
	answer->result = LOOKUP_NONE;
	answer->authenticated = ((const HEADER *)message)->ad;
	return true;
}

static void look_up(res_state state, const struct lookup_question *question, unsigned char *message,
		    struct lookup_answer *answer)
{
	char alias[ADDRESS_HOST_MAX + 1] = "";
	bool authenticated = false;
	const char *names[2] = { question->host, NULL };
	size_t len;

	snprintf(answer->name, sizeof(answer->name), "_%d._tcp.%s", question->port, question->host);
	len = ask(state, question->host, ns_t_a, message, answer);
	if (!len)
		return;
	if (len > NS_HFIXEDSZ)
		lookup_alias(message, len, question->host, alias, &authenticated);
	/* Senders follow an alias only where they know it for sure. */
	if (alias[0] && strcasecmp(alias, question->host) != 0) {
		names[!authenticated] = alias;
		names[authenticated] = question->host;
	}
	for (size_t i = 0; i < 2 && names[i]; i++)
		if (!ask_records(state, names[i], question->port, message, answer) ||
		    answer->result == LOOKUP_FOUND)
			return;
	/* That is where they are to be. */
	snprintf(answer->name, sizeof(answer->name), "_%d._tcp.%s", question->port, names[0]);
}

static void run(void *input, void *prepared, void *reply)
{
	unsigned char *message = malloc(NS_MAXMSG);
	struct lookup_answer *answer = reply;

	if (message && prepared)
		look_up(prepared,
			(const struct lookup_question *)((const struct bytes *)input)->data,
			message, answer);
	else
		fail(answer, "the resolver's configuration cannot be used");
	free(message);
}

static const struct work asking = {
	.name = "looking up TLSA records",
	.sandbox = SANDBOX_LOOK_UP,
	.prepare = prepare,
	.run = run,
	.reply_size = sizeof(struct lookup_answer),
};

/* --- in ours --- */

/* Is ${answer}, which came from a process that may have been taken over, one that can be? */
static bool is_possible(struct lookup_answer *answer)
{
	unsigned char authenticated;

	/* Another value than 0 and 1 would make it no bool at all. */
	memcpy(&authenticated, &answer->authenticated, sizeof(authenticated));
	if (answer->result > LOOKUP_FOUND || authenticated > 1 ||
	    answer->count > LOOKUP_RECORDS_MAX ||
	    !answer->count != (answer->result != LOOKUP_FOUND) ||
	    !text_accept(answer->reason, sizeof(answer->reason)) ||
	    !text_accept(answer->name, sizeof(answer->name)))
		return false;
	for (size_t i = 0; i < answer->count; i++)
		if (answer->record[i].len > TLSA_DATA_MAX)
			return false;
	return true;
}

enum outcome lookup_tlsa(const struct lookup_question *question, struct lookup_answer *answer)
{
	struct lookup_question copy = *question;
	const struct bytes part = { .data = (char *)&copy, .len = sizeof(copy) };
	enum outcome outcome = worker_call(&asking, &part, 1, 0,
					   deadline_in(question->timeout) + GRACE_MS, answer);

	if (!outcome_failed(outcome) && is_possible(answer))
		return OUTCOME_OK;
	if (outcome_failed(outcome) && outcome != OUTCOME_WORKER_DIED)
		return outcome;
	memset(answer, 0, sizeof(*answer));
	snprintf(answer->name, sizeof(answer->name), "_%d._tcp.%s", question->port, question->host);
	snprintf(answer->reason, sizeof(answer->reason), "%s",
		 outcome_failed(outcome) ? outcome_reason(outcome) : "nonsense was returned");
	return OUTCOME_OK;
}

/* Asking servers of our own (tls_server.h) that do not show a certificate, or should not. */
#ifndef WIRE_ANSWER_H
#define WIRE_ANSWER_H

#include "certsync/wire.h"
#include "run_child.h"
#include "tls_server.h"

static struct identity leaf;
static SSL_CTX *leaf_tls;

static inline int make_leaf(void **state)
{
	(void)state;
	leaf = make_identity(&(struct make_certificate){ 0 });
	leaf_tls = server_tls(&leaf, NULL);
	return 0;
}

static inline int clear_leaf(void **state)
{
	(void)state;
	SSL_CTX_free(leaf_tls);
	identity_clear(&leaf);
	return 0;
}

static const char *const wire_results[] = {
	[WIRE_SERVED] = "served",           [WIRE_UNRESOLVED] = "unresolved",
	[WIRE_REFUSED] = "refused",         [WIRE_TIMED_OUT] = "timed out",
	[WIRE_CLOSED] = "closed",           [WIRE_DECLINED] = "declined",
	[WIRE_NO_STARTTLS] = "no STARTTLS", [WIRE_TLS_FAILED] = "TLS failed",
	[WIRE_NONSENSE] = "nonsense",       [WIRE_INTERRUPTED] = "interrupted",
};

static inline struct wire_question question(const struct server *server,
					    enum wire_protocol protocol)
{
	return (struct wire_question){
		.host = "127.0.0.1",
		.port = server->port,
		.protocol = protocol,
		.sni = "mail.example.org",
	};
}

static inline void assert_answer(const struct wire_answer *answer, enum wire_result result,
				 const char *reason)
{
	if (answer->result != result)
		fail_msg("%s (%s) instead of %s", wire_results[answer->result], answer->reason,
			 wire_results[result]);
	assert_contains(answer->reason, reason);
	for (const char *c = answer->reason; *c; c++)
		assert_true(*c >= ' ' && *c <= '~');
	if (result == WIRE_SERVED)
		return;
	assert_string_equal(answer->fingerprint, "");
	assert_string_equal(answer->spki, "");
	assert_false(answer->trusted);
}

/* Ask ${server} in ${protocol}, stop it, and expect ${result} for ${reason}. */
static inline void fails(struct server *server, enum wire_protocol protocol,
			 enum wire_result result, const char *reason)
{
	struct wire_question one;
	struct wire_answer answer;

	server_start(server);
	one = question(server, protocol);
	assert_int_equal(wire_ask(&one, 1, NULL, deadline_in(LONG_MS), &answer), OUTCOME_OK);
	server_stop(server);
	assert_answer(&answer, result, reason);
}

/* The same of one that says ${...} in clear, awaiting a line in between, and then waits. */
#define says(protocol, result, reason, ...)                                                        \
	fails(&(struct server){ .script = (const char *const[]){ __VA_ARGS__, NULL } }, protocol,  \
	      result, reason)

#endif

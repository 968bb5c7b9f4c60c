#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "ask.h"
#include "certificate.h"
#include "certsync/interrupt.h"
#include "certsync/text.h"
#include "conversation.h"
#include "trust.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200
/* How often the resolver is looked at. */
#define RESOLVE_POLL_MS 10

/*
 * What TLS is to be like: as old and as weak as the server wants, as nothing is entrusted to it and
 * a certificate that is too weak is to be seen as well.
 */
static SSL_CTX *make_tls(void)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (!tls)
		return NULL;
	SSL_CTX_set_security_level(tls, 0);
	SSL_CTX_set_min_proto_version(tls, 0);
	SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return tls;
}

/*
 * Write down the certificate that was shown; ${store} is NULL if its chain is not to be verified.
 */
static void describe(struct conversation *conversation, X509_STORE *store)
{
	struct wire_answer *answer = conversation->answer;
	X509 *leaf = SSL_get0_peer_certificate(conversation->ssl);
	const char *version = SSL_get_version(conversation->ssl);
	enum outcome outcome;

	if (!leaf || !certificate_fingerprint(leaf, answer->fingerprint) ||
	    !certificate_spki(leaf, answer->spki) ||
	    !certificate_validity(leaf, &answer->not_before, &answer->not_after)) {
		*answer = (struct wire_answer){
			.result = WIRE_TLS_FAILED,
			.reason = "the certificate that was shown cannot be read",
			.milliseconds = answer->milliseconds,
		};
		return;
	}
	text_printable(answer->tls, sizeof(answer->tls), version, strlen(version));
	if (!store)
		return;
	outcome = trust_verify(store, leaf, SSL_get_peer_cert_chain(conversation->ssl), time(NULL));
	answer->trusted = !outcome_failed(outcome);
	if (!answer->trusted)
		text_printable(answer->distrust, sizeof(answer->distrust), outcome_reason(outcome),
			       strlen(outcome_reason(outcome)));
}

/*
 * Leave those that are over at once: a server with few processes may need the one that we hold for
 * the next question.
 */
static void leave_those_over(struct conversation *conversations, size_t count, X509_STORE *store)
{
	for (size_t i = 0; i < count; i++) {
		if (conversations[i].state != CONVERSATION_OVER)
			continue;
		if (conversations[i].answer->result == WIRE_SERVED && conversations[i].ssl)
			describe(&conversations[i], store);
		conversation_clear(&conversations[i]);
	}
}

/* Wait for news of any; returns how many are not over. */
static size_t wait_for_news(struct conversation *conversations, size_t count, struct pollfd *polls)
{
	deadline until = deadline_in(WAIT_SLICE_MS);
	size_t open = 0;

	for (size_t i = 0; i < count; i++) {
		struct conversation *conversation = &conversations[i];
		bool over = conversation->state == CONVERSATION_OVER;

		polls[i] = (struct pollfd){ .fd = over ? -1 : conversation->fd,
					    .events = conversation->events };
		open += !over;
		if (!over)
			until = deadline_earlier(until, conversation_wakes(conversation));
	}
	if (open)
		poll(polls, count, deadline_left(until));
	return open;
}

static void end_all(struct conversation *conversations, size_t count, enum wire_result result)
{
	for (size_t i = 0; i < count; i++) {
		static const char *const stages[] = {
			[CONVERSATION_CONNECTING] = "no answer",
			[CONVERSATION_CLEAR] = "connected, but the server did not say enough",
			[CONVERSATION_TLS] = "connected, but the TLS handshake did not end",
			[CONVERSATION_OVER] = "",
		};

		conversation_end(&conversations[i], result, "%s",
				 result == WIRE_INTERRUPTED ? "interrupted"
							    : stages[conversations[i].state]);
	}
}

static void go_on(struct conversation *conversations, size_t count, const struct pollfd *polls)
{
	for (size_t i = 0; i < count; i++)
		if (polls[i].revents || !deadline_left(conversation_wakes(&conversations[i])))
			conversation_go_on(&conversations[i]);
}

/* Why there are no addresses to try. */
static struct wire_answer unresolved(const char *host, int error)
{
	struct wire_answer answer = { .result = WIRE_UNRESOLVED };

	if (error != EAI_INPROGRESS) {
		snprintf(answer.reason, sizeof(answer.reason), "%s: %s", host, gai_strerror(error));
		return answer;
	}
	answer.result = interrupt_pending() ? WIRE_INTERRUPTED : WIRE_TIMED_OUT;
	snprintf(answer.reason, sizeof(answer.reason), "%s",
		 interrupt_pending() ? "interrupted" : "no answer from the resolver");
	return answer;
}

static void begin(struct conversation *conversation, const struct wire_question *question,
		  const struct ask_addresses *addresses, SSL_CTX *tls, deadline end,
		  struct wire_answer *answer)
{
	conversation_begin(conversation, question, addresses->found, tls, end, answer);
	if (addresses->error)
		*answer = unresolved(question->host, addresses->error);
}

static void converse(const struct wire_question *questions, size_t count,
		     const struct ask_addresses *addresses, SSL_CTX *tls, X509_STORE *store,
		     deadline end, struct wire_answer *answers, struct conversation *conversations,
		     struct pollfd *polls)
{
	for (size_t i = 0; i < count; i++)
		begin(&conversations[i], &questions[i], &addresses[i], tls, end, &answers[i]);
	while (wait_for_news(conversations, count, polls)) {
		if (interrupt_pending())
			end_all(conversations, count, WIRE_INTERRUPTED);
		else if (!deadline_left(end))
			end_all(conversations, count, WIRE_TIMED_OUT);
		go_on(conversations, count, polls);
		leave_those_over(conversations, count, store);
	}
	/* Those that were over before there was anything to wait for. */
	leave_those_over(conversations, count, store);
}

enum outcome ask_all(const struct wire_question *questions, size_t count,
		     const struct ask_addresses *addresses, const struct bytes *roots, deadline end,
		     struct wire_answer *answers)
{
	struct conversation *conversations = calloc(count, sizeof(*conversations));
	struct pollfd *polls = calloc(count, sizeof(*polls));
	SSL_CTX *tls = make_tls();
	enum outcome outcome = OUTCOME_OK;
	X509_STORE *store = NULL;

	if (roots)
		outcome = trust_load(roots, &store);
	/* OpenSSL writes to sockets that may be closed at the other end. */
	signal(SIGPIPE, SIG_IGN);
	if (!conversations || !polls || !tls)
		outcome = outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	else if (!outcome_failed(outcome))
		converse(questions, count, addresses, tls, store, end, answers, conversations,
			 polls);
	SSL_CTX_free(tls);
	X509_STORE_free(store);
	free(polls);
	free(conversations);
	return outcome;
}

/* --- names --- */

static bool all_resolved(struct ask_addresses *addresses, size_t count)
{
	bool all = true;

	for (size_t i = 0; i < count; i++) {
		if (addresses[i].error == EAI_INPROGRESS)
			addresses[i].error =
				resolve_result(addresses[i].resolve, &addresses[i].found);
		all &= addresses[i].error != EAI_INPROGRESS;
	}
	return all;
}

struct ask_addresses *ask_resolve(const struct wire_question *questions, size_t count, deadline end)
{
	struct ask_addresses *addresses = calloc(count, sizeof(*addresses));
	const deadline until = deadline_in(deadline_left(end) / 2);

	for (size_t i = 0; i < count && addresses; i++) {
		addresses[i].resolve = resolve_start(questions[i].host, questions[i].port);
		addresses[i].error = addresses[i].resolve ? EAI_INPROGRESS : EAI_MEMORY;
	}
	while (addresses && !all_resolved(addresses, count) && !interrupt_pending() &&
	       deadline_pause(until, RESOLVE_POLL_MS))
		;
	return addresses;
}

void ask_release(struct ask_addresses *addresses, size_t count)
{
	for (size_t i = 0; i < count && addresses; i++) {
		resolve_freep(&addresses[i].resolve);
		resolve_addresses_freep(&addresses[i].found);
	}
	free(addresses);
}

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "certificate.h"
#include "certsync/interrupt.h"
#include "certsync/text.h"
#include "certsync/wire.h"
#include "conversation.h"
#include "trust.h"

/* A signal that comes between our looking and our waiting is seen this much later at the latest. */
#define WAIT_SLICE_MS 200

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
			[CONVERSATION_RESOLVING] = "no answer from the resolver",
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
		if (polls[i].revents || !deadline_left(conversation_wakes(&conversations[i])) ||
		    conversations[i].state == CONVERSATION_RESOLVING)
			conversation_go_on(&conversations[i]);
}

static void ask_all(const struct wire_question *questions, size_t count, SSL_CTX *tls,
		    X509_STORE *store, deadline end, struct wire_answer *answers,
		    struct conversation *conversations, struct pollfd *polls)
{
	for (size_t i = 0; i < count; i++)
		conversation_begin(&conversations[i], &questions[i], tls, end, &answers[i]);
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

enum outcome wire_ask(const struct wire_question *questions, size_t count, const char *roots,
		      deadline end, struct wire_answer *answers)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	struct conversation *conversations;
	enum outcome outcome = OUTCOME_OK;
	X509_STORE *store = NULL;
	struct pollfd *polls;
	SSL_CTX *tls;

	if (roots)
		outcome = trust_load(roots, &store);
	if (outcome_failed(outcome))
		return outcome;
	conversations = calloc(count, sizeof(*conversations));
	polls = calloc(count, sizeof(*polls));
	tls = make_tls();
	/* OpenSSL writes to sockets that may be closed at the other end. */
	sigaction(SIGPIPE, &ignore, &before);
	if (conversations && polls && tls)
		ask_all(questions, count, tls, store, end, answers, conversations, polls);
	else
		outcome = outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	sigaction(SIGPIPE, &before, NULL);
	SSL_CTX_free(tls);
	X509_STORE_free(store);
	free(polls);
	free(conversations);
	return outcome;
}

#include <poll.h>

#include <openssl/err.h>

#include "handshake.h"

/*
 * Has all been read that a handshake may take? A client takes no notice of a HelloRequest (RFC
 * 5246, section 7.4.1.1), and so SSL_connect would read them for as long as they come.
 */
static bool tls_exceeded(BIO *bio)
{
	return BIO_number_read(bio) > CONVERSATION_TLS_MAX;
}

/* Called before and after all that is done with the socket (BIO_set_callback_ex(3)). */
static long limit_reading(BIO *bio, int what, const char *bytes, size_t len, int argi, long argl,
			  int result, size_t *processed)
{
	(void)bytes, (void)len, (void)argi, (void)argl, (void)processed;
	return what == BIO_CB_READ && tls_exceeded(bio) ? -1 : result;
}

/* The server, whose own certificate was read and proved by then, asks for one of ours. */
static int have_no_certificate(SSL *ssl, void *context)
{
	struct conversation *conversation = context;

	(void)ssl;
	conversation->certificate_wanted = true;
	return 1;
}

static void explain_tls(struct conversation *conversation, int error)
{
	unsigned long code = ERR_peek_error();
	const char *words = code ? ERR_reason_error_string(code) : NULL;

	if (tls_exceeded(SSL_get_rbio(conversation->ssl)))
		conversation_end(conversation, WIRE_NONSENSE,
				 "the server said more than %zu bytes during the TLS handshake",
				 CONVERSATION_TLS_MAX);
	else if (error == SSL_ERROR_SSL && conversation->certificate_wanted)
		/* It goes no further without one, but what we came for is there. */
		conversation_end(conversation, WIRE_SERVED, "%s", "");
	else if (error == SSL_ERROR_SSL &&
		 ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
		conversation_end(conversation, WIRE_TLS_FAILED, "the TLS handshake failed: %s",
				 words ? words : "unknown error");
	else
		conversation_end(conversation, WIRE_CLOSED,
				 "the connection was closed during the TLS handshake");
	ERR_clear_error();
}

void handshake_go_on(struct conversation *conversation)
{
	int done, error;

	ERR_clear_error();
	done = SSL_connect(conversation->ssl);
	if (done == 1) {
		conversation_end(conversation, WIRE_SERVED, "%s", "");
		return;
	}
	error = SSL_get_error(conversation->ssl, done);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		conversation->events = error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
	else
		explain_tls(conversation, error);
}

void handshake_begin(struct conversation *conversation)
{
	const char *sni = conversation->question->sni;

	conversation->state = CONVERSATION_TLS;
	conversation->ssl = SSL_new(conversation->tls);
	if (!conversation->ssl || !SSL_set_fd(conversation->ssl, conversation->fd) ||
	    (sni && !SSL_set_tlsext_host_name(conversation->ssl, sni))) {
		conversation_end(conversation, WIRE_TLS_FAILED, "out of memory");
		return;
	}
	SSL_set_cert_cb(conversation->ssl, have_no_certificate, conversation);
	BIO_set_callback_ex(SSL_get_rbio(conversation->ssl), limit_reading);
	handshake_go_on(conversation);
}

/* One connection of a wire_ask: from its host's addresses to the certificate that is shown. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include <netdb.h>

#include <openssl/ssl.h>

#include "certsync/wire.h"
#include "starttls.h"

/* What may come in clear before TLS: a line, and all of it. */
#define CONVERSATION_LINE_MAX  4096
#define CONVERSATION_CLEAR_MAX 16384
/* All that may come during the TLS handshake; OpenSSL takes a chain of 100 KiB at the most. */
#define CONVERSATION_TLS_MAX ((size_t)256 * 1024)
#define CONVERSATION_SAY_MAX 160

enum conversation_state {
	CONVERSATION_CONNECTING,
	CONVERSATION_CLEAR, /* until STARTTLS is through */
	CONVERSATION_TLS,
	CONVERSATION_OVER,
};

struct conversation {
	const struct wire_question *question;
	struct wire_answer *answer;
	SSL_CTX *tls;
	enum conversation_state state;
	short events; /* what poll(2) is to wait for */
	int fd;
	const struct addrinfo *address; /* the one that is tried now */
	deadline begun, end, address_end;
	struct starttls starttls;
	const char *say; /* not sent yet */
	char header[CONVERSATION_SAY_MAX];
	char line[CONVERSATION_LINE_MAX + 1];
	size_t line_len;
	size_t clear_len;
	SSL *ssl;
	bool certificate_wanted; /* one of ours */
};

/*
 * Begin, with the host's ${addresses}, which live as long; ${end} is when the answer must be there.
 */
void conversation_begin(struct conversation *conversation, const struct wire_question *question,
			const struct addrinfo *addresses, SSL_CTX *tls, deadline end,
			struct wire_answer *answer);

/* Something happened, or time has passed: go on as far as that is possible without waiting. */
void conversation_go_on(struct conversation *conversation);

/* The ${moment} at which it wants to go on even if nothing happens. */
deadline conversation_wakes(const struct conversation *conversation);

/* End it with ${result}, if it is not over yet. */
void conversation_end(struct conversation *conversation, enum wire_result result,
		      const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Free what it holds but the answer. Leaves a server that was spoken to in a civil way. */
void conversation_clear(struct conversation *conversation);

#endif

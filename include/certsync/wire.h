/*
 * The certificate that an endpoint serves now: TLS from the first byte, or after STARTTLS in SMTP
 * (RFC 3207), IMAP (RFC 9051), POP3 (RFC 2595) or ManageSieve (RFC 5804).
 *
 * Nothing secret is sent, and nothing is believed: any certificate is taken, as it is only looked
 * at, by a process that can do no harm (worker.h). All questions are asked at once.
 */
#ifndef CERTSYNC_WIRE_H
#define CERTSYNC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "certsync/bundle.h"
#include "certsync/deadline.h"

enum wire_protocol {
	WIRE_TLS, /* TLS from the first byte */
	WIRE_SMTP,
	WIRE_IMAP,
	WIRE_POP3,
	WIRE_SIEVE,
};

struct wire_question {
	const char *host; /* address or name, of 255 bytes at the most */
	int port;
	enum wire_protocol protocol;
	const char *sni;   /* the name to ask for (RFC 6066); NULL: none */
	bool proxy_header; /* the server expects a PROXY line first (PROXY protocol, version 1) */
};

/* What became of a question. */
enum wire_result {
	WIRE_SERVED,      /* a certificate was shown */
	WIRE_UNRESOLVED,  /* the name has no address */
	WIRE_REFUSED,     /* nobody listens there, or no way leads there */
	WIRE_TIMED_OUT,   /* no answer, or not a whole one, within the limit */
	WIRE_CLOSED,      /* the connection was closed before a certificate came */
	WIRE_DECLINED,    /* the server greeted with a refusal */
	WIRE_NO_STARTTLS, /* the server does not offer STARTTLS, or refuses it */
	WIRE_TLS_FAILED,  /* the handshake failed: an alert, or no TLS at all */
	WIRE_NONSENSE,    /* what was said is not the protocol */
	WIRE_INTERRUPTED, /* SIGINT, SIGTERM or SIGHUP came (interrupt.h) */
};

#define WIRE_REASON_MAX 256

/* Of a fixed size and without pointers. Without WIRE_SERVED, nothing follows milliseconds. */
struct wire_answer {
	enum wire_result result;
	char reason[WIRE_REASON_MAX];                 /* printable; of a served one "" */
	int milliseconds;                             /* it took so long */
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1]; /* as bundle_fingerprint */
	char spki[BUNDLE_SPKI_LEN + 1];               /* as bundle_spki */
	time_t not_before;
	time_t not_after;
	char tls[16];                   /* "TLSv1.3" */
	bool trusted;                   /* the chain that was sent verifies against the roots */
	char distrust[WIRE_REASON_MAX]; /* why it does not; "" if it does or was not asked */
};

/*
 * Ask all ${count} ${questions} at once, until ${end} at the latest, and fill in as many
 * ${answers}. ${roots} is a PEM file to verify the chains with, "" stands for the system's roots
 * (SSL_CERT_FILE); NULL: the chains are not verified. FILE_... (the roots cannot be read),
 * CHAIN_UNTRUSTED (there are none), and those of worker_call.
 */
enum outcome wire_ask(const struct wire_question *questions, size_t count, const char *roots,
		      deadline end, struct wire_answer *answers);

/* Is ${answer}, which came from another process, one that can be? Its text is made printable. */
bool wire_accept(struct wire_answer *answer);

#endif

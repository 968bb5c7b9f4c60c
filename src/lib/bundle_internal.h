/* What bundle.c (making), bundle_describe.c and bundle_check.c (judging) share. */
#ifndef BUNDLE_INTERNAL_H
#define BUNDLE_INTERNAL_H

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "certsync/bundle.h"

struct bundle {
	STACK_OF(X509) * chain; /* leaf first, never empty */
	EVP_PKEY *key;          /* NULL where only the chain was loaded */
	time_t not_before;
	time_t not_after;
	char fingerprint[BUNDLE_FINGERPRINT_LEN + 1];
	char spki[BUNDLE_SPKI_LEN + 1];
	char key_type[32];
	char *subject;
	char *issuer;
	char *names;
};

static inline X509 *bundle_leaf(const struct bundle *bundle)
{
	return sk_X509_value(bundle->chain, 0);
}

static inline void bio_freep(BIO **bio)
{
	BIO_free(*bio);
	*bio = NULL;
}

/* What OpenSSL complained of last, in its words. */
static inline const char *bundle_complaint(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "unknown error";
}

static inline enum outcome bundle_no_memory(void)
{
	return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
}

/* Fill in what can be said of the leaf. CERT_UNREADABLE, NO_MEMORY. */
enum outcome bundle_describe(struct bundle *bundle);

#endif

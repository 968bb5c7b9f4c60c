/* What bundle.c (making and describing) and bundle_check.c (judging) share. */
#ifndef BUNDLE_INTERNAL_H
#define BUNDLE_INTERNAL_H

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

#endif

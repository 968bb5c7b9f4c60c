/* What bundle.c and wire.c both read off a certificate. */
#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <stdbool.h>
#include <time.h>

#include <openssl/x509.h>

#include "certsync/bundle.h"

/* SHA-256 of the certificate, as bundle_fingerprint. False: OpenSSL failed. */
bool certificate_fingerprint(X509 *certificate, char to[static BUNDLE_FINGERPRINT_LEN + 1]);

/* SHA-256 of its SubjectPublicKeyInfo, as bundle_spki. False: OpenSSL failed. */
bool certificate_spki(X509 *certificate, char to[static BUNDLE_SPKI_LEN + 1]);

/* Its validity. False: what stands there is not a date. */
bool certificate_validity(const X509 *certificate, time_t *not_before, time_t *not_after);

#endif

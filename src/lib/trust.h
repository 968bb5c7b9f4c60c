/* Trust stores: does a chain end in a root that somebody named (RFC 5280, section 6)? */
#ifndef TRUST_H
#define TRUST_H

#include <time.h>

#include <openssl/x509_vfy.h>

#include "certsync/file.h"
#include "certsync/outcome.h"

/*
 * Read the PEM file ${path} of roots into ${roots}, which the caller clears; "" stands for the
 * system's (SSL_CERT_FILE). FILE_...
 */
enum outcome trust_read(const char *path, struct bytes *roots);

/*
 * Parse the PEM certificates in ${roots} into ${store}, which the caller frees. CHAIN_UNTRUSTED
 * (there are none), NO_MEMORY.
 */
enum outcome trust_load(const struct bytes *roots, X509_STORE **store);

/*
 * Can a server's certificate ${leaf} be verified at time ${now} with the help of ${chain}?
 * CHAIN_UNTRUSTED, NO_MEMORY.
 */
enum outcome trust_verify(X509_STORE *store, X509 *leaf, STACK_OF(X509) * chain, time_t now);

#endif

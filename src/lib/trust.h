/* Trust stores: does a chain end in a root that somebody named (RFC 5280, section 6)? */
#ifndef TRUST_H
#define TRUST_H

#include <time.h>

#include <openssl/x509_vfy.h>

#include "certsync/outcome.h"

/*
 * Load the PEM file ${roots} into ${store}, which the caller frees; "" stands for the system's
 * roots (SSL_CERT_FILE, SSL_CERT_DIR). CHAIN_UNTRUSTED (there are none in it), FILE_..., NO_MEMORY.
 */
enum outcome trust_load(const char *roots, X509_STORE **store);

/*
 * Can a server's certificate ${leaf} be verified at time ${now} with the help of ${chain}?
 * CHAIN_UNTRUSTED, NO_MEMORY.
 */
enum outcome trust_verify(X509_STORE *store, X509 *leaf, STACK_OF(X509) * chain, time_t now);

#endif

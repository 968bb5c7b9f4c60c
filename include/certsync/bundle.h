/*
 * A certificate chain and its private key, in memory (RFC 5280, RFC 7468, RFC 6125).
 *
 * Always made from bytes, never from a path: what was judged is what is sent or installed. Reasons
 * do not name a file; the caller says where the bytes came from (outcome_in).
 */
#ifndef CERTSYNC_BUNDLE_H
#define CERTSYNC_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "certsync/file.h"
#include "certsync/outcome.h"

/* What a chain or a key may measure at the most; a chain of a public CA has about 4 KiB. */
#define BUNDLE_BYTES_MAX        ((size_t)256 * 1024)
#define BUNDLE_CERTIFICATES_MAX 16
#define BUNDLE_FINGERPRINT_LEN  95 /* "AA:BB:...", 32 bytes */
#define BUNDLE_SPKI_LEN         64 /* "aabb...", 32 bytes */
/* What they consist of. */
#define BUNDLE_FINGERPRINT_DIGITS "0123456789ABCDEF:"
#define BUNDLE_SPKI_DIGITS        "0123456789abcdef"
/* What a file of roots may measure; that of all public authorities has about 200 KiB. */
#define BUNDLE_ROOTS_MAX ((size_t)4 * 1024 * 1024)

struct bundle;

/*
 * Parse the PEM certificates in ${chain}, leaf first, and the PEM private key in ${key} (PKCS#8,
 * SEC1 or PKCS#1; NULL: no key). What stands between the PEM blocks is ignored as OpenSSL ignores
 * it. On success ${out} is the caller's, to bundle_free. CERT_UNREADABLE, CHAIN_HOLDS_KEY,
 * KEY_UNREADABLE, KEY_ENCRYPTED, NO_MEMORY.
 */
enum outcome bundle_load(const struct bytes *chain, const struct bytes *key, struct bundle **out);

/*
 * The same of the first certificate in ${chain} alone, which is enough to describe it and costs a
 * fraction. Not for what is sent or installed. CERT_UNREADABLE, CHAIN_HOLDS_KEY, NO_MEMORY.
 */
enum outcome bundle_load_leaf(const struct bytes *chain, struct bundle **out);

/*
 * Could the first certificate in ${chain} cover ${host}? Looks for the name in the encoded
 * certificate, which is much cheaper than decoding it: false is certain, true is not.
 */
bool bundle_may_cover(const struct bytes *chain, const char *host);

/* Free the private key, once it has been judged: nothing else needs it. */
void bundle_forget_key(struct bundle *bundle);

void bundle_free(struct bundle *bundle);
void bundle_freep(struct bundle **bundle);

/* SHA-256 of the leaf as `openssl x509 -fingerprint -sha256` prints it. */
const char *bundle_fingerprint(const struct bundle *bundle);
/* SHA-256 of the leaf's SubjectPublicKeyInfo, lower-case: the data of TLSA 3 1 1 (RFC 6698). */
const char *bundle_spki(const struct bundle *bundle);
/* Distinguished names, RFC 2253 form, printable ASCII. */
const char *bundle_subject(const struct bundle *bundle);
const char *bundle_issuer(const struct bundle *bundle);
/*
 * The DNS names of the leaf's subjectAltName, separated by single spaces, printable ASCII; "" if
 * there are none.
 */
const char *bundle_names(const struct bundle *bundle);
/* "EC P-384", "RSA 2048", "ED25519": printable. */
const char *bundle_key_type(const struct bundle *bundle);
/* Validity of the leaf, seconds since the epoch. */
time_t bundle_not_before(const struct bundle *bundle);
time_t bundle_not_after(const struct bundle *bundle);
/* Whole days from ${now} until the leaf expires; negative once it has. */
long bundle_days_left(const struct bundle *bundle, time_t now);
/* Does the leaf name itself as its issuer? */
bool bundle_self_issued(const struct bundle *bundle);
/* Do both hold the same leaf? */
bool bundle_same_leaf(const struct bundle *one, const struct bundle *other);
/* Was ${bundle} issued (notBefore) before ${other}? */
bool bundle_older(const struct bundle *bundle, const struct bundle *other);

/* Each check returns OK or the one outcome that it is for. */

/*
 * Does the private key belong to the leaf, whatever the algorithm? It signs, and the leaf's key
 * verifies. KEY_MISMATCH.
 */
enum outcome bundle_check_key(const struct bundle *bundle);
/*
 * Does a DNS name of the leaf cover ${host} (A-labels)? Wildcards by RFC 6125; the CN does not
 * count. CERT_WRONG_HOST.
 */
enum outcome bundle_check_host(const struct bundle *bundle, const char *host);
/* CERT_EXPIRED, CERT_NOT_YET_VALID. */
enum outcome bundle_check_validity(const struct bundle *bundle, time_t now);
/*
 * Is the leaf one for a server: not a CA's (CERT_IS_CA), extendedKeyUsage serverAuth or none
 * (CERT_NOT_FOR_SERVER), a key no weaker than RSA-2048, that is 112 bits (KEY_WEAK), and one of
 * RSA (8192 bits at the most), a named curve, Ed25519 or Ed448 (KEY_UNSUITABLE)?
 */
enum outcome bundle_check_leaf(const struct bundle *bundle);
/* Did each following certificate issue the one before it? CHAIN_BROKEN. */
enum outcome bundle_check_chain(const struct bundle *bundle);
/* Does the chain end in one of the PEM certificates in ${roots}, at ${now}? CHAIN_UNTRUSTED. */
enum outcome bundle_check_trust(const struct bundle *bundle, const struct bytes *roots, time_t now);
/* All of the above but trust, in the order in which a person would want to be told. */
enum outcome bundle_check(const struct bundle *bundle, const char *host, time_t now);

#endif

/*
 * TLSA records (RFC 6698) as mail servers use them that look for them (DANE, RFC 7672), and what of
 * a certificate chain they can pin.
 */
#ifndef CERTSYNC_TLSA_H
#define CERTSYNC_TLSA_H

#include <stdbool.h>
#include <stddef.h>

#include "certsync/bundle.h"

#define TLSA_SHA256_LEN 32
#define TLSA_SHA512_LEN 64
#define TLSA_DATA_MAX   TLSA_SHA512_LEN

/* RFC 7218's names for the numbers that matter here. */
enum tlsa_usage {
	TLSA_PKIX_TA,
	TLSA_PKIX_EE,
	TLSA_DANE_TA,
	TLSA_DANE_EE
};
enum tlsa_selector {
	TLSA_CERT,
	TLSA_SPKI,
	TLSA_SELECTORS
};
enum tlsa_matching {
	TLSA_FULL,
	TLSA_SHA2_256,
	TLSA_SHA2_512
};

struct tlsa_record {
	unsigned char usage, selector, matching;
	unsigned char len;                 /* of data; 0: nothing that could match */
	unsigned char data[TLSA_DATA_MAX]; /* of TLSA_FULL its SHA-256, and not the thing itself */
};

/* "3 1 1 " and hexadecimal digits, as zone files have it; of TLSA_FULL its SHA-256 in words. */
#define TLSA_TEXT_LEN (6 + 2 * TLSA_DATA_MAX + 32)

/* What records can say of one certificate. */
struct tlsa_digests {
	unsigned char sha256[TLSA_SELECTORS][TLSA_SHA256_LEN];
	unsigned char sha512[TLSA_SELECTORS][TLSA_SHA512_LEN];
};

/* A chain, leaf first. Of a fixed size and without pointers. */
struct tlsa_chain {
	size_t count; /* 0: none could be read */
	struct tlsa_digests certificate[BUNDLE_CERTIFICATES_MAX];
};

/*
 * Digest the PEM certificates in ${chain}, in a process that can do no harm (worker.h). What is not
 * a chain leaves ${digests} without any. SANDBOX_FAILED, WORKER_DIED, NO_MEMORY.
 */
enum outcome tlsa_chain_read(const struct bytes *chain, struct tlsa_chain *digests);

/*
 * Fill ${record} from the ${len} bytes of a record's data at ${data} (RFC 6698 2.1). False: it is
 * too short for one.
 */
bool tlsa_parse(const unsigned char *data, size_t len, struct tlsa_record *record);

/*
 * Can ${record} be used by a mail server that sends to another (RFC 7672 3.1)? PKIX-TA and PKIX-EE,
 * and what is not known, cannot.
 */
bool tlsa_is_usable(const struct tlsa_record *record);

/* Does ${record}, which is usable, match ${chain}: a DANE-EE one its leaf, a DANE-TA one the rest?
 */
bool tlsa_matches(const struct tlsa_record *record, const struct tlsa_chain *chain);

void tlsa_text(const struct tlsa_record *record, char to[static TLSA_TEXT_LEN + 1]);

/* The record that is recommended (RFC 7672 3.1.3) for the key of ${chain}'s leaf: 3 1 1. */
struct tlsa_record tlsa_recommended(const struct tlsa_chain *chain);

#endif

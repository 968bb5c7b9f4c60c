#include <stdio.h>
#include <string.h>

#include "bundle_internal.h"
#include "certsync/cleanup.h"
#include "certsync/deadline.h"
#include "certsync/tlsa.h"
#include "certsync/worker.h"

/* The worker's own limits end it sooner; this is for one that has been taken over. */
#define LIMIT_MS 60000
/* Usage, selector and matching type, one byte each. */
#define NUMBERS_LEN 3

/* --- a chain's digests, in the worker's process --- */

static bool digest(const unsigned char *data, int len, enum tlsa_selector selector,
		   struct tlsa_digests *to)
{
	return len > 0 &&
	       EVP_Digest(data, (size_t)len, to->sha256[selector], NULL, EVP_sha256(), NULL) &&
	       EVP_Digest(data, (size_t)len, to->sha512[selector], NULL, EVP_sha512(), NULL);
}

static bool digest_certificate(X509 *certificate, struct tlsa_digests *to)
{
	unsigned char *whole = NULL, *spki = NULL;
	int whole_len = i2d_X509(certificate, &whole);
	int spki_len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	bool done =
		digest(whole, whole_len, TLSA_CERT, to) && digest(spki, spki_len, TLSA_SPKI, to);

	OPENSSL_free(whole);
	OPENSSL_free(spki);
	return done;
}

static void digest_chain(void *input, void *prepared, void *reply)
{
	const struct bytes *chain = input;
	struct tlsa_chain *digests = reply;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;

	(void)prepared;
	if (outcome_failed(bundle_load(chain, NULL, &bundle)))
		return;
	for (int i = 0; i < sk_X509_num(bundle->chain); i++)
		if (!digest_certificate(sk_X509_value(bundle->chain, i), &digests->certificate[i]))
			return;
	digests->count = (size_t)sk_X509_num(bundle->chain);
}

static const struct work digesting = {
	.name = "digesting the chain",
	.sandbox = SANDBOX_COMPUTE,
	.run = digest_chain,
	.reply_size = sizeof(struct tlsa_chain),
};

/* --- in ours --- */

enum outcome tlsa_chain_read(const struct bytes *chain, struct tlsa_chain *digests)
{
	enum outcome outcome = worker_call(&digesting, chain, 1, 0, deadline_in(LIMIT_MS), digests);

	if (!outcome_failed(outcome) && digests->count > BUNDLE_CERTIFICATES_MAX)
		outcome = outcome_because(OUTCOME_WORKER_DIED,
					  "the process for %s returned nonsense", digesting.name);
	if (outcome_failed(outcome))
		digests->count = 0;
	return outcome;
}

bool tlsa_parse(const unsigned char *data, size_t len, struct tlsa_record *record)
{
	if (len < NUMBERS_LEN)
		return false;
	*record = (struct tlsa_record){ data[0], data[1], data[2], .len = 0 };
	data += NUMBERS_LEN;
	len -= NUMBERS_LEN;
	if (record->matching == TLSA_FULL && len) {
		record->len = TLSA_SHA256_LEN;
		return EVP_Digest(data, len, record->data, NULL, EVP_sha256(), NULL);
	}
	/* One of a length that no digest has matches nothing. */
	if (len > TLSA_DATA_MAX)
		len = 0;
	record->len = (unsigned char)len;
	memcpy(record->data, data, len);
	return true;
}

bool tlsa_is_usable(const struct tlsa_record *record)
{
	static const unsigned char lengths[] = {
		[TLSA_FULL] = TLSA_SHA256_LEN,
		[TLSA_SHA2_256] = TLSA_SHA256_LEN,
		[TLSA_SHA2_512] = TLSA_SHA512_LEN,
	};

	return (record->usage == TLSA_DANE_TA || record->usage == TLSA_DANE_EE) &&
	       record->selector < TLSA_SELECTORS && record->matching <= TLSA_SHA2_512 &&
	       record->len == lengths[record->matching];
}

static bool matches_one(const struct tlsa_record *record, const struct tlsa_digests *digests)
{
	const unsigned char *wanted = record->matching == TLSA_SHA2_512
					      ? digests->sha512[record->selector]
					      : digests->sha256[record->selector];

	return !memcmp(record->data, wanted, record->len);
}

bool tlsa_matches(const struct tlsa_record *record, const struct tlsa_chain *chain)
{
	if (!tlsa_is_usable(record) || !chain->count)
		return false;
	if (record->usage == TLSA_DANE_EE)
		return matches_one(record, &chain->certificate[0]);
	for (size_t i = 1; i < chain->count; i++)
		if (matches_one(record, &chain->certificate[i]))
			return true;
	return false;
}

void tlsa_text(const struct tlsa_record *record, char to[static TLSA_TEXT_LEN + 1])
{
	size_t used = (size_t)snprintf(to, TLSA_TEXT_LEN + 1, "%u %u %u ", record->usage,
				       record->selector, record->matching);

	if (record->matching == TLSA_FULL && record->len)
		used += (size_t)snprintf(to + used, TLSA_TEXT_LEN + 1 - used, "with SHA-256 ");
	for (size_t i = 0; i < record->len; i++)
		used += (size_t)snprintf(to + used, TLSA_TEXT_LEN + 1 - used, "%02x",
					 record->data[i]);
}

struct tlsa_record tlsa_recommended(const struct tlsa_chain *chain)
{
	struct tlsa_record record = {
		.usage = TLSA_DANE_EE,
		.selector = TLSA_SPKI,
		.matching = TLSA_SHA2_256,
		.len = TLSA_SHA256_LEN,
	};

	memcpy(record.data, chain->certificate[0].sha256[TLSA_SPKI], record.len);
	return record;
}

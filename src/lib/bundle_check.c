#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "bundle_internal.h"
#include "certsync/cleanup.h"
#include "certsync/text.h"
#include "trust.h"

/*
 * RSA-2048 by NIST SP 800-57 part 1, table 2; OpenSSL rounds up for keys that are a little shorter.
 */
#define SECURITY_BITS_MIN 112
#define RSA_BITS_MIN      2048

enum outcome bundle_check_key(const struct bundle *bundle)
{
	int same = bundle->key ? X509_check_private_key(bundle_leaf(bundle), bundle->key) : 0;

	ERR_clear_error();
	if (same == 1)
		return OUTCOME_OK;
	return outcome_because(OUTCOME_KEY_MISMATCH,
			       "the private key does not belong to the certificate %s",
			       bundle->fingerprint);
}

enum outcome bundle_check_host(const struct bundle *bundle, const char *host)
{
	/*
	 * No CN (RFC 6125 6.4.4 lets clients ignore it, and they do); a wildcard is a whole label.
	 */
	unsigned int flags =
		X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	/* OpenSSL takes a leading dot for "any name below". */
	int covered = host[0] != '.' &&
		      X509_check_host(bundle_leaf(bundle), host, strlen(host), flags, NULL) == 1;

	ERR_clear_error();
	if (covered)
		return OUTCOME_OK;
	return outcome_because(OUTCOME_CERT_WRONG_HOST,
			       "the certificate does not cover %s; it is for: %.400s", host,
			       bundle->names[0] ? bundle->names : "no DNS name at all");
}

enum outcome bundle_check_validity(const struct bundle *bundle, time_t now)
{
	char when[TEXT_TIME_LEN + 1];

	if (now >= bundle->not_before && now <= bundle->not_after)
		return OUTCOME_OK;
	if (now > bundle->not_after) {
		text_time(when, bundle->not_after);
		return outcome_because(OUTCOME_CERT_EXPIRED, "the certificate expired at %s", when);
	}
	text_time(when, bundle->not_before);
	return outcome_because(OUTCOME_CERT_NOT_YET_VALID, "the certificate is not valid before %s",
			       when);
}

static bool is_weak(const EVP_PKEY *key)
{
	bool rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");

	return EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN ||
	       (rsa && EVP_PKEY_get_bits(key) < RSA_BITS_MIN);
}

enum outcome bundle_check_leaf(const struct bundle *bundle)
{
	X509 *leaf = bundle_leaf(bundle);
	EVP_PKEY *key = X509_get0_pubkey(leaf);

	/* Reading the flags decodes the extensions, which may be damaged. */
	if (X509_get_extension_flags(leaf) & EXFLAG_INVALID)
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "the certificate's extensions are damaged");
	if (X509_check_ca(leaf))
		return outcome_because(OUTCOME_CERT_IS_CA,
				       "the first certificate (%.200s) is one of a certification "
				       "authority, not of a server",
				       bundle->subject);
	/* No extension: any purpose (RFC 5280 4.2.1.12); OpenSSL then answers with all bits set. */
	if (!(X509_get_extended_key_usage(leaf) & (XKU_SSL_SERVER | XKU_ANYEKU)))
		return outcome_because(
			OUTCOME_CERT_NOT_FOR_SERVER,
			"the certificate's extended key usage does not have serverAuth");
	if (!key || is_weak(key))
		return outcome_because(OUTCOME_KEY_WEAK,
				       "the certificate's key (%s) is weaker than RSA 2048",
				       bundle->key_type);
	return OUTCOME_OK;
}

enum outcome bundle_check_chain(const struct bundle *bundle)
{
	for (int i = 0; i + 1 < sk_X509_num(bundle->chain); i++) {
		X509 *certificate = sk_X509_value(bundle->chain, i);
		X509 *issuer = sk_X509_value(bundle->chain, i + 1);
		EVP_PKEY *key = X509_get0_pubkey(issuer);
		bool issued = key && X509_check_issued(issuer, certificate) == X509_V_OK &&
			      X509_verify(certificate, key) == 1;

		ERR_clear_error();
		if (!issued)
			return outcome_because(
				OUTCOME_CHAIN_BROKEN,
				"certificate number %d of the chain was not issued by number %d",
				i + 1, i + 2);
	}
	return OUTCOME_OK;
}

enum outcome bundle_check_trust(const struct bundle *bundle, const struct bytes *roots, time_t now)
{
	X509_STORE *store = NULL;
	enum outcome outcome = trust_load(roots, &store);

	if (!outcome_failed(outcome))
		outcome = trust_verify(store, bundle_leaf(bundle), bundle->chain, now);
	X509_STORE_free(store);
	return outcome;
}

enum outcome bundle_check(const struct bundle *bundle, const char *host, time_t now)
{
	enum outcome outcome = bundle_check_leaf(bundle);

	if (!outcome_failed(outcome))
		outcome = bundle_check_host(bundle, host);
	if (!outcome_failed(outcome))
		outcome = bundle_check_validity(bundle, now);
	if (!outcome_failed(outcome))
		outcome = bundle_check_key(bundle);
	if (!outcome_failed(outcome))
		outcome = bundle_check_chain(bundle);
	return outcome;
}

#include <string.h>

#include <openssl/core_names.h>
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
/* What is larger costs a server seconds of its processor's time with each client. */
#define RSA_BITS_MAX          8192
#define RSA_EXPONENT_BITS_MAX 64

static bool is_rsa(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
}

/* A larger one makes each check of a signature as dear as a signature. */
static bool has_huge_exponent(const EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool huge = !EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) ||
		    BN_num_bits(exponent) > RSA_EXPONENT_BITS_MAX;

	BN_free(exponent);
	return huge;
}

/* RFC 5480 2.1.1: curves have names; TLS knows no others (RFC 8422 5.1.1). */
static bool has_nameless_curve(const EVP_PKEY *key)
{
	int nameless = 1;

	return !EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				       &nameless) ||
	       nameless;
}

/* Why no server should have this key, or no authority; NULL: it may. */
static const char *unsuitable(const EVP_PKEY *key)
{
	if (is_rsa(key) && EVP_PKEY_get_bits(key) > RSA_BITS_MAX)
		return "is larger than RSA 8192";
	if (is_rsa(key))
		return has_huge_exponent(key) ? "has a public exponent of more than 64 bits" : NULL;
	if (EVP_PKEY_is_a(key, "EC"))
		return has_nameless_curve(key) ? "is on a curve that is not named" : NULL;
	if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
		return NULL;
	return "is of a kind that TLS does not use";
}

/* Does ${public} verify what ${private} signs? */
static bool signs_for(EVP_PKEY *private, EVP_PKEY *public)
{
	static const unsigned char text[] = "certsync";
	/* Signatures of RSA are as long as its modulus, all others shorter than that. */
	unsigned char signature[RSA_BITS_MAX / 8];
	size_t len = sizeof(signature);
	EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	/* Ed25519 and Ed448 have a digest of their own. */
	const EVP_MD *digest = is_rsa(public) || EVP_PKEY_is_a(public, "EC") ? EVP_sha256() : NULL;
	bool signs = sign && verify && EVP_DigestSignInit(sign, NULL, digest, NULL, private) == 1 &&
		     EVP_DigestSign(sign, signature, &len, text, sizeof(text)) == 1 &&
		     EVP_DigestVerifyInit(verify, NULL, digest, NULL, public) == 1 &&
		     EVP_DigestVerify(verify, signature, len, text, sizeof(text)) == 1;

	EVP_MD_CTX_free(sign);
	EVP_MD_CTX_free(verify);
	return signs;
}

enum outcome bundle_check_key(const struct bundle *bundle)
{
	EVP_PKEY *public = X509_get0_pubkey(bundle_leaf(bundle));
	/*
	 * OpenSSL compares the public halves only, and the file of a key may hold any. A key that
	 * is no good anyway is not worth the time.
	 */
	bool same = bundle->key && public && EVP_PKEY_eq(public, bundle->key) == 1 &&
		    (unsuitable(public) || signs_for(bundle->key, public));

	ERR_clear_error();
	if (same)
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
	return EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN ||
	       (is_rsa(key) && EVP_PKEY_get_bits(key) < RSA_BITS_MIN);
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
	if (unsuitable(key))
		return outcome_because(OUTCOME_KEY_UNSUITABLE, "the certificate's key (%s) %s",
				       bundle->key_type, unsuitable(key));
	return OUTCOME_OK;
}

enum outcome bundle_check_chain(const struct bundle *bundle)
{
	for (int i = 0; i + 1 < sk_X509_num(bundle->chain); i++) {
		X509 *certificate = sk_X509_value(bundle->chain, i);
		X509 *issuer = sk_X509_value(bundle->chain, i + 1);
		EVP_PKEY *key = X509_get0_pubkey(issuer);
		bool issued = key && !unsuitable(key) &&
			      X509_check_issued(issuer, certificate) == X509_V_OK &&
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

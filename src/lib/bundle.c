#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "bundle_internal.h"
#include "certsync/cleanup.h"

/*
 * Room for the private numbers of the largest key, which OpenSSL keeps in locked, never swapped
 * pages.
 */
#define SECURE_HEAP_BYTES    ((size_t)128 * 1024)
#define SECURE_HEAP_SMALLEST 16
#define SECONDS_A_DAY        (24L * 60 * 60)

/* --- parsing --- */

/* A certificate is public and installed readable by all: a key in the same file must not be. */
static bool holds_private_key(const struct bytes *pem)
{
	static const char mark[] = "PRIVATE KEY-----";

	return memmem(pem->data, pem->len, mark, sizeof(mark) - 1) != NULL;
}

static size_t count_marks(const struct bytes *pem, const char *mark)
{
	const char *at = pem->data, *end = pem->data + pem->len;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), mark, strlen(mark)))) {
		at += strlen(mark);
		count++;
	}
	return count;
}

static enum outcome check_text(const struct bytes *pem)
{
	if (!pem->len)
		return outcome_because(OUTCOME_CERT_UNREADABLE, "the certificate file is empty");
	if (pem->len > BUNDLE_BYTES_MAX)
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "the chain is larger than %zu bytes", BUNDLE_BYTES_MAX);
	if (holds_private_key(pem))
		return outcome_because(OUTCOME_CHAIN_HOLDS_KEY,
				       "the certificate file also holds a private key, which would "
				       "become readable by everyone");
	return OUTCOME_OK;
}

/*
 * OpenSSL asks for a passphrase, on the terminal if nobody else answers: remember that, and give
 * none. Certificates can be "encrypted" as well.
 */
static int refuse_passphrase(char *passphrase, int size, int for_writing, void *asked)
{
	(void)passphrase, (void)size, (void)for_writing;
	*(bool *)asked = true;
	return -1;
}

/* The leaf is read as servers read it: they take a TRUSTED CERTIFICATE for it as well. */
static X509 *next_certificate(BIO *bio, bool leaf)
{
	bool asked;

	return leaf ? PEM_read_bio_X509_AUX(bio, NULL, refuse_passphrase, &asked)
		    : PEM_read_bio_X509(bio, NULL, refuse_passphrase, &asked);
}

/* Why there was no further certificate: the end of the bytes shows as the lack of a start line. */
static enum outcome check_end(const struct bytes *pem, int count)
{
	unsigned long error = ERR_peek_last_error();

	if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "certificate number %d is damaged: %s", count + 1,
				       bundle_complaint());
	ERR_clear_error();
	/* OpenSSL passes over a block that was cut off within its first line. */
	if (count_marks(pem, "-----BEGIN ") != count_marks(pem, "-----END "))
		return outcome_because(OUTCOME_CERT_UNREADABLE, "the certificate file is cut off");
	if (!count)
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "there is no PEM certificate in the file");
	return OUTCOME_OK;
}

/*
 * Parse ${most} certificates at the most; BUNDLE_CERTIFICATES_MAX means all, and one more is an
 * error.
 */
static enum outcome parse_chain(struct bundle *bundle, const struct bytes *pem, int most)
{
	_cleanup_(bio_freep) BIO *bio = NULL;
	enum outcome outcome = check_text(pem);

	if (outcome_failed(outcome))
		return outcome;
	bundle->chain = sk_X509_new_null();
	bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	if (!bundle->chain || !bio)
		return bundle_no_memory();
	while (sk_X509_num(bundle->chain) < most || most == BUNDLE_CERTIFICATES_MAX) {
		X509 *certificate = next_certificate(bio, !sk_X509_num(bundle->chain));

		if (!certificate)
			return check_end(pem, sk_X509_num(bundle->chain));
		if (sk_X509_num(bundle->chain) == BUNDLE_CERTIFICATES_MAX) {
			X509_free(certificate);
			return outcome_because(OUTCOME_CERT_UNREADABLE,
					       "there are more than %d certificates",
					       BUNDLE_CERTIFICATES_MAX);
		}
		if (!sk_X509_push(bundle->chain, certificate)) {
			X509_free(certificate);
			return bundle_no_memory();
		}
	}
	return OUTCOME_OK;
}

static enum outcome parse_key(struct bundle *bundle, const struct bytes *pem)
{
	_cleanup_(bio_freep) BIO *bio = NULL;
	bool asked = false;

	if (!pem->len)
		return outcome_because(OUTCOME_KEY_UNREADABLE, "the private key file is empty");
	if (pem->len > BUNDLE_BYTES_MAX)
		return outcome_because(OUTCOME_KEY_UNREADABLE,
				       "the private key is larger than %zu bytes",
				       BUNDLE_BYTES_MAX);
	/*
	 * Without locked memory (RLIMIT_MEMLOCK) the ordinary heap serves; it is cleansed as well.
	 */
	if (!CRYPTO_secure_malloc_initialized())
		CRYPTO_secure_malloc_init(SECURE_HEAP_BYTES, SECURE_HEAP_SMALLEST);
	bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	if (!bio)
		return bundle_no_memory();
	bundle->key = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, &asked);
	if (asked)
		return outcome_because(OUTCOME_KEY_ENCRYPTED,
				       "the private key is encrypted with a passphrase");
	if (!bundle->key && !holds_private_key(pem))
		return outcome_because(OUTCOME_KEY_UNREADABLE,
				       "there is no PEM private key in the file");
	if (!bundle->key)
		return outcome_because(OUTCOME_KEY_UNREADABLE,
				       "the private key is damaged or of an unknown kind: %s",
				       bundle_complaint());
	return OUTCOME_OK;
}

/* --- the interface --- */

static enum outcome load(const struct bytes *chain, int most, const struct bytes *key,
			 struct bundle **out)
{
	_cleanup_(bundle_freep) struct bundle *bundle = calloc(1, sizeof(*bundle));
	enum outcome outcome;

	*out = NULL;
	if (!bundle)
		return bundle_no_memory();
	ERR_clear_error();
	outcome = parse_chain(bundle, chain, most);
	if (!outcome_failed(outcome) && key)
		outcome = parse_key(bundle, key);
	if (!outcome_failed(outcome))
		outcome = bundle_describe(bundle);
	ERR_clear_error();
	if (outcome_failed(outcome))
		return outcome;
	*out = bundle;
	bundle = NULL;
	return OUTCOME_OK;
}

enum outcome bundle_load(const struct bytes *chain, const struct bytes *key, struct bundle **out)
{
	return load(chain, BUNDLE_CERTIFICATES_MAX, key, out);
}

enum outcome bundle_load_leaf(const struct bytes *chain, struct bundle **out)
{
	return load(chain, 1, NULL, out);
}

/* memmem(3), for names: upper and lower case are the same (RFC 4343). */
static bool contains_name(const unsigned char *der, size_t len, const char *prefix,
			  const char *name)
{
	size_t prefix_len = strlen(prefix), name_len = strlen(name);

	for (size_t i = 0; i + prefix_len + name_len <= len; i++)
		if (!memcmp(der + i, prefix, prefix_len) &&
		    !strncasecmp((const char *)der + i + prefix_len, name, name_len))
			return true;
	return false;
}

bool bundle_may_cover(const struct bytes *chain, const char *host)
{
	_cleanup_(bio_freep) BIO *bio = NULL;
	const char *parent = strchr(host, '.');
	unsigned char *der = NULL;
	bool may = true, asked;
	long len;

	bio = chain->len && chain->len <= BUNDLE_BYTES_MAX
		      ? BIO_new_mem_buf(chain->data, (int)chain->len)
		      : NULL;
	/* What cannot be read is left to the one that says why. */
	if (bio && PEM_bytes_read_bio(&der, &len, NULL, PEM_STRING_X509_TRUSTED, bio,
				      refuse_passphrase, &asked)) {
		may = contains_name(der, (size_t)len, "", host) ||
		      (parent && contains_name(der, (size_t)len, "*", parent));
		OPENSSL_free(der);
	}
	ERR_clear_error();
	return may;
}

void bundle_forget_key(struct bundle *bundle)
{
	EVP_PKEY_free(bundle->key);
	bundle->key = NULL;
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	sk_X509_pop_free(bundle->chain, X509_free);
	EVP_PKEY_free(bundle->key);
	free(bundle->subject);
	free(bundle->issuer);
	free(bundle->names);
	free(bundle);
}

void bundle_freep(struct bundle **bundle)
{
	bundle_free(*bundle);
	*bundle = NULL;
}

const char *bundle_fingerprint(const struct bundle *bundle)
{
	return bundle->fingerprint;
}

const char *bundle_spki(const struct bundle *bundle)
{
	return bundle->spki;
}

const char *bundle_subject(const struct bundle *bundle)
{
	return bundle->subject;
}

const char *bundle_issuer(const struct bundle *bundle)
{
	return bundle->issuer;
}

const char *bundle_names(const struct bundle *bundle)
{
	return bundle->names;
}

const char *bundle_key_type(const struct bundle *bundle)
{
	return bundle->key_type;
}

time_t bundle_not_before(const struct bundle *bundle)
{
	return bundle->not_before;
}

time_t bundle_not_after(const struct bundle *bundle)
{
	return bundle->not_after;
}

long bundle_days_left(const struct bundle *bundle, time_t now)
{
	long seconds = (long)(bundle->not_after - now);

	/* Rounded down: a certificate that expired an hour ago has -1 days left. */
	return seconds >= 0 ? seconds / SECONDS_A_DAY
			    : -((-seconds + SECONDS_A_DAY - 1) / SECONDS_A_DAY);
}

bool bundle_self_issued(const struct bundle *bundle)
{
	X509 *leaf = bundle_leaf(bundle);

	return !X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf));
}

bool bundle_same_leaf(const struct bundle *one, const struct bundle *other)
{
	return !strcmp(one->fingerprint, other->fingerprint);
}

bool bundle_older(const struct bundle *bundle, const struct bundle *other)
{
	return bundle->not_before < other->not_before;
}

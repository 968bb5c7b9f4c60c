/* Certificates and keys made in memory, right and wrong ones, for the tests. */
#ifndef MAKE_PAIR_H
#define MAKE_PAIR_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "certsync/bundle.h"
#include "certsync/file.h"
#include "unit.h"

#define A_DAY  (24L * 60 * 60)
#define A_YEAR (365 * A_DAY)

struct identity {
	X509 *certificate;
	EVP_PKEY *key;
};

/* What is not given is as a public CA would have it for a mail host. */
struct make_certificate {
	const char *key_kind;    /* as make_key takes it; NULL: "EC P-256" */
	EVP_PKEY *key;           /* instead of a new one */
	const char *common_name; /* NULL: "mail.example.org" */
	const char *names;       /* NULL: "DNS:mail.example.org"; "": no subjectAltName */
	const char *raw_name;    /* one dNSName of these bytes instead */
	size_t raw_name_len;
	const char *constraints;       /* NULL: "critical,CA:FALSE"; "": none */
	const char *usage;             /* NULL: "serverAuth"; "": no extendedKeyUsage */
	time_t from, to;               /* 0: yesterday, and a year later */
	const struct identity *issuer; /* NULL: signed with its own key */
};

static inline EVP_PKEY *generate_key(const char *kind)
{
	EVP_PKEY *key;
	int bits;

	if (!strncmp(kind, "EC ", 3))
		key = EVP_EC_gen(kind + 3);
	else if (sscanf(kind, "RSA-PSS %d", &bits) == 1)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA-PSS", (size_t)bits);
	else if (sscanf(kind, "RSA %d", &bits) == 1)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	/* RSA-PSS is not a type that EVP_PKEY_Q_keygen knows of. */
	if (!key && sscanf(kind, "RSA-PSS %d", &bits) == 1) {
		EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);

		assert_int_equal(EVP_PKEY_keygen_init(context), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits), 1);
		assert_int_equal(EVP_PKEY_generate(context, &key), 1);
		EVP_PKEY_CTX_free(context);
	}
	assert_non_null(key);
	return key;
}

/*
 * The ${number}-th RSA key of a process takes valgrind most of a minute: one of an earlier run is
 * taken where $CERTSYNC_UNIT_KEYS is a directory for them.
 */
static inline EVP_PKEY *generate_once(const char *directory, const char *kind, int number)
{
	EVP_PKEY *key = NULL;
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s-%d.pem", directory, kind, number);
	file = fopen(path, "r");
	if (file) {
		key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
		assert_non_null(key);
	} else {
		key = generate_key(kind);
		file = fopen(path, "w");
		assert_non_null(file);
		assert_true(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL));
	}
	fclose(file);
	return key;
}

/* A new key: "RSA 2048", "RSA-PSS 2048", "EC P-256" or any other curve, "ED25519", "ED448". */
static inline EVP_PKEY *make_key(const char *kind)
{
	const char *directory = getenv("CERTSYNC_UNIT_KEYS");
	static int number;

	return directory && !strncmp(kind, "RSA", 3) ? generate_once(directory, kind, ++number)
						     : generate_key(kind);
}

static inline void make_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* Names that no configuration text could give. */
static inline void make_raw_name(X509 *certificate, const char *bytes, size_t len)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(text, bytes, (int)len), 1);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	assert_true(sk_GENERAL_NAME_push(names, name) > 0);
	assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
	GENERAL_NAMES_free(names);
}

static inline const char *or_default(const char *value, const char *otherwise)
{
	return value ? value : otherwise;
}

static inline void make_extensions(X509 *certificate, const struct make_certificate *spec)
{
	const char *names = or_default(spec->names, "DNS:mail.example.org");
	const char *constraints = or_default(spec->constraints, "critical,CA:FALSE");
	const char *usage = or_default(spec->usage, "serverAuth");

	if (spec->raw_name)
		make_raw_name(certificate, spec->raw_name, spec->raw_name_len);
	else if (names[0])
		make_extension(certificate, NID_subject_alt_name, names);
	if (constraints[0])
		make_extension(certificate, NID_basic_constraints, constraints);
	if (usage[0])
		make_extension(certificate, NID_ext_key_usage, usage);
}

static inline struct identity make_identity(const struct make_certificate *spec)
{
	static long serial;
	struct identity made = { .certificate = X509_new(), .key = spec->key };
	EVP_PKEY *signer;
	const EVP_MD *digest;
	X509_NAME *subject;

	if (made.key)
		EVP_PKEY_up_ref(made.key);
	else
		made.key = make_key(or_default(spec->key_kind, "EC P-256"));
	signer = spec->issuer ? spec->issuer->key : made.key;
	digest = EVP_PKEY_is_a(signer, "ED25519") || EVP_PKEY_is_a(signer, "ED448") ? NULL
										    : EVP_sha256();
	assert_int_equal(X509_set_version(made.certificate, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial);
	ASN1_TIME_set(X509_getm_notBefore(made.certificate),
		      spec->from ? spec->from : time(NULL) - A_DAY);
	ASN1_TIME_set(X509_getm_notAfter(made.certificate),
		      spec->to ? spec->to : time(NULL) + A_YEAR);
	subject = X509_get_subject_name(made.certificate);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_UTF8,
		(const unsigned char *)or_default(spec->common_name, "mail.example.org"), -1, -1,
		0);
	X509_set_issuer_name(made.certificate,
			     spec->issuer ? X509_get_subject_name(spec->issuer->certificate)
					  : subject);
	X509_set_pubkey(made.certificate, made.key);
	make_extensions(made.certificate, spec);
	assert_true(X509_sign(made.certificate, signer, digest) > 0);
	return made;
}

static inline void identity_clear(struct identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	*identity = (struct identity){ 0 };
}

/* --- as bytes --- */

static inline struct bytes bytes_of(const void *data, size_t len)
{
	struct bytes bytes = { .data = OPENSSL_zalloc(len + 1), .len = len };

	assert_non_null(bytes.data);
	memcpy(bytes.data, data, len);
	return bytes;
}

static inline struct bytes bytes_of_text(const char *text)
{
	return bytes_of(text, strlen(text));
}

static inline struct bytes bytes_of_bio(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	struct bytes bytes = bytes_of(data, (size_t)len);

	BIO_free(bio);
	return bytes;
}

/* ${one}, ${between} and ${other} one after another; both are cleared. */
static inline struct bytes bytes_join(struct bytes one, const char *between, struct bytes other)
{
	size_t middle = strlen(between);
	struct bytes joined = { .data = OPENSSL_zalloc(one.len + middle + other.len + 1),
				.len = one.len + middle + other.len };

	assert_non_null(joined.data);
	if (one.len)
		memcpy(joined.data, one.data, one.len);
	memcpy(joined.data + one.len, between, middle);
	if (other.len)
		memcpy(joined.data + one.len + middle, other.data, other.len);
	bytes_clear(&one);
	bytes_clear(&other);
	return joined;
}

/* The PEM of up to three certificates, in this order; NULL: none. */
static inline struct bytes pem_chain(X509 *first, X509 *second, X509 *third)
{
	X509 *certificates[] = { first, second, third };
	BIO *bio = BIO_new(BIO_s_mem());

	for (size_t i = 0; i < 3; i++)
		if (certificates[i])
			assert_int_equal(PEM_write_bio_X509(bio, certificates[i]), 1);
	return bytes_of_bio(bio);
}

enum key_form {
	KEY_PKCS8,
	KEY_TRADITIONAL,           /* SEC1 or PKCS#1 */
	KEY_PKCS8_ENCRYPTED,       /* BEGIN ENCRYPTED PRIVATE KEY */
	KEY_TRADITIONAL_ENCRYPTED, /* Proc-Type: 4,ENCRYPTED */
};

static inline struct bytes pem_key(EVP_PKEY *key, enum key_form form)
{
	static char passphrase[] = "secret";
	bool encrypted = form == KEY_PKCS8_ENCRYPTED || form == KEY_TRADITIONAL_ENCRYPTED;
	const EVP_CIPHER *cipher = encrypted ? EVP_aes_128_cbc() : NULL;
	unsigned char *kstr = encrypted ? (unsigned char *)passphrase : NULL;
	int klen = encrypted ? (int)strlen(passphrase) : 0;
	BIO *bio = BIO_new(BIO_s_mem());
	int written;

	if (form == KEY_PKCS8 || form == KEY_PKCS8_ENCRYPTED)
		written = PEM_write_bio_PKCS8PrivateKey(bio, key, cipher, (char *)kstr, klen, NULL,
							NULL);
	else
		written = PEM_write_bio_PrivateKey_traditional(bio, key, cipher, kstr, klen, NULL,
							       NULL);
	assert_int_equal(written, 1);
	return bytes_of_bio(bio);
}

/*
 * Set up a group whose judges are forked from this process: have a pair judged here once. Under
 * valgrind each of them would otherwise have to translate all of OpenSSL that judging takes.
 */
static inline int judge_one_here(void **state)
{
	struct identity made = make_identity(&(struct make_certificate){ 0 });
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8);
	struct bundle *bundle = NULL;

	(void)state;
	if (outcome_failed(bundle_load(&chain, &key, &bundle)))
		return -1;
	bundle_check(bundle, "mail.example.org", time(NULL));
	bundle_freep(&bundle);
	bytes_clear(&chain);
	bytes_clear(&key);
	identity_clear(&made);
	return 0;
}

#endif

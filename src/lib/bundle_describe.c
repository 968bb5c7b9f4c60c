#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include "bundle_internal.h"
#include "certificate.h"
#include "certsync/cleanup.h"
#include "certsync/text.h"

/* What a name or the list of names may take in a table or a log. */
#define DESCRIPTION_MAX ((size_t)4096)

/* The printable form of what was written to ${bio}; the caller frees it. */
static char *printable(BIO *bio)
{
	char *from, *to = malloc(DESCRIPTION_MAX);
	long len = BIO_get_mem_data(bio, &from);

	if (to)
		text_printable(to, DESCRIPTION_MAX, from, len > 0 ? (size_t)len : 0);
	return to;
}

static char *describe_name(const X509_NAME *name)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		return NULL;
	return printable(bio);
}

static void names_freep(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
	*names = NULL;
}

/* The names are told apart by spaces: one that contains some is shown with \x20. */
static void write_name(BIO *bio, const ASN1_STRING *name)
{
	const unsigned char *data = ASN1_STRING_get0_data(name);

	for (int i = 0; i < ASN1_STRING_length(name); i++)
		if (data[i] == ' ')
			BIO_puts(bio, "\\x20");
		else
			BIO_write(bio, data + i, 1);
}

static char *describe_names(X509 *leaf)
{
	_cleanup_(names_freep) GENERAL_NAMES *names =
		X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	const char *separator = "";

	if (!bio)
		return NULL;
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_DNS)
			continue;
		BIO_puts(bio, separator);
		write_name(bio, name->d.dNSName);
		separator = " ";
	}
	return printable(bio);
}

static void describe_key(struct bundle *bundle)
{
	EVP_PKEY *key = X509_get0_pubkey(bundle_leaf(bundle));
	char group[16];

	if (!key)
		snprintf(bundle->key_type, sizeof(bundle->key_type), "unknown");
	else if (EVP_PKEY_is_a(key, "EC") &&
		 EVP_PKEY_get_group_name(key, group, sizeof(group), NULL)) {
		/* The names of NIST (FIPS 186) for SEC 2's. */
		const char *nist = EC_curve_nid2nist(OBJ_txt2nid(group));

		snprintf(bundle->key_type, sizeof(bundle->key_type), "EC %s", nist ? nist : group);
	} else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS"))
		snprintf(bundle->key_type, sizeof(bundle->key_type), "%s %d",
			 EVP_PKEY_get0_type_name(key), EVP_PKEY_get_bits(key));
	else
		snprintf(bundle->key_type, sizeof(bundle->key_type), "%s",
			 EVP_PKEY_get0_type_name(key));
}

enum outcome bundle_describe(struct bundle *bundle)
{
	X509 *leaf = bundle_leaf(bundle);

	if (!certificate_fingerprint(leaf, bundle->fingerprint) ||
	    !certificate_spki(leaf, bundle->spki))
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "the certificate cannot be hashed: %s", bundle_complaint());
	if (!certificate_validity(leaf, &bundle->not_before, &bundle->not_after))
		return outcome_because(OUTCOME_CERT_UNREADABLE,
				       "the certificate's validity is not a date");
	bundle->subject = describe_name(X509_get_subject_name(leaf));
	bundle->issuer = describe_name(X509_get_issuer_name(leaf));
	bundle->names = describe_names(leaf);
	if (!bundle->subject || !bundle->issuer || !bundle->names)
		return bundle_no_memory();
	describe_key(bundle);
	return OUTCOME_OK;
}

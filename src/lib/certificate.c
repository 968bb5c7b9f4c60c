#include <ctype.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "certificate.h"

bool certificate_fingerprint(X509 *certificate, char to[static BUNDLE_FINGERPRINT_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int size;

	return X509_digest(certificate, EVP_sha256(), digest, &size) &&
	       OPENSSL_buf2hexstr_ex(to, BUNDLE_FINGERPRINT_LEN + 1, NULL, digest, size, ':');
}

bool certificate_spki(X509 *certificate, char to[static BUNDLE_SPKI_LEN + 1])
{
	unsigned char digest[EVP_MAX_MD_SIZE], *spki = NULL;
	unsigned int size;
	int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	bool hashed;

	if (len < 0)
		return false;
	hashed = EVP_Digest(spki, (size_t)len, digest, &size, EVP_sha256(), NULL) &&
		 OPENSSL_buf2hexstr_ex(to, BUNDLE_SPKI_LEN + 1, NULL, digest, size, '\0');
	OPENSSL_free(spki);
	for (char *c = to; hashed && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return hashed;
}

static bool to_time(const ASN1_TIME *from, time_t *to)
{
	struct tm parts;

	if (!ASN1_TIME_to_tm(from, &parts))
		return false;
	*to = timegm(&parts);
	return true;
}

bool certificate_validity(const X509 *certificate, time_t *not_before, time_t *not_after)
{
	return to_time(X509_get0_notBefore(certificate), not_before) &&
	       to_time(X509_get0_notAfter(certificate), not_after);
}

#include <fcntl.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "certsync/file.h"
#include "trust.h"

enum outcome trust_read(const char *path, struct bytes *roots)
{
	const char *named = getenv(X509_get_default_cert_file_env());

	if (!path[0])
		path = named && named[0] ? named : X509_get_default_cert_file();
	return file_read(AT_FDCWD, path, FILE_OWN, BUNDLE_ROOTS_MAX, roots);
}

static enum outcome add_roots(X509_STORE *store, const struct bytes *roots)
{
	BIO *bio = BIO_new_mem_buf(roots->data, (int)roots->len);
	/* OpenSSL takes this for the passphrase instead of asking on the terminal. */
	static char no_passphrase[] = "";
	X509 *root;
	int count = 0;

	for (; bio && (root = PEM_read_bio_X509(bio, NULL, NULL, no_passphrase)); count++) {
		X509_STORE_add_cert(store, root);
		X509_free(root);
	}
	BIO_free(bio);
	ERR_clear_error();
	return count ? OUTCOME_OK : outcome_because(OUTCOME_CHAIN_UNTRUSTED, "there are no roots");
}

enum outcome trust_load(const struct bytes *roots, X509_STORE **store)
{
	enum outcome outcome;

	*store = X509_STORE_new();
	if (!*store)
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	outcome = add_roots(*store, roots);
	if (!outcome_failed(outcome))
		return OUTCOME_OK;
	X509_STORE_free(*store);
	*store = NULL;
	return outcome;
}

static void context_freep(X509_STORE_CTX **context)
{
	X509_STORE_CTX_free(*context);
	*context = NULL;
}

enum outcome trust_verify(X509_STORE *store, X509 *leaf, STACK_OF(X509) * chain, time_t now)
{
	_cleanup_(context_freep) X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *parameters;
	int error;

	if (!context || !X509_STORE_CTX_init(context, store, leaf, chain))
		return outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	parameters = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(parameters, now);
	X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
	if (X509_verify_cert(context) == 1)
		return OUTCOME_OK;
	error = X509_STORE_CTX_get_error(context);
	ERR_clear_error();
	return outcome_because(OUTCOME_CHAIN_UNTRUSTED, "the chain cannot be verified: %s",
			       X509_verify_cert_error_string(error));
}

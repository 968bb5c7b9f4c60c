/* judge CHAIN KEY HOST: a pair, as certdeploy does, but in this process, which nothing confines. */

#include <fcntl.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"

int main(int argc, char *argv[])
{
	_cleanup_(bytes_clear) struct bytes chain = BYTES_NONE, key = BYTES_NONE;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome = OUTCOME_USAGE;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
	if (argc == 4)
		outcome = file_read(AT_FDCWD, argv[1], FILE_OWN, BUNDLE_BYTES_MAX, &chain);
	if (!outcome_failed(outcome))
		outcome = file_read(AT_FDCWD, argv[2], FILE_OWN, BUNDLE_BYTES_MAX, &key);
	if (!outcome_failed(outcome))
		outcome = bundle_load(&chain, &key, &bundle);
	if (!outcome_failed(outcome))
		outcome = bundle_check(bundle, argv[3], time(NULL));
	if (outcome_failed(outcome))
		fprintf(stderr, "judge: %s\n", outcome_reason(outcome));
	return outcome_failed(outcome);
}

/* An SSH private key. */
#include "certsync/cleanup.h"
#include "fuzz.h"
#include "identity.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	_cleanup_(bytes_clear) struct bytes key = fuzz_bytes(data, size);
	enum outcome outcome = identity_check("key", &key);

	must(outcome == OUTCOME_OK || outcome == OUTCOME_IDENTITY_UNUSABLE);
	if (outcome != OUTCOME_OK)
		fuzz_check_reason(outcome);
	return 0;
}

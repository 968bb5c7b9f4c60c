/* A PEM chain and, behind a line of two dashes, a PEM private key. */
#include <string.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "fuzz.h"

#define HOST "mail.example.org"
#define NOW  1800000000 /* January 2027 */

static const char divider[] = "\n--\n";

static void look(const struct bundle *bundle)
{
	must(strlen(bundle_fingerprint(bundle)) == BUNDLE_FINGERPRINT_LEN);
	must(strlen(bundle_spki(bundle)) == BUNDLE_SPKI_LEN);
	must(fuzz_is_printable(bundle_subject(bundle)) &&
	     fuzz_is_printable(bundle_issuer(bundle)) && fuzz_is_printable(bundle_names(bundle)) &&
	     fuzz_is_printable(bundle_key_type(bundle)));
	must((bundle_days_left(bundle, NOW) < 0) == (bundle_not_after(bundle) < NOW));
	must(!bundle_older(bundle, bundle));
	bundle_self_issued(bundle);
}

/* What is good altogether is good in each part. */
static void judge(const struct bundle *bundle, const struct bytes *chain)
{
	const bool covers = !outcome_failed(bundle_check_host(bundle, HOST));
	const bool good = !outcome_failed(bundle_check(bundle, HOST, NOW));

	must(!covers || bundle_may_cover(chain, HOST));
	must(!good || (covers && !outcome_failed(bundle_check_key(bundle)) &&
		       !outcome_failed(bundle_check_validity(bundle, NOW)) &&
		       !outcome_failed(bundle_check_leaf(bundle)) &&
		       !outcome_failed(bundle_check_chain(bundle))));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const unsigned char *middle = memmem(data, size, divider, sizeof(divider) - 1);
	const unsigned char *rest = middle ? middle + sizeof(divider) - 1 : data + size;
	_cleanup_(bytes_clear) struct bytes chain =
		fuzz_bytes(data, middle ? (size_t)(middle - data) + 1 : size);
	_cleanup_(bytes_clear) struct bytes key = fuzz_bytes(rest, size - (size_t)(rest - data));
	_cleanup_(bundle_freep) struct bundle *leaf = NULL;
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	enum outcome outcome = bundle_load_leaf(&chain, &leaf);

	must(outcome_failed(outcome) == !leaf);
	outcome = bundle_load(&chain, &key, &bundle);
	must(outcome_failed(outcome) == !bundle);
	if (leaf)
		look(leaf);
	if (bundle) {
		look(bundle);
		must(leaf && bundle_same_leaf(bundle, leaf));
		judge(bundle, &chain);
	} else {
		fuzz_check_reason(outcome);
	}
	return 0;
}

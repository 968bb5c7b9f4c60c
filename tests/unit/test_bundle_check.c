/* Judging a pair: is it one that a mail server can use? */
#include <stdlib.h>
#include <unistd.h>

#include "certsync/bundle.h"
#include "certsync/cleanup.h"
#include "make_pair.h"
#include "run_child.h"

static struct identity root, intermediate, leaf, stranger;

static int make_all(void **state)
{
	struct make_certificate spec = {
		.common_name = "Root", .names = "", .usage = "", .constraints = "critical,CA:TRUE"
	};

	(void)state;
	root = make_identity(&spec);
	spec.common_name = "Intermediate";
	spec.issuer = &root;
	intermediate = make_identity(&spec);
	leaf = make_identity(&(struct make_certificate){ .issuer = &intermediate });
	stranger = make_identity(&(struct make_certificate){ 0 });
	return 0;
}

static int clear_all(void **state)
{
	(void)state;
	identity_clear(&root);
	identity_clear(&intermediate);
	identity_clear(&leaf);
	identity_clear(&stranger);
	return 0;
}

/* --- helpers --- */

static struct bundle *load(X509 *first, X509 *second, X509 *third, EVP_PKEY *key)
{
	struct bytes chain = pem_chain(first, second, third), key_pem = BYTES_NONE;
	struct bundle *bundle = NULL;

	if (key)
		key_pem = pem_key(key, KEY_PKCS8);
	assert_int_equal(bundle_load(&chain, key ? &key_pem : NULL, &bundle), OUTCOME_OK);
	bytes_clear(&chain);
	bytes_clear(&key_pem);
	return bundle;
}

static struct bundle *make_bundle(const struct make_certificate *spec)
{
	struct identity made = make_identity(spec);
	struct bundle *bundle = load(made.certificate, NULL, NULL, made.key);

	identity_clear(&made);
	return bundle;
}

#define assert_outcome(outcome, wanted)                                                            \
	assert_string_equal(outcome_text(outcome)->name, outcome_text(wanted)->name)

/* --- the key --- */

static void a_key_matches(const char *kind)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		make_bundle(&(struct make_certificate){ .key_kind = kind });

	assert_outcome(bundle_check_key(bundle), OUTCOME_OK);
}

static void another_key_does_not(const char *kind)
{
	struct identity made = make_identity(&(struct make_certificate){ .key_kind = kind });
	EVP_PKEY *other = make_key(kind);
	_cleanup_(bundle_freep) struct bundle *bundle = load(made.certificate, NULL, NULL, other);

	identity_clear(&made);
	EVP_PKEY_free(other);
	assert_outcome(bundle_check_key(bundle), OUTCOME_KEY_MISMATCH);
	assert_contains(outcome_reason(OUTCOME_KEY_MISMATCH), bundle_fingerprint(bundle));
}

static const char *const kinds[] = { "RSA 2048", "RSA-PSS 2048", "EC P-256", "EC P-384",
				     "EC P-521", "ED25519",      "ED448" };

static void the_key_of_the_certificate_is_accepted_whatever_the_algorithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		a_key_matches(kinds[i]);
}

static void a_key_of_another_certificate_is_refused_whatever_the_algorithm(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		another_key_does_not(kinds[i]);
}

static void a_key_of_another_algorithm_is_refused(void **state)
{
	EVP_PKEY *p384 = make_key("EC P-384"), *edwards = make_key("ED25519");
	_cleanup_(bundle_freep) struct bundle *one = load(leaf.certificate, NULL, NULL, p384);
	_cleanup_(bundle_freep) struct bundle *other = load(leaf.certificate, NULL, NULL, edwards);

	(void)state;
	EVP_PKEY_free(p384);
	EVP_PKEY_free(edwards);
	assert_outcome(bundle_check_key(one), OUTCOME_KEY_MISMATCH);
	assert_outcome(bundle_check_key(other), OUTCOME_KEY_MISMATCH);
}

static void a_bundle_without_a_key_does_not_match(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle = load(leaf.certificate, NULL, NULL, NULL);

	(void)state;
	assert_outcome(bundle_check_key(bundle), OUTCOME_KEY_MISMATCH);
}

/* The intermediate's key fits a certificate of the chain, but not the leaf. */
static void a_key_of_another_certificate_of_the_chain_is_refused(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(leaf.certificate, intermediate.certificate, NULL, intermediate.key);

	(void)state;
	assert_outcome(bundle_check_key(bundle), OUTCOME_KEY_MISMATCH);
}

/* --- the host --- */

struct host_case {
	const char *host;
	bool covered;
};

static void covers(const char *names, const struct host_case *cases)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		make_bundle(&(struct make_certificate){ .names = names });

	for (; cases->host; cases++) {
		enum outcome outcome = bundle_check_host(bundle, cases->host);

		if (outcome != (cases->covered ? OUTCOME_OK : OUTCOME_CERT_WRONG_HOST))
			fail_msg("%s, host '%s': %s", names, cases->host,
				 outcome_text(outcome)->name);
	}
}

static void a_name_covers_itself_in_any_case_and_nothing_else(void **state)
{
	static const struct host_case cases[] = {
		{ "mail.example.org", true },
		{ "MAIL.Example.ORG", true },
		{ "example.org", false },
		{ "a.mail.example.org", false },
		{ "xmail.example.org", false },
		{ "mail.example.org.evil.org", false },
		{ "mail.example.or", false },
		{ "", false },
		{ NULL, false },
	};

	(void)state;
	covers("DNS:mail.example.org", cases);
}

static void every_name_counts(void **state)
{
	static const struct host_case cases[] = {
		{ "a.example.org", true },  { "b.example.org", true }, { "c.example.org", true },
		{ "d.example.org", false }, { NULL, false },
	};

	(void)state;
	covers("DNS:a.example.org,DNS:b.example.org,DNS:c.example.org", cases);
}

static void a_wildcard_covers_exactly_one_label(void **state)
{
	static const struct host_case cases[] = {
		{ "a.example.org", true },     { "mail.example.org", true },
		{ "example.org", false },      { "a.b.example.org", false },
		{ "mail.example.com", false }, { NULL, false },
	};

	(void)state;
	covers("DNS:*.example.org", cases);
}

static void a_partial_wildcard_covers_nothing(void **state)
{
	static const struct host_case cases[] = { { "mail.example.org", false },
						  { "m.example.org", false },
						  { NULL, false } };

	(void)state;
	covers("DNS:m*.example.org", cases);
	covers("DNS:*l.example.org", cases);
	covers("DNS:m*l.example.org", cases);
}

static void a_wildcard_elsewhere_than_at_the_start_covers_nothing(void **state)
{
	static const struct host_case cases[] = { { "mail.example.org", false }, { NULL, false } };

	(void)state;
	covers("DNS:mail.*.org", cases);
	covers("DNS:*.*.org", cases);
	covers("DNS:*", cases);
}

static void a_wildcard_for_a_whole_top_level_domain_covers_nothing(void **state)
{
	static const struct host_case cases[] = { { "example.org", false }, { NULL, false } };

	(void)state;
	covers("DNS:*.org", cases);
}

static void a_name_in_a_labels_covers_its_own_form(void **state)
{
	static const struct host_case exact[] = { { "xn--bcher-kva.example.org", true },
						  { "XN--BCHER-KVA.example.org", true },
						  { "bucher.example.org", false },
						  { "b\xc3\xbc"
						    "cher.example.org",
						    false },
						  { NULL, false } };
	static const struct host_case under[] = { { "mail.xn--bcher-kva.org", true },
						  { "xn--bcher-kva.org", false },
						  { NULL, false } };

	(void)state;
	covers("DNS:xn--bcher-kva.example.org", exact);
	covers("DNS:*.xn--bcher-kva.org", under);
}

static void a_host_that_begins_with_a_dot_is_not_covered(void **state)
{
	static const struct host_case cases[] = { { ".example.org", false }, { NULL, false } };

	(void)state;
	covers("DNS:mail.example.org", cases);
	covers("DNS:*.example.org", cases);
}

static void the_common_name_alone_does_not_count(void **state)
{
	_cleanup_(bundle_freep) struct bundle *none =
		make_bundle(&(struct make_certificate){ .names = "" });
	_cleanup_(bundle_freep) struct bundle *address =
		make_bundle(&(struct make_certificate){ .names = "IP:192.0.2.1" });

	(void)state;
	assert_outcome(bundle_check_host(none, "mail.example.org"), OUTCOME_CERT_WRONG_HOST);
	assert_contains(outcome_reason(OUTCOME_CERT_WRONG_HOST), "no DNS name at all");
	assert_outcome(bundle_check_host(address, "mail.example.org"), OUTCOME_CERT_WRONG_HOST);
}

static void a_name_with_an_embedded_nul_does_not_cover_what_stands_before_it(void **state)
{
	static const char name[] = "mail.example.org\0.evil.org";
	_cleanup_(bundle_freep) struct bundle *bundle = make_bundle(&(struct make_certificate){
		.raw_name = name, .raw_name_len = sizeof(name) - 1, .common_name = "evil.org" });

	(void)state;
	assert_outcome(bundle_check_host(bundle, "mail.example.org"), OUTCOME_CERT_WRONG_HOST);
}

static void a_wrong_host_is_told_with_the_names_that_are_covered(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle = make_bundle(
		&(struct make_certificate){ .names = "DNS:www.example.org,DNS:*.example.net" });

	(void)state;
	assert_outcome(bundle_check_host(bundle, "mail.example.org"), OUTCOME_CERT_WRONG_HOST);
	assert_contains(outcome_reason(OUTCOME_CERT_WRONG_HOST), "mail.example.org");
	assert_contains(outcome_reason(OUTCOME_CERT_WRONG_HOST), "www.example.org *.example.net");
}

/* --- the time --- */

static void a_certificate_is_valid_from_its_first_to_its_last_second(void **state)
{
	static const time_t from = 1700000000, to = 1800000000;
	_cleanup_(bundle_freep) struct bundle *bundle =
		make_bundle(&(struct make_certificate){ .from = from, .to = to });

	(void)state;
	assert_outcome(bundle_check_validity(bundle, from - 1), OUTCOME_CERT_NOT_YET_VALID);
	assert_contains(outcome_reason(OUTCOME_CERT_NOT_YET_VALID), "2023-11-14T22:13:20Z");
	assert_outcome(bundle_check_validity(bundle, from), OUTCOME_OK);
	assert_outcome(bundle_check_validity(bundle, to), OUTCOME_OK);
	assert_outcome(bundle_check_validity(bundle, to + 1), OUTCOME_CERT_EXPIRED);
	assert_contains(outcome_reason(OUTCOME_CERT_EXPIRED), "2027-01-15T08:00:00Z");
}

/* --- the leaf --- */

static enum outcome judge_leaf(const struct make_certificate *spec)
{
	_cleanup_(bundle_freep) struct bundle *bundle = make_bundle(spec);

	return bundle_check_leaf(bundle);
}

static void a_certificate_as_public_cas_issue_it_is_accepted(void **state)
{
	(void)state;
	assert_outcome(judge_leaf(&(struct make_certificate){ 0 }), OUTCOME_OK);
	assert_outcome(judge_leaf(&(struct make_certificate){ .usage = "serverAuth,clientAuth" }),
		       OUTCOME_OK);
	assert_outcome(judge_leaf(&(struct make_certificate){ .constraints = "" }), OUTCOME_OK);
}

static void a_certificate_of_an_authority_is_refused_as_leaf(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(intermediate.certificate, NULL, NULL, NULL);

	(void)state;
	assert_outcome(bundle_check_leaf(bundle), OUTCOME_CERT_IS_CA);
	assert_contains(outcome_reason(OUTCOME_CERT_IS_CA), "CN=Intermediate");
	assert_outcome(judge_leaf(&(struct make_certificate){ .constraints = "CA:TRUE" }),
		       OUTCOME_CERT_IS_CA);
}

static void an_extended_key_usage_without_server_auth_is_refused(void **state)
{
	(void)state;
	assert_outcome(judge_leaf(&(struct make_certificate){ .usage = "clientAuth" }),
		       OUTCOME_CERT_NOT_FOR_SERVER);
	assert_contains(outcome_reason(OUTCOME_CERT_NOT_FOR_SERVER), "serverAuth");
	assert_outcome(judge_leaf(&(struct make_certificate){ .usage = "emailProtection" }),
		       OUTCOME_CERT_NOT_FOR_SERVER);
}

static void no_extended_key_usage_means_every_use(void **state)
{
	(void)state;
	assert_outcome(judge_leaf(&(struct make_certificate){ .usage = "" }), OUTCOME_OK);
	assert_outcome(judge_leaf(&(struct make_certificate){ .usage = "anyExtendedKeyUsage" }),
		       OUTCOME_OK);
}

static void a_key_weaker_than_rsa_2048_is_refused(void **state)
{
	(void)state;
	assert_outcome(judge_leaf(&(struct make_certificate){ .key_kind = "RSA 1024" }),
		       OUTCOME_KEY_WEAK);
	assert_contains(outcome_reason(OUTCOME_KEY_WEAK), "RSA 1024");
	assert_outcome(judge_leaf(&(struct make_certificate){ .key_kind = "EC prime192v1" }),
		       OUTCOME_KEY_WEAK);
	assert_contains(outcome_reason(OUTCOME_KEY_WEAK), "EC P-192");
}

static void an_rsa_key_a_little_shorter_than_2048_bits_is_refused(void **state)
{
	(void)state;
	assert_outcome(judge_leaf(&(struct make_certificate){ .key_kind = "RSA 2040" }),
		       OUTCOME_KEY_WEAK);
}

static void keys_from_rsa_2048_upwards_are_strong_enough(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_outcome(judge_leaf(&(struct make_certificate){ .key_kind = kinds[i] }),
			       OUTCOME_OK);
}

static void a_leaf_with_damaged_extensions_is_refused(void **state)
{
	/* Not the SEQUENCE that extendedKeyUsage is. */
	static unsigned char octets[] = { 0x04, 0x01, 0x00 };
	struct identity made = make_identity(&(struct make_certificate){ .usage = "" });
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;
	struct bundle *bundle;

	(void)state;
	ASN1_OCTET_STRING_set(value, octets, sizeof(octets));
	extension = X509_EXTENSION_create_by_NID(NULL, NID_ext_key_usage, 0, value);
	X509_add_ext(made.certificate, extension, -1);
	assert_true(X509_sign(made.certificate, made.key, EVP_sha256()) > 0);
	bundle = load(made.certificate, NULL, NULL, NULL);
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(value);
	identity_clear(&made);
	assert_outcome(bundle_check_leaf(bundle), OUTCOME_CERT_UNREADABLE);
	bundle_free(bundle);
}

/* --- the chain --- */

static enum outcome judge_chain(X509 *first, X509 *second, X509 *third)
{
	_cleanup_(bundle_freep) struct bundle *bundle = load(first, second, third, NULL);

	return bundle_check_chain(bundle);
}

static void each_certificate_issued_the_one_before_it(void **state)
{
	(void)state;
	assert_outcome(judge_chain(leaf.certificate, NULL, NULL), OUTCOME_OK);
	assert_outcome(judge_chain(leaf.certificate, intermediate.certificate, NULL), OUTCOME_OK);
	assert_outcome(judge_chain(leaf.certificate, intermediate.certificate, root.certificate),
		       OUTCOME_OK);
}

static void a_chain_in_another_order_is_broken(void **state)
{
	(void)state;
	assert_outcome(judge_chain(leaf.certificate, root.certificate, intermediate.certificate),
		       OUTCOME_CHAIN_BROKEN);
	assert_contains(outcome_reason(OUTCOME_CHAIN_BROKEN), "number 1");
	assert_outcome(judge_chain(root.certificate, intermediate.certificate, leaf.certificate),
		       OUTCOME_CHAIN_BROKEN);
}

static void a_chain_with_a_certificate_missing_or_twice_or_too_many_is_broken(void **state)
{
	(void)state;
	assert_outcome(judge_chain(leaf.certificate, root.certificate, NULL), OUTCOME_CHAIN_BROKEN);
	assert_outcome(judge_chain(leaf.certificate, leaf.certificate, NULL), OUTCOME_CHAIN_BROKEN);
	assert_outcome(
		judge_chain(leaf.certificate, intermediate.certificate, stranger.certificate),
		OUTCOME_CHAIN_BROKEN);
	assert_contains(outcome_reason(OUTCOME_CHAIN_BROKEN), "number 2");
	assert_contains(outcome_reason(OUTCOME_CHAIN_BROKEN), "number 3");
}

static void an_issuer_of_the_right_name_with_another_key_is_broken(void **state)
{
	struct identity impostor =
		make_identity(&(struct make_certificate){ .common_name = "Intermediate",
							  .names = "",
							  .usage = "",
							  .constraints = "critical,CA:TRUE" });
	enum outcome outcome = judge_chain(leaf.certificate, impostor.certificate, NULL);

	(void)state;
	identity_clear(&impostor);
	assert_outcome(outcome, OUTCOME_CHAIN_BROKEN);
}

/* --- trust --- */

/* The outcome of trusting ${trusted} (PEM, cleared) at ${now}. */
static enum outcome trust(const struct bundle *bundle, struct bytes trusted, time_t now)
{
	enum outcome outcome = bundle_check_trust(bundle, &trusted, now);

	bytes_clear(&trusted);
	return outcome;
}

static void a_chain_that_ends_in_a_trusted_root_is_trusted(void **state)
{
	_cleanup_(bundle_freep) struct bundle *short_chain =
		load(leaf.certificate, intermediate.certificate, NULL, NULL);
	_cleanup_(bundle_freep) struct bundle *with_root =
		load(leaf.certificate, intermediate.certificate, root.certificate, NULL);

	(void)state;
	assert_outcome(trust(short_chain, pem_chain(root.certificate, NULL, NULL), time(NULL)),
		       OUTCOME_OK);
	assert_outcome(trust(with_root, pem_chain(stranger.certificate, root.certificate, NULL),
			     time(NULL)),
		       OUTCOME_OK);
}

static void a_chain_of_another_root_is_untrusted(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(leaf.certificate, intermediate.certificate, root.certificate, NULL);

	(void)state;
	assert_outcome(trust(bundle, pem_chain(stranger.certificate, NULL, NULL), time(NULL)),
		       OUTCOME_CHAIN_UNTRUSTED);
}

static void a_missing_intermediate_is_untrusted_with_the_reason(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle = load(leaf.certificate, NULL, NULL, NULL);

	(void)state;
	assert_outcome(trust(bundle, pem_chain(root.certificate, NULL, NULL), time(NULL)),
		       OUTCOME_CHAIN_UNTRUSTED);
	assert_contains(outcome_reason(OUTCOME_CHAIN_UNTRUSTED), "issuer certificate");
}

static void trust_is_judged_at_the_time_given(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(leaf.certificate, intermediate.certificate, NULL, NULL);

	(void)state;
	assert_outcome(
		trust(bundle, pem_chain(root.certificate, NULL, NULL), time(NULL) + 2 * A_YEAR),
		OUTCOME_CHAIN_UNTRUSTED);
	assert_contains(outcome_reason(OUTCOME_CHAIN_UNTRUSTED), "expired");
}

static void a_file_without_roots_trusts_nobody(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(leaf.certificate, intermediate.certificate, NULL, NULL);

	(void)state;
	assert_outcome(trust(bundle, bytes_of_text("no certificate\n"), time(NULL)),
		       OUTCOME_CHAIN_UNTRUSTED);
	assert_outcome(trust(bundle, bytes_of_text(""), time(NULL)), OUTCOME_CHAIN_UNTRUSTED);
}

/* --- all of it --- */

static void a_good_pair_passes_every_check(void **state)
{
	_cleanup_(bundle_freep) struct bundle *bundle =
		load(leaf.certificate, intermediate.certificate, NULL, leaf.key);

	(void)state;
	assert_outcome(bundle_check(bundle, "mail.example.org", time(NULL)), OUTCOME_OK);
}

static void each_fault_fails_the_whole_with_its_own_outcome(void **state)
{
	_cleanup_(bundle_freep) struct bundle *good =
		load(leaf.certificate, intermediate.certificate, NULL, leaf.key);
	_cleanup_(bundle_freep) struct bundle *authority =
		load(intermediate.certificate, root.certificate, NULL, intermediate.key);
	_cleanup_(bundle_freep) struct bundle *other_key =
		load(leaf.certificate, intermediate.certificate, NULL, stranger.key);
	_cleanup_(bundle_freep) struct bundle *broken =
		load(leaf.certificate, root.certificate, NULL, leaf.key);
	const char *host = "mail.example.org";
	time_t now = time(NULL);

	(void)state;
	assert_outcome(bundle_check(authority, host, now), OUTCOME_CERT_IS_CA);
	assert_outcome(bundle_check(good, "www.example.org", now), OUTCOME_CERT_WRONG_HOST);
	assert_outcome(bundle_check(good, host, now + 2 * A_YEAR), OUTCOME_CERT_EXPIRED);
	assert_outcome(bundle_check(good, host, now - 2 * A_DAY), OUTCOME_CERT_NOT_YET_VALID);
	assert_outcome(bundle_check(other_key, host, now), OUTCOME_KEY_MISMATCH);
	assert_outcome(bundle_check(broken, host, now), OUTCOME_CHAIN_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_of_the_certificate_is_accepted_whatever_the_algorithm),
		cmocka_unit_test(a_key_of_another_certificate_is_refused_whatever_the_algorithm),
		cmocka_unit_test(a_key_of_another_algorithm_is_refused),
		cmocka_unit_test(a_bundle_without_a_key_does_not_match),
		cmocka_unit_test(a_key_of_another_certificate_of_the_chain_is_refused),
		cmocka_unit_test(a_name_covers_itself_in_any_case_and_nothing_else),
		cmocka_unit_test(every_name_counts),
		cmocka_unit_test(a_wildcard_covers_exactly_one_label),
		cmocka_unit_test(a_partial_wildcard_covers_nothing),
		cmocka_unit_test(a_wildcard_elsewhere_than_at_the_start_covers_nothing),
		cmocka_unit_test(a_wildcard_for_a_whole_top_level_domain_covers_nothing),
		cmocka_unit_test(a_name_in_a_labels_covers_its_own_form),
		cmocka_unit_test(a_host_that_begins_with_a_dot_is_not_covered),
		cmocka_unit_test(the_common_name_alone_does_not_count),
		cmocka_unit_test(a_name_with_an_embedded_nul_does_not_cover_what_stands_before_it),
		cmocka_unit_test(a_wrong_host_is_told_with_the_names_that_are_covered),
		cmocka_unit_test(a_certificate_is_valid_from_its_first_to_its_last_second),
		cmocka_unit_test(a_certificate_as_public_cas_issue_it_is_accepted),
		cmocka_unit_test(a_certificate_of_an_authority_is_refused_as_leaf),
		cmocka_unit_test(an_extended_key_usage_without_server_auth_is_refused),
		cmocka_unit_test(no_extended_key_usage_means_every_use),
		cmocka_unit_test(a_key_weaker_than_rsa_2048_is_refused),
		cmocka_unit_test(an_rsa_key_a_little_shorter_than_2048_bits_is_refused),
		cmocka_unit_test(keys_from_rsa_2048_upwards_are_strong_enough),
		cmocka_unit_test(a_leaf_with_damaged_extensions_is_refused),
		cmocka_unit_test(each_certificate_issued_the_one_before_it),
		cmocka_unit_test(a_chain_in_another_order_is_broken),
		cmocka_unit_test(a_chain_with_a_certificate_missing_or_twice_or_too_many_is_broken),
		cmocka_unit_test(an_issuer_of_the_right_name_with_another_key_is_broken),
		cmocka_unit_test(a_chain_that_ends_in_a_trusted_root_is_trusted),
		cmocka_unit_test(a_chain_of_another_root_is_untrusted),
		cmocka_unit_test(a_missing_intermediate_is_untrusted_with_the_reason),
		cmocka_unit_test(trust_is_judged_at_the_time_given),
		cmocka_unit_test(a_file_without_roots_trusts_nobody),
		cmocka_unit_test(a_good_pair_passes_every_check),
		cmocka_unit_test(each_fault_fails_the_whole_with_its_own_outcome),
	};

	return cmocka_run_group_tests(tests, make_all, clear_all);
}

/* What the judge says of pairs, and what is believed of it. */
#include <string.h>
#include <time.h>

#include "judge.h"
#include "make_pair.h"

static struct judge_rules rules;

static int begin(void **state)
{
	(void)state;
	rules = (struct judge_rules){ .hostname = "mail.example.org", .now = time(NULL) };
	return 0;
}

/* Judge a pair that is made as ${like} says. */
static struct judgement judge(const struct make_certificate *like)
{
	struct identity made = make_identity(like);
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8);
	struct judgement judgement;

	assert_int_equal(judge_pair(&chain, &key, &rules, &judgement), OUTCOME_OK);
	bytes_clear(&chain);
	bytes_clear(&key);
	identity_clear(&made);
	return judgement;
}

static void a_good_pair_is_described(void **state)
{
	struct identity made = make_identity(&(struct make_certificate){ .key_kind = "EC P-384" });
	struct bytes chain = pem_chain(made.certificate, NULL, NULL);
	struct bytes key = pem_key(made.key, KEY_PKCS8);
	struct bundle *bundle;
	struct judgement judgement;

	(void)state;
	assert_int_equal(judge_pair(&chain, &key, &rules, &judgement), OUTCOME_OK);
	assert_int_equal(bundle_load(&chain, &key, &bundle), OUTCOME_OK);
	assert_int_equal(judgement.loaded, OUTCOME_OK);
	assert_int_equal(judgement.good, OUTCOME_OK);
	assert_string_equal(judgement.reason, "");
	assert_string_equal(judgement.fingerprint, bundle_fingerprint(bundle));
	assert_string_equal(judgement.spki, bundle_spki(bundle));
	assert_string_equal(judgement.key_type, "EC P-384");
	assert_int_equal(judgement.not_before, bundle_not_before(bundle));
	assert_int_equal(judgement.not_after, bundle_not_after(bundle));
	assert_int_equal(judgement.is, JUDGED_ALL);
	bundle_free(bundle);
	bytes_clear(&chain);
	bytes_clear(&key);
	identity_clear(&made);
}

static void what_is_against_it_is_said(void **state)
{
	struct judgement judgement =
		judge(&(struct make_certificate){ .names = "DNS:elsewhere.example.net" });

	(void)state;
	assert_int_equal(judgement.loaded, OUTCOME_OK);
	assert_int_equal(judgement.good, OUTCOME_CERT_WRONG_HOST);
	assert_non_null(strstr(judgement.reason, "does not cover mail.example.org"));
	assert_true(judgement.is & JUDGED_MATCHED);
	assert_false(judgement.is & JUDGED_STANDARD);
}

static void a_leaf_without_its_key_is_described(void **state)
{
	struct identity made = make_identity(&(struct make_certificate){ 0 });
	struct bytes chain = pem_chain(made.certificate, NULL, NULL), none = BYTES_NONE;
	struct judgement judgement;

	(void)state;
	assert_int_equal(judge_pair(&chain, &none, &rules, &judgement), OUTCOME_OK);
	assert_int_equal(judgement.loaded, OUTCOME_KEY_UNREADABLE);
	assert_int_equal(judgement.good, OUTCOME_KEY_UNREADABLE);
	assert_int_equal(strlen(judgement.fingerprint), BUNDLE_FINGERPRINT_LEN);
	assert_true(judgement.is & JUDGED_STANDARD);
	assert_false(judgement.is & JUDGED_MATCHED);
	bytes_clear(&chain);
	identity_clear(&made);
}

static void what_is_no_certificate_is_not_described(void **state)
{
	struct bytes none = BYTES_NONE;
	struct judgement judgement;

	(void)state;
	assert_int_equal(judge_pair(&none, &none, &rules, &judgement), OUTCOME_OK);
	assert_int_equal(judgement.loaded, OUTCOME_CERT_UNREADABLE);
	assert_string_equal(judgement.fingerprint, "");
}

static void the_first_of_the_names_that_is_not_covered_is_said(void **state)
{
	struct bytes names = { .data = (char[]){
				       "mail.example.org\nother.example.org x.example.org" } };

	(void)state;
	names.len = strlen(names.data);
	rules.names = &names;
	assert_string_equal(judge(&(struct make_certificate){ 0 }).uncovered, "other.example.org");
	names.len = strlen("mail.example.org");
	assert_string_equal(judge(&(struct make_certificate){ 0 }).uncovered, "");
}

static void roots_are_believed(void **state)
{
	struct identity stranger = make_identity(&(struct make_certificate){ 0 });
	struct bytes roots = pem_chain(stranger.certificate, NULL, NULL);

	(void)state;
	rules.roots = &roots;
	assert_int_equal(judge(&(struct make_certificate){ 0 }).good, OUTCOME_CHAIN_UNTRUSTED);
	bytes_clear(&roots);
	identity_clear(&stranger);
}

/* --- what came back --- */

static struct judgement good;

static int judge_good(void **state)
{
	begin(state);
	good = judge(&(struct make_certificate){ 0 });
	return judge_accept(&good) ? 0 : -1;
}

#define REFUSES(change)                                                                            \
	do {                                                                                       \
		struct judgement judgement = good;                                                 \
                                                                                                   \
		change;                                                                            \
		assert_false(judge_accept(&judgement));                                            \
	} while (0)

static void what_cannot_be_is_not_accepted(void **state)
{
	(void)state;
	REFUSES(judgement.loaded = OUTCOME_COUNT);
	REFUSES(judgement.good = -1);
	REFUSES(judgement.good = OUTCOME_DEPLOYED);
	REFUSES(judgement.loaded = OUTCOME_CERT_UNREADABLE);
	REFUSES(judgement.fingerprint[0] = '\0');
	REFUSES(judgement.fingerprint[0] = '\033');
	REFUSES(judgement.fingerprint[BUNDLE_FINGERPRINT_LEN] = 'A');
	REFUSES(judgement.fingerprint[10] = '\0');
	REFUSES(judgement.spki[3] = 'G');
	REFUSES(judgement.is = 8);
	REFUSES(memset(judgement.reason, 'x', sizeof(judgement.reason)));
	REFUSES(memset(judgement.key_type, 'x', sizeof(judgement.key_type)));
	REFUSES(memset(judgement.uncovered, 'x', sizeof(judgement.uncovered)));
}

static void text_is_made_printable(void **state)
{
	struct judgement judgement = good;

	(void)state;
	strcpy(judgement.reason, "\033[2J\n");
	judgement.good = OUTCOME_CERT_EXPIRED;
	assert_true(judge_accept(&judgement));
	assert_string_equal(judgement.reason, "\\x1b[2J\\x0a");
	assert_int_equal(judge_outcome(&judgement, judgement.good), OUTCOME_CERT_EXPIRED);
	assert_string_equal(outcome_reason(OUTCOME_CERT_EXPIRED), "\\x1b[2J\\x0a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_good_pair_is_described, begin),
		cmocka_unit_test_setup(what_is_against_it_is_said, begin),
		cmocka_unit_test_setup(a_leaf_without_its_key_is_described, begin),
		cmocka_unit_test_setup(what_is_no_certificate_is_not_described, begin),
		cmocka_unit_test_setup(the_first_of_the_names_that_is_not_covered_is_said, begin),
		cmocka_unit_test_setup(roots_are_believed, begin),
		cmocka_unit_test_setup(what_cannot_be_is_not_accepted, judge_good),
		cmocka_unit_test_setup(text_is_made_printable, judge_good),
	};

	return cmocka_run_group_tests(tests, judge_one_here, NULL);
}

/* TLSA records: what is parsed, what mail servers can use, and what matches a chain. */
#include <string.h>

#include "certsync/tlsa.h"
#include "unit.h"

static struct tlsa_record record_of(unsigned char usage, unsigned char selector,
				    unsigned char matching, unsigned char byte, size_t len)
{
	unsigned char data[3 + 4096] = { usage, selector, matching };
	struct tlsa_record record;

	memset(data + 3, byte, len);
	assert_true(tlsa_parse(data, 3 + len, &record));
	return record;
}

/* A chain of two, whose digests are all 1 and all 2. */
static struct tlsa_chain chain_of_two(void)
{
	struct tlsa_chain chain = { .count = 2 };

	memset(&chain.certificate[0], 1, sizeof(chain.certificate[0]));
	memset(&chain.certificate[1], 2, sizeof(chain.certificate[1]));
	return chain;
}

static void a_record_without_its_three_numbers_is_none(void **state)
{
	const unsigned char data[] = { 3, 1, 1 };
	struct tlsa_record record;

	(void)state;
	assert_false(tlsa_parse(data, 0, &record));
	assert_false(tlsa_parse(data, 2, &record));
	assert_true(tlsa_parse(data, 3, &record));
	assert_false(tlsa_is_usable(&record));
}

static void only_dane_ee_and_dane_ta_with_a_digest_of_the_right_length_are_usable(void **state)
{
	(void)state;
	for (unsigned char usage = 0; usage < 5; usage++)
		for (unsigned char selector = 0; selector < 3; selector++)
			for (unsigned char matching = 0; matching < 4; matching++)
				for (size_t len = 0; len < 130; len++) {
					struct tlsa_record record =
						record_of(usage, selector, matching, 7, len);
					bool right = (usage == 2 || usage == 3) && selector < 2 &&
						     ((matching == 0 && len > 0) ||
						      (matching == 1 && len == 32) ||
						      (matching == 2 && len == 64));

					assert_int_equal(tlsa_is_usable(&record), right);
				}
}

static void dane_ee_matches_the_leaf_and_dane_ta_what_follows_it(void **state)
{
	const struct tlsa_chain chain = chain_of_two(), none = { .count = 0 };

	(void)state;
	for (unsigned char usage = 0; usage < 4; usage++)
		for (unsigned char byte = 0; byte < 4; byte++) {
			struct tlsa_record one = record_of(usage, 1, 1, byte, 32);
			struct tlsa_record two = record_of(usage, 0, 2, byte, 64);
			bool wanted = (usage == 3 && byte == 1) || (usage == 2 && byte == 2);

			assert_int_equal(tlsa_matches(&one, &chain), wanted);
			assert_int_equal(tlsa_matches(&two, &chain), wanted);
			assert_false(tlsa_matches(&one, &none));
		}
}

static void the_text_is_that_of_a_zone_file(void **state)
{
	const struct tlsa_record digest = record_of(3, 1, 1, 0xab, 32),
				 longest = record_of(255, 255, 0, 1, 4096);
	char text[TLSA_TEXT_LEN + 1];

	(void)state;
	tlsa_text(&digest, text);
	assert_string_equal(text,
			    "3 1 1 abababababababababababababababababababababababababababababa"
			    "babab");
	tlsa_text(&longest, text);
	assert_int_equal(strncmp(text, "255 255 0 with SHA-256 ", 23), 0);
	assert_int_equal(strlen(text), 23 + 64);
}

static void what_is_no_chain_has_no_digests(void **state)
{
	struct bytes nonsense = { .data = (char *)"nonsense", .len = 8 };
	struct tlsa_chain chain = chain_of_two();

	(void)state;
	assert_int_equal(tlsa_chain_read(&nonsense, &chain), OUTCOME_OK);
	assert_int_equal(chain.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_without_its_three_numbers_is_none),
		cmocka_unit_test(
			only_dane_ee_and_dane_ta_with_a_digest_of_the_right_length_are_usable),
		cmocka_unit_test(dane_ee_matches_the_leaf_and_dane_ta_what_follows_it),
		cmocka_unit_test(the_text_is_that_of_a_zone_file),
		cmocka_unit_test(what_is_no_chain_has_no_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a resolver answers about TLSA records and aliases, and what may be made of the records. */
#include "fuzz.h"
#include "lookup.h"

#define NAME "_25._tcp.mail.example.org"
#define HOST "mail.example.org"

static void check_record(const struct tlsa_record *record)
{
	static struct tlsa_chain chain = { .count = 2 };
	char text[TLSA_TEXT_LEN + 1];

	must(record->len <= TLSA_DATA_MAX);
	tlsa_text(record, text);
	must(fuzz_is_printable(text));
	must(!tlsa_matches(record, &chain) || tlsa_is_usable(record));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct lookup_answer answer;
	char alias[ADDRESS_HOST_MAX + 1];
	bool authenticated;

	/* The C library hands over nothing that is shorter than a header. */
	if (size < 12)
		return 0;
	lookup_parse(data, size, NAME, &answer);
	must(answer.count <= LOOKUP_RECORDS_MAX &&
	     (answer.result == LOOKUP_FOUND) == (answer.count > 0) &&
	     strnlen(answer.reason, sizeof(answer.reason)) < sizeof(answer.reason));
	for (size_t i = 0; i < answer.count; i++)
		check_record(&answer.record[i]);
	lookup_alias(data, size, HOST, alias, &authenticated);
	must(strnlen(alias, sizeof(alias)) < sizeof(alias));
	return 0;
}

/* A name in the staging directory; in a second line, when and of what one is made. */
#include <stdint.h>

#include "certsync/generation.h"
#include "fuzz.h"

/* No name of ours leads anywhere else. */
static void check_name(const char *name)
{
	const int kinds =
		generation_is_name(name) + generation_is_part(name) + generation_is_spent(name);

	must(kinds <= 1);
	must(!kinds || (!strchr(name, '/') && fuzz_is_printable(name)));
	must(!generation_is_name(name) || (strlen(name) == GENERATION_NAME_LEN && name[0] != '.'));
	must(name[0] == '.' || kinds == generation_is_name(name));
}

static void check_made(time_t when, const char *fingerprint)
{
	const size_t digits = strspn(fingerprint, "0123456789abcdefABCDEF:");
	char name[GENERATION_NAME_LEN + 1];
	size_t colons = 0;

	generation_name(when, fingerprint, name);
	must(strlen(name) <= GENERATION_NAME_LEN);
	for (size_t i = 0; i < digits; i++)
		colons += fingerprint[i] == ':';
	/* Up to the year 9999. */
	if (when >= 0 && when < 253402300800 && digits - colons >= 16)
		must(generation_is_name(name));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes text = fuzz_bytes(data, size);
	char *rest = text.data, *name = strsep(&rest, "\n");

	check_name(name);
	if (rest) {
		char *fingerprint;
		time_t when = strtoll(rest, &fingerprint, 10);

		check_made(when, fingerprint + strspn(fingerprint, " "));
	}
	bytes_clear(&text);
	return 0;
}

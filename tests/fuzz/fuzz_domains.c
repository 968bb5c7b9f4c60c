/* The file domains of a directory of certificates. */
#include <stdint.h>

#include "domains.h"
#include "fuzz.h"

static bool is_no_name(const char *name, const void *unused)
{
	(void)unused;
	return !name[0] || strpbrk(name, " \t\r\n\v\f");
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes text = fuzz_bytes(data, size), copy = fuzz_bytes(data, size);
	const char *found = domains_find(copy.data, domains_stand_for, "mail.example.org");

	must(!found || !strcasecmp(found, "mail.example.org") ||
	     !strcasecmp(found, "*.example.org"));
	must(!found || !domains_are_none(text.data));
	must(!domains_find(text.data, is_no_name, NULL));
	bytes_clear(&text);
	bytes_clear(&copy);
	return 0;
}

/* What a server says before TLS, line after line. The first byte chooses the protocol. */
#include <stdlib.h>
#include <string.h>

#include "starttls.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct starttls starttls = { 0 };
	enum starttls_next next = STARTTLS_LISTEN;
	char *text, *line;

	if (!size)
		return 0;
	starttls.protocol = data[0] % (WIRE_SIEVE + 1);
	text = strndup((const char *)data + 1, size - 1);
	if (!text)
		return 0;
	for (char *rest = text; (line = strsep(&rest, "\n")) && next <= STARTTLS_SPEAK;) {
		/* A line of its own, for the sanitizer to see what is read behind it. */
		char *alone = strdup(line);
		const char *say = NULL;

		next = starttls_take(&starttls, alone, &say);
		if ((next == STARTTLS_SPEAK) != (say != NULL) ||
		    (next == STARTTLS_BEGIN && starttls.protocol == WIRE_TLS))
			abort();
		free(alone);
	}
	free(text);
	return 0;
}

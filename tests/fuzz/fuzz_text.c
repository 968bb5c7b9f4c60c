/* Bytes that become text which is safe to show, in a buffer as large as the first byte says. */
#include "certsync/text.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	const size_t room = size ? data[0] : 0;
	size_t needed = 0, len;
	char *to;

	if (!room)
		return 0;
	to = malloc(room);
	must(to);
	text_printable(to, room, (const char *)data + 1, size - 1);
	len = strnlen(to, room);
	must(len < room && fuzz_is_printable(to));
	for (size_t i = 1; i < size; i++)
		needed += data[i] < ' ' || data[i] > '~' ? strlen("\\xNN") : 1;
	/* Complete, or as much as fits. */
	must(needed < room ? len == needed : room <= strlen("...") || !strcmp(to + len - 3, "..."));
	free(to);
	return 0;
}

#include <stdbool.h>
#include <string.h>

#include "certsync/text.h"

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x7f;
}

static size_t printable_len(const char *from, size_t len)
{
	size_t needed = 0;

	for (size_t i = 0; i < len; i++)
		needed += is_plain(from[i]) ? 1 : sizeof("\\xNN") - 1;
	return needed;
}

void text_printable(char *to, size_t size, const char *from, size_t len)
{
	static const char cut[] = "...";
	size_t room = size, used = 0;
	bool fits = printable_len(from, len) < size;

	if (!size)
		return;
	if (!fits)
		room = size > sizeof(cut) - 1 ? size - (sizeof(cut) - 1) : 1;
	for (size_t i = 0; i < len; i++) {
		if (used + printable_len(from + i, 1) >= room)
			break;
		if (is_plain(from[i]))
			to[used++] = from[i];
		else
			used += (size_t)snprintf(to + used, size - used, "\\x%02x",
						 (unsigned)(unsigned char)from[i]);
	}
	snprintf(to + used, size - used, "%s", fits ? "" : cut);
}

void text_time(char to[static TEXT_TIME_LEN + 1], time_t when)
{
	struct tm parts;

	if (!gmtime_r(&when, &parts) ||
	    !strftime(to, TEXT_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &parts))
		snprintf(to, TEXT_TIME_LEN + 1, "unknown");
}

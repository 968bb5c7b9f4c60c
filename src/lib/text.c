#include <stdint.h>
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

bool text_accept(char *text, size_t size)
{
	char raw[TEXT_ACCEPTED_MAX];

	if (size > sizeof(raw) || strnlen(text, size) == size)
		return false;
	snprintf(raw, sizeof(raw), "%s", text);
	text_printable(text, size, raw, strlen(raw));
	return true;
}

bool text_is(const char *text, size_t size, size_t len, const char *allowed)
{
	return strnlen(text, size) == len && len < size && strspn(text, allowed) == len;
}

void text_time(char to[static TEXT_TIME_LEN + 1], time_t when)
{
	struct tm parts;

	if (!gmtime_r(&when, &parts) ||
	    !strftime(to, TEXT_TIME_LEN + 1, "%Y-%m-%dT%H:%M:%SZ", &parts))
		snprintf(to, TEXT_TIME_LEN + 1, "unknown");
}

void text_span(char to[static TEXT_SPAN_LEN + 1], time_t seconds)
{
	static const struct {
		const char *name;
		time_t seconds;
		time_t from; /* smaller ones are told in the next unit */
	} units[] = { { "day", 86400, 2 * (time_t)86400 },
		      { "hour", 3600, 2 * (time_t)3600 },
		      { "minute", 60, 60 },
		      { "second", 1, 0 } };
	size_t i = 0;
	time_t number;

	if (seconds < 0)
		seconds = 0;
	while (seconds < units[i].from)
		i++;
	number = seconds / units[i].seconds;
	snprintf(to, TEXT_SPAN_LEN + 1, "%jd %s%s", (intmax_t)number, units[i].name,
		 number == 1 ? "" : "s");
}

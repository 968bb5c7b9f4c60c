#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "certsync/text.h"
#include "certsync/verdict.h"

#define DAY_SECONDS 86400.0
/* Of a lifetime, what is left when it is time to warn: 22.5 and 7.5 of 90 days. */
#define WARNING_PART  4
#define CRITICAL_PART 12

/* Every finding beats the ones before it here. */
static int badness(enum verdict_level level)
{
	switch (level) {
	case VERDICT_OK:
		return 0;
	case VERDICT_UNKNOWN:
		return 1;
	case VERDICT_WARNING:
		return 2;
	case VERDICT_CRITICAL:
		break;
	}
	return 3;
}

void verdict_note(struct verdict *verdict, enum verdict_level level, const char *format, ...)
{
	char text[VERDICT_REASON_MAX];
	va_list arguments;

	if (badness(level) < badness(verdict->level) ||
	    (level == verdict->level && verdict->reason[0]))
		return;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	text_printable(verdict->reason, sizeof(verdict->reason), text, strlen(text));
	verdict->level = level;
}

const char *verdict_word(enum verdict_level level)
{
	switch (level) {
	case VERDICT_OK:
		return "OK";
	case VERDICT_WARNING:
		return "WARNING";
	case VERDICT_CRITICAL:
		return "CRITICAL";
	case VERDICT_UNKNOWN:
		break;
	}
	return "UNKNOWN";
}

struct verdict_limits verdict_limits(const struct command_options *options, time_t not_before,
				     time_t not_after)
{
	const double lifetime = (double)(not_after - not_before) / DAY_SECONDS;
	struct verdict_limits limits = { lifetime / WARNING_PART, lifetime / CRITICAL_PART };

	if (options->warning >= 0)
		limits.warning = options->warning;
	if (options->critical >= 0)
		limits.critical = options->critical;
	/* Of one that was given and one that was not, the given one counts. */
	if (limits.critical > limits.warning) {
		if (options->critical < 0)
			limits.critical = limits.warning;
		else
			limits.warning = limits.critical;
	}
	return limits;
}

enum verdict_level verdict_of_age(const struct verdict_limits *limits, time_t not_after, time_t now)
{
	const double left = (double)(not_after - now) / DAY_SECONDS;

	if (left < limits->critical)
		return VERDICT_CRITICAL;
	return left < limits->warning ? VERDICT_WARNING : VERDICT_OK;
}

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "certsync/outcome.h"
#include "certsync/text.h"

static const struct outcome_text texts[] = {
#define OUTCOME_ROW(name, status, priority, programs, id, meaning, advice)                         \
	[OUTCOME_##name] = { #name, status, priority, programs, id, meaning, advice },
	OUTCOME_TABLE(OUTCOME_ROW)
#undef OUTCOME_ROW
};

/* The reason recorded last, and what it is the reason of. */
static struct {
	enum outcome outcome;
	char text[OUTCOME_REASON_MAX];
} reason;

const struct outcome_text *outcome_text(enum outcome outcome)
{
	return &texts[outcome < OUTCOME_COUNT ? outcome : OUTCOME_INTERNAL];
}

bool outcome_failed(enum outcome outcome)
{
	return outcome_text(outcome)->status != EX_OK;
}

enum outcome outcome_because(enum outcome outcome, const char *format, ...)
{
	char text[OUTCOME_REASON_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	text_printable(reason.text, sizeof(reason.text), text, strlen(text));
	reason.outcome = outcome;
	return outcome;
}

enum outcome outcome_in(enum outcome outcome, const char *format, ...)
{
	char where[OUTCOME_REASON_MAX / 2], text[OUTCOME_REASON_MAX];
	va_list arguments;

	if (!outcome_failed(outcome))
		return outcome;
	va_start(arguments, format);
	vsnprintf(where, sizeof(where), format, arguments);
	va_end(arguments);
	snprintf(text, sizeof(text), "%s", outcome_reason(outcome));
	return outcome_because(outcome, "%s: %s", where, text);
}

const char *outcome_reason(enum outcome outcome)
{
	if (reason.outcome == outcome && reason.text[0])
		return reason.text;
	return outcome_text(outcome)->meaning;
}

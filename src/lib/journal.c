#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certsync/journal.h"
#include "certsync/systemd.h"
#include "certsync/text.h"

#define FIELDS_MAX  12
#define FIELD_LEN   512
#define MESSAGE_LEN (OUTCOME_REASON_MAX + 512)
#define RECORD_LEN  (2 * MESSAGE_LEN + (FIELDS_MAX + 4) * FIELD_LEN)

static struct {
	const char *program;
	enum journal_volume volume;
	bool to_journald;
	bool terminal;
	bool colour;
	struct {
		const char *name;
		char text[FIELD_LEN]; /* "" where the field is not set */
	} fields[FIELDS_MAX];
} journal = { .program = "certsync", .volume = JOURNAL_NORMAL };

void journal_open(const char *program, enum journal_volume volume)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	journal.program = program;
	journal.volume = volume;
	journal.to_journald = systemd_has_stderr();
	journal.terminal = isatty(STDERR_FILENO);
	journal.colour = journal.terminal && !(no_colour && no_colour[0]) && terminal &&
			 strcmp(terminal, "dumb");
}

void journal_field(const char *name, const char *value)
{
	size_t i = 0;

	while (i < FIELDS_MAX && journal.fields[i].name && strcmp(journal.fields[i].name, name))
		i++;
	if (i == FIELDS_MAX)
		return;
	journal.fields[i].name = name;
	journal.fields[i].text[0] = '\0';
	/* A second line would be another field. */
	if (value)
		text_printable(journal.fields[i].text, FIELD_LEN, value, strlen(value));
}

static bool heard(int priority)
{
	switch (journal.volume) {
	case JOURNAL_QUIET:
		return priority <= LOG_WARNING;
	case JOURNAL_NORMAL:
		return priority <= LOG_INFO;
	default:
		return true;
	}
}

/* A record as journald takes it: lines FIELD=value. What does not fit is left out. */
struct record {
	char lines[RECORD_LEN];
	size_t len;
};

static void __attribute__((format(printf, 2, 3)))
add(struct record *record, const char *format, ...)
{
	const size_t left = sizeof(record->lines) - record->len;
	va_list arguments;
	size_t len;

	va_start(arguments, format);
	len = (size_t)vsnprintf(record->lines + record->len, left, format, arguments);
	va_end(arguments);
	if (len < left)
		record->len += len;
}

static bool send_record(const struct outcome_text *text, int priority, const char *message)
{
	const char *advice = text ? text->advice : "";
	struct record record = { .len = 0 };

	add(&record, "PRIORITY=%d\n", priority & LOG_PRIMASK);
	/* Where only MESSAGE is shown, as in `systemctl status`, the advice is wanted too. */
	add(&record, "MESSAGE=%s%s%s\n", message, advice[0] ? ". " : "", advice);
	add(&record, "SYSLOG_IDENTIFIER=%s\n", journal.program);
	if (text)
		add(&record, "MESSAGE_ID=%s\nCERTSYNC_OUTCOME=%s\n", text->id, text->name);
	if (advice[0])
		add(&record, "CERTSYNC_ADVICE=%s\n", advice);
	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (journal.fields[i].text[0])
			add(&record, "%s=%s\n", journal.fields[i].name, journal.fields[i].text);
	return systemd_record(record.lines, record.len);
}

static const char *label(int priority)
{
	return priority <= LOG_ERR ? "error: " : priority == LOG_WARNING ? "warning: " : "";
}

static const char *colour(int priority)
{
	if (!journal.colour)
		return "";
	/* ECMA-48 SGR: bold red, bold yellow, bold, faint. */
	return priority <= LOG_ERR       ? "\033[1;31m"
	       : priority == LOG_WARNING ? "\033[1;33m"
	       : priority == LOG_NOTICE  ? "\033[1m"
	       : priority == LOG_DEBUG   ? "\033[2m"
					 : "";
}

static void print_record(const struct outcome_text *text, int priority, const char *message)
{
	const char *begin = colour(priority), *end = begin[0] ? "\033[0m" : "";

	fprintf(stderr, "%s: %s%s%s%s\n", journal.program, begin, label(priority), message, end);
	if (text && text->advice[0])
		fprintf(stderr, "%s:   %s\n", journal.program, text->advice);
}

/* ${message} may hold what others wrote: a name, a line that a command printed. */
static void emit(const struct outcome_text *text, int priority, const char *message)
{
	char printable[MESSAGE_LEN];

	if (!heard(priority))
		return;
	text_printable(printable, sizeof(printable), message, strlen(message));
	if (!journal.to_journald || !send_record(text, priority, printable))
		print_record(text, priority, printable);
}

void journal_log(enum outcome outcome, const char *format, ...)
{
	char message[MESSAGE_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	emit(outcome_text(outcome), outcome_text(outcome)->priority, message);
}

void journal_outcome(enum outcome outcome)
{
	journal_log(outcome, "%s", outcome_reason(outcome));
}

void journal_detail(const char *format, ...)
{
	char message[MESSAGE_LEN];
	va_list arguments;

	if (!heard(LOG_DEBUG))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	emit(NULL, LOG_DEBUG, message);
}

void journal_step(const char *format, ...)
{
	const int priority = journal.terminal ? LOG_INFO : LOG_DEBUG;
	char message[MESSAGE_LEN];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	emit(NULL, priority, message);
}

void journal_status(const char *format, ...)
{
	char message[MESSAGE_LEN], state[MESSAGE_LEN] = "STATUS=";
	const size_t prefix = strlen(state);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	/* A second line would be another assignment. */
	text_printable(state + prefix, sizeof(state) - prefix, message, strlen(message));
	systemd_notify(state, -1);
}

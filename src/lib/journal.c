#include <dlfcn.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "certsync/journal.h"
#include "certsync/text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELDS_MAX     12
#define FIELD_LEN      512
#define MESSAGE_LEN    1536
/* PRIORITY, MESSAGE, MESSAGE_ID, SYSLOG_IDENTIFIER, OBJECT_SYSTEMD_UNIT, and two of ours */
#define RECORD_FIELDS 7

static struct {
	const char *program;
	enum journal_volume volume;
	bool to_journald;
	bool terminal;
	bool colour;
	struct {
		const char *name;
		char text[FIELD_LEN]; /* NAME=value; "" where the field is not set */
	} fields[FIELDS_MAX];
} journal = { .program = "certsync", .volume = JOURNAL_NORMAL };

/*
 * Does standard error lead to the journal? Then records can have fields (systemd.exec(5),
 * $JOURNAL_STREAM).
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat status;

	/* Without its socket libsystemd throws the records away and calls that success. */
	if (!stream || fstat(STDERR_FILENO, &status) < 0 || access(JOURNAL_SOCKET, F_OK) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return !strcmp(stream, ours);
}

/*
 * Point ${function} at a function of libsystemd, which is loaded when it is needed: with the
 * libraries that it needs itself it would be half of the start of a run that says "nothing to do"
 * to a person. False: it is not there.
 */
static bool systemd_function(const char *name, void *function)
{
	static void *library;
	void *symbol;

	if (!library)
		library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
	symbol = library ? dlsym(library, name) : NULL;
	memcpy(function, &symbol, sizeof(symbol));
	return symbol != NULL;
}

void journal_open(const char *program, enum journal_volume volume)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	journal.program = program;
	journal.volume = volume;
	journal.to_journald = stderr_is_journal();
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
	if (value)
		snprintf(journal.fields[i].text, FIELD_LEN, "%s=%s", name, value);
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

static void add(struct iovec *record, int *count, char *text)
{
	record[*count] = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
	++*count;
}

/*
 * journald looks up the sender's unit in /proc when it comes to read the record; if the process has
 * ended by then, `journalctl -u` would not find it. With this field of root's it does
 * (systemd.journal-fields(7)).
 */
static void say_unit(char *field, size_t size)
{
	int (*get_unit)(pid_t pid, char **unit);
	char *unit = NULL;

	field[0] = '\0';
	if (!systemd_function("sd_pid_get_unit", &get_unit) || get_unit(0, &unit) < 0)
		return;
	snprintf(field, size, "OBJECT_SYSTEMD_UNIT=%s", unit);
	free(unit);
}

static bool send_record(const struct outcome_text *text, int priority, const char *message)
{
	char priority_field[] = "PRIORITY=N", id[64], name[64], advice[FIELD_LEN], identifier[64];
	char sentence[MESSAGE_LEN + FIELD_LEN], unit[FIELD_LEN];
	struct iovec record[RECORD_FIELDS + FIELDS_MAX];
	int (*send)(const struct iovec *record, int count);
	int count = 0;

	snprintf(priority_field, sizeof(priority_field), "PRIORITY=%d", priority & LOG_PRIMASK);
	snprintf(sentence, sizeof(sentence), "MESSAGE=%s", message);
	snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", journal.program);
	add(record, &count, priority_field);
	add(record, &count, sentence);
	add(record, &count, identifier);
	say_unit(unit, sizeof(unit));
	if (unit[0])
		add(record, &count, unit);
	if (text) {
		snprintf(id, sizeof(id), "MESSAGE_ID=%s", text->id);
		snprintf(name, sizeof(name), "CERTSYNC_OUTCOME=%s", text->name);
		add(record, &count, id);
		add(record, &count, name);
	}
	if (text && text->advice[0]) {
		/*
		 * Where only MESSAGE is shown, as in `systemctl status`, the advice is wanted too.
		 */
		snprintf(sentence, sizeof(sentence), "MESSAGE=%s. %s", message, text->advice);
		record[1].iov_len = strlen(sentence);
		snprintf(advice, sizeof(advice), "CERTSYNC_ADVICE=%s", text->advice);
		add(record, &count, advice);
	}
	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (journal.fields[i].text[0])
			add(record, &count, journal.fields[i].text);
	return systemd_function("sd_journal_sendv", &send) && send(record, count) >= 0;
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
	int (*notify)(int unset, const char *state);
	char message[MESSAGE_LEN], state[MESSAGE_LEN] = "STATUS=";
	const size_t prefix = strlen(state);
	va_list arguments;

	if (!getenv("NOTIFY_SOCKET"))
		return;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	/* A second line would be another assignment. */
	text_printable(state + prefix, sizeof(state) - prefix, message, strlen(message));
	if (systemd_function("sd_notify", &notify))
		notify(0, state);
}

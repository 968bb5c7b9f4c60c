#include <stdarg.h>
#include <string.h>

#include <jansson.h>

#include "certsync/cleanup.h"
#include "certsync/table.h"
#include "certsync/text.h"
#include "report.h"

/* Of the shape of the JSON output; grows when a member changes its meaning or goes away. */
#define JSON_VERSION  1
#define REAL_DIGITS   6
#define DAY_SECONDS   86400
#define SUMMARY_MAX   VERDICT_REASON_MAX
#define NOT_LOOKED_AT "-"

/* What follows a vertical bar is taken for numbers, in any line. */
static void take_out_bars(char *text)
{
	while ((text = strchr(text, '|')))
		*text = '/';
}

/* --- findings --- */

static struct report_row *next_row(struct report *report, const char *name)
{
	/* The last one is overwritten rather than memory behind it. */
	struct report_row *row = &report->row[report->count];

	if (report->count < REPORT_ROWS_MAX - 1)
		report->count++;
	*row = (struct report_row){ .name = name, .advice = "" };
	return row;
}

static void set_detail(struct report_row *row, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void set_detail(struct report_row *row, const char *format, va_list arguments)
{
	char text[REPORT_DETAIL_MAX];

	vsnprintf(text, sizeof(text), format, arguments);
	text_printable(row->detail, sizeof(row->detail), text, strlen(text));
	take_out_bars(row->detail);
}

void report_add(struct report *report, const char *name, enum verdict_level level,
		const char *format, ...)
{
	struct report_row *row = next_row(report, name);
	va_list arguments;

	va_start(arguments, format);
	set_detail(row, format, arguments);
	va_end(arguments);
	row->level = level;
	if (level != VERDICT_OK)
		verdict_note(&report->verdict, level, "%s: %s", name, row->detail);
}

void report_failure(struct report *report, const char *name, enum outcome outcome)
{
	const bool ours = outcome == OUTCOME_FILE_DENIED || outcome == OUTCOME_NO_MEMORY;

	report_add(report, name, ours ? VERDICT_UNKNOWN : VERDICT_CRITICAL, "%s",
		   outcome_reason(outcome));
	report_advise(report, outcome_text(outcome)->advice);
}

void report_advise(struct report *report, const char *advice)
{
	report->row[report->count - 1].advice = advice;
}

void report_skip(struct report *report, const char *name, const char *format, ...)
{
	struct report_row *row = next_row(report, name);
	va_list arguments;

	va_start(arguments, format);
	set_detail(row, format, arguments);
	va_end(arguments);
	row->skipped = true;
}

double report_days_left(const struct report *report)
{
	const time_t seconds = bundle_not_after(report->bundle) - report->now;
	/* Division cuts towards zero. */
	const time_t tenths = (seconds * 10 - (seconds < 0 ? DAY_SECONDS - 1 : 0)) / DAY_SECONDS;

	return (double)tenths / 10;
}

/* --- printing --- */

static void summarize(const struct report *report, char summary[static SUMMARY_MAX])
{
	if (report->verdict.level == VERDICT_OK && report->bundle)
		snprintf(summary, SUMMARY_MAX, "%s: %.1f days left%s%s", report->lineage,
			 report_days_left(report), report->served ? ", served by " : "",
			 report->served ? report->endpoint : "");
	else
		snprintf(summary, SUMMARY_MAX, "%s", report->verdict.reason);
	take_out_bars(summary);
}

static void print_first_line(const struct report *report, FILE *to)
{
	char summary[SUMMARY_MAX];

	summarize(report, summary);
	fprintf(to, "CERTPUSH %s - %s", verdict_word(report->verdict.level), summary);
	if (report->bundle)
		fprintf(to, " | days_left=%.1f;%g;%g", report_days_left(report),
			report->limits.warning, report->limits.critical);
	fputc('\n', to);
}

static const char *word_of(const struct report_row *row)
{
	return row->skipped ? NOT_LOOKED_AT : verdict_word(row->level);
}

static bool print_rows(const struct report *report, FILE *to)
{
	static const char *const heads[] = { "CHECK", "STATUS", "DETAIL" };
	_cleanup_(table_freep) struct table *table = table_new(sizeof(heads) / sizeof(heads[0]));

	if (!table || !table_row(table, heads))
		return false;
	for (size_t i = 0; i < report->count; i++) {
		const struct report_row *row = &report->row[i];

		if (!table_row(table,
			       (const char *const[]){ row->name, word_of(row), row->detail }))
			return false;
	}
	table_print(table, to);
	return true;
}

bool report_print(const struct report *report, FILE *to)
{
	print_first_line(report, to);
	if (report->count && !print_rows(report, to))
		return false;
	for (size_t i = 0; i < report->count; i++)
		if (report->row[i].advice[0])
			fprintf(to, "%s: %s\n", report->row[i].name, report->row[i].advice);
	return !ferror(to) && fflush(to) == 0;
}

/* --- JSON --- */

static json_t *time_string(time_t when)
{
	char text[TEXT_TIME_LEN + 1];

	text_time(text, when);
	return json_string(text);
}

static json_t *certificate_object(const struct report *report)
{
	const struct bundle *bundle = report->bundle;

	return json_pack("{s:s, s:s, s:o, s:o, s:f, s:f, s:f}", "lineage", report->lineage,
			 "sha256", bundle_fingerprint(bundle), "not_before",
			 time_string(bundle_not_before(bundle)), "not_after",
			 time_string(bundle_not_after(bundle)), "days_left",
			 report_days_left(report), "warning", report->limits.warning, "critical",
			 report->limits.critical);
}

static json_t *row_object(const struct report_row *row)
{
	json_t *status = row->skipped ? json_null() : json_string(verdict_word(row->level));
	json_t *object = json_pack("{s:s, s:o, s:s}", "check", row->name, "status", status,
				   "detail", row->detail);

	if (row->advice[0])
		json_object_set_new(object, "advice", json_string(row->advice));
	return object;
}

static json_t *report_object(const struct report *report)
{
	char summary[SUMMARY_MAX];
	json_t *rows = json_array(), *object;

	summarize(report, summary);
	object = json_pack("{s:i, s:s, s:s}", "version", JSON_VERSION, "status",
			   verdict_word(report->verdict.level), "summary", summary);
	if (report->hostname)
		json_object_set_new(object, "hostname", json_string(report->hostname));
	if (report->bundle)
		json_object_set_new(object, "certificate", certificate_object(report));
	if (report->pushed)
		json_object_set_new(object, "pushed", time_string(report->pushed));
	if (report->endpoint)
		json_object_set_new(object, "endpoint", json_string(report->endpoint));
	if (report->served)
		json_object_set_new(object, "served_sha256", json_string(report->served));
	for (size_t i = 0; i < report->count; i++)
		json_array_append_new(rows, row_object(&report->row[i]));
	json_object_set_new(object, "checks", rows);
	return object;
}

bool report_print_json(const struct report *report, FILE *to)
{
	json_t *object = report_object(report);
	bool printed = object &&
		       json_dumpf(object, to,
				  JSON_INDENT(2) | JSON_ENSURE_ASCII |
					  JSON_REAL_PRECISION(REAL_DIGITS)) == 0 &&
		       fputc('\n', to) != EOF && fflush(to) == 0;

	json_decref(object);
	return printed;
}

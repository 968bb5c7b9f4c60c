#include <stdarg.h>
#include <string.h>

#include "certsync/cleanup.h"
#include "certsync/findings.h"
#include "certsync/table.h"
#include "certsync/text.h"

/* Of the shape of the JSON output; grows when a member changes its meaning or goes away. */
#define JSON_VERSION  1
#define REAL_DIGITS   6
#define DAY_SECONDS   86400
#define NOT_LOOKED_AT "-"

/* What follows a vertical bar is taken for numbers, in any line. */
static void take_out_bars(char *text)
{
	while ((text = strchr(text, '|')))
		*text = '/';
}

/* --- adding --- */

static struct finding *next(struct findings *findings, const char *name)
{
	struct finding *finding;

	/* The last one is overwritten rather than memory behind it. */
	if (findings->count < FINDINGS_MAX)
		findings->count++;
	finding = &findings->finding[findings->count - 1];
	*finding = (struct finding){ .advice = "" };
	text_printable(finding->name, sizeof(finding->name), name, strlen(name));
	take_out_bars(finding->name);
	return finding;
}

static void set_detail(struct finding *finding, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static void set_detail(struct finding *finding, const char *format, va_list arguments)
{
	char text[FINDINGS_DETAIL_MAX];

	vsnprintf(text, sizeof(text), format, arguments);
	text_printable(finding->detail, sizeof(finding->detail), text, strlen(text));
	take_out_bars(finding->detail);
}

void findings_add(struct findings *findings, const char *name, enum verdict_level level,
		  const char *format, ...)
{
	struct finding *finding = next(findings, name);
	va_list arguments;

	va_start(arguments, format);
	set_detail(finding, format, arguments);
	va_end(arguments);
	finding->level = level;
	if (level != VERDICT_OK)
		verdict_note(&findings->verdict, level, "%s: %s", finding->name, finding->detail);
}

void findings_fail(struct findings *findings, const char *name, enum outcome outcome)
{
	const bool ours = outcome == OUTCOME_FILE_DENIED || outcome == OUTCOME_NO_MEMORY;

	findings_add(findings, name, ours ? VERDICT_UNKNOWN : VERDICT_CRITICAL, "%s",
		     outcome_reason(outcome));
	findings_advise(findings, outcome_text(outcome)->advice);
}

void findings_advise(struct findings *findings, const char *advice)
{
	findings->finding[findings->count - 1].advice = advice;
}

void findings_skip(struct findings *findings, const char *name, const char *format, ...)
{
	struct finding *finding = next(findings, name);
	va_list arguments;

	va_start(arguments, format);
	set_detail(finding, format, arguments);
	va_end(arguments);
	finding->skipped = true;
}

double findings_days(time_t not_after, time_t now)
{
	const time_t seconds = not_after - now;
	/* Division cuts towards zero. */
	const time_t tenths = (seconds * 10 - (seconds < 0 ? DAY_SECONDS - 1 : 0)) / DAY_SECONDS;

	return (double)tenths / 10;
}

/* --- printing --- */

static const char *summary_of(const struct findings *findings, const char *summary)
{
	return findings->verdict.level == VERDICT_OK ? summary : findings->verdict.reason;
}

static void print_first_line(const struct findings *findings, const char *program,
			     const char *summary, const char *perfdata, FILE *to)
{
	char line[VERDICT_REASON_MAX];

	snprintf(line, sizeof(line), "%s", summary_of(findings, summary));
	take_out_bars(line);
	fprintf(to, "%s %s - %s%s%s\n", program, verdict_word(findings->verdict.level), line,
		perfdata[0] ? " | " : "", perfdata);
}

static const char *word_of(const struct finding *finding)
{
	return finding->skipped ? NOT_LOOKED_AT : verdict_word(finding->level);
}

static bool print_table(const struct findings *findings, FILE *to)
{
	static const char *const heads[] = { "CHECK", "STATUS", "DETAIL" };
	_cleanup_(table_freep) struct table *table = table_new(sizeof(heads) / sizeof(heads[0]));

	if (!table || !table_row(table, heads))
		return false;
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->finding[i];

		if (!table_row(table, (const char *const[]){ finding->name, word_of(finding),
							     finding->detail }))
			return false;
	}
	table_print(table, to);
	return true;
}

bool findings_print(const struct findings *findings, const char *program, const char *summary,
		    const char *perfdata, FILE *to)
{
	print_first_line(findings, program, summary, perfdata, to);
	if (findings->count && !print_table(findings, to))
		return false;
	for (size_t i = 0; i < findings->count; i++)
		if (findings->finding[i].advice[0])
			fprintf(to, "%s: %s\n", findings->finding[i].name,
				findings->finding[i].advice);
	return !ferror(to) && fflush(to) == 0;
}

/* --- JSON --- */

static json_t *finding_object(const struct finding *finding)
{
	json_t *status = finding->skipped ? json_null() : json_string(verdict_word(finding->level));
	json_t *object = json_pack("{s:s, s:o, s:s}", "check", finding->name, "status", status,
				   "detail", finding->detail);

	if (finding->advice[0])
		json_object_set_new(object, "advice", json_string(finding->advice));
	return object;
}

json_t *findings_json(const struct findings *findings, const char *summary)
{
	json_t *checks = json_array();

	for (size_t i = 0; i < findings->count; i++)
		json_array_append_new(checks, finding_object(&findings->finding[i]));
	return json_pack("{s:i, s:s, s:s, s:o}", "version", JSON_VERSION, "status",
			 verdict_word(findings->verdict.level), "summary",
			 summary_of(findings, summary), "checks", checks);
}

bool findings_print_json(json_t *object, FILE *to)
{
	bool printed = object &&
		       json_dumpf(object, to,
				  JSON_INDENT(2) | JSON_ENSURE_ASCII |
					  JSON_REAL_PRECISION(REAL_DIGITS)) == 0 &&
		       fputc('\n', to) != EOF && fflush(to) == 0;

	json_decref(object);
	return printed;
}

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "certsync/cleanup.h"
#include "certsync/journal.h"
#include "certsync/table.h"
#include "certsync/text.h"
#include "lineage.h"
#include "list.h"

/* Of the shape of the JSON output; grows when a field changes its meaning or goes away. */
#define JSON_VERSION 1
#define CHOSEN_MARK  "*"

/* The texts that are kept of a lineage. TROUBLE: why its chain cannot be read; "": it can. */
enum part {
	NAME,
	TROUBLE,
	KEY,
	NAMES,
	SHA256,
	SUBJECT,
	SPKI,
	PARTS
};

/* There may be thousands: a parsed certificate, of 18 KiB, is not kept of each. */
struct row {
	time_t not_before, not_after;
	long days_left;
	char text[]; /* all parts, one behind the other, each with its NUL */
};

struct rows {
	struct row **row;
	size_t count;
	size_t room;
	time_t now;
	bool out_of_memory;
};

static void rows_clear(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->row[i]);
	free(rows->row);
	*rows = (struct rows){ .row = NULL };
}

static struct row *row_new(const char *const parts[PARTS])
{
	size_t size = sizeof(struct row);
	struct row *row;
	char *end;

	for (size_t i = 0; i < PARTS; i++)
		size += strlen(parts[i]) + 1;
	row = calloc(1, size);
	if (!row)
		return NULL;
	end = row->text;
	for (size_t i = 0; i < PARTS; i++)
		end = stpcpy(end, parts[i]) + 1;
	return row;
}

static const char *part_of(const struct row *row, enum part part)
{
	const char *text = row->text;

	for (size_t i = 0; i < part; i++)
		text += strlen(text) + 1;
	return text;
}

static bool is_readable(const struct row *row)
{
	return !part_of(row, TROUBLE)[0];
}

static bool is_chosen(const struct row *row, const char *chosen)
{
	return !strcmp(part_of(row, NAME), chosen);
}

static struct row *unreadable_row(const char *name, const char *trouble)
{
	return row_new((const char *const[PARTS]){ name, trouble, "", "", "", "", "" });
}

static struct row *readable_row(const char *name, const struct bundle *bundle, time_t now)
{
	struct row *row = row_new((const char *const[PARTS]){
		name, "", bundle_key_type(bundle), bundle_names(bundle), bundle_fingerprint(bundle),
		bundle_subject(bundle), bundle_spki(bundle) });

	if (row) {
		row->not_before = bundle_not_before(bundle);
		row->not_after = bundle_not_after(bundle);
		row->days_left = bundle_days_left(bundle, now);
	}
	return row;
}

static bool make_room(struct rows *rows)
{
	size_t room = rows->room ? rows->room * 2 : 16;
	struct row **row;

	if (rows->count < rows->room)
		return true;
	row = reallocarray(rows->row, room, sizeof(struct row *));
	if (!row)
		return false;
	rows->row = row;
	rows->room = room;
	return true;
}

static void collect(struct lineage *lineage, enum outcome outcome, void *context)
{
	struct rows *rows = context;
	struct row *row = outcome_failed(outcome)
				  ? unreadable_row(lineage->name, outcome_reason(outcome))
				  : readable_row(lineage->name, lineage->bundle, rows->now);

	if (row && make_room(rows)) {
		rows->row[rows->count++] = row;
	} else {
		free(row);
		rows->out_of_memory = true;
	}
}

/* npm-2 before npm-10. */
static int by_name(const void *one, const void *other)
{
	return strverscmp(part_of(*(struct row *const *)one, NAME),
			  part_of(*(struct row *const *)other, NAME));
}

static void show_name(char shown[static LINEAGE_NAME_MAX + 1], const struct row *row)
{
	const char *name = part_of(row, NAME);

	text_printable(shown, LINEAGE_NAME_MAX + 1, name, strlen(name));
}

/* --- as a table --- */

#define COLUMNS 7

static const char *const heads[COLUMNS] = { "",     "LINEAGE", "KEY",    "NOT AFTER",
					    "DAYS", "NAMES",   "SHA-256" };

/* A line of the table, and the room for what is not in the row as it is shown. */
struct line {
	const char *cells[COLUMNS];
	char name[LINEAGE_NAME_MAX + 1], not_after[TEXT_TIME_LEN + 1], days[24];
};

static void line_of(struct line *line, const struct row *row, const char *chosen)
{
	const char *mark = is_chosen(row, chosen) ? CHOSEN_MARK : "";

	if (is_readable(row)) {
		*line = (struct line){ .cells = { mark, line->name, part_of(row, KEY),
						  line->not_after, line->days, part_of(row, NAMES),
						  part_of(row, SHA256) } };
		text_time(line->not_after, row->not_after);
		snprintf(line->days, sizeof(line->days), "%ld", row->days_left);
	} else {
		*line = (struct line){ .cells = { mark, line->name, "-", "-", "-", "-",
						  part_of(row, TROUBLE) } };
	}
	show_name(line->name, row);
}

/* Each line is made twice, to be measured and to be printed, and none of them kept. */
static bool print_table(const struct rows *rows, const char *chosen)
{
	_cleanup_(table_freep) struct table *table = table_new(COLUMNS);
	struct line line;

	if (!table)
		return false;
	table_widen(table, heads);
	for (size_t i = 0; i < rows->count; i++) {
		line_of(&line, rows->row[i], chosen);
		table_widen(table, line.cells);
	}
	table_print_row(table, heads, stdout);
	for (size_t i = 0; i < rows->count; i++) {
		line_of(&line, rows->row[i], chosen);
		table_print_row(table, line.cells, stdout);
	}
	return true;
}

/* --- as JSON --- */

static json_t *names_array(const char *all)
{
	_cleanup_(string_freep) char *names = strdup(all);
	json_t *array = json_array();
	char *rest = names;

	for (char *name; rest && (name = strsep(&rest, " "));)
		if (name[0])
			json_array_append_new(array, json_string(name));
	return array;
}

static json_t *lineage_object(const struct row *row, const char *chosen)
{
	char shown[LINEAGE_NAME_MAX + 1], not_before[TEXT_TIME_LEN + 1],
		not_after[TEXT_TIME_LEN + 1];

	show_name(shown, row);
	if (!is_readable(row))
		return json_pack("{s:s, s:b, s:s}", "lineage", shown, "chosen", 0, "error",
				 part_of(row, TROUBLE));
	text_time(not_before, row->not_before);
	text_time(not_after, row->not_after);
	return json_pack("{s:s, s:b, s:o, s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "lineage", shown,
			 "chosen", is_chosen(row, chosen), "names",
			 names_array(part_of(row, NAMES)), "subject", part_of(row, SUBJECT), "key",
			 part_of(row, KEY), "not_before", not_before, "not_after", not_after,
			 "days_left", (json_int_t)row->days_left, "sha256", part_of(row, SHA256),
			 "spki_sha256", part_of(row, SPKI));
}

/* jansson's own newlines come alone, and are in no string: what follows stands in the array. */
static int write_indented(const char *text, size_t len, void *to)
{
	if (fwrite(text, 1, len, to) != len)
		return -1;
	return len == 1 && text[0] == '\n' && fputs("    ", to) < 0 ? -1 : 0;
}

static bool print_value(json_t *value)
{
	bool printed = value && json_dump_callback(value, write_indented, stdout,
						   JSON_INDENT(2) | JSON_ENSURE_ASCII |
							   JSON_ENCODE_ANY) == 0;

	json_decref(value);
	return printed;
}

/* Object by object: a document of them all would be several times what is kept of them. */
static bool print_json(const struct rows *rows, const char *hostname, const char *chosen)
{
	printf("{\n  \"version\": %d,\n  \"hostname\": ", JSON_VERSION);
	if (!print_value(json_string(hostname)))
		return false;
	printf(",\n  \"lineages\": [");
	for (size_t i = 0; i < rows->count; i++) {
		fputs(i ? ",\n    " : "\n    ", stdout);
		if (!print_value(lineage_object(rows->row[i], chosen)))
			return false;
	}
	puts(rows->count ? "\n  ]\n}" : "]\n}");
	return true;
}

int list_run(const struct command_options *options)
{
	_cleanup_(push_conf_clear) struct push_conf conf;
	_cleanup_(lineage_clear) struct lineage chosen = { .bundle = NULL };
	_cleanup_(rows_clear) struct rows rows = { .now = time(NULL) };
	enum outcome outcome = push_conf_load(options->conf, &conf);
	bool printed;

	if (!outcome_failed(outcome))
		outcome = lineage_each(&conf, NULL, collect, &rows);
	if (!outcome_failed(outcome) && rows.out_of_memory)
		outcome = outcome_because(OUTCOME_NO_MEMORY, "out of memory");
	if (outcome_failed(outcome)) {
		journal_outcome(outcome);
		return outcome_text(outcome)->status;
	}
	if (rows.count)
		qsort(rows.row, rows.count, sizeof(struct row *), by_name);
	/*
	 * Without one to choose the table is wanted all the more: what is wrong is said below it.
	 */
	outcome = lineage_find(&conf, rows.now, &chosen);
	if (outcome_failed(outcome))
		chosen.name[0] = '\0';
	printed = options->json ? print_json(&rows, conf.hostname, chosen.name)
				: print_table(&rows, chosen.name);
	if (!printed || fflush(stdout) != 0 || ferror(stdout))
		outcome = outcome_because(OUTCOME_NO_MEMORY, "the table cannot be printed");
	if (outcome_failed(outcome))
		journal_outcome(outcome);
	return outcome_text(outcome)->status;
}

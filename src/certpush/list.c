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

struct row {
	struct lineage lineage;
	char *trouble; /* why its chain cannot be read; NULL: it can */
};

struct rows {
	struct row *row;
	size_t count;
	bool out_of_memory;
};

static void rows_clear(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		lineage_clear(&rows->row[i].lineage);
		free(rows->row[i].trouble);
	}
	free(rows->row);
	*rows = (struct rows){ .row = NULL };
}

static void collect(struct lineage *lineage, enum outcome outcome, void *context)
{
	struct rows *rows = context;
	struct row *row = reallocarray(rows->row, rows->count + 1, sizeof(*row));

	if (!row) {
		rows->out_of_memory = true;
		return;
	}
	rows->row = row;
	row += rows->count++;
	*row = (struct row){ .lineage = *lineage };
	lineage->bundle = NULL;
	if (outcome_failed(outcome))
		row->trouble = strdup(outcome_reason(outcome));
}

/* npm-2 before npm-10. */
static int by_name(const void *one, const void *other)
{
	return strverscmp(((const struct row *)one)->lineage.name,
			  ((const struct row *)other)->lineage.name);
}

static bool print_table(const struct rows *rows, const char *chosen, time_t now)
{
	static const char *const heads[] = { "",     "LINEAGE", "KEY",    "NOT AFTER",
					     "DAYS", "NAMES",   "SHA-256" };
	_cleanup_(table_freep) struct table *table = table_new(sizeof(heads) / sizeof(heads[0]));

	if (!table || !table_row(table, heads))
		return false;
	for (size_t i = 0; i < rows->count; i++) {
		const struct bundle *bundle = rows->row[i].lineage.bundle;
		const char *name = rows->row[i].lineage.name, *trouble = rows->row[i].trouble;
		const char *mark = !strcmp(name, chosen) ? CHOSEN_MARK : "";
		char shown[LINEAGE_NAME_MAX + 1], not_after[TEXT_TIME_LEN + 1], days[24];
		bool added;

		text_printable(shown, sizeof(shown), name, strlen(name));
		if (!bundle) {
			added = table_row(
				table, (const char *const[]){ mark, shown, "-", "-", "-", "-",
							      trouble ? trouble : "unreadable" });
		} else {
			text_time(not_after, bundle_not_after(bundle));
			snprintf(days, sizeof(days), "%ld", bundle_days_left(bundle, now));
			added = table_row(
				table, (const char *const[]){ mark, shown, bundle_key_type(bundle),
							      not_after, days, bundle_names(bundle),
							      bundle_fingerprint(bundle) });
		}
		if (!added)
			return false;
	}
	table_print(table, stdout);
	return true;
}

static json_t *names_array(const struct bundle *bundle)
{
	_cleanup_(string_freep) char *names = strdup(bundle_names(bundle));
	json_t *array = json_array();
	char *rest = names;

	for (char *name; rest && (name = strsep(&rest, " "));)
		if (name[0])
			json_array_append_new(array, json_string(name));
	return array;
}

static json_t *lineage_object(const struct row *row, const char *chosen, time_t now)
{
	const struct bundle *bundle = row->lineage.bundle;
	char shown[LINEAGE_NAME_MAX + 1], not_before[TEXT_TIME_LEN + 1],
		not_after[TEXT_TIME_LEN + 1];

	text_printable(shown, sizeof(shown), row->lineage.name, strlen(row->lineage.name));
	if (!bundle)
		return json_pack("{s:s, s:b, s:s}", "lineage", shown, "chosen", 0, "error",
				 row->trouble ? row->trouble : "unreadable");
	text_time(not_before, bundle_not_before(bundle));
	text_time(not_after, bundle_not_after(bundle));
	return json_pack("{s:s, s:b, s:o, s:s, s:s, s:s, s:s, s:I, s:s, s:s}", "lineage", shown,
			 "chosen", !strcmp(row->lineage.name, chosen), "names", names_array(bundle),
			 "subject", bundle_subject(bundle), "key", bundle_key_type(bundle),
			 "not_before", not_before, "not_after", not_after, "days_left",
			 (json_int_t)bundle_days_left(bundle, now), "sha256",
			 bundle_fingerprint(bundle), "spki_sha256", bundle_spki(bundle));
}

static bool print_json(const struct rows *rows, const char *hostname, const char *chosen,
		       time_t now)
{
	json_t *array = json_array();
	json_t *document;
	bool printed;

	for (size_t i = 0; i < rows->count; i++)
		json_array_append_new(array, lineage_object(&rows->row[i], chosen, now));
	document = json_pack("{s:i, s:s, s:o}", "version", JSON_VERSION, "hostname", hostname,
			     "lineages", array);
	printed = document && json_array_size(array) == rows->count &&
		  json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII) == 0 &&
		  putchar('\n') != EOF;
	json_decref(document);
	return printed;
}

int list_run(const struct command_options *options)
{
	_cleanup_(push_conf_clear) struct push_conf conf;
	_cleanup_(lineage_clear) struct lineage chosen = { .bundle = NULL };
	_cleanup_(rows_clear) struct rows rows = { .row = NULL };
	enum outcome outcome = push_conf_load(options->conf, &conf);
	time_t now = time(NULL);
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
		qsort(rows.row, rows.count, sizeof(rows.row[0]), by_name);
	/*
	 * Without one to choose the table is wanted all the more: what is wrong is said below it.
	 */
	outcome = lineage_find(&conf, now, &chosen);
	if (outcome_failed(outcome))
		chosen.name[0] = '\0';
	printed = options->json ? print_json(&rows, conf.hostname, chosen.name, now)
				: print_table(&rows, chosen.name, now);
	if (!printed || fflush(stdout) != 0)
		outcome = outcome_because(OUTCOME_NO_MEMORY, "the table cannot be printed");
	if (outcome_failed(outcome))
		journal_outcome(outcome);
	return outcome_text(outcome)->status;
}

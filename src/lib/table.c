#include <stdlib.h>
#include <string.h>

#include "certsync/table.h"

#define GAP "  "

struct table {
	size_t columns;
	size_t count; /* of cells */
	size_t room;
	char **cells; /* row after row */
	size_t widths[TABLE_COLUMNS_MAX];
};

struct table *table_new(size_t columns)
{
	struct table *table = columns <= TABLE_COLUMNS_MAX ? calloc(1, sizeof(*table)) : NULL;

	if (table)
		table->columns = columns;
	return table;
}

static bool make_room(struct table *table)
{
	size_t room = (table->room ? table->room * 2 : 16 * table->columns);
	char **cells;

	if (table->count + table->columns <= table->room)
		return true;
	cells = reallocarray(table->cells, room, sizeof(*cells));
	if (!cells)
		return false;
	table->cells = cells;
	table->room = room;
	return true;
}

void table_widen(struct table *table, const char *const cells[])
{
	for (size_t i = 0; i < table->columns; i++) {
		size_t width = strlen(cells[i]);

		if (width > table->widths[i])
			table->widths[i] = width;
	}
}

bool table_row(struct table *table, const char *const cells[])
{
	if (!make_room(table))
		return false;
	table_widen(table, cells);
	for (size_t i = 0; i < table->columns; i++) {
		char *cell = strdup(cells[i]);

		if (!cell)
			return false;
		table->cells[table->count++] = cell;
	}
	return true;
}

void table_print_row(const struct table *table, const char *const cells[], FILE *to)
{
	size_t last = table->columns - 1;

	for (size_t i = 0; i < last; i++)
		fprintf(to, "%-*s" GAP, (int)table->widths[i], cells[i]);
	/* The last column is not padded: no line ends in blanks. */
	fprintf(to, "%s\n", cells[last]);
}

void table_print(const struct table *table, FILE *to)
{
	for (size_t i = 0; i < table->count; i += table->columns)
		table_print_row(table, (const char *const *)table->cells + i, to);
}

void table_freep(struct table **table)
{
	if (!*table)
		return;
	for (size_t i = 0; i < (*table)->count; i++)
		free((*table)->cells[i]);
	free((*table)->cells);
	free(*table);
	*table = NULL;
}

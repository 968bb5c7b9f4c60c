#include <stdio.h>
#include <stdlib.h>

#include "certsync/cleanup.h"
#include "certsync/table.h"
#include "unit.h"

/* What ${table} prints; the caller frees it. */
static char *printed(const struct table *table)
{
	char *text = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	table_print(table, to);
	fclose(to);
	return text;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	_cleanup_(table_freep) struct table *table = table_new(3);
	_cleanup_(string_freep) char *text = NULL;

	(void)state;
	assert_true(table_row(table, (const char *const[]){ "A", "NAME", "LAST" }));
	assert_true(table_row(table, (const char *const[]){ "long", "x", "y" }));
	text = printed(table);
	assert_string_equal(text, "A     NAME  LAST\nlong  x     y\n");
}

static void no_line_ends_in_blanks(void **state)
{
	_cleanup_(table_freep) struct table *table = table_new(2);
	_cleanup_(string_freep) char *text = NULL;

	(void)state;
	assert_true(table_row(table, (const char *const[]){ "a", "a long last cell" }));
	assert_true(table_row(table, (const char *const[]){ "b", "c" }));
	text = printed(table);
	assert_string_equal(text, "a  a long last cell\nb  c\n");
}

static void many_rows_are_kept_in_order(void **state)
{
	_cleanup_(table_freep) struct table *table = table_new(1);
	_cleanup_(string_freep) char *text = NULL;
	char *line;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char cell[16];

		snprintf(cell, sizeof(cell), "%d", i);
		assert_true(table_row(table, (const char *const[]){ cell }));
	}
	line = text = printed(table);
	for (long i = 0; i < 1000; i++) {
		assert_int_equal(strtol(line, &line, 10), i);
		assert_int_equal(*line++, '\n');
	}
	assert_int_equal(*line, '\0');
}

static void rows_that_are_not_kept_fit_those_that_are(void **state)
{
	_cleanup_(table_freep) struct table *table = table_new(2);
	_cleanup_(string_freep) char *text = NULL;
	const char *const wide[] = { "longest", "x" };
	size_t len = 0;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	assert_true(table_row(table, (const char *const[]){ "a", "kept" }));
	table_widen(table, wide);
	table_print(table, to);
	table_print_row(table, wide, to);
	fclose(to);
	assert_string_equal(text, "a        kept\nlongest  x\n");
}

static void a_table_of_too_many_columns_is_not_made(void **state)
{
	(void)state;
	assert_null(table_new(TABLE_COLUMNS_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(no_line_ends_in_blanks),
		cmocka_unit_test(many_rows_are_kept_in_order),
		cmocka_unit_test(rows_that_are_not_kept_fit_those_that_are),
		cmocka_unit_test(a_table_of_too_many_columns_is_not_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

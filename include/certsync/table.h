/* Tables for people: columns as wide as their widest cell. */
#ifndef CERTSYNC_TABLE_H
#define CERTSYNC_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 12

struct table;

/* A table of ${columns} columns, the caller's to table_freep. NULL: out of memory. */
struct table *table_new(size_t columns);

/* Add a row of as many cells (copied) as there are columns. False: out of memory. */
bool table_row(struct table *table, const char *const cells[]);

void table_print(const struct table *table, FILE *to);

/*
 * For more rows than should be kept: first make the columns of ${table} as wide as every row needs,
 * then print row after row.
 */
void table_widen(struct table *table, const char *const cells[]);
void table_print_row(const struct table *table, const char *const cells[], FILE *to);

void table_freep(struct table **table);

#endif

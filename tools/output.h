/* Aligned tables for people. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H
#include "base/check.h"
#include <stdint.h>
#include <jansson.h>

struct table;
/* headers: NULL-terminated; borrowed. */
struct table *table_new(const char *const *headers);
/* One cell of the current row, left to right; after the last the next row begins. */
void table_cell(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints with columns as wide as they need; headers bold on a terminal. Frees. */
void table_print_free(struct table *t);

/* Prints indented JSON and a newline on stdout, and releases it. */
void output_json(json_t *value);
/* "1,2,3" into out. */
void output_ids(const int32_t *ids, int32_t count, char *out, size_t size);
#endif

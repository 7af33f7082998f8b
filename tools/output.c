#include "tools/output.h"
#include "tools/cli.h"
#include <stdarg.h>

struct table {
	const char *const *headers;
	size_t columns;
	char **cells;
	size_t cell_count, capacity;
};

struct table *table_new(const char *const *headers)
{
	struct table *t = (struct table *)check_calloc(1, sizeof(*t));
	t->headers = headers;
	while (headers[t->columns] != NULL)
		t->columns++;
	expect(t->columns > 0);
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	char text[2048];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (t->cell_count == t->capacity) {
		t->capacity = t->capacity == 0 ? 64 : t->capacity * 2;
		t->cells = (char **)check_realloc(t->cells, t->capacity * sizeof(char *));
	}
	t->cells[t->cell_count++] = check_strdup(text);
}

static void print_cell(const char *text, size_t width, bool last)
{
	/* No blanks at the end of lines. */
	if (last)
		(void)printf("%s\n", text);
	else
		(void)printf("%-*s  ", (int)width, text);
}

void table_print_free(struct table *t)
{
	expect(t->cell_count % t->columns == 0);
	size_t *widths = (size_t *)check_calloc(t->columns, sizeof(*widths));
	for (size_t i = 0; i < t->columns; i++)
		widths[i] = strlen(t->headers[i]);
	for (size_t i = 0; i < t->cell_count; i++) {
		size_t n = strlen(t->cells[i]);
		if (n > widths[i % t->columns])
			widths[i % t->columns] = n;
	}
	bool colour = cli_coloured(stdout);
	(void)fputs(colour ? "\033[1m" : "", stdout);
	for (size_t i = 0; i < t->columns; i++)
		print_cell(t->headers[i], widths[i], i + 1 == t->columns);
	(void)fputs(colour ? "\033[0m" : "", stdout);
	for (size_t i = 0; i < t->cell_count; i++) {
		print_cell(t->cells[i], widths[i % t->columns], i % t->columns + 1 == t->columns);
		free(t->cells[i]);
	}
	free(widths);
	free(t->cells);
	free(t);
}

void output_json(json_t *value)
{
	expect(value != NULL);
	(void)json_dumpf(value, stdout, JSON_INDENT(2));
	(void)fputc('\n', stdout);
	json_decref(value);
}

void output_ids(const int32_t *ids, int32_t count, char *out, size_t size)
{
	size_t at = 0;
	out[0] = '\0';
	for (int32_t i = 0; i < count && at + 16 < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%d", i > 0 ? "," : "", (int)ids[i]);
}

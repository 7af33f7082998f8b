/* A settings struct as a table of rows: each value is parsed, range-checked, written, printed and explained by its row. */
#ifndef CONFIG_CONFIG_TABLE_H
#define CONFIG_CONFIG_TABLE_H
#include "base/bytes.h"

/* The first column of the .def files. */
enum setting_kind {
	SETTING_KIND_i32,
	SETTING_KIND_i64,
	SETTING_KIND_f64,
	SETTING_KIND_bool,
	SETTING_KIND_string,
	SETTING_KIND_list,
	SETTING_KIND_flush_policy,
	SETTING_KIND_cleanup_policy,
	SETTING_KIND_timestamp_type,
	SETTING_KIND_topic_compression,
};

struct setting_row {
	const char *key;
	enum setting_kind kind;
	unsigned flags; /* enum setting_flags */
	size_t offset;  /* of the field in the settings struct */
	const char *default_value;
	int64_t min, max; /* numbers; for f64 whole bounds */
	const char *unit;
	const char *text;
};
struct config_table {
	const struct setting_row *rows;
	size_t count;
};

/* NULL when there is none. */
const struct setting_row *config_table_find(const struct config_table *t, const char *key);
/* Zeroes nothing: base is fresh memory. */
void config_table_set_defaults(const struct config_table *t, void *base);
/* Frees the strings of base. */
void config_table_fini(const struct config_table *t, void *base);
/* Parses value into the row's field of base. STATUS_INVALID_CONFIG: ret_failure says "KEY=VALUE: what is allowed"; the field
 * is as before. `key` is what the person wrote: the row may be reached by another name. */
MUST_CHECK enum status config_table_set(const struct setting_row *row, void *base, const char *key, const char *value,
	struct failure *ret_failure);
/* Parses without keeping anything. */
MUST_CHECK enum status config_table_check(const struct setting_row *row, const char *key, const char *value,
	struct failure *ret_failure);
/* The value as config_table_set would read it back. Owned by the caller. */
char *config_table_format(const struct setting_row *row, const void *base);
/* "a whole number from 1 to 64 (threads)" */
enum { CONFIG_ALLOWED_SIZE = 192 };
void config_table_allowed(const struct setting_row *row, char out[CONFIG_ALLOWED_SIZE]);
/* "int", "long", "double", "boolean", "string" or "list": Kafka's names of the types. */
const char *config_table_type_name(enum setting_kind kind);

/* Finds the candidate most like a key; found stays NULL when more than a third of the letters differ. */
struct config_nearest {
	const char *key, *found;
	unsigned distance; /* of found, or one more than is tolerated */
};
void config_nearest_init(struct config_nearest *n, const char *key);
void config_nearest_consider(struct config_nearest *n, const char *candidate);

/* Items of a comma-separated list, blanks around them removed: call until false. *at starts as the list. */
bool config_list_next(const char **at, struct slice *ret_item);
/* s without blanks at its ends. */
struct slice config_trim(struct slice s);
#endif

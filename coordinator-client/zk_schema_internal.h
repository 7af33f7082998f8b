/* JSON in and out, shared by the zk_schema_*.c files: a text under construction, and a reader that latches its first error. */
#ifndef COORDINATOR_CLIENT_ZK_SCHEMA_INTERNAL_H
#define COORDINATOR_CLIENT_ZK_SCHEMA_INTERNAL_H

#include "coordinator-client/zk_schema.h"
#include <jansson.h>

struct schema_text {
	char *p;
	size_t n, capacity;
};
void zk_schema_text_init(struct schema_text *t);
void zk_schema_text_put(struct schema_text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A JSON string, quotes included. */
void zk_schema_text_put_string(struct schema_text *t, const char *s);
void zk_schema_text_put_i32s(struct schema_text *t, const int32_t *values, size_t count);
/* ",<unknown>" unless NULL. */
void zk_schema_text_put_unknown(struct schema_text *t, const char *unknown);
/* NUL-terminated, owned by the caller. */
char *zk_schema_text_take(struct schema_text *t);

struct schema_reader {
	const char *path;
	json_t *root; /* an object once opened */
	enum status status;
	struct failure *failure;
};
/* Parses data as one JSON object. */
void zk_schema_reader_open(struct schema_reader *r, const char *path, struct slice data, struct failure *f);
/* Drops the tree; returns the latched status. */
MUST_CHECK enum status zk_schema_reader_close(struct schema_reader *r);
void zk_schema_reader_fail(struct schema_reader *r, const char *what);
bool zk_schema_reader_ok(const struct schema_reader *r);
/* Integers, also when written as a decimal string. Missing (or null): required fails, else the default. */
enum schema_need { SCHEMA_OPTIONAL, SCHEMA_REQUIRED };
int64_t zk_schema_reader_i64(struct schema_reader *r, const char *key, enum schema_need need, int64_t otherwise);
int32_t zk_schema_reader_i32(struct schema_reader *r, const char *key, enum schema_need need, int32_t otherwise);
/* A copy; NULL when missing or null. */
char *zk_schema_reader_string(struct schema_reader *r, const char *key, enum schema_need need);
/* Borrowed; NULL when missing (required fails) or of another type (always fails). */
json_t *zk_schema_reader_member(struct schema_reader *r, const char *key, json_type type, enum schema_need need);
/* An array of ids, each >= 0, without duplicates, at most ZK_SCHEMA_REPLICAS_MAX. */
void zk_schema_reader_ids(struct schema_reader *r, const char *what, const json_t *array, int32_t **ret_ids,
	size_t *ret_count);
/* The members not named in known (ends with NULL), as text; NULL none. */
char *zk_schema_reader_unknown(struct schema_reader *r, const char *const *known);

/* The config map {"k":"v",...}, in and out. */
void zk_schema_text_put_config(struct schema_text *t, const struct zk_schema_config *c);
void zk_schema_reader_config(struct schema_reader *r, struct zk_schema_config *config);

#endif

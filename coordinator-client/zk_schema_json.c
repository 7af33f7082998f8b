#include "coordinator-client/zk_schema_internal.h"
#include <stdarg.h>

/* --- text ----------------------------------------------------------------- */

void zk_schema_text_init(struct schema_text *t)
{
	*t = (struct schema_text){.capacity = 128};
	t->p = check_alloc(t->capacity);
	t->p[0] = '\0';
}

static void text_reserve(struct schema_text *t, size_t more)
{
	expect(t->p != NULL && t->n < t->capacity);
	if (t->capacity - t->n > more)
		return;
	while (t->capacity - t->n <= more)
		t->capacity *= 2;
	t->p = check_realloc(t->p, t->capacity);
}

void zk_schema_text_put(struct schema_text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(t->p + t->n, t->capacity - t->n, fmt, args);
	va_end(args);
	expect(n >= 0);
	if ((size_t)n >= t->capacity - t->n) {
		text_reserve(t, (size_t)n);
		int n2 = vsnprintf(t->p + t->n, t->capacity - t->n, fmt, again);
		expect(n2 == n);
	}
	va_end(again);
	t->n += (size_t)n;
}

void zk_schema_text_put_string(struct schema_text *t, const char *s)
{
	size_t length = strlen(s);
	text_reserve(t, 6 * length + 2);
	char *out = t->p + t->n;
	*out++ = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\') {
			*out++ = '\\';
			*out++ = (char)c;
		} else if (c < 0x20) {
			static const char hex[] = "0123456789abcdef";
			memcpy(out, "\\u00", 4);
			out[4] = hex[c >> 4];
			out[5] = hex[c & 15];
			out += 6;
		} else {
			*out++ = (char)c;
		}
	}
	*out++ = '"';
	*out = '\0';
	t->n = (size_t)(out - t->p);
	expect(t->n < t->capacity);
}

void zk_schema_text_put_i32s(struct schema_text *t, const int32_t *values, size_t count)
{
	zk_schema_text_put(t, "[");
	for (size_t i = 0; i < count; i++)
		zk_schema_text_put(t, "%s%d", i > 0 ? "," : "", values[i]);
	zk_schema_text_put(t, "]");
}

void zk_schema_text_put_unknown(struct schema_text *t, const char *unknown)
{
	if (unknown != NULL)
		zk_schema_text_put(t, ",%s", unknown);
}

char *zk_schema_text_take(struct schema_text *t)
{
	char *p = t->p;
	expect(p != NULL && p[t->n] == '\0');
	*t = (struct schema_text){0};
	return p;
}

/* --- reader --------------------------------------------------------------- */

void zk_schema_reader_open(struct schema_reader *r, const char *path, struct slice data, struct failure *f)
{
	*r = (struct schema_reader){.path = path, .failure = f};
	if (zk_schema_is_null(data)) {
		zk_schema_reader_fail(r, "is empty");
		return;
	}
	if (data.n > ZK_SCHEMA_PAYLOAD_MAX) {
		zk_schema_reader_fail(r, "is larger than 4 MiB");
		return;
	}
	json_error_t error;
	r->root = json_loadb((const char *)data.p, data.n, JSON_REJECT_DUPLICATES, &error);
	if (r->root == NULL) {
		r->status = failure_set(f, STATUS_CORRUPT, "znode %s is not JSON: %s (byte %d)", path, error.text,
			error.position);
		return;
	}
	if (!json_is_object(r->root))
		zk_schema_reader_fail(r, "is not a JSON object");
}

enum status zk_schema_reader_close(struct schema_reader *r)
{
	json_decref(r->root);
	r->root = NULL;
	return r->status;
}

void zk_schema_reader_fail(struct schema_reader *r, const char *what)
{
	if (r->status == STATUS_OK)
		r->status = failure_set(r->failure, STATUS_CORRUPT, "znode %s %s", r->path, what);
}

bool zk_schema_reader_ok(const struct schema_reader *r)
{
	return r->status == STATUS_OK;
}

static void reader_fail_member(struct schema_reader *r, const char *key, const char *what)
{
	if (r->status == STATUS_OK)
		r->status = failure_set(r->failure, STATUS_CORRUPT, "znode %s: \"%.64s\" %s", r->path, key, what);
}

static json_t *reader_find(struct schema_reader *r, const char *key, enum schema_need need)
{
	if (!zk_schema_reader_ok(r))
		return NULL;
	json_t *value = json_object_get(r->root, key);
	if (value == NULL || json_is_null(value)) {
		if (need == SCHEMA_REQUIRED)
			reader_fail_member(r, key, "is missing");
		return NULL;
	}
	return value;
}

int64_t zk_schema_reader_i64(struct schema_reader *r, const char *key, enum schema_need need, int64_t otherwise)
{
	const json_t *value = reader_find(r, key, need);
	if (value == NULL)
		return otherwise;
	if (json_is_integer(value))
		return json_integer_value(value);
	int64_t number;
	if (json_is_string(value) && bytes_parse_i64(slice_of_str(json_string_value(value)), &number) == STATUS_OK)
		return number;
	reader_fail_member(r, key, "is not an integer");
	return otherwise;
}

int32_t zk_schema_reader_i32(struct schema_reader *r, const char *key, enum schema_need need, int32_t otherwise)
{
	int64_t value = zk_schema_reader_i64(r, key, need, otherwise);
	if (value < INT32_MIN || value > INT32_MAX) {
		reader_fail_member(r, key, "does not fit 32 bits");
		return otherwise;
	}
	return (int32_t)value;
}

char *zk_schema_reader_string(struct schema_reader *r, const char *key, enum schema_need need)
{
	const json_t *value = zk_schema_reader_member(r, key, JSON_STRING, need);
	return value == NULL ? NULL : check_strdup(json_string_value(value));
}

json_t *zk_schema_reader_member(struct schema_reader *r, const char *key, json_type type, enum schema_need need)
{
	json_t *value = reader_find(r, key, need);
	if (value != NULL && json_typeof(value) != type) {
		reader_fail_member(r, key, "has the wrong JSON type");
		return NULL;
	}
	return value;
}

void zk_schema_reader_ids(struct schema_reader *r, const char *what, const json_t *array, int32_t **ret_ids,
	size_t *ret_count)
{
	*ret_ids = NULL;
	*ret_count = 0;
	if (!zk_schema_reader_ok(r))
		return;
	if (!json_is_array(array) || json_array_size(array) > ZK_SCHEMA_REPLICAS_MAX) {
		reader_fail_member(r, what, "is not a list of at most 64 broker ids");
		return;
	}
	size_t count = json_array_size(array);
	int32_t ids[ZK_SCHEMA_REPLICAS_MAX];
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);
		json_int_t id = json_is_integer(item) ? json_integer_value(item) : -1;
		bool good = id >= 0 && id <= INT32_MAX;
		for (size_t j = 0; good && j < i; j++)
			good = ids[j] != (int32_t)id;
		if (!good) {
			reader_fail_member(r, what, "holds something that is not a broker id, or one twice");
			return;
		}
		ids[i] = (int32_t)id;
	}
	*ret_ids = check_alloc(count * sizeof(int32_t) + 1);
	memcpy(*ret_ids, ids, count * sizeof(int32_t));
	*ret_count = count;
}

static bool name_is_known(const char *const *known, const char *name)
{
	for (; *known != NULL; known++) {
		if (strcmp(*known, name) == 0)
			return true;
	}
	return false;
}

char *zk_schema_reader_unknown(struct schema_reader *r, const char *const *known)
{
	if (!zk_schema_reader_ok(r))
		return NULL;
	struct schema_text text = {0};
	const char *key;
	json_t *value;
	json_object_foreach(r->root, key, value) {
		if (name_is_known(known, key))
			continue;
		if (text.p == NULL)
			zk_schema_text_init(&text);
		else
			zk_schema_text_put(&text, ",");
		char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		expect(dump != NULL);
		zk_schema_text_put_string(&text, key);
		zk_schema_text_put(&text, ":%s", dump);
		free(dump);
	}
	return text.p == NULL ? NULL : zk_schema_text_take(&text);
}

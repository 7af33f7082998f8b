#include "config/config_table.h"

#include "config/settings.h"
#include <inttypes.h>
#include <strings.h>

enum { VALUE_SHOWN_MAX = 120 };

/* --- words ------------------------------------------------------------------------------------------------------ */

struct word {
	const char *name;
	int value;
};
static const struct word flush_policies[] = {{"commit", FLUSH_commit}, {"background", FLUSH_background}, {NULL, 0}};
static const struct word cleanup_policies[] = {{"compact", CLEANUP_compact}, {"delete", CLEANUP_delete}, {NULL, 0}};
static const struct word timestamp_types[] = {
	{"CreateTime", TIMESTAMP_CreateTime}, {"LogAppendTime", TIMESTAMP_LogAppendTime}, {NULL, 0}};
static const struct word compressions[] = {{"producer", TOPIC_COMPRESSION_producer},
	{"uncompressed", TOPIC_COMPRESSION_uncompressed}, {"gzip", TOPIC_COMPRESSION_gzip},
	{"snappy", TOPIC_COMPRESSION_snappy}, {"lz4", TOPIC_COMPRESSION_lz4}, {"zstd", TOPIC_COMPRESSION_zstd}, {NULL, 0}};

static const struct {
	const char *type_name;
	size_t size;
	const struct word *words;
} kinds[] = {
	[SETTING_KIND_i32] = {"int", sizeof(int32_t), NULL},
	[SETTING_KIND_i64] = {"long", sizeof(int64_t), NULL},
	[SETTING_KIND_f64] = {"double", sizeof(double), NULL},
	[SETTING_KIND_bool] = {"boolean", sizeof(bool), NULL},
	[SETTING_KIND_string] = {"string", sizeof(char *), NULL},
	[SETTING_KIND_list] = {"list", sizeof(char *), NULL},
	[SETTING_KIND_flush_policy] = {"string", sizeof(enum flush_policy), flush_policies},
	[SETTING_KIND_cleanup_policy] = {"list", sizeof(unsigned), cleanup_policies},
	[SETTING_KIND_timestamp_type] = {"string", sizeof(enum timestamp_type), timestamp_types},
	[SETTING_KIND_topic_compression] = {"string", sizeof(enum topic_compression), compressions},
};

static bool kind_owns_memory(enum setting_kind kind)
{
	return kind == SETTING_KIND_string || kind == SETTING_KIND_list;
}

struct slice config_trim(struct slice s)
{
	size_t from = 0, to = s.n;
	while (from < to && strchr(" \t\r\n\f", s.p[from]) != NULL)
		from++;
	while (to > from && strchr(" \t\r\n\f", s.p[to - 1]) != NULL)
		to--;
	return slice_sub(s, from, to - from);
}

bool config_list_next(const char **at, struct slice *ret_item)
{
	if (*at == NULL || **at == '\0')
		return false;
	size_t n = strcspn(*at, ",");
	*ret_item = config_trim(slice_of(*at, n));
	*at += n + ((*at)[n] == ',');
	return true;
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

union setting_value {
	int32_t i32;
	int64_t i64;
	double f64;
	bool boolean;
	char *string;
	unsigned bits;
	int word;
};

static bool find_word(const struct word *words, struct slice s, int *ret_value)
{
	for (; words->name != NULL; words++)
		if (slice_equal(s, slice_of_str(words->name))) {
			*ret_value = words->value;
			return true;
		}
	return false;
}

static bool parse_bool(struct slice s, bool *ret_value)
{
	bool yes = s.n == 4 && strncasecmp((const char *)s.p, "true", 4) == 0;
	bool no = s.n == 5 && strncasecmp((const char *)s.p, "false", 5) == 0;
	*ret_value = yes;
	return yes || no;
}

static bool parse_cleanup(const char *value, unsigned *ret_bits)
{
	unsigned bits = 0;
	struct slice item;
	while (config_list_next(&value, &item)) {
		int bit = 0;
		if (!find_word(cleanup_policies, item, &bit))
			return false;
		bits |= (unsigned)bit;
	}
	*ret_bits = bits;
	return bits != 0;
}

static bool parse_number(const struct setting_row *row, struct slice s, union setting_value *ret)
{
	int64_t number = 0;
	if (bytes_parse_i64(s, &number) != STATUS_OK || number < row->min || number > row->max)
		return false;
	if (row->kind == SETTING_KIND_i32)
		ret->i32 = (int32_t)number;
	else
		ret->i64 = number;
	return true;
}

/* `value` is trimmed; a string is copied last, when nothing can fail any more. */
static bool parse_value(const struct setting_row *row, const char *value, union setting_value *ret)
{
	struct slice s = slice_of_str(value);
	switch (row->kind) {
	case SETTING_KIND_i32:
	case SETTING_KIND_i64:
		return parse_number(row, s, ret);
	case SETTING_KIND_f64:
		return bytes_parse_double(value, &ret->f64) == STATUS_OK && ret->f64 >= (double)row->min &&
			(row->max == INT64_MAX || ret->f64 <= (double)row->max); /* Kafka's doubles have no largest value */
	case SETTING_KIND_bool:
		return parse_bool(s, &ret->boolean);
	case SETTING_KIND_string:
	case SETTING_KIND_list:
		ret->string = check_strdup(value);
		return true;
	case SETTING_KIND_cleanup_policy:
		return parse_cleanup(value, &ret->bits);
	case SETTING_KIND_flush_policy:
	case SETTING_KIND_timestamp_type:
	case SETTING_KIND_topic_compression:
		return find_word(kinds[row->kind].words, s, &ret->word);
	}
	unreachable("kind of a setting");
}

static void *field_of(const struct setting_row *row, void *base)
{
	return (char *)base + row->offset;
}

/* Fields differ in type, rows only in size: the union's members all begin at its first byte. */
static void store(const struct setting_row *row, void *base, const union setting_value *value)
{
	if (kind_owns_memory(row->kind)) {
		char *old;
		memcpy(&old, field_of(row, base), sizeof(old));
		free(old);
	}
	memcpy(field_of(row, base), value, kinds[row->kind].size);
}

static enum status parse_or_explain(const struct setting_row *row, const char *key, const char *value,
	union setting_value *ret, struct failure *ret_failure)
{
	struct slice s = config_trim(slice_of_str(value));
	char *trimmed = check_strndup((const char *)s.p, s.n);
	bool good = parse_value(row, trimmed, ret);
	if (!good) {
		char allowed[CONFIG_ALLOWED_SIZE];
		config_table_allowed(row, allowed);
		failure_set(ret_failure, STATUS_INVALID_CONFIG, "%s=%.*s: must be %s", key, VALUE_SHOWN_MAX, trimmed, allowed);
	}
	free(trimmed);
	return good ? STATUS_OK : STATUS_INVALID_CONFIG;
}

enum status config_table_set(const struct setting_row *row, void *base, const char *key, const char *value,
	struct failure *ret_failure)
{
	expect(row != NULL && base != NULL);
	union setting_value parsed = {0};
	TRY(parse_or_explain(row, key, value, &parsed, ret_failure));
	store(row, base, &parsed);
	return STATUS_OK;
}

enum status config_table_check(const struct setting_row *row, const char *key, const char *value,
	struct failure *ret_failure)
{
	expect(row != NULL);
	union setting_value parsed = {0};
	TRY(parse_or_explain(row, key, value, &parsed, ret_failure));
	if (kind_owns_memory(row->kind))
		free(parsed.string);
	return STATUS_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

const struct setting_row *config_table_find(const struct config_table *t, const char *key)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->rows[i].key, key) == 0)
			return &t->rows[i];
	return NULL;
}

void config_table_set_defaults(const struct config_table *t, void *base)
{
	for (size_t i = 0; i < t->count; i++) {
		union setting_value parsed = {0};
		struct failure f = {0};
		/* The defaults are ours: one that does not parse is a bug. */
		expect(parse_or_explain(&t->rows[i], t->rows[i].key, t->rows[i].default_value, &parsed, &f) == STATUS_OK);
		memcpy(field_of(&t->rows[i], base), &parsed, kinds[t->rows[i].kind].size);
	}
}

void config_table_fini(const struct config_table *t, void *base)
{
	const union setting_value nothing = {0};
	for (size_t i = 0; i < t->count; i++)
		if (kind_owns_memory(t->rows[i].kind))
			store(&t->rows[i], base, &nothing);
}

static const char *word_name(const struct word *words, int value)
{
	for (; words->name != NULL; words++)
		if (words->value == value)
			return words->name;
	unreachable("value without a word");
}

/* As short as it may be and still read back as the same number. */
static char *format_f64(double v)
{
	double again;
	char *text = check_asprintf("%.15g", v);
	if (bytes_parse_double(text, &again) == STATUS_OK && again >= v && again <= v)
		return text;
	free(text);
	return check_asprintf("%.17g", v);
}

char *config_table_format(const struct setting_row *row, const void *base)
{
	union setting_value v = {0};
	memcpy(&v, (const char *)base + row->offset, kinds[row->kind].size);
	switch (row->kind) {
	case SETTING_KIND_i32:
		return check_asprintf("%" PRId32, v.i32);
	case SETTING_KIND_i64:
		return check_asprintf("%" PRId64, v.i64);
	case SETTING_KIND_f64:
		return format_f64(v.f64);
	case SETTING_KIND_bool:
		return check_strdup(v.boolean ? "true" : "false");
	case SETTING_KIND_string:
	case SETTING_KIND_list:
		return check_strdup(v.string);
	case SETTING_KIND_cleanup_policy:
		return check_strdup(v.bits == (CLEANUP_compact | CLEANUP_delete) ? "compact,delete"
									 : word_name(cleanup_policies, (int)v.bits));
	case SETTING_KIND_flush_policy:
	case SETTING_KIND_timestamp_type:
	case SETTING_KIND_topic_compression:
		return check_strdup(word_name(kinds[row->kind].words, v.word));
	}
	unreachable("kind of a setting");
}

static void allowed_number(const struct setting_row *row, char out[CONFIG_ALLOWED_SIZE])
{
	const char *what = row->kind == SETTING_KIND_f64 ? "a number" : "a whole number";
	int64_t top = row->kind == SETTING_KIND_i32 ? INT32_MAX : INT64_MAX;
	const char *open = row->unit[0] != '\0' ? " (" : "", *close = row->unit[0] != '\0' ? ")" : "";
	if (row->max == top)
		snprintf(out, CONFIG_ALLOWED_SIZE, "%s, %" PRId64 " or more%s%s%s", what, row->min, open, row->unit, close);
	else
		snprintf(out, CONFIG_ALLOWED_SIZE, "%s from %" PRId64 " to %" PRId64 "%s%s%s", what, row->min, row->max, open,
			row->unit, close);
}

void config_table_allowed(const struct setting_row *row, char out[CONFIG_ALLOWED_SIZE])
{
	switch (row->kind) {
	case SETTING_KIND_i32:
	case SETTING_KIND_i64:
	case SETTING_KIND_f64:
		allowed_number(row, out);
		return;
	case SETTING_KIND_bool:
		snprintf(out, CONFIG_ALLOWED_SIZE, "true or false");
		return;
	case SETTING_KIND_string:
		snprintf(out, CONFIG_ALLOWED_SIZE, "text");
		return;
	case SETTING_KIND_list:
		snprintf(out, CONFIG_ALLOWED_SIZE, "a list separated by commas");
		return;
	case SETTING_KIND_cleanup_policy:
		snprintf(out, CONFIG_ALLOWED_SIZE, "delete, compact, or both separated by a comma");
		return;
	case SETTING_KIND_flush_policy:
	case SETTING_KIND_timestamp_type:
	case SETTING_KIND_topic_compression:
		break;
	}
	size_t at = 0;
	for (const struct word *w = kinds[row->kind].words; w->name != NULL; w++) {
		const char *before = w == kinds[row->kind].words ? "" : w[1].name != NULL ? ", " : " or ";
		int n = snprintf(out + at, CONFIG_ALLOWED_SIZE - at, "%s%s", before, w->name);
		expect(n > 0 && (size_t)n < CONFIG_ALLOWED_SIZE - at);
		at += (size_t)n;
	}
}

const char *config_table_type_name(enum setting_kind kind)
{
	expect((size_t)kind < sizeof(kinds) / sizeof(kinds[0]));
	return kinds[kind].type_name;
}

/* --- "did you mean" -------------------------------------------------------------------------------------------------- */

void config_nearest_init(struct config_nearest *n, const char *key)
{
	enum { LEAST = 1, MOST = 6 };
	size_t third = strlen(key) / 3;
	unsigned tolerated = third < LEAST ? LEAST : third > MOST ? MOST : (unsigned)third;
	*n = (struct config_nearest){.key = key, .distance = tolerated + 1};
}

void config_nearest_consider(struct config_nearest *n, const char *candidate)
{
	expect(n->distance > 0);
	unsigned distance = bytes_edit_distance(candidate, n->key, n->distance);
	if (distance < n->distance) {
		n->distance = distance > 0 ? distance : 1;
		n->found = candidate;
	}
}

#include "tests/unit/kafka_random.h"

enum { TEXT_MAX = 24, RECORDS_MAX = 200, ARRAY_MAX = 4, IOVECS_MAX = 64 };

uint32_t kafka_random_next(struct kafka_random *r, uint32_t below)
{
	r->seed = r->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(r->seed >> 33) % below;
}

static int64_t random_i64(struct kafka_random *r)
{
	int64_t v = (int64_t)((uint64_t)kafka_random_next(r, 1u << 31) << 33 ^ (uint64_t)kafka_random_next(r, 1u << 31) << 2);
	unsigned narrow = kafka_random_next(r, 3); /* small and negative ones are as likely */
	return narrow == 0 ? v : narrow == 1 ? v >> 50 : -1;
}

static const char *random_text(struct kafka_random *r)
{
	size_t n = kafka_random_next(r, TEXT_MAX);
	char *text = arena_calloc(r->arena, 1, n + 1);
	expect(text != NULL);
	for (size_t i = 0; i < n; i++)
		text[i] = (char)('a' + (int)kafka_random_next(r, 26));
	return text;
}

static struct kafka_records random_records(struct kafka_random *r)
{
	size_t n = kafka_random_next(r, RECORDS_MAX);
	uint8_t *bytes = arena_calloc(r->arena, 1, n + 1);
	expect(bytes != NULL);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)kafka_random_next(r, 256);
	return (struct kafka_records){.bytes = slice_of(bytes, n)};
}

static size_t element_size(const struct kafka_field *f)
{
	if (f->kind == KAFKA_array)
		return f->element->size;
	if (f->kind == KAFKA_list_i32)
		return sizeof(int32_t);
	if (f->kind == KAFKA_list_i64)
		return sizeof(int64_t);
	expect(f->kind == KAFKA_list_string);
	return sizeof(char *);
}

static void random_list(struct kafka_random *r, const struct kafka_field *f, uint8_t *message)
{
	int32_t count = (int32_t)kafka_random_next(r, ARRAY_MAX);
	uint8_t *elements = arena_calloc(r->arena, (size_t)count + 1, element_size(f));
	expect(elements != NULL);
	for (int32_t i = 0; i < count; i++) {
		uint8_t *at = elements + (size_t)i * element_size(f);
		if (f->kind == KAFKA_array)
			kafka_random_fill(r, f->element, at);
		else if (f->kind == KAFKA_list_i32)
			*(int32_t *)(void *)at = (int32_t)random_i64(r);
		else if (f->kind == KAFKA_list_i64)
			*(int64_t *)(void *)at = random_i64(r);
		else
			*(const char **)(void *)at = random_text(r);
	}
	memcpy(message + f->offset, &elements, sizeof(elements));
	memcpy(message + f->count_offset, &count, sizeof(count));
}

static void random_null(const struct kafka_field *f, uint8_t *message)
{
	const int32_t count = -1;
	if (f->kind >= KAFKA_array) {
		memset(message + f->offset, 0, sizeof(void *));
		memcpy(message + f->count_offset, &count, sizeof(count));
	} else if (f->kind == KAFKA_string || f->kind == KAFKA_maybe) {
		memset(message + f->offset, 0, sizeof(void *));
	} else if (f->kind == KAFKA_bytes) {
		memset(message + f->offset, 0, sizeof(struct slice));
	} else {
		memset(message + f->offset, 0, sizeof(struct kafka_records));
	}
}

static void *random_object(struct kafka_random *r, const struct kafka_struct *s)
{
	void *object = arena_calloc(r->arena, 1, s->size);
	expect(object != NULL);
	kafka_random_fill(r, s, object);
	return object;
}

static void random_field(struct kafka_random *r, const struct kafka_field *f, uint8_t *message)
{
	void *at = message + f->offset;
	switch (f->kind) {
	case KAFKA_bool:
		*(bool *)at = kafka_random_next(r, 2) == 1;
		break;
	case KAFKA_i8:
		*(int8_t *)at = (int8_t)random_i64(r);
		break;
	case KAFKA_i16:
		*(int16_t *)at = (int16_t)random_i64(r);
		break;
	case KAFKA_i32:
		*(int32_t *)at = (int32_t)random_i64(r);
		break;
	case KAFKA_i64:
		*(int64_t *)at = random_i64(r);
		break;
	case KAFKA_uuid:
		for (size_t i = 0; i < sizeof(struct uuid); i++)
			((struct uuid *)at)->b[i] = (uint8_t)kafka_random_next(r, 256);
		break;
	case KAFKA_string:
		*(const char **)at = random_text(r);
		break;
	case KAFKA_bytes:
		*(struct slice *)at = random_records(r).bytes;
		break;
	case KAFKA_records:
		*(struct kafka_records *)at = random_records(r);
		break;
	case KAFKA_object:
		kafka_random_fill(r, f->element, at);
		break;
	case KAFKA_maybe:
		*(void **)at = random_object(r, f->element);
		break;
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
	default:
		random_list(r, f, message);
		break;
	}
}

void kafka_random_fill(struct kafka_random *r, const struct kafka_struct *s, void *ret_message)
{
	kafka_messages_init(s, ret_message);
	for (size_t i = 0; i < s->field_count; i++) {
		const struct kafka_field *f = &s->fields[i];
		if (!kafka_messages_field_in(f, r->version))
			continue;
		if (f->tag >= 0 && kafka_random_next(r, 2) == 0)
			continue; /* default: not sent */
		if (r->version >= f->null_from && kafka_random_next(r, 3) == 0)
			random_null(f, ret_message);
		else
			random_field(r, f, ret_message);
	}
}

/* --- comparison ---------------------------------------------------------- */

static size_t scalar_size(enum kafka_kind kind)
{
	static const size_t sizes[] = {[KAFKA_bool] = sizeof(bool), [KAFKA_i8] = 1, [KAFKA_i16] = 2, [KAFKA_i32] = 4, [KAFKA_i64] = 8,
		[KAFKA_uuid] = sizeof(struct uuid)};
	expect(kind <= KAFKA_uuid);
	return sizes[kind];
}

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static const char *list_difference(const struct kafka_field *f, const uint8_t *a, const uint8_t *b)
{
	const uint8_t *first, *second;
	int32_t count, other;
	memcpy(&count, a + f->count_offset, sizeof(count));
	memcpy(&other, b + f->count_offset, sizeof(other));
	if (count != other)
		return f->name;
	memcpy(&first, a + f->offset, sizeof(first));
	memcpy(&second, b + f->offset, sizeof(second));
	for (int32_t i = 0; i < count; i++) {
		const uint8_t *x = first + (size_t)i * element_size(f), *y = second + (size_t)i * element_size(f);
		if (f->kind == KAFKA_array) {
			const char *difference = kafka_random_difference(f->element, x, y);
			if (difference != NULL)
				return difference;
		} else if (f->kind == KAFKA_list_string) {
			if (!same_text(*(const char *const *)(const void *)x, *(const char *const *)(const void *)y))
				return f->name;
		} else if (memcmp(x, y, element_size(f)) != 0) {
			return f->name;
		}
	}
	return NULL;
}

static const char *maybe_difference(const struct kafka_field *f, const void *a, const void *b)
{
	if (a == NULL || b == NULL)
		return a == b ? NULL : f->name;
	return kafka_random_difference(f->element, a, b);
}

static bool same_bytes(struct slice a, struct slice b)
{
	return (a.p == NULL) == (b.p == NULL) && slice_equal(a, b);
}

static bool same_records(const struct kafka_records *a, const struct kafka_records *b)
{
	return same_bytes(a->bytes, b->bytes);
}

const char *kafka_random_difference(const struct kafka_struct *s, const void *a, const void *b)
{
	for (size_t i = 0; i < s->field_count; i++) {
		const struct kafka_field *f = &s->fields[i];
		const void *x = (const uint8_t *)a + f->offset, *y = (const uint8_t *)b + f->offset;
		const char *difference = NULL;
		bool same = true;
		if (f->kind >= KAFKA_array)
			difference = list_difference(f, a, b);
		else if (f->kind == KAFKA_object)
			difference = kafka_random_difference(f->element, x, y);
		else if (f->kind == KAFKA_maybe)
			difference = maybe_difference(f, *(const void *const *)x, *(const void *const *)y);
		else if (f->kind == KAFKA_bytes)
			same = same_bytes(*(const struct slice *)x, *(const struct slice *)y);
		else if (f->kind == KAFKA_string)
			same = same_text(*(const char *const *)x, *(const char *const *)y);
		else if (f->kind == KAFKA_records)
			same = same_records(x, y);
		else
			same = memcmp(x, y, scalar_size(f->kind)) == 0;
		if (!same)
			return f->name;
		if (difference != NULL)
			return difference;
	}
	return NULL;
}

struct slice kafka_random_gather(struct arena *a, const struct iobuf *b)
{
	struct iovec iov[IOVECS_MAX];
	uint8_t *copy = arena_alloc(a, b->size_bytes + 1);
	size_t n = 0;
	expect(copy != NULL);
	int count = iobuf_peek_iov(b, iov, IOVECS_MAX);
	for (int i = 0; i < count; i++) {
		memcpy(copy + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	expect(n == b->size_bytes);
	return slice_of(copy, n);
}

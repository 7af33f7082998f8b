#include "tools/client/consumer_protocol.h"

enum {
	WRITTEN_VERSION = 3,
	WITH_OWNED = 1,
	WITH_GENERATION = 2,
	STICKY_DATA_BYTES = 4, /* CooperativeStickyAssignor: the generation, for members that know no version 2 */
};

/* ---- sizes, then bytes ---- */

static size_t text_size(const char *s)
{
	return 2 + strlen(s);
}

static size_t sets_size(const struct partition_sets *p)
{
	size_t n = 4;
	for (size_t i = 0; i < p->count; i++)
		n += text_size(p->topics[i].topic) + 4 + 4 * p->topics[i].count;
	return n;
}

static void write_text(struct byte_writer *w, const char *s)
{
	struct slice text = slice_of_str(s);
	if (text.n > INT16_MAX) {
		w->status = STATUS_TOO_LARGE;
		return;
	}
	byte_writer_i16(w, (int16_t)text.n);
	byte_writer_bytes(w, text);
}

static void write_sets(struct byte_writer *w, const struct partition_sets *p)
{
	byte_writer_i32(w, (int32_t)p->count);
	for (size_t i = 0; i < p->count; i++) {
		write_text(w, p->topics[i].topic);
		byte_writer_i32(w, (int32_t)p->topics[i].count);
		for (size_t k = 0; k < p->topics[i].count; k++)
			byte_writer_i32(w, p->topics[i].partitions[k]);
	}
}

static enum status finish(const struct byte_writer *w, struct slice *ret_bytes)
{
	TRY(w->status);
	expect(w->at <= w->size);
	*ret_bytes = slice_of(w->p, w->at);
	return STATUS_OK;
}

enum status consumer_protocol_write_subscription(struct arena *a, const struct subscription *s, bool with_generation,
	struct slice *ret_bytes)
{
	struct byte_writer w;
	size_t size = 2 + 4 + 4 + STICKY_DATA_BYTES + sets_size(&s->owned) + 4 + 2;
	for (size_t i = 0; i < s->topic_count; i++)
		size += text_size(s->topics[i]);
	uint8_t *p = arena_alloc(a, size);
	if (p == NULL)
		return STATUS_TOO_LARGE;
	byte_writer_init(&w, p, size);
	byte_writer_i16(&w, WRITTEN_VERSION);
	byte_writer_i32(&w, (int32_t)s->topic_count);
	for (size_t i = 0; i < s->topic_count; i++)
		write_text(&w, s->topics[i]);
	byte_writer_i32(&w, with_generation ? STICKY_DATA_BYTES : -1);
	if (with_generation)
		byte_writer_i32(&w, s->generation);
	write_sets(&w, &s->owned);
	byte_writer_i32(&w, s->generation);
	byte_writer_i16(&w, -1); /* no rack */
	return finish(&w, ret_bytes);
}

enum status consumer_protocol_write_assignment(struct arena *a, const struct partition_sets *p, struct slice *ret_bytes)
{
	struct byte_writer w;
	size_t size = 2 + sets_size(p) + 4;
	uint8_t *room = arena_alloc(a, size);
	if (room == NULL)
		return STATUS_TOO_LARGE;
	byte_writer_init(&w, room, size);
	byte_writer_i16(&w, WRITTEN_VERSION);
	write_sets(&w, p);
	byte_writer_i32(&w, -1); /* no user data */
	return finish(&w, ret_bytes);
}

/* ---- reading ---- */

/* A count of elements of at least so many bytes each: more than the bytes that are left cannot be meant. */
static enum status read_count(struct byte_reader *r, size_t element_bytes, size_t *ret_count)
{
	int32_t n = byte_reader_i32(r);
	TRY(r->status);
	if (n < 0 || (size_t)n > byte_reader_left(r) / element_bytes)
		return STATUS_TRUNCATED;
	*ret_count = (size_t)n;
	return STATUS_OK;
}

static enum status read_text(struct byte_reader *r, struct arena *a, const char **ret_text)
{
	int16_t n = byte_reader_i16(r);
	TRY(r->status);
	if (n < 0)
		return STATUS_INVALID_REQUEST;
	struct slice text = byte_reader_bytes(r, (size_t)n);
	TRY(r->status);
	if (n > 0 && memchr(text.p, '\0', text.n) != NULL)
		return STATUS_INVALID_REQUEST;
	*ret_text = arena_strdup(a, text);
	return *ret_text == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status read_set(struct byte_reader *r, struct arena *a, struct partition_set *ret_set)
{
	TRY(read_text(r, a, &ret_set->topic));
	TRY(read_count(r, 4, &ret_set->count));
	ret_set->partitions = arena_calloc(a, ret_set->count + 1, sizeof(int32_t));
	if (ret_set->partitions == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < ret_set->count; i++)
		ret_set->partitions[i] = byte_reader_i32(r);
	return r->status;
}

static enum status read_sets(struct byte_reader *r, struct arena *a, struct partition_sets *ret_sets)
{
	struct partition_sets sets = {0};
	TRY(read_count(r, 6, &sets.count));
	sets.topics = arena_calloc(a, sets.count + 1, sizeof(*sets.topics));
	if (sets.topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < sets.count; i++)
		TRY(read_set(r, a, &sets.topics[i]));
	*ret_sets = sets;
	return STATUS_OK;
}

static enum status read_topics(struct byte_reader *r, struct arena *a, struct subscription *s)
{
	TRY(read_count(r, 2, &s->topic_count));
	s->topics = arena_calloc(a, s->topic_count + 1, sizeof(*s->topics));
	if (s->topics == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < s->topic_count; i++)
		TRY(read_text(r, a, &s->topics[i]));
	return STATUS_OK;
}

enum status consumer_protocol_read_subscription(struct arena *a, struct slice bytes, struct subscription *ret_subscription)
{
	struct subscription s = {.generation = -1};
	struct byte_reader r;
	byte_reader_init(&r, bytes);
	int16_t version = byte_reader_i16(&r);
	TRY(r.status);
	if (version < 0)
		return STATUS_INVALID_REQUEST;
	TRY(read_topics(&r, a, &s));
	int32_t data_bytes = byte_reader_i32(&r);
	struct slice data = byte_reader_bytes(&r, data_bytes > 0 ? (size_t)data_bytes : 0);
	TRY(r.status);
	if (version >= WITH_OWNED)
		TRY(read_sets(&r, a, &s.owned));
	if (version >= WITH_GENERATION)
		s.generation = byte_reader_i32(&r);
	else if (data.n == STICKY_DATA_BYTES)
		s.generation = bytes_get_i32(data.p);
	TRY(r.status);
	*ret_subscription = s;
	return STATUS_OK;
}

enum status consumer_protocol_read_assignment(struct arena *a, struct slice bytes, struct partition_sets *ret_partitions)
{
	struct byte_reader r;
	if (bytes.n == 0) {
		*ret_partitions = (struct partition_sets){0};
		return STATUS_OK;
	}
	byte_reader_init(&r, bytes);
	int16_t version = byte_reader_i16(&r);
	TRY(r.status);
	return version < 0 ? STATUS_INVALID_REQUEST : read_sets(&r, a, ret_partitions);
}

/* ---- sets ---- */

bool partition_sets_have(const struct partition_sets *p, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->topics[i].topic, topic) != 0)
			continue;
		for (size_t k = 0; k < p->topics[i].count; k++)
			if (p->topics[i].partitions[k] == partition)
				return true;
	}
	return false;
}

size_t partition_sets_count(const struct partition_sets *p)
{
	size_t n = 0;
	for (size_t i = 0; i < p->count; i++)
		n += p->topics[i].count;
	return n;
}

/* The Kafka codec: every table round-trips in every version, hostile bytes are refused within bounded memory, and a few frames known
 * byte by byte. */
#include "tests/unit/kafka_random.h"
#include "tests/unit/unit.h"
#include "wire/kafka_codec.h"

#include <stdint.h>

enum { ROUNDS = 40, LENGTH_BYTES = 4, HEADER_BYTES = 8, MEMORY = 8 * 1024 * 1024 };

struct case_state {
	const struct kafka_api *api;
	struct kafka_header header;
	struct arena arena;
	struct kafka_random random;
};

static void state_init(struct case_state *t, enum kafka_api_id id, int16_t version, uint64_t seed)
{
	t->api = kafka_messages_api(id);
	arena_init(&t->arena, MEMORY);
	t->random = (struct kafka_random){.seed = seed, .arena = &t->arena, .version = version};
	t->header = (struct kafka_header){
		.api_key = t->api->key,
		.api_version = version,
		.correlation_id = (int32_t)kafka_random_next(&t->random, 1u << 31),
		.client_id = kafka_random_next(&t->random, 2) == 0 ? NULL : "a client",
	};
}

/* The frame without its length, which must be right. */
static struct slice frame_of(struct case_state *t, struct iobuf *b)
{
	struct slice all = kafka_random_gather(&t->arena, b);
	ck_assert_uint_eq(bytes_get_u32(all.p), all.n - LENGTH_BYTES);
	iobuf_fini(b);
	return slice_sub(all, LENGTH_BYTES, all.n - LENGTH_BYTES);
}

static struct slice random_request(struct case_state *t, void **ret_body)
{
	struct iobuf b;
	iobuf_init(&b);
	*ret_body = arena_alloc(&t->arena, t->api->request->size);
	kafka_random_fill(&t->random, t->api->request, *ret_body);
	ck_assert_int_eq(kafka_codec_encode_request(t->api, &t->header, *ret_body, NULL, &b), STATUS_OK);
	return frame_of(t, &b);
}

static struct slice random_response(struct case_state *t, void **ret_body)
{
	struct iobuf b;
	iobuf_init(&b);
	*ret_body = arena_alloc(&t->arena, t->api->response->size);
	kafka_random_fill(&t->random, t->api->response, *ret_body);
	ck_assert_int_eq(kafka_codec_encode_response(t->api, &t->header, *ret_body, NULL, &b), STATUS_OK);
	return frame_of(t, &b);
}

static void round_trip(enum kafka_api_id id, int16_t version, uint64_t seed)
{
	struct case_state t;
	struct kafka_header header;
	int32_t correlation_id;
	void *sent, *got;
	state_init(&t, id, version, seed);
	struct slice frame = random_request(&t, &sent);
	ck_assert_int_eq(kafka_codec_decode_request(&t.arena, frame, t.api, &header, &got), STATUS_OK);
	ck_assert_int_eq(header.correlation_id, t.header.correlation_id);
	ck_assert_int_eq(header.client_id == NULL, t.header.client_id == NULL);
	ck_assert_ptr_null(kafka_random_difference(t.api->request, sent, got));
	frame = random_response(&t, &sent);
	ck_assert_int_eq(kafka_codec_decode_response(&t.arena, frame, t.api, version, &correlation_id, &got), STATUS_OK);
	ck_assert_int_eq(correlation_id, t.header.correlation_id);
	ck_assert_ptr_null(kafka_random_difference(t.api->response, sent, got));
	arena_fini(&t.arena);
}

START_TEST(every_table_round_trips)
{
	for (int id = 0; id < KAFKA_API_COUNT; id++) {
		const struct kafka_api *api = kafka_messages_api((enum kafka_api_id)id);
		for (int16_t v = api->first; v <= api->last; v++)
			for (uint64_t seed = 0; seed < ROUNDS; seed++)
				round_trip((enum kafka_api_id)id, v, seed);
	}
}
END_TEST

/* A frame cut anywhere is refused. Each cut lies in memory of its own size: the sanitizer sees any byte read behind it. */
static void cut_everywhere(struct case_state *t, struct slice frame)
{
	for (size_t n = 0; n < frame.n; n++) {
		struct kafka_header header;
		struct arena arena;
		void *got;
		uint8_t *cut = malloc(n + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut + 1, frame.p, n);
		arena_init(&arena, MEMORY);
		ck_assert_int_ne(kafka_codec_decode_request(&arena, slice_of(cut + 1, n), t->api, &header, &got), STATUS_OK);
		arena_fini(&arena);
		free(cut);
	}
}

START_TEST(cut_frames_are_refused)
{
	for (int id = 0; id < KAFKA_API_COUNT; id++) {
		const struct kafka_api *api = kafka_messages_api((enum kafka_api_id)id);
		for (int16_t v = api->first; v <= api->last; v++) {
			struct case_state t;
			void *sent;
			state_init(&t, (enum kafka_api_id)id, v, (uint64_t)v + 7);
			cut_everywhere(&t, random_request(&t, &sent));
			arena_fini(&t.arena);
		}
	}
}
END_TEST

/* Any byte changed: whatever comes of it stays within the arena's limit, and what decodes can be encoded. */
static void change_bytes(struct case_state *t, struct slice frame)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct kafka_header header;
		struct arena arena;
		struct iobuf b;
		void *got;
		uint8_t *changed = arena_alloc(&t->arena, frame.n);
		ck_assert_ptr_nonnull(changed);
		memcpy(changed, frame.p, frame.n);
		uint32_t at = HEADER_BYTES + kafka_random_next(&t->random, (uint32_t)frame.n - HEADER_BYTES);
		changed[at] = (uint8_t)kafka_random_next(&t->random, 256);
		arena_init(&arena, MEMORY);
		iobuf_init(&b);
		if (kafka_codec_decode_request(&arena, slice_of(changed, frame.n), t->api, &header, &got) == STATUS_OK)
			ck_assert_int_eq(kafka_codec_encode_request(t->api, &header, got, NULL, &b), STATUS_OK);
		iobuf_fini(&b);
		arena_fini(&arena);
	}
}

START_TEST(changed_frames_are_harmless)
{
	for (int id = 0; id < KAFKA_API_COUNT; id++) {
		const struct kafka_api *api = kafka_messages_api((enum kafka_api_id)id);
		for (int16_t v = api->first; v <= api->last; v++) {
			struct case_state t;
			void *sent;
			state_init(&t, (enum kafka_api_id)id, v, (uint64_t)v + 99);
			change_bytes(&t, random_request(&t, &sent));
			arena_fini(&t.arena);
		}
	}
}
END_TEST

/* --- known bytes ---------------------------------------------------------- */

static enum status decode(struct arena *a, const void *bytes, size_t n, enum kafka_api_id id, void **ret_body)
{
	struct kafka_header header;
	arena_init(a, MEMORY);
	return kafka_codec_decode_request(a, slice_of(bytes, n), kafka_messages_api(id), &header, ret_body);
}

#define DECODE(arena, bytes, id, ret_body) decode(arena, bytes, sizeof(bytes) - 1, id, (void **)(ret_body))

START_TEST(api_versions_3_as_librdkafka_sends_it)
{
	static const char bytes[] = "\0\x12\0\3\0\0\0\1\0\7rdkafka\0\013librdkafka\0062.0.2\0";
	struct kafka_api_versions_request *m = NULL;
	struct arena a;
	ck_assert_int_eq(DECODE(&a, bytes, KAFKA_API_api_versions, &m), STATUS_OK);
	ck_assert_str_eq(m->client_software_name, "librdkafka");
	ck_assert_str_eq(m->client_software_version, "2.0.2");
	arena_fini(&a);
}
END_TEST

START_TEST(null_and_empty_arrays_differ)
{
	static const char all[] = "\0\3\0\1\0\0\0\1\xff\xff\xff\xff\xff\xff", none[] = "\0\3\0\1\0\0\0\1\xff\xff\0\0\0\0";
	static const char old[] = "\0\3\0\0\0\0\0\1\xff\xff\xff\xff\xff\xff";
	struct kafka_metadata_request *m = NULL;
	struct arena a;
	ck_assert_int_eq(DECODE(&a, all, KAFKA_API_metadata, &m), STATUS_OK);
	ck_assert_int_eq(m->topics_count, -1);
	ck_assert(m->allow_auto_topic_creation); /* absent in version 1: its default */
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, none, KAFKA_API_metadata, &m), STATUS_OK);
	ck_assert_int_eq(m->topics_count, 0);
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, old, KAFKA_API_metadata, &m), STATUS_INVALID_REQUEST); /* version 0 has no null */
	arena_fini(&a);
}
END_TEST

START_TEST(unknown_tags_are_skipped)
{
	/* Metadata 9 of no topic; tag 5 in the header, tags 0 and 300 in the body. */
	static const char bytes[] = "\0\3\0\x09\0\0\0\1\xff\xff\1\5\2xy\1\1\0\0\2\0\1z\xac\2\0";
	static const char twice[] = "\0\3\0\x09\0\0\0\1\xff\xff\0\1\1\0\0\2\0\1z\0\1z";
	struct kafka_metadata_request *m = NULL;
	struct arena a;
	ck_assert_int_eq(DECODE(&a, bytes, KAFKA_API_metadata, &m), STATUS_OK);
	ck_assert_int_eq(m->topics_count, 0);
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, twice, KAFKA_API_metadata, &m), STATUS_INVALID_REQUEST);
	arena_fini(&a);
}
END_TEST

START_TEST(hostile_counts_allocate_nothing)
{
	static const char huge[] = "\0\3\0\1\0\0\0\1\xff\xff\x7f\xff\xff\xff\0\1t";
	static const char huge_compact[] = "\0\3\0\x09\0\0\0\1\xff\xff\0\xff\xff\xff\xff\x0f\2t\0";
	static const char negative[] = "\0\3\0\1\0\0\0\1\xff\xff\xff\xff\xff\xfe";
	static const char with_nul[] = "\0\3\0\1\0\0\0\1\xff\xff\0\0\0\1\0\2t\0";
	struct kafka_metadata_request *m = NULL;
	struct arena a;
	ck_assert_int_eq(DECODE(&a, huge, KAFKA_API_metadata, &m), STATUS_TRUNCATED);
	ck_assert_uint_lt(a.used_bytes, 256);
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, huge_compact, KAFKA_API_metadata, &m), STATUS_TRUNCATED);
	ck_assert_uint_lt(a.used_bytes, 256);
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, negative, KAFKA_API_metadata, &m), STATUS_INVALID_REQUEST);
	arena_fini(&a);
	ck_assert_int_eq(DECODE(&a, with_nul, KAFKA_API_metadata, &m), STATUS_INVALID_REQUEST);
	arena_fini(&a);
}
END_TEST

START_TEST(arena_limit_is_kept)
{
	static const char bytes[] = "\0\3\0\1\0\0\0\1\xff\xff\0\0\0\1\0\1t";
	struct kafka_header header;
	struct arena a;
	void *got;
	arena_init(&a, sizeof(struct kafka_metadata_request) + 8);
	ck_assert_int_eq(kafka_codec_decode_request(&a, slice_of(bytes, sizeof(bytes) - 1), kafka_messages_api(KAFKA_API_metadata),
		&header, &got), STATUS_TOO_LARGE);
	arena_fini(&a);
}
END_TEST

START_TEST(unknown_versions_are_refused)
{
	static const char bytes[] = "\0\3\0\x63\0\0\0\1\xff\xff";
	struct kafka_metadata_request *m = NULL;
	struct arena a;
	ck_assert_int_eq(DECODE(&a, bytes, KAFKA_API_metadata, &m), STATUS_UNSUPPORTED_VERSION);
	arena_fini(&a);
	ck_assert_ptr_null(kafka_messages_find(4711));
}
END_TEST

/* Its answer has the old header even in flexible versions. */
START_TEST(answer_to_api_versions_has_no_header_tags)
{
	static const char wanted[] = "\0\0\0\x13\0\0\0\5\0\0\2\0\x12\0\0\0\4\0\0\0\0\0\0";
	struct kafka_api_versions_response_key key = {.api_key = 18, .max_version = 4};
	struct kafka_api_versions_response m;
	struct arena a;
	struct iobuf b;
	const struct kafka_api *api = kafka_messages_api(KAFKA_API_api_versions);
	const struct kafka_header header = {.api_key = 18, .api_version = 3, .correlation_id = 5};
	arena_init(&a, MEMORY);
	iobuf_init(&b);
	kafka_messages_init(api->response, &m);
	m.api_keys = &key;
	m.api_keys_count = 1;
	ck_assert_int_eq(kafka_codec_encode_response(api, &header, &m, NULL, &b), STATUS_OK);
	struct slice got = kafka_random_gather(&a, &b);
	ck_assert_uint_eq(got.n, sizeof(wanted) - 1);
	ck_assert_mem_eq(got.p, wanted, got.n);
	iobuf_fini(&b);
	arena_fini(&a);
}
END_TEST

/* --- payload -------------------------------------------------------------- */

static void fill_fetched(struct kafka_fetch_response_topic_partition *p, int32_t index, size_t record_bytes)
{
	p->partition_index = index;
	p->aborted_transactions_count = -1;
	p->records = (struct kafka_records){.bytes = {.n = record_bytes}, .in_payload = true};
}

START_TEST(records_come_from_the_payload_uncopied)
{
	struct kafka_fetch_response_topic_partition partitions[3];
	struct kafka_fetch_response_topic topic = {.topic = "t", .partitions = partitions, .partitions_count = 3};
	struct kafka_fetch_response m, *got = NULL;
	const struct kafka_api *api = kafka_messages_api(KAFKA_API_fetch);
	const struct kafka_header header = {.api_key = 1, .api_version = 12, .correlation_id = 5};
	static const size_t sizes[] = {5, 0, 7};
	struct iobuf_block *block = iobuf_block_new(12);
	struct iobuf payload, b;
	struct arena a;
	int32_t correlation_id;
	ck_assert_ptr_nonnull(block);
	memcpy(block->data, "first-second", 12);
	arena_init(&a, MEMORY);
	iobuf_init(&payload);
	iobuf_init(&b);
	iobuf_append_block(&payload, block, block->data, 12);
	kafka_messages_init(api->response, &m);
	m.responses = &topic;
	m.responses_count = 1;
	for (int32_t i = 0; i < 3; i++) {
		kafka_messages_init(&(struct kafka_struct){.size = sizeof(partitions[i])}, &partitions[i]);
		partitions[i].current_leader.leader_id = partitions[i].current_leader.leader_epoch = -1;
		partitions[i].diverging_epoch.epoch = -1;
		partitions[i].diverging_epoch.end_offset = -1;
		fill_fetched(&partitions[i], i, sizes[i]);
	}
	ck_assert_int_eq(kafka_codec_encode_response(api, &header, &m, &payload, &b), STATUS_OK);
	ck_assert_uint_eq(payload.size_bytes, 0);
	ck_assert_ptr_eq(b.fragments[b.first + 1].p, block->data);
	struct slice frame = kafka_random_gather(&a, &b);
	frame = slice_sub(frame, LENGTH_BYTES, frame.n - LENGTH_BYTES);
	ck_assert_int_eq(kafka_codec_decode_response(&a, frame, api, 12, &correlation_id, (void **)&got), STATUS_OK);
	ck_assert_mem_eq(got->responses[0].partitions[0].records.bytes.p, "first", 5);
	ck_assert_uint_eq(got->responses[0].partitions[1].records.bytes.n, 0);
	ck_assert_mem_eq(got->responses[0].partitions[2].records.bytes.p, "-second", 7);
	ck_assert_int_eq(got->responses[0].partitions[2].aborted_transactions_count, -1);
	iobuf_fini(&b);
	iobuf_fini(&payload);
	iobuf_block_shared_unref(block);
	arena_fini(&a);
}
END_TEST

START_TEST(overlong_text_is_refused)
{
	const struct kafka_api *api = kafka_messages_api(KAFKA_API_api_versions);
	const struct kafka_header header = {.api_key = 18, .api_version = 3};
	char *text = calloc(1, INT16_MAX + 2);
	struct iobuf b;
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', INT16_MAX + 1);
	struct kafka_api_versions_request m = {.client_software_name = text, .client_software_version = ""};
	iobuf_init(&b);
	ck_assert_int_eq(kafka_codec_encode_request(api, &header, &m, NULL, &b), STATUS_TOO_LARGE);
	ck_assert_uint_eq(b.size_bytes, 0);
	iobuf_fini(&b);
	free(text);
}
END_TEST

/* What the interpreter takes for granted of the tables. */
static void check_struct(const struct kafka_struct *s)
{
	int tag = -1;
	for (size_t i = 0; i < s->field_count; i++) {
		const struct kafka_field *f = &s->fields[i];
		ck_assert_int_le(f->first, f->last);
		if (f->tag >= 0) {
			ck_assert_int_gt(f->tag, tag);
			ck_assert_int_ne(f->kind, KAFKA_records);
			tag = f->tag;
		}
		if (f->element != NULL)
			check_struct(f->element);
	}
}

START_TEST(tables_are_sound)
{
	for (int id = 0; id < KAFKA_API_COUNT; id++) {
		const struct kafka_api *api = kafka_messages_api((enum kafka_api_id)id);
		ck_assert_ptr_eq(kafka_messages_find(api->key), api);
		check_struct(api->request);
		check_struct(api->response);
	}
}
END_TEST

UNIT_MAIN("kafka_codec", every_table_round_trips, cut_frames_are_refused, changed_frames_are_harmless,
	api_versions_3_as_librdkafka_sends_it, null_and_empty_arrays_differ, unknown_tags_are_skipped, hostile_counts_allocate_nothing,
	arena_limit_is_kept, unknown_versions_are_refused, answer_to_api_versions_has_no_header_tags,
	records_come_from_the_payload_uncopied, overlong_text_is_refused, tables_are_sound)

#include "storage/record_rewrite.h"
#include "tests/unit/unit.h"

enum { RECORDS = 50, INFLATED_MAX = 1 << 20 };

static void add_records(struct record_batch_builder *b)
{
	for (int i = 0; i < RECORDS; i++) {
		char key[16], value[64];
		int k = snprintf(key, sizeof(key), "key-%d", i), v = snprintf(value, sizeof(value), "value value value %d", i * i);
		struct record_header headers[] = {
			{slice_of_str("a"), slice_of_str("1"), false}, {slice_of_str("a"), slice_of(NULL, 0), true}};
		record_batch_builder_add(b, 1700000000000 + (i * 7) % 13, i % 5 == 0 ? slice_of(NULL, 0) : slice_of(key, (size_t)k),
			i % 7 == 0 ? slice_of(NULL, 0) : slice_of(value, (size_t)v), headers, i % 3);
	}
	record_batch_builder_set_producer(b, 77, 3, 1000);
}

static void same_records(const struct record_batch *a, const struct record_batch *b)
{
	struct record_iterator x, y;
	struct record r, s;
	ck_assert_int_eq(record_iterator_init(&x, a, INFLATED_MAX), STATUS_OK);
	ck_assert_int_eq(record_iterator_init(&y, b, INFLATED_MAX), STATUS_OK);
	for (int i = 0; i < RECORDS; i++) {
		ck_assert_int_eq(record_iterator_next(&x, &r), STATUS_OK);
		ck_assert_int_eq(record_iterator_next(&y, &s), STATUS_OK);
		ck_assert_int_eq(r.offset, s.offset);
		ck_assert_int_eq(r.timestamp, s.timestamp);
		ck_assert(slice_equal(r.key, s.key) && (r.key.p == NULL) == (s.key.p == NULL));
		ck_assert(slice_equal(r.value, s.value) && (r.value.p == NULL) == (s.value.p == NULL));
		ck_assert_int_eq(r.header_count, s.header_count);
		ck_assert(slice_equal(r.headers, s.headers));
	}
	ck_assert_int_eq(record_iterator_next(&y, &s), STATUS_NOT_FOUND);
	record_iterator_fini(&x);
	record_iterator_fini(&y);
}

START_TEST(record_rewrite_keeps_all_but_the_codec)
{
	static const enum topic_compression settings[] = {TOPIC_COMPRESSION_uncompressed, TOPIC_COMPRESSION_gzip,
		TOPIC_COMPRESSION_snappy, TOPIC_COMPRESSION_lz4, TOPIC_COMPRESSION_zstd};
	for (int from = 0; from < COMPRESSION_COUNT; from++) {
		struct record_batch_builder *builder = record_batch_builder_new((enum compression_type)from, 0, 4096);
		struct slice bytes;
		struct record_batch a, b;
		add_records(builder);
		ck_assert_int_eq(record_batch_builder_finish(builder, &bytes), STATUS_OK);
		ck_assert_int_eq(record_batch_parse(bytes, &a), STATUS_OK);
		ck_assert(!record_rewrite_needed(&a, TOPIC_COMPRESSION_producer));
		for (size_t to = 0; to < COMPRESSION_COUNT; to++) {
			struct iobuf_block *block;
			ck_assert_int_eq(record_rewrite_needed(&a, settings[to]), (size_t)from != to);
			ck_assert_int_eq(record_rewrite_batch(&a, settings[to], INFLATED_MAX, &block, &b), STATUS_OK);
			ck_assert_int_eq(record_batch_check_crc(&b), STATUS_OK);
			ck_assert_uint_eq(record_batch_codec(&b), to);
			ck_assert_int_eq(b.producer_id, 77);
			ck_assert_int_eq(b.producer_epoch, 3);
			ck_assert_int_eq(b.base_sequence, 1000);
			ck_assert_int_eq(b.max_timestamp, a.max_timestamp);
			same_records(&a, &b);
			iobuf_block_shared_unref(block);
		}
		record_batch_builder_free(builder);
	}
}
END_TEST

START_TEST(record_rewrite_of_a_bomb_is_refused)
{
	struct record_batch_builder *builder = record_batch_builder_new(COMPRESSION_zstd, 0, 4096);
	struct slice bytes;
	struct record_batch a, b;
	struct iobuf_block *block;
	add_records(builder);
	ck_assert_int_eq(record_batch_builder_finish(builder, &bytes), STATUS_OK);
	ck_assert_int_eq(record_batch_parse(bytes, &a), STATUS_OK);
	ck_assert_int_eq(record_rewrite_batch(&a, TOPIC_COMPRESSION_lz4, 100, &block, &b), STATUS_CORRUPT_MESSAGE);
	record_batch_builder_free(builder);
}
END_TEST

UNIT_MAIN("record_rewrite", record_rewrite_keeps_all_but_the_codec, record_rewrite_of_a_bomb_is_refused)

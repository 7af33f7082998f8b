/* A batch from a producer or a disk. First byte: bit 0 mends length and CRC, so that what lies behind them is reached;
 * bits 1 and 2 choose limits. Oracle: what validation accepts, the iterator reads whole, and rebuilt it is valid again. */
#include "storage/record_batch.h"
#include "base/crc32c.h"
#include "tests/fuzz/fuzz.h"

enum { CRC_AT = 17, ATTRIBUTES_AT = 21, INFLATED_MAX = 1 << 20 };

static void mend(uint8_t *p, size_t n)
{
	if (n < RECORD_BATCH_HEADER_SIZE)
		return;
	bytes_put_i32(p + 8, (int32_t)(n - RECORD_BATCH_OVERHEAD));
	bytes_put_u32(p + CRC_AT, crc32c(0, slice_of(p + ATTRIBUTES_AT, n - ATTRIBUTES_AT)));
}

/* Counts the records as far as they can be read; adds them to `copy` if it is not NULL. */
static int32_t iterate(const struct record_batch *b, struct record_batch_builder *copy, int64_t *ret_max_timestamp,
	bool *ret_whole)
{
	struct record_iterator it;
	struct record r;
	int32_t count = 0;
	*ret_whole = false;
	*ret_max_timestamp = -1;
	if (record_iterator_init(&it, b, INFLATED_MAX) != STATUS_OK)
		return 0;
	enum status s;
	while ((s = record_iterator_next(&it, &r)) == STATUS_OK) {
		struct record_header headers[16];
		int header_count = 0;
		struct slice rest = r.headers;
		while (header_count < 16 && record_next_header(&rest, &headers[header_count]) == STATUS_OK)
			header_count++;
		*ret_max_timestamp = r.timestamp > *ret_max_timestamp ? r.timestamp : *ret_max_timestamp;
		if (copy != NULL)
			record_batch_builder_add(copy, r.timestamp, r.key, r.value, headers, header_count);
		count++;
	}
	*ret_whole = s == STATUS_NOT_FOUND;
	record_iterator_fini(&it);
	return count;
}

static void check_accepted(const struct record_batch *b, const struct record_batch_limits *limits)
{
	/* Deltas between extreme timestamps do not fit; a builder is given what a clock gave. */
	bool rebuild = b->base_timestamp >= 0 && b->base_timestamp < INT64_MAX / 4 && b->max_timestamp < INT64_MAX / 4 &&
		b->record_count < 10000;
	struct record_batch_builder *copy = rebuild ? record_batch_builder_new(COMPRESSION_lz4, 0, 0) : NULL;
	int64_t max_timestamp;
	bool whole;
	struct record_batch create_time = *b; /* with its own records' times */
	create_time.attributes &= ~RECORD_BATCH_LOG_APPEND_TIME;
	expect(iterate(&create_time, copy, &max_timestamp, &whole) == b->record_count && whole);
	expect(max_timestamp == b->max_timestamp);
	if (copy == NULL)
		return;
	struct slice s;
	struct record_batch again;
	struct record_batch_limits wide = *limits;
	wide.max_message_bytes = SIZE_MAX;
	int32_t bad;
	expect(record_batch_builder_finish(copy, &s) == STATUS_OK);
	expect(record_batch_validate(s, &wide, &again, &bad) == STATUS_OK);
	expect(again.record_count == b->record_count && again.max_timestamp == b->max_timestamp);
	record_batch_builder_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > (1 << 20))
		return 0;
	size_t n = size - 1;
	uint8_t *p = check_alloc(n + 1);
	memcpy(p, data + 1, n);
	if ((data[0] & 1) != 0)
		mend(p, n);
	struct record_batch_limits limits = {
		.max_message_bytes = 1 << 20,
		.max_inflated_bytes = INFLATED_MAX / 2, /* room for what rebuilding adds */
		.compacted = (data[0] & 2) != 0,
		.now_ms = 1700000000000,
		.timestamp_before_max_ms = (data[0] & 4) != 0 ? 1000000 : INT64_MAX,
		.timestamp_after_max_ms = (data[0] & 4) != 0 ? 1000000 : INT64_MAX,
	};
	struct record_batch b;
	int32_t bad = -2;
	enum status s = record_batch_validate(slice_of(p, n), &limits, &b, &bad);
	expect(bad >= -1 && (s != STATUS_OK || bad == -1));
	if (s == STATUS_OK)
		check_accepted(&b, &limits);
	int64_t ignored;
	bool whole;
	if (record_batch_parse(slice_of(p, n), &b) == STATUS_OK)
		(void)iterate(&b, NULL, &ignored, &whole);
	free(p);
	return 0;
}

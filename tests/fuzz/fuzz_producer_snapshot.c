/* <offset>.snapshot as a crash, another program or a bad disk may have left it. Byte 0: bit 0 mends the checksum, so that what
 * lies behind it is reached; byte 1: the snapshot's offset. Oracle: loading ends with OK or CORRUPT; what loads is written and
 * read back the same, takes batches, expires, and is empty after damage. */
#include "base/crc32c.h"
#include "storage/producer_state.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 64 * 1024, CRC_AT = 2, COVERED_AT = 6 };

static int64_t same_time(void *arg, int64_t last_offset, int64_t timestamp)
{
	int64_t *end = arg;
	expect(last_offset < *end);
	return timestamp;
}

static void check_list(const struct producer_state *s, int64_t end)
{
	struct producer_info *list = producer_state_list(s);
	for (size_t i = 0; i < producer_state_count(s); i++)
		expect(list[i].producer_id >= 0 && list[i].last_offset < end && list[i].last_sequence >= -1);
	free(list);
}

static void use(struct producer_state *s, int64_t end)
{
	struct producer_duplicate d;
	struct producer_info *list = producer_state_list(s);
	if (list == NULL)
		return;
	struct producer_append a = {.producer_id = list[0].producer_id, .epoch = list[0].epoch, .base_offset = end, .base_sequence = 0};
	free(list);
	enum status status = producer_state_check(s, &a, &d);
	expect(status != STATUS_DUPLICATE_SEQUENCE_NUMBER || d.last_offset < end);
	if (status == STATUS_DUPLICATE_SEQUENCE_NUMBER)
		return; /* nobody appends that */
	producer_state_append(s, &a, 1);
	expect(producer_state_end_offset(s) == end + 1);
	a.base_offset = end + 1;
	expect(producer_state_check(s, &a, &d) == STATUS_DUPLICATE_SEQUENCE_NUMBER && d.base_offset == end);
	int64_t unstable = producer_state_first_unstable_offset(s, INT64_MAX);
	expect(unstable >= -1 && unstable <= end);
	(void)producer_state_expire(s, INT64_MAX, 0);
}

static void round_trip(const struct producer_state *s, int64_t end)
{
	size_t n, again_n;
	uint8_t *bytes = producer_state_snapshot(s, &n);
	struct producer_state *other = producer_state_new(PRODUCER_STATE_MAX);
	expect(producer_state_load(other, slice_of(bytes, n), end, same_time, &end) == STATUS_OK);
	uint8_t *again = producer_state_snapshot(other, &again_n);
	expect(slice_equal(slice_of(bytes, n), slice_of(again, again_n)));
	producer_state_free(other);
	free(bytes);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes;
	if (size < 2 || size > INPUT_MAX)
		return 0;
	int64_t end = data[1];
	size_t n = size - 2;
	bytes = check_alloc(n + 1);
	memcpy(bytes, data + 2, n);
	if ((data[0] & 1) != 0 && n >= PRODUCER_SNAPSHOT_HEADER)
		bytes_put_u32(bytes + CRC_AT, crc32c(0, slice_of(bytes + COVERED_AT, n - COVERED_AT)));
	struct producer_state *s = producer_state_new(PRODUCER_STATE_MAX);
	enum status status = producer_state_load(s, slice_of(bytes, n), end, same_time, &end);
	if (status == STATUS_OK) {
		check_list(s, end);
		round_trip(s, end);
		use(s, end);
	} else {
		expect(status == STATUS_CORRUPT && producer_state_count(s) == 0);
	}
	producer_state_free(s);
	free(bytes);
	return 0;
}

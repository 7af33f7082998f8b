/* A set of old messages from a producer, or what a disk holds on its way to an old reader. First byte: bit 0 up or down, bit 1 the
 * reader's format, bit 2 a small limit, bit 3 mends the checksums of messages. Oracle: what went up is a batch that the iterator reads
 * whole; what went down is whole messages of the reader's format or older, within the limit, with offsets in order. */
#include "storage/record_convert.h"
#include "storage/legacy_message.h"
#include "tests/fuzz/fuzz.h"

enum { INFLATED_MAX = 1 << 20 };

/* Length fields are left: a wrong one ends the walk. */
static void mend(uint8_t *p, size_t n)
{
	struct legacy_message m;
	size_t at = 0;
	while (legacy_message_parse(slice_of(p + at, n - at), &m) == STATUS_OK) {
		uint8_t *copy = check_alloc(m.data.n);
		legacy_message_write(&m, copy);
		memcpy(p + at, copy, m.data.n);
		free(copy);
		at += m.data.n;
	}
}

static void go_up(struct slice set, bool small)
{
	const struct record_convert_limits limits = {.max_message_bytes = small ? 100 : 1 << 20, .max_inflated_bytes = INFLATED_MAX};
	struct iobuf_block *block;
	struct slice bytes;
	struct record_batch b;
	struct record_iterator it;
	struct record r;
	int32_t bad = -2;
	enum status s = record_convert_up(set, &limits, &block, &bytes, &bad);
	expect(bad >= -1 && (s != STATUS_OK || bad == -1));
	if (s != STATUS_OK)
		return;
	expect(record_batch_parse(bytes, &b) == STATUS_OK && record_batch_check_crc(&b) == STATUS_OK);
	expect(record_iterator_init(&it, &b, 4 * INFLATED_MAX) == STATUS_OK);
	int32_t count = 0;
	while ((s = record_iterator_next(&it, &r)) == STATUS_OK)
		count++;
	expect(s == STATUS_NOT_FOUND && count == b.record_count && b.last_offset_delta == count - 1);
	record_iterator_fini(&it);
	iobuf_block_shared_unref(block);
}

static void check_messages(struct slice set, int8_t magic)
{
	while (set.n > 0) {
		struct legacy_message m;
		expect(legacy_message_parse(set, &m) == STATUS_OK);
		expect(m.magic <= magic);
		set = slice_sub(set, m.data.n, set.n - m.data.n);
	}
}

static void go_down(struct slice batches, int8_t magic, bool small)
{
	const struct record_convert_target t = {
		.magic = magic,
		.first_offset = 0,
		.max_bytes = small ? 200 : 1 << 22,
		.hard_max_bytes = SIZE_MAX,
		.max_inflated_bytes = INFLATED_MAX,
	};
	struct iobuf out;
	size_t n = 0, at = 0;
	iobuf_init(&out);
	enum status s = record_convert_down(batches, &t, &out, &n);
	expect(s == STATUS_OK || n == 0);
	expect(out.size_bytes == n);
	uint8_t *whole = check_alloc(n + 1);
	while (out.size_bytes > 0) {
		struct iovec iov;
		expect(iobuf_peek_iov(&out, &iov, 1) == 1);
		memcpy(whole + at, iov.iov_base, iov.iov_len);
		at += iov.iov_len;
		iobuf_consume(&out, iov.iov_len);
	}
	check_messages(slice_of(whole, n), magic);
	struct legacy_message first;
	if (n > t.max_bytes)
		expect(legacy_message_parse(slice_of(whole, n), &first) == STATUS_OK && first.data.n == n);
	free(whole);
	iobuf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > (1 << 20))
		return 0;
	size_t n = size - 1;
	uint8_t *p = check_alloc(n + 1);
	memcpy(p, data + 1, n);
	if ((data[0] & 8) != 0)
		mend(p, n);
	bool small = (data[0] & 4) != 0;
	if ((data[0] & 1) != 0)
		go_up(slice_of(p, n), small);
	else
		go_down(slice_of(p, n), (data[0] & 2) != 0 ? 1 : 0, small);
	free(p);
	return 0;
}

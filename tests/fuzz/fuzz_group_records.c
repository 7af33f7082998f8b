/* A record of __consumer_offsets, as whoever wrote the log before us may have left it. First byte: how many bytes of the rest are the
 * key. Oracle: what decodes encodes; that decodes again, and encodes to the same bytes. Memory stays within the arena's limit. */
#include "coordinator/group_records.h"
#include "tests/fuzz/fuzz.h"

enum { MEMORY = 1 << 20 };

static void as_a_group(struct arena *a, const struct kafka_group_metadata_value *value)
{
	struct group_record g;
	struct group_record_bytes b;
	if (group_records_to_group(a, value, &g) == STATUS_OK)
		expect(group_records_encode_group(a, slice_of_str("g"), &g, 0, &b) != STATUS_CORRUPT);
}

static void round_trip(struct arena *a, const struct group_record_view *v)
{
	struct group_record_view again;
	struct group_record_bytes first, second;
	enum status s = group_records_encode(a, v, &first);
	expect(s == STATUS_OK || s == STATUS_TOO_LARGE);
	if (s != STATUS_OK)
		return;
	s = group_records_decode(a, first.key, first.value, &again);
	expect(s == STATUS_OK || s == STATUS_TOO_LARGE);
	if (s != STATUS_OK)
		return;
	expect(again.kind == v->kind && (again.value == NULL) == (v->value == NULL));
	s = group_records_encode(a, &again, &second);
	expect(s == STATUS_OK || s == STATUS_TOO_LARGE);
	expect(s != STATUS_OK || (slice_equal(first.key, second.key) && slice_equal(first.value, second.value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct group_record_view v;
	struct arena a;
	if (size < 1 || (size_t)data[0] > size - 1)
		return 0;
	struct slice key = slice_of(data + 1, data[0]), value = slice_of(data + 1 + data[0], size - 1 - data[0]);
	arena_init(&a, MEMORY);
	if (group_records_decode(&a, key, value, &v) == STATUS_OK) {
		expect(group_records_group_of(&v) != NULL);
		round_trip(&a, &v);
		if (v.kind == GROUP_RECORD_GROUP && v.value != NULL)
			as_a_group(&a, v.group);
	}
	expect(a.used_bytes <= MEMORY);
	arena_fini(&a);
	return 0;
}

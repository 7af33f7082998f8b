#include "tools/client/partitioner.h"
#include "tools/client/correio.h"

int32_t partitioner_of_key(struct slice key, int32_t count)
{
	expect(count > 0);
	return (int32_t)(((uint32_t)bytes_murmur2(key) & 0x7fffffffU) % (uint32_t)count);
}

int32_t partitioner_next_sticky(int32_t last, int32_t count, uint64_t dice)
{
	expect(count > 0 && last < count);
	if (count == 1)
		return 0;
	if (last < 0)
		return (int32_t)(dice % (uint64_t)count);
	int32_t step = 1 + (int32_t)(dice % (uint64_t)(count - 1));
	return (int32_t)(((int64_t)last + step) % count);
}

int32_t correio_partition_of_key(const void *key, size_t size, int32_t partition_count)
{
	return partition_count > 0 ? partitioner_of_key(slice_of(key, size), partition_count) : 0;
}

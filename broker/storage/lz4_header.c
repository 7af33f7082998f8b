#include "storage/lz4_header.h"

enum { FRAME_MAGIC_SIZE = 4, FLAGS_AT = 4, FLAG_CONTENT_SIZE = 0x08, CONTENT_SIZE_BYTES = 8 };

/* xxHash32 (seed 0) of less than 16 bytes: all a header can have. The library keeps its own to itself. */
static uint32_t hash_short(struct slice s)
{
	const uint32_t prime_1 = 2654435761U, prime_2 = 2246822519U, prime_3 = 3266489917U, prime_4 = 668265263U,
		       prime_5 = 374761393U;
	expect(s.n < 16);
	uint32_t h = prime_5 + (uint32_t)s.n;
	size_t at = 0;
	for (; s.n - at >= 4; at += 4) {
		h += __builtin_bswap32(bytes_get_u32(s.p + at)) * prime_3;
		h = (h << 17 | h >> 15) * prime_4;
	}
	for (; at < s.n; at++) {
		h += s.p[at] * prime_5;
		h = (h << 11 | h >> 21) * prime_1;
	}
	h = (h ^ h >> 15) * prime_2;
	h = (h ^ h >> 13) * prime_3;
	return h ^ h >> 16;
}

static uint8_t checksum(struct slice covered)
{
	return (uint8_t)(hash_short(covered) >> 8);
}

size_t lz4_header_size(struct slice frame)
{
	if (frame.n < LZ4_HEADER_SIZE_MIN)
		return 0;
	size_t size = LZ4_HEADER_SIZE_MIN;
	if ((frame.p[FLAGS_AT] & FLAG_CONTENT_SIZE) != 0)
		size += CONTENT_SIZE_BYTES;
	expect(size <= LZ4_HEADER_SIZE_MAX);
	return frame.n < size ? 0 : size;
}

uint8_t lz4_header_checksum(const uint8_t *header, size_t n)
{
	expect(n == LZ4_HEADER_SIZE_MIN || n == LZ4_HEADER_SIZE_MAX);
	return checksum(slice_of(header + FRAME_MAGIC_SIZE, n - 1 - FRAME_MAGIC_SIZE));
}

uint8_t lz4_header_checksum_of_magic_0(const uint8_t *header, size_t n)
{
	expect(n == LZ4_HEADER_SIZE_MIN || n == LZ4_HEADER_SIZE_MAX);
	return checksum(slice_of(header, n - 1));
}

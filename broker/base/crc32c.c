#include "base/crc32c.h"

#ifdef HAVE_ISAL
#include <isa-l.h>
#endif

/* Reflected Castagnoli polynomial, RFC 3720 appendix B.4; one nibble at a time keeps the table in two cache lines. */
static const uint32_t nibble_table[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(uint32_t crc, struct slice s)
{
	uint32_t c = ~crc;
	for (size_t i = 0; i < s.n; i++) {
		c ^= s.p[i];
		c = nibble_table[c & 15] ^ (c >> 4);
		c = nibble_table[c & 15] ^ (c >> 4);
	}
	return ~c;
}

#ifdef HAVE_ISAL
uint32_t crc32c(uint32_t crc, struct slice s)
{
	uint32_t c = ~crc;
	while (s.n > 0) {
		/* The library takes an int length and, by its prototype, writable bytes it does not write. */
		size_t n = s.n > (1u << 30) ? (1u << 30) : s.n;
		c = crc32_iscsi((unsigned char *)(uintptr_t)s.p, (int)n, c);
		s = slice_sub(s, n, s.n - n);
	}
	return ~c;
}
#else
uint32_t crc32c(uint32_t crc, struct slice s)
{
	return crc32c_portable(crc, s);
}
#endif

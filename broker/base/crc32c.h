/* CRC-32C (Castagnoli), the checksum of record batches. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H
#include "base/bytes.h"
/* The checksum of s; crc is 0, or the value so far to go on with. Uses ISA-L (SSE4.2/AVX-512) where it was found. */
uint32_t crc32c(uint32_t crc, struct slice s);
/* The table-driven path, for machines without the hardware and to test one against the other. */
uint32_t crc32c_portable(uint32_t crc, struct slice s);
#endif

/* The header of an LZ4 frame, as message format 0 got it wrong: its checksum was taken over the frame's magic number too
 * (KAFKA-3160). Readers of that format ignore it, writers must repeat the mistake. */
#ifndef STORAGE_LZ4_HEADER_H
#define STORAGE_LZ4_HEADER_H
#include "base/bytes.h"

enum { LZ4_HEADER_SIZE_MIN = 7, LZ4_HEADER_SIZE_MAX = 15 /* with the content's size */ };

/* From the magic number to the checksum, 7 or 15 bytes; 0 when the frame is shorter than its header. */
size_t lz4_header_size(struct slice frame);
/* The checksum that belongs at the end of the first n bytes of a header, n as lz4_header_size gave it. */
uint8_t lz4_header_checksum(const uint8_t *header, size_t n);
uint8_t lz4_header_checksum_of_magic_0(const uint8_t *header, size_t n);
#endif

/* Bounds-checked bytes. The only file that does pointer arithmetic on foreign input; endianness lives only here. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/status.h"
#include <string.h>
#include <sys/types.h>

/* Borrowed bytes. */
struct slice {
	const uint8_t *p;
	size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){.p = (const uint8_t *)p, .n = n};
}
static inline struct slice slice_of_str(const char *s)
{
	return (struct slice){.p = (const uint8_t *)s, .n = strlen(s)};
}
bool slice_equal(struct slice a, struct slice b);
/* [from, from+n) of s; both must lie within. */
struct slice slice_sub(struct slice s, size_t from, size_t n);

/* Reads forward. The first overrun latches STATUS_TRUNCATED in `status`: callers may read many fields and check
 * once; values after the overrun are zero. */
struct byte_reader {
	struct slice data;
	size_t at;
	enum status status;
};
void byte_reader_init(struct byte_reader *r, struct slice data);
size_t byte_reader_left(const struct byte_reader *r);
uint8_t byte_reader_u8(struct byte_reader *r);
int16_t byte_reader_i16(struct byte_reader *r);
int32_t byte_reader_i32(struct byte_reader *r);
uint32_t byte_reader_u32(struct byte_reader *r);
int64_t byte_reader_i64(struct byte_reader *r);
/* Zig-zag varints of records: at most 5 and 10 bytes, else STATUS_CORRUPT. */
int32_t byte_reader_varint(struct byte_reader *r);
int64_t byte_reader_varlong(struct byte_reader *r);
/* Unsigned varint of flexible messages, at most 5 bytes. */
uint32_t byte_reader_uvarint(struct byte_reader *r);
/* The same without a call for what most fields of a record are: one or two bytes. For the loop over records. */
static inline bool byte_reader_short_groups(struct byte_reader *r, uint32_t *ret_value)
{
	if (r->status != STATUS_OK || r->data.n - r->at < 2)
		return false;
	uint32_t low = r->data.p[r->at], high = r->data.p[r->at + 1];
	if (low < 0x80) {
		r->at += 1;
		*ret_value = low;
		return true;
	}
	if (high >= 0x80)
		return false;
	r->at += 2;
	*ret_value = (low & 0x7f) | high << 7;
	return true;
}
static inline int32_t byte_reader_short_varint(struct byte_reader *r)
{
	uint32_t v;
	if (byte_reader_short_groups(r, &v))
		return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
	return byte_reader_varint(r);
}
static inline int64_t byte_reader_short_varlong(struct byte_reader *r)
{
	uint32_t v;
	if (byte_reader_short_groups(r, &v))
		return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
	return byte_reader_varlong(r);
}
/* byte_reader_skip without a call when the bytes are there. */
static inline bool byte_reader_short_skip(struct byte_reader *r, size_t n)
{
	if (r->status != STATUS_OK || n > r->data.n - r->at)
		return false;
	r->at += n;
	return true;
}
struct slice byte_reader_bytes(struct byte_reader *r, size_t n);
void byte_reader_skip(struct byte_reader *r, size_t n);

/* Writes into memory the caller owns; latches STATUS_TOO_LARGE. */
struct byte_writer {
	uint8_t *p;
	size_t size;
	size_t at;
	enum status status;
};
void byte_writer_init(struct byte_writer *w, void *p, size_t size);
void byte_writer_u8(struct byte_writer *w, uint8_t v);
void byte_writer_i16(struct byte_writer *w, int16_t v);
void byte_writer_i32(struct byte_writer *w, int32_t v);
void byte_writer_u32(struct byte_writer *w, uint32_t v);
void byte_writer_i64(struct byte_writer *w, int64_t v);
void byte_writer_varint(struct byte_writer *w, int32_t v);
void byte_writer_varlong(struct byte_writer *w, int64_t v);
void byte_writer_uvarint(struct byte_writer *w, uint32_t v);
void byte_writer_bytes(struct byte_writer *w, struct slice s);

/* Sizes the varints would take. */
size_t bytes_varint_size(int32_t v);
size_t bytes_varlong_size(int64_t v);

/* Unchecked big-endian access for fixed offsets within memory already measured. */
int16_t bytes_get_i16(const uint8_t *p);
int32_t bytes_get_i32(const uint8_t *p);
uint32_t bytes_get_u32(const uint8_t *p);
int64_t bytes_get_i64(const uint8_t *p);
void bytes_put_i16(uint8_t *p, int16_t v);
void bytes_put_i32(uint8_t *p, int32_t v);
void bytes_put_u32(uint8_t *p, uint32_t v);
void bytes_put_i64(uint8_t *p, int64_t v);

/* Whole string as decimal, no blanks. STATUS_INVALID_ARGUMENT unless all of s is a number in range. */
MUST_CHECK enum status bytes_parse_i64(struct slice s, int64_t *ret_value);
MUST_CHECK enum status bytes_parse_i32(struct slice s, int32_t *ret_value);
MUST_CHECK enum status bytes_parse_double(const char *s, double *ret_value);

/* Standard base64 with padding; out has room for 4*((n+2)/3)+1. */
size_t bytes_base64_encode(struct slice in, char *out, size_t out_size);
MUST_CHECK enum status bytes_base64_decode(struct slice in, uint8_t *out, size_t out_size, size_t *ret_n);

/* 128-bit id; text form is 22 characters of unpadded base64url, as Kafka writes topic and cluster ids. */
struct uuid {
	uint8_t b[16];
};
enum { UUID_TEXT_SIZE = 23 };
void uuid_format(const struct uuid *u, char out[UUID_TEXT_SIZE]);
MUST_CHECK enum status uuid_parse(struct slice text, struct uuid *ret_uuid);
bool uuid_is_zero(const struct uuid *u);
bool uuid_equal(const struct uuid *a, const struct uuid *b);

/* Java's String.hashCode of UTF-8 text (over its UTF-16 code units), used for coordinators' partitions. */
int32_t bytes_java_hash(struct slice s);
/* Kafka's murmur2 (Utils.murmur2): partition of a key = (murmur2 & 0x7fffffff) % partitions. */
int32_t bytes_murmur2(struct slice s);
/* FNV-1a with a final mix: for hash tables and placement, never on the wire. */
uint64_t bytes_hash64(struct slice s, uint64_t seed);
/* SipHash-2-4 with 128 bits: under a secret key nobody can choose bytes that collide. Stands for the bytes themselves. */
void bytes_siphash(struct slice s, const uint64_t key[static 2], uint64_t ret_hash[static 2]);

/* Levenshtein distance capped at max+1: for "did you mean". */
unsigned bytes_edit_distance(const char *a, const char *b, unsigned max);

#endif

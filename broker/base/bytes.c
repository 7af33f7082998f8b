#include "base/bytes.h"

#include <errno.h>
#include <math.h>

bool slice_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct slice slice_sub(struct slice s, size_t from, size_t n)
{
	expect(from <= s.n && n <= s.n - from);
	return (struct slice){.p = s.p == NULL ? NULL : s.p + from, .n = n};
}

/* --- big-endian ---------------------------------------------------------- */

int16_t bytes_get_i16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, sizeof(v));
	return (int16_t)__builtin_bswap16(v);
}

uint32_t bytes_get_u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof(v));
	return __builtin_bswap32(v);
}

int32_t bytes_get_i32(const uint8_t *p)
{
	return (int32_t)bytes_get_u32(p);
}

int64_t bytes_get_i64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return (int64_t)__builtin_bswap64(v);
}

void bytes_put_i16(uint8_t *p, int16_t v)
{
	uint16_t u = __builtin_bswap16((uint16_t)v);
	memcpy(p, &u, sizeof(u));
}

void bytes_put_u32(uint8_t *p, uint32_t v)
{
	uint32_t u = __builtin_bswap32(v);
	memcpy(p, &u, sizeof(u));
}

void bytes_put_i32(uint8_t *p, int32_t v)
{
	bytes_put_u32(p, (uint32_t)v);
}

void bytes_put_i64(uint8_t *p, int64_t v)
{
	uint64_t u = __builtin_bswap64((uint64_t)v);
	memcpy(p, &u, sizeof(u));
}

/* --- reader -------------------------------------------------------------- */

void byte_reader_init(struct byte_reader *r, struct slice data)
{
	*r = (struct byte_reader){.data = data, .status = STATUS_OK};
}

size_t byte_reader_left(const struct byte_reader *r)
{
	return r->data.n - r->at;
}

/* The next n bytes, or NULL with the failure latched. */
static const uint8_t *take(struct byte_reader *r, size_t n)
{
	if (r->status != STATUS_OK)
		return NULL;
	if (n > byte_reader_left(r)) {
		r->status = STATUS_TRUNCATED;
		return NULL;
	}
	const uint8_t *p = r->data.p + r->at;
	r->at += n;
	return p;
}

uint8_t byte_reader_u8(struct byte_reader *r)
{
	const uint8_t *p = take(r, 1);
	return p == NULL ? 0 : *p;
}

int16_t byte_reader_i16(struct byte_reader *r)
{
	const uint8_t *p = take(r, 2);
	return p == NULL ? 0 : bytes_get_i16(p);
}

int32_t byte_reader_i32(struct byte_reader *r)
{
	const uint8_t *p = take(r, 4);
	return p == NULL ? 0 : bytes_get_i32(p);
}

uint32_t byte_reader_u32(struct byte_reader *r)
{
	const uint8_t *p = take(r, 4);
	return p == NULL ? 0 : bytes_get_u32(p);
}

int64_t byte_reader_i64(struct byte_reader *r)
{
	const uint8_t *p = take(r, 8);
	return p == NULL ? 0 : bytes_get_i64(p);
}

/* Little groups of seven bits; max_bits tells how much the value may hold. */
static uint64_t read_groups(struct byte_reader *r, unsigned max_bits)
{
	uint64_t value = 0;
	if (r->status != STATUS_OK)
		return 0;
	for (unsigned shift = 0; shift < max_bits; shift += 7) {
		if (r->at >= r->data.n) {
			r->status = STATUS_TRUNCATED;
			return 0;
		}
		uint8_t b = r->data.p[r->at++];
		uint64_t group = b & 0x7f;
		/* The last group may not carry bits the type has no room for. */
		if (shift + 7 > max_bits && (group >> (max_bits - shift)) != 0)
			break;
		value |= group << shift;
		if ((b & 0x80) == 0)
			return value;
	}
	r->status = STATUS_CORRUPT;
	return 0;
}

int32_t byte_reader_varint(struct byte_reader *r)
{
	uint32_t v = (uint32_t)read_groups(r, 32);
	return (int32_t)((v >> 1) ^ (0u - (v & 1)));
}

int64_t byte_reader_varlong(struct byte_reader *r)
{
	uint64_t v = read_groups(r, 64);
	return (int64_t)((v >> 1) ^ (0ull - (v & 1)));
}

uint32_t byte_reader_uvarint(struct byte_reader *r)
{
	return (uint32_t)read_groups(r, 32);
}

struct slice byte_reader_bytes(struct byte_reader *r, size_t n)
{
	const uint8_t *p = take(r, n);
	return (struct slice){.p = p, .n = p == NULL ? 0 : n};
}

void byte_reader_skip(struct byte_reader *r, size_t n)
{
	take(r, n);
}

/* --- writer -------------------------------------------------------------- */

void byte_writer_init(struct byte_writer *w, void *p, size_t size)
{
	*w = (struct byte_writer){.p = p, .size = size, .status = STATUS_OK};
}

static uint8_t *room(struct byte_writer *w, size_t n)
{
	if (w->status != STATUS_OK)
		return NULL;
	if (n > w->size - w->at) {
		w->status = STATUS_TOO_LARGE;
		return NULL;
	}
	uint8_t *p = w->p + w->at;
	w->at += n;
	return p;
}

void byte_writer_u8(struct byte_writer *w, uint8_t v)
{
	uint8_t *p = room(w, 1);
	if (p != NULL)
		*p = v;
}

void byte_writer_i16(struct byte_writer *w, int16_t v)
{
	uint8_t *p = room(w, 2);
	if (p != NULL)
		bytes_put_i16(p, v);
}

void byte_writer_i32(struct byte_writer *w, int32_t v)
{
	byte_writer_u32(w, (uint32_t)v);
}

void byte_writer_u32(struct byte_writer *w, uint32_t v)
{
	uint8_t *p = room(w, 4);
	if (p != NULL)
		bytes_put_u32(p, v);
}

void byte_writer_i64(struct byte_writer *w, int64_t v)
{
	uint8_t *p = room(w, 8);
	if (p != NULL)
		bytes_put_i64(p, v);
}

static void write_groups(struct byte_writer *w, uint64_t v)
{
	while (v >= 0x80) {
		byte_writer_u8(w, (uint8_t)(v | 0x80));
		v >>= 7;
	}
	byte_writer_u8(w, (uint8_t)v);
}

static uint32_t zigzag32(int32_t v)
{
	return ((uint32_t)v << 1) ^ (v < 0 ? UINT32_MAX : 0);
}

static uint64_t zigzag64(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

void byte_writer_varint(struct byte_writer *w, int32_t v)
{
	write_groups(w, zigzag32(v));
}

void byte_writer_varlong(struct byte_writer *w, int64_t v)
{
	write_groups(w, zigzag64(v));
}

void byte_writer_uvarint(struct byte_writer *w, uint32_t v)
{
	write_groups(w, v);
}

void byte_writer_bytes(struct byte_writer *w, struct slice s)
{
	uint8_t *p = room(w, s.n);
	if (p != NULL && s.n > 0)
		memcpy(p, s.p, s.n);
}

static size_t groups_size(uint64_t v)
{
	unsigned bits = v == 0 ? 1 : 64 - (unsigned)__builtin_clzll(v);
	return (bits + 6) / 7;
}

size_t bytes_varint_size(int32_t v)
{
	return groups_size(zigzag32(v));
}

size_t bytes_varlong_size(int64_t v)
{
	return groups_size(zigzag64(v));
}

/* --- numbers ------------------------------------------------------------- */

enum status bytes_parse_i64(struct slice s, int64_t *ret_value)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	size_t i = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+') ? 1 : 0;
	if (i == s.n)
		return STATUS_INVALID_ARGUMENT;
	int64_t value = 0;
	for (; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return STATUS_INVALID_ARGUMENT;
		int64_t digit = s.p[i] - '0';
		/* Built downwards, so that INT64_MIN fits. */
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value))
			return STATUS_INVALID_ARGUMENT;
	}
	if (!negative && value == INT64_MIN)
		return STATUS_INVALID_ARGUMENT;
	*ret_value = negative ? value : -value;
	return STATUS_OK;
}

enum status bytes_parse_i32(struct slice s, int32_t *ret_value)
{
	int64_t wide;
	TRY(bytes_parse_i64(s, &wide));
	if (wide < INT32_MIN || wide > INT32_MAX)
		return STATUS_INVALID_ARGUMENT;
	*ret_value = (int32_t)wide;
	return STATUS_OK;
}

enum status bytes_parse_double(const char *s, double *ret_value)
{
	char *end = NULL;
	errno = 0;
	double value = strtod(s, &end);
	if (end == s || *end != '\0' || errno != 0 || !isfinite(value))
		return STATUS_INVALID_ARGUMENT;
	*ret_value = value;
	return STATUS_OK;
}

/* --- base64 -------------------------------------------------------------- */

static const char base64_standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Without padding; returns the characters written. */
static size_t encode64(const char *alphabet, struct slice in, char *out)
{
	size_t at = 0;
	for (size_t i = 0; i < in.n; i += 3) {
		size_t left = in.n - i;
		uint32_t v = (uint32_t)in.p[i] << 16;
		if (left > 1)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (left > 2)
			v |= in.p[i + 2];
		out[at++] = alphabet[v >> 18];
		out[at++] = alphabet[(v >> 12) & 63];
		if (left > 1)
			out[at++] = alphabet[(v >> 6) & 63];
		if (left > 2)
			out[at++] = alphabet[v & 63];
	}
	return at;
}

static int digit64(const char *alphabet, uint8_t c)
{
	const char *at = c == 0 ? NULL : strchr(alphabet, c);
	return at == NULL ? -1 : (int)(at - alphabet);
}

/* Unpadded text; the bits left over must be zero. */
static enum status decode64(const char *alphabet, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	uint32_t bits = 0;
	unsigned held = 0;
	size_t at = 0;
	if (in.n % 4 == 1)
		return STATUS_INVALID_ARGUMENT;
	for (size_t i = 0; i < in.n; i++) {
		int digit = digit64(alphabet, in.p[i]);
		if (digit < 0)
			return STATUS_INVALID_ARGUMENT;
		bits = (bits << 6) | (uint32_t)digit;
		held += 6;
		if (held >= 8) {
			held -= 8;
			if (at == out_size)
				return STATUS_TOO_LARGE;
			out[at++] = (uint8_t)(bits >> held);
			bits &= (1u << held) - 1;
		}
	}
	if (bits != 0)
		return STATUS_INVALID_ARGUMENT;
	*ret_n = at;
	return STATUS_OK;
}

size_t bytes_base64_encode(struct slice in, char *out, size_t out_size)
{
	expect(out_size >= 4 * ((in.n + 2) / 3) + 1);
	size_t at = encode64(base64_standard, in, out);
	while (at % 4 != 0)
		out[at++] = '=';
	out[at] = '\0';
	return at;
}

enum status bytes_base64_decode(struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	if (in.n % 4 != 0)
		return STATUS_INVALID_ARGUMENT;
	for (int i = 0; i < 2 && in.n > 0 && in.p[in.n - 1] == '='; i++)
		in.n--;
	return decode64(base64_standard, in, out, out_size, ret_n);
}

/* --- uuid ---------------------------------------------------------------- */

void uuid_format(const struct uuid *u, char out[UUID_TEXT_SIZE])
{
	size_t n = encode64(base64_url, slice_of(u->b, sizeof(u->b)), out);
	expect(n == UUID_TEXT_SIZE - 1);
	out[n] = '\0';
}

enum status uuid_parse(struct slice text, struct uuid *ret_uuid)
{
	struct uuid u;
	size_t n;
	if (text.n != UUID_TEXT_SIZE - 1)
		return STATUS_INVALID_ARGUMENT;
	TRY(decode64(base64_url, text, u.b, sizeof(u.b), &n));
	*ret_uuid = u;
	return STATUS_OK;
}

bool uuid_is_zero(const struct uuid *u)
{
	static const struct uuid zero;
	return uuid_equal(u, &zero);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* --- hashes -------------------------------------------------------------- */

/* The code point that begins at s.p[at], and its length; malformed bytes are U+FFFD one by one. */
static uint32_t utf8_code_point(struct slice s, size_t at, size_t *ret_n)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = s.p[at];
	*ret_n = 1;
	if (first < 0x80)
		return first;
	size_t n = first >= 0xf0 && first <= 0xf4 ? 4 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xc2 && first < 0xe0 ? 2 : 0;
	if (n == 0 || n > s.n - at)
		return 0xfffd;
	uint32_t v = first & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s.p[at + i] & 0xc0) != 0x80)
			return 0xfffd;
		v = v << 6 | (s.p[at + i] & 0x3fu);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
		return 0xfffd;
	*ret_n = n;
	return v;
}

int32_t bytes_java_hash(struct slice s)
{
	uint32_t h = 0;
	size_t n;
	for (size_t at = 0; at < s.n; at += n) {
		uint32_t v = utf8_code_point(s, at, &n);
		if (v >= 0x10000) { /* a surrogate pair */
			h = 31 * h + (0xd800 + ((v - 0x10000) >> 10));
			v = 0xdc00 + ((v - 0x10000) & 0x3ff);
		}
		h = 31 * h + v;
	}
	return (int32_t)h;
}

static uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int32_t bytes_murmur2(struct slice s)
{
	const uint32_t m = 0x5bd1e995;
	uint32_t h = 0x9747b28cu ^ (uint32_t)s.n;
	size_t whole = s.n & ~(size_t)3;
	for (size_t i = 0; i < whole; i += 4) {
		uint32_t k = get_le32(s.p + i) * m;
		k ^= k >> 24;
		h = (h * m) ^ (k * m);
	}
	size_t left = s.n - whole;
	if (left == 3)
		h ^= (uint32_t)s.p[whole + 2] << 16;
	if (left >= 2)
		h ^= (uint32_t)s.p[whole + 1] << 8;
	if (left >= 1) {
		h ^= s.p[whole];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	h ^= h >> 15;
	return (int32_t)h;
}

uint64_t bytes_hash64(struct slice s, uint64_t seed)
{
	uint64_t h = 0xcbf29ce484222325ull ^ seed;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 0x100000001b3ull;
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	return h ^ (h >> 33);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[static 4], int rounds)
{
	for (int i = 0; i < rounds; i++) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

/* Up to 8 bytes, little-endian. */
static uint64_t sip_word(struct slice s, size_t from)
{
	uint64_t word = 0;
	size_t n = s.n - from < sizeof(word) ? s.n - from : sizeof(word);
	for (size_t i = n; i-- > 0;)
		word = word << 8 | s.p[from + i];
	return word;
}

void bytes_siphash(struct slice s, const uint64_t key[static 2], uint64_t ret_hash[static 2])
{
	uint64_t v[4] = {key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull ^ 0xee,
		key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull};
	size_t at = 0;
	for (; s.n - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word = sip_word(s, at);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	uint64_t last = (uint64_t)s.n << 56 | sip_word(s, at);
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xee;
	sip_rounds(v, 4);
	ret_hash[0] = v[0] ^ v[1] ^ v[2] ^ v[3];
	v[1] ^= 0xdd;
	sip_rounds(v, 4);
	ret_hash[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}

unsigned bytes_edit_distance(const char *a, const char *b, unsigned max)
{
	enum { LONGEST = 255 };
	size_t na = strlen(a), nb = strlen(b);
	size_t gap = na > nb ? na - nb : nb - na;
	if (na > LONGEST || nb > LONGEST || gap > max)
		return max + 1;
	unsigned row[LONGEST + 1];
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			best = row[j] + 1 < best ? row[j] + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[nb] > max ? max + 1 : row[nb];
}

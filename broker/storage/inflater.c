#include "storage/inflater.h"

#include "storage/lz4_header.h"

#include <lz4frame.h>
#include <pthread.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

enum {
	/* Frames of zstd levels up to 19 need a window of 8 MiB. Those of 20 to 22 declare up to 128 MiB, but touch no
	 * more of it than they inflate to: they are let in as long as that stays within INFLATER_MEMORY_MAX. */
	ZSTD_WINDOW_LOG_USUAL = 23,
	ZSTD_WINDOW_LOG_MAX = 27,
	/* The longest copy of snappy's format is 64 bytes from a tag of 3. */
	SNAPPY_RATIO_MAX = 22,
	GZIP_WINDOW_BITS = 15 + 16, /* zlib: gzip wrapper only */
	INFLATED_SIZE_FIRST = 16384,
};

struct inflater {
	enum compression_type type; /* COMPRESSION_none between batches */
	struct byte_reader in;
	size_t max_bytes, produced_bytes;
	bool ended;
	bool oversized; /* more held than is worth keeping */
	bool magic_0;

	z_stream gzip;
	bool gzip_ready;
	LZ4F_dctx *lz4;
	ZSTD_DCtx *zstd;
	/* snappy: the block being handed out */
	uint8_t *block;
	size_t block_capacity, block_size, block_at;
	bool xerial;

	uint8_t *scratch;
};

struct inflater_ops {
	enum status (*begin)(struct inflater *i);
	/* Some bytes, at least one unless the stream ended (i->ended). */
	enum status (*read)(struct inflater *i, uint8_t *out, size_t n, size_t *ret_n);
};

/* What is left of the input. */
static struct slice inflater_input(const struct inflater *i)
{
	return slice_sub(i->in.data, i->in.at, byte_reader_left(&i->in));
}

/* --- gzip ------------------------------------------------------------------------------------------------------ */

static enum status gzip_begin(struct inflater *i)
{
	if (!i->gzip_ready) {
		i->gzip = (z_stream){0};
		expect(inflateInit2(&i->gzip, GZIP_WINDOW_BITS) == Z_OK);
		i->gzip_ready = true;
	}
	return inflateReset(&i->gzip) == Z_OK ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

static enum status gzip_read(struct inflater *i, uint8_t *out, size_t n, size_t *ret_n)
{
	struct slice in = inflater_input(i);
	union {
		const uint8_t *in;
		Bytef *zlib; /* zlib reads it only, but says so only under ZLIB_CONST */
	} next = {.in = in.p};
	i->gzip.next_in = next.zlib;
	i->gzip.avail_in = (uInt)in.n;
	i->gzip.next_out = out;
	i->gzip.avail_out = (uInt)n;
	int rc = inflate(&i->gzip, Z_NO_FLUSH);
	byte_reader_skip(&i->in, in.n - i->gzip.avail_in);
	*ret_n = n - i->gzip.avail_out;
	if (rc == Z_STREAM_END) {
		/* RFC 1952 allows members one after another. */
		i->ended = byte_reader_left(&i->in) == 0;
		return i->ended || inflateReset(&i->gzip) == Z_OK ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
	}
	bool moved = *ret_n > 0 || i->gzip.avail_in < in.n;
	return rc == Z_OK && moved ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

/* --- lz4 frame ------------------------------------------------------------------------------------------------- */

/* The rules of Kafka's Lz4BlockInputStream: what passes here can be read by every client. */
static enum status lz4_check_header(struct slice in, bool *ret_large_blocks)
{
	static const uint8_t magic[4] = {0x04, 0x22, 0x4d, 0x18};
	if (in.n < LZ4_HEADER_SIZE_MIN || memcmp(in.p, magic, sizeof(magic)) != 0)
		return STATUS_CORRUPT_MESSAGE;
	uint8_t flags = in.p[4], descriptor = in.p[5];
	bool version_1 = (flags & 0xc0) == 0x40;
	bool independent = (flags & 0x20) != 0;
	bool reserved_clear = (flags & 0x03) == 0 && (descriptor & 0x8f) == 0;
	int block_size_id = descriptor >> 4;
	*ret_large_blocks = block_size_id > 5; /* 1 and 4 MiB */
	return version_1 && independent && reserved_clear && block_size_id >= 4 ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

/* Gives the library the header with the checksum it expects. */
static enum status lz4_take_header(struct inflater *i)
{
	uint8_t header[LZ4_HEADER_SIZE_MAX];
	struct slice in = inflater_input(i);
	size_t n = lz4_header_size(in), made = 0;
	if (n == 0)
		return STATUS_CORRUPT_MESSAGE;
	memcpy(header, in.p, n);
	header[n - 1] = lz4_header_checksum(header, n);
	size_t taken = n;
	size_t rc = LZ4F_decompress(i->lz4, header, &made, header, &taken, NULL);
	if (LZ4F_isError(rc) || taken != n)
		return STATUS_CORRUPT_MESSAGE;
	byte_reader_skip(&i->in, n);
	return STATUS_OK;
}

static enum status lz4_begin(struct inflater *i)
{
	bool large_blocks = false;
	TRY(lz4_check_header(inflater_input(i), &large_blocks));
	i->oversized = large_blocks;
	if (i->lz4 == NULL)
		expect(!LZ4F_isError(LZ4F_createDecompressionContext(&i->lz4, LZ4F_VERSION)));
	LZ4F_resetDecompressionContext(i->lz4);
	return i->magic_0 ? lz4_take_header(i) : STATUS_OK;
}

static enum status lz4_read(struct inflater *i, uint8_t *out, size_t n, size_t *ret_n)
{
	struct slice in = inflater_input(i);
	size_t taken = in.n, made = n;
	size_t rc = LZ4F_decompress(i->lz4, out, &made, in.p, &taken, NULL);
	if (LZ4F_isError(rc))
		return STATUS_CORRUPT_MESSAGE;
	byte_reader_skip(&i->in, taken);
	*ret_n = made;
	i->ended = rc == 0;
	if (i->ended)
		return byte_reader_left(&i->in) == 0 ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
	return taken > 0 || made > 0 ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

/* --- zstd ------------------------------------------------------------------------------------------------------ */

/* Window the first frame asks for (RFC 8878, 3.1.1.1.2); 0 when it is a single segment or not a frame. */
static unsigned zstd_window_log(struct slice in)
{
	if (in.n < 6 || (in.p[4] & 0x20) != 0)
		return 0;
	unsigned exponent = in.p[5] >> 3, mantissa = in.p[5] & 7;
	return 10 + exponent + (mantissa != 0);
}

static enum status zstd_begin(struct inflater *i)
{
	if (i->zstd == NULL)
		i->zstd = ZSTD_createDCtx();
	expect(i->zstd != NULL);
	(void)ZSTD_DCtx_reset(i->zstd, ZSTD_reset_session_only);
	unsigned log = zstd_window_log(inflater_input(i));
	int log_max = ZSTD_WINDOW_LOG_USUAL;
	if (log > ZSTD_WINDOW_LOG_USUAL) {
		log_max = ZSTD_WINDOW_LOG_MAX;
		if (i->max_bytes > INFLATER_MEMORY_MAX)
			i->max_bytes = INFLATER_MEMORY_MAX;
	}
	expect(!ZSTD_isError(ZSTD_DCtx_setParameter(i->zstd, ZSTD_d_windowLogMax, log_max)));
	return byte_reader_left(&i->in) > 0 ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

static enum status zstd_read(struct inflater *i, uint8_t *out, size_t n, size_t *ret_n)
{
	struct slice left = inflater_input(i);
	ZSTD_inBuffer in = {.src = left.p, .size = left.n};
	ZSTD_outBuffer to = {.dst = out, .size = n};
	size_t rc = ZSTD_decompressStream(i->zstd, &to, &in);
	if (ZSTD_isError(rc))
		return STATUS_CORRUPT_MESSAGE;
	byte_reader_skip(&i->in, in.pos);
	*ret_n = to.pos;
	i->ended = rc == 0 && byte_reader_left(&i->in) == 0; /* else another frame follows */
	return i->ended || in.pos > 0 || to.pos > 0 ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

/* --- snappy ---------------------------------------------------------------------------------------------------- */

static bool snappy_at_xerial_header(struct slice in)
{
	return in.n >= XERIAL_HEADER_SIZE && memcmp(in.p, compression_xerial_magic, XERIAL_MAGIC_SIZE) == 0;
}

static enum status snappy_begin(struct inflater *i)
{
	i->xerial = snappy_at_xerial_header(inflater_input(i));
	if (i->xerial)
		byte_reader_skip(&i->in, XERIAL_HEADER_SIZE);
	i->block_size = 0;
	i->block_at = 0;
	return STATUS_OK;
}

/* Bytes of the next compressed block; librdkafka and others write one bare block and no frame at all. */
static enum status snappy_next_block(struct inflater *i, struct slice *ret_block)
{
	if (!i->xerial) {
		*ret_block = byte_reader_bytes(&i->in, byte_reader_left(&i->in));
		return STATUS_OK;
	}
	/* Two streams one after another are one stream (snappy-java reads it so). */
	if (snappy_at_xerial_header(inflater_input(i)))
		byte_reader_skip(&i->in, XERIAL_HEADER_SIZE);
	if (byte_reader_left(&i->in) == 0) {
		*ret_block = slice_of(NULL, 0);
		return STATUS_OK;
	}
	int32_t size = byte_reader_i32(&i->in);
	if (i->in.status != STATUS_OK || size <= 0)
		return STATUS_CORRUPT_MESSAGE;
	*ret_block = byte_reader_bytes(&i->in, (size_t)size);
	return i->in.status == STATUS_OK ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

static enum status snappy_inflate_block(struct inflater *i, struct slice block)
{
	size_t size = 0;
	const char *p = (const char *)block.p;
	if (snappy_uncompressed_length(p, block.n, &size) != SNAPPY_OK)
		return STATUS_CORRUPT_MESSAGE;
	/* The claim is checked before anything of that size is allocated. */
	if (size > i->max_bytes - i->produced_bytes || size / SNAPPY_RATIO_MAX > block.n)
		return STATUS_CORRUPT_MESSAGE;
	if (size > i->block_capacity) {
		free(i->block);
		i->block_capacity = size > 2 * XERIAL_BLOCK_SIZE ? size : 2 * XERIAL_BLOCK_SIZE;
		i->block = check_alloc(i->block_capacity);
	}
	i->block_size = size;
	i->block_at = 0;
	i->oversized = i->block_capacity > INFLATER_MEMORY_KEPT;
	if (size == 0)
		return STATUS_OK;
	/* Writes exactly `size` bytes or fails. */
	size_t made = size;
	bool whole = snappy_uncompress(p, block.n, (char *)i->block, &made) == SNAPPY_OK && made == size;
	return whole ? STATUS_OK : STATUS_CORRUPT_MESSAGE;
}

static enum status snappy_read(struct inflater *i, uint8_t *out, size_t n, size_t *ret_n)
{
	while (i->block_at == i->block_size) {
		if (byte_reader_left(&i->in) == 0) {
			i->ended = true;
			*ret_n = 0;
			return STATUS_OK;
		}
		struct slice block;
		TRY(snappy_next_block(i, &block));
		if (block.n > 0)
			TRY(snappy_inflate_block(i, block));
	}
	size_t left = i->block_size - i->block_at;
	*ret_n = left < n ? left : n;
	memcpy(out, i->block + i->block_at, *ret_n);
	i->block_at += *ret_n;
	return STATUS_OK;
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static const struct inflater_ops codecs[COMPRESSION_COUNT] = {
	[COMPRESSION_gzip] = {gzip_begin, gzip_read},
	[COMPRESSION_snappy] = {snappy_begin, snappy_read},
	[COMPRESSION_lz4] = {lz4_begin, lz4_read},
	[COMPRESSION_zstd] = {zstd_begin, zstd_read},
};

struct inflater *inflater_new(void)
{
	return check_calloc(1, sizeof(struct inflater));
}

static void inflater_drop_buffers(struct inflater *i)
{
	if (i->gzip_ready)
		(void)inflateEnd(&i->gzip);
	i->gzip_ready = false;
	if (i->lz4 != NULL)
		(void)LZ4F_freeDecompressionContext(i->lz4);
	i->lz4 = NULL;
	(void)ZSTD_freeDCtx(i->zstd); /* accepts NULL */
	i->zstd = NULL;
	free(i->block);
	i->block = NULL;
	i->block_capacity = 0;
}

void inflater_free(struct inflater *i)
{
	if (i == NULL)
		return;
	inflater_drop_buffers(i);
	free(i->scratch);
	free(i);
}

uint8_t *inflater_scratch(struct inflater *i)
{
	if (i->scratch == NULL)
		i->scratch = check_alloc(INFLATER_SCRATCH_SIZE);
	return i->scratch;
}

static enum status begin(struct inflater *i, enum compression_type type, struct slice in, size_t max_bytes)
{
	expect(type > COMPRESSION_none && type < COMPRESSION_COUNT);
	expect(i->type == COMPRESSION_none); /* the one before was ended */
	expect(in.n <= INT32_MAX);           /* a batch; zlib counts in unsigned int */
	byte_reader_init(&i->in, in);
	i->max_bytes = max_bytes;
	i->produced_bytes = 0;
	i->ended = false;
	enum status s = codecs[type].begin(i);
	if (s == STATUS_OK)
		i->type = type;
	return s;
}

enum status inflater_begin(struct inflater *i, enum compression_type type, struct slice in, size_t max_bytes)
{
	i->magic_0 = false;
	return begin(i, type, in, max_bytes);
}

enum status inflater_begin_magic_0(struct inflater *i, enum compression_type type, struct slice in, size_t max_bytes)
{
	i->magic_0 = true;
	return begin(i, type, in, max_bytes);
}

enum status inflater_read(struct inflater *i, void *out, size_t n, size_t *ret_n)
{
	expect(i->type != COMPRESSION_none);
	expect(n <= INT32_MAX);
	uint8_t *to = out;
	size_t done = 0;
	while (done < n && !i->ended) {
		/* One byte past the cap tells a stream that ends there from one that does not. */
		size_t room = i->max_bytes - i->produced_bytes;
		size_t want = n - done <= room ? n - done : room + 1;
		size_t got = 0;
		TRY(codecs[i->type].read(i, to + done, want, &got));
		expect(got <= want);
		if (got > room)
			return STATUS_CORRUPT_MESSAGE;
		done += got;
		i->produced_bytes += got;
	}
	*ret_n = done;
	return STATUS_OK;
}

enum status inflater_read_all(struct inflater *i, uint8_t **ret_bytes, size_t *ret_n)
{
	size_t capacity = INFLATED_SIZE_FIRST, n = 0;
	uint8_t *bytes = check_alloc(capacity);
	for (;;) {
		size_t got = 0;
		enum status s = inflater_read(i, bytes + n, capacity - n, &got);
		if (s != STATUS_OK) {
			free(bytes);
			return s;
		}
		n += got;
		if (n < capacity)
			break;
		expect(n <= i->max_bytes);
		capacity *= 2;
		bytes = check_realloc(bytes, capacity);
	}
	*ret_bytes = bytes;
	*ret_n = n;
	return STATUS_OK;
}

void inflater_end(struct inflater *i)
{
	i->type = COMPRESSION_none;
	i->in = (struct byte_reader){0};
	if (i->oversized || (i->zstd != NULL && ZSTD_sizeof_DCtx(i->zstd) > INFLATER_MEMORY_KEPT))
		inflater_drop_buffers(i);
	i->oversized = false;
}

/* --- one per thread ---------------------------------------------------------------------------------------------- */

static pthread_key_t thread_key;
static pthread_once_t thread_key_once = PTHREAD_ONCE_INIT;

static void thread_inflater_free(void *i)
{
	inflater_free(i);
}

static void thread_key_make(void)
{
	expect(pthread_key_create(&thread_key, thread_inflater_free) == 0);
}

struct inflater *inflater_of_thread(void)
{
	expect(pthread_once(&thread_key_once, thread_key_make) == 0);
	struct inflater *i = pthread_getspecific(thread_key);
	if (i == NULL) {
		i = inflater_new();
		expect(pthread_setspecific(thread_key, i) == 0);
	}
	return i;
}

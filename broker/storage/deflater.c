#include "storage/deflater.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

enum {
	GZIP_WINDOW_BITS = 15 + 16,
	GZIP_MEMORY_LEVEL = 8,
	LZ4_LEVEL_MAX = 12,
	XERIAL_VERSION = 1,
};

struct deflater {
	enum compression_type type;
	int level;
	z_stream gzip; /* ready if type is gzip */
	ZSTD_CCtx *zstd;
};

static int clamp(int value, int low, int high)
{
	return value < low ? low : value > high ? high : value;
}

static const LZ4F_preferences_t lz4_preferences = {
	.frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
	.autoFlush = 1,
};

struct deflater *deflater_new(enum compression_type type, int level)
{
	expect(type > COMPRESSION_none && type < COMPRESSION_COUNT);
	struct deflater *d = check_calloc(1, sizeof(*d));
	d->type = type;
	d->level = level;
	if (type == COMPRESSION_gzip) {
		int gzip_level = level == 0 ? Z_DEFAULT_COMPRESSION : clamp(level, Z_DEFAULT_COMPRESSION, Z_BEST_COMPRESSION);
		int rc = deflateInit2(&d->gzip, gzip_level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
			Z_DEFAULT_STRATEGY);
		expect(rc == Z_OK);
	} else if (type == COMPRESSION_zstd) {
		d->zstd = ZSTD_createCCtx();
		expect(d->zstd != NULL);
		int zstd_level = level == 0 ? ZSTD_defaultCLevel() : clamp(level, ZSTD_minCLevel(), ZSTD_maxCLevel());
		expect(!ZSTD_isError(ZSTD_CCtx_setParameter(d->zstd, ZSTD_c_compressionLevel, zstd_level)));
	} else if (type == COMPRESSION_lz4) {
		d->level = clamp(level, -1, LZ4_LEVEL_MAX);
	}
	return d;
}

void deflater_free(struct deflater *d)
{
	if (d == NULL)
		return;
	if (d->type == COMPRESSION_gzip)
		(void)deflateEnd(&d->gzip);
	(void)ZSTD_freeCCtx(d->zstd); /* accepts NULL */
	free(d);
}

size_t deflater_bound(const struct deflater *d, size_t n)
{
	expect(n <= INT32_MAX);
	size_t blocks = (n + XERIAL_BLOCK_SIZE - 1) / XERIAL_BLOCK_SIZE;
	switch (d->type) {
	case COMPRESSION_gzip:
		/* deflateBound wants the stream, but is asked for any n: the documented worst case and the wrapper. */
		return compressBound(n) + 32;
	case COMPRESSION_snappy:
		return XERIAL_HEADER_SIZE + blocks * (4 + snappy_max_compressed_length(XERIAL_BLOCK_SIZE));
	case COMPRESSION_lz4:
		return LZ4F_compressFrameBound(n, &lz4_preferences);
	case COMPRESSION_zstd:
		return ZSTD_compressBound(n);
	case COMPRESSION_none:
	case COMPRESSION_COUNT:
		break;
	}
	unreachable("deflater without a codec");
}

static enum status gzip_run(struct deflater *d, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	if (deflateReset(&d->gzip) != Z_OK)
		return STATUS_UNKNOWN_SERVER_ERROR;
	union {
		const uint8_t *in;
		Bytef *zlib; /* zlib reads it only, but says so only under ZLIB_CONST */
	} next = {.in = in.p};
	d->gzip.next_in = next.zlib;
	d->gzip.avail_in = (uInt)in.n;
	d->gzip.next_out = out;
	d->gzip.avail_out = out_size > UINT32_MAX ? UINT32_MAX : (uInt)out_size;
	if (deflate(&d->gzip, Z_FINISH) != Z_STREAM_END)
		return STATUS_UNKNOWN_SERVER_ERROR;
	*ret_n = (size_t)(d->gzip.next_out - out);
	return STATUS_OK;
}

static enum status snappy_run(struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	struct byte_writer w;
	byte_writer_init(&w, out, out_size);
	byte_writer_bytes(&w, slice_of(compression_xerial_magic, XERIAL_MAGIC_SIZE));
	byte_writer_i32(&w, XERIAL_VERSION);
	byte_writer_i32(&w, XERIAL_VERSION); /* least version able to read it */
	for (size_t at = 0; at < in.n; at += XERIAL_BLOCK_SIZE) {
		size_t n = in.n - at < XERIAL_BLOCK_SIZE ? in.n - at : XERIAL_BLOCK_SIZE;
		struct slice block = slice_sub(in, at, n);
		size_t length_at = w.at;
		byte_writer_i32(&w, 0);
		expect(w.status == STATUS_OK);
		size_t made = out_size - w.at;
		if (snappy_compress((const char *)block.p, n, (char *)out + w.at, &made) != SNAPPY_OK)
			return STATUS_UNKNOWN_SERVER_ERROR;
		bytes_put_i32(out + length_at, (int32_t)made);
		w.at += made;
	}
	*ret_n = w.at;
	return STATUS_OK;
}

static enum status lz4_run(const struct deflater *d, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	LZ4F_preferences_t preferences = lz4_preferences;
	preferences.compressionLevel = d->level;
	size_t n = LZ4F_compressFrame(out, out_size, in.p, in.n, &preferences);
	if (LZ4F_isError(n))
		return STATUS_UNKNOWN_SERVER_ERROR;
	*ret_n = n;
	return STATUS_OK;
}

static enum status zstd_run(struct deflater *d, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	size_t n = ZSTD_compress2(d->zstd, out, out_size, in.p, in.n);
	if (ZSTD_isError(n))
		return STATUS_UNKNOWN_SERVER_ERROR;
	*ret_n = n;
	return STATUS_OK;
}

enum status deflater_run(struct deflater *d, struct slice in, uint8_t *out, size_t out_size, size_t *ret_n)
{
	expect(in.n <= INT32_MAX);
	expect(out_size >= deflater_bound(d, in.n));
	switch (d->type) {
	case COMPRESSION_gzip:
		return gzip_run(d, in, out, out_size, ret_n);
	case COMPRESSION_snappy:
		return snappy_run(in, out, out_size, ret_n);
	case COMPRESSION_lz4:
		return lz4_run(d, in, out, out_size, ret_n);
	case COMPRESSION_zstd:
		return zstd_run(d, in, out, out_size, ret_n);
	case COMPRESSION_none:
	case COMPRESSION_COUNT:
		break;
	}
	unreachable("deflater without a codec");
}

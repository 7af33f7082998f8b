#include "base/random.h"
#include "storage/deflater.h"
#include "storage/inflater.h"
#include "unit.h"
#include <lz4frame.h>
#include <malloc.h>
#include <pthread.h>
#include <snappy-c.h>
#include <sys/resource.h>
#include <zlib.h>
#include <zstd.h>

static const enum compression_type all[] = {COMPRESSION_gzip, COMPRESSION_snappy, COMPRESSION_lz4, COMPRESSION_zstd};
enum { ALL = sizeof(all) / sizeof(all[0]), MIB = 1 << 20 };

/* Compressible, but not trivially so. */
static uint8_t *sample(size_t n)
{
	struct random r;
	random_seed(&r, n + 1);
	uint8_t *p = check_alloc(n + 1);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)('a' + (random_below(&r, 4) == 0 ? random_below(&r, 26) : i % 7));
	return p;
}

static uint8_t *deflate_with(enum compression_type type, int level, struct slice in, size_t *ret_n)
{
	struct deflater *d = deflater_new(type, level);
	size_t bound = deflater_bound(d, in.n);
	uint8_t *out = check_alloc(bound + 1);
	ck_assert_int_eq(deflater_run(d, in, out, bound, ret_n), STATUS_OK);
	/* The context serves again and says the same. */
	uint8_t *again = check_alloc(bound + 1);
	size_t n = 0;
	ck_assert_int_eq(deflater_run(d, in, again, bound, &n), STATUS_OK);
	ck_assert_uint_eq(n, *ret_n);
	ck_assert_mem_eq(again, out, n);
	free(again);
	deflater_free(d);
	return out;
}

/* Reads in pieces of `piece`; the status of the first call that failed. */
static enum status inflate_all(enum compression_type type, struct slice in, size_t cap, size_t piece, uint8_t *out,
	size_t *ret_n)
{
	struct inflater *i = inflater_of_thread();
	TRY(inflater_begin(i, type, in, cap));
	size_t done = 0, got = 0;
	enum status s;
	do {
		s = inflater_read(i, out + done, piece, &got);
		done += s == STATUS_OK ? got : 0;
	} while (s == STATUS_OK && got == piece);
	inflater_end(i);
	*ret_n = done;
	return s;
}

/* Drops the output, as validation does. */
static enum status inflate_and_drop(enum compression_type type, struct slice in, size_t cap, uint64_t *ret_n)
{
	struct inflater *i = inflater_of_thread();
	TRY(inflater_begin(i, type, in, cap));
	uint64_t done = 0;
	size_t got = 0;
	enum status s;
	do {
		s = inflater_read(i, inflater_scratch(i), INFLATER_SCRATCH_SIZE, &got);
		done += s == STATUS_OK ? got : 0;
	} while (s == STATUS_OK && got == INFLATER_SCRATCH_SIZE);
	inflater_end(i);
	*ret_n = done;
	return s;
}

static void round_trip(enum compression_type type, int level, size_t size, size_t piece)
{
	uint8_t *in = sample(size);
	size_t n = 0, back_n = 0;
	uint8_t *packed = deflate_with(type, level, slice_of(in, size), &n);
	uint8_t *back = check_alloc(size + piece + 1);
	ck_assert_int_eq(inflate_all(type, slice_of(packed, n), size, piece, back, &back_n), STATUS_OK);
	ck_assert_uint_eq(back_n, size);
	ck_assert_mem_eq(back, in, size);
	/* One byte less than it needs is too little. */
	if (size > 0)
		ck_assert_int_eq(inflate_all(type, slice_of(packed, n), size - 1, piece, back, &back_n),
			STATUS_CORRUPT_MESSAGE);
	free(back);
	free(packed);
	free(in);
}

START_TEST(compression_names_are_kafkas)
{
	static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	for (unsigned i = 0; i < COMPRESSION_COUNT; i++) {
		enum compression_type type = COMPRESSION_COUNT;
		ck_assert_str_eq(compression_name((enum compression_type)i), names[i]);
		ck_assert_int_eq(compression_parse(slice_of_str(names[i]), &type), STATUS_OK);
		ck_assert_int_eq((int)type, (int)i);
	}
	enum compression_type type;
	ck_assert_int_eq(compression_parse(slice_of_str("brotli"), &type), STATUS_UNSUPPORTED_COMPRESSION_TYPE);
}
END_TEST

START_TEST(compression_round_trips_at_all_sizes)
{
	static const size_t sizes[] = {0, 1, 100, 32767, 32768, 32769, 65536, 300000};
	for (int c = 0; c < ALL; c++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			round_trip(all[c], 0, sizes[i], 65536);
			round_trip(all[c], 0, sizes[i], 997);
		}
}
END_TEST

START_TEST(compression_levels_out_of_range_are_clamped)
{
	static const int levels[] = {-1000000, -1, 1, 9, 17, 22, 1000};
	for (int c = 0; c < ALL; c++)
		for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
			round_trip(all[c], levels[i], 5000, 4096);
}
END_TEST

START_TEST(compression_writes_the_framing_java_clients_read)
{
	uint8_t *in = sample(100000);
	size_t n = 0;
	uint8_t *out = deflate_with(COMPRESSION_snappy, 0, slice_of(in, 100000), &n);
	static const uint8_t xerial[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};
	ck_assert_mem_eq(out, xerial, sizeof(xerial));
	free(out);
	out = deflate_with(COMPRESSION_lz4, 0, slice_of(in, 100000), &n);
	static const uint8_t lz4[] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40};
	ck_assert_mem_eq(out, lz4, sizeof(lz4));
	free(out);
	out = deflate_with(COMPRESSION_zstd, 0, slice_of(in, 100000), &n);
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd};
	ck_assert_mem_eq(out, zstd, sizeof(zstd));
	free(out);
	out = deflate_with(COMPRESSION_gzip, 0, slice_of(in, 100000), &n);
	static const uint8_t gzip[] = {0x1f, 0x8b, 8};
	ck_assert_mem_eq(out, gzip, sizeof(gzip));
	free(out);
	free(in);
}
END_TEST

START_TEST(compression_every_cut_is_refused)
{
	uint8_t *in = sample(3000);
	static uint8_t back[8192];
	for (int c = 0; c < ALL; c++) {
		size_t n = 0, got = 0;
		uint8_t *out = deflate_with(all[c], 0, slice_of(in, 3000), &n);
		for (size_t cut = 0; cut < n; cut++) {
			enum status s = inflate_all(all[c], slice_of(out, cut), 3000, 4096, back, &got);
			/* An empty snappy stream is an empty stream. */
			bool empty_snappy = all[c] == COMPRESSION_snappy && (cut == 0 || cut == XERIAL_HEADER_SIZE);
			ck_assert_msg(s == STATUS_CORRUPT_MESSAGE || (empty_snappy && got == 0), "codec %d cut at %zu: %d",
				(int)all[c], cut, (int)s);
		}
		free(out);
	}
	free(in);
}
END_TEST

START_TEST(compression_trailing_bytes_are_refused)
{
	uint8_t *in = sample(3000);
	static uint8_t back[8192];
	for (int c = 0; c < ALL; c++) {
		size_t n = 0, got = 0;
		uint8_t *out = deflate_with(all[c], 0, slice_of(in, 3000), &n);
		out = check_realloc(out, n + 5);
		memset(out + n, 0x7e, 5);
		ck_assert_int_eq(inflate_all(all[c], slice_of(out, n + 5), 3000, 4096, back, &got), STATUS_CORRUPT_MESSAGE);
		free(out);
	}
	free(in);
}
END_TEST

START_TEST(compression_damage_is_refused_or_harmless)
{
	uint8_t *in = sample(3000);
	static uint8_t back[32768];
	struct random r;
	random_seed(&r, 42);
	for (int c = 0; c < ALL; c++) {
		size_t n = 0, got = 0;
		uint8_t *out = deflate_with(all[c], 0, slice_of(in, 3000), &n);
		for (int i = 0; i < 3000; i++) {
			size_t at = random_below(&r, n);
			uint8_t old = out[at];
			out[at] = (uint8_t)random_u64(&r);
			enum status s = inflate_all(all[c], slice_of(out, n), 16384, 16384, back, &got);
			ck_assert(s == STATUS_OK || s == STATUS_CORRUPT_MESSAGE);
			ck_assert_uint_le(got, 16384);
			out[at] = old;
		}
		ck_assert_int_eq(inflate_all(all[c], slice_of(out, n), 3000, 4096, back, &got), STATUS_OK);
		free(out);
	}
	free(in);
}
END_TEST

START_TEST(compression_bare_snappy_block_is_read)
{
	uint8_t *in = sample(100000), *back = check_alloc(200000);
	size_t n = snappy_max_compressed_length(100000), got = 0;
	char *block = check_alloc(n);
	ck_assert_int_eq(snappy_compress((const char *)in, 100000, block, &n), SNAPPY_OK);
	ck_assert_int_eq(inflate_all(COMPRESSION_snappy, slice_of(block, n), 100000, 1000, back, &got), STATUS_OK);
	ck_assert_uint_eq(got, 100000);
	ck_assert_mem_eq(back, in, 100000);
	free(block);
	free(back);
	free(in);
}
END_TEST

START_TEST(compression_snappy_claims_are_checked_before_they_cost)
{
	static const uint8_t four_gib[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'};
	uint8_t back[16];
	size_t got;
	ck_assert_int_eq(inflate_all(COMPRESSION_snappy, slice_of(four_gib, sizeof(four_gib)), SIZE_MAX / 2, 16, back, &got),
		STATUS_CORRUPT_MESSAGE);
	uint8_t negative[XERIAL_HEADER_SIZE + 8] = {0};
	memcpy(negative, compression_xerial_magic, XERIAL_MAGIC_SIZE);
	memset(negative + XERIAL_HEADER_SIZE, 0xff, 4);
	ck_assert_int_eq(inflate_all(COMPRESSION_snappy, slice_of(negative, sizeof(negative)), 1000, 16, back, &got),
		STATUS_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(compression_streams_one_after_another_are_one)
{
	static const enum compression_type joinable[] = {COMPRESSION_gzip, COMPRESSION_snappy, COMPRESSION_zstd};
	uint8_t *in = sample(5000), *back = check_alloc(20000);
	for (int c = 0; c < 3; c++) {
		size_t n = 0, got = 0;
		uint8_t *out = deflate_with(joinable[c], 0, slice_of(in, 5000), &n);
		out = check_realloc(out, 2 * n);
		memcpy(out + n, out, n);
		ck_assert_int_eq(inflate_all(joinable[c], slice_of(out, 2 * n), 10000, 700, back, &got), STATUS_OK);
		ck_assert_uint_eq(got, 10000);
		ck_assert_mem_eq(back, in, 5000);
		ck_assert_mem_eq(back + 5000, in, 5000);
		free(out);
	}
	free(back);
	free(in);
}
END_TEST

static size_t lz4_frame(struct slice in, LZ4F_blockMode_t mode, LZ4F_blockSizeID_t size, uint8_t *out, size_t out_size)
{
	LZ4F_preferences_t p = {.frameInfo = {.blockMode = mode, .blockSizeID = size, .contentChecksumFlag = 1}};
	LZ4F_cctx *c = NULL;
	ck_assert(!LZ4F_isError(LZ4F_createCompressionContext(&c, LZ4F_VERSION)));
	size_t n = LZ4F_compressBegin(c, out, out_size, &p);
	n += LZ4F_compressUpdate(c, out + n, out_size - n, in.p, in.n, NULL);
	n += LZ4F_compressEnd(c, out + n, out_size - n, NULL);
	LZ4F_freeCompressionContext(c);
	return n;
}

START_TEST(compression_lz4_dependent_blocks_are_refused_as_java_would)
{
	uint8_t *in = sample(200000), *out = check_alloc(8 * MIB), *back = check_alloc(300000);
	size_t got = 0;
	size_t n = lz4_frame(slice_of(in, 200000), LZ4F_blockLinked, LZ4F_max64KB, out, 8 * MIB);
	ck_assert_int_eq(inflate_all(COMPRESSION_lz4, slice_of(out, n), 300000, 65536, back, &got), STATUS_CORRUPT_MESSAGE);
	n = lz4_frame(slice_of(in, 200000), LZ4F_blockIndependent, LZ4F_max4MB, out, 8 * MIB);
	ck_assert_int_eq(inflate_all(COMPRESSION_lz4, slice_of(out, n), 200000, 65536, back, &got), STATUS_OK);
	ck_assert_uint_eq(got, 200000);
	ck_assert_mem_eq(back, in, 200000);
	free(back);
	free(out);
	free(in);
}
END_TEST

/* A zstd frame of 128 KiB run-length blocks, four bytes each, with the given window log and no content size. */
static uint8_t *zstd_bomb(unsigned window_log, size_t blocks, size_t *ret_n)
{
	*ret_n = 6 + 4 * blocks;
	uint8_t *p = check_alloc(*ret_n);
	static const uint8_t head[] = {0x28, 0xb5, 0x2f, 0xfd, 0};
	memcpy(p, head, sizeof(head));
	p[5] = (uint8_t)((window_log - 10) << 3);
	for (size_t i = 0; i < blocks; i++) {
		uint32_t header = (uint32_t)(131072 << 3) | 1 << 1 | (i == blocks - 1);
		p[6 + 4 * i] = (uint8_t)header;
		p[7 + 4 * i] = (uint8_t)(header >> 8);
		p[8 + 4 * i] = (uint8_t)(header >> 16);
		p[9 + 4 * i] = 'x';
	}
	return p;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { BOMB_RSS_KIB_MAX = 64 * 1024 }; /* quarantined and shadow memory */
#else
enum { BOMB_RSS_KIB_MAX = 24 * 1024 };
#endif

static long peak_rss_kib(void)
{
	struct rusage u;
	ck_assert_int_eq(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_maxrss;
}

START_TEST(compression_zstd_bomb_costs_little_memory)
{
	size_t n = 0;
	uint64_t got = 0;
	for (unsigned window = 17; window <= 27; window += 2) {
		uint8_t *bomb = zstd_bomb(window, 80000, &n); /* 320 KB for 10 GiB */
		long before = peak_rss_kib();
		ck_assert_int_eq(inflate_and_drop(COMPRESSION_zstd, slice_of(bomb, n), 64 * MIB, &got),
			STATUS_CORRUPT_MESSAGE);
		ck_assert_uint_le(got, 64 * MIB);
		ck_assert_int_lt(peak_rss_kib() - before, BOMB_RSS_KIB_MAX);
		free(bomb);
	}
}
END_TEST

START_TEST(compression_zstd_window_beyond_the_format_of_kafka_is_refused)
{
	size_t n = 0;
	uint64_t got = 0;
	uint8_t *bomb = zstd_bomb(31, 8, &n);
	ck_assert_int_eq(inflate_and_drop(COMPRESSION_zstd, slice_of(bomb, n), 64 * MIB, &got), STATUS_CORRUPT_MESSAGE);
	free(bomb);
	/* A small frame first must not open the door for a large one behind it. */
	size_t small_n = 0, large_n = 0;
	uint8_t *small = zstd_bomb(20, 1, &small_n), *large = zstd_bomb(27, 1, &large_n);
	small = check_realloc(small, small_n + large_n);
	memcpy(small + small_n, large, large_n);
	ck_assert_int_eq(inflate_and_drop(COMPRESSION_zstd, slice_of(small, small_n + large_n), 64 * MIB, &got),
		STATUS_CORRUPT_MESSAGE);
	free(large);
	free(small);
}
END_TEST

START_TEST(compression_zstd_ultra_levels_of_streaming_clients_are_read)
{
	uint8_t *in = sample(2 * MIB), *out = check_alloc(4 * MIB), *back = check_alloc(4 * MIB);
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ck_assert(!ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 27)));
	/* In two steps, so that the size is not known when the frame begins: that is how Java writes. */
	ZSTD_outBuffer to = {out, 4 * MIB, 0};
	ZSTD_inBuffer from = {in, 2 * MIB, 0};
	ck_assert(!ZSTD_isError(ZSTD_compressStream2(c, &to, &from, ZSTD_e_flush)));
	ck_assert(!ZSTD_isError(ZSTD_compressStream2(c, &to, &from, ZSTD_e_end)));
	ck_assert_uint_eq(out[5] >> 3, 17);
	size_t got = 0;
	ck_assert_int_eq(inflate_all(COMPRESSION_zstd, slice_of(out, to.pos), 64 * MIB, 65536, back, &got), STATUS_OK);
	ck_assert_uint_eq(got, 2 * MIB);
	ck_assert_mem_eq(back, in, 2 * MIB);
	ZSTD_freeCCtx(c);
	free(back);
	free(out);
	free(in);
}
END_TEST

START_TEST(compression_gzip_bomb_stops_at_the_cap)
{
	uint8_t *zeros = check_calloc(1, 32 * MIB);
	size_t n = 0;
	uint64_t got = 0;
	uint8_t *out = deflate_with(COMPRESSION_gzip, 9, slice_of(zeros, 32 * MIB), &n);
	ck_assert_uint_lt(n, 40000);
	ck_assert_int_eq(inflate_and_drop(COMPRESSION_gzip, slice_of(out, n), 32 * MIB - 1, &got), STATUS_CORRUPT_MESSAGE);
	ck_assert_int_eq(inflate_and_drop(COMPRESSION_gzip, slice_of(out, n), 32 * MIB, &got), STATUS_OK);
	ck_assert_uint_eq(got, 32 * MIB);
	free(out);
	free(zeros);
}
END_TEST

START_TEST(compression_warm_context_allocates_nothing)
{
	uint8_t *in = sample(200000), *back = check_alloc(300000);
	for (int c = 0; c < ALL; c++) {
		size_t n = 0, got = 0;
		uint8_t *out = deflate_with(all[c], 0, slice_of(in, 200000), &n);
		ck_assert_int_eq(inflate_all(all[c], slice_of(out, n), 200000, 65536, back, &got), STATUS_OK);
		size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
		for (int i = 0; i < 10; i++)
			ck_assert_int_eq(inflate_all(all[c], slice_of(out, n), 200000, 65536, back, &got), STATUS_OK);
		ck_assert_uint_eq(mallinfo2().uordblks + mallinfo2().hblkhd, before);
		free(out);
	}
	free(back);
	free(in);
}
END_TEST

static void *round_trips(void *arg)
{
	(void)arg;
	for (int c = 0; c < ALL; c++)
		for (size_t size = 1000; size < 100000; size *= 3)
			round_trip(all[c], 0, size, 4096);
	return inflater_of_thread();
}

START_TEST(compression_each_thread_has_a_context_of_its_own)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	ck_assert_ptr_nonnull(inflater_of_thread()); /* made first, so that its memory is not a dead thread's */
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, round_trips, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		void *theirs = NULL;
		ck_assert_int_eq(pthread_join(threads[i], &theirs), 0);
		ck_assert_ptr_ne(theirs, inflater_of_thread());
	}
}
END_TEST

UNIT_MAIN("compression", compression_names_are_kafkas, compression_round_trips_at_all_sizes,
	compression_levels_out_of_range_are_clamped, compression_writes_the_framing_java_clients_read,
	compression_every_cut_is_refused, compression_trailing_bytes_are_refused,
	compression_damage_is_refused_or_harmless, compression_bare_snappy_block_is_read,
	compression_snappy_claims_are_checked_before_they_cost, compression_streams_one_after_another_are_one,
	compression_lz4_dependent_blocks_are_refused_as_java_would, compression_zstd_bomb_costs_little_memory,
	compression_zstd_window_beyond_the_format_of_kafka_is_refused,
	compression_zstd_ultra_levels_of_streaming_clients_are_read, compression_gzip_bomb_stops_at_the_cap,
	compression_warm_context_allocates_nothing, compression_each_thread_has_a_context_of_its_own)

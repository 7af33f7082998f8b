/* The parts of net/ that need no socket: frames cut from bytes, the pool of blocks, the budget. */
#include "net/frame_input.h"
#include "net/request_budget.h"

#include "base/random.h"
#include "unit.h"

enum { KIB = 1024, MIB = 1024 * 1024, SCRATCH = 4 * KIB };

/* ---- frames ---- */

struct feed {
	struct frame_input input;
	struct iovec scratch;
	const uint8_t *bytes;
	size_t n, at;
};

/* Gives the input up to most bytes, as a socket would. */
static size_t feed_some(struct feed *f, size_t most)
{
	struct iovec iov[2];
	int count = frame_input_iov(&f->input, f->scratch, most, iov);
	size_t given = 0;
	for (int i = 0; i < count; i++) {
		size_t part = iov[i].iov_len < f->n - f->at ? iov[i].iov_len : f->n - f->at;
		memcpy(iov[i].iov_base, f->bytes + f->at, part);
		f->at += part;
		given += part;
	}
	ck_assert_uint_le(given, most);
	frame_input_filled(&f->input, f->scratch, given);
	return given;
}

/* Frames of random sizes in random pieces, with pauses at random: all come out, whole and in order. */
START_TEST(frame_input_any_pieces_make_the_same_frames)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct block_pool *pool = block_pool_new(manual_scheduler_scheduler(m), 1 * MIB);
	struct random dice;
	for (uint64_t seed = 0; seed < 200; seed++) {
		random_seed(&dice, seed);
		size_t n = 0, frames = 0, sizes[200];
		uint8_t *bytes = check_alloc(200 * (4 + 9000));
		for (; frames < 200; frames++) {
			sizes[frames] = 1 + random_below(&dice, random_below(&dice, 10) == 0 ? 9000 : 50);
			bytes_put_i32(bytes + n, (int32_t)sizes[frames]);
			for (size_t i = 0; i < sizes[frames]; i++)
				bytes[n + 4 + i] = (uint8_t)random_u64(&dice);
			n += 4 + sizes[frames];
		}
		struct feed f = {.bytes = bytes, .n = n};
		f.scratch = (struct iovec){.iov_base = check_alloc(SCRATCH), .iov_len = SCRATCH};
		frame_input_init(&f.input, pool, 9000);
		size_t got = 0, at = 0;
		while (got < frames) {
			struct iobuf_block *block;
			size_t size;
			if (frame_input_empty(&f.input))
				ck_assert_uint_gt(feed_some(&f, 1 + random_below(&dice, 6000)), 0);
			while (random_below(&dice, 8) != 0 && frame_input_next(&f.input, &block, &size) == FRAME_READY) {
				ck_assert_uint_eq(size, 4 + sizes[got]);
				ck_assert_mem_eq(block->data, bytes + at, size);
				iobuf_block_shared_unref(block);
				at += size;
				got++;
			}
			ck_assert(frame_input_park(&f.input));
			memset(f.scratch.iov_base, 0xee, SCRATCH); /* others use it meanwhile */
		}
		ck_assert_uint_eq(f.at, n);
		frame_input_fini(&f.input);
		free(f.scratch.iov_base);
		free(bytes);
	}
	block_pool_free(pool);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(frame_input_bad_lengths_are_told)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct block_pool *pool = block_pool_new(manual_scheduler_scheduler(m), 1 * MIB);
	const int32_t lengths[] = {0, -1, INT32_MIN, INT32_MAX, 1001};
	uint8_t scratch[SCRATCH];
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t bytes[8] = {0};
		struct iobuf_block *block;
		size_t n;
		bytes_put_i32(bytes, lengths[i]);
		struct feed f = {.bytes = bytes, .n = 8, .scratch = {.iov_base = scratch, .iov_len = SCRATCH}};
		frame_input_init(&f.input, pool, 1000);
		ck_assert_uint_eq(feed_some(&f, 3), 3);
		ck_assert_int_eq(frame_input_next(&f.input, &block, &n), FRAME_MORE);
		ck_assert_uint_eq(feed_some(&f, 5), 5);
		ck_assert_int_eq(frame_input_next(&f.input, &block, &n), FRAME_BAD_LENGTH);
		ck_assert_int_eq(frame_input_bad_length(&f.input), lengths[i]);
		frame_input_fini(&f.input);
	}
	block_pool_free(pool);
	manual_scheduler_free(m);
}
END_TEST

/* ---- pool ---- */

START_TEST(block_pool_uses_again_and_gives_back_what_idles)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct block_pool *pool = block_pool_new(manual_scheduler_scheduler(m), 2 * MIB);
	struct iobuf_block *a = block_pool_get(pool, 1000), *b = block_pool_get(pool, 1 * MIB);
	ck_assert_uint_ge(a->size, 1000);
	ck_assert_uint_ge(b->size, 1 * MIB);
	memset(b->data, 1, b->size);
	iobuf_block_shared_unref(a);
	ck_assert_ptr_eq(block_pool_get(pool, 1020), a); /* of the same class */
	iobuf_block_shared_unref(a);
	iobuf_block_shared_unref(b);
	ck_assert_uint_ge(block_pool_spare_bytes(pool), 1000 + 1 * MIB);
	/* One is in use all the time, the other is not: only that one goes. */
	for (int i = 0; i < 8; i++) {
		struct iobuf_block *again = block_pool_get(pool, 1 * MIB);
		ck_assert_ptr_eq(again, b);
		iobuf_block_shared_unref(again);
		manual_scheduler_advance_us(m, 500 * 1000);
	}
	ck_assert_uint_eq(block_pool_spare_bytes(pool), b->size);
	manual_scheduler_advance_us(m, 2500 * 1000);
	ck_assert_uint_eq(block_pool_spare_bytes(pool), 0);
	ck_assert(!manual_scheduler_step(m)); /* an idle pool has no timer */
	block_pool_free(pool);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(block_pool_is_bounded_and_its_blocks_outlive_it)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct block_pool *pool = block_pool_new(manual_scheduler_scheduler(m), 1 * MIB);
	struct iobuf_block *blocks[20];
	for (int i = 0; i < 20; i++)
		blocks[i] = block_pool_get(pool, 256 * KIB);
	struct iobuf_block *huge = block_pool_get(pool, 50 * MIB), *last = block_pool_get(pool, 10);
	ck_assert_uint_eq(huge->size, 50 * MIB);
	for (int i = 0; i < 20; i++)
		iobuf_block_shared_unref(blocks[i]);
	iobuf_block_shared_unref(huge);
	ck_assert_uint_le(block_pool_spare_bytes(pool), 1 * MIB);
	ck_assert_uint_ge(block_pool_spare_bytes(pool), 512 * KIB);
	block_pool_free(pool);
	memset(last->data, 7, last->size);
	manual_scheduler_free(m);
	iobuf_block_shared_unref(last);
	ck_assert_ptr_null(iobuf_block_new((size_t)UINT32_MAX + 1));
}
END_TEST

/* ---- budget ---- */

static int wakes;
static void count_wake(struct task *t)
{
	int *arg = request_budget_woken(t);
	++*arg;
}

START_TEST(request_budget_wakes_those_who_wait_when_there_is_room)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct request_budget *b = check_calloc(1, sizeof(*b));
	request_budget_init(b, 1 * MIB);
	wakes = 0;
	request_budget_attach(b, 0, manual_scheduler_scheduler(m), count_wake, &wakes);
	request_budget_attach(b, 5, manual_scheduler_scheduler(m), count_wake, &wakes);
	ck_assert_uint_eq(request_budget_unit(b), 16 * KIB);
	ck_assert(request_budget_has_room(b));
	request_budget_take(b, 1 * MIB - 16 * KIB);
	ck_assert(request_budget_has_room(b));
	request_budget_take(b, 1);
	ck_assert(!request_budget_has_room(b));
	ck_assert(request_budget_wait(b, 5));
	request_budget_take(b, 100);
	request_budget_give(b, 100); /* not enough to be of use */
	manual_scheduler_run(m);
	ck_assert_int_eq(wakes, 0);
	request_budget_give(b, 1);
	request_budget_give(b, 1000);
	manual_scheduler_run(m);
	ck_assert_int_eq(wakes, 1); /* loop 5, once; loop 0 did not ask */
	request_budget_take(b, 1 * MIB);
	ck_assert(request_budget_wait(b, 0));
	ck_assert(request_budget_wait(b, 5));
	ck_assert(request_budget_take_overdraft(b, &clock));
	ck_assert(!request_budget_take_overdraft(b, m));
	request_budget_give_overdraft(b); /* somebody else may have it now */
	manual_scheduler_run(m);
	ck_assert_int_eq(wakes, 3);
	ck_assert(request_budget_take_overdraft(b, m));
	request_budget_give(b, request_budget_used(b));
	ck_assert(!request_budget_wait(b, 0)); /* there is room: go on */
	free(b);
	manual_scheduler_free(m);
}
END_TEST

START_TEST(request_budget_smaller_than_a_unit_lets_one_in)
{
	struct request_budget *b = check_calloc(1, sizeof(*b));
	request_budget_init(b, 100);
	ck_assert(request_budget_has_room(b));
	request_budget_take(b, 1);
	ck_assert(!request_budget_has_room(b));
	free(b);
}
END_TEST

UNIT_MAIN("net_input", frame_input_any_pieces_make_the_same_frames, frame_input_bad_lengths_are_told,
	block_pool_uses_again_and_gives_back_what_idles, block_pool_is_bounded_and_its_blocks_outlive_it,
	request_budget_wakes_those_who_wait_when_there_is_room, request_budget_smaller_than_a_unit_lets_one_in)

#include "base/iobuf.h"
#include "base/random.h"
#include "unit.h"

/* The memory bytes of a chain, flattened. */
static size_t flatten(const struct iobuf *b, uint8_t *out)
{
	struct iovec iov[64];
	int n = iobuf_peek_iov(b, iov, 64);
	size_t at = 0;
	for (int i = 0; i < n; i++) {
		memcpy(out + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return at;
}

START_TEST(iobuf_keeps_bytes_in_order_across_copies_and_consumes)
{
	struct iobuf b;
	static uint8_t expected[4096], got[4096];
	size_t head = 0, tail = 0;
	struct random dice;
	random_seed(&dice, 9);
	iobuf_init(&b);
	while (tail < sizeof(expected) - 300) {
		uint8_t piece[300];
		size_t n = random_below(&dice, sizeof(piece));
		for (size_t i = 0; i < n; i++)
			piece[i] = expected[tail + i] = (uint8_t)random_u64(&dice);
		iobuf_append_copy(&b, slice_of(piece, n));
		tail += n;
		size_t drop = random_below(&dice, b.size_bytes + 1) / 2;
		iobuf_consume(&b, drop);
		head += drop;
		ck_assert_uint_eq(b.size_bytes, tail - head);
		ck_assert_uint_eq(flatten(&b, got), tail - head);
		ck_assert(memcmp(got, expected + head, tail - head) == 0);
	}
	iobuf_consume(&b, b.size_bytes);
	ck_assert_uint_eq(b.count, 0);
	iobuf_fini(&b);
}
END_TEST

START_TEST(iobuf_block_references_are_dropped_once)
{
	struct iobuf_block *block = iobuf_block_new(100);
	struct iobuf a, b;
	iobuf_init(&a);
	iobuf_init(&b);
	iobuf_append_block(&a, block, block->data, 60);
	iobuf_append_block(&a, block, block->data + 60, 40);
	ck_assert_int_eq(atomic_load(&block->refs), 3);
	iobuf_append_copy(&b, slice_of_str("head"));
	iobuf_append_iobuf(&b, &a);
	ck_assert_uint_eq(a.size_bytes, 0);
	ck_assert_uint_eq(b.size_bytes, 104);
	iobuf_consume(&b, 70);
	ck_assert_int_eq(atomic_load(&block->refs), 2);
	iobuf_fini(&b);
	ck_assert_int_eq(atomic_load(&block->refs), 1);
	iobuf_block_shared_unref(block);
}
END_TEST

static int files_freed;

static void count_free(struct iobuf_file *f)
{
	(void)f;
	files_freed++;
}

START_TEST(iobuf_interleaves_memory_and_file_ranges)
{
	struct iobuf_file file = {.refs = 1, .fd = -1, .free = count_free};
	struct iobuf b;
	struct iovec iov[4];
	iobuf_init(&b);
	iobuf_append_copy(&b, slice_of_str("one"));
	iobuf_append_file(&b, &file, 100, 50);
	memcpy(iobuf_append_space(&b, 3), "two", 3);
	ck_assert_uint_eq(b.size_bytes, 56);
	ck_assert_int_eq(iobuf_peek_iov(&b, iov, 4), 1);
	ck_assert_ptr_null(iobuf_peek_file(&b));
	iobuf_consume(&b, 13);
	const struct iobuf_fragment *f = iobuf_peek_file(&b);
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(f->position, 110);
	ck_assert_uint_eq(f->n, 40);
	ck_assert_int_eq(iobuf_peek_iov(&b, iov, 4), 0);
	iobuf_file_shared_unref(&file);
	ck_assert_int_eq(files_freed, 0);
	iobuf_consume(&b, 40);
	ck_assert_int_eq(files_freed, 1);
	iobuf_fini(&b);
}
END_TEST

START_TEST(iobuf_copy_never_writes_into_a_block_shared_with_another_chain)
{
	struct iobuf a, b;
	iobuf_init(&a);
	iobuf_init(&b);
	iobuf_append_copy(&a, slice_of_str("aaa"));
	struct iobuf_fragment *f = &a.fragments[a.first];
	iobuf_append_block(&b, f->block, f->p, f->n);
	iobuf_append_copy(&a, slice_of_str("AAA"));
	iobuf_append_copy(&b, slice_of_str("BBB"));
	uint8_t out[16];
	ck_assert_uint_eq(flatten(&a, out), 6);
	ck_assert(memcmp(out, "aaaAAA", 6) == 0);
	ck_assert_uint_eq(flatten(&b, out), 6);
	ck_assert(memcmp(out, "aaaBBB", 6) == 0);
	iobuf_fini(&a);
	iobuf_fini(&b);
}
END_TEST

START_TEST(iobuf_move_takes_whole_fragments_and_parts)
{
	struct iobuf a, b;
	struct iobuf_block *first = iobuf_block_new(4), *second = iobuf_block_new(4);
	uint8_t out[16];
	ck_assert(first != NULL && second != NULL);
	memcpy(first->data, "abcd", 4);
	memcpy(second->data, "efgh", 4);
	iobuf_init(&a);
	iobuf_init(&b);
	iobuf_append_block(&a, first, first->data, 4);
	iobuf_append_block(&a, second, second->data, 4);
	iobuf_move(&b, &a, 6);
	iobuf_move(&b, &a, 0);
	ck_assert_uint_eq(a.size_bytes, 2);
	ck_assert_uint_eq(flatten(&b, out), 6);
	ck_assert(memcmp(out, "abcdef", 6) == 0);
	ck_assert_uint_eq(flatten(&a, out), 2);
	ck_assert(memcmp(out, "gh", 2) == 0);
	ck_assert_int_eq(atomic_load(&first->refs), 2);
	ck_assert_int_eq(atomic_load(&second->refs), 3);
	iobuf_fini(&a);
	iobuf_fini(&b);
	ck_assert_int_eq(atomic_load(&first->refs), 1);
	iobuf_block_shared_unref(first);
	iobuf_block_shared_unref(second);
}
END_TEST

UNIT_MAIN("iobuf", iobuf_keeps_bytes_in_order_across_copies_and_consumes, iobuf_block_references_are_dropped_once,
	iobuf_interleaves_memory_and_file_ranges, iobuf_copy_never_writes_into_a_block_shared_with_another_chain,
	iobuf_move_takes_whole_fragments_and_parts)

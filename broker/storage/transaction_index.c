#include "storage/transaction_index.h"
#include <uthash.h>

enum { READ_ENTRIES = 64 };

void transaction_index_add(struct aborted_list *l, const struct aborted_transaction *t)
{
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 8 : l->capacity * 2;
		l->list = check_realloc(l->list, l->capacity * sizeof(l->list[0]));
	}
	l->list[l->count++] = *t;
}

void transaction_index_fini(struct aborted_list *l)
{
	free(l->list);
	*l = (struct aborted_list){0};
}

static enum status add_entry(const uint8_t *p, struct aborted_list *l)
{
	struct aborted_transaction t = {bytes_get_i64(p + 2), bytes_get_i64(p + 10), bytes_get_i64(p + 18), bytes_get_i64(p + 26)};
	if (bytes_get_i16(p) < 0 || t.first_offset < 0 || t.last_offset < t.first_offset)
		return STATUS_CORRUPT;
	transaction_index_add(l, &t);
	return STATUS_OK;
}

static enum status read_entries(struct disk_file *f, size_t count_max, struct aborted_list *l)
{
	uint8_t block[READ_ENTRIES * TRANSACTION_INDEX_ENTRY_SIZE];
	int64_t size;
	TRY(disk_file_size(f, &size));
	if (size % TRANSACTION_INDEX_ENTRY_SIZE != 0)
		return STATUS_CORRUPT;
	if ((uint64_t)size / TRANSACTION_INDEX_ENTRY_SIZE > count_max - l->count)
		return STATUS_TOO_LARGE;
	for (int64_t at = 0; at < size; at += (int64_t)sizeof(block)) {
		size_t n = size - at < (int64_t)sizeof(block) ? (size_t)(size - at) : sizeof(block);
		TRY(disk_file_pread_all(f, block, n, at));
		for (size_t i = 0; i < n; i += TRANSACTION_INDEX_ENTRY_SIZE)
			TRY(add_entry(block + i, l));
	}
	return STATUS_OK;
}

enum status transaction_index_read(struct disk *d, const char *path, size_t count_max, struct aborted_list *l)
{
	struct disk_file *f;
	expect(l->count <= count_max);
	enum status s = disk_open(d, path, DISK_READ, &f);
	if (s != STATUS_OK)
		return s == STATUS_NOT_FOUND ? STATUS_OK : s;
	s = read_entries(f, count_max, l);
	disk_file_close(f);
	return s;
}

void transaction_index_encode(const struct aborted_transaction *t, uint8_t out[static TRANSACTION_INDEX_ENTRY_SIZE])
{
	bytes_put_i16(out, 0);
	bytes_put_i64(out + 2, t->producer_id);
	bytes_put_i64(out + 10, t->first_offset);
	bytes_put_i64(out + 18, t->last_offset);
	bytes_put_i64(out + 26, t->last_stable_offset);
}

enum status transaction_end_of(const struct record_batch *b, enum transaction_end *ret_end)
{
	enum { KEY_SIZE = 4, INFLATED_MAX = 1 << 20 };
	struct record_iterator it;
	struct record r;
	TRY(record_iterator_init(&it, b, INFLATED_MAX));
	enum status s = record_iterator_next(&it, &r);
	if (s == STATUS_OK && (r.key.p == NULL || r.key.n < KEY_SIZE))
		s = STATUS_CORRUPT;
	if (s == STATUS_OK) {
		int16_t type = bytes_get_i16(r.key.p + 2);
		*ret_end = type == TRANSACTION_ABORT || type == TRANSACTION_COMMIT ? (enum transaction_end)type : TRANSACTION_END_UNKNOWN;
	}
	record_iterator_fini(&it);
	return s == STATUS_NOT_FOUND ? STATUS_CORRUPT : s;
}

/* --- walking ------------------------------------------------------------------------------------------------- */

/* What is open of one producer. */
struct producer {
	UT_hash_handle hh;
	int64_t id;
	bool committing, aborting, met; /* met: a batch of the aborted one */
	struct aborted_transaction aborted;
};
struct transaction_walk {
	struct aborted_list aborted; /* by first offset */
	size_t next;
	struct producer *producers;
};

static int by_first_offset(const void *a, const void *b)
{
	const struct aborted_transaction *x = a, *y = b;
	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

struct transaction_walk *transaction_walk_new(const struct aborted_list *aborted, int64_t from_offset)
{
	struct transaction_walk *w = check_calloc(1, sizeof(*w));
	for (size_t i = 0; i < aborted->count; i++) {
		/* The end of the others is not met again: they would never end. */
		if (aborted->list[i].last_offset >= from_offset)
			transaction_index_add(&w->aborted, &aborted->list[i]);
	}
	if (w->aborted.count > 1)
		qsort(w->aborted.list, w->aborted.count, sizeof(w->aborted.list[0]), by_first_offset);
	return w;
}

static void forget(struct transaction_walk *w, struct producer *p)
{
	if (p->committing || p->aborting)
		return;
	HASH_DEL(w->producers, p);
	free(p);
}

void transaction_walk_free(struct transaction_walk *w)
{
	if (w == NULL)
		return;
	struct producer *p, *next;
	HASH_ITER(hh, w->producers, p, next) {
		HASH_DEL(w->producers, p);
		free(p);
	}
	transaction_index_fini(&w->aborted);
	free(w);
}

static struct producer *find(const struct transaction_walk *w, int64_t id)
{
	struct producer *p;
	HASH_FIND(hh, w->producers, &id, sizeof(id), p);
	return p;
}

static struct producer *find_or_add(struct transaction_walk *w, int64_t id)
{
	struct producer *p = find(w, id);
	if (p == NULL) {
		p = check_calloc(1, sizeof(*p));
		p->id = id;
		HASH_ADD(hh, w->producers, id, sizeof(p->id), p);
	}
	return p;
}

/* Takes up the aborted transactions that begin at or before offset. */
static void take_up(struct transaction_walk *w, int64_t offset)
{
	for (; w->next < w->aborted.count && w->aborted.list[w->next].first_offset <= offset; w->next++) {
		const struct aborted_transaction *t = &w->aborted.list[w->next];
		struct producer *p = find_or_add(w, t->producer_id);
		if (p->aborting)
			continue;
		p->aborting = true;
		p->met = false;
		p->aborted = *t;
	}
}

bool transaction_walk_data(struct transaction_walk *w, const struct record_batch *b)
{
	take_up(w, record_batch_last_offset(b));
	if ((b->attributes & RECORD_BATCH_TRANSACTIONAL) == 0)
		return false;
	struct producer *p = find_or_add(w, b->producer_id);
	if (p->aborting)
		p->met = true;
	else
		p->committing = true;
	return p->aborting;
}

bool transaction_walk_end(struct transaction_walk *w, const struct record_batch *b, enum transaction_end end,
	struct aborted_transaction *ret_aborted, bool *ret_keep_entry)
{
	*ret_keep_entry = false;
	take_up(w, record_batch_last_offset(b));
	struct producer *p = find(w, b->producer_id);
	if (end == TRANSACTION_END_UNKNOWN)
		return false;
	if (p == NULL)
		return true;
	bool met = end == TRANSACTION_ABORT ? p->aborting && p->met : p->committing;
	if (end == TRANSACTION_ABORT) {
		if (met) {
			*ret_aborted = p->aborted;
			*ret_keep_entry = true;
		}
		p->aborting = false;
	} else {
		p->committing = false;
	}
	forget(w, p);
	return !met;
}

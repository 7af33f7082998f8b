/* The aborted transactions that ended in a segment (<base>.txnindex, Kafka's format), and the memory of transactions that
 * whoever walks batches in order needs to tell aborted records from committed ones. Kafka: TransactionIndex,
 * CleanedTransactionMetadata. */
#ifndef STORAGE_TRANSACTION_INDEX_H
#define STORAGE_TRANSACTION_INDEX_H

#include "storage/disk.h"
#include "storage/record_batch.h"

enum { TRANSACTION_INDEX_ENTRY_SIZE = 34 };
struct aborted_transaction {
	int64_t producer_id;
	int64_t first_offset, last_offset; /* the last is its marker */
	int64_t last_stable_offset;        /* right after it ended */
};
struct aborted_list {
	struct aborted_transaction *list;
	size_t count, capacity;
};
void transaction_index_add(struct aborted_list *l, const struct aborted_transaction *t);
void transaction_index_fini(struct aborted_list *l);
/* Adds the entries of a file. A file that is not there has none. STATUS_CORRUPT; STATUS_TOO_LARGE beyond count_max in all. */
MUST_CHECK enum status transaction_index_read(struct disk *d, const char *path, size_t count_max, struct aborted_list *l);
void transaction_index_encode(const struct aborted_transaction *t, uint8_t out[static TRANSACTION_INDEX_ENTRY_SIZE]);

enum transaction_end { TRANSACTION_ABORT = 0, TRANSACTION_COMMIT = 1, TRANSACTION_END_UNKNOWN = -1 };
/* What a control batch with its record still in it says. STATUS_CORRUPT. */
MUST_CHECK enum status transaction_end_of(const struct record_batch *b, enum transaction_end *ret_end);

struct transaction_walk;
/* aborted: of all the segments to be walked; copied. from_offset: the walk begins there. */
struct transaction_walk *transaction_walk_new(const struct aborted_list *aborted, int64_t from_offset);
void transaction_walk_free(struct transaction_walk *w);
/* A batch of records was met: does it belong to an aborted transaction? */
bool transaction_walk_data(struct transaction_walk *w, const struct record_batch *b);
/* The end of a transaction was met: true when no batch of it was met before. ret_aborted is set, and true returned through
 * ret_keep_entry, when it ended an aborted transaction of which there was one. */
bool transaction_walk_end(struct transaction_walk *w, const struct record_batch *b, enum transaction_end end,
	struct aborted_transaction *ret_aborted, bool *ret_keep_entry);
#endif

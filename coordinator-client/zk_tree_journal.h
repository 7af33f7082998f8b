/* The bytes of zk_tree's journal. Entry: length u32, CRC-32C of the payload u32, payload. Payload: a row of records, each a
 * type byte and its fields (big-endian; strings and data are i32 length and bytes, length -1: null).
 *
 *   'N' node     path, data, czxid, mzxid, pzxid, ctime, mtime i64, version, cversion, aversion i32, owner i64,
 *                protection u8, creator                                       (a compacted journal is a row of these)
 *   'Z' zxid     i64, time ms i64                                             (a change begins; its records follow)
 *   'C' create   path, data, owner i64, protection u8, creator
 *   'S' set      path, data
 *   'D' delete   path
 *
 * One zk_tree_sync writes one entry, so only the last entry can be torn. */
#ifndef COORDINATOR_CLIENT_ZK_TREE_JOURNAL_H
#define COORDINATOR_CLIENT_ZK_TREE_JOURNAL_H
#include "coordinator-client/zk_path.h"

enum { ZK_TREE_ENTRY_HEADER = 8 };
/* One entry at most: a batch of requests, or everything in a compacted journal. */
#define ZK_TREE_ENTRY_MAX ((size_t)1 << 30)

struct zk_tree_record {
	char type;
	const char *path;
	struct slice data;
	struct zk_stat stat; /* 'N'; of 'C' only ephemeral_owner */
	enum zk_protection protection;
	const char *creator; /* "" none */
	int64_t zxid, time_ms;
	char path_text[ZK_PATH_MAX], creator_text[ZK_PATH_MAX]; /* where a reader puts path and creator */
};

/* Grows as it is written to. */
struct zk_tree_writer {
	uint8_t *p;
	size_t n, capacity;
};
void zk_tree_writer_add(struct zk_tree_writer *w, const struct zk_tree_record *r);
/* Closes the entry: fills length and CRC; the slice is valid until reset. n 0 when nothing was added. */
struct slice zk_tree_writer_entry(struct zk_tree_writer *w);
/* Appends bytes as they are: whole entries gathered for a compacted journal. */
void zk_tree_writer_add_raw(struct zk_tree_writer *w, struct slice s);
void zk_tree_writer_reset(struct zk_tree_writer *w);
void zk_tree_writer_fini(struct zk_tree_writer *w);

/* The next entry of the journal at `at`: payload, and where the following begins. TRUNCATED: the rest is torn (or nothing).
 * CORRUPT: damaged, and it is not the last. */
MUST_CHECK enum status zk_tree_journal_entry(struct slice journal, size_t at, struct slice *ret_payload, size_t *ret_next);
/* The next record of a payload. CORRUPT. */
MUST_CHECK enum status zk_tree_journal_record(struct byte_reader *payload, struct zk_tree_record *ret_record);
#endif

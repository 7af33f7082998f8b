/* The consumer, shared by consumer.c (the caller's side) and consumer_fetch.c (requests and answers). It lives on the
 * caller's thread: no lock, no thread of its own. Prefetching needs none either: the next fetch of a broker is asked for
 * before the records of the last answer are handed out, and the kernel collects the answer meanwhile. */
#ifndef CONSUMER_INTERNAL_H
#define CONSUMER_INTERNAL_H
#include "tools/client/client_cluster.h"

/* The records of one partition in one answer. */
struct fetched {
	struct fetched *next;
	struct iobuf_block *block;
	struct slice data;
	size_t at;
	int64_t high_watermark;
};

enum partition_state {
	PARTITION_NEEDS_OFFSET, /* -> LOOKUP: seek_timestamp is to be resolved */
	PARTITION_LOOKUP,       /* -> FETCHING or, after an error, NEEDS_OFFSET */
	PARTITION_FETCHING,     /* -> NEEDS_OFFSET when out of range or seeked */
	PARTITION_FAILED,       /* error waits for poll; -> FETCHING from position, or NEEDS_OFFSET */
};

struct consumer_partition {
	struct consumer_partition *next;
	char *topic;
	int32_t partition;
	enum partition_state state;
	uint64_t generation;    /* moves with every seek: answers to older questions are dropped */
	int64_t seek_timestamp; /* as in ListOffsets */
	int64_t position;       /* next to hand out; -1 unknown */
	int64_t fetch_offset;   /* next to ask for */
	int64_t committed;      /* by this consumer's group, as far as it knows; -1 none */
	int64_t not_before_us;
	int64_t unknown_since_us; /* 0: the topic is known */
	bool in_flight;
	struct fetched *first, **last;
	struct correio_error error; /* in PARTITION_FAILED */
};

struct correio_records {
	const struct consumer_partition *partition;
	struct record_iterator iterator;
	bool open; /* iterator is to be finished */
	int64_t from_offset, high_watermark;
	int64_t next_offset; /* after the last record handed out */
	size_t size;
};

struct consumer_group;
struct correio_consumer {
	unsigned magic;
	struct correio_config *config;
	const struct client_options *options;
	struct client_cluster *cluster;
	struct consumer_partition *partitions; /* the one to serve next is first */
	size_t queued_bytes;
	struct correio_records records;
	uint64_t next_generation;
	struct consumer_group *group; /* NULL: no group.id */
	correio_rebalance_fn rebalanced;
	void *rebalanced_arg;
	bool turn_due; /* an answer was used up: time to see to the sockets */
};
MAGIC(correio_consumer, 0x434f4e53);

/* Asks for what may be asked for now; lowers *deadline_us to when it should be called again. True: something was queued. */
bool consumer_fetch_send(struct correio_consumer *c, int64_t now_us, int64_t *deadline_us);
void consumer_fetched_drop(struct correio_consumer *c, struct consumer_partition *p);
void consumer_fetched_drop_first(struct correio_consumer *c, struct consumer_partition *p);
/* The partition stops until poll has told the error. */
void consumer_partition_fail(struct correio_consumer *c, struct consumer_partition *p, const struct correio_error *error);
struct consumer_partition *consumer_find(struct correio_consumer *c, const char *topic, int32_t partition);
#endif

/* The producer, shared by its three files: producer.c (the caller's side), producer_batches.c (batches on their way),
 * producer_sender.c (the thread that sends).
 *
 *     send -> open batch -> queue -> in flight -> reported
 *                              ^---- retry ----'
 *
 * Order is kept by never having two batches of a partition in flight: a batch that has to be retried goes back to the front
 * of its queue, and nothing of the partition is sent before it. Throughput is kept by letting the open batch grow past
 * batch.size, up to max.request.size, while its partition waits for an answer, and by sending one batch of every ready
 * partition of a broker in one request.
 *
 * Everything is guarded by `lock`, except batches in flight and the cluster, which are the sender's alone. */
#ifndef PRODUCER_INTERNAL_H
#define PRODUCER_INTERNAL_H
#include "tools/client/client_cluster.h"
#include "base/clock.h"
#include "base/random.h"
#include <pthread.h>

struct producer_batch {
	struct producer_batch *next;              /* in its partition's queue, or in the pool */
	struct producer_batch *older, *newer;     /* all that are not reported, by id */
	struct record_batch_builder *builder;
	void **opaques;                           /* NULL until a record has one */
	int32_t opaque_capacity;
	int32_t record_count;
	uint64_t id;                              /* order of creation, for flush */
	int64_t created_us;
	size_t bytes;                             /* upper bound, charged to buffer.memory */
	size_t bytes_max;                         /* over its lives in the pool: what the builder holds on to */
	int64_t attempts;
	struct slice encoded;                     /* once finished */
	int32_t sequence;                         /* of its first record, once finished, of an idempotent producer */
};

struct producer_topic;
struct producer_partition {
	struct producer_topic *topic;
	int32_t partition;
	struct producer_batch *open;
	struct producer_batch *first, **last; /* closed, waiting to be sent */
	struct producer_batch *in_flight;
	int64_t not_before_us;                /* back-off of a retry */
	struct correio_error *last_error;     /* why the last retry was due; NULL before the first; the sender's */
	/* Idempotence: the sender's. The epoch is the partition's own: brokers compare it there alone. */
	int64_t producer_id; /* -1: nothing was sent yet */
	int32_t next_sequence;
	int16_t producer_epoch;
	struct producer_partition *next_pending;
	bool pending;                         /* in the producer's list of those with batches */
};

struct producer_topic {
	struct producer_topic *next;
	char *name;
	size_t name_size;
	struct producer_partition **partitions;
	int32_t partition_count;    /* 0 until metadata came */
	int32_t wanted_count;       /* senders wait for at least so many */
	struct correio_error error; /* why there is no metadata */
	int64_t asked_us;
	bool wanted; /* the cluster was told */
	int32_t sticky;
	size_t sticky_bytes;
};

struct correio_producer {
	unsigned magic;
	struct correio_config *config;
	const struct client_options *options;
	correio_delivery_fn delivered;
	void *delivered_arg;

	pthread_mutex_t lock;
	pthread_cond_t room;     /* senders: memory was released */
	pthread_cond_t metadata; /* senders: a topic became known */
	pthread_cond_t reported; /* flush: batches were reported */
	struct producer_topic *topics, *last_topic;
	struct producer_partition *pending, **pending_last;
	struct producer_batch *oldest, *newest, *pool;
	size_t pool_bytes;
	uint64_t next_batch_id;
	size_t buffered_bytes;
	unsigned waiting_for_room, flushing;
	bool topics_changed, closing;
	struct correio_producer_stats stats;
	struct random random;

	pthread_t thread;
	int wake_fd;
	bool wake_sent;
	int64_t sender_wakes_us; /* when the sender will look by itself */

	struct client_cluster *cluster; /* the sender's */
	struct {
		bool wanted;        /* batches wait until there is an id */
		bool asking;
		int64_t id;         /* -1 none yet */
		int16_t epoch;
		int64_t attempts, not_before_us;
		struct correio_error failure; /* why there is none */
	} identity;             /* the sender's */
};
MAGIC(correio_producer, 0x4350524f);

enum { PRODUCER_RECORD_OVERHEAD = 36 }; /* varints and attributes of a record, at most */

/* producer_batches.c; the lock is held */
struct producer_topic *producer_find_topic(struct correio_producer *p, const char *name);
void producer_topic_set_count(struct correio_producer *p, struct producer_topic *t, int32_t count);
void producer_topic_free(struct producer_topic *t);
struct producer_batch *producer_batch_open(struct correio_producer *p, struct producer_partition *partition);
void producer_batch_close(struct producer_partition *partition);
/* Takes the next batch to send, closing the open one if there is no other. */
struct producer_batch *producer_batch_take(struct producer_partition *partition);
void producer_batch_push_front(struct producer_partition *partition, struct producer_batch *b);
void producer_batch_opaque(struct producer_batch *b, void *opaque);
/* It was reported: gives back its memory, wakes those who wait. */
void producer_batch_release(struct correio_producer *p, struct producer_batch *b);
void producer_batch_free(struct producer_batch *b);
/* Halves a batch the broker found too large; *ret_second comes after b. STATUS_TOO_LARGE: it is a single record. */
MUST_CHECK enum status producer_batch_split(struct correio_producer *p, struct producer_batch *b,
	struct producer_batch **ret_second);
void producer_pending_add(struct correio_producer *p, struct producer_partition *partition);

/* producer_identity.c: of an idempotent producer; the sender's */
void producer_identity_init(struct correio_producer *p);
/* Asks a broker for an id, once there is something to send. */
void producer_identity_ask(struct correio_producer *p, int64_t now_us);
/* May batches be sent? If not, *ret_at_us is when to look again. */
bool producer_identity_ready(const struct correio_producer *p, int64_t *ret_at_us);
/* Before a new batch is finished, and once it is stored. */
void producer_identity_number(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b);
void producer_identity_stored(struct correio_producer *p, struct producer_partition *partition, const struct producer_batch *b);
/* A batch that was sent is given up: it may be stored or come to be. What follows must not depend on that. */
void producer_identity_given_up(struct correio_producer *p, struct producer_partition *partition, const struct producer_batch *b);
/* The broker does not know what came before this batch, which is not stored: true if it was numbered anew and may be sent again. */
bool producer_identity_renumber(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b,
	int32_t code);

/* producer_sender.c */
void *producer_sender_run(void *arg);
/* Makes the sender look now. The lock is held. */
void producer_sender_wake(struct correio_producer *p);
int64_t producer_now_us(void);
#endif

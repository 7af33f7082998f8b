/* What the files of connections share: connection.c (life, requests and their order), connection_read.c,
 * connection_write.c, net_loop.c (what the connections of one loop have in common), server.c. */
#ifndef NET_CONNECTION_INTERNAL_H
#define NET_CONNECTION_INTERNAL_H

#include "net/connection.h"
#include "net/frame_input.h"
#include "net/request_budget.h"
#include "net/stream.h"
#include "runtime/event_loop.h"

#include <pthread.h>
#include <sys/queue.h>

enum {
	SCRATCH_BYTES = 64 * 1024,
	/* Charged per request beside its frame, so that a flood of tiny ones is bounded by the budget too. */
	REQUEST_COST_BYTES = 2 * 1024,
	SMALL_REQUEST_BYTES = 4 * 1024,
	WRITE_TURN_BYTES = 1024 * 1024, /* at most, per connection and turn */
	PEER_TEXT_BYTES = 64,
	PREFACE_BYTES = 8,
};

struct event;
struct listener;

/* Shared by all loops; owned by the server. */
struct net_shared {
	struct connection_limits limits; /* defaults filled in */
	const struct connection_front *native_front, *kafka_front;
	struct request_budget budget;
	_Atomic size_t open_count;
	pthread_mutex_t lock; /* of all_closed, and of the lists of arriving connections */
	pthread_cond_t all_closed;
};

/* One open connection less; tells who waits for the last one. */
void net_shared_count_closed(struct net_shared *shared);

TAILQ_HEAD(connection_list, connection);

/* Everything here is used on its loop only, but for what it points to in shared. */
struct net_loop {
	unsigned magic;
	struct event_loop *loop;
	struct scheduler *scheduler;
	struct net_shared *shared;
	int index;
	struct block_pool *pool;
	struct iovec scratch;
	/* Of open connections, oldest first: those that sent no whole frame yet, by age; the others, by last activity. */
	struct connection_list strangers, active;
	struct connection_list arriving; /* accepted, their letter is under way; guarded by shared->lock */
	struct connection_list dead;    /* closed, with requests still in a front's hands */
	struct connection_list starved; /* wait for room in the budget, first come first served */
	unsigned starved_count;
	struct connection_list dirty;   /* have something to do at the turn's end */
	struct task turn_end;
	bool turn_end_queued;
	size_t give_back; /* budget to give back at the turn's end */
	struct loop_timer sweep;
	int64_t sweep_period_us;
	struct request *spare_requests;
	unsigned spare_request_count, spare_request_least;
	bool draining;
	struct task drain_task, cut_task;
};
MAGIC(net_loop, 0x4e4c4f50);

struct connection {
	unsigned magic;
	struct net_loop *home;
	TAILQ_ENTRY(connection) link; /* arriving, strangers, active or dead */
	TAILQ_ENTRY(connection) starved_link, dirty_link;
	struct stream stream;
	struct event *read_event, *write_event;
	bool read_armed, write_armed;
	bool greeted;      /* a whole frame has come */
	bool last_request; /* no further request is read; closes when all answers are sent */
	bool cut;          /* an answer cannot be given: closes when those before it are sent */
	bool closed, starved, dirty, overdraft;
	const struct connection_front *front; /* NULL: not known yet */
	struct frame_input input;
	size_t input_bytes; /* read, and not yet part of a request */
	struct request *first, **last; /* requests under way, in order */
	size_t requests_in_flight;
	struct request *in_front; /* just now in front->request */
	struct iobuf out;
	size_t response_bytes; /* out, and answers that wait for their turn */
	int64_t opened_us, active_us;
	const char *listener;
	char peer[PEER_TEXT_BYTES];
	struct task attach;
	int accepted_fd;
};
MAGIC(connection, 0x434f4e4e);

/* ---- connection.c ---- */
/* Any thread: counted as open, goes to its loop by a letter. fd: accepted, non-blocking. listener must outlive it. */
void connection_accept(struct net_loop *home, int fd, const char *peer, const char *listener);
/* A whole frame, taken over by a new request, which is given to the front. */
void connection_frame(struct connection *c, struct iobuf_block *block, size_t n, int64_t now_us);
/* Moves the answers whose turn it is to `out`. */
void connection_release_answers(struct connection *c);
/* Gives back what was read and is not part of a request. */
void connection_drop_input(struct connection *c);
/* Closes the socket now. Freed at the turn's end, or when the last request came back. */
void connection_close(struct connection *c);
/* Reads no more; what is owed is answered, then it closes. */
void connection_finish(struct connection *c);
/* At the turn's end: flush, resume reading, close or free as due. */
void connection_turn_end(struct connection *c);
void connection_mark_dirty(struct connection *c);
/* Frees a closed connection and the requests it still has. */
void connection_free(struct connection *c);

/* ---- connection_read.c ---- */
void connection_readable(int fd, short what, void *arg);
/* After a wait for the budget: reads if it may now, or waits on. */
void connection_read_again(struct connection *c);
/* After a pause: takes what is pending, then waits for more. */
void connection_resume_reading(struct connection *c);

/* ---- connection_write.c ---- */
void connection_writable(int fd, short what, void *arg);
void connection_flush(struct connection *c);

/* ---- net_loop.c ---- */
struct net_loop *net_loop_new(struct net_shared *shared, struct event_loop *loop, int index);
/* When the loop has stopped. */
void net_loop_free(struct net_loop *l);
struct request *net_loop_request_get(struct net_loop *l);
void net_loop_request_put(struct net_loop *l, struct request *r);
void net_loop_attach(struct net_loop *l, struct connection *c);
void net_loop_greeted(struct net_loop *l, struct connection *c);
void net_loop_active(struct net_loop *l, struct connection *c, int64_t now_us);
/* Waits for room in the budget. */
void net_loop_starve(struct net_loop *l, struct connection *c);
void net_loop_unstarve(struct net_loop *l, struct connection *c);
void net_loop_give_back(struct net_loop *l, size_t n);
void net_loop_queue_turn_end(struct net_loop *l);

#endif

/* Incremental fetch sessions (KIP-227): what a client fetches is remembered, so that its requests name only what changed and answers
 * only what is new. A cache per event loop: a client that comes back by another loop starts a new session. Kafka: FetchSession. */
#ifndef REPLICA_FETCH_SESSION_H
#define REPLICA_FETCH_SESSION_H

#include "base/bytes.h"

enum {
	FETCH_SESSION_NONE = 0,           /* id */
	FETCH_SESSION_EPOCH_INITIAL = 0,  /* a full request that asks for a session */
	FETCH_SESSION_EPOCH_FINAL = -1,   /* a full request that wants none */
	FETCH_SESSION_EVICTION_MS = 2 * 60 * 1000,
};

struct fetch_session_topic;
/* What a client asks of one partition. */
struct fetch_session_request {
	int64_t offset;
	int32_t max_bytes;
	int32_t current_leader_epoch, last_fetched_epoch; /* -1 none */
};
/* One partition of a session. */
struct fetch_session_partition {
	struct fetch_session_partition *next, *previous; /* in the order of the next answer */
	struct fetch_session_topic *topic;
	int32_t partition;
	struct fetch_session_request request; /* the latest */
	int64_t high_watermark, log_start_offset; /* as answered last; -1: never, or with an error */
};
/* What was found for one partition. */
struct fetch_session_result {
	bool has_records, failed, diverges;
	int64_t high_watermark, log_start_offset;
};

struct fetch_session;
struct fetch_session_cache;
struct fetch_session_cache_options {
	size_t slots;          /* sessions at most; may be 0 */
	size_t partitions_max; /* of all sessions together */
	int32_t id_first, id_step; /* ids are id_first modulo id_step, so that caches side by side give no id twice */
	uint64_t seed;
};
struct fetch_session_cache *fetch_session_cache_new(const struct fetch_session_cache_options *o);
/* With all sessions, whoever used them. */
void fetch_session_cache_free(struct fetch_session_cache *c);
size_t fetch_session_cache_count(const struct fetch_session_cache *c);
size_t fetch_session_cache_partition_count(const struct fetch_session_cache *c);

/* A new session without partitions, to be filled at once; in use by the caller. NULL: no slot is free and none may be taken from
 * others. It will hold partition_count; privileged: a follower's. */
struct fetch_session *fetch_session_cache_create(struct fetch_session_cache *c, bool privileged, size_t partition_count,
	bool uses_topic_ids, int64_t now_ms);
/* The session for an incremental request, now in use by the caller. FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
 * FETCH_SESSION_TOPIC_ID_ERROR. */
MUST_CHECK enum status fetch_session_cache_resume(struct fetch_session_cache *c, int32_t id, int32_t epoch, bool uses_topic_ids,
	struct fetch_session **ret_session);
/* After the request's changes were made: counts it. False: the session has no partition left and is closed. */
bool fetch_session_cache_advance(struct fetch_session_cache *c, struct fetch_session *s, int64_t now_ms);
/* Closes it; harmless if there is none of the id. Whoever uses it may go on until the release. */
void fetch_session_cache_close(struct fetch_session_cache *c, int32_t id);
/* The caller no longer uses it. */
void fetch_session_cache_release(struct fetch_session_cache *c, struct fetch_session *s);

int32_t fetch_session_id(const struct fetch_session *s);
/* The epoch the next request must have. */
int32_t fetch_session_epoch(const struct fetch_session *s);
int32_t fetch_session_next_epoch(int32_t epoch);
size_t fetch_session_partition_count(const struct fetch_session *s);

/* Topics are known by name or, in a session that uses ids, by id. Names are copied and live as long as the session. */
struct fetch_session_key {
	const char *name;
	struct uuid id;
};
/* Adds the partition or takes over what is asked of it now. TOO_LARGE: the cache holds as many as it may. */
MUST_CHECK enum status fetch_session_put(struct fetch_session_cache *c, struct fetch_session *s, const struct fetch_session_key *key,
	int32_t partition, const struct fetch_session_request *request, struct fetch_session_partition **ret_partition);
void fetch_session_forget(struct fetch_session_cache *c, struct fetch_session *s, const struct fetch_session_key *key, int32_t partition);
/* In the order of the next answer; NULL: no more. */
struct fetch_session_partition *fetch_session_first(struct fetch_session *s);
struct fetch_session_partition *fetch_session_next(struct fetch_session *s, struct fetch_session_partition *p);
/* NULL: the id was never resolved. */
const char *fetch_session_topic_name(const struct fetch_session_topic *t);
const struct uuid *fetch_session_topic_id(const struct fetch_session_topic *t);
/* The name that belongs to the topic's id. */
void fetch_session_topic_resolve(struct fetch_session_topic *t, const char *name);

/* Remembers what is answered; false: it is nothing new and may be left out. A partition with records goes to the end, so that each has
 * its turn when answers are full. */
bool fetch_session_answer(struct fetch_session *s, struct fetch_session_partition *p, const struct fetch_session_result *r);
#endif

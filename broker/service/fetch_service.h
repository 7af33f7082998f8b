/* Fetch and list offsets, free of any protocol: parts go to the loops of their partitions; a fetch that finds too little waits
 * there. Kafka: KafkaApis.handleFetchRequest, handleListOffsetRequest. */
#ifndef SERVICE_FETCH_SERVICE_H
#define SERVICE_FETCH_SERVICE_H

#include "runtime/gather.h"
#include "service/fetch_conversion.h"
#include "service/leader_hint.h"
#include "service/service_loop.h"

enum { FETCH_SERVICE_WAIT_MAX_MS = 60 * 1000 }; /* longer waits are cut to this: the client asks again */

struct fetch_entry {
	const char *topic;
	int32_t partition;
	int64_t offset;
	size_t max_bytes;
	int32_t current_leader_epoch; /* -1: not checked */
	bool check_epoch;             /* the reader's last record is of last_fetched_epoch */
	int32_t last_fetched_epoch;

	enum status status;
	char *message;                            /* in the arena; NULL: status_text() */
	int64_t high_watermark, log_start_offset; /* -1 on errors */
	size_t record_bytes;                      /* of this entry in records, which follow each other in the entries' order */
	struct leader_hint leader;                /* with NOT_LEADER_OR_FOLLOWER; valid in done */
	bool diverges;                            /* the reader has to cut its log to the end of diverging_epoch first */
	int32_t diverging_epoch;
	int64_t diverging_end_offset;

	/* private */
	struct fetch_part *part; /* NULL: answered without reading */
	size_t inflated_max;     /* of a batch that is converted */
};
struct fetch_request {
	struct service_loop *service;
	struct arena *arena;
	const char *listener;
	int64_t max_wait_ms;
	size_t min_bytes, max_bytes;
	bool old_formats;  /* the reader knows no record batches: records become messages of format old_magic or older */
	int8_t old_magic;
	bool without_zstd; /* the reader does not know it: topics set to it get UNSUPPORTED_COMPRESSION_TYPE */
	struct fetch_entry *entries;
	size_t entry_count;
	struct iobuf records; /* ranges of files, or, converted, memory; the caller's after done */
	/* Exactly once, on the service's loop; perhaps within start. */
	void (*done)(struct fetch_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct service_waiting waiting;
	struct delayed_fetch delayed;
	struct fetch_conversion conversion;
	bool converting;
};
/* STATUS_TOO_LARGE: the arena cannot hold the parts; done is not called. */
MUST_CHECK enum status fetch_service_start(struct fetch_request *r);
/* Between start and done: the answer is no longer wanted; done comes soon. */
void fetch_service_hurry(struct fetch_request *r);

struct offsets_entry {
	const char *topic;
	int32_t partition;
	enum list_offsets_by by;
	int64_t timestamp_ms; /* or LIST_OFFSETS_* */
	int32_t asked_epoch;
	int32_t current_leader_epoch;
	int64_t *starts; /* of segments: memory for starts_max of them */
	size_t starts_max;

	enum status status;
	char *message;
	int64_t offset, timestamp; /* -1: no such record */
	int32_t leader_epoch;      /* the leader's; by epoch: the one that ends at offset */
	size_t starts_count;
	struct leader_hint leader;

	/* private */
	struct offsets_request *request;
	struct list_offsets_part part;
};
struct offsets_request {
	struct service_loop *service;
	struct arena *arena;
	const char *listener;
	struct offsets_entry *entries;
	size_t entry_count;
	void (*done)(struct offsets_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct gather gather;
};
void fetch_service_list_offsets(struct offsets_request *r);

#endif

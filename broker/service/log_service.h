/* What is asked of logs as such, free of any protocol: records deleted from the start, where logs lie and how large they are.
 * Kafka: KafkaApis.handleDeleteRecordsRequest, handleDescribeLogDirsRequest. */
#ifndef SERVICE_LOG_SERVICE_H
#define SERVICE_LOG_SERVICE_H

#include "runtime/gather.h"
#include "service/service_loop.h"

struct delete_records_entry {
	const char *topic;
	int32_t partition;
	int64_t offset; /* or DELETE_RECORDS_TO_HIGH_WATERMARK */

	enum status status;
	int64_t low_watermark; /* -1 on errors */

	/* private */
	struct delete_records_request *request;
	struct delete_records_part part;
};
struct delete_records_request {
	struct service_loop *service;
	struct arena *arena;
	struct delete_records_entry *entries;
	size_t entry_count;
	/* Exactly once, on the service's loop; perhaps within the call. */
	void (*done)(struct delete_records_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct gather gather;
};
void log_service_delete_records(struct delete_records_request *r);

struct log_sizes_request {
	struct service_loop *service;
	struct arena *arena;
	/* In done: the directories, in the order of log.dirs, and of every log its size; sorted by directory, topic, partition. */
	struct log_directory_info *directories;
	size_t directory_count;
	struct log_size *sizes; /* freed behind done */
	size_t size_count;
	void (*done)(struct log_sizes_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct gather gather;
	struct log_sizes_part *parts;
	const char **paths;
};
/* STATUS_TOO_LARGE: the arena is full, done is not called. */
MUST_CHECK enum status log_service_sizes(struct log_sizes_request *r);

#endif

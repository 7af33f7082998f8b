/* Topics and their settings, administered by any broker: writes to ZooKeeper on the cluster loop (topic_admin), then waits on the
 * asking loop until this broker's image shows the result, so that who was told "done" finds it done. Kafka: ZkAdminManager,
 * DelayedCreatePartitions, DelayedDeleteTopics. */
#ifndef SERVICE_ADMIN_SERVICE_H
#define SERVICE_ADMIN_SERVICE_H

#include "cluster/image_barrier.h"
#include "coordinator-client/topic_admin.h"
#include "service/service_loop.h"

struct admin_service_options {
	struct zk_client *zk;
	struct scheduler *scheduler; /* the cluster loop, zk's */
	const struct settings *settings;
	/* Of every loop: who is told "done" finds it done on any connection. None: only on the asking loop. Borrowed. */
	struct cluster_image_holder *const *holders;
	size_t holder_count;
};
/* One for all loops; immutable. */
struct admin_service *admin_service_new(const struct admin_service_options *o);
/* No request may be under way. */
void admin_service_free(struct admin_service *a);
struct zk_client *admin_service_zk(const struct admin_service *a);
struct scheduler *admin_service_scheduler(const struct admin_service *a);

enum admin_kind {
	ADMIN_CREATE_TOPIC,
	ADMIN_DELETE_TOPIC,
	ADMIN_ADD_PARTITIONS,
	ADMIN_ALTER_CONFIGS,
	ADMIN_ALTER_BROKER_CONFIGS,
};
/* One topic of a request. All memory is the caller's and lives until done; fill what the kind needs, zero the rest. */
struct admin_item {
	const char *topic;          /* ALTER_BROKER_CONFIGS: the broker's id, "" for all */
	int32_t partitions;         /* create: -1 num.partitions, or with assignment; add: the new total */
	int32_t replication_factor; /* create: -1 default.replication.factor, or with assignment */
	const struct partition_assignment *assignment; /* create: all; add: the new ones; NULL: placed by the broker */
	size_t assignment_count;
	const struct topic_config_entry *configs; /* create: overrides; alter: value NULL removes */
	size_t config_count;
	bool pend_if_short;
	bool replace; /* alter: overrides not named are removed */

	struct failure failure; /* status OK: done */
	bool pending;
	struct uuid topic_id;
	int32_t ret_partitions, ret_replication_factor; /* create: what was asked of ZooKeeper */

	/* private */
	struct admin_request *request;
	bool settled; /* nothing to wait for any more */
};
struct admin_request {
	struct service_loop *service;
	enum admin_kind kind;
	struct admin_item *items;
	size_t item_count;
	bool validate_only;
	/* How long to wait for the image to follow, once written; 0: not at all. REQUEST_TIMED_OUT then says that it is written
	 * and may still come. */
	int64_t timeout_ms;
	/* Exactly once, on the service's loop; never within start. */
	void (*done)(struct admin_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct task task;
	size_t next, in_flight;
	bool starting;
	struct service_waiting waiting;
	struct cluster_image_watcher watcher;
	struct loop_timer timer;
	struct image_barrier barrier;
	bool spreading; /* this loop's image shows it, the others' are waited for: soon */
};
void admin_service_start(struct admin_request *r);
/* On the service's loop, between start and done: do not wait for the image any longer. */
void admin_service_hurry(struct admin_request *r);

/* Topics as ZooKeeper has them, pending and doomed ones included; from the image while ZooKeeper is away. */
struct admin_describe_request {
	struct service_loop *service;
	struct arena *arena; /* the answer is copied into it */
	const char *const *names;
	size_t name_count; /* 0: all */
	/* The answer; sorted by name when all were asked for, else in the order asked. */
	struct admin_described {
		const char *name;
		enum status status;
		char *message;
		const struct topic_description *description; /* NULL on errors */
	} *topics;
	size_t topic_count;
	struct failure failure; /* of the whole */
	void (*done)(struct admin_describe_request *r);
	void *arg;

	/* private */
	unsigned magic;
	struct task task;
	size_t next, in_flight;
	bool starting, from_image;
};
void admin_service_describe(struct admin_describe_request *r);

#endif

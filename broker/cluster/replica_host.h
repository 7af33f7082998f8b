/* How cluster_state reaches the replicas, which live a layer above: one table entry per owner loop. The composition root fills
 * it with replica_manager_execute. */
#ifndef CLUSTER_REPLICA_HOST_H
#define CLUSTER_REPLICA_HOST_H

#include "base/scheduler.h"
#include "base/topic_partition.h"
#include "config/settings.h"

struct partition_log;

enum replica_command_kind {
	REPLICA_HOST,      /* at start: the log was found on disk; no role yet */
	REPLICA_BECOME,    /* leader if `leader` is this broker, else follower */
	REPLICA_STOP,      /* no role any more; stays hosted, as after a restart */
	REPLICA_LET_GO,    /* forgets the partition: nothing on that loop refers to its log afterwards (before deletion) */
	REPLICA_CONFIGURE, /* new effective settings for every replica of tp.topic on that loop; tp.partition means nothing */
};
/* One order for one replica, travelling to the owner loop and back. */
struct replica_command {
	struct task task;
	enum replica_command_kind kind;
	struct topic_partition tp;
	int32_t leader, leader_epoch, partition_epoch; /* STOP, LET_GO: a negative leader_epoch is not checked */
	const int32_t *isr, *replicas; /* borrowed until done */
	size_t isr_count, replica_count;
	struct topic_settings settings; /* HOST, BECOME, CONFIGURE */
	struct partition_log *log;      /* HOST, BECOME: adopted by the owner loop if it does not host the partition yet */
	int64_t high_watermark;         /* from the checkpoint, with log */
	enum status status;             /* the answer */
	void (*done)(struct replica_command *c); /* on the loop that sent it */
	struct scheduler *home;
	void *arg;
};
struct replica_host {
	struct scheduler *scheduler; /* of the owner loop */
	/* On that loop. Leads to exactly one c->done on c->home, now or later. */
	void (*execute)(void *arg, struct replica_command *c);
	void *arg;
};
struct replica_host_table {
	const struct replica_host *hosts;
	int count;
	/* Index of the host that owns tp: the same answer for the life of the process (loop_group_place). */
	int (*place)(void *arg, const struct topic_partition *tp);
	void *place_arg;
};

#endif

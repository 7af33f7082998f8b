/* Parts of controller_decide. */
#ifndef CONTROLLER_CONTROLLER_DECIDE_INTERNAL_H
#define CONTROLLER_CONTROLLER_DECIDE_INTERNAL_H

#include "controller/controller_decide.h"

/* --- partitions (controller_decide_partition.c) --- */

/* Looks at a partition and starts the state write that its situation calls for, if any. */
void controller_decide_partition(struct controller_state *s, struct controller_topic *t, size_t index,
	struct controller_decision *d);
/* Starts the write that leaves a partition of a topic on its way out without leader. False: it has none already. */
bool controller_decide_partition_out(struct controller_state *s, struct controller_topic *t, size_t index,
	struct controller_decision *d);
/* The answer to a partition's state write. */
void controller_decide_state_written(struct controller_state *s, const struct event_written *w,
	struct controller_decision *d);
void controller_decide_state_read(struct controller_state *s, const struct topic_partition *tp,
	const struct event_state *state);

/* --- deletion (controller_decide_deletion.c) --- */

void controller_decide_deletions(struct controller_state *s, const char *const *names, size_t count,
	struct controller_decision *d);
/* A list of topics is in: markers of topics that are not in it are orphans for sure. */
void controller_decide_orphans(struct controller_state *s, const char *const *names, size_t count, int64_t number,
	struct controller_decision *d);
/* The topic has just become known: is there a marker for it? */
void controller_decide_deletion_known(struct controller_state *s, struct controller_topic *t,
	struct controller_decision *d);
/* Takes every deletion as far as it can go now. */
void controller_decide_deletion_steps(struct controller_state *s, struct controller_decision *d);
void controller_decide_stopped(struct controller_state *s, const struct control_request *request,
	const struct control_response *response, struct controller_broker *b);
void controller_decide_erased(struct controller_state *s, const struct event_written *w);
void controller_decide_deletion_tick(struct controller_state *s);
/* What was sent to this broker may be lost: asked again. */
void controller_decide_deletion_resync(struct controller_state *s, int32_t broker_id);

/* --- pending topics (controller_decide_pending.c) --- */

void controller_decide_pending(struct controller_state *s, const struct event_pending_topic *items, size_t count);
/* Places those for which enough brokers are live. */
void controller_decide_pending_place(struct controller_state *s, struct controller_decision *d);
void controller_decide_pending_written(struct controller_state *s, const struct event_written *w,
	struct controller_decision *d);

void controller_decide_pending_tick(struct controller_state *s);

/* --- topics (controller_decide.c) --- */

/* Takes in a topic's node; new partitions become dirty. */
void controller_decide_topic(struct controller_state *s, const char *name, const struct zk_schema_topic *node,
	int32_t version, struct controller_decision *d);
#endif

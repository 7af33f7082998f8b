/* The broker's way to the active controller: AlterPartition and ControlledShutdown over one connection of Kafka's protocol, on the
 * cluster loop. The controller in the same process is reached the same way.
 *
 * One AlterPartition is under way at a time; what is asked meanwhile travels together in the next one. A request is sent again, to
 * whoever is the controller then, until a controller has given a definite answer: a lost connection, a deadline that passed and
 * NOT_CONTROLLER are none, since the change may have been made all the same. Kafka: AlterPartitionManager, KafkaServer.
 * controlledShutdown. */
#ifndef CLUSTER_CONTROLLER_CHANNEL_H
#define CLUSTER_CONTROLLER_CHANNEL_H

#include "base/scheduler.h"
#include "cluster/control_messages.h"

struct controller_channel;

/* Where a controller listens for brokers. */
struct controller_address {
	int32_t controller_id, controller_epoch;
	const char *host; /* borrowed until the next turn of the loop */
	int32_t port;
};
/* How requests get there: a table, so that unit tests and the simulator need no sockets. controller_peer in a real process. */
struct controller_link;
struct controller_transport {
	struct controller_link *(*open)(void *arg, const struct controller_address *to);
	/* One request of each kind at most is under way per link, answered exactly once, never before the call returns. request is
	 * borrowed until then or until close, response for done. status other than OK: no answer came (NETWORK_EXCEPTION,
	 * REQUEST_TIMED_OUT) or none of use. */
	void (*alter_partition)(struct controller_link *l, const struct alter_partition_request *request,
		void (*done)(void *done_arg, enum status s, const struct alter_partition_response *response), void *done_arg);
	void (*controlled_shutdown)(struct controller_link *l, const struct controlled_shutdown_request *request,
		void (*done)(void *done_arg, enum status s, const struct controlled_shutdown_response *response), void *done_arg);
	/* Calls under way are not answered any more. */
	void (*close)(struct controller_link *l);
	void *arg;
};

struct controller_channel_options {
	struct scheduler *scheduler; /* the cluster loop */
	const struct controller_transport *transport; /* borrowed */
	/* The controller known now, and the broker's own id and epoch; false: not known, asked again later. On the cluster loop. */
	bool (*locate)(void *arg, struct controller_address *ret_controller);
	void (*self)(void *arg, int32_t *ret_broker_id, int64_t *ret_broker_epoch);
	void *arg;
};
struct controller_channel *controller_channel_new(const struct controller_channel_options *o);
/* The controller may have changed, or this broker has registered anew: asks locate again and sends at once what waits. */
void controller_channel_look_again(struct controller_channel *c);
/* What waits, is under way or comes later is done with CANCELLED. */
void controller_channel_stop(struct controller_channel *c);
/* After stop, and once no loop can call any more. */
void controller_channel_free(struct controller_channel *c);

/* One partition's wish, embedded in the caller's object, in use until done, which is called exactly once on `home`.
 * done: status OK: result holds the controller's answer for this partition, borrowed for the call; it may be a refusal
 * (result->status). CANCELLED: the broker stops. REQUEST_TIMED_OUT: timeout_us passed; as with CANCELLED the change may have been
 * made. One call per partition at a time. A caller that may go before its answer comes allocates the call apart and leaves it. */
struct alter_partition_call {
	/* The caller's: */
	struct alter_partition_item item; /* item.isr is borrowed until done */
	struct scheduler *home;           /* the loop that asks, and hears the answer */
	int64_t timeout_us;               /* of all attempts together; 0 none, as Kafka */
	void (*done)(struct alter_partition_call *call, enum status s, const struct alter_partition_result *result);
	/* The channel's: */
	struct task task;
	struct alter_partition_call *next, **prev; /* of those that wait */
	struct loop_timer deadline;
	struct controller_channel *channel;
	size_t index; /* in the request under way */
	bool sent;    /* in it */
	enum status status;
	struct alter_partition_result result;
};
/* From any loop (call->home). */
void controller_channel_alter_partition(struct controller_channel *c, struct alter_partition_call *call);

/* On the cluster loop. Asks the controller to move this broker's leaderships away; asked again while controllers change, until a
 * definite answer or timeout_us. done: exactly once, never within the call (but within stop); status OK: response is the controller's answer, borrowed;
 * REQUEST_TIMED_OUT, CANCELLED. One at a time. */
void controller_channel_controlled_shutdown(struct controller_channel *c, int64_t timeout_us,
	void (*done)(void *arg, enum status s, const struct controlled_shutdown_response *response), void *arg);

#endif

/* What controller_decide wants done: znode writes, control requests, reads. Values only; controller.c does them and reports
 * back by events. */
#ifndef CONTROLLER_CONTROLLER_DECISION_H
#define CONTROLLER_CONTROLLER_DECISION_H

#include "cluster/control_messages.h"
#include "coordinator-client/zk_client.h"

enum controller_write_kind {
	WRITE_DIRECTORY,    /* one of a partition's folders; that it exists already is fine */
	WRITE_STATE,        /* a partition's state node */
	WRITE_TOPIC_NODE,   /* the topic node: its id, or its old assignment back */
	WRITE_PLACE_CONFIG, /* three of one atomic group: a pending topic becomes a topic */
	WRITE_PLACE_TOPIC,
	WRITE_PLACE_DONE,
	WRITE_ERASE,        /* one of a deleted topic's nodes; that it is gone already is fine */
	WRITE_REMOVE,       /* a marker or an order that needs nothing (more) done */
};
/* Each is carried out in a multi that first checks /controller_epoch. Writes with the same group other than 0 succeed or fail
 * together; the others may share a multi for speed, and are tried one by one when that fails. */
struct controller_write {
	enum controller_write_kind kind;
	enum zk_op_kind op;
	uint32_t group;
	char *topic; /* NULL: of none */
	int32_t partition;
	char *path;
	char *data; /* NULL: null */
	int32_t version;
};
struct controller_send {
	int32_t broker_id;
	struct control_request request;
};
struct controller_read {
	struct topic_partition tp; /* its state node */
};
struct controller_decision {
	struct controller_write *writes;
	size_t write_count, write_capacity;
	struct controller_send *sends;
	size_t send_count, send_capacity;
	struct controller_read *reads;
	size_t read_count, read_capacity;
	int64_t list_topics; /* > 0: list /brokers/topics again and answer with this number */
	uint32_t groups;
};

void controller_decision_init(struct controller_decision *d);
/* Frees what has not been taken. */
void controller_decision_fini(struct controller_decision *d);
/* Takes data (malloc'ed, may be NULL); copies path and topic. The result may be changed before the next add. */
struct controller_write *controller_decision_add_write(struct controller_decision *d, enum controller_write_kind kind,
	enum zk_op_kind op, const char *path, char *data);
void controller_decision_name(struct controller_write *w, const char *topic, int32_t partition);
/* Takes what the request holds. */
void controller_decision_add_send(struct controller_decision *d, int32_t broker_id, struct control_request *request);
void controller_decision_add_read(struct controller_decision *d, const char *topic, int32_t partition);
void controller_write_fini(struct controller_write *w);
const char *controller_write_kind_name(enum controller_write_kind k);
#endif

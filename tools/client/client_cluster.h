/* The client's picture of the cluster: bootstrap servers, one connection per broker, leaders of the topics asked for, kept
 * fresh. One thread; everything happens inside client_cluster_poll. */
#ifndef CLIENT_CLUSTER_H
#define CLIENT_CLUSTER_H
#include "tools/client/client_connection.h"

struct client_cluster;

struct client_leader {
	int32_t broker; /* -1 none */
	int32_t epoch;
};
struct client_topic {
	const char *name;
	struct correio_error error; /* code 0: what follows is valid */
	int32_t partition_count;
	struct client_leader *leaders;
};

int client_cluster_new(const struct correio_config *config, struct client_cluster **ret_cluster,
	struct correio_error *err);
void client_cluster_free(struct client_cluster *c);
/* updated(arg) runs after each metadata answer and after each failure to get one. */
void client_cluster_on_update(struct client_cluster *c, void (*updated)(void *arg), void *arg);

/* From now on metadata of this topic is kept. */
void client_cluster_want_topic(struct client_cluster *c, const char *topic);
/* NULL: nothing is known yet. Valid until the next poll. */
const struct client_topic *client_cluster_topic(const struct client_cluster *c, const char *topic);
/* Asks for metadata again, at most every retry.backoff.ms. */
void client_cluster_refresh(struct client_cluster *c);
/* What a broker told with NOT_LEADER; believed when its epoch is not older. hint may be NULL. Asks for metadata too. */
void client_cluster_learn_leader(struct client_cluster *c, const char *topic, int32_t partition,
	const Correio__LeaderHint *hint);
/* Why the last request for metadata failed; NULL when it did not. */
const struct correio_error *client_cluster_failure(const struct client_cluster *c);

/* Connection to the partition's leader; NULL while there is none known. */
struct client_connection *client_cluster_leader(struct client_cluster *c, const char *topic, int32_t partition,
	int32_t *ret_epoch);
struct client_connection *client_cluster_broker(struct client_cluster *c, int32_t broker);
/* A second connection to a broker, for requests that wait long (JoinGroup): answers come in order, so what is sent behind them would
 * wait too. Made on first use, one per address; not used for anything else. */
struct client_connection *client_cluster_apart(struct client_cluster *c, const char *host, int32_t port);
/* Any broker that can be asked now, the idlest open one first; NULL: all are backing off. */
struct client_connection *client_cluster_any(struct client_cluster *c, int64_t now_us);
/* Has every broker known been tried and failed? Then *ret_error says why the last one did. */
bool client_cluster_unreachable(const struct client_cluster *c, struct correio_error *ret_error);

/* A request with the next correlation id and request.timeout.ms (plus extra_ms) from now. */
struct client_request *client_cluster_request(struct client_cluster *c, Correio__RequestHeader *header,
	const struct slice *payload, size_t payload_count, int64_t extra_ms);

/* Breaks the connections of client_cluster_apart: what they still wait for is answered now, as failed. */
void client_cluster_abandon(struct client_cluster *c);

/* One turn: waits until a socket, wake_fd (-1 none) or deadline_us, and handles what came. True: wake_fd is readable. */
bool client_cluster_poll(struct client_cluster *c, int64_t deadline_us, int wake_fd);
#endif

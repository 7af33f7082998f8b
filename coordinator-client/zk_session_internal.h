/* Shared by zk_session.c (states, on the loop) and zk_flight.c (requests in the library's hands). */
#ifndef COORDINATOR_CLIENT_ZK_SESSION_INTERNAL_H
#define COORDINATOR_CLIENT_ZK_SESSION_INTERNAL_H
#include "coordinator-client/zk_call.h"
#include <zookeeper/zookeeper.h>

/* One handle of the library. A session that ended is followed by another handle; the old one is closed on a thread of its own
 * and stays until every message of it has been read. */
struct zk_handle {
	unsigned magic;
	struct zk_session *session;
	zhandle_t *zh;     /* set by the opening thread before it posts opened */
	char *hosts;       /* in the order to be tried */
	char *next_hosts;  /* kicked: the order from now on */
	int open_errno;
	struct task opened, kicked, closed;
	bool is_open, is_connected, is_prepared, is_closing; /* prepared: the chroot is there */
	bool is_kicked; /* a thread makes it let go of a silent server */
	bool had_session;
};

/* A request in the library's hands, or an answer of its on the way to the loop. The asker may have been answered meanwhile
 * (session expired, closing): then call is NULL. */
enum zk_flight_kind { ZK_FLIGHT_CALL, ZK_FLIGHT_PROBE, ZK_FLIGHT_CHROOT_PROBE, ZK_FLIGHT_CHROOT_MADE };
struct zk_flight {
	unsigned magic;
	enum zk_flight_kind kind;
	struct task task;
	struct zk_handle *handle;
	struct zk_call *call;
	struct zk_flight *next, **prev; /* of the session's */
	int64_t sent_us;
	bool last; /* CHROOT_MADE: the last part */
	/* Written by the library's thread. */
	int rc;
	struct Stat stat;
	bool has_stat;
	uint8_t *data;
	size_t data_n;
	char *path;
	char **names;
	size_t name_count;
	/* Multi. */
	size_t op_count;
	zoo_op_t *ops;
	zoo_op_result_t *results;
	struct Stat *stats;
	char **paths; /* of sequential creations, else NULL */
};

/* What the creator of a node may do and what the world may: in the library's form, which is not const. */
struct zk_acls {
	char auth[8], world[8], anyone[8], nobody[8];
	struct ACL open_acl[1], read_acl[2], creator_acl[1];
	struct ACL_vector vectors[3]; /* by enum zk_protection */
};
void zk_acls_init(struct zk_acls *a);

/* Gives the request to the library; zk_session_landed runs on the loop when it is answered. False: it was not taken, *ret_rc
 * says why, the flight is gone. */
bool zk_flight_send_call(struct zk_handle *h, struct zk_acls *acls, struct zk_call *call, int *ret_rc);
/* Does the node exist? Keeps the session's contact known, and finds the chroot. */
bool zk_flight_send_probe(struct zk_handle *h, enum zk_flight_kind kind, const char *path);
bool zk_flight_send_chroot(struct zk_handle *h, struct zk_acls *acls, const char *path, bool last);
/* Moves the answer into the call (status, data, ...). */
void zk_flight_unload(struct zk_flight *f);
void zk_flight_free(struct zk_flight *f);
enum status zk_flight_status(int rc);

/* zk_session.c: */
void zk_session_launched(struct zk_session *s, struct zk_flight *f);
/* It was not taken after all: no longer counted. */
void zk_session_grounded(struct zk_session *s, struct zk_flight *f);
void zk_session_landed(struct zk_session *s, struct zk_flight *f);
struct scheduler *zk_session_scheduler(struct zk_session *s);
bool zk_session_sets_acl(const struct zk_session *s);
#endif

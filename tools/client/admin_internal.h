/* The admin handle: one request at a time on the caller's thread. */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H
#include "tools/client/client_cluster.h"

struct correio_admin {
	unsigned magic;
	struct correio_config *config;
	struct client_cluster *cluster;
	/* the call under way */
	bool answered;
	Correio__ResponseHeader *header; /* of the answer; owned */
	struct correio_error error;
};
MAGIC(correio_admin, 0x41444d49);

/* Sends to any broker and waits. OK: *ret_header, to be freed with admin_header_free, holds the
 * answer of kind `expected`. what: for error texts. May the request be sent again when its connection is lost: repeatable. */
struct admin_call {
	Correio__RequestHeader *request;
	Correio__ResponseHeader__ResponseCase expected;
	const char *what;
	bool repeatable;
	int64_t extra_ms; /* time the broker may take, beyond request.timeout.ms */
};
int admin_run(struct correio_admin *a, const struct admin_call *call, Correio__ResponseHeader **ret_header,
	struct correio_error *err);
/* The same of one broker, once. */
int admin_run_on(struct correio_admin *a, struct client_connection *connection, const struct admin_call *call,
	Correio__ResponseHeader **ret_header, struct correio_error *err);
void admin_header_free(Correio__ResponseHeader *header);
/* Config entries as protobuf; NULL values are left out. Freed with one free(). */
Correio__ConfigEntry **admin_pack_entries(const struct correio_entry *entries, size_t count, size_t *ret_n);
Correio__ReplicaList **admin_pack_assignment(const struct correio_replicas *assignment, int32_t count);

/* Who coordinates a group, as the cluster said last. */
struct admin_coordinator {
	int32_t broker, port;
	char host[256];
};
/* Asks the group's coordinator, and the next one while it moves or loads, up to request.timeout.ms. item_code: the code of the answer's one
 * item, with its message, or 0; NULL: there is none but the header's. */
struct admin_group_call {
	const char *group;
	struct admin_call call;
	int32_t (*item_code)(const Correio__ResponseHeader *h, const char **ret_message);
};
int admin_group_run(struct correio_admin *a, const struct admin_group_call *g, struct admin_coordinator *ret_coordinator,
	Correio__ResponseHeader **ret_header, struct correio_error *err);
#endif

#include "tools/client/admin_internal.h"
#include "base/clock.h"

int correio_admin_new(const struct correio_config *config, struct correio_admin **ret_admin, struct correio_error *err)
{
	struct client_cluster *cluster;
	int code = client_cluster_new(config, &cluster, err);
	if (code != CORREIO_OK)
		return code;
	struct correio_admin *a = (struct correio_admin *)check_calloc(1, sizeof(*a));
	a->magic = correio_admin_magic;
	a->config = client_config_copy(config);
	a->cluster = cluster;
	*ret_admin = a;
	return CORREIO_OK;
}

void correio_admin_free(struct correio_admin *a)
{
	if (a == NULL)
		return;
	CHECK_MAGIC(correio_admin, a);
	client_cluster_free(a->cluster);
	correio_config_free(a->config);
	a->magic = 0;
	free(a);
}

void admin_header_free(Correio__ResponseHeader *header)
{
	if (header != NULL)
		correio__response_header__free_unpacked(header, NULL);
}

static void admin_done(void *arg, struct client_response *response)
{
	struct correio_admin *a = CAST(correio_admin, arg);
	a->answered = true;
	a->error = response->error;
	a->header = response->header;
	response->header_taken = true;
}

static int unreachable_error(struct correio_admin *a, const struct correio_error *last, struct correio_error *err)
{
	return client_error_code(err, CORREIO_ERR_NO_BROKER, true, "no broker of bootstrap.servers=%s answers: %s",
		a->config->options.bootstrap_servers, last->message);
}

/* A broker to ask; waits through back-offs. NULL: *ret_code says why there is none. */
static struct client_connection *find_connection(struct correio_admin *a, int64_t deadline_us, int *ret_code,
	struct correio_error *err)
{
	for (;;) {
		int64_t now_us = clock_monotonic_us(clock_system());
		struct correio_error last;
		if (client_cluster_unreachable(a->cluster, &last)) {
			*ret_code = unreachable_error(a, &last, err);
			return NULL;
		}
		struct client_connection *c = client_cluster_any(a->cluster, now_us);
		if (c != NULL)
			return c;
		if (now_us >= deadline_us) {
			*ret_code = client_error_code(err, CORREIO_ERR_TIMED_OUT, true, "no broker could be asked in time");
			return NULL;
		}
		int64_t next_us = now_us + 20000;
		(void)client_cluster_poll(a->cluster, next_us < deadline_us ? next_us : deadline_us, -1);
	}
}

static int check_answer(struct correio_admin *a, const struct admin_call *call, Correio__ResponseHeader **ret_header,
	struct correio_error *err)
{
	Correio__ResponseHeader *h = a->header;
	int code = CORREIO_OK;
	if (h->error_code != 0)
		code = client_error_from_broker(err, h->error_code, h->error_message, call->what);
	else if (h->response_case != call->expected)
		code = client_error_code(err, CORREIO_ERR_PROTOCOL, false,
			"%s: the broker answered with something else; is it older than this client?", call->what);
	if (code == CORREIO_OK)
		*ret_header = h;
	else
		admin_header_free(h);
	a->header = NULL;
	return code;
}

/* One request and its answer, or why there is none. */
static void ask(struct correio_admin *a, struct client_connection *connection, const struct admin_call *call, int64_t deadline_us)
{
	struct client_request *r = client_cluster_request(a->cluster, call->request, NULL, 0, call->extra_ms);
	a->answered = false;
	r->done = admin_done;
	r->arg = a;
	client_connection_send(connection, r);
	while (!a->answered)
		(void)client_cluster_poll(a->cluster, deadline_us, -1);
}

int admin_run_on(struct correio_admin *a, struct client_connection *connection, const struct admin_call *call,
	Correio__ResponseHeader **ret_header, struct correio_error *err)
{
	CHECK_MAGIC(correio_admin, a);
	ask(a, connection, call, INT64_MAX); /* the request has a deadline of its own */
	if (a->header != NULL)
		return check_answer(a, call, ret_header, err);
	if (err != NULL)
		*err = a->error;
	return a->error.code;
}

int admin_run(struct correio_admin *a, const struct admin_call *call, Correio__ResponseHeader **ret_header,
	struct correio_error *err)
{
	CHECK_MAGIC(correio_admin, a);
	int64_t wait_ms = a->config->options.request_timeout_ms + call->extra_ms;
	int64_t deadline_us = clock_monotonic_us(clock_system()) + wait_ms * 1000;
	int code;
	for (;;) {
		struct client_connection *c = find_connection(a, deadline_us, &code, err);
		if (c == NULL)
			return code;
		bool was_sound = client_connection_failure(c) == NULL;
		ask(a, c, call, deadline_us);
		if (a->header != NULL)
			return check_answer(a, call, ret_header, err);
		/* Never sent (the connection was not made) or safe to send again: the next broker is asked. */
		struct correio_error last;
		bool all_failed = client_cluster_unreachable(a->cluster, &last);
		if (all_failed)
			return unreachable_error(a, &last, err);
		bool again = call->repeatable && was_sound && a->error.retriable &&
			clock_monotonic_us(clock_system()) < deadline_us;
		if (!again) {
			if (err != NULL)
				*err = a->error;
			return a->error.code;
		}
	}
}

Correio__ConfigEntry **admin_pack_entries(const struct correio_entry *entries, size_t count, size_t *ret_n)
{
	struct packed {
		Correio__ConfigEntry entry;
	};
	/* The pointers first, the entries behind them: one block. */
	Correio__ConfigEntry **list = (Correio__ConfigEntry **)check_calloc(count + 1,
		sizeof(Correio__ConfigEntry *) + sizeof(struct packed));
	Correio__ConfigEntry *at = (Correio__ConfigEntry *)(void *)(list + count + 1);
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		if (entries[i].value == NULL)
			continue;
		correio__config_entry__init(at);
		union {
			const char *c;
			char *v;
		} key = {.c = entries[i].key}, value = {.c = entries[i].value};
		at->key = key.v; /* protobuf-c knows no const; packing does not write */
		at->value = value.v;
		list[n++] = at++;
	}
	*ret_n = n;
	return list;
}

Correio__ReplicaList **admin_pack_assignment(const struct correio_replicas *assignment, int32_t count)
{
	size_t n = (size_t)(count < 0 ? 0 : count);
	Correio__ReplicaList **list = (Correio__ReplicaList **)check_calloc(n + 1,
		sizeof(Correio__ReplicaList *) + sizeof(Correio__ReplicaList));
	Correio__ReplicaList *at = (Correio__ReplicaList *)(void *)(list + n + 1);
	for (size_t i = 0; i < n; i++) {
		correio__replica_list__init(&at[i]);
		union {
			const int32_t *c;
			int32_t *v;
		} ids = {.c = assignment[i].ids};
		at[i].replicas = ids.v;
		at[i].n_replicas = (size_t)assignment[i].count;
		list[i] = &at[i];
	}
	return list;
}

/* ---- offsets ---- */

static int wait_for_leader(struct correio_admin *a, const char *topic, int32_t partition,
	struct client_connection **ret_connection, struct correio_error *err)
{
	int64_t deadline_us = clock_monotonic_us(clock_system()) + a->config->options.request_timeout_ms * 1000;
	client_cluster_want_topic(a->cluster, topic);
	for (;;) {
		int32_t epoch;
		*ret_connection = client_cluster_leader(a->cluster, topic, partition, &epoch);
		if (*ret_connection != NULL)
			return CORREIO_OK;
		const struct client_topic *t = client_cluster_topic(a->cluster, topic);
		if (t != NULL && t->error.code != 0) {
			if (err != NULL)
				*err = t->error;
			return t->error.code;
		}
		if (t != NULL && partition >= t->partition_count)
			return client_error_code(err, CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION, false,
				"topic %s has no partition %d: they are 0 to %d", topic, (int)partition,
				(int)t->partition_count - 1);
		struct correio_error last;
		if (client_cluster_unreachable(a->cluster, &last))
			return unreachable_error(a, &last, err);
		int64_t now_us = clock_monotonic_us(clock_system());
		if (now_us >= deadline_us)
			return client_error_code(err, CORREIO_ERR_LEADER_NOT_AVAILABLE, true,
				"%s-%d has no leader now; is its broker running?", topic, (int)partition);
		if (t != NULL)
			client_cluster_refresh(a->cluster);
		int64_t next_us = now_us + 50000;
		(void)client_cluster_poll(a->cluster, next_us < deadline_us ? next_us : deadline_us, -1);
	}
}

int correio_admin_list_offset(struct correio_admin *a, const char *topic, int32_t partition, int64_t timestamp_ms,
	struct correio_offset *ret_offset, struct correio_error *err)
{
	CHECK_MAGIC(correio_admin, a);
	struct client_connection *connection;
	int code = wait_for_leader(a, topic, partition, &connection, err);
	if (code != CORREIO_OK)
		return code;
	union {
		const char *c;
		char *v;
	} name = {.c = topic};
	Correio__ListOffsetsPartition p = CORREIO__LIST_OFFSETS_PARTITION__INIT;
	Correio__ListOffsetsPartition *partitions = &p;
	Correio__ListOffsetsTopic t = CORREIO__LIST_OFFSETS_TOPIC__INIT;
	Correio__ListOffsetsTopic *topics = &t;
	Correio__ListOffsetsRequest list = CORREIO__LIST_OFFSETS_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	p.partition = partition;
	p.timestamp = timestamp_ms;
	p.current_leader_epoch = -1;
	t.name = name.v;
	t.partitions = &partitions;
	t.n_partitions = 1;
	list.topics = &topics;
	list.n_topics = 1;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_LIST_OFFSETS;
	header.list_offsets = &list;
	struct admin_call call = {
		.request = &header, .expected = CORREIO__RESPONSE_HEADER__RESPONSE_LIST_OFFSETS, .what = topic};
	Correio__ResponseHeader *h;
	code = admin_run_on(a, connection, &call, &h, err);
	if (code != CORREIO_OK)
		return code;
	const Correio__ListOffsetsResponse *answer = h->list_offsets;
	if (answer->n_topics != 1 || answer->topics[0]->n_partitions != 1) {
		code = client_error_code(err, CORREIO_ERR_PROTOCOL, false, "%s: the answer leaves out the partition", topic);
	} else if (answer->topics[0]->partitions[0]->error_code != 0) {
		const Correio__ListOffsetsPartitionResult *result = answer->topics[0]->partitions[0];
		client_cluster_learn_leader(a->cluster, topic, partition, result->leader);
		code = client_error_from_broker(err, result->error_code, result->error_message, topic);
	} else {
		const Correio__ListOffsetsPartitionResult *result = answer->topics[0]->partitions[0];
		*ret_offset = (struct correio_offset){result->offset, result->timestamp, result->leader_epoch};
	}
	admin_header_free(h);
	return code;
}

#include "tools/client/client_cluster.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/topic_partition.h"
#include <errno.h>
#include <uthash.h>

enum {
	BROKERS_MAX = 4096,
	PARTITIONS_MAX = 1000000, /* of one topic, from the network */
	BOOTSTRAP_ID = -2,        /* its broker id is not known yet */
	APART_ID = -3,            /* of client_cluster_apart */
};

struct cluster_broker {
	int32_t id;
	struct client_connection *connection;
};

struct topic_entry {
	struct client_topic topic;
	char *name;
	UT_hash_handle hh;
};

struct client_cluster {
	unsigned magic;
	struct correio_config *config;
	struct cluster_broker *brokers;
	size_t broker_count;
	struct topic_entry *topics;
	uint64_t next_correlation_id;
	void (*updated)(void *arg);
	void *updated_arg;
	bool asking, wanted;       /* for metadata */
	int64_t ask_not_before_us; /* back-off */
	int64_t ask_again_us;      /* metadata.max.age.ms */
	struct correio_error failure;
	struct random random;
	struct pollfd *pollfds;
};
MAGIC(client_cluster, 0x434c4355);

static void add_broker(struct client_cluster *c, int32_t id, const char *host, int32_t port)
{
	expect(c->broker_count < BROKERS_MAX);
	size_t n = c->broker_count + 1;
	c->brokers = (struct cluster_broker *)check_realloc(c->brokers, n * sizeof(*c->brokers));
	c->pollfds = (struct pollfd *)check_realloc(c->pollfds, (n + 1) * sizeof(*c->pollfds));
	c->brokers[c->broker_count++] = (struct cluster_broker){
		.id = id,
		.connection = client_connection_new(&c->config->options, host, port),
	};
}

int client_cluster_new(const struct correio_config *config, struct client_cluster **ret_cluster,
	struct correio_error *err)
{
	int code = client_config_check(config, err);
	if (code != CORREIO_OK)
		return code;
	struct client_address *servers;
	size_t count;
	code = client_config_parse_servers(config->options.bootstrap_servers, &servers, &count, err);
	if (code != CORREIO_OK)
		return code;
	struct client_cluster *c = (struct client_cluster *)check_calloc(1, sizeof(*c));
	c->magic = client_cluster_magic;
	c->config = client_config_copy(config);
	c->next_correlation_id = 1;
	c->ask_again_us = INT64_MAX;
	random_seed_system(&c->random);
	for (size_t i = 0; i < count; i++)
		add_broker(c, BOOTSTRAP_ID, servers[i].host, servers[i].port);
	client_address_list_free(servers, count);
	*ret_cluster = c;
	return CORREIO_OK;
}

static void topic_entry_free(struct topic_entry *t)
{
	free(t->topic.leaders);
	free(t->name);
	free(t);
}

void client_cluster_free(struct client_cluster *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(client_cluster, c);
	c->updated = NULL;
	for (size_t i = 0; i < c->broker_count; i++)
		client_connection_free(c->brokers[i].connection);
	struct topic_entry *t, *next;
	HASH_ITER(hh, c->topics, t, next)
	{
		HASH_DEL(c->topics, t);
		topic_entry_free(t);
	}
	free(c->brokers);
	free(c->pollfds);
	correio_config_free(c->config);
	c->magic = 0;
	free(c);
}

void client_cluster_on_update(struct client_cluster *c, void (*updated)(void *arg), void *arg)
{
	CHECK_MAGIC(client_cluster, c);
	c->updated = updated;
	c->updated_arg = arg;
}

static struct topic_entry *find_topic(const struct client_cluster *c, const char *name)
{
	struct topic_entry *t = NULL;
	HASH_FIND_STR(c->topics, name, t);
	return t;
}

void client_cluster_want_topic(struct client_cluster *c, const char *topic)
{
	if (find_topic(c, topic) != NULL)
		return;
	struct topic_entry *t = (struct topic_entry *)check_calloc(1, sizeof(*t));
	t->name = check_strdup(topic);
	t->topic.name = t->name;
	t->topic.error.code = CORREIO_ERR_LEADER_NOT_AVAILABLE; /* nothing known */
	t->topic.partition_count = -1;
	HASH_ADD_KEYPTR(hh, c->topics, t->name, strlen(t->name), t);
	c->wanted = true;
	c->ask_not_before_us = 0;
}

const struct client_topic *client_cluster_topic(const struct client_cluster *c, const char *topic)
{
	const struct topic_entry *t = find_topic(c, topic);
	return t == NULL || t->topic.partition_count < 0 ? NULL : &t->topic;
}

void client_cluster_refresh(struct client_cluster *c)
{
	c->wanted = true;
}

const struct correio_error *client_cluster_failure(const struct client_cluster *c)
{
	return c->failure.code != 0 ? &c->failure : NULL;
}

struct client_connection *client_cluster_broker(struct client_cluster *c, int32_t broker)
{
	for (size_t i = 0; i < c->broker_count; i++)
		if (c->brokers[i].id == broker)
			return c->brokers[i].connection;
	return NULL;
}

struct client_connection *client_cluster_apart(struct client_cluster *c, const char *host, int32_t port)
{
	for (size_t i = 0; i < c->broker_count; i++) {
		struct client_connection *known = c->brokers[i].connection;
		if (c->brokers[i].id == APART_ID && client_connection_port(known) == port &&
			strcmp(client_connection_host(known), host) == 0)
			return known;
	}
	if (port < 1 || port > 65535 || host[0] == '\0' || c->broker_count >= BROKERS_MAX)
		return NULL;
	add_broker(c, APART_ID, host, port);
	return c->brokers[c->broker_count - 1].connection;
}

struct client_connection *client_cluster_leader(struct client_cluster *c, const char *topic, int32_t partition,
	int32_t *ret_epoch)
{
	const struct topic_entry *t = find_topic(c, topic);
	if (t == NULL || t->topic.error.code != 0 || partition < 0 || partition >= t->topic.partition_count)
		return NULL;
	const struct client_leader *leader = &t->topic.leaders[partition];
	*ret_epoch = leader->epoch;
	return leader->broker < 0 ? NULL : client_cluster_broker(c, leader->broker);
}

struct client_connection *client_cluster_any(struct client_cluster *c, int64_t now_us)
{
	expect(c->broker_count > 0);
	struct client_connection *best = NULL;
	size_t start = (size_t)random_below(&c->random, c->broker_count);
	for (size_t i = 0; i < c->broker_count; i++) {
		struct client_connection *candidate = c->brokers[(start + i) % c->broker_count].connection;
		if (c->brokers[(start + i) % c->broker_count].id == APART_ID || !client_connection_ready(candidate, now_us))
			continue;
		bool better = best == NULL ||
			(client_connection_failure(candidate) == NULL && client_connection_failure(best) != NULL);
		if (better)
			best = candidate;
	}
	return best;
}

bool client_cluster_unreachable(const struct client_cluster *c, struct correio_error *ret_error)
{
	for (size_t i = 0; i < c->broker_count; i++) {
		const struct correio_error *failure = client_connection_failure(c->brokers[i].connection);
		if (c->brokers[i].id == APART_ID)
			continue;
		if (failure == NULL)
			return false;
		*ret_error = *failure;
	}
	return true;
}

struct client_request *client_cluster_request(struct client_cluster *c, Correio__RequestHeader *header,
	const struct slice *payload, size_t payload_count, int64_t extra_ms)
{
	CHECK_MAGIC(client_cluster, c);
	struct client_request *r = client_request_new(header, c->next_correlation_id++, payload, payload_count);
	r->deadline_us =
		clock_monotonic_us(clock_system()) + (c->config->options.request_timeout_ms + extra_ms) * 1000;
	return r;
}

void client_cluster_abandon(struct client_cluster *c)
{
	CHECK_MAGIC(client_cluster, c);
	size_t kept = 0;
	struct client_connection **dropped =
		(struct client_connection **)check_calloc(c->broker_count, sizeof(struct client_connection *));
	size_t dropped_count = 0;
	for (size_t i = 0; i < c->broker_count; i++)
		if (c->brokers[i].id == APART_ID)
			dropped[dropped_count++] = c->brokers[i].connection;
		else
			c->brokers[kept++] = c->brokers[i];
	c->broker_count = kept;
	for (size_t i = 0; i < dropped_count; i++)
		client_connection_free(dropped[i]);
	free(dropped);
}

/* ---- metadata ---- */

/* A broker's address: known ones keep their connection, a bootstrap connection to the same place becomes the broker's. */
static void learn_broker(struct client_cluster *c, int32_t id, const char *host, int32_t port)
{
	if (id < 0 || port < 1 || port > 65535 || host[0] == '\0')
		return;
	struct cluster_broker *known = NULL, *same_place = NULL;
	for (size_t i = 0; i < c->broker_count; i++) {
		struct cluster_broker *b = &c->brokers[i];
		bool same = client_connection_port(b->connection) == port &&
			strcmp(client_connection_host(b->connection), host) == 0;
		if (b->id == id && same)
			return;
		if (b->id == id)
			known = b;
		if (same && b->id == BOOTSTRAP_ID)
			same_place = b;
	}
	/* It moved. The old connection serves out its requests and stays as a way in. */
	if (known != NULL)
		known->id = BOOTSTRAP_ID;
	if (same_place != NULL)
		same_place->id = id;
	else if (c->broker_count < BROKERS_MAX)
		add_broker(c, id, host, port);
}

static void learn_partitions(struct topic_entry *t, const Correio__TopicInfo *info)
{
	int32_t count = (int32_t)info->n_partitions;
	struct client_leader *leaders = (struct client_leader *)check_calloc((size_t)count + 1, sizeof(*leaders));
	for (int32_t i = 0; i < count; i++)
		leaders[i] = (struct client_leader){.broker = -1, .epoch = -1};
	for (int32_t i = 0; i < count; i++) {
		const Correio__PartitionInfo *p = info->partitions[i];
		if (p->partition < 0 || p->partition >= count)
			continue;
		struct client_leader *leader = &leaders[p->partition];
		*leader = (struct client_leader){.broker = p->leader, .epoch = p->leader_epoch};
		/* A broker that lags behind must not take us back. */
		if (p->partition < t->topic.partition_count && t->topic.leaders != NULL &&
			t->topic.leaders[p->partition].epoch > p->leader_epoch && p->leader_epoch >= 0)
			*leader = t->topic.leaders[p->partition];
	}
	free(t->topic.leaders);
	t->topic.leaders = leaders;
	t->topic.partition_count = count;
}

static void learn_topic(struct client_cluster *c, const Correio__TopicInfo *info)
{
	struct topic_entry *t = find_topic(c, info->name);
	if (t == NULL)
		return;
	int32_t code = info->error_code;
	if (code == 0 && (info->n_partitions == 0 || info->n_partitions > PARTITIONS_MAX))
		code = CORREIO_ERR_LEADER_NOT_AVAILABLE;
	if (code != 0) {
		char what[TOPIC_NAME_MAX + 16];
		(void)snprintf(what, sizeof(what), "topic %s", info->name);
		(void)client_error_from_broker(&t->topic.error, code, info->error_message, what);
		if (t->topic.partition_count < 0)
			t->topic.partition_count = 0;
		return;
	}
	t->topic.error = (struct correio_error){.code = 0};
	learn_partitions(t, info);
}

static void ask_later(struct client_cluster *c, int64_t now_us)
{
	c->ask_not_before_us = now_us + c->config->options.retry_backoff_ms * 1000;
}

static void metadata_done(void *arg, struct client_response *response)
{
	struct client_cluster *c = CAST(client_cluster, arg);
	int64_t now_us = clock_monotonic_us(clock_system());
	c->asking = false;
	ask_later(c, now_us);
	const Correio__ResponseHeader *h = response->header;
	if (h == NULL) {
		c->failure = response->error;
		c->wanted = true;
	} else if (h->error_code != 0 || h->response_case != CORREIO__RESPONSE_HEADER__RESPONSE_METADATA) {
		int32_t code = h->error_code != 0 ? h->error_code : CORREIO_ERR_PROTOCOL;
		(void)client_error_from_broker(&c->failure, code, h->error_message, "metadata");
		c->wanted = true;
	} else {
		const Correio__MetadataResponse *m = h->metadata;
		for (size_t i = 0; i < m->n_brokers; i++)
			learn_broker(c, m->brokers[i]->id, m->brokers[i]->host, m->brokers[i]->port);
		for (size_t i = 0; i < m->n_topics; i++)
			learn_topic(c, m->topics[i]);
		c->failure.code = 0;
		c->ask_again_us = now_us + c->config->options.metadata_max_age_ms * 1000;
	}
	if (c->updated != NULL)
		c->updated(c->updated_arg);
}

static void ask_metadata(struct client_cluster *c, int64_t now_us)
{
	bool due = c->wanted && now_us >= c->ask_not_before_us;
	due = due || (now_us >= c->ask_again_us && c->topics != NULL);
	if (c->asking || !due)
		return;
	struct client_connection *connection = client_cluster_any(c, now_us);
	if (connection == NULL) {
		ask_later(c, now_us);
		return;
	}
	size_t count = HASH_COUNT(c->topics), n = 0;
	char **names = (char **)check_calloc(count + 1, sizeof(*names));
	for (struct topic_entry *t = c->topics; t != NULL; t = (struct topic_entry *)t->hh.next)
		names[n++] = t->name;
	Correio__MetadataRequest metadata = CORREIO__METADATA_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	metadata.topics = names;
	metadata.n_topics = n;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_METADATA;
	header.metadata = &metadata;
	struct client_request *r = client_cluster_request(c, &header, NULL, 0, 0);
	free(names);
	r->done = metadata_done;
	r->arg = c;
	c->asking = true;
	c->wanted = false;
	client_connection_send(connection, r);
}

void client_cluster_learn_leader(struct client_cluster *c, const char *topic, int32_t partition,
	const Correio__LeaderHint *hint)
{
	c->wanted = true;
	struct topic_entry *t = find_topic(c, topic);
	if (t == NULL || partition < 0 || partition >= t->topic.partition_count)
		return;
	struct client_leader *leader = &t->topic.leaders[partition];
	if (hint == NULL || hint->broker_id < 0 || hint->leader_epoch < leader->epoch)
		return;
	learn_broker(c, hint->broker_id, hint->host, hint->port);
	*leader = (struct client_leader){.broker = hint->broker_id, .epoch = hint->leader_epoch};
}

/* ---- the turn ---- */

static int64_t metadata_deadline(const struct client_cluster *c)
{
	if (c->asking)
		return INT64_MAX;
	if (c->wanted)
		return c->ask_not_before_us;
	return c->topics != NULL ? c->ask_again_us : INT64_MAX;
}

static int poll_timeout_ms(int64_t deadline_us, int64_t now_us)
{
	enum { LONGEST_MS = 60000 };
	if (deadline_us <= now_us)
		return 0;
	int64_t ms = (deadline_us - now_us + 999) / 1000;
	return ms > LONGEST_MS ? LONGEST_MS : (int)ms;
}

bool client_cluster_poll(struct client_cluster *c, int64_t deadline_us, int wake_fd)
{
	CHECK_MAGIC(client_cluster, c);
	int64_t now_us = clock_monotonic_us(clock_system());
	ask_metadata(c, now_us);
	/* What was queued since the last turn goes out without asking poll first. */
	for (size_t i = 0; i < c->broker_count; i++)
		client_connection_process(c->brokers[i].connection, 0, now_us);
	int64_t metadata_us = metadata_deadline(c);
	if (metadata_us < deadline_us)
		deadline_us = metadata_us;
	/* Callbacks may add brokers; the ones polled are the first `count`. */
	size_t count = c->broker_count;
	for (size_t i = 0; i < count; i++)
		client_connection_prepare(c->brokers[i].connection, &c->pollfds[i], &deadline_us);
	c->pollfds[count] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
	int rc = poll(c->pollfds, (nfds_t)count + 1, poll_timeout_ms(deadline_us, now_us));
	expect(rc >= 0 || errno == EINTR || errno == ENOMEM);
	bool woken = rc > 0 && wake_fd >= 0 && (c->pollfds[count].revents & POLLIN) != 0;
	now_us = clock_monotonic_us(clock_system());
	for (size_t i = 0; i < count; i++)
		client_connection_process(c->brokers[i].connection, rc > 0 ? c->pollfds[i].revents : 0, now_us);
	return woken;
}

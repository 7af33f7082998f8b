#include "native_peer.h"
#include "frame.pb-c.h"
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARTITIONS_MAX = 64, CONNECTIONS_MAX = 256, LISTENERS = 2 };

struct stored {
	uint8_t *p;
	size_t n;
	int64_t base, last;
};
struct peer_partition {
	struct stored *batches;
	size_t count;
	int64_t start, end;
	int waiting; /* produce entries read, not answered */
	/* Of the producer that wrote last. */
	int64_t producer_id, last_base;
	int16_t epoch;
	int32_t sequence, next_sequence;
};
struct peer_listener {
	struct native_peer *peer;
	int fd, port;
	int32_t broker;
	pthread_t thread;
};
struct peer_connection {
	struct native_peer *peer;
	int fd;
	int32_t broker;
	pthread_t thread;
};
struct native_peer {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct peer_listener listeners[LISTENERS];
	struct peer_connection connections[CONNECTIONS_MAX];
	size_t connection_count;
	struct peer_partition partitions[PARTITIONS_MAX];
	int32_t partition_count;
	char bootstrap[32];
	int fail_count, drop_count, produce_requests, max_overlap;
	int32_t fail_code, leader, leader_epoch;
	int32_t refuse_ids, producers;
	size_t max_batch;
	bool hold, hint, stopping;
};

static bool read_all(int fd, void *p, size_t n)
{
	uint8_t *at = (uint8_t *)p;
	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

static bool write_all(int fd, const void *p, size_t n)
{
	const uint8_t *at = (const uint8_t *)p;
	while (n > 0) {
		ssize_t put = send(fd, at, n, MSG_NOSIGNAL);
		if (put <= 0)
			return false;
		at += put;
		n -= (size_t)put;
	}
	return true;
}

static bool answer(int fd, Correio__ResponseHeader *h, const uint8_t *payload, size_t payload_size)
{
	size_t n = correio__response_header__get_packed_size(h);
	uint8_t *frame = (uint8_t *)malloc(8 + n);
	assert(frame != NULL);
	uint32_t lengths[2] = {htobe32((uint32_t)(4 + n + payload_size)), htobe32((uint32_t)n)};
	memcpy(frame, lengths, 8);
	correio__response_header__pack(h, frame + 8);
	bool good = write_all(fd, frame, 8 + n) && write_all(fd, payload, payload_size);
	free(frame);
	return good;
}

static int64_t get_i64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return (int64_t)be64toh(v);
}

static int32_t get_i32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return (int32_t)be32toh(v);
}

/* The lock is held. */
static int64_t append(struct native_peer *peer, int32_t partition, const uint8_t *p, size_t n)
{
	struct peer_partition *part = &peer->partitions[partition];
	part->batches = (struct stored *)realloc(part->batches, (part->count + 1) * sizeof(struct stored));
	assert(part->batches != NULL && n >= 61);
	struct stored *s = &part->batches[part->count++];
	s->p = (uint8_t *)malloc(n);
	assert(s->p != NULL);
	memcpy(s->p, p, n);
	s->n = n;
	s->base = part->end;
	s->last = s->base + get_i32(p + 23);
	uint64_t base = htobe64((uint64_t)s->base);
	memcpy(s->p, &base, 8);
	part->end = s->last + 1;
	(void)pthread_cond_broadcast(&peer->changed);
	return s->base;
}

/* By the numbers of an idempotent producer: 0 and *ret_base >= 0 if it is stored already, 0 and -1 if it may be stored. */
static int32_t check_sequence(struct peer_partition *part, const uint8_t *p, int64_t *ret_base)
{
	int64_t id = get_i64(p + 43);
	int16_t epoch = (int16_t)(p[51] << 8 | p[52]);
	int32_t sequence = get_i32(p + 53);
	*ret_base = -1;
	if (id < 0)
		return 0;
	bool known = part->count > 0 && part->producer_id == id;
	if (known && part->epoch == epoch && part->sequence == sequence) {
		*ret_base = part->last_base;
		return 0;
	}
	if (known && epoch < part->epoch)
		return 47;
	if (known && sequence != (part->epoch == epoch ? part->next_sequence : 0))
		return 45;
	part->producer_id = id;
	part->epoch = epoch;
	part->sequence = sequence;
	part->next_sequence = sequence + get_i32(p + 57);
	part->last_base = part->end;
	return 0;
}

static void fill_hint(struct native_peer *peer, Correio__LeaderHint *hint, char *host)
{
	correio__leader_hint__init(hint);
	hint->broker_id = peer->leader;
	hint->leader_epoch = peer->leader_epoch;
	hint->host = host;
	hint->port = peer->listeners[peer->leader - 1].port;
}

static int32_t check_partition(struct native_peer *peer, const struct peer_connection *c, const char *topic,
	int32_t partition)
{
	if (strcmp(topic, "t") != 0 || partition < 0 || partition >= peer->partition_count)
		return 3;
	return peer->leader == c->broker ? 0 : 6;
}

struct produce_results {
	Correio__ProduceTopicResult topic, *topics;
	Correio__ProducePartitionResult partitions[PARTITIONS_MAX], *list[PARTITIONS_MAX];
	Correio__LeaderHint hint;
	char host[16];
};

/* The lock is held. All entries are of topic "t". */
static void produce_entries(struct peer_connection *c, const Correio__ProduceTopic *topic, const uint8_t *payload,
	struct produce_results *r)
{
	struct native_peer *peer = c->peer;
	fill_hint(peer, &r->hint, r->host);
	for (size_t i = 0; i < topic->n_partitions; i++) {
		const Correio__ProducePartition *in = topic->partitions[i];
		Correio__ProducePartitionResult *out = &r->partitions[i];
		correio__produce_partition_result__init(out);
		r->list[i] = out;
		out->partition = in->partition;
		out->log_append_time_ms = -1;
		out->error_code = check_partition(peer, c, topic->name, in->partition);
		if (out->error_code == 6 && peer->hint)
			out->leader = &r->hint;
		if (out->error_code == 0 && peer->fail_count > 0) {
			peer->fail_count--;
			out->error_code = peer->fail_code;
		}
		if (out->error_code == 0 && peer->max_batch > 0 && in->records_bytes > peer->max_batch)
			out->error_code = 10;
		if (out->error_code == 0)
			out->error_code = check_sequence(&peer->partitions[in->partition], payload, &out->base_offset);
		if (out->error_code == 0 && out->base_offset < 0)
			out->base_offset = append(peer, in->partition, payload, in->records_bytes);
		payload += in->records_bytes;
	}
}

static bool handle_produce(struct peer_connection *c, const Correio__RequestHeader *h, const uint8_t *payload)
{
	struct native_peer *peer = c->peer;
	struct produce_results *r = (struct produce_results *)calloc(1, sizeof(*r));
	assert(r != NULL);
	assert(h->produce->n_topics == 1);
	const Correio__ProduceTopic *topic = h->produce->topics[0];
	(void)snprintf(r->host, sizeof(r->host), "127.0.0.1");
	(void)pthread_mutex_lock(&peer->lock);
	for (size_t i = 0; i < topic->n_partitions; i++) {
		int *waiting = &peer->partitions[topic->partitions[i]->partition].waiting;
		if (++*waiting > peer->max_overlap)
			peer->max_overlap = *waiting;
	}
	peer->produce_requests++;
	(void)pthread_cond_broadcast(&peer->changed);
	while (peer->hold && !peer->stopping)
		(void)pthread_cond_wait(&peer->changed, &peer->lock);
	produce_entries(c, topic, payload, r);
	for (size_t i = 0; i < topic->n_partitions; i++)
		peer->partitions[topic->partitions[i]->partition].waiting--;
	bool drop = peer->drop_count > 0;
	peer->drop_count -= drop ? 1 : 0;
	(void)pthread_mutex_unlock(&peer->lock);
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	Correio__ProduceResponse produce = CORREIO__PRODUCE_RESPONSE__INIT;
	correio__produce_topic_result__init(&r->topic);
	r->topic.name = topic->name;
	r->topic.partitions = r->list;
	r->topic.n_partitions = topic->n_partitions;
	r->topics = &r->topic;
	produce.topics = &r->topics;
	produce.n_topics = 1;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_PRODUCE;
	out.produce = &produce;
	bool good = !drop && (h->produce->acks == 0 || answer(c->fd, &out, NULL, 0));
	free(r);
	return good;
}

struct fetch_results {
	Correio__FetchTopicResult topic, *topics;
	Correio__FetchPartitionResult partitions[PARTITIONS_MAX], *list[PARTITIONS_MAX];
	Correio__LeaderHint hint;
	char host[16];
	uint8_t *payload;
	size_t payload_size;
};

/* The lock is held. */
static void fetch_entry(struct peer_connection *c, const char *topic, const Correio__FetchPartition *in,
	struct fetch_results *r, Correio__FetchPartitionResult *out)
{
	struct native_peer *peer = c->peer;
	correio__fetch_partition_result__init(out);
	out->partition = in->partition;
	out->error_code = check_partition(peer, c, topic, in->partition);
	if (out->error_code != 0) {
		out->leader = out->error_code == 6 && peer->hint ? &r->hint : NULL;
		return;
	}
	struct peer_partition *p = &peer->partitions[in->partition];
	out->high_watermark = p->end;
	out->log_start_offset = p->start;
	if (in->fetch_offset < p->start || in->fetch_offset > p->end) {
		out->error_code = 1;
		return;
	}
	for (size_t i = 0; i < p->count; i++) {
		const struct stored *s = &p->batches[i];
		if (s->last < in->fetch_offset)
			continue;
		if (out->records_bytes > 0 && out->records_bytes + s->n > in->max_bytes)
			break;
		r->payload = (uint8_t *)realloc(r->payload, r->payload_size + s->n);
		assert(r->payload != NULL);
		memcpy(r->payload + r->payload_size, s->p, s->n);
		r->payload_size += s->n;
		out->records_bytes += (uint32_t)s->n;
	}
}

static bool handle_fetch(struct peer_connection *c, const Correio__RequestHeader *h)
{
	struct native_peer *peer = c->peer;
	struct fetch_results *r = (struct fetch_results *)calloc(1, sizeof(*r));
	assert(r != NULL);
	assert(h->fetch->n_topics == 1);
	const Correio__FetchTopic *topic = h->fetch->topics[0];
	(void)snprintf(r->host, sizeof(r->host), "127.0.0.1");
	struct timespec until;
	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += (long)h->fetch->max_wait_ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	(void)pthread_mutex_lock(&peer->lock);
	for (;;) {
		bool failed = false;
		r->payload_size = 0;
		fill_hint(peer, &r->hint, r->host);
		for (size_t i = 0; i < topic->n_partitions; i++) {
			r->list[i] = &r->partitions[i];
			fetch_entry(c, topic->name, topic->partitions[i], r, r->list[i]);
			failed = failed || r->list[i]->error_code != 0;
		}
		if (failed || r->payload_size > 0 || peer->stopping ||
			pthread_cond_timedwait(&peer->changed, &peer->lock, &until) == ETIMEDOUT)
			break;
	}
	(void)pthread_mutex_unlock(&peer->lock);
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	Correio__FetchResponse fetch = CORREIO__FETCH_RESPONSE__INIT;
	correio__fetch_topic_result__init(&r->topic);
	r->topic.name = topic->name;
	r->topic.partitions = r->list;
	r->topic.n_partitions = topic->n_partitions;
	r->topics = &r->topic;
	fetch.topics = &r->topics;
	fetch.n_topics = 1;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_FETCH;
	out.fetch = &fetch;
	bool good = answer(c->fd, &out, r->payload, r->payload_size);
	free(r->payload);
	free(r);
	return good;
}

static bool handle_list_offsets(struct peer_connection *c, const Correio__RequestHeader *h)
{
	struct native_peer *peer = c->peer;
	const Correio__ListOffsetsTopic *topic = h->list_offsets->topics[0];
	const Correio__ListOffsetsPartition *in = topic->partitions[0];
	Correio__ListOffsetsPartitionResult result = CORREIO__LIST_OFFSETS_PARTITION_RESULT__INIT, *results = &result;
	Correio__ListOffsetsTopicResult t = CORREIO__LIST_OFFSETS_TOPIC_RESULT__INIT, *topics = &t;
	Correio__ListOffsetsResponse list = CORREIO__LIST_OFFSETS_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	(void)pthread_mutex_lock(&peer->lock);
	result.partition = in->partition;
	result.error_code = check_partition(peer, c, topic->name, in->partition);
	result.offset = -1;
	if (result.error_code == 0) {
		const struct peer_partition *p = &peer->partitions[in->partition];
		if (in->timestamp == -1)
			result.offset = p->end;
		else if (in->timestamp == -2)
			result.offset = p->start;
		for (size_t i = p->count; in->timestamp >= 0 && i-- > 0;)
			if (get_i64(p->batches[i].p + 35) >= in->timestamp)
				result.offset = p->batches[i].base;
	}
	(void)pthread_mutex_unlock(&peer->lock);
	t.name = topic->name;
	t.partitions = &results;
	t.n_partitions = 1;
	list.topics = &topics;
	list.n_topics = 1;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_LIST_OFFSETS;
	out.list_offsets = &list;
	return answer(c->fd, &out, NULL, 0);
}

static bool handle_metadata(struct peer_connection *c, const Correio__RequestHeader *h)
{
	struct native_peer *peer = c->peer;
	char host[] = "127.0.0.1", none[] = "no such topic; did you mean t?";
	int32_t replicas[] = {1, 2};
	Correio__BrokerInfo brokers[LISTENERS], *broker_list[LISTENERS];
	Correio__PartitionInfo partitions[PARTITIONS_MAX], *partition_list[PARTITIONS_MAX];
	(void)pthread_mutex_lock(&peer->lock);
	for (int i = 0; i < LISTENERS; i++) {
		correio__broker_info__init(&brokers[i]);
		brokers[i].id = i + 1;
		brokers[i].host = host;
		brokers[i].port = peer->listeners[i].port;
		broker_list[i] = &brokers[i];
	}
	for (int32_t i = 0; i < peer->partition_count; i++) {
		correio__partition_info__init(&partitions[i]);
		partitions[i].partition = i;
		partitions[i].leader = peer->leader;
		partitions[i].leader_epoch = peer->leader_epoch;
		partitions[i].replicas = replicas;
		partitions[i].n_replicas = 2;
		partition_list[i] = &partitions[i];
	}
	int32_t partition_count = peer->partition_count;
	(void)pthread_mutex_unlock(&peer->lock);
	size_t n = h->metadata->n_topics;
	Correio__TopicInfo *topics = (Correio__TopicInfo *)calloc(n + 1, sizeof(*topics));
	Correio__TopicInfo **topic_list = (Correio__TopicInfo **)calloc(n + 1, sizeof(Correio__TopicInfo *));
	assert(topics != NULL && topic_list != NULL);
	for (size_t i = 0; i < n; i++) {
		correio__topic_info__init(&topics[i]);
		topics[i].name = h->metadata->topics[i];
		topic_list[i] = &topics[i];
		if (strcmp(topics[i].name, "t") != 0) {
			topics[i].error_code = 3;
			topics[i].error_message = none;
			continue;
		}
		topics[i].partitions = partition_list;
		topics[i].n_partitions = (size_t)partition_count;
	}
	Correio__MetadataResponse metadata = CORREIO__METADATA_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	metadata.brokers = broker_list;
	metadata.n_brokers = LISTENERS;
	metadata.topics = topic_list;
	metadata.n_topics = n;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_METADATA;
	out.metadata = &metadata;
	bool good = answer(c->fd, &out, NULL, 0);
	free(topics);
	free(topic_list);
	return good;
}

static bool handle_hello(struct peer_connection *c, const Correio__RequestHeader *h)
{
	char version[] = "test", cluster[] = "test";
	Correio__HelloResponse hello = CORREIO__HELLO_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	hello.server_version = version;
	hello.broker_id = c->broker;
	hello.cluster_id = cluster;
	hello.max_frame_bytes = 100 << 20;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_HELLO;
	out.hello = &hello;
	return answer(c->fd, &out, NULL, 0);
}

static bool handle_init_producer(struct peer_connection *c, const Correio__RequestHeader *h)
{
	struct native_peer *peer = c->peer;
	Correio__InitProducerResponse init = CORREIO__INIT_PRODUCER_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	(void)pthread_mutex_lock(&peer->lock);
	bool refuse = peer->refuse_ids != 0;
	out.error_code = peer->refuse_ids;
	peer->refuse_ids = peer->refuse_ids == 35 ? 35 : 0;
	init.producer_id = 1000 + peer->producers;
	peer->producers += refuse ? 0 : 1;
	(void)pthread_mutex_unlock(&peer->lock);
	out.correlation_id = h->correlation_id;
	if (!refuse) {
		out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_INIT_PRODUCER;
		out.init_producer = &init;
	}
	return answer(c->fd, &out, NULL, 0);
}

static bool handle_cluster(struct peer_connection *c, const Correio__RequestHeader *h)
{
	char id[] = "test-cluster";
	Correio__DescribeClusterResponse cluster = CORREIO__DESCRIBE_CLUSTER_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	cluster.cluster_id = id;
	cluster.controller_id = 1;
	cluster.topic_count = 1;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_CLUSTER;
	out.describe_cluster = &cluster;
	return answer(c->fd, &out, NULL, 0);
}

/* All topics, or those asked for. "t" has one override; another name is unknown. */
static bool handle_describe_topics(struct peer_connection *c, const Correio__RequestHeader *h)
{
	struct native_peer *peer = c->peer;
	char name[] = "t", key[] = "retention.ms", value[] = "5", none[] = "no such topic; did you mean t?";
	uint8_t id[16] = {1, 2, 3};
	int32_t replicas[] = {1, 2};
	Correio__PartitionInfo partitions[PARTITIONS_MAX], *partition_list[PARTITIONS_MAX];
	Correio__ConfigEntry entry = CORREIO__CONFIG_ENTRY__INIT, *entries = &entry;
	Correio__TopicInfo info = CORREIO__TOPIC_INFO__INIT;
	Correio__TopicDescription topic = CORREIO__TOPIC_DESCRIPTION__INIT, *topics = &topic;
	Correio__DescribeTopicsResponse describe = CORREIO__DESCRIBE_TOPICS_RESPONSE__INIT;
	Correio__ResponseHeader out = CORREIO__RESPONSE_HEADER__INIT;
	const Correio__DescribeTopicsRequest *in = h->describe_topics;
	info.name = in->n_topics > 0 ? in->topics[0] : name;
	topic.info = &info;
	if (strcmp(info.name, name) != 0) {
		info.error_code = 3;
		info.error_message = none;
	} else {
		for (int32_t i = 0; i < peer->partition_count; i++) {
			correio__partition_info__init(&partitions[i]);
			partitions[i].partition = i;
			partitions[i].leader = 1;
			partitions[i].replicas = replicas;
			partitions[i].n_replicas = 2;
			partitions[i].isr = replicas;
			partitions[i].n_isr = 1;
			partition_list[i] = &partitions[i];
		}
		info.topic_id.data = id;
		info.topic_id.len = sizeof(id);
		info.partitions = partition_list;
		info.n_partitions = (size_t)peer->partition_count;
		entry.key = key;
		entry.value = value;
		topic.overrides = &entries;
		topic.n_overrides = 1;
	}
	describe.topics = &topics;
	describe.n_topics = 1;
	out.correlation_id = h->correlation_id;
	out.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_DESCRIBE_TOPICS;
	out.describe_topics = &describe;
	return answer(c->fd, &out, NULL, 0);
}

static bool handle_frame(struct peer_connection *c, const uint8_t *frame, uint32_t header_size)
{
	Correio__RequestHeader *h = correio__request_header__unpack(NULL, header_size, frame);
	assert(h != NULL);
	bool good = false;
	if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_HELLO)
		good = handle_hello(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_METADATA)
		good = handle_metadata(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_PRODUCE)
		good = handle_produce(c, h, frame + header_size);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_FETCH)
		good = handle_fetch(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_LIST_OFFSETS)
		good = handle_list_offsets(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_INIT_PRODUCER)
		good = handle_init_producer(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_CLUSTER)
		good = handle_cluster(c, h);
	else if (h->request_case == CORREIO__REQUEST_HEADER__REQUEST_DESCRIBE_TOPICS)
		good = handle_describe_topics(c, h);
	correio__request_header__free_unpacked(h, NULL);
	return good;
}

static void *connection_run(void *arg)
{
	struct peer_connection *c = (struct peer_connection *)arg;
	char preface[8];
	bool good = read_all(c->fd, preface, sizeof(preface)) && memcmp(preface, "CORREIO1", 8) == 0;
	while (good) {
		uint32_t lengths[2];
		if (!read_all(c->fd, lengths, sizeof(lengths)))
			break;
		uint32_t size = be32toh(lengths[0]), header_size = be32toh(lengths[1]);
		assert(size >= 4 && header_size <= size - 4);
		uint8_t *frame = (uint8_t *)malloc(size);
		assert(frame != NULL);
		good = read_all(c->fd, frame, size - 4) && handle_frame(c, frame, header_size);
		free(frame);
	}
	(void)shutdown(c->fd, SHUT_RDWR);
	return NULL;
}

static void *listener_run(void *arg)
{
	struct peer_listener *l = (struct peer_listener *)arg;
	struct native_peer *peer = l->peer;
	for (;;) {
		int fd = accept(l->fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		(void)pthread_mutex_lock(&peer->lock);
		if (peer->stopping || peer->connection_count == CONNECTIONS_MAX) {
			(void)close(fd);
		} else {
			struct peer_connection *c = &peer->connections[peer->connection_count++];
			int one = 1;
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			*c = (struct peer_connection){.peer = peer, .fd = fd, .broker = l->broker};
			int rc = pthread_create(&c->thread, NULL, connection_run, c);
			assert(rc == 0);
			(void)rc;
		}
		(void)pthread_mutex_unlock(&peer->lock);
	}
}

struct native_peer *native_peer_start(int32_t partitions)
{
	assert(partitions <= PARTITIONS_MAX);
	struct native_peer *p = (struct native_peer *)calloc(1, sizeof(*p));
	assert(p != NULL);
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->changed, NULL);
	p->partition_count = partitions;
	p->leader = 1;
	for (int i = 0; i < LISTENERS; i++) {
		struct peer_listener *l = &p->listeners[i];
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		socklen_t size = sizeof(a);
		l->peer = p;
		l->broker = i + 1;
		l->fd = socket(AF_INET, SOCK_STREAM, 0);
		int rc = bind(l->fd, (struct sockaddr *)&a, sizeof(a));
		rc |= listen(l->fd, 64);
		rc |= getsockname(l->fd, (struct sockaddr *)&a, &size);
		l->port = ntohs(a.sin_port);
		assert(rc == 0);
		(void)rc;
	}
	for (int i = 0; i < LISTENERS; i++)
		(void)pthread_create(&p->listeners[i].thread, NULL, listener_run, &p->listeners[i]);
	(void)snprintf(p->bootstrap, sizeof(p->bootstrap), "127.0.0.1:%d", p->listeners[0].port);
	return p;
}

void native_peer_stop(struct native_peer *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)pthread_cond_broadcast(&p->changed);
	(void)pthread_mutex_unlock(&p->lock);
	for (int i = 0; i < LISTENERS; i++) {
		(void)shutdown(p->listeners[i].fd, SHUT_RDWR);
		(void)pthread_join(p->listeners[i].thread, NULL);
		(void)close(p->listeners[i].fd);
	}
	for (size_t i = 0; i < p->connection_count; i++) {
		(void)shutdown(p->connections[i].fd, SHUT_RDWR);
		(void)pthread_join(p->connections[i].thread, NULL);
		(void)close(p->connections[i].fd);
	}
	for (int32_t i = 0; i < p->partition_count; i++) {
		for (size_t b = 0; b < p->partitions[i].count; b++)
			free(p->partitions[i].batches[b].p);
		free(p->partitions[i].batches);
	}
	(void)pthread_cond_destroy(&p->changed);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

const char *native_peer_bootstrap(const struct native_peer *p)
{
	return p->bootstrap;
}

#define LOCKED(p, ...)                                                                                                 \
	do {                                                                                                           \
		(void)pthread_mutex_lock(&(p)->lock);                                                                  \
		__VA_ARGS__;                                                                                           \
		(void)pthread_cond_broadcast(&(p)->changed);                                                           \
		(void)pthread_mutex_unlock(&(p)->lock);                                                                \
	} while (0)

void native_peer_fail_produce(struct native_peer *p, int count, int32_t code)
{
	LOCKED(p, p->fail_count = count; p->fail_code = code);
}

void native_peer_refuse_ids(struct native_peer *p, int32_t code)
{
	(void)pthread_mutex_lock(&p->lock);
	p->refuse_ids = code;
	(void)pthread_mutex_unlock(&p->lock);
}

int native_peer_producers(struct native_peer *p)
{
	(void)pthread_mutex_lock(&p->lock);
	int n = p->producers;
	(void)pthread_mutex_unlock(&p->lock);
	return n;
}

void native_peer_drop_answers(struct native_peer *p, int count)
{
	LOCKED(p, p->drop_count = count);
}

void native_peer_hold(struct native_peer *p, bool hold)
{
	LOCKED(p, p->hold = hold);
}

void native_peer_set_max_batch(struct native_peer *p, size_t bytes)
{
	LOCKED(p, p->max_batch = bytes);
}

void native_peer_set_leader(struct native_peer *p, int32_t broker, bool hint)
{
	LOCKED(p, p->leader = broker; p->leader_epoch++; p->hint = hint);
}

void native_peer_set_partitions(struct native_peer *p, int32_t partitions)
{
	assert(partitions <= PARTITIONS_MAX);
	LOCKED(p, p->partition_count = partitions);
}

void native_peer_set_log_start(struct native_peer *p, int32_t partition, int64_t offset)
{
	LOCKED(p, p->partitions[partition].start = offset);
}

void native_peer_damage(struct native_peer *p, int32_t partition, size_t batch)
{
	LOCKED(p, assert(batch < p->partitions[partition].count); p->partitions[partition].batches[batch].p[65] ^= 1);
}

int64_t native_peer_end_offset(struct native_peer *p, int32_t partition)
{
	int64_t end;
	LOCKED(p, end = p->partitions[partition].end);
	return end;
}

size_t native_peer_batch_count(struct native_peer *p, int32_t partition)
{
	size_t count;
	LOCKED(p, count = p->partitions[partition].count);
	return count;
}

int native_peer_produce_requests(struct native_peer *p)
{
	int count;
	LOCKED(p, count = p->produce_requests);
	return count;
}

void native_peer_wait_produce_requests(struct native_peer *p, int count)
{
	(void)pthread_mutex_lock(&p->lock);
	while (p->produce_requests < count)
		(void)pthread_cond_wait(&p->changed, &p->lock);
	(void)pthread_mutex_unlock(&p->lock);
}

int native_peer_max_overlap(struct native_peer *p)
{
	int overlap;
	LOCKED(p, overlap = p->max_overlap);
	return overlap;
}

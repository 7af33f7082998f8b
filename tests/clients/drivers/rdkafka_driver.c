/* A driver of librdkafka's C API: a command per line on stdin, an answer per line on stdout (see ../README.md).
 *   rdkafka_driver BOOTSTRAP SETTINGS */
#include <jansson.h>
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_MS 20000
#define MEMBERS_MAX 64

static const char *bootstrap;
static json_t *settings;

struct answer {
	json_t *fields;
};

static void fail(struct answer *a, int code, const char *text)
{
	json_object_set_new(a->fields, "error", json_string(text));
	json_object_set_new(a->fields, "code", json_integer(code));
}

static bool failed(struct answer *a, rd_kafka_resp_err_t e)
{
	if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(a, e, rd_kafka_err2str(e));
	return e != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static const char *str(const json_t *c, const char *key)
{
	return json_string_value(json_object_get(c, key));
}

static json_int_t num(const json_t *c, const char *key, json_int_t otherwise)
{
	const json_t *v = json_object_get(c, key);
	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char error[256];
	if (rd_kafka_conf_set(conf, key, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
}

static rd_kafka_conf_t *config(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *key;
	json_t *value;
	set(conf, "bootstrap.servers", bootstrap);
	json_object_foreach(settings, key, value)
		set(conf, key, json_string_value(value));
	return conf;
}

static rd_kafka_t *made(rd_kafka_type_t type, rd_kafka_conf_t *conf)
{
	char error[256];
	rd_kafka_t *rk = rd_kafka_new(type, conf, error, sizeof error);
	if (rk == NULL) {
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return rk;
}

/* For metadata and administration. */
static rd_kafka_t *common(void)
{
	static rd_kafka_t *rk;
	if (rk == NULL)
		rk = made(RD_KAFKA_PRODUCER, config());
	return rk;
}

static json_t *text(const void *data, size_t size)
{
	return data == NULL ? json_null() : json_stringn(data, size);
}

static json_t *record_of(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers = NULL;
	json_t *list = json_array();
	if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		const char *name;
		const void *value;
		size_t size;
		for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
			json_array_append_new(list, json_pack("[so]", name, text(value, size)));
	}
	return json_pack("{ss si sI so so so sI}", "t", rd_kafka_topic_name(m->rkt), "p", m->partition, "o", (json_int_t)m->offset,
		"k", text(m->key, m->key_len), "v", text(m->payload, m->len), "h", list, "ts",
		(json_int_t)rd_kafka_message_timestamp(m, NULL));
}

/* --- produce and fetch --------------------------------------------------- */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	json_t *mine = m->_private; /* [partition, offset, error] */
	json_array_append_new(mine, json_integer(m->partition));
	json_array_append_new(mine, json_integer(m->offset));
	json_array_append_new(mine, json_integer(m->err));
}

static void produce_one(rd_kafka_t *rk, const json_t *c, const json_t *r, json_t *mine)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
	size_t i;
	json_t *h;
	json_array_foreach(json_object_get(r, "h"), i, h) {
		const json_t *value = json_array_get(h, 1);
		rd_kafka_header_add(headers, json_string_value(json_array_get(h, 0)), -1, json_string_value(value),
			(ssize_t)json_string_length(value));
	}
	const json_t *key = json_object_get(r, "k"), *value = json_object_get(r, "v");
	rd_kafka_resp_err_t e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(str(c, "topic")),
		RD_KAFKA_V_PARTITION((int32_t)num(r, "p", RD_KAFKA_PARTITION_UA)),
		RD_KAFKA_V_KEY(json_string_value(key), json_string_length(key)),
		RD_KAFKA_V_VALUE((void *)(uintptr_t)json_string_value(value), json_string_length(value)),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(num(r, "ts", 0)), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE(mine), RD_KAFKA_V_END);
	if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_headers_destroy(headers);
		json_array_extend(mine, json_pack("[iii]", -1, -1, e));
	}
}

static void produce(const json_t *c, struct answer *a)
{
	rd_kafka_conf_t *conf = config();
	char acks[8];
	snprintf(acks, sizeof acks, "%d", (int)num(c, "acks", -1));
	set(conf, "acks", acks);
	set(conf, "linger.ms", "20");
	set(conf, "compression.type", str(c, "codec") ? str(c, "codec") : "none");
	if (json_is_true(json_object_get(c, "idempotent")))
		set(conf, "enable.idempotence", "true");
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_t *rk = made(RD_KAFKA_PRODUCER, conf);
	json_t *offsets = json_array(), *r, *mine;
	size_t i;
	json_array_foreach(json_object_get(c, "records"), i, r) {
		json_array_append_new(offsets, json_array());
		produce_one(rk, c, r, json_array_get(offsets, i));
	}
	rd_kafka_resp_err_t e = rd_kafka_flush(rk, PATIENCE_MS);
	json_array_foreach(offsets, i, mine) {
		if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
			e = (rd_kafka_resp_err_t)json_integer_value(json_array_get(mine, 2));
		json_array_remove(mine, 2);
	}
	rd_kafka_destroy(rk);
	json_object_set_new(a->fields, "offsets", offsets);
	(void)failed(a, e);
}

static void fetch(const json_t *c, struct answer *a)
{
	rd_kafka_conf_t *conf = config();
	set(conf, "group.id", "unused");
	set(conf, "enable.auto.commit", "false");
	set(conf, "auto.offset.reset", "error");
	set(conf, "check.crcs", "true");
	rd_kafka_t *rk = made(RD_KAFKA_CONSUMER, conf);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	json_t *p, *records = json_array();
	size_t i;
	json_array_foreach(json_object_get(c, "partitions"), i, p)
		rd_kafka_topic_partition_list_add(list, str(c, "topic"), (int32_t)json_integer_value(p))->offset = num(c, "offset", 0);
	rd_kafka_assign(rk, list);
	while (json_array_size(records) < (size_t)num(c, "count", 0)) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, PATIENCE_MS);
		if (m == NULL || failed(a, m->err))
			break;
		json_array_append_new(records, record_of(m));
		rd_kafka_message_destroy(m);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	json_object_set_new(a->fields, "records", records);
}

static void offset_for_time(const json_t *c, struct answer *a)
{
	int64_t low = -1, high = -1, offset, time = num(c, "timestamp", 0);
	int32_t partition = (int32_t)num(c, "partition", 0);
	if (time < 0) {
		if (failed(a, rd_kafka_query_watermark_offsets(common(), str(c, "topic"), partition, &low, &high, PATIENCE_MS)))
			return;
		offset = time == -2 ? low : high;
	} else {
		rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
		rd_kafka_topic_partition_list_add(list, str(c, "topic"), partition)->offset = time;
		rd_kafka_resp_err_t e = rd_kafka_offsets_for_times(common(), list, PATIENCE_MS);
		offset = list->elems[0].offset;
		e = e ? e : list->elems[0].err;
		rd_kafka_topic_partition_list_destroy(list);
		if (failed(a, e))
			return;
	}
	json_object_set_new(a->fields, "offset", json_integer(offset));
}

/* --- members of groups --------------------------------------------------- */

struct member {
	char *name;
	rd_kafka_t *rk;
	pthread_t thread;
	pthread_mutex_t lock;
	bool over;
	json_t *records, *assignment, *failure;
	int rebalances;
};
static struct member *members[MEMBERS_MAX];

static json_t *partitions_json(const rd_kafka_topic_partition_list_t *list)
{
	json_t *all = json_array();
	for (int i = 0; i < list->cnt; i++)
		json_array_append_new(all, json_pack("[si]", list->elems[i].topic, list->elems[i].partition));
	return all;
}

/* Called by consumer_poll, on the member's thread. */
static void rebalanced(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct member *m = opaque;
	bool gain = e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS, cooperative = strcmp(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
	if (cooperative)
		rd_kafka_error_destroy(gain ? rd_kafka_incremental_assign(rk, list) : rd_kafka_incremental_unassign(rk, list));
	else
		rd_kafka_assign(rk, gain ? list : NULL);
	rd_kafka_topic_partition_list_t *now;
	if (rd_kafka_assignment(rk, &now) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	pthread_mutex_lock(&m->lock);
	json_decref(m->assignment);
	m->assignment = partitions_json(now);
	m->rebalances += gain;
	pthread_mutex_unlock(&m->lock);
	rd_kafka_topic_partition_list_destroy(now);
}

static void *member_run(void *arg)
{
	struct member *m = arg;
	bool over = false;
	while (!over) {
		rd_kafka_message_t *got = rd_kafka_consumer_poll(m->rk, 50);
		pthread_mutex_lock(&m->lock);
		over = m->over;
		if (got != NULL && got->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			json_array_append_new(m->records, record_of(got));
		else if (got != NULL) {
			json_decref(m->failure);
			m->failure = json_string(rd_kafka_message_errstr(got));
		}
		pthread_mutex_unlock(&m->lock);
		if (got != NULL)
			rd_kafka_message_destroy(got);
	}
	rd_kafka_consumer_close(m->rk);
	rd_kafka_destroy(m->rk);
	return NULL;
}

static struct member **member_slot(const char *name)
{
	for (int i = 0; i < MEMBERS_MAX; i++)
		if (name == NULL ? members[i] == NULL : members[i] != NULL && strcmp(members[i]->name, name) == 0)
			return &members[i];
	fprintf(stderr, "no member %s\n", name ? name : "more");
	exit(1);
}

static void join(const json_t *c, struct answer *a)
{
	struct member *m = calloc(1, sizeof *m);
	rd_kafka_conf_t *conf = config();
	char session[16];
	snprintf(session, sizeof session, "%d", (int)num(c, "session_ms", 6000));
	set(conf, "group.id", str(c, "group"));
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "enable.auto.commit", "false");
	set(conf, "session.timeout.ms", session);
	set(conf, "heartbeat.interval.ms", "300");
	set(conf, "partition.assignment.strategy", str(c, "assignor") ? str(c, "assignor") : "range");
	if (str(c, "instance") != NULL)
		set(conf, "group.instance.id", str(c, "instance"));
	rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
	rd_kafka_conf_set_opaque(conf, m);
	*m = (struct member){.name = strdup(str(c, "member")), .lock = PTHREAD_MUTEX_INITIALIZER, .records = json_array(),
		.assignment = json_array(), .failure = json_null(), .rk = made(RD_KAFKA_CONSUMER, conf)};
	rd_kafka_poll_set_consumer(m->rk);
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
	json_t *t;
	size_t i;
	json_array_foreach(json_object_get(c, "topics"), i, t)
		rd_kafka_topic_partition_list_add(topics, json_string_value(t), RD_KAFKA_PARTITION_UA);
	(void)failed(a, rd_kafka_subscribe(m->rk, topics));
	rd_kafka_topic_partition_list_destroy(topics);
	*member_slot(NULL) = m;
	pthread_create(&m->thread, NULL, member_run, m);
}

static void member_state(const json_t *c, struct answer *a)
{
	struct member *m = *member_slot(str(c, "member"));
	pthread_mutex_lock(&m->lock);
	json_object_set_new(a->fields, "records", m->records);
	m->records = json_array();
	json_object_set(a->fields, "assignment", m->assignment);
	json_object_set(a->fields, "failure", m->failure);
	json_object_set_new(a->fields, "rebalances", json_integer(m->rebalances));
	pthread_mutex_unlock(&m->lock);
}

static void commit(const json_t *c, struct answer *a)
{
	(void)failed(a, rd_kafka_commit((*member_slot(str(c, "member")))->rk, NULL, 0));
}

static void leave(const json_t *c, struct answer *a)
{
	(void)a;
	struct member **slot = member_slot(str(c, "member")), *m = *slot;
	pthread_mutex_lock(&m->lock);
	m->over = true;
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	json_decref(m->records);
	json_decref(m->assignment);
	json_decref(m->failure);
	free(m->name);
	free(m);
	*slot = NULL;
}

static void committed(const json_t *c, struct answer *a)
{
	rd_kafka_conf_t *conf = config();
	set(conf, "group.id", str(c, "group"));
	rd_kafka_t *rk = made(RD_KAFKA_CONSUMER, conf);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
	json_t *p, *offsets = json_array();
	size_t i;
	json_array_foreach(json_object_get(c, "partitions"), i, p)
		rd_kafka_topic_partition_list_add(list, str(c, "topic"), (int32_t)json_integer_value(p));
	(void)failed(a, rd_kafka_committed(rk, list, PATIENCE_MS));
	for (int n = 0; n < list->cnt; n++)
		json_array_append_new(offsets, json_integer(list->elems[n].offset < 0 ? -1 : list->elems[n].offset));
	json_object_set_new(a->fields, "offsets", offsets);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
}

/* --- administration ------------------------------------------------------ */

/* An admin call's event. */
static rd_kafka_event_t *outcome(rd_kafka_queue_t *queue, struct answer *a)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, PATIENCE_MS);
	if (event == NULL)
		fail(a, -1, "no answer");
	else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(a, rd_kafka_event_error(event), rd_kafka_event_error_string(event));
	return event;
}

static void topic_outcome(rd_kafka_event_t *event, const rd_kafka_topic_result_t **(*results)(rd_kafka_event_t *, size_t *),
	struct answer *a)
{
	size_t n = 0;
	if (event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	const rd_kafka_topic_result_t **r = results(event, &n);
	if (n > 0 && rd_kafka_topic_result_error(r[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(a, rd_kafka_topic_result_error(r[0]),
			rd_kafka_topic_result_error_string(r[0]) ? rd_kafka_topic_result_error_string(r[0]) : "");
}

static const rd_kafka_topic_result_t **created(rd_kafka_event_t *e, size_t *n)
{
	return rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(e), n);
}

static const rd_kafka_topic_result_t **deleted(rd_kafka_event_t *e, size_t *n)
{
	return rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(e), n);
}

static const rd_kafka_topic_result_t **extended(rd_kafka_event_t *e, size_t *n)
{
	return rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(e), n);
}

static void create_topic(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	char error[256];
	const char *key;
	json_t *value;
	rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(str(c, "topic"), (int)num(c, "partitions", 1), 1, error, sizeof error);
	json_object_foreach(json_object_get(c, "configs"), key, value)
		rd_kafka_NewTopic_set_config(t, key, json_string_value(value));
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(common(), RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_AdminOptions_set_operation_timeout(options, PATIENCE_MS, error, sizeof error);
	rd_kafka_CreateTopics(common(), &t, 1, options, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	topic_outcome(event, created, a);
	rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(t);
}

static void delete_topic(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	char error[256];
	rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(str(c, "topic"));
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(common(), RD_KAFKA_ADMIN_OP_DELETETOPICS);
	rd_kafka_AdminOptions_set_operation_timeout(options, PATIENCE_MS, error, sizeof error);
	rd_kafka_DeleteTopics(common(), &t, 1, options, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	topic_outcome(event, deleted, a);
	rd_kafka_event_destroy(event);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_DeleteTopic_destroy(t);
}

static void create_partitions(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	char error[256];
	rd_kafka_NewPartitions_t *p = rd_kafka_NewPartitions_new(str(c, "topic"), (size_t)num(c, "count", 0), error, sizeof error);
	rd_kafka_CreatePartitions(common(), &p, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	topic_outcome(event, extended, a);
	rd_kafka_event_destroy(event);
	rd_kafka_NewPartitions_destroy(p);
}

static void resource_outcome(const rd_kafka_ConfigResource_t *r, struct answer *a)
{
	if (rd_kafka_ConfigResource_error(r) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(a, rd_kafka_ConfigResource_error(r), rd_kafka_ConfigResource_error_string(r));
}

static void describe_configs(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, str(c, "topic"));
	rd_kafka_DescribeConfigs(common(), &asked, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	size_t n = 0, entries = 0;
	json_t *configs = json_object();
	const rd_kafka_ConfigResource_t **r =
		rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	const rd_kafka_ConfigEntry_t **e = n > 0 ? rd_kafka_ConfigResource_configs(r[0], &entries) : NULL;
	for (size_t i = 0; i < entries; i++) {
		const char *value = rd_kafka_ConfigEntry_value(e[i]);
		json_object_set_new(configs, rd_kafka_ConfigEntry_name(e[i]), value ? json_string(value) : json_null());
	}
	if (n > 0)
		resource_outcome(r[0], a);
	json_object_set_new(a->fields, "configs", configs);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(asked);
}

static void alter_configs(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	const char *key;
	json_t *value;
	size_t n = 0;
	rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, str(c, "topic"));
	json_object_foreach(json_object_get(c, "configs"), key, value)
		rd_kafka_ConfigResource_set_config(wanted, key, json_string_value(value));
	rd_kafka_AlterConfigs(common(), &wanted, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	const rd_kafka_ConfigResource_t **r = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(event), &n);
	if (n > 0)
		resource_outcome(r[0], a);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(wanted);
}

static void delete_records(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, str(c, "topic"), (int32_t)num(c, "partition", 0))->offset = num(c, "offset", 0);
	rd_kafka_DeleteRecords_t *wanted = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(common(), &wanted, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	const rd_kafka_DeleteRecords_result_t *result = rd_kafka_event_DeleteRecords_result(event);
	if (result != NULL) {
		const rd_kafka_topic_partition_t *p = &rd_kafka_DeleteRecords_result_offsets(result)->elems[0];
		json_object_set_new(a->fields, "low_watermark", json_integer(p->offset));
		(void)failed(a, p->err);
	}
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteRecords_destroy(wanted);
	rd_kafka_topic_partition_list_destroy(list);
}

static void list_groups(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	(void)c;
	size_t n = 0;
	json_t *groups = json_array();
	rd_kafka_ListConsumerGroups(common(), NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	const rd_kafka_ConsumerGroupListing_t **all =
		rd_kafka_ListConsumerGroups_result_valid(rd_kafka_event_ListConsumerGroups_result(event), &n);
	for (size_t i = 0; i < n; i++)
		json_array_append_new(groups, json_string(rd_kafka_ConsumerGroupListing_group_id(all[i])));
	json_object_set_new(a->fields, "groups", groups);
	rd_kafka_event_destroy(event);
}

static const char *const states[] = {[RD_KAFKA_CONSUMER_GROUP_STATE_UNKNOWN] = "unknown",
	[RD_KAFKA_CONSUMER_GROUP_STATE_PREPARING_REBALANCE] = "preparingrebalance",
	[RD_KAFKA_CONSUMER_GROUP_STATE_COMPLETING_REBALANCE] = "completingrebalance", [RD_KAFKA_CONSUMER_GROUP_STATE_STABLE] = "stable",
	[RD_KAFKA_CONSUMER_GROUP_STATE_DEAD] = "dead", [RD_KAFKA_CONSUMER_GROUP_STATE_EMPTY] = "empty"};

static void describe_group(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	size_t n = 0;
	const char *group = str(c, "group");
	rd_kafka_DescribeConsumerGroups(common(), &group, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	const rd_kafka_ConsumerGroupDescription_t **all =
		rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &n);
	if (n > 0) {
		json_object_set_new(a->fields, "state", json_string(states[rd_kafka_ConsumerGroupDescription_state(all[0])]));
		json_object_set_new(a->fields, "members", json_integer((json_int_t)rd_kafka_ConsumerGroupDescription_member_count(all[0])));
	}
	rd_kafka_event_destroy(event);
}

static void delete_group(const json_t *c, rd_kafka_queue_t *queue, struct answer *a)
{
	size_t n = 0;
	rd_kafka_DeleteGroup_t *wanted = rd_kafka_DeleteGroup_new(str(c, "group"));
	rd_kafka_DeleteGroups(common(), &wanted, 1, NULL, queue);
	rd_kafka_event_t *event = outcome(queue, a);
	const rd_kafka_group_result_t **r = rd_kafka_DeleteGroups_result_groups(rd_kafka_event_DeleteGroups_result(event), &n);
	if (n > 0 && rd_kafka_group_result_error(r[0]) != NULL)
		fail(a, rd_kafka_error_code(rd_kafka_group_result_error(r[0])), rd_kafka_error_string(rd_kafka_group_result_error(r[0])));
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteGroup_destroy(wanted);
}

/* Everything that Metadata tells: topics, partitions, brokers. */
static void metadata(const json_t *c, struct answer *a)
{
	const struct rd_kafka_metadata *m;
	rd_kafka_topic_t *one = str(c, "topic") == NULL ? NULL : rd_kafka_topic_new(common(), str(c, "topic"), NULL);
	if (failed(a, rd_kafka_metadata(common(), one == NULL, one, &m, PATIENCE_MS)))
		return;
	json_t *topics = json_array(), *brokers = json_array();
	for (int i = 0; i < m->topic_cnt; i++)
		json_array_append_new(topics, json_string(m->topics[i].topic));
	for (int i = 0; i < m->broker_cnt; i++)
		json_array_append_new(brokers, json_integer(m->brokers[i].id));
	if (one != NULL && m->topic_cnt == 1) {
		(void)failed(a, m->topics[0].err);
		json_object_set_new(a->fields, "partitions", json_integer(m->topics[0].partition_cnt));
	}
	json_object_set_new(a->fields, "topics", topics);
	json_object_set_new(a->fields, "brokers", brokers);
	json_object_set_new(a->fields, "controller", json_integer(rd_kafka_controllerid(common(), PATIENCE_MS)));
	char *id = rd_kafka_clusterid(common(), PATIENCE_MS);
	json_object_set_new(a->fields, "id", json_string(id));
	rd_kafka_mem_free(common(), id);
	rd_kafka_metadata_destroy(m);
	if (one != NULL)
		rd_kafka_topic_destroy(one);
}

static const struct {
	const char *op;
	void (*run)(const json_t *c, struct answer *a);
	void (*administer)(const json_t *c, rd_kafka_queue_t *queue, struct answer *a);
} commands[] = {
	{"produce", produce, NULL}, {"fetch", fetch, NULL}, {"offset_for_time", offset_for_time, NULL}, {"join", join, NULL},
	{"member", member_state, NULL}, {"commit", commit, NULL}, {"leave", leave, NULL}, {"committed", committed, NULL},
	{"describe_topic", metadata, NULL}, {"list_topics", metadata, NULL}, {"describe_cluster", metadata, NULL},
	{"create_topic", NULL, create_topic}, {"delete_topic", NULL, delete_topic}, {"create_partitions", NULL, create_partitions},
	{"describe_configs", NULL, describe_configs}, {"alter_configs", NULL, alter_configs}, {"delete_records", NULL, delete_records},
	{"list_groups", NULL, list_groups}, {"describe_group", NULL, describe_group}, {"delete_group", NULL, delete_group},
};

static void run(const json_t *c, struct answer *a)
{
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].op, str(c, "op")) != 0)
			continue;
		if (commands[i].run != NULL) {
			commands[i].run(c, a);
			return;
		}
		rd_kafka_queue_t *queue = rd_kafka_queue_new(common());
		commands[i].administer(c, queue, a);
		rd_kafka_queue_destroy(queue);
		return;
	}
	fail(a, -1, "no such command");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	bootstrap = argv[1];
	settings = json_loads(argv[2], 0, NULL);
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, stdin) > 0) {
		json_t *c = json_loads(line, 0, NULL);
		struct answer a = {json_object()};
		run(c, &a);
		json_dumpf(a.fields, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(a.fields);
		json_decref(c);
	}
	free(line);
	json_decref(settings);
	return 0;
}

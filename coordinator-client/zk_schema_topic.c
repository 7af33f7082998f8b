/* /brokers/topics/<t>, its partitions' states, and our pending topics. */
#include "coordinator-client/zk_schema_internal.h"

/* --- topic ---------------------------------------------------------------- */

void zk_schema_topic_fini(struct zk_schema_topic *t)
{
	for (size_t i = 0; i < t->partition_count; i++) {
		free(t->partitions[i].replicas);
		free(t->partitions[i].adding);
		free(t->partitions[i].removing);
	}
	free(t->partitions);
	free(t->unknown);
	*t = (struct zk_schema_topic){0};
}

enum which { WHICH_ADDING, WHICH_REMOVING };

static void put_moving(struct schema_text *text, const struct zk_schema_topic *t, enum which which)
{
	bool first = true;
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct zk_schema_partition *p = &t->partitions[i];
		size_t count = which == WHICH_ADDING ? p->adding_count : p->removing_count;
		if (count == 0)
			continue;
		zk_schema_text_put(text, "%s\"%d\":", first ? "" : ",", p->partition);
		zk_schema_text_put_i32s(text, which == WHICH_ADDING ? p->adding : p->removing, count);
		first = false;
	}
}

char *zk_schema_topic_encode(const struct zk_schema_topic *t)
{
	struct schema_text text;
	zk_schema_text_init(&text);
	zk_schema_text_put(&text, "{\"partitions\":{");
	for (size_t i = 0; i < t->partition_count; i++) {
		zk_schema_text_put(&text, "%s\"%d\":", i > 0 ? "," : "", t->partitions[i].partition);
		zk_schema_text_put_i32s(&text, t->partitions[i].replicas, t->partitions[i].replica_count);
	}
	zk_schema_text_put(&text, "}");
	if (!uuid_is_zero(&t->id)) {
		char id[UUID_TEXT_SIZE];
		uuid_format(&t->id, id);
		zk_schema_text_put(&text, ",\"topic_id\":\"%s\"", id);
	}
	zk_schema_text_put(&text, ",\"adding_replicas\":{");
	put_moving(&text, t, WHICH_ADDING);
	zk_schema_text_put(&text, "},\"removing_replicas\":{");
	put_moving(&text, t, WHICH_REMOVING);
	zk_schema_text_put(&text, "},\"version\":3");
	zk_schema_text_put_unknown(&text, t->unknown);
	zk_schema_text_put(&text, "}");
	return zk_schema_text_take(&text);
}

static int compare_partitions(const void *a, const void *b)
{
	const struct zk_schema_partition *x = a, *y = b;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

static void read_partitions(struct schema_reader *r, struct zk_schema_topic *t)
{
	json_t *map = zk_schema_reader_member(r, "partitions", JSON_OBJECT, SCHEMA_REQUIRED);
	size_t count = json_object_size(map);
	if (count > ZK_SCHEMA_PARTITIONS_MAX)
		zk_schema_reader_fail(r, "has too many partitions");
	if (!zk_schema_reader_ok(r))
		return;
	t->partitions = check_calloc(count + 1, sizeof *t->partitions);
	const char *key;
	json_t *value;
	json_object_foreach(map, key, value) {
		struct zk_schema_partition *p = &t->partitions[t->partition_count++];
		if (bytes_parse_i32(slice_of_str(key), &p->partition) != STATUS_OK || p->partition < 0)
			zk_schema_reader_fail(r, "has a partition whose name is not a number");
		zk_schema_reader_ids(r, key, value, &p->replicas, &p->replica_count);
		if (!zk_schema_reader_ok(r))
			return;
	}
	qsort(t->partitions, t->partition_count, sizeof *t->partitions, compare_partitions);
	for (size_t i = 1; i < t->partition_count; i++) {
		if (t->partitions[i].partition == t->partitions[i - 1].partition) /* "1" and "01" */
			zk_schema_reader_fail(r, "has a partition twice");
	}
}

static void read_moving(struct schema_reader *r, struct zk_schema_topic *t, const char *member, enum which which)
{
	json_t *map = zk_schema_reader_member(r, member, JSON_OBJECT, SCHEMA_OPTIONAL);
	if (map == NULL || !zk_schema_reader_ok(r))
		return;
	const char *key;
	json_t *value;
	json_object_foreach(map, key, value) {
		struct zk_schema_partition wanted = {.partition = -1};
		if (bytes_parse_i32(slice_of_str(key), &wanted.partition) != STATUS_OK)
			continue;
		struct zk_schema_partition *p = t->partition_count == 0 ? NULL
			: bsearch(&wanted, t->partitions, t->partition_count, sizeof wanted, compare_partitions);
		if (p == NULL)
			continue;
		int32_t **ids = which == WHICH_ADDING ? &p->adding : &p->removing;
		size_t *count = which == WHICH_ADDING ? &p->adding_count : &p->removing_count;
		free(*ids); /* "1" and "01" name the same partition */
		zk_schema_reader_ids(r, member, value, ids, count);
	}
}

enum status zk_schema_topic_decode(const char *path, struct slice data, struct zk_schema_topic *ret_topic,
	struct failure *ret_failure)
{
	static const char *const known[] = {"version", "partitions", "topic_id", "adding_replicas", "removing_replicas",
		NULL};
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	struct zk_schema_topic t = {.version = zk_schema_reader_i32(&r, "version", SCHEMA_OPTIONAL, 1)};
	read_partitions(&r, &t);
	read_moving(&r, &t, "adding_replicas", WHICH_ADDING);
	read_moving(&r, &t, "removing_replicas", WHICH_REMOVING);
	char *id = zk_schema_reader_string(&r, "topic_id", SCHEMA_OPTIONAL);
	if (id != NULL && uuid_parse(slice_of_str(id), &t.id) != STATUS_OK)
		zk_schema_reader_fail(&r, "has a topic_id that is not 22 characters of base64url");
	free(id);
	t.unknown = zk_schema_reader_unknown(&r, known);
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		zk_schema_topic_fini(&t);
		return s;
	}
	*ret_topic = t;
	return STATUS_OK;
}

/* --- partition state ------------------------------------------------------ */

void zk_schema_state_fini(struct zk_schema_state *s)
{
	free(s->isr);
	free(s->unknown);
	*s = (struct zk_schema_state){0};
}

char *zk_schema_state_encode(const struct zk_schema_state *s)
{
	expect(s->leader >= -1 && s->leader_epoch >= 0);
	struct schema_text t;
	zk_schema_text_init(&t);
	zk_schema_text_put(&t, "{\"controller_epoch\":%d,\"leader\":%d,\"version\":1,\"leader_epoch\":%d,\"isr\":",
		s->controller_epoch, s->leader, s->leader_epoch);
	zk_schema_text_put_i32s(&t, s->isr, s->isr_count);
	if (s->leader_recovery_state != 0)
		zk_schema_text_put(&t, ",\"leader_recovery_state\":%d", s->leader_recovery_state);
	zk_schema_text_put_unknown(&t, s->unknown);
	zk_schema_text_put(&t, "}");
	return zk_schema_text_take(&t);
}

enum status zk_schema_state_decode(const char *path, struct slice data, struct zk_schema_state *ret_state,
	struct failure *ret_failure)
{
	static const char *const known[] = {"version", "leader", "leader_epoch", "controller_epoch", "isr",
		"leader_recovery_state", NULL};
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	struct zk_schema_state s = {
		.leader = zk_schema_reader_i32(&r, "leader", SCHEMA_REQUIRED, -1),
		.leader_epoch = zk_schema_reader_i32(&r, "leader_epoch", SCHEMA_REQUIRED, 0),
		.controller_epoch = zk_schema_reader_i32(&r, "controller_epoch", SCHEMA_REQUIRED, 0),
		.leader_recovery_state = zk_schema_reader_i32(&r, "leader_recovery_state", SCHEMA_OPTIONAL, 0),
	};
	const json_t *isr = zk_schema_reader_member(&r, "isr", JSON_ARRAY, SCHEMA_REQUIRED);
	zk_schema_reader_ids(&r, "isr", isr, &s.isr, &s.isr_count);
	if (zk_schema_reader_ok(&r) && (s.leader < -1 || s.leader_epoch < 0 || s.controller_epoch < 0))
		zk_schema_reader_fail(&r, "has a leader or an epoch below zero");
	s.unknown = zk_schema_reader_unknown(&r, known);
	enum status status = zk_schema_reader_close(&r);
	if (status != STATUS_OK) {
		zk_schema_state_fini(&s);
		return status;
	}
	*ret_state = s;
	return STATUS_OK;
}

/* --- pending topics ------------------------------------------------------- */

void zk_schema_pending_topic_fini(struct zk_schema_pending_topic *t)
{
	zk_schema_config_fini(&t->config);
	free(t->unknown);
	*t = (struct zk_schema_pending_topic){0};
}

char *zk_schema_pending_topic_encode(const struct zk_schema_pending_topic *t)
{
	struct schema_text text;
	zk_schema_text_init(&text);
	zk_schema_text_put(&text, "{\"version\":1,\"partitions\":%d,\"replication_factor\":%d,\"config\":", t->partitions,
		t->replication_factor);
	zk_schema_text_put_config(&text, &t->config);
	zk_schema_text_put_unknown(&text, t->unknown);
	zk_schema_text_put(&text, "}");
	return zk_schema_text_take(&text);
}

enum status zk_schema_pending_topic_decode(const char *path, struct slice data,
	struct zk_schema_pending_topic *ret_topic, struct failure *ret_failure)
{
	static const char *const known[] = {"version", "partitions", "replication_factor", "config", NULL};
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	struct zk_schema_pending_topic t = {
		.partitions = zk_schema_reader_i32(&r, "partitions", SCHEMA_REQUIRED, 0),
		.replication_factor = zk_schema_reader_i32(&r, "replication_factor", SCHEMA_REQUIRED, 0),
	};
	if (zk_schema_reader_ok(&r) && (t.partitions < 1 || t.partitions > ZK_SCHEMA_PARTITIONS_MAX))
		zk_schema_reader_fail(&r, "asks for an impossible number of partitions");
	if (zk_schema_reader_ok(&r) && (t.replication_factor < 1 || t.replication_factor > ZK_SCHEMA_REPLICAS_MAX))
		zk_schema_reader_fail(&r, "asks for an impossible replication factor");
	zk_schema_reader_config(&r, &t.config);
	t.unknown = zk_schema_reader_unknown(&r, known);
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		zk_schema_pending_topic_fini(&t);
		return s;
	}
	*ret_topic = t;
	return STATUS_OK;
}

#include "coordinator-client/zk_schema_internal.h"

const char *const zk_schema_persistent_paths[] = {
	"/admin",
	"/brokers",
	"/cluster",
	"/config",
	"/correio",
	"/consumers",
	ZK_SCHEMA_BROKER_IDS,
	ZK_SCHEMA_TOPICS,
	ZK_SCHEMA_CONFIG_CHANGES,
	ZK_SCHEMA_DELETE_TOPICS,
	ZK_SCHEMA_BROKER_SEQID,
	ZK_SCHEMA_ISR_CHANGES,
	ZK_SCHEMA_PRODUCER_ID_BLOCK,
	ZK_SCHEMA_LOG_DIR_EVENTS,
	ZK_SCHEMA_CONFIG_TOPICS,
	"/config/clients",
	"/config/users",
	"/config/brokers",
	"/config/ips",
	ZK_SCHEMA_PENDING_TOPICS,
	NULL,
};

/* --- paths ---------------------------------------------------------------- */

static void path_join(char out[ZK_PATH_MAX], const char *folder, const char *name, const char *rest)
{
	int n = snprintf(out, ZK_PATH_MAX, "%s/%s%s", folder, name, rest);
	expect(n > 0 && n < ZK_PATH_MAX);
}

void zk_schema_path_broker(int32_t broker_id, char out[ZK_PATH_MAX])
{
	int n = snprintf(out, ZK_PATH_MAX, ZK_SCHEMA_BROKER_IDS "/%d", broker_id);
	expect(n > 0 && n < ZK_PATH_MAX);
}

void zk_schema_path_topic(const char *topic, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_TOPICS, topic, "");
}

void zk_schema_path_topic_partitions(const char *topic, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_TOPICS, topic, "/partitions");
}

void zk_schema_path_partition(const char *topic, int32_t partition, char out[ZK_PATH_MAX])
{
	int n = snprintf(out, ZK_PATH_MAX, ZK_SCHEMA_TOPICS "/%s/partitions/%d", topic, partition);
	expect(n > 0 && n < ZK_PATH_MAX);
}

void zk_schema_path_state(const char *topic, int32_t partition, char out[ZK_PATH_MAX])
{
	int n = snprintf(out, ZK_PATH_MAX, ZK_SCHEMA_TOPICS "/%s/partitions/%d/state", topic, partition);
	expect(n > 0 && n < ZK_PATH_MAX);
}

void zk_schema_path_topic_config(const char *topic, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_CONFIG_TOPICS, topic, "");
}

void zk_schema_path_broker_config(const char *entity, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_CONFIG_BROKERS, entity, "");
}

void zk_schema_path_delete_topic(const char *topic, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_DELETE_TOPICS, topic, "");
}

void zk_schema_path_pending_topic(const char *topic, char out[ZK_PATH_MAX])
{
	path_join(out, ZK_SCHEMA_PENDING_TOPICS, topic, "");
}

enum status zk_schema_path_child(const char *folder, const char *name, char out[ZK_PATH_MAX])
{
	size_t folder_n = strlen(folder), name_n = strlen(name);
	if (name_n == 0 || strchr(name, '/') != NULL || folder_n + name_n + 2 > ZK_PATH_MAX)
		return STATUS_INVALID_ARGUMENT;
	path_join(out, folder, name, "");
	return STATUS_OK;
}

enum status zk_schema_sequence_parse(const char *name, const char *prefix, int64_t *ret_sequence)
{
	size_t prefix_n = strlen(prefix);
	if (strncmp(name, prefix, prefix_n) != 0)
		return STATUS_INVALID_ARGUMENT;
	int64_t number;
	TRY(bytes_parse_i64(slice_of_str(name + prefix_n), &number));
	*ret_sequence = number;
	return STATUS_OK;
}

/* --- small nodes ---------------------------------------------------------- */

char *zk_schema_controller_encode(const struct zk_schema_controller *c)
{
	return check_asprintf("{\"version\":2,\"brokerid\":%d,\"timestamp\":\"%lld\",\"kraftControllerEpoch\":%d}",
		c->broker_id, (long long)c->timestamp_ms, c->kraft_controller_epoch);
}

enum status zk_schema_controller_decode(struct slice data, struct zk_schema_controller *ret_controller,
	struct failure *ret_failure)
{
	struct schema_reader r;
	zk_schema_reader_open(&r, ZK_SCHEMA_CONTROLLER, data, ret_failure);
	struct zk_schema_controller c = {
		.broker_id = zk_schema_reader_i32(&r, "brokerid", SCHEMA_REQUIRED, -1),
		.timestamp_ms = zk_schema_reader_i64(&r, "timestamp", SCHEMA_OPTIONAL, 0),
		.kraft_controller_epoch = zk_schema_reader_i32(&r, "kraftControllerEpoch", SCHEMA_OPTIONAL, -1),
	};
	TRY(zk_schema_reader_close(&r));
	*ret_controller = c;
	return STATUS_OK;
}

char *zk_schema_controller_epoch_encode(int32_t controller_epoch)
{
	expect(controller_epoch >= 0);
	return check_asprintf("%d", controller_epoch);
}

enum status zk_schema_controller_epoch_decode(struct slice data, int32_t *ret_controller_epoch,
	struct failure *ret_failure)
{
	int32_t epoch = -1;
	if (zk_schema_is_null(data) || bytes_parse_i32(data, &epoch) != STATUS_OK || epoch < 0) {
		return failure_set(ret_failure, STATUS_CORRUPT, "znode %s is not a decimal number >= 0",
			ZK_SCHEMA_CONTROLLER_EPOCH);
	}
	*ret_controller_epoch = epoch;
	return STATUS_OK;
}

char *zk_schema_cluster_id_encode(const char *cluster_id)
{
	struct schema_text t;
	zk_schema_text_init(&t);
	zk_schema_text_put(&t, "{\"version\":\"1\",\"id\":");
	zk_schema_text_put_string(&t, cluster_id);
	zk_schema_text_put(&t, "}");
	return zk_schema_text_take(&t);
}

enum status zk_schema_cluster_id_decode(struct slice data, char **ret_cluster_id, struct failure *ret_failure)
{
	struct schema_reader r;
	zk_schema_reader_open(&r, ZK_SCHEMA_CLUSTER_ID, data, ret_failure);
	char *id = zk_schema_reader_string(&r, "id", SCHEMA_REQUIRED);
	if (id != NULL && (id[0] == '\0' || strlen(id) > 64))
		zk_schema_reader_fail(&r, "holds a cluster id of impossible length");
	enum status s = zk_schema_reader_close(&r);
	if (s != STATUS_OK) {
		free(id);
		return s;
	}
	*ret_cluster_id = id;
	return STATUS_OK;
}

char *zk_schema_producer_id_block_encode(const struct zk_schema_producer_id_block *b)
{
	expect(b->broker_id >= 0 && b->first >= 0 && b->last >= b->first);
	return check_asprintf("{\"version\":1,\"broker\":%d,\"block_start\":\"%lld\",\"block_end\":\"%lld\"}", b->broker_id,
		(long long)b->first, (long long)b->last);
}

enum status zk_schema_producer_id_block_decode(struct slice data, struct zk_schema_producer_id_block *ret_block,
	struct failure *ret_failure)
{
	struct schema_reader r;
	struct zk_schema_producer_id_block b;
	zk_schema_reader_open(&r, ZK_SCHEMA_PRODUCER_ID_BLOCK, data, ret_failure);
	b.broker_id = zk_schema_reader_i32(&r, "broker", SCHEMA_OPTIONAL, -1);
	b.first = zk_schema_reader_i64(&r, "block_start", SCHEMA_REQUIRED, -1);
	b.last = zk_schema_reader_i64(&r, "block_end", SCHEMA_REQUIRED, -1);
	if (zk_schema_reader_ok(&r) && (b.first < 0 || b.last < b.first))
		zk_schema_reader_fail(&r, "holds an impossible block of producer ids");
	TRY(zk_schema_reader_close(&r));
	*ret_block = b;
	return STATUS_OK;
}

char *zk_schema_feature_encode(void)
{
	return check_strdup("{\"features\":{},\"version\":2,\"status\":1}");
}

char *zk_schema_log_dir_event_encode(int32_t broker_id)
{
	expect(broker_id >= 0);
	return check_asprintf("{\"version\":1,\"broker\":%d,\"event\":1}", broker_id);
}

enum status zk_schema_log_dir_event_decode(const char *path, struct slice data, int32_t *ret_broker_id,
	struct failure *ret_failure)
{
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	int32_t id = zk_schema_reader_i32(&r, "broker", SCHEMA_REQUIRED, -1);
	TRY(zk_schema_reader_close(&r));
	*ret_broker_id = id;
	return STATUS_OK;
}

static bool partition_list_entry(const json_t *entry, struct topic_partition *ret_tp)
{
	const char *topic = json_string_value(json_object_get(entry, "topic"));
	const json_t *number = json_object_get(entry, "partition");
	if (topic == NULL || !json_is_integer(number))
		return false;
	json_int_t p = json_integer_value(number);
	if (p < 0 || p > INT32_MAX)
		return false;
	return topic_partition_set(ret_tp, slice_of_str(topic), (int32_t)p) == STATUS_OK;
}

enum status zk_schema_partition_list_decode(const char *path, struct slice data,
	struct topic_partition **ret_partitions, size_t *ret_count, struct failure *ret_failure)
{
	struct schema_reader r;
	zk_schema_reader_open(&r, path, data, ret_failure);
	const json_t *list = zk_schema_reader_member(&r, "partitions", JSON_ARRAY, SCHEMA_REQUIRED);
	size_t listed = json_array_size(list), count = 0;
	if (listed > ZK_SCHEMA_BATCH_ENTRIES_MAX)
		zk_schema_reader_fail(&r, "lists too many partitions");
	if (!zk_schema_reader_ok(&r))
		return zk_schema_reader_close(&r);
	struct topic_partition *partitions = check_calloc(listed + 1, sizeof *partitions);
	for (size_t i = 0; i < listed; i++) {
		if (partition_list_entry(json_array_get(list, i), &partitions[count]))
			count++;
	}
	expect(zk_schema_reader_close(&r) == STATUS_OK);
	*ret_partitions = partitions;
	*ret_count = count;
	return STATUS_OK;
}

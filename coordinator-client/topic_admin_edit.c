/* Changing a topic that is there: deletion, more partitions, configuration. Everything that could matter is read at once, the
 * change is computed, one write conditional on what was read makes it so; when another writer came first, all of it again. */
#include "coordinator-client/topic_admin_internal.h"

enum edit_kind { EDIT_DELETE, EDIT_PARTITIONS, EDIT_CONFIGS };

struct edit_op {
	unsigned magic;
	enum edit_kind kind;
	struct zk_client *zk;
	topic_done_fn done;
	void *arg;
	char *topic;
	/* EDIT_PARTITIONS */
	int32_t total;
	struct partition_assignment *assignment; /* of the new ones; NULL: place them */
	size_t assignment_count;
	bool validate_only;
	/* EDIT_CONFIGS; a removal has value NULL */
	struct zk_schema_config_entry *entries;
	size_t entry_count;
	bool replace;
	/* What was read. */
	int reads_left, tries;
	bool parents_made;
	struct failure failure;
	bool have_topic, have_config, have_pending, have_marker;
	struct zk_schema_topic layout;
	struct zk_schema_config config;
	struct zk_schema_pending_topic pending;
	int32_t topic_version, config_version, pending_version;
	int32_t *brokers;
	size_t broker_count;
};
MAGIC(edit_op, 0x45444954);

static void edit_read(struct edit_op *op);

static void edit_forget_reads(struct edit_op *op)
{
	zk_schema_topic_fini(&op->layout);
	zk_schema_config_fini(&op->config);
	zk_schema_pending_topic_fini(&op->pending);
	free(op->brokers);
	op->brokers = NULL;
	op->broker_count = 0;
	op->have_topic = op->have_config = op->have_pending = op->have_marker = false;
	op->failure = (struct failure){0};
}

static void edit_finish(struct edit_op *op)
{
	struct failure f = op->failure;
	op->done(op->arg, &f);
	edit_forget_reads(op);
	topic_assignment_free(op->assignment, (int32_t)op->assignment_count);
	for (size_t i = 0; i < op->entry_count; i++) {
		free(op->entries[i].key);
		free(op->entries[i].value);
	}
	free(op->entries);
	free(op->topic);
	op->magic = 0;
	free(op);
}

/* --- after the write ------------------------------------------------------ */

static void edit_parents_made(void *arg, enum status s)
{
	struct edit_op *op = CAST(edit_op, arg);
	if (s == STATUS_OK) {
		edit_read(op);
		return;
	}
	topic_admin_zk_failure(&op->failure, s, "changing", op->topic);
	edit_finish(op);
}

static void edit_written(struct edit_op *op, enum status s)
{
	if (s == STATUS_OK) {
		edit_finish(op);
		return;
	}
	/* The node came or went between reading and writing: look again. */
	bool moved = topic_admin_retriable(s) || s == STATUS_NOT_FOUND || s == STATUS_EXISTS;
	if (moved && ++op->tries < TOPIC_ADMIN_TRIES_MAX) {
		if (s == STATUS_NOT_FOUND && !op->parents_made) {
			op->parents_made = true;
			topic_admin_make_parents(op->zk, edit_parents_made, op);
		} else {
			edit_read(op);
		}
		return;
	}
	topic_admin_zk_failure(&op->failure, s, "changing", op->topic);
	edit_finish(op);
}

static void edit_void_done(void *arg, enum status s)
{
	edit_written(CAST(edit_op, arg), s);
}

static void edit_stat_done(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	edit_written(CAST(edit_op, arg), s);
}

static void edit_create_done(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	(void)created_path;
	(void)stat;
	edit_written(CAST(edit_op, arg), s);
}

static void edit_multi_done(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	(void)results;
	(void)count;
	edit_written(CAST(edit_op, arg), s);
}

static void edit_refuse(struct edit_op *op)
{
	expect(op->failure.status != STATUS_OK);
	edit_finish(op);
}

static void edit_write_pending(struct edit_op *op)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_pending_topic(op->topic, path);
	char *text = zk_schema_pending_topic_encode(&op->pending);
	zk_set(op->zk, path, slice_of_str(text), op->pending_version, edit_stat_done, op);
	free(text);
}

/* --- deletion ------------------------------------------------------------- */

static void edit_delete(struct edit_op *op)
{
	char path[ZK_PATH_MAX];
	if (op->have_pending && !op->have_topic) {
		zk_schema_path_pending_topic(op->topic, path);
		zk_delete(op->zk, path, op->pending_version, edit_void_done, op);
	} else if (op->have_marker) {
		edit_finish(op); /* asked for already */
	} else {
		zk_schema_path_delete_topic(op->topic, path);
		zk_create(op->zk, path, (struct slice){0}, ZK_CREATE_PERSISTENT, edit_create_done, op);
	}
}

/* --- more partitions ------------------------------------------------------ */

static enum status partitions_check(struct edit_op *op)
{
	struct failure *f = &op->failure;
	size_t now = op->layout.partition_count;
	if (op->have_marker)
		return failure_set(f, STATUS_INVALID_TOPIC_EXCEPTION, "topic %s is being deleted", op->topic);
	for (size_t i = 0; i < now; i++) {
		if (op->layout.partitions[i].partition != (int32_t)i)
			return failure_set(f, STATUS_INVALID_PARTITIONS,
				"topic %s: its partitions are not numbered 0 to n-1 in ZooKeeper", op->topic);
		if (op->layout.partitions[i].adding_count + op->layout.partitions[i].removing_count > 0)
			return failure_set(f, STATUS_REASSIGNMENT_IN_PROGRESS,
				"topic %s: partition %zu is being reassigned; add partitions when that is done", op->topic, i);
	}
	if (now == 0)
		return failure_set(f, STATUS_INVALID_PARTITIONS, "topic %s has no partition to take after", op->topic);
	if (op->total <= (int32_t)now)
		return failure_set(f, STATUS_INVALID_PARTITIONS,
			"topic %s has %zu partitions; a new count of %d is not larger", op->topic, now, op->total);
	if (op->total > ZK_SCHEMA_PARTITIONS_MAX)
		return failure_set(f, STATUS_INVALID_PARTITIONS, "topic %s: at most %d partitions are possible", op->topic,
			(int)ZK_SCHEMA_PARTITIONS_MAX);
	return STATUS_OK;
}

static bool broker_is_live(const struct edit_op *op, int32_t id)
{
	for (size_t i = 0; i < op->broker_count; i++) {
		if (op->brokers[i] == id)
			return true;
	}
	return false;
}

/* A manual assignment: one list per new partition, of the topic's replication factor, over live brokers. */
static enum status partitions_check_assignment(struct edit_op *op, size_t wanted, size_t factor)
{
	if (op->assignment_count != wanted)
		return failure_set(&op->failure, STATUS_INVALID_REPLICA_ASSIGNMENT,
			"topic %s: %zu new partitions but %zu replica lists", op->topic, wanted, op->assignment_count);
	for (size_t i = 0; i < wanted; i++) {
		const struct partition_assignment *a = &op->assignment[i];
		if ((size_t)a->count != factor)
			return failure_set(&op->failure, STATUS_INVALID_REPLICA_ASSIGNMENT,
				"topic %s: a new partition has %d replicas, the topic's others have %zu", op->topic, a->count,
				factor);
		for (int32_t j = 0; j < a->count; j++) {
			bool good = broker_is_live(op, a->replicas[j]);
			for (int32_t k = 0; good && k < j; k++)
				good = a->replicas[j] != a->replicas[k];
			if (!good)
				return failure_set(&op->failure, STATUS_INVALID_REPLICA_ASSIGNMENT,
					"topic %s: broker %d is not live, or there twice", op->topic, a->replicas[j]);
		}
	}
	return STATUS_OK;
}

/* As Kafka places added partitions: starting at the broker that leads partition 0, fixed, not random. */
static enum status partitions_place(struct edit_op *op, size_t wanted, size_t factor, struct partition_assignment *ret)
{
	int32_t first_leader = op->layout.partitions[0].replicas[0], start = 0;
	for (size_t i = 0; i < op->broker_count; i++) {
		if (op->brokers[i] >= first_leader) {
			start = (int32_t)i;
			break;
		}
	}
	enum status s = op->broker_count == 0 ? STATUS_INVALID_REPLICATION_FACTOR
		: topic_assignment_place(op->brokers, op->broker_count, (int32_t)op->layout.partition_count, (int32_t)wanted,
			(int32_t)factor, start, start, ret);
	if (s == STATUS_OK)
		return s;
	return failure_set(&op->failure, s, "topic %s: %zu replicas are needed, %zu brokers are live", op->topic, factor,
		op->broker_count);
}

static void partitions_append(struct edit_op *op, struct partition_assignment *added, size_t wanted)
{
	size_t now = op->layout.partition_count;
	op->layout.partitions = check_realloc(op->layout.partitions, (now + wanted) * sizeof *op->layout.partitions);
	for (size_t i = 0; i < wanted; i++) {
		size_t n = (size_t)added[i].count;
		struct zk_schema_partition *p = &op->layout.partitions[now + i];
		*p = (struct zk_schema_partition){.partition = (int32_t)(now + i), .replica_count = n};
		p->replicas = check_alloc(n * sizeof(int32_t));
		memcpy(p->replicas, added[i].replicas, n * sizeof(int32_t));
	}
	op->layout.partition_count = now + wanted;
}

static void edit_pending_partitions(struct edit_op *op)
{
	if (op->assignment != NULL || op->total <= op->pending.partitions || op->total > ZK_SCHEMA_PARTITIONS_MAX) {
		(void)failure_set(&op->failure, STATUS_INVALID_PARTITIONS,
			"topic %s waits for brokers with %d partitions; only a larger count, without an assignment, is possible",
			op->topic, op->pending.partitions);
		edit_refuse(op);
	} else if (op->validate_only) {
		edit_finish(op);
	} else {
		op->pending.partitions = op->total;
		edit_write_pending(op);
	}
}

static void edit_write_layout(struct edit_op *op)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(op->topic, path);
	char *text = zk_schema_topic_encode(&op->layout);
	if (strlen(text) > ZK_SCHEMA_NODE_MAX) {
		(void)failure_set(&op->failure, STATUS_INVALID_PARTITIONS,
			"topic %s: its assignment would take %zu bytes, a znode holds %d", op->topic, strlen(text),
			(int)ZK_SCHEMA_NODE_MAX);
		edit_refuse(op);
	} else {
		zk_set(op->zk, path, slice_of_str(text), op->topic_version, edit_stat_done, op);
	}
	free(text);
}

static void edit_partitions(struct edit_op *op)
{
	if (!op->have_topic) {
		edit_pending_partitions(op);
		return;
	}
	if (partitions_check(op) != STATUS_OK) {
		edit_refuse(op);
		return;
	}
	size_t wanted = (size_t)op->total - op->layout.partition_count;
	size_t factor = op->layout.partitions[0].replica_count;
	enum status s;
	if (op->assignment != NULL) {
		s = partitions_check_assignment(op, wanted, factor);
		if (s == STATUS_OK)
			partitions_append(op, op->assignment, wanted);
	} else {
		struct partition_assignment *placed = check_calloc(wanted, sizeof *placed);
		s = factor == 0 ? failure_set(&op->failure, STATUS_INVALID_PARTITIONS, "topic %s: partition 0 has no replicas",
			op->topic) : partitions_place(op, wanted, factor, placed);
		if (s == STATUS_OK)
			partitions_append(op, placed, wanted);
		topic_assignment_free(placed, (int32_t)wanted);
	}
	if (s != STATUS_OK)
		edit_refuse(op);
	else if (op->validate_only)
		edit_finish(op);
	else
		edit_write_layout(op);
}

/* --- configuration -------------------------------------------------------- */

static void configs_apply(const struct edit_op *op, struct zk_schema_config *config)
{
	while (op->replace && config->entry_count > 0)
		zk_schema_config_put(config, config->entries[0].key, NULL);
	for (size_t i = 0; i < op->entry_count; i++)
		zk_schema_config_put(config, op->entries[i].key, op->entries[i].value);
}

/* The node and its notification in one multi: no reader sees one without the other. */
static void edit_write_config(struct edit_op *op)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_topic_config(op->topic, path);
	char *text = zk_schema_config_encode(&op->config);
	char *entity = check_asprintf("topics/%s", op->topic);
	char *change = zk_schema_config_change_encode(entity);
	struct zk_op ops[2] = {
		{.kind = op->have_config ? ZK_OP_SET : ZK_OP_CREATE, .path = path, .data = slice_of_str(text),
			.version = op->config_version},
		{.kind = ZK_OP_CREATE, .path = ZK_SCHEMA_CONFIG_CHANGE_PREFIX, .data = slice_of_str(change),
			.flags = ZK_CREATE_SEQUENTIAL},
	};
	zk_multi(op->zk, ops, 2, edit_multi_done, op);
	free(text);
	free(entity);
	free(change);
}

static void edit_configs(struct edit_op *op)
{
	struct zk_schema_config *config = op->have_topic ? &op->config : &op->pending.config;
	configs_apply(op, config);
	/* Only what is asked for is checked: an override of an old cluster that we do not know must not block others. */
	struct zk_schema_config asked = {0};
	for (size_t i = 0; i < op->entry_count; i++)
		zk_schema_config_put(&asked, op->entries[i].key, op->entries[i].value);
	enum status s = topic_admin_check_configs(op->topic, &asked, &op->failure);
	zk_schema_config_fini(&asked);
	if (s != STATUS_OK)
		edit_refuse(op);
	else if (op->have_topic)
		edit_write_config(op);
	else
		edit_write_pending(op);
}

/* --- reading -------------------------------------------------------------- */

static void edit_reads_done(struct edit_op *op)
{
	if (op->failure.status == STATUS_CONNECTION_LOSS && ++op->tries < TOPIC_ADMIN_TRIES_MAX) {
		edit_read(op);
		return;
	}
	if (op->failure.status != STATUS_OK) {
		edit_refuse(op);
		return;
	}
	if (!op->have_topic && !op->have_pending) {
		/* A lost answer to our own deletion, or one that the controller finished meanwhile. */
		if (op->kind == EDIT_DELETE && op->tries > 0) {
			edit_finish(op);
			return;
		}
		(void)failure_set(&op->failure, STATUS_UNKNOWN_TOPIC_OR_PARTITION, "topic %s does not exist", op->topic);
		edit_refuse(op);
		return;
	}
	switch (op->kind) {
	case EDIT_DELETE:
		edit_delete(op);
		return;
	case EDIT_PARTITIONS:
		edit_partitions(op);
		return;
	case EDIT_CONFIGS:
		edit_configs(op);
		return;
	default:
		unreachable("an edit of no kind");
	}
}

/* s: of the call, then of the decoding; NOT_FOUND is an answer. */
static void edit_read_done(struct edit_op *op, enum status s)
{
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && op->failure.status == STATUS_OK)
		topic_admin_zk_failure(&op->failure, s, "reading", op->topic);
	expect(op->reads_left > 0);
	if (--op->reads_left == 0)
		edit_reads_done(op);
}

static void edit_got_topic(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct edit_op *op = CAST(edit_op, arg);
	if (s == STATUS_OK && op->kind == EDIT_PARTITIONS && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_topic(op->topic, path);
		enum status decoded = zk_schema_topic_decode(path, data, &op->layout, &op->failure);
		expect(decoded == op->failure.status);
	}
	if (s == STATUS_OK) {
		op->have_topic = true;
		op->topic_version = stat->version;
	}
	edit_read_done(op, s);
}

static void edit_got_config(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct edit_op *op = CAST(edit_op, arg);
	if (s == STATUS_OK && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_topic_config(op->topic, path);
		enum status decoded = zk_schema_config_decode(path, data, &op->config, &op->failure);
		expect(decoded == op->failure.status);
	}
	if (s == STATUS_OK) {
		op->have_config = true;
		op->config_version = stat->version;
	}
	edit_read_done(op, s);
}

static void edit_got_pending(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct edit_op *op = CAST(edit_op, arg);
	if (s == STATUS_OK && op->kind != EDIT_DELETE && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_pending_topic(op->topic, path);
		enum status decoded = zk_schema_pending_topic_decode(path, data, &op->pending, &op->failure);
		expect(decoded == op->failure.status);
	}
	if (s == STATUS_OK) {
		op->have_pending = true;
		op->pending_version = stat->version;
	}
	edit_read_done(op, s);
}

static void edit_got_marker(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	struct edit_op *op = CAST(edit_op, arg);
	op->have_marker = s == STATUS_OK;
	edit_read_done(op, s);
}

static void edit_got_brokers(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct edit_op *op = CAST(edit_op, arg);
	if (s == STATUS_OK)
		op->brokers = topic_admin_broker_ids(names, count, &op->broker_count);
	edit_read_done(op, s);
}

static void edit_read(struct edit_op *op)
{
	char path[ZK_PATH_MAX];
	edit_forget_reads(op);
	op->reads_left = 3 + (op->kind == EDIT_CONFIGS) + (op->kind == EDIT_PARTITIONS);
	zk_schema_path_topic(op->topic, path);
	zk_get(op->zk, path, NULL, edit_got_topic, op);
	zk_schema_path_pending_topic(op->topic, path);
	zk_get(op->zk, path, NULL, edit_got_pending, op);
	zk_schema_path_delete_topic(op->topic, path);
	zk_exists(op->zk, path, NULL, edit_got_marker, op);
	if (op->kind == EDIT_CONFIGS) {
		zk_schema_path_topic_config(op->topic, path);
		zk_get(op->zk, path, NULL, edit_got_config, op);
	}
	if (op->kind == EDIT_PARTITIONS)
		zk_children(op->zk, ZK_SCHEMA_BROKER_IDS, NULL, edit_got_brokers, op);
}

/* --- requests ------------------------------------------------------------- */

static void edit_start(struct task *t);
struct edit_starter {
	struct task task;
	struct edit_op *op;
};

static void edit_start(struct task *t)
{
	struct edit_starter *starter = CONTAINER_OF(t, struct edit_starter, task);
	struct edit_op *op = CAST(edit_op, starter->op);
	free(starter);
	if (op->failure.status != STATUS_OK)
		edit_refuse(op);
	else
		edit_read(op);
}

/* An illegal name is refused before it becomes a path, and answered on the loop like everything else. */
static struct edit_op *edit_new(enum edit_kind kind, struct zk_client *zk, const char *topic, topic_done_fn done,
	void *arg)
{
	struct edit_op *op = check_calloc(1, sizeof *op);
	*op = (struct edit_op){.magic = edit_op_magic, .kind = kind, .zk = zk, .done = done, .arg = arg,
		.topic = check_strdup(topic)};
	if (topic_name_check(slice_of_str(topic)) != STATUS_OK)
		(void)failure_set(&op->failure, STATUS_INVALID_TOPIC_EXCEPTION,
			"topic name \"%.64s\" is not valid: use 1 to 249 of [a-zA-Z0-9._-], not . or ..", topic);
	struct edit_starter *starter = check_calloc(1, sizeof *starter);
	starter->op = op;
	task_init(&starter->task, "topic_admin_edit_start", edit_start);
	scheduler_post(zk->scheduler, &starter->task);
	return op;
}

void topic_admin_delete(struct zk_client *zk, const char *topic, topic_done_fn done, void *arg)
{
	(void)edit_new(EDIT_DELETE, zk, topic, done, arg);
}

void topic_admin_add_partitions(struct zk_client *zk, const char *topic, int32_t total,
	const struct partition_assignment *new_assignment, size_t new_count, bool validate_only, topic_done_fn done, void *arg)
{
	struct edit_op *op = edit_new(EDIT_PARTITIONS, zk, topic, done, arg);
	op->total = total;
	op->validate_only = validate_only;
	if (new_assignment == NULL)
		return;
	expect(new_count <= INT32_MAX);
	op->assignment = check_calloc(new_count + 1, sizeof *op->assignment);
	op->assignment_count = new_count;
	for (size_t i = 0; i < new_count; i++) {
		expect(new_assignment[i].count >= 0);
		size_t n = (size_t)new_assignment[i].count;
		op->assignment[i] = (struct partition_assignment){.replicas = check_alloc(n * sizeof(int32_t) + 1),
			.count = new_assignment[i].count};
		if (n > 0)
			memcpy(op->assignment[i].replicas, new_assignment[i].replicas, n * sizeof(int32_t));
	}
}

void topic_admin_alter_configs(struct zk_client *zk, const char *topic, const struct topic_config_entry *entries,
	size_t count, bool replace, topic_done_fn done, void *arg)
{
	struct edit_op *op = edit_new(EDIT_CONFIGS, zk, topic, done, arg);
	op->replace = replace;
	op->entries = check_calloc(count + 1, sizeof *op->entries);
	op->entry_count = count;
	for (size_t i = 0; i < count; i++) {
		op->entries[i].key = check_strdup(entries[i].key);
		op->entries[i].value = entries[i].value == NULL ? NULL : check_strdup(entries[i].value);
	}
}

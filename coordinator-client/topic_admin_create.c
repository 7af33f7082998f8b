/* Creating a topic: three reads at once (topics, brokers, pending topics), then one multi that writes the config node before
 * the topic node, as Kafka orders them. Two round trips in all. */
#include "coordinator-client/topic_admin_internal.h"

struct create_op {
	unsigned magic;
	struct zk_client *zk;
	topic_create_done_fn done;
	void *arg;
	char *topic;
	int32_t partitions, replication_factor;
	bool validate_only, pend_if_short, assigned;
	struct zk_schema_config config;
	struct zk_schema_topic layout; /* partitions filled in once placed; its id is made at the start */
	struct random random;
	int reads_left, tries;
	struct failure failure; /* of the reads, or what the names tell */
	int32_t *brokers;
	size_t broker_count;
	bool config_exists, parents_made;
	bool uncertain; /* a write was lost on the way: EXISTS may mean that it arrived */
};
MAGIC(create_op, 0x43524541);

static void create_read(struct create_op *op);
static void create_write(struct create_op *op);

static void create_finish(struct create_op *op, const struct failure *f, bool pending)
{
	struct failure ok = {0};
	const struct uuid none = {0};
	bool made = f == NULL && !pending && !op->validate_only;
	op->done(op->arg, f == NULL ? &ok : f, f == NULL && pending, made ? &op->layout.id : &none);
	zk_schema_config_fini(&op->config);
	zk_schema_topic_fini(&op->layout);
	free(op->brokers);
	free(op->topic);
	op->magic = 0;
	free(op);
}

static void create_fail(struct create_op *op, enum status s)
{
	struct failure f;
	topic_admin_zk_failure(&f, s, "creating", op->topic);
	create_finish(op, &f, false);
}

static void create_exists(struct create_op *op)
{
	struct failure f;
	(void)failure_set(&f, STATUS_TOPIC_ALREADY_EXISTS, "topic %s exists already", op->topic);
	create_finish(op, &f, false);
}

static void create_parents_made(void *arg, enum status s)
{
	struct create_op *op = CAST(create_op, arg);
	if (s != STATUS_OK)
		create_fail(op, s);
	else
		create_write(op);
}

/* A write was refused in a way that another try may mend. */
static bool create_try_again(struct create_op *op, enum status s)
{
	if (s == STATUS_CONNECTION_LOSS && ++op->tries < TOPIC_ADMIN_TRIES_MAX) {
		op->uncertain = true;
		create_write(op);
		return true;
	}
	if (s == STATUS_NOT_FOUND && !op->parents_made) {
		op->parents_made = true;
		topic_admin_make_parents(op->zk, create_parents_made, op);
		return true;
	}
	return false;
}

/* Is the topic that stands in our way the one we wrote ourselves before the connection broke? */
static void create_verified(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct create_op *op = CAST(create_op, arg);
	struct zk_schema_topic found;
	bool ours = false;
	if (s == STATUS_OK && zk_schema_topic_decode(op->topic, data, &found, NULL) == STATUS_OK) {
		ours = uuid_equal(&found.id, &op->layout.id);
		zk_schema_topic_fini(&found);
	}
	if (ours)
		create_finish(op, NULL, false);
	else
		create_exists(op);
}

static void create_written(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct create_op *op = CAST(create_op, arg);
	if (s == STATUS_OK) {
		create_finish(op, NULL, false);
		return;
	}
	if (s == STATUS_EXISTS && !op->config_exists && count == 2 && results[0].status == STATUS_EXISTS) {
		op->config_exists = true; /* left over from a creation that stopped half-way */
		create_write(op);
		return;
	}
	if (s == STATUS_EXISTS && op->uncertain) {
		char path[ZK_PATH_MAX];
		zk_schema_path_topic(op->topic, path);
		zk_get(op->zk, path, NULL, create_verified, op);
		return;
	}
	if (s == STATUS_EXISTS)
		create_exists(op);
	else if (!create_try_again(op, s))
		create_fail(op, s);
}

static void create_pending_written(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	(void)created_path;
	(void)stat;
	struct create_op *op = CAST(create_op, arg);
	if (s == STATUS_OK || (s == STATUS_EXISTS && op->uncertain))
		create_finish(op, NULL, true);
	else if (s == STATUS_EXISTS)
		create_exists(op);
	else if (!create_try_again(op, s))
		create_fail(op, s);
}

static void create_write_pending(struct create_op *op)
{
	struct zk_schema_pending_topic pending = {.partitions = op->partitions,
		.replication_factor = op->replication_factor, .config = op->config};
	char path[ZK_PATH_MAX];
	zk_schema_path_pending_topic(op->topic, path);
	char *text = zk_schema_pending_topic_encode(&pending);
	zk_create(op->zk, path, slice_of_str(text), ZK_CREATE_PERSISTENT, create_pending_written, op);
	free(text);
}

static void create_write(struct create_op *op)
{
	if (op->layout.partition_count == 0) {
		create_write_pending(op);
		return;
	}
	char topic_path[ZK_PATH_MAX], config_path[ZK_PATH_MAX];
	zk_schema_path_topic(op->topic, topic_path);
	zk_schema_path_topic_config(op->topic, config_path);
	char *topic = zk_schema_topic_encode(&op->layout);
	char *config = zk_schema_config_encode(&op->config);
	if (strlen(topic) + strlen(config) > ZK_SCHEMA_NODE_MAX) {
		struct failure f;
		(void)failure_set(&f, STATUS_INVALID_PARTITIONS,
			"topic %s: its assignment and configuration take %zu bytes, a znode holds %d: use fewer partitions or replicas",
			op->topic, strlen(topic) + strlen(config), (int)ZK_SCHEMA_NODE_MAX);
		create_finish(op, &f, false);
	} else {
		struct zk_op ops[2] = {
			{.kind = op->config_exists ? ZK_OP_SET : ZK_OP_CREATE, .path = config_path,
				.data = slice_of_str(config), .version = ZK_ANY_VERSION},
			{.kind = ZK_OP_CREATE, .path = topic_path, .data = slice_of_str(topic)},
		};
		zk_multi(op->zk, ops, 2, create_written, op);
	}
	free(topic);
	free(config);
}

/* --- placing -------------------------------------------------------------- */

static enum status create_place(struct create_op *op)
{
	if (op->broker_count < (size_t)op->replication_factor) {
		if (op->pend_if_short)
			return STATUS_OK;
		return failure_set(&op->failure, STATUS_INVALID_REPLICATION_FACTOR,
			"topic %s: replication factor %d is larger than the number of live brokers, %zu", op->topic,
			op->replication_factor, op->broker_count);
	}
	size_t count = (size_t)op->partitions;
	struct partition_assignment *placed = check_calloc(count, sizeof *placed);
	int32_t start = (int32_t)random_below(&op->random, op->broker_count);
	int32_t shift = (int32_t)random_below(&op->random, op->broker_count);
	enum status s = topic_assignment_place(op->brokers, op->broker_count, 0, op->partitions, op->replication_factor,
		start, shift, placed);
	if (s != STATUS_OK) {
		free(placed);
		return failure_set(&op->failure, s, "topic %s: %d partitions with %d replicas: %s", op->topic, op->partitions,
			op->replication_factor, status_text(s));
	}
	op->layout.partitions = check_calloc(count, sizeof *op->layout.partitions);
	for (size_t i = 0; i < count; i++) {
		op->layout.partitions[i] = (struct zk_schema_partition){.partition = (int32_t)i,
			.replicas = placed[i].replicas, .replica_count = (size_t)placed[i].count};
	}
	op->layout.partition_count = count;
	free(placed);
	return STATUS_OK;
}

static void create_reads_done(struct create_op *op)
{
	if (op->failure.status == STATUS_CONNECTION_LOSS && ++op->tries < TOPIC_ADMIN_TRIES_MAX) {
		create_read(op);
		return;
	}
	enum status s = op->failure.status;
	if (s == STATUS_OK && !op->assigned)
		s = create_place(op);
	if (s != STATUS_OK) {
		struct failure f = op->failure;
		create_finish(op, &f, false);
	} else if (op->validate_only) {
		create_finish(op, NULL, op->layout.partition_count == 0);
	} else {
		create_write(op);
	}
}

static void create_read_done(struct create_op *op, enum status s)
{
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && op->failure.status == STATUS_OK)
		topic_admin_zk_failure(&op->failure, s, "creating", op->topic);
	expect(op->reads_left > 0);
	if (--op->reads_left == 0)
		create_reads_done(op);
}

/* names: topics there are, or that wait. */
static void create_check_names(struct create_op *op, const char *const *names, size_t count, const char *how)
{
	for (size_t i = 0; i < count && op->failure.status == STATUS_OK; i++) {
		if (strcmp(names[i], op->topic) == 0)
			(void)failure_set(&op->failure, STATUS_TOPIC_ALREADY_EXISTS, "topic %s %s", op->topic, how);
		else if (topic_name_collides(names[i], op->topic))
			(void)failure_set(&op->failure, STATUS_INVALID_TOPIC_EXCEPTION,
				"topic %s collides with %s: '.' and '_' count as the same letter", op->topic, names[i]);
	}
}

static void create_got_topics(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct create_op *op = CAST(create_op, arg);
	if (s == STATUS_OK)
		create_check_names(op, names, count, "exists already");
	create_read_done(op, s);
}

static void create_got_pending(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct create_op *op = CAST(create_op, arg);
	if (s == STATUS_OK)
		create_check_names(op, names, count, "waits already for enough brokers; delete it to create it anew");
	create_read_done(op, s);
}

static void create_got_brokers(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct create_op *op = CAST(create_op, arg);
	if (s == STATUS_OK) {
		free(op->brokers);
		op->brokers = topic_admin_broker_ids(names, count, &op->broker_count);
	}
	create_read_done(op, s);
}

static void create_read(struct create_op *op)
{
	op->failure = (struct failure){0};
	op->reads_left = 3;
	zk_children(op->zk, ZK_SCHEMA_TOPICS, NULL, create_got_topics, op);
	zk_children(op->zk, ZK_SCHEMA_PENDING_TOPICS, NULL, create_got_pending, op);
	zk_children(op->zk, ZK_SCHEMA_BROKER_IDS, NULL, create_got_brokers, op);
}

/* --- the request ---------------------------------------------------------- */

static int32_t request_partitions(const struct topic_create_request *r)
{
	if (r->assignment == NULL || r->assignment_count == 0)
		return r->partitions;
	return r->assignment_count > INT32_MAX ? INT32_MAX : (int32_t)r->assignment_count;
}

static enum status assignment_check(const struct topic_create_request *r, struct failure *f)
{
	for (int32_t p = 0; p < request_partitions(r); p++) {
		const struct partition_assignment *a = &r->assignment[p];
		if (a->count < 1 || a->count > ZK_SCHEMA_REPLICAS_MAX)
			return failure_set(f, STATUS_INVALID_REPLICA_ASSIGNMENT,
				"topic %s: partition %d has %d replicas, 1 to %d are possible", r->topic, p, a->count,
				(int)ZK_SCHEMA_REPLICAS_MAX);
		if (a->count != r->assignment[0].count)
			return failure_set(f, STATUS_INVALID_REPLICA_ASSIGNMENT,
				"topic %s: partition %d has %d replicas and partition 0 has %d; all must have the same number",
				r->topic, p, a->count, r->assignment[0].count);
		for (int32_t i = 0; i < a->count; i++) {
			bool good = a->replicas[i] >= 0;
			for (int32_t j = 0; good && j < i; j++)
				good = a->replicas[i] != a->replicas[j];
			if (!good)
				return failure_set(f, STATUS_INVALID_REPLICA_ASSIGNMENT,
					"topic %s: partition %d names broker %d, which is negative or there twice", r->topic, p,
					a->replicas[i]);
		}
	}
	return STATUS_OK;
}

static enum status request_check(const struct topic_create_request *r, struct failure *f)
{
	if (topic_name_check(slice_of_str(r->topic)) != STATUS_OK)
		return failure_set(f, STATUS_INVALID_TOPIC_EXCEPTION,
			"topic name \"%.64s\" is not valid: use 1 to 249 of [a-zA-Z0-9._-], not . or ..", r->topic);
	int32_t partitions = request_partitions(r);
	if (partitions < 1 || partitions > ZK_SCHEMA_PARTITIONS_MAX)
		return failure_set(f, STATUS_INVALID_PARTITIONS, "topic %s: %d partitions asked for, 1 to %d are possible",
			r->topic, partitions, (int)ZK_SCHEMA_PARTITIONS_MAX);
	if (r->assignment != NULL)
		return assignment_check(r, f);
	if (r->replication_factor < 1 || r->replication_factor > ZK_SCHEMA_REPLICAS_MAX)
		return failure_set(f, STATUS_INVALID_REPLICATION_FACTOR,
			"topic %s: replication factor %d asked for, 1 to %d are possible", r->topic, r->replication_factor,
			(int)ZK_SCHEMA_REPLICAS_MAX);
	return STATUS_OK;
}

static void create_take_assignment(struct create_op *op, const struct topic_create_request *r)
{
	size_t count = (size_t)request_partitions(r);
	op->layout.partitions = check_calloc(count, sizeof *op->layout.partitions);
	op->layout.partition_count = count;
	for (size_t i = 0; i < count; i++) {
		size_t n = (size_t)r->assignment[i].count;
		struct zk_schema_partition *p = &op->layout.partitions[i];
		*p = (struct zk_schema_partition){.partition = (int32_t)i, .replica_count = n};
		p->replicas = check_alloc(n * sizeof(int32_t));
		memcpy(p->replicas, r->assignment[i].replicas, n * sizeof(int32_t));
	}
}

/* Before anything is read: what is wrong with the request in itself. */
struct create_refusal {
	struct task task;
	struct failure failure;
	topic_create_done_fn done;
	void *arg;
};

static void create_refused(struct task *t)
{
	struct create_refusal *r = CONTAINER_OF(t, struct create_refusal, task);
	const struct uuid none = {0};
	r->done(r->arg, &r->failure, false, &none);
	free(r);
}

static void create_refuse(struct zk_client *zk, const struct failure *f, topic_create_done_fn done, void *arg)
{
	struct create_refusal *r = check_calloc(1, sizeof *r);
	*r = (struct create_refusal){.failure = *f, .done = done, .arg = arg};
	task_init(&r->task, "topic_admin_create_refused", create_refused);
	scheduler_post(zk->scheduler, &r->task);
}

void topic_admin_create(struct zk_client *zk, const struct topic_create_request *r, topic_create_done_fn done, void *arg)
{
	struct failure f = {0};
	struct zk_schema_config config = {0};
	for (size_t i = 0; i < r->config_count; i++)
		zk_schema_config_put(&config, r->configs[i].key, r->configs[i].value);
	if (request_check(r, &f) != STATUS_OK || topic_admin_check_configs(r->topic, &config, &f) != STATUS_OK) {
		zk_schema_config_fini(&config);
		create_refuse(zk, &f, done, arg);
		return;
	}
	struct create_op *op = check_calloc(1, sizeof *op);
	*op = (struct create_op){.magic = create_op_magic, .zk = zk, .done = done, .arg = arg,
		.topic = check_strdup(r->topic), .partitions = request_partitions(r), .replication_factor = r->replication_factor,
		.validate_only = r->validate_only, .pend_if_short = r->pend_if_short, .assigned = r->assignment != NULL,
		.config = config};
	random_seed_system(&op->random);
	random_uuid(&op->random, &op->layout.id);
	if (r->assignment != NULL)
		create_take_assignment(op, r);
	create_read(op);
}

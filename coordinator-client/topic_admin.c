#include "coordinator-client/topic_admin_internal.h"

/* --- placement ------------------------------------------------------------ */

/* Index of a partition's j-th follower's broker: at least one away from the first, shifted further each round over the
 * brokers, so that followers of one broker's partitions spread over all others. Kafka: AdminUtils.replicaIndex. */
static size_t follower_index(size_t first, size_t shift, size_t j, size_t broker_count)
{
	expect(broker_count > 1);
	return (first + 1 + (shift + j) % (broker_count - 1)) % broker_count;
}

enum status topic_assignment_place(const int32_t *brokers, size_t broker_count, int32_t first, int32_t count,
	int32_t replication_factor, int32_t start_index, int32_t start_shift, struct partition_assignment *ret_assignment)
{
	expect(first >= 0 && start_index >= 0 && start_shift >= 0);
	if (count < 1 || count > ZK_SCHEMA_PARTITIONS_MAX)
		return STATUS_INVALID_PARTITIONS;
	if (replication_factor < 1 || replication_factor > ZK_SCHEMA_REPLICAS_MAX
		|| (size_t)replication_factor > broker_count)
		return STATUS_INVALID_REPLICATION_FACTOR;
	size_t shift = (size_t)start_shift;
	for (size_t i = 0; i < (size_t)count; i++) {
		size_t partition = (size_t)first + i;
		if (partition > 0 && partition % broker_count == 0)
			shift++;
		size_t leader = (partition + (size_t)start_index) % broker_count;
		int32_t *replicas = check_alloc((size_t)replication_factor * sizeof *replicas);
		replicas[0] = brokers[leader];
		for (size_t j = 0; j + 1 < (size_t)replication_factor; j++)
			replicas[j + 1] = brokers[follower_index(leader, shift, j, broker_count)];
		ret_assignment[i] = (struct partition_assignment){.replicas = replicas, .count = replication_factor};
	}
	return STATUS_OK;
}

void topic_assignment_free(struct partition_assignment *a, int32_t count)
{
	for (int32_t i = 0; a != NULL && i < count; i++)
		free(a[i].replicas);
	free(a);
}

/* --- shared --------------------------------------------------------------- */

struct parents_op {
	unsigned magic;
	void (*done)(void *arg, enum status s);
	void *arg;
	size_t left;
	enum status status;
};
MAGIC(parents_op, 0x50415245);

static void parent_created(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	(void)created_path;
	(void)stat;
	struct parents_op *op = CAST(parents_op, arg);
	if (s != STATUS_OK && s != STATUS_EXISTS && op->status == STATUS_OK)
		op->status = s;
	expect(op->left > 0);
	if (--op->left > 0)
		return;
	op->done(op->arg, op->status);
	free(op);
}

void topic_admin_make_parents(struct zk_client *zk, void (*done)(void *arg, enum status s), void *arg)
{
	struct parents_op *op = check_calloc(1, sizeof *op);
	*op = (struct parents_op){.magic = parents_op_magic, .done = done, .arg = arg};
	while (zk_schema_persistent_paths[op->left] != NULL)
		op->left++;
	size_t count = op->left;
	for (size_t i = 0; i < count; i++) /* in order: a parent before its children */
		zk_create(zk, zk_schema_persistent_paths[i], (struct slice){0}, ZK_CREATE_PERSISTENT, parent_created, op);
}

static int compare_ids(const void *a, const void *b)
{
	const int32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

int32_t *topic_admin_broker_ids(const char *const *names, size_t count, size_t *ret_count)
{
	int32_t *ids = check_alloc(count * sizeof *ids + 1);
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		int32_t id;
		if (bytes_parse_i32(slice_of_str(names[i]), &id) == STATUS_OK && id >= 0)
			ids[n++] = id;
	}
	if (n > 0)
		qsort(ids, n, sizeof *ids, compare_ids);
	*ret_count = n;
	return ids;
}

void topic_admin_zk_failure(struct failure *f, enum status s, const char *doing, const char *topic)
{
	(void)failure_set(f, s, "%s topic %s in ZooKeeper: %s", doing, topic, status_text(s));
}

bool topic_admin_retriable(enum status s)
{
	return s == STATUS_CONNECTION_LOSS || s == STATUS_BAD_VERSION;
}

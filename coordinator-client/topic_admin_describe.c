/* Reading topics back, pipelined: first which there are, then their nodes and configurations, then the states of all their
 * partitions, a few hundred reads under way at a time. */
#include "coordinator-client/topic_admin_internal.h"

enum { DESCRIBE_IN_FLIGHT_MAX = 256 };

struct described_topic {
	char *name;
	bool pending, marked, gone;
	struct zk_schema_topic layout;
	struct zk_schema_config config;
	struct zk_schema_pending_topic wanted;
	struct zk_schema_state *states; /* one per partition; leader -2: no node */
};
enum describe_phase { DESCRIBE_NODES, DESCRIBE_STATES, DESCRIBE_DONE };

struct describe_op {
	unsigned magic;
	struct zk_client *zk;
	char *topic; /* NULL: all */
	topic_describe_done_fn done;
	void *arg;
	struct failure failure;
	struct described_topic *topics;
	size_t topic_count, topic_capacity;
	char **marked;
	size_t marked_count;
	int lists_left;
	enum describe_phase phase;
	size_t next_topic, next_partition; /* the next read of this phase */
	size_t in_flight;
	bool pumping;
};
MAGIC(describe_op, 0x44455343);

/* One read under way. */
struct describe_read {
	struct describe_op *op;
	size_t topic, partition;
};

static void describe_pump(struct describe_op *op);

static struct describe_read *read_new(struct describe_op *op, size_t topic, size_t partition)
{
	struct describe_read *r = check_alloc(sizeof *r);
	*r = (struct describe_read){.op = op, .topic = topic, .partition = partition};
	op->in_flight++;
	return r;
}

static void read_done(struct describe_read *r, enum status s)
{
	struct describe_op *op = CAST(describe_op, r->op);
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && op->failure.status == STATUS_OK)
		topic_admin_zk_failure(&op->failure, s, "describing", op->topics[r->topic].name);
	free(r);
	expect(op->in_flight > 0);
	op->in_flight--;
	describe_pump(op);
}

/* --- the answer ----------------------------------------------------------- */

static void describe_free(struct describe_op *op)
{
	for (size_t i = 0; i < op->topic_count; i++) {
		struct described_topic *t = &op->topics[i];
		for (size_t p = 0; t->states != NULL && p < t->layout.partition_count; p++)
			zk_schema_state_fini(&t->states[p]);
		free(t->states);
		zk_schema_topic_fini(&t->layout);
		zk_schema_config_fini(&t->config);
		zk_schema_pending_topic_fini(&t->wanted);
		free(t->name);
	}
	for (size_t i = 0; i < op->marked_count; i++)
		free(op->marked[i]);
	free(op->marked);
	free(op->topics);
	free(op->topic);
	op->magic = 0;
	free(op);
}

static struct topic_description_partition *describe_partitions(const struct described_topic *t)
{
	size_t count = t->layout.partition_count;
	struct topic_description_partition *partitions = check_calloc(count + 1, sizeof *partitions);
	for (size_t p = 0; p < count; p++) {
		const struct zk_schema_partition *from = &t->layout.partitions[p];
		const struct zk_schema_state *state = &t->states[p];
		partitions[p] = (struct topic_description_partition){.partition = from->partition, .leader = state->leader,
			.leader_epoch = state->leader_epoch,
			.replicas = {.replicas = from->replicas, .count = (int32_t)from->replica_count},
			.isr = {.replicas = state->isr, .count = (int32_t)state->isr_count}};
	}
	return partitions;
}

static void describe_one(const struct described_topic *t, struct topic_description *d)
{
	const struct zk_schema_config *config = t->pending ? &t->wanted.config : &t->config;
	struct topic_config_entry *configs = check_calloc(config->entry_count + 1, sizeof *configs);
	for (size_t i = 0; i < config->entry_count; i++)
		configs[i] = (struct topic_config_entry){.key = config->entries[i].key, .value = config->entries[i].value};
	*d = (struct topic_description){.topic = t->name, .topic_id = t->layout.id, .pending = t->pending,
		.marked_for_deletion = t->marked, .wanted_partitions = t->wanted.partitions,
		.wanted_replication_factor = t->wanted.replication_factor, .partitions = describe_partitions(t),
		.partition_count = t->layout.partition_count, .configs = configs, .config_count = config->entry_count};
}

static void describe_answer(struct describe_op *op)
{
	struct topic_description *descriptions = check_calloc(op->topic_count + 1, sizeof *descriptions);
	size_t count = 0;
	for (size_t i = 0; op->failure.status == STATUS_OK && i < op->topic_count; i++) {
		if (!op->topics[i].gone)
			describe_one(&op->topics[i], &descriptions[count++]);
	}
	if (op->failure.status == STATUS_OK && op->topic != NULL && count == 0)
		(void)failure_set(&op->failure, STATUS_UNKNOWN_TOPIC_OR_PARTITION, "topic %s does not exist", op->topic);
	op->done(op->arg, &op->failure, descriptions, count);
	for (size_t i = 0; i < count; i++) {
		free((void *)(uintptr_t)descriptions[i].partitions);
		free((void *)(uintptr_t)descriptions[i].configs);
	}
	free(descriptions);
	describe_free(op);
}

/* --- states --------------------------------------------------------------- */

static void got_state(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_read *r = arg;
	struct describe_op *op = CAST(describe_op, r->op);
	struct described_topic *t = &op->topics[r->topic];
	if (s == STATUS_OK && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_state(t->name, t->layout.partitions[r->partition].partition, path);
		enum status decoded = zk_schema_state_decode(path, data, &t->states[r->partition], &op->failure);
		expect(decoded == op->failure.status);
	}
	read_done(r, s);
}

static void read_next_state(struct describe_op *op)
{
	struct described_topic *t = &op->topics[op->next_topic];
	if (t->gone || op->next_partition >= t->layout.partition_count) {
		op->next_topic++;
		op->next_partition = 0;
		return;
	}
	char path[ZK_PATH_MAX];
	zk_schema_path_state(t->name, t->layout.partitions[op->next_partition].partition, path);
	struct describe_read *r = read_new(op, op->next_topic, op->next_partition++);
	zk_get(op->zk, path, NULL, got_state, r);
}

/* --- nodes ---------------------------------------------------------------- */

static void got_layout(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_read *r = arg;
	struct describe_op *op = CAST(describe_op, r->op);
	struct described_topic *t = &op->topics[r->topic];
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(t->name, path);
	t->gone = s == STATUS_NOT_FOUND; /* deleted since it was listed */
	if (s == STATUS_OK && op->failure.status == STATUS_OK) {
		enum status decoded = zk_schema_topic_decode(path, data, &t->layout, &op->failure);
		expect(decoded == op->failure.status);
	}
	t->states = check_calloc(t->layout.partition_count + 1, sizeof *t->states);
	for (size_t p = 0; p < t->layout.partition_count; p++)
		t->states[p].leader = -2;
	read_done(r, s);
}

static void got_config(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_read *r = arg;
	struct describe_op *op = CAST(describe_op, r->op);
	if (s == STATUS_OK && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_topic_config(op->topics[r->topic].name, path);
		enum status decoded = zk_schema_config_decode(path, data, &op->topics[r->topic].config, &op->failure);
		expect(decoded == op->failure.status);
	}
	read_done(r, s);
}

static void got_wanted(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_read *r = arg;
	struct describe_op *op = CAST(describe_op, r->op);
	struct described_topic *t = &op->topics[r->topic];
	t->gone = s == STATUS_NOT_FOUND; /* placed or cancelled since it was listed */
	if (s == STATUS_OK && op->failure.status == STATUS_OK) {
		char path[ZK_PATH_MAX];
		zk_schema_path_pending_topic(t->name, path);
		enum status decoded = zk_schema_pending_topic_decode(path, data, &t->wanted, &op->failure);
		expect(decoded == op->failure.status);
	}
	read_done(r, s);
}

static void read_next_nodes(struct describe_op *op)
{
	size_t i = op->next_topic++;
	char path[ZK_PATH_MAX];
	if (op->topics[i].pending) {
		zk_schema_path_pending_topic(op->topics[i].name, path);
		zk_get(op->zk, path, NULL, got_wanted, read_new(op, i, 0));
		return;
	}
	zk_schema_path_topic(op->topics[i].name, path);
	zk_get(op->zk, path, NULL, got_layout, read_new(op, i, 0));
	zk_schema_path_topic_config(op->topics[i].name, path);
	zk_get(op->zk, path, NULL, got_config, read_new(op, i, 0));
}

/* Keeps the window full; moves to the next phase when the last answer of this one is in. */
static void describe_pump(struct describe_op *op)
{
	if (op->pumping)
		return; /* an answer that came at once, below us on the stack */
	op->pumping = true;
	while (op->phase != DESCRIBE_DONE) {
		bool more = op->failure.status == STATUS_OK && op->next_topic < op->topic_count;
		if (more && op->in_flight >= DESCRIBE_IN_FLIGHT_MAX)
			break;
		if (more && op->phase == DESCRIBE_NODES) {
			read_next_nodes(op);
		} else if (more) {
			read_next_state(op);
		} else if (op->in_flight > 0) {
			break;
		} else {
			op->phase = op->phase == DESCRIBE_NODES ? DESCRIBE_STATES : DESCRIBE_DONE;
			op->next_topic = op->next_partition = 0;
		}
	}
	op->pumping = false;
	if (op->phase == DESCRIBE_DONE)
		describe_answer(op);
}

/* --- which topics there are ----------------------------------------------- */

static void describe_add(struct describe_op *op, const char *name, bool pending)
{
	if (topic_name_check(slice_of_str(name)) != STATUS_OK)
		return; /* nothing that we or Kafka made */
	if (op->topic_count == op->topic_capacity) {
		op->topic_capacity = op->topic_capacity == 0 ? 16 : op->topic_capacity * 2;
		op->topics = check_realloc(op->topics, op->topic_capacity * sizeof *op->topics);
	}
	op->topics[op->topic_count++] = (struct described_topic){.name = check_strdup(name), .pending = pending};
}

static int compare_topics(const void *a, const void *b)
{
	const struct described_topic *x = a, *y = b;
	int order = strcmp(x->name, y->name);
	return order != 0 ? order : (int)x->pending - (int)y->pending;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Topics sorted; one that was placed while we listed stands in both lists: the real one stays. */
static void describe_sort(struct describe_op *op)
{
	if (op->topic_count > 0)
		qsort(op->topics, op->topic_count, sizeof *op->topics, compare_topics);
	if (op->marked_count > 0)
		qsort(op->marked, op->marked_count, sizeof *op->marked, compare_names);
	size_t kept = 0;
	for (size_t i = 0; i < op->topic_count; i++) {
		struct described_topic *t = &op->topics[i];
		if (kept > 0 && strcmp(op->topics[kept - 1].name, t->name) == 0) {
			free(t->name);
			continue;
		}
		t->marked = op->marked_count > 0
			&& bsearch(&t->name, op->marked, op->marked_count, sizeof *op->marked, compare_names) != NULL;
		op->topics[kept++] = *t;
	}
	op->topic_count = kept;
}

static void list_done(struct describe_op *op, enum status s)
{
	if (s != STATUS_OK && s != STATUS_NOT_FOUND && op->failure.status == STATUS_OK)
		topic_admin_zk_failure(&op->failure, s, "listing", op->topic == NULL ? "names" : op->topic);
	expect(op->lists_left > 0);
	if (--op->lists_left > 0)
		return;
	describe_sort(op);
	describe_pump(op);
}

static void listed_topics(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_op *op = CAST(describe_op, arg);
	for (size_t i = 0; s == STATUS_OK && i < count; i++)
		describe_add(op, names[i], false);
	list_done(op, s);
}

static void listed_pending(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_op *op = CAST(describe_op, arg);
	for (size_t i = 0; s == STATUS_OK && i < count; i++)
		describe_add(op, names[i], true);
	list_done(op, s);
}

static void listed_marked(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_op *op = CAST(describe_op, arg);
	if (s == STATUS_OK) {
		op->marked = check_calloc(count + 1, sizeof *op->marked);
		for (size_t i = 0; i < count; i++)
			op->marked[op->marked_count++] = check_strdup(names[i]);
	}
	list_done(op, s);
}

static void found_topic(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_op *op = CAST(describe_op, arg);
	if (s == STATUS_OK)
		describe_add(op, op->topic, false);
	list_done(op, s);
}

static void found_pending(void *arg, enum status s, const struct zk_stat *stat)
{
	(void)stat;
	struct describe_op *op = CAST(describe_op, arg);
	if (s == STATUS_OK)
		describe_add(op, op->topic, true);
	list_done(op, s);
}

static void found_marked(void *arg, enum status s, const struct zk_stat *stat)
{
	const char *name = CAST(describe_op, arg)->topic;
	expect(name != NULL);
	listed_marked(arg, s, &name, 1, stat);
}

void topic_admin_describe(struct zk_client *zk, const char *topic, topic_describe_done_fn done, void *arg)
{
	struct describe_op *op = check_calloc(1, sizeof *op);
	*op = (struct describe_op){.magic = describe_op_magic, .zk = zk, .done = done, .arg = arg, .lists_left = 3,
		.topic = topic == NULL ? NULL : check_strdup(topic)};
	if (topic == NULL) {
		zk_children(zk, ZK_SCHEMA_TOPICS, NULL, listed_topics, op);
		zk_children(zk, ZK_SCHEMA_PENDING_TOPICS, NULL, listed_pending, op);
		zk_children(zk, ZK_SCHEMA_DELETE_TOPICS, NULL, listed_marked, op);
		return;
	}
	/* An illegal name never becomes a path: nothing is there. */
	bool legal = topic_name_check(slice_of_str(topic)) == STATUS_OK;
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(legal ? topic : "-", path);
	zk_exists(zk, path, NULL, found_topic, op);
	zk_schema_path_pending_topic(legal ? topic : "-", path);
	zk_exists(zk, path, NULL, found_pending, op);
	zk_schema_path_delete_topic(legal ? topic : "-", path);
	zk_exists(zk, path, NULL, found_marked, op);
}

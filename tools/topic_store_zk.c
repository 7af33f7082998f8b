/* The client's callbacks run on an event loop of this file's own thread; the command waits for each answer. */
#include "tools/topic_store.h"
#include "base/arena.h"
#include "base/diag.h"
#include "coordinator-client/topic_admin.h"
#include "coordinator-client/zk_session.h"
#include "runtime/event_loop.h"
#include "tools/client/client_error.h"
#include <pthread.h>

enum {
	CONNECT_TIMEOUT_MS = 15000,
	CALL_TIMEOUT_MS = 30000,
	SESSION_TIMEOUT_MS = 10000,
	SET_MEMORY_MAX = 1 << 30,
};

struct zk_store {
	unsigned magic;
	struct topic_store store;
	struct event_loop *loop;
	struct zk_client *zk;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum zk_state state;
	bool answered, closed;
};
MAGIC(zk_store, 0x5a4b5354);

static struct zk_store *store_of(struct topic_store *s)
{
	struct zk_store *z = CONTAINER_OF(s, struct zk_store, store);
	CHECK_MAGIC(zk_store, z);
	return z;
}

static void lock_store(struct zk_store *z)
{
	int rc = pthread_mutex_lock(&z->lock);
	expect(rc == 0);
}

static void unlock_store(struct zk_store *z)
{
	int rc = pthread_mutex_unlock(&z->lock);
	expect(rc == 0);
}

/* Until *flag; false when timeout_ms passed first. The lock is held. */
static bool wait_for(struct zk_store *z, const bool *flag, int64_t timeout_ms)
{
	struct timespec until;
	int rc = clock_gettime(CLOCK_REALTIME, &until);
	expect(rc == 0);
	until.tv_sec += timeout_ms / 1000;
	while (!*flag && rc == 0)
		rc = pthread_cond_timedwait(&z->changed, &z->lock, &until);
	return *flag;
}

static void answer(struct zk_store *z)
{
	lock_store(z);
	z->answered = true;
	(void)pthread_cond_broadcast(&z->changed);
	unlock_store(z);
}

/* One call on its way: posted to the loop, answered there. On the heap: it outlives a caller that gave up. */
enum zk_call_kind { CALL_CREATE, CALL_DELETE, CALL_ADD_PARTITIONS, CALL_DESCRIBE, CALL_ALTER };
struct zk_store_call {
	struct task task;
	struct zk_store *z;
	enum zk_call_kind kind;
	/* in */
	struct topic_create_request create;
	const char *topic;
	int32_t total;
	const struct partition_assignment *assignment;
	size_t assignment_count;
	const struct topic_config_entry *entries;
	size_t entry_count;
	/* out */
	struct failure failure;
	bool pending;
	struct uuid topic_id;
	struct arena *arena;
	struct correio_topic *topics;
	size_t topic_count;
	bool no_memory;
};

static void keep_failure(struct zk_store_call *c, const struct failure *f)
{
	c->failure = (struct failure){.status = STATUS_OK};
	if (f != NULL)
		c->failure = *f;
}

static void created(void *arg, const struct failure *f, bool pending, const struct uuid *topic_id)
{
	struct zk_store_call *c = (struct zk_store_call *)arg;
	keep_failure(c, f);
	c->pending = pending;
	if (topic_id != NULL)
		c->topic_id = *topic_id;
	answer(c->z);
}

static void done(void *arg, const struct failure *f)
{
	struct zk_store_call *c = (struct zk_store_call *)arg;
	keep_failure(c, f);
	answer(c->z);
}

/* ---- copies of what was described ---- */

static struct correio_replicas copy_replicas(struct arena *a, const struct partition_assignment *from)
{
	int32_t *ids = (int32_t *)arena_calloc(a, (size_t)from->count + 1, sizeof(*ids));
	if (ids == NULL)
		return (struct correio_replicas){.count = -1};
	if (from->count > 0)
		memcpy(ids, from->replicas, (size_t)from->count * sizeof(*ids));
	return (struct correio_replicas){.ids = ids, .count = from->count};
}

static bool copy_partitions(struct arena *a, const struct topic_description *from, struct correio_topic *to)
{
	struct correio_partition *partitions =
		(struct correio_partition *)arena_calloc(a, from->partition_count + 1, sizeof(*partitions));
	if (partitions == NULL)
		return false;
	for (size_t i = 0; i < from->partition_count; i++) {
		const struct topic_description_partition *p = &from->partitions[i];
		partitions[i] = (struct correio_partition){
			.partition = p->partition,
			.leader = p->leader < 0 ? -1 : p->leader,
			.leader_epoch = p->leader_epoch,
			.replicas = copy_replicas(a, &p->replicas),
			.isr = copy_replicas(a, &p->isr),
		};
		if (partitions[i].replicas.count < 0 || partitions[i].isr.count < 0)
			return false;
	}
	to->partitions = partitions;
	to->partition_count = (int32_t)from->partition_count;
	return true;
}

static bool copy_topic(struct arena *a, const struct topic_description *from, struct correio_topic *to)
{
	struct correio_entry *entries =
		(struct correio_entry *)arena_calloc(a, from->config_count + 1, sizeof(*entries));
	char *name = arena_strdup(a, slice_of_str(from->topic));
	if (entries == NULL || name == NULL)
		return false;
	for (size_t i = 0; i < from->config_count; i++) {
		entries[i].key = arena_strdup(a, slice_of_str(from->configs[i].key));
		entries[i].value = arena_strdup(a, slice_of_str(from->configs[i].value));
		if (entries[i].key == NULL || entries[i].value == NULL)
			return false;
	}
	*to = (struct correio_topic){
		.name = name,
		.internal = topic_is_internal(name),
		.pending = from->pending,
		.marked_for_deletion = from->marked_for_deletion,
		.wanted_partitions = from->wanted_partitions,
		.wanted_replication_factor = from->wanted_replication_factor,
		.overrides = entries,
		.override_count = from->config_count,
	};
	memcpy(to->topic_id, from->topic_id.b, sizeof(to->topic_id));
	return copy_partitions(a, from, to);
}

static void described(void *arg, const struct failure *f, const struct topic_description *topics, size_t count)
{
	struct zk_store_call *c = (struct zk_store_call *)arg;
	keep_failure(c, f);
	if (c->failure.status == STATUS_OK) {
		c->topics = (struct correio_topic *)arena_calloc(c->arena, count + 1, sizeof(*c->topics));
		bool good = c->topics != NULL;
		for (size_t i = 0; i < count && good; i++)
			good = copy_topic(c->arena, &topics[i], &c->topics[i]);
		c->topic_count = good ? count : 0;
		c->no_memory = !good;
	}
	answer(c->z);
}

/* ---- calls ---- */

static void call_run(struct task *t)
{
	struct zk_store_call *c = CONTAINER_OF(t, struct zk_store_call, task);
	struct zk_client *zk = c->z->zk;
	switch (c->kind) {
	case CALL_CREATE:
		topic_admin_create(zk, &c->create, created, c);
		break;
	case CALL_DELETE:
		topic_admin_delete(zk, c->topic, done, c);
		break;
	case CALL_ADD_PARTITIONS:
		topic_admin_add_partitions(zk, c->topic, c->total, c->assignment, c->assignment_count, false, done, c);
		break;
	case CALL_DESCRIBE:
		topic_admin_describe(zk, c->topic, described, c);
		break;
	case CALL_ALTER:
		topic_admin_alter_configs(zk, c->topic, c->entries, c->entry_count, false, done, c);
		break;
	}
}

/* The call is leaked on purpose when ZooKeeper does not answer: its callback may still come; the command is ending. */
static int call_wait(struct zk_store *z, struct zk_store_call *c, struct correio_error *err)
{
	c->z = z;
	task_init(&c->task, "topic store call", call_run);
	lock_store(z);
	z->answered = false;
	unlock_store(z);
	scheduler_post(event_loop_scheduler(z->loop), &c->task);
	lock_store(z);
	bool came = wait_for(z, &z->answered, CALL_TIMEOUT_MS);
	unlock_store(z);
	if (!came)
		return client_error_code(err, CORREIO_ERR_TIMED_OUT, true, "ZooKeeper did not answer within %d s",
			CALL_TIMEOUT_MS / 1000);
	if (c->no_memory)
		return client_error_code(err, CORREIO_ERR_UNKNOWN_SERVER_ERROR, false, "too many topics to describe at once");
	return c->failure.status == STATUS_OK ? CORREIO_OK : client_error_from_failure(err, &c->failure);
}

static struct zk_store_call *call_new(enum zk_call_kind kind, const char *topic)
{
	struct zk_store_call *c = (struct zk_store_call *)check_calloc(1, sizeof(*c));
	c->kind = kind;
	c->topic = topic;
	return c;
}

static struct partition_assignment *to_assignment(const struct correio_replicas *from, int32_t count)
{
	size_t n = (size_t)(count > 0 ? count : 0);
	struct partition_assignment *to = (struct partition_assignment *)check_calloc(n + 1, sizeof(*to));
	for (size_t i = 0; i < n; i++) {
		union {
			const int32_t *c;
			int32_t *v;
		} ids = {.c = from[i].ids};
		to[i] = (struct partition_assignment){.replicas = ids.v, .count = from[i].count};
	}
	return to;
}

static struct topic_config_entry *to_entries(const struct correio_entry *from, size_t count)
{
	struct topic_config_entry *to = (struct topic_config_entry *)check_calloc(count + 1, sizeof(*to));
	for (size_t i = 0; i < count; i++)
		to[i] = (struct topic_config_entry){.key = from[i].key, .value = from[i].value};
	return to;
}

static int zk_create_topic(struct topic_store *s, const struct correio_new_topic *topic,
	struct correio_topic_created *ret_created, struct correio_error *err)
{
	struct zk_store_call *c = call_new(CALL_CREATE, topic->name);
	bool assigned = topic->assignment_count > 0;
	struct partition_assignment *assignment = to_assignment(topic->assignment, topic->assignment_count);
	struct topic_config_entry *configs = to_entries(topic->configs, topic->config_count);
	/* No broker is asked for its defaults: Kafka's are taken. */
	int32_t partitions = topic->partitions < 0 && !assigned ? 1 : topic->partitions;
	int32_t factor = topic->replication_factor < 0 && !assigned ? 1 : topic->replication_factor;
	c->create = (struct topic_create_request){
		.topic = topic->name,
		.partitions = assigned ? topic->assignment_count : partitions,
		.replication_factor = assigned ? -1 : factor,
		.assignment = assigned ? assignment : NULL,
		.assignment_count = (size_t)(assigned ? topic->assignment_count : 0),
		.configs = configs,
		.config_count = topic->config_count,
		.validate_only = topic->validate_only,
		.pend_if_short = topic->pend_if_short,
	};
	int code = call_wait(store_of(s), c, err);
	if (code == CORREIO_OK && ret_created != NULL) {
		*ret_created = (struct correio_topic_created){
			.partitions = c->create.partitions,
			.replication_factor = assigned ? topic->assignment[0].count : factor,
			.pending = c->pending,
		};
		memcpy(ret_created->topic_id, c->topic_id.b, sizeof(ret_created->topic_id));
	}
	if (code == CORREIO_ERR_TIMED_OUT)
		return code;
	free(assignment);
	free(configs);
	free(c);
	return code;
}

static int zk_delete_topic(struct topic_store *s, const char *topic, struct correio_error *err)
{
	struct zk_store_call *c = call_new(CALL_DELETE, topic);
	int code = call_wait(store_of(s), c, err);
	if (code != CORREIO_ERR_TIMED_OUT)
		free(c);
	return code;
}

static int zk_add_partitions(struct topic_store *s, const char *topic, int32_t total,
	const struct correio_replicas *assignment, int32_t assignment_count, struct correio_error *err)
{
	struct zk_store_call *c = call_new(CALL_ADD_PARTITIONS, topic);
	struct partition_assignment *list = to_assignment(assignment, assignment_count);
	c->total = total;
	c->assignment = assignment_count > 0 ? list : NULL;
	c->assignment_count = (size_t)(assignment_count > 0 ? assignment_count : 0);
	int code = call_wait(store_of(s), c, err);
	if (code == CORREIO_ERR_TIMED_OUT)
		return code;
	free(list);
	free(c);
	return code;
}

static int zk_alter_configs(struct topic_store *s, const char *topic, const struct correio_entry *entries, size_t count,
	struct correio_error *err)
{
	struct zk_store_call *c = call_new(CALL_ALTER, topic);
	struct topic_config_entry *list = to_entries(entries, count);
	c->entries = list;
	c->entry_count = count;
	int code = call_wait(store_of(s), c, err);
	if (code == CORREIO_ERR_TIMED_OUT)
		return code;
	free(list);
	free(c);
	return code;
}

static void release_arena(struct topic_set *set)
{
	struct arena *a = (struct arena *)set->owner;
	arena_fini(a);
	free(a);
}

static int zk_describe(struct topic_store *s, const char *topic, struct topic_set *ret_set, struct correio_error *err)
{
	struct zk_store_call *c = call_new(CALL_DESCRIBE, topic);
	c->arena = (struct arena *)check_calloc(1, sizeof(*c->arena));
	arena_init(c->arena, SET_MEMORY_MAX);
	int code = call_wait(store_of(s), c, err);
	if (code == CORREIO_ERR_TIMED_OUT)
		return code;
	struct topic_set set = {.topics = c->topics, .count = c->topic_count, .release = release_arena, .owner = c->arena};
	if (code == CORREIO_OK)
		*ret_set = set;
	else
		topic_set_free(&set);
	free(c);
	return code;
}

/* ---- the session ---- */

static void state_changed(void *arg, enum zk_state state)
{
	struct zk_store *z = CAST(zk_store, arg);
	lock_store(z);
	z->state = state;
	if (state == ZK_STATE_CONNECTED)
		z->answered = true;
	(void)pthread_cond_broadcast(&z->changed);
	unlock_store(z);
}

static void closed(void *arg)
{
	struct zk_store *z = CAST(zk_store, arg);
	lock_store(z);
	z->closed = true;
	(void)pthread_cond_broadcast(&z->changed);
	unlock_store(z);
}

struct close_call {
	struct task task;
	struct zk_store *z;
};

static void close_run(struct task *t)
{
	struct close_call *c = CONTAINER_OF(t, struct close_call, task);
	zk_client_close(c->z->zk, closed, c->z);
}

static void zk_store_close(struct topic_store *s)
{
	struct zk_store *z = store_of(s);
	struct close_call c = {.z = z};
	task_init(&c.task, "topic store close", close_run);
	scheduler_post(event_loop_scheduler(z->loop), &c.task);
	lock_store(z);
	bool gone = wait_for(z, &z->closed, CONNECT_TIMEOUT_MS);
	unlock_store(z);
	event_loop_stop(z->loop);
	event_loop_join(z->loop);
	/* A session that would not close is left to the end of the process. */
	if (!gone)
		return;
	zk_session_free(z->zk);
	event_loop_free(z->loop);
	(void)pthread_cond_destroy(&z->changed);
	(void)pthread_mutex_destroy(&z->lock);
	z->magic = 0;
	free(z);
}

static struct zk_store *store_new(void)
{
	static const struct topic_store_ops ops = {
		.create = zk_create_topic,
		.delete = zk_delete_topic,
		.add_partitions = zk_add_partitions,
		.describe = zk_describe,
		.alter_configs = zk_alter_configs,
		.close = zk_store_close,
	};
	struct zk_store *z = (struct zk_store *)check_calloc(1, sizeof(*z));
	z->magic = zk_store_magic;
	z->store.ops = &ops;
	int rc = pthread_mutex_init(&z->lock, NULL);
	expect(rc == 0);
	rc = pthread_cond_init(&z->changed, NULL);
	expect(rc == 0);
	return z;
}

struct topic_store *topic_store_zk_open(const struct cli_common *common, int *ret_status)
{
	struct failure failure = {.status = STATUS_OK};
	struct correio_error err;
	*ret_status = CLI_FAILED;
	diag_set_level(DIAG_ERROR);
	if (zk_session_check_connect(common->zookeeper, &failure) != STATUS_OK) {
		(void)client_error_from_failure(&err, &failure);
		(void)cli_fail(common, &err);
		return NULL;
	}
	struct zk_store *z = store_new();
	enum status s = event_loop_new("tool", 0, clock_system(), &z->loop);
	struct zk_session_options options = {
		.connect = common->zookeeper,
		.session_timeout_ms = SESSION_TIMEOUT_MS,
		.state_changed = state_changed,
		.state_arg = z,
	};
	if (s == STATUS_OK)
		s = zk_session_open(event_loop_scheduler(z->loop), &options, &z->zk, &failure);
	/* The session is made on its loop, or before that runs. */
	if (s == STATUS_OK)
		s = event_loop_start(z->loop);
	if (s != STATUS_OK) {
		(void)client_error_set(&err, s, "ZooKeeper %s: %s", common->zookeeper,
			failure.text[0] != '\0' ? failure.text : status_text(s));
		(void)cli_fail(common, &err);
		return NULL; /* the command ends: nothing is given back */
	}
	lock_store(z);
	bool connected = wait_for(z, &z->answered, CONNECT_TIMEOUT_MS);
	unlock_store(z);
	if (!connected) {
		(void)client_error_code(&err, CORREIO_ERR_TIMED_OUT, true,
			"no ZooKeeper answered at %s within %d s; is the ensemble running?", common->zookeeper,
			CONNECT_TIMEOUT_MS / 1000);
		(void)cli_fail(common, &err);
		return NULL;
	}
	*ret_status = CLI_OK;
	return &z->store;
}

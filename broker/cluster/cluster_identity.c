/* See cluster_identity.h. Steps, each a call and its answer:
 *
 *     read /cluster/id -> (absent and nothing on disk: make the folders, create it, read again) -> check
 *         -> make the folders that are missing -> (id to be generated: /brokers/seqid) -> done
 *
 * A step whose connection broke is repeated; repeating any of them is harmless. */
#include "cluster/cluster_identity.h"
#include "base/diag.h"
#include "coordinator-client/zk_schema.h"

enum { RETRY_DELAY_US = 200 * 1000, TIMEOUT_DEFAULT_MS = 60 * 1000, PATHS_MAX = 64 };

struct cluster_identity {
	unsigned magic;
	struct cluster_identity_options o;
	char *connect, *found_cluster_id;
	char *cluster_id; /* as the ensemble has it */
	/* The round over zk_schema_persistent_paths under way. */
	size_t paths_pending, paths_missing, paths_bad;
	enum status paths_status;
	bool path_missing[PATHS_MAX];
	void (*step)(struct cluster_identity *c);
	struct loop_timer retry_timer;
	int64_t give_up_us;
	cluster_identity_done_fn done;
	void *arg;
};
MAGIC(cluster_identity, 0x434c4944);

static void read_cluster_id(struct cluster_identity *c);
static void make_paths(struct cluster_identity *c);

static void finish(struct cluster_identity *c, const struct failure *f, int32_t broker_id)
{
	scheduler_timer_cancel(c->o.zk->scheduler, &c->retry_timer);
	c->done(c->arg, f, f->status == STATUS_OK ? c->cluster_id : NULL, broker_id);
	free(c->connect);
	free(c->found_cluster_id);
	free(c->cluster_id);
	c->magic = 0;
	free(c);
}

static void fail(struct cluster_identity *c, const struct failure *f)
{
	expect(f->status != STATUS_OK);
	finish(c, f, -1);
}

static void go(struct cluster_identity *c, void (*step)(struct cluster_identity *c))
{
	c->step = step;
	step(c);
}

static void cluster_identity_retry(struct loop_timer *t)
{
	struct cluster_identity *c = CONTAINER_OF(t, struct cluster_identity, retry_timer);
	CHECK_MAGIC(cluster_identity, c);
	c->step(c);
}

/* An answer nobody hoped for: repeats the step if the connection was at fault and there is time. */
static void retry_or_fail(struct cluster_identity *c, enum status s, const char *path)
{
	struct scheduler *scheduler = c->o.zk->scheduler;
	struct failure f;
	bool connection = s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED;
	if (connection && clock_monotonic_us(scheduler->clock) < c->give_up_us) {
		scheduler_timer_arm(scheduler, &c->retry_timer, RETRY_DELAY_US);
		return;
	}
	if (connection)
		(void)failure_set(&f, STATUS_REQUEST_TIMED_OUT, "zookeeper.connect=%s: no answer from the ensemble", c->connect);
	else if (s == STATUS_NO_AUTH)
		(void)failure_set(&f, s, "zookeeper.connect=%s: access to %s was refused: check zookeeper.digest and its ACL",
			c->connect, path);
	else
		(void)failure_set(&f, s, "zookeeper.connect=%s: %s: %s", c->connect, path, status_text(s));
	fail(c, &f);
}

/* --- broker id ------------------------------------------------------------------------------------------------------------ */

static void succeed(struct cluster_identity *c, int32_t broker_id)
{
	finish(c, &(struct failure){.status = STATUS_OK}, broker_id);
}

/* The version counts every id ever given out in this cluster. Kafka: KafkaZkClient.generateBrokerSequenceId. */
static void cluster_identity_seqid_set(void *arg, enum status s, const struct zk_stat *stat)
{
	struct cluster_identity *c = CAST(cluster_identity, arg);
	if (s != STATUS_OK) {
		retry_or_fail(c, s, ZK_SCHEMA_BROKER_SEQID);
		return;
	}
	int64_t id = (int64_t)stat->version + c->o.reserved_broker_max_id;
	struct failure f;
	if (stat->version <= 0 || id > INT32_MAX) {
		(void)failure_set(&f, STATUS_INVALID_CONFIG,
			"reserved.broker.max.id=%d leaves no room for generated ids: lower it, or set broker.id",
			(int)c->o.reserved_broker_max_id);
		fail(c, &f);
		return;
	}
	diag_info("broker_id_generated", "broker=%d", (int)id);
	succeed(c, (int32_t)id);
}

static void generate_broker_id(struct cluster_identity *c)
{
	zk_set(c->o.zk, ZK_SCHEMA_BROKER_SEQID, slice_of("", 0), ZK_ANY_VERSION, cluster_identity_seqid_set, c);
}

static void settle_broker_id(struct cluster_identity *c)
{
	struct failure f;
	int32_t configured = c->o.configured_broker_id, found = c->o.found_broker_id;
	if (configured >= 0 && found >= 0 && configured != found) {
		(void)failure_set(&f, STATUS_INVALID_CONFIG,
			"broker.id=%d, but the log directories belong to broker %d (meta.properties): correct the one that is wrong",
			(int)configured, (int)found);
		fail(c, &f);
	} else if (configured >= 0 || found >= 0) {
		succeed(c, configured >= 0 ? configured : found);
	} else if (!c->o.broker_id_generation_enable) {
		(void)failure_set(&f, STATUS_INVALID_CONFIG,
			"broker.id is not set and broker.id.generation.enable=false: set broker.id");
		fail(c, &f);
	} else {
		go(c, generate_broker_id);
	}
}

/* --- folders -------------------------------------------------------------------------------------------------------------- */

static void after_paths(struct cluster_identity *c);

/* One call of a pipelined round over all folders. */
struct path_call {
	struct cluster_identity *identity;
	size_t path;
};

/* An answer of the round is in. Reads first: at every start but the first they are all there, and nothing is written. */
static void one_path_done(struct cluster_identity *c, enum status s, size_t path)
{
	if (s != STATUS_OK && c->paths_status == STATUS_OK) {
		c->paths_status = s;
		c->paths_bad = path;
	}
	expect(c->paths_pending > 0);
	if (--c->paths_pending > 0)
		return;
	if (c->paths_status != STATUS_OK)
		retry_or_fail(c, c->paths_status, zk_schema_persistent_paths[c->paths_bad]);
	else if (c->paths_missing > 0)
		go(c, make_paths);
	else
		after_paths(c);
}

static void cluster_identity_path_made(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct path_call *call = arg;
	(void)created_path;
	(void)stat;
	one_path_done(call->identity, s == STATUS_EXISTS ? STATUS_OK : s, call->path);
	free(call);
}

static void cluster_identity_path_checked(void *arg, enum status s, const struct zk_stat *stat)
{
	struct path_call *call = arg;
	struct cluster_identity *c = CAST(cluster_identity, call->identity);
	(void)stat;
	c->path_missing[call->path] = s == STATUS_NOT_FOUND;
	c->paths_missing += s == STATUS_NOT_FOUND ? 1 : 0;
	one_path_done(c, s == STATUS_NOT_FOUND ? STATUS_OK : s, call->path);
	free(call);
}

static struct path_call *path_call_new(struct cluster_identity *c, size_t path)
{
	struct path_call *call = check_alloc(sizeof(*call));
	*call = (struct path_call){.identity = c, .path = path};
	c->paths_pending++;
	return call;
}

/* Requests keep their order, so parents are there before their children. */
static void make_paths(struct cluster_identity *c)
{
	c->paths_status = STATUS_OK;
	c->paths_pending = c->paths_missing = 0;
	for (size_t i = 0; zk_schema_persistent_paths[i] != NULL; i++) {
		if (c->path_missing[i])
			zk_create(c->o.zk, zk_schema_persistent_paths[i], (struct slice){0}, ZK_CREATE_PERSISTENT,
				cluster_identity_path_made, path_call_new(c, i));
	}
	expect(c->paths_pending > 0);
}

static void check_paths(struct cluster_identity *c)
{
	c->paths_status = STATUS_OK;
	c->paths_pending = c->paths_missing = 0;
	for (size_t i = 0; zk_schema_persistent_paths[i] != NULL; i++) {
		expect(i < PATHS_MAX);
		zk_exists(c->o.zk, zk_schema_persistent_paths[i], NULL, cluster_identity_path_checked, path_call_new(c, i));
	}
}

/* --- cluster id ----------------------------------------------------------------------------------------------------------- */

static void cluster_identity_id_created(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct cluster_identity *c = CAST(cluster_identity, arg);
	(void)created_path;
	(void)stat;
	if (s == STATUS_OK || s == STATUS_EXISTS)
		go(c, read_cluster_id); /* whoever came first: what is there counts */
	else
		retry_or_fail(c, s, ZK_SCHEMA_CLUSTER_ID);
}

static void create_cluster_id(struct cluster_identity *c)
{
	struct uuid id;
	char text[UUID_TEXT_SIZE];
	random_uuid(c->o.random, &id);
	uuid_format(&id, text);
	char *payload = zk_schema_cluster_id_encode(text);
	zk_create(c->o.zk, ZK_SCHEMA_CLUSTER_ID, slice_of_str(payload), ZK_CREATE_PERSISTENT, cluster_identity_id_created, c);
	free(payload);
}

static void after_paths(struct cluster_identity *c)
{
	if (c->cluster_id == NULL)
		go(c, create_cluster_id);
	else
		settle_broker_id(c);
}

static void refuse(struct cluster_identity *c, const char *ensemble_has)
{
	struct failure f;
	(void)failure_set(&f, STATUS_INCONSISTENT_CLUSTER_ID,
		"the log directories belong to cluster %s, but the ensemble zookeeper.connect=%s %s%s: wrong ensemble or chroot, "
		"or it was wiped; nothing was changed",
		c->found_cluster_id, c->connect, ensemble_has == NULL ? "has no cluster id" : "is of cluster ",
		ensemble_has == NULL ? "" : ensemble_has);
	fail(c, &f);
}

static void cluster_identity_id_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct cluster_identity *c = CAST(cluster_identity, arg);
	struct failure f;
	(void)stat;
	if (s == STATUS_NOT_FOUND) {
		if (c->found_cluster_id != NULL)
			refuse(c, NULL);
		else
			go(c, check_paths);
		return;
	}
	if (s != STATUS_OK) {
		retry_or_fail(c, s, ZK_SCHEMA_CLUSTER_ID);
		return;
	}
	free(c->cluster_id);
	c->cluster_id = NULL;
	if (zk_schema_cluster_id_decode(data, &c->cluster_id, &f) != STATUS_OK) {
		fail(c, &f);
		return;
	}
	if (c->found_cluster_id != NULL && strcmp(c->found_cluster_id, c->cluster_id) != 0)
		refuse(c, c->cluster_id);
	else
		go(c, check_paths);
}

static void read_cluster_id(struct cluster_identity *c)
{
	zk_get(c->o.zk, ZK_SCHEMA_CLUSTER_ID, NULL, cluster_identity_id_read, c);
}

void cluster_identity_settle(const struct cluster_identity_options *o, cluster_identity_done_fn done, void *arg)
{
	expect(o->zk != NULL && o->random != NULL && done != NULL);
	expect_on_loop(o->zk->scheduler);
	struct cluster_identity *c = check_calloc(1, sizeof(*c));
	c->magic = cluster_identity_magic;
	c->o = *o;
	c->connect = check_strdup(o->connect == NULL ? "" : o->connect);
	c->found_cluster_id = o->found_cluster_id == NULL ? NULL : check_strdup(o->found_cluster_id);
	c->done = done;
	c->arg = arg;
	int64_t timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_DEFAULT_MS;
	c->give_up_us = clock_monotonic_us(o->zk->scheduler->clock) + timeout_ms * 1000;
	loop_timer_init(&c->retry_timer, "cluster_identity", cluster_identity_retry);
	go(c, read_cluster_id);
}

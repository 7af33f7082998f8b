/* See broker_registration.h. One chain of calls at a time:
 *
 *     look for our endpoints under other ids -> register -> (there already: whose is it? -> probe -> replace it) -> registered
 *
 * A link that fails for lack of a connection ends the chain; it begins again when there is one. Once registered our own node is
 * watched: one that vanishes is written again, one that another process has taken over stops us. */
#include "cluster/broker_registration.h"
#include "base/diag.h"
#include "coordinator-client/zk_schema.h"

enum { RETRY_DELAY_US = 250 * 1000, WAIT_FOR_EXPIRY_MIN_US = 10 * 1000 * 1000 };

enum registration_state { REGISTRATION_NEW, REGISTRATION_TRYING, REGISTRATION_DONE, REGISTRATION_FAILED, REGISTRATION_STOPPED };

struct broker_registration {
	unsigned magic;
	struct broker_registration_options o;
	struct zk_schema_broker self; /* what is written, but for the time */
	char path[ZK_PATH_MAX];
	enum registration_state state;
	bool busy; /* a chain is under way */
	int64_t session_id;  /* that holds our node, or held it last; 0 never registered */
	int64_t give_up_us;  /* a node or endpoint of somebody who may be dead: how long to wait for it to vanish; 0 unset */
	struct zk_listener listener;
	struct zk_watcher watcher;
	struct loop_timer retry_timer;
	/* The other brokers whose endpoints are being read. */
	char **ids;
	size_t id_count, id_next;
	/* What stands in our place: probed, then replaced. */
	int32_t other_version;
	char *other_where;
	void (*stopped)(void *arg);
	void *stopped_arg;
};
MAGIC(broker_registration, 0x52454749);

static struct broker_registration *of_chain(void *arg)
{
	struct broker_registration *r = CAST(broker_registration, arg);
	expect_on_loop(r->o.zk->scheduler);
	expect(r->busy);
	return r;
}

static void begin(struct broker_registration *r);
static void remove_ours(struct broker_registration *r);

static void forget_ids(struct broker_registration *r)
{
	for (size_t i = 0; i < r->id_count; i++)
		free(r->ids[i]);
	free(r->ids);
	r->ids = NULL;
	r->id_count = r->id_next = 0;
}

/* --- ends of a chain ------------------------------------------------------------------------------------------------------ */

static void end_chain(struct broker_registration *r)
{
	r->busy = false;
	forget_ids(r);
	free(r->other_where);
	r->other_where = NULL;
	if (r->state == REGISTRATION_STOPPED)
		remove_ours(r);
}

static void try_later(struct broker_registration *r)
{
	end_chain(r);
	if (r->state == REGISTRATION_TRYING)
		scheduler_timer_arm(r->o.zk->scheduler, &r->retry_timer, RETRY_DELAY_US);
}

static void fail(struct broker_registration *r, const struct failure *f)
{
	bool tell = r->state != REGISTRATION_STOPPED;
	if (tell)
		r->state = REGISTRATION_FAILED;
	end_chain(r);
	if (tell) {
		diag_error("registration_failed", "broker=%d why=%s text=\"%s\"", (int)r->o.broker_id, status_name(f->status),
			f->text);
		r->o.failed(r->o.arg, f);
	}
}

/* Any answer but the expected ones. */
static void fail_or_try_later(struct broker_registration *r, enum status s, const char *path)
{
	if (s == STATUS_NO_AUTH) {
		struct failure f;
		(void)failure_set(&f, s, "ZooKeeper refused %s: check zookeeper.digest and the ACL of the node", path);
		fail(r, &f);
		return;
	}
	if (s != STATUS_CONNECTION_LOSS && s != STATUS_SESSION_EXPIRED && s != STATUS_CANCELLED)
		diag_warn("registration_delayed", "broker=%d znode=%s why=%s text=\"tried again\"", (int)r->o.broker_id, path,
			status_name(s));
	try_later(r);
}

/* Somebody's ephemeral that may be about to vanish: waits one session timeout for that, then fails. */
static void wait_for_expiry(struct broker_registration *r, const struct failure *f)
{
	struct zk_client *zk = r->o.zk;
	int64_t now_us = clock_monotonic_us(zk->scheduler->clock);
	if (r->give_up_us == 0) {
		int64_t wait_us = (int64_t)zk->negotiated_timeout_ms * 1200; /* a fifth more: the ensemble's ticks */
		r->give_up_us = now_us + (wait_us > WAIT_FOR_EXPIRY_MIN_US ? wait_us : WAIT_FOR_EXPIRY_MIN_US);
		diag_warn("registration_waits", "broker=%d text=\"%s; waiting up to a session timeout for it to vanish\"",
			(int)r->o.broker_id, f->text);
	}
	if (now_us >= r->give_up_us)
		fail(r, f);
	else
		try_later(r);
}

/* --- registered ----------------------------------------------------------------------------------------------------------- */

static void watch_armed(void *arg, enum status s, const struct zk_stat *stat);

/* The exists call arms the watch whatever the answer; the answer itself tells of what happened before it was armed. */
static void watch_own_node(struct broker_registration *r)
{
	r->busy = true;
	zk_exists(r->o.zk, r->path, &r->watcher, watch_armed, r);
}

static void taken_over(struct broker_registration *r, int64_t owner)
{
	struct failure f;
	(void)failure_set(&f, STATUS_EXISTS,
		"another process (ZooKeeper session 0x%llx) has registered as broker %d: two brokers have the same broker.id",
		(unsigned long long)owner, (int)r->o.broker_id);
	fail(r, &f);
}

static void watch_armed(void *arg, enum status s, const struct zk_stat *stat)
{
	struct broker_registration *r = of_chain(arg);
	if (s == STATUS_OK && stat->ephemeral_owner == r->session_id) {
		end_chain(r);
	} else if (s == STATUS_OK && r->session_id == r->o.zk->session_id) {
		taken_over(r, stat->ephemeral_owner);
	} else {
		if (s == STATUS_NOT_FOUND)
			diag_warn("registration_vanished", "broker=%d znode=%s text=\"registering again\"", (int)r->o.broker_id,
				r->path);
		if (r->state == REGISTRATION_DONE)
			r->state = REGISTRATION_TRYING;
		if (s == STATUS_OK || s == STATUS_NOT_FOUND)
			try_later(r);
		else
			fail_or_try_later(r, s, r->path);
	}
}

static void broker_registration_node_changed(struct zk_watcher *w, enum zk_event event, const char *path)
{
	struct broker_registration *r = CONTAINER_OF(w, struct broker_registration, watcher);
	CHECK_MAGIC(broker_registration, r);
	(void)path;
	if (r->state == REGISTRATION_DONE && event != ZK_EVENT_SESSION_LOST && !r->busy)
		watch_own_node(r);
}

static void registered(struct broker_registration *r, int64_t broker_epoch)
{
	r->session_id = r->o.zk->session_id;
	r->give_up_us = 0;
	end_chain(r);
	if (r->state != REGISTRATION_TRYING)
		return; /* stopping: remove_ours has begun */
	r->state = REGISTRATION_DONE;
	diag_info("broker_registered", "broker=%d broker_epoch=%lld session=0x%llx", (int)r->o.broker_id,
		(long long)broker_epoch, (unsigned long long)r->session_id);
	watch_own_node(r);
	r->o.registered(r->o.arg, broker_epoch);
}

/* --- somebody stands in our place ----------------------------------------------------------------------------------------- */

enum { NOBODY = -2 }; /* no version of a node */
static void write_node(struct broker_registration *r, int32_t replaces);

/* Removes the other's node and writes ours in one multi: a predecessor that lives after all finds us in its place, never a gap
 * that it could fill again. */
static void replace_other(struct broker_registration *r, const char *why)
{
	diag_info("registration_replaced", "broker=%d znode=%s reason=%s", (int)r->o.broker_id, r->path, why);
	write_node(r, r->other_version);
}

static void broker_registration_probed(void *arg, enum probe_result result)
{
	struct broker_registration *r = of_chain(arg);
	struct failure f;
	if (result == PROBE_REFUSED) {
		replace_other(r, "its_process_is_dead");
		return;
	}
	(void)failure_set(&f, STATUS_EXISTS, "broker %d is registered already, at %s%s", (int)r->o.broker_id, r->other_where,
		result == PROBE_ALIVE ? ", and that process answers: two brokers have the same broker.id"
				      : ", and that host does not answer");
	if (result == PROBE_ALIVE)
		fail(r, &f);
	else
		wait_for_expiry(r, &f);
}

/* Is one of the endpoints ours? */
static bool shares_endpoint(const struct broker_registration *r, const struct zk_schema_broker *other)
{
	for (size_t i = 0; i < other->endpoint_count; i++) {
		for (size_t k = 0; k < r->self.endpoint_count; k++) {
			if (other->endpoints[i].port == r->self.endpoints[k].port &&
				strcmp(other->endpoints[i].host, r->self.endpoints[k].host) == 0)
				return true;
		}
	}
	return false;
}

static void judge_other(struct broker_registration *r, struct slice data)
{
	struct zk_schema_broker other;
	struct failure f;
	if (zk_schema_broker_decode(r->path, data, &other, &f) != STATUS_OK) {
		wait_for_expiry(r, &f);
		return;
	}
	if (r->session_id != 0) {
		/* We were registered: this is no predecessor but a successor. To fight it would never end. */
		(void)failure_set(&f, STATUS_EXISTS, "another process has registered as broker %d: two brokers have the same broker.id",
			(int)r->o.broker_id);
		wait_for_expiry(r, &f);
	} else if (r->o.endpoints_bound && shares_endpoint(r, &other)) {
		replace_other(r, "we_hold_its_address");
	} else if (other.endpoint_count == 0) {
		(void)failure_set(&f, STATUS_EXISTS, "broker %d is registered already, without an endpoint", (int)r->o.broker_id);
		wait_for_expiry(r, &f);
	} else {
		free(r->other_where);
		r->other_where = check_asprintf("%s:%d", other.endpoints[0].host, (int)other.endpoints[0].port);
		r->o.probe(r->o.arg, other.endpoints[0].host, other.endpoints[0].port, broker_registration_probed, r);
	}
	zk_schema_broker_fini(&other);
}

static void broker_registration_other_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct broker_registration *r = of_chain(arg);
	const struct zk_client *zk = r->o.zk;
	if (s == STATUS_NOT_FOUND) {
		try_later(r); /* it has gone just now */
	} else if (s != STATUS_OK) {
		fail_or_try_later(r, s, r->path);
	} else if (stat->ephemeral_owner != 0 && stat->ephemeral_owner == zk->session_id) {
		registered(r, stat->czxid); /* an earlier attempt did succeed; its answer was lost */
	} else {
		r->other_version = stat->version;
		bool own_past = stat->ephemeral_owner != 0 && (stat->ephemeral_owner == zk->previous_session_id ||
								      stat->ephemeral_owner == r->session_id);
		if (own_past)
			replace_other(r, "of_our_last_session");
		else
			judge_other(r, data);
	}
}

/* --- registering ---------------------------------------------------------------------------------------------------------- */

static void broker_registration_written(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct broker_registration *r = of_chain(arg);
	if (s == STATUS_OK) {
		expect(count == 2 || count == 3);
		registered(r, results[count - 1].stat.czxid);
	} else if (s == STATUS_EXISTS || s == STATUS_NOT_FOUND || s == STATUS_BAD_VERSION) {
		zk_get(r->o.zk, r->path, NULL, broker_registration_other_read, r); /* somebody came first, or the other has gone */
	} else {
		fail_or_try_later(r, s, r->path);
	}
}

/* Create and set in one multi: the set's Stat carries the czxid, which is the broker epoch (KIP-380). replaces: the version of the
 * node that has to go first. */
static void write_node(struct broker_registration *r, int32_t replaces)
{
	r->self.timestamp_ms = clock_wall_ms(r->o.zk->scheduler->clock);
	char *text = zk_schema_broker_encode(&r->self);
	const struct zk_op ops[3] = {
		{.kind = ZK_OP_DELETE, .path = r->path, .version = replaces},
		{.kind = ZK_OP_CREATE, .path = r->path, .flags = ZK_CREATE_EPHEMERAL},
		{.kind = ZK_OP_SET, .path = r->path, .data = slice_of_str(text), .version = 0},
	};
	bool alone = replaces == NOBODY;
	zk_multi(r->o.zk, alone ? ops + 1 : ops, alone ? 2 : 3, broker_registration_written, r);
	free(text);
}

static void read_next_id(struct broker_registration *r);

static void broker_registration_id_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct broker_registration *r = of_chain(arg);
	(void)stat;
	const char *id = r->ids[r->id_next++];
	struct zk_schema_broker other;
	struct failure f;
	if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
		fail_or_try_later(r, s, ZK_SCHEMA_BROKER_IDS);
		return;
	}
	if (s == STATUS_NOT_FOUND || zk_schema_broker_decode(ZK_SCHEMA_BROKER_IDS, data, &other, &f) != STATUS_OK) {
		read_next_id(r); /* gone, or not to be understood: no claim on our address */
		return;
	}
	bool shared = shares_endpoint(r, &other);
	zk_schema_broker_fini(&other);
	if (!shared) {
		read_next_id(r);
		return;
	}
	(void)failure_set(&f, STATUS_EXISTS,
		"broker %s is registered with the endpoint that broker %d advertises: give each its own advertised.listeners", id,
		(int)r->o.broker_id);
	wait_for_expiry(r, &f);
}

static void read_next_id(struct broker_registration *r)
{
	char path[ZK_PATH_MAX];
	while (r->id_next < r->id_count) {
		const char *id = r->ids[r->id_next];
		int32_t number;
		if (bytes_parse_i32(slice_of_str(id), &number) == STATUS_OK && number != r->o.broker_id &&
			zk_schema_path_child(ZK_SCHEMA_BROKER_IDS, id, path) == STATUS_OK) {
			zk_get(r->o.zk, path, NULL, broker_registration_id_read, r);
			return;
		}
		r->id_next++;
	}
	write_node(r, NOBODY);
}

static void broker_registration_ids_listed(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	struct broker_registration *r = of_chain(arg);
	(void)stat;
	if (s != STATUS_OK) {
		fail_or_try_later(r, s, ZK_SCHEMA_BROKER_IDS);
		return;
	}
	forget_ids(r);
	r->ids = check_calloc(count + 1, sizeof(*r->ids));
	for (r->id_count = 0; r->id_count < count; r->id_count++)
		r->ids[r->id_count] = check_strdup(names[r->id_count]);
	read_next_id(r);
}

static void begin(struct broker_registration *r)
{
	if (r->busy || r->state != REGISTRATION_TRYING || r->o.zk->state != ZK_STATE_CONNECTED)
		return;
	scheduler_timer_cancel(r->o.zk->scheduler, &r->retry_timer);
	r->busy = true;
	zk_children(r->o.zk, ZK_SCHEMA_BROKER_IDS, NULL, broker_registration_ids_listed, r);
}

static void broker_registration_retry(struct loop_timer *t)
{
	struct broker_registration *r = CONTAINER_OF(t, struct broker_registration, retry_timer);
	CHECK_MAGIC(broker_registration, r);
	begin(r);
}

static void broker_registration_state_changed(struct zk_listener *l, enum zk_state state)
{
	struct broker_registration *r = CONTAINER_OF(l, struct broker_registration, listener);
	CHECK_MAGIC(broker_registration, r);
	if (state != ZK_STATE_CONNECTED)
		return;
	if (r->state == REGISTRATION_DONE && r->session_id != r->o.zk->session_id)
		r->state = REGISTRATION_TRYING;
	begin(r);
}

/* --- life ----------------------------------------------------------------------------------------------------------------- */

struct broker_registration *broker_registration_new(const struct broker_registration_options *o)
{
	expect(o->broker_id >= 0 && o->endpoint_count > 0 && o->probe != NULL);
	struct broker_registration *r = check_calloc(1, sizeof(*r));
	r->magic = broker_registration_magic;
	r->o = *o;
	r->self = (struct zk_schema_broker){
		.version = 5,
		.endpoints = check_calloc(o->endpoint_count, sizeof(*r->self.endpoints)),
		.endpoint_count = o->endpoint_count,
		.rack = o->rack == NULL || o->rack[0] == '\0' ? NULL : check_strdup(o->rack),
		.jmx_port = -1,
	};
	for (size_t i = 0; i < o->endpoint_count; i++) {
		r->self.endpoints[i] = (struct zk_schema_endpoint){
			.listener = check_strdup(o->endpoints[i].listener),
			.security_protocol = check_strdup(o->endpoints[i].security_protocol),
			.host = check_strdup(o->endpoints[i].host),
			.port = o->endpoints[i].port,
		};
	}
	zk_schema_path_broker(o->broker_id, r->path);
	r->listener.state_changed = broker_registration_state_changed;
	r->watcher.fired = broker_registration_node_changed;
	loop_timer_init(&r->retry_timer, "broker_registration", broker_registration_retry);
	return r;
}

void broker_registration_start(struct broker_registration *r)
{
	CHECK_MAGIC(broker_registration, r);
	expect(r->state == REGISTRATION_NEW);
	r->state = REGISTRATION_TRYING;
	zk_client_add_listener(r->o.zk, &r->listener);
	begin(r);
}

static void tell_stopped(struct broker_registration *r)
{
	void (*stopped)(void *arg) = r->stopped;
	r->stopped = NULL;
	stopped(r->stopped_arg);
}

static void broker_registration_removed(void *arg, enum status s)
{
	struct broker_registration *r = CAST(broker_registration, arg);
	(void)s; /* if it failed, the session's end removes it */
	tell_stopped(r);
}

static void broker_registration_own_read(void *arg, enum status s, const struct zk_stat *stat)
{
	struct broker_registration *r = CAST(broker_registration, arg);
	if (s == STATUS_OK && stat->ephemeral_owner == r->session_id)
		zk_delete(r->o.zk, r->path, stat->version, broker_registration_removed, r);
	else
		tell_stopped(r);
}

static void remove_ours(struct broker_registration *r)
{
	if (r->session_id == 0 || r->session_id != r->o.zk->session_id || r->o.zk->state != ZK_STATE_CONNECTED)
		tell_stopped(r);
	else
		zk_exists(r->o.zk, r->path, NULL, broker_registration_own_read, r);
}

void broker_registration_stop(struct broker_registration *r, void (*done)(void *arg), void *arg)
{
	CHECK_MAGIC(broker_registration, r);
	expect(r->state != REGISTRATION_STOPPED);
	if (r->state != REGISTRATION_NEW)
		zk_client_remove_listener(r->o.zk, &r->listener);
	r->state = REGISTRATION_STOPPED;
	r->stopped = done;
	r->stopped_arg = arg;
	scheduler_timer_cancel(r->o.zk->scheduler, &r->retry_timer);
	zk_forget(r->o.zk, &r->watcher);
	if (!r->busy)
		remove_ours(r);
}

void broker_registration_free(struct broker_registration *r)
{
	if (r == NULL)
		return;
	CHECK_MAGIC(broker_registration, r);
	expect(!r->busy && r->stopped == NULL);
	if (r->state != REGISTRATION_NEW && r->state != REGISTRATION_STOPPED) {
		zk_client_remove_listener(r->o.zk, &r->listener);
		zk_forget(r->o.zk, &r->watcher);
		scheduler_timer_cancel(r->o.zk->scheduler, &r->retry_timer);
	}
	zk_schema_broker_fini(&r->self);
	r->magic = 0;
	free(r);
}

#include "coordinator-client/zk_election.h"
#include "coordinator-client/zk_request.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_watch.h"
#include "base/diag.h"

/* The watch on /controller says who has the seat; each report leads to a decision:
 *
 *   free, and we do not stand aside:  read the epoch (making it if missing) -> multi [create, raise] -> elected
 *   ours, left by an earlier session: delete it, look again
 *   another's:                        wait for the next report
 *
 * One chain of requests at a time. It belongs to a session: when that ends, its requester is freed and no answer comes. Lost
 * answers of the multi are settled by zk_request (is the node ours and the epoch as we would have set it?). */
enum { BACKOFF_MS_MIN = 50, BACKOFF_MS_MAX = 5000, DEADLINE_MS = 30000 };

struct seat {
	bool known, present;
	int32_t controller_id; /* -1: unreadable */
	int64_t owner;         /* session id; 0 persistent */
	int32_t version;
};

struct zk_election {
	unsigned magic;
	struct zk_client *zk;
	int32_t broker_id;
	struct zk_election_events events;
	struct zk_watch *watch; /* of /controller */
	struct zk_listener listener;
	struct loop_timer retry_timer;
	int32_t backoff_ms;
	struct zk_requester *requests; /* of the present session; NULL: none */
	bool busy;                     /* a chain is under way */
	bool again;                    /* the seat was reported meanwhile */
	bool aside, elected;
	struct seat seat;
	int32_t seen_id;
	bool seen_told;
	int32_t dead_id; /* whose seat the chain is to take over; -1 nobody's */
	/* Of the chain under way, then of the seat. */
	int32_t controller_epoch, epoch_zk_version;
	void (*resigned)(void *arg);
	void *resigned_arg;
};
MAGIC(zk_election, 0x5a454c45);

static void decide(struct zk_election *e);

static bool has_session(const struct zk_election *e)
{
	return e->zk->state == ZK_STATE_CONNECTING || e->zk->state == ZK_STATE_CONNECTED;
}

static void tell_seen(struct zk_election *e, int32_t id)
{
	if (e->seen_told && e->seen_id == id)
		return;
	e->seen_told = true;
	e->seen_id = id;
	diag_info("controller_seen", "controller_id=%d", id);
	if (e->events.seen != NULL)
		e->events.seen(e->events.arg, id);
}

static void tell_lost(struct zk_election *e, const char *why)
{
	if (!e->elected)
		return;
	e->elected = false;
	diag_info("controller_seat_lost", "controller_epoch=%d cause=%s", e->controller_epoch, why);
	e->events.lost(e->events.arg);
}

/* --- chains ------------------------------------------------------------- */

static void chain_begin(struct zk_election *e)
{
	expect(!e->busy && e->requests != NULL);
	e->busy = true;
	scheduler_timer_cancel(e->zk->scheduler, &e->retry_timer);
}

/* Tells who resigned that it is over, whatever came of it. */
static void tell_resigned(struct zk_election *e)
{
	void (*done)(void *arg) = e->resigned;
	e->resigned = NULL;
	if (done != NULL)
		done(e->resigned_arg);
}

/* look: the seat as reported may be out of date; read it again. */
static void chain_over(struct zk_election *e, bool look)
{
	expect(e->busy);
	e->busy = false;
	e->dead_id = -1;
	bool again = e->again;
	e->again = false;
	if (look)
		zk_watch_refresh(e->watch);
	else if (again)
		decide(e);
	tell_resigned(e);
}

static void chain_failed(struct zk_election *e, const char *doing, enum status s)
{
	diag_warn("controller_election_failed", "doing=%s status=%s retry_ms=%d", doing, status_name(s), e->backoff_ms);
	scheduler_timer_arm(e->zk->scheduler, &e->retry_timer, (int64_t)e->backoff_ms * 1000);
	e->backoff_ms = e->backoff_ms * 2 < BACKOFF_MS_MAX ? e->backoff_ms * 2 : BACKOFF_MS_MAX;
	e->again = false;
	chain_over(e, false);
}

static void retry_due(struct loop_timer *timer)
{
	struct zk_election *e = CONTAINER_OF(timer, struct zk_election, retry_timer);
	CHECK_MAGIC(zk_election, e);
	zk_watch_refresh(e->watch);
}

/* --- giving the seat up ------------------------------------------------- */

static void given_up(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	expect(results != NULL && count == 1);
	/* Refused, it is no longer ours; out of reach, the session's end removes it. The epoch fences it in any case. */
	if (s != STATUS_OK)
		diag_warn("controller_resign", "status=%s", status_name(s));
	chain_over(e, true);
}

static void give_up(struct zk_election *e, int32_t epoch_zk_version)
{
	const struct zk_fence fence = {.path = ZK_SCHEMA_CONTROLLER_EPOCH, .version = epoch_zk_version};
	const struct zk_op op = {.kind = ZK_OP_DELETE, .path = ZK_SCHEMA_CONTROLLER, .version = ZK_ANY_VERSION};
	expect(e->busy);
	zk_request_fenced(e->requests, &fence, &op, 1, given_up, e);
}

/* --- taking it ---------------------------------------------------------- */

static void taken(void *arg, enum status s, const struct zk_op_result *results, size_t count)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	if (s == STATUS_EXISTS || s == STATUS_BAD_VERSION || s == STATUS_NOT_FOUND) {
		chain_over(e, true); /* another was first */
		return;
	}
	if (s != STATUS_OK) {
		chain_failed(e, "take_seat", s);
		return;
	}
	expect(count >= 2);
	int32_t version = results[count - 1].stat.version;
	if (e->aside) {
		give_up(e, version);
		return;
	}
	e->epoch_zk_version = version;
	e->elected = true;
	e->backoff_ms = BACKOFF_MS_MIN;
	e->busy = false;
	e->dead_id = -1;
	/* What was reported meanwhile was read before the seat was ours; its watch will tell. */
	e->again = false;
	diag_info("controller_elected", "controller_id=%d controller_epoch=%d epoch_zk_version=%d", e->broker_id,
		e->controller_epoch, version);
	e->events.elected(e->events.arg, e->controller_epoch, version);
}

static void take(struct zk_election *e, bool take_over, int32_t node_version)
{
	const struct zk_schema_controller payload = {.broker_id = e->broker_id,
		.timestamp_ms = clock_wall_ms(e->zk->scheduler->clock), .kraft_controller_epoch = -1};
	char *json = zk_schema_controller_encode(&payload);
	char *epoch = zk_schema_controller_epoch_encode(e->controller_epoch + 1);
	struct zk_op ops[3];
	size_t n = 0;
	if (take_over)
		ops[n++] = (struct zk_op){.kind = ZK_OP_DELETE, .path = ZK_SCHEMA_CONTROLLER, .version = node_version};
	ops[n++] = (struct zk_op){.kind = ZK_OP_CREATE, .path = ZK_SCHEMA_CONTROLLER, .data = slice_of_str(json),
		.flags = ZK_CREATE_EPHEMERAL};
	ops[n++] = (struct zk_op){.kind = ZK_OP_SET, .path = ZK_SCHEMA_CONTROLLER_EPOCH, .data = slice_of_str(epoch),
		.version = e->epoch_zk_version};
	e->controller_epoch++;
	zk_request_multi(e->requests, ops, n, taken, e);
	free(json);
	free(epoch);
}

static void seat_decode(struct seat *seat, bool present, struct slice data, const struct zk_stat *stat)
{
	struct zk_schema_controller c;
	struct failure f;
	*seat = (struct seat){.known = true, .present = present, .controller_id = -1};
	if (!present)
		return;
	seat->owner = stat->ephemeral_owner;
	seat->version = stat->version;
	if (zk_schema_controller_decode(data, &c, &f) != STATUS_OK) {
		diag_error("controller_node_unreadable", "cause=\"%s\" action=\"somebody has the seat; nobody contends for it\"",
			f.text);
		return;
	}
	seat->controller_id = c.broker_id;
	if (seat->owner == 0)
		diag_warn("controller_node_persistent", "controller_id=%d kraft_controller_epoch=%d action=\"%s\"", c.broker_id,
			c.kraft_controller_epoch,
			c.kraft_controller_epoch > 0 ? "finish or roll back the migration to KRaft" :
						       "delete the node if no controller lives");
}

/* The epoch was read first: if it is still the same when the multi comes, nobody was elected since, and the seat read now is
 * the one that is deleted. */
static void dead_seat_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	struct seat seat = {0};
	if (s == STATUS_OK)
		seat_decode(&seat, true, data, stat);
	if (e->aside || s != STATUS_OK || seat.owner == 0 || seat.controller_id != e->dead_id) {
		chain_over(e, true);
		return;
	}
	diag_info("controller_take_over", "dead_controller_id=%d", e->dead_id);
	take(e, true, seat.version);
}

static void read_epoch(struct zk_election *e);

static void epoch_made(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	expect(created_path == NULL || stat != NULL);
	if (s == STATUS_OK || s == STATUS_EXISTS)
		read_epoch(e);
	else
		chain_failed(e, "make_epoch", s);
}

static void epoch_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	struct failure f;
	int32_t epoch = 0;
	if (e->aside) {
		chain_over(e, false);
		return;
	}
	if (s == STATUS_NOT_FOUND) {
		zk_request_create(e->requests, ZK_SCHEMA_CONTROLLER_EPOCH, slice_of_str("0"), ZK_CREATE_PERSISTENT,
			epoch_made, e);
		return;
	}
	if (s != STATUS_OK) {
		chain_failed(e, "read_epoch", s);
		return;
	}
	/* Starting from a guessed epoch could undo the fence of a live controller. */
	s = zk_schema_controller_epoch_decode(data, &epoch, &f);
	if (s != STATUS_OK || epoch < 0 || epoch == INT32_MAX) {
		diag_error("controller_epoch_unreadable", "path=%s cause=\"%s\"", ZK_SCHEMA_CONTROLLER_EPOCH,
			s == STATUS_OK ? "out of range" : f.text);
		chain_failed(e, "read_epoch", STATUS_CORRUPT);
		return;
	}
	e->controller_epoch = epoch;
	e->epoch_zk_version = stat->version;
	if (e->dead_id >= 0)
		zk_request_get(e->requests, ZK_SCHEMA_CONTROLLER, dead_seat_read, e);
	else
		take(e, false, 0);
}

static void read_epoch(struct zk_election *e)
{
	expect(e->busy);
	zk_request_get(e->requests, ZK_SCHEMA_CONTROLLER_EPOCH, epoch_read, e);
}

/* --- decisions ---------------------------------------------------------- */

static void left_over_deleted(void *arg, enum status s)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	if (s == STATUS_OK || s == STATUS_NOT_FOUND || s == STATUS_BAD_VERSION)
		chain_over(e, true);
	else
		chain_failed(e, "delete_left_over", s);
}

static void decide_present(struct zk_election *e)
{
	const struct seat *seat = &e->seat;
	bool own = seat->owner != 0 && seat->owner == e->zk->session_id;
	if (own && e->elected) {
		tell_seen(e, e->broker_id);
		return;
	}
	tell_lost(e, "taken");
	/* Left by an attempt that was given up, or by our session before this one: we know that nobody acts on it. */
	bool left_over = own || (seat->owner != 0 && seat->owner == e->zk->previous_session_id);
	if (left_over && !e->busy && e->requests != NULL) {
		chain_begin(e);
		zk_request_delete(e->requests, ZK_SCHEMA_CONTROLLER, seat->version, left_over_deleted, e);
		return;
	}
	tell_seen(e, seat->controller_id);
}

static void decide(struct zk_election *e)
{
	if (!e->seat.known || e->requests == NULL)
		return;
	if (e->busy) {
		e->again = true;
		return;
	}
	if (e->seat.present) {
		decide_present(e);
		return;
	}
	tell_lost(e, "gone");
	tell_seen(e, -1);
	/* Those who were told may have resigned or ended the session. */
	if (e->aside || e->busy || e->requests == NULL)
		return;
	chain_begin(e);
	read_epoch(e);
}

static void seat_reported(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	struct zk_election *e = arg;
	CHECK_MAGIC(zk_election, e);
	seat_decode(&e->seat, present, data, stat);
	decide(e);
}

static void session_begins(struct zk_election *e)
{
	if (e->requests != NULL)
		return;
	e->requests = zk_requester_new(e->zk, DEADLINE_MS);
	if (e->watch != NULL)
		zk_watch_refresh(e->watch);
}

static void session_ends(struct zk_election *e)
{
	scheduler_timer_cancel(e->zk->scheduler, &e->retry_timer);
	if (e->requests != NULL)
		zk_requester_free(e->requests);
	e->requests = NULL;
	e->busy = false;
	e->again = false;
	e->dead_id = -1;
	e->seat.known = false;
	e->seen_told = false;
	tell_lost(e, "session_expired");
	tell_resigned(e);
}

static void state_changed(struct zk_listener *l, enum zk_state state)
{
	struct zk_election *e = CONTAINER_OF(l, struct zk_election, listener);
	CHECK_MAGIC(zk_election, e);
	if (state == ZK_STATE_CONNECTING || state == ZK_STATE_CONNECTED)
		session_begins(e);
	else
		session_ends(e);
}

/* --- public ------------------------------------------------------------- */

struct zk_election *zk_election_new(struct zk_client *zk, int32_t broker_id, const struct zk_election_events *events)
{
	expect(broker_id >= 0 && events->elected != NULL && events->lost != NULL);
	struct zk_election *e = check_calloc(1, sizeof(*e));
	e->magic = zk_election_magic;
	e->zk = zk;
	e->broker_id = broker_id;
	e->events = *events;
	e->backoff_ms = BACKOFF_MS_MIN;
	e->seen_id = -1;
	e->dead_id = -1;
	e->listener.state_changed = state_changed;
	loop_timer_init(&e->retry_timer, "zk_election_retry", retry_due);
	zk_client_add_listener(zk, &e->listener);
	if (has_session(e))
		session_begins(e);
	e->watch = zk_watch_node(zk, ZK_SCHEMA_CONTROLLER, seat_reported, e);
	return e;
}

void zk_election_free(struct zk_election *e)
{
	CHECK_MAGIC(zk_election, e);
	scheduler_timer_cancel(e->zk->scheduler, &e->retry_timer);
	zk_client_remove_listener(e->zk, &e->listener);
	if (e->requests != NULL)
		zk_requester_free(e->requests);
	zk_watch_free(e->watch);
	e->magic = 0;
	free(e);
}

void zk_election_resign(struct zk_election *e, void (*done)(void *arg), void *arg)
{
	CHECK_MAGIC(zk_election, e);
	expect_on_loop(e->zk->scheduler);
	expect(e->resigned == NULL);
	bool had_seat = e->elected;
	e->aside = true;
	e->resigned = done;
	e->resigned_arg = arg;
	tell_lost(e, "resigned");
	if (had_seat && !e->busy && e->requests != NULL) {
		chain_begin(e);
		give_up(e, e->epoch_zk_version);
	} else if (!e->busy) {
		tell_resigned(e);
	} /* else the chain under way ends by giving up what it takes */
}

void zk_election_rejoin(struct zk_election *e)
{
	CHECK_MAGIC(zk_election, e);
	e->aside = false;
	zk_watch_refresh(e->watch);
}

void zk_election_take_over(struct zk_election *e, int32_t dead_controller_id)
{
	CHECK_MAGIC(zk_election, e);
	const struct seat *seat = &e->seat;
	bool fits = seat->known && seat->present && seat->owner != 0 && seat->controller_id == dead_controller_id;
	if (!fits || e->aside || e->elected || e->busy || e->requests == NULL || dead_controller_id < 0)
		return;
	chain_begin(e);
	e->dead_id = dead_controller_id;
	read_epoch(e);
}

bool zk_election_is_elected(const struct zk_election *e)
{
	CHECK_MAGIC(zk_election, e);
	return e->elected;
}

int32_t zk_election_controller_id(const struct zk_election *e)
{
	return e->seen_id;
}

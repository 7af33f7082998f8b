#include "coordinator-client/zk_watch.h"
#include "coordinator-client/zk_path.h"
#include "base/diag.h"

enum { BACKOFF_MS_MIN = 50, BACKOFF_MS_MAX = 10000 };

struct zk_watch {
	unsigned magic;
	struct zk_client *zk;
	struct zk_watcher watcher;
	struct zk_listener listener; /* for a new session */
	struct loop_timer retry_timer;
	int32_t backoff_ms;
	bool children;
	bool reading; /* a request is under way */
	bool stale;   /* the watch fired, or the session went, since it was sent */
	bool freed;   /* its answer frees the watch */
	/* What was reported last. */
	bool reported, present;
	int64_t czxid, changed_zxid;
	zk_watch_node_fn node_changed;
	zk_watch_children_fn children_changed;
	void *arg;
	char path[];
};
MAGIC(zk_watch, 0x5a574348);

static void read_start(struct zk_watch *w);

static void gone(struct zk_watch *w)
{
	w->magic = 0;
	free(w);
}

static void retry_due(struct loop_timer *timer)
{
	struct zk_watch *w = CONTAINER_OF(timer, struct zk_watch, retry_timer);
	CHECK_MAGIC(zk_watch, w);
	read_start(w);
}

static void retry_later(struct zk_watch *w)
{
	scheduler_timer_arm(w->zk->scheduler, &w->retry_timer, (int64_t)w->backoff_ms * 1000);
	w->backoff_ms = w->backoff_ms * 2 < BACKOFF_MS_MAX ? w->backoff_ms * 2 : BACKOFF_MS_MAX;
}

static bool has_session(const struct zk_watch *w)
{
	return w->zk->state == ZK_STATE_CONNECTING || w->zk->state == ZK_STATE_CONNECTED;
}

static void read_again(struct zk_watch *w)
{
	w->stale = true;
	if (!w->reading && has_session(w))
		read_start(w); /* otherwise the new session's state starts it */
}

static void fired(struct zk_watcher *watcher, enum zk_event event, const char *path)
{
	struct zk_watch *w = CONTAINER_OF(watcher, struct zk_watch, watcher);
	CHECK_MAGIC(zk_watch, w);
	expect(event == ZK_EVENT_SESSION_LOST || strcmp(path, w->path) == 0);
	read_again(w);
}

static void state_changed(struct zk_listener *listener, enum zk_state state)
{
	struct zk_watch *w = CONTAINER_OF(listener, struct zk_watch, listener);
	CHECK_MAGIC(zk_watch, w);
	if (state == ZK_STATE_EXPIRED && w->reading)
		w->stale = true; /* what it armed is dead */
	else if (state == ZK_STATE_EXPIRED)
		scheduler_timer_cancel(w->zk->scheduler, &w->retry_timer);
	else if (state == ZK_STATE_CONNECTING && !w->reading && !w->retry_timer.armed && w->stale)
		read_start(w);
}

/* True: go on with the answer. Otherwise it was dealt with. */
static bool read_answered(struct zk_watch *w, enum status s)
{
	CHECK_MAGIC(zk_watch, w);
	expect(w->reading);
	w->reading = false;
	if (w->freed) {
		gone(w);
		return false;
	}
	if (s == STATUS_OK || s == STATUS_NOT_FOUND) {
		w->backoff_ms = BACKOFF_MS_MIN;
		return true;
	}
	w->stale = true;
	if (s == STATUS_SESSION_EXPIRED) {
		/* Reconnected while the answer was on its way: the state was told before. */
		if (has_session(w))
			read_start(w);
	} else if (s != STATUS_CANCELLED) {
		if (s != STATUS_CONNECTION_LOSS)
			diag_warn("zk_watch_read_failed", "path=%s status=%s", w->path, status_name(s));
		retry_later(w);
	}
	return false;
}

/* Is this news? Remembers it. */
static bool is_news(struct zk_watch *w, const struct zk_stat *stat)
{
	bool present = stat != NULL;
	int64_t czxid = present ? stat->czxid : 0;
	int64_t changed = !present ? 0 : w->children ? stat->pzxid : stat->mzxid;
	bool same = w->reported && w->present == present && w->czxid == czxid && w->changed_zxid == changed;
	w->reported = true;
	w->present = present;
	w->czxid = czxid;
	w->changed_zxid = changed;
	return !same;
}

static void node_exists(void *arg, enum status s, const struct zk_stat *stat)
{
	struct zk_watch *w = arg;
	if (!read_answered(w, s))
		return;
	if (w->stale || stat != NULL) { /* made meanwhile */
		read_start(w);
		return;
	}
	if (is_news(w, NULL)) {
		if (w->children)
			w->children_changed(w->arg, false, NULL, 0, NULL);
		else
			w->node_changed(w->arg, false, (struct slice){0}, NULL);
	}
}

/* Not there: watch for its creation. */
static void exists_start(struct zk_watch *w)
{
	w->reading = true;
	zk_exists(w->zk, w->path, &w->watcher, node_exists, w);
}

/* After a report the watch may be gone: so the next read is asked for before it, and the report is the last thing done. */
static void node_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct zk_watch *w = arg;
	if (!read_answered(w, s))
		return;
	if (w->stale) {
		read_start(w);
		if (s != STATUS_OK)
			return;
	} else if (s == STATUS_NOT_FOUND) {
		exists_start(w);
		return;
	}
	if (is_news(w, stat))
		w->node_changed(w->arg, true, data, stat);
}

static void children_read(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	struct zk_watch *w = arg;
	if (!read_answered(w, s))
		return;
	if (w->stale) {
		read_start(w);
		if (s != STATUS_OK)
			return;
	} else if (s == STATUS_NOT_FOUND) {
		exists_start(w);
		return;
	}
	if (is_news(w, stat))
		w->children_changed(w->arg, true, names, count, stat);
}

static void read_start(struct zk_watch *w)
{
	expect(!w->reading);
	w->reading = true;
	w->stale = false;
	scheduler_timer_cancel(w->zk->scheduler, &w->retry_timer);
	if (w->children)
		zk_children(w->zk, w->path, &w->watcher, children_read, w);
	else
		zk_get(w->zk, w->path, &w->watcher, node_read, w);
}

static struct zk_watch *watch_new(struct zk_client *zk, const char *path, void *arg)
{
	expect(zk_path_check(path) == STATUS_OK);
	size_t size = strlen(path) + 1;
	struct zk_watch *w = check_calloc(1, sizeof(*w) + size);
	w->magic = zk_watch_magic;
	w->zk = zk;
	w->watcher.fired = fired;
	w->listener.state_changed = state_changed;
	w->backoff_ms = BACKOFF_MS_MIN;
	w->arg = arg;
	memcpy(w->path, path, size);
	loop_timer_init(&w->retry_timer, "zk_watch_retry", retry_due);
	zk_client_add_listener(zk, &w->listener);
	return w;
}

struct zk_watch *zk_watch_node(struct zk_client *zk, const char *path, zk_watch_node_fn changed, void *arg)
{
	struct zk_watch *w = watch_new(zk, path, arg);
	w->node_changed = changed;
	read_start(w);
	return w;
}

struct zk_watch *zk_watch_children(struct zk_client *zk, const char *path, zk_watch_children_fn changed, void *arg)
{
	struct zk_watch *w = watch_new(zk, path, arg);
	w->children = true;
	w->children_changed = changed;
	read_start(w);
	return w;
}

void zk_watch_refresh(struct zk_watch *w)
{
	CHECK_MAGIC(zk_watch, w);
	w->reported = false;
	read_again(w);
}

void zk_watch_free(struct zk_watch *w)
{
	CHECK_MAGIC(zk_watch, w);
	expect(!w->freed);
	scheduler_timer_cancel(w->zk->scheduler, &w->retry_timer);
	zk_client_remove_listener(w->zk, &w->listener);
	zk_forget(w->zk, &w->watcher);
	w->freed = true;
	if (!w->reading)
		gone(w);
}

const char *zk_watch_path(const struct zk_watch *w)
{
	return w->path;
}

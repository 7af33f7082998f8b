#include "cluster/config_changes.h"
#include "base/diag.h"
#include "coordinator-client/zk_schema.h"
#include "coordinator-client/zk_watch.h"
#include <stdlib.h>

struct config_changes {
	unsigned magic;
	struct config_changes_options o;
	struct zk_watch *watch;
	struct zk_listener listener;
	char **seen; /* sorted: the change nodes of the last list */
	size_t seen_count;
	bool expired; /* a new session is due */
	size_t reads; /* under way */
	bool freed;   /* by its owner; waits for them */
};
MAGIC(config_changes, 0x43434847);

/* One change node being read. */
struct change_read {
	struct config_changes *changes;
	char path[ZK_PATH_MAX];
};

static void forget_seen(struct config_changes *c)
{
	for (size_t i = 0; i < c->seen_count; i++)
		free(c->seen[i]);
	free(c->seen);
	c->seen = NULL;
	c->seen_count = 0;
}

static void release(struct config_changes *c)
{
	forget_seen(c);
	c->magic = 0;
	free(c);
}

static void change_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct change_read *r = arg;
	struct config_changes *c = CAST(config_changes, r->changes);
	char *entity = NULL;
	struct failure f;
	expect(c->reads > 0);
	c->reads--;
	if (c->freed) {
		if (c->reads == 0)
			release(c);
	} else if (s == STATUS_OK && zk_schema_config_change_decode(r->path, data, &entity, &f) == STATUS_OK) {
		c->o.changed(c->o.arg, entity);
	} else if (s == STATUS_OK) {
		diag_warn("config_change_unreadable", "text=\"%s\"", f.text);
	} else if (s != STATUS_CANCELLED) {
		c->o.lost(c->o.arg); /* purged already, or the answer did not come: it may have meant anything */
	}
	free(entity);
	free(r);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool was_seen(const struct config_changes *c, const char *name)
{
	return c->seen_count > 0 && bsearch(&name, c->seen, c->seen_count, sizeof(*c->seen), compare_names) != NULL;
}

/* Answers come in the order of the requests: changes are told in their own order. */
static void read_change(struct config_changes *c, const char *name)
{
	struct change_read *r = check_calloc(1, sizeof(*r));
	r->changes = c;
	if (zk_schema_path_child(ZK_SCHEMA_CONFIG_CHANGES, name, r->path) != STATUS_OK) {
		free(r);
		return;
	}
	c->reads++;
	zk_get(c->o.zk, r->path, NULL, change_read, r);
}

static void listed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct config_changes *c = CAST(config_changes, arg);
	size_t n = present ? count : 0;
	char **now = check_calloc(n + 1, sizeof(*now));
	for (size_t i = 0; i < n; i++)
		now[i] = check_strdup(names[i]);
	if (n > 1)
		qsort(now, n, sizeof(*now), compare_names);
	for (size_t i = 0; i < n; i++)
		if (!was_seen(c, now[i]))
			read_change(c, now[i]);
	forget_seen(c);
	c->seen = now;
	c->seen_count = n;
}

static void state_changed(struct zk_listener *l, enum zk_state state)
{
	struct config_changes *c = CAST(config_changes, CONTAINER_OF(l, struct config_changes, listener));
	if (state == ZK_STATE_EXPIRED)
		c->expired = true;
	if (state != ZK_STATE_CONNECTED || !c->expired)
		return;
	c->expired = false;
	c->o.lost(c->o.arg);
}

struct config_changes *config_changes_new(const struct config_changes_options *o)
{
	expect(o->zk != NULL && o->changed != NULL && o->lost != NULL);
	struct config_changes *c = check_calloc(1, sizeof(*c));
	c->magic = config_changes_magic;
	c->o = *o;
	c->listener.state_changed = state_changed;
	zk_client_add_listener(o->zk, &c->listener);
	c->watch = zk_watch_children(o->zk, ZK_SCHEMA_CONFIG_CHANGES, listed, c);
	return c;
}

void config_changes_free(struct config_changes *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(config_changes, c);
	expect(!c->freed);
	zk_watch_free(c->watch);
	zk_client_remove_listener(c->o.zk, &c->listener);
	c->freed = true;
	if (c->reads == 0)
		release(c);
}

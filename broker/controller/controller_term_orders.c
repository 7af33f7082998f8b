/* What others ask of the controller through ZooKeeper: deletion markers, pending topics, configuration changes, events of
 * failed log directories, and the orders of old tools. */
#include "base/diag.h"
#include "controller/controller_term_internal.h"

enum { CHANGE_RETENTION_MS = 15 * 60 * 1000 };

/* A list has been seen for the first time. */
static void list_seen(struct controller_term *t, bool *listed)
{
	if (*listed)
		return;
	*listed = true;
	controller_term_loaded_one(t);
}

/* --- deletion markers ----------------------------------------------------- */

static void deletions_changed(void *arg, bool present, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_DELETIONS, .list = {names, present ? count : 0, 0}});
	list_seen(t, &t->deletions_listed);
}

/* --- pending topics ------------------------------------------------------- */

static void pending_free(struct controller_term *t, struct term_pending *p)
{
	HASH_DEL(t->pending, p);
	zk_watch_free(p->watch);
	zk_schema_pending_topic_fini(&p->wanted);
	free(p->name);
	free(p);
}

/* The present picture, once every one on the list has been read. */
static void tell_pending(struct controller_term *t)
{
	struct event_pending_topic *items = check_calloc(HASH_COUNT(t->pending) + 1, sizeof *items);
	size_t count = 0;
	bool whole = t->pending_listed;
	for (struct term_pending *p = t->pending; p != NULL; p = p->hh.next) {
		whole = whole && p->reported;
		if (p->present)
			items[count++] = (struct event_pending_topic){.name = p->name, .version = p->version, .wanted = &p->wanted};
	}
	if (whole)
		controller_term_decide(t, &(struct controller_event){.kind = EVENT_PENDING_TOPICS, .pending = {items, count}});
	free(items);
}

static void pending_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	struct term_pending *p = arg;
	struct controller_term *t = CAST(controller_term, p->term);
	char path[ZK_PATH_MAX];
	zk_schema_path_pending_topic(p->name, path);
	struct zk_schema_pending_topic wanted = {0};
	struct failure f;
	if (present && zk_schema_pending_topic_decode(path, data, &wanted, &f) != STATUS_OK) {
		diag_error("pending_topic_unreadable", "topic=%s reason=\"%s\"", p->name, f.text);
		present = false;
	}
	zk_schema_pending_topic_fini(&p->wanted);
	p->wanted = wanted;
	p->version = present ? stat->version : 0;
	p->present = present;
	bool first = !p->reported;
	p->reported = true;
	tell_pending(t);
	if (first && !t->started)
		controller_term_loaded_one(t);
}

static void pending_add(struct controller_term *t, const char *name)
{
	struct term_pending *p = NULL;
	HASH_FIND_STR(t->pending, name, p);
	if (p != NULL) {
		p->listed = true;
		return;
	}
	if (topic_name_check(slice_of_str(name)) != STATUS_OK)
		return;
	p = check_calloc(1, sizeof *p);
	*p = (struct term_pending){.term = t, .name = check_strdup(name), .listed = true};
	HASH_ADD_KEYPTR(hh, t->pending, p->name, strlen(p->name), p);
	if (!t->started)
		t->loading++;
	char path[ZK_PATH_MAX];
	zk_schema_path_pending_topic(name, path);
	p->watch = zk_watch_node(t->options.zk, path, pending_changed, p);
}

static void pending_listed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	struct term_pending *p, *next;
	size_t unread = 0;
	bool first = !t->pending_listed;
	t->pending_listed = true;
	for (p = t->pending; p != NULL; p = p->hh.next)
		p->listed = false;
	for (size_t i = 0; present && i < count; i++)
		pending_add(t, names[i]);
	HASH_ITER(hh, t->pending, p, next)
	{
		if (p->listed)
			continue;
		unread += !p->reported && !t->started;
		pending_free(t, p);
	}
	tell_pending(t);
	for (; unread > 0; unread--)
		controller_term_loaded_one(t);
	if (first)
		controller_term_loaded_one(t);
}

/* --- configuration changes ------------------------------------------------ */

static void config_reread(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct term_read *r = CAST(term_read, arg);
	struct zk_schema_config config = {0};
	struct failure f;
	if (s != STATUS_OK && s != STATUS_NOT_FOUND)
		controller_term_read_failed(r->term, s, r->path);
	else if (s == STATUS_OK && zk_schema_config_decode(r->path, data, &config, &f) != STATUS_OK)
		diag_error("topic_config_unreadable", "reason=\"%s\"", f.text);
	else
		controller_term_decide(r->term, &(struct controller_event){.kind = EVENT_CONFIG,
			.config = {r->tp.topic, &config}});
	zk_schema_config_fini(&config);
	controller_term_read_free(r);
}

/* The change carries no value: what stands in the entity's node now counts. Entities other than topics are the brokers'. */
static void change_apply(struct controller_term *t, const char *path, struct slice data)
{
	char *entity;
	struct failure f;
	if (zk_schema_config_change_decode(path, data, &entity, &f) != STATUS_OK) {
		diag_warn("config_change_unreadable", "reason=\"%s\"", f.text);
		return;
	}
	const char *topic = strncmp(entity, "topics/", 7) == 0 ? entity + 7 : "";
	struct topic_partition tp;
	if (topic_partition_set(&tp, slice_of_str(topic), 0) == STATUS_OK
		&& !controller_term_topic_config_changed(t, topic)) {
		char config_path[ZK_PATH_MAX];
		zk_schema_path_topic_config(topic, config_path);
		struct term_read *r = controller_term_read_new(t, config_path);
		r->tp = tp;
		zk_request_get(t->requester, config_path, config_reread, r);
	}
	free(entity);
}

static void purged(void *arg, enum status s)
{
	(void)CAST(controller_term, arg);
	(void)s; /* gone, or gone already; every broker of Kafka's purges too */
}

static void change_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct term_read *r = CAST(term_read, arg);
	struct controller_term *t = CAST(controller_term, r->term);
	if (s == STATUS_OK && r->number > 0)
		change_apply(t, r->path, data);
	else if (s != STATUS_OK && s != STATUS_NOT_FOUND)
		controller_term_read_failed(t, s, r->path);
	if (s == STATUS_OK && stat->ctime_ms < clock_wall_ms(t->scheduler->clock) - CHANGE_RETENTION_MS)
		zk_request_delete(t->requester, r->path, ZK_ANY_VERSION, purged, t);
	controller_term_read_free(r);
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* New ones are obeyed, in order; all are looked at for their age. What stood there before we came is in the configurations
 * that we read: those changes are only aged. */
static void changes_changed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	count = present ? count : 0;
	const char **sorted = check_calloc(count + 1, sizeof *sorted);
	for (size_t i = 0; i < count; i++)
		sorted[i] = names[i];
	if (count > 1)
		qsort(sorted, count, sizeof *sorted, compare_text);
	int64_t newest = t->last_change;
	for (size_t i = 0; i < count; i++) {
		int64_t sequence;
		char path[ZK_PATH_MAX];
		if (zk_schema_sequence_parse(sorted[i], "config_change_", &sequence) != STATUS_OK
			|| zk_schema_path_child(ZK_SCHEMA_CONFIG_CHANGES, sorted[i], path) != STATUS_OK)
			continue;
		struct term_read *r = controller_term_read_new(t, path);
		r->number = t->changes_listed && sequence > t->last_change;
		newest = sequence > newest ? sequence : newest;
		zk_request_get(t->requester, path, change_got, r);
	}
	t->last_change = newest;
	free(sorted);
	list_seen(t, &t->changes_listed);
}

/* --- legacy orders, log directories --------------------------------------- */

static void preferred_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	struct topic_partition *items = NULL;
	size_t count = 0;
	struct failure f;
	if (!present)
		return;
	if (zk_schema_partition_list_decode(ZK_SCHEMA_PREFERRED_ELECTION, data, &items, &count, &f) != STATUS_OK)
		diag_warn("preferred_election_unreadable", "reason=\"%s\"", f.text);
	diag_info("preferred_election", "partitions=%zu", count);
	/* Also when unreadable: handled once, then deleted, whatever the outcome. */
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_PREFERRED, .preferred = {items, count}});
	free(items);
}

static void reassign_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	(void)CAST(controller_term, arg);
	(void)data;
	(void)stat;
	if (present)
		diag_warn("reassignment_not_supported",
			"path=%s cause=\"moving replicas is not supported by this version; the order is left as it is\"",
			ZK_SCHEMA_REASSIGN_PARTITIONS);
}

static void log_dir_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct term_read *r = CAST(term_read, arg);
	struct controller_term *t = CAST(controller_term, r->term);
	int32_t broker;
	struct failure f;
	if (s == STATUS_OK && zk_schema_log_dir_event_decode(r->path, data, &broker, &f) != STATUS_OK) {
		diag_warn("log_dir_event_unreadable", "reason=\"%s\"", f.text);
	} else if (s == STATUS_OK) {
		/* Told its roles again, it refuses those whose directory is gone. */
		diag_warn("log_dir_failed", "broker=%d", broker);
		controller_term_decide(t, &(struct controller_event){.kind = EVENT_RESYNC, .resync_broker = broker});
	}
	if (s == STATUS_OK) {
		struct controller_write w = {.kind = WRITE_REMOVE, .op = ZK_OP_DELETE, .path = check_strdup(r->path),
			.version = ZK_ANY_VERSION, .partition = -1};
		controller_term_write(t, &w, 1);
	}
	controller_term_read_free(r);
}

static void log_dirs_changed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	for (size_t i = 0; present && i < count; i++) {
		char path[ZK_PATH_MAX];
		if (zk_schema_path_child(ZK_SCHEMA_LOG_DIR_EVENTS, names[i], path) == STATUS_OK)
			zk_request_get(t->requester, path, log_dir_got, controller_term_read_new(t, path));
	}
}

/* --- all ------------------------------------------------------------------ */

void controller_term_watch_orders(struct controller_term *t)
{
	struct zk_client *zk = t->options.zk;
	t->loading += 3;
	t->changes_watch = zk_watch_children(zk, ZK_SCHEMA_CONFIG_CHANGES, changes_changed, t);
	t->deletions_watch = zk_watch_children(zk, ZK_SCHEMA_DELETE_TOPICS, deletions_changed, t);
	t->pending_watch = zk_watch_children(zk, ZK_SCHEMA_PENDING_TOPICS, pending_listed, t);
	t->preferred_watch = zk_watch_node(zk, ZK_SCHEMA_PREFERRED_ELECTION, preferred_changed, t);
	t->reassign_watch = zk_watch_node(zk, ZK_SCHEMA_REASSIGN_PARTITIONS, reassign_changed, t);
	t->log_dirs_watch = zk_watch_children(zk, ZK_SCHEMA_LOG_DIR_EVENTS, log_dirs_changed, t);
}

void controller_term_free_orders(struct controller_term *t)
{
	struct term_pending *p, *next;
	HASH_ITER(hh, t->pending, p, next)
	{
		pending_free(t, p);
	}
	zk_watch_free(t->changes_watch);
	zk_watch_free(t->deletions_watch);
	zk_watch_free(t->pending_watch);
	zk_watch_free(t->preferred_watch);
	zk_watch_free(t->reassign_watch);
	zk_watch_free(t->log_dirs_watch);
}

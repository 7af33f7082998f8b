/* Topics that wait in /correio/pending_topics until enough brokers have joined. Placing one is a single atomic group:
 * configuration, topic, and the request gone; so it is either waiting or a topic, never both or neither. */
#include "base/diag.h"
#include "controller/controller_decide_internal.h"
#include "controller/controller_requests.h"
#include "coordinator-client/topic_admin.h"

static struct controller_pending_topic *find_pending(struct controller_state *s, const char *name)
{
	for (size_t i = 0; i < s->pending_count; i++) {
		if (strcmp(s->pending[i].name, name) == 0)
			return &s->pending[i];
	}
	return NULL;
}

static void copy_wanted(struct zk_schema_pending_topic *to, const struct zk_schema_pending_topic *from)
{
	*to = (struct zk_schema_pending_topic){.partitions = from->partitions,
		.replication_factor = from->replication_factor};
	for (size_t i = 0; i < from->config.entry_count; i++)
		zk_schema_config_put(&to->config, from->config.entries[i].key, from->config.entries[i].value);
}

void controller_decide_pending(struct controller_state *s, const struct event_pending_topic *items, size_t count)
{
	struct controller_pending_topic *now = check_calloc(count + 1, sizeof *now);
	for (size_t i = 0; i < count; i++) {
		struct controller_pending_topic *known = find_pending(s, items[i].name);
		if (known != NULL && (known->version == items[i].version || known->placing)) {
			now[i] = *known;
			*known = (struct controller_pending_topic){.name = check_strdup("")};
			continue;
		}
		now[i] = (struct controller_pending_topic){.name = check_strdup(items[i].name), .version = items[i].version};
		copy_wanted(&now[i].wanted, items[i].wanted);
	}
	/* One being placed is not listed any more if its write succeeded before the list was read; its answer is on its way. */
	size_t kept = count;
	for (size_t i = 0; i < s->pending_count; i++) {
		if (!s->pending[i].placing) {
			controller_state_pending_fini(&s->pending[i]);
			continue;
		}
		now = check_realloc(now, (kept + 2) * sizeof *now);
		now[kept++] = s->pending[i];
	}
	free(s->pending);
	s->pending = now;
	s->pending_count = kept;
}

/* --- placing -------------------------------------------------------------- */

static bool make_layout(struct controller_state *s, struct controller_pending_topic *p, const int32_t *ids, size_t count)
{
	size_t partitions = (size_t)p->wanted.partitions;
	struct partition_assignment *placed = check_calloc(partitions, sizeof *placed);
	int32_t start = (int32_t)random_below(&s->random, count);
	int32_t shift = (int32_t)random_below(&s->random, count);
	if (topic_assignment_place(ids, count, 0, p->wanted.partitions, p->wanted.replication_factor, start, shift, placed)
		!= STATUS_OK) {
		free(placed);
		return false;
	}
	zk_schema_topic_fini(&p->layout);
	p->layout = (struct zk_schema_topic){.version = 3,
		.partitions = check_calloc(partitions, sizeof *p->layout.partitions), .partition_count = partitions};
	random_uuid(&s->random, &p->layout.id);
	for (size_t i = 0; i < partitions; i++) {
		p->layout.partitions[i] = (struct zk_schema_partition){.partition = (int32_t)i,
			.replicas = placed[i].replicas, .replica_count = (size_t)placed[i].count};
	}
	free(placed);
	return true;
}

static void write_group(struct controller_pending_topic *p, char *topic_text, struct controller_decision *d)
{
	char path[ZK_PATH_MAX];
	uint32_t group = ++d->groups;
	zk_schema_path_topic_config(p->name, path);
	struct controller_write *w = controller_decision_add_write(d, WRITE_PLACE_CONFIG,
		p->config_exists ? ZK_OP_SET : ZK_OP_CREATE, path, zk_schema_config_encode(&p->wanted.config));
	w->group = group;
	controller_decision_name(w, p->name, -1);
	zk_schema_path_topic(p->name, path);
	w = controller_decision_add_write(d, WRITE_PLACE_TOPIC, ZK_OP_CREATE, path, topic_text);
	w->group = group;
	controller_decision_name(w, p->name, -1);
	zk_schema_path_pending_topic(p->name, path);
	w = controller_decision_add_write(d, WRITE_PLACE_DONE, ZK_OP_DELETE, path, NULL);
	w->group = group;
	w->version = p->version;
	controller_decision_name(w, p->name, -1);
}

static void place(struct controller_state *s, struct controller_pending_topic *p, const int32_t *ids, size_t count,
	struct controller_decision *d)
{
	if (!make_layout(s, p, ids, count))
		return;
	char *text = zk_schema_topic_encode(&p->layout), *config = zk_schema_config_encode(&p->wanted.config);
	size_t bytes = strlen(text) + strlen(config); /* both go in one multi */
	free(config);
	if (bytes > ZK_SCHEMA_NODE_MAX) {
		diag_error("pending_topic_too_large", "topic=%s bytes=%zu limit=%d hint=\"delete it, ask for fewer partitions\"",
			p->name, bytes, (int)ZK_SCHEMA_NODE_MAX);
		p->too_large = true;
		free(text);
		return;
	}
	p->placing = true;
	write_group(p, text, d);
}

static void drop_request(struct controller_pending_topic *p, struct controller_decision *d)
{
	char path[ZK_PATH_MAX];
	diag_warn("pending_topic_exists", "topic=%s", p->name);
	zk_schema_path_pending_topic(p->name, path);
	struct controller_write *w = controller_decision_add_write(d, WRITE_REMOVE, ZK_OP_DELETE, path, NULL);
	w->version = p->version;
	p->removing = true;
}

void controller_decide_pending_place(struct controller_state *s, struct controller_decision *d)
{
	if (s->pending_count == 0)
		return;
	size_t count = 0;
	int32_t *ids = controller_state_broker_ids(s, &count);
	for (size_t i = 0; i < s->pending_count; i++) {
		struct controller_pending_topic *p = &s->pending[i];
		if (p->placing || p->removing || p->retry || p->too_large)
			continue;
		if (controller_state_topic(s, p->name) != NULL)
			drop_request(p, d);
		else if (count >= (size_t)p->wanted.replication_factor)
			place(s, p, ids, count, d);
	}
	free(ids);
}

/* --- the answer ----------------------------------------------------------- */

static void placed(struct controller_state *s, struct controller_pending_topic *p, struct controller_decision *d)
{
	diag_info("pending_topic_placed", "topic=%s partitions=%zu", p->name, p->layout.partition_count);
	if (controller_state_topic(s, p->name) == NULL) {
		controller_decide_topic(s, p->name, &p->layout, 0, d);
		struct controller_topic *t = controller_state_topic(s, p->name);
		zk_schema_config_fini(&t->config);
		t->config = p->wanted.config;
		p->wanted.config = (struct zk_schema_config){0};
	}
	controller_state_pending_fini(p);
	*p = s->pending[--s->pending_count];
}

void controller_decide_pending_written(struct controller_state *s, const struct event_written *w,
	struct controller_decision *d)
{
	struct controller_pending_topic *p = find_pending(s, w->write->topic);
	if (p == NULL || !p->placing)
		return;
	/* Of the group's three answers the last decides; the first may say why it failed. */
	bool overwrite = w->write->kind == WRITE_PLACE_CONFIG && w->status == STATUS_EXISTS;
	p->config_exists |= overwrite;
	if (w->write->kind != WRITE_PLACE_DONE) {
		p->retry = w->status != STATUS_OK && w->status != STATUS_CANCELLED && !overwrite;
		return;
	}
	if (w->status == STATUS_OK) {
		placed(s, p, d);
		return;
	}
	/* Cancelled by its owner, or another topic stands there: the next picture tells, or the tick tries again. */
	p->placing = false;
	p->retry |= w->status != STATUS_CANCELLED;
}

void controller_decide_pending_tick(struct controller_state *s)
{
	for (size_t i = 0; i < s->pending_count; i++)
		s->pending[i].retry = false;
}

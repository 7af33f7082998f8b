#include "controller/controller_decide_internal.h"
#include "base/diag.h"
#include "controller/controller_requests.h"

/* --- brokers -------------------------------------------------------------- */

/* Every partition with a replica there is looked at again. */
static void touch_partitions(struct controller_state *s, int32_t broker_id, bool forget_failures)
{
	for (struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		for (size_t i = 0; i < t->partition_count; i++) {
			struct controller_partition *p = &t->partitions[i];
			for (size_t j = 0; j < p->replica_count; j++) {
				if (p->replicas[j].id != broker_id)
					continue;
				p->replicas[j].failed &= !forget_failures;
				controller_state_mark_dirty(s, t, i);
			}
		}
	}
}

static const struct event_broker *listed_broker(const struct controller_event *e, int32_t id)
{
	for (size_t i = 0; i < e->brokers.count; i++) {
		if (e->brokers.items[i].id == id)
			return &e->brokers.items[i];
	}
	return NULL;
}

static bool same_endpoints(const struct controller_broker *b, const struct zk_schema_broker *r)
{
	if (b->endpoint_count != r->endpoint_count || (b->rack == NULL) != (r->rack == NULL)
		|| (b->rack != NULL && r->rack != NULL && strcmp(b->rack, r->rack) != 0))
		return false;
	for (size_t i = 0; i < b->endpoint_count; i++) {
		const struct zk_schema_endpoint *x = &b->endpoints[i], *y = &r->endpoints[i];
		if (x->port != y->port || strcmp(x->host, y->host) != 0 || strcmp(x->listener, y->listener) != 0)
			return false;
	}
	return true;
}

static void broker_up(struct controller_state *s, const struct event_broker *now)
{
	struct controller_broker *b = controller_state_broker(s, now->id);
	if (b != NULL && b->epoch == now->epoch) {
		if (!same_endpoints(b, now->registration)) {
			controller_state_set_broker(s, now->id, now->epoch, now->registration);
			s->brokers_changed = true;
		}
		return;
	}
	diag_info(b == NULL ? "broker_up" : "broker_bounced", "broker=%d broker_epoch=%lld", now->id,
		(long long)now->epoch);
	controller_state_set_broker(s, now->id, now->epoch, now->registration);
	controller_state_broker(s, now->id)->needs_sync = true;
	s->brokers_changed = true;
	touch_partitions(s, now->id, true);
}

static void on_brokers(struct controller_state *s, const struct controller_event *e)
{
	struct controller_broker *b, *next;
	HASH_ITER(hh, s->brokers, b, next)
	{
		if (listed_broker(e, b->id) != NULL)
			continue;
		int32_t id = b->id;
		diag_info("broker_down", "broker=%d broker_epoch=%lld", id, (long long)b->epoch);
		controller_state_remove_broker(s, b);
		s->brokers_changed = true;
		touch_partitions(s, id, true);
	}
	for (size_t i = 0; i < e->brokers.count; i++)
		broker_up(s, &e->brokers.items[i]);
}

/* Does any decision that concerns this broker wait for ZooKeeper? */
static bool broker_is_unsettled(const struct controller_state *s, const struct controller_broker *b)
{
	for (const struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		for (size_t i = 0; t->deletion == DELETION_NONE && i < t->partition_count; i++) {
			const struct controller_partition *p = &t->partitions[i];
			if (p->move == NULL && !p->reading && !t->writing_node && !uuid_is_zero(&t->id))
				continue;
			for (size_t j = 0; j < p->replica_count; j++) {
				if (p->replicas[j].id == b->id)
					return true;
			}
		}
	}
	return false;
}

static void sync_brokers(struct controller_state *s, struct controller_decision *d)
{
	for (struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next) {
		if (!b->needs_sync || broker_is_unsettled(s, b))
			continue;
		controller_requests_sync(s, b, d);
		/* Cleared after the flush, which must leave it out: the picture just sent is newer. */
	}
}

static void synced_brokers(struct controller_state *s)
{
	for (struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next) {
		if (b->needs_sync && !broker_is_unsettled(s, b))
			b->needs_sync = false;
	}
}

/* --- topics --------------------------------------------------------------- */

static bool same_replicas(const struct controller_partition *p, const struct zk_schema_partition *from)
{
	if (p->replica_count != from->replica_count || p->adding_count != from->adding_count
		|| p->removing_count != from->removing_count)
		return false;
	for (size_t i = 0; i < p->replica_count; i++) {
		if (p->replicas[i].id != from->replicas[i])
			return false;
	}
	return true;
}

static void assign_id(struct controller_state *s, struct controller_topic *t, struct controller_decision *d)
{
	if (!uuid_is_zero(&t->id) || t->writing_node || t->deletion != DELETION_NONE || !s->started)
		return;
	struct zk_schema_topic layout;
	controller_state_topic_layout(t, &layout);
	random_uuid(&s->random, &layout.id);
	char path[ZK_PATH_MAX], text[UUID_TEXT_SIZE];
	uuid_format(&layout.id, text);
	diag_info("topic_id_assigned", "topic=%s topic_id=%s", t->name, text);
	zk_schema_path_topic(t->name, path);
	struct controller_write *w = controller_decision_add_write(d, WRITE_TOPIC_NODE, ZK_OP_SET, path,
		zk_schema_topic_encode(&layout));
	w->version = t->node_version;
	controller_decision_name(w, t->name, -1);
	t->writing_node = true;
	free(layout.partitions);
}

/* Partitions were added to a topic on its way out: its old assignment is written back. */
static void restore_layout(struct controller_topic *t, struct controller_decision *d)
{
	if (t->writing_node)
		return;
	struct zk_schema_topic layout;
	controller_state_topic_layout(t, &layout);
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(t->name, path);
	diag_warn("topic_is_being_deleted", "topic=%s change=refused", t->name);
	struct controller_write *w = controller_decision_add_write(d, WRITE_TOPIC_NODE, ZK_OP_SET, path,
		zk_schema_topic_encode(&layout));
	w->version = t->node_version;
	controller_decision_name(w, t->name, -1);
	t->writing_node = true;
	free(layout.partitions);
}

/* node is sorted by number, so is the result. A partition that a node no longer lists is kept: nothing is ever deleted
 * because it is missing somewhere. */
static void merge_partitions(struct controller_state *s, struct controller_topic *t, const struct zk_schema_topic *node)
{
	size_t room = t->partition_count + node->partition_count;
	struct controller_partition *merged = check_calloc(room + 1, sizeof *merged);
	size_t old = 0, count = 0;
	for (size_t i = 0; i < node->partition_count; i++) {
		const struct zk_schema_partition *from = &node->partitions[i];
		while (old < t->partition_count && t->partitions[old].number < from->partition)
			merged[count++] = t->partitions[old++];
		if (old < t->partition_count && t->partitions[old].number == from->partition) {
			merged[count++] = t->partitions[old++];
			continue;
		}
		merged[count] = (struct controller_partition){.number = from->partition, .leader = -1};
		partition_states_move(&merged[count].state, PARTITION_NEW);
		controller_state_set_replicas(&merged[count++], from);
	}
	while (old < t->partition_count)
		merged[count++] = t->partitions[old++];
	free(t->partitions);
	t->partitions = merged;
	t->partition_count = count;
	controller_state_reindex(s, t);
}

static void adopt_reassignments(struct controller_state *s, struct controller_topic *t, const struct zk_schema_topic *node)
{
	for (size_t i = 0; i < node->partition_count; i++) {
		struct controller_partition *p = controller_state_partition(t, node->partitions[i].partition);
		expect(p != NULL);
		if (same_replicas(p, &node->partitions[i]))
			continue;
		if (p->move != NULL) { /* it counts epochs by position */
			free(p->move->replica_epochs);
			p->move->replica_epochs = NULL;
		}
		diag_warn("assignment_changed", "topic=%s partition=%d replicas=%zu moved=no", t->name, p->number,
			node->partitions[i].replica_count);
		controller_state_set_replicas(p, &node->partitions[i]);
		controller_state_mark_dirty(s, t, (size_t)(p - t->partitions));
	}
}

void controller_decide_topic(struct controller_state *s, const char *name, const struct zk_schema_topic *node,
	int32_t version, struct controller_decision *d)
{
	struct controller_topic *t = controller_state_topic(s, name);
	bool is_new = t == NULL;
	if (t != NULL && version <= t->node_version && uuid_equal(&t->id, &node->id))
		return;
	if (t != NULL && !uuid_is_zero(&t->id) && !uuid_is_zero(&node->id) && !uuid_equal(&t->id, &node->id)) {
		diag_warn("topic_replaced", "topic=%s cause=znode_made_again_by_hand logs=kept", name);
		if (s->started)
			controller_requests_topic_gone(s, t, d);
		controller_state_remove_topic(s, t);
		is_new = true;
	}
	if (is_new)
		t = controller_state_add_topic(s, name);
	t->node_version = version;
	if (t->deletion != DELETION_NONE && node->partition_count > t->partition_count) {
		restore_layout(t, d);
		return;
	}
	if (!uuid_is_zero(&node->id))
		t->id = node->id;
	free(t->unknown);
	t->unknown = node->unknown == NULL ? NULL : check_strdup(node->unknown);
	merge_partitions(s, t, node);
	adopt_reassignments(s, t, node);
	controller_state_mark_topic_dirty(s, t);
	assign_id(s, t, d);
	if (is_new)
		controller_decide_deletion_known(s, t, d);
}

static void take_config(struct controller_topic *t, const struct zk_schema_config *from)
{
	zk_schema_config_fini(&t->config);
	for (size_t i = 0; i < from->entry_count; i++)
		zk_schema_config_put(&t->config, from->entries[i].key, from->entries[i].value);
}

static void on_topic(struct controller_state *s, const struct controller_event *e, struct controller_decision *d)
{
	struct controller_topic *t = controller_state_topic(s, e->topic.name);
	bool is_new = t == NULL || (!uuid_is_zero(&t->id) && !uuid_equal(&t->id, &e->topic.node->id));
	controller_decide_topic(s, e->topic.name, e->topic.node, e->topic.version, d);
	t = controller_state_topic(s, e->topic.name);
	if (is_new && e->topic.config != NULL)
		take_config(t, e->topic.config);
	for (size_t i = 0; e->topic.states != NULL && i < e->topic.node->partition_count; i++) {
		struct controller_partition *p = controller_state_partition(t, e->topic.node->partitions[i].partition);
		if (p == NULL || p->move != NULL || !e->topic.states[i].found)
			continue;
		controller_state_set_node(p, &e->topic.states[i].node, e->topic.states[i].version);
		t->directory_made = true;
		partition_states_move(&p->state, p->leader >= 0 ? PARTITION_ONLINE : PARTITION_OFFLINE);
	}
}

/* A topic node that vanished without our deleting it was removed by hand. Its logs are left alone. */
static void on_topic_list(struct controller_state *s, const struct controller_event *e, struct controller_decision *d)
{
	s->lists_seen++;
	for (size_t i = 0; i < e->list.count; i++) {
		struct controller_topic *listed = controller_state_topic(s, e->list.names[i]);
		if (listed != NULL)
			listed->listed = s->lists_seen;
	}
	struct controller_topic *t, *next;
	HASH_ITER(hh, s->topics, t, next)
	{
		if (t->deletion == DELETION_ERASING || t->listed == s->lists_seen)
			continue;
		diag_warn("topic_vanished", "topic=%s cause=znode_removed_by_hand logs=kept", t->name);
		if (s->started)
			controller_requests_topic_gone(s, t, d);
		controller_state_remove_topic(s, t);
	}
	controller_decide_orphans(s, e->list.names, e->list.count, e->list.number, d);
}

static void on_config(struct controller_state *s, const struct controller_event *e)
{
	struct controller_topic *t = controller_state_topic(s, e->config.topic);
	if (t == NULL || t->deletion != DELETION_NONE)
		return;
	take_config(t, e->config.config);
	diag_info("topic_config_changed", "topic=%s overrides=%zu", t->name, t->config.entry_count);
	controller_state_mark_topic_dirty(s, t); /* unclean elections may have become allowed */
}

/* --- answers -------------------------------------------------------------- */

static void topic_node_written(struct controller_state *s, const struct event_written *w)
{
	struct controller_topic *t = controller_state_topic(s, w->write->topic);
	if (t == NULL || !t->writing_node)
		return;
	t->writing_node = false;
	struct zk_schema_topic node;
	if (w->status != STATUS_OK || zk_schema_topic_decode(w->write->path, slice_of_str(w->write->data), &node, NULL) != STATUS_OK)
		return; /* changed by another meanwhile: its watch tells, or the next tick tries again */
	t->node_version = w->version;
	t->id = node.id;
	zk_schema_topic_fini(&node);
	controller_state_mark_topic_dirty(s, t);
}

static void on_written(struct controller_state *s, const struct controller_event *e, struct controller_decision *d)
{
	for (size_t i = 0; i < e->written.count; i++) {
		const struct event_written *w = &e->written.items[i];
		switch (w->write->kind) {
		case WRITE_STATE:
			controller_decide_state_written(s, w, d);
			break;
		case WRITE_TOPIC_NODE:
			topic_node_written(s, w);
			break;
		case WRITE_PLACE_CONFIG:
		case WRITE_PLACE_TOPIC:
		case WRITE_PLACE_DONE:
			controller_decide_pending_written(s, w, d);
			break;
		case WRITE_ERASE:
			controller_decide_erased(s, w);
			break;
		case WRITE_DIRECTORY:
		case WRITE_REMOVE:
			break; /* the state write behind it, or the next picture, tells */
		default:
			unreachable("a write of no kind");
		}
	}
}

/* Roles: a replica whose log directory is offline does not count as live until its broker starts again. */
static void roles_answered(struct controller_state *s, const struct controller_event *e, struct controller_broker *b)
{
	for (size_t i = 0; i < e->response.response->result_count; i++) {
		const struct control_partition_result *r = &e->response.response->results[i];
		struct controller_topic *t = controller_state_topic(s, r->tp.topic);
		struct controller_partition *p = t == NULL ? NULL : controller_state_partition(t, r->tp.partition);
		if (p == NULL || r->status == STATUS_OK || r->status == STATUS_STALE_CONTROLLER_EPOCH)
			continue;
		diag_warn("role_refused", "topic=%s partition=%d broker=%d status=%s", t->name, p->number, b->id,
			status_name(r->status));
		for (size_t j = 0; r->status == STATUS_KAFKA_STORAGE_ERROR && j < p->replica_count; j++) {
			if (p->replicas[j].id == b->id)
				p->replicas[j].failed = true;
		}
		controller_state_mark_dirty(s, t, (size_t)(p - t->partitions));
	}
}

static void on_response(struct controller_state *s, const struct controller_event *e)
{
	struct controller_broker *b = controller_state_broker(s, e->response.broker_id);
	const struct control_request *request = e->response.request;
	if (b == NULL)
		return;
	if (e->response.response->status != STATUS_OK)
		diag_warn("control_request_refused", "broker=%d kind=%d status=%s", b->id, (int)request->kind,
			status_name(e->response.response->status));
	if (request->kind == CONTROL_STOP_REPLICA)
		controller_decide_stopped(s, request, e->response.response, b);
	else if (request->kind == CONTROL_LEADER_AND_ISR && request->header.broker_epoch == b->epoch)
		roles_answered(s, e, b);
}

static void on_preferred(struct controller_state *s, const struct controller_event *e, struct controller_decision *d)
{
	for (size_t i = 0; i < e->preferred.count; i++) {
		struct controller_topic *t = controller_state_topic(s, e->preferred.items[i].topic);
		struct controller_partition *p =
			t == NULL ? NULL : controller_state_partition(t, e->preferred.items[i].partition);
		if (p == NULL || t->deletion != DELETION_NONE)
			continue;
		p->want_preferred = true;
		controller_state_mark_dirty(s, t, (size_t)(p - t->partitions));
	}
	(void)controller_decision_add_write(d, WRITE_REMOVE, ZK_OP_DELETE, ZK_SCHEMA_PREFERRED_ELECTION, NULL);
}

static void on_tick(struct controller_state *s, struct controller_decision *d)
{
	struct controller_topic *t, *next;
	HASH_ITER(hh, s->topics, t, next)
	{
		assign_id(s, t, d);
		for (size_t i = 0; t->deletion == DELETION_NONE && i < t->partition_count; i++) {
			if (t->partitions[i].state != PARTITION_ONLINE || t->partitions[i].retry)
				controller_state_mark_dirty(s, t, i);
			t->partitions[i].retry = false;
		}
	}
	controller_decide_deletion_tick(s);
	controller_decide_pending_tick(s);
}

static void on_start(struct controller_state *s, struct controller_decision *d)
{
	expect(!s->started);
	s->started = true;
	for (struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		assign_id(s, t, d);
		controller_state_mark_topic_dirty(s, t);
	}
	for (struct controller_broker *b = s->brokers; b != NULL; b = b->hh.next)
		b->needs_sync = true;
	s->brokers_changed = false;
}

/* --- deciding ------------------------------------------------------------- */

/* Follows every change to its end. Looking at a partition may make it dirty once more (its broker bounced), no further. */
static void settle(struct controller_state *s, struct controller_decision *d)
{
	for (size_t i = 0; i < s->dirty.count; i++) {
		struct controller_partition_ref ref = s->dirty.items[i];
		ref.topic->partitions[ref.index].dirty = false;
		controller_decide_partition(s, ref.topic, ref.index, d);
	}
	s->dirty.count = 0;
	controller_decide_deletion_steps(s, d);
	controller_decide_pending_place(s, d);
	sync_brokers(s, d);
	controller_requests_flush(s, d);
	synced_brokers(s);
}

void controller_decide(struct controller_state *s, const struct controller_event *e, struct controller_decision *d)
{
	switch (e->kind) {
	case EVENT_START:
		on_start(s, d);
		break;
	case EVENT_BROKERS:
		on_brokers(s, e);
		break;
	case EVENT_TOPIC:
		on_topic(s, e, d);
		break;
	case EVENT_TOPIC_LIST:
		on_topic_list(s, e, d);
		break;
	case EVENT_CONFIG:
		on_config(s, e);
		break;
	case EVENT_DELETIONS:
		controller_decide_deletions(s, e->list.names, e->list.count, d);
		break;
	case EVENT_PENDING_TOPICS:
		controller_decide_pending(s, e->pending.items, e->pending.count);
		break;
	case EVENT_STATE_READ:
		controller_decide_state_read(s, e->state_read.tp, e->state_read.state);
		break;
	case EVENT_WRITTEN:
		on_written(s, e, d);
		break;
	case EVENT_RESPONSE:
		on_response(s, e);
		break;
	case EVENT_PREFERRED:
		on_preferred(s, e, d);
		break;
	case EVENT_RESYNC:
		if (controller_state_broker(s, e->resync_broker) != NULL)
			controller_state_broker(s, e->resync_broker)->needs_sync = true;
		controller_decide_deletion_resync(s, e->resync_broker);
		break;
	case EVENT_TICK:
		on_tick(s, d);
		break;
	default:
		unreachable("an event of no kind");
	}
	if (s->started)
		settle(s, d);
}

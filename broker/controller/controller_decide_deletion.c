/* Deleting topics. Everything about it can be found again after a failover: the marker is the order, a leader of -1 is the
 * first step, an acknowledged StopReplica is repeated harmlessly, erased znodes stay erased.
 *
 *   marker appears -> STOPPING: brokers forget the topic; every partition's leader -1 (epoch + 1, ISR kept); each replica
 *                     deleted by its broker. A replica whose broker is down is waited for.
 *   all replicas acknowledged -> ERASING: state, folders, topic, configuration, marker, in this order.
 *   last one erased -> forgotten */
#include "base/diag.h"
#include "controller/controller_decide_internal.h"
#include "controller/controller_requests.h"

enum { STOP_FAILED = -1 }; /* in stop_sent_epoch: ask again at the next tick */

static void remove_marker(const char *name, struct controller_decision *d)
{
	char path[ZK_PATH_MAX];
	if (zk_schema_path_child(ZK_SCHEMA_DELETE_TOPICS, name, path) != STATUS_OK)
		return;
	(void)controller_decision_add_write(d, WRITE_REMOVE, ZK_OP_DELETE, path, NULL);
}

static void start_deletion(struct controller_state *s, struct controller_topic *t, struct controller_decision *d)
{
	if (!s->delete_topic_enable) {
		diag_warn("topic_deletion_refused", "topic=%s delete.topic.enable=false", t->name);
		remove_marker(t->name, d);
		return;
	}
	diag_info("topic_deletion_started", "topic=%s partitions=%zu", t->name, t->partition_count);
	t->deletion = DELETION_STOPPING;
	if (s->started)
		controller_requests_topic_gone(s, t, d);
}

/* --- markers -------------------------------------------------------------- */

static struct controller_orphan *find_orphan(struct controller_state *s, const char *name)
{
	for (size_t i = 0; i < s->orphan_count; i++) {
		if (strcmp(s->orphans[i].name, name) == 0)
			return &s->orphans[i];
	}
	return NULL;
}

static void forget_orphan(struct controller_state *s, struct controller_orphan *o)
{
	free(o->name);
	*o = s->orphans[--s->orphan_count];
}

static bool is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* A marker of a topic we do not know: either the topic is newer than our list, or it does not exist. A list asked for from
 * now on decides, because the topic was there before its marker. */
static void add_orphan(struct controller_state *s, const char *name, struct controller_decision *d)
{
	if (find_orphan(s, name) != NULL)
		return;
	if (d->list_topics == 0)
		d->list_topics = ++s->lists_asked;
	s->orphans = check_realloc(s->orphans, (s->orphan_count + 1) * sizeof *s->orphans);
	s->orphans[s->orphan_count++] = (struct controller_orphan){.name = check_strdup(name),
		.wanted_list = d->list_topics};
}

void controller_decide_deletions(struct controller_state *s, const char *const *names, size_t count,
	struct controller_decision *d)
{
	for (size_t i = 0; i < count; i++) {
		struct controller_topic *t = controller_state_topic(s, names[i]);
		if (t == NULL)
			add_orphan(s, names[i], d);
		else if (t->deletion == DELETION_NONE)
			start_deletion(s, t, d);
	}
	for (size_t i = s->orphan_count; i-- > 0;) {
		if (!is_listed(names, count, s->orphans[i].name))
			forget_orphan(s, &s->orphans[i]);
	}
}

void controller_decide_orphans(struct controller_state *s, const char *const *names, size_t count, int64_t number,
	struct controller_decision *d)
{
	for (size_t i = s->orphan_count; i-- > 0;) {
		struct controller_orphan *o = &s->orphans[i];
		if (number < o->wanted_list || is_listed(names, count, o->name))
			continue;
		diag_info("topic_deletion_of_unknown_topic", "topic=%s", o->name);
		remove_marker(o->name, d);
		forget_orphan(s, o);
	}
}

void controller_decide_deletion_known(struct controller_state *s, struct controller_topic *t,
	struct controller_decision *d)
{
	struct controller_orphan *o = find_orphan(s, t->name);
	if (o == NULL)
		return;
	forget_orphan(s, o);
	start_deletion(s, t, d);
}

/* --- stopping ------------------------------------------------------------- */

/* StopReplica requests under construction, for each broker as many as it takes. */
enum { STOPS_PER_REQUEST_MAX = 10000 }; /* of the longest topic names: below what a native header may hold */
struct stops {
	struct {
		int32_t broker_id;
		struct stop_replica_partition *items;
		size_t count, capacity;
	} *brokers;
	size_t count;
};

static void stops_add(struct stops *stops, int32_t broker_id, const char *topic, int32_t partition)
{
	size_t i = 0;
	while (i < stops->count
		&& (stops->brokers[i].broker_id != broker_id || stops->brokers[i].count == STOPS_PER_REQUEST_MAX))
		i++;
	if (i == stops->count) {
		stops->brokers = check_realloc(stops->brokers, (stops->count + 1) * sizeof *stops->brokers);
		memset(&stops->brokers[stops->count], 0, sizeof stops->brokers[0]);
		stops->brokers[stops->count++].broker_id = broker_id;
	}
	if (stops->brokers[i].count == stops->brokers[i].capacity) {
		stops->brokers[i].capacity = stops->brokers[i].capacity == 0 ? 16 : stops->brokers[i].capacity * 2;
		stops->brokers[i].items = check_realloc(stops->brokers[i].items,
			stops->brokers[i].capacity * sizeof *stops->brokers[i].items);
	}
	struct stop_replica_partition *p = &stops->brokers[i].items[stops->brokers[i].count++];
	*p = (struct stop_replica_partition){.leader_epoch = -2, .delete_log = true};
	enum status s = topic_partition_set(&p->tp, slice_of_str(topic), partition);
	expect(s == STATUS_OK);
}

static void stops_send(const struct controller_state *s, struct stops *stops, struct controller_decision *d)
{
	for (size_t i = 0; i < stops->count; i++) {
		const struct controller_broker *b = controller_state_broker(s, stops->brokers[i].broker_id);
		expect(b != NULL);
		struct control_request r = {.kind = CONTROL_STOP_REPLICA};
		r.stop_replica.partitions = stops->brokers[i].items;
		r.stop_replica.partition_count = stops->brokers[i].count;
		r.header = controller_requests_header(s, b);
		controller_decision_add_send(d, b->id, &r);
	}
	free(stops->brokers);
}

/* Asks what was not asked yet; returns how many replicas have not acknowledged. ret_down: of them, those of dead brokers. */
static size_t stop_replicas(struct controller_state *s, struct controller_topic *t, struct stops *stops, size_t *ret_down)
{
	size_t left = 0;
	*ret_down = 0;
	for (size_t i = 0; i < t->partition_count; i++) {
		struct controller_partition *p = &t->partitions[i];
		for (size_t j = 0; j < p->replica_count; j++) {
			struct controller_replica *r = &p->replicas[j];
			const struct controller_broker *b = controller_state_broker(s, r->id);
			if (r->stopped)
				continue;
			left++;
			*ret_down += b == NULL;
			if (b == NULL || r->stop_sent_epoch == STOP_FAILED || r->stop_sent_epoch == b->epoch)
				continue;
			r->stop_sent_epoch = b->epoch;
			stops_add(stops, r->id, t->name, p->number);
		}
	}
	return left;
}

static void add_erase(struct controller_topic *t, struct controller_decision *d, const char *path, uint32_t group)
{
	struct controller_write *w = controller_decision_add_write(d, WRITE_ERASE, ZK_OP_DELETE, path, NULL);
	w->group = group;
	controller_decision_name(w, t->name, -1);
	t->erasing++;
}

static void erase(struct controller_topic *t, struct controller_decision *d)
{
	char path[ZK_PATH_MAX];
	expect(t->erasing == 0);
	/* Topic, configuration and marker go together, so that a topic made anew under the name loses nothing of its own. One of
	 * them may be gone already, from an earlier attempt: then they go one by one. */
	uint32_t group = t->erase_failed ? 0 : ++d->groups;
	t->deletion = DELETION_ERASING;
	t->erase_failed = false;
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct controller_partition *p = &t->partitions[i];
		zk_schema_path_state(t->name, p->number, path);
		if (p->has_node)
			add_erase(t, d, path, 0);
		zk_schema_path_partition(t->name, p->number, path);
		add_erase(t, d, path, 0);
	}
	zk_schema_path_topic_partitions(t->name, path);
	add_erase(t, d, path, 0);
	zk_schema_path_topic(t->name, path);
	add_erase(t, d, path, group);
	zk_schema_path_topic_config(t->name, path);
	add_erase(t, d, path, group);
	zk_schema_path_delete_topic(t->name, path);
	add_erase(t, d, path, group);
}

static void stopping_step(struct controller_state *s, struct controller_topic *t, struct stops *stops,
	struct controller_decision *d)
{
	bool waiting = t->writing_node;
	for (size_t i = 0; i < t->partition_count; i++)
		waiting |= controller_decide_partition_out(s, t, i, d);
	if (waiting)
		return;
	size_t down;
	size_t left = stop_replicas(s, t, stops, &down);
	if (left == 0) {
		erase(t, d);
	} else if (down > 0 && !t->stuck_logged) {
		diag_info("topic_deletion_waits", "topic=%s replicas_on_dead_brokers=%zu", t->name, down);
		t->stuck_logged = true;
	}
}

void controller_decide_deletion_steps(struct controller_state *s, struct controller_decision *d)
{
	struct stops stops = {0};
	struct controller_topic *t, *next;
	HASH_ITER(hh, s->topics, t, next)
	{
		if (t->deletion == DELETION_STOPPING) {
			stopping_step(s, t, &stops, d);
		} else if (t->deletion == DELETION_ERASING && t->erasing == 0 && !t->erase_failed) {
			diag_info("topic_deleted", "topic=%s", t->name);
			controller_state_remove_topic(s, t);
		}
	}
	stops_send(s, &stops, d);
}

/* --- answers -------------------------------------------------------------- */

static struct controller_replica *find_replica(struct controller_state *s, const struct topic_partition *tp,
	int32_t broker_id)
{
	struct controller_topic *t = controller_state_topic(s, tp->topic);
	struct controller_partition *p = t == NULL ? NULL : controller_state_partition(t, tp->partition);
	for (size_t i = 0; p != NULL && t->deletion == DELETION_STOPPING && i < p->replica_count; i++) {
		if (p->replicas[i].id == broker_id)
			return &p->replicas[i];
	}
	return NULL;
}

void controller_decide_stopped(struct controller_state *s, const struct control_request *request,
	const struct control_response *response, struct controller_broker *b)
{
	const struct stop_replica_request *r = &request->stop_replica;
	if (request->header.broker_epoch != b->epoch)
		return; /* of an earlier life; it has been asked again, or will be */
	for (size_t i = 0; i < r->partition_count; i++) {
		struct controller_replica *replica = find_replica(s, &r->partitions[i].tp, b->id);
		if (replica != NULL && !replica->stopped && replica->stop_sent_epoch == b->epoch)
			replica->stop_sent_epoch = STOP_FAILED; /* unless the answer says otherwise */
	}
	for (size_t i = 0; response->status == STATUS_OK && i < response->result_count; i++) {
		const struct control_partition_result *result = &response->results[i];
		struct controller_replica *replica = find_replica(s, &result->tp, b->id);
		if (replica == NULL)
			continue;
		if (result->status == STATUS_OK || result->status == STATUS_UNKNOWN_TOPIC_OR_PARTITION)
			replica->stopped = true;
		else
			diag_warn("replica_deletion_failed", "topic=%s partition=%d broker=%d status=%s", result->tp.topic,
				result->tp.partition, b->id, status_name(result->status));
	}
}

void controller_decide_erased(struct controller_state *s, const struct event_written *w)
{
	struct controller_topic *t = controller_state_topic(s, w->write->topic);
	if (t == NULL || t->deletion != DELETION_ERASING)
		return;
	expect(t->erasing > 0);
	t->erasing--;
	if (w->status == STATUS_OK || (w->status == STATUS_NOT_FOUND && w->write->group == 0))
		return;
	t->erase_failed = true;
	if (w->write->group != 0)
		return; /* one by one at the next tick */
	diag_warn("topic_erase_failed", "topic=%s path=%s status=%s", t->name, w->write->path, status_name(w->status));
}

void controller_decide_deletion_tick(struct controller_state *s)
{
	for (struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		if (t->deletion == DELETION_ERASING && t->erasing == 0 && t->erase_failed)
			t->deletion = DELETION_STOPPING; /* nothing to stop any more: erases again */
		for (size_t i = 0; t->deletion == DELETION_STOPPING && i < t->partition_count; i++) {
			for (size_t j = 0; j < t->partitions[i].replica_count; j++) {
				if (t->partitions[i].replicas[j].stop_sent_epoch == STOP_FAILED)
					t->partitions[i].replicas[j].stop_sent_epoch = 0;
			}
		}
	}
}

void controller_decide_deletion_resync(struct controller_state *s, int32_t broker_id)
{
	for (struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		for (size_t i = 0; t->deletion == DELETION_STOPPING && i < t->partition_count; i++) {
			for (size_t j = 0; j < t->partitions[i].replica_count; j++) {
				if (t->partitions[i].replicas[j].id == broker_id)
					t->partitions[i].replicas[j].stop_sent_epoch = 0;
			}
		}
	}
}

/* One partition: what its situation calls for, the write under way, its answer. */
#include "base/diag.h"
#include "controller/controller_decide_internal.h"
#include "controller/leader_election.h"

/* --- the situation -------------------------------------------------------- */

/* The replicas as the election sees them. ret_bounced: a live broker has been down since it was last counted; it counts as
 * dead once, so that it is processed as down, then up. */
static size_t election_replicas(const struct controller_state *s, const struct controller_partition *p,
	struct election_replica out[LEADER_ELECTION_REPLICAS_MAX], bool *ret_bounced)
{
	expect(p->replica_count <= LEADER_ELECTION_REPLICAS_MAX);
	*ret_bounced = false;
	for (size_t i = 0; i < p->replica_count; i++) {
		const struct controller_replica *r = &p->replicas[i];
		const struct controller_broker *b = controller_state_broker(s, r->id);
		bool bounced = b != NULL && r->epoch != 0 && r->epoch != b->epoch;
		out[i] = (struct election_replica){.id = r->id, .live = b != NULL && !r->failed && !bounced};
		*ret_bounced |= bounced;
	}
	return p->replica_count;
}

static int64_t present_epoch(const struct controller_state *s, const struct controller_replica *r)
{
	const struct controller_broker *b = controller_state_broker(s, r->id);
	return b == NULL ? 0 : b->epoch;
}

static void count_replicas(const struct controller_state *s, struct controller_partition *p)
{
	for (size_t i = 0; i < p->replica_count; i++)
		p->replicas[i].epoch = present_epoch(s, &p->replicas[i]);
}

/* A partition without node stays new until a replica is live. */
static void settle_state(struct controller_partition *p)
{
	if (p->has_node)
		partition_states_move(&p->state, p->leader >= 0 ? PARTITION_ONLINE : PARTITION_OFFLINE);
}

/* --- the write ------------------------------------------------------------ */

static void add_directory(struct controller_decision *d, const char *topic, int32_t partition, const char *path)
{
	struct controller_write *w = controller_decision_add_write(d, WRITE_DIRECTORY, ZK_OP_CREATE, path, NULL);
	controller_decision_name(w, topic, partition);
}

static void make_directories(struct controller_topic *t, struct controller_partition *p, struct controller_decision *d)
{
	char path[ZK_PATH_MAX];
	if (!t->directory_made) {
		zk_schema_path_topic_partitions(t->name, path);
		add_directory(d, t->name, -1, path);
		t->directory_made = true;
	}
	if (!p->directory_made) {
		zk_schema_path_partition(t->name, p->number, path);
		add_directory(d, t->name, p->number, path);
		p->directory_made = true;
	}
}

/* A new partition starts at leader epoch 0. One whose node was taken away under us goes on above what was ever told. */
static int32_t next_leader_epoch(const struct controller_partition *p)
{
	if (!p->has_node && !p->told)
		return 0;
	expect(p->leader_epoch < INT32_MAX);
	return p->leader_epoch + 1;
}

static void start_move(struct controller_state *s, struct controller_topic *t, struct controller_partition *p,
	const struct election_result *e, struct controller_decision *d)
{
	expect(p->move == NULL && e->changed);
	struct controller_move *m = check_calloc(1, sizeof *m);
	*m = (struct controller_move){.create = !p->has_node, .unclean = e->unclean, .leader = e->leader,
		.leader_epoch = next_leader_epoch(p), .isr = check_alloc(e->isr_count * sizeof(int32_t) + 1),
		.isr_count = e->isr_count, .replica_epochs = check_calloc(p->replica_count + 1, sizeof(int64_t))};
	memcpy(m->isr, e->isr, e->isr_count * sizeof(int32_t));
	for (size_t i = 0; i < p->replica_count; i++)
		m->replica_epochs[i] = present_epoch(s, &p->replicas[i]);
	p->move = m;
	if (m->create)
		make_directories(t, p, d);
	struct zk_schema_state node = {.leader = m->leader, .leader_epoch = m->leader_epoch,
		.controller_epoch = s->controller_epoch, .isr = m->isr, .isr_count = m->isr_count,
		.leader_recovery_state = m->unclean ? 1 : p->leader_recovery_state, .unknown = p->unknown};
	char path[ZK_PATH_MAX];
	zk_schema_path_state(t->name, p->number, path);
	struct controller_write *w = controller_decision_add_write(d, WRITE_STATE, m->create ? ZK_OP_CREATE : ZK_OP_SET, path,
		zk_schema_state_encode(&node));
	w->version = p->partition_epoch;
	controller_decision_name(w, t->name, p->number);
}

static bool is_busy(const struct controller_topic *t, const struct controller_partition *p)
{
	return p->move != NULL || p->reading || uuid_is_zero(&t->id);
}

void controller_decide_partition(struct controller_state *s, struct controller_topic *t, size_t index,
	struct controller_decision *d)
{
	struct controller_partition *p = &t->partitions[index];
	if (is_busy(t, p) || t->deletion != DELETION_NONE)
		return;
	struct election_replica replicas[LEADER_ELECTION_REPLICAS_MAX];
	bool bounced;
	struct election_input in = {.assignment = replicas,
		.assignment_count = election_replicas(s, p, replicas, &bounced), .leader = p->leader, .isr = p->isr,
		.isr_count = p->isr_count, .unclean_allowed = controller_state_unclean_allowed(s, t)};
	/* A partition whose node was taken away under us has an ISR still: its data is not up for anyone to lead. */
	struct election_result e = p->isr_count > 0 ? leader_election_offline(&in) : leader_election_new(&in);
	if (!e.changed && p->want_preferred && p->has_node)
		e = leader_election_preferred(&in);
	p->want_preferred = false;
	if (e.changed) {
		start_move(s, t, p, &e, d);
		return;
	}
	count_replicas(s, p);
	settle_state(p);
	if (bounced) /* it has been down; now it is up */
		controller_state_mark_dirty(s, t, index);
}

bool controller_decide_partition_out(struct controller_state *s, struct controller_topic *t, size_t index,
	struct controller_decision *d)
{
	struct controller_partition *p = &t->partitions[index];
	expect(t->deletion == DELETION_STOPPING);
	if (p->move != NULL || p->reading)
		return true;
	struct election_input in = {.leader = p->leader, .isr = p->isr, .isr_count = p->isr_count};
	struct election_result e = leader_election_none(&in);
	if (!e.changed)
		return false;
	start_move(s, t, p, &e, d);
	return true;
}

/* --- the answer ----------------------------------------------------------- */

static void apply_move(struct controller_state *s, struct controller_topic *t, size_t index, int32_t version)
{
	struct controller_partition *p = &t->partitions[index];
	struct controller_move *m = p->move;
	for (size_t i = 0; m->replica_epochs != NULL && i < p->replica_count; i++)
		p->replicas[i].epoch = m->replica_epochs[i];
	free(p->isr);
	p->isr = m->isr;
	p->isr_count = m->isr_count;
	m->isr = NULL;
	p->has_node = true;
	p->leader = m->leader;
	p->leader_epoch = m->leader_epoch;
	p->controller_epoch = s->controller_epoch;
	p->partition_epoch = version;
	if (m->unclean)
		p->leader_recovery_state = 1;
	if (m->unclean)
		diag_warn("unclean_election", "topic=%s partition=%d leader=%d leader_epoch=%d", t->name, p->number, p->leader,
			p->leader_epoch);
	controller_state_clear_move(p);
	settle_state(p);
	controller_state_mark_changed(s, t, index);
	controller_state_mark_dirty(s, t, index);
}

void controller_decide_state_written(struct controller_state *s, const struct event_written *w,
	struct controller_decision *d)
{
	struct controller_topic *t = controller_state_topic(s, w->write->topic);
	struct controller_partition *p = t == NULL ? NULL : controller_state_partition(t, w->write->partition);
	if (p == NULL || p->move == NULL)
		return; /* the topic went away meanwhile */
	size_t index = (size_t)(p - t->partitions);
	switch ((int)w->status) {
	case STATUS_OK:
		apply_move(s, t, index, w->version);
		return;
	case STATUS_EXISTS:
	case STATUS_BAD_VERSION: /* another writer, or our own first attempt whose answer was lost: see what stands there */
	case STATUS_NOT_FOUND:
		controller_state_clear_move(p);
		t->directory_made = t->directory_made && w->status != STATUS_NOT_FOUND;
		p->directory_made = p->directory_made && w->status != STATUS_NOT_FOUND;
		p->reading = true;
		controller_decision_add_read(d, t->name, p->number);
		return;
	default:
		diag_error("state_write_failed", "topic=%s partition=%d path=%s status=%s", t->name, p->number, w->write->path,
			status_name(w->status));
		controller_state_clear_move(p);
		p->retry = true;
		return;
	}
}

void controller_decide_state_read(struct controller_state *s, const struct topic_partition *tp,
	const struct event_state *state)
{
	struct controller_topic *t = controller_state_topic(s, tp->topic);
	struct controller_partition *p = t == NULL ? NULL : controller_state_partition(t, tp->partition);
	if (p == NULL || !p->reading)
		return;
	p->reading = false;
	size_t index = (size_t)(p - t->partitions);
	if (state->found) {
		bool told = p->told; /* what stands there may be our own first attempt: nobody has heard of it */
		controller_state_set_node(p, &state->node, state->version);
		p->told = told;
		settle_state(p);
		controller_state_mark_changed(s, t, index);
		controller_state_mark_dirty(s, t, index);
		return;
	}
	/* Gone, or never there. Not before the next tick: a topic being removed by hand would keep us busy. */
	p->has_node = false;
	p->leader = -1;
	if (p->state == PARTITION_ONLINE)
		partition_states_move(&p->state, PARTITION_OFFLINE);
}

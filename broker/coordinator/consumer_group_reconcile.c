/* A member on its way to its target assignment: first it gives up, then it gets what nobody owns any more. Kafka:
 * CurrentAssignmentBuilder. */
#include "coordinator/consumer_group_internal.h"

/* What a member is to have next. */
struct next {
	struct partition_set assigned, revoking;
	bool unreleased; /* others still own some of its target */
};

static void next_fini(struct next *n)
{
	partition_set_fini(&n->assigned);
	partition_set_fini(&n->revoking);
}

/* Adds what of the target is free. */
static void add_free(struct consumer_group *g, struct consumer_group_member *m, struct next *n)
{
	struct partition_set wanted = {0};
	partition_set_subtract(&m->target, &n->assigned, &wanted);
	for (size_t i = 0; i < wanted.count; i++) {
		const struct partition_of_topic *p = &wanted.items[i];
		struct consumer_group_member *owner = consumer_group_member_owner(g, p);
		if (owner != NULL && owner != m) {
			n->unreleased = true;
			continue;
		}
		partition_set_append(&n->assigned, &p->topic_id, p->partition);
	}
	partition_set_sort(&n->assigned);
	partition_set_fini(&wanted);
}

static void move_to(struct consumer_group *g, struct consumer_group_member *m, struct next *n, enum consumer_member_state state,
	int32_t epoch)
{
	bool same = m->state == state && m->epoch == epoch && partition_set_equal(&m->assigned, &n->assigned) &&
		partition_set_equal(&m->revoking, &n->revoking);
	if (same)
		return;
	m->state = state;
	if (m->epoch != epoch) {
		m->previous_epoch = m->epoch;
		m->epoch = epoch;
	}
	consumer_group_member_set_current(g, m, &n->assigned, &n->revoking);
	m->dirty |= CONSUMER_DIRTY_CURRENT;
}

static void begin_revocation(struct consumer_group *g, struct consumer_group_member *m, struct next *n, int64_t now_ms)
{
	move_to(g, m, n, CONSUMER_MEMBER_UNREVOKED, m->epoch);
	m->rebalance_deadline_ms = now_ms + m->rebalance_timeout_ms;
	consumer_group_deadline(g, m->rebalance_deadline_ms);
}

static void compute_next(struct consumer_group *g, struct consumer_group_member *m, const struct partition_set *owned, int64_t now_ms)
{
	struct next n = {0};
	partition_set_intersect(&m->assigned, &m->target, &n.assigned);
	partition_set_subtract(&m->assigned, &n.assigned, &n.revoking);
	if (n.revoking.count > 0 && (owned == NULL || partition_set_overlap(owned, &n.revoking))) {
		begin_revocation(g, m, &n, now_ms);
	} else {
		partition_set_clear(&n.revoking);
		add_free(g, m, &n);
		move_to(g, m, &n, n.unreleased ? CONSUMER_MEMBER_UNRELEASED : CONSUMER_MEMBER_STABLE, g->assignment_epoch);
		m->rebalance_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	}
	next_fini(&n);
}

void consumer_group_reconcile(struct consumer_group *g, struct consumer_group_member *m, const struct partition_set *owned,
	int64_t now_ms)
{
	if (consumer_group_member_is_reconciled(g, m))
		return;
	bool keeps_back = owned == NULL || partition_set_overlap(owned, &m->revoking);
	if (m->state == CONSUMER_MEMBER_UNREVOKED && m->revoking.count > 0 && keeps_back)
		return;
	compute_next(g, m, owned, now_ms);
}

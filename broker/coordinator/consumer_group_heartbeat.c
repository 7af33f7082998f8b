/* ConsumerGroupHeartbeat: who joins, stays, comes back, leaves. */
#include "coordinator/consumer_group_internal.h"

/* --- is it a request at all? -------------------------------------------------------------------------------------------- */

static bool is_empty(const char *text)
{
	return text != NULL && text[0] == '\0';
}

static bool is_leaving(const struct consumer_group_heartbeat *h)
{
	return h->member_epoch == CONSUMER_GROUP_LEAVE_EPOCH || h->member_epoch == CONSUMER_GROUP_STATIC_LEAVE_EPOCH;
}

static bool add_size(const char *text, size_t *total)
{
	size_t n = text == NULL ? 0 : strlen(text);
	*total += n;
	return n <= CONSUMER_GROUP_NAME_BYTES_MAX;
}

static enum status check_size(const struct consumer_group_heartbeat *h, struct failure *f)
{
	size_t total = 0;
	bool fits = add_size(h->member_id, &total) && add_size(h->instance_id, &total) && add_size(h->rack_id, &total) &&
		add_size(h->client_id, &total) && add_size(h->client_host, &total) && add_size(h->topic_regex, &total) &&
		add_size(h->server_assignor, &total);
	for (size_t i = 0; fits && i < h->topic_name_count; i++)
		fits = add_size(h->topic_names[i], &total);
	if (!fits || total > CONSUMER_GROUP_MEMBER_BYTES_MAX)
		return failure_set(f, STATUS_INVALID_REQUEST, "The member's names are longer than %d bytes in all or %d each.",
			CONSUMER_GROUP_MEMBER_BYTES_MAX, CONSUMER_GROUP_NAME_BYTES_MAX);
	if (h->topic_regex != NULL && strlen(h->topic_regex) > CONSUMER_GROUP_REGEX_BYTES_MAX)
		return failure_set(f, STATUS_INVALID_REGULAR_EXPRESSION, "SubscribedTopicRegex is longer than %d bytes.",
			CONSUMER_GROUP_REGEX_BYTES_MAX);
	return STATUS_OK;
}

static enum status check_joining(const struct consumer_group_heartbeat *h, struct failure *f)
{
	bool names = h->topic_names != NULL && (h->member_generates_id || h->topic_name_count > 0);
	bool regex = h->topic_regex != NULL && h->topic_regex[0] != '\0';
	if (h->rebalance_timeout_ms == -1)
		return failure_set(f, STATUS_INVALID_REQUEST, "RebalanceTimeoutMs must be provided in first request.");
	if (h->owned == NULL || h->owned->count > 0)
		return failure_set(f, STATUS_INVALID_REQUEST, "TopicPartitions must be empty when (re-)joining.");
	if (!names && !regex)
		return failure_set(f, STATUS_INVALID_REQUEST,
			"Either SubscribedTopicNames or SubscribedTopicRegex must be set when (re-)joining.");
	return STATUS_OK;
}

static enum status check_assignor(const struct consumer_group *g, const struct consumer_group_heartbeat *h, struct failure *f)
{
	const struct consumer_group_settings *s = g->owner.settings;
	enum consumer_assignor a;
	if (h->server_assignor == NULL)
		return STATUS_OK;
	if (consumer_assignor_find(h->server_assignor, &a))
		for (size_t i = 0; i < s->assignor_count; i++)
			if (s->assignors[i] == a)
				return STATUS_OK;
	return failure_set(f, STATUS_UNSUPPORTED_ASSIGNOR,
		"ServerAssignor %.100s is not supported: use one of group.consumer.assignors.", h->server_assignor);
}

static enum status check_request(const struct consumer_group *g, const struct consumer_group_heartbeat *h, struct failure *f)
{
	if (is_empty(h->instance_id))
		return failure_set(f, STATUS_INVALID_REQUEST, "InstanceId can't be empty.");
	if (is_empty(h->rack_id))
		return failure_set(f, STATUS_INVALID_REQUEST, "RackId can't be empty.");
	if (is_empty(h->member_id) && (h->member_epoch != 0 || h->member_generates_id))
		return failure_set(f, STATUS_INVALID_REQUEST, "MemberId can't be empty.");
	if (h->member_epoch == CONSUMER_GROUP_STATIC_LEAVE_EPOCH && h->instance_id == NULL)
		return failure_set(f, STATUS_INVALID_REQUEST, "InstanceId can't be null.");
	if (h->member_epoch < CONSUMER_GROUP_STATIC_LEAVE_EPOCH)
		return failure_set(f, STATUS_INVALID_REQUEST, "MemberEpoch is invalid.");
	if (h->rebalance_timeout_ms < -1)
		return failure_set(f, STATUS_INVALID_REQUEST, "RebalanceTimeoutMs is invalid.");
	TRY(check_size(h, f));
	if (h->member_epoch == 0)
		TRY(check_joining(h, f));
	return check_assignor(g, h, f);
}

/* --- who is it? ----------------------------------------------------------------------------------------------------------- */

static enum status unknown_member(const char *id, struct failure *f)
{
	return failure_set(f, STATUS_UNKNOWN_MEMBER_ID, "Member %.100s is not a member of the group.", id);
}

static enum status fenced_instance(const struct consumer_group_member *m, const struct consumer_group_heartbeat *h, struct failure *f)
{
	return failure_set(f, STATUS_FENCED_INSTANCE_ID, "Static member %.100s with instance id %.100s was fenced by member %.100s.",
		h->member_id, h->instance_id, m->id);
}

/* A member that names the epoch before its last is taken when it owns nothing it may not: the answer with the new one was lost. */
static enum status check_epoch(const struct consumer_group_member *m, const struct consumer_group_heartbeat *h, struct failure *f)
{
	bool lost_answer = h->member_epoch == m->previous_epoch && h->owned != NULL && partition_set_within(h->owned, &m->assigned);
	if (m->state == CONSUMER_MEMBER_UNKNOWN)
		return failure_set(f, STATUS_FENCED_MEMBER_EPOCH,
			"The consumer group member is in an unknown state. The member must abandon all its partitions and rejoin.");
	if (h->member_epoch == m->epoch || (h->member_epoch < m->epoch && lost_answer))
		return STATUS_OK;
	return failure_set(f, STATUS_FENCED_MEMBER_EPOCH,
		"The consumer group member has a %s member epoch (%d) than the one known by the group coordinator (%d). The member must "
		"abandon all its partitions and rejoin.",
		h->member_epoch > m->epoch ? "greater" : "smaller", h->member_epoch, m->epoch);
}

/* The member that a heartbeat, or a leave, of a member already in the group is about. */
static enum status find_known(const struct consumer_group *g, const struct consumer_group_heartbeat *h,
	struct consumer_group_member **ret_member, struct failure *f)
{
	struct consumer_group_member *m;
	if (h->instance_id == NULL) {
		m = consumer_group_member_find(g, h->member_id);
		if (m == NULL)
			return unknown_member(h->member_id, f);
	} else {
		m = consumer_group_member_find_instance(g, h->instance_id);
		if (m == NULL)
			return failure_set(f, STATUS_UNKNOWN_MEMBER_ID, "Instance id %.100s is unknown.", h->instance_id);
		if (strcmp(m->id, h->member_id) != 0)
			return fenced_instance(m, h, f);
	}
	*ret_member = m;
	return STATUS_OK;
}

/* --- joining -------------------------------------------------------------------------------------------------------------- */

/* What a join finds in the group. */
struct arrival {
	struct consumer_group_member *same;     /* the member itself, joining again; NULL */
	struct consumer_group_member *replaced; /* the static member it comes back as, under another id; NULL */
};

static enum status look_up_arrival(const struct consumer_group *g, const struct consumer_group_heartbeat *h,
	struct arrival *ret_arrival, struct failure *f)
{
	struct arrival a = {.same = h->member_id[0] == '\0' ? NULL : consumer_group_member_find(g, h->member_id)};
	struct consumer_group_member *holder =
		h->instance_id == NULL ? NULL : consumer_group_member_find_instance(g, h->instance_id);
	if (holder != NULL && holder != a.same) {
		if (holder->epoch != CONSUMER_GROUP_STATIC_LEAVE_EPOCH || a.same != NULL)
			return failure_set(f, STATUS_UNRELEASED_INSTANCE_ID,
				"Static member %.100s with instance id %.100s cannot join the group because the instance id is owned by "
				"%.100s member.",
				h->member_id, h->instance_id, holder->id);
		a.replaced = holder;
	}
	int32_t most = g->owner.settings->size_max;
	if (a.same == NULL && a.replaced == NULL && HASH_COUNT(g->members) >= (size_t)most)
		return failure_set(f, STATUS_GROUP_MAX_SIZE_REACHED,
			"The consumer group has reached its maximum capacity of %d members.", most);
	*ret_arrival = a;
	return STATUS_OK;
}

/* From nothing: whoever joins owns no partition any more. */
static void start_afresh(struct consumer_group *g, struct consumer_group_member *m)
{
	struct partition_set none = {0}, nothing = {0};
	consumer_group_member_set_current(g, m, &none, &nothing);
	partition_set_fini(&none);
	partition_set_fini(&nothing);
	m->epoch = m->previous_epoch = 0;
	m->state = CONSUMER_MEMBER_STABLE;
	m->rebalance_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	m->dirty |= CONSUMER_DIRTY_CURRENT;
}

static struct consumer_group_member *add_new(struct consumer_group *g, const struct consumer_group_heartbeat *h)
{
	char id[UUID_TEXT_SIZE];
	struct uuid u;
	if (h->member_id[0] != '\0')
		return consumer_group_member_add(g, h->member_id, h->instance_id);
	random_uuid(g->owner.random, &u);
	uuid_format(&u, id);
	return consumer_group_member_add(g, id, h->instance_id);
}

/* The static member is back: what it had waits for it, so that nobody else need move. */
static struct consumer_group_member *replace(struct consumer_group *g, struct consumer_group_member *old,
	const struct consumer_group_heartbeat *h)
{
	struct consumer_group_names names = old->topic_names;
	struct partition_set target = old->target;
	char *regex = old->topic_regex, *rack = old->rack_id, *assignor = old->server_assignor;
	int32_t timeout = old->rebalance_timeout_ms;
	old->topic_names = (struct consumer_group_names){0};
	old->target = (struct partition_set){0};
	old->topic_regex = old->rack_id = old->server_assignor = NULL;
	consumer_group_member_remove(g, old);
	struct consumer_group_member *m = add_new(g, h);
	m->topic_names = names;
	m->target = target;
	m->topic_regex = regex;
	m->rack_id = rack;
	m->server_assignor = assignor;
	m->rebalance_timeout_ms = timeout;
	return m;
}

/* --- changes -------------------------------------------------------------------------------------------------------------- */

static bool update_subscription(struct consumer_group_member *m, const struct consumer_group_heartbeat *h)
{
	bool changed = false;
	if (h->topic_names != NULL) {
		struct consumer_group_names names = {0};
		consumer_group_names_set(&names, h->topic_names, h->topic_name_count);
		changed = !consumer_group_names_equal(&m->topic_names, &names);
		consumer_group_names_fini(&m->topic_names);
		m->topic_names = names;
	}
	if (h->topic_regex != NULL && consumer_group_member_set_text(&m->topic_regex, is_empty(h->topic_regex) ? NULL : h->topic_regex))
		changed = true;
	return changed;
}

/* True: it subscribes to something else than before. */
static bool update_member(struct consumer_group *g, struct consumer_group_member *m, const struct consumer_group_heartbeat *h)
{
	bool subscribes_anew = update_subscription(m, h), changed = subscribes_anew;
	if (h->instance_id != NULL && (m->instance_id == NULL || strcmp(m->instance_id, h->instance_id) != 0)) {
		consumer_group_member_set_instance(g, m, h->instance_id);
		changed = true;
	}
	if (h->rack_id != NULL && consumer_group_member_set_text(&m->rack_id, h->rack_id))
		changed = true;
	if (h->server_assignor != NULL && consumer_group_member_set_text(&m->server_assignor, h->server_assignor))
		changed = true;
	if (h->rebalance_timeout_ms != -1 && h->rebalance_timeout_ms != m->rebalance_timeout_ms) {
		m->rebalance_timeout_ms = h->rebalance_timeout_ms;
		changed = true;
	}
	if (consumer_group_member_set_text(&m->client_id, h->client_id == NULL ? "" : h->client_id))
		changed = true;
	if (consumer_group_member_set_text(&m->client_host, h->client_host == NULL ? "" : h->client_host))
		changed = true;
	if (changed)
		m->dirty |= CONSUMER_DIRTY_MEMBER;
	return subscribes_anew;
}

/* --- the heartbeat --------------------------------------------------------------------------------------------------------- */

/* Full: the member says all there is to say, and wants to hear all. */
static bool is_full(const struct consumer_group_heartbeat *h)
{
	return h->member_epoch == 0 ||
		(h->rebalance_timeout_ms != -1 && (h->topic_names != NULL || h->topic_regex != NULL) && h->owned != NULL);
}

static void carry_on(struct consumer_group *g, struct consumer_group_member *m, const struct consumer_group_heartbeat *h,
	bool is_new, int64_t now_ms, struct consumer_group_answer *ret_answer)
{
	struct partition_set before = {0};
	bool bump = update_member(g, m, h) || is_new;
	if (consumer_group_target_refresh(g, bump) || bump)
		consumer_group_target_bump(g);
	consumer_group_target_update(g);
	partition_set_copy(&m->assigned, &before);
	consumer_group_reconcile(g, m, h->owned, now_ms);
	consumer_group_member_touch(g, m, now_ms);
	bool tell = is_full(h) || !partition_set_equal(&before, &m->assigned);
	partition_set_fini(&before);
	*ret_answer = (struct consumer_group_answer){
		.member_id = m->id,
		.member_epoch = m->epoch,
		.heartbeat_interval_ms = g->owner.settings->heartbeat_interval_ms,
		.assignment = tell ? &m->assigned : NULL,
	};
}

static void join(struct consumer_group *g, const struct arrival *a, const struct consumer_group_heartbeat *h, int64_t now_ms,
	struct consumer_group_answer *ret_answer)
{
	struct consumer_group_member *m = a->same;
	bool is_new = a->same == NULL && a->replaced == NULL;
	if (a->same != NULL)
		start_afresh(g, m);
	else if (a->replaced != NULL)
		m = replace(g, a->replaced, h);
	else
		m = add_new(g, h);
	carry_on(g, m, h, is_new, now_ms, ret_answer);
}

/* --- leaving --------------------------------------------------------------------------------------------------------------- */

/* It will be back within its session: what it has stays its own. */
static void leave_for_a_while(struct consumer_group *g, struct consumer_group_member *m)
{
	struct partition_set assigned = {0}, nothing = {0};
	partition_set_copy(&m->assigned, &assigned);
	consumer_group_member_set_current(g, m, &assigned, &nothing);
	partition_set_fini(&assigned);
	partition_set_fini(&nothing);
	m->previous_epoch = m->epoch;
	m->epoch = CONSUMER_GROUP_STATIC_LEAVE_EPOCH;
	m->rebalance_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	m->dirty |= CONSUMER_DIRTY_CURRENT;
}

static enum status leave(struct consumer_group *g, const struct consumer_group_heartbeat *h, struct consumer_group_answer *ret_answer,
	struct failure *f)
{
	struct consumer_group_member *m = NULL;
	TRY(find_known(g, h, &m, f));
	(void)consumer_group_member_set_text(&g->left_id, m->id);
	if (h->member_epoch == CONSUMER_GROUP_STATIC_LEAVE_EPOCH) {
		leave_for_a_while(g, m);
	} else {
		consumer_group_member_remove(g, m);
		(void)consumer_group_target_refresh(g, true);
		consumer_group_target_bump(g);
	}
	*ret_answer = (struct consumer_group_answer){.member_id = g->left_id, .member_epoch = h->member_epoch};
	return STATUS_OK;
}

enum status consumer_group_heartbeat(struct consumer_group *g, const struct consumer_group_heartbeat *h, int64_t now_ms,
	struct consumer_group_answer *ret_answer, struct failure *f)
{
	struct consumer_group_member *m = NULL;
	struct arrival a = {0};
	CHECK_MAGIC(consumer_group, g);
	expect(!g->retired && h->member_id != NULL);
	TRY(check_request(g, h, f));
	if (is_leaving(h))
		return leave(g, h, ret_answer, f);
	if (h->member_epoch == 0) {
		TRY(look_up_arrival(g, h, &a, f));
	} else {
		TRY(find_known(g, h, &m, f));
		TRY(check_epoch(m, h, f));
	}
	if (h->topic_regex != NULL && h->topic_regex[0] != '\0')
		TRY(consumer_group_target_resolve(g, h->topic_regex, f));
	if (h->member_epoch == 0)
		join(g, &a, h, now_ms, ret_answer);
	else
		carry_on(g, m, h, false, now_ms, ret_answer);
	return STATUS_OK;
}

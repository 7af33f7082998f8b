#include "coordinator/consumer_group_internal.h"

struct consumer_group_member *consumer_group_member_find(const struct consumer_group *g, const char *id)
{
	struct consumer_group_member *m = NULL;
	HASH_FIND(hh, g->members, id, (unsigned)strlen(id), m);
	return m;
}

struct consumer_group_member *consumer_group_member_find_instance(const struct consumer_group *g, const char *instance_id)
{
	struct consumer_group_member *m = NULL;
	HASH_FIND(by_instance, g->by_instance, instance_id, (unsigned)strlen(instance_id), m);
	return m;
}

void consumer_group_member_set_instance(struct consumer_group *g, struct consumer_group_member *m, const char *instance_id)
{
	if (m->instance_id != NULL && consumer_group_member_find_instance(g, m->instance_id) == m)
		HASH_DELETE(by_instance, g->by_instance, m);
	(void)consumer_group_member_set_text(&m->instance_id, instance_id);
	if (m->instance_id == NULL)
		return;
	struct consumer_group_member *other = consumer_group_member_find_instance(g, m->instance_id);
	if (other != NULL)
		HASH_DELETE(by_instance, g->by_instance, other);
	HASH_ADD_KEYPTR(by_instance, g->by_instance, m->instance_id, (unsigned)strlen(m->instance_id), m);
}

struct consumer_group_member *consumer_group_member_add(struct consumer_group *g, const char *id, const char *instance_id)
{
	expect(consumer_group_member_find(g, id) == NULL);
	struct consumer_group_member *m = check_calloc(1, sizeof(*m));
	m->id = check_strdup(id);
	m->client_id = check_strdup("");
	m->client_host = check_strdup("");
	m->rebalance_timeout_ms = -1;
	m->session_deadline_ms = m->rebalance_deadline_ms = CONSUMER_GROUP_NEVER_MS;
	m->dirty = CONSUMER_DIRTY_ALL;
	HASH_ADD_KEYPTR(hh, g->members, m->id, (unsigned)strlen(m->id), m);
	consumer_group_member_set_instance(g, m, instance_id);
	return m;
}

void consumer_group_member_forget(struct consumer_group *g, struct consumer_group_member *m)
{
	struct partition_set none = {0}, nothing = {0};
	consumer_group_member_set_current(g, m, &none, &nothing);
	if (m->instance_id != NULL && consumer_group_member_find_instance(g, m->instance_id) == m)
		HASH_DELETE(by_instance, g->by_instance, m);
	HASH_DELETE(hh, g->members, m);
	partition_set_fini(&none);
	partition_set_fini(&nothing);
	partition_set_fini(&m->assigned);
	partition_set_fini(&m->revoking);
	partition_set_fini(&m->target);
	consumer_group_names_fini(&m->topic_names);
	free(m->id);
	free(m->instance_id);
	free(m->rack_id);
	free(m->client_id);
	free(m->client_host);
	free(m->topic_regex);
	free(m->server_assignor);
	free(m);
}

void consumer_group_member_remove(struct consumer_group *g, struct consumer_group_member *m)
{
	struct consumer_group_gone *gone = check_calloc(1, sizeof(*gone));
	gone->id = check_strdup(m->id);
	gone->next = g->gone;
	g->gone = gone;
	consumer_group_member_forget(g, m);
}

/* --- owners ------------------------------------------------------------------------------------------------------------ */

static struct consumer_group_owned *find_owned(const struct consumer_group *g, const struct partition_of_topic *p)
{
	struct consumer_group_owned *o = NULL;
	HASH_FIND(hh, g->owned, p, sizeof(*p), o);
	return o;
}

struct consumer_group_member *consumer_group_member_owner(const struct consumer_group *g, const struct partition_of_topic *p)
{
	struct consumer_group_owned *o = find_owned(g, p);
	return o == NULL ? NULL : o->owner;
}

static void release(struct consumer_group *g, const struct consumer_group_member *m, const struct partition_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct consumer_group_owned *o = find_owned(g, &s->items[i]);
		if (o == NULL || o->owner != m)
			continue;
		HASH_DELETE(hh, g->owned, o);
		free(o);
	}
}

/* A log may name two owners, after a damage or from a bug: the first stays it, and both will walk towards their targets. */
static void claim(struct consumer_group *g, struct consumer_group_member *m, const struct partition_set *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (find_owned(g, &s->items[i]) != NULL)
			continue;
		struct consumer_group_owned *o = check_calloc(1, sizeof(*o));
		o->partition = s->items[i];
		o->owner = m;
		HASH_ADD(hh, g->owned, partition, sizeof(o->partition), o);
	}
}

void consumer_group_member_set_current(struct consumer_group *g, struct consumer_group_member *m, struct partition_set *assigned,
	struct partition_set *revoking)
{
	release(g, m, &m->assigned);
	release(g, m, &m->revoking);
	partition_set_swap(&m->assigned, assigned);
	partition_set_swap(&m->revoking, revoking);
	claim(g, m, &m->assigned);
	claim(g, m, &m->revoking);
}

/* --- small things ------------------------------------------------------------------------------------------------------ */

bool consumer_group_member_is_reconciled(const struct consumer_group *g, const struct consumer_group_member *m)
{
	return m->state == CONSUMER_MEMBER_STABLE && m->epoch == g->assignment_epoch;
}

void consumer_group_member_touch(struct consumer_group *g, struct consumer_group_member *m, int64_t now_ms)
{
	m->session_deadline_ms = now_ms + g->owner.settings->session_timeout_ms;
	consumer_group_deadline(g, m->session_deadline_ms);
}

bool consumer_group_member_set_text(char **text, const char *new_text)
{
	if (*text == NULL && new_text == NULL)
		return false;
	if (*text != NULL && new_text != NULL && strcmp(*text, new_text) == 0)
		return false;
	char *copy = new_text == NULL ? NULL : check_strdup(new_text);
	free(*text);
	*text = copy;
	return true;
}

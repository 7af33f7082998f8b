/* What the group subscribes to, and the assignment all members are to reach. */
#include "coordinator/consumer_group_internal.h"

void consumer_group_target_bump(struct consumer_group *g)
{
	if (g->epoch < INT32_MAX)
		g->epoch++;
	g->dirty |= CONSUMER_DIRTY_EPOCH;
	g->counts.rebalances++;
}

/* --- expressions ------------------------------------------------------------------------------------------------------- */

static struct consumer_group_regex *find_regex(const struct consumer_group *g, const char *regex)
{
	struct consumer_group_regex *r = NULL;
	HASH_FIND(hh, g->regexes, regex, (unsigned)strlen(regex), r);
	return r;
}

static void regex_free(struct consumer_group *g, struct consumer_group_regex *r)
{
	HASH_DELETE(hh, g->regexes, r);
	consumer_group_names_fini(&r->topics);
	free(r->regex);
	free(r);
}

/* Matched again only when the topics have changed. One that has come to fail keeps what it had. */
static enum status regex_refresh(struct consumer_group *g, struct consumer_group_regex *r, struct failure *f)
{
	struct consumer_group_names topics = {0};
	uint64_t version = g->owner.callbacks->topics_version(g->owner.arg);
	if (r->version == version)
		return STATUS_OK;
	TRY(g->owner.callbacks->match(g->owner.arg, r->regex, &topics, f));
	consumer_group_names_fini(&r->topics);
	r->topics = topics;
	r->version = version;
	return STATUS_OK;
}

enum status consumer_group_target_resolve(struct consumer_group *g, const char *regex, struct failure *f)
{
	struct consumer_group_regex *r = find_regex(g, regex);
	if (r == NULL) {
		r = check_calloc(1, sizeof(*r));
		r->regex = check_strdup(regex);
		HASH_ADD_KEYPTR(hh, g->regexes, r->regex, (unsigned)strlen(r->regex), r);
	}
	enum status s = regex_refresh(g, r, f);
	if (s != STATUS_OK && r->version == 0)
		regex_free(g, r);
	return s;
}

static bool regex_in_use(const struct consumer_group *g, const char *regex)
{
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if (m->topic_regex != NULL && strcmp(m->topic_regex, regex) == 0)
			return true;
	return false;
}

/* After loading a log there are members whose expression nobody has matched yet. */
static void regexes_refresh(struct consumer_group *g)
{
	for (struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if (m->topic_regex != NULL && consumer_group_target_resolve(g, m->topic_regex, NULL) != STATUS_OK)
			continue; /* it matches what it did, or nothing */
	struct consumer_group_regex *r, *next;
	HASH_ITER (hh, g->regexes, r, next)
		if (!regex_in_use(g, r->regex))
			regex_free(g, r);
}

/* --- topics ------------------------------------------------------------------------------------------------------------ */

static void topics_free(struct consumer_group_subscribed *topics, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(topics[i].name);
	free(topics);
}

void consumer_group_target_fini(struct consumer_group *g)
{
	struct consumer_group_regex *r, *next;
	HASH_ITER (hh, g->regexes, r, next)
		regex_free(g, r);
	topics_free(g->topics, g->topic_count);
}

/* All names anybody subscribes to. */
static struct consumer_group_names subscribed_names(const struct consumer_group *g)
{
	struct consumer_group_names all = {0};
	size_t count = 0, at = 0;
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		count += m->topic_names.count;
	for (const struct consumer_group_regex *r = g->regexes; r != NULL; r = r->hh.next)
		count += r->topics.count;
	const char **names = check_calloc(count + 1, sizeof(char *));
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		for (size_t i = 0; i < m->topic_names.count; i++)
			names[at++] = m->topic_names.names[i];
	for (const struct consumer_group_regex *r = g->regexes; r != NULL; r = r->hh.next)
		for (size_t i = 0; i < r->topics.count; i++)
			names[at++] = r->topics.names[i];
	consumer_group_names_set(&all, names, count);
	free(names);
	return all;
}

static bool topics_equal(const struct consumer_group *g, const struct consumer_group_subscribed *topics, size_t count)
{
	if (g->topic_count != count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(g->topics[i].name, topics[i].name) != 0 || !uuid_equal(&g->topics[i].id, &topics[i].id) ||
			g->topics[i].partition_count != topics[i].partition_count)
			return false;
	return true;
}

bool consumer_group_target_refresh(struct consumer_group *g, bool changed)
{
	uint64_t version = g->owner.callbacks->topics_version(g->owner.arg);
	size_t count = 0;
	if (!changed && version == g->topics_version)
		return false;
	regexes_refresh(g);
	struct consumer_group_names names = subscribed_names(g);
	struct consumer_group_subscribed *topics = check_calloc(names.count + 1, sizeof(*topics));
	for (size_t i = 0; i < names.count; i++) {
		struct consumer_group_topic t;
		if (g->owner.callbacks->topic(g->owner.arg, names.names[i], &t))
			topics[count++] = (struct consumer_group_subscribed){
				check_strdup(names.names[i]), t.id, t.partition_count};
	}
	consumer_group_names_fini(&names);
	g->topics_version = version;
	if (topics_equal(g, topics, count)) {
		topics_free(topics, count);
		return false;
	}
	topics_free(g->topics, g->topic_count);
	g->topics = topics;
	g->topic_count = count;
	g->dirty |= CONSUMER_DIRTY_TOPICS;
	return true;
}

bool consumer_group_subscribes(const struct consumer_group *g, const char *topic)
{
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next) {
		if (consumer_group_names_has(&m->topic_names, topic))
			return true;
		struct consumer_group_regex *r = m->topic_regex == NULL ? NULL : find_regex(g, m->topic_regex);
		if (r != NULL && consumer_group_names_has(&r->topics, topic))
			return true;
	}
	return false;
}

/* --- target ------------------------------------------------------------------------------------------------------------ */

/* The one most members ask for; of several the first of the broker's list. */
enum consumer_assignor consumer_group_target_assignor(const struct consumer_group *g)
{
	const struct consumer_group_settings *s = g->owner.settings;
	size_t votes[CONSUMER_ASSIGNOR_COUNT] = {0};
	enum consumer_assignor a;
	expect(s->assignor_count > 0 && s->assignor_count <= CONSUMER_ASSIGNOR_COUNT);
	for (const struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		if (m->server_assignor != NULL && consumer_assignor_find(m->server_assignor, &a))
			votes[a]++;
	enum consumer_assignor best = s->assignors[0];
	for (size_t i = 1; i < s->assignor_count; i++)
		if (votes[s->assignors[i]] > votes[best])
			best = s->assignors[i];
	return best;
}

/* The assignors' view: topics by id, members with places in that. */
struct view {
	struct consumer_assignor_topic *topics;
	size_t *places; /* of g->topics, by name, among those by id */
	struct consumer_assignor_member *members;
	size_t **subscriptions; /* of each member */
};

struct by_id {
	struct uuid id;
	size_t place;
};
static int compare_by_id(const void *a, const void *b)
{
	const struct by_id *x = a, *y = b;
	return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

static void view_topics(struct view *v, const struct consumer_group *g)
{
	struct by_id *order = check_calloc(g->topic_count + 1, sizeof(*order));
	v->topics = check_calloc(g->topic_count + 1, sizeof(*v->topics));
	v->places = check_calloc(g->topic_count + 1, sizeof(*v->places));
	for (size_t i = 0; i < g->topic_count; i++)
		order[i] = (struct by_id){g->topics[i].id, i};
	qsort(order, g->topic_count, sizeof(*order), compare_by_id);
	for (size_t i = 0; i < g->topic_count; i++) {
		const struct consumer_group_subscribed *t = &g->topics[order[i].place];
		v->topics[i] = (struct consumer_assignor_topic){t->id, t->partition_count};
		v->places[order[i].place] = i;
	}
	free(order);
}

static int compare_subscribed(const void *name, const void *topic)
{
	return strcmp(name, ((const struct consumer_group_subscribed *)topic)->name);
}

static size_t add_places(const struct view *v, const struct consumer_group *g, const struct consumer_group_names *names, size_t *places)
{
	size_t n = 0;
	for (size_t i = 0; i < names->count && g->topic_count > 0; i++) {
		const struct consumer_group_subscribed *t =
			bsearch(names->names[i], g->topics, g->topic_count, sizeof(*t), compare_subscribed);
		if (t != NULL)
			places[n++] = v->places[t - g->topics];
	}
	return n;
}

static int compare_places(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	return (x > y) - (x < y);
}

static void view_member(struct view *v, const struct consumer_group *g, struct consumer_group_member *m, size_t i)
{
	static const struct consumer_group_names none = {0};
	const struct consumer_group_regex *r = m->topic_regex == NULL ? NULL : find_regex(g, m->topic_regex);
	const struct consumer_group_names *matched = r == NULL ? &none : &r->topics;
	size_t *places = check_calloc(m->topic_names.count + matched->count + 1, sizeof(*places)), kept = 0;
	size_t n = add_places(v, g, &m->topic_names, places);
	n += add_places(v, g, matched, places + n);
	qsort(places, n, sizeof(*places), compare_places);
	for (size_t k = 0; k < n; k++)
		if (kept == 0 || places[kept - 1] != places[k])
			places[kept++] = places[k];
	v->subscriptions[i] = places;
	v->members[i] = (struct consumer_assignor_member){
		.id = m->id, .instance_id = m->instance_id, .topics = places, .topic_count = kept, .previous = &m->target};
}

static void take_targets(struct view *v, struct consumer_group *g)
{
	size_t i = 0;
	for (struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next, i++) {
		if (!partition_set_equal(&m->target, &v->members[i].target)) {
			partition_set_swap(&m->target, &v->members[i].target);
			m->dirty |= CONSUMER_DIRTY_TARGET;
		}
	}
	for (size_t k = 0; k < i; k++) {
		partition_set_fini(&v->members[k].target);
		free(v->subscriptions[k]);
	}
}

void consumer_group_target_update(struct consumer_group *g)
{
	size_t count = HASH_COUNT(g->members), i = 0;
	struct view v;
	if (g->epoch <= g->assignment_epoch)
		return;
	view_topics(&v, g);
	v.members = check_calloc(count + 1, sizeof(*v.members));
	v.subscriptions = check_calloc(count + 1, sizeof(*v.subscriptions));
	for (struct consumer_group_member *m = g->members; m != NULL; m = m->hh.next)
		view_member(&v, g, m, i++);
	expect(i == count);
	const struct consumer_assignor_input in = {v.topics, g->topic_count, v.members, count};
	consumer_assignor_assign(consumer_group_target_assignor(g), &in);
	take_targets(&v, g);
	free(v.members);
	free(v.subscriptions);
	free(v.topics);
	free(v.places);
	g->assignment_epoch = g->epoch;
	g->dirty |= CONSUMER_DIRTY_TARGET_EPOCH;
}

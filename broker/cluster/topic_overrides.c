#include "cluster/topic_overrides.h"
#include "base/diag.h"
#include "cluster/config_changes.h"
#include "cluster/image_configs.h"
#include "config/settings.h"
#include "coordinator-client/zk_request.h"
#include "coordinator-client/zk_schema.h"

#include <stdlib.h>
#include <uthash.h>

enum {
	GETS_IN_FLIGHT_MAX = 64,
	RETRY_DELAY_US = 250 * 1000,
	READ_DEADLINE_MS = 30 * 1000,
	LEARN_TIMEOUT_US = 5 * 1000 * 1000,
	/* A node that is not there yet may be one that the server we ask has not heard of: topics are made with their configuration. */
	ABSENT_ATTEMPTS = 3,
	ABSENT_DELAY_US = 100 * 1000,
};

struct topic_entry {
	char *topic;
	struct image_config *entries;
	size_t count;
	bool known;    /* entries are what the node said, or the defaults once learning took too long */
	bool queued;   /* a read of it waits for its turn */
	bool learning; /* somebody waits for it */
	UT_hash_handle hh;
};

/* One node being read, or to be. */
struct override_read {
	struct override_read *next, **prev;
	struct topic_overrides *owner;
	char *topic;
	int attempts;
};

/* One pass over /config/topics. Heap-allocated, and detached from its owner when that goes first. */
struct override_load {
	unsigned magic;
	struct topic_overrides *owner; /* NULL: given up */
	struct zk_client *zk;
	void (*done)(void *arg, enum status s);
	void *arg;
	char **topics; /* sorted: those that exist; the others' configurations are nobody's yet */
	size_t topic_count;
	char **names;
	size_t count, next, in_flight;
	enum status status; /* the first failure of this pass */
	struct loop_timer retry_timer;
};
MAGIC(override_load, 0x4f564c44);

struct get_call {
	struct override_load *load;
	const char *topic; /* in load->names */
};

struct topic_overrides {
	unsigned magic;
	struct topic_settings defaults;
	struct scheduler *scheduler;
	struct topic_entry *by_topic;
	struct override_load *load;

	struct zk_client *zk; /* NULL: never loaded, or left; nothing is read then */
	struct zk_requester *requester;
	struct config_changes *changes;
	void (*changed)(void *arg, const char *topic);
	void *changed_arg;
	struct override_read *waiting, *reading, *again; /* in no order of weight; again: after a pause */
	size_t in_flight;
	struct loop_timer again_timer, learn_timer;
	void (*learned)(void *arg); /* NULL: nobody learns */
	void *learned_arg;
	size_t learning;
};
MAGIC(topic_overrides, 0x544f5652);

static void read_again(struct loop_timer *t);
static void learn_overdue(struct loop_timer *t);

struct topic_overrides *topic_overrides_new(const struct settings *settings, struct scheduler *scheduler)
{
	struct topic_overrides *o = check_calloc(1, sizeof(*o));
	o->magic = topic_overrides_magic;
	o->defaults = settings->topic_defaults;
	o->scheduler = scheduler;
	loop_timer_init(&o->again_timer, "topic_overrides_again", read_again);
	loop_timer_init(&o->learn_timer, "topic_overrides_learn", learn_overdue);
	return o;
}

static struct topic_entry *find(const struct topic_overrides *o, const char *topic)
{
	struct topic_entry *e;
	HASH_FIND_STR(o->by_topic, topic, e);
	return e;
}

static void clear_entry(struct topic_entry *e)
{
	image_configs_free(e->entries, e->count);
	e->entries = NULL;
	e->count = 0;
}

static struct topic_entry *find_or_add(struct topic_overrides *o, const char *topic)
{
	struct topic_entry *e = find(o, topic);
	if (e != NULL)
		return e;
	e = check_calloc(1, sizeof(*e));
	e->topic = check_strdup(topic);
	HASH_ADD_KEYPTR(hh, o->by_topic, e->topic, strlen(e->topic), e);
	return e;
}

static void one_learned(struct topic_overrides *o, struct topic_entry *e)
{
	if (!e->learning)
		return;
	e->learning = false;
	expect(o->learning > 0);
	if (--o->learning > 0)
		return;
	void (*learned)(void *arg) = o->learned;
	o->learned = NULL;
	scheduler_timer_cancel(o->scheduler, &o->learn_timer);
	if (learned != NULL)
		learned(o->learned_arg);
}

void topic_overrides_remove(struct topic_overrides *o, const char *topic)
{
	CHECK_MAGIC(topic_overrides, o);
	struct topic_entry *e = find(o, topic);
	if (e == NULL)
		return;
	expect(!e->learning);
	HASH_DEL(o->by_topic, e);
	clear_entry(e);
	free(e->topic);
	free(e);
}

static bool same_entries(const struct topic_entry *e, const struct zk_schema_config *config)
{
	if (e->count != config->entry_count)
		return false;
	for (size_t i = 0; i < e->count; i++)
		if (strcmp(e->entries[i].key, config->entries[i].key) != 0 || strcmp(e->entries[i].value, config->entries[i].value) != 0)
			return false;
	return true;
}

/* True: it says something else now. */
static bool replace(struct topic_entry *e, const struct zk_schema_config *config)
{
	bool other = !same_entries(e, config);
	e->known = true;
	if (!other)
		return false;
	clear_entry(e);
	e->entries = image_configs_of_znode(config);
	e->count = config->entry_count;
	return true;
}

const struct image_config *topic_overrides_get(const struct topic_overrides *o, const char *topic, size_t *ret_count)
{
	CHECK_MAGIC(topic_overrides, o);
	const struct topic_entry *e = find(o, topic);
	*ret_count = e == NULL ? 0 : e->count;
	return e == NULL ? NULL : e->entries;
}

void topic_overrides_set_defaults(struct topic_overrides *o, const struct topic_settings *defaults)
{
	CHECK_MAGIC(topic_overrides, o);
	o->defaults = *defaults;
}

void topic_overrides_effective(const struct topic_overrides *o, const char *topic, struct topic_settings *ret_settings)
{
	CHECK_MAGIC(topic_overrides, o);
	*ret_settings = o->defaults;
	size_t count;
	const struct image_config *entries = topic_overrides_get(o, topic, &count);
	for (size_t i = 0; i < count; i++) {
		struct failure f = {0};
		if (topic_settings_apply(ret_settings, entries[i].key, entries[i].value, &f) != STATUS_OK)
			diag_warn("topic_override_ignored", "topic=%s key=%s text=\"%s\"", topic, entries[i].key, f.text);
	}
}

/* --- loading -------------------------------------------------------------------------------------------------------------- */

static void begin_pass(struct override_load *l);

static void forget_list(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

static char **copy_list(const char *const *names, size_t count)
{
	char **list = check_calloc(count + 1, sizeof(*list));
	for (size_t i = 0; i < count; i++)
		list[i] = check_strdup(names[i]);
	return list;
}

static void forget_names(struct override_load *l)
{
	forget_list(l->names, l->count);
	forget_list(l->topics, l->topic_count);
	l->names = l->topics = NULL;
	l->count = l->next = l->topic_count = 0;
}

static void free_load(struct override_load *l)
{
	forget_names(l);
	l->magic = 0;
	free(l);
}

static bool worth_retrying(enum status s)
{
	return s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED;
}

/* A topic without a node overrides nothing. */
static void know_the_rest(struct topic_overrides *o, struct override_load *l)
{
	for (size_t i = 0; i < l->topic_count; i++)
		if (topic_name_check(slice_of_str(l->topics[i])) == STATUS_OK)
			find_or_add(o, l->topics[i])->known = true;
}

/* Every answer of the pass is in. */
static void end_pass(struct override_load *l)
{
	struct topic_overrides *o = l->owner;
	bool again = o != NULL && worth_retrying(l->status);
	if (o != NULL && l->status == STATUS_OK)
		know_the_rest(o, l);
	forget_names(l);
	if (again) {
		scheduler_timer_arm(o->scheduler, &l->retry_timer, RETRY_DELAY_US);
		return;
	}
	if (o != NULL) {
		o->load = NULL;
		if (l->status == STATUS_OK)
			diag_info("topic_overrides_loaded", "topics=%u", HASH_COUNT(o->by_topic));
		l->done(l->arg, l->status);
	}
	free_load(l);
}

/* True: the topic overrides other things than it did. */
static bool keep(struct topic_entry *e, struct slice data)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_topic_config(e->topic, path);
	struct zk_schema_config config;
	struct failure f = {0};
	if (zk_schema_config_decode(path, data, &config, &f) != STATUS_OK) {
		diag_warn("topic_overrides_unreadable", "topic=%s text=\"%s\"", e->topic, f.text);
		e->known = true;
		return false;
	}
	bool other = replace(e, &config);
	zk_schema_config_fini(&config);
	return other;
}

static void get_more(struct override_load *l);

static void topic_overrides_load_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct get_call *call = arg;
	struct override_load *l = CAST(override_load, call->load);
	if (s == STATUS_OK && l->owner != NULL)
		(void)keep(find_or_add(l->owner, call->topic), data);
	else if (s != STATUS_OK && s != STATUS_NOT_FOUND && l->status == STATUS_OK)
		l->status = s;
	free(call);
	expect(l->in_flight > 0);
	l->in_flight--;
	get_more(l);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool exists(const struct override_load *l, const char *topic)
{
	return l->topic_count > 0 && bsearch(&topic, l->topics, l->topic_count, sizeof(*l->topics), compare_names) != NULL;
}

static void get_more(struct override_load *l)
{
	while (l->owner != NULL && l->status == STATUS_OK && l->next < l->count && l->in_flight < GETS_IN_FLIGHT_MAX) {
		const char *topic = l->names[l->next++];
		if (topic_name_check(slice_of_str(topic)) != STATUS_OK || !exists(l, topic))
			continue;
		char path[ZK_PATH_MAX];
		zk_schema_path_topic_config(topic, path);
		struct get_call *call = check_alloc(sizeof(*call));
		*call = (struct get_call){.load = l, .topic = topic};
		l->in_flight++;
		zk_get(l->zk, path, NULL, topic_overrides_load_got, call);
	}
	if (l->in_flight == 0)
		end_pass(l);
}

static void topic_overrides_load_names(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct override_load *l = CAST(override_load, arg);
	l->status = s == STATUS_NOT_FOUND ? STATUS_OK : s;
	if (s == STATUS_OK) {
		l->names = copy_list(names, count);
		l->count = count;
	}
	get_more(l);
}

/* Topics first: each that stands in this list was made with its configuration, which is read after it. */
static void topic_overrides_load_topics(void *arg, enum status s, const char *const *names, size_t count,
	const struct zk_stat *stat)
{
	(void)stat;
	struct override_load *l = CAST(override_load, arg);
	if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
		l->status = s;
		get_more(l);
		return;
	}
	l->topic_count = s == STATUS_OK ? count : 0;
	l->topics = copy_list(names, l->topic_count);
	if (l->topic_count > 1)
		qsort(l->topics, l->topic_count, sizeof(*l->topics), compare_names);
	zk_children(l->zk, ZK_SCHEMA_CONFIG_TOPICS, NULL, topic_overrides_load_names, l);
}

static void begin_pass(struct override_load *l)
{
	l->status = STATUS_OK;
	zk_children(l->zk, ZK_SCHEMA_TOPICS, NULL, topic_overrides_load_topics, l);
}

static void topic_overrides_load_again(struct loop_timer *t)
{
	struct override_load *l = CONTAINER_OF(t, struct override_load, retry_timer);
	CHECK_MAGIC(override_load, l);
	begin_pass(l);
}

void topic_overrides_load(struct topic_overrides *o, struct zk_client *zk, void (*done)(void *arg, enum status s), void *arg)
{
	CHECK_MAGIC(topic_overrides, o);
	expect(o->load == NULL && o->zk == NULL);
	o->zk = zk;
	o->requester = zk_requester_new(zk, READ_DEADLINE_MS);
	struct override_load *l = check_calloc(1, sizeof(*l));
	l->magic = override_load_magic;
	l->owner = o;
	l->zk = zk;
	l->done = done;
	l->arg = arg;
	loop_timer_init(&l->retry_timer, "topic_overrides_load", topic_overrides_load_again);
	o->load = l;
	begin_pass(l);
}

/* --- reading one again ---------------------------------------------------------------------------------------------------- */

static void read_link(struct override_read **list, struct override_read *r)
{
	r->next = *list;
	r->prev = list;
	if (r->next != NULL)
		r->next->prev = &r->next;
	*list = r;
}

static void read_unlink(struct override_read *r)
{
	*r->prev = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
}

static void read_free(struct override_read *r)
{
	read_unlink(r);
	free(r->topic);
	free(r);
}

static void read_more(struct topic_overrides *o);

static void read_later(struct topic_overrides *o, struct override_read *r)
{
	read_unlink(r);
	read_link(&o->again, r);
	if (!o->again_timer.armed)
		scheduler_timer_arm(o->scheduler, &o->again_timer, ABSENT_DELAY_US);
}

static void topic_overrides_read_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct override_read *r = arg;
	struct topic_overrides *o = CAST(topic_overrides, r->owner);
	expect(o->in_flight > 0);
	o->in_flight--;
	struct topic_entry *e = find(o, r->topic);
	if (e != NULL && (worth_retrying(s) || (s == STATUS_NOT_FOUND && e->learning && ++r->attempts < ABSENT_ATTEMPTS))) {
		read_later(o, r);
		read_more(o);
		return;
	}
	bool known = e != NULL && e->known, other = false;
	if (e != NULL && s == STATUS_OK)
		other = keep(e, data);
	else if (e != NULL && s == STATUS_NOT_FOUND)
		other = replace(e, &(struct zk_schema_config){0});
	else if (e != NULL)
		diag_warn("topic_overrides_unread", "topic=%s why=%s", r->topic, status_name(s));
	if (known && other && o->changed != NULL) {
		diag_info("topic_config_read", "topic=%s overrides=%zu", r->topic, e->count);
		o->changed(o->changed_arg, r->topic);
		e = find(o, r->topic); /* much may have happened */
	}
	read_free(r);
	if (e != NULL) {
		e->known = true;
		one_learned(o, e);
	}
	read_more(o);
}

static void read_more(struct topic_overrides *o)
{
	while (o->requester != NULL && o->waiting != NULL && o->in_flight < GETS_IN_FLIGHT_MAX) {
		struct override_read *r = o->waiting;
		struct topic_entry *e = find(o, r->topic);
		if (e == NULL) {
			read_free(r);
			continue;
		}
		e->queued = false;
		read_unlink(r);
		read_link(&o->reading, r);
		o->in_flight++;
		char path[ZK_PATH_MAX];
		zk_schema_path_topic_config(r->topic, path);
		zk_request_get(o->requester, path, topic_overrides_read_got, r);
	}
}

static void read_again(struct loop_timer *t)
{
	struct topic_overrides *o = CAST(topic_overrides, CONTAINER_OF(t, struct topic_overrides, again_timer));
	while (o->again != NULL) {
		struct override_read *r = o->again;
		read_unlink(r);
		read_link(&o->waiting, r);
	}
	read_more(o);
}

/* A read that has not begun yet will do. */
static void want_read(struct topic_overrides *o, struct topic_entry *e)
{
	if (e->queued)
		return;
	e->queued = true;
	struct override_read *r = check_calloc(1, sizeof(*r));
	r->owner = o;
	r->topic = check_strdup(e->topic);
	read_link(&o->waiting, r);
}

/* --- following changes ---------------------------------------------------------------------------------------------------- */

static void entity_changed(void *arg, const char *entity)
{
	static const char folder[] = "topics/";
	struct topic_overrides *o = CAST(topic_overrides, arg);
	if (strncmp(entity, folder, sizeof(folder) - 1) != 0)
		return;
	struct topic_entry *e = find(o, entity + sizeof(folder) - 1);
	if (e == NULL)
		return; /* read when the topic is first heard of */
	want_read(o, e);
	read_more(o);
}

static void changes_lost(void *arg)
{
	struct topic_overrides *o = CAST(topic_overrides, arg);
	diag_info("topic_overrides_reread", "topics=%u", HASH_COUNT(o->by_topic));
	for (struct topic_entry *e = o->by_topic; e != NULL; e = e->hh.next)
		want_read(o, e);
	read_more(o);
}

void topic_overrides_follow(struct topic_overrides *o, void (*changed)(void *arg, const char *topic), void *arg)
{
	CHECK_MAGIC(topic_overrides, o);
	expect(o->zk != NULL && o->load == NULL && o->changes == NULL);
	o->changed = changed;
	o->changed_arg = arg;
	struct config_changes_options options = {.zk = o->zk, .changed = entity_changed, .lost = changes_lost, .arg = o};
	o->changes = config_changes_new(&options);
}

/* --- learning ------------------------------------------------------------------------------------------------------------- */

void topic_overrides_learn(struct topic_overrides *o, const char *const *topics, size_t count, void (*done)(void *arg), void *arg)
{
	CHECK_MAGIC(topic_overrides, o);
	expect(o->learned == NULL && o->learning == 0);
	for (size_t i = 0; o->zk != NULL && i < count; i++) {
		struct topic_entry *e = find_or_add(o, topics[i]);
		if (e->known || e->learning)
			continue;
		e->learning = true;
		o->learning++;
		want_read(o, e);
	}
	if (o->learning == 0) {
		done(arg);
		return;
	}
	o->learned = done;
	o->learned_arg = arg;
	scheduler_timer_arm(o->scheduler, &o->learn_timer, LEARN_TIMEOUT_US);
	read_more(o);
}

void topic_overrides_hurry(struct topic_overrides *o)
{
	CHECK_MAGIC(topic_overrides, o);
	struct topic_entry *last = NULL;
	for (struct topic_entry *e = o->by_topic; e != NULL; e = e->hh.next) {
		if (!e->learning)
			continue;
		e->known = true;
		if (last != NULL)
			one_learned(o, last);
		last = e;
	}
	if (last != NULL)
		one_learned(o, last); /* goes on with what waited, which may add and remove topics */
}

static void learn_overdue(struct loop_timer *t)
{
	struct topic_overrides *o = CAST(topic_overrides, CONTAINER_OF(t, struct topic_overrides, learn_timer));
	diag_warn("topic_overrides_unknown", "topics=%zu cause=\"ZooKeeper does not answer\" action=\"the broker's defaults until it does\"",
		o->learning);
	topic_overrides_hurry(o);
}

void topic_overrides_leave(struct topic_overrides *o)
{
	CHECK_MAGIC(topic_overrides, o);
	config_changes_free(o->changes);
	o->changes = NULL;
	if (o->requester != NULL)
		zk_requester_free(o->requester); /* what is under way is not answered */
	o->requester = NULL;
	o->zk = NULL;
	struct override_read **lists[] = {&o->waiting, &o->reading, &o->again};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		while (*lists[i] != NULL)
			read_free(*lists[i]);
	o->in_flight = 0;
	scheduler_timer_cancel(o->scheduler, &o->again_timer);
	topic_overrides_hurry(o);
}

void topic_overrides_free(struct topic_overrides *o)
{
	if (o == NULL)
		return;
	CHECK_MAGIC(topic_overrides, o);
	topic_overrides_leave(o);
	if (o->load != NULL && o->load->retry_timer.armed) {
		scheduler_timer_cancel(o->scheduler, &o->load->retry_timer);
		free_load(o->load);
	} else if (o->load != NULL) {
		o->load->owner = NULL; /* freed when its last answer is in */
	}
	struct topic_entry *e, *next;
	HASH_ITER(hh, o->by_topic, e, next)
	{
		HASH_DEL(o->by_topic, e);
		clear_entry(e);
		free(e->topic);
		free(e);
	}
	o->magic = 0;
	free(o);
}

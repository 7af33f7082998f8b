#include "cluster/topic_overrides.h"
#include "base/diag.h"
#include "config/settings.h"
#include "coordinator-client/zk_schema.h"

#include <uthash.h>

enum { GETS_IN_FLIGHT_MAX = 64, RETRY_DELAY_US = 250 * 1000 };

struct topic_entry {
	char *topic;
	struct image_config *entries;
	size_t count;
	UT_hash_handle hh;
};

/* One pass over /config/topics. Heap-allocated, and detached from its owner when that goes first. */
struct override_load {
	unsigned magic;
	struct topic_overrides *owner; /* NULL: given up */
	struct zk_client *zk;
	void (*done)(void *arg, enum status s);
	void *arg;
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
};
MAGIC(topic_overrides, 0x544f5652);

struct topic_overrides *topic_overrides_new(const struct settings *settings, struct scheduler *scheduler)
{
	struct topic_overrides *o = check_calloc(1, sizeof(*o));
	o->magic = topic_overrides_magic;
	o->defaults = settings->topic_defaults;
	o->scheduler = scheduler;
	return o;
}

static struct topic_entry *find(const struct topic_overrides *o, const char *topic)
{
	struct topic_entry *e;
	HASH_FIND_STR(o->by_topic, topic, e);
	return e;
}

static void free_entry(struct topic_entry *e)
{
	for (size_t i = 0; i < e->count; i++) {
		union {
			const char *text;
			void *memory;
		} key = {.text = e->entries[i].key}, value = {.text = e->entries[i].value};
		free(key.memory);
		free(value.memory);
	}
	free(e->entries);
	free(e->topic);
	free(e);
}

void topic_overrides_remove(struct topic_overrides *o, const char *topic)
{
	CHECK_MAGIC(topic_overrides, o);
	struct topic_entry *e = find(o, topic);
	if (e == NULL)
		return;
	HASH_DEL(o->by_topic, e);
	free_entry(e);
}

void topic_overrides_set(struct topic_overrides *o, const char *topic, const struct image_config *entries, size_t count)
{
	CHECK_MAGIC(topic_overrides, o);
	topic_overrides_remove(o, topic);
	if (count == 0)
		return;
	struct topic_entry *e = check_calloc(1, sizeof(*e));
	e->topic = check_strdup(topic);
	e->entries = check_calloc(count, sizeof(*e->entries));
	for (e->count = 0; e->count < count; e->count++) {
		e->entries[e->count].key = check_strdup(entries[e->count].key);
		e->entries[e->count].value = check_strdup(entries[e->count].value);
	}
	HASH_ADD_KEYPTR(hh, o->by_topic, e->topic, strlen(e->topic), e);
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

static void forget_names(struct override_load *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->names[i]);
	free(l->names);
	l->names = NULL;
	l->count = l->next = 0;
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

/* Every answer of the pass is in. */
static void end_pass(struct override_load *l)
{
	struct topic_overrides *o = l->owner;
	forget_names(l);
	if (o != NULL && worth_retrying(l->status)) {
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

static void keep(struct topic_overrides *o, const char *topic, struct slice data)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_topic_config(topic, path);
	struct zk_schema_config config;
	struct failure f = {0};
	if (zk_schema_config_decode(path, data, &config, &f) != STATUS_OK) {
		diag_warn("topic_overrides_unreadable", "topic=%s text=\"%s\"", topic, f.text);
		return;
	}
	struct image_config *entries = check_calloc(config.entry_count + 1, sizeof(*entries));
	for (size_t i = 0; i < config.entry_count; i++)
		entries[i] = (struct image_config){.key = config.entries[i].key, .value = config.entries[i].value};
	topic_overrides_set(o, topic, entries, config.entry_count);
	free(entries);
	zk_schema_config_fini(&config);
}

static void get_more(struct override_load *l);

static void topic_overrides_load_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct get_call *call = arg;
	struct override_load *l = CAST(override_load, call->load);
	if (s == STATUS_OK && l->owner != NULL)
		keep(l->owner, call->topic, data);
	else if (s != STATUS_OK && s != STATUS_NOT_FOUND && l->status == STATUS_OK)
		l->status = s;
	free(call);
	expect(l->in_flight > 0);
	l->in_flight--;
	get_more(l);
}

static void get_more(struct override_load *l)
{
	while (l->owner != NULL && l->status == STATUS_OK && l->next < l->count && l->in_flight < GETS_IN_FLIGHT_MAX) {
		const char *topic = l->names[l->next++];
		if (topic_name_check(slice_of_str(topic)) != STATUS_OK)
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
		l->names = check_calloc(count + 1, sizeof(*l->names));
		for (l->count = 0; l->count < count; l->count++)
			l->names[l->count] = check_strdup(names[l->count]);
	}
	get_more(l);
}

static void begin_pass(struct override_load *l)
{
	l->status = STATUS_OK;
	zk_children(l->zk, ZK_SCHEMA_CONFIG_TOPICS, NULL, topic_overrides_load_names, l);
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
	expect(o->load == NULL);
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

void topic_overrides_free(struct topic_overrides *o)
{
	if (o == NULL)
		return;
	CHECK_MAGIC(topic_overrides, o);
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
		free_entry(e);
	}
	o->magic = 0;
	free(o);
}

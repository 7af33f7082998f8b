/* /brokers/topics: which topics there are, each topic's node, its configuration, and, while loading, the states of its
 * partitions, hundreds of reads under way at a time. A topic that appears later has no states yet: two reads, asked together,
 * and it is known. */
#include "base/diag.h"
#include "controller/controller_term_internal.h"

static void topic_step(struct term_topic *tt);
static void topic_deliver(struct term_topic *tt);

/* --- memory --------------------------------------------------------------- */

static void states_forget(struct term_topic *tt)
{
	for (size_t i = 0; tt->states != NULL && i < tt->node.partition_count; i++)
		zk_schema_state_fini(&tt->states[i].node);
	free(tt->states);
	tt->states = NULL;
	tt->states_asked = tt->states_left = 0;
	tt->round++;
}

static void topic_forget_reading(struct term_topic *tt)
{
	states_forget(tt);
	zk_schema_topic_fini(&tt->node);
	zk_schema_config_fini(&tt->config);
	tt->have_node = tt->have_config = false;
}

static void reading_remove(struct controller_term *t, struct term_topic *tt)
{
	struct term_topic **at = &t->reading;
	while (*at != NULL && *at != tt)
		at = &(*at)->next_reading;
	if (*at == NULL)
		return;
	*at = tt->next_reading;
	if (t->reading_tail == &tt->next_reading)
		t->reading_tail = at;
	tt->next_reading = NULL;
}

static void topic_drop(struct controller_term *t, struct term_topic *tt)
{
	for (struct term_read *r = t->reads; r != NULL; r = r->next) {
		if (r->topic == tt)
			r->topic = NULL;
	}
	HASH_DEL(t->topics, tt);
	zk_watch_free(tt->watch);
	reading_remove(t, tt);
	topic_forget_reading(tt);
	free(tt->name);
	tt->magic = 0;
	free(tt);
}

/* --- delivery ------------------------------------------------------------- */

static void topic_delivered(struct controller_term *t, struct term_topic *tt)
{
	bool first = !tt->delivered;
	tt->delivered = true;
	if (first && !t->started)
		controller_term_loaded_one(t);
}

static void topic_deliver(struct term_topic *tt)
{
	struct controller_term *t = CAST(controller_term, tt->term);
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_TOPIC, .topic = {.name = tt->name,
		.node = &tt->node, .version = tt->node_version, .config = tt->have_config ? &tt->config : NULL,
		.states = tt->states}});
	tt->czxid = tt->node_czxid;
	topic_forget_reading(tt);
	topic_delivered(t, tt);
}

/* --- states --------------------------------------------------------------- */

static void states_pump(struct controller_term *t);

static void state_take(struct term_topic *tt, const struct term_read *r, enum status s, struct slice data,
	const struct zk_stat *stat)
{
	struct event_state *state = &tt->states[r->index];
	struct failure f;
	if (s == STATUS_NOT_FOUND)
		return;
	if (s != STATUS_OK)
		controller_term_read_failed(r->term, s, r->path);
	else if (zk_schema_state_decode(r->path, data, &state->node, &f) != STATUS_OK)
		diag_error("partition_state_unreadable", "reason=\"%s\"", f.text);
	else
		*state = (struct event_state){.found = true, .node = state->node, .version = stat->version};
}

static void state_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct term_read *r = CAST(term_read, arg);
	struct controller_term *t = CAST(controller_term, r->term);
	struct term_topic *tt = r->topic;
	expect(t->state_reads > 0);
	t->state_reads--;
	bool counts = tt != NULL && tt->round == r->round;
	if (counts)
		state_take(tt, r, s, data, stat);
	controller_term_read_free(r);
	if (counts && --tt->states_left == 0)
		topic_deliver(tt);
	states_pump(t);
}

static void state_ask(struct controller_term *t, struct term_topic *tt)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_state(tt->name, tt->node.partitions[tt->states_asked].partition, path);
	struct term_read *r = controller_term_read_new(t, path);
	r->topic = tt;
	r->round = tt->round;
	r->index = tt->states_asked++;
	t->state_reads++;
	zk_request_get(t->requester, path, state_got, r);
}

static void states_pump(struct controller_term *t)
{
	while (t->reading != NULL && t->state_reads < TERM_STATE_READS_MAX) {
		struct term_topic *tt = t->reading;
		if (tt->states_asked < tt->node.partition_count)
			state_ask(t, tt);
		else
			reading_remove(t, tt);
	}
}

static void states_begin(struct controller_term *t, struct term_topic *tt)
{
	expect(tt->states == NULL && tt->next_reading == NULL);
	tt->states = check_calloc(tt->node.partition_count + 1, sizeof *tt->states);
	tt->states_left = tt->node.partition_count;
	*t->reading_tail = tt;
	t->reading_tail = &tt->next_reading;
	states_pump(t);
}

/* --- one topic ------------------------------------------------------------ */

static void topic_unreadable(struct term_topic *tt, const char *reason)
{
	diag_error("topic_unreadable", "topic=%s reason=\"%s\"", tt->name, reason);
	topic_forget_reading(tt);
	topic_delivered(tt->term, tt);
}

static void config_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	(void)stat;
	struct term_read *r = CAST(term_read, arg);
	struct term_topic *tt = r->topic;
	struct failure f;
	if (tt != NULL) {
		tt->reading_config = false;
		tt->have_config = true;
		zk_schema_config_fini(&tt->config);
		if (s != STATUS_OK && s != STATUS_NOT_FOUND)
			controller_term_read_failed(r->term, s, r->path);
		else if (s == STATUS_OK && zk_schema_config_decode(r->path, data, &tt->config, &f) != STATUS_OK)
			diag_error("topic_config_unreadable", "topic=%s reason=\"%s\"", tt->name, f.text);
	}
	controller_term_read_free(r);
	if (tt != NULL)
		topic_step(tt);
}

static void config_ask(struct term_topic *tt)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_topic_config(tt->name, path);
	struct term_read *r = controller_term_read_new(tt->term, path);
	r->topic = tt;
	tt->reading_config = true;
	tt->config_stale = false;
	zk_request_get(tt->term->requester, path, config_got, r);
}

/* Goes on with what is still missing. */
static void topic_step(struct term_topic *tt)
{
	struct controller_term *t = CAST(controller_term, tt->term);
	if (!tt->have_node || tt->reading_config || tt->states != NULL)
		return;
	if (tt->config_stale) {
		config_ask(tt);
		return;
	}
	if (!t->started && !tt->delivered && tt->node.partition_count > 0)
		states_begin(t, tt);
	else
		topic_deliver(tt);
}

static void topic_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	struct term_topic *tt = CAST(term_topic, arg);
	struct controller_term *t = CAST(controller_term, tt->term);
	if (!present) { /* the list tells that it is gone; until then there is nothing to know */
		if (!tt->delivered)
			topic_unreadable(tt, "its znode vanished while it was being read");
		return;
	}
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(tt->name, path);
	struct zk_schema_topic node;
	struct failure f;
	if (zk_schema_topic_decode(path, data, &node, &f) != STATUS_OK) {
		topic_unreadable(tt, f.text);
		return;
	}
	if (tt->states != NULL) { /* changed while its states are being read: start over with the new node */
		reading_remove(t, tt);
		states_forget(tt);
	}
	bool other = tt->delivered && tt->czxid != stat->czxid;
	zk_schema_topic_fini(&tt->node);
	tt->node = node;
	tt->have_node = true;
	tt->node_version = stat->version;
	tt->node_czxid = stat->czxid;
	if (other && !tt->reading_config)
		config_ask(tt); /* deleted and made again between two looks */
	topic_step(tt);
}

static void topic_add(struct controller_term *t, const char *name)
{
	struct term_topic *tt = NULL;
	HASH_FIND_STR(t->topics, name, tt);
	if (tt != NULL) {
		tt->listed = true;
		return;
	}
	if (topic_name_check(slice_of_str(name)) != STATUS_OK) {
		diag_warn("topic_name_illegal", "path=" ZK_SCHEMA_TOPICS "/%.260s", name);
		return;
	}
	tt = check_calloc(1, sizeof *tt);
	*tt = (struct term_topic){.magic = term_topic_magic, .term = t, .name = check_strdup(name), .listed = true};
	HASH_ADD_KEYPTR(hh, t->topics, tt->name, strlen(tt->name), tt);
	if (!t->started)
		t->loading++;
	char path[ZK_PATH_MAX];
	zk_schema_path_topic(name, path);
	config_ask(tt);
	tt->watch = zk_watch_node(t->options.zk, path, topic_changed, tt);
}

/* --- the list ------------------------------------------------------------- */

static void topics_changed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	bool first = !t->topics_listed;
	size_t unread = 0;
	struct term_topic *tt, *next;
	count = present ? count : 0;
	t->topics_listed = true;
	for (tt = t->topics; tt != NULL; tt = tt->hh.next)
		tt->listed = false;
	for (size_t i = 0; i < count; i++)
		topic_add(t, names[i]);
	HASH_ITER(hh, t->topics, tt, next)
	{
		if (tt->listed)
			continue;
		unread += !tt->delivered && !t->started;
		topic_drop(t, tt);
	}
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_TOPIC_LIST, .list = {names, count, 0}});
	for (; unread > 0; unread--)
		controller_term_loaded_one(t);
	if (first && !t->started)
		controller_term_loaded_one(t);
}

static void topics_listed(void *arg, enum status s, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct term_read *r = CAST(term_read, arg);
	struct controller_term *t = CAST(controller_term, r->term);
	int64_t number = r->number;
	controller_term_read_free(r);
	if (s != STATUS_OK && s != STATUS_NOT_FOUND) {
		controller_term_read_failed(t, s, ZK_SCHEMA_TOPICS);
		return;
	}
	count = s == STATUS_OK ? count : 0;
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_TOPIC_LIST, .list = {names, count, number}});
}

void controller_term_list_topics(struct controller_term *t, int64_t number)
{
	struct term_read *r = controller_term_read_new(t, ZK_SCHEMA_TOPICS);
	r->number = number;
	zk_request_children(t->requester, ZK_SCHEMA_TOPICS, topics_listed, r);
}

/* --- single states -------------------------------------------------------- */

static void single_got(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct term_read *r = CAST(term_read, arg);
	struct event_state state = {.found = s == STATUS_OK, .version = s == STATUS_OK ? stat->version : 0};
	struct failure f;
	if (s != STATUS_OK && s != STATUS_NOT_FOUND)
		controller_term_read_failed(r->term, s, r->path);
	else if (s == STATUS_OK && zk_schema_state_decode(r->path, data, &state.node, &f) != STATUS_OK)
		diag_error("partition_state_unreadable", "reason=\"%s\"", f.text);
	else
		controller_term_decide(r->term, &(struct controller_event){.kind = EVENT_STATE_READ,
			.state_read = {&r->tp, &state}});
	zk_schema_state_fini(&state.node);
	controller_term_read_free(r);
}

void controller_term_read_state(struct controller_term *t, const struct topic_partition *tp)
{
	char path[ZK_PATH_MAX];
	zk_schema_path_state(tp->topic, tp->partition, path);
	struct term_read *r = controller_term_read_new(t, path);
	r->tp = *tp;
	zk_request_get(t->requester, path, single_got, r);
}

/* --- outside -------------------------------------------------------------- */

bool controller_term_topic_config_changed(struct controller_term *t, const char *name)
{
	struct term_topic *tt = NULL;
	HASH_FIND_STR(t->topics, name, tt);
	if (tt == NULL || (tt->delivered && !tt->have_node && !tt->reading_config))
		return false;
	tt->config_stale = true;
	return true;
}

void controller_term_watch_topics(struct controller_term *t)
{
	t->loading++;
	t->topics_watch = zk_watch_children(t->options.zk, ZK_SCHEMA_TOPICS, topics_changed, t);
}

void controller_term_free_topics(struct controller_term *t)
{
	struct term_topic *tt, *next;
	zk_watch_free(t->topics_watch);
	HASH_ITER(hh, t->topics, tt, next)
	{
		topic_drop(t, tt);
	}
}

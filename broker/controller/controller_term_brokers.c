/* /brokers/ids and each registration in it; the channels to those who are there. */
#include "base/diag.h"
#include "controller/controller_requests.h"
#include "controller/controller_term_internal.h"

static void broker_drop_channel(struct term_broker *b)
{
	broker_channel_free(b->channel);
	free(b->channel_host);
	b->channel = NULL;
	b->channel_host = NULL;
}

static void broker_free(struct controller_term *t, struct term_broker *b)
{
	HASH_DEL(t->brokers, b);
	zk_watch_free(b->watch);
	broker_drop_channel(b);
	zk_schema_broker_fini(&b->registration);
	free(b);
}

/* --- channels ------------------------------------------------------------- */

static void channel_answered(void *arg, int32_t broker_id, const struct control_request *request,
	const struct control_response *response)
{
	struct controller_term *t = CAST(controller_term, arg);
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_RESPONSE,
		.response = {.broker_id = broker_id, .request = request, .response = response}});
}

static void channel_overrun(void *arg, int32_t broker_id)
{
	struct controller_term *t = CAST(controller_term, arg);
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_RESYNC, .resync_broker = broker_id});
}

/* True: a channel took the place of one whose queue is lost, to the same life of the broker. */
static bool broker_connect(struct controller_term *t, struct term_broker *b)
{
	const struct zk_schema_endpoint *e = controller_requests_endpoint(b->registration.endpoints, b->registration.endpoint_count,
		t->options.settings->inter_broker_listener_name);
	if (b->channel != NULL && b->channel_epoch == b->epoch && b->channel_port == e->port
		&& strcmp(b->channel_host, e->host) == 0)
		return false;
	bool moved = b->channel != NULL && b->channel_epoch == b->epoch;
	broker_drop_channel(b);
	struct broker_channel_options o = {.scheduler = t->scheduler, .transport = t->options.transport,
		.link = {.broker_id = b->id, .host = e->host, .port = e->port}, .answered = channel_answered,
		.overrun = channel_overrun, .arg = t};
	b->channel = broker_channel_new(&o);
	b->channel_epoch = b->epoch;
	b->channel_host = check_strdup(e->host);
	b->channel_port = e->port;
	return moved;
}

void controller_term_send(struct controller_term *t, struct controller_send *sends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct term_broker *b = NULL;
		HASH_FIND_INT(t->brokers, &sends[i].broker_id, b);
		if (b != NULL && b->channel != NULL)
			broker_channel_send(b->channel, &sends[i].request);
		else
			control_request_fini(&sends[i].request);
	}
}

/* --- registrations -------------------------------------------------------- */

/* The present picture, once every registration on the list has been read. */
static void tell_brokers(struct controller_term *t)
{
	struct term_broker *b, *next;
	if (!t->brokers_listed)
		return;
	for (b = t->brokers; b != NULL; b = b->hh.next) {
		if (!b->reported)
			return;
	}
	struct event_broker *items = check_calloc(HASH_COUNT(t->brokers) + 1, sizeof *items);
	int32_t *moved = check_calloc(HASH_COUNT(t->brokers) + 1, sizeof *moved);
	size_t count = 0, moved_count = 0;
	HASH_ITER(hh, t->brokers, b, next)
	{
		if (!b->present) {
			broker_drop_channel(b);
			continue;
		}
		if (broker_connect(t, b))
			moved[moved_count++] = b->id;
		items[count++] = (struct event_broker){.id = b->id, .epoch = b->epoch, .registration = &b->registration};
	}
	controller_term_decide(t, &(struct controller_event){.kind = EVENT_BROKERS, .brokers = {items, count}});
	for (size_t i = 0; i < moved_count; i++)
		controller_term_decide(t, &(struct controller_event){.kind = EVENT_RESYNC, .resync_broker = moved[i]});
	free(items);
	free(moved);
}

static void broker_changed(void *arg, bool present, struct slice data, const struct zk_stat *stat)
{
	struct term_broker *b = arg;
	struct controller_term *t = CAST(controller_term, b->term);
	bool first = !b->reported;
	struct zk_schema_broker registration = {0};
	char path[ZK_PATH_MAX];
	zk_schema_path_broker(b->id, path);
	struct failure f;
	if (present && zk_schema_broker_decode(path, data, &registration, &f) != STATUS_OK) {
		diag_error("broker_registration_unreadable", "broker=%d reason=\"%s\"", b->id, f.text);
		present = false;
	}
	zk_schema_broker_fini(&b->registration);
	b->registration = registration;
	b->reported = true;
	b->present = present;
	b->epoch = present ? stat->czxid : 0;
	tell_brokers(t);
	if (first && !t->started)
		controller_term_loaded_one(t);
}

static void broker_add(struct controller_term *t, int32_t id)
{
	struct term_broker *b = NULL;
	HASH_FIND_INT(t->brokers, &id, b);
	if (b != NULL) {
		b->listed = true;
		return;
	}
	b = check_calloc(1, sizeof *b);
	*b = (struct term_broker){.term = t, .id = id, .listed = true};
	HASH_ADD_INT(t->brokers, id, b);
	if (!t->started)
		t->loading++;
	char path[ZK_PATH_MAX];
	zk_schema_path_broker(id, path);
	b->watch = zk_watch_node(t->options.zk, path, broker_changed, b);
}

static void brokers_changed(void *arg, bool present, const char *const *names, size_t count, const struct zk_stat *stat)
{
	(void)stat;
	struct controller_term *t = CAST(controller_term, arg);
	bool first = !t->brokers_listed;
	struct term_broker *b, *next;
	for (b = t->brokers; b != NULL; b = b->hh.next)
		b->listed = false;
	for (size_t i = 0; present && i < count; i++) {
		int32_t id;
		if (bytes_parse_i32(slice_of_str(names[i]), &id) == STATUS_OK && id >= 0)
			broker_add(t, id);
	}
	size_t unread = 0;
	HASH_ITER(hh, t->brokers, b, next)
	{
		if (b->listed)
			continue;
		unread += !b->reported && !t->started;
		broker_free(t, b);
	}
	t->brokers_listed = true;
	tell_brokers(t);
	for (; unread > 0; unread--)
		controller_term_loaded_one(t);
	if (first && !t->started)
		controller_term_loaded_one(t);
}

void controller_term_watch_brokers(struct controller_term *t)
{
	t->loading++;
	t->brokers_watch = zk_watch_children(t->options.zk, ZK_SCHEMA_BROKER_IDS, brokers_changed, t);
}

void controller_term_free_brokers(struct controller_term *t)
{
	struct term_broker *b, *next;
	zk_watch_free(t->brokers_watch);
	HASH_ITER(hh, t->brokers, b, next)
	{
		broker_free(t, b);
	}
}

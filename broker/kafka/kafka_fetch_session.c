/* What a Fetch asks for: all of it in the message, or the changes to a session (KIP-227). Kafka: FetchManager.newContext. */
#include "kafka/kafka_fetch.h"

static bool by_id(const struct kafka_call *c)
{
	return c->header.api_version >= KAFKA_FETCH_FIRST_WITH_TOPIC_IDS;
}

static int64_t now_ms(const struct kafka_call *c)
{
	return clock_monotonic_us(c->service->scheduler->clock) / 1000;
}

static struct fetch_session_request asked_of(const struct kafka_fetch_request_topic_partition *p)
{
	return (struct fetch_session_request){
		.offset = p->fetch_offset,
		.max_bytes = p->partition_max_bytes,
		.current_leader_epoch = p->current_leader_epoch,
		.last_fetched_epoch = p->last_fetched_epoch,
	};
}

static struct fetch_session_key key_of(const struct kafka_call *c, const char *name, const struct uuid *id)
{
	struct fetch_session_key key = {.name = name};
	if (by_id(c))
		key = (struct fetch_session_key){.id = *id};
	return key;
}

/* --- from the message ----------------------------------------------------------------------------------------------------- */

enum status kafka_fetch_items_from_message(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	for (int32_t i = 0; i < m->topics_count; i++)
		f->item_count += (size_t)m->topics[i].partitions_count;
	struct kafka_fetch_item *item = f->items = kafka_call_array(c, f->item_count, sizeof(*item));
	if (item == NULL)
		return STATUS_TOO_LARGE;
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_fetch_request_topic *t = &m->topics[i];
		struct fetch_session_key key = key_of(c, t->topic, &t->topic_id);
		enum status refused = STATUS_OK;
		if (by_id(c)) {
			const struct image_topic *known = cluster_image_topic_by_id(service_loop_image(c->service), &t->topic_id);
			/* The image may be gone when the answer comes. */
			key.name = known == NULL ? NULL : arena_strdup(&c->request->arena, slice_of_str(known->name));
			if (known != NULL && key.name == NULL)
				return STATUS_TOO_LARGE;
			refused = known == NULL ? STATUS_UNKNOWN_TOPIC_ID : STATUS_OK;
		}
		for (int32_t k = 0; k < t->partitions_count; k++)
			*item++ = (struct kafka_fetch_item){
				.topic = key,
				.partition = t->partitions[k].partition,
				.asked = asked_of(&t->partitions[k]),
				.refused = refused,
			};
	}
	return STATUS_OK;
}

/* --- from a session ------------------------------------------------------------------------------------------------------- */

static enum status change_session(struct kafka_call *c, struct fetch_session *s)
{
	const struct kafka_fetch_request *m = c->body;
	struct fetch_session_partition *added;
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_fetch_request_topic *t = &m->topics[i];
		struct fetch_session_key key = key_of(c, t->topic, &t->topic_id);
		for (int32_t k = 0; k < t->partitions_count; k++) {
			struct fetch_session_request asked = asked_of(&t->partitions[k]);
			TRY(fetch_session_put(c->sessions, s, &key, t->partitions[k].partition, &asked, &added));
		}
	}
	for (int32_t i = 0; i < m->forgotten_topics_data_count; i++) {
		const struct kafka_fetch_request_forgotten *t = &m->forgotten_topics_data[i];
		struct fetch_session_key key = key_of(c, t->topic, &t->topic_id);
		for (int32_t k = 0; k < t->partitions_count; k++)
			fetch_session_forget(c->sessions, s, &key, t->partitions[k]);
	}
	return STATUS_OK;
}

/* Is there a topic of the id now, and of what name? */
static enum status resolve(const struct kafka_call *c, struct fetch_session_topic *t)
{
	if (!by_id(c))
		return STATUS_OK;
	const struct cluster_image *image = service_loop_image(c->service);
	const struct image_topic *known = cluster_image_topic_by_id(image, fetch_session_topic_id(t));
	const char *name = fetch_session_topic_name(t);
	if (known != NULL && name == NULL)
		fetch_session_topic_resolve(t, known->name);
	if (known != NULL)
		return STATUS_OK;
	/* Made anew under its name? Then the client has to ask for the new id. */
	bool another = name != NULL && cluster_image_topic(image, slice_of_str(name)) != NULL;
	return another ? STATUS_INCONSISTENT_TOPIC_ID : STATUS_UNKNOWN_TOPIC_ID;
}

static enum status fill_items(struct kafka_call *c, struct kafka_fetch *f)
{
	f->item_count = fetch_session_partition_count(f->session);
	struct kafka_fetch_item *item = f->items = kafka_call_array(c, f->item_count, sizeof(*item));
	if (item == NULL)
		return STATUS_TOO_LARGE;
	struct fetch_session_topic *topic = NULL;
	enum status refused = STATUS_OK;
	for (struct fetch_session_partition *p = fetch_session_first(f->session); p != NULL; p = fetch_session_next(f->session, p)) {
		if (p->topic != topic)
			refused = resolve(c, p->topic);
		topic = p->topic;
		*item++ = (struct kafka_fetch_item){
			.topic = {.name = fetch_session_topic_name(topic), .id = *fetch_session_topic_id(topic)},
			.partition = p->partition,
			.asked = p->request,
			.refused = refused,
			.cached = p,
		};
	}
	expect(item == f->items + f->item_count);
	return STATUS_OK;
}

enum status kafka_fetch_items_from_session(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	TRY(fetch_session_cache_resume(c->sessions, m->session_id, m->session_epoch, by_id(c), &f->session));
	f->expected_epoch = fetch_session_next_epoch(m->session_epoch);
	if (change_session(c, f->session) != STATUS_OK) {
		/* It has grown out of what we hold for clients: on without. */
		fetch_session_cache_close(c->sessions, m->session_id);
		return STATUS_FETCH_SESSION_ID_NOT_FOUND;
	}
	if (fetch_session_cache_advance(c->sessions, f->session, now_ms(c)))
		return fill_items(c, f);
	kafka_fetch_release_session(f); /* nothing left to fetch: closed, and answered as if there had been none */
	return STATUS_OK;
}

/* --- when all is read ----------------------------------------------------------------------------------------------------- */

static struct fetch_session_result result_of(const struct kafka_fetch_item *item)
{
	const struct fetch_entry *e = item->entry;
	if (e == NULL || e->status != STATUS_OK)
		return (struct fetch_session_result){.failed = true, .high_watermark = -1, .log_start_offset = -1};
	return (struct fetch_session_result){
		.has_records = e->record_bytes > 0,
		.diverges = e->diverges,
		.high_watermark = e->high_watermark,
		.log_start_offset = e->log_start_offset,
	};
}

enum status kafka_fetch_update_session(struct kafka_fetch *f)
{
	if (fetch_session_epoch(f->session) != f->expected_epoch)
		return STATUS_INVALID_FETCH_SESSION_EPOCH;
	for (size_t i = 0; i < f->item_count; i++) {
		struct kafka_fetch_item *item = &f->items[i];
		struct fetch_session_result result = result_of(item);
		item->left_out = !fetch_session_answer(f->session, item->cached, &result);
	}
	return STATUS_OK;
}

int32_t kafka_fetch_new_session(struct kafka_fetch *f)
{
	struct fetch_session_cache *cache = f->call->sessions;
	struct fetch_session *s = fetch_session_cache_create(cache, false, f->item_count, by_id(f->call), now_ms(f->call));
	if (s == NULL)
		return FETCH_SESSION_NONE;
	int32_t id = fetch_session_id(s);
	for (size_t i = 0; i < f->item_count; i++) {
		const struct kafka_fetch_item *item = &f->items[i];
		struct fetch_session_result result = result_of(item);
		struct fetch_session_partition *p;
		if (fetch_session_put(cache, s, &item->topic, item->partition, &item->asked, &p) != STATUS_OK)
			unreachable("a session was promised room");
		result.has_records = false; /* the order is the client's for now */
		(void)fetch_session_answer(s, p, &result);
	}
	fetch_session_cache_release(cache, s);
	return id;
}

void kafka_fetch_release_session(struct kafka_fetch *f)
{
	if (f->session != NULL)
		fetch_session_cache_release(f->call->sessions, f->session);
	f->session = NULL;
}

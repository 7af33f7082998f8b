/* Fetch: items (kafka_fetch.h) to the service and back. */
#include "kafka/kafka_fetch.h"
#include "kafka/kafka_handlers.h"

enum {
	FIRST_WITH_MAGIC_1 = 2,
	FIRST_WITH_MAX_BYTES = 3,
	FIRST_WITH_BATCHES = 4,
	FIRST_WITH_STORAGE_ERRORS = 6,
	FIRST_WITH_ZSTD = 10,
	READ_COMMITTED = 1,
	/* An answer that has to be converted is held in memory, unlike others. */
	CONVERTED_BYTES_MAX = 8 << 20,
	CONVERTED_SHARE_MIN = 64 << 10,
};

static size_t or_none(int32_t n)
{
	return n < 0 ? 0 : (size_t)n;
}

/* One entry per item that can be read. False: no memory. */
static bool fill_entries(struct kafka_call *c, struct kafka_fetch *f)
{
	struct fetch_entry *e = kafka_call_array(c, f->item_count, sizeof(*e));
	f->request.entries = e;
	if (e == NULL)
		return false;
	for (size_t i = 0; i < f->item_count; i++) {
		struct kafka_fetch_item *item = &f->items[i];
		if (item->refused != STATUS_OK)
			continue;
		*e = (struct fetch_entry){
			.topic = item->topic.name,
			.partition = item->partition,
			.offset = item->asked.offset,
			.max_bytes = or_none(item->asked.max_bytes),
			.current_leader_epoch = item->asked.current_leader_epoch,
			.check_epoch = item->asked.last_fetched_epoch >= 0,
			.last_fetched_epoch = item->asked.last_fetched_epoch,
		};
		item->entry = e++;
	}
	f->request.entry_count = (size_t)(e - f->request.entries);
	return true;
}

/* --- the answer ----------------------------------------------------------------------------------------------------------- */

static void fill_data(const struct kafka_call *c, const struct fetch_entry *e, struct kafka_fetch_response_topic_partition *p)
{
	const struct kafka_fetch_request *m = c->body;
	p->high_watermark = e->high_watermark;
	/* Without transactions everything below the high watermark is stable. */
	p->last_stable_offset = e->high_watermark;
	p->log_start_offset = e->log_start_offset;
	p->records.bytes.n = e->record_bytes;
	if (m->isolation_level == READ_COMMITTED)
		p->aborted_transactions_count = 0;
	if (e->diverges) {
		p->diverging_epoch.epoch = e->diverging_epoch;
		p->diverging_epoch.end_offset = e->diverging_end_offset;
	}
}

/* Records of zero bytes are sent empty, never null: old clients know no null there. */
static void fill_partition(const struct kafka_call *c, const struct kafka_fetch_item *item,
	struct kafka_fetch_response_topic_partition *p)
{
	const struct fetch_entry *e = item->entry;
	enum status s = e == NULL ? item->refused : e->status;
	p->partition_index = item->partition;
	p->error_code = kafka_call_data_code(s, c->header.api_version >= FIRST_WITH_STORAGE_ERRORS);
	p->high_watermark = -1;
	p->aborted_transactions_count = s == STATUS_UNKNOWN_TOPIC_OR_PARTITION || s == STATUS_UNKNOWN_TOPIC_ID ? 0 : -1; /* as Kafka */
	p->records = (struct kafka_records){.in_payload = true};
	if (s == STATUS_OK)
		fill_data(c, e, p);
	if (e == NULL || e->leader.broker_id < 0)
		return;
	p->current_leader.leader_id = e->leader.broker_id;
	p->current_leader.leader_epoch = e->leader.leader_epoch;
}

static bool same_topic(const struct fetch_session_key *a, const struct fetch_session_key *b)
{
	return a->name == b->name && uuid_equal(&a->id, &b->id);
}

/* How many items from `from` on are answered under one topic, and where the next topic's begin. */
static int32_t count_group(const struct kafka_fetch *f, size_t from, size_t *ret_next)
{
	int32_t n = 0;
	size_t i = from;
	for (; i < f->item_count && (f->items[i].left_out || same_topic(&f->items[i].topic, &f->items[from].topic)); i++)
		n += f->items[i].left_out ? 0 : 1;
	*ret_next = i;
	return n;
}

static size_t skip_left_out(const struct kafka_fetch *f, size_t i)
{
	while (i < f->item_count && f->items[i].left_out)
		i++;
	return i;
}

static bool fill_topic(struct kafka_call *c, const struct kafka_fetch *f, size_t from, int32_t count, struct kafka_fetch_response_topic *t)
{
	t->topic = f->items[from].topic.name;
	t->topic_id = f->items[from].topic.id;
	t->partitions_count = count;
	t->partitions = KAFKA_CALL_NEW(c, fetch_response_topic_partition, count);
	if (t->partitions == NULL)
		return false;
	for (int32_t k = 0; k < count; from++)
		if (!f->items[from].left_out)
			fill_partition(c, &f->items[from], &t->partitions[k++]);
	return true;
}

static bool fill_response(struct kafka_call *c, const struct kafka_fetch *f, struct kafka_fetch_response *m)
{
	size_t next = 0;
	m->responses_count = 0;
	for (size_t i = skip_left_out(f, 0); i < f->item_count; i = skip_left_out(f, next)) {
		(void)count_group(f, i, &next);
		m->responses_count++;
	}
	m->responses = KAFKA_CALL_NEW(c, fetch_response_topic, m->responses_count);
	if (m->responses == NULL)
		return false;
	int32_t at = 0;
	for (size_t i = skip_left_out(f, 0); i < f->item_count; i = skip_left_out(f, next)) {
		int32_t count = count_group(f, i, &next);
		if (!fill_topic(c, f, i, count, &m->responses[at++]))
			return false;
	}
	expect(at == m->responses_count);
	return true;
}

static void refuse(struct kafka_call *c, enum status s, int32_t session_id)
{
	struct kafka_fetch_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(s);
	m.session_id = session_id;
	kafka_call_answer(c, &m, NULL);
}

static void answer(struct kafka_call *c, struct kafka_fetch *f, struct iobuf *records)
{
	struct kafka_fetch_response m;
	kafka_messages_init(c->api->response, &m);
	if (f->session != NULL) {
		m.session_id = fetch_session_id(f->session);
		if (kafka_fetch_update_session(f) != STATUS_OK) {
			kafka_fetch_release_session(f);
			refuse(c, STATUS_INVALID_FETCH_SESSION_EPOCH, m.session_id);
			return;
		}
	}
	bool filled = fill_response(c, f, &m);
	if (filled && f->wants_session)
		m.session_id = kafka_fetch_new_session(f);
	struct fetch_session *used = f->session; /* names in m are its own; f is gone with the answer */
	struct fetch_session_cache *sessions = c->sessions;
	if (filled)
		kafka_call_answer(c, &m, records);
	else
		kafka_call_abort_memory(c);
	if (used != NULL)
		fetch_session_cache_release(sessions, used);
}

static void fetched(struct fetch_request *r)
{
	struct kafka_fetch *f = r->arg;
	struct iobuf records = r->records;
	answer(CAST(kafka_call, f->call), f, &records);
	iobuf_fini(&records);
}

/* --- the request ---------------------------------------------------------------------------------------------------------- */

static void fetch_abandoned(struct kafka_call *c)
{
	struct kafka_fetch *f = c->waiting;
	fetch_service_hurry(&f->request);
}

/* Replicas of this cluster fetch by the native protocol. */
static bool is_follower(const struct kafka_fetch_request *m)
{
	return m->replica_id >= 0 || m->replica_state.replica_id >= 0;
}

/* Readers from before record batches. What they may hold of our memory is shared out, so that no partition takes it all. */
static void fit_old_reader(const struct kafka_call *c, struct fetch_request *r)
{
	r->without_zstd = c->header.api_version < FIRST_WITH_ZSTD;
	r->old_formats = c->header.api_version < FIRST_WITH_BATCHES;
	if (!r->old_formats)
		return;
	r->old_magic = c->header.api_version < FIRST_WITH_MAGIC_1 ? 0 : 1;
	if (r->max_bytes > CONVERTED_BYTES_MAX)
		r->max_bytes = CONVERTED_BYTES_MAX;
	size_t share = r->entry_count == 0 ? 0 : CONVERTED_BYTES_MAX / r->entry_count;
	if (share < CONVERTED_SHARE_MIN)
		share = CONVERTED_SHARE_MIN;
	for (size_t i = 0; i < r->entry_count; i++)
		if (r->entries[i].max_bytes > share)
			r->entries[i].max_bytes = share;
}

/* Before Fetch had a limit of its own, clients did not know that the order of partitions matters where an answer gets full: whoever came
 * first would always win. */
static void rotate_items(struct kafka_call *c, struct kafka_fetch *f)
{
	if (c->header.api_version >= FIRST_WITH_MAX_BYTES || f->item_count < 2)
		return;
	size_t by = (size_t)(uint32_t)c->header.correlation_id % f->item_count;
	struct kafka_fetch_item *items = kafka_call_array(c, f->item_count, sizeof(*items));
	if (items == NULL)
		return;
	memcpy(items, f->items + by, (f->item_count - by) * sizeof(*items));
	memcpy(items + (f->item_count - by), f->items, by * sizeof(*items));
	f->items = items;
}

static void start(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	f->request.service = c->service;
	f->request.arena = &c->request->arena;
	f->request.listener = request_listener(c->request);
	f->request.max_wait_ms = m->max_wait_ms > 0 ? m->max_wait_ms : 0;
	/* An error is told at once. */
	f->request.min_bytes = f->request.entry_count < f->item_count ? 0 : or_none(m->min_bytes);
	f->request.max_bytes = or_none(m->max_bytes);
	f->request.done = fetched;
	f->request.arg = f;
	fit_old_reader(c, &f->request);
	c->abandoned = fetch_abandoned;
	c->waiting = f;
	/* Texts were copied by the decoder; a long poll must not hold the frame. */
	request_release_frame(c->request);
	if (fetch_service_start(&f->request) == STATUS_OK)
		return;
	kafka_fetch_release_session(f);
	kafka_call_abort_memory(c);
}

/* Full requests close the session they name, and may ask for a new one; others change one. */
static enum status find_items(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	if (is_follower(m))
		return STATUS_INVALID_REQUEST;
	if (m->session_epoch != FETCH_SESSION_EPOCH_INITIAL && m->session_epoch != FETCH_SESSION_EPOCH_FINAL)
		return kafka_fetch_items_from_session(c, f);
	if (m->session_id != FETCH_SESSION_NONE)
		fetch_session_cache_close(c->sessions, m->session_id);
	f->wants_session = m->session_epoch == FETCH_SESSION_EPOCH_INITIAL;
	TRY(kafka_fetch_items_from_message(c, f));
	rotate_items(c, f);
	return STATUS_OK;
}

void kafka_data_fetch(struct kafka_call *c)
{
	struct kafka_fetch *f = kafka_call_array(c, 1, sizeof(*f));
	if (f == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	f->call = c;
	enum status s = find_items(c, f);
	if (s == STATUS_OK && !fill_entries(c, f))
		s = STATUS_TOO_LARGE;
	if (s == STATUS_OK) {
		start(c, f);
		return;
	}
	kafka_fetch_release_session(f);
	if (s == STATUS_TOO_LARGE)
		kafka_call_abort_memory(c);
	else
		refuse(c, s, FETCH_SESSION_NONE);
}

/* Fetch. Without sessions: each answer says session 0, and a client that asked for one goes on with full requests. Entries are kept
 * flat, in the order of the message, each of the message's partitions one, read or not. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/fetch_service.h"

enum {
	FIRST_WITH_MAGIC_1 = 2,
	FIRST_WITH_BATCHES = 4,
	FIRST_WITH_STORAGE_ERRORS = 6,
	FIRST_WITH_ZSTD = 10,
	FIRST_WITH_TOPIC_IDS = 13,
	NO_SESSION_EPOCH = -1,
	READ_COMMITTED = 1,
	/* An answer that has to be converted is held in memory, unlike others. */
	CONVERTED_BYTES_MAX = 8 << 20,
	CONVERTED_SHARE_MIN = 64 << 10,
};

struct kafka_fetch {
	struct kafka_call *call;
	const char **names; /* per topic of the message; NULL: no topic has the id */
	struct fetch_request request;
};

static size_t or_none(int32_t n)
{
	return n < 0 ? 0 : (size_t)n;
}

/* Names of the topics asked for. False: no memory. */
static bool find_names(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	f->names = kafka_call_array(c, or_none(m->topics_count), sizeof(*f->names));
	if (f->names == NULL)
		return false;
	for (int32_t i = 0; i < m->topics_count; i++) {
		f->names[i] = m->topics[i].topic;
		if (c->header.api_version < FIRST_WITH_TOPIC_IDS)
			continue;
		const struct image_topic *t = cluster_image_topic_by_id(service_loop_image(c->service), &m->topics[i].topic_id);
		/* The image may be gone when the answer comes. */
		f->names[i] = t == NULL ? NULL : arena_strdup(&c->request->arena, slice_of_str(t->name));
		if (t != NULL && f->names[i] == NULL)
			return false;
	}
	return true;
}

/* Entries of topics with a name. False: no memory. */
static bool fill_entries(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	size_t count = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		count += f->names[i] == NULL ? 0 : (size_t)m->topics[i].partitions_count;
	struct fetch_entry *e = kafka_call_array(c, count, sizeof(*e));
	f->request.entries = e;
	f->request.entry_count = count;
	if (e == NULL)
		return false;
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_fetch_request_topic *t = &m->topics[i];
		for (int32_t k = 0; f->names[i] != NULL && k < t->partitions_count; k++)
			*e++ = (struct fetch_entry){
				.topic = f->names[i],
				.partition = t->partitions[k].partition,
				.offset = t->partitions[k].fetch_offset,
				.max_bytes = or_none(t->partitions[k].partition_max_bytes),
				.current_leader_epoch = t->partitions[k].current_leader_epoch,
				.check_epoch = t->partitions[k].last_fetched_epoch >= 0,
				.last_fetched_epoch = t->partitions[k].last_fetched_epoch,
			};
	}
	return true;
}

static bool names_unknown_topic(const struct kafka_call *c, const struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	for (int32_t i = 0; i < m->topics_count; i++)
		if (f->names[i] == NULL)
			return true;
	return false;
}

/* Records of zero bytes are sent empty, never null: old clients know no null there. */
static void fill_partition(const struct kafka_call *c, const struct fetch_entry *e, struct kafka_fetch_response_topic_partition *p)
{
	const struct kafka_fetch_request *m = c->body;
	p->partition_index = e->partition;
	p->error_code = kafka_call_data_code(e->status, c->header.api_version >= FIRST_WITH_STORAGE_ERRORS);
	p->high_watermark = e->high_watermark;
	/* Without transactions everything below the high watermark is stable. */
	p->last_stable_offset = e->high_watermark;
	p->log_start_offset = e->log_start_offset;
	p->aborted_transactions_count = m->isolation_level == READ_COMMITTED ? 0 : -1;
	p->records = (struct kafka_records){.bytes = {.n = e->record_bytes}, .in_payload = true};
	if (e->diverges) {
		p->diverging_epoch.epoch = e->diverging_epoch;
		p->diverging_epoch.end_offset = e->diverging_end_offset;
	}
	if (e->leader.broker_id < 0)
		return;
	p->current_leader.leader_id = e->leader.broker_id;
	p->current_leader.leader_epoch = e->leader.leader_epoch;
}

static void fill_unknown(const struct kafka_fetch_request_topic *t, struct kafka_fetch_response_topic_partition *p)
{
	for (int32_t k = 0; k < t->partitions_count; k++) {
		p[k].partition_index = t->partitions[k].partition;
		p[k].error_code = status_code(STATUS_UNKNOWN_TOPIC_ID);
		p[k].high_watermark = -1;
		p[k].aborted_transactions_count = -1;
		p[k].records.in_payload = true;
	}
}

static bool fill_response(struct kafka_call *c, const struct kafka_fetch *f, struct kafka_fetch_response *m)
{
	const struct kafka_fetch_request *asked = c->body;
	const struct fetch_entry *e = f->request.entries;
	kafka_messages_init(c->api->response, m);
	m->responses_count = asked->topics_count;
	m->responses = KAFKA_CALL_NEW(c, fetch_response_topic, asked->topics_count);
	if (m->responses == NULL)
		return false;
	for (int32_t i = 0; i < asked->topics_count; i++) {
		const struct kafka_fetch_request_topic *from = &asked->topics[i];
		struct kafka_fetch_response_topic *t = &m->responses[i];
		t->topic = from->topic;
		t->topic_id = from->topic_id;
		t->partitions_count = from->partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, fetch_response_topic_partition, from->partitions_count);
		if (t->partitions == NULL)
			return false;
		if (f->names[i] == NULL)
			fill_unknown(from, t->partitions);
		for (int32_t k = 0; f->names[i] != NULL && k < from->partitions_count; k++)
			fill_partition(c, e++, &t->partitions[k]);
	}
	expect(e == f->request.entries + f->request.entry_count);
	return true;
}

static void fetched(struct fetch_request *r)
{
	struct kafka_fetch *f = r->arg;
	struct kafka_call *c = CAST(kafka_call, f->call);
	struct kafka_fetch_response m;
	struct iobuf records = r->records;
	if (!fill_response(c, f, &m)) {
		iobuf_fini(&records);
		kafka_call_abort_memory(c);
		return;
	}
	kafka_call_answer(c, &m, &records);
	iobuf_fini(&records);
}

static void fetch_abandoned(struct kafka_call *c)
{
	struct kafka_fetch *f = c->waiting;
	fetch_service_hurry(&f->request);
}

static void refuse(struct kafka_call *c, enum status s)
{
	struct kafka_fetch_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(s);
	kafka_call_answer(c, &m, NULL);
}

/* A request within a session we never gave away; epoch 0 asks for a new one, -1 for none. */
static bool continues_session(const struct kafka_fetch_request *m)
{
	return m->session_epoch != NO_SESSION_EPOCH && m->session_epoch != 0;
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

static void start(struct kafka_call *c, struct kafka_fetch *f)
{
	const struct kafka_fetch_request *m = c->body;
	f->call = c;
	f->request.service = c->service;
	f->request.arena = &c->request->arena;
	f->request.listener = request_listener(c->request);
	f->request.max_wait_ms = m->max_wait_ms > 0 ? m->max_wait_ms : 0;
	/* An error is told at once. */
	f->request.min_bytes = names_unknown_topic(c, f) ? 0 : or_none(m->min_bytes);
	f->request.max_bytes = or_none(m->max_bytes);
	f->request.done = fetched;
	f->request.arg = f;
	fit_old_reader(c, &f->request);
	c->abandoned = fetch_abandoned;
	c->waiting = f;
	/* Texts were copied by the decoder; a long poll must not hold the frame. */
	request_release_frame(c->request);
	if (fetch_service_start(&f->request) != STATUS_OK)
		kafka_call_abort_memory(c);
}

void kafka_data_fetch(struct kafka_call *c)
{
	const struct kafka_fetch_request *m = c->body;
	struct kafka_fetch *f = kafka_call_array(c, 1, sizeof(*f));
	if (continues_session(m))
		refuse(c, STATUS_FETCH_SESSION_ID_NOT_FOUND);
	else if (is_follower(m))
		refuse(c, STATUS_INVALID_REQUEST);
	else if (f == NULL || !find_names(c, f) || !fill_entries(c, f))
		kafka_call_abort_memory(c);
	else
		start(c, f);
}

/* DeleteRecords, DescribeLogDirs. */
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/log_service.h"

/* --- delete records ---------------------------------------------------------------------------------------------- */

struct kafka_delete_records {
	struct kafka_call *call;
	struct delete_records_request request;
};

static bool fill_deleted(struct kafka_call *c, const struct delete_records_entry *e, struct kafka_delete_records_response *m)
{
	const struct kafka_delete_records_request *asked = c->body;
	kafka_messages_init(c->api->response, m);
	m->topics_count = asked->topics_count;
	m->topics = KAFKA_CALL_NEW(c, delete_records_response_topic, asked->topics_count);
	if (m->topics == NULL)
		return false;
	for (int32_t i = 0; i < asked->topics_count; i++) {
		const struct kafka_delete_records_request_topic *from = &asked->topics[i];
		struct kafka_delete_records_response_topic *t = &m->topics[i];
		t->name = from->name;
		t->partitions_count = from->partitions_count;
		t->partitions = KAFKA_CALL_NEW(c, delete_records_response_topic_partition, from->partitions_count);
		if (t->partitions == NULL)
			return false;
		for (int32_t k = 0; k < from->partitions_count; k++, e++) {
			t->partitions[k].partition_index = e->partition;
			t->partitions[k].low_watermark = e->low_watermark;
			t->partitions[k].error_code = status_code(e->status);
		}
	}
	return true;
}

static void deleted(struct delete_records_request *r)
{
	struct kafka_delete_records *d = r->arg;
	struct kafka_call *c = CAST(kafka_call, d->call);
	struct kafka_delete_records_response m;
	if (fill_deleted(c, r->entries, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_admin_delete_records(struct kafka_call *c)
{
	const struct kafka_delete_records_request *m = c->body;
	size_t count = 0, n = 0;
	for (int32_t i = 0; i < m->topics_count; i++)
		count += (size_t)m->topics[i].partitions_count;
	struct kafka_delete_records *d = kafka_call_array(c, 1, sizeof(*d));
	struct delete_records_entry *entries = kafka_call_array(c, count, sizeof(*entries));
	if (d == NULL || entries == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_delete_records_request_topic *t = &m->topics[i];
		for (int32_t k = 0; k < t->partitions_count; k++)
			entries[n++] = (struct delete_records_entry){
				.topic = t->name,
				.partition = t->partitions[k].partition_index,
				.offset = t->partitions[k].offset,
			};
	}
	expect(n == count);
	d->call = c;
	d->request = (struct delete_records_request){
		.service = c->service,
		.arena = &c->request->arena,
		.entries = entries,
		.entry_count = count,
		.done = deleted,
		.arg = d,
	};
	log_service_delete_records(&d->request);
}

/* --- describe log dirs -------------------------------------------------------------------------------------------- */

struct kafka_log_dirs {
	struct kafka_call *call;
	struct log_sizes_request request;
};

/* Is the log among those asked for? Null: all are; an empty list: none is. */
static bool asked_for(const struct kafka_describe_log_dirs_request *m, const struct topic_partition *tp)
{
	if (m->topics_count < 0)
		return true;
	for (int32_t i = 0; i < m->topics_count; i++) {
		const struct kafka_describe_log_dirs_request_topic *t = &m->topics[i];
		if (strcmp(t->topic, tp->topic) != 0)
			continue;
		for (int32_t k = 0; k < t->partitions_count; k++) {
			if (t->partitions[k] == tp->partition)
				return true;
		}
	}
	return false;
}

/* The logs [from, to) of one directory, by topic. Of logs that are not being moved none lags behind itself. */
static bool fill_directory(struct kafka_call *c, const struct log_size *sizes, size_t count,
	struct kafka_describe_log_dirs_response_result *d)
{
	d->topics = KAFKA_CALL_NEW(c, describe_log_dirs_response_result_topic, (int32_t)count);
	struct kafka_describe_log_dirs_response_result_topic_partition *list =
		KAFKA_CALL_NEW(c, describe_log_dirs_response_result_topic_partition, (int32_t)count);
	if (d->topics == NULL || list == NULL)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!asked_for(c->body, &sizes[i].tp))
			continue;
		struct kafka_describe_log_dirs_response_result_topic *t = &d->topics[d->topics_count];
		bool same = d->topics_count > 0 && strcmp(t[-1].name, sizes[i].tp.topic) == 0;
		if (same) {
			t--;
		} else {
			t->name = sizes[i].tp.topic;
			t->partitions = list;
			d->topics_count++;
		}
		t->partitions_count++;
		list->partition_index = sizes[i].tp.partition;
		list->partition_size = sizes[i].size_bytes;
		list++;
	}
	return true;
}

static bool fill_log_dirs(struct kafka_call *c, const struct log_sizes_request *r, struct kafka_describe_log_dirs_response *m)
{
	kafka_messages_init(c->api->response, m);
	m->results_count = (int32_t)r->directory_count;
	m->results = KAFKA_CALL_NEW(c, describe_log_dirs_response_result, m->results_count);
	if (m->results == NULL)
		return false;
	size_t from = 0;
	for (size_t i = 0; i < r->directory_count; i++) {
		struct kafka_describe_log_dirs_response_result *d = &m->results[i];
		const struct log_directory_info *info = &r->directories[i];
		size_t to = from;
		while (to < r->size_count && r->sizes[to].directory == i)
			to++;
		d->log_dir = info->path;
		d->error_code = status_code(info->online ? STATUS_OK : STATUS_KAFKA_STORAGE_ERROR);
		if (info->online) {
			d->total_bytes = info->total_bytes;
			d->usable_bytes = info->free_bytes;
			if (!fill_directory(c, r->sizes + from, to - from, d))
				return false;
		}
		from = to;
	}
	return true;
}

static void sized(struct log_sizes_request *r)
{
	struct kafka_log_dirs *d = r->arg;
	struct kafka_call *c = CAST(kafka_call, d->call);
	struct kafka_describe_log_dirs_response m;
	if (fill_log_dirs(c, r, &m))
		kafka_call_answer(c, &m, NULL);
	else
		kafka_call_abort_memory(c);
}

void kafka_admin_describe_log_dirs(struct kafka_call *c)
{
	struct kafka_log_dirs *d = kafka_call_array(c, 1, sizeof(*d));
	if (d == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	d->call = c;
	d->request = (struct log_sizes_request){
		.service = c->service,
		.arena = &c->request->arena,
		.done = sized,
		.arg = d,
	};
	if (log_service_sizes(&d->request) != STATUS_OK)
		kafka_call_abort_memory(c);
}

#include "wire/controller_codec.h"
#include <stdlib.h>

enum { ALTER_BY_ID = 2, ALTER_WITH_EPOCHS = 3, LEADER_LOWEST = -1, ITEMS_MAX = 100 * 1000 };

static size_t counted(int32_t count)
{
	return count > 0 ? (size_t)count : 0;
}

/* Elements with every field at its default. NULL: the arena is full. */
static void *parts(struct arena *a, const struct kafka_struct *s, size_t count)
{
	uint8_t *items = count > INT32_MAX ? NULL : arena_calloc(a, count + 1, s->size);
	for (size_t i = 0; items != NULL && i < count; i++)
		kafka_messages_init(s, &items[i * s->size]);
	return items;
}
#define PARTS(arena, type, count) ((struct kafka_##type *)parts(arena, &kafka_struct_##type, count))

int16_t controller_codec_alter_version(const struct alter_partition_request *r, int16_t newest)
{
	int16_t last = kafka_messages_api(KAFKA_API_alter_partition)->last;
	int16_t version = newest < last ? newest : last;
	for (size_t i = 0; version >= ALTER_BY_ID && i < r->item_count; i++)
		if (uuid_is_zero(&r->items[i].topic_id))
			return ALTER_BY_ID - 1;
	return version;
}

static bool same_topic(const struct topic_partition *a, const struct uuid *a_id, const struct topic_partition *b, const struct uuid *b_id)
{
	return uuid_equal(a_id, b_id) && strcmp(a->topic, b->topic) == 0;
}

/* --- AlterPartition: requests ---------------------------------------------------------------------------------------------- */

/* The ISR in both forms: with epochs for version 3 on, ids alone before. */
static enum status isr_to(const struct alter_partition_item *i, struct arena *a, struct kafka_alter_partition_request_topic_partition *p)
{
	int32_t *ids = arena_calloc(a, i->isr_count + 1, sizeof(*ids));
	p->new_isr_with_epochs = PARTS(a, alter_partition_request_topic_partition_new_isr_with_epoch, i->isr_count);
	if (ids == NULL || p->new_isr_with_epochs == NULL)
		return STATUS_TOO_LARGE;
	for (size_t k = 0; k < i->isr_count; k++) {
		ids[k] = i->isr[k].broker_id;
		p->new_isr_with_epochs[k].broker_id = i->isr[k].broker_id;
		p->new_isr_with_epochs[k].broker_epoch = i->isr[k].broker_epoch;
	}
	p->new_isr = ids;
	p->new_isr_count = p->new_isr_with_epochs_count = (int32_t)i->isr_count;
	return STATUS_OK;
}

enum status controller_codec_alter_to_body(const struct alter_partition_request *r, struct arena *arena, void **ret_body)
{
	struct kafka_alter_partition_request *m = PARTS(arena, alter_partition_request, 1);
	struct kafka_alter_partition_request_topic *topics = PARTS(arena, alter_partition_request_topic, r->item_count);
	struct kafka_alter_partition_request_topic_partition *all = PARTS(arena, alter_partition_request_topic_partition, r->item_count);
	if (m == NULL || topics == NULL || all == NULL)
		return STATUS_TOO_LARGE;
	m->broker_id = r->broker_id;
	m->broker_epoch = r->broker_epoch;
	m->topics = topics;
	for (size_t i = 0; i < r->item_count; i++) {
		const struct alter_partition_item *item = &r->items[i], *before = i == 0 ? NULL : &r->items[i - 1];
		all[i].partition_index = item->tp.partition;
		all[i].leader_epoch = item->leader_epoch;
		all[i].partition_epoch = item->partition_epoch;
		all[i].leader_recovery_state = item->leader_recovery_state;
		TRY(isr_to(item, arena, &all[i]));
		if (before == NULL || !same_topic(&before->tp, &before->topic_id, &item->tp, &item->topic_id)) {
			struct kafka_alter_partition_request_topic *t = &topics[m->topics_count++];
			t->topic_name = item->tp.topic;
			t->topic_id = item->topic_id;
			t->partitions = &all[i];
		}
		topics[m->topics_count - 1].partitions_count++;
	}
	*ret_body = m;
	return STATUS_OK;
}

static enum status isr_from(int16_t version, const struct kafka_alter_partition_request_topic_partition *p, struct alter_partition_item *i)
{
	bool epochs = version >= ALTER_WITH_EPOCHS;
	size_t count = counted(epochs ? p->new_isr_with_epochs_count : p->new_isr_count);
	i->isr = check_calloc(count + 1, sizeof(*i->isr));
	for (size_t k = 0; k < count; k++) {
		struct isr_member m = {.broker_epoch = -1};
		m.broker_id = epochs ? p->new_isr_with_epochs[k].broker_id : p->new_isr[k];
		if (epochs)
			m.broker_epoch = p->new_isr_with_epochs[k].broker_epoch;
		if (m.broker_id < 0 || m.broker_epoch < -1)
			return STATUS_INVALID_REQUEST;
		i->isr[i->isr_count++] = m;
	}
	return STATUS_OK;
}

/* Version 2 on: the id alone tells the topic. */
static enum status name_from(int16_t version, const char *name, int32_t partition, struct topic_partition *ret_tp)
{
	if (version < ALTER_BY_ID)
		return topic_partition_set(ret_tp, slice_of_str(name), partition);
	*ret_tp = (struct topic_partition){.partition = partition};
	return partition < 0 ? STATUS_INVALID_REQUEST : STATUS_OK;
}

static enum status item_from(int16_t version, const struct kafka_alter_partition_request_topic *t,
	const struct kafka_alter_partition_request_topic_partition *p, struct alter_partition_item *i)
{
	*i = (struct alter_partition_item){.topic_id = t->topic_id, .leader_epoch = p->leader_epoch, .partition_epoch = p->partition_epoch,
		.leader_recovery_state = p->leader_recovery_state};
	bool state_known = p->leader_recovery_state == LEADER_RECOVERED || p->leader_recovery_state == LEADER_RECOVERING;
	if (p->leader_epoch < 0 || p->partition_epoch < 0 || !state_known)
		return STATUS_INVALID_REQUEST;
	TRY(name_from(version, t->topic_name, p->partition_index, &i->tp));
	return isr_from(version, p, i);
}

enum status controller_codec_alter_from_body(int16_t version, const void *body, struct alter_partition_request *ret_request)
{
	const struct kafka_alter_partition_request *m = body;
	struct alter_partition_request r = {.broker_id = m->broker_id, .broker_epoch = m->broker_epoch};
	size_t count = 0;
	for (size_t i = 0; i < counted(m->topics_count); i++)
		count += counted(m->topics[i].partitions_count);
	if (count > ITEMS_MAX) /* an item is many times its bytes on the wire */
		return STATUS_INVALID_REQUEST;
	r.items = check_calloc(count + 1, sizeof(*r.items));
	enum status s = m->broker_id < 0 ? STATUS_INVALID_REQUEST : STATUS_OK;
	for (size_t i = 0; s == STATUS_OK && i < counted(m->topics_count); i++)
		for (size_t k = 0; s == STATUS_OK && k < counted(m->topics[i].partitions_count); k++)
			s = item_from(version, &m->topics[i], &m->topics[i].partitions[k], &r.items[r.item_count++]);
	if (s != STATUS_OK) {
		control_alter_request_fini(&r);
		return STATUS_INVALID_REQUEST;
	}
	*ret_request = r;
	return STATUS_OK;
}

/* --- AlterPartition: responses --------------------------------------------------------------------------------------------- */

enum status controller_codec_altered_to_body(const struct alter_partition_response *r, struct arena *arena, void **ret_body)
{
	struct kafka_alter_partition_response *m = PARTS(arena, alter_partition_response, 1);
	struct kafka_alter_partition_response_topic *topics = PARTS(arena, alter_partition_response_topic, r->item_count);
	struct kafka_alter_partition_response_topic_partition *all = PARTS(arena, alter_partition_response_topic_partition, r->item_count);
	if (m == NULL || topics == NULL || all == NULL)
		return STATUS_TOO_LARGE;
	m->error_code = status_code(r->status);
	m->topics = topics;
	for (size_t i = 0; i < r->item_count; i++) {
		const struct alter_partition_result *item = &r->items[i], *before = i == 0 ? NULL : &r->items[i - 1];
		all[i].partition_index = item->tp.partition;
		all[i].error_code = status_code(item->status);
		all[i].leader_id = item->leader;
		all[i].leader_epoch = item->leader_epoch;
		all[i].partition_epoch = item->partition_epoch;
		all[i].leader_recovery_state = item->leader_recovery_state;
		all[i].isr = item->isr;
		all[i].isr_count = (int32_t)item->isr_count;
		if (before == NULL || !same_topic(&before->tp, &before->topic_id, &item->tp, &item->topic_id)) {
			struct kafka_alter_partition_response_topic *t = &topics[m->topics_count++];
			t->topic_name = item->tp.topic;
			t->topic_id = item->topic_id;
			t->partitions = &all[i];
		}
		topics[m->topics_count - 1].partitions_count++;
	}
	*ret_body = m;
	return STATUS_OK;
}

static enum status result_from(int16_t version, const struct kafka_alter_partition_response_topic *t,
	const struct kafka_alter_partition_response_topic_partition *p, struct alter_partition_result *r)
{
	*r = (struct alter_partition_result){.topic_id = t->topic_id, .status = status_from_code(p->error_code), .leader = p->leader_id,
		.leader_epoch = p->leader_epoch, .partition_epoch = p->partition_epoch, .leader_recovery_state = p->leader_recovery_state};
	TRY(name_from(version, t->topic_name, p->partition_index, &r->tp));
	r->isr = check_calloc(counted(p->isr_count) + 1, sizeof(*r->isr));
	for (size_t i = 0; i < counted(p->isr_count); i++) {
		if (p->isr[i] < 0)
			return STATUS_INVALID_REQUEST;
		r->isr[r->isr_count++] = p->isr[i];
	}
	return r->status == STATUS_OK && p->leader_id < LEADER_LOWEST ? STATUS_INVALID_REQUEST : STATUS_OK;
}

enum status controller_codec_altered_from_body(int16_t version, const void *body, struct alter_partition_response *ret_response)
{
	const struct kafka_alter_partition_response *m = body;
	struct alter_partition_response r = {.status = status_from_code(m->error_code)};
	size_t count = 0;
	enum status s = STATUS_OK;
	for (size_t i = 0; i < counted(m->topics_count); i++)
		count += counted(m->topics[i].partitions_count);
	if (count > ITEMS_MAX)
		return STATUS_INVALID_REQUEST;
	r.items = check_calloc(count + 1, sizeof(*r.items));
	for (size_t i = 0; s == STATUS_OK && i < counted(m->topics_count); i++)
		for (size_t k = 0; s == STATUS_OK && k < counted(m->topics[i].partitions_count); k++)
			s = result_from(version, &m->topics[i], &m->topics[i].partitions[k], &r.items[r.item_count++]);
	if (s != STATUS_OK) {
		control_alter_response_fini(&r);
		return STATUS_INVALID_REQUEST;
	}
	*ret_response = r;
	return STATUS_OK;
}

/* --- ControlledShutdown ----------------------------------------------------------------------------------------------------- */

enum status controller_codec_shutdown_to_body(const struct controlled_shutdown_request *r, struct arena *arena, void **ret_body)
{
	struct kafka_controlled_shutdown_request *m = PARTS(arena, controlled_shutdown_request, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->broker_id = r->broker_id;
	m->broker_epoch = r->broker_epoch;
	*ret_body = m;
	return STATUS_OK;
}

enum status controller_codec_shutdown_from_body(const void *body, struct controlled_shutdown_request *ret_request)
{
	const struct kafka_controlled_shutdown_request *m = body;
	if (m->broker_id < 0 || m->broker_epoch < -1)
		return STATUS_INVALID_REQUEST;
	*ret_request = (struct controlled_shutdown_request){.broker_id = m->broker_id, .broker_epoch = m->broker_epoch};
	return STATUS_OK;
}

enum status controller_codec_shut_down_to_body(const struct controlled_shutdown_response *r, struct arena *arena, void **ret_body)
{
	struct kafka_controlled_shutdown_response *m = PARTS(arena, controlled_shutdown_response, 1);
	if (m == NULL)
		return STATUS_TOO_LARGE;
	m->error_code = status_code(r->status);
	m->remaining_partitions = PARTS(arena, controlled_shutdown_response_remaining_partition, r->remaining_count);
	if (m->remaining_partitions == NULL)
		return STATUS_TOO_LARGE;
	m->remaining_partitions_count = (int32_t)r->remaining_count;
	for (size_t i = 0; i < r->remaining_count; i++) {
		m->remaining_partitions[i].topic_name = r->remaining[i].topic;
		m->remaining_partitions[i].partition_index = r->remaining[i].partition;
	}
	*ret_body = m;
	return STATUS_OK;
}

enum status controller_codec_shut_down_from_body(const void *body, struct controlled_shutdown_response *ret_response)
{
	const struct kafka_controlled_shutdown_response *m = body;
	struct controlled_shutdown_response r = {.status = status_from_code(m->error_code)};
	r.remaining = check_calloc(counted(m->remaining_partitions_count) + 1, sizeof(*r.remaining));
	for (size_t i = 0; i < counted(m->remaining_partitions_count); i++) {
		const struct kafka_controlled_shutdown_response_remaining_partition *p = &m->remaining_partitions[i];
		if (topic_partition_set(&r.remaining[i], slice_of_str(p->topic_name), p->partition_index) != STATUS_OK) {
			controlled_shutdown_response_fini(&r);
			return STATUS_INVALID_REQUEST;
		}
		r.remaining_count++;
	}
	*ret_response = r;
	return STATUS_OK;
}

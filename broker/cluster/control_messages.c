#include "cluster/control_messages.h"
#include <stdlib.h>

static void control_topics_free(struct control_topic *topics, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < topics[i].partition_count; j++) {
			free(topics[i].partitions[j].isr);
			free(topics[i].partitions[j].replicas);
			free(topics[i].partitions[j].adding);
			free(topics[i].partitions[j].removing);
			free(topics[i].partitions[j].offline);
		}
		free(topics[i].partitions);
		free(topics[i].name);
	}
	free(topics);
}

static void control_brokers_free(struct control_broker *brokers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < brokers[i].endpoint_count; j++) {
			free(brokers[i].endpoints[j].listener);
			free(brokers[i].endpoints[j].host);
		}
		free(brokers[i].endpoints);
		free(brokers[i].rack);
	}
	free(brokers);
}

static void control_leaders_free(struct control_leader *leaders, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(leaders[i].host);
	free(leaders);
}

void control_request_fini(struct control_request *r)
{
	switch (r->kind) {
	case CONTROL_UPDATE_METADATA:
		control_brokers_free(r->update_metadata.brokers, r->update_metadata.broker_count);
		control_topics_free(r->update_metadata.topics, r->update_metadata.topic_count);
		break;
	case CONTROL_LEADER_AND_ISR:
		control_topics_free(r->leader_and_isr.topics, r->leader_and_isr.topic_count);
		control_leaders_free(r->leader_and_isr.live_leaders, r->leader_and_isr.live_leader_count);
		break;
	case CONTROL_STOP_REPLICA:
		free(r->stop_replica.partitions);
		break;
	default:
		unreachable("a control request of no kind");
	}
	enum control_kind kind = r->kind;
	*r = (struct control_request){.kind = kind};
}

void control_response_fini(struct control_response *r)
{
	free(r->results);
	*r = (struct control_response){.status = r->status};
}

void control_alter_item_fini(struct alter_partition_item *i)
{
	free(i->isr);
	i->isr = NULL;
	i->isr_count = 0;
}

void control_alter_request_fini(struct alter_partition_request *r)
{
	for (size_t i = 0; i < r->item_count; i++)
		control_alter_item_fini(&r->items[i]);
	free(r->items);
	*r = (struct alter_partition_request){.broker_id = r->broker_id, .broker_epoch = r->broker_epoch};
}

void control_alter_response_fini(struct alter_partition_response *r)
{
	for (size_t i = 0; i < r->item_count; i++)
		free(r->items[i].isr);
	free(r->items);
	*r = (struct alter_partition_response){.status = r->status};
}

void controlled_shutdown_response_fini(struct controlled_shutdown_response *r)
{
	free(r->remaining);
	*r = (struct controlled_shutdown_response){.status = r->status};
}

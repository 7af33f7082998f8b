#include "service/leader_hint.h"

struct leader_hint leader_hint_find(const struct cluster_image *image, const struct topic_partition *tp, int32_t known_leader,
	int32_t known_epoch, const char *listener)
{
	struct leader_hint hint = {.broker_id = known_leader, .leader_epoch = known_epoch};
	const struct image_topic *topic = cluster_image_topic(image, slice_of_str(tp->topic));
	const struct image_partition *p = topic == NULL ? NULL : image_topic_partition(topic, tp->partition);
	if (p != NULL && p->leader_epoch >= known_epoch) {
		hint.broker_id = p->leader;
		hint.leader_epoch = p->leader_epoch;
	}
	if (hint.broker_id < 0)
		hint.broker_id = -1;
	const struct image_broker *broker = hint.broker_id < 0 ? NULL : cluster_image_broker(image, hint.broker_id);
	const struct image_endpoint *endpoint = broker == NULL ? NULL : image_broker_endpoint(broker, listener);
	if (endpoint != NULL) {
		hint.host = endpoint->host;
		hint.port = endpoint->port;
	}
	return hint;
}

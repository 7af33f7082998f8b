#include "service/service_loop.h"

#include "service/service_message.h"
#include "service/topic_settings_cache.h"

enum { SUGGESTIONS_PER_SECOND = 50 };

struct service_loop *service_loop_new(const struct service_loop_options *o)
{
	expect(o->scheduler != NULL && o->images != NULL);
	struct service_loop *s = check_calloc(1, sizeof(*s));
	*s = (struct service_loop){
		.magic = service_loop_magic,
		.scheduler = o->scheduler,
		.images = o->images,
		.router = o->router,
		.coordinators = o->coordinators,
		.coordinator_count = o->coordinators == NULL ? 0 : o->coordinator_count,
		.settings = o->settings,
		.admin = o->admin,
		.logs = o->logs,
		.producer_ids = o->producer_ids,
		.background = o->background,
		.topic_settings = topic_settings_cache_new(&o->settings->topic_defaults),
		.broker_id = o->broker_id,
	};
	s->waiting.next = s->waiting.previous = &s->waiting;
	return s;
}

void service_loop_free(struct service_loop *s)
{
	if (s == NULL)
		return;
	CHECK_MAGIC(service_loop, s);
	expect(s->waiting.next == &s->waiting && s->group_topic == NULL);
	expect(s->conversions == NULL);
	topic_settings_cache_free(s->topic_settings);
	s->magic = 0;
	free(s);
}

void service_loop_wait(struct service_loop *s, struct service_waiting *w)
{
	CHECK_MAGIC(service_loop, s);
	expect(w->hurry != NULL && w->next == NULL);
	w->next = &s->waiting;
	w->previous = s->waiting.previous;
	w->previous->next = w;
	w->next->previous = w;
}

void service_loop_unwait(struct service_waiting *w)
{
	if (w->next == NULL)
		return;
	w->previous->next = w->next;
	w->next->previous = w->previous;
	w->next = w->previous = NULL;
}

void service_loop_hurry(struct service_loop *s)
{
	CHECK_MAGIC(service_loop, s);
	expect_on_loop(s->scheduler);
	s->hurried = true;
	while (s->waiting.next != &s->waiting) {
		struct service_waiting *w = s->waiting.next;
		service_loop_unwait(w);
		w->hurry(w);
	}
}

const struct cluster_image *service_loop_image(const struct service_loop *s)
{
	CHECK_MAGIC(service_loop, s);
	return cluster_image_holder_image(s->images);
}

char *service_loop_unknown_topic(struct service_loop *s, struct arena *a, const char *topic)
{
	CHECK_MAGIC(service_loop, s);
	int64_t now_us = clock_monotonic_us(s->scheduler->clock);
	if (now_us - s->suggestions_from_us >= 1000 * 1000) {
		s->suggestions_from_us = now_us;
		s->suggestions = 0;
	}
	bool search = s->suggestions < SUGGESTIONS_PER_SECOND;
	s->suggestions += search ? 1 : 0;
	return service_message_unknown_topic(a, search ? service_loop_image(s) : NULL, topic);
}

enum status service_loop_find(struct service_loop *s, struct arena *a, const struct topic_partition *tp,
	struct service_partition *ret_found, char **ret_message)
{
	const struct cluster_image *image = service_loop_image(s);
	const struct image_topic *topic = cluster_image_topic(image, slice_of_str(tp->topic));
	if (topic == NULL) {
		*ret_message = service_loop_unknown_topic(s, a, tp->topic);
		return STATUS_UNKNOWN_TOPIC_OR_PARTITION;
	}
	const struct image_partition *partition = image_topic_partition(topic, tp->partition);
	if (partition == NULL) {
		*ret_message = service_message_format(a, "topic %s has no partition %d: it has %zu, numbered from 0",
			tp->topic, tp->partition, topic->partition_count);
		return STATUS_UNKNOWN_TOPIC_OR_PARTITION;
	}
	*ret_found = (struct service_partition){.topic = topic, .partition = partition};
	return STATUS_OK;
}

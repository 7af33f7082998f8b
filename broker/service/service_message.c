#include "service/service_message.h"

#include <stdarg.h>

enum {
	MESSAGE_MAX = 512,
	SUGGESTION_DISTANCE_MAX = 2,
	SUGGESTION_TOPICS_MAX = 2000, /* a wrong name must stay cheap on a cluster of many topics */
};

char *service_message_format(struct arena *a, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	expect(n >= 0);
	return arena_strdup(a, slice_of_str(text));
}

char *service_message_partition(struct arena *a, const struct topic_partition *tp, enum status s)
{
	return service_message_format(a, "%s-%d: %s", tp->topic, tp->partition, status_text(s));
}

static const char *nearest_topic(const struct cluster_image *image, const char *topic)
{
	const char *best = NULL;
	unsigned best_distance = SUGGESTION_DISTANCE_MAX + 1;
	size_t length = strlen(topic);
	size_t count = image->topic_count < SUGGESTION_TOPICS_MAX ? image->topic_count : SUGGESTION_TOPICS_MAX;
	for (size_t i = 0; i < count; i++) {
		const char *name = image->topics[i]->name;
		size_t n = strlen(name);
		if (topic_is_internal(name) || n > length + SUGGESTION_DISTANCE_MAX || length > n + SUGGESTION_DISTANCE_MAX)
			continue;
		unsigned distance = bytes_edit_distance(name, topic, SUGGESTION_DISTANCE_MAX);
		if (distance < best_distance) {
			best_distance = distance;
			best = name;
		}
	}
	/* Two of three letters wrong is another word, not a slip. */
	return best != NULL && best_distance * 3 <= length ? best : NULL;
}

char *service_message_unknown_topic(struct arena *a, const struct cluster_image *image, const char *topic)
{
	const char *near = image == NULL ? NULL : nearest_topic(image, topic);
	if (near != NULL)
		return service_message_format(a, "topic %s does not exist; did you mean %s?", topic, near);
	return service_message_format(a, "topic %s does not exist; create it first", topic);
}

/* Effective settings of topics as one loop's image has them: parsed once per image and topic, not per request. */
#ifndef SERVICE_TOPIC_SETTINGS_CACHE_H
#define SERVICE_TOPIC_SETTINGS_CACHE_H

#include "cluster/cluster_image.h"
#include "config/settings.h"

struct topic_settings_cache;
/* defaults: the broker's, where an image knows no better; borrowed for life. */
struct topic_settings_cache *topic_settings_cache_new(const struct topic_settings *defaults);
void topic_settings_cache_free(struct topic_settings_cache *c);
/* Borrowed until the next call. topic belongs to image. */
const struct topic_settings *topic_settings_cache_get(struct topic_settings_cache *c, const struct cluster_image *image,
	const struct image_topic *topic);
/* Bytes the records of one batch of such a topic may inflate to while they are looked at. */
size_t topic_settings_cache_inflated_max(const struct topic_settings *t);

#endif

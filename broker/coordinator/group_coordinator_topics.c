/* What consumer groups (KIP-848) see of the cluster: topics by name and by expression, from the loop's image. */
#include "coordinator/group_coordinator_internal.h"

#include "config/config_table.h"
#include "coordinator/topic_regex.h"

static bool find_topic(void *arg, const char *name, struct consumer_group_topic *ret_topic)
{
	const struct group_coordinator *c = CAST(group_coordinator, arg);
	const struct image_topic *t = c->image == NULL ? NULL : cluster_image_topic(c->image, slice_of_str(name));
	/* A topic without an id cannot be spoken of in this protocol. */
	if (t == NULL || uuid_is_zero(&t->id))
		return false;
	*ret_topic = (struct consumer_group_topic){t->id, (int32_t)t->partition_count};
	return true;
}

static uint64_t hash_topics(const struct cluster_image *image)
{
	uint64_t h = 1;
	for (size_t i = 0; i < image->topic_count; i++) {
		const struct image_topic *t = image->topics[i];
		h = bytes_hash64(slice_of_str(t->name), h);
		h = bytes_hash64(slice_of(t->id.b, sizeof(t->id.b)), h) + t->partition_count;
	}
	return h == 0 ? 1 : h;
}

/* Images come with every change of a leader; groups care about topics. */
static uint64_t topics_version(void *arg)
{
	struct group_coordinator *c = CAST(group_coordinator, arg);
	if (c->image == NULL)
		return 1;
	if (c->topics_version == 0 || c->topics_image_version != c->image->version) {
		c->topics_version = hash_topics(c->image);
		c->topics_image_version = c->image->version;
	}
	return c->topics_version;
}

static enum status match_all(const struct cluster_image *image, struct topic_regex *r, struct consumer_group_names *names,
	struct failure *f)
{
	for (size_t i = 0; i < image->topic_count; i++) {
		bool matches = false;
		if (topic_is_internal(image->topics[i]->name))
			continue; /* `.*` does not mean them; who wants them names them */
		TRY(topic_regex_match(r, image->topics[i]->name, &matches, f));
		if (matches)
			names->names[names->count++] = check_strdup(image->topics[i]->name);
	}
	return STATUS_OK;
}

/* The image's topics are sorted, and so are the names. */
static enum status match(void *arg, const char *regex, struct consumer_group_names *ret_names, struct failure *f)
{
	const struct group_coordinator *c = CAST(group_coordinator, arg);
	struct topic_regex *r = NULL;
	size_t most = c->image == NULL ? 0 : c->image->topic_count;
	TRY(topic_regex_new(regex, &r, f));
	struct consumer_group_names names = {.names = check_calloc(most + 1, sizeof(char *))};
	enum status s = most == 0 ? STATUS_OK : match_all(c->image, r, &names, f);
	topic_regex_free(r);
	if (s == STATUS_OK) {
		*ret_names = names;
		return STATUS_OK;
	}
	for (size_t i = 0; i < names.count; i++)
		free(names.names[i]);
	free(names.names);
	return s;
}

const struct consumer_group_callbacks group_coordinator_topics = {
	.topic = find_topic,
	.topics_version = topics_version,
	.match = match,
};

static bool ends_with(struct slice s, const char *end)
{
	size_t n = strlen(end);
	return s.n >= n && slice_equal(slice_sub(s, s.n - n, n), slice_of_str(end));
}

/* "uniform", or Kafka's name of the class; others have been refused when the settings were read. */
static enum consumer_assignor assignor_of(struct slice name)
{
	return slice_equal(name, slice_of_str("range")) || ends_with(name, ".RangeAssignor") ? CONSUMER_ASSIGNOR_RANGE
											     : CONSUMER_ASSIGNOR_UNIFORM;
}

void group_coordinator_topics_settings(struct group_coordinator *c)
{
	const struct settings *s = c->options.settings;
	struct consumer_group_settings *to = &c->consumer_settings;
	const char *at = s->group_consumer_assignors;
	struct slice item;
	*to = (struct consumer_group_settings){
		.session_timeout_ms = s->group_consumer_session_timeout_ms,
		.heartbeat_interval_ms = s->group_consumer_heartbeat_interval_ms,
		.size_max = s->group_consumer_max_size,
	};
	while (config_list_next(&at, &item)) {
		enum consumer_assignor a = assignor_of(item);
		bool named = false;
		for (size_t i = 0; i < to->assignor_count; i++)
			named = named || to->assignors[i] == a;
		if (!named)
			to->assignors[to->assignor_count++] = a;
	}
	if (to->assignor_count == 0)
		to->assignors[to->assignor_count++] = CONSUMER_ASSIGNOR_UNIFORM;
}

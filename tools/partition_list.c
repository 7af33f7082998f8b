#include "tools/partition_list.h"
#include "base/bytes.h"

static bool parse_numbers(const char *at, int32_t **ret_partitions, size_t *ret_count)
{
	int32_t *list = (int32_t *)check_calloc(strlen(at) + 1, sizeof(*list));
	size_t count = 0;
	for (;;) {
		size_t n = strcspn(at, ",");
		if (bytes_parse_i32(slice_of(at, n), &list[count]) != STATUS_OK || list[count] < 0) {
			free(list);
			return false;
		}
		count++;
		if (at[n] == '\0')
			break;
		at += n + 1;
	}
	*ret_partitions = list;
	*ret_count = count;
	return true;
}

bool partition_list_parse(const char *word, char **ret_topic, int32_t **ret_partitions, size_t *ret_count)
{
	const char *colon = strchr(word, ':');
	size_t n = colon == NULL ? strlen(word) : (size_t)(colon - word);
	int32_t *partitions = NULL;
	size_t count = 0;
	if (n == 0 || (colon != NULL && !parse_numbers(colon + 1, &partitions, &count)))
		return false;
	*ret_topic = check_strndup(word, n);
	*ret_partitions = partitions;
	*ret_count = count;
	return true;
}

static const char *own_name(struct partition_list *l, const char *topic)
{
	for (size_t i = 0; i < l->name_count; i++)
		if (strcmp(l->names[i], topic) == 0)
			return l->names[i];
	l->names = (char **)check_realloc(l->names, (l->name_count + 1) * sizeof(*l->names));
	l->names[l->name_count] = check_strdup(topic);
	return l->names[l->name_count++];
}

void partition_list_add(struct partition_list *l, const char *topic, int32_t partition, int64_t offset)
{
	const char *name = own_name(l, topic);
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].topic == name && l->items[i].partition == partition)
			return;
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 16 : l->capacity * 2;
		l->items = (struct correio_topic_partition *)check_realloc(l->items, l->capacity * sizeof(*l->items));
	}
	l->items[l->count++] = (struct correio_topic_partition){.topic = name, .partition = partition, .offset = offset};
}

static int fail(struct correio_error *err, int code, const char *fmt, const char *word)
{
	err->code = code;
	err->retriable = false;
	(void)snprintf(err->message, sizeof(err->message), "'%.200s' %s", word, fmt);
	return code;
}

static int add_whole_topic(struct partition_list *l, struct correio_admin *admin, const char *topic, struct correio_error *err)
{
	struct correio_topics *topics;
	const char *names[] = {topic};
	int code = correio_admin_describe_topics(admin, names, 1, &topics, err);
	if (code != CORREIO_OK)
		return code;
	const struct correio_topic *t = correio_topics_at(topics, 0);
	if (t == NULL || t->code != 0)
		code = fail(err, t == NULL ? CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION : t->code, "is no topic", topic);
	for (int32_t i = 0; code == CORREIO_OK && i < t->partition_count; i++)
		partition_list_add(l, topic, t->partitions[i].partition, -1);
	correio_topics_free(topics);
	return code;
}

int partition_list_resolve(struct partition_list *ret, struct correio_admin *admin, const struct cli_list *words, struct correio_error *err)
{
	int code = CORREIO_OK;
	*ret = (struct partition_list){.count = 0};
	for (size_t i = 0; code == CORREIO_OK && i < words->count; i++) {
		char *topic;
		int32_t *partitions;
		size_t count;
		if (!partition_list_parse(words->items[i], &topic, &partitions, &count)) {
			code = fail(err, CORREIO_ERR_INVALID_ARGUMENT, "is not TOPIC or TOPIC:P,...", words->items[i]);
			break;
		}
		for (size_t k = 0; k < count; k++)
			partition_list_add(ret, topic, partitions[k], -1);
		if (partitions == NULL)
			code = add_whole_topic(ret, admin, topic, err);
		free(topic);
		free(partitions);
	}
	if (code != CORREIO_OK)
		partition_list_free(ret);
	return code;
}

void partition_list_free(struct partition_list *l)
{
	for (size_t i = 0; i < l->name_count; i++)
		free(l->names[i]);
	free(l->names);
	free(l->items);
	*l = (struct partition_list){.count = 0};
}

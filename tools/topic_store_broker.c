#include "tools/topic_store.h"

struct broker_store {
	struct topic_store store;
	struct correio_admin *admin;
};

static struct correio_admin *admin_of(struct topic_store *s)
{
	return CONTAINER_OF(s, struct broker_store, store)->admin;
}

static int broker_create(struct topic_store *s, const struct correio_new_topic *topic,
	struct correio_topic_created *ret_created, struct correio_error *err)
{
	return correio_admin_create_topic(admin_of(s), topic, ret_created, err);
}

static int broker_delete(struct topic_store *s, const char *topic, struct correio_error *err)
{
	return correio_admin_delete_topic(admin_of(s), topic, err);
}

static int broker_add_partitions(struct topic_store *s, const char *topic, int32_t total,
	const struct correio_replicas *assignment, int32_t assignment_count, struct correio_error *err)
{
	return correio_admin_create_partitions(admin_of(s), topic, total, assignment, assignment_count, err);
}

static void release_topics(struct topic_set *set)
{
	correio_topics_free((struct correio_topics *)set->owner);
}

static int broker_describe(struct topic_store *s, const char *topic, struct topic_set *ret_set, struct correio_error *err)
{
	struct correio_topics *topics;
	const char *names[] = {topic};
	int code = correio_admin_describe_topics(admin_of(s), names, topic != NULL ? 1 : 0, &topics, err);
	if (code != CORREIO_OK)
		return code;
	const struct correio_topic *first = correio_topics_at(topics, 0);
	if (topic != NULL && (first == NULL || first->code != 0)) {
		code = first != NULL ? first->code : CORREIO_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		if (err != NULL) {
			err->code = code;
			err->retriable = false;
			const char *why = first != NULL && first->message != NULL && first->message[0] != '\0'
				? first->message
				: "it does not exist";
			bool named = strstr(why, topic) != NULL;
			(void)snprintf(err->message, sizeof(err->message), "%s%s%s%s", named ? "" : "topic ",
				named ? "" : topic, named ? "" : ": ", why);
		}
		correio_topics_free(topics);
		return code;
	}
	*ret_set = (struct topic_set){
		.topics = first,
		.count = correio_topics_count(topics),
		.release = release_topics,
		.owner = topics,
	};
	return CORREIO_OK;
}

static int broker_alter_configs(struct topic_store *s, const char *topic, const struct correio_entry *entries, size_t count,
	struct correio_error *err)
{
	return correio_admin_alter_configs(admin_of(s), CORREIO_RESOURCE_TOPIC, topic, entries, count, err);
}

static void broker_close(struct topic_store *s)
{
	struct broker_store *b = CONTAINER_OF(s, struct broker_store, store);
	correio_admin_free(b->admin);
	free(b);
}

struct topic_store *topic_store_broker_open(const struct cli_common *common, int *ret_status)
{
	static const struct topic_store_ops ops = {
		.create = broker_create,
		.delete = broker_delete,
		.add_partitions = broker_add_partitions,
		.describe = broker_describe,
		.alter_configs = broker_alter_configs,
		.close = broker_close,
	};
	*ret_status = CLI_FAILED;
	struct correio_config *config = cli_client_config(common);
	if (config == NULL)
		return NULL;
	struct correio_admin *admin;
	struct correio_error err;
	int code = correio_admin_new(config, &admin, &err);
	correio_config_free(config);
	if (code != CORREIO_OK) {
		*ret_status = cli_fail(common, &err);
		return NULL;
	}
	struct broker_store *b = (struct broker_store *)check_calloc(1, sizeof(*b));
	b->store.ops = &ops;
	b->admin = admin;
	return &b->store;
}

/* cluster_image and its holder: building, sharing, looking up, telling. */
#include "base/random.h"
#include "cluster/cluster_image_holder.h"
#include "unit.h"

static struct image_topic *topic(const char *name, uint8_t id, int32_t leader_epoch)
{
	int32_t replicas[] = {2, 1}, isr[] = {1};
	struct image_partition partitions[] = {
		{.partition = 1, .leader = 2, .leader_epoch = leader_epoch, .replicas = replicas, .replica_count = 2, .isr = isr,
			.isr_count = 1},
		{.partition = 0, .leader = 1, .leader_epoch = leader_epoch, .replicas = replicas, .replica_count = 2},
	};
	struct image_config configs[] = {{"retention.ms", "1000"}};
	struct image_topic from = {
		.name = name,
		.id = {.b = {id}},
		.partitions = partitions,
		.partition_count = 2,
		.configs = configs,
		.config_count = 1,
	};
	return image_topic_new(&from);
}

static struct cluster_image *image_of(struct image_topic **topics, size_t count, int64_t version)
{
	struct image_endpoint endpoints[] = {{"PLAINTEXT", "a.example", 9092}, {"SSL", "a.example", 9093}};
	struct image_broker brokers[] = {
		{.id = 7, .epoch = 70, .endpoints = endpoints, .endpoint_count = 2},
		{.id = 3, .epoch = 30, .rack = "r1", .endpoints = endpoints, .endpoint_count = 1},
	};
	return cluster_image_new(&(struct cluster_image_draft){
		.version = version,
		.cluster_id = "c",
		.controller_id = 3,
		.brokers = brokers,
		.broker_count = 2,
		.topics = topics,
		.topic_count = count,
	});
}

START_TEST(cluster_image_finds_topics_partitions_and_brokers)
{
	struct image_topic *topics[] = {topic("b", 2, 5), topic("a", 3, 5), topic("ab", 1, 5)};
	struct cluster_image *i = image_of(topics, 3, 1);
	ck_assert_str_eq(cluster_image_topic(i, slice_of_str("a"))->name, "a");
	ck_assert_str_eq(cluster_image_topic(i, slice_of_str("ab"))->name, "ab");
	ck_assert_str_eq(cluster_image_topic(i, slice_of_str("b"))->name, "b");
	ck_assert_ptr_null(cluster_image_topic(i, slice_of_str("")));
	ck_assert_ptr_null(cluster_image_topic(i, slice_of_str("abc")));
	ck_assert_ptr_null(cluster_image_topic(i, slice_of("ab", 0)));
	ck_assert_str_eq(cluster_image_topic(i, slice_of("abc", 2))->name, "ab");
	ck_assert_str_eq(cluster_image_topic_by_id(i, &(struct uuid){.b = {1}})->name, "ab");
	ck_assert_ptr_null(cluster_image_topic_by_id(i, &(struct uuid){.b = {9}}));
	ck_assert_ptr_null(cluster_image_topic_by_id(i, &(struct uuid){.b = {0}}));

	const struct image_topic *t = cluster_image_topic(i, slice_of_str("a"));
	ck_assert_int_eq(t->partitions[0].partition, 0);
	const struct image_partition *p = image_topic_partition(t, 1);
	ck_assert_int_eq(p->leader, 2);
	ck_assert_uint_eq(p->replica_count, 2);
	ck_assert_int_eq(p->replicas[0], 2);
	ck_assert_int_eq(p->replicas[1], 1);
	ck_assert_int_eq(p->isr[0], 1);
	ck_assert_ptr_null(image_topic_partition(t, 2));
	ck_assert_str_eq(t->configs[0].value, "1000");

	ck_assert_int_eq(i->brokers[0].id, 3);
	ck_assert_str_eq(cluster_image_broker(i, 3)->rack, "r1");
	ck_assert_ptr_null(cluster_image_broker(i, 7)->rack);
	ck_assert_int_eq(image_broker_endpoint(cluster_image_broker(i, 7), "SSL")->port, 9093);
	ck_assert_ptr_null(image_broker_endpoint(cluster_image_broker(i, 3), "SSL"));
	ck_assert_ptr_null(cluster_image_broker(i, 4));
	cluster_image_shared_unref(i);
}
END_TEST

START_TEST(cluster_image_shares_unchanged_topics)
{
	struct image_topic *topics[] = {topic("a", 1, 1), topic("b", 2, 1)};
	struct cluster_image *first = image_of(topics, 2, 1);
	struct image_topic *shared[2];
	cluster_image_share_topics(first, shared);
	ck_assert_ptr_eq(shared[0], first->topics[0]);
	image_topic_shared_unref(shared[1]);
	shared[1] = topic("b", 2, 9);
	struct cluster_image *second = image_of(shared, 2, 2);
	ck_assert_ptr_eq(second->topics[0], first->topics[0]);
	ck_assert_ptr_ne(second->topics[1], first->topics[1]);
	cluster_image_shared_unref(first);
	ck_assert_int_eq(cluster_image_topic(second, slice_of_str("a"))->partitions[0].leader_epoch, 1);
	ck_assert_int_eq(cluster_image_topic(second, slice_of_str("b"))->partitions[0].leader_epoch, 9);
	cluster_image_shared_unref(second);
}
END_TEST

/* Compared with a search by walking. */
START_TEST(cluster_image_lookup_agrees_with_linear_search)
{
	enum { N = 300 };
	struct image_topic *topics[N];
	struct random dice;
	random_seed(&dice, 11);
	for (int k = 0; k < N; k++) {
		char name[32];
		snprintf(name, sizeof(name), "t%llu.%d", (unsigned long long)random_below(&dice, 1000), k);
		topics[k] = topic(name, (uint8_t)(k + 1), 1);
	}
	struct cluster_image *i = image_of(topics, N, 1);
	for (size_t k = 0; k < N; k++) {
		ck_assert_ptr_eq(cluster_image_topic(i, slice_of_str(i->topics[k]->name)), i->topics[k]);
		if (k > 0)
			ck_assert_int_lt(strcmp(i->topics[k - 1]->name, i->topics[k]->name), 0);
	}
	cluster_image_shared_unref(i);
}
END_TEST

struct seen {
	struct cluster_image_watcher watcher;
	struct cluster_image_holder *holder;
	struct cluster_image_watcher *remove; /* while being told */
	int64_t version;
	int calls;
};

static void changed(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	struct seen *s = CONTAINER_OF(w, struct seen, watcher);
	s->version = image->version;
	s->calls++;
	if (s->remove != NULL)
		cluster_image_holder_unwatch(s->holder, s->remove);
}

START_TEST(cluster_image_holder_tells_the_newest_once)
{
	struct manual_clock clock;
	manual_clock_init(&clock, 0, 0);
	struct manual_scheduler *m = manual_scheduler_new(&clock);
	struct cluster_image_holder *h = cluster_image_holder_new(manual_scheduler_scheduler(m));
	struct seen one = {.watcher.changed = changed}, two = {.watcher.changed = changed}, three = {.watcher.changed = changed};
	one.holder = h;
	one.remove = &two.watcher; /* the first told removes the second: it is not told */
	three.holder = h;
	three.remove = &three.watcher;
	cluster_image_holder_watch(h, &one.watcher);
	cluster_image_holder_watch(h, &two.watcher);
	cluster_image_holder_watch(h, &three.watcher);
	ck_assert_int_eq(cluster_image_holder_image(h)->version, 0);
	ck_assert_int_eq(cluster_image_holder_image(h)->controller_id, -1);

	cluster_image_holder_post(h, image_of(NULL, 0, 1));
	cluster_image_holder_post(h, image_of(NULL, 0, 2));
	ck_assert_int_eq(one.calls, 0);
	manual_scheduler_run(m);
	ck_assert_int_eq(cluster_image_holder_image(h)->version, 2);
	ck_assert_int_eq(one.calls, 1);
	ck_assert_int_eq(one.version, 2);
	ck_assert_int_eq(two.calls, 0);
	ck_assert_int_eq(three.calls, 1);

	cluster_image_holder_post(h, image_of(NULL, 0, 3));
	manual_scheduler_run(m);
	ck_assert_int_eq(one.version, 3);
	ck_assert_int_eq(three.calls, 1);
	cluster_image_holder_unwatch(h, &one.watcher);
	cluster_image_holder_unwatch(h, &one.watcher); /* harmless */
	cluster_image_holder_post(h, image_of(NULL, 0, 4)); /* never seen: freed with the holder */
	manual_scheduler_drop_all(m);
	cluster_image_holder_free(h);
	manual_scheduler_free(m);
}
END_TEST

UNIT_MAIN("cluster_image", cluster_image_finds_topics_partitions_and_brokers, cluster_image_shares_unchanged_topics,
	cluster_image_lookup_agrees_with_linear_search, cluster_image_holder_tells_the_newest_once)

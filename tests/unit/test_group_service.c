/* Where group requests go, and how the topic of the coordinators comes to be. The coordinators and the administration of topics are
 * faked. */
#include "service_fixture.h"

#include "coordinator/group_coordinator.h"
#include "service/admin_service.h"
#include "service/group_service.h"
#include "unit.h"

enum { PARTITIONS = 4 };

static struct service_fixture f;
static int64_t version = 100;

/* --- the fakes ------------------------------------------------------------ */

struct group_coordinator {
	struct task task;
	int started, listed;
	int32_t partition;
};
static struct group_coordinator fakes[2];
static struct group_coordinator *const coordinators[] = {&fakes[0], &fakes[1]};

int32_t group_coordinator_partition(const char *group_id, int32_t count)
{
	return (group_id[0] - '0') % count;
}

void group_coordinator_start(struct group_coordinator *owner, struct group_request *r)
{
	owner->started++;
	owner->partition = r->partition;
	r->status = STATUS_OK;
	r->done(r);
}

static void list_home(struct task *t)
{
	struct group_list_request *r = CONTAINER_OF(t, struct group_list_request, task);
	r->done(r);
}

void group_coordinator_list(struct group_coordinator *owner, struct group_list_request *r)
{
	owner->listed++;
	r->group_count++;
	if (owner == coordinators[0])
		r->status = STATUS_COORDINATOR_LOAD_IN_PROGRESS;
	task_init(&r->task, "listed", list_home);
	scheduler_post(r->home, &r->task);
}

static struct admin_request *creations[4];
static int creation_count;

void admin_service_start(struct admin_request *r)
{
	ck_assert_int_lt(creation_count, 4);
	creations[creation_count++] = r;
}

static void creation_ends(struct admin_request *r, enum status s)
{
	r->items[0].failure.status = s;
	(void)snprintf(r->items[0].failure.text, sizeof(r->items[0].failure.text), "%s", status_text(s));
	r->done(r);
}

/* --- the cluster ---------------------------------------------------------- */

static int place(void *arg, const struct topic_partition *tp)
{
	(void)arg;
	return tp->partition % 2;
}

/* Partition 0 and 1 of the coordinators' topic are led by this broker, 2 by the other, 3 by nobody. */
static void post_image(bool with_topic)
{
	static const int32_t leaders[PARTITIONS] = {1, 1, 2, -1}, replicas[] = {1, 2};
	const struct image_endpoint endpoint = {.listener = "PLAINTEXT", .host = "h", .port = 9};
	const struct image_broker brokers[] = {
		{.id = 1, .endpoints = &endpoint, .endpoint_count = 1}, {.id = 2, .endpoints = &endpoint, .endpoint_count = 1}};
	struct image_partition p[PARTITIONS];
	for (int i = 0; i < PARTITIONS; i++)
		p[i] = (struct image_partition){.partition = i, .leader = leaders[i], .replicas = replicas, .isr = replicas, .replica_count = 2, .isr_count = 2};
	struct image_topic offsets = {.name = GROUP_COORDINATOR_TOPIC, .id = {.b = {1}}, .partitions = p, .partition_count = PARTITIONS};
	struct image_topic orders = {.name = "orders", .id = {.b = {2}}, .partitions = p, .partition_count = 2};
	struct image_topic *topics[] = {image_topic_new(&orders), with_topic ? image_topic_new(&offsets) : NULL};
	struct cluster_image_draft draft = {.version = version++, .cluster_id = "c", .controller_id = 1, .brokers = brokers, .broker_count = 2,
		.topics = topics, .topic_count = with_topic ? 2 : 1};
	cluster_image_holder_post(f.images, cluster_image_new(&draft));
	(void)manual_scheduler_run(f.manual);
}

static void begin(bool with_topic)
{
	service_fixture_init(&f);
	memset(fakes, 0, sizeof(fakes));
	creation_count = 0;
	f.router.place = place;
	f.service->coordinators = coordinators;
	f.service->coordinator_count = 2;
	f.service->admin = (struct admin_service *)&fakes; /* the fake does not look at it */
	post_image(with_topic);
}

static void end(void)
{
	service_fixture_fini(&f);
}

/* --- requests ------------------------------------------------------------- */

static void answered(struct group_request *r)
{
	(*(int *)r->arg)++;
}

static enum status send(const char *group, enum group_request_kind kind, struct group_request_offset *offsets, size_t count)
{
	int done = 0;
	struct group_request r = {.kind = kind, .group_id = group, .arena = &f.arena, .done = answered, .arg = &done};
	r.commit.offsets = offsets;
	r.commit.offset_count = count;
	group_service_start(f.service, &r);
	(void)manual_scheduler_run(f.manual);
	ck_assert_int_eq(done, 1);
	return r.status;
}

START_TEST(group_service_sends_to_the_leader_on_its_loop)
{
	begin(true);
	ck_assert_int_eq(send("0", GROUP_REQUEST_HEARTBEAT, NULL, 0), STATUS_OK);
	ck_assert_int_eq(send("1", GROUP_REQUEST_HEARTBEAT, NULL, 0), STATUS_OK);
	ck_assert_int_eq(fakes[0].started, 1);
	ck_assert_int_eq(fakes[1].started, 1);
	ck_assert_int_eq(fakes[1].partition, 1);
	ck_assert_int_eq(send("2", GROUP_REQUEST_HEARTBEAT, NULL, 0), STATUS_NOT_COORDINATOR);
	ck_assert_int_eq(send("3", GROUP_REQUEST_HEARTBEAT, NULL, 0), STATUS_COORDINATOR_NOT_AVAILABLE);
	post_image(false);
	ck_assert_int_eq(send("0", GROUP_REQUEST_HEARTBEAT, NULL, 0), STATUS_COORDINATOR_NOT_AVAILABLE);
	end();
}
END_TEST

START_TEST(group_service_commits_only_for_what_exists)
{
	struct group_request_offset o[] = {{.topic = "orders", .partition = 1}, {.topic = "orders", .partition = 2}, {.topic = "none"}};
	begin(true);
	ck_assert_int_eq(send("0", GROUP_REQUEST_COMMIT, o, 3), STATUS_OK);
	ck_assert_int_eq(o[0].status, STATUS_OK);
	ck_assert_int_eq(o[1].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(o[2].status, STATUS_UNKNOWN_TOPIC_OR_PARTITION);
	end();
}
END_TEST

static void listed(struct group_service_list *l)
{
	(*(int *)l->arg)++;
}

START_TEST(group_service_lists_every_loop)
{
	int done = 0;
	begin(true);
	struct group_service_list l = {.service = f.service, .list = {.arena = &f.arena}, .done = listed, .arg = &done};
	group_service_list(&l);
	(void)manual_scheduler_run(f.manual);
	ck_assert_int_eq(done, 1);
	ck_assert_int_eq(fakes[0].listed + fakes[1].listed, 2);
	ck_assert_uint_eq(l.list.group_count, 2);
	ck_assert_int_eq(l.list.status, STATUS_COORDINATOR_LOAD_IN_PROGRESS);
	end();
}
END_TEST

/* --- FindCoordinator ------------------------------------------------------ */

static void found(struct coordinator_lookup *l)
{
	(*(int *)l->arg)++;
}

static struct coordinator_lookup lookup(struct coordinator_lookup_key *keys, size_t count, int *done)
{
	return (struct coordinator_lookup){.service = f.service, .arena = &f.arena, .listener = "PLAINTEXT", .keys = keys, .key_count = count,
		.done = found, .arg = done};
}

START_TEST(group_service_finds_the_leader)
{
	struct coordinator_lookup_key keys[] = {{.key = "0"}, {.key = "2"}, {.key = "3"}};
	int done = 0;
	begin(true);
	struct coordinator_lookup l = lookup(keys, 3, &done);
	group_service_find(&l);
	ck_assert_int_eq(done, 1);
	ck_assert_int_eq(keys[0].status, STATUS_OK);
	ck_assert_int_eq(keys[0].coordinator.broker_id, 1);
	ck_assert_int_eq(keys[1].coordinator.broker_id, 2);
	ck_assert_int_eq(keys[2].status, STATUS_COORDINATOR_NOT_AVAILABLE);
	ck_assert_ptr_nonnull(keys[2].message);
	l.kind = COORDINATOR_KEY_TRANSACTION;
	group_service_find(&l);
	ck_assert_int_eq(keys[0].status, STATUS_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(creation_count, 0);
	end();
}
END_TEST

START_TEST(group_service_makes_the_topic_once)
{
	struct coordinator_lookup_key a = {.key = "0"}, b = {.key = "1"};
	int done = 0;
	begin(false);
	struct coordinator_lookup first = lookup(&a, 1, &done), second = lookup(&b, 1, &done);
	group_service_find(&first);
	group_service_find(&second);
	ck_assert_int_eq(done, 0);
	ck_assert_int_eq(creation_count, 1);
	const struct admin_item *item = &creations[0]->items[0];
	ck_assert_str_eq(item->topic, GROUP_COORDINATOR_TOPIC);
	ck_assert_int_eq(item->partitions, 50);
	ck_assert_int_eq(item->replication_factor, 3);
	ck_assert_str_eq(item->configs[0].value, "compact");
	ck_assert_str_eq(item->configs[1].value, "producer");
	ck_assert_str_eq(item->configs[2].value, "104857600");
	post_image(true);
	creation_ends(creations[0], STATUS_OK);
	ck_assert_int_eq(done, 2);
	ck_assert_int_eq(a.status, STATUS_OK);
	ck_assert_int_eq(b.status, STATUS_OK);
	end();
}
END_TEST

START_TEST(group_service_cannot_make_the_topic)
{
	struct coordinator_lookup_key a = {.key = "0"};
	int done = 0;
	begin(false);
	struct coordinator_lookup l = lookup(&a, 1, &done);
	group_service_find(&l);
	creation_ends(creations[0], STATUS_INVALID_REPLICATION_FACTOR);
	ck_assert_int_eq(done, 1);
	ck_assert_int_eq(a.status, STATUS_COORDINATOR_NOT_AVAILABLE); /* as Kafka: the reason is in the broker's log */
	group_service_find(&l); /* and asked again when somebody comes again */
	ck_assert_int_eq(creation_count, 2);
	creation_ends(creations[1], STATUS_TOPIC_ALREADY_EXISTS);
	ck_assert_int_eq(done, 2);
	end();
}
END_TEST

UNIT_MAIN("group_service", group_service_sends_to_the_leader_on_its_loop, group_service_commits_only_for_what_exists,
	group_service_lists_every_loop, group_service_finds_the_leader, group_service_makes_the_topic_once,
	group_service_cannot_make_the_topic)

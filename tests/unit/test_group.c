/* What scripts cannot say well: limits, hostile metadata, many members. The rules are in tests/scripted/group. */
#include "base/diag.h"
#include "coordinator/group.h"
#include "tests/unit/unit.h"

enum { MANY = 500 };
struct seat {
	char id[64];
	enum status status;
	int32_t generation;
	unsigned joined, synced;
	bool leads;
	size_t member_count, assignment_bytes;
};
struct room {
	struct group *group;
	struct group_settings settings;
	struct random random;
	int64_t now_ms;
	bool writing;
	struct seat seats[MANY + 1];
};

static void joined(void *arg, void *ticket, const struct group_join_answer *a)
{
	struct room *r = arg;
	struct seat *s = ticket;
	(void)r;
	s->joined++;
	s->status = a->status;
	s->generation = a->generation;
	s->leads = a->status == STATUS_OK && slice_equal(a->leader, a->member_id);
	s->member_count = a->member_count;
	if (a->member_id.n < sizeof s->id) {
		memcpy(s->id, a->member_id.p, a->member_id.n);
		s->id[a->member_id.n] = '\0';
	}
}

static void synced(void *arg, void *ticket, const struct group_sync_answer *a)
{
	struct room *r = arg;
	struct seat *s = ticket;
	(void)r;
	s->synced++;
	s->status = a->status;
	s->assignment_bytes = a->assignment.n;
}

static void persist(void *arg, struct group *g)
{
	struct room *r = arg;
	struct group_record record;
	group_export(g, &record);
	ck_assert_uint_eq(record.member_count, group_member_count(g));
	free(record.members);
	r->writing = true;
}

static struct room *room_new(void)
{
	static const struct group_callbacks callbacks = {.joined = joined, .synced = synced, .persist = persist};
	struct room *r = check_calloc(1, sizeof *r);
	r->settings = (struct group_settings){.session_timeout_min_ms = 6000, .session_timeout_max_ms = 1800000,
		.initial_rebalance_delay_ms = 0, .size_max = INT32_MAX};
	random_seed(&r->random, 7);
	struct group_owner owner = {.settings = &r->settings, .callbacks = &callbacks, .arg = r, .random = &r->random};
	r->group = group_new(slice_of_str("g"), &owner, 0);
	return r;
}

static void room_free(struct room *r)
{
	group_check(r->group);
	group_unload(r->group, STATUS_NOT_COORDINATOR);
	group_free(r->group);
	free(r);
}

static struct group_join join_of(struct seat *s, const struct group_protocol *protocols, size_t count)
{
	s->joined = 0;
	s->status = STATUS_COUNT;
	return (struct group_join){
		.ticket = s,
		.member_id = slice_of_str(s->id),
		.client_id = slice_of_str("c"),
		.client_host = slice_of_str("/h"),
		.protocol_type = slice_of_str("consumer"),
		.protocols = protocols,
		.protocol_count = count,
		.session_timeout_ms = 10000,
		.rebalance_timeout_ms = 60000,
	};
}

static void join(struct room *r, struct seat *s)
{
	static const struct group_protocol range = {.name = {(const uint8_t *)"range", 5}, .metadata = {(const uint8_t *)"m", 1}};
	struct group_join j = join_of(s, &range, 1);
	group_join(r->group, &j, r->now_ms);
}

static void sync_member(struct room *r, struct seat *s, const struct group_assignment *assignments, size_t count)
{
	struct group_sync y = {.ticket = s, .generation = s->generation, .member_id = slice_of_str(s->id),
		.assignments = assignments, .assignment_count = count};
	s->synced = 0;
	s->status = STATUS_COUNT;
	group_sync(r->group, &y, r->now_ms);
}

static void written(struct room *r)
{
	ck_assert(r->writing);
	r->writing = false;
	group_persisted(r->group, STATUS_OK, r->now_ms);
}

/* --- limits --------------------------------------------------------------- */

static enum status joins_with(struct room *r, struct group_join *j)
{
	struct seat *s = j->ticket;
	group_join(r->group, j, r->now_ms);
	group_check(r->group);
	ck_assert_uint_le(s->joined, 1);
	return s->joined == 0 ? STATUS_OK : s->status;
}

START_TEST(group_long_names_are_refused)
{
	struct room *r = room_new();
	uint8_t *bytes = check_calloc(1, GROUP_NAME_BYTES_MAX + 1);
	struct slice longer = slice_of(bytes, GROUP_NAME_BYTES_MAX + 1), longest = slice_of(bytes, GROUP_NAME_BYTES_MAX);
	struct group_protocol p = {.name = slice_of_str("range")};
	size_t offsets[] = {offsetof(struct group_join, member_id), offsetof(struct group_join, instance_id),
		offsetof(struct group_join, client_id), offsetof(struct group_join, client_host),
		offsetof(struct group_join, protocol_type)};
	for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
		struct group_join j = join_of(&r->seats[0], &p, 1);
		memcpy((char *)&j + offsets[i], &longer, sizeof longer);
		ck_assert_int_eq(joins_with(r, &j), STATUS_INVALID_REQUEST);
	}
	p.name = longer;
	struct group_join j = join_of(&r->seats[0], &p, 1);
	ck_assert_int_eq(joins_with(r, &j), STATUS_INVALID_REQUEST);
	ck_assert_uint_eq(group_member_count(r->group), 0);
	/* The longest client id is cut in the member id, which must fit a string itself. */
	p.name = longest;
	j = join_of(&r->seats[0], &p, 1);
	j.client_id = longest;
	ck_assert_int_eq(joins_with(r, &j), STATUS_OK);
	struct group_description d;
	group_describe(r->group, &d);
	ck_assert_uint_eq(d.member_count, 1);
	ck_assert_uint_eq(d.members[0].client_id.n, GROUP_NAME_BYTES_MAX);
	ck_assert_uint_le(d.members[0].member_id.n, GROUP_NAME_BYTES_MAX);
	free(d.members);
	free(bytes);
	room_free(r);
}
END_TEST

START_TEST(group_much_metadata_is_refused)
{
	struct room *r = room_new();
	uint8_t *bytes = check_calloc(1, GROUP_MEMBER_BYTES_MAX);
	struct group_protocol many[GROUP_PROTOCOLS_MAX + 1];
	char names[GROUP_PROTOCOLS_MAX + 1][8];
	for (size_t i = 0; i <= GROUP_PROTOCOLS_MAX; i++) {
		(void)snprintf(names[i], sizeof names[i], "p%zu", i);
		many[i] = (struct group_protocol){.name = slice_of_str(names[i])};
	}
	struct group_join j = join_of(&r->seats[0], many, GROUP_PROTOCOLS_MAX + 1);
	ck_assert_int_eq(joins_with(r, &j), STATUS_INVALID_REQUEST);
	struct group_protocol big = {.name = slice_of_str("range"), .metadata = slice_of(bytes, GROUP_MEMBER_BYTES_MAX)};
	j = join_of(&r->seats[0], &big, 1);
	ck_assert_int_eq(joins_with(r, &j), STATUS_INVALID_REQUEST);
	ck_assert_int_eq(group_state(r->group), GROUP_EMPTY);
	j = join_of(&r->seats[0], many, GROUP_PROTOCOLS_MAX);
	ck_assert_int_eq(joins_with(r, &j), STATUS_OK);
	free(bytes);
	room_free(r);
}
END_TEST

START_TEST(group_memory_is_bounded)
{
	struct room *r = room_new();
	size_t each = GROUP_MEMBER_BYTES_MAX - 1024; /* a member is more than its metadata */
	uint8_t *bytes = check_calloc(1, each);
	struct group_protocol p = {.name = slice_of_str("range"), .metadata = slice_of(bytes, each)};
	size_t count = 0;
	for (; count < MANY; count++) {
		struct group_join j = join_of(&r->seats[count], &p, 1);
		if (joins_with(r, &j) != STATUS_OK)
			break;
	}
	ck_assert_uint_lt(count, MANY);
	ck_assert_uint_ge(count, 60);
	ck_assert_int_eq(r->seats[count].status, STATUS_GROUP_MAX_SIZE_REACHED);
	ck_assert_uint_eq(group_member_count(r->group), count);
	/* The leader may not assign more than there is room for either. */
	group_expire(r->group, r->now_ms);
	ck_assert_int_eq(r->seats[0].status, STATUS_OK);
	ck_assert(r->seats[0].leads);
	struct group_assignment a[8];
	for (size_t i = 0; i < 8; i++)
		a[i] = (struct group_assignment){.member_id = slice_of_str(r->seats[i].id), .assignment = slice_of(bytes, each)};
	sync_member(r, &r->seats[0], a, 8);
	ck_assert_int_eq(r->seats[0].status, STATUS_INVALID_REQUEST);
	a[0].assignment.n = 100;
	sync_member(r, &r->seats[0], a, 1);
	ck_assert_uint_eq(r->seats[0].synced, 0);
	written(r);
	ck_assert_int_eq(r->seats[0].status, STATUS_OK);
	ck_assert_uint_eq(r->seats[0].assignment_bytes, 100);
	/* Memory comes back with who leaves. */
	struct group_leave_member l = {.member_id = slice_of_str(r->seats[0].id)};
	ck_assert_int_eq(group_leave(r->group, &l, 1, r->now_ms), STATUS_OK);
	struct group_join j = join_of(&r->seats[MANY], &p, 1);
	ck_assert_int_eq(joins_with(r, &j), STATUS_OK);
	free(bytes);
	room_free(r);
}
END_TEST

START_TEST(group_big_assignment_is_refused)
{
	struct room *r = room_new();
	uint8_t *bytes = check_calloc(1, GROUP_ASSIGNMENT_BYTES_MAX + 1);
	join(r, &r->seats[0]);
	group_expire(r->group, r->now_ms);
	struct group_assignment a = {
		.member_id = slice_of_str(r->seats[0].id), .assignment = slice_of(bytes, GROUP_ASSIGNMENT_BYTES_MAX + 1)};
	sync_member(r, &r->seats[0], &a, 1);
	ck_assert_int_eq(r->seats[0].status, STATUS_INVALID_REQUEST);
	a.assignment.n--;
	sync_member(r, &r->seats[0], &a, 1);
	written(r);
	ck_assert_int_eq(r->seats[0].status, STATUS_OK);
	ck_assert_uint_eq(r->seats[0].assignment_bytes, GROUP_ASSIGNMENT_BYTES_MAX);
	free(bytes);
	room_free(r);
}
END_TEST

/* A client that asks for an id and never comes back with it, again and again. */
START_TEST(group_pending_ids_are_bounded)
{
	struct room *r = room_new();
	struct seat first = {.joined = 0}, *s = &r->seats[0];
	struct group_protocol p = {.name = slice_of_str("range")};
	for (int i = 0; i <= GROUP_PENDING_IDS_MAX; i++) {
		s->id[0] = '\0';
		struct group_join j = join_of(s, &p, 1);
		j.require_known_member_id = true;
		group_join(r->group, &j, r->now_ms);
		ck_assert_int_eq(s->status, STATUS_MEMBER_ID_REQUIRED);
		if (i == 0)
			first = *s;
	}
	join(r, &first); /* the oldest was forgotten */
	ck_assert_int_eq(first.status, STATUS_UNKNOWN_MEMBER_ID);
	join(r, s);
	ck_assert_uint_eq(s->joined, 0);
	ck_assert(group_in_use(r->group));
	r->now_ms += 10000;
	group_expire(r->group, r->now_ms);
	ck_assert_int_eq(s->status, STATUS_OK);
	group_check(r->group);
	room_free(r);
}
END_TEST

/* --- subscriptions -------------------------------------------------------- */

static bool subscribes(struct slice metadata, const char *topic)
{
	struct room *r = room_new();
	struct group_record_member m = {.member_id = slice_of_str("m"), .client_id = slice_of_str("c"),
		.client_host = slice_of_str("/h"), .session_timeout_ms = 10000, .subscription = metadata,
		.assignment = slice_of_str("")};
	struct group_record record = {.protocol_type = slice_of_str("consumer"), .generation = 1,
		.protocol = slice_of_str("range"), .members = &m, .member_count = 1};
	ck_assert_int_eq(group_import(r->group, &record, 0), STATUS_OK);
	bool yes = group_subscribes(r->group, slice_of_str(topic));
	room_free(r);
	return yes;
}

START_TEST(group_subscription_that_ends_early_subscribes_to_all)
{
	static const uint8_t two[] = {0, 1, 0, 0, 0, 2, 0, 1, 't', 0, 2, 'u', 'v', 9, 9};
	ck_assert(subscribes(slice_of(two, sizeof two), "t"));
	ck_assert(subscribes(slice_of(two, sizeof two), "uv"));
	ck_assert(!subscribes(slice_of(two, sizeof two), "u"));
	ck_assert(!subscribes(slice_of(two, sizeof two), ""));
	for (size_t n = 0; n < 13; n++)
		ck_assert(subscribes(slice_of(two, n), "other"));
	ck_assert(!subscribes(slice_of(two, 13), "other"));
}
END_TEST

START_TEST(group_subscription_of_nonsense_subscribes_to_all)
{
	static const uint8_t negative_count[] = {0, 0, 0xff, 0xff, 0xff, 0xff}, huge_count[] = {0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0},
			     negative_name[] = {0, 0, 0, 0, 0, 1, 0xff, 0xff};
	ck_assert(subscribes(slice_of(negative_count, sizeof negative_count), "t"));
	ck_assert(subscribes(slice_of(huge_count, sizeof huge_count), "t"));
	ck_assert(subscribes(slice_of(negative_name, sizeof negative_name), "t"));
	static const uint8_t none[] = {0, 0, 0, 0, 0, 0};
	ck_assert(!subscribes(slice_of(none, sizeof none), "t"));
}
END_TEST

/* --- many ----------------------------------------------------------------- */

static struct seat *leader_of(struct room *r)
{
	struct seat *leader = NULL;
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(r->seats[i].joined, 1);
		ck_assert_int_eq(r->seats[i].status, STATUS_OK);
		ck_assert_int_eq(r->seats[i].generation, group_generation(r->group));
		if (r->seats[i].leads) {
			ck_assert_ptr_null(leader);
			leader = &r->seats[i];
		} else {
			ck_assert_uint_eq(r->seats[i].member_count, 0);
		}
	}
	ck_assert_ptr_nonnull(leader);
	ck_assert_uint_eq(leader->member_count, MANY);
	return leader;
}

static void stabilize(struct room *r)
{
	struct seat *leader = leader_of(r);
	struct group_assignment *a = check_calloc(MANY, sizeof *a);
	for (size_t i = 0; i < MANY; i++)
		a[i] = (struct group_assignment){
			.member_id = slice_of_str(r->seats[i].id), .assignment = slice_of_str(r->seats[i].id)};
	for (size_t i = 0; i < MANY; i++) {
		if (&r->seats[i] != leader)
			sync_member(r, &r->seats[i], NULL, 0);
	}
	sync_member(r, leader, a, MANY);
	written(r);
	for (size_t i = 0; i < MANY; i++) {
		ck_assert_uint_eq(r->seats[i].synced, 1);
		ck_assert_int_eq(r->seats[i].status, STATUS_OK);
		ck_assert_uint_eq(r->seats[i].assignment_bytes, strlen(r->seats[i].id));
	}
	ck_assert_int_eq(group_state(r->group), GROUP_STABLE);
	free(a);
}

/* 500 members; each round a tenth leaves and comes back as somebody new, the others rejoin; in between each beats. */
START_TEST(group_of_many_churns_quickly)
{
	struct room *r = room_new();
	size_t refused = 0; /* counted: a million assertions would take longer than what they assert */
	for (size_t i = 0; i < MANY; i++)
		join(r, &r->seats[i]);
	group_expire(r->group, r->now_ms);
	stabilize(r);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < MANY; i++) {
			if (i % 10 != (size_t)round % 10)
				continue;
			struct group_leave_member l = {.member_id = slice_of_str(r->seats[i].id)};
			ck_assert_int_eq(group_leave(r->group, &l, 1, r->now_ms), STATUS_OK);
			ck_assert_int_eq(l.status, STATUS_OK);
			r->seats[i].id[0] = '\0';
			join(r, &r->seats[i]);
		}
		for (size_t i = 0; i < MANY; i++) {
			if (i % 10 != (size_t)round % 10)
				join(r, &r->seats[i]);
		}
		stabilize(r);
		for (int beat = 0; beat < 100; beat++) {
			r->now_ms += 20;
			for (size_t i = 0; i < MANY; i++) {
				struct group_identity who = {.member_id = slice_of_str(r->seats[i].id),
					.generation = r->seats[i].generation};
				refused += group_heartbeat(r->group, &who, r->now_ms) != STATUS_OK;
			}
			ck_assert_int_eq(group_next_deadline(r->group), r->now_ms + 10000);
		}
		group_check(r->group);
	}
	ck_assert_uint_eq(refused, 0);
	ck_assert_int_eq(group_generation(r->group), 21);
	r->now_ms += 10000;
	group_expire(r->group, r->now_ms);
	ck_assert_int_eq(group_state(r->group), GROUP_EMPTY);
	ck_assert_uint_eq(group_counts(r->group).members_expired, MANY);
	room_free(r);
}
END_TEST

static void drop_line(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

__attribute__((constructor)) static void quiet(void)
{
	diag_set_sink(drop_line, NULL);
}

UNIT_MAIN("group", group_long_names_are_refused, group_much_metadata_is_refused, group_memory_is_bounded,
	group_big_assignment_is_refused, group_pending_ids_are_bounded,
	group_subscription_that_ends_early_subscribes_to_all, group_subscription_of_nonsense_subscribes_to_all,
	group_of_many_churns_quickly)

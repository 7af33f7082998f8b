/* Records of __consumer_offsets: bytes that Kafka 3.9.1 wrote, what we write ourselves, and bytes nobody should write. */
#include "coordinator/group_records.h"
#include "tests/unit/unit.h"

enum { MEMORY = 1 << 20 };

static struct arena arena;

static void setup(void)
{
	arena_init(&arena, MEMORY);
}

static void teardown(void)
{
	arena_fini(&arena);
}

#define BYTES(text) slice_of(text, sizeof(text) - 1)

static struct group_record_view decoded(struct slice key, struct slice value)
{
	struct group_record_view v;
	ck_assert_int_eq(group_records_decode(&arena, key, value, &v), STATUS_OK);
	return v;
}

static void same_again(struct slice key, struct slice value)
{
	struct group_record_view v = decoded(key, value);
	struct group_record_bytes b;
	ck_assert_int_eq(group_records_encode(&arena, &v, &b), STATUS_OK);
	ck_assert(slice_equal(b.key, key));
	ck_assert(slice_equal(b.value, value));
	ck_assert_int_eq(b.value.p == NULL, value.p == NULL);
}

/* --- offsets ------------------------------------------------------------- */

static const char offset_key[] = "\0\1\0\7grp-eos\0\5keyed\0\0\0\1";
static const char offset_v3[] = "\0\3\0\0\0\0\0\0\0\3\xff\xff\xff\xff\0\x13must not be visible\0\0\1\xa2\x01\x37\xd1\xa6";

START_TEST(offsets_of_kafka_are_read_and_written_again)
{
	setup();
	struct group_record_view v = decoded(BYTES(offset_key), BYTES(offset_v3));
	ck_assert_int_eq(v.kind, GROUP_RECORD_OFFSET);
	ck_assert_str_eq(group_records_group_of(&v), "grp-eos");
	ck_assert_str_eq(v.offset_key->topic, "keyed");
	ck_assert_int_eq(v.offset_key->partition, 1);
	ck_assert_int_eq(v.offset->offset, 3);
	ck_assert_int_eq(v.offset->leader_epoch, -1);
	ck_assert_str_eq(v.offset->metadata, "must not be visible");
	ck_assert_int_eq(v.offset->commit_timestamp, 1795316765094);
	ck_assert_int_eq(v.offset->expire_timestamp, -1);
	same_again(BYTES(offset_key), BYTES(offset_v3));
	same_again(BYTES(offset_key), (struct slice){0});
	teardown();
}
END_TEST

START_TEST(every_version_of_an_offset_is_read)
{
	setup();
	static const char v0[] = "\0\0\0\0\0\0\0\0\0\7\0\1m\0\0\0\0\0\0\0\5";
	static const char v1[] = "\0\1\0\0\0\0\0\0\0\7\0\1m\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0\x9";
	static const char v2[] = "\0\2\0\0\0\0\0\0\0\7\0\1m\0\0\0\0\0\0\0\5";
	static const char v4[] = "\0\4\0\0\0\0\0\0\0\7\0\0\0\2\2m\0\0\0\0\0\0\0\5\1\0\2xy";
	const struct {
		struct slice bytes;
		int32_t leader_epoch;
		int64_t expire;
	} cases[] = {{BYTES(v0), -1, -1}, {BYTES(v1), -1, 9}, {BYTES(v2), -1, -1}, {BYTES(v4), 2, -1}};
	for (size_t i = 0; i < 4; i++) {
		struct group_record_view v = decoded(BYTES(offset_key), cases[i].bytes);
		ck_assert_int_eq(v.offset->offset, 7);
		ck_assert_str_eq(v.offset->metadata, "m");
		ck_assert_int_eq(v.offset->commit_timestamp, 5);
		ck_assert_int_eq(v.offset->leader_epoch, cases[i].leader_epoch);
		ck_assert_int_eq(v.offset->expire_timestamp, cases[i].expire);
	}
	same_again(BYTES(offset_key), BYTES(v1)); /* an expire time is written in version 1 */
	static const char old_key[] = "\0\0\0\1g\0\1t\0\0\0\1";
	ck_assert_int_eq(decoded(BYTES(old_key), BYTES(v0)).kind, GROUP_RECORD_OFFSET);
	teardown();
}
END_TEST

/* --- classic groups ------------------------------------------------------ */

static const char group_key[] = "\0\2\0\x8grp-live";
static const char group_v3[] = "\0\3\0\x8" "consumer\0\0\0\2\0\5range\0\x32live-grp-live-f3613b08-ed8a-4505-af92-"
	"d0f1c2777e49\0\0\1\xa2\1\x39\xd6\7\0\0\0\2\0\x32live-grp-live-f3613b08-ed8a-4505-af92-d0f1c2777e49\xff\xff\0\xd"
	"live-grp-live\0\xa/127.0.0.1\0\4\x93\xe0\0\0\xea`\0\0\0\x1b\0\3\0\0\0\1\0\5keyed\xff\xff\xff\xff\0\0\0\0\0\0\0\1\xff\xff"
	"\0\0\0\x1d\0\3\0\0\0\1\0\5keyed\0\0\0\2\0\0\0\2\0\0\0\3\xff\xff\xff\xff\0\x32live-grp-live-17efcbf4-9205-4f03-a15d-"
	"0eb02d8400ef\xff\xff\0\xdlive-grp-live\0\xa/127.0.0.1\0\4\x93\xe0\0\0\xea`\0\0\0\x1b\0\3\0\0\0\1\0\5keyed\xff\xff\xff"
	"\xff\0\0\0\0\xff\xff\xff\xff\xff\xff\0\0\0\x1d\0\3\0\0\0\1\0\5keyed\0\0\0\2\0\0\0\0\0\0\0\1\xff\xff\xff\xff";

START_TEST(groups_of_kafka_become_what_a_group_takes)
{
	setup();
	struct group_record_view v = decoded(BYTES(group_key), BYTES(group_v3));
	struct group_record g;
	struct group_record_bytes again;
	ck_assert_int_eq(v.kind, GROUP_RECORD_GROUP);
	ck_assert_int_eq(group_records_to_group(&arena, v.group, &g), STATUS_OK);
	ck_assert(slice_equal(g.protocol_type, BYTES("consumer")));
	ck_assert(slice_equal(g.protocol, BYTES("range")));
	ck_assert_int_eq(g.generation, 2);
	ck_assert_uint_eq(g.member_count, 2);
	ck_assert(slice_equal(g.leader, g.members[0].member_id));
	ck_assert_ptr_null(g.members[0].instance_id.p);
	ck_assert(slice_equal(g.members[1].client_host, BYTES("/127.0.0.1")));
	ck_assert_int_eq(g.members[1].rebalance_timeout_ms, 300000);
	ck_assert_int_eq(g.members[1].session_timeout_ms, 60000);
	ck_assert_uint_eq(g.members[1].assignment.n, 0x1d);
	ck_assert_int_eq(group_records_encode_group(
		&arena, BYTES("grp-live"), &g, g.current_state_timestamp_ms, &again), STATUS_OK);
	ck_assert(slice_equal(again.key, BYTES(group_key)));
	ck_assert(slice_equal(again.value, BYTES(group_v3)));
	teardown();
}
END_TEST

START_TEST(old_groups_have_no_rebalance_timeout)
{
	setup();
	static const char v0[] = "\0\0\0\0\0\0\0\1\xff\xff\xff\xff\0\0\0\1\0\1m\0\1c\0\1h\0\0\0\x64\0\0\0\1s\0\0\0\0";
	struct group_record g;
	ck_assert_int_eq(group_records_to_group(&arena, decoded(BYTES(group_key), BYTES(v0)).group, &g), STATUS_OK);
	ck_assert_ptr_null(g.protocol.p);
	ck_assert_ptr_null(g.leader.p);
	ck_assert_int_eq(g.current_state_timestamp_ms, -1);
	ck_assert_int_eq(g.members[0].session_timeout_ms, 100);
	ck_assert_int_eq(g.members[0].rebalance_timeout_ms, 100);
	teardown();
}
END_TEST

/* --- KIP-848 ------------------------------------------------------------- */

/* What Kafka 3.9.1 and 4.1.0 wrote when two static members joined one after the other, with a third in a group of its own. */
#define RECORDED(kind, key, value)                                                                                     \
	{GROUP_RECORD_##kind, {(const uint8_t *)(key), sizeof(key) - 1}, {(const uint8_t *)(value), sizeof(value) - 1}}
static const struct {
	enum group_record_kind kind;
	struct slice key, value;
} recorded[] = {
	RECORDED(CONSUMER_GROUP,
		"\x00\x03\x00\x05g848b",
		"\x00\x00\x00\x00\x00\x02\x00"),
	RECORDED(CONSUMER_PARTITIONS,
		"\x00\x04\x00\x04g848",
		"\x00\x00\x03\xd1obsi7K\x9e\x8d\x01 m\x8eNny\x05" "beta\x00\x00\x00\x02\x03\x00\x00"
		"\x00\x00\x02\x07rack-a\x00\x00\x00\x00\x01\x02\x07rack-a\x00\x00\xe2\xb4\xca\x9b\xce"
		"\xeeOq\x8e[\xcc\x0d=1\x82\x89\x06" "alpha\x00\x00\x00\x03\x04\x00\x00\x00\x00\x02"
		"\x07rack-a\x00\x00\x00\x00\x01\x02\x07rack-a\x00\x00\x00\x00\x02\x02\x07rack-a\x00"
		"\x00\x00"),
	RECORDED(CONSUMER_MEMBER,
		"\x00\x05\x00\x04g848\x00\x16" "fp6vgcsvSYOEZJ1okzn29A",
		"\x00\x00\x07inst-1\x00\x03" "c1\x0b/127.0.0.1\x03\x06" "alpha\x05" "beta\x01\x00\x04"
		"\x93\xe0\x00\x01\x00\x01\x00"),
	RECORDED(CONSUMER_MEMBER,
		"\x00\x05\x00\x04g848\x00\x16qziDTP0SQ3WuVdWlGqghHg",
		"\x00\x00\x07inst-1\x07rack-a\x03" "c1\x0b/127.0.0.1\x03\x06" "alpha\x05" "beta\x01"
		"\x00\x04\x93\xe0\x00\x01\x00\x01\x00"),
	RECORDED(CONSUMER_TARGET,
		"\x00\x06\x00\x05g848b",
		"\x00\x00\x00\x00\x00\x01\x00"),
	RECORDED(CONSUMER_TARGET_MEMBER,
		"\x00\x07\x00\x04g848\x00\x16" "fp6vgcsvSYOEZJ1okzn29A",
		"\x00\x00\x03\xd1obsi7K\x9e\x8d\x01 m\x8eNny\x03\x00\x00\x00\x00\x00\x00\x00\x01\x00"
		"\xe2\xb4\xca\x9b\xce\xeeOq\x8e[\xcc\x0d=1\x82\x89\x04\x00\x00\x00\x00\x00\x00\x00"
		"\x01\x00\x00\x00\x02\x00\x00"),
	RECORDED(CONSUMER_CURRENT,
		"\x00\x08\x00\x04g848\x00\x16" "fp6vgcsvSYOEZJ1okzn29A",
		"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x01\x01\x03\xd1obsi7K\x9e\x8d\x01 m\x8eNny\x03"
		"\x00\x00\x00\x00\x00\x00\x00\x01\x00\xe2\xb4\xca\x9b\xce\xeeOq\x8e[\xcc\x0d=1\x82"
		"\x89\x02\x00\x00\x00\x00\x00\x02\xe2\xb4\xca\x9b\xce\xeeOq\x8e[\xcc\x0d=1\x82\x89"
		"\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00"),
	RECORDED(CONSUMER_GROUP,
		"\x00\x03\x00\x04g848",
		"\x00\x00\x00\x00\x00\x01\x01\x00\x08" "8Q\x94\xfc_\xad" "aH"),
};

START_TEST(records_of_consumer_groups_are_read_and_written_again)
{
	setup();
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++) {
		ck_assert_int_eq(decoded(recorded[i].key, recorded[i].value).kind, recorded[i].kind);
		same_again(recorded[i].key, recorded[i].value);
		same_again(recorded[i].key, (struct slice){0});
	}
	teardown();
}
END_TEST

START_TEST(fields_of_consumer_groups_are_where_they_belong)
{
	setup();
	const struct kafka_consumer_group_partition_metadata_value *p = decoded(recorded[1].key, recorded[1].value).partitions;
	ck_assert_int_eq(p->topics_count, 2);
	ck_assert_str_eq(p->topics[0].topic_name, "beta");
	ck_assert_int_eq(p->topics[1].num_partitions, 3);
	ck_assert_str_eq(p->topics[1].partition_metadata[2].racks[0], "rack-a");
	struct group_record_view v = decoded(recorded[3].key, recorded[3].value);
	ck_assert_str_eq(v.member_key->group_id, "g848");
	ck_assert_str_eq(v.member->client_host, "/127.0.0.1");
	ck_assert_str_eq(v.member->rack_id, "rack-a");
	ck_assert_int_eq(v.member->subscribed_topic_names_count, 2);
	ck_assert_int_eq(v.member->rebalance_timeout_ms, 300000);
	ck_assert_ptr_null(v.member->server_assignor);
	ck_assert_ptr_null(v.member->classic_member_metadata);
	const struct kafka_consumer_group_current_member_assignment_value *c =
		decoded(recorded[6].key, recorded[6].value).current;
	ck_assert_int_eq(c->member_epoch, 1);
	ck_assert_int_eq(c->state, 1);
	ck_assert_int_eq(c->partitions_pending_revocation[0].partitions[1], 2);
	ck_assert_int_ne(decoded(recorded[7].key, recorded[7].value).consumer_group->metadata_hash, 0);
	teardown();
}
END_TEST

START_TEST(a_classic_member_of_a_consumer_group_round_trips)
{
	setup();
	struct kafka_consumer_group_member_metadata_value_protocol protocol = {.name = "range", .metadata = BYTES("xyz")};
	struct kafka_consumer_group_member_metadata_value_classic classic = {
		.session_timeout_ms = 45000, .supported_protocols = &protocol, .supported_protocols_count = 1};
	struct kafka_consumer_group_member_metadata_key key = {.group_id = "g", .member_id = "m"};
	struct kafka_consumer_group_member_metadata_value value = {
		.client_id = "c", .client_host = "h", .classic_member_metadata = &classic};
	const struct group_record_view v = {.kind = GROUP_RECORD_CONSUMER_MEMBER, .member_key = &key, .member = &value};
	struct group_record_bytes b;
	ck_assert_int_eq(group_records_encode(&arena, &v, &b), STATUS_OK);
	const struct kafka_consumer_group_member_metadata_value *again = decoded(b.key, b.value).member;
	ck_assert_int_eq(again->classic_member_metadata->session_timeout_ms, 45000);
	ck_assert_str_eq(again->classic_member_metadata->supported_protocols[0].name, "range");
	teardown();
}
END_TEST

/* --- what else may lie there --------------------------------------------- */

START_TEST(unknown_kinds_and_versions_are_told_apart)
{
	setup();
	struct group_record_view v = {.value = &v};
	static const char share[] = "\0\x0b\0\1g", bad_offset[] = "\0\1\0\1g\0", newer[] = "\0\x63\0\0\0\0";
	ck_assert_int_eq(group_records_decode(&arena, BYTES(share), BYTES("\0\0"), &v), STATUS_NOT_FOUND);
	ck_assert_int_eq(group_records_decode(&arena, BYTES(bad_offset), (struct slice){0}, &v), STATUS_CORRUPT);
	ck_assert_int_eq(group_records_decode(&arena, BYTES("\0"), (struct slice){0}, &v), STATUS_CORRUPT);
	ck_assert_int_eq(group_records_decode(&arena, (struct slice){0}, (struct slice){0}, &v), STATUS_CORRUPT);
	ck_assert_int_eq(group_records_decode(&arena, BYTES(group_key), BYTES(newer), &v), STATUS_UNSUPPORTED_VERSION);
	ck_assert_str_eq(group_records_group_of(&v), "grp-live");
	ck_assert_ptr_null(v.value);
	teardown();
}
END_TEST

static void cut_everywhere(struct slice key, struct slice value)
{
	struct group_record_view v;
	for (size_t n = 0; n < value.n; n++) {
		uint8_t *cut = malloc(n + 1);
		ck_assert_ptr_nonnull(cut);
		memcpy(cut + 1, value.p, n);
		ck_assert_int_eq(group_records_decode(&arena, key, slice_of(cut + 1, n), &v), STATUS_CORRUPT);
		free(cut);
		arena_reset(&arena);
	}
}

START_TEST(cut_values_are_damage)
{
	setup();
	cut_everywhere(BYTES(offset_key), BYTES(offset_v3));
	cut_everywhere(BYTES(group_key), BYTES(group_v3));
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++)
		cut_everywhere(recorded[i].key, recorded[i].value);
	teardown();
}
END_TEST

START_TEST(a_hostile_count_allocates_nothing)
{
	setup();
	static const char huge[] = "\0\3\0\0\0\0\0\1\xff\xff\xff\xff\0\0\0\0\0\0\0\0\x7f\xff\xff\xff\0\1m";
	struct group_record_view v;
	ck_assert_int_eq(group_records_decode(&arena, BYTES(group_key), BYTES(huge), &v), STATUS_CORRUPT);
	ck_assert_uint_lt(arena.used_bytes, 512);
	teardown();
}
END_TEST

START_TEST(overlong_names_are_refused)
{
	setup();
	char *name = calloc(1, INT16_MAX + 2);
	ck_assert_ptr_nonnull(name);
	memset(name, 'x', INT16_MAX + 1);
	struct kafka_group_metadata_key key = {.group = name};
	const struct group_record_view v = {.kind = GROUP_RECORD_GROUP, .group_key = &key};
	struct group_record_bytes b;
	ck_assert_int_eq(group_records_encode(&arena, &v, &b), STATUS_TOO_LARGE);
	free(name);
	teardown();
}
END_TEST

UNIT_MAIN("group_records", offsets_of_kafka_are_read_and_written_again, every_version_of_an_offset_is_read,
	groups_of_kafka_become_what_a_group_takes, old_groups_have_no_rebalance_timeout,
	records_of_consumer_groups_are_read_and_written_again, fields_of_consumer_groups_are_where_they_belong,
	a_classic_member_of_a_consumer_group_round_trips, unknown_kinds_and_versions_are_told_apart, cut_values_are_damage, a_hostile_count_allocates_nothing,
	overlong_names_are_refused)

#include "coordinator/group_records.h"

#include "wire/kafka_table.h"

#define BEGIN KAFKA_TABLE_BEGIN
#define FIELD KAFKA_TABLE_FIELD
#define END KAFKA_TABLE_END(static)
#define RECORD(kind, name, key_first, key_last, first, last, flexible_from)
#include "proto/storage/internal_topics.def"
#undef BEGIN
#undef FIELD
#undef END
#undef RECORD

enum { OFFSET_VERSION = 3, OFFSET_VERSION_EXPIRING = 1, GROUP_VERSION = 3 };

struct record_type {
	struct kafka_record_form key, value;
};
static const struct record_type types[GROUP_RECORD_KIND_COUNT] = {
#define BEGIN
#define FIELD(kind, name, element, first, last, null_from, tag, def)
#define END
#define RECORD(kind, name, key_first, key_last, first, last, flexible_from)                                            \
	[GROUP_RECORD_##kind] = {                                                                                      \
		{&kafka_struct_##name##_key, key_first, key_last, INT16_MAX},                                          \
		{&kafka_struct_##name##_value, first, last, flexible_from},                                            \
	},
#include "proto/storage/internal_topics.def"
#undef BEGIN
#undef FIELD
#undef END
#undef RECORD
};

static const struct record_type *find_type(int16_t key_version)
{
	for (size_t i = 0; i < GROUP_RECORD_KIND_COUNT; i++)
		if (key_version >= types[i].key.first && key_version <= types[i].key.last)
			return &types[i];
	return NULL;
}

/* Whatever is wrong with stored bytes is damage. */
static enum status stored(enum status s)
{
	return s == STATUS_OK || s == STATUS_TOO_LARGE || s == STATUS_UNSUPPORTED_VERSION ? s : STATUS_CORRUPT;
}

enum status group_records_decode(
	struct arena *a, struct slice key, struct slice value, struct group_record_view *ret_view)
{
	struct byte_reader r;
	void *decoded = NULL;
	byte_reader_init(&r, key);
	int16_t key_version = byte_reader_i16(&r);
	if (r.status != STATUS_OK)
		return STATUS_CORRUPT;
	const struct record_type *t = find_type(key_version);
	if (t == NULL)
		return STATUS_NOT_FOUND;
	TRY(stored(kafka_codec_decode_record(a, key, &t->key, &decoded)));
	struct group_record_view view = {.kind = (enum group_record_kind)(t - types), .key = decoded};
	if (value.p == NULL) {
		*ret_view = view;
		return STATUS_OK;
	}
	enum status s = stored(kafka_codec_decode_record(a, value, &t->value, &decoded));
	if (s == STATUS_OK)
		view.value = decoded;
	if (s == STATUS_OK || s == STATUS_UNSUPPORTED_VERSION)
		*ret_view = view;
	return s;
}

const char *group_records_group_of(const struct group_record_view *view)
{
	expect(view->kind < GROUP_RECORD_KIND_COUNT);
	const struct kafka_field *f = &types[view->kind].key.type->fields[0];
	expect(f->kind == KAFKA_string && f->offset == 0);
	return *(const char *const *)view->key;
}

static int16_t key_version(const struct group_record_view *view)
{
	return types[view->kind].key.last;
}

static int16_t value_version(const struct group_record_view *view)
{
	if (view->kind == GROUP_RECORD_OFFSET)
		return view->offset->expire_timestamp >= 0 ? OFFSET_VERSION_EXPIRING : OFFSET_VERSION;
	return view->kind == GROUP_RECORD_GROUP ? GROUP_VERSION : types[view->kind].value.last;
}

enum status group_records_encode(
	struct arena *a, const struct group_record_view *view, struct group_record_bytes *ret_record)
{
	struct group_record_bytes record = {0};
	expect(view->kind < GROUP_RECORD_KIND_COUNT && view->key != NULL);
	const struct record_type *t = &types[view->kind];
	TRY(kafka_codec_encode_record(a, &t->key, key_version(view), view->key, &record.key));
	if (view->value != NULL)
		TRY(kafka_codec_encode_record(a, &t->value, value_version(view), view->value, &record.value));
	*ret_record = record;
	return STATUS_OK;
}

/* --- the classic group's record -------------------------------------------------------------------------------------- */

/* p NULL stays null. False: the arena is full. */
static bool text_of(struct arena *a, struct slice s, const char **ret_text)
{
	*ret_text = s.p == NULL ? NULL : arena_strdup(a, s);
	return s.p == NULL || *ret_text != NULL;
}

static bool fill_member(
	struct arena *a, const struct group_record_member *m, struct kafka_group_metadata_value_member *ret_member)
{
	*ret_member = (struct kafka_group_metadata_value_member){
		.rebalance_timeout = m->rebalance_timeout_ms,
		.session_timeout = m->session_timeout_ms,
		.subscription = m->subscription,
		.assignment = m->assignment,
	};
	return text_of(a, m->member_id, &ret_member->member_id) &&
		text_of(a, m->instance_id, &ret_member->group_instance_id) &&
		text_of(a, m->client_id, &ret_member->client_id) &&
		text_of(a, m->client_host, &ret_member->client_host);
}

static enum status fill_group(struct arena *a, const struct group_record *g, struct kafka_group_metadata_value *ret_value)
{
	struct kafka_group_metadata_value v = {.generation = g->generation};
	if (!text_of(a, g->protocol_type, &v.protocol_type) || !text_of(a, g->protocol, &v.protocol) ||
		!text_of(a, g->leader, &v.leader))
		return STATUS_TOO_LARGE;
	expect(g->member_count <= INT32_MAX);
	v.members_count = (int32_t)g->member_count;
	v.members = arena_calloc(a, g->member_count + 1, sizeof(*v.members));
	if (v.members == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < g->member_count; i++)
		if (!fill_member(a, &g->members[i], &v.members[i]))
			return STATUS_TOO_LARGE;
	*ret_value = v;
	return STATUS_OK;
}

enum status group_records_encode_group(struct arena *a, struct slice group_id, const struct group_record *group,
	int64_t state_timestamp_ms, struct group_record_bytes *ret_record)
{
	struct kafka_group_metadata_key key;
	struct kafka_group_metadata_value value;
	if (!text_of(a, group_id, &key.group))
		return STATUS_TOO_LARGE;
	TRY(fill_group(a, group, &value));
	value.current_state_timestamp = state_timestamp_ms;
	const struct group_record_view view = {.kind = GROUP_RECORD_GROUP, .group_key = &key, .group = &value};
	return group_records_encode(a, &view, ret_record);
}

static struct slice slice_or_null(const char *text)
{
	return text == NULL ? (struct slice){0} : slice_of_str(text);
}

enum status group_records_to_group(
	struct arena *a, const struct kafka_group_metadata_value *value, struct group_record *ret_group)
{
	expect(value->members_count >= 0);
	struct group_record g = {
		.protocol_type = slice_of_str(value->protocol_type),
		.generation = value->generation,
		.protocol = slice_or_null(value->protocol),
		.leader = slice_or_null(value->leader),
		.current_state_timestamp_ms = value->current_state_timestamp,
		.member_count = (size_t)value->members_count,
	};
	g.members = arena_calloc(a, g.member_count + 1, sizeof(*g.members));
	if (g.members == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < g.member_count; i++) {
		const struct kafka_group_metadata_value_member *m = &value->members[i];
		g.members[i] = (struct group_record_member){
			.member_id = slice_of_str(m->member_id),
			.instance_id = slice_or_null(m->group_instance_id),
			.client_id = slice_of_str(m->client_id),
			.client_host = slice_of_str(m->client_host),
			.rebalance_timeout_ms = m->rebalance_timeout == -1 ? m->session_timeout : m->rebalance_timeout,
			.session_timeout_ms = m->session_timeout,
			.subscription = m->subscription,
			.assignment = m->assignment,
		};
	}
	*ret_group = g;
	return STATUS_OK;
}

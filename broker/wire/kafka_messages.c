#include "wire/kafka_table.h"

#define BEGIN KAFKA_TABLE_BEGIN
#define FIELD KAFKA_TABLE_FIELD
#define END KAFKA_TABLE_END()
#define MESSAGE(name, key, first, last, flexible_from)
#include "proto/kafka/all.def"
#undef BEGIN
#undef FIELD
#undef END
#undef MESSAGE

static const struct kafka_api apis[KAFKA_API_COUNT] = {
#define BEGIN
#define FIELD(kind, name, element, first, last, null_from, tag, def)
#define END
#define MESSAGE(name, key, first, last, flexible_from)                                                                 \
	[KAFKA_API_##name] = {#name, key, first, last, flexible_from, &kafka_struct_##name##_request, &kafka_struct_##name##_response},
#include "proto/kafka/all.def"
};

const struct kafka_api *kafka_messages_api(enum kafka_api_id id)
{
	expect(id < KAFKA_API_COUNT);
	return &apis[id];
}

const struct kafka_api *kafka_messages_find(int16_t key)
{
	for (size_t i = 0; i < KAFKA_API_COUNT; i++)
		if (apis[i].key == key)
			return &apis[i];
	return NULL;
}

bool kafka_messages_field_in(const struct kafka_field *f, int16_t version)
{
	return version >= f->first && version <= f->last;
}

static void init_field(const struct kafka_field *f, uint8_t *at, uint8_t *count_at)
{
	int64_t v = f->default_value;
	switch (f->kind) {
	case KAFKA_bool:
		*(bool *)(void *)at = v != 0;
		break;
	case KAFKA_i8:
		*(int8_t *)(void *)at = (int8_t)v;
		break;
	case KAFKA_i16:
		*(int16_t *)(void *)at = (int16_t)v;
		break;
	case KAFKA_i32:
		*(int32_t *)(void *)at = (int32_t)v;
		break;
	case KAFKA_i64:
		*(int64_t *)(void *)at = v;
		break;
	case KAFKA_string:
		*(const char **)(void *)at = v == NIL ? NULL : "";
		break;
	case KAFKA_object:
		kafka_messages_init(f->element, at);
		break;
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
		*(int32_t *)(void *)count_at = v == NIL ? -1 : 0;
		break;
	case KAFKA_uuid:
	case KAFKA_bytes:
	case KAFKA_records:
	case KAFKA_maybe:
		break; /* zeroed */
	default:
		unreachable("kafka_kind");
	}
}

void kafka_messages_init(const struct kafka_struct *s, void *message)
{
	uint8_t *base = message;
	expect(message != NULL);
	memset(message, 0, s->size);
	for (size_t i = 0; i < s->field_count; i++)
		if (s->fields[i].default_value != 0 || s->fields[i].kind == KAFKA_string || s->fields[i].kind == KAFKA_object)
			init_field(&s->fields[i], base + s->fields[i].offset, base + s->fields[i].count_offset);
}

/* The messages of Kafka's protocol: for each row of proto/kafka/<name>.def a C struct `struct kafka_<name>` to read and fill, and a
 * description that kafka_codec walks. One struct serves all versions: fields a version does not have hold their default. */
#ifndef WIRE_KAFKA_MESSAGES_H
#define WIRE_KAFKA_MESSAGES_H

#include "base/bytes.h"

/* Record batches: bytes of the frame, as they came; or, in an answer, the next bytes.n bytes of the payload given to the encoder.
 * bytes.p NULL and not in_payload: null. */
struct kafka_records {
	struct slice bytes;
	bool in_payload;
};

/* C types of the tables' kinds. Strings end with NUL; NULL is null. Bytes lie in the frame they came in; p NULL is
 * null. An object that may be null is a pointer. Counts of -1 are null arrays. Memory: the decoder's arena, or
 * whoever fills in a message. */
#define KAFKA_C_bool(name, element) bool name;
#define KAFKA_C_i8(name, element) int8_t name;
#define KAFKA_C_i16(name, element) int16_t name;
#define KAFKA_C_i32(name, element) int32_t name;
#define KAFKA_C_i64(name, element) int64_t name;
#define KAFKA_C_uuid(name, element) struct uuid name;
#define KAFKA_C_string(name, element) const char *name;
#define KAFKA_C_bytes(name, element) struct slice name;
#define KAFKA_C_records(name, element) struct kafka_records name;
#define KAFKA_C_object(name, element) struct kafka_##element name;
#define KAFKA_C_maybe(name, element) struct kafka_##element *name;
#define KAFKA_C_array(name, element)                                                                                   \
	struct kafka_##element *name;                                                                                  \
	int32_t name##_count;
#define KAFKA_C_list_i32(name, element)                                                                                \
	const int32_t *name;                                                                                           \
	int32_t name##_count;
#define KAFKA_C_list_i64(name, element)                                                                                \
	const int64_t *name;                                                                                           \
	int32_t name##_count;
#define KAFKA_C_list_string(name, element)                                                                             \
	const char *const *name;                                                                                       \
	int32_t name##_count;

#define KAFKA_PASTE_(a, b) a##b
#define KAFKA_PASTE(a, b) KAFKA_PASTE_(a, b)

#define BEGIN struct KAFKA_PASTE(kafka_, STRUCT) {
#define FIELD(kind, name, element, first, last, null_from, tag, def) KAFKA_C_##kind(name, element)
#define END };
#define MESSAGE(name, key, first, last, flexible_from)
#include "proto/kafka/all.def"
#undef BEGIN
#undef FIELD
#undef END
#undef MESSAGE

enum kafka_kind {
	KAFKA_bool,
	KAFKA_i8,
	KAFKA_i16,
	KAFKA_i32,
	KAFKA_i64,
	KAFKA_uuid,
	KAFKA_string,
	KAFKA_bytes,
	KAFKA_records,
	KAFKA_object,
	KAFKA_maybe,
	KAFKA_array,
	KAFKA_list_i32,
	KAFKA_list_i64,
	KAFKA_list_string,
};
struct kafka_struct;
struct kafka_field {
	const char *name;
	enum kafka_kind kind;
	int16_t first, last; /* versions that have it */
	int16_t null_from;   /* may be null from this version on */
	int16_t tag;         /* -1: not tagged */
	int64_t default_value; /* of absent ones; strings and arrays: 0 empty, -1 null */
	size_t offset, count_offset; /* within the C struct; count_offset: arrays and lists */
	const struct kafka_struct *element; /* objects, maybes and arrays */
};
/* Tagged fields stand in the order of their tags. */
struct kafka_struct {
	const char *name;
	const struct kafka_field *fields;
	size_t field_count;
	size_t size; /* of the C struct */
};
struct kafka_api {
	const char *name;
	int16_t key;
	int16_t first, last; /* versions the tables describe; what is advertised may be less */
	int16_t flexible_from;
	const struct kafka_struct *request, *response;
};

/* The description of each struct: kafka_struct_<name>. */
#define BEGIN extern const struct kafka_struct KAFKA_PASTE(kafka_struct_, STRUCT);
#define FIELD(kind, name, element, first, last, null_from, tag, def)
#define END
#define MESSAGE(name, key, first, last, flexible_from)
#include "proto/kafka/all.def"
#undef BEGIN
#undef FIELD
#undef END
#undef MESSAGE

enum kafka_api_id {
#define BEGIN
#define FIELD(kind, name, element, first, last, null_from, tag, def)
#define END
#define MESSAGE(name, key, first, last, flexible_from) KAFKA_API_##name,
#include "proto/kafka/all.def"
#undef BEGIN
#undef FIELD
#undef END
#undef MESSAGE
	KAFKA_API_COUNT
};
const struct kafka_api *kafka_messages_api(enum kafka_api_id id);
/* NULL: no table has the key. */
const struct kafka_api *kafka_messages_find(int16_t key);

/* Sets every field to its default. */
void kafka_messages_init(const struct kafka_struct *s, void *message);
bool kafka_messages_field_in(const struct kafka_field *f, int16_t version);

#endif

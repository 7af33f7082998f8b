/* How the rows of a table become its description: what BEGIN, FIELD and END stand for in the files that expand tables
 * (kafka_messages.c; the coordinators' records). */
#ifndef WIRE_KAFKA_TABLE_H
#define WIRE_KAFKA_TABLE_H

#include "wire/kafka_messages.h"
#include <stdint.h>

/* Words of the tables. */
enum { LAST = INT16_MAX, NEVER = INT16_MAX, NONE = -1, NIL = -1 };

#define KAFKA_COUNT_OF(name) offsetof(struct KAFKA_PASTE(kafka_, STRUCT), name##_count)
#define KAFKA_COUNT_bool(name) 0
#define KAFKA_COUNT_i8(name) 0
#define KAFKA_COUNT_i16(name) 0
#define KAFKA_COUNT_i32(name) 0
#define KAFKA_COUNT_i64(name) 0
#define KAFKA_COUNT_uuid(name) 0
#define KAFKA_COUNT_string(name) 0
#define KAFKA_COUNT_bytes(name) 0
#define KAFKA_COUNT_records(name) 0
#define KAFKA_COUNT_object(name) 0
#define KAFKA_COUNT_maybe(name) 0
#define KAFKA_COUNT_array(name) KAFKA_COUNT_OF(name)
#define KAFKA_COUNT_list_i32(name) KAFKA_COUNT_OF(name)
#define KAFKA_COUNT_list_i64(name) KAFKA_COUNT_OF(name)
#define KAFKA_COUNT_list_string(name) KAFKA_COUNT_OF(name)

#define KAFKA_ELEMENT_bool(element) NULL
#define KAFKA_ELEMENT_i8(element) NULL
#define KAFKA_ELEMENT_i16(element) NULL
#define KAFKA_ELEMENT_i32(element) NULL
#define KAFKA_ELEMENT_i64(element) NULL
#define KAFKA_ELEMENT_uuid(element) NULL
#define KAFKA_ELEMENT_string(element) NULL
#define KAFKA_ELEMENT_bytes(element) NULL
#define KAFKA_ELEMENT_records(element) NULL
#define KAFKA_ELEMENT_object(element) &kafka_struct_##element
#define KAFKA_ELEMENT_maybe(element) &kafka_struct_##element
#define KAFKA_ELEMENT_array(element) &kafka_struct_##element
#define KAFKA_ELEMENT_list_i32(element) NULL
#define KAFKA_ELEMENT_list_i64(element) NULL
#define KAFKA_ELEMENT_list_string(element) NULL

#define KAFKA_STRINGIFY_(x) #x
#define KAFKA_STRINGIFY(x) KAFKA_STRINGIFY_(x)

#define KAFKA_TABLE_BEGIN static const struct kafka_field KAFKA_PASTE(fields_, STRUCT)[] = {
#define KAFKA_TABLE_FIELD(kind_, name_, element_, first_, last_, null_from_, tag_, default_)                           \
	{.name = #name_,                                                                                               \
		.kind = KAFKA_##kind_,                                                                                 \
		.first = first_,                                                                                       \
		.last = last_,                                                                                         \
		.null_from = null_from_,                                                                               \
		.tag = tag_,                                                                                           \
		.default_value = default_,                                                                             \
		.offset = offsetof(struct KAFKA_PASTE(kafka_, STRUCT), name_),                                         \
		.count_offset = KAFKA_COUNT_##kind_(name_),                                                            \
		.element = KAFKA_ELEMENT_##kind_(element_)},
/* linkage: static or nothing. */
#define KAFKA_TABLE_END(linkage)                                                                                       \
	}                                                                                                              \
	;                                                                                                              \
	linkage const struct kafka_struct KAFKA_PASTE(kafka_struct_, STRUCT) = {                                       \
		.name = KAFKA_STRINGIFY(STRUCT),                                                                       \
		.fields = KAFKA_PASTE(fields_, STRUCT),                                                                \
		.field_count = sizeof(KAFKA_PASTE(fields_, STRUCT)) / sizeof(struct kafka_field),                      \
		.size = sizeof(struct KAFKA_PASTE(kafka_, STRUCT))};

#endif

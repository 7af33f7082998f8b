/* What the files of kafka_codec share. */
#ifndef WIRE_KAFKA_CODEC_INTERNAL_H
#define WIRE_KAFKA_CODEC_INTERNAL_H

#include "wire/kafka_codec.h"

/* Its answers keep the oldest header: a client must be able to read them before it knows the broker's versions. */
enum { KAFKA_CODEC_API_VERSIONS = 18 };

struct kafka_decoder {
	struct byte_reader reader;
	struct arena *arena;
	int16_t version;
	bool flexible;
};
/* An array or list as it lies in a message: elements at the field's offset, count at its count_offset. */
struct kafka_list {
	void *elements;
	int32_t count;
};
bool kafka_codec_response_header_flexible(const struct kafka_api *api, int16_t version);
/* Fills all of the C struct. */
MUST_CHECK enum status kafka_codec_decode_struct(struct kafka_decoder *d, const struct kafka_struct *s, void *ret_message);
/* if_null: the status when the text is null. */
MUST_CHECK enum status kafka_codec_decode_text(struct kafka_decoder *d, enum status if_null, const char **ret_text);
MUST_CHECK enum status kafka_codec_skip_tags(struct kafka_decoder *d);

#endif

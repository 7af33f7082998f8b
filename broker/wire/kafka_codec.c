/* Headers; bodies: kafka_codec_decode.c, kafka_codec_encode.c. */
#include "wire/kafka_codec.h"

#include "wire/kafka_codec_internal.h"

bool kafka_codec_flexible(const struct kafka_api *api, int16_t version)
{
	return version >= api->flexible_from;
}

bool kafka_codec_response_header_flexible(const struct kafka_api *api, int16_t version)
{
	return api->key != KAFKA_CODEC_API_VERSIONS && kafka_codec_flexible(api, version);
}

static void read_fixed_header(struct byte_reader *r, struct kafka_header *ret_header)
{
	*ret_header = (struct kafka_header){
		.api_key = byte_reader_i16(r),
		.api_version = byte_reader_i16(r),
		.correlation_id = byte_reader_i32(r),
	};
}

enum status kafka_codec_peek_header(struct slice frame, struct kafka_header *ret_header)
{
	struct byte_reader r;
	byte_reader_init(&r, frame);
	read_fixed_header(&r, ret_header);
	return r.status;
}

static enum status decode_body(struct kafka_decoder *d, const struct kafka_struct *s, void **ret_body)
{
	void *body = arena_alloc(d->arena, s->size);
	if (body == NULL)
		return STATUS_TOO_LARGE;
	TRY(kafka_codec_decode_struct(d, s, body));
	*ret_body = body;
	return STATUS_OK;
}

enum status kafka_codec_decode_request(struct arena *a, struct slice frame, const struct kafka_api *api,
	struct kafka_header *ret_header, void **ret_body)
{
	struct kafka_decoder d = {.arena = a};
	byte_reader_init(&d.reader, frame);
	read_fixed_header(&d.reader, ret_header);
	TRY(d.reader.status);
	expect(ret_header->api_key == api->key);
	d.version = ret_header->api_version;
	if (d.version < api->first || d.version > api->last)
		return STATUS_UNSUPPORTED_VERSION;
	/* The client id keeps the old length even in flexible headers, so that any broker can read it. */
	TRY(kafka_codec_decode_text(&d, STATUS_OK, &ret_header->client_id));
	d.flexible = kafka_codec_flexible(api, d.version);
	if (d.flexible)
		TRY(kafka_codec_skip_tags(&d));
	return decode_body(&d, api->request, ret_body);
}

enum status kafka_codec_decode_response(struct arena *a, struct slice frame, const struct kafka_api *api, int16_t version,
	int32_t *ret_correlation_id, void **ret_body)
{
	struct kafka_decoder d = {.arena = a, .version = version, .flexible = kafka_codec_flexible(api, version)};
	expect(version >= api->first && version <= api->last);
	byte_reader_init(&d.reader, frame);
	*ret_correlation_id = byte_reader_i32(&d.reader);
	TRY(d.reader.status);
	if (kafka_codec_response_header_flexible(api, version))
		TRY(kafka_codec_skip_tags(&d));
	return decode_body(&d, api->response, ret_body);
}

enum status kafka_codec_decode_record(
	struct arena *a, struct slice bytes, const struct kafka_record_form *form, void **ret_message)
{
	struct kafka_decoder d = {.arena = a};
	byte_reader_init(&d.reader, bytes);
	d.version = byte_reader_i16(&d.reader);
	TRY(d.reader.status);
	if (d.version < form->first || d.version > form->last)
		return STATUS_UNSUPPORTED_VERSION;
	d.flexible = d.version >= form->flexible_from;
	return decode_body(&d, form->type, ret_message);
}

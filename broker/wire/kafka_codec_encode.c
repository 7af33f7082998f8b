/* The encoder: the same walk twice, first to count the bytes, then to write them into one block of that size. */
#include "wire/kafka_codec_internal.h"

enum { FRAME_LENGTH_BYTES = 4, UVARINT_BYTES_MAX = 5, SCRATCH_BYTES = 16 };

struct encoder {
	uint8_t *base; /* NULL: only counting */
	size_t at;
	int16_t version;
	bool flexible;
	enum status status;
	size_t payload_bytes; /* taken so far */
	/* when writing: */
	struct iobuf_block *block;
	size_t appended; /* of the block, to out */
	struct iobuf *payload, *out;
	uint8_t scratch[SCRATCH_BYTES];
};

/* Where the next n bytes go. While counting: to the scratch. */
static uint8_t *room(struct encoder *e, size_t n)
{
	expect(n <= SCRATCH_BYTES);
	uint8_t *p = e->base == NULL ? e->scratch : e->base + e->at;
	e->at += n;
	return p;
}

static void put_bytes(struct encoder *e, struct slice s)
{
	if (e->base != NULL && s.n > 0)
		memcpy(e->base + e->at, s.p, s.n);
	e->at += s.n;
}

static void put_uvarint(struct encoder *e, uint32_t v)
{
	uint8_t text[UVARINT_BYTES_MAX];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		text[n++] = (uint8_t)(v | 0x80);
	text[n++] = (uint8_t)v;
	put_bytes(e, slice_of(text, n));
}

/* n -1: null. */
static void put_length(struct encoder *e, bool text, int64_t n)
{
	if (n > (text ? INT16_MAX : INT32_MAX - 1)) {
		e->status = STATUS_TOO_LARGE;
		return;
	}
	if (e->flexible)
		put_uvarint(e, (uint32_t)(n + 1));
	else if (text)
		bytes_put_i16(room(e, sizeof(int16_t)), (int16_t)n);
	else
		bytes_put_i32(room(e, sizeof(int32_t)), (int32_t)n);
}

static bool nullable(const struct encoder *e, const struct kafka_field *f)
{
	return e->version >= f->null_from;
}

/* Null where the version knows none is sent empty. */
static void put_text(struct encoder *e, bool may_be_null, const char *text)
{
	if (text == NULL) {
		put_length(e, true, may_be_null ? -1 : 0);
		return;
	}
	struct slice s = slice_of_str(text);
	put_length(e, true, (int64_t)s.n);
	put_bytes(e, s);
}

/* What was written so far goes to out, then n bytes of the payload. */
static void splice_payload(struct encoder *e, size_t n)
{
	e->payload_bytes += n;
	if (e->base == NULL)
		return;
	iobuf_append_block(e->out, e->block, e->base + e->appended, e->at - e->appended);
	e->appended = e->at;
	if (n > 0)
		iobuf_move(e->out, e->payload, n);
}

static void put_records(struct encoder *e, const struct kafka_field *f, const struct kafka_records *r)
{
	bool null = r->bytes.p == NULL && !r->in_payload;
	put_length(e, false, null && nullable(e, f) ? -1 : (int64_t)r->bytes.n);
	if (r->in_payload)
		splice_payload(e, r->bytes.n);
	else if (!null)
		put_bytes(e, r->bytes);
}

static void put_optional_bytes(struct encoder *e, const struct kafka_field *f, struct slice bytes)
{
	put_length(e, false, bytes.p == NULL && nullable(e, f) ? -1 : (int64_t)bytes.n);
	put_bytes(e, bytes);
}

static void put_struct(struct encoder *e, const struct kafka_struct *s, const uint8_t *message);

static void put_maybe(struct encoder *e, const struct kafka_field *f, const uint8_t *object)
{
	expect(object != NULL || nullable(e, f));
	uint8_t null = f->tag >= 0 ? 0 : UINT8_MAX;
	*room(e, 1) = object == NULL ? null : 1;
	if (object != NULL)
		put_struct(e, f->element, object);
}

static struct kafka_list list_of(const struct kafka_field *f, const uint8_t *message)
{
	struct kafka_list list;
	memcpy(&list.elements, message + f->offset, sizeof(list.elements));
	memcpy(&list.count, message + f->count_offset, sizeof(list.count));
	expect(list.count >= -1);
	return list;
}

static void put_list(struct encoder *e, const struct kafka_field *f, const uint8_t *message)
{
	struct kafka_list list = list_of(f, message);
	if (list.count == -1 && !nullable(e, f))
		list.count = 0;
	put_length(e, false, list.count);
	for (int32_t i = 0; i < list.count; i++) {
		if (f->kind == KAFKA_array)
			put_struct(e, f->element, (const uint8_t *)list.elements + (size_t)i * f->element->size);
		else if (f->kind == KAFKA_list_i32)
			bytes_put_i32(room(e, sizeof(int32_t)), ((const int32_t *)list.elements)[i]);
		else if (f->kind == KAFKA_list_i64)
			bytes_put_i64(room(e, sizeof(int64_t)), ((const int64_t *)list.elements)[i]);
		else
			put_text(e, false, ((const char *const *)list.elements)[i]);
	}
}

static void put_field(struct encoder *e, const struct kafka_field *f, const uint8_t *message)
{
	const void *at = message + f->offset;
	switch (f->kind) {
	case KAFKA_bool:
		*room(e, 1) = *(const bool *)at ? 1 : 0;
		break;
	case KAFKA_i8:
		*room(e, 1) = (uint8_t)*(const int8_t *)at;
		break;
	case KAFKA_i16:
		bytes_put_i16(room(e, sizeof(int16_t)), *(const int16_t *)at);
		break;
	case KAFKA_i32:
		bytes_put_i32(room(e, sizeof(int32_t)), *(const int32_t *)at);
		break;
	case KAFKA_i64:
		bytes_put_i64(room(e, sizeof(int64_t)), *(const int64_t *)at);
		break;
	case KAFKA_uuid:
		put_bytes(e, slice_of(at, sizeof(struct uuid)));
		break;
	case KAFKA_string:
		put_text(e, nullable(e, f), *(const char *const *)at);
		break;
	case KAFKA_bytes:
		put_optional_bytes(e, f, *(const struct slice *)at);
		break;
	case KAFKA_records:
		put_records(e, f, at);
		break;
	case KAFKA_object:
		put_struct(e, f->element, at);
		break;
	case KAFKA_maybe:
		put_maybe(e, f, *(const uint8_t *const *)at);
		break;
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
		put_list(e, f, message);
		break;
	default:
		unreachable("kafka_kind");
	}
}

static bool is_default(const struct kafka_field *f, const uint8_t *message)
{
	const void *at = message + f->offset;
	switch (f->kind) {
	case KAFKA_bool:
		return *(const bool *)at == (f->default_value != 0);
	case KAFKA_i8:
		return *(const int8_t *)at == f->default_value;
	case KAFKA_i16:
		return *(const int16_t *)at == f->default_value;
	case KAFKA_i32:
		return *(const int32_t *)at == f->default_value;
	case KAFKA_i64:
		return *(const int64_t *)at == f->default_value;
	case KAFKA_uuid:
		return uuid_is_zero(at);
	case KAFKA_string: {
		const char *text = *(const char *const *)at;
		return f->default_value == 0 ? text == NULL || text[0] == '\0' : text == NULL;
	}
	case KAFKA_object:
		for (size_t i = 0; i < f->element->field_count; i++)
			if (!is_default(&f->element->fields[i], at))
				return false;
		return true;
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
		return f->default_value == 0 ? list_of(f, message).count <= 0 : list_of(f, message).count == -1;
	case KAFKA_maybe: /* without NIL the default is an object of defaults, and null is said */
		return f->default_value == -1 && *(const void *const *)at == NULL;
	case KAFKA_bytes:
	case KAFKA_records:
	default:
		unreachable("no tagged field has this kind");
	}
}

static bool tag_is_sent(const struct encoder *e, const struct kafka_field *f, const uint8_t *message)
{
	return f->tag >= 0 && kafka_messages_field_in(f, e->version) && !is_default(f, message);
}

static size_t count_field(const struct encoder *e, const struct kafka_field *f, const uint8_t *message)
{
	struct encoder counter = {.version = e->version, .flexible = e->flexible};
	put_field(&counter, f, message);
	return counter.at;
}

static void put_tags(struct encoder *e, const struct kafka_struct *s, const uint8_t *message)
{
	uint32_t count = 0;
	for (size_t i = 0; i < s->field_count; i++)
		count += tag_is_sent(e, &s->fields[i], message) ? 1 : 0;
	put_uvarint(e, count);
	for (size_t i = 0; count > 0 && i < s->field_count; i++) {
		const struct kafka_field *f = &s->fields[i];
		if (!tag_is_sent(e, f, message))
			continue;
		put_uvarint(e, (uint32_t)f->tag);
		put_uvarint(e, (uint32_t)count_field(e, f, message));
		put_field(e, f, message);
	}
}

static void put_struct(struct encoder *e, const struct kafka_struct *s, const uint8_t *message)
{
	for (size_t i = 0; i < s->field_count; i++)
		if (s->fields[i].tag < 0 && kafka_messages_field_in(&s->fields[i], e->version))
			put_field(e, &s->fields[i], message);
	if (e->flexible)
		put_tags(e, s, message);
}

/* --- frames -------------------------------------------------------------- */

struct frame {
	const struct kafka_api *api;
	const struct kafka_header *header;
	const struct kafka_struct *type;
	const void *body;
	bool is_request;
};

static void put_frame(struct encoder *e, const struct frame *f, size_t frame_bytes)
{
	bytes_put_u32(room(e, FRAME_LENGTH_BYTES), (uint32_t)frame_bytes);
	bool tags = false;
	if (f->is_request) {
		bytes_put_i16(room(e, sizeof(int16_t)), f->header->api_key);
		bytes_put_i16(room(e, sizeof(int16_t)), f->header->api_version);
		bytes_put_i32(room(e, sizeof(int32_t)), f->header->correlation_id);
		put_text(e, true, f->header->client_id);
		e->flexible = tags = kafka_codec_flexible(f->api, e->version);
	} else {
		bytes_put_i32(room(e, sizeof(int32_t)), f->header->correlation_id);
		e->flexible = kafka_codec_flexible(f->api, e->version);
		tags = kafka_codec_response_header_flexible(f->api, e->version);
	}
	if (tags)
		put_uvarint(e, 0);
	put_struct(e, f->type, f->body);
}

static enum status encode(const struct frame *f, struct iobuf *payload, struct iobuf *out)
{
	int16_t version = f->header->api_version;
	struct encoder counter = {.version = version};
	expect(version >= f->api->first && version <= f->api->last);
	put_frame(&counter, f, 0);
	TRY(counter.status);
	expect(counter.payload_bytes == (payload == NULL ? 0 : payload->size_bytes));
	if (counter.at > INT32_MAX || counter.payload_bytes > INT32_MAX - counter.at)
		return STATUS_TOO_LARGE;
	struct iobuf_block *block = iobuf_block_new(counter.at);
	if (block == NULL)
		return STATUS_TOO_LARGE;
	struct encoder e = {.version = version, .base = block->data, .block = block, .payload = payload, .out = out};
	put_frame(&e, f, counter.at + counter.payload_bytes - FRAME_LENGTH_BYTES);
	expect(e.at == counter.at && e.payload_bytes == counter.payload_bytes);
	iobuf_append_block(out, block, block->data + e.appended, e.at - e.appended);
	iobuf_block_shared_unref(block);
	return STATUS_OK;
}

enum status kafka_codec_encode_request(const struct kafka_api *api, const struct kafka_header *header, const void *body,
	struct iobuf *payload, struct iobuf *out)
{
	expect(header->api_key == api->key);
	return encode(&(struct frame){api, header, api->request, body, true}, payload, out);
}

enum status kafka_codec_encode_response(const struct kafka_api *api, const struct kafka_header *header, const void *body,
	struct iobuf *payload, struct iobuf *out)
{
	return encode(&(struct frame){api, header, api->response, body, false}, payload, out);
}

/* --- records of internal topics ------------------------------------------ */

enum status kafka_codec_encode_record(struct arena *a, const struct kafka_record_form *form, int16_t version,
	const void *message, struct slice *ret_bytes)
{
	struct encoder counter = {.version = version, .flexible = version >= form->flexible_from};
	expect(version >= form->first && version <= form->last);
	(void)room(&counter, sizeof(int16_t));
	put_struct(&counter, form->type, message);
	TRY(counter.status);
	uint8_t *base = arena_alloc(a, counter.at);
	if (base == NULL)
		return STATUS_TOO_LARGE;
	struct encoder e = {.version = version, .flexible = counter.flexible, .base = base};
	bytes_put_i16(room(&e, sizeof(int16_t)), version);
	put_struct(&e, form->type, message);
	expect(e.at == counter.at);
	*ret_bytes = slice_of(base, e.at);
	return STATUS_OK;
}

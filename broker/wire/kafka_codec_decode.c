/* The decoder: walks a description over foreign bytes. */
#include "wire/kafka_codec_internal.h"

enum { UUID_BYTES = 16 };

/* Length of a text (int16), or of bytes, arrays and lists (int32); both compact in flexible versions. -1: null. */
static enum status read_length(struct kafka_decoder *d, bool text, enum status if_null, int64_t *ret_n)
{
	int64_t n;
	if (d->flexible)
		n = (int64_t)byte_reader_uvarint(&d->reader) - 1;
	else
		n = text ? byte_reader_i16(&d->reader) : byte_reader_i32(&d->reader);
	TRY(d->reader.status);
	if (n < -1)
		return STATUS_INVALID_REQUEST;
	*ret_n = n;
	return n == -1 ? if_null : STATUS_OK;
}

static enum status null_status(const struct kafka_decoder *d, const struct kafka_field *f)
{
	return d->version >= f->null_from ? STATUS_OK : STATUS_INVALID_REQUEST;
}

enum status kafka_codec_decode_text(struct kafka_decoder *d, enum status if_null, const char **ret_text)
{
	int64_t n;
	*ret_text = NULL;
	TRY(read_length(d, true, if_null, &n));
	if (n == -1)
		return STATUS_OK;
	struct slice s = byte_reader_bytes(&d->reader, (size_t)n);
	TRY(d->reader.status);
	if (s.n == 0) {
		*ret_text = "";
		return STATUS_OK;
	}
	if (memchr(s.p, '\0', s.n) != NULL)
		return STATUS_INVALID_REQUEST;
	*ret_text = arena_strdup(d->arena, s);
	return *ret_text == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

/* They stay where they came in. Empty ones are told from null by a pointer that is not NULL. */
static enum status decode_bytes(struct kafka_decoder *d, const struct kafka_field *f, struct slice *ret_bytes)
{
	int64_t n;
	*ret_bytes = (struct slice){0};
	TRY(read_length(d, false, null_status(d, f), &n));
	if (n == -1)
		return STATUS_OK;
	*ret_bytes = byte_reader_bytes(&d->reader, (size_t)n);
	return d->reader.status;
}

static enum status decode_records(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_records *ret_records)
{
	*ret_records = (struct kafka_records){0};
	return decode_bytes(d, f, &ret_records->bytes);
}

/* Absent: -1 in a byte; as a tagged field 0 in an unsigned varint. */
static enum status decode_maybe(struct kafka_decoder *d, const struct kafka_field *f, void **ret_object)
{
	*ret_object = NULL;
	bool absent = f->tag >= 0 ? byte_reader_uvarint(&d->reader) == 0 : (int8_t)byte_reader_u8(&d->reader) < 0;
	TRY(d->reader.status);
	if (absent)
		return null_status(d, f);
	*ret_object = arena_calloc(d->arena, 1, f->element->size);
	return *ret_object == NULL ? STATUS_TOO_LARGE : kafka_codec_decode_struct(d, f->element, *ret_object);
}

/* Fewest bytes an element of this kind takes on the wire. */
static size_t least_bytes(const struct kafka_decoder *d, const struct kafka_field *f);

static size_t least_bytes_of_struct(const struct kafka_decoder *d, const struct kafka_struct *s)
{
	size_t n = d->flexible ? 1 : 0;
	for (size_t i = 0; i < s->field_count; i++)
		if (s->fields[i].tag < 0 && kafka_messages_field_in(&s->fields[i], d->version))
			n += least_bytes(d, &s->fields[i]);
	return n > 0 ? n : 1;
}

static size_t least_bytes(const struct kafka_decoder *d, const struct kafka_field *f)
{
	switch (f->kind) {
	case KAFKA_bool:
	case KAFKA_i8:
		return sizeof(int8_t);
	case KAFKA_i16:
		return sizeof(int16_t);
	case KAFKA_i32:
		return sizeof(int32_t);
	case KAFKA_i64:
		return sizeof(int64_t);
	case KAFKA_uuid:
		return UUID_BYTES;
	case KAFKA_string:
		return d->flexible ? 1 : sizeof(int16_t);
	case KAFKA_object:
		return least_bytes_of_struct(d, f->element);
	case KAFKA_maybe:
		return sizeof(int8_t);
	case KAFKA_bytes:
	case KAFKA_records:
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
		return d->flexible ? 1 : sizeof(int32_t);
	default:
		unreachable("kafka_kind");
	}
}

/* Reads the count and makes room for as many elements, if the bytes left can hold them. */
static enum status start_list(struct kafka_decoder *d, const struct kafka_field *f, size_t least, size_t size,
	struct kafka_list *ret_list)
{
	int64_t n;
	*ret_list = (struct kafka_list){.count = -1};
	TRY(read_length(d, false, null_status(d, f), &n));
	if (n == -1)
		return STATUS_OK;
	expect(least > 0);
	if ((uint64_t)n > byte_reader_left(&d->reader) / least || n > INT32_MAX)
		return STATUS_TRUNCATED;
	ret_list->count = (int32_t)n;
	if (n == 0)
		return STATUS_OK;
	ret_list->elements = arena_calloc(d->arena, (size_t)n, size);
	return ret_list->elements == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status decode_array(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_list *ret_list)
{
	const struct kafka_struct *s = f->element;
	TRY(start_list(d, f, least_bytes_of_struct(d, s), s->size, ret_list));
	uint8_t *at = ret_list->elements;
	for (int32_t i = 0; i < ret_list->count; i++, at += s->size)
		TRY(kafka_codec_decode_struct(d, s, at));
	return STATUS_OK;
}

static enum status decode_list_i32(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_list *ret_list)
{
	TRY(start_list(d, f, sizeof(int32_t), sizeof(int32_t), ret_list));
	int32_t *v = ret_list->elements;
	for (int32_t i = 0; i < ret_list->count; i++)
		v[i] = byte_reader_i32(&d->reader);
	return d->reader.status;
}

static enum status decode_list_i64(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_list *ret_list)
{
	TRY(start_list(d, f, sizeof(int64_t), sizeof(int64_t), ret_list));
	int64_t *v = ret_list->elements;
	for (int32_t i = 0; i < ret_list->count; i++)
		v[i] = byte_reader_i64(&d->reader);
	return d->reader.status;
}

static enum status decode_list_string(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_list *ret_list)
{
	TRY(start_list(d, f, d->flexible ? 1 : sizeof(int16_t), sizeof(char *), ret_list));
	const char **v = ret_list->elements;
	for (int32_t i = 0; i < ret_list->count; i++)
		TRY(kafka_codec_decode_text(d, STATUS_INVALID_REQUEST, &v[i]));
	return STATUS_OK;
}

static enum status decode_uuid(struct kafka_decoder *d, struct uuid *ret_uuid)
{
	struct slice s = byte_reader_bytes(&d->reader, UUID_BYTES);
	TRY(d->reader.status);
	memcpy(ret_uuid->b, s.p, sizeof(ret_uuid->b));
	return STATUS_OK;
}

static enum status decode_scalar(struct kafka_decoder *d, const struct kafka_field *f, void *at)
{
	switch (f->kind) {
	case KAFKA_bool:
		*(bool *)at = byte_reader_u8(&d->reader) != 0;
		break;
	case KAFKA_i8:
		*(int8_t *)at = (int8_t)byte_reader_u8(&d->reader);
		break;
	case KAFKA_i16:
		*(int16_t *)at = byte_reader_i16(&d->reader);
		break;
	case KAFKA_i32:
		*(int32_t *)at = byte_reader_i32(&d->reader);
		break;
	case KAFKA_i64:
		*(int64_t *)at = byte_reader_i64(&d->reader);
		break;
	case KAFKA_uuid:
		return decode_uuid(d, at);
	case KAFKA_string:
		return kafka_codec_decode_text(d, null_status(d, f), at);
	case KAFKA_bytes:
		return decode_bytes(d, f, at);
	case KAFKA_records:
		return decode_records(d, f, at);
	case KAFKA_object:
		return kafka_codec_decode_struct(d, f->element, at);
	case KAFKA_maybe:
		return decode_maybe(d, f, at);
	case KAFKA_array:
	case KAFKA_list_i32:
	case KAFKA_list_i64:
	case KAFKA_list_string:
	default:
		unreachable("a list is no scalar");
	}
	return d->reader.status;
}

static enum status decode_list(struct kafka_decoder *d, const struct kafka_field *f, struct kafka_list *ret_list)
{
	if (f->kind == KAFKA_array)
		return decode_array(d, f, ret_list);
	if (f->kind == KAFKA_list_i32)
		return decode_list_i32(d, f, ret_list);
	if (f->kind == KAFKA_list_i64)
		return decode_list_i64(d, f, ret_list);
	expect(f->kind == KAFKA_list_string);
	return decode_list_string(d, f, ret_list);
}

static enum status decode_field(struct kafka_decoder *d, const struct kafka_field *f, uint8_t *message)
{
	struct kafka_list list;
	if (f->kind < KAFKA_array)
		return decode_scalar(d, f, message + f->offset);
	TRY(decode_list(d, f, &list));
	memcpy(message + f->offset, &list.elements, sizeof(list.elements));
	memcpy(message + f->count_offset, &list.count, sizeof(list.count));
	return STATUS_OK;
}

static const struct kafka_field *find_tag(const struct kafka_decoder *d, const struct kafka_struct *s, uint32_t tag)
{
	for (size_t i = 0; s != NULL && i < s->field_count; i++)
		if (s->fields[i].tag >= 0 && (uint32_t)s->fields[i].tag == tag &&
			kafka_messages_field_in(&s->fields[i], d->version))
			return &s->fields[i];
	return NULL;
}

/* A tagged field is decoded within its own bytes, all of which it must take. */
static enum status decode_tagged(struct kafka_decoder *d, const struct kafka_field *f, struct slice bytes, uint8_t *message)
{
	struct byte_reader outer = d->reader;
	byte_reader_init(&d->reader, bytes);
	enum status s = decode_field(d, f, message);
	if (s == STATUS_OK && byte_reader_left(&d->reader) != 0)
		s = STATUS_INVALID_REQUEST;
	d->reader = outer;
	return s;
}

/* s NULL: none is known. Tags ascend, so that none comes twice. */
static enum status decode_tags(struct kafka_decoder *d, const struct kafka_struct *s, uint8_t *message)
{
	uint32_t count = byte_reader_uvarint(&d->reader);
	int64_t previous = -1;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t tag = byte_reader_uvarint(&d->reader);
		struct slice bytes = byte_reader_bytes(&d->reader, byte_reader_uvarint(&d->reader));
		TRY(d->reader.status);
		if ((int64_t)tag <= previous)
			return STATUS_INVALID_REQUEST;
		previous = tag;
		const struct kafka_field *f = find_tag(d, s, tag);
		if (f != NULL)
			TRY(decode_tagged(d, f, bytes, message));
	}
	return d->reader.status;
}

enum status kafka_codec_skip_tags(struct kafka_decoder *d)
{
	expect(d->flexible);
	return decode_tags(d, NULL, NULL);
}

enum status kafka_codec_decode_struct(struct kafka_decoder *d, const struct kafka_struct *s, void *ret_message)
{
	kafka_messages_init(s, ret_message);
	for (size_t i = 0; i < s->field_count; i++) {
		const struct kafka_field *f = &s->fields[i];
		if (f->tag < 0 && kafka_messages_field_in(f, d->version))
			TRY(decode_field(d, f, ret_message));
	}
	return d->flexible ? decode_tags(d, s, ret_message) : STATUS_OK;
}

#include "tools/record_print.h"
#include "base/bytes.h"
#include <stdio.h>

/* Text as text; other bytes under another name, so that nobody takes one for the other. */
static void set_bytes(json_t *object, const char *name, struct correio_bytes b)
{
	if (b.data == NULL) {
		(void)json_object_set_new(object, name, json_null());
		return;
	}
	json_t *text = json_stringn((const char *)b.data, b.size);
	if (text != NULL) {
		(void)json_object_set_new(object, name, text);
		return;
	}
	size_t size = 4 * ((b.size + 2) / 3) + 1;
	char *base64 = (char *)check_alloc(size);
	char key[64];
	(void)bytes_base64_encode(slice_of(b.data, b.size), base64, size);
	(void)snprintf(key, sizeof(key), "%s_base64", name);
	(void)json_object_set_new(object, key, json_string(base64));
	free(base64);
}

json_t *record_to_json(const struct correio_record *r)
{
	json_t *object = json_object(), *headers = json_array();
	(void)json_object_set_new(object, "offset", json_integer(r->offset));
	(void)json_object_set_new(object, "timestamp", json_integer(r->timestamp_ms));
	set_bytes(object, "key", r->key);
	set_bytes(object, "value", r->value);
	size_t cursor = 0;
	struct correio_header h;
	while (correio_record_header(r, &cursor, &h)) {
		json_t *header = json_object();
		set_bytes(header, "key", h.key);
		set_bytes(header, "value", h.value);
		(void)json_array_append_new(headers, header);
	}
	(void)json_object_set_new(object, "headers", headers);
	return object;
}

static void print_bytes(struct correio_bytes b)
{
	if (b.data == NULL)
		(void)fputs("null", stdout);
	else
		(void)fwrite(b.data, 1, b.size, stdout);
}

static void print_headers(const struct correio_record *r)
{
	if (r->header_count == 0) {
		(void)fputs("NO_HEADERS\t", stdout);
		return;
	}
	(void)fputs("Headers:", stdout);
	size_t cursor = 0;
	struct correio_header h;
	for (bool first = true; correio_record_header(r, &cursor, &h); first = false) {
		(void)fputs(first ? "" : ",", stdout);
		print_bytes(h.key);
		(void)fputc('=', stdout);
		print_bytes(h.value);
	}
	(void)fputc('\t', stdout);
}

void record_print(const struct record_format *f, const char *topic, int32_t partition, const struct correio_record *r)
{
	if (f->json) {
		json_t *object = record_to_json(r);
		(void)json_object_set_new(object, "topic", json_string(topic));
		(void)json_object_set_new(object, "partition", json_integer(partition));
		(void)json_dumpf(object, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
		json_decref(object);
		return;
	}
	if (f->timestamp)
		(void)printf("CreateTime:%lld\t", (long long)r->timestamp_ms);
	if (f->partition)
		(void)printf("Partition:%d\t", (int)partition);
	if (f->offset)
		(void)printf("Offset:%lld\t", (long long)r->offset);
	if (f->headers)
		print_headers(r);
	if (f->key) {
		print_bytes(r->key);
		(void)fputs(f->key_separator, stdout);
	}
	print_bytes(r->value);
	(void)fputc('\n', stdout);
}

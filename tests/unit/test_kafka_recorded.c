/* Frames as clients and Kafka 3.9.1 sent them to each other: each is understood, and what is understood encodes to the same bytes. */
#include "tests/unit/kafka_random.h"
#include "tests/unit/unit.h"
#include "wire/kafka_codec.h"

#include <stdio.h>

enum { LENGTH_BYTES = 4, MEMORY = 8 * 1024 * 1024, LINE_MAX_BYTES = 16384, FRAMES_AT_LEAST = 300, APIS_AT_LEAST = 28 };

struct recorded {
	bool is_request;
	int16_t key, version;
	struct slice frame;
};

static int digit(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

/* "request KEY VERSION HEX\n" */
static struct recorded parse(struct arena *a, const char *line)
{
	char kind[16];
	struct recorded r;
	int at = 0;
	ck_assert_int_eq(sscanf(line, "%15s %hd %hd %n", kind, &r.key, &r.version, &at), 3);
	r.is_request = strcmp(kind, "request") == 0;
	size_t n = strcspn(line + at, "\n") / 2;
	uint8_t *bytes = arena_alloc(a, n + 1);
	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(digit(line[(size_t)at + 2 * i]) * 16 + digit(line[(size_t)at + 2 * i + 1]));
	r.frame = slice_of(bytes, n);
	return r;
}

static enum status decode(struct arena *a, const struct recorded *r, const struct kafka_api *api, struct kafka_header *ret_header,
	void **ret_body)
{
	*ret_header = (struct kafka_header){.api_key = r->key, .api_version = r->version};
	if (r->is_request)
		return kafka_codec_decode_request(a, r->frame, api, ret_header, ret_body);
	return kafka_codec_decode_response(a, r->frame, api, r->version, &ret_header->correlation_id, ret_body);
}

static void check_frame(const char *line)
{
	struct arena a;
	struct kafka_header header;
	void *body;
	struct iobuf out;
	arena_init(&a, MEMORY);
	iobuf_init(&out);
	struct recorded r = parse(&a, line);
	const struct kafka_api *api = kafka_messages_find(r.key);
	ck_assert_ptr_nonnull(api);
	ck_assert_msg(decode(&a, &r, api, &header, &body) == STATUS_OK, "not understood: %.60s", line);
	enum status s = r.is_request ? kafka_codec_encode_request(api, &header, body, NULL, &out)
				     : kafka_codec_encode_response(api, &header, body, NULL, &out);
	ck_assert_int_eq(s, STATUS_OK);
	struct slice again = kafka_random_gather(&a, &out);
	ck_assert_msg(slice_equal(slice_sub(again, LENGTH_BYTES, again.n - LENGTH_BYTES), r.frame), "other bytes: %.60s", line);
	iobuf_fini(&out);
	arena_fini(&a);
}

START_TEST(frames_of_real_clients_round_trip)
{
	static char line[LINE_MAX_BYTES];
	bool seen[INT8_MAX] = {false};
	size_t frames = 0, apis = 0;
	FILE *f = fopen(RECORDED_FRAMES, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		int key;
		if (line[0] == '#')
			continue;
		ck_assert_ptr_nonnull(strchr(line, '\n'));
		check_frame(line);
		frames++;
		ck_assert_int_eq(sscanf(line, "%*s %d", &key), 1);
		apis += seen[key] ? 0 : 1;
		seen[key] = true;
	}
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_uint_ge(frames, FRAMES_AT_LEAST);
	ck_assert_uint_ge(apis, APIS_AT_LEAST);
}
END_TEST

UNIT_MAIN("kafka_recorded", frames_of_real_clients_round_trip)

#include "client_fixture.h"

static void delivered(void *arg, const struct correio_delivery *d)
{
	struct reports *r = (struct reports *)arg;
	r->batches++;
	if (d->error != NULL) {
		r->failed += d->record_count;
		r->last_code = d->error->code;
	} else {
		r->records += d->record_count;
	}
	for (int32_t i = 0; d->opaques != NULL && i < d->record_count; i++) {
		int64_t value = (int64_t)(intptr_t)d->opaques[i];
		r->opaque_sum += value;
		if (value <= r->last_opaque[d->partition])
			r->out_of_order++;
		r->last_opaque[d->partition] = value;
	}
}

struct correio_config *fixture_config(struct native_peer *peer, const char *const *pairs)
{
	struct correio_config *config = correio_config_new();
	ck_assert_int_eq(correio_config_set(config, "bootstrap.servers", native_peer_bootstrap(peer), NULL), 0);
	for (; pairs != NULL && *pairs != NULL; pairs += 2) {
		struct correio_error err;
		int code = correio_config_set(config, pairs[0], pairs[1], &err);
		ck_assert_msg(code == 0, "%s", err.message);
	}
	return config;
}

struct correio_producer *fixture_producer(struct native_peer *peer, struct reports *reports, const char *const *pairs)
{
	struct correio_config *config = fixture_config(peer, pairs);
	struct correio_producer *producer;
	ck_assert_int_eq(correio_producer_new(config, delivered, reports, &producer, NULL), 0);
	correio_config_free(config);
	return producer;
}

struct correio_consumer *fixture_consumer(struct native_peer *peer, const char *const *pairs)
{
	struct correio_config *config = fixture_config(peer, pairs);
	struct correio_consumer *consumer;
	ck_assert_int_eq(correio_consumer_new(config, &consumer, NULL), 0);
	correio_config_free(config);
	return consumer;
}

int fixture_send(struct correio_producer *p, int32_t partition, intptr_t number, struct correio_error *err)
{
	char value[32];
	int n = snprintf(value, sizeof(value), "value-%ld", (long)number);
	struct correio_message m = {
		.topic = "t",
		.partition = partition,
		.timestamp_ms = 1000 + number,
		.value = {value, (size_t)n},
		.opaque = (void *)number, // NOLINT(performance-no-int-to-ptr): a cookie
	};
	return correio_producer_send(p, &m, err);
}

void fixture_send_all(struct correio_producer *p, int32_t partition, int from, int to)
{
	for (int i = from; i < to; i++) {
		struct correio_error err;
		int code = fixture_send(p, partition, i, &err);
		ck_assert_msg(code == 0, "%s", err.message);
	}
}

void fixture_expect(struct correio_consumer *c, int first, int count)
{
	int next = first;
	while (next < first + count) {
		struct correio_records *records;
		struct correio_error err;
		int code = correio_consumer_poll(c, 5000, &records, &err);
		ck_assert_msg(code == 0, "%s", err.message);
		ck_assert_msg(records != NULL, "nothing after value-%d", next - 1);
		for (;;) {
			bool more;
			struct correio_record r;
			ck_assert_int_eq(correio_records_next(records, &more, &r, NULL), 0);
			if (!more)
				break;
			char value[32];
			int n = snprintf(value, sizeof(value), "value-%d", next);
			ck_assert_uint_eq(r.value.size, (size_t)n);
			ck_assert_mem_eq(r.value.data, value, (size_t)n);
			ck_assert_int_eq(r.timestamp_ms, 1000 + next);
			ck_assert_ptr_null(r.key.data);
			next++;
		}
	}
	ck_assert_int_eq(next, first + count);
}

void fixture_expect_stored(struct native_peer *peer, int32_t partition, int first, int count)
{
	struct correio_consumer *c = fixture_consumer(peer, NULL);
	ck_assert_int_eq(correio_consumer_assign(c, "t", partition, 0, NULL), 0);
	fixture_expect(c, first, count);
	correio_consumer_free(c);
}

#include "coordinator/producer_ids.h"
#include "base/diag.h"
#include "tests/unit/unit.h"
#include "tests/unit/zk_manual.h"

#define PATH "/latest_producer_id_block"

static struct zk_manual zk;
static struct producer_ids *ids;

static void quiet(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

/* data NULL: the node is there and empty, as Kafka makes it; "-": it is missing. */
static void begin(const char *data)
{
	diag_set_sink(quiet, NULL);
	zk_manual_init(&zk);
	if (data == NULL || strcmp(data, "-") != 0)
		ck_assert_int_eq(zk_manual_create(&zk, PATH, data, ZK_CREATE_PERSISTENT), STATUS_OK);
	ids = producer_ids_new(zk.client, 7);
	producer_ids_start(ids);
	zk_manual_run(&zk);
}

static void end(void)
{
	producer_ids_stop(ids);
	producer_ids_free(ids);
	zk_manual_fini(&zk);
}

static int64_t next(void)
{
	int64_t id = -1;
	enum status s = producer_ids_next(ids, &id);
	ck_assert_int_eq(s, id >= 0 ? STATUS_OK : STATUS_COORDINATOR_LOAD_IN_PROGRESS);
	return id;
}

START_TEST(producer_ids_first_block_is_kafkas)
{
	static const char *const before[] = {NULL, "-"};
	for (int i = 0; i < 2; i++) {
		begin(before[i]);
		ck_assert_str_eq(zk_manual_get(&zk, PATH).data,
			"{\"version\":1,\"broker\":7,\"block_start\":\"0\",\"block_end\":\"999\"}");
		ck_assert_int_eq(next(), 0);
		ck_assert_int_eq(next(), 1);
		end();
	}
}
END_TEST

START_TEST(producer_ids_go_on_behind_the_last_block)
{
	begin("{\"version\":1,\"broker\":1,\"block_start\":\"2000\",\"block_end\":\"2999\"}");
	ck_assert_int_eq(next(), 3000);
	ck_assert_str_eq(zk_manual_get(&zk, PATH).data,
		"{\"version\":1,\"broker\":7,\"block_start\":\"3000\",\"block_end\":\"3999\"}");
	end();
}
END_TEST

START_TEST(producer_ids_next_block_is_there_before_it_is_needed)
{
	begin(NULL);
	for (int64_t i = 0; i < 499; i++)
		ck_assert_int_eq(next(), i);
	ck_assert_int_eq(producer_ids_left(ids), 501);
	ck_assert_int_eq(next(), 499);
	zk_manual_run(&zk);
	ck_assert_int_eq(producer_ids_left(ids), 1500);
	/* Another broker takes one in between. */
	ck_assert_int_eq(zk_manual_set(&zk, PATH, "{\"version\":1,\"broker\":1,\"block_start\":\"2000\",\"block_end\":\"2999\"}"),
		STATUS_OK);
	for (int64_t i = 500; i < 1501; i++)
		ck_assert_int_eq(next(), i);
	zk_manual_run(&zk);
	for (int64_t i = 1501; i < 2000; i++)
		ck_assert_int_eq(next(), i);
	ck_assert_int_eq(next(), 3000);
	end();
}
END_TEST

START_TEST(producer_ids_race_for_a_block_has_two_winners)
{
	begin(NULL);
	struct producer_ids *other = producer_ids_new(zk.other, 8);
	struct producer_ids *third = producer_ids_new(zk.client, 9);
	int64_t a, b;
	producer_ids_start(other);
	producer_ids_start(third); /* both read the same block before either writes */
	zk_manual_run(&zk);
	ck_assert_int_eq(producer_ids_next(other, &a), STATUS_OK);
	ck_assert_int_eq(producer_ids_next(third, &b), STATUS_OK);
	ck_assert_int_ne(a, b);
	ck_assert_int_eq(a + b, 1000 + 2000);
	producer_ids_stop(other);
	producer_ids_stop(third);
	producer_ids_free(other);
	producer_ids_free(third);
	end();
}
END_TEST

/* For brokers of Kafka's, which ask the controller: what is given away is not given out here. */
START_TEST(producer_ids_ranges_are_taken_whole)
{
	begin(NULL);
	bool seen[4000] = {false};
	for (int i = 0; i < 600; i++)
		seen[next()] = true;
	for (int round = 0; round < 3; round++) {
		int64_t first;
		int32_t count;
		ck_assert_int_eq(producer_ids_take(ids, &first, &count), STATUS_OK);
		for (int64_t id = first; id < first + count; id++) {
			ck_assert(!seen[id]);
			seen[id] = true;
		}
		zk_manual_run(&zk);
		int64_t mine = next();
		ck_assert(!seen[mine]);
		seen[mine] = true;
	}
	end();
}
END_TEST

START_TEST(producer_ids_last_until_the_block_ends_while_zookeeper_is_away)
{
	begin(NULL);
	zk_standalone_set_timeout(zk.client, 3600 * 1000);
	zk_standalone_disconnect(zk.client);
	for (int64_t i = 0; i < 1000; i++)
		ck_assert_int_eq(next(), i);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(next(), -1);
		zk_manual_advance(&zk, 1000);
	}
	zk_standalone_connect(zk.client);
	zk_manual_advance(&zk, 10 * 1000);
	ck_assert_int_eq(next(), 1000);
	end();
}
END_TEST

/* Every request of the claims loses its connection once, done or not: no id twice. */
START_TEST(producer_ids_are_never_given_twice)
{
	for (int applied = 0; applied < 2; applied++) {
		int64_t last = -1;
		begin(NULL);
		zk_standalone_set_timeout(zk.client, 3600 * 1000);
		for (int round = 0; round < 40; round++) {
			zk_standalone_cut_at(zk.client, 1 + (unsigned)round % 2, applied == 1);
			for (int i = 0; i < 1000; i++) {
				int64_t id = next();
				ck_assert(id < 0 || id > last);
				last = id < 0 ? last : id;
			}
			zk_manual_run(&zk);
			zk_standalone_connect(zk.client);
			zk_manual_advance(&zk, 15 * 1000);
		}
		ck_assert_int_ge(last, 20 * 1000);
		end();
	}
}
END_TEST

START_TEST(producer_ids_damaged_node_is_left_alone)
{
	static const char *const damaged[] = {"x", "{\"version\":1}", "{\"version\":1,\"block_start\":\"5\",\"block_end\":\"4\"}",
		"{\"version\":1,\"block_start\":\"9223372036854774808\",\"block_end\":\"9223372036854775807\"}"};
	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		begin(damaged[i]);
		ck_assert_int_eq(next(), -1);
		zk_manual_advance(&zk, 60 * 1000);
		ck_assert_int_eq(next(), -1);
		ck_assert_str_eq(zk_manual_get(&zk, PATH).data, damaged[i]);
		/* Repaired by hand. */
		ck_assert_int_eq(zk_manual_set(&zk, PATH, "{\"version\":1,\"broker\":1,\"block_start\":0,\"block_end\":999}"), STATUS_OK);
		zk_manual_advance(&zk, 60 * 1000);
		ck_assert_int_eq(next(), 1000);
		end();
	}
}
END_TEST

UNIT_MAIN("producer_ids", producer_ids_first_block_is_kafkas, producer_ids_go_on_behind_the_last_block,
	producer_ids_next_block_is_there_before_it_is_needed, producer_ids_race_for_a_block_has_two_winners,
	producer_ids_last_until_the_block_ends_while_zookeeper_is_away, producer_ids_are_never_given_twice,
	producer_ids_ranges_are_taken_whole, producer_ids_damaged_node_is_left_alone)

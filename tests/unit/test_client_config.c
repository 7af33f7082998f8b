/* What of the client needs no peer: options, errors, partitioner. */
#include "tools/client/client_config.h"
#include "tools/client/partitioner.h"
#include "unit.h"

START_TEST(partitioner_murmur2_is_kafkas)
{
	static const struct {
		const char *key;
		int32_t hash;
	} vectors[] = {
		{"21", -973932308},
		{"foobar", -790332482},
		{"a-little-bit-long-string", -985981536},
		{"a-little-bit-longer-string", -1486304829},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
		{"abc", 479470107},
	};
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct slice key = slice_of_str(vectors[i].key);
		ck_assert_int_eq(bytes_murmur2(key), vectors[i].hash);
		for (int32_t n = 1; n < 100; n += 7) {
			int32_t expected = (int32_t)(((uint32_t)vectors[i].hash & 0x7fffffffU) % (uint32_t)n);
			ck_assert_int_eq(partitioner_of_key(key, n), expected);
			ck_assert_int_eq(correio_partition_of_key(key.p, key.n, n), expected);
		}
	}
}
END_TEST

START_TEST(partitioner_sticky_moves_to_another_partition)
{
	ck_assert_int_eq(partitioner_next_sticky(-1, 1, 77), 0);
	ck_assert_int_eq(partitioner_next_sticky(0, 1, 77), 0);
	bool seen[5] = {false};
	for (uint64_t dice = 0; dice < 40; dice++) {
		int32_t next = partitioner_next_sticky(2, 5, dice);
		ck_assert(next >= 0 && next < 5 && next != 2);
		seen[next] = true;
	}
	ck_assert(seen[0] && seen[1] && seen[3] && seen[4]);
}
END_TEST

START_TEST(client_config_values_are_checked)
{
	struct correio_config *c = correio_config_new();
	struct correio_error err;
	ck_assert_str_eq(correio_config_get(c, "acks"), "all");
	ck_assert_int_eq(c->options.acks, -1);
	ck_assert_int_eq(correio_config_set(c, "acks", "1", &err), 0);
	ck_assert_int_eq(c->options.acks, 1);
	ck_assert_int_eq(correio_config_set(c, "acks", "2", &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.message, "acks"));
	ck_assert_ptr_nonnull(strstr(err.message, "'2'"));
	ck_assert_int_eq(correio_config_set(c, "linger.ms", "-1", &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_int_eq(correio_config_set(c, "linger.ms", "5x", &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_int_eq(correio_config_set(c, "linger.ms", "7", &err), 0);
	ck_assert_int_eq(c->options.linger_ms, 7);
	ck_assert_int_eq(correio_config_set(c, "compression.type", "zstd", &err), 0);
	ck_assert_int_eq((int)c->options.compression_type, COMPRESSION_zstd);
	ck_assert_int_eq(correio_config_set(c, "compression.type", "zip", &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_int_eq(correio_config_set(c, "check.crcs", "false", &err), 0);
	ck_assert(!c->options.check_crcs);
	ck_assert_int_eq(correio_config_set(c, "linger.msec", "5", &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.message, "did you mean linger.ms?"));
	ck_assert_ptr_null(correio_config_get(c, "nonsense"));
	struct correio_config *copy = client_config_copy(c);
	correio_config_free(c);
	ck_assert_int_eq(copy->options.linger_ms, 7);
	ck_assert_str_eq(copy->options.bootstrap_servers, "localhost:9092");
	correio_config_free(copy);
}
END_TEST

START_TEST(client_config_delivery_below_linger_is_refused)
{
	struct correio_config *c = correio_config_new();
	struct correio_error err;
	ck_assert_int_eq(correio_config_set(c, "linger.ms", "500", NULL), 0);
	ck_assert_int_eq(correio_config_set(c, "delivery.timeout.ms", "400", NULL), 0);
	ck_assert_int_eq(client_config_check(c, &err), CORREIO_ERR_INVALID_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.message, "delivery.timeout.ms"));
	correio_config_free(c);
}
END_TEST

START_TEST(client_config_servers_are_taken_apart)
{
	struct client_address *list;
	size_t count;
	ck_assert_int_eq(client_config_parse_servers(" a:1, [::1]:2 ,c,,[fe80::1]", &list, &count, NULL), 0);
	ck_assert_uint_eq(count, 4);
	ck_assert_str_eq(list[0].host, "a");
	ck_assert_int_eq(list[0].port, 1);
	ck_assert_str_eq(list[1].host, "::1");
	ck_assert_int_eq(list[1].port, 2);
	ck_assert_str_eq(list[2].host, "c");
	ck_assert_int_eq(list[2].port, 9092);
	ck_assert_str_eq(list[3].host, "fe80::1");
	client_address_list_free(list, count);
	static const char *const bad[] = {"", ",", "a:0", "a:65536", "a:x", ":1", "[::1", "[::1]2", "[]:1", "a:"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(client_config_parse_servers(bad[i], &list, &count, NULL), CORREIO_ERR_INVALID_CONFIG);
}
END_TEST

START_TEST(client_error_names_and_retriability)
{
	ck_assert_str_eq(correio_error_name(3), "UNKNOWN_TOPIC_OR_PARTITION");
	ck_assert_str_eq(correio_error_name(CORREIO_ERR_BUFFER_FULL), "BUFFER_FULL");
	ck_assert_str_eq(correio_error_name(-1), "UNKNOWN_SERVER_ERROR");
	ck_assert_str_eq(correio_error_name(9999), "UNKNOWN");
	ck_assert_str_eq(correio_error_name(INT32_MIN), "UNKNOWN");
	ck_assert(client_code_retriable(CORREIO_ERR_NOT_LEADER_OR_FOLLOWER));
	ck_assert(!client_code_retriable(CORREIO_ERR_MESSAGE_TOO_LARGE));
	struct correio_error err;
	ck_assert_int_eq(client_error_from_broker(&err, 6, "", "t-0"), 6);
	ck_assert(strncmp(err.message, "t-0: ", 5) == 0 && strlen(err.message) > 10);
	ck_assert_int_eq(client_error_from_broker(&err, 12345, NULL, "t-0"), 12345);
	ck_assert(!err.retriable);
	ck_assert_int_eq(client_error_set(&err, STATUS_BUFFER_FULL, "x"), CORREIO_ERR_BUFFER_FULL);
	ck_assert(err.retriable);
}
END_TEST

START_TEST(client_config_nearest_word)
{
	static const char *const words[] = {"retention.ms", NULL, "retention.bytes", "cleanup.policy"};
	ck_assert_str_eq(client_nearest("retention.mss", words, 4), "retention.ms");
	ck_assert_str_eq(client_nearest("clenup.policy", words, 4), "cleanup.policy");
	ck_assert_ptr_null(client_nearest("segment", words, 4));
}
END_TEST

UNIT_MAIN("client_config", partitioner_murmur2_is_kafkas, partitioner_sticky_moves_to_another_partition,
	client_config_values_are_checked, client_config_delivery_below_linger_is_refused,
	client_config_servers_are_taken_apart, client_error_names_and_retriability, client_config_nearest_word)

/* What another may have written into a znode. First byte: which kind. Oracle: what decodes, encodes; that decodes again, and
 * encodes to the same text. */
#include "coordinator-client/zk_schema.h"
#include "tests/fuzz/fuzz.h"

static void same_again(char *first, char *again)
{
	expect(again != NULL && strcmp(first, again) == 0);
	free(first);
	free(again);
}

/* The first text comes from arbitrary input, the second from our own: from there on nothing changes any more. */
#define ROUND_TRIP(type)                                                                                               \
	static void type##_round_trip(struct slice data)                                                               \
	{                                                                                                              \
		struct zk_schema_##type value, again;                                                                  \
		struct failure f = {0};                                                                                \
		if (zk_schema_##type##_decode("/fuzz", data, &value, &f) != STATUS_OK) {                               \
			expect(f.status != STATUS_OK && strstr(f.text, "/fuzz") != NULL);                              \
			return;                                                                                        \
		}                                                                                                      \
		char *first = zk_schema_##type##_encode(&value);                                                       \
		zk_schema_##type##_fini(&value);                                                                       \
		if (strlen(first) > ZK_SCHEMA_PAYLOAD_MAX) {                                                           \
			free(first);                                                                                   \
			return;                                                                                        \
		}                                                                                                      \
		expect(zk_schema_##type##_decode("/fuzz", slice_of_str(first), &again, &f) == STATUS_OK);              \
		same_again(first, zk_schema_##type##_encode(&again));                                                  \
		zk_schema_##type##_fini(&again);                                                                       \
	}
ROUND_TRIP(broker)
ROUND_TRIP(topic)
ROUND_TRIP(state)
ROUND_TRIP(config)
ROUND_TRIP(pending_topic)

static void small_nodes(struct slice data)
{
	struct zk_schema_controller controller;
	struct topic_partition *list;
	size_t count;
	int32_t number;
	char *text;
	if (zk_schema_controller_decode(data, &controller, NULL) == STATUS_OK) {
		struct zk_schema_controller again;
		char *encoded = zk_schema_controller_encode(&controller);
		expect(zk_schema_controller_decode(slice_of_str(encoded), &again, NULL) == STATUS_OK);
		expect(again.broker_id == controller.broker_id && again.timestamp_ms == controller.timestamp_ms);
		free(encoded);
	}
	if (zk_schema_controller_epoch_decode(data, &number, NULL) == STATUS_OK)
		expect(number >= 0);
	if (zk_schema_cluster_id_decode(data, &text, NULL) == STATUS_OK)
		free(text);
	if (zk_schema_config_change_decode("/fuzz", data, &text, NULL) == STATUS_OK)
		free(text);
	if (zk_schema_log_dir_event_decode("/fuzz", data, &number, NULL) == STATUS_OK)
		expect(number >= INT32_MIN);
	if (zk_schema_partition_list_decode("/fuzz", data, &list, &count, NULL) == STATUS_OK) {
		for (size_t i = 0; i < count; i++)
			expect(topic_name_check(slice_of_str(list[i].topic)) == STATUS_OK && list[i].partition >= 0);
		free(list);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice payload = slice_of(data + 1, size - 1);
	switch (data[0] % 6) {
	case 0:
		broker_round_trip(payload);
		break;
	case 1:
		topic_round_trip(payload);
		break;
	case 2:
		state_round_trip(payload);
		break;
	case 3:
		config_round_trip(payload);
		break;
	case 4:
		pending_topic_round_trip(payload);
		break;
	default:
		small_nodes(payload);
		break;
	}
	return 0;
}

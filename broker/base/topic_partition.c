#include "base/topic_partition.h"

static bool is_topic_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
		c == '-';
}

enum status topic_name_check(struct slice name)
{
	if (name.n == 0 || name.n > TOPIC_NAME_MAX)
		return STATUS_INVALID_TOPIC_EXCEPTION;
	if (slice_equal(name, slice_of_str(".")) || slice_equal(name, slice_of_str("..")))
		return STATUS_INVALID_TOPIC_EXCEPTION;
	for (size_t i = 0; i < name.n; i++) {
		if (!is_topic_letter(name.p[i]))
			return STATUS_INVALID_TOPIC_EXCEPTION;
	}
	return STATUS_OK;
}

bool topic_name_collides(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++) {
		char x = *a == '.' ? '_' : *a, y = *b == '.' ? '_' : *b;
		if (x != y)
			return false;
	}
	return *a == *b;
}

bool topic_is_internal(const char *name)
{
	return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0;
}

enum status topic_partition_set(struct topic_partition *tp, struct slice topic, int32_t partition)
{
	TRY(topic_name_check(topic));
	if (partition < 0)
		return STATUS_INVALID_TOPIC_EXCEPTION;
	memset(tp, 0, sizeof(*tp));
	memcpy(tp->topic, topic.p, topic.n);
	tp->partition = partition;
	return STATUS_OK;
}

bool topic_partition_equal(const struct topic_partition *a, const struct topic_partition *b)
{
	return a->partition == b->partition && strcmp(a->topic, b->topic) == 0;
}

uint64_t topic_partition_hash(const struct topic_partition *tp)
{
	return bytes_hash64(slice_of_str(tp->topic), (uint64_t)(uint32_t)tp->partition);
}

int topic_partition_compare(const struct topic_partition *a, const struct topic_partition *b)
{
	int order = strcmp(a->topic, b->topic);
	if (order != 0)
		return order;
	return (a->partition > b->partition) - (a->partition < b->partition);
}

void topic_partition_format(const struct topic_partition *tp, char out[TOPIC_PARTITION_TEXT])
{
	int n = snprintf(out, TOPIC_PARTITION_TEXT, "%s-%d", tp->topic, tp->partition);
	expect(n > 0 && n < TOPIC_PARTITION_TEXT);
}

enum status topic_partition_parse(struct slice dir_name, struct topic_partition *ret_tp)
{
	size_t dash = dir_name.n;
	while (dash > 0 && dir_name.p[dash - 1] != '-')
		dash--;
	if (dash <= 1)
		return STATUS_INVALID_ARGUMENT;
	struct slice number = slice_sub(dir_name, dash, dir_name.n - dash);
	int32_t partition;
	/* One spelling per number: "t-01" is not ours. */
	if (number.n == 0 || (number.n > 1 && number.p[0] == '0') || number.p[0] == '+')
		return STATUS_INVALID_ARGUMENT;
	TRY(bytes_parse_i32(number, &partition));
	if (topic_partition_set(ret_tp, slice_sub(dir_name, 0, dash - 1), partition) != STATUS_OK)
		return STATUS_INVALID_ARGUMENT;
	return STATUS_OK;
}

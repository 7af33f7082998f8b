#include "storage/leader_epoch_cache.h"
#include "storage/checkpoint_text.h"

void leader_epoch_cache_init(struct leader_epoch_cache *c)
{
	*c = (struct leader_epoch_cache){0};
}

void leader_epoch_cache_fini(struct leader_epoch_cache *c)
{
	free(c->entries);
	*c = (struct leader_epoch_cache){0};
}

void leader_epoch_cache_clear(struct leader_epoch_cache *c)
{
	c->count = 0;
}

int32_t leader_epoch_cache_latest(const struct leader_epoch_cache *c)
{
	return c->count == 0 ? -1 : c->entries[c->count - 1].epoch;
}

bool leader_epoch_cache_assign(struct leader_epoch_cache *c, int32_t epoch, int64_t start_offset)
{
	expect(epoch >= 0 && start_offset >= 0);
	if (c->count > 0 && c->entries[c->count - 1].epoch == epoch &&
		c->entries[c->count - 1].start_offset <= start_offset)
		return false;
	while (c->count > 0 && (c->entries[c->count - 1].epoch >= epoch ||
				       c->entries[c->count - 1].start_offset >= start_offset))
		c->count--;
	if (c->count == c->capacity) {
		c->capacity = c->capacity == 0 ? 2 : c->capacity * 2;
		c->entries = check_realloc(c->entries, c->capacity * sizeof(c->entries[0]));
	}
	c->entries[c->count++] = (struct leader_epoch_entry){.epoch = epoch, .start_offset = start_offset};
	return true;
}

bool leader_epoch_cache_truncate_end(struct leader_epoch_cache *c, int64_t end)
{
	size_t before = c->count;
	while (c->count > 0 && c->entries[c->count - 1].start_offset >= end)
		c->count--;
	return c->count != before;
}

bool leader_epoch_cache_truncate_start(struct leader_epoch_cache *c, int64_t start)
{
	size_t covering = 0;
	while (covering + 1 < c->count && c->entries[covering + 1].start_offset <= start)
		covering++;
	if (c->count == 0 || c->entries[0].start_offset >= start)
		return false;
	for (size_t i = covering; i < c->count; i++)
		c->entries[i - covering] = c->entries[i];
	c->count -= covering;
	c->entries[0].start_offset = start;
	return true;
}

void leader_epoch_cache_end_offset(const struct leader_epoch_cache *c, int32_t epoch, int64_t log_end,
	int32_t *ret_epoch, int64_t *ret_end_offset)
{
	int32_t latest = leader_epoch_cache_latest(c);
	*ret_epoch = -1;
	*ret_end_offset = -1;
	if (latest < 0 || epoch < 0 || epoch > latest)
		return;
	*ret_epoch = epoch;
	*ret_end_offset = log_end;
	if (epoch == latest)
		return;
	size_t next = 0;
	while (c->entries[next].epoch <= epoch)
		next++;
	expect(next < c->count);
	*ret_end_offset = c->entries[next].start_offset;
	/* Before the first entry only its start is known: the epoch asked for ended there at the latest. */
	if (next > 0)
		*ret_epoch = c->entries[next - 1].epoch;
}

char *leader_epoch_cache_format(const struct leader_epoch_cache *c, size_t *ret_size)
{
	size_t size = 64 + c->count * 34;
	char *text = check_alloc(size);
	size_t at = (size_t)snprintf(text, size, "0\n%zu\n", c->count);
	for (size_t i = 0; i < c->count; i++) {
		at += (size_t)snprintf(text + at, size - at, "%d %lld\n", c->entries[i].epoch,
			(long long)c->entries[i].start_offset);
		expect(at < size);
	}
	*ret_size = at;
	return text;
}

static bool entry_follows(const struct leader_epoch_cache *c, int64_t epoch, int64_t start)
{
	if (epoch < 0 || epoch > INT32_MAX || start < 0)
		return false;
	if (c->count == 0)
		return true;
	const struct leader_epoch_entry *last = &c->entries[c->count - 1];
	return epoch > last->epoch && start > last->start_offset;
}

enum status leader_epoch_cache_parse(struct leader_epoch_cache *c, struct slice text)
{
	struct checkpoint_text t;
	c->count = 0;
	TRY(checkpoint_text_begin(&t, text));
	struct slice fields[2];
	for (int64_t i = 0; i < t.count; i++) {
		int64_t epoch, start;
		enum status s = checkpoint_text_next(&t, fields, 2);
		if (s == STATUS_OK)
			s = bytes_parse_i64(fields[0], &epoch);
		if (s == STATUS_OK)
			s = bytes_parse_i64(fields[1], &start);
		if (s != STATUS_OK || !entry_follows(c, epoch, start)) {
			c->count = 0;
			return STATUS_CORRUPT;
		}
		(void)leader_epoch_cache_assign(c, (int32_t)epoch, start);
	}
	if (!checkpoint_text_ended(&t)) {
		c->count = 0;
		return STATUS_CORRUPT;
	}
	return STATUS_OK;
}

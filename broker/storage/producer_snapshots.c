#include "storage/producer_snapshots.h"

#include "base/diag.h"

/* Of a file; Kafka does not bound its producers. */
enum { SNAPSHOT_SIZE_MAX = 16 * 1024 * 1024 };

void producer_snapshots_fini(struct producer_snapshots *l)
{
	free(l->offsets);
	*l = (struct producer_snapshots){0};
}

/* Where offset is, or belongs. */
static size_t place_of(const struct producer_snapshots *l, int64_t offset)
{
	size_t i = l->count; /* mostly at the end */
	while (i > 0 && l->offsets[i - 1] >= offset)
		i--;
	return i;
}

bool producer_snapshots_has(const struct producer_snapshots *l, int64_t offset)
{
	size_t i = place_of(l, offset);
	return i < l->count && l->offsets[i] == offset;
}

void producer_snapshots_add(struct producer_snapshots *l, int64_t offset)
{
	size_t i = place_of(l, offset);
	expect(offset >= 0);
	if (i < l->count && l->offsets[i] == offset)
		return;
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 4 : l->capacity * 2;
		l->offsets = check_realloc(l->offsets, l->capacity * sizeof(l->offsets[0]));
	}
	memmove(l->offsets + i + 1, l->offsets + i, (l->count - i) * sizeof(l->offsets[0]));
	l->offsets[i] = offset;
	l->count++;
}

void producer_snapshots_forget(struct producer_snapshots *l, int64_t offset)
{
	size_t i = place_of(l, offset);
	if (i == l->count || l->offsets[i] != offset)
		return;
	l->count--;
	memmove(l->offsets + i, l->offsets + i + 1, (l->count - i) * sizeof(l->offsets[0]));
}

static enum status remove_file(const struct log_place *place, int64_t offset)
{
	char *path = log_segment_path(place->directory, offset, "snapshot", "");
	enum status s = disk_unlink(place->disk, path);
	free(path);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status producer_snapshots_remove_above(struct producer_snapshots *l, const struct log_place *place, int64_t offset)
{
	size_t before = l->count;
	while (l->count > 0 && l->offsets[l->count - 1] > offset) {
		TRY(remove_file(place, l->offsets[l->count - 1]));
		l->count--;
	}
	return l->count == before ? STATUS_OK : disk_sync_directory(place->disk, place->directory);
}


enum status producer_snapshots_tidy(struct producer_snapshots *l, const struct log_place *place, const int64_t *bases,
	size_t base_count)
{
	size_t b = base_count; /* the base behind the offset looked at */
	expect(base_count > 0);
	for (size_t i = l->count; i-- > 0;) {
		int64_t offset = l->offsets[i];
		while (b > 0 && bases[b - 1] > offset)
			b--;
		bool newest = i + 1 == l->count && b == base_count;
		if (newest || (b > 0 && bases[b - 1] == offset))
			continue;
		TRY(remove_file(place, offset));
		producer_snapshots_forget(l, offset);
	}
	return STATUS_OK;
}

static enum status load_one(const struct log_place *place, int64_t offset, struct producer_state *s,
	int64_t (*used_ms)(void *arg, int64_t last_offset, int64_t timestamp), void *arg)
{
	char *text, *path = log_segment_path(place->directory, offset, "snapshot", "");
	size_t n;
	enum status status = disk_read_file(place->disk, path, SNAPSHOT_SIZE_MAX, &text, &n);
	free(path);
	if (status == STATUS_TOO_LARGE || status == STATUS_NOT_FOUND)
		return STATUS_CORRUPT;
	TRY(status);
	status = producer_state_load(s, slice_of(text, n), offset, used_ms, arg);
	free(text);
	return status;
}

enum status producer_snapshots_load(struct producer_snapshots *l, const struct log_place *place, int64_t from,
	struct producer_state *s, int64_t (*used_ms)(void *arg, int64_t last_offset, int64_t timestamp), void *arg,
	int64_t *ret_offset)
{
	while (l->count > 0 && l->offsets[l->count - 1] >= from) {
		int64_t offset = l->offsets[l->count - 1];
		enum status status = load_one(place, offset, s, used_ms, arg);
		if (status == STATUS_OK) {
			*ret_offset = offset;
			return STATUS_OK;
		}
		if (status != STATUS_CORRUPT)
			return status;
		diag_warn("producer_snapshot_damaged", "directory=%s offset=%lld removed; an older one or the log says the same",
			place->directory, (long long)offset);
		TRY(remove_file(place, offset));
		l->count--;
	}
	producer_state_clear(s);
	*ret_offset = -1;
	return STATUS_OK;
}

static char *tmp_path(const struct log_place *place)
{
	return check_asprintf("%s/" PRODUCER_SNAPSHOT_TMP_NAME, place->directory);
}

enum status producer_snapshots_write_tmp(const struct log_place *place, struct slice bytes, bool sync)
{
	struct disk_file *f;
	char *path = tmp_path(place);
	/* Never over the bytes of another, left there by a rename that failed: unsynced, they might come back. */
	enum status s = disk_unlink(place->disk, path);
	if (s == STATUS_OK || s == STATUS_NOT_FOUND)
		s = disk_open(place->disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	free(path);
	TRY(s);
	s = disk_file_pwrite(f, bytes.p, bytes.n, 0);
	if (s == STATUS_OK && sync)
		s = disk_file_fdatasync(f);
	disk_file_close(f);
	return s;
}

enum status producer_snapshots_rename_tmp(const struct log_place *place, int64_t offset)
{
	char *from = tmp_path(place), *to = log_segment_path(place->directory, offset, "snapshot", "");
	enum status s = disk_rename(place->disk, from, to);
	free(from);
	free(to);
	return s;
}

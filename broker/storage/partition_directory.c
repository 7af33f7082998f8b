#include "storage/partition_directory.h"
#include "storage/name_list.h"

static const char *const segment_extensions[PARTITION_SEGMENT_FILES] = {"log", "index", "timeindex", "txnindex", "snapshot"};

static bool ends_with(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);
	return n >= k && strcmp(name + n - k, suffix) == 0;
}

static char *path_of(const struct log_place *place, const char *name)
{
	return check_asprintf("%s/%s", place->directory, name);
}

static enum status unlink_name(const struct log_place *place, const char *name)
{
	char *path = path_of(place, name);
	enum status s = disk_unlink(place->disk, path);
	free(path);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status rename_name(const struct log_place *place, const char *from, const char *to)
{
	char *from_path = path_of(place, from), *to_path = path_of(place, to);
	enum status s = disk_rename(place->disk, from_path, to_path);
	free(from_path);
	free(to_path);
	return s;
}

/* Removes it from the list too. */
static enum status drop_name(const struct log_place *place, struct name_list *l, size_t i)
{
	TRY(unlink_name(place, l->names[i]));
	l->names[i][0] = '\0';
	return STATUS_OK;
}

static int64_t base_of(const char *name)
{
	int64_t base;
	const char *extension;
	return log_segment_parse_name(name, &base, &extension) == STATUS_OK ? base : -1;
}

static bool has_suffix(const char *name, const char *suffix)
{
	return base_of(name) >= 0 && ends_with(name, suffix);
}

/* Rule 1: what was deleted or half cleaned goes; swaps of a cleaning that was not finished go with it, durably before what
 * tells so. */
static enum status drop_unfinished(const struct log_place *place, struct name_list *l)
{
	int64_t cleaned_min = INT64_MAX;
	bool swap_dropped = false;
	for (size_t i = 0; i < l->count; i++) {
		if (has_suffix(l->names[i], ".cleaned") && base_of(l->names[i]) < cleaned_min)
			cleaned_min = base_of(l->names[i]);
	}
	for (size_t i = 0; i < l->count; i++) {
		if (!has_suffix(l->names[i], ".swap") || base_of(l->names[i]) < cleaned_min)
			continue;
		TRY(drop_name(place, l, i));
		swap_dropped = true;
	}
	if (swap_dropped)
		TRY(disk_sync_directory(place->disk, place->directory));
	for (size_t i = 0; i < l->count; i++) {
		const char *name = l->names[i];
		bool gone = has_suffix(name, ".deleted") || has_suffix(name, ".cleaned");
		if (gone || strcmp(name, PARTITION_NEXT_SEGMENT_NAME) == 0 || strcmp(name, PARTITION_NEW_SEGMENT_NAME) == 0 ||
			strcmp(name, PRODUCER_SNAPSHOT_TMP_NAME) == 0)
			TRY(drop_name(place, l, i));
	}
	return STATUS_OK;
}

/* The offset behind the last batch of <base>.log.swap, by its headers. */
static enum status swap_next_offset(const struct log_place *place, const char *name, int64_t *ret_next)
{
	uint8_t buffer[4096];
	struct disk_file *f;
	int64_t size;
	char *path = path_of(place, name);
	enum status s = disk_open(place->disk, path, DISK_READ, &f);
	free(path);
	TRY(s);
	*ret_next = base_of(name);
	s = disk_file_size(f, &size);
	if (s == STATUS_OK) {
		struct log_scanner scanner;
		struct log_batch_info b;
		log_scanner_init(&scanner, f, 0, size);
		log_scanner_set_buffer(&scanner, buffer, sizeof(buffer), false);
		while ((s = log_scanner_next(&scanner, &b)) == STATUS_OK)
			*ret_next = b.last_offset + 1;
	}
	disk_file_close(f);
	return s == STATUS_IO ? s : STATUS_OK;
}

/* Rule 2: a swap replaces the segments whose offsets it holds, which are durably gone before it gets its name. An index's swap
 * alone belongs to a log that has its name already. */
static enum status finish_swaps(const struct log_place *place, struct name_list *l)
{
	int64_t from = INT64_MAX, to = -1, next;
	bool renamed = false;
	for (size_t i = 0; i < l->count; i++) {
		if (!has_suffix(l->names[i], ".log.swap"))
			continue;
		TRY(swap_next_offset(place, l->names[i], &next));
		from = base_of(l->names[i]) < from ? base_of(l->names[i]) : from;
		to = next > to ? next : to;
	}
	for (size_t i = 0; i < l->count; i++) {
		int64_t base = base_of(l->names[i]);
		if (base >= from && base < to && !ends_with(l->names[i], ".swap") && !ends_with(l->names[i], ".snapshot"))
			TRY(drop_name(place, l, i));
	}
	if (to >= 0)
		TRY(disk_sync_directory(place->disk, place->directory));
	for (size_t i = 0; i < l->count; i++) {
		if (!has_suffix(l->names[i], ".swap"))
			continue;
		renamed = true;
		char *to_name = check_strndup(l->names[i], strlen(l->names[i]) - strlen(".swap"));
		enum status s = rename_name(place, l->names[i], to_name);
		free(l->names[i]);
		l->names[i] = to_name;
		TRY(s);
	}
	return renamed ? disk_sync_directory(place->disk, place->directory) : STATUS_OK;
}

static int compare_offsets(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return *x < *y ? -1 : *x > *y;
}

static void classify(const struct name_list *l, struct partition_files *f)
{
	for (size_t i = 0; i < l->count; i++) {
		int64_t base;
		const char *extension;
		if (strcmp(l->names[i], PARTITION_RECOVERY_LIMIT_NAME) == 0)
			f->has_recovery_limit = true;
		if (strcmp(l->names[i], PARTITION_RESTART_NAME) == 0)
			f->has_restart = true;
		if (log_segment_parse_name(l->names[i], &base, &extension) != STATUS_OK)
			continue;
		if (strcmp(extension, "snapshot") == 0)
			producer_snapshots_add(&f->snapshots, base);
		f->has_transaction_index = f->has_transaction_index || strcmp(extension, "txnindex") == 0;
		if (strcmp(extension, "log") != 0)
			continue;
		if (f->count == f->capacity) {
			f->capacity = f->capacity == 0 ? 4 : f->capacity * 2;
			f->bases = check_realloc(f->bases, f->capacity * sizeof(f->bases[0]));
		}
		f->bases[f->count++] = base;
	}
	if (f->count > 1)
		qsort(f->bases, f->count, sizeof(f->bases[0]), compare_offsets);
}

/* Rule 3: an index without its log. */
static enum status drop_orphans(const struct log_place *place, struct name_list *l, const struct partition_files *f)
{
	for (size_t i = 0; i < l->count; i++) {
		int64_t base;
		const char *extension;
		if (log_segment_parse_name(l->names[i], &base, &extension) != STATUS_OK)
			continue;
		bool index = strcmp(extension, "index") == 0 || strcmp(extension, "timeindex") == 0 ||
			strcmp(extension, "txnindex") == 0;
		bool has_log = f->count > 0 &&
			bsearch(&base, f->bases, f->count, sizeof(f->bases[0]), compare_offsets) != NULL;
		if (index && !has_log)
			TRY(drop_name(place, l, i));
	}
	return STATUS_OK;
}

enum status partition_directory_load(const struct log_place *place, struct partition_files *ret_files)
{
	struct name_list list;
	*ret_files = (struct partition_files){0};
	enum status s = name_list_read(place->disk, place->directory, &list);
	if (s == STATUS_OK)
		s = drop_unfinished(place, &list);
	if (s == STATUS_OK)
		s = finish_swaps(place, &list);
	if (s == STATUS_OK) {
		classify(&list, ret_files);
		s = drop_orphans(place, &list, ret_files);
	}
	name_list_fini(&list);
	return s;
}

void partition_files_fini(struct partition_files *f)
{
	free(f->bases);
	producer_snapshots_fini(&f->snapshots);
	*f = (struct partition_files){0};
}

enum status partition_directory_unlink_segment(const struct log_place *place, int64_t base_offset)
{
	for (size_t i = 0; i < PARTITION_SEGMENT_FILES; i++) {
		char *path = log_segment_path(place->directory, base_offset, segment_extensions[i], "");
		enum status s = disk_unlink(place->disk, path);
		free(path);
		if (s != STATUS_OK && s != STATUS_NOT_FOUND)
			return s;
	}
	return STATUS_OK;
}

enum status partition_directory_retire_segment(const struct log_place *place, int64_t base_offset, bool log_replaced,
	bool all_kinds, struct partition_retired_files *ret_files)
{
	/* What producers were before a segment that takes its place holds for that, too. */
	size_t kinds = !all_kinds ? 3 : log_replaced ? PARTITION_SEGMENT_FILES - 1 : PARTITION_SEGMENT_FILES;
	ret_files->count = 0;
	for (size_t i = log_replaced ? 1 : 0; i < kinds; i++) {
		char *from = log_segment_path(place->directory, base_offset, segment_extensions[i], "");
		char *to = log_segment_path(place->directory, base_offset, segment_extensions[i], ".deleted");
		enum status s = disk_rename(place->disk, from, to);
		free(from);
		if (s == STATUS_OK)
			ret_files->paths[ret_files->count++] = to;
		else
			free(to);
		/* Without the log renamed the segment is still there; the rest are leftovers the next start removes. */
		if (i == 0 && s != STATUS_OK)
			return s;
	}
	return STATUS_OK;
}

/* Entries: version (2), producer id, first offset, last offset, last stable offset (8 each), by last offset. */
static enum status cut_transaction_file(struct disk_file *f, int64_t end)
{
	enum { ENTRY_SIZE = 34, LAST_OFFSET_AT = 18 };
	uint8_t entry[ENTRY_SIZE];
	int64_t size, low = 0;
	TRY(disk_file_size(f, &size));
	int64_t high = size / ENTRY_SIZE;
	while (low < high) {
		int64_t middle = low + (high - low) / 2;
		TRY(disk_file_pread_all(f, entry, sizeof(entry), middle * ENTRY_SIZE));
		if (bytes_get_i64(entry + LAST_OFFSET_AT) < end)
			low = middle + 1;
		else
			high = middle;
	}
	return low * ENTRY_SIZE < size ? disk_file_truncate(f, low * ENTRY_SIZE) : STATUS_OK;
}

enum status partition_directory_cut_transactions(const struct log_place *place, int64_t base_offset, int64_t end)
{
	struct disk_file *f;
	char *path = log_segment_path(place->directory, base_offset, "txnindex", "");
	enum status s = disk_open(place->disk, path, DISK_WRITE, &f);
	free(path);
	if (s != STATUS_OK)
		return s == STATUS_NOT_FOUND ? STATUS_OK : s;
	s = cut_transaction_file(f, end);
	disk_file_close(f);
	return s;
}

enum { METADATA_SIZE_MAX = 4096, LIMIT_SIZE_MAX = 64 };

enum status partition_offset_file_read(const struct log_place *place, const char *name, int64_t *ret_offset)
{
	char *text, *path = path_of(place, name);
	size_t n;
	int64_t limit;
	enum status s = disk_read_file(place->disk, path, LIMIT_SIZE_MAX, &text, &n);
	free(path);
	if (s == STATUS_TOO_LARGE) {
		*ret_offset = 0;
		return STATUS_OK;
	}
	TRY(s);
	bool ok = n > 0 && text[n - 1] == '\n' && bytes_parse_i64(slice_of(text, n - 1), &limit) == STATUS_OK && limit >= 0;
	*ret_offset = ok ? limit : 0;
	free(text);
	return STATUS_OK;
}

enum status partition_offset_file_write(const struct log_place *place, const char *name, int64_t offset)
{
	char text[32], *path = path_of(place, name);
	int n = snprintf(text, sizeof(text), "%lld\n", (long long)offset);
	expect(n > 0 && (size_t)n < sizeof(text));
	enum status s = disk_replace_file(place->disk, path, slice_of(text, (size_t)n));
	free(path);
	return s;
}

enum status partition_offset_file_remove(const struct log_place *place, const char *name)
{
	return unlink_name(place, name);
}

/* The value of "key: value" among the lines. */
static struct slice line_value(const char *text, const char *key)
{
	size_t k = strlen(key);
	for (const char *line = text; line != NULL && *line != '\0';) {
		const char *end = strchr(line, '\n');
		size_t n = end == NULL ? strlen(line) : (size_t)(end - line);
		if (n > k && strncmp(line, key, k) == 0)
			return slice_of(line + k, n - k);
		line = end == NULL ? NULL : end + 1;
	}
	return slice_of("", 0);
}

enum status partition_metadata_read(const struct log_place *place, struct uuid *ret_topic_id)
{
	char *text, *path = path_of(place, PARTITION_METADATA_NAME);
	size_t n;
	enum status s = disk_read_file(place->disk, path, METADATA_SIZE_MAX, &text, &n);
	free(path);
	if (s != STATUS_OK)
		return s == STATUS_TOO_LARGE ? STATUS_CORRUPT : s;
	bool ok = slice_equal(line_value(text, "version: "), slice_of_str("0")) &&
		uuid_parse(line_value(text, "topic_id: "), ret_topic_id) == STATUS_OK;
	free(text);
	return ok ? STATUS_OK : STATUS_CORRUPT;
}

enum { METADATA_TEXT = 64 };

static size_t format_metadata(const struct uuid *topic_id, char text[static METADATA_TEXT])
{
	char id[UUID_TEXT_SIZE];
	uuid_format(topic_id, id);
	int n = snprintf(text, METADATA_TEXT, "version: 0\ntopic_id: %s", id);
	expect(n > 0 && n < METADATA_TEXT);
	return (size_t)n;
}

enum status partition_metadata_write(const struct log_place *place, const struct uuid *topic_id)
{
	char text[METADATA_TEXT];
	size_t n = format_metadata(topic_id, text);
	char *path = path_of(place, PARTITION_METADATA_NAME);
	enum status s = disk_replace_file(place->disk, path, slice_of(text, n));
	free(path);
	return s;
}

enum status partition_metadata_write_new(const struct log_place *place, const struct uuid *topic_id)
{
	char text[METADATA_TEXT];
	size_t n = format_metadata(topic_id, text);
	struct disk_file *f;
	char *path = path_of(place, PARTITION_METADATA_NAME);
	enum status s = disk_open(place->disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	free(path);
	TRY(s);
	s = disk_file_pwrite(f, text, n, 0);
	disk_file_close(f);
	return s;
}

static enum status sync_metadata(const struct log_place *place)
{
	struct disk_file *f;
	char *path = path_of(place, PARTITION_METADATA_NAME);
	enum status s = disk_open(place->disk, path, DISK_WRITE, &f);
	free(path);
	if (s != STATUS_OK)
		return s == STATUS_NOT_FOUND ? STATUS_OK : s;
	s = disk_file_fdatasync(f);
	disk_file_close(f);
	return s;
}

enum status partition_directory_sync_new(const struct log_place *place)
{
	TRY(sync_metadata(place));
	const char *slash = strrchr(place->directory, '/');
	expect(slash != NULL);
	char *above = slash == place->directory ? check_strdup("/") : check_strndup(place->directory, (size_t)(slash - place->directory));
	enum status s = disk_sync_directory(place->disk, above);
	free(above);
	return s;
}

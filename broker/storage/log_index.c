#include "storage/log_index.h"

enum {
	OFFSET_ENTRY_SIZE = 8,
	TIME_ENTRY_SIZE = 12,
	PENDING_FIRST = 16, /* entries; doubled as needed */
	BLOCK_ENTRIES = 128,
	CHECK_BLOCK_BYTES = 3072, /* a multiple of both sizes */
};

void log_index_init(struct log_index *ix, enum log_index_kind kind, int64_t base_offset)
{
	expect(base_offset >= 0);
	/* A file of that name may be left from before: the first write cuts it. */
	*ix = (struct log_index){.kind = kind, .base_offset = base_offset, .cut_pending = true, .missing = true};
}

void log_index_fini(struct log_index *ix)
{
	free(ix->pending);
	ix->pending = NULL;
}

uint32_t log_index_count(const struct log_index *ix)
{
	return ix->file_count + ix->pending_count;
}

unsigned log_index_entry_size(const struct log_index *ix)
{
	return ix->kind == LOG_INDEX_OFFSET ? OFFSET_ENTRY_SIZE : TIME_ENTRY_SIZE;
}

char *log_index_path(const struct log_index *ix, const char *directory)
{
	return check_asprintf("%s/%020lld.%s", directory, (long long)ix->base_offset,
		ix->kind == LOG_INDEX_OFFSET ? "index" : "timeindex");
}

static void encode(const struct log_index *ix, struct log_index_entry e, uint8_t *p)
{
	if (ix->kind == LOG_INDEX_OFFSET) {
		expect(e.key >= ix->base_offset && e.key - ix->base_offset <= INT32_MAX);
		expect(e.value >= 0 && e.value <= INT32_MAX);
		bytes_put_u32(p, (uint32_t)(e.key - ix->base_offset));
		bytes_put_i32(p + 4, (int32_t)e.value);
	} else {
		expect(e.value >= ix->base_offset && e.value - ix->base_offset <= INT32_MAX);
		bytes_put_i64(p, e.key);
		bytes_put_u32(p + 8, (uint32_t)(e.value - ix->base_offset));
	}
}

static struct log_index_entry decode(const struct log_index *ix, const uint8_t *p)
{
	if (ix->kind == LOG_INDEX_OFFSET)
		return (struct log_index_entry){ix->base_offset + bytes_get_u32(p), bytes_get_i32(p + 4)};
	return (struct log_index_entry){bytes_get_i64(p), ix->base_offset + bytes_get_u32(p + 8)};
}

static int64_t field_of(struct log_index_entry e, enum log_index_field field)
{
	return field == LOG_INDEX_KEY ? e.key : e.value;
}

/* May b stand behind a? Offsets and positions grow strictly; of times only the key does. */
static bool follows(const struct log_index *ix, struct log_index_entry a, struct log_index_entry b)
{
	return b.key > a.key && (ix->kind == LOG_INDEX_OFFSET ? b.value > a.value : b.value >= a.value);
}

void log_index_append(struct log_index *ix, int64_t key, int64_t value)
{
	struct log_index_entry e = {key, value};
	unsigned size = log_index_entry_size(ix);
	int64_t offset = ix->kind == LOG_INDEX_OFFSET ? key : value;
	if (offset < ix->base_offset || offset - ix->base_offset > INT32_MAX || value > ix->base_offset + INT32_MAX)
		return;
	if (log_index_count(ix) > 0 && !follows(ix, ix->last, e))
		return;
	if ((ix->pending_count + 1) * size > LOG_INDEX_PENDING_MAX)
		return;
	if (ix->pending_count == ix->pending_capacity) {
		ix->pending_capacity = ix->pending_capacity == 0 ? PENDING_FIRST : ix->pending_capacity * 2;
		ix->pending = check_realloc(ix->pending, (size_t)ix->pending_capacity * size);
	}
	encode(ix, e, ix->pending + (size_t)ix->pending_count * size);
	ix->pending_count++;
	ix->last = e;
}

/* Entries of the block p..p+n with field <= limit. */
static uint32_t block_count(const struct log_index *ix, const uint8_t *p, uint32_t n, enum log_index_field field,
	int64_t limit)
{
	unsigned size = log_index_entry_size(ix);
	uint32_t low = 0, high = n;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (field_of(decode(ix, p + (size_t)middle * size), field) <= limit)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum status read_entry(const struct log_index *ix, struct disk_file *f, uint32_t i, struct log_index_entry *ret)
{
	uint8_t p[TIME_ENTRY_SIZE];
	unsigned size = log_index_entry_size(ix);
	TRY(disk_file_pread_all(f, p, size, (int64_t)i * size));
	*ret = decode(ix, p);
	return STATUS_OK;
}

/* Entries of the file with field <= limit, and the last of them. */
static enum status file_count_until(const struct log_index *ix, struct disk_file *f, enum log_index_field field,
	int64_t limit, uint32_t *ret_count, struct log_index_entry *ret_last)
{
	uint8_t block[BLOCK_ENTRIES * TIME_ENTRY_SIZE];
	unsigned size = log_index_entry_size(ix);
	uint32_t low = 0, high = ix->file_count;
	struct log_index_entry e = {0};
	while (high - low > BLOCK_ENTRIES) {
		uint32_t middle = low + (high - low) / 2;
		TRY(read_entry(ix, f, middle, &e));
		if (field_of(e, field) <= limit)
			low = middle;
		else
			high = middle;
	}
	TRY(disk_file_pread_all(f, block, (size_t)(high - low) * size, (int64_t)low * size));
	uint32_t n = block_count(ix, block, high - low, field, limit);
	*ret_count = low + n;
	if (n > 0)
		*ret_last = decode(ix, block + (size_t)(n - 1) * size);
	return STATUS_OK;
}

static enum status open_for_lookup(const struct log_index *ix, struct disk *d, const char *directory,
	struct disk_file **ret_file)
{
	char *path = log_index_path(ix, directory);
	enum status s = disk_open(d, path, DISK_READ, ret_file);
	free(path);
	return s == STATUS_NOT_FOUND ? STATUS_CORRUPT : s;
}

enum status log_index_floor(const struct log_index *ix, struct disk *d, const char *directory, enum log_index_field field,
	int64_t limit, struct log_index_entry *ret_entry)
{
	unsigned size = log_index_entry_size(ix);
	uint32_t n = block_count(ix, ix->pending, ix->pending_count, field, limit);
	struct disk_file *f;
	if (n > 0) {
		*ret_entry = decode(ix, ix->pending + (size_t)(n - 1) * size);
		return STATUS_OK;
	}
	if (ix->file_count == 0)
		return STATUS_NOT_FOUND;
	TRY(open_for_lookup(ix, d, directory, &f));
	enum status s = file_count_until(ix, f, field, limit, &n, ret_entry);
	disk_file_close(f);
	if (s != STATUS_OK)
		return s;
	return n > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

void log_index_clear(struct log_index *ix)
{
	ix->file_count = ix->pending_count = 0;
	ix->generation++;
	ix->cut_pending = ix->unsynced = true;
}

static enum status truncate_file_part(struct log_index *ix, struct disk *d, const char *directory,
	enum log_index_field field, int64_t limit)
{
	struct disk_file *f;
	uint32_t n = 0;
	TRY(open_for_lookup(ix, d, directory, &f));
	enum status s = file_count_until(ix, f, field, limit - 1, &n, &ix->last);
	disk_file_close(f);
	if (s != STATUS_OK)
		return s;
	expect(n <= ix->file_count);
	ix->file_count = n;
	return STATUS_OK;
}

enum status log_index_truncate(struct log_index *ix, struct disk *d, const char *directory, enum log_index_field field,
	int64_t limit)
{
	unsigned size = log_index_entry_size(ix);
	uint32_t before = log_index_count(ix);
	uint32_t n = block_count(ix, ix->pending, ix->pending_count, field, limit - 1);
	enum status s = STATUS_OK;
	if (n > 0)
		ix->last = decode(ix, ix->pending + (size_t)(n - 1) * size);
	ix->pending_count = n;
	if (n == 0 && ix->file_count > 0)
		s = truncate_file_part(ix, d, directory, field, limit);
	if (s != STATUS_OK) {
		log_index_clear(ix);
	} else if (log_index_count(ix) < before) {
		ix->generation++; /* a write under way may put back what went here: the next one cuts */
		ix->cut_pending = ix->unsynced = true;
	}
	return s;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n > 0 && p[n - 1] == 0)
		n--;
	return n == 0;
}

/* Entries before the zeros of a preallocated file. */
static enum status count_until_zeros(const struct log_index *ix, struct disk_file *f, uint32_t count, uint32_t *ret_count)
{
	uint8_t p[TIME_ENTRY_SIZE];
	unsigned size = log_index_entry_size(ix);
	uint32_t low = 0, high = count;
	while (low < high) {
		/* The last first: a file cut to size has no zeros. */
		uint32_t middle = high == count && low == 0 ? count - 1 : low + (high - low) / 2;
		TRY(disk_file_pread_all(f, p, size, (int64_t)middle * size));
		if (is_zero(p, size))
			high = middle;
		else
			low = middle + 1;
	}
	*ret_count = low;
	return STATUS_OK;
}

/* Reads every entry and keeps those before the first out of order. */
static enum status check_order(struct log_index *ix, struct disk_file *f)
{
	uint8_t block[CHECK_BLOCK_BYTES];
	unsigned size = log_index_entry_size(ix);
	struct log_index_entry previous = {-1, -1};
	for (uint32_t i = 0; i < ix->file_count;) {
		uint32_t n = CHECK_BLOCK_BYTES / size;
		if (n > ix->file_count - i)
			n = ix->file_count - i;
		TRY(disk_file_pread_all(f, block, (size_t)n * size, (int64_t)i * size));
		for (uint32_t k = 0; k < n; k++, i++) {
			struct log_index_entry e = decode(ix, block + (size_t)k * size);
			if (!follows(ix, previous, e)) {
				ix->file_count = i;
				ix->cut_pending = ix->unsynced = true;
				ix->last = previous;
				return STATUS_OK;
			}
			previous = e;
		}
	}
	return STATUS_OK;
}

static enum status load_file(struct log_index *ix, struct disk_file *f, bool whole)
{
	unsigned size = log_index_entry_size(ix);
	int64_t bytes;
	uint32_t stored;
	TRY(disk_file_size(f, &bytes));
	if (bytes % size != 0 || bytes / size > INT32_MAX)
		return STATUS_CORRUPT;
	stored = (uint32_t)(bytes / size);
	TRY(count_until_zeros(ix, f, stored, &ix->file_count));
	ix->cut_pending = ix->file_count < stored;
	ix->missing = false;
	if (ix->file_count > 0)
		TRY(read_entry(ix, f, ix->file_count - 1, &ix->last));
	if (whole)
		TRY(check_order(ix, f));
	return ix->file_count > 0 && (ix->last.key < 0 || ix->last.value < 0) ? STATUS_CORRUPT : STATUS_OK;
}

enum status log_index_load(struct log_index *ix, struct disk *d, const char *directory, bool whole)
{
	struct disk_file *f;
	char *path = log_index_path(ix, directory);
	expect(log_index_count(ix) == 0);
	enum status s = disk_open(d, path, DISK_READ, &f);
	free(path);
	if (s != STATUS_OK)
		return s;
	s = load_file(ix, f, whole);
	disk_file_close(f);
	if (s != STATUS_OK)
		log_index_clear(ix);
	return s;
}

void log_index_write_take(struct log_index *ix, const char *directory, bool final, bool sync, struct log_index_write *ret_w)
{
	unsigned size = log_index_entry_size(ix);
	bool entries = ix->pending_count > 0 && (final || ix->pending_count * size >= LOG_INDEX_WRITE_BYTES);
	bool cut = ix->cut_pending && (!ix->missing || entries || final);
	*ret_w = (struct log_index_write){.generation = ix->generation, .position = (int64_t)ix->file_count * size};
	ret_w->sync = sync && (ix->unsynced || entries || cut);
	if (!entries && !cut && !ret_w->sync && !(final && ix->missing))
		return;
	ret_w->path = log_index_path(ix, directory);
	ret_w->cut = cut;
	if (entries) {
		ret_w->count = ix->pending_count;
		ret_w->size_bytes = (size_t)ix->pending_count * size;
		ret_w->bytes = check_alloc(ret_w->size_bytes);
		memcpy(ret_w->bytes, ix->pending, ret_w->size_bytes);
	}
}

static enum status write_file(const struct log_index_write *w, struct disk *d)
{
	struct disk_file *f;
	TRY(disk_open(d, w->path, DISK_WRITE | DISK_CREATE, &f));
	enum status s = w->cut ? disk_file_truncate(f, w->position) : STATUS_OK;
	if (s == STATUS_OK && w->size_bytes > 0)
		s = disk_file_pwrite(f, w->bytes, w->size_bytes, w->position);
	if (s == STATUS_OK && w->sync)
		s = disk_file_fdatasync(f);
	disk_file_close(f);
	return s;
}

void log_index_write_run(struct log_index_write *w, struct disk *d)
{
	if (w->path != NULL)
		w->status = write_file(w, d);
}

void log_index_write_done(struct log_index_write *w, struct log_index *ix)
{
	if (w->path != NULL && ix != NULL && ix->generation == w->generation && w->status == STATUS_OK) {
		unsigned size = log_index_entry_size(ix);
		expect(w->count <= ix->pending_count);
		ix->file_count += w->count;
		ix->pending_count -= w->count;
		for (size_t i = 0; i < (size_t)ix->pending_count * size; i++)
			ix->pending[i] = ix->pending[(size_t)w->count * size + i];
		if (ix->pending_count == 0) {
			free(ix->pending);
			ix->pending = NULL;
			ix->pending_capacity = 0;
		}
		ix->missing = false;
		ix->cut_pending = ix->cut_pending && !w->cut;
		ix->unsynced = !w->sync;
	} else if (w->path != NULL && ix != NULL) {
		/* A torn write lies behind file_count: the next one cuts it away. */
		ix->cut_pending = ix->unsynced = true;
		ix->missing = ix->missing && w->status != STATUS_OK;
	}
	free(w->path);
	free(w->bytes);
	*w = (struct log_index_write){0};
}

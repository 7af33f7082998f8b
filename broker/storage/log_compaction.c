#include "storage/log_compaction.h"
#include "base/diag.h"
#include "storage/compaction_filter.h"

enum {
	STEP_BYTES = 1024 * 1024,
	BATCH_MAX = 128 * 1024 * 1024,
	ABORTED_MAX = 1024 * 1024,  /* entries of transaction indexes in memory */
};

const char *const log_compaction_extensions[LOG_COMPACTION_FILES] = {"index", "timeindex", "txnindex", "log"};

/* The segment being written. */
struct cleaned {
	struct log_segment *segment;
	uint8_t *bytes; /* not in the file yet */
	size_t n, capacity;
	int64_t written;
	struct aborted_list aborted;
};
struct log_compaction {
	struct log_compaction_input in;
	struct compaction_segment *segments;
	struct disk_file **files;
	enum log_compaction_state state;
	enum status status;
	/* Where the reading is. */
	size_t source;
	int64_t position;
	uint8_t *buffer;
	size_t buffer_size, buffer_n, buffer_used;
	/* Mapping. */
	bool begun;
	struct compaction_map *map;
	struct aborted_list aborted;
	struct transaction_walk *mapping_walk;
	int64_t end_offset;
	/* Copying. */
	struct compaction_filter *filter;
	size_t clean_count; /* segments to be rewritten: those before end_offset */
	size_t group_first, group_count;
	struct cleaned out;
	struct log_compaction_totals totals;
	int64_t step_bytes;
};

static void fail(struct log_compaction *c, enum status s, const char *what)
{
	c->state = LOG_COMPACTION_FAILED;
	c->status = s;
	diag_warn("compaction_failed", "partition=%s segment=%020lld position=%lld status=%s what=\"%s\"", c->in.name,
		(long long)c->segments[c->source < c->in.plan.end_segment ? c->source : 0].base_offset, (long long)c->position,
		status_name(s), what);
}

static int by_producer(const void *a, const void *b)
{
	const struct producer_info *x = a, *y = b;
	return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

struct log_compaction *log_compaction_new(const struct log_compaction_input *in)
{
	size_t n = in->plan.end_segment;
	expect(n > 0 && in->plan.end_offset > in->plan.first_dirty_offset);
	struct log_compaction *c = check_calloc(1, sizeof(*c));
	c->in = *in;
	c->segments = check_calloc(n, sizeof(c->segments[0]));
	memcpy(c->segments, in->segments, n * sizeof(c->segments[0]));
	c->files = check_calloc(n, sizeof(struct disk_file *));
	memcpy(c->files, in->files, n * sizeof(struct disk_file *));
	if (in->producer_count > 1)
		qsort(c->in.producers, in->producer_count, sizeof(c->in.producers[0]), by_producer);
	return c;
}

static void drop_out(struct log_compaction *c)
{
	log_segment_free(c->out.segment);
	free(c->out.bytes);
	transaction_index_fini(&c->out.aborted);
	c->out = (struct cleaned){0};
}

void log_compaction_free(struct log_compaction *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->in.plan.end_segment; i++)
		iobuf_file_shared_unref(&c->files[i]->shared);
	drop_out(c);
	compaction_filter_free(c->filter);
	transaction_walk_free(c->mapping_walk);
	compaction_map_free(c->map);
	transaction_index_fini(&c->aborted);
	free(c->buffer);
	free(c->in.producers);
	free(c->files);
	free(c->segments);
	free(c);
}

enum log_compaction_state log_compaction_state(const struct log_compaction *c)
{
	return c->state;
}

enum status log_compaction_status(const struct log_compaction *c)
{
	return c->status;
}

int64_t log_compaction_end_offset(const struct log_compaction *c)
{
	return c->end_offset;
}

struct log_compaction_totals log_compaction_totals(const struct log_compaction *c)
{
	return c->totals;
}

const struct disk_file *log_compaction_file(const struct log_compaction *c, size_t i)
{
	expect(i < c->in.plan.end_segment);
	return c->files[i];
}

/* --- reading batches ----------------------------------------------------------------------------------------- */

static enum status read_more(struct log_compaction *c, size_t wanted)
{
	int64_t size = c->segments[c->source].size_bytes;
	if (wanted > c->buffer_size) {
		free(c->buffer);
		c->buffer = check_alloc(wanted);
		c->buffer_size = wanted;
	}
	int64_t left = size - c->position;
	size_t n = left < (int64_t)c->buffer_size ? (size_t)left : c->buffer_size;
	c->buffer_n = c->buffer_used = 0;
	TRY(disk_file_pread(c->files[c->source], c->buffer, n, c->position, &c->buffer_n));
	c->step_bytes += (int64_t)c->buffer_n;
	return c->buffer_n == n ? STATUS_OK : STATUS_CORRUPT;
}

/* The next whole batch of the present segment, any magic. STATUS_NOT_FOUND at its end. */
static enum status next_batch(struct log_compaction *c, struct slice *ret_bytes, struct log_batch_info *ret_info)
{
	int64_t left = c->segments[c->source].size_bytes - c->position;
	if (left == 0)
		return STATUS_NOT_FOUND;
	if (c->buffer_n - c->buffer_used < RECORD_BATCH_HEADER_SIZE)
		TRY(read_more(c, STEP_BYTES));
	struct slice have = slice_of(c->buffer + c->buffer_used, c->buffer_n - c->buffer_used);
	struct log_batch_info info;
	TRY(log_batch_decode(have, &info));
	if (info.size_bytes > left || info.size_bytes > BATCH_MAX)
		return info.size_bytes > left ? STATUS_CORRUPT : STATUS_TOO_LARGE;
	if ((size_t)info.size_bytes > have.n) {
		TRY(read_more(c, info.size_bytes > STEP_BYTES ? (size_t)info.size_bytes : STEP_BYTES));
		have = slice_of(c->buffer, c->buffer_n);
	}
	*ret_bytes = slice_sub(have, 0, (size_t)info.size_bytes);
	*ret_info = info;
	return STATUS_OK;
}

static void step_over(struct log_compaction *c, const struct log_batch_info *info)
{
	c->position += info->size_bytes;
	c->buffer_used += (size_t)info->size_bytes;
	expect(c->buffer_used <= c->buffer_n);
}

static void begin_source(struct log_compaction *c, size_t source)
{
	c->source = source;
	c->position = 0;
	c->buffer_n = c->buffer_used = 0;
}

static enum status parse(struct slice bytes, struct record_batch *ret_batch)
{
	TRY(record_batch_parse(bytes, ret_batch));
	return record_batch_check_crc(ret_batch) == STATUS_OK ? STATUS_OK : STATUS_CORRUPT;
}

/* --- mapping ------------------------------------------------------------------------------------------------- */

static enum status read_aborted(struct log_compaction *c)
{
	for (size_t i = 0; c->in.has_transaction_index && i < c->in.plan.end_segment; i++) {
		char *path = log_segment_path(c->in.place.directory, c->segments[i].base_offset, "txnindex", "");
		enum status s = transaction_index_read(c->in.place.disk, path, ABORTED_MAX, &c->aborted);
		free(path);
		TRY(s);
	}
	return STATUS_OK;
}

static enum status begin_mapping(struct log_compaction *c)
{
	const struct compaction_plan *p = &c->in.plan;
	TRY(read_aborted(c));
	c->mapping_walk = transaction_walk_new(&c->aborted, p->first_dirty_offset);
	c->map = compaction_map_new(c->in.map_bytes, c->in.map_load_factor, p->end_offset - p->first_dirty_offset);
	if (c->map == NULL)
		return STATUS_TOO_LARGE;
	size_t first = 0;
	while (first + 1 < p->end_segment && c->segments[first + 1].base_offset <= p->first_dirty_offset)
		first++;
	begin_source(c, first);
	c->end_offset = p->first_dirty_offset;
	c->begun = true;
	return STATUS_OK;
}

/* ret_full: the map has no room for one of the keys. */
static enum status map_records(struct log_compaction *c, const struct record_batch *b, bool *ret_full)
{
	enum { INFLATED_MAX = 256 * 1024 * 1024 };
	struct record_iterator it;
	struct record r;
	TRY(record_iterator_init(&it, b, INFLATED_MAX));
	enum status s;
	*ret_full = false;
	while (!*ret_full && (s = record_iterator_next(&it, &r)) == STATUS_OK) {
		if (r.key.p != NULL && r.offset >= c->in.plan.first_dirty_offset)
			*ret_full = !compaction_map_put(c->map, r.key, r.offset);
	}
	record_iterator_fini(&it);
	return *ret_full || s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

static enum status map_batch(struct log_compaction *c, struct slice bytes, const struct log_batch_info *info, bool *ret_full)
{
	struct record_batch b;
	*ret_full = false;
	/* Records of old formats stay; those of the dirty part that follow them are what counts. */
	if (info->last_offset < c->in.plan.first_dirty_offset || info->magic < 2)
		return STATUS_OK;
	TRY(parse(bytes, &b));
	if ((b.attributes & RECORD_BATCH_CONTROL) != 0) {
		enum transaction_end end = TRANSACTION_END_UNKNOWN;
		struct aborted_transaction aborted;
		bool keep;
		if (b.record_count > 0)
			TRY(transaction_end_of(&b, &end));
		(void)transaction_walk_end(c->mapping_walk, &b, end, &aborted, &keep);
	} else if (!transaction_walk_data(c->mapping_walk, &b)) {
		TRY(map_records(c, &b, ret_full));
	}
	return STATUS_OK;
}

static void begin_group(struct log_compaction *c, size_t first);

/* Its sequence is known by its last batch of records, its epoch, where there is none, by its marker. Who is no longer known
 * to the log may start anywhere. Kafka: Cleaner.cleanInto, isBatchLastRecordOfProducer. */
static bool keeps_producer(void *arg, const struct record_batch *b)
{
	const struct log_compaction *c = arg;
	if (c->in.producer_count == 0)
		return false;
	const struct producer_info wanted = {.producer_id = b->producer_id};
	const struct producer_info *p =
		bsearch(&wanted, c->in.producers, c->in.producer_count, sizeof(wanted), by_producer);
	if (p == NULL)
		return false;
	if (p->last_offset >= 0)
		return p->last_offset == record_batch_last_offset(b);
	return (b->attributes & RECORD_BATCH_CONTROL) != 0 && p->epoch == b->producer_epoch;
}

static void end_mapping(struct log_compaction *c)
{
	if (c->end_offset <= c->in.plan.first_dirty_offset) {
		fail(c, STATUS_TOO_LARGE, "log.cleaner.dedupe.buffer.size does not hold the keys of one batch");
		return;
	}
	while (c->clean_count < c->in.plan.end_segment && c->segments[c->clean_count].base_offset < c->end_offset)
		c->clean_count++;
	const struct compaction_filter_options o = {
		.map = c->map,
		.map_end = c->end_offset,
		.now_ms = c->in.now_ms,
		.delete_retention_ms = c->in.delete_retention_ms,
		.keeps_producer = keeps_producer,
		.arg = c,
	};
	c->filter = compaction_filter_new(&o, transaction_walk_new(&c->aborted, c->segments[0].base_offset));
	transaction_walk_free(c->mapping_walk);
	c->mapping_walk = NULL;
	c->state = LOG_COMPACTION_COPYING;
	begin_group(c, 0);
}

static enum status map_step(struct log_compaction *c)
{
	if (!c->begun)
		TRY(begin_mapping(c));
	while (c->step_bytes < STEP_BYTES) {
		struct slice bytes;
		struct log_batch_info info;
		bool full = false;
		enum status s = next_batch(c, &bytes, &info);
		if (s == STATUS_NOT_FOUND) {
			bool last = c->source + 1 == c->in.plan.end_segment;
			/* Offsets may be missing at the segment's end. */
			c->end_offset = last ? c->in.plan.end_offset : c->segments[c->source + 1].base_offset;
			if (last) {
				end_mapping(c);
				return STATUS_OK;
			}
			begin_source(c, c->source + 1);
			continue;
		}
		TRY(s);
		TRY(map_batch(c, bytes, &info, &full));
		if (full) {
			end_mapping(c);
			return STATUS_OK;
		}
		if (info.last_offset >= c->end_offset)
			c->end_offset = info.last_offset + 1;
		step_over(c, &info);
	}
	return STATUS_OK;
}

/* --- copying ------------------------------------------------------------------------------------------------- */

static void begin_group(struct log_compaction *c, size_t first)
{
	while (first < c->clean_count && c->segments[first].size_bytes == 0)
		first++;
	if (first >= c->clean_count) {
		c->state = LOG_COMPACTION_DONE;
		return;
	}
	bool all = c->clean_count == c->in.plan.end_segment;
	const struct compaction_group_limits limits = {
		.segment_bytes = c->in.segment_bytes,
		.index_bytes = c->in.index_bytes,
		.end_offset = all ? c->in.plan.end_offset : c->segments[c->clean_count].base_offset,
	};
	c->group_first = first;
	c->group_count = compaction_plan_group(&c->segments[first], c->clean_count - first, &limits);
	begin_source(c, first);
}

static enum status open_out(struct log_compaction *c)
{
	struct disk_file *f;
	int64_t base = c->segments[c->group_first].base_offset;
	/* A start that meets a .cleaned file removes every .swap behind it: those must have got their names for good. */
	TRY(disk_sync_directory(c->in.place.disk, c->in.place.directory));
	char *path = log_segment_path(c->in.place.directory, base, "log", ".cleaned");
	enum status s = disk_open(c->in.place.disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	free(path);
	TRY(s);
	c->out.segment = log_segment_new(base, f, c->in.now_ms);
	return STATUS_OK;
}

static enum status write_out(struct log_compaction *c)
{
	struct cleaned *out = &c->out;
	if (out->n == 0)
		return STATUS_OK;
	TRY(disk_file_pwrite(out->segment->file, out->bytes, out->n, out->written));
	disk_file_start_writeback(out->segment->file, out->written, (int64_t)out->n);
	out->written += (int64_t)out->n;
	c->step_bytes += (int64_t)out->n;
	out->n = 0;
	return STATUS_OK;
}

static enum status write_index(struct log_compaction *c, struct log_index *ix, bool final)
{
	struct log_index_write w;
	log_index_write_take(ix, c->in.place.directory, final, final, &w);
	if (w.path != NULL) {
		char *path = check_asprintf("%s.cleaned", w.path);
		free(w.path);
		w.path = path;
	}
	log_index_write_run(&w, c->in.place.disk);
	enum status s = w.path != NULL ? w.status : STATUS_OK;
	log_index_write_done(&w, ix);
	return s;
}

static enum status add_out(struct log_compaction *c, struct slice bytes)
{
	struct cleaned *out = &c->out;
	struct log_batch_info info;
	TRY(log_batch_decode(bytes, &info));
	if (out->segment->size_bytes + (int64_t)bytes.n > INT32_MAX)
		return STATUS_TOO_LARGE;
	if (out->n + bytes.n > out->capacity) {
		TRY(write_out(c));
		if (bytes.n > out->capacity) {
			out->capacity = bytes.n > STEP_BYTES ? bytes.n : STEP_BYTES;
			free(out->bytes);
			out->bytes = check_alloc(out->capacity);
		}
	}
	memcpy(out->bytes + out->n, bytes.p, bytes.n);
	out->n += bytes.n;
	info.position = out->segment->size_bytes;
	log_segment_add_batch(out->segment, &info, c->in.index_interval_bytes);
	TRY(write_index(c, &out->segment->offset_index, false));
	return write_index(c, &out->segment->time_index, false);
}

/* Is the batch at the present position the last of its group? */
static bool ends_group(const struct log_compaction *c, const struct log_batch_info *info)
{
	if (c->position + info->size_bytes < c->segments[c->source].size_bytes)
		return false;
	for (size_t i = c->source + 1; i < c->group_first + c->group_count; i++) {
		if (c->segments[i].size_bytes > 0)
			return false;
	}
	return true;
}

/* A segment's last batch stays, if only empty: recovery takes a hole before the next segment for a loss. */
static enum status copy_batch(struct log_compaction *c, struct slice bytes, const struct log_batch_info *info)
{
	struct record_batch b;
	struct compaction_verdict v;
	if (info->magic < 2)
		return add_out(c, bytes);
	TRY(parse(bytes, &b));
	TRY(compaction_filter_batch(c->filter, &b, ends_group(c, info), &v));
	c->totals.records_dropped += v.records_dropped;
	if (v.keep_aborted)
		transaction_index_add(&c->out.aborted, &v.aborted);
	return v.bytes.n > 0 ? add_out(c, v.bytes) : STATUS_OK;
}

static enum status write_transactions(struct log_compaction *c)
{
	struct disk_file *f;
	const struct aborted_list *l = &c->out.aborted;
	if (l->count == 0)
		return STATUS_OK;
	char *path = log_segment_path(c->in.place.directory, c->out.segment->base_offset, "txnindex", ".cleaned");
	enum status s = disk_open(c->in.place.disk, path, DISK_WRITE | DISK_CREATE | DISK_TRUNCATE, &f);
	free(path);
	TRY(s);
	for (size_t i = 0; s == STATUS_OK && i < l->count; i++) {
		uint8_t entry[TRANSACTION_INDEX_ENTRY_SIZE];
		transaction_index_encode(&l->list[i], entry);
		s = disk_file_pwrite(f, entry, sizeof(entry), (int64_t)(i * sizeof(entry)));
	}
	if (s == STATUS_OK)
		s = disk_file_fdatasync(f);
	disk_file_close(f);
	return s;
}

/* Everything of the new segment is on disk, its names included. */
static enum status finish_group(struct log_compaction *c)
{
	struct log_segment *s = c->out.segment;
	const struct compaction_segment *first = &c->segments[c->group_first], *last = first + c->group_count - 1;
	TRY(write_out(c));
	log_segment_finish_time_index(s);
	TRY(write_index(c, &s->offset_index, true));
	TRY(write_index(c, &s->time_index, true));
	TRY(write_transactions(c));
	TRY(disk_file_set_mtime(s->file, last->last_append_ms));
	TRY(disk_file_fdatasync(s->file));
	TRY(disk_sync_directory(c->in.place.disk, c->in.place.directory));
	s->created_ms = first->first_append_ms;
	s->appended_ms = last->last_append_ms;
	s->synced_bytes = s->size_bytes;
	c->totals.segments_before += c->group_count;
	c->totals.segments_after++;
	for (size_t i = 0; i < c->group_count; i++)
		c->totals.bytes_before += first[i].size_bytes;
	c->totals.bytes_after += s->size_bytes;
	c->state = LOG_COMPACTION_READY;
	return STATUS_OK;
}

static enum status copy_step(struct log_compaction *c)
{
	if (c->out.segment == NULL)
		TRY(open_out(c));
	while (c->step_bytes < STEP_BYTES) {
		struct slice bytes;
		struct log_batch_info info;
		enum status s = next_batch(c, &bytes, &info);
		if (s == STATUS_NOT_FOUND) {
			if (c->source + 1 == c->group_first + c->group_count)
				return finish_group(c);
			begin_source(c, c->source + 1);
			continue;
		}
		TRY(s);
		TRY(copy_batch(c, bytes, &info));
		step_over(c, &info);
	}
	return write_out(c);
}

int64_t log_compaction_step(struct log_compaction *c)
{
	expect(c->state == LOG_COMPACTION_MAPPING || c->state == LOG_COMPACTION_COPYING);
	c->step_bytes = 0;
	enum status s = c->state == LOG_COMPACTION_MAPPING ? map_step(c) : copy_step(c);
	if (s != STATUS_OK)
		fail(c, s == STATUS_TRUNCATED || s == STATUS_CORRUPT_MESSAGE ? STATUS_CORRUPT : s, status_text(s));
	return c->step_bytes;
}

struct log_segment *log_compaction_take(struct log_compaction *c, size_t *ret_first, size_t *ret_count)
{
	expect(c->state == LOG_COMPACTION_READY && c->out.segment != NULL);
	struct log_segment *s = c->out.segment;
	c->out.segment = NULL;
	*ret_first = c->group_first;
	*ret_count = c->group_count;
	return s;
}

void log_compaction_next(struct log_compaction *c)
{
	expect(c->state == LOG_COMPACTION_READY && c->out.segment == NULL);
	drop_out(c);
	c->state = LOG_COMPACTION_COPYING;
	begin_group(c, c->group_first + c->group_count);
}

static enum status unlink_out(const struct log_compaction *c, const char *extension, const char *suffix)
{
	char *path = log_segment_path(c->in.place.directory, c->segments[c->group_first].base_offset, extension, suffix);
	enum status s = disk_unlink(c->in.place.disk, path);
	free(path);
	return s == STATUS_NOT_FOUND ? STATUS_OK : s;
}

enum status log_compaction_discard(struct log_compaction *c)
{
	if (c->group_count == 0)
		return STATUS_OK; /* nothing was written */
	/* An index that stays behind its log under .swap would take the place of the one in use: the log goes last. */
	for (size_t i = 0; i < LOG_COMPACTION_FILES; i++) {
		if (i + 1 == LOG_COMPACTION_FILES)
			TRY(disk_sync_directory(c->in.place.disk, c->in.place.directory));
		TRY(unlink_out(c, log_compaction_extensions[i], ".cleaned"));
		TRY(unlink_out(c, log_compaction_extensions[i], ".swap"));
	}
	return disk_sync_directory(c->in.place.disk, c->in.place.directory);
}

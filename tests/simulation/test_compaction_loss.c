/* A compacted log on a disk that forgets: appends of keys and tombstones, flushes, compactions step by step in a memory that
 * holds few keys, truncations, deletion from the start, and power loss at any call. Read at random moments and after each
 * restart,
 * - every record is one that was appended, with its offset, key and value;
 * - of what was flushed nothing is missing but records superseded by a later flushed one of the same key, and tombstones
 *   after their time;
 * - each producer's last batch still tells its sequence.
 * Usage: test_compaction_loss [--seed N] [--seeds N] [--steps N]; a failure prints the seed. */
#include "storage/partition_log.h"
#include "tests/simulation/sim_disk.h"
#include "tests/unit/log_fixture.h"
#include "base/diag.h"

enum { START_WALL_MS = 1700000000, DELETE_RETENTION_MS = 3000, KEYS = 24, PRODUCERS = 3, BATCH_RECORDS_MAX = 5, VALUE_MAX = 300 };

/* One record ever appended; its value begins with the mark. */
struct written {
	uint64_t mark;
	int64_t offset, producer, batch_last, appended_us;
	unsigned key;
	bool tombstone;
	/* What superseded it was cut off after an unclean election: then it may be gone all the same. */
	bool excused, producer_excused;
};
struct world {
	uint64_t seed;
	unsigned step;
	struct random dice;
	struct manual_clock clock;
	struct manual_scheduler *scheduler;
	struct sim_disk *disk;
	struct topic_settings settings;
	struct partition_log *log;
	struct written *history; /* in the order of appends; of one offset the last counts, unless an older one is found */
	size_t count, capacity;
	size_t *line; /* offset -> index into history + 1; 0: nothing */
	size_t line_capacity;
	int64_t flushed, high_watermark, start, checkpoint, start_checkpoint, cleaner_checkpoint;
	int64_t restart; /* of the last full truncation; -1 none since the start */
	int32_t epoch;
	int16_t producer_epoch;
	bool powered, broken;
	unsigned crashes, compactions, quarantines;
	enum status closed;
};

#define HOLDS(w, cond)                                                                                                 \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			(void)fprintf(stderr, "test_compaction_loss: seed %llu step %u: %s\n",                         \
				(unsigned long long)(w)->seed, (w)->step, #cond);                                      \
			exit(EXIT_FAILURE);                                                                            \
		}                                                                                                      \
	} while (0)

static unsigned dice(struct world *w, unsigned bound)
{
	return (unsigned)random_below(&w->dice, bound);
}

static void closed(void *arg, enum status s)
{
	struct world *w = arg;
	w->log = NULL;
	w->closed = s;
}

static void flushed(void *arg, enum status s)
{
	struct world *w = arg;
	/* Started again somewhere, the log promises nothing until something new is flushed. */
	if (s == STATUS_OK && partition_log_flushed_offset(w->log) > w->flushed && partition_log_flushed_offset(w->log) > w->restart)
		w->flushed = partition_log_flushed_offset(w->log);
	w->broken = w->broken || s != STATUS_OK;
}

/* --- the model ----------------------------------------------------------------------------------------------- */

static void line_set(struct world *w, int64_t offset, size_t index_plus_one)
{
	size_t needed = (size_t)offset + 1;
	if (needed > w->line_capacity) {
		size_t capacity = needed * 2;
		w->line = check_realloc(w->line, capacity * sizeof(w->line[0]));
		memset(w->line + w->line_capacity, 0, (capacity - w->line_capacity) * sizeof(w->line[0]));
		w->line_capacity = capacity;
	}
	w->line[offset] = index_plus_one;
}

static const struct written *line_at(const struct world *w, int64_t offset)
{
	size_t i = (size_t)offset < w->line_capacity ? w->line[offset] : 0;
	return i == 0 ? NULL : &w->history[i - 1];
}

static void line_cut(struct world *w, int64_t end)
{
	for (size_t i = (size_t)end; i < w->line_capacity; i++)
		w->line[i] = 0;
}

static size_t history_add(struct world *w, const struct written *r)
{
	if (w->count == w->capacity) {
		w->capacity = w->capacity == 0 ? 256 : w->capacity * 2;
		w->history = check_realloc(w->history, w->capacity * sizeof(w->history[0]));
	}
	w->history[w->count] = *r;
	return w->count++;
}

static size_t history_find(const struct world *w, uint64_t mark, int64_t offset)
{
	for (size_t i = w->count; i-- > 0;) {
		if (w->history[i].mark == mark && w->history[i].offset == offset)
			return i + 1;
	}
	return 0;
}

/* May the record at offset be missing? */
static bool may_be_gone(const struct world *w, int64_t offset)
{
	const struct written *r = line_at(w, offset);
	if (r == NULL || offset < w->start || offset >= w->flushed)
		return true;
	if (r->excused)
		return true;
	if (r->tombstone && w->clock.us - r->appended_us >= (int64_t)DELETE_RETENTION_MS * 1000)
		return true;
	for (int64_t later = offset + 1; later < w->flushed; later++) {
		const struct written *l = line_at(w, later);
		if (l != NULL && l->key == r->key)
			return true;
	}
	return false;
}

/* --- reading ------------------------------------------------------------------------------------------------- */

/* False: nothing is left; a truncation may leave the log to end with missing offsets. */
static bool read_batch(struct world *w, int64_t offset, uint8_t *bytes, size_t size, struct record_batch *ret_batch)
{
	struct iobuf out;
	size_t n;
	iobuf_init(&out);
	HOLDS(w, partition_log_read(w->log, offset, INT64_MAX, 1, true, &out, &n) == STATUS_OK && n <= size);
	if (n == 0)
		return false;
	const struct iobuf_fragment *g = iobuf_peek_file(&out);
	HOLDS(w, g != NULL && g->n == n);
	HOLDS(w, disk_file_pread_all(CONTAINER_OF(g->file, struct disk_file, shared), bytes, n, g->position) == STATUS_OK);
	iobuf_fini(&out);
	HOLDS(w, record_batch_parse(slice_of(bytes, n), ret_batch) == STATUS_OK && ret_batch->data.n == n);
	HOLDS(w, record_batch_check_crc(ret_batch) == STATUS_OK);
	return true;
}

/* Ticks the batch's records off; true when it found one newer than the line knows (after a crash). */
static void check_records(struct world *w, const struct record_batch *b, bool *present)
{
	struct record_iterator it;
	struct record r;
	enum status s;
	HOLDS(w, record_iterator_init(&it, b, 1 << 20) == STATUS_OK);
	while ((s = record_iterator_next(&it, &r)) == STATUS_OK) {
		uint64_t mark;
		HOLDS(w, r.key.n == 1 + sizeof(mark)); /* tombstones have no value: the mark is in a header's place, the key */
		memcpy(&mark, r.key.p + 1, sizeof(mark));
		HOLDS(w, mark == r.key.p[0]); /* the same bytes for the same key */
		HOLDS(w, r.headers.n > sizeof(mark) && r.header_count == 1);
		memcpy(&mark, r.headers.p + r.headers.n - sizeof(mark), sizeof(mark));
		size_t found = history_find(w, mark, r.offset);
		HOLDS(w, found > 0);
		const struct written *h = &w->history[found - 1];
		HOLDS(w, h->key == r.key.p[0] && h->tombstone == (r.value.p == NULL));
		HOLDS(w, r.timestamp == h->appended_us / 1000);
		HOLDS(w, r.offset >= w->flushed || line_at(w, r.offset) == h);
		line_set(w, r.offset, found);
		present[r.offset] = true;
	}
	HOLDS(w, s == STATUS_NOT_FOUND);
	record_iterator_fini(&it);
}

/* Reads all there is. */
static void check_log(struct world *w)
{
	enum { BATCH_MAX = 16 * 1024 };
	int64_t next = partition_log_start_offset(w->log), end = partition_log_end_offset(w->log), previous_last = -1;
	uint8_t *bytes = check_alloc(BATCH_MAX);
	bool *present = check_calloc((size_t)end + BATCH_RECORDS_MAX, sizeof(present[0]));
	int64_t last_batch[PRODUCERS] = {-1, -1, -1};
	while (next < end) {
		struct record_batch b;
		if (!read_batch(w, next, bytes, BATCH_MAX, &b))
			break;
		HOLDS(w, b.base_offset > previous_last && record_batch_last_offset(&b) >= next);
		HOLDS(w, record_batch_last_offset(&b) < end);
		previous_last = record_batch_last_offset(&b);
		if (b.producer_id >= 0) {
			HOLDS(w, b.producer_id < PRODUCERS && b.base_sequence == 0 && b.producer_epoch > 0);
			last_batch[b.producer_id] = previous_last;
		}
		check_records(w, &b, present);
		next = previous_last + 1;
	}
	HOLDS(w, next <= end && end >= w->flushed);
	int64_t last_written[PRODUCERS] = {-1, -1, -1};
	for (int64_t o = w->start; o < end; o++) {
		const struct written *r = line_at(w, o);
		if (!present[o] && !may_be_gone(w, o))
			(void)fprintf(stderr, "offset %lld key %u is missing; start %lld flushed %lld\n", (long long)o, r->key,
				(long long)w->start, (long long)w->flushed);
		HOLDS(w, present[o] || may_be_gone(w, o));
		if (!present[o] && o >= w->flushed) {
			line_set(w, o, 0); /* lost with what was not synced; what came back there is older */
			r = NULL;
		}
		if (r != NULL && r->producer >= 0 && o < w->flushed && !r->producer_excused)
			last_written[r->producer] = r->batch_last;
	}
	for (int i = 0; i < PRODUCERS; i++)
		HOLDS(w, last_batch[i] >= last_written[i]);
	free(present);
	free(bytes);
}

/* --- what can happen ----------------------------------------------------------------------------------------- */

static void add_record(struct world *w, struct record_batch_builder *builder, const struct written *r)
{
	uint8_t value[VALUE_MAX], key[1 + sizeof(uint64_t)] = {(uint8_t)r->key, (uint8_t)r->key};
	uint8_t mark[sizeof(r->mark)];
	memcpy(mark, &r->mark, sizeof(mark));
	memset(value, (int)dice(w, 256), sizeof(value));
	struct record_header h = {.key = slice_of_str("m"), .value = slice_of(mark, sizeof(mark))};
	struct slice v = r->tombstone ? slice_of(NULL, 0) : slice_of(value, 1 + dice(w, VALUE_MAX - 1));
	record_batch_builder_add(builder, r->appended_us / 1000, slice_of(key, sizeof(key)), v, &h, 1);
}

static void append(struct world *w)
{
	struct record_batch_builder *builder =
		record_batch_builder_new((enum compression_type)dice(w, COMPRESSION_COUNT), 0, 2048);
	int64_t end = partition_log_end_offset(w->log);
	int records = 1 + (int)dice(w, BATCH_RECORDS_MAX);
	struct slice bytes;
	struct record_batch b;
	struct log_append_info info;
	struct written r = {.batch_last = end + records - 1, .appended_us = w->clock.us};
	r.producer = dice(w, 3) == 0 ? (int64_t)dice(w, PRODUCERS) : -1;
	size_t first = w->count;
	for (int i = 0; i < records; i++) {
		r.mark = random_u64(&w->dice);
		r.offset = end + i;
		r.key = dice(w, KEYS);
		r.tombstone = dice(w, 6) == 0;
		add_record(w, builder, &r);
		(void)history_add(w, &r);
	}
	if (r.producer >= 0)
		record_batch_builder_set_producer(builder, r.producer, ++w->producer_epoch, 0); /* never out of order */
	HOLDS(w, record_batch_builder_finish(builder, &bytes) == STATUS_OK);
	HOLDS(w, record_batch_parse(bytes, &b) == STATUS_OK);
	enum status s = partition_log_append(w->log, &b, w->epoch, &info);
	record_batch_builder_free(builder);
	HOLDS(w, s == STATUS_OK || s == STATUS_IO || s == STATUS_NO_SPACE || s == STATUS_FENCED_LOG);
	for (int i = 0; s == STATUS_OK && i < records; i++)
		line_set(w, end + i, first + (size_t)i + 1);
}

static void compacted(void *arg, enum status s)
{
	struct world *w = arg;
	w->compactions += s == STATUS_OK;
}

static void compact(struct world *w)
{
	double ratio;
	struct log_compaction_limits limits = {
		.map_bytes = 24 * (16 + dice(w, 40)),
		.map_load_factor = 0.9,
		.bytes_per_second = dice(w, 3) == 0 ? 100 * 1000 : 0,
	};
	if (partition_log_compaction_due(w->log, w->high_watermark, &ratio)) {
		HOLDS(w, ratio > 0);
		partition_log_compact(w->log, w->high_watermark, &limits, compacted, w);
	}
}

/* Everything from cut on may go, but has been there. */
static void excuse(struct world *w, int64_t cut, int64_t end)
{
	for (int64_t o = 0; o < end; o++) {
		size_t i = (size_t)o < w->line_capacity ? w->line[o] : 0;
		for (int64_t later = o < cut ? cut : o + 1; i > 0 && later < end; later++) {
			const struct written *l = line_at(w, later);
			struct written *r = &w->history[i - 1];
			r->excused = r->excused || (l != NULL && l->key == r->key);
			r->producer_excused = r->producer_excused || (l != NULL && l->producer == r->producer);
		}
	}
}

static void truncate(struct world *w)
{
	int64_t end = partition_log_end_offset(w->log), start = partition_log_start_offset(w->log);
	int64_t from = dice(w, 3) > 0 && w->high_watermark > start ? w->high_watermark : start;
	int64_t to = from + (int64_t)random_below(&w->dice, (uint64_t)(end - from + 1));
	struct world before = *w;
	/* The promise ends where a truncation begins, whether it works or not. */
	w->flushed = w->high_watermark = 0;
	w->start = end;
	w->epoch++;
	enum status s = dice(w, 8) == 0 ? partition_log_truncate_fully(w->log, end + dice(w, 10)) : partition_log_truncate(w->log, to);
	excuse(w, s == STATUS_OK ? partition_log_end_offset(w->log) : 0, end);
	if (s != STATUS_OK && s != STATUS_NO_SPACE)
		return; /* half done: the log is fenced, and perhaps empty after the restart */
	w->flushed = before.flushed;
	w->high_watermark = before.high_watermark;
	w->start = before.start;
	if (s != STATUS_OK)
		return; /* nothing has happened */
	end = partition_log_end_offset(w->log); /* a gap before the cut goes with it */
	w->flushed = w->flushed < end ? w->flushed : end;
	w->high_watermark = w->high_watermark < end ? w->high_watermark : end;
	w->start = w->start < end ? w->start : end;
	if (partition_log_start_offset(w->log) == end) {
		w->start = w->restart = end;
		w->flushed = 0;
		w->high_watermark = end;
	}
	line_cut(w, end);
}

static void delete_from_start(struct world *w)
{
	int64_t start = partition_log_start_offset(w->log);
	if (w->high_watermark <= start)
		return;
	int64_t to = start + (int64_t)random_below(&w->dice, (uint64_t)(w->high_watermark - start + 1));
	if (partition_log_set_start_offset(w->log, to) == STATUS_OK && to > w->start)
		w->start = to;
	(void)partition_log_apply_retention(w->log, w->high_watermark);
}

static void checkpoint(struct world *w)
{
	if (w->powered || w->broken)
		return;
	w->checkpoint = partition_log_recovery_point(w->log, w->high_watermark);
	w->start_checkpoint = partition_log_start_offset(w->log);
	w->cleaner_checkpoint = partition_log_cleaner_offset(w->log);
}

static void do_step(struct world *w)
{
	unsigned what = dice(w, 100);
	if (what < 45)
		append(w);
	else if (what < 55)
		partition_log_flush(w->log);
	else if (what < 75)
		(void)manual_scheduler_step(w->scheduler);
	else if (what < 80)
		(void)manual_scheduler_run(w->scheduler);
	else if (what < 88)
		compact(w);
	else if (what < 91)
		manual_scheduler_advance_us(w->scheduler, (int64_t)(1 + dice(w, 1500)) * 1000);
	else if (what < 94)
		checkpoint(w);
	else if (what < 95)
		delete_from_start(w);
	else if (what < 96)
		truncate(w);
	else if (what < 97 && !w->powered && !w->broken)
		check_log(w);
	else if (what < 98 && !w->powered && dice(w, 3) == 0) {
		sim_disk_power_off(w->disk, 1 + dice(w, 60));
		w->powered = true;
	} else if (what < 99 && dice(w, 20) == 0) {
		sim_disk_set_capacity(w->disk, dice(w, 2) == 0 ? sim_disk_used_bytes(w->disk) + dice(w, 3000) : INT64_MAX);
	}
	if (!w->powered && !w->broken && w->flushed > w->high_watermark && dice(w, 2) == 0)
		w->high_watermark += (int64_t)random_below(&w->dice, (uint64_t)(w->flushed - w->high_watermark + 1));
}

/* --- stopping and starting ----------------------------------------------------------------------------------- */

static void open_log(struct world *w, bool clean)
{
	struct failure failure = {0};
	struct log_environment env = {
		.disk = sim_disk_disk(w->disk),
		.clock = &w->clock.clock,
		.background = manual_scheduler_background(w->scheduler),
	};
	struct log_open_options o = {
		.directory = "/d/t-0",
		.settings = &w->settings,
		.clean = clean,
		.recovery_point = w->checkpoint,
		.log_start_offset = w->start_checkpoint,
		.cleaner_offset = w->cleaner_checkpoint,
	};
	HOLDS(w, topic_partition_set(&o.tp, slice_of_str("t"), 0) == STATUS_OK);
	enum status s = partition_log_open(&env, &o, &w->log, &failure);
	if (s != STATUS_OK)
		(void)fprintf(stderr, "%s: %s\n", status_name(s), failure.text);
	HOLDS(w, s == STATUS_OK);
	partition_log_adopt(w->log, manual_scheduler_scheduler(w->scheduler));
	partition_log_on_flushed(w->log, flushed, w);
	w->powered = w->broken = false;
	w->restart = -1;
	check_log(w);
	line_cut(w, partition_log_end_offset(w->log));
	w->epoch++;
	HOLDS(w, partition_log_start_leader_epoch(w->log, w->epoch) == STATUS_OK);
}

static void stop(struct world *w)
{
	bool clean = !w->powered && !w->broken && dice(w, 4) == 0;
	if (clean) {
		sim_disk_set_capacity(w->disk, INT64_MAX);
		sim_disk_disarm(w->disk);
	} else {
		sim_disk_power_off(w->disk, 1);
	}
	int64_t end = partition_log_end_offset(w->log);
	w->quarantines += partition_log_is_uncleanable(w->log);
	partition_log_close(w->log, clean, closed, w);
	(void)manual_scheduler_run(w->scheduler);
	HOLDS(w, w->log == NULL);
	manual_scheduler_drop_all(w->scheduler);
	if (clean && w->closed == STATUS_OK)
		w->checkpoint = w->flushed = end;
	sim_disk_crash(w->disk);
	sim_disk_set_capacity(w->disk, INT64_MAX);
	w->crashes++;
	open_log(w, clean && w->closed == STATUS_OK);
}

static void run_seed(uint64_t seed, unsigned steps, struct world *totals)
{
	struct world w = {.seed = seed, .start_checkpoint = -1};
	random_seed(&w.dice, seed);
	manual_clock_init(&w.clock, 1000000, (int64_t)START_WALL_MS * 1000);
	w.scheduler = manual_scheduler_new(&w.clock);
	w.disk = sim_disk_new(seed, &w.clock.clock);
	fixture_topic_settings(&w.settings);
	w.settings.cleanup_policy = CLEANUP_compact;
	w.settings.delete_retention_ms = DELETE_RETENTION_MS;
	w.settings.max_compaction_lag_ms = dice(&w, 2) == 0 ? INT64_MAX : 2000;
	w.settings.min_cleanable_dirty_ratio = dice(&w, 2) == 0 ? 0.01 : 0.5;
	w.settings.segment_bytes = 1500 + (int32_t)dice(&w, 4000);
	w.settings.index_interval_bytes = (int32_t)dice(&w, 500);
	w.settings.file_delete_delay_ms = dice(&w, 1000);
	sim_disk_prepare_directory(w.disk, "/d/t-0");
	open_log(&w, false);
	for (w.step = 0; w.step < steps; w.step++) {
		do_step(&w);
		if ((w.powered || w.broken) && dice(&w, 8) == 0)
			stop(&w);
		else if (dice(&w, 250) == 0)
			stop(&w);
	}
	stop(&w);
	partition_log_close(w.log, false, closed, &w);
	(void)manual_scheduler_run(w.scheduler);
	totals->compactions += w.compactions;
	totals->crashes += w.crashes;
	totals->quarantines += w.quarantines;
	manual_scheduler_free(w.scheduler);
	sim_disk_free(w.disk);
	free(w.history);
	free(w.line);
}

static void drop_line(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

static uint64_t number(const char *text)
{
	int64_t n;
	if (text == NULL || bytes_parse_i64(slice_of_str(text), &n) != STATUS_OK || n < 0) {
		(void)fprintf(stderr, "usage: test_compaction_loss [--seed N] [--seeds N] [--steps N]\n");
		exit(64);
	}
	return (uint64_t)n;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, seeds = 150, steps = 800;
	struct world totals = {0};
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--seed") == 0) {
			seed = number(value);
			seeds = 1;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			seeds = number(value);
		} else if (strcmp(argv[i], "--steps") == 0) {
			steps = number(value);
		} else {
			(void)number(NULL);
		}
	}
	if (seeds > 1 || getenv("CORREIO_TRACE") == NULL)
		diag_set_sink(drop_line, NULL);
	for (uint64_t s = seed; s < seed + seeds; s++)
		run_seed(s, (unsigned)steps, &totals);
	printf("test_compaction_loss: %llu seeds, %llu steps each, %u compactions, %u crashes: only superseded records are gone\n",
		(unsigned long long)seeds, (unsigned long long)steps, totals.compactions, totals.crashes);
	/* A run that compacts nothing, or gives logs up, proves nothing. */
	return seeds == 1 || (totals.compactions > 0 && totals.quarantines * 20 <= totals.crashes) ? EXIT_SUCCESS : EXIT_FAILURE;
}

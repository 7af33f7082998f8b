/* A partition log on a disk that forgets: random appends, flushes, rolls, truncations, retention and checkpoints, then power
 * loss in the middle of them, and again. After each restart
 * - everything below the flushed offset is there, bit for bit (what `commit` acknowledges);
 * - the rest is a stretch of what was really appended, each batch behind the one it was appended behind;
 * - with `background`, nothing older than flush.ms was waiting for its flush;
 * - of each idempotent producer is known what the log says: its last batch sent again is found there, one too early refused.
 * Usage: test_power_loss [--seed N] [--seeds N] [--steps N]; a failure prints the seed. */
#include "storage/partition_log.h"
#include "tests/simulation/sim_disk.h"
#include "tests/unit/log_fixture.h"
#include "base/diag.h"

enum { DIRECTORY_WALL_MS = 1700000000, FLUSH_MS = 1000, VALUE_MAX = 600, PRODUCERS = 4 };

/* One batch ever appended. */
struct batch {
	int64_t base, last;
	uint32_t crc;
	int32_t epoch;
	int64_t parent; /* index of the batch before it; -1: none */
	int64_t appended_us;
	int64_t producer; /* -1 none */
	int32_t sequence;
	int16_t producer_epoch;
};
struct world {
	uint64_t seed;
	unsigned step;
	enum flush_policy policy;
	struct random dice;
	struct manual_clock clock;
	struct manual_scheduler *scheduler;
	struct sim_disk *disk;
	struct topic_settings settings;
	struct partition_log *log;
	struct batch *history;
	size_t history_count, history_capacity;
	int64_t *line; /* the present log: indexes into history */
	size_t line_count, line_capacity;
	int64_t flushed;        /* promised */
	int64_t high_watermark; /* <= flushed; truncation stays above it, but for an unclean election */
	int64_t start;          /* what retention and truncation left; older records may be there or not */
	int64_t checkpoint;     /* the recovery point on disk */
	int64_t checkpoint_next; /* taken, being written; -1 none */
	int64_t restart;        /* of the last full truncation; -1 none since the start */
	int32_t epoch;
	int16_t producer_epoch;
	size_t cached_from;     /* of history: what producers wrote since is known batch by batch */
	bool powered, broken;
	enum status closed;
	unsigned crashes;
};

#define HOLDS(w, cond)                                                                                                 \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			(void)fprintf(stderr, "test_power_loss: seed %llu step %u (%s): %s\n",                         \
				(unsigned long long)(w)->seed, (w)->step,                                              \
				(w)->policy == FLUSH_commit ? "commit" : "background", #cond);                         \
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

static const struct batch *line_batch(const struct world *w, size_t i)
{
	return &w->history[w->line[i]];
}

static void line_push(struct world *w, int64_t index)
{
	if (w->line_count == w->line_capacity) {
		w->line_capacity = w->line_capacity == 0 ? 64 : w->line_capacity * 2;
		w->line = check_realloc(w->line, w->line_capacity * sizeof(w->line[0]));
	}
	w->line[w->line_count++] = index;
}

static int64_t history_push(struct world *w, const struct batch *b)
{
	if (w->history_count == w->history_capacity) {
		w->history_capacity = w->history_capacity == 0 ? 64 : w->history_capacity * 2;
		w->history = check_realloc(w->history, w->history_capacity * sizeof(w->history[0]));
	}
	w->history[w->history_count] = *b;
	return (int64_t)w->history_count++;
}

static void model_truncate(struct world *w, int64_t end)
{
	while (w->line_count > 0 && line_batch(w, w->line_count - 1)->last >= end)
		w->line_count--;
	w->flushed = w->flushed < end ? w->flushed : end;
	w->high_watermark = w->high_watermark < end ? w->high_watermark : end;
	w->start = w->start < end ? w->start : end;
}

/* The batch in history with these bytes' offset and checksum. */
static int64_t history_find(const struct world *w, const struct record_batch *b)
{
	for (size_t i = w->history_count; i-- > 0;) {
		const struct batch *h = &w->history[i];
		if (h->base == b->base_offset && h->crc == b->crc && h->last == record_batch_last_offset(b) &&
			h->epoch == b->leader_epoch)
			return (int64_t)i;
	}
	return -1;
}

/* The producer's nth last batch in the present log; -1: none. */
static int64_t line_producer(const struct world *w, int64_t producer, unsigned nth)
{
	for (size_t i = w->line_count; i-- > 0;) {
		if (line_batch(w, i)->producer == producer && nth-- == 0)
			return w->line[i];
	}
	return -1;
}

/* --- producers ----------------------------------------------------------------------------------------------- */

static enum status send_batch(struct world *w, const struct batch *h, struct log_append_info *ret_info, uint32_t *ret_crc)
{
	struct record_batch_builder *builder = record_batch_builder_new(COMPRESSION_none, 0, 1024);
	uint8_t value[VALUE_MAX];
	struct slice bytes;
	struct record_batch b;
	for (int64_t i = h->base; i <= h->last; i++) {
		uint64_t mark = random_u64(&w->dice);
		size_t n = sizeof(mark) + dice(w, VALUE_MAX - sizeof(mark));
		memset(value, (int)dice(w, 256), sizeof(value));
		memcpy(value, &mark, sizeof(mark));
		record_batch_builder_add(builder, clock_wall_ms(&w->clock.clock) - dice(w, 5000), slice_of(NULL, 0),
			slice_of(value, n), NULL, 0);
	}
	if (h->producer >= 0)
		record_batch_builder_set_producer(builder, h->producer, h->producer_epoch, h->sequence);
	HOLDS(w, record_batch_builder_finish(builder, &bytes) == STATUS_OK);
	HOLDS(w, record_batch_parse(bytes, &b) == STATUS_OK);
	*ret_crc = b.crc;
	enum status s = partition_log_append(w->log, &b, w->epoch, ret_info);
	record_batch_builder_free(builder);
	return s;
}

/* A batch that is in the log already, and one that comes too early. */
static void send_again(struct world *w, int64_t producer, unsigned nth)
{
	struct log_append_info info;
	uint32_t crc;
	int64_t last = line_producer(w, producer, 0), at = line_producer(w, producer, nth), end = partition_log_end_offset(w->log);
	if (at < 0 || partition_log_is_fenced(w->log) || w->history[at].producer_epoch != w->history[last].producer_epoch)
		return;
	const struct batch *h = &w->history[at];
	HOLDS(w, send_batch(w, h, &info, &crc) == STATUS_OK && info.duplicate);
	HOLDS(w, info.base_offset == h->base && info.last_offset == h->last);
	struct batch early = w->history[last];
	early.sequence += (int32_t)(early.last - early.base) + 2;
	HOLDS(w, send_batch(w, &early, &info, &crc) == STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER);
	HOLDS(w, partition_log_end_offset(w->log) == end);
}

/* What the log knows of its producers is what its batches say; of others it may know what was in segments now gone. */
static void check_producers(struct world *w)
{
	if (partition_log_is_fenced(w->log))
		return;
	const struct producer_state *s = partition_log_producers(w->log);
	struct producer_info *list = producer_state_list(s);
	size_t known = 0;
	int64_t start = w->line_count > 0 ? line_batch(w, 0)->base : partition_log_end_offset(w->log);
	if (start < partition_log_start_offset(w->log))
		start = partition_log_start_offset(w->log);
	for (int64_t id = 0; id < PRODUCERS; id++) {
		int64_t at = line_producer(w, id, 0);
		const struct producer_info *info = NULL;
		for (size_t i = 0; i < producer_state_count(s); i++)
			info = list[i].producer_id == id ? &list[i] : info;
		known += info != NULL;
		if (at < 0 || w->history[at].base < partition_log_start_offset(w->log)) {
			HOLDS(w, info == NULL || info->last_offset < start);
			continue;
		}
		const struct batch *h = &w->history[at];
		if (info == NULL || info->last_offset != h->last)
			(void)fprintf(stderr, "producer %lld: the log's last batch ends at %lld, known is %lld\n", (long long)id,
				(long long)h->last, info == NULL ? -1LL : (long long)info->last_offset);
		HOLDS(w, info != NULL && info->last_offset == h->last && info->epoch == h->producer_epoch &&
			info->last_sequence == h->sequence + (int32_t)(h->last - h->base));
		send_again(w, id, 0);
	}
	HOLDS(w, known == producer_state_count(s));
	free(list);
}

/* --- reading back -------------------------------------------------------------------------------------------- */

static void read_one(struct world *w, int64_t offset, uint8_t *bytes, size_t size, struct record_batch *ret_batch)
{
	struct iobuf out;
	size_t n;
	iobuf_init(&out);
	HOLDS(w, partition_log_read(w->log, offset, INT64_MAX, 1, true, &out, &n) == STATUS_OK && n > 0 && n <= size);
	const struct iobuf_fragment *g = iobuf_peek_file(&out);
	HOLDS(w, g != NULL && g->n == n);
	HOLDS(w, disk_file_pread_all(CONTAINER_OF(g->file, struct disk_file, shared), bytes, n, g->position) == STATUS_OK);
	iobuf_fini(&out);
	HOLDS(w, record_batch_parse(slice_of(bytes, n), ret_batch) == STATUS_OK && ret_batch->data.n == n);
	HOLDS(w, record_batch_check_crc(ret_batch) == STATUS_OK);
}

/* After a restart: the log becomes the model's present line. */
static void check_reopened(struct world *w)
{
	enum { BATCH_MAX = 16 * 1024 };
	uint8_t *bytes = check_alloc(BATCH_MAX);
	int64_t next = partition_log_start_offset(w->log), end = partition_log_end_offset(w->log), previous = -1;
	size_t old_count = w->line_count, matched = 0;
	int64_t *old = w->line;
	w->line = NULL;
	w->line_count = w->line_capacity = 0;
	if (end < w->flushed)
		(void)fprintf(stderr, "the log holds %lld to %lld; promised were %lld to %lld, checkpointed %lld\n", (long long)next,
			(long long)end, (long long)w->start, (long long)w->flushed, (long long)w->checkpoint);
	HOLDS(w, end >= w->flushed);
	while (next < end) {
		struct record_batch b;
		read_one(w, next, bytes, BATCH_MAX, &b);
		int64_t found = history_find(w, &b);
		HOLDS(w, found >= 0);
		const struct batch *h = &w->history[found];
		/* Of segments that retention removed, some may be back. */
		HOLDS(w, h->base == next || (h->base > next && h->base <= w->start));
		HOLDS(w, previous < 0 || h->parent == previous || h->base <= w->start);
		for (; matched < old_count && w->history[old[matched]].base < h->base; matched++)
			HOLDS(w, w->history[old[matched]].last < w->start || w->history[old[matched]].base >= w->flushed);
		if (h->base < w->flushed && h->base >= w->start)
			HOLDS(w, matched < old_count && old[matched] == found);
		if (matched < old_count && old[matched] == found)
			matched++;
		line_push(w, found);
		previous = found;
		next = h->last + 1;
	}
	HOLDS(w, next == end);
	for (; matched < old_count; matched++)
		HOLDS(w, w->history[old[matched]].last < w->start || w->history[old[matched]].base >= w->flushed);
	free(old);
	free(bytes);
}

/* --- what can happen ----------------------------------------------------------------------------------------- */

static void power_goes(struct world *w)
{
	if (w->powered)
		return;
	/* Everything fails from now on; what was promised was promised before. */
	sim_disk_power_off(w->disk, 1 + dice(w, 12));
	w->powered = true;
}

/* Who sends the next batch, and with which sequence. */
static void choose_producer(struct world *w, struct batch *h)
{
	h->producer = (int64_t)dice(w, PRODUCERS + 2) - 2;
	if (h->producer < 0) {
		h->producer = -1;
		return;
	}
	int64_t at = line_producer(w, h->producer, 0);
	if (at < 0 || dice(w, 20) == 0) {
		h->producer_epoch = ++w->producer_epoch;
		h->sequence = 0;
		return;
	}
	const struct batch *last = &w->history[at];
	h->producer_epoch = last->producer_epoch;
	h->sequence = last->sequence + (int32_t)(last->last - last->base) + 1;
}

static void append(struct world *w)
{
	struct log_append_info info;
	int64_t end = partition_log_end_offset(w->log);
	struct batch h = {.base = end, .last = end + dice(w, 4), .epoch = w->epoch,
		.parent = w->line_count > 0 ? w->line[w->line_count - 1] : -1, .appended_us = w->clock.us};
	choose_producer(w, &h);
	enum status s = send_batch(w, &h, &info, &h.crc);
	int64_t index = history_push(w, &h); /* a failed append may still reach the disk */
	if (s == STATUS_OK) {
		HOLDS(w, info.base_offset == end && info.last_offset == h.last && !info.duplicate);
		line_push(w, index);
	} else {
		HOLDS(w, s != STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER && s != STATUS_INVALID_PRODUCER_EPOCH);
		HOLDS(w, partition_log_end_offset(w->log) == end);
	}
}

static void send_some_again(struct world *w)
{
	int64_t producer = dice(w, PRODUCERS);
	unsigned nth = dice(w, PRODUCER_STATE_BATCHES);
	int64_t at = line_producer(w, producer, nth);
	if (at >= 0 && (size_t)at >= w->cached_from)
		send_again(w, producer, nth);
}

static void truncate(struct world *w)
{
	int64_t end = partition_log_end_offset(w->log), start = partition_log_start_offset(w->log);
	bool unclean = dice(w, 4) == 0;
	int64_t from = unclean || w->high_watermark < start ? start : w->high_watermark;
	int64_t to = from + (int64_t)random_below(&w->dice, (uint64_t)(end - from + 1));
	/* The promise ends where a truncation begins, whether it works or not. */
	int64_t cut = to;
	for (size_t i = 0; i < w->line_count; i++) {
		if (line_batch(w, i)->base < to && line_batch(w, i)->last >= to)
			cut = line_batch(w, i)->base;
	}
	w->epoch++;
	if (dice(w, 10) == 0) {
		int64_t at = dice(w, 2) == 0 ? end + dice(w, 100) : start + dice(w, 20);
		/* A follower far out of its leader's range: nothing it has counts any more. */
		struct world before = *w;
		w->flushed = w->high_watermark = 0;
		w->start = end > at ? end : at;
		enum status s = partition_log_truncate_fully(w->log, at);
		if (s == STATUS_OK) {
			w->line_count = 0;
			w->start = w->restart = at;
			check_producers(w);
		} else if (s == STATUS_NO_SPACE) { /* nothing has happened */
			w->flushed = before.flushed;
			w->high_watermark = before.high_watermark;
			w->start = before.start;
		} else {
			w->broken = true; /* where it begins, the next start tells */
		}
		return;
	}
	int64_t flushed_before = w->flushed, start_before = w->start;
	w->flushed = w->flushed < cut ? w->flushed : cut;
	w->start = w->start < cut ? w->start : cut;
	enum status s = partition_log_truncate(w->log, to);
	if (s == STATUS_OK) {
		model_truncate(w, cut);
		HOLDS(w, partition_log_end_offset(w->log) == cut);
		w->cached_from = w->history_count;
		check_producers(w);
	} else if (s == STATUS_NO_SPACE) {
		w->flushed = flushed_before; /* nothing has happened */
		w->start = start_before;
		HOLDS(w, partition_log_end_offset(w->log) == end);
	} else {
		w->high_watermark = w->high_watermark < cut ? w->high_watermark : cut;
	}
}

static void retention(struct world *w)
{
	w->settings.retention_bytes = (int64_t)dice(w, 20000);
	partition_log_update_settings(w->log, &w->settings);
	(void)partition_log_apply_retention(w->log, w->high_watermark);
	if (partition_log_start_offset(w->log) > w->start)
		w->start = partition_log_start_offset(w->log);
}

static void checkpoint(struct world *w)
{
	if (w->powered || w->broken)
		return;
	if (w->checkpoint_next >= 0)
		w->checkpoint = w->checkpoint_next;
	w->checkpoint_next = dice(w, 3) == 0 ? -1 : partition_log_recovery_point(w->log, w->high_watermark);
	HOLDS(w, w->checkpoint_next <= w->flushed);
}

static void time_passes(struct world *w)
{
	manual_scheduler_advance_us(w->scheduler, (int64_t)(1 + dice(w, 1500)) * 1000);
	(void)manual_scheduler_run(w->scheduler);
	if (w->powered || w->broken)
		return;
	/* The window of `background`. */
	for (size_t i = 0; i < w->line_count; i++) {
		const struct batch *b = line_batch(w, i);
		HOLDS(w, b->last < w->flushed || w->clock.us - b->appended_us <= (FLUSH_MS + 1) * 1000);
	}
}

static void check_read(struct world *w)
{
	uint8_t bytes[4096];
	struct record_batch b;
	int64_t start = partition_log_start_offset(w->log);
	if (w->line_count == 0 || w->powered || w->broken)
		return;
	const struct batch *h = line_batch(w, dice(w, (unsigned)w->line_count));
	if (h->base < start)
		return;
	read_one(w, h->base, bytes, sizeof(bytes), &b);
	HOLDS(w, b.base_offset == h->base && b.crc == h->crc);
}

static void do_step(struct world *w)
{
	unsigned what = dice(w, 100);
	if (what < 52)
		append(w);
	else if (what < 55)
		send_some_again(w);
	else if (what < 68)
		partition_log_flush(w->log);
	else if (what < 76)
		(void)manual_scheduler_step(w->scheduler);
	else if (what < 80)
		(void)manual_scheduler_run(w->scheduler);
	else if (what < 84)
		time_passes(w);
	else if (what < 88)
		check_read(w);
	else if (what < 91)
		checkpoint(w);
	else if (what < 93)
		retention(w);
	else if (what < 95)
		truncate(w);
	else if (what < 96)
		sim_disk_set_capacity(w->disk, dice(w, 2) == 0 ? sim_disk_used_bytes(w->disk) + dice(w, 3000) : INT64_MAX);
	else if (what < 97 && dice(w, 10) == 0)
		sim_disk_fail(w->disk, SIM_DISK_FDATASYNC, 1 + dice(w, 3), STATUS_IO);
	else if (what < 98)
		power_goes(w);
	if (!w->powered && !w->broken && w->flushed > w->high_watermark && dice(w, 3) == 0)
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
		.log_start_offset = -1,
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
	check_reopened(w);
	w->cached_from = w->history_count;
	check_producers(w);
	/* What is there now is what there is: a new leader begins a new epoch on it. */
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
	partition_log_close(w->log, clean, closed, w);
	(void)manual_scheduler_run(w->scheduler);
	HOLDS(w, w->log == NULL);
	manual_scheduler_drop_all(w->scheduler);
	/* A log that could not be closed well is recovered, whatever the marker of its directory says. */
	if (clean && w->closed == STATUS_OK)
		w->checkpoint = w->flushed = end;
	else if (w->checkpoint_next >= 0 && dice(w, 2) == 0)
		w->checkpoint = w->checkpoint_next; /* it was on its way */
	w->checkpoint_next = -1;
	sim_disk_crash(w->disk);
	sim_disk_set_capacity(w->disk, INT64_MAX);
	w->crashes++;
	open_log(w, clean);
}

static void run_seed(uint64_t seed, enum flush_policy policy, unsigned steps)
{
	struct world w = {.seed = seed, .policy = policy, .checkpoint_next = -1};
	random_seed(&w.dice, seed);
	manual_clock_init(&w.clock, 1000000, (int64_t)DIRECTORY_WALL_MS * 1000);
	w.scheduler = manual_scheduler_new(&w.clock);
	w.disk = sim_disk_new(seed, &w.clock.clock);
	fixture_topic_settings(&w.settings);
	w.settings.log_flush_policy = policy;
	w.settings.flush_ms = FLUSH_MS;
	w.settings.segment_bytes = 4000 + (int32_t)dice(&w, 12000);
	w.settings.index_interval_bytes = (int32_t)dice(&w, 2000);
	w.settings.retention_ms = -1;
	sim_disk_prepare_directory(w.disk, "/d/t-0");
	open_log(&w, false);
	for (w.step = 0; w.step < steps; w.step++) {
		do_step(&w);
		if ((w.powered || w.broken) && dice(&w, 8) == 0)
			stop(&w);
		else if (dice(&w, 200) == 0)
			stop(&w);
	}
	stop(&w);
	partition_log_close(w.log, false, closed, &w);
	(void)manual_scheduler_run(w.scheduler);
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
		(void)fprintf(stderr, "usage: test_power_loss [--seed N] [--seeds N] [--steps N]\n");
		exit(64);
	}
	return (uint64_t)n;
}

int main(int argc, char **argv)
{
	uint64_t seed = 1, seeds = 200, steps = 400;
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
	for (uint64_t s = seed; s < seed + seeds; s++) {
		run_seed(s, FLUSH_commit, (unsigned)steps);
		run_seed(s, FLUSH_background, (unsigned)steps);
	}
	printf("test_power_loss: %llu seeds, %llu steps each, both policies: nothing lost\n", (unsigned long long)seeds,
		(unsigned long long)steps);
	return EXIT_SUCCESS;
}

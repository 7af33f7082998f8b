/* Directories written by Kafka 3.9.1 open with every batch they hold. Runs where CORREIO_FIXTURES names the directory with
 * log-dirs.tar.gz, log-dirs-crash.tar.gz and expected/batches.txt.gz; passes without doing anything elsewhere. */
#include "storage/log_manager.h"
#include "tests/unit/log_fixture.h"
#include "tests/unit/unit.h"

struct image {
	struct log_fixture base;
	struct settings settings;
	char list[256];
	struct log_manager *manager;
	bool loaded;
	unsigned logs, batches, producers;
	const char *broker;
};

static void topic_settings(void *arg, const char *topic, struct topic_settings *ret)
{
	struct image *im = arg;
	(void)topic;
	*ret = im->base.settings;
}

static void loaded(void *arg, enum status s)
{
	struct image *im = arg;
	im->loaded = s == STATUS_OK;
}

static void image_open(struct image *im, const char *archive, const char *broker, const char *dirs)
{
	char command[512];
	memset(im, 0, sizeof(*im));
	fixture_init(&im->base);
	(void)snprintf(command, sizeof(command), "tar xzf '%s/%s' -C %s", getenv("CORREIO_FIXTURES"), archive, im->base.root);
	ck_assert_int_eq(system(command), 0);
	size_t at = 0;
	for (const char *p = dirs; *p != '\0';) {
		size_t n = strcspn(p, ",");
		at += (size_t)snprintf(im->list + at, sizeof(im->list) - at, "%s/%s/%.*s,", im->base.root, broker, (int)n, p);
		p += n + (p[n] == ',');
	}
	im->broker = broker;
	im->settings.log_dirs = im->list;
	im->settings.broker_id = -1;
	im->settings.num_recovery_threads_per_data_dir = 1;
	im->settings.topic_defaults = im->base.settings;
	struct log_manager_options o = {
		.disk = disk_system(),
		.clock = &im->base.clock.clock,
		.background = manual_scheduler_background(im->base.scheduler),
		.scheduler = manual_scheduler_scheduler(im->base.scheduler),
		.settings = &im->settings,
		.topic_settings = topic_settings,
		.arg = im,
	};
	struct failure failure;
	ck_assert_msg(log_manager_open(&o, &im->manager, &failure) == STATUS_OK, "%s", failure.text);
	log_manager_load(im->manager, loaded, im);
	fixture_run(&im->base);
	ck_assert(im->loaded);
}

static void check_batch(struct image *im, int64_t base, int64_t last, int64_t size, uint32_t crc)
{
	struct log_batch_line {
		int64_t start, end;
	} log = {partition_log_start_offset(im->base.log), partition_log_end_offset(im->base.log)};
	ck_assert_int_lt(last, log.end);
	if (last < log.start)
		return;
	size_t n;
	uint8_t *p = fixture_read(&im->base, base > log.start ? base : log.start, log.end, 1, true, &n);
	ck_assert_int_eq((int64_t)n, size);
	ck_assert_int_eq(bytes_get_i64(p), base);
	ck_assert_uint_eq(bytes_get_u32(p + 17), crc);
	free(p);
	p = fixture_read(&im->base, last, log.end, 1, true, &n);
	ck_assert_int_eq((int64_t)n, size);
	ck_assert_int_eq(bytes_get_i64(p), base);
	free(p);
	im->batches++;
}

static int64_t number_after(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	ck_assert_ptr_nonnull(at);
	return strtoll(at + strlen(word), NULL, 10);
}

/* "Dumping ./broker-1/data/t-0/00000000000000000000.log": the log of that partition, if it is this broker's. */
static bool take_file(struct image *im, char *line, const char *skip)
{
	char *slash = strrchr(line, '/');
	*slash = '\0';
	char *name = strrchr(line, '/') + 1;
	im->base.log = NULL;
	if (strstr(line, im->broker) == NULL || (skip != NULL && strncmp(name, skip, strlen(skip)) == 0))
		return true;
	struct topic_partition tp;
	int64_t hw;
	if (topic_partition_parse(slice_of_str(name), &tp) != STATUS_OK)
		return true; /* a deleted one */
	im->base.log = log_manager_find(im->manager, &tp, &hw);
	ck_assert_msg(im->base.log != NULL, "%s", name);
	ck_assert_int_le(hw, partition_log_end_offset(im->base.log));
	im->logs++;
	return true;
}

/* A batch of an idempotent producer: the log knows of it, or of a later one. */
static void check_producer(struct image *im, const char *line, int64_t last)
{
	const struct producer_state *s = partition_log_producers(im->base.log);
	int64_t id = number_after(line, "producerId: "), epoch = number_after(line, "producerEpoch: ");
	if (id < 0 || strstr(line, "isControl: true") != NULL || last < partition_log_start_offset(im->base.log))
		return;
	struct producer_info *list = producer_state_list(s);
	size_t at = 0;
	while (at < producer_state_count(s) && list[at].producer_id != id)
		at++;
	ck_assert_msg(at < producer_state_count(s), "producer %lld is not known", (long long)id);
	ck_assert_int_ge(list[at].epoch, epoch);
	ck_assert(list[at].epoch > epoch || list[at].last_offset >= last);
	if (list[at].last_offset == last) {
		ck_assert_int_eq(list[at].last_sequence, number_after(line, "lastSequence: "));
		im->producers++;
	}
	free(list);
}

static void check_batches(struct image *im, const char *skip)
{
	char command[512], line[2048];
	(void)snprintf(command, sizeof(command), "zcat '%s/expected/batches.txt.gz'", getenv("CORREIO_FIXTURES"));
	FILE *in = popen(command, "r");
	ck_assert_ptr_nonnull(in);
	int64_t end = 0;
	while (fgets(line, sizeof(line), in) != NULL) {
		if (strncmp(line, "Dumping ", 8) == 0) {
			if (im->base.log != NULL)
				ck_assert_int_ge(partition_log_end_offset(im->base.log), end);
			ck_assert(take_file(im, line, skip));
		} else if (strncmp(line, "baseOffset: ", 12) == 0 && im->base.log != NULL) {
			end = number_after(line, "lastOffset: ") + 1;
			check_batch(im, number_after(line, "baseOffset: "), end - 1, number_after(line, " size: "),
				(uint32_t)number_after(line, " crc: "));
			check_producer(im, line, end - 1);
		}
	}
	(void)pclose(in);
	im->base.log = NULL;
}

static void close_one(void *arg, const struct topic_partition *tp, struct partition_log *log)
{
	struct image *im = arg;
	int64_t hw;
	im->base.log = log;
	(void)log_manager_find(im->manager, tp, &hw);
	partition_log_adopt(log, manual_scheduler_scheduler(im->base.scheduler));
	fixture_close(&im->base, true);
	ck_assert_int_eq(im->base.closed, STATUS_OK);
}

static void run(const char *archive, const char *broker, const char *dirs, unsigned logs_min, const char *skip)
{
	struct image im;
	image_open(&im, archive, broker, dirs);
	check_batches(&im, skip);
	ck_assert_uint_ge(im.logs, logs_min);
	ck_assert_uint_ge(im.batches, logs_min);
	ck_assert_uint_ge(im.producers, 3);
	log_manager_each(im.manager, close_one, &im);
	ck_assert_int_eq(log_manager_close_clean(im.manager, NULL, 0), STATUS_OK);
	fixture_run(&im.base);
	if (getenv("CORREIO_KEEP") == NULL)
		fixture_fini(&im.base);
}

START_TEST(kafka_directories_of_a_clean_stop_open_whole)
{
	if (getenv("CORREIO_FIXTURES") == NULL)
		return;
	run("log-dirs.tar.gz", "broker-1", "data", 20, NULL);
	run("log-dirs.tar.gz", "broker-2", "data-a,data-b", 20, NULL);
}
END_TEST

START_TEST(kafka_directories_of_a_crash_open_whole)
{
	if (getenv("CORREIO_FIXTURES") == NULL)
		return;
	/* Groups went on between the image and the clean stop. */
	run("log-dirs-crash.tar.gz", "broker-1", "data", 20, "__");
	run("log-dirs-crash.tar.gz", "broker-2", "data-a,data-b", 20, "__");
}
END_TEST

UNIT_MAIN("log_fixtures", kafka_directories_of_a_clean_stop_open_whole, kafka_directories_of_a_crash_open_whole)

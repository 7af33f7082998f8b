/* A partition log on one thread and a clock that stands still: shared by the tests of storage's upper half. */
#ifndef TESTS_UNIT_LOG_FIXTURE_H
#define TESTS_UNIT_LOG_FIXTURE_H

#include "storage/partition_log.h"

struct log_fixture {
	char root[64];      /* a temporary directory, removed by fini */
	char directory[80]; /* of the partition */
	struct manual_clock clock;
	struct manual_scheduler *scheduler;
	struct log_environment env;
	struct topic_settings settings;
	struct partition_log *log; /* NULL while closed */
	enum status closed;
	struct failure failure;
};
enum { FIXTURE_WALL_MS = 1700000000 };

void fixture_topic_settings(struct topic_settings *t);
void fixture_init(struct log_fixture *f);
/* Closes the log if it is open, and removes the directory. */
void fixture_fini(struct log_fixture *f);
enum status fixture_open(struct log_fixture *f, bool clean, int64_t recovery_point);
/* Opens and expects that to work. */
void fixture_reopen(struct log_fixture *f, bool clean, int64_t recovery_point);
void fixture_close(struct log_fixture *f, bool sync);
/* The process dies: what was written stays, nothing else is done. */
void fixture_kill(struct log_fixture *f);
/* One batch of `records` records with values of value_size bytes and timestamps from timestamp on. Returns its base offset. */
int64_t fixture_append(struct log_fixture *f, int records, size_t value_size, int64_t timestamp);
enum status fixture_try_append(struct log_fixture *f, int records, size_t value_size, int64_t timestamp, int32_t epoch,
	struct log_append_info *ret_info);
/* The bytes of a read, copied out of the files; freed by the caller. */
uint8_t *fixture_read(struct log_fixture *f, int64_t offset, int64_t end, size_t max, bool one, size_t *ret_n);
/* Reads the whole log batch by batch, checks that offsets are contiguous from start to end, and returns the end. */
int64_t fixture_check_all(struct log_fixture *f);
/* Runs everything due. */
void fixture_run(struct log_fixture *f);
char *fixture_path(const struct log_fixture *f, const char *name);
/* Whole file, or NULL; freed by the caller. */
uint8_t *fixture_load_file(const char *path, size_t *ret_n);
void fixture_store_file(const char *path, const void *p, size_t n);
bool fixture_exists(const struct log_fixture *f, const char *name);
#endif

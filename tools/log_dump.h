/* Offline readers of the files of a log directory. Nothing is written; damage is reported and makes the result false. */
#ifndef TOOLS_LOG_DUMP_H
#define TOOLS_LOG_DUMP_H
#include "storage/disk.h"

struct log_dump_options {
	bool records; /* records too, not batches alone */
	bool json;    /* one object a line */
};
struct log_dump {
	const struct log_dump_options *options;
	struct disk *disk;
	const char *path;
	uint64_t problems;
};
/* Tells and counts a problem of the file. */
void log_dump_problem(struct log_dump *d, int64_t position, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Each reads the file d->path. */
void log_dump_segment(struct log_dump *d);
void log_dump_offset_index(struct log_dump *d);
void log_dump_time_index(struct log_dump *d);
/* leader-epoch-checkpoint and the *-offset-checkpoint files. */
void log_dump_checkpoint(struct log_dump *d);
/* Files of key: value or key=value lines. */
void log_dump_properties(struct log_dump *d);
/* Number in the file's name (the base offset), or -1. */
int64_t log_dump_base_offset(const char *path);
#endif

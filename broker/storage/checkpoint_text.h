/* Reads Kafka's checkpoint files: version "0", the number of entries, then one entry a line, fields between blanks.
 * The text may be anything: it was on a disk. Kafka: CheckpointFile. */
#ifndef STORAGE_CHECKPOINT_TEXT_H
#define STORAGE_CHECKPOINT_TEXT_H

#include "base/bytes.h"

struct checkpoint_text {
	struct slice text;
	size_t at;
	int64_t count; /* entries announced */
};
/* STATUS_CORRUPT unless the two head lines are whole and right. */
MUST_CHECK enum status checkpoint_text_begin(struct checkpoint_text *t, struct slice text);
/* The fields of the next line; STATUS_CORRUPT unless there are exactly n and the line ends in a newline. */
MUST_CHECK enum status checkpoint_text_next(struct checkpoint_text *t, struct slice *ret_fields, size_t n);
/* Nothing is left. */
bool checkpoint_text_ended(const struct checkpoint_text *t);
#endif

/* Walks the batches of a segment file through one bounded buffer, of any format (magic 0, 1, 2), with or without their
 * checksums. Trusts nothing it reads. Used by recovery, by lookups and by the offline reader. */
#ifndef STORAGE_LOG_SCAN_H
#define STORAGE_LOG_SCAN_H

#include "storage/disk.h"

struct log_batch_info {
	int64_t position;
	int64_t size_bytes;
	int64_t base_offset; /* magic 0 and 1: that of the last record, as the format has it */
	int64_t last_offset;
	int64_t max_timestamp; /* -1 none */
	int64_t producer_id;   /* -1 none; what follows says something only beside one */
	int32_t base_sequence;
	int16_t producer_epoch;
	int32_t leader_epoch;  /* -1 none */
	int16_t attributes;
	int8_t magic;
};
struct log_scanner {
	struct disk_file *file;
	int64_t position; /* of the next batch; where it stopped after an error */
	int64_t end;
	bool check_crc;
	uint8_t *buffer;
	size_t buffer_size;
	int64_t buffer_at; /* file position of the bytes in the buffer */
	size_t buffer_n;
};
enum { LOG_SCAN_BUFFER_MIN = 64 };
/* buffer is borrowed, at least LOG_SCAN_BUFFER_MIN; it bounds the memory whatever the batches are. */
void log_scanner_init(struct log_scanner *s, struct disk_file *file, int64_t position, int64_t end);
void log_scanner_set_buffer(struct log_scanner *s, uint8_t *buffer, size_t size, bool check_crc);
/* STATUS_OK; STATUS_NOT_FOUND exactly at the end; STATUS_TRUNCATED when the file ends within a batch that looks sound
 * so far; STATUS_CORRUPT; STATUS_IO. */
MUST_CHECK enum status log_scanner_next(struct log_scanner *s, struct log_batch_info *ret_batch);
/* The header of the batch at the start of s, any magic, whole or not; its position is left 0. STATUS_TRUNCATED when s holds
 * less than the header, STATUS_CORRUPT. */
MUST_CHECK enum status log_batch_decode(struct slice s, struct log_batch_info *ret_batch);
/* The checksum of a whole message of magic 0 or 1 as well; STATUS_CORRUPT_MESSAGE. */
MUST_CHECK enum status log_batch_check_old(struct slice s, struct log_batch_info *ret_batch);
#endif

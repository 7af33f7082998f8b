#include "storage/record_batch.h"
#include "tools/log_dump.h"
#include <stdio.h>

enum { OFFSET_ENTRY = 8, TIME_ENTRY = 12 };

/* The segment an index belongs to, if it lies beside it; NULL otherwise. */
static struct disk_file *open_segment(struct log_dump *d)
{
	const char *dot = strrchr(d->path, '.');
	expect(dot != NULL);
	char *path = check_asprintf("%.*s.log", (int)(dot - d->path), d->path);
	struct disk_file *file = NULL;
	struct disk_stat st;
	if (disk_stat(d->disk, path, &st) != STATUS_OK || disk_open(d->disk, path, DISK_READ, &file) != STATUS_OK)
		file = NULL;
	free(path);
	return file;
}

/* Does a batch whose offsets reach `offset` begin at the position? */
static bool batch_begins_at(struct disk_file *segment, int64_t position, int64_t offset)
{
	uint8_t head[RECORD_BATCH_HEADER_SIZE];
	if (disk_file_pread_all(segment, head, sizeof(head), position) != STATUS_OK)
		return false;
	return bytes_get_i64(head) <= offset && head[RECORD_BATCH_MAGIC_AT] <= 2;
}

struct index_reader {
	struct log_dump *dump;
	struct disk_file *file, *segment;
	int64_t base_offset, size, last_key, last_value;
	uint64_t entries;
};

static bool index_open(struct log_dump *d, struct index_reader *ret_reader, int entry_size)
{
	*ret_reader = (struct index_reader){.dump = d, .last_key = -1, .last_value = -1};
	ret_reader->base_offset = log_dump_base_offset(d->path);
	enum status s = disk_open(d->disk, d->path, DISK_READ, &ret_reader->file);
	if (s != STATUS_OK) {
		log_dump_problem(d, 0, "cannot be opened: %s", status_text(s));
		return false;
	}
	if (ret_reader->base_offset < 0)
		log_dump_problem(d, 0, "the name does not begin with the 20 digits of a base offset");
	if (disk_file_size(ret_reader->file, &ret_reader->size) != STATUS_OK)
		log_dump_problem(d, 0, "its size cannot be read");
	if (ret_reader->size % entry_size != 0)
		log_dump_problem(d, 0, "%lld bytes are not a whole number of entries of %d", (long long)ret_reader->size,
			entry_size);
	ret_reader->segment = open_segment(d);
	return true;
}

static void index_close(struct index_reader *r)
{
	if (!r->dump->options->json)
		(void)printf("%llu entries\n", (unsigned long long)r->entries);
	if (r->segment != NULL)
		disk_file_close(r->segment);
	disk_file_close(r->file);
}

static void offset_entry(struct index_reader *r, int64_t at, const uint8_t *p)
{
	int64_t offset = r->base_offset + (int64_t)bytes_get_u32(p);
	int64_t position = bytes_get_i32(p + 4);
	r->entries++;
	(void)printf(r->dump->options->json ? "{\"offset\":%lld,\"position\":%lld}\n" : "offset %lld  position %lld\n",
		(long long)offset, (long long)position);
	if (offset <= r->last_key || position <= r->last_value)
		log_dump_problem(r->dump, at, "entries do not increase at offset %lld", (long long)offset);
	else if (r->segment != NULL && !batch_begins_at(r->segment, position, offset))
		log_dump_problem(r->dump, at, "no batch of offset %lld begins at position %lld of the segment",
			(long long)offset, (long long)position);
	r->last_key = offset;
	r->last_value = position;
}

static void time_entry(struct index_reader *r, int64_t at, const uint8_t *p)
{
	int64_t timestamp = bytes_get_i64(p);
	int64_t offset = r->base_offset + (int64_t)bytes_get_u32(p + 8);
	r->entries++;
	(void)printf(r->dump->options->json ? "{\"timestamp\":%lld,\"offset\":%lld}\n" : "timestamp %lld  offset %lld\n",
		(long long)timestamp, (long long)offset);
	if (timestamp < r->last_key || offset < r->last_value)
		log_dump_problem(r->dump, at, "entries decrease at timestamp %lld", (long long)timestamp);
	r->last_key = timestamp;
	r->last_value = offset;
}

/* Calls entry for each one up to the zeros of a preallocated tail. */
static void each_entry(struct index_reader *r, int entry_size,
	void (*entry)(struct index_reader *r, int64_t at, const uint8_t *p))
{
	static const uint8_t zeros[TIME_ENTRY];
	uint8_t p[TIME_ENTRY];
	expect(entry_size <= TIME_ENTRY);
	for (int64_t at = 0; at + entry_size <= r->size; at += entry_size) {
		if (disk_file_pread_all(r->file, p, (size_t)entry_size, at) != STATUS_OK) {
			log_dump_problem(r->dump, at, "cannot be read");
			return;
		}
		/* An open segment's index is preallocated with zeros. */
		if (memcmp(p, zeros, (size_t)entry_size) == 0)
			return;
		entry(r, at, p);
	}
}

void log_dump_offset_index(struct log_dump *d)
{
	struct index_reader r;
	if (!index_open(d, &r, OFFSET_ENTRY))
		return;
	each_entry(&r, OFFSET_ENTRY, offset_entry);
	index_close(&r);
}

void log_dump_time_index(struct log_dump *d)
{
	struct index_reader r;
	if (!index_open(d, &r, TIME_ENTRY))
		return;
	each_entry(&r, TIME_ENTRY, time_entry);
	index_close(&r);
}

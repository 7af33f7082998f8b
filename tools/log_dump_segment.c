#include "storage/record_batch.h"
#include "tools/log_dump.h"
#include "tools/record_print.h"
#include <jansson.h>

enum {
	BATCH_MAX_BYTES = 256 << 20,    /* larger lengths are damage */
	INFLATED_MAX_BYTES = 512 << 20,
};

struct segment_reader {
	struct log_dump *dump;
	struct disk_file *file;
	int64_t size, position;
	uint8_t *buffer;
	size_t buffer_size;
	int64_t last_offset;
	uint64_t batches, records;
	bool bad; /* the batch at hand */
};

static void batch_problem(struct segment_reader *r, const char *what)
{
	r->bad = true;
	log_dump_problem(r->dump, r->position, "%s", what);
}

/* ---- one batch ---- */

static json_t *batch_json(const struct segment_reader *r, const struct record_batch *b)
{
	return json_pack("{s:I,s:I,s:I,s:I,s:i,s:s,s:i,s:i,s:s,s:b,s:b,s:I,s:I,s:I,s:i,s:i,s:b}", "position",
		(json_int_t)r->position, "base_offset", (json_int_t)b->base_offset, "last_offset",
		(json_int_t)record_batch_last_offset(b), "size", (json_int_t)b->data.n, "count", (int)b->record_count, "codec",
		(b->attributes & RECORD_BATCH_CODEC_MASK) < COMPRESSION_COUNT ? compression_name(record_batch_codec(b)) : "?",
		"magic", (int)b->magic, "leader_epoch", (int)b->leader_epoch, "timestamp_type",
		(b->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0 ? "LogAppendTime" : "CreateTime", "transactional",
		(b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0, "control", (b->attributes & RECORD_BATCH_CONTROL) != 0,
		"base_timestamp", (json_int_t)b->base_timestamp, "max_timestamp", (json_int_t)b->max_timestamp, "producer_id",
		(json_int_t)b->producer_id, "producer_epoch", (int)b->producer_epoch, "base_sequence", (int)b->base_sequence,
		"valid", !r->bad);
}

static void print_batch(const struct segment_reader *r, const struct record_batch *b)
{
	(void)printf("offset %lld to %lld  position %lld  size %zu  records %d  codec %s  epoch %d  %s %lld  crc %08x %s",
		(long long)b->base_offset, (long long)record_batch_last_offset(b), (long long)r->position, b->data.n,
		(int)b->record_count,
		(b->attributes & RECORD_BATCH_CODEC_MASK) < COMPRESSION_COUNT ? compression_name(record_batch_codec(b)) : "?",
		(int)b->leader_epoch,
		(b->attributes & RECORD_BATCH_LOG_APPEND_TIME) != 0 ? "LogAppendTime" : "CreateTime",
		(long long)b->max_timestamp, b->crc, r->bad ? "BAD" : "ok");
	if (b->producer_id >= 0)
		(void)printf("  producer %lld epoch %d sequence %d", (long long)b->producer_id, (int)b->producer_epoch,
			(int)b->base_sequence);
	if ((b->attributes & RECORD_BATCH_TRANSACTIONAL) != 0)
		(void)fputs("  transactional", stdout);
	if ((b->attributes & RECORD_BATCH_CONTROL) != 0)
		(void)fputs("  control", stdout);
	(void)fputc('\n', stdout);
}

static void one_record(const struct segment_reader *r, const struct record *record, json_t *list)
{
	struct correio_record public = {
		.offset = record->offset,
		.timestamp_ms = record->timestamp,
		.key = {record->key.p, record->key.n},
		.value = {record->value.p, record->value.n},
		.header_count = record->header_count,
		.headers = record->headers.p,
		.headers_size = record->headers.n,
	};
	if (r->dump->options->json) {
		(void)json_array_append_new(list, record_to_json(&public));
		return;
	}
	static const struct record_format format = {
		.key = true, .headers = true, .timestamp = true, .offset = true, .key_separator = "\t"};
	(void)fputs("  ", stdout);
	record_print(&format, "", 0, &public);
}

/* Walks the records: with --records they are shown, in any case they must be whole. list may be NULL. */
static void walk_records(struct segment_reader *r, const struct record_batch *b, json_t *list, bool show)
{
	struct record_iterator it;
	enum status s = record_iterator_init(&it, b, INFLATED_MAX_BYTES);
	if (s != STATUS_OK) {
		batch_problem(r, "the records cannot be decompressed");
		return;
	}
	struct record record;
	while ((s = record_iterator_next(&it, &record)) == STATUS_OK) {
		r->records++;
		if (show)
			one_record(r, &record, list);
	}
	record_iterator_fini(&it);
	if (s != STATUS_NOT_FOUND)
		batch_problem(r, "a record is damaged or their number is wrong");
}

static void dump_batch(struct segment_reader *r, struct slice data)
{
	struct record_batch b;
	r->bad = false;
	enum status s = record_batch_parse(data, &b);
	if (s == STATUS_UNSUPPORTED_FOR_MESSAGE_FORMAT) {
		r->batches++;
		if (!r->dump->options->json)
			(void)printf("offset %lld  position %lld  size %zu  message format %d, not decoded\n",
				(long long)bytes_get_i64(data.p), (long long)r->position, data.n,
				(int)data.p[RECORD_BATCH_MAGIC_AT]);
		return;
	}
	if (s != STATUS_OK) {
		batch_problem(r, "the batch header is damaged");
		return;
	}
	r->batches++;
	if (record_batch_check_crc(&b) != STATUS_OK)
		batch_problem(r, "CRC mismatch: the batch is damaged");
	if (b.base_offset <= r->last_offset)
		batch_problem(r, "offsets do not increase");
	r->last_offset = record_batch_last_offset(&b);
	bool sound = !r->bad, show = r->dump->options->records;
	if (r->dump->options->json) {
		json_t *list = json_array();
		if (sound)
			walk_records(r, &b, list, show);
		json_t *object = batch_json(r, &b);
		if (show)
			(void)json_object_set(object, "records", list);
		(void)json_dumpf(object, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
		json_decref(list);
		json_decref(object);
		return;
	}
	print_batch(r, &b);
	if (sound)
		walk_records(r, &b, NULL, show);
}

/* ---- the file ---- */

static bool only_zeros(struct segment_reader *r)
{
	uint8_t block[4096];
	for (int64_t at = r->position; at < r->size;) {
		size_t n;
		if (disk_file_pread(r->file, block, sizeof(block), at, &n) != STATUS_OK || n == 0)
			return false;
		for (size_t i = 0; i < n; i++)
			if (block[i] != 0)
				return false;
		at += (int64_t)n;
	}
	return true;
}

/* The bytes of the batch at position; false at the end or where nothing can be read any more. */
static bool read_batch(struct segment_reader *r, struct slice *ret_data)
{
	uint8_t head[RECORD_BATCH_OVERHEAD];
	size_t size;
	int64_t left = r->size - r->position;
	if (left == 0)
		return false;
	if (left < RECORD_BATCH_OVERHEAD) {
		log_dump_problem(r->dump, r->position, "%lld bytes behind the last whole batch", (long long)left);
		return false;
	}
	if (disk_file_pread_all(r->file, head, sizeof(head), r->position) != STATUS_OK) {
		log_dump_problem(r->dump, r->position, "cannot be read");
		return false;
	}
	enum status s = record_batch_peek_size(slice_of(head, sizeof(head)), BATCH_MAX_BYTES, &size);
	if (s != STATUS_OK || (int64_t)size > left) {
		if (!only_zeros(r))
			log_dump_problem(r->dump, r->position, "%lld bytes that are no whole batch", (long long)left);
		else if (!r->dump->options->json)
			(void)printf("position %lld: %lld zero bytes (preallocated)\n", (long long)r->position, (long long)left);
		return false;
	}
	if (size > r->buffer_size) {
		r->buffer = (uint8_t *)check_realloc(r->buffer, size);
		r->buffer_size = size;
	}
	if (disk_file_pread_all(r->file, r->buffer, size, r->position) != STATUS_OK) {
		log_dump_problem(r->dump, r->position, "cannot be read");
		return false;
	}
	*ret_data = slice_of(r->buffer, size);
	return true;
}

void log_dump_segment(struct log_dump *d)
{
	struct segment_reader r = {.dump = d, .last_offset = -1};
	enum status s = disk_open(d->disk, d->path, DISK_READ, &r.file);
	if (s != STATUS_OK) {
		log_dump_problem(d, 0, "cannot be opened: %s", status_text(s));
		return;
	}
	if (disk_file_size(r.file, &r.size) != STATUS_OK)
		log_dump_problem(d, 0, "its size cannot be read");
	struct slice data;
	while (read_batch(&r, &data)) {
		dump_batch(&r, data);
		r.position += (int64_t)data.n;
	}
	if (!d->options->json)
		(void)printf("%llu batches, %llu records, %lld bytes\n", (unsigned long long)r.batches,
			(unsigned long long)r.records, (long long)r.size);
	free(r.buffer);
	disk_file_close(r.file);
}

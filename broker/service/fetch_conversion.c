#include "service/fetch_conversion.h"

#include "storage/range_load.h"

/* The part's stored bytes, taken off the front. NULL: no memory, or the disk failed. */
static uint8_t *load_part(struct iobuf *stored, size_t n, size_t *ret_n)
{
	struct iobuf ranges;
	iobuf_init(&ranges);
	iobuf_move(&ranges, stored, n);
	uint8_t *bytes = malloc(n);
	/* A file cut meanwhile: what is there is whole batches, or ends in the midst of one, as sets may. */
	enum status s = bytes == NULL ? STATUS_TOO_LARGE : range_load_now(&ranges, bytes, ret_n);
	iobuf_fini(&ranges);
	if (s == STATUS_OK || s == STATUS_CORRUPT)
		return bytes;
	free(bytes);
	return NULL;
}

static void convert_part(struct fetch_conversion *c, struct iobuf *stored, struct fetch_conversion_part *p)
{
	p->status = STATUS_OK;
	p->bytes = 0;
	if (p->stored_bytes == 0)
		return;
	size_t n = 0;
	uint8_t *bytes = load_part(stored, p->stored_bytes, &n);
	size_t sent = c->records.size_bytes, room = sent < c->max_bytes ? c->max_bytes - sent : 0;
	if (bytes == NULL) {
		p->status = STATUS_KAFKA_STORAGE_ERROR;
	} else if (sent == 0 || room > 0) {
		p->target.max_bytes = p->target.max_bytes < room ? p->target.max_bytes : room;
		p->target.hard_max_bytes = sent == 0 ? SIZE_MAX : room;
		p->status = record_convert_down(slice_of(bytes, n), &p->target, &c->records, &p->bytes);
	}
	free(bytes);
}

static void convert(struct job *j)
{
	struct fetch_conversion *c = CONTAINER_OF(j, struct fetch_conversion, job);
	struct iobuf stored = c->records;
	iobuf_init(&c->records);
	for (size_t i = 0; i < c->part_count; i++)
		convert_part(c, &stored, &c->parts[i]);
	expect(stored.size_bytes == 0);
	iobuf_fini(&stored);
}

static void converted(struct job *j)
{
	struct fetch_conversion *c = CONTAINER_OF(j, struct fetch_conversion, job);
	expect_on_loop(j->home);
	c->done(c); /* c may be gone now */
}

void fetch_conversion_start(struct fetch_conversion *c, struct background *bg, struct scheduler *home)
{
	expect_on_loop(home);
	expect(c->done != NULL && (c->part_count == 0 || c->parts != NULL));
	job_init(&c->job, "fetch_conversion", home, convert, converted);
	if (bg != NULL) {
		background_submit(bg, &c->job);
		return;
	}
	convert(&c->job);
	converted(&c->job);
}

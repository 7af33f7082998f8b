/* See producer_ids.h. A claim is three steps, begun anew when another broker was faster:
 *
 *     read the last block taken -> write the next one over it, if nobody else has -> it is ours
 *
 * A write whose answer was lost may have counted or not: a block is thrown away rather than used when that is not known. */
#include "coordinator/producer_ids.h"

#include "base/diag.h"
#include "coordinator-client/zk_request.h"
#include "coordinator-client/zk_schema.h"

enum {
	BLOCK_SIZE = ZK_SCHEMA_PRODUCER_ID_BLOCK_SIZE,
	LOW_MARK = BLOCK_SIZE / 2, /* Kafka, whose producers wait for the claim: a tenth */
	DEADLINE_MS = 10 * 1000,
	RETRY_US = 200 * 1000,
	RETRY_MAX_US = 10 * 1000 * 1000,
};

struct block {
	int64_t next, end; /* next == end: none */
};
struct producer_ids {
	unsigned magic;
	struct zk_requester *requester;
	struct scheduler *scheduler;
	int32_t broker_id;
	struct block present, prefetched;
	struct block claimed; /* written, if that works */
	bool claiming, stopped;
	struct loop_timer retry_timer;
	int64_t retry_us;
};
MAGIC(producer_ids, 0x50494453);

static void claim(struct producer_ids *p);

static int64_t left(const struct block *b)
{
	return b->end - b->next;
}

static void producer_ids_retry(struct loop_timer *t)
{
	struct producer_ids *p = CONTAINER_OF(t, struct producer_ids, retry_timer);
	CHECK_MAGIC(producer_ids, p);
	claim(p);
}

struct producer_ids *producer_ids_new(struct zk_client *zk, int32_t broker_id)
{
	expect(broker_id >= 0);
	struct producer_ids *p = check_calloc(1, sizeof(*p));
	*p = (struct producer_ids){
		.magic = producer_ids_magic,
		.requester = zk_requester_new(zk, DEADLINE_MS),
		.scheduler = zk->scheduler,
		.broker_id = broker_id,
		.retry_us = RETRY_US,
	};
	loop_timer_init(&p->retry_timer, "producer_ids_retry", producer_ids_retry);
	return p;
}

void producer_ids_stop(struct producer_ids *p)
{
	CHECK_MAGIC(producer_ids, p);
	p->stopped = true;
	scheduler_timer_cancel(p->scheduler, &p->retry_timer);
}

void producer_ids_free(struct producer_ids *p)
{
	if (p == NULL)
		return;
	CHECK_MAGIC(producer_ids, p);
	zk_requester_free(p->requester);
	p->magic = 0;
	free(p);
}

/* --- the claim ----------------------------------------------------------------------------------------------- */

static void try_later(struct producer_ids *p, enum status s, const char *what)
{
	p->claiming = false;
	if (p->stopped || s == STATUS_CANCELLED)
		return;
	diag_warn("producer_ids_not_claimed", "path=%s status=%s left=%lld what=\"%s\" next=\"tried again\"",
		ZK_SCHEMA_PRODUCER_ID_BLOCK, status_name(s), (long long)producer_ids_left(p), what);
	scheduler_timer_arm(p->scheduler, &p->retry_timer, p->retry_us);
	p->retry_us = p->retry_us * 2 < RETRY_MAX_US ? p->retry_us * 2 : RETRY_MAX_US;
}

static void claimed(struct producer_ids *p)
{
	struct block *to = left(&p->present) == 0 ? &p->present : &p->prefetched;
	expect(left(to) == 0 && left(&p->claimed) == BLOCK_SIZE);
	*to = p->claimed;
	p->claiming = false;
	p->retry_us = RETRY_US;
	diag_info("producer_ids_claimed", "first=%lld last=%lld", (long long)to->next, (long long)to->end - 1);
}

static void producer_ids_written(void *arg, enum status s, const struct zk_stat *stat)
{
	struct producer_ids *p = CAST(producer_ids, arg);
	(void)stat;
	if (s == STATUS_OK) {
		claimed(p);
	} else if (s == STATUS_BAD_VERSION && !p->stopped) {
		p->claiming = false;
		claim(p); /* another broker was faster; each time one of them gets its block */
	} else {
		try_later(p, s, "writing the next block");
	}
}

/* A cluster made by another program may lack the node. */
static void producer_ids_created(void *arg, enum status s, const char *created_path, const struct zk_stat *stat)
{
	(void)created_path;
	producer_ids_written(arg, s == STATUS_EXISTS ? STATUS_BAD_VERSION : s, stat);
}

static void write_block(struct producer_ids *p, int64_t first, int32_t version)
{
	const struct zk_schema_producer_id_block b = {.broker_id = p->broker_id, .first = first, .last = first + BLOCK_SIZE - 1};
	char *text = zk_schema_producer_id_block_encode(&b);
	p->claimed = (struct block){first, first + BLOCK_SIZE};
	if (version < 0)
		zk_request_create(p->requester, ZK_SCHEMA_PRODUCER_ID_BLOCK, slice_of_str(text), ZK_CREATE_PERSISTENT,
			producer_ids_created, p);
	else
		zk_request_set(p->requester, ZK_SCHEMA_PRODUCER_ID_BLOCK, slice_of_str(text), version, producer_ids_written, p);
	free(text);
}

static void producer_ids_read(void *arg, enum status s, struct slice data, const struct zk_stat *stat)
{
	struct producer_ids *p = CAST(producer_ids, arg);
	struct zk_schema_producer_id_block last = {.last = -1};
	struct failure f = {0};
	if (p->stopped) {
		p->claiming = false;
		return;
	}
	if (s == STATUS_NOT_FOUND) {
		write_block(p, 0, -1);
		return;
	}
	if (s == STATUS_OK && !zk_schema_is_null(data))
		s = zk_schema_producer_id_block_decode(data, &last, &f);
	if (s == STATUS_OK && last.last > INT64_MAX - BLOCK_SIZE - 1)
		s = failure_set(&f, STATUS_CORRUPT, "all producer ids are used up");
	if (s == STATUS_OK)
		write_block(p, last.last + 1, stat->version);
	else
		try_later(p, s, f.text[0] != '\0' ? f.text : "reading the last block");
}

static void claim(struct producer_ids *p)
{
	if (p->claiming || p->stopped || p->retry_timer.armed)
		return;
	p->claiming = true;
	zk_request_get(p->requester, ZK_SCHEMA_PRODUCER_ID_BLOCK, producer_ids_read, p);
}

/* --- use ----------------------------------------------------------------------------------------------------- */

void producer_ids_start(struct producer_ids *p)
{
	CHECK_MAGIC(producer_ids, p);
	expect_on_loop(p->scheduler);
	claim(p);
}

struct scheduler *producer_ids_scheduler(const struct producer_ids *p)
{
	CHECK_MAGIC(producer_ids, p);
	return p->scheduler;
}

int64_t producer_ids_left(const struct producer_ids *p)
{
	return left(&p->present) + left(&p->prefetched);
}

enum status producer_ids_next(struct producer_ids *p, int64_t *ret_producer_id)
{
	CHECK_MAGIC(producer_ids, p);
	expect_on_loop(p->scheduler);
	if (left(&p->present) == 0) {
		p->present = p->prefetched;
		p->prefetched = (struct block){0};
	}
	bool found = left(&p->present) > 0;
	if (found)
		*ret_producer_id = p->present.next++;
	if (left(&p->prefetched) == 0 && left(&p->present) <= LOW_MARK)
		claim(p);
	return found ? STATUS_OK : STATUS_COORDINATOR_LOAD_IN_PROGRESS;
}

enum status producer_ids_take(struct producer_ids *p, int64_t *ret_first, int32_t *ret_count)
{
	CHECK_MAGIC(producer_ids, p);
	expect_on_loop(p->scheduler);
	struct block *from = left(&p->prefetched) > 0 ? &p->prefetched : &p->present, taken = *from;
	*from = (struct block){0};
	if (left(&p->present) <= LOW_MARK || left(&taken) == 0)
		claim(p);
	if (left(&taken) == 0)
		return STATUS_COORDINATOR_LOAD_IN_PROGRESS;
	*ret_first = taken.next;
	*ret_count = (int32_t)left(&taken);
	return STATUS_OK;
}

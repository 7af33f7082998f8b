#include "replica/replica_parts.h"

static void produce_back(struct task *t)
{
	struct produce_part *p = CONTAINER_OF(t, struct produce_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

static void list_offsets_back(struct task *t)
{
	struct list_offsets_part *p = CONTAINER_OF(t, struct list_offsets_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

static void describe_producers_back(struct task *t)
{
	struct describe_producers_part *p = CONTAINER_OF(t, struct describe_producers_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

static void checkpoint_back(struct task *t)
{
	struct checkpoint_part *p = CONTAINER_OF(t, struct checkpoint_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

void replica_parts_answer_produce(struct produce_part *p, struct scheduler *owner, enum status s, bool posted)
{
	expect(p->waiter.partition == NULL);
	p->status = s;
	if (s != STATUS_OK)
		p->base_offset = p->log_append_time_ms = p->log_start_offset = -1;
	if (p->home == owner && !posted) {
		p->done(p);
		return;
	}
	task_init(&p->task, "produce_back", produce_back);
	scheduler_post(p->home, &p->task);
}

void replica_parts_answer_list_offsets(struct list_offsets_part *p, struct scheduler *owner, enum status s)
{
	p->status = s;
	if (s != STATUS_OK) {
		p->offset = p->timestamp = p->epoch = -1;
		p->starts_count = 0;
	}
	if (p->home == owner) {
		p->done(p);
		return;
	}
	task_init(&p->task, "list_offsets_back", list_offsets_back);
	scheduler_post(p->home, &p->task);
}

void replica_parts_answer_describe_producers(struct describe_producers_part *p, struct scheduler *owner, enum status s)
{
	p->status = s;
	expect(s == STATUS_OK || p->producers == NULL);
	if (p->home == owner) {
		p->done(p);
		return;
	}
	task_init(&p->task, "describe_producers_back", describe_producers_back);
	scheduler_post(p->home, &p->task);
}

void replica_parts_answer_checkpoint(struct checkpoint_part *p, struct scheduler *owner)
{
	if (p->home == owner) {
		p->done(p);
		return;
	}
	task_init(&p->task, "checkpoint_back", checkpoint_back);
	scheduler_post(p->home, &p->task);
}

static void delete_records_back(struct task *t)
{
	struct delete_records_part *p = CONTAINER_OF(t, struct delete_records_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

void replica_parts_answer_delete_records(struct delete_records_part *p, struct scheduler *owner, enum status s)
{
	p->status = s;
	if (s != STATUS_OK)
		p->low_watermark = -1;
	if (p->home == owner) {
		p->done(p);
		return;
	}
	task_init(&p->task, "delete_records_back", delete_records_back);
	scheduler_post(p->home, &p->task);
}

static void log_sizes_back(struct task *t)
{
	struct log_sizes_part *p = CONTAINER_OF(t, struct log_sizes_part, task);
	expect_on_loop(p->home);
	p->done(p);
}

void replica_parts_answer_log_sizes(struct log_sizes_part *p, struct scheduler *owner)
{
	if (p->home == owner) {
		p->done(p);
		return;
	}
	task_init(&p->task, "log_sizes_back", log_sizes_back);
	scheduler_post(p->home, &p->task);
}

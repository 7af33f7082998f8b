#include "service/log_service.h"

MAGIC(delete_records_request, 0x44524543);
MAGIC(log_sizes_request, 0x4c53495a);

/* --- deleting records ---------------------------------------------------- */

static void fail(struct delete_records_entry *e, enum status s)
{
	expect(s != STATUS_OK);
	e->status = s;
	e->low_watermark = -1;
}

static void entry_done(struct delete_records_part *p)
{
	struct delete_records_entry *e = p->arg;
	struct delete_records_request *r = CAST(delete_records_request, e->request);
	if (p->status == STATUS_OK) {
		e->status = STATUS_OK;
		e->low_watermark = p->low_watermark;
	} else {
		fail(e, p->status == STATUS_IO ? STATUS_KAFKA_STORAGE_ERROR : p->status);
	}
	gather_done(&r->gather);
}

static void start_entry(struct delete_records_request *r, struct delete_records_entry *e)
{
	struct service_partition found;
	struct delete_records_part *p = &e->part;
	char *message = NULL;
	e->request = r;
	*p = (struct delete_records_part){.home = r->service->scheduler, .leader = -1, .leader_epoch = -1};
	enum status s = topic_partition_set(&p->tp, slice_of_str(e->topic), e->partition);
	/* The coordinators' own; Kafka refuses it in the same way. */
	if (s == STATUS_OK && topic_is_internal(e->topic))
		s = STATUS_INVALID_TOPIC_EXCEPTION;
	if (s == STATUS_OK)
		s = service_loop_find(r->service, r->arena, &p->tp, &found, &message);
	if (s != STATUS_OK) {
		fail(e, s);
		return;
	}
	p->offset = e->offset;
	p->done = entry_done;
	p->arg = e;
	gather_add(&r->gather);
	replica_manager_delete_records(replica_router_owner(r->service->router, &p->tp), p);
}

static void records_deleted(struct gather *g)
{
	struct delete_records_request *r = CAST(delete_records_request, CONTAINER_OF(g, struct delete_records_request, gather));
	r->magic = 0;
	r->done(r);
}

void log_service_delete_records(struct delete_records_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->done != NULL);
	r->magic = delete_records_request_magic;
	gather_init(&r->gather, records_deleted);
	for (size_t i = 0; i < r->entry_count; i++)
		start_entry(r, &r->entries[i]);
	gather_seal(&r->gather);
}

/* --- sizes --------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
	const struct log_size *x = a, *y = b;
	if (x->directory != y->directory)
		return x->directory < y->directory ? -1 : 1;
	int topics = strcmp(x->tp.topic, y->tp.topic);
	return topics != 0 ? topics : (x->tp.partition > y->tp.partition) - (x->tp.partition < y->tp.partition);
}

static void sizes_gathered(struct gather *g)
{
	struct log_sizes_request *r = CAST(log_sizes_request, CONTAINER_OF(g, struct log_sizes_request, gather));
	size_t loops = r->service->router->manager_count;
	r->size_count = 0;
	for (size_t i = 0; i < loops; i++)
		r->size_count += r->parts[i].count;
	struct log_size *all = check_calloc(r->size_count + 1, sizeof(all[0]));
	size_t n = 0;
	for (size_t i = 0; i < loops; i++) {
		if (r->parts[i].count > 0)
			memcpy(all + n, r->parts[i].sizes, r->parts[i].count * sizeof(all[0]));
		n += r->parts[i].count;
		free(r->parts[i].sizes);
	}
	if (n > 1)
		qsort(all, n, sizeof(all[0]), by_place);
	r->sizes = all;
	r->magic = 0;
	r->done(r); /* r may be gone now */
	free(all);
}

static void part_done(struct log_sizes_part *p)
{
	struct log_sizes_request *r = CAST(log_sizes_request, p->arg);
	gather_done(&r->gather);
}

enum status log_service_sizes(struct log_sizes_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->done != NULL);
	const struct replica_router *router = r->service->router;
	r->directory_count = r->service->logs == NULL ? 0 : log_manager_directory_count(r->service->logs);
	r->directories = arena_alloc(r->arena, (r->directory_count + 1) * sizeof(r->directories[0]));
	r->paths = arena_alloc(r->arena, (r->directory_count + 1) * sizeof(r->paths[0]));
	r->parts = arena_alloc(r->arena, (router->manager_count + 1) * sizeof(r->parts[0]));
	if (r->directories == NULL || r->paths == NULL || r->parts == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < r->directory_count; i++) {
		r->directories[i] = log_manager_directory_info(r->service->logs, i);
		r->paths[i] = r->directories[i].path;
	}
	r->magic = log_sizes_request_magic;
	gather_init(&r->gather, sizes_gathered);
	for (size_t i = 0; i < router->manager_count; i++) {
		r->parts[i] = (struct log_sizes_part){
			.home = r->service->scheduler,
			.directories = r->paths,
			.directory_count = r->directory_count,
			.done = part_done,
			.arg = r,
		};
		gather_add(&r->gather);
		replica_manager_log_sizes(router->managers[i], &r->parts[i]);
	}
	gather_seal(&r->gather);
	return STATUS_OK;
}

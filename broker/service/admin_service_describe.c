/* The describing half of admin_service. */
#include "service/admin_description.h"
#include "service/admin_service.h"
#include "service/service_message.h"

MAGIC(admin_describe_request, 0x41444453);

enum { IN_FLIGHT_MAX = 32 };

/* --- home loop ----------------------------------------------------------- */

static void finish(struct admin_describe_request *r)
{
	r->magic = 0;
	r->done(r);
}

static void describe_from_image(struct admin_describe_request *r, const struct cluster_image *image,
	struct admin_described *d)
{
	const struct image_topic *t = cluster_image_topic(image, slice_of_str(d->name));
	*d = (struct admin_described){.name = d->name, .status = STATUS_OK};
	if (t == NULL) {
		d->status = STATUS_UNKNOWN_TOPIC_OR_PARTITION;
		d->message = service_loop_unknown_topic(r->service, r->arena, d->name);
		return;
	}
	d->description = admin_description_from_image(r->arena, t);
	if (d->description == NULL)
		d->status = STATUS_TOO_LARGE;
}

static void described(struct task *task)
{
	struct admin_describe_request *r =
		CAST(admin_describe_request, CONTAINER_OF(task, struct admin_describe_request, task));
	const struct cluster_image *image = service_loop_image(r->service);
	if (r->from_image && r->name_count == 0) {
		r->topic_count = image->topic_count;
		r->topics = arena_calloc(r->arena, r->topic_count + 1, sizeof(*r->topics));
		if (r->topics == NULL) {
			r->topic_count = 0;
			(void)failure_set(&r->failure, STATUS_TOO_LARGE, "%zu topics do not fit one answer: ask for some by name",
				image->topic_count);
			finish(r);
			return;
		}
		for (size_t i = 0; i < r->topic_count; i++)
			r->topics[i].name = image->topics[i]->name;
	}
	for (size_t i = 0; i < r->topic_count; i++) {
		struct admin_described *d = &r->topics[i];
		if (r->from_image)
			describe_from_image(r, image, d);
		else if (d->status == STATUS_UNKNOWN_TOPIC_OR_PARTITION)
			d->message = service_loop_unknown_topic(r->service, r->arena, d->name);
	}
	finish(r);
}

/* --- cluster loop: the arena is this loop's until the request is posted home ---- */

static bool ensemble_is_away(enum status s)
{
	return s == STATUS_CONNECTION_LOSS || s == STATUS_SESSION_EXPIRED || s == STATUS_REQUEST_TIMED_OUT;
}

static void keep(struct admin_describe_request *r, struct admin_described *d, const struct topic_description *t)
{
	d->description = admin_description_copy(r->arena, t);
	d->status = d->description == NULL ? STATUS_TOO_LARGE : STATUS_OK;
	if (d->description != NULL)
		d->name = d->description->topic;
}

static void go_home(struct admin_describe_request *r)
{
	task_init(&r->task, "admin_described", described);
	scheduler_post(r->service->scheduler, &r->task);
}

static void start_more(struct admin_describe_request *r);

struct describe_one {
	struct admin_describe_request *request;
	struct admin_described *into;
};

static void one_described(void *arg, const struct failure *f, const struct topic_description *topics, size_t count)
{
	struct describe_one *one = arg;
	struct admin_describe_request *r = CAST(admin_describe_request, one->request);
	struct admin_described *d = one->into;
	if (f->status == STATUS_OK && count == 1)
		keep(r, d, &topics[0]);
	else if (ensemble_is_away(f->status))
		r->from_image = true;
	else {
		d->status = f->status == STATUS_OK ? STATUS_UNKNOWN_TOPIC_OR_PARTITION : f->status;
		d->message = arena_strdup(r->arena, slice_of_str(f->text));
	}
	expect(r->in_flight > 0);
	r->in_flight--;
	start_more(r);
}

static void all_described(void *arg, const struct failure *f, const struct topic_description *topics, size_t count)
{
	struct admin_describe_request *r = CAST(admin_describe_request, arg);
	r->topics = f->status == STATUS_OK ? arena_calloc(r->arena, count + 1, sizeof(*r->topics)) : NULL;
	if (ensemble_is_away(f->status)) {
		r->from_image = true;
	} else if (f->status != STATUS_OK) {
		r->failure = *f;
	} else if (r->topics == NULL) {
		(void)failure_set(&r->failure, STATUS_TOO_LARGE, "%zu topics do not fit one answer: ask for some by name", count);
	} else {
		r->topic_count = count;
		for (size_t i = 0; i < count; i++)
			keep(r, &r->topics[i], &topics[i]);
	}
	go_home(r);
}

static void start_one(struct admin_describe_request *r, size_t index)
{
	struct admin_described *d = &r->topics[index];
	struct describe_one *one = arena_alloc(r->arena, sizeof(*one));
	d->name = r->names[index];
	d->status = topic_name_check(slice_of_str(d->name));
	if (d->status == STATUS_OK && one == NULL)
		d->status = STATUS_TOO_LARGE;
	if (d->status != STATUS_OK) {
		r->in_flight--;
		return;
	}
	*one = (struct describe_one){.request = r, .into = d};
	topic_admin_describe(admin_service_zk(r->service->admin), d->name, one_described, one);
}

static void start_more(struct admin_describe_request *r)
{
	if (r->starting)
		return;
	r->starting = true;
	while (r->next < r->topic_count && r->in_flight < IN_FLIGHT_MAX) {
		r->in_flight++;
		start_one(r, r->next++);
	}
	r->starting = false;
	if (r->next == r->topic_count && r->in_flight == 0)
		go_home(r);
}

static void on_cluster_loop(struct task *task)
{
	struct admin_describe_request *r =
		CAST(admin_describe_request, CONTAINER_OF(task, struct admin_describe_request, task));
	struct zk_client *zk = admin_service_zk(r->service->admin);
	r->from_image = zk->state != ZK_STATE_CONNECTED;
	if (r->from_image)
		go_home(r);
	else if (r->name_count == 0)
		topic_admin_describe(zk, NULL, all_described, r);
	else
		start_more(r);
}

void admin_service_describe(struct admin_describe_request *r)
{
	CHECK_MAGIC(service_loop, r->service);
	expect_on_loop(r->service->scheduler);
	expect(r->service->admin != NULL && r->done != NULL);
	r->magic = admin_describe_request_magic;
	r->failure = (struct failure){.status = STATUS_OK};
	r->next = r->in_flight = 0;
	r->starting = r->from_image = false;
	r->topic_count = r->name_count;
	r->topics = arena_calloc(r->arena, r->name_count + 1, sizeof(*r->topics));
	if (r->topics == NULL) {
		r->topic_count = 0;
		(void)failure_set(&r->failure, STATUS_TOO_LARGE, "%zu topics do not fit one answer: ask for fewer", r->name_count);
		finish(r);
		return;
	}
	for (size_t i = 0; i < r->name_count; i++)
		r->topics[i].name = r->names[i];
	task_init(&r->task, "admin_describe", on_cluster_loop);
	scheduler_post(admin_service_scheduler(r->service->admin), &r->task);
}

#include "cluster/image_barrier.h"

MAGIC(image_barrier, 0x494d4252);

static void go_on(struct image_barrier *b);

static void image_barrier_back(struct task *t)
{
	struct image_barrier *b = CAST(image_barrier, CONTAINER_OF(t, struct image_barrier, task));
	b->magic = 0;
	b->done(b);
}

static void image_barrier_changed(struct cluster_image_watcher *w, const struct cluster_image *image)
{
	struct image_barrier *b = CAST(image_barrier, CONTAINER_OF(w, struct image_barrier, watcher));
	if (image->version < b->version)
		return;
	cluster_image_holder_unwatch(b->holders[b->next++], w);
	go_on(b);
}

static void image_barrier_look(struct task *t)
{
	struct image_barrier *b = CAST(image_barrier, CONTAINER_OF(t, struct image_barrier, task));
	struct cluster_image_holder *h = b->holders[b->next];
	if (cluster_image_holder_image(h)->version < b->version) {
		cluster_image_holder_watch(h, &b->watcher);
		return;
	}
	b->next++;
	go_on(b);
}

/* To the next loop, or home. b may be gone when this returns. */
static void go_on(struct image_barrier *b)
{
	bool last = b->next == b->holder_count;
	task_init(&b->task, "image_barrier", last ? image_barrier_back : image_barrier_look);
	scheduler_post(last ? b->home : cluster_image_holder_scheduler(b->holders[b->next]), &b->task);
}

void image_barrier_start(struct image_barrier *b)
{
	expect_on_loop(b->home);
	b->magic = image_barrier_magic;
	b->next = 0;
	b->watcher = (struct cluster_image_watcher){.changed = image_barrier_changed};
	if (b->holder_count > 0) {
		go_on(b);
		return;
	}
	b->magic = 0;
	b->done(b);
}

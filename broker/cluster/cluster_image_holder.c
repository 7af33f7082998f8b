/* See cluster_image_holder.h. A post leaves the image in one slot and wakes the loop if the slot was empty: an image the loop
 * never got to see is dropped by the one that replaces it, and posting allocates nothing. */
#include "cluster/cluster_image_holder.h"

#include <stdatomic.h>

struct cluster_image_holder {
	unsigned magic;
	struct scheduler *scheduler;
	struct cluster_image *image;
	_Atomic(struct cluster_image *) incoming;
	struct task task;
	/* Circular list; the sentinel's changed is NULL. */
	struct cluster_image_watcher watchers;
};
MAGIC(cluster_image_holder, 0x494d484f);

static void list_init(struct cluster_image_watcher *head)
{
	head->next = head->previous = head;
}

static void list_append(struct cluster_image_watcher *head, struct cluster_image_watcher *w)
{
	w->next = head;
	w->previous = head->previous;
	head->previous->next = w;
	head->previous = w;
}

static void list_remove(struct cluster_image_watcher *w)
{
	w->previous->next = w->next;
	w->next->previous = w->previous;
	w->next = w->previous = NULL;
}

/* Watchers come and go while they are told: all move to a list of their own and each goes back before it is called. */
static void tell_watchers(struct cluster_image_holder *h)
{
	struct cluster_image_watcher told;
	list_init(&told);
	while (h->watchers.next != &h->watchers) {
		struct cluster_image_watcher *w = h->watchers.next;
		list_remove(w);
		list_append(&told, w);
	}
	while (told.next != &told) {
		struct cluster_image_watcher *w = told.next;
		list_remove(w);
		list_append(&h->watchers, w);
		w->changed(w, h->image);
	}
}

static void cluster_image_holder_post_arrived(struct task *t)
{
	struct cluster_image_holder *h = CONTAINER_OF(t, struct cluster_image_holder, task);
	CHECK_MAGIC(cluster_image_holder, h);
	expect_on_loop(h->scheduler);
	struct cluster_image *next = atomic_exchange(&h->incoming, NULL);
	expect(next != NULL);
	struct cluster_image *old = h->image;
	h->image = next;
	tell_watchers(h);
	cluster_image_shared_unref(old);
}

struct cluster_image_holder *cluster_image_holder_new(struct scheduler *scheduler)
{
	struct cluster_image_holder *h = check_calloc(1, sizeof(*h));
	h->magic = cluster_image_holder_magic;
	h->scheduler = scheduler;
	h->image = cluster_image_new(&(struct cluster_image_draft){.controller_id = -1});
	atomic_init(&h->incoming, NULL);
	task_init(&h->task, "cluster_image", cluster_image_holder_post_arrived);
	list_init(&h->watchers);
	return h;
}

void cluster_image_holder_free(struct cluster_image_holder *h)
{
	if (h == NULL)
		return;
	CHECK_MAGIC(cluster_image_holder, h);
	expect(h->watchers.next == &h->watchers);
	cluster_image_shared_unref(atomic_exchange(&h->incoming, NULL));
	cluster_image_shared_unref(h->image);
	h->magic = 0;
	free(h);
}

struct cluster_image *cluster_image_holder_image(const struct cluster_image_holder *h)
{
	CHECK_MAGIC(cluster_image_holder, h);
	return h->image;
}

struct scheduler *cluster_image_holder_scheduler(const struct cluster_image_holder *h)
{
	CHECK_MAGIC(cluster_image_holder, h);
	return h->scheduler;
}

void cluster_image_holder_watch(struct cluster_image_holder *h, struct cluster_image_watcher *w)
{
	CHECK_MAGIC(cluster_image_holder, h);
	expect(w->changed != NULL && w->next == NULL);
	list_append(&h->watchers, w);
}

void cluster_image_holder_unwatch(struct cluster_image_holder *h, struct cluster_image_watcher *w)
{
	CHECK_MAGIC(cluster_image_holder, h);
	if (w->next != NULL)
		list_remove(w);
}

void cluster_image_holder_post(struct cluster_image_holder *h, struct cluster_image *image)
{
	CHECK_MAGIC(cluster_image_holder, h);
	expect(image != NULL);
	struct cluster_image *unseen = atomic_exchange(&h->incoming, image);
	if (unseen == NULL)
		scheduler_post(h->scheduler, &h->task);
	else
		cluster_image_shared_unref(unseen);
}

#include "coordinator-client/zk_watch_table.h"
#include <uthash.h>

enum ref_state { REF_PREPARED, REF_ARMED, REF_FIRING };

struct zk_watch_ref {
	unsigned magic;
	enum ref_state state;
	enum zk_watch_kind kind;
	enum zk_event event;          /* FIRING: what happened */
	struct zk_watch_owner *owner; /* NULL: forgotten while its read is under way */
	struct zk_watch_path *at;     /* ARMED */
	struct zk_watch_ref *next, **prev; /* ARMED: of the path; FIRING: of the table */
	struct zk_watch_ref *owner_next, **owner_prev;
	char path[];
};
MAGIC(zk_watch_ref, 0x5a575246);

struct zk_watch_path {
	UT_hash_handle hh;
	struct zk_watch_ref *refs;
	char path[];
};
struct zk_watch_owner {
	UT_hash_handle hh;
	struct zk_watcher *watcher; /* key */
	struct zk_watch_ref *refs;
};

static void list_add(struct zk_watch_ref **head, struct zk_watch_ref *ref)
{
	ref->next = *head;
	ref->prev = head;
	if (ref->next != NULL)
		ref->next->prev = &ref->next;
	*head = ref;
}

static void list_remove(struct zk_watch_ref *ref)
{
	expect(ref->prev != NULL);
	*ref->prev = ref->next;
	if (ref->next != NULL)
		ref->next->prev = ref->prev;
	ref->next = NULL;
	ref->prev = NULL;
}

static void owner_add(struct zk_watch_table *t, struct zk_watch_ref *ref, struct zk_watcher *w)
{
	struct zk_watch_owner *owner = NULL;
	HASH_FIND(hh, t->owners, &w, sizeof(w), owner);
	if (owner == NULL) {
		owner = check_calloc(1, sizeof(*owner));
		owner->watcher = w;
		HASH_ADD(hh, t->owners, watcher, sizeof(owner->watcher), owner);
	}
	ref->owner = owner;
	ref->owner_next = owner->refs;
	ref->owner_prev = &owner->refs;
	if (ref->owner_next != NULL)
		ref->owner_next->owner_prev = &ref->owner_next;
	owner->refs = ref;
}

static void owner_remove(struct zk_watch_table *t, struct zk_watch_ref *ref)
{
	struct zk_watch_owner *owner = ref->owner;
	expect(owner != NULL);
	*ref->owner_prev = ref->owner_next;
	if (ref->owner_next != NULL)
		ref->owner_next->owner_prev = ref->owner_prev;
	ref->owner = NULL;
	if (owner->refs == NULL) {
		HASH_DEL(t->owners, owner);
		free(owner);
	}
}

/* Takes the ref off its path or the firing list. */
static void ref_detach(struct zk_watch_table *t, struct zk_watch_ref *ref)
{
	CHECK_MAGIC(zk_watch_ref, ref);
	if (ref->state == REF_PREPARED)
		return;
	list_remove(ref);
	struct zk_watch_path *at = ref->at;
	ref->at = NULL;
	if (at != NULL && at->refs == NULL) {
		HASH_DEL(t->paths, at);
		free(at);
	}
}

static void ref_free(struct zk_watch_table *t, struct zk_watch_ref *ref)
{
	ref_detach(t, ref);
	if (ref->owner != NULL)
		owner_remove(t, ref);
	ref->magic = 0;
	free(ref);
}

void zk_watch_table_init(struct zk_watch_table *t)
{
	*t = (struct zk_watch_table){0};
}

void zk_watch_table_fini(struct zk_watch_table *t)
{
	while (t->owners != NULL)
		zk_watch_table_forget(t, t->owners->watcher);
	expect(t->paths == NULL && t->firing == NULL);
}

struct zk_watch_ref *zk_watch_table_prepare(struct zk_watch_table *t, const char *path, enum zk_watch_kind kind,
	struct zk_watcher *w)
{
	expect(w != NULL && w->fired != NULL);
	size_t size = strlen(path) + 1;
	struct zk_watch_ref *ref = check_calloc(1, sizeof(*ref) + size);
	ref->magic = zk_watch_ref_magic;
	ref->kind = kind;
	memcpy(ref->path, path, size);
	owner_add(t, ref, w);
	return ref;
}

/* Is the owner armed there already for the same kind? Then one firing serves both. */
static bool armed_already(const struct zk_watch_path *at, const struct zk_watch_ref *ref)
{
	for (const struct zk_watch_ref *other = at->refs; other != NULL; other = other->next) {
		if (other->owner == ref->owner && other->kind == ref->kind)
			return true;
	}
	return false;
}

void zk_watch_table_arm(struct zk_watch_table *t, struct zk_watch_ref *ref)
{
	CHECK_MAGIC(zk_watch_ref, ref);
	expect(ref->state == REF_PREPARED);
	struct zk_watch_path *at = NULL;
	HASH_FIND_STR(t->paths, ref->path, at);
	if (ref->owner == NULL || (at != NULL && armed_already(at, ref))) {
		ref_free(t, ref);
		return;
	}
	if (at == NULL) {
		size_t size = strlen(ref->path) + 1;
		at = check_calloc(1, sizeof(*at) + size);
		memcpy(at->path, ref->path, size);
		HASH_ADD_STR(t->paths, path, at);
	}
	ref->state = REF_ARMED;
	ref->at = at;
	list_add(&at->refs, ref);
}

void zk_watch_table_drop(struct zk_watch_table *t, struct zk_watch_ref *ref)
{
	expect(ref->state == REF_PREPARED);
	ref_free(t, ref);
}

/* ZooKeeper: data watches hear CREATED, CHANGED, DELETED; child watches hear CHILDREN and DELETED. */
static bool concerns(enum zk_watch_kind kind, enum zk_event event)
{
	switch (event) {
	case ZK_EVENT_CREATED:
	case ZK_EVENT_CHANGED:
		return kind == ZK_WATCH_DATA;
	case ZK_EVENT_CHILDREN:
		return kind == ZK_WATCH_CHILD;
	case ZK_EVENT_DELETED:
	case ZK_EVENT_SESSION_LOST:
		return true;
	}
	unreachable("watch event");
}

/* Moves what the event concerns from the path to the firing list. */
static void collect(struct zk_watch_table *t, struct zk_watch_path *at, enum zk_event event)
{
	struct zk_watch_ref *next;
	for (struct zk_watch_ref *ref = at->refs; ref != NULL; ref = next) {
		next = ref->next; /* `at` goes with its last ref */
		if (!concerns(ref->kind, event))
			continue;
		ref_detach(t, ref);
		ref->state = REF_FIRING;
		ref->event = event;
		list_add(&t->firing, ref);
	}
}

/* Takes one due watcher; its other firing refs of the same event go with it (one change, one call). */
static struct zk_watcher *take_firing(struct zk_watch_table *t, enum zk_event *ret_event, char ret_path[ZK_PATH_MAX])
{
	struct zk_watch_ref *ref = t->firing;
	struct zk_watcher *w = ref->owner->watcher;
	*ret_event = ref->event;
	snprintf(ret_path, ZK_PATH_MAX, "%s", ref->path);
	struct zk_watch_ref *next;
	for (struct zk_watch_ref *other = ref->owner->refs; other != NULL; other = next) {
		next = other->owner_next;
		if (other != ref && other->state == REF_FIRING && other->event == ref->event)
			ref_free(t, other);
	}
	ref_free(t, ref);
	return w;
}

static void call_firing(struct zk_watch_table *t)
{
	while (t->firing != NULL) {
		enum zk_event event;
		char path[ZK_PATH_MAX];
		struct zk_watcher *w = take_firing(t, &event, path);
		w->fired(w, event, path);
	}
}

void zk_watch_table_fire(struct zk_watch_table *t, const char *path, enum zk_event event)
{
	expect(event != ZK_EVENT_SESSION_LOST);
	struct zk_watch_path *at = NULL;
	HASH_FIND_STR(t->paths, path, at);
	if (at != NULL)
		collect(t, at, event);
	call_firing(t);
}

void zk_watch_table_lose(struct zk_watch_table *t)
{
	struct zk_watch_path *at, *next;
	HASH_ITER (hh, t->paths, at, next) {
		collect(t, at, ZK_EVENT_SESSION_LOST);
	}
	expect(t->paths == NULL);
	call_firing(t);
}

void zk_watch_table_forget(struct zk_watch_table *t, struct zk_watcher *w)
{
	struct zk_watch_owner *owner = NULL;
	HASH_FIND(hh, t->owners, &w, sizeof(w), owner);
	if (owner == NULL)
		return;
	struct zk_watch_ref *next;
	for (struct zk_watch_ref *ref = owner->refs; ref != NULL; ref = next) {
		next = ref->owner_next;
		if (ref->state == REF_PREPARED)
			owner_remove(t, ref);
		else
			ref_free(t, ref);
	}
}

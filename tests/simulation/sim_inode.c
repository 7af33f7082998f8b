#include "tests/simulation/sim_inode.h"

/* --- bytes ------------------------------------------------------------------------------------------------------ */

static void sim_bytes_resize(struct sim_bytes *b, size_t n)
{
	if (n > b->capacity) {
		size_t capacity = b->capacity < 256 ? 256 : b->capacity;
		while (capacity < n)
			capacity *= 2;
		b->p = check_realloc(b->p, capacity);
		b->capacity = capacity;
	}
	if (n > b->n)
		memset(b->p + b->n, 0, n - b->n);
	b->n = n;
}

static void sim_bytes_put(struct sim_bytes *b, size_t position, const uint8_t *p, size_t n)
{
	if (n == 0)
		return;
	if (position + n > b->n)
		sim_bytes_resize(b, position + n);
	memcpy(b->p + position, p, n);
}

static void sim_bytes_copy(struct sim_bytes *to, const struct sim_bytes *from)
{
	to->n = 0;
	sim_bytes_put(to, 0, from->p, from->n);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static size_t sim_entries_find(const struct sim_entries *e, const char *name, size_t name_n)
{
	size_t i = 0;
	while (i < e->count && (strlen(e->list[i].name) != name_n || memcmp(e->list[i].name, name, name_n) != 0))
		i++;
	return i;
}

struct sim_inode *sim_entries_get(const struct sim_entries *e, const char *name, size_t name_n)
{
	size_t i = sim_entries_find(e, name, name_n);
	return i < e->count ? e->list[i].inode : NULL;
}

void sim_entries_set(struct sim_entries *e, const char *name, struct sim_inode *inode)
{
	size_t i = sim_entries_find(e, name, strlen(name));
	if (inode == NULL) {
		if (i == e->count)
			return;
		free(e->list[i].name);
		e->list[i] = e->list[--e->count];
		return;
	}
	if (i == e->count) {
		if (e->count == e->capacity) {
			e->capacity = e->capacity == 0 ? 8 : e->capacity * 2;
			e->list = check_realloc(e->list, e->capacity * sizeof(e->list[0]));
		}
		e->list[e->count++].name = check_strdup(name);
	}
	e->list[i].inode = inode;
}

void sim_entries_clear(struct sim_entries *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->list[i].name);
	free(e->list);
	*e = (struct sim_entries){0};
}

void sim_entries_copy(struct sim_entries *to, const struct sim_entries *from)
{
	sim_entries_clear(to);
	for (size_t i = 0; i < from->count; i++)
		sim_entries_set(to, from->list[i].name, from->list[i].inode);
}

/* --- inodes ------------------------------------------------------------------------------------------------------ */

struct sim_inode *sim_inode_new(bool is_directory)
{
	struct sim_inode *i = check_calloc(1, sizeof(*i));
	i->is_directory = is_directory;
	return i;
}

static void drop_operations(struct sim_inode *i)
{
	for (size_t o = 0; o < i->operation_count; o++)
		free(i->operations[o].bytes);
	i->operation_count = 0;
}

void sim_inode_free(struct sim_inode *i)
{
	drop_operations(i);
	free(i->operations);
	free(i->seen.p);
	free(i->durable.p);
	sim_entries_clear(&i->names_seen);
	sim_entries_clear(&i->names_durable);
	free(i);
}

static struct sim_operation *add_operation(struct sim_inode *i)
{
	if (i->operation_count == i->operation_capacity) {
		i->operation_capacity = i->operation_capacity == 0 ? 8 : i->operation_capacity * 2;
		i->operations = check_realloc(i->operations, i->operation_capacity * sizeof(i->operations[0]));
	}
	struct sim_operation *o = &i->operations[i->operation_count++];
	*o = (struct sim_operation){0};
	return o;
}

void sim_inode_write(struct sim_inode *i, size_t position, const struct iovec *iov, int count, size_t limit)
{
	expect(!i->is_directory);
	struct sim_operation *o = add_operation(i);
	o->position = position;
	size_t n = 0;
	for (int v = 0; v < count; v++)
		n += iov[v].iov_len;
	n = n < limit ? n : limit;
	o->bytes = check_alloc(n + 1);
	for (int v = 0; v < count && o->n < n; v++) {
		size_t part = iov[v].iov_len < n - o->n ? iov[v].iov_len : n - o->n;
		if (part > 0)
			memcpy(o->bytes + o->n, iov[v].iov_base, part);
		o->n += part;
	}
	sim_bytes_put(&i->seen, position, o->bytes, o->n);
}

void sim_inode_truncate(struct sim_inode *i, size_t size)
{
	expect(!i->is_directory);
	struct sim_operation *o = add_operation(i);
	o->is_truncate = true;
	o->position = size;
	sim_bytes_resize(&i->seen, size);
}

static void apply_whole(struct sim_bytes *to, const struct sim_operation *o)
{
	if (o->is_truncate)
		sim_bytes_resize(to, o->position);
	else
		sim_bytes_put(to, o->position, o->bytes, o->n);
}

void sim_inode_sync(struct sim_inode *i)
{
	for (size_t o = 0; o < i->operation_count; o++)
		apply_whole(&i->durable, &i->operations[o]);
	drop_operations(i);
}

/* A write of which only some came down. */
static void apply_torn(struct sim_bytes *to, const struct sim_operation *o, struct random *dice)
{
	if (o->n == 0)
		return;
	switch (random_below(dice, 3)) {
	case 0: /* cut at a byte */
		sim_bytes_put(to, o->position, o->bytes, random_below(dice, o->n));
		break;
	case 1: /* the file grew, the data did not come: zeros where nothing was */
		if (to->n < o->position + o->n)
			sim_bytes_resize(to, o->position + 1 + random_below(dice, o->n));
		break;
	default: /* some sectors of it */
		for (size_t at = o->position; at < o->position + o->n;) {
			size_t end = (at / SIM_SECTOR_SIZE + 1) * SIM_SECTOR_SIZE;
			end = end < o->position + o->n ? end : o->position + o->n;
			if (random_below(dice, 2) == 0)
				sim_bytes_put(to, at, o->bytes + (at - o->position), end - at);
			at = end;
		}
		break;
	}
}

enum crash_mode { CRASH_LOSES_ALL, CRASH_KEEPS_ALL, CRASH_KEEPS_PREFIX, CRASH_KEEPS_SOME, CRASH_MODE_COUNT };

/* Operations onto the durable content, as far as the dice allow. A truncation that did not come down takes all that
 * followed with it: the size lives in the file system's journal, which is replayed in order. */
static void apply_by_fate(struct sim_inode *i, struct random *dice)
{
	enum crash_mode mode = (enum crash_mode)random_below(dice, CRASH_MODE_COUNT);
	if (mode == CRASH_LOSES_ALL)
		return;
	size_t prefix = mode == CRASH_KEEPS_PREFIX ? random_below(dice, i->operation_count + 1) : i->operation_count;
	for (size_t n = 0; n < prefix; n++) {
		const struct sim_operation *o = &i->operations[n];
		uint64_t die = mode == CRASH_KEEPS_SOME ? random_below(dice, 3) : 0;
		if (die == 0)
			apply_whole(&i->durable, o);
		else if (o->is_truncate)
			return;
		else if (die == 1)
			apply_torn(&i->durable, o, dice);
	}
	if (prefix < i->operation_count && !i->operations[prefix].is_truncate)
		apply_torn(&i->durable, &i->operations[prefix], dice);
}

void sim_inode_sync_failed(struct sim_inode *i, struct random *dice)
{
	apply_by_fate(i, dice);
	drop_operations(i);
}

void sim_inode_crash(struct sim_inode *i, struct random *dice)
{
	if (i->operation_count > 0)
		apply_by_fate(i, dice);
	drop_operations(i);
	sim_bytes_copy(&i->seen, &i->durable);
	i->locked = false;
}

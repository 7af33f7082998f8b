#include "tests/simulation/sim_disk.h"

#include "tests/simulation/sim_inode.h"
#include "tests/unit/fault.h"

/* A change of names not synced yet: `from` loses one, `to` gains one; a rename has both. */
struct name_change {
	struct sim_inode *from, *to;
	char *from_name, *to_name;
	struct sim_inode *inode;
};

struct sim_file {
	struct disk_file file;
	struct sim_disk *disk; /* NULL when the disk is gone */
	struct sim_inode *inode; /* NULL after a crash */
	struct sim_file *next, *previous;
	bool writable, holds_lock;
};

MAGIC(sim_disk, 0x53444b21);
struct sim_disk {
	unsigned magic;
	struct disk disk;
	struct clock *clock;
	struct random dice;
	struct sim_inode *root, *inodes;
	struct sim_file *open_files;
	struct name_change *changes;
	size_t change_count, change_capacity;
	int64_t capacity_bytes;
	struct fault faults[SIM_DISK_CALL_COUNT];
	uint64_t calls[SIM_DISK_CALL_COUNT];
};

static struct sim_disk *sim_disk_of(struct disk *disk)
{
	struct sim_disk *d = CONTAINER_OF(disk, struct sim_disk, disk);
	CHECK_MAGIC(sim_disk, d);
	return d;
}

/* --- faults ------------------------------------------------------------------------------------------------------ */

/* Counts the call; what it is to return instead of doing its work. */
static enum status sim_disk_step(struct sim_disk *d, enum sim_disk_call call)
{
	d->calls[call]++;
	d->calls[SIM_DISK_ANY]++;
	enum status s = fault_step(&d->faults[call]);
	enum status any = fault_step(&d->faults[SIM_DISK_ANY]);
	return s != STATUS_OK ? s : any;
}

void sim_disk_fail(struct sim_disk *d, enum sim_disk_call call, uint64_t nth, enum status s)
{
	expect(nth > 0 && s != STATUS_OK);
	fault_arm(&d->faults[call], nth, s, false);
}

void sim_disk_power_off(struct sim_disk *d, uint64_t nth)
{
	expect(nth > 0);
	fault_arm(&d->faults[SIM_DISK_ANY], nth, STATUS_IO, true);
}

void sim_disk_disarm(struct sim_disk *d)
{
	for (int i = 0; i < SIM_DISK_CALL_COUNT; i++)
		fault_disarm(&d->faults[i]);
}

bool sim_disk_fault_hit(const struct sim_disk *d)
{
	for (int i = 0; i < SIM_DISK_CALL_COUNT; i++)
		if (d->faults[i].hit)
			return true;
	return false;
}

uint64_t sim_disk_calls(const struct sim_disk *d, enum sim_disk_call call)
{
	return d->calls[call];
}

/* --- inodes and names --------------------------------------------------------------------------------------------- */

static int64_t sim_disk_now_ms(struct sim_disk *d)
{
	return d->clock == NULL ? 0 : clock_wall_ms(d->clock);
}

static struct sim_inode *new_inode(struct sim_disk *d, bool is_directory)
{
	struct sim_inode *i = sim_inode_new(is_directory);
	i->mtime_ms = sim_disk_now_ms(d);
	i->next = d->inodes;
	d->inodes = i;
	return i;
}

/* The directory that holds (or would hold) path, and the last component of it. */
static enum status find_parent(struct sim_disk *d, const char *path, struct sim_inode **ret_parent, const char **ret_name)
{
	struct sim_inode *at = d->root;
	for (;;) {
		path += strspn(path, "/");
		size_t n = strcspn(path, "/");
		if (path[n + strspn(path + n, "/")] == '\0') {
			if (n == 0 || path[n] != '\0')
				return STATUS_INVALID_ARGUMENT; /* "/" itself, or a slash at the end */
			*ret_parent = at;
			*ret_name = path;
			return STATUS_OK;
		}
		at = sim_entries_get(&at->names_seen, path, n);
		if (at == NULL)
			return STATUS_NOT_FOUND;
		if (!at->is_directory)
			return STATUS_IO; /* ENOTDIR */
		path += n;
	}
}

static enum status find_inode(struct sim_disk *d, const char *path, struct sim_inode **ret_inode)
{
	if (path[strspn(path, "/")] == '\0') {
		*ret_inode = d->root;
		return STATUS_OK;
	}
	struct sim_inode *parent = NULL;
	const char *name = NULL;
	TRY(find_parent(d, path, &parent, &name));
	*ret_inode = sim_entries_get(&parent->names_seen, name, strlen(name));
	return *ret_inode != NULL ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status find_directory(struct sim_disk *d, const char *path, struct sim_inode **ret_directory)
{
	TRY(find_inode(d, path, ret_directory));
	return (*ret_directory)->is_directory ? STATUS_OK : STATUS_IO;
}

static struct name_change *add_change(struct sim_disk *d)
{
	if (d->change_count == d->change_capacity) {
		d->change_capacity = d->change_capacity == 0 ? 16 : d->change_capacity * 2;
		d->changes = check_realloc(d->changes, d->change_capacity * sizeof(d->changes[0]));
	}
	struct name_change *c = &d->changes[d->change_count++];
	*c = (struct name_change){0};
	return c;
}

static void add_link(struct sim_disk *d, struct sim_inode *parent, const char *name, struct sim_inode *inode)
{
	struct name_change *c = add_change(d);
	c->to = parent;
	c->to_name = check_strdup(name);
	c->inode = inode;
	sim_entries_set(&parent->names_seen, name, inode);
	parent->mtime_ms = sim_disk_now_ms(d);
}

static void add_unlink(struct sim_disk *d, struct sim_inode *parent, const char *name)
{
	struct name_change *c = add_change(d);
	c->from = parent;
	c->from_name = check_strdup(name);
	sim_entries_set(&parent->names_seen, name, NULL);
	parent->mtime_ms = sim_disk_now_ms(d);
}

static void change_apply(const struct name_change *c)
{
	if (c->from != NULL)
		sim_entries_set(&c->from->names_durable, c->from_name, NULL);
	if (c->to != NULL)
		sim_entries_set(&c->to->names_durable, c->to_name, c->inode);
}

static void change_fini(struct name_change *c)
{
	free(c->from_name);
	free(c->to_name);
}

static void mark_reachable(struct sim_inode *i)
{
	if (i == NULL || i->reachable)
		return;
	i->reachable = true;
	for (size_t n = 0; n < i->names_seen.count; n++)
		mark_reachable(i->names_seen.list[n].inode);
	for (size_t n = 0; n < i->names_durable.count; n++)
		mark_reachable(i->names_durable.list[n].inode);
}

/* Frees inodes that no name, pending change or open file leads to. */
static void collect(struct sim_disk *d)
{
	for (struct sim_inode *i = d->inodes; i != NULL; i = i->next)
		i->reachable = false;
	mark_reachable(d->root);
	for (size_t c = 0; c < d->change_count; c++) {
		mark_reachable(d->changes[c].from);
		mark_reachable(d->changes[c].to);
		mark_reachable(d->changes[c].inode);
	}
	for (const struct sim_file *f = d->open_files; f != NULL; f = f->next)
		mark_reachable(f->inode);
	struct sim_inode **at = &d->inodes;
	while (*at != NULL) {
		struct sim_inode *i = *at;
		if (i->reachable) {
			at = &i->next;
			continue;
		}
		*at = i->next;
		sim_inode_free(i);
	}
}

/* --- space --------------------------------------------------------------------------------------------------------- */

static void add_seen_size(struct sim_inode *i, int64_t *total)
{
	if (i == NULL || i->reachable)
		return;
	i->reachable = true;
	*total += (int64_t)i->seen.n;
	for (size_t n = 0; n < i->names_seen.count; n++)
		add_seen_size(i->names_seen.list[n].inode, total);
}

int64_t sim_disk_used_bytes(const struct sim_disk *d)
{
	int64_t total = 0;
	for (struct sim_inode *i = d->inodes; i != NULL; i = i->next)
		i->reachable = false;
	add_seen_size(d->root, &total);
	for (const struct sim_file *f = d->open_files; f != NULL; f = f->next)
		add_seen_size(f->inode, &total);
	return total;
}

void sim_disk_set_capacity(struct sim_disk *d, int64_t bytes)
{
	expect(bytes >= 0);
	d->capacity_bytes = bytes;
}

/* Bytes a write at `position` may put down before the disk is full. */
static size_t room_at(struct sim_disk *d, const struct sim_inode *i, int64_t position)
{
	if (d->capacity_bytes == INT64_MAX)
		return SIZE_MAX;
	int64_t free_bytes = d->capacity_bytes - sim_disk_used_bytes(d);
	int64_t end_max = (int64_t)i->seen.n + (free_bytes > 0 ? free_bytes : 0);
	return end_max > position ? (size_t)(end_max - position) : 0;
}

/* --- file calls ----------------------------------------------------------------------------------------------------- */

static enum status file_step(struct disk_file *file, enum sim_disk_call call, struct sim_file **ret_file)
{
	struct sim_file *f = CONTAINER_OF(file, struct sim_file, file);
	*ret_file = f;
	if (f->disk == NULL || f->inode == NULL)
		return STATUS_IO;
	return sim_disk_step(f->disk, call);
}

static enum status sim_pread(struct disk_file *file, void *p, size_t n, int64_t position, size_t *ret_n)
{
	struct sim_file *f;
	TRY(file_step(file, SIM_DISK_PREAD, &f));
	const struct sim_bytes *b = &f->inode->seen;
	size_t at = (size_t)position < b->n ? (size_t)position : b->n;
	size_t got = b->n - at < n ? b->n - at : n;
	if (got > 0)
		memcpy(p, b->p + at, got);
	*ret_n = got;
	return STATUS_OK;
}

static enum status sim_pwritev(struct disk_file *file, const struct iovec *iov, int count, int64_t position)
{
	struct sim_file *f = NULL;
	enum status s = file_step(file, SIM_DISK_PWRITEV, &f);
	if (f->inode == NULL || f->disk == NULL)
		return s;
	expect(f->writable);
	size_t n = 0;
	for (int i = 0; i < count; i++)
		n += iov[i].iov_len;
	size_t room = s == STATUS_OK ? room_at(f->disk, f->inode, position) : random_below(&f->disk->dice, n + 1);
	sim_inode_write(f->inode, (size_t)position, iov, count, room);
	f->inode->mtime_ms = sim_disk_now_ms(f->disk);
	return s == STATUS_OK && room < n ? STATUS_NO_SPACE : s;
}

static enum status sim_fdatasync(struct disk_file *file)
{
	struct sim_file *f = NULL;
	enum status s = file_step(file, SIM_DISK_FDATASYNC, &f);
	if (f->inode == NULL || f->disk == NULL)
		return s;
	if (s == STATUS_OK)
		sim_inode_sync(f->inode);
	else
		sim_inode_sync_failed(f->inode, &f->disk->dice);
	return s;
}

static enum status sim_truncate(struct disk_file *file, int64_t size)
{
	struct sim_file *f;
	TRY(file_step(file, SIM_DISK_TRUNCATE, &f));
	expect(f->writable);
	sim_inode_truncate(f->inode, (size_t)size); /* growing by truncation takes no space: a hole */
	f->inode->mtime_ms = sim_disk_now_ms(f->disk);
	return STATUS_OK;
}

static enum status sim_size(struct disk_file *file, int64_t *ret_size)
{
	struct sim_file *f;
	TRY(file_step(file, SIM_DISK_SIZE, &f));
	*ret_size = (int64_t)f->inode->seen.n;
	return STATUS_OK;
}

static void sim_start_writeback(struct disk_file *file, int64_t position, int64_t n)
{
	(void)file; /* a hint promises nothing */
	(void)position;
	(void)n;
}

static enum status sim_set_mtime(struct disk_file *file, int64_t wall_ms)
{
	struct sim_file *f;
	TRY(file_step(file, SIM_DISK_SET_MTIME, &f));
	f->inode->mtime_ms = wall_ms;
	return STATUS_OK;
}

static const struct disk_file_ops sim_file_ops = {
	.pread = sim_pread,
	.pwritev = sim_pwritev,
	.fdatasync = sim_fdatasync,
	.truncate = sim_truncate,
	.size = sim_size,
	.start_writeback = sim_start_writeback,
	.set_mtime = sim_set_mtime,
};

/* Lets go of the inode; the handle is dead but may still be closed. */
static void file_detach(struct sim_file *f)
{
	if (f->disk == NULL)
		return;
	if (f->inode != NULL) {
		expect(f->inode->open_count > 0);
		f->inode->open_count--;
		if (f->holds_lock)
			f->inode->locked = false;
	}
	*(f->previous != NULL ? &f->previous->next : &f->disk->open_files) = f->next;
	if (f->next != NULL)
		f->next->previous = f->previous;
	f->inode = NULL;
	f->disk = NULL;
}

static void sim_file_free(struct iobuf_file *shared)
{
	struct sim_file *f = CONTAINER_OF(CONTAINER_OF(shared, struct disk_file, shared), struct sim_file, file);
	expect(f->file.ops == &sim_file_ops);
	file_detach(f);
	free(f->file.path);
	free(f);
}

static struct sim_file *new_file(struct sim_disk *d, struct sim_inode *inode, const char *path, bool writable)
{
	struct sim_file *f = check_calloc(1, sizeof(*f));
	f->file.ops = &sim_file_ops;
	f->file.shared.fd = -1;
	f->file.shared.free = sim_file_free;
	atomic_init(&f->file.shared.refs, 1);
	f->file.path = check_strdup(path);
	f->disk = d;
	f->inode = inode;
	f->writable = writable;
	f->next = d->open_files;
	if (f->next != NULL)
		f->next->previous = f;
	d->open_files = f;
	inode->open_count++;
	return f;
}

/* --- calls on names -------------------------------------------------------------------------------------------------- */

static enum status open_inode(struct sim_disk *d, const char *path, int flags, struct sim_inode **ret_inode)
{
	struct sim_inode *parent = NULL;
	const char *name = NULL;
	TRY(find_parent(d, path, &parent, &name));
	struct sim_inode *i = sim_entries_get(&parent->names_seen, name, strlen(name));
	if (i != NULL && (flags & DISK_EXCLUSIVE) != 0)
		return STATUS_EXISTS;
	if (i != NULL && i->is_directory)
		return STATUS_IO; /* EISDIR */
	if (i == NULL && (flags & DISK_CREATE) == 0)
		return STATUS_NOT_FOUND;
	if (i == NULL) {
		i = new_inode(d, false);
		add_link(d, parent, name, i);
	} else if ((flags & DISK_TRUNCATE) != 0) {
		sim_inode_truncate(i, 0);
	}
	*ret_inode = i;
	return STATUS_OK;
}

static enum status sim_open(struct disk *disk, const char *path, int flags, struct disk_file **ret_file)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_OPEN));
	struct sim_inode *i = NULL;
	TRY(open_inode(d, path, flags, &i));
	*ret_file = &new_file(d, i, path, (flags & DISK_WRITE) != 0)->file;
	return STATUS_OK;
}

static enum status sim_lock(struct disk *disk, const char *path, struct disk_file **ret_file)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_LOCK));
	struct sim_inode *i = NULL;
	TRY(open_inode(d, path, DISK_WRITE | DISK_CREATE, &i));
	if (i->locked)
		return STATUS_EXISTS;
	struct sim_file *f = new_file(d, i, path, true);
	f->holds_lock = true;
	i->locked = true;
	*ret_file = &f->file;
	return STATUS_OK;
}

static enum status sim_rename(struct disk *disk, const char *from, const char *to)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_RENAME));
	struct sim_inode *from_parent = NULL, *to_parent = NULL;
	const char *from_name = NULL, *to_name = NULL;
	TRY(find_parent(d, from, &from_parent, &from_name));
	TRY(find_parent(d, to, &to_parent, &to_name));
	struct sim_inode *moved = sim_entries_get(&from_parent->names_seen, from_name, strlen(from_name));
	struct sim_inode *over = sim_entries_get(&to_parent->names_seen, to_name, strlen(to_name));
	if (moved == NULL)
		return STATUS_NOT_FOUND;
	if (over == moved)
		return STATUS_OK;
	if (over != NULL && over->is_directory != moved->is_directory)
		return STATUS_IO; /* EISDIR, ENOTDIR */
	if (over != NULL && over->names_seen.count > 0)
		return STATUS_NOT_EMPTY;
	struct name_change *c = add_change(d);
	c->from = from_parent;
	c->from_name = check_strdup(from_name);
	c->to = to_parent;
	c->to_name = check_strdup(to_name);
	c->inode = moved;
	sim_entries_set(&from_parent->names_seen, from_name, NULL);
	sim_entries_set(&to_parent->names_seen, c->to_name, moved);
	from_parent->mtime_ms = to_parent->mtime_ms = sim_disk_now_ms(d);
	return STATUS_OK;
}

static enum status remove_name(struct sim_disk *d, const char *path, bool directory)
{
	struct sim_inode *parent = NULL;
	const char *name = NULL;
	TRY(find_parent(d, path, &parent, &name));
	const struct sim_inode *i = sim_entries_get(&parent->names_seen, name, strlen(name));
	if (i == NULL)
		return STATUS_NOT_FOUND;
	if (i->is_directory != directory)
		return STATUS_IO;
	if (i->names_seen.count > 0)
		return STATUS_NOT_EMPTY;
	add_unlink(d, parent, name);
	return STATUS_OK;
}

static enum status sim_unlink(struct disk *disk, const char *path)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_UNLINK));
	return remove_name(d, path, false);
}

static enum status sim_rmdir(struct disk *disk, const char *path)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_RMDIR));
	return remove_name(d, path, true);
}

static enum status sim_mkdir(struct disk *disk, const char *path)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_MKDIR));
	struct sim_inode *parent = NULL;
	const char *name = NULL;
	TRY(find_parent(d, path, &parent, &name));
	if (sim_entries_get(&parent->names_seen, name, strlen(name)) != NULL)
		return STATUS_EXISTS;
	add_link(d, parent, name, new_inode(d, true));
	return STATUS_OK;
}

/* Makes durable what concerns this directory. A rename between two directories is one change: with it goes all that came
 * before it, or a name it moved away could come back. */
static void sync_names(struct sim_disk *d, const struct sim_inode *directory)
{
	size_t all_below = 0;
	for (size_t c = 0; c < d->change_count; c++) {
		const struct name_change *change = &d->changes[c];
		bool both = change->from != NULL && change->to != NULL && change->from != change->to;
		if (both && (change->from == directory || change->to == directory))
			all_below = c + 1;
	}
	size_t kept = 0;
	for (size_t c = 0; c < d->change_count; c++) {
		struct name_change *change = &d->changes[c];
		if (c < all_below || change->from == directory || change->to == directory) {
			change_apply(change);
			change_fini(change);
		} else {
			d->changes[kept++] = *change;
		}
	}
	d->change_count = kept;
}

static enum status sim_sync_directory(struct disk *disk, const char *path)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_SYNC_DIRECTORY));
	struct sim_inode *directory = NULL;
	TRY(find_directory(d, path, &directory));
	sync_names(d, directory);
	collect(d);
	return STATUS_OK;
}

static enum status sim_stat(struct disk *disk, const char *path, struct disk_stat *ret_stat)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_STAT));
	struct sim_inode *i = NULL;
	TRY(find_inode(d, path, &i));
	*ret_stat = (struct disk_stat){
		.size_bytes = (int64_t)i->seen.n,
		.mtime_ms = i->mtime_ms,
		.is_directory = i->is_directory,
	};
	return STATUS_OK;
}

static enum status sim_list(struct disk *disk, const char *path, bool (*entry)(void *arg, const char *name), void *arg)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_LIST));
	struct sim_inode *directory = NULL;
	TRY(find_directory(d, path, &directory));
	/* A copy, since entry() may change the directory; begun anywhere, since real ones have no order. */
	struct sim_entries names = {0};
	sim_entries_copy(&names, &directory->names_seen);
	size_t first = names.count > 0 ? random_below(&d->dice, names.count) : 0;
	for (size_t n = 0; n < names.count; n++)
		if (!entry(arg, names.list[(first + n) % names.count].name))
			break;
	sim_entries_clear(&names);
	return STATUS_OK;
}

static enum status sim_space(struct disk *disk, const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes)
{
	struct sim_disk *d = sim_disk_of(disk);
	TRY(sim_disk_step(d, SIM_DISK_FREE_BYTES));
	struct sim_inode *i = NULL;
	TRY(find_inode(d, path, &i));
	int64_t free_bytes = d->capacity_bytes - sim_disk_used_bytes(d);
	*ret_free_bytes = free_bytes > 0 ? free_bytes : 0;
	*ret_total_bytes = d->capacity_bytes;
	return STATUS_OK;
}

static const struct disk_ops sim_ops = {
	.open = sim_open,
	.rename = sim_rename,
	.unlink = sim_unlink,
	.mkdir = sim_mkdir,
	.rmdir = sim_rmdir,
	.sync_directory = sim_sync_directory,
	.stat = sim_stat,
	.list = sim_list,
	.space = sim_space,
	.lock = sim_lock,
};

/* --- life ------------------------------------------------------------------------------------------------------------- */

struct sim_disk *sim_disk_new(uint64_t seed, struct clock *clock)
{
	struct sim_disk *d = check_calloc(1, sizeof(*d));
	d->magic = sim_disk_magic;
	d->disk.ops = &sim_ops;
	d->clock = clock;
	d->capacity_bytes = INT64_MAX;
	random_seed(&d->dice, seed);
	d->root = new_inode(d, true);
	return d;
}

static void drop_changes(struct sim_disk *d)
{
	for (size_t c = 0; c < d->change_count; c++)
		change_fini(&d->changes[c]);
	d->change_count = 0;
}

void sim_disk_free(struct sim_disk *d)
{
	if (d == NULL)
		return;
	CHECK_MAGIC(sim_disk, d);
	while (d->open_files != NULL)
		file_detach(d->open_files);
	drop_changes(d);
	free(d->changes);
	while (d->inodes != NULL) {
		struct sim_inode *i = d->inodes;
		d->inodes = i->next;
		sim_inode_free(i);
	}
	d->magic = 0;
	free(d);
}

struct disk *sim_disk_disk(struct sim_disk *d)
{
	CHECK_MAGIC(sim_disk, d);
	return &d->disk;
}

void sim_disk_prepare_directory(struct sim_disk *d, const char *path)
{
	struct sim_inode *at = d->root;
	for (path += strspn(path, "/"); *path != '\0'; path += strspn(path, "/")) {
		char *name = check_strndup(path, strcspn(path, "/"));
		path += strlen(name);
		struct sim_inode *i = sim_entries_get(&at->names_seen, name, strlen(name));
		if (i == NULL)
			i = new_inode(d, true);
		expect(i->is_directory);
		sim_entries_set(&at->names_seen, name, i);
		sim_entries_set(&at->names_durable, name, i);
		at = i;
		free(name);
	}
}

/* Journals are replayed in order, so usually a prefix of the changes survives; not every file system keeps to that. */
static void crash_names(struct sim_disk *d)
{
	bool in_order = random_below(&d->dice, 4) != 0;
	size_t prefix = in_order ? random_below(&d->dice, d->change_count + 1) : d->change_count;
	for (size_t c = 0; c < prefix; c++)
		if (in_order || random_below(&d->dice, 2) == 0)
			change_apply(&d->changes[c]);
	drop_changes(d);
	for (struct sim_inode *i = d->inodes; i != NULL; i = i->next)
		if (i->is_directory)
			sim_entries_copy(&i->names_seen, &i->names_durable);
}

void sim_disk_crash(struct sim_disk *d)
{
	CHECK_MAGIC(sim_disk, d);
	while (d->open_files != NULL)
		file_detach(d->open_files);
	crash_names(d);
	for (struct sim_inode *i = d->inodes; i != NULL; i = i->next)
		sim_inode_crash(i, &d->dice);
	collect(d);
	sim_disk_disarm(d);
}

#include "coordinator-client/zk_tree_journal.h"
#include "base/crc32c.h"

static void reserve(struct zk_tree_writer *w, size_t more)
{
	expect(more <= ZK_TREE_ENTRY_MAX && w->n <= ZK_TREE_ENTRY_MAX);
	if (w->n + more <= w->capacity)
		return;
	size_t capacity = w->capacity == 0 ? 1024 : w->capacity;
	while (capacity < w->n + more)
		capacity *= 2;
	w->p = check_realloc(w->p, capacity);
	w->capacity = capacity;
}

static void put_bytes(struct byte_writer *b, struct slice s)
{
	if (s.p == NULL) {
		byte_writer_i32(b, -1);
		return;
	}
	expect(s.n <= ZK_DATA_MAX);
	byte_writer_i32(b, (int32_t)s.n);
	byte_writer_bytes(b, s);
}

static void put_node(struct byte_writer *b, const struct zk_stat *st)
{
	byte_writer_i64(b, st->czxid);
	byte_writer_i64(b, st->mzxid);
	byte_writer_i64(b, st->pzxid);
	byte_writer_i64(b, st->ctime_ms);
	byte_writer_i64(b, st->mtime_ms);
	byte_writer_i32(b, st->version);
	byte_writer_i32(b, st->cversion);
	byte_writer_i32(b, st->aversion);
}

static void put_owner(struct byte_writer *b, const struct zk_tree_record *r)
{
	byte_writer_i64(b, r->stat.ephemeral_owner);
	byte_writer_u8(b, (uint8_t)r->protection);
	expect(r->creator != NULL);
	put_bytes(b, slice_of_str(r->creator));
}

void zk_tree_writer_add(struct zk_tree_writer *w, const struct zk_tree_record *r)
{
	if (w->n == 0) {
		reserve(w, ZK_TREE_ENTRY_HEADER);
		w->n = ZK_TREE_ENTRY_HEADER;
	}
	size_t most = 128 + r->data.n;
	most += r->path == NULL ? 0 : strlen(r->path);
	most += r->creator == NULL ? 0 : strlen(r->creator);
	reserve(w, most);
	struct byte_writer b;
	byte_writer_init(&b, w->p + w->n, w->capacity - w->n);
	byte_writer_u8(&b, (uint8_t)r->type);
	if (r->type == 'Z') {
		byte_writer_i64(&b, r->zxid);
		byte_writer_i64(&b, r->time_ms);
	} else {
		expect(r->path != NULL);
		put_bytes(&b, slice_of_str(r->path));
	}
	if (r->type == 'N' || r->type == 'C' || r->type == 'S')
		put_bytes(&b, r->data);
	if (r->type == 'N')
		put_node(&b, &r->stat);
	if (r->type == 'N' || r->type == 'C')
		put_owner(&b, r);
	expect(b.status == STATUS_OK);
	w->n += b.at;
}

struct slice zk_tree_writer_entry(struct zk_tree_writer *w)
{
	if (w->n == 0)
		return (struct slice){0};
	expect(w->n > ZK_TREE_ENTRY_HEADER);
	size_t length = w->n - ZK_TREE_ENTRY_HEADER;
	struct byte_writer b;
	byte_writer_init(&b, w->p, ZK_TREE_ENTRY_HEADER);
	byte_writer_u32(&b, (uint32_t)length);
	byte_writer_u32(&b, crc32c(0, slice_sub(slice_of(w->p, w->n), ZK_TREE_ENTRY_HEADER, length)));
	expect(b.status == STATUS_OK);
	return slice_of(w->p, w->n);
}

void zk_tree_writer_add_raw(struct zk_tree_writer *w, struct slice s)
{
	reserve(w, s.n);
	if (s.n > 0)
		memcpy(w->p + w->n, s.p, s.n);
	w->n += s.n;
}

void zk_tree_writer_reset(struct zk_tree_writer *w)
{
	w->n = 0;
	if (w->capacity > 1024 * 1024) {
		free(w->p);
		*w = (struct zk_tree_writer){0};
	}
}

void zk_tree_writer_fini(struct zk_tree_writer *w)
{
	free(w->p);
	*w = (struct zk_tree_writer){0};
}

/* --- reading ----------------------------------------------------------- */

static bool all_zero(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != 0)
			return false;
	}
	return true;
}

enum status zk_tree_journal_entry(struct slice journal, size_t at, struct slice *ret_payload, size_t *ret_next)
{
	expect(at <= journal.n);
	struct slice rest = slice_sub(journal, at, journal.n - at);
	struct byte_reader r;
	byte_reader_init(&r, rest);
	uint32_t length = byte_reader_u32(&r);
	uint32_t crc = byte_reader_u32(&r);
	/* A file system may have grown the file before the bytes came: zeros are a torn tail as well. */
	if (r.status != STATUS_OK || length == 0 || length > byte_reader_left(&r))
		return length != 0 || all_zero(rest) ? STATUS_TRUNCATED : STATUS_CORRUPT;
	struct slice payload = byte_reader_bytes(&r, length);
	if (crc32c(0, payload) != crc) {
		struct slice after = slice_sub(rest, r.at, rest.n - r.at);
		return all_zero(after) ? STATUS_TRUNCATED : STATUS_CORRUPT;
	}
	*ret_payload = payload;
	*ret_next = at + r.at;
	return STATUS_OK;
}

static struct slice get_bytes(struct byte_reader *r, size_t max)
{
	int32_t n = byte_reader_i32(r);
	if (n == -1)
		return (struct slice){0};
	if (n < 0 || (size_t)n > max) {
		r->status = STATUS_CORRUPT;
		return (struct slice){0};
	}
	return byte_reader_bytes(r, (size_t)n);
}

static const char *get_text(struct byte_reader *r, char text[ZK_PATH_MAX])
{
	struct slice s = get_bytes(r, ZK_PATH_MAX - 1);
	if (s.n > 0)
		memcpy(text, s.p, s.n);
	text[s.n] = '\0';
	return text;
}

static void get_node(struct byte_reader *r, struct zk_stat *st)
{
	st->czxid = byte_reader_i64(r);
	st->mzxid = byte_reader_i64(r);
	st->pzxid = byte_reader_i64(r);
	st->ctime_ms = byte_reader_i64(r);
	st->mtime_ms = byte_reader_i64(r);
	st->version = byte_reader_i32(r);
	st->cversion = byte_reader_i32(r);
	st->aversion = byte_reader_i32(r);
}

static void get_owner(struct byte_reader *r, struct zk_tree_record *record)
{
	record->stat.ephemeral_owner = byte_reader_i64(r);
	uint8_t protection = byte_reader_u8(r);
	if (protection > ZK_PROTECTION_CREATOR)
		r->status = STATUS_CORRUPT;
	record->protection = (enum zk_protection)protection;
	record->creator = get_text(r, record->creator_text);
}

enum status zk_tree_journal_record(struct byte_reader *payload, struct zk_tree_record *ret_record)
{
	struct zk_tree_record *record = ret_record;
	record->type = (char)byte_reader_u8(payload);
	record->stat = (struct zk_stat){0};
	record->data = (struct slice){0};
	switch (record->type) {
	case 'Z':
		record->zxid = byte_reader_i64(payload);
		record->time_ms = byte_reader_i64(payload);
		break;
	case 'N':
	case 'C':
		record->path = get_text(payload, record->path_text);
		record->data = get_bytes(payload, ZK_DATA_MAX);
		if (record->type == 'N')
			get_node(payload, &record->stat);
		get_owner(payload, record);
		break;
	case 'S':
		record->path = get_text(payload, record->path_text);
		record->data = get_bytes(payload, ZK_DATA_MAX);
		break;
	case 'D':
		record->path = get_text(payload, record->path_text);
		break;
	default:
		return STATUS_CORRUPT;
	}
	if (payload->status != STATUS_OK)
		return STATUS_CORRUPT;
	return record->type == 'Z' || zk_path_check(record->path) == STATUS_OK ? STATUS_OK : STATUS_CORRUPT;
}

#include "storage/log_directory.h"
#include "storage/checkpoint_text.h"
#include "storage/name_list.h"

enum {
	META_SIZE_MAX = 64 * 1024,
	CHECKPOINT_SIZE_MAX = 64 * 1024 * 1024,
	UUID_HEX = 32,
};

static char *path_in(const char *directory, const char *name)
{
	return check_asprintf("%s/%s", directory, name);
}

enum status log_directory_make(struct disk *d, const char *path)
{
	struct disk_stat st;
	if (disk_stat(d, path, &st) == STATUS_OK)
		return st.is_directory ? STATUS_OK : STATUS_INVALID_ARGUMENT;
	char *copy = check_strdup(path);
	enum status s = STATUS_OK;
	for (char *at = strchr(copy + 1, '/'); at != NULL && (s == STATUS_OK || s == STATUS_EXISTS); at = strchr(at + 1, '/')) {
		*at = '\0';
		if (disk_stat(d, copy, &st) != STATUS_OK)
			s = disk_mkdir(d, copy);
		*at = '/';
	}
	free(copy);
	if (s == STATUS_OK || s == STATUS_EXISTS)
		s = disk_mkdir(d, path);
	return s == STATUS_EXISTS ? STATUS_OK : s;
}

/* --- meta.properties ----------------------------------------------------------------------------------------- */

static struct slice trim(const char *p, size_t n)
{
	while (n > 0 && strchr(" \t\r", p[0]) != NULL) {
		p++;
		n--;
	}
	while (n > 0 && strchr(" \t\r", p[n - 1]) != NULL)
		n--;
	return slice_of(p, n);
}

static enum status take_property(struct log_directory_meta *m, struct slice key, struct slice value, bool *kraft)
{
	if (slice_equal(key, slice_of_str("version")))
		return bytes_parse_i32(value, &m->version);
	if (slice_equal(key, slice_of_str("broker.id")))
		return bytes_parse_i32(value, &m->broker_id);
	*kraft = *kraft || slice_equal(key, slice_of_str("node.id"));
	if (slice_equal(key, slice_of_str("cluster.id"))) {
		free(m->cluster_id);
		m->cluster_id = check_strndup((const char *)value.p, value.n);
	}
	return STATUS_OK;
}

static enum status parse_meta(const char *text, struct log_directory_meta *m)
{
	bool kraft = false;
	m->version = -1;
	for (const char *line = text; *line != '\0';) {
		size_t n = strcspn(line, "\n");
		struct slice whole = trim(line, n);
		line += n + (line[n] == '\n');
		if (whole.n == 0 || whole.p[0] == '#' || whole.p[0] == '!')
			continue;
		const char *p = (const char *)whole.p, *equals = memchr(p, '=', whole.n);
		if (equals == NULL)
			return STATUS_CORRUPT;
		size_t k = (size_t)(equals - p);
		if (take_property(m, trim(p, k), trim(equals + 1, whole.n - k - 1), &kraft) != STATUS_OK)
			return STATUS_CORRUPT;
	}
	if (kraft && m->version < 1)
		m->version = 1;
	return m->version < 0 ? STATUS_CORRUPT : STATUS_OK;
}

enum status log_directory_read_meta(struct disk *d, const char *path, struct log_directory_meta *ret_meta)
{
	char *text, *file = path_in(path, LOG_DIRECTORY_META);
	size_t n;
	struct log_directory_meta m = {.broker_id = -1};
	enum status s = disk_read_file(d, file, META_SIZE_MAX, &text, &n);
	free(file);
	if (s != STATUS_OK)
		return s == STATUS_TOO_LARGE ? STATUS_CORRUPT : s;
	s = strlen(text) == n ? parse_meta(text, &m) : STATUS_CORRUPT;
	free(text);
	if (s != STATUS_OK) {
		log_directory_meta_fini(&m);
		return s;
	}
	*ret_meta = m;
	return STATUS_OK;
}

void log_directory_meta_fini(struct log_directory_meta *m)
{
	free(m->cluster_id);
	m->cluster_id = NULL;
}

enum status log_directory_write_meta(struct disk *d, const char *path, const char *cluster_id, int32_t broker_id,
	int64_t now_ms)
{
	char date[64] = "";
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm utc;
	if (gmtime_r(&seconds, &utc) != NULL)
		(void)strftime(date, sizeof(date), "%a %b %d %H:%M:%S UTC %Y", &utc);
	char *text = check_asprintf("#\n#%s\nbroker.id=%d\ncluster.id=%s\nversion=0\n", date, broker_id, cluster_id);
	char *file = path_in(path, LOG_DIRECTORY_META);
	enum status s = disk_replace_file(d, file, slice_of_str(text));
	free(text);
	free(file);
	return s;
}

/* --- checkpoints --------------------------------------------------------------------------------------------- */

static enum status next_entry(struct checkpoint_text *t, struct topic_partition *tp, int64_t *offset)
{
	struct slice fields[3];
	int32_t partition;
	TRY(checkpoint_text_next(t, fields, 3));
	if (bytes_parse_i32(fields[1], &partition) != STATUS_OK || bytes_parse_i64(fields[2], offset) != STATUS_OK ||
		*offset < 0 || topic_partition_set(tp, fields[0], partition) != STATUS_OK)
		return STATUS_CORRUPT;
	return STATUS_OK;
}

/* With entry NULL it is only checked. */
static enum status walk_checkpoint(struct slice text, void (*entry)(void *arg, const struct topic_partition *tp, int64_t offset),
	void *arg)
{
	struct checkpoint_text t;
	struct topic_partition tp;
	int64_t offset;
	TRY(checkpoint_text_begin(&t, text));
	for (int64_t i = 0; i < t.count; i++) {
		TRY(next_entry(&t, &tp, &offset));
		if (entry != NULL)
			entry(arg, &tp, offset);
	}
	return checkpoint_text_ended(&t) ? STATUS_OK : STATUS_CORRUPT;
}

enum status log_directory_read_checkpoint(struct disk *d, const char *path, const char *name,
	void (*entry)(void *arg, const struct topic_partition *tp, int64_t offset), void *arg)
{
	char *text, *file = path_in(path, name);
	size_t n;
	enum status s = disk_read_file(d, file, CHECKPOINT_SIZE_MAX, &text, &n);
	free(file);
	if (s != STATUS_OK)
		return s == STATUS_TOO_LARGE ? STATUS_CORRUPT : s;
	s = walk_checkpoint(slice_of(text, n), NULL, NULL);
	if (s == STATUS_OK)
		s = walk_checkpoint(slice_of(text, n), entry, arg);
	free(text);
	return s;
}

void checkpoint_writer_add(struct checkpoint_writer *w, const struct topic_partition *tp, int64_t offset)
{
	enum { LINE_MAX = TOPIC_NAME_MAX + 40 };
	expect(offset >= 0);
	if (w->capacity - w->size < LINE_MAX) {
		w->capacity = w->capacity == 0 ? 4096 : w->capacity * 2;
		w->lines = check_realloc(w->lines, w->capacity);
	}
	int n = snprintf(w->lines + w->size, w->capacity - w->size, "%s %d %lld\n", tp->topic, tp->partition, (long long)offset);
	expect(n > 0 && n < LINE_MAX);
	w->size += (size_t)n;
	w->count++;
}

enum status checkpoint_writer_store(struct checkpoint_writer *w, struct disk *d, const char *path, const char *name)
{
	char *text = check_asprintf("0\n%zu\n%.*s", w->count, (int)w->size, w->lines == NULL ? "" : w->lines);
	char *file = path_in(path, name);
	enum status s = disk_replace_file(d, file, slice_of_str(text));
	free(text);
	free(file);
	return s;
}

void checkpoint_writer_fini(struct checkpoint_writer *w)
{
	free(w->lines);
	*w = (struct checkpoint_writer){0};
}

/* --- the clean-shutdown marker ------------------------------------------------------------------------------- */

enum status log_directory_take_marker(struct disk *d, const char *path, bool *ret_clean)
{
	char *file = path_in(path, LOG_DIRECTORY_CLEAN_MARKER);
	enum status s = disk_unlink(d, file);
	free(file);
	if (s == STATUS_NOT_FOUND) {
		*ret_clean = false;
		return STATUS_OK;
	}
	TRY(s);
	*ret_clean = true;
	return disk_sync_directory(d, path);
}

enum status log_directory_write_marker(struct disk *d, const char *path)
{
	char *file = path_in(path, LOG_DIRECTORY_CLEAN_MARKER);
	enum status s = disk_replace_file(d, file, slice_of_str("{\"version\":0,\"brokerEpoch\":-1}"));
	free(file);
	return s;
}

/* --- names --------------------------------------------------------------------------------------------------- */

static bool has_uuid_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), k = strlen(suffix);
	if (n < k + UUID_HEX + 2 || strcmp(name + n - k, suffix) != 0)
		return false;
	const char *hex = name + n - k - UUID_HEX;
	return hex[-1] == '.' && strspn(hex, "0123456789abcdefABCDEF") >= UUID_HEX;
}

enum log_directory_entry log_directory_classify(const char *name, struct topic_partition *ret_tp)
{
	if (has_uuid_suffix(name, "-delete"))
		return LOG_ENTRY_DELETED;
	if (has_uuid_suffix(name, "-future") || has_uuid_suffix(name, "-stray"))
		return LOG_ENTRY_FOREIGN;
	if (topic_partition_parse(slice_of_str(name), ret_tp) == STATUS_OK)
		return LOG_ENTRY_PARTITION;
	return LOG_ENTRY_OTHER;
}

void log_directory_deleted_name(const struct topic_partition *tp, const struct uuid *id, char out[LOG_DIRECTORY_NAME_SIZE])
{
	char hex[UUID_HEX + 1], suffix[64];
	for (size_t i = 0; i < sizeof(id->b); i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", id->b[i]);
	int k = snprintf(suffix, sizeof(suffix), "-%d.%s-delete", tp->partition, hex);
	expect(k > 0 && (size_t)k < sizeof(suffix));
	size_t room = LOG_DIRECTORY_NAME_SIZE - 1 - (size_t)k, n = strlen(tp->topic);
	(void)snprintf(out, LOG_DIRECTORY_NAME_SIZE, "%.*s%s", (int)(n < room ? n : room), tp->topic, suffix);
}

enum status log_directory_remove(struct disk *d, const char *path)
{
	struct name_list list;
	enum status s = name_list_read(d, path, &list);
	for (size_t i = 0; s == STATUS_OK && i < list.count; i++) {
		char *file = path_in(path, list.names[i]);
		s = disk_unlink(d, file);
		free(file);
		s = s == STATUS_NOT_FOUND ? STATUS_OK : s;
	}
	name_list_fini(&list);
	if (s == STATUS_NOT_FOUND)
		return STATUS_OK;
	return s == STATUS_OK ? disk_rmdir(d, path) : s;
}

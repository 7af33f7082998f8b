#include "broker_journal.h"

enum { JOURNAL_MAX = 1024 * 1024 * 1024 };

struct broker_journal {
	struct zk_journal table;
	struct disk *disk;
	char *path;
	struct disk_file *file; /* NULL: opened at the next append */
	int64_t end;
	bool failed;
};

static struct broker_journal *journal_of(struct zk_journal *table)
{
	return CONTAINER_OF(table, struct broker_journal, table);
}

static enum status open_file(struct broker_journal *j)
{
	if (j->file != NULL)
		return STATUS_OK;
	TRY(disk_open(j->disk, j->path, DISK_WRITE | DISK_CREATE, &j->file));
	return disk_file_size(j->file, &j->end);
}

static enum status append_entry(struct broker_journal *j, struct slice entry)
{
	TRY(open_file(j));
	TRY(disk_file_pwrite(j->file, entry.p, entry.n, j->end));
	TRY(disk_file_fdatasync(j->file));
	j->end += (int64_t)entry.n;
	return STATUS_OK;
}

/* After one failure what is in the file is unknown: nothing is added to it. */
static enum status append(struct zk_journal *table, struct slice entry)
{
	struct broker_journal *j = journal_of(table);
	if (j->failed)
		return STATUS_IO;
	enum status s = append_entry(j, entry);
	j->failed = s != STATUS_OK;
	return s;
}

static enum status read_all(struct zk_journal *table, uint8_t **ret_data, size_t *ret_n)
{
	struct broker_journal *j = journal_of(table);
	char *text = NULL;
	enum status s = disk_read_file(j->disk, j->path, JOURNAL_MAX, &text, ret_n);
	if (s == STATUS_NOT_FOUND) {
		*ret_data = NULL;
		*ret_n = 0;
		return STATUS_OK;
	}
	TRY(s);
	*ret_data = (uint8_t *)text;
	return STATUS_OK;
}

static enum status replace(struct zk_journal *table, struct slice content)
{
	struct broker_journal *j = journal_of(table);
	if (j->file != NULL)
		disk_file_close(j->file);
	j->file = NULL;
	return disk_replace_file(j->disk, j->path, content);
}

struct broker_journal *broker_journal_new(struct disk *disk, const char *path)
{
	struct broker_journal *j = check_calloc(1, sizeof(*j));
	j->table = (struct zk_journal){.append = append, .read_all = read_all, .replace = replace};
	j->disk = disk;
	j->path = check_strdup(path);
	return j;
}

void broker_journal_free(struct broker_journal *j)
{
	if (j == NULL)
		return;
	if (j->file != NULL)
		disk_file_close(j->file);
	free(j->path);
	free(j);
}

struct zk_journal *broker_journal_table(struct broker_journal *j)
{
	return &j->table;
}

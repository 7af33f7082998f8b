#include "tools/log_dump.h"
#include <jansson.h>
#include <stdio.h>

enum { TEXT_MAX_BYTES = 64 << 20 };

static char *read_text(struct log_dump *d, size_t *ret_n)
{
	char *text = NULL;
	enum status s = disk_read_file(d->disk, d->path, TEXT_MAX_BYTES, &text, ret_n);
	if (s != STATUS_OK) {
		log_dump_problem(d, 0, "cannot be read: %s", status_text(s));
		return NULL;
	}
	return text;
}

/* The next line of text, NUL-terminated in place; NULL at the end. */
static char *next_line(char **at)
{
	char *line = *at;
	if (line == NULL || *line == '\0')
		return NULL;
	char *end = strchr(line, '\n');
	if (end != NULL)
		*end = '\0';
	*at = end != NULL ? end + 1 : NULL;
	return line;
}

static bool all_numbers(const char *line, size_t wanted)
{
	size_t n = 0;
	const char *at = line;
	while (*at != '\0') {
		size_t size = strcspn(at, " ");
		int64_t number;
		if (bytes_parse_i64(slice_of(at, size), &number) != STATUS_OK)
			return false;
		n++;
		at += size;
		at += strspn(at, " ");
	}
	return n == wanted;
}

/* "epoch start" or "topic partition offset". */
static bool good_entry(const char *line, bool epochs)
{
	if (epochs)
		return all_numbers(line, 2);
	const char *space = strchr(line, ' ');
	return space != NULL && space != line && all_numbers(space + 1, 2);
}

static void print_entry(const struct log_dump *d, const char *line, bool epochs)
{
	if (!d->options->json) {
		(void)puts(line);
		return;
	}
	const char *space = strchr(line, ' ');
	if (epochs) {
		(void)printf("{\"epoch\":%.*s,\"start_offset\":%s}\n", (int)(space - line), line, space + 1);
		return;
	}
	const char *second = strchr(space + 1, ' ');
	(void)printf("{\"topic\":\"%.*s\",\"partition\":%.*s,\"offset\":%s}\n", (int)(space - line), line,
		(int)(second - space - 1), space + 1, second + 1);
}

void log_dump_checkpoint(struct log_dump *d)
{
	const char *name = strrchr(d->path, '/');
	bool epochs = strcmp(name != NULL ? name + 1 : d->path, "leader-epoch-checkpoint") == 0;
	size_t n;
	char *text = read_text(d, &n);
	if (text == NULL)
		return;
	/* Kafka makes leader-epoch-checkpoint empty and fills it with the first epoch. */
	if (n == 0 && epochs) {
		free(text);
		return;
	}
	char *at = text;
	const char *version = next_line(&at), *count_line = version != NULL ? next_line(&at) : NULL;
	int64_t wanted = 0, count = 0;
	if (version == NULL || strcmp(version, "0") != 0)
		log_dump_problem(d, 0, "line 1 is not version 0");
	else if (count_line == NULL || bytes_parse_i64(slice_of_str(count_line), &wanted) != STATUS_OK)
		log_dump_problem(d, 0, "line 2 is not a number of entries");
	for (const char *line = next_line(&at); line != NULL; line = next_line(&at)) {
		count++;
		if (good_entry(line, epochs))
			print_entry(d, line, epochs);
		else
			log_dump_problem(d, 0, "line %lld is damaged", (long long)count + 2);
	}
	if (count != wanted)
		log_dump_problem(d, 0, "%lld entries, but line 2 says %lld", (long long)count, (long long)wanted);
	free(text);
}

void log_dump_properties(struct log_dump *d)
{
	size_t n;
	char *text = read_text(d, &n);
	if (text == NULL)
		return;
	char *at = text;
	for (const char *line = next_line(&at); line != NULL; line = next_line(&at)) {
		size_t key = strcspn(line, "=:");
		if (line[0] == '#' || line[key] == '\0')
			continue;
		const char *value = line + key + 1 + strspn(line + key + 1, " ");
		if (!d->options->json) {
			(void)printf("%.*s = %s\n", (int)key, line, value);
			continue;
		}
		json_t *object = json_pack("{s:s%,s:s}", "key", line, key, "value", value);
		if (object != NULL)
			(void)json_dumpf(object, stdout, JSON_COMPACT);
		(void)fputc('\n', stdout);
		json_decref(object);
	}
	free(text);
}

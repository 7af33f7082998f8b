#include "base/diag.h"
#include "tools/cli.h"
#include "tools/commands.h"
#include "tools/log_dump.h"
#include <stdarg.h>

#define COUNT(options) (sizeof(options) / sizeof((options)[0]))

void log_dump_problem(struct log_dump *d, int64_t position, const char *fmt, ...)
{
	(void)fflush(stdout);
	d->problems++;
	(void)fprintf(stderr, "%s: position %lld: ", d->path, (long long)position);
	va_list args;
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

int64_t log_dump_base_offset(const char *path)
{
	enum { DIGITS = 20 };
	const char *name = name_of(path);
	int64_t offset;
	if (strspn(name, "0123456789") != DIGITS || name[DIGITS] != '.')
		return -1;
	return bytes_parse_i64(slice_of(name, DIGITS), &offset) == STATUS_OK ? offset : -1;
}

typedef void (*dump_fn)(struct log_dump *d);
static const struct {
	const char *suffix;
	dump_fn dump;
} kinds[] = {
	{".log", log_dump_segment},
	{".index", log_dump_offset_index},
	{".timeindex", log_dump_time_index},
	{"leader-epoch-checkpoint", log_dump_checkpoint},
	{"-offset-checkpoint", log_dump_checkpoint},
	{"partition.metadata", log_dump_properties},
	{"meta.properties", log_dump_properties},
};

static dump_fn reader_of(const char *path)
{
	size_t n = strlen(path);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		size_t suffix = strlen(kinds[i].suffix);
		if (n >= suffix && strcmp(path + n - suffix, kinds[i].suffix) == 0)
			return kinds[i].dump;
	}
	return NULL;
}

struct name_list {
	char **names;
	size_t count;
};

static bool add_name(void *arg, const char *name)
{
	struct name_list *l = (struct name_list *)arg;
	l->names = (char **)check_realloc(l->names, (l->count + 1) * sizeof(char *));
	l->names[l->count++] = check_strdup(name);
	return true;
}

static int compare_names(const void *a, const void *b)
{
	const char *const *x = (const char *const *)a, *const *y = (const char *const *)b;
	return strcmp(*x, *y);
}

static uint64_t dump_file(const struct log_dump_options *o, const char *path, dump_fn dump)
{
	struct log_dump d = {.options = o, .disk = disk_system(), .path = path};
	if (o->json)
		(void)printf("{\"file\":\"%s\"}\n", path);
	else
		(void)printf("# %s\n", path);
	dump(&d);
	return d.problems;
}

/* Every file of a directory that there is a reader for, by name. */
static uint64_t dump_directory(const struct log_dump_options *o, const char *path)
{
	struct name_list list = {.count = 0};
	uint64_t problems = 0;
	enum status s = disk_list(disk_system(), path, add_name, &list);
	if (s != STATUS_OK) {
		(void)cli_fail_text("%s: %s", path, status_text(s));
		problems++;
	}
	if (list.count > 0)
		qsort(list.names, list.count, sizeof(char *), compare_names);
	for (size_t i = 0; i < list.count; i++) {
		dump_fn dump = reader_of(list.names[i]);
		char *file = check_asprintf("%s/%s", path, list.names[i]);
		if (dump != NULL)
			problems += dump_file(o, file, dump);
		free(file);
		free(list.names[i]);
	}
	free(list.names);
	return problems;
}

static uint64_t dump_path(const struct log_dump_options *o, const char *path)
{
	struct disk_stat st;
	enum status s = disk_stat(disk_system(), path, &st);
	if (s != STATUS_OK) {
		(void)cli_fail_text("%s: %s", path, s == STATUS_NOT_FOUND ? "there is no such file" : status_text(s));
		return 1;
	}
	if (st.is_directory)
		return dump_directory(o, path);
	dump_fn dump = reader_of(path);
	if (dump != NULL)
		return dump_file(o, path, dump);
	(void)cli_fail_text("%s: what kind of file is this? Known: .log .index .timeindex leader-epoch-checkpoint "
			    "*-offset-checkpoint partition.metadata meta.properties, or a directory of them",
		path);
	return 1;
}

int cmd_log_dump(const struct cli_command *command, int argc, char **argv)
{
	struct log_dump_options o = {.json = false};
	const struct cli_option options[] = {
		{"--records", CLI_FLAG, NULL, &o.records, "the records too", 0, 0},
		{"--json", CLI_FLAG, NULL, &o.json, "one JSON object a line", 0, 0},
	};
	struct cli_parsed parsed;
	int status;
	if (!cli_parse(command, options, COUNT(options), argc, argv, &parsed, &status))
		return status;
	/* The reader tells what it finds; the broker's log lines would say it twice. */
	diag_set_level(DIAG_ERROR);
	if (cli_check_positional(command, &parsed, 1, SIZE_MAX, &status)) {
		uint64_t problems = 0;
		for (size_t i = 0; i < parsed.positional_count; i++)
			problems += dump_path(&o, parsed.positional[i]);
		status = problems == 0 ? CLI_OK : CLI_FAILED;
		if (problems > 0)
			(void)cli_fail_text("%llu problems found", (unsigned long long)problems);
	}
	cli_parsed_free(&parsed, options, COUNT(options));
	return status;
}

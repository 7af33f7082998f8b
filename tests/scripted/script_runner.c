#include "script_runner.h"
#include "base/diag.h"
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void script_bad(const struct script_command *c, const char *why)
{
	fprintf(stderr, "%s:%d: %s: %s\n", c->file, c->line, c->words[0], why);
	exit(2);
}

const char *script_option(const struct script_command *c, const char *key)
{
	size_t n = strlen(key);
	for (int i = 1; i < c->word_count; i++) {
		if (strncmp(c->words[i], key, n) == 0 && c->words[i][n] == '=')
			return c->words[i] + n + 1;
	}
	return NULL;
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	if (f == NULL) {
		perror(path);
		exit(2);
	}
	char *text = NULL;
	size_t size = 0;
	ssize_t n = getdelim(&text, &size, '\0', f);
	fclose(f);
	if (n < 0) {
		free(text);
		return check_strdup("");
	}
	return text;
}

static void split_words(struct script_command *c, char *line)
{
	c->word_count = 0;
	char *rest = NULL;
	for (char *w = strtok_r(line, " \t", &rest); w != NULL; w = strtok_r(NULL, " \t", &rest)) {
		expect(c->word_count < SCRIPT_WORDS_MAX);
		c->words[c->word_count++] = w;
	}
	c->words[c->word_count] = NULL;
}

static char *run_command(const struct script_machine *m, void *machine, struct script_command *c, const char *line)
{
	char *copy = check_strdup(line), *output = NULL;
	size_t n = 0;
	split_words(c, copy);
	FILE *out = open_memstream(&output, &n);
	expect(out != NULL);
	m->command(machine, c, out);
	fclose(out);
	if (n == 0) {
		free(output);
		output = check_strdup("ok\n");
	}
	free(copy);
	return output;
}

/* One file; writes what it ought to be into `now`. Returns how many cases differ. */
static int run_cases(const struct script_machine *m, const char *path, char *text, FILE *now)
{
	void *machine = m->begin();
	int differ = 0, number = 0;
	char *next = text;
	while (next != NULL && *next != '\0') {
		char *line = strsep(&next, "\n");
		number++;
		if (line[0] == '\0' || line[0] == '#') {
			fprintf(now, "%s\n", line);
			continue;
		}
		struct script_command c = {.file = path, .line = number};
		fprintf(now, "%s\n----\n", line);
		char *output = run_command(m, machine, &c, line);
		char *expected = NULL;
		size_t expected_n = 0;
		FILE *wanted = open_memstream(&expected, &expected_n);
		expect(wanted != NULL);
		char *separator = next == NULL ? NULL : strsep(&next, "\n");
		number++;
		if (separator == NULL || strcmp(separator, "----") != 0)
			script_bad(&c, "no ---- behind the command");
		while (next != NULL && *next != '\0' && *next != '\n') {
			fprintf(wanted, "%s\n", strsep(&next, "\n"));
			number++;
		}
		fclose(wanted);
		fputs(output, now);
		if (strcmp(output, expected) != 0) {
			differ++;
			fprintf(stderr, "%s:%d: %s\n--- expected\n%s--- got\n%s\n", path, c.line, line, expected, output);
		}
		free(expected);
		free(output);
	}
	m->end(machine);
	return differ;
}

static int run_file(const struct script_machine *m, const char *path, bool rewrite)
{
	char *text = read_file(path), *now_text = NULL;
	size_t now_n = 0;
	FILE *now = open_memstream(&now_text, &now_n);
	expect(now != NULL);
	int differ = run_cases(m, path, text, now);
	fclose(now);
	if (rewrite && differ > 0) {
		FILE *f = fopen(path, "w");
		expect(f != NULL);
		fputs(now_text, f);
		fclose(f);
		differ = 0;
	}
	free(now_text);
	free(text);
	return differ;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int run_folder(const struct script_machine *m, const char *folder, bool rewrite)
{
	char *path = check_asprintf("%s/%s", folder, m->name), *names[256];
	int count = 0, differ = 0;
	DIR *d = opendir(path);
	if (d == NULL) {
		perror(path);
		exit(2);
	}
	for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
		size_t n = strlen(e->d_name);
		if (n > 4 && strcmp(e->d_name + n - 4, ".txt") == 0) {
			expect(count < 256);
			names[count++] = check_asprintf("%s/%s", path, e->d_name);
		}
	}
	closedir(d);
	qsort(names, (size_t)count, sizeof names[0], compare_names);
	for (int i = 0; i < count; i++) {
		differ += run_file(m, names[i], rewrite);
		free(names[i]);
	}
	printf("%s: %d files, %d cases differ\n", m->name, count, differ);
	free(path);
	return count == 0 || differ > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* What the machine logs is not part of its answers. */
static void drop_line(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int script_run(const struct script_machine *m, const char *folder, int argc, char **argv)
{
	bool rewrite = argc > 1 && strcmp(argv[1], "--rewrite") == 0;
	int first = rewrite ? 2 : 1, differ = 0;
	diag_set_sink(drop_line, NULL);
	if (first >= argc)
		return run_folder(m, folder, rewrite);
	for (int i = first; i < argc; i++)
		differ += run_file(m, argv[i], rewrite);
	return differ > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

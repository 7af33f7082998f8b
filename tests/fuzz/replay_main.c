/* Runs a fuzz target over its seeds: fuzz_X [FILE|FOLDER]..., by default $srcdir/tests/fuzz/corpus/X. Short seeds are run
 * cut at every byte too, since cut input is what parsers meet most. */
#include "base/check.h"
#include "tests/fuzz/fuzz.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED_SIZE_MAX = 1 << 20, CUT_SIZE_MAX = 2048 };

/* The target gets memory of exactly that size, so that a sanitizer sees one byte too far. */
static void run(const char *bytes, size_t n)
{
	uint8_t *copy = check_alloc(n == 0 ? 1 : n);
	memcpy(copy, bytes, n);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static unsigned replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return 0;
	char *bytes = check_alloc(SEED_SIZE_MAX);
	size_t n = fread(bytes, 1, SEED_SIZE_MAX, f);
	bool failed = ferror(f) != 0;
	(void)fclose(f);
	if (!failed) {
		run(bytes, n);
		for (size_t cut = 0; cut < n && n <= CUT_SIZE_MAX; cut++)
			run(bytes, cut);
	}
	free(bytes);
	return failed ? 0 : 1;
}

static unsigned replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return replay_file(path);
	unsigned count = 0;
	for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
		if (e->d_name[0] == '.')
			continue;
		char *file = check_asprintf("%s/%s", path, e->d_name);
		count += replay_file(file);
		free(file);
	}
	(void)closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash == NULL ? argv[0] : slash + 1;
	unsigned count = 0;
	for (int i = 1; i < argc; i++)
		count += replay_folder(argv[i]);
	if (argc == 1) {
		const char *srcdir = getenv("srcdir");
		name += strncmp(name, "fuzz_", 5) == 0 ? 5 : 0;
		char *folder = check_asprintf("%s/tests/fuzz/corpus/%s", srcdir == NULL ? "." : srcdir, name);
		count = replay_folder(folder);
		if (count == 0)
			fprintf(stderr, "%s: no seeds\n", folder);
		free(folder);
	}
	printf("%s: %u seeds\n", name, count);
	return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

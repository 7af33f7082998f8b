/* Scripted tests for pure machines, after etcd's datadriven: a file of cases, each a command line, optional further lines,
 * "----", and the output expected up to the next blank line. With --rewrite the outputs are replaced by what the machine says;
 * the diff is then read as carefully as code. Lines starting with '#' before a command are comments. */
#ifndef TESTS_SCRIPTED_SCRIPT_RUNNER_H
#define TESTS_SCRIPTED_SCRIPT_RUNNER_H
#include "base/check.h"
#include <stdio.h>

enum { SCRIPT_WORDS_MAX = 64 };
struct script_command {
	const char *file;
	int line;
	char *words[SCRIPT_WORDS_MAX + 1]; /* words[0]: the command; ends with NULL */
	int word_count;
};
struct script_machine {
	const char *name; /* folder of its files */
	/* A fresh machine for each file. */
	void *(*begin)(void);
	void (*command)(void *machine, const struct script_command *c, FILE *out);
	void (*end)(void *machine);
};
/* main() of a test program: script files, or none for all of <folder>/<name>; --rewrite. */
int script_run(const struct script_machine *m, const char *folder, int argc, char **argv);
/* Value of "key=value" among the words; NULL none. */
const char *script_option(const struct script_command *c, const char *key);
/* Stops the program: the script itself is wrong. */
_Noreturn void script_bad(const struct script_command *c, const char *why);
#endif

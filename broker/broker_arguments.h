/* The command line of correio-broker. */
#ifndef BROKER_ARGUMENTS_H
#define BROKER_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

enum { BROKER_OVERRIDES_MAX = 256 };
struct broker_arguments {
	const char *properties_path; /* NULL: none given */
	const char *overrides[BROKER_OVERRIDES_MAX];
	size_t override_count;
	const char *standalone_directory; /* NULL: ZooKeeper */
	bool check_config, help_config, json;
};
/* Prints help, version and usage errors itself and ends the process with 0 or 64 then. */
void broker_arguments_parse(int argc, char **argv, struct broker_arguments *ret_arguments);

#endif

/* The broker: builds and wires every module, starts and stops them in order. */
#ifndef BROKER_H
#define BROKER_H

#include "config/settings.h"

enum {
	BROKER_EXIT_OK = 0,
	BROKER_EXIT_FAILED = 1,
	BROKER_EXIT_USAGE = 64,
	BROKER_EXIT_CONFIG = 78, /* EX_CONFIG: starting again will not help */
};

struct broker_options {
	const struct settings *settings;
	const char *standalone_directory; /* NULL: ZooKeeper; else the coordinator is a tree in this process, kept there */
	int64_t started_us;               /* monotonic, of the process */
};
/* Serves until SIGTERM or SIGINT, or until it cannot go on. Returns the exit status. */
int broker_run(const struct broker_options *o);

#endif

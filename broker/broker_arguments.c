#include "broker_arguments.h"

#include "broker.h"

#include <argp.h>

enum { KEY_OVERRIDE = 256, KEY_STANDALONE, KEY_CHECK, KEY_HELP_CONFIG, KEY_JSON };

static const struct argp_option options[] = {
	{"override", KEY_OVERRIDE, "KEY=VALUE", 0, "Set a key over the file; may be given again", 0},
	{"standalone", KEY_STANDALONE, "DIR", 0, "One broker without ZooKeeper, for development: coordinator and logs under DIR", 0},
	{"check-config", KEY_CHECK, NULL, 0, "Check the settings, then exit: 0, or 78 with every error", 0},
	{"help-config", KEY_HELP_CONFIG, NULL, 0, "Print every key: type, default, range, meaning", 0},
	{"json", KEY_JSON, NULL, 0, "With --help-config: as JSON", 0},
	{0},
};

static error_t take(int key, char *value, struct argp_state *state)
{
	struct broker_arguments *a = state->input;
	switch (key) {
	case KEY_OVERRIDE:
		if (a->override_count == BROKER_OVERRIDES_MAX)
			argp_error(state, "at most %d overrides: put them into the file", BROKER_OVERRIDES_MAX);
		a->overrides[a->override_count++] = value;
		return 0;
	case KEY_STANDALONE:
		a->standalone_directory = value;
		return 0;
	case KEY_CHECK:
		a->check_config = true;
		return 0;
	case KEY_HELP_CONFIG:
		a->help_config = true;
		return 0;
	case KEY_JSON:
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->properties_path != NULL)
			argp_error(state, "one settings file, not \"%s\" and \"%s\"", a->properties_path, value);
		a->properties_path = value;
		return 0;
	case ARGP_KEY_END:
		if (a->properties_path == NULL && a->standalone_directory == NULL && !a->help_config)
			argp_error(state, "a settings file is missing, e.g. deploy/broker.properties; or use --standalone DIR");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void broker_arguments_parse(int argc, char **argv, struct broker_arguments *ret_arguments)
{
	static const struct argp parser = {
		.options = options,
		.parser = take,
		.args_doc = "FILE.properties",
		.doc = "correio-broker: stores partitions of topics and serves them, coordinated by ZooKeeper.\v"
		       "Signals: TERM and INT stop cleanly, HUP reopens the log file.\n"
		       "Exit status: 0 stopped, 1 failed, 64 wrong use, 78 settings or ensemble do not fit.",
	};
	argp_program_version = "correio-broker " PACKAGE_VERSION;
	argp_err_exit_status = BROKER_EXIT_USAGE;
	*ret_arguments = (struct broker_arguments){0};
	(void)argp_parse(&parser, argc, argv, 0, NULL, ret_arguments);
}

#include "broker_arguments.h"

#include "base/bytes.h"
#include "broker.h"

#include <argp.h>

enum { SUGGESTION_DISTANCE_MAX = 3 };

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

/* argp says only that it does not know an option; a person wants to hear which one was meant. */
static const char *nearest_option(const char *name, size_t n)
{
	char given[64];
	const char *best = NULL;
	unsigned best_distance = SUGGESTION_DISTANCE_MAX + 1;
	if (n >= sizeof(given))
		return NULL;
	memcpy(given, name, n);
	given[n] = '\0';
	for (size_t i = 0; options[i].name != NULL; i++) {
		unsigned distance = bytes_edit_distance(given, options[i].name, SUGGESTION_DISTANCE_MAX);
		if (distance < best_distance) {
			best_distance = distance;
			best = options[i].name;
		}
	}
	return best;
}

/* A unique beginning of an option is the option. */
static bool option_is_known(const char *name, size_t n)
{
	static const char *const built_in[] = {"help", "usage", "version"};
	for (size_t i = 0; options[i].name != NULL; i++)
		if (strncmp(options[i].name, name, n) == 0)
			return true;
	for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
		if (strncmp(built_in[i], name, n) == 0)
			return true;
	return false;
}

static void check_options(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strncmp(argv[i], "--", 2) != 0)
			continue;
		const char *name = argv[i] + 2;
		size_t n = strcspn(name, "=");
		if (option_is_known(name, n))
			continue;
		const char *near = nearest_option(name, n);
		fprintf(stderr, "correio-broker: unknown option --%.*s%s%s%s\nTry: correio-broker --help\n", (int)n, name,
			near == NULL ? "" : "; did you mean --", near == NULL ? "" : near, near == NULL ? "" : "?");
		exit(BROKER_EXIT_USAGE);
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
	check_options(argc, argv);
	(void)argp_parse(&parser, argc, argv, 0, NULL, ret_arguments);
}

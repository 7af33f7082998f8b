#include "tools/cli.h"
#include "tools/client/client_config.h"
#include <jansson.h>
#include <stdarg.h>
#include <unistd.h>

bool cli_coloured(FILE *file)
{
	const char *no_colour = getenv("NO_COLOR");
	return isatty(fileno(file)) && (no_colour == NULL || no_colour[0] == '\0');
}

const char *cli_nearest(const char *word, const char *const *words, size_t count)
{
	return client_nearest(word, words, count);
}

static void command_words(const struct cli_command *c, char *out, size_t size)
{
	(void)snprintf(out, size, "%s%s%s%s%s", c->program != NULL ? c->program : "correio", c->group != NULL ? " " : "",
		c->group != NULL ? c->group : "", c->name != NULL ? " " : "", c->name != NULL ? c->name : "");
}

int cli_usage(const struct cli_command *command, const char *fmt, ...)
{
	char words[64];
	command_words(command, words, sizeof(words));
	(void)fprintf(stderr, "%s: ", words);
	va_list args;
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fprintf(stderr, "\nTry: %s --help\n", words);
	return CLI_USAGE;
}

int cli_fail(const struct cli_common *common, const struct correio_error *err)
{
	if (common != NULL && common->json) {
		json_t *error = json_pack("{s:{s:i,s:s,s:b,s:s}}", "error", "code", err->code, "name",
			correio_error_name(err->code), "retriable", err->retriable, "message", err->message);
		(void)json_dumpf(error, stderr, JSON_COMPACT);
		(void)fputc('\n', stderr);
		json_decref(error);
		return CLI_FAILED;
	}
	bool colour = cli_coloured(stderr);
	(void)fprintf(stderr, "%scorreio: %s%s: %s\n", colour ? "\033[31m" : "", correio_error_name(err->code),
		colour ? "\033[0m" : "", err->message);
	return CLI_FAILED;
}

int cli_fail_text(const char *fmt, ...)
{
	(void)fputs("correio: ", stderr);
	va_list args;
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return CLI_FAILED;
}

/* ---- help ---- */

static void print_option(const struct cli_option *o)
{
	char left[64];
	(void)snprintf(left, sizeof(left), "%s%s%s", o->name, o->argument != NULL ? " " : "",
		o->argument != NULL ? o->argument : "");
	if (strlen(left) > 30)
		(void)printf("  %s\n  %-30s %s\n", left, "", o->help);
	else
		(void)printf("  %-30s %s\n", left, o->help);
}

void cli_print_help(const struct cli_command *command, const struct cli_option *options, size_t option_count)
{
	char words[64];
	command_words(command, words, sizeof(words));
	(void)printf("Usage: %s %s\n%s\n\nOptions:\n", words, command->arguments, command->summary);
	for (size_t i = 0; i < option_count; i++)
		print_option(&options[i]);
	(void)printf("  %-30s %s\n", "--help", "this text");
	if (command->examples != NULL)
		(void)printf("\nExamples:\n%s", command->examples);
}

/* ---- parsing ---- */

static const struct cli_option *find_option(const struct cli_option *options, size_t count, const char *name, size_t n)
{
	for (size_t i = 0; i < count; i++)
		if (strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0)
			return &options[i];
	return NULL;
}

static int unknown_option(const struct cli_command *command, const struct cli_option *options, size_t count,
	const char *name)
{
	const char *names[64];
	size_t n = 0;
	for (; n < count && n < sizeof(names) / sizeof(names[0]); n++)
		names[n] = options[n].name;
	const char *nearest = cli_nearest(name, names, n);
	if (nearest != NULL)
		return cli_usage(command, "unknown option %s; did you mean %s?", name, nearest);
	return cli_usage(command, "unknown option %s", name);
}

static void list_add(struct cli_list *list, const char *value)
{
	list->items = (const char **)check_realloc(list->items, (list->count + 1) * sizeof(const char *));
	list->items[list->count++] = value;
}

static int set_option(const struct cli_command *command, const struct cli_option *o, const char *value)
{
	int64_t number;
	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->target = true;
		return CLI_OK;
	case CLI_TEXT:
		*(const char **)o->target = value;
		return CLI_OK;
	case CLI_LIST:
		list_add((struct cli_list *)o->target, value);
		return CLI_OK;
	case CLI_NUMBER:
		break;
	}
	bool bounded = o->min != 0 || o->max != 0;
	if (bytes_parse_i64(slice_of_str(value), &number) != STATUS_OK ||
		(bounded && (number < o->min || number > o->max))) {
		if (bounded)
			return cli_usage(command, "%s: '%s' is not a number from %lld to %lld", o->name, value,
				(long long)o->min, (long long)o->max);
		return cli_usage(command, "%s: '%s' is not a number", o->name, value);
	}
	*(int64_t *)o->target = number;
	return CLI_OK;
}

/* One "--name", "--name value" or "--name=value" at argv[*at]. */
static int parse_option(const struct cli_command *command, const struct cli_option *options, size_t count, int argc,
	char **argv, int *at)
{
	const char *word = argv[*at];
	const char *equals = strchr(word, '=');
	size_t n = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct cli_option *o = find_option(options, count, word, n);
	if (o == NULL) {
		char name[64];
		(void)snprintf(name, sizeof(name), "%.*s", (int)(n < 60 ? n : 60), word);
		return unknown_option(command, options, count, name);
	}
	if (o->kind == CLI_FLAG)
		return equals == NULL ? set_option(command, o, NULL)
				      : cli_usage(command, "%s takes no value", o->name);
	if (equals != NULL)
		return set_option(command, o, equals + 1);
	if (*at + 1 >= argc)
		return cli_usage(command, "%s needs a value: %s %s", o->name, o->name, o->argument);
	return set_option(command, o, argv[++*at]);
}

bool cli_parse(const struct cli_command *command, const struct cli_option *options, size_t option_count, int argc,
	char **argv, struct cli_parsed *ret_parsed, int *ret_status)
{
	*ret_parsed = (struct cli_parsed){.positional_count = 0};
	ret_parsed->positional = (const char **)check_calloc((size_t)argc + 1, sizeof(const char *));
	bool only_positional = false;
	for (int i = 0; i < argc; i++) {
		int status = CLI_OK;
		if (only_positional || argv[i][0] != '-' || argv[i][1] == '\0') {
			ret_parsed->positional[ret_parsed->positional_count++] = argv[i];
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_positional = true;
			continue;
		}
		bool help = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		if (help)
			cli_print_help(command, options, option_count);
		else
			status = parse_option(command, options, option_count, argc, argv, &i);
		if (help || status != CLI_OK) {
			*ret_status = status;
			cli_parsed_free(ret_parsed, options, option_count);
			return false;
		}
	}
	return true;
}

void cli_parsed_free(struct cli_parsed *parsed, const struct cli_option *options, size_t option_count)
{
	free(parsed->positional);
	parsed->positional = NULL;
	for (size_t i = 0; i < option_count; i++) {
		if (options[i].kind != CLI_LIST)
			continue;
		struct cli_list *list = (struct cli_list *)options[i].target;
		free(list->items);
		*list = (struct cli_list){.count = 0};
	}
}

bool cli_check_positional(const struct cli_command *command, const struct cli_parsed *parsed, size_t min, size_t max,
	int *ret_status)
{
	if (parsed->positional_count < min) {
		*ret_status = cli_usage(command, "missing argument; usage: %s", command->arguments);
		return false;
	}
	if (parsed->positional_count > max) {
		*ret_status = cli_usage(command, "unexpected argument '%s'", parsed->positional[max]);
		return false;
	}
	return true;
}

/* ---- options of the client ---- */

bool cli_split(const char *text, char separator, char **ret_key, const char **ret_value)
{
	const char *at = strchr(text, separator);
	if (at == NULL)
		return false;
	*ret_key = check_strndup(text, (size_t)(at - text));
	*ret_value = at + 1;
	return true;
}

static int set_properties(const struct cli_common *common, struct correio_config *config, struct correio_error *err)
{
	int code = CORREIO_OK;
	if (common->command_config != NULL)
		code = correio_config_load(config, common->command_config, err);
	for (size_t i = 0; i < common->properties.count && code == CORREIO_OK; i++) {
		char *key;
		const char *value;
		if (!cli_split(common->properties.items[i], '=', &key, &value)) {
			(void)snprintf(err->message, sizeof(err->message), "--property '%s' is not KEY=VALUE",
				common->properties.items[i]);
			err->code = CORREIO_ERR_INVALID_ARGUMENT;
			return err->code;
		}
		code = correio_config_set(config, key, value, err);
		free(key);
	}
	if (common->bootstrap != NULL && code == CORREIO_OK)
		code = correio_config_set(config, "bootstrap.servers", common->bootstrap, err);
	return code;
}

struct correio_config *cli_client_config(const struct cli_common *common)
{
	struct correio_config *config = correio_config_new();
	struct correio_error err = {.code = 0};
	int code = correio_config_set(config, "client.id", "correio", &err);
	if (code == CORREIO_OK)
		code = set_properties(common, config, &err);
	if (code == CORREIO_OK)
		return config;
	(void)cli_fail(common, &err);
	correio_config_free(config);
	return NULL;
}

struct correio_admin *cli_admin(const struct cli_common *common, struct correio_config **ret_config, int *ret_status)
{
	struct correio_config *config = cli_client_config(common);
	struct correio_admin *admin = NULL;
	struct correio_error err;
	*ret_status = CLI_FAILED;
	if (config == NULL)
		return NULL;
	if (correio_admin_new(config, &admin, &err) != CORREIO_OK)
		*ret_status = cli_fail(common, &err);
	else
		*ret_status = CLI_OK;
	if (admin != NULL && ret_config != NULL)
		*ret_config = config;
	else
		correio_config_free(config);
	return admin;
}

struct correio_entry *cli_entries(const struct cli_command *command, const struct cli_list *items, size_t extra)
{
	struct correio_entry *entries =
		(struct correio_entry *)check_calloc(items->count + extra + 1, sizeof(*entries));
	for (size_t i = 0; i < items->count; i++) {
		char *key;
		const char *value;
		if (!cli_split(items->items[i], '=', &key, &value)) {
			(void)cli_usage(command, "'%s' is not KEY=VALUE", items->items[i]);
			cli_entries_free(entries, i);
			return NULL;
		}
		entries[i] = (struct correio_entry){.key = key, .value = value};
	}
	return entries;
}

void cli_entries_free(struct correio_entry *entries, size_t count)
{
	for (size_t i = 0; entries != NULL && i < count; i++) {
		union {
			const char *c;
			char *v;
		} key = {.c = entries[i].key};
		free(key.v);
	}
	free(entries);
}

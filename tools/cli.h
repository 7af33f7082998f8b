/* Command lines of the tools: tables of options, help, "did you mean", typed errors, exit statuses. */
#ifndef TOOLS_CLI_H
#define TOOLS_CLI_H
#include "base/bytes.h"
#include "tools/client/correio.h"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 64 };

/* Values of an option that may be repeated. Borrowed from argv. */
struct cli_list {
	const char **items;
	size_t count;
};

enum cli_kind { CLI_FLAG, CLI_TEXT, CLI_NUMBER, CLI_LIST };
struct cli_option {
	const char *name; /* "--partitions" */
	enum cli_kind kind;
	const char *argument; /* "N"; NULL for flags */
	void *target;         /* bool, const char *, int64_t, struct cli_list */
	const char *help;
	int64_t min, max; /* of a number; both 0: any */
};

struct cli_command {
	const char *group, *name; /* "topic", "create"; a command without sub-commands has no group */
	const char *arguments;    /* "TOPIC [options]" */
	const char *summary;
	const char *examples; /* lines, indented in the help */
	int (*run)(const struct cli_command *command, int argc, char **argv);
	const char *program; /* NULL: correio */
};

/* What nearly every command takes. */
struct cli_common {
	const char *bootstrap, *zookeeper, *command_config;
	struct cli_list properties;
	bool json;
};
#define CLI_COMMON_OPTIONS(common)                                                                                     \
	{"--bootstrap-server", CLI_TEXT, "HOST:PORT[,...]", &(common)->bootstrap,                                      \
		"brokers to learn the cluster from (default localhost:9092)", 0, 0},                                   \
	{"--command-config", CLI_TEXT, "FILE", &(common)->command_config, "client options, key=value lines", 0, 0},    \
	{"--property", CLI_LIST, "KEY=VALUE", &(common)->properties, "a client option, e.g. linger.ms=0", 0, 0},       \
	{"--json", CLI_FLAG, NULL, &(common)->json, "answer in JSON", 0, 0}
#define CLI_ZOOKEEPER_OPTION(common)                                                                                   \
	{"--zookeeper", CLI_TEXT, "HOST:PORT[,...][/CHROOT]", &(common)->zookeeper,                                    \
		"work straight on ZooKeeper; no broker need run", 0, 0}

struct cli_parsed {
	const char **positional;
	size_t positional_count;
	const char *const *rest; /* not used */
};
/* Parses argv[0..argc) (after the command's name). False: *ret_status is the exit status (help was printed, or a usage error
 * told). positional is checked to be between min and max. Free with cli_parsed_free. */
bool cli_parse(const struct cli_command *command, const struct cli_option *options, size_t option_count, int argc,
	char **argv, struct cli_parsed *ret_parsed, int *ret_status);
void cli_parsed_free(struct cli_parsed *parsed, const struct cli_option *options, size_t option_count);
/* Usage error unless the number of positional arguments is within bounds; names the first that is missing. */
bool cli_check_positional(const struct cli_command *command, const struct cli_parsed *parsed, size_t min, size_t max,
	int *ret_status);
void cli_print_help(const struct cli_command *command, const struct cli_option *options, size_t option_count);

/* "correio topic create: text" on stderr; returns CLI_USAGE. */
int cli_usage(const struct cli_command *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A failure with its code's name, as text or JSON on stderr; returns CLI_FAILED. */
int cli_fail(const struct cli_common *common, const struct correio_error *err);
int cli_fail_text(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Client options from --command-config, --property and --bootstrap-server; NULL: the error was told. */
struct correio_config *cli_client_config(const struct cli_common *common);
/* An admin handle by these options; ret_config (may be NULL) gets them, to be freed. NULL: the error was told, *ret_status is the exit
 * status. */
struct correio_admin *cli_admin(const struct cli_common *common, struct correio_config **ret_config, int *ret_status);
/* "key=value" split; key copied. False when there is no '='. */
bool cli_split(const char *text, char separator, char **ret_key, const char **ret_value);
/* key=value items as entries, to be freed with cli_entries_free. NULL: an item without '=' was told. */
struct correio_entry *cli_entries(const struct cli_command *command, const struct cli_list *items, size_t extra);
void cli_entries_free(struct correio_entry *entries, size_t count);
/* The nearest of the words, or NULL. */
const char *cli_nearest(const char *word, const char *const *words, size_t count);
/* Is text going to a person, and do they want colours? */
bool cli_coloured(FILE *file);
#endif

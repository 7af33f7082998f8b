/* The settings structs, one row per key in broker.def and topic.def: name, type, default, range, unit, text, reloadable.
 * Field name = key with dots as underscores. Read from `const struct settings *`, never by key string. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "config/config_table.h"
#include <stdio.h>

enum flush_policy { FLUSH_commit, FLUSH_background };
enum cleanup_policy { CLEANUP_delete = 1, CLEANUP_compact = 2 }; /* bit set */
enum timestamp_type { TIMESTAMP_CreateTime, TIMESTAMP_LogAppendTime };
enum topic_compression { TOPIC_COMPRESSION_producer, TOPIC_COMPRESSION_uncompressed, TOPIC_COMPRESSION_gzip,
	TOPIC_COMPRESSION_snappy, TOPIC_COMPRESSION_lz4, TOPIC_COMPRESSION_zstd };

/* C types of the table's kinds. string: owned by the struct, never NULL. list: comma-separated, kept as text. */
#define SETTING_C_i32 int32_t
#define SETTING_C_i64 int64_t
#define SETTING_C_f64 double
#define SETTING_C_bool bool
#define SETTING_C_string char *
#define SETTING_C_list char *
#define SETTING_C_flush_policy enum flush_policy
#define SETTING_C_cleanup_policy unsigned
#define SETTING_C_timestamp_type enum timestamp_type
#define SETTING_C_topic_compression enum topic_compression

/* Effective settings of one topic. No owned memory: copied by value. */
struct topic_settings {
#define SETTING(kind, key, field, def, min, max, unit, flags, text) SETTING_C_##kind field;
#include "config/topic.def"
#undef SETTING
};

struct settings {
#define SETTING(kind, key, field, def, min, max, unit, flags, text) SETTING_C_##kind field;
#include "config/broker.def"
#undef SETTING
	struct topic_settings topic_defaults; /* derived: broker keys (log.*) under each topic key */
};

enum setting_flags { SETTING_STATIC = 0, SETTING_RELOADABLE = 1, SETTING_SENSITIVE = 2 };

/* --- loading ------------------------------------------------------------------------------------------------------ */

/* What loading has to say to a person, one sentence each, with file and line. */
struct settings_lines {
	char **list;
	size_t count, capacity;
};
struct settings_report {
	struct settings_lines errors;
	struct settings_lines warnings;
	struct settings_lines ignored; /* keys of Kafka that have no effect here */
};
void settings_report_fini(struct settings_report *r);

struct settings_load_options {
	const char *path;  /* NULL: no file */
	struct slice text; /* p not NULL: the content of that file, which is then not read */
	const char *const *overrides; /* key=value, applied in order after the file */
	size_t override_count;
	bool standalone; /* zookeeper.connect is not needed */
};
/* Defaults, then the file, then the overrides, then the checks between settings. STATUS_INVALID_CONFIG: report->errors has
 * every error found, and s holds nothing. Otherwise s is to be given to settings_fini. The report is filled in both cases
 * and is to be given to settings_report_fini. */
MUST_CHECK enum status settings_load(struct settings *s, const struct settings_load_options *o,
	struct settings_report *report);
/* Defaults only: for tests and tools. */
void settings_init_defaults(struct settings *s);
void settings_fini(struct settings *s);

/* --- derived values ------------------------------------------------------------------------------------------------- */

struct settings_listener {
	char name[64];
	char host[256]; /* empty: every interface; IPv6 without brackets */
	uint16_t port;  /* 0: any free one */
};
enum { SETTINGS_LISTENERS_MAX = 16 };
/* The text of listeners or advertised.listeners: NAME://host:port[,...]. STATUS_INVALID_CONFIG: ret_failure says which item
 * and why. */
MUST_CHECK enum status settings_parse_listeners(const char *text, struct settings_listener ret_list[SETTINGS_LISTENERS_MAX],
	size_t *ret_count, struct failure *ret_failure);
/* What clients are told: advertised.listeners, or listeners with this host's name for "every interface". */
MUST_CHECK enum status settings_advertised_listeners(const struct settings *s,
	struct settings_listener ret_list[SETTINGS_LISTENERS_MAX], size_t *ret_count, struct failure *ret_failure);
/* Index among the listeners of the one for traffic between brokers. */
size_t settings_inter_broker_listener(const struct settings *s, const struct settings_listener *list, size_t count);
/* log.dirs, or log.dir when that is empty: walk with config_list_next. */
const char *settings_log_dirs(const struct settings *s);
bool settings_has_role(const struct settings *s, const char *role);
/* num.network.threads and num.io.threads, or what the machine's cores suggest. */
int32_t settings_network_threads(const struct settings *s, unsigned cores);
int32_t settings_io_threads(const struct settings *s, unsigned cores);

/* --- listing ---------------------------------------------------------------------------------------------------------- */

struct setting_view {
	const char *key;
	const char *value; /* lives for the call; NULL when sensitive */
	const char *default_value;
	enum setting_kind kind;
	unsigned flags; /* enum setting_flags */
	const char *unit, *text;
};
/* Every key of the broker, those that are defaults of topic settings included, in the order of the tables. */
void settings_each(const struct settings *s, void (*each)(void *arg, const struct setting_view *v), void *arg);
/* One value by key, owned by the caller; NULL when there is no such key or it is sensitive. */
char *settings_format_value(const struct settings *s, const char *key);
/* The table of keys, types, defaults, ranges, for people or as JSON. */
void settings_print_help(FILE *out, bool json);
/* The most similar key that exists, or NULL when none is near. */
const char *settings_nearest_key(const char *key);

/* --- changes while the broker runs ---------------------------------------------------------------------------------------- */

/* May the key be changed while brokers run? Those that topics inherit may (log.retention.ms, message.max.bytes, ...). */
bool settings_is_dynamic(const char *key);
/* INVALID_CONFIG: not such a key, with the reason, or a value that is not allowed. value NULL: the key alone is looked at. */
MUST_CHECK enum status settings_check_dynamic(const char *key, const char *value, struct failure *ret_failure);
/* Writes over the defaults what value_of knows of broker keys; it answers NULL for the others. Among several keys for one topic
 * setting (log.retention.ms, .minutes, .hours) the finest counts. Values that are not allowed count as absent. */
void settings_apply_dynamic(struct topic_settings *defaults, const char *(*value_of)(void *arg, const char *key), void *arg);
/* The defaults of topics under their broker keys. */
void settings_each_topic_default(const struct topic_settings *defaults, void (*each)(void *arg, const struct setting_view *v),
	void *arg);
/* The broker key a topic key inherits from; NULL when there is none. */
const char *settings_broker_key_of(const char *topic_key);

/* --- topics ----------------------------------------------------------------------------------------------------------- */

/* One override of a topic. Keys of Kafka that mean nothing here are checked and otherwise have no effect.
 * STATUS_INVALID_CONFIG: unknown key (ret_failure names the nearest) or a value that is not allowed; s is unchanged. */
MUST_CHECK enum status topic_settings_apply(struct topic_settings *s, const char *key, const char *value,
	struct failure *ret_failure);
void topic_settings_init_defaults(struct topic_settings *s);
/* One value by key, owned by the caller; NULL when the struct has no such key. */
char *topic_settings_format(const struct topic_settings *s, const char *key);
/* Every key a topic may have; those without meaning here with Kafka's default as their value. */
void topic_settings_each(const struct topic_settings *s, void (*each)(void *arg, const struct setting_view *v), void *arg);
const char *topic_settings_nearest_key(const char *key);

#endif

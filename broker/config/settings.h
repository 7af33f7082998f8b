/* The settings structs, one row per key in broker.def and topic.def: name, type, default, range, unit, text, reloadable.
 * Field name = key with dots as underscores. Read from `const struct settings *`, never by key string. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/bytes.h"

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

#endif

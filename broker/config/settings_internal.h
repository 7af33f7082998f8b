/* Shared by the files of the settings module: the tables, and a load under way. */
#ifndef CONFIG_SETTINGS_INTERNAL_H
#define CONFIG_SETTINGS_INTERNAL_H
#include "config/settings.h"

/* Rows of broker.def and topic.def, topic_foreign.def (whose rows have no field). */
const struct config_table *settings_table_broker(void);
const struct config_table *topic_settings_table(void);
const struct config_table *topic_settings_table_foreign(void);

/* A row of inherited.def. */
struct settings_inherited {
	const char *broker_key;
	const char *topic_key;
	int64_t multiplier;
};
const struct settings_inherited *settings_table_inherited(size_t *ret_count);
/* The row under which `inherited` is parsed: the topic's, in the broker key's unit. */
struct setting_row settings_table_inherited_row(const struct settings_inherited *inherited);
/* Parses value, in the broker key's unit, into the topic setting it stands for. INVALID_CONFIG: defaults are as before. */
MUST_CHECK enum status settings_apply_inherited(const struct settings_inherited *inherited, struct topic_settings *defaults,
	const char *value, struct failure *f);
/* Is it the first, and so the leading, broker key of its topic key? */
bool settings_table_inherited_leads(const struct settings_inherited *inherited);

enum settings_ignored { SETTINGS_NOT_IGNORED, SETTINGS_IGNORED_LATER, SETTINGS_IGNORED_NOTHING };
enum settings_ignored settings_table_ignored(const char *key);

/* One key=value as given. */
struct settings_pair {
	char *key, *value;
	char *where; /* "server.properties:12" or "--override" */
	bool from_file;
	bool superseded; /* a later one counts */
};
enum { SETTINGS_PAIRS_MAX = 4096, SETTINGS_FILE_MAX = 1 << 20, SETTINGS_NEAREST_MAX = 16 };

struct settings_loader {
	struct settings *s;
	struct settings_report *report;
	const char *path; /* or "settings" without a file */
	struct settings_pair *pairs;
	size_t count;
	bool overflowed;
	unsigned unknown_count;
};
/* The pair that counts for key, or NULL when it was not given. */
const struct settings_pair *settings_loader_given(const struct settings_loader *l, const char *key);
/* Adds "where: text", with the place where key was given. */
void settings_loader_error(struct settings_loader *l, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
void settings_loader_warning(struct settings_loader *l, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The checks between settings. */
void settings_check(struct settings_loader *l, bool standalone);
#endif

/* Options of libcorreio: one row per key in options.def. */
#ifndef CLIENT_CONFIG_H
#define CLIENT_CONFIG_H
#include "storage/record_batch.h"
#include "tools/client/client_error.h"

enum offset_reset { OFFSET_RESET_earliest, OFFSET_RESET_latest, OFFSET_RESET_none };

#define OPTION_C_i64 int64_t
#define OPTION_C_bool bool
#define OPTION_C_string char *
#define OPTION_C_acks int
#define OPTION_C_codec enum compression_type
#define OPTION_C_reset enum offset_reset

struct client_options {
#define OPTION(kind, key, field, def, min, max, unit, text) OPTION_C_##kind field;
#include "tools/client/options.def"
#undef OPTION
};

enum client_option_index {
#define OPTION(kind, key, field, def, min, max, unit, text) CLIENT_OPTION_##field,
#include "tools/client/options.def"
#undef OPTION
	CLIENT_OPTION_COUNT
};

struct correio_config {
	struct client_options options;
	char *text[CLIENT_OPTION_COUNT]; /* as set */
	bool idempotence_asked_for;      /* not by default */
};

struct correio_config *client_config_copy(const struct correio_config *config);
/* Checks what involves several options. */
int client_config_check(const struct correio_config *config, struct correio_error *err);

struct client_address {
	char *host;
	int32_t port;
};
/* bootstrap.servers taken apart: host:port, [v6]:port, port 9092 when left out. */
int client_config_parse_servers(const char *servers, struct client_address **ret_list, size_t *ret_count,
	struct correio_error *err);
void client_address_list_free(struct client_address *list, size_t count);
/* The nearest of names (NULL entries skipped) within a third of its length, or NULL. */
const char *client_nearest(const char *word, const char *const *names, size_t count);
#endif

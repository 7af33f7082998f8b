#include "config/settings.h"

#include "config/properties.h"
#include "config/settings_internal.h"
#include <errno.h>
#include <stdarg.h>

/* --- what is said to the person ------------------------------------------------------------------------------------- */

static void lines_add(struct settings_lines *lines, char *line)
{
	if (lines->count == lines->capacity) {
		lines->capacity = lines->capacity == 0 ? 8 : lines->capacity * 2;
		lines->list = check_realloc(lines->list, lines->capacity * sizeof(lines->list[0]));
	}
	lines->list[lines->count++] = line;
}

static void lines_fini(struct settings_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->list[i]);
	free(lines->list);
	*lines = (struct settings_lines){0};
}

void settings_report_fini(struct settings_report *r)
{
	lines_fini(&r->errors);
	lines_fini(&r->warnings);
	lines_fini(&r->ignored);
}

const struct settings_pair *settings_loader_given(const struct settings_loader *l, const char *key)
{
	for (size_t i = l->count; i > 0; i--)
		if (strcmp(l->pairs[i - 1].key, key) == 0)
			return &l->pairs[i - 1];
	return NULL;
}

static void PRINTF_LIKE(4, 0) loader_say(struct settings_loader *l, struct settings_lines *lines, const char *key,
	const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof(text), fmt, args);
	const struct settings_pair *given = settings_loader_given(l, key);
	lines_add(lines, check_asprintf("%s: %s", given != NULL ? given->where : l->path, text));
}

void settings_loader_error(struct settings_loader *l, const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	loader_say(l, &l->report->errors, key, fmt, args);
	va_end(args);
}

void settings_loader_warning(struct settings_loader *l, const char *key, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	loader_say(l, &l->report->warnings, key, fmt, args);
	va_end(args);
}

/* --- gathering what is given ----------------------------------------------------------------------------------------- */

static void add_pair(struct settings_loader *l, const char *key, const char *value, char *where, bool from_file)
{
	if (l->count == SETTINGS_PAIRS_MAX) {
		if (!l->overflowed)
			settings_loader_error(l, "", "more than %d settings", SETTINGS_PAIRS_MAX);
		l->overflowed = true;
		free(where);
		return;
	}
	for (size_t i = 0; i < l->count; i++) {
		struct settings_pair *old = &l->pairs[i];
		if (old->superseded || strcmp(old->key, key) != 0)
			continue;
		old->superseded = true;
		if (old->from_file && from_file)
			lines_add(&l->report->warnings,
				check_asprintf("%s: %s is given a second time; the first, at %s, does not count", where, key,
					old->where));
	}
	l->pairs[l->count++] = (struct settings_pair){
		.key = check_strdup(key), .value = check_strdup(value), .where = where, .from_file = from_file};
}

static void file_pair(void *arg, const char *key, const char *value, unsigned line)
{
	struct settings_loader *l = arg;
	add_pair(l, key, value, check_asprintf("%s:%u", l->path, line), true);
}

/* The file's bytes; NULL after an error. stdio, since disk.c belongs to a layer above. */
static char *read_file(struct settings_loader *l, size_t *ret_n)
{
	FILE *f = fopen(l->path, "re");
	if (f == NULL) {
		char text[128];
		settings_loader_error(l, "", "cannot be read: %s", strerror_r(errno, text, sizeof(text)));
		return NULL;
	}
	char *text = check_alloc(SETTINGS_FILE_MAX + 1);
	*ret_n = fread(text, 1, SETTINGS_FILE_MAX + 1, f);
	bool failed = ferror(f) != 0;
	(void)fclose(f); /* nothing was written */
	if (failed || *ret_n > SETTINGS_FILE_MAX) {
		settings_loader_error(l, "", failed ? "cannot be read" : "larger than %d bytes", SETTINGS_FILE_MAX);
		free(text);
		return NULL;
	}
	return text;
}

static bool gather_text(struct settings_loader *l, struct slice text)
{
	struct failure f = {0};
	if (properties_parse(text, file_pair, l, &f) == STATUS_OK)
		return true;
	settings_loader_error(l, "", "%s", f.text);
	return false;
}

static bool gather_file(struct settings_loader *l)
{
	size_t n = 0;
	char *text = read_file(l, &n);
	if (text == NULL)
		return false;
	bool whole = gather_text(l, slice_of(text, n));
	free(text);
	return whole;
}

static void gather_overrides(struct settings_loader *l, const struct settings_load_options *o)
{
	for (size_t i = 0; i < o->override_count; i++) {
		const char *equals = strchr(o->overrides[i], '=');
		if (equals == NULL || equals == o->overrides[i]) {
			lines_add(&l->report->errors, check_asprintf("--override %s: must be key=value", o->overrides[i]));
			continue;
		}
		struct slice key = config_trim(slice_of(o->overrides[i], (size_t)(equals - o->overrides[i])));
		char *name = check_strndup((const char *)key.p, key.n);
		add_pair(l, name, equals + 1, check_strdup("--override"), false);
		free(name);
	}
}

/* --- keys with rules of their own -------------------------------------------------------------------------------------- */

/* Refused rather than ignored: a broker started without them would be open where its operator thinks it closed. */
static bool refuse_unsafe(struct settings_loader *l, const struct settings_pair *p)
{
	static const struct {
		const char *key, *harmless, *what;
	} unsafe[] = {
		{"authorizer.class.name", "", "authorization is not supported yet; leave it empty to let everyone do everything"},
		{"security.inter.broker.protocol", "PLAINTEXT", "only PLAINTEXT is supported yet"},
		{"zookeeper.ssl.client.enable", "false", "TLS to ZooKeeper is not supported yet; use a tunnel, and false here"},
	};
	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
		if (strcmp(p->key, unsafe[i].key) != 0)
			continue;
		if (!slice_equal(config_trim(slice_of_str(p->value)), slice_of_str(unsafe[i].harmless)))
			settings_loader_error(l, p->key, "%s=%.120s: %s", p->key, p->value, unsafe[i].what);
		return true;
	}
	return false;
}

/* Kafka before 0.10 had host.name and port where listeners is now. */
static void apply_old_address(struct settings_loader *l, const char *host_key, const char *port_key, const char *new_key)
{
	const struct settings_pair *host = settings_loader_given(l, host_key), *port = settings_loader_given(l, port_key);
	if (host == NULL && port == NULL)
		return;
	const char *given = host != NULL ? host_key : port_key;
	if (settings_loader_given(l, new_key) != NULL) {
		settings_loader_warning(l, given, "%s is an old name and does not count beside %s", given, new_key);
		return;
	}
	settings_loader_warning(l, given, "%s is an old name; use %s=PLAINTEXT://host:port", given, new_key);
	char *text = check_asprintf("PLAINTEXT://%s:%s", host != NULL ? host->value : "", port != NULL ? port->value : "9092");
	struct failure f = {0};
	if (config_table_set(config_table_find(settings_table_broker(), new_key), l->s, new_key, text, &f) != STATUS_OK)
		settings_loader_error(l, given, "%s", f.text);
	free(text);
}

static void apply_node_id(struct settings_loader *l)
{
	const struct settings_pair *node = settings_loader_given(l, "node.id"), *broker = settings_loader_given(l, "broker.id");
	if (node == NULL)
		return;
	int32_t before = l->s->broker_id;
	struct failure f = {0};
	const struct setting_row *row = config_table_find(settings_table_broker(), "broker.id");
	if (config_table_set(row, l->s, "node.id", node->value, &f) != STATUS_OK)
		settings_loader_error(l, "node.id", "%s", f.text);
	else if (broker != NULL && l->s->broker_id != before)
		settings_loader_error(l, "node.id", "node.id=%s: is another name of broker.id, which is %s; remove one", node->value,
			broker->value);
}

static bool is_special(const char *key)
{
	static const char *const keys[] = {"node.id", "host.name", "port", "advertised.host.name", "advertised.port"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* --- applying ------------------------------------------------------------------------------------------------------------ */

static bool is_inherited(const char *key)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].broker_key, key) == 0)
			return true;
	return false;
}

/* A topic's key in a broker's file is a common mistake: name the broker's key for it. */
static const char *broker_key_of_topic_key(const char *key)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++)
		if (strcmp(rows[i].topic_key, key) == 0)
			return rows[i].broker_key;
	return NULL;
}

static void apply_unknown(struct settings_loader *l, const struct settings_pair *p)
{
	if (settings_table_ignored(p->key) != SETTINGS_NOT_IGNORED) {
		lines_add(&l->report->ignored, check_strdup(p->key));
		return;
	}
	const char *broker_key = broker_key_of_topic_key(p->key);
	/* Comparing with every key takes a millisecond or so: not for each line of a file that is none of ours. */
	const char *nearest = l->unknown_count++ < SETTINGS_NEAREST_MAX ? settings_nearest_key(p->key) : NULL;
	if (broker_key != NULL)
		settings_loader_warning(l, p->key, "%.120s is a setting of topics; its default for all of them is %s", p->key,
			broker_key);
	else if (nearest != NULL)
		settings_loader_warning(l, p->key, "%.120s: unknown key; did you mean %s?", p->key, nearest);
	else
		settings_loader_warning(l, p->key, "%.120s: unknown key", p->key);
}

static void apply_pair(struct settings_loader *l, const struct settings_pair *p)
{
	if (p->superseded || is_special(p->key) || refuse_unsafe(l, p))
		return;
	const struct setting_row *row = config_table_find(settings_table_broker(), p->key);
	struct failure f = {0};
	if (row != NULL && config_table_set(row, l->s, p->key, p->value, &f) != STATUS_OK)
		settings_loader_error(l, p->key, "%s", f.text);
	if (row == NULL && !is_inherited(p->key))
		apply_unknown(l, p);
}

enum status settings_apply_inherited(const struct settings_inherited *inherited, struct topic_settings *defaults, const char *value,
	struct failure *f)
{
	struct setting_row row = settings_table_inherited_row(inherited);
	if (inherited->multiplier == 1)
		return config_table_set(&row, defaults, inherited->broker_key, value, f);
	TRY(config_table_check(&row, inherited->broker_key, value, f));
	int64_t number = 0;
	expect(bytes_parse_i64(config_trim(slice_of_str(value)), &number) == STATUS_OK);
	char *scaled = check_asprintf("%lld", (long long)(number < 0 ? number : number * inherited->multiplier));
	const struct setting_row *topic_row = config_table_find(topic_settings_table(), inherited->topic_key);
	enum status s = config_table_set(topic_row, defaults, inherited->broker_key, scaled, f);
	free(scaled);
	return s;
}

/* From the last to the first, so that the one that takes precedence is written last. */
static void apply_inherited(struct settings_loader *l)
{
	size_t count;
	const struct settings_inherited *rows = settings_table_inherited(&count);
	for (size_t i = count; i > 0; i--) {
		const struct settings_inherited *inherited = &rows[i - 1];
		const struct settings_pair *p = settings_loader_given(l, inherited->broker_key);
		struct failure f = {0};
		if (p == NULL || settings_apply_inherited(inherited, &l->s->topic_defaults, p->value, &f) == STATUS_OK)
			continue;
		/* A key that is a broker's setting too was complained about; one that stands for two, once is enough. */
		bool said = config_table_find(settings_table_broker(), p->key) != NULL ||
			(i < count && strcmp(inherited->topic_key, "message.timestamp.before.max.ms") == 0 &&
				strcmp(p->key, "log.message.timestamp.difference.max.ms") == 0);
		if (!said)
			settings_loader_error(l, p->key, "%s", f.text);
	}
}

static void loader_fini(struct settings_loader *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->pairs[i].key);
		free(l->pairs[i].value);
		free(l->pairs[i].where);
	}
	free(l->pairs);
}

enum status settings_load(struct settings *s, const struct settings_load_options *o, struct settings_report *report)
{
	*report = (struct settings_report){0};
	settings_init_defaults(s);
	struct settings_loader l = {.s = s, .report = report, .path = o->path != NULL ? o->path : "settings"};
	l.pairs = check_calloc(SETTINGS_PAIRS_MAX, sizeof(l.pairs[0]));
	bool whole = true;
	if (o->text.p != NULL)
		whole = gather_text(&l, o->text);
	else if (o->path != NULL)
		whole = gather_file(&l);
	gather_overrides(&l, o);
	for (size_t i = 0; i < l.count; i++)
		apply_pair(&l, &l.pairs[i]);
	apply_inherited(&l);
	apply_node_id(&l);
	apply_old_address(&l, "host.name", "port", "listeners");
	apply_old_address(&l, "advertised.host.name", "advertised.port", "advertised.listeners");
	if (whole && !l.overflowed) /* else what is missing may only be unread */
		settings_check(&l, o->standalone);
	loader_fini(&l);
	if (report->errors.count == 0)
		return STATUS_OK;
	settings_fini(s);
	return STATUS_INVALID_CONFIG;
}

void settings_init_defaults(struct settings *s)
{
	*s = (struct settings){0};
	config_table_set_defaults(settings_table_broker(), s);
	topic_settings_init_defaults(&s->topic_defaults);
}

void settings_fini(struct settings *s)
{
	config_table_fini(settings_table_broker(), s);
}

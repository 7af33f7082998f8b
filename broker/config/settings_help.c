#include "config/settings_internal.h"

/* --- listing ------------------------------------------------------------------------------------------------------------ */

static void view_row(const struct setting_row *row, const void *base, const char *default_value,
	void (*each)(void *arg, const struct setting_view *v), void *arg)
{
	char *value = (row->flags & SETTING_SENSITIVE) != 0 ? NULL : config_table_format(row, base);
	const struct setting_view view = {.key = row->key, .value = value, .default_value = default_value, .kind = row->kind,
		.flags = row->flags, .unit = row->unit, .text = row->text};
	each(arg, &view);
	free(value);
}

void settings_each(const struct settings *s, void (*each)(void *arg, const struct setting_view *v), void *arg)
{
	const struct config_table *broker = settings_table_broker();
	for (size_t i = 0; i < broker->count; i++)
		view_row(&broker->rows[i], s, broker->rows[i].default_value, each, arg);
	size_t count;
	const struct settings_inherited *inherited = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++) {
		if (!settings_table_inherited_leads(&inherited[i]) || config_table_find(broker, inherited[i].broker_key) != NULL)
			continue;
		struct setting_row row = settings_table_inherited_row(&inherited[i]);
		view_row(&row, &s->topic_defaults, row.default_value, each, arg);
	}
}

struct value_search {
	const char *key;
	char *value;
};

static void value_search_each(void *arg, const struct setting_view *v)
{
	struct value_search *search = arg;
	if (strcmp(v->key, search->key) == 0 && v->value != NULL)
		search->value = check_strdup(v->value);
}

char *settings_format_value(const struct settings *s, const char *key)
{
	struct value_search search = {.key = key};
	settings_each(s, value_search_each, &search);
	return search.value;
}

/* --- help ----------------------------------------------------------------------------------------------------------------- */

static void print_json_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out); /* the tables hold no control characters */
	}
	fputc('"', out);
}

static void print_row_json(FILE *out, const struct setting_row *row, const char *scope, bool *first)
{
	char allowed[CONFIG_ALLOWED_SIZE];
	config_table_allowed(row, allowed);
	fprintf(out, "%s\n  {\"scope\": \"%s\", \"key\": \"%s\", \"type\": \"%s\", \"default\": ", *first ? "" : ",", scope,
		row->key, config_table_type_name(row->kind));
	print_json_string(out, row->default_value);
	fprintf(out, ", \"allowed\": ");
	print_json_string(out, allowed);
	fprintf(out, ", \"unit\": \"%s\", \"reloadable\": %s, \"sensitive\": %s, \"text\": ", row->unit,
		(row->flags & SETTING_RELOADABLE) != 0 ? "true" : "false", (row->flags & SETTING_SENSITIVE) != 0 ? "true" : "false");
	print_json_string(out, row->text);
	fputc('}', out);
	*first = false;
}

static void print_row(FILE *out, const struct setting_row *row)
{
	char allowed[CONFIG_ALLOWED_SIZE];
	config_table_allowed(row, allowed);
	fprintf(out, "%s=%s\n    %s\n    %s: %s%s\n", row->key, row->default_value, row->text,
		config_table_type_name(row->kind), allowed,
		(row->flags & SETTING_RELOADABLE) != 0 ? "; can change while running" : "");
}

static void print_inherited(FILE *out, bool json, bool *first)
{
	size_t count;
	const struct settings_inherited *inherited = settings_table_inherited(&count);
	for (size_t i = 0; i < count; i++) {
		if (config_table_find(settings_table_broker(), inherited[i].broker_key) != NULL)
			continue;
		struct setting_row row = settings_table_inherited_row(&inherited[i]);
		/* Only the leading key has a default; the others stand in for it when they are given. */
		if (!settings_table_inherited_leads(&inherited[i]))
			row.default_value = "";
		if (json)
			print_row_json(out, &row, "topic-default", first);
		else
			print_row(out, &row);
	}
}

static void print_table(FILE *out, const struct config_table *t, const char *scope, bool json, bool *first)
{
	for (size_t i = 0; i < t->count; i++)
		if (json)
			print_row_json(out, &t->rows[i], scope, first);
		else
			print_row(out, &t->rows[i]);
}

void settings_print_help(FILE *out, bool json)
{
	bool first = true;
	if (json)
		fputc('[', out);
	else
		fprintf(out, "# Settings of a broker, as key=default\n\n");
	print_table(out, settings_table_broker(), "broker", json, &first);
	if (!json)
		fprintf(out, "\n# What topics inherit from the broker; of several keys for one thing the first given counts\n\n");
	print_inherited(out, json, &first);
	if (!json)
		fprintf(out, "\n# Settings of a topic\n\n");
	print_table(out, topic_settings_table(), "topic", json, &first);
	if (json)
		fprintf(out, "\n]\n");
}

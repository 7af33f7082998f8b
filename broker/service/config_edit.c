#include "service/config_edit.h"

#include "service/config_service.h"
#include "service/service_message.h"

/* Each is compared with those before it; there are a few dozen keys. */
enum { EDITS_MAX = 1000 };

/* One request's edits under way. */
struct editing {
	struct arena *arena;
	const char *what; /* "topic t" or "broker 1", for sentences */
	const struct config_rows *rows; /* settings as they are: lists are changed from there */
	char **ret_message;
};

static enum status refuse(const struct editing *e, enum status s, const char *key, const char *why)
{
	*e->ret_message = service_message_format(e->arena, "%s: %.120s: %s", e->what, key, why);
	return s;
}

static const struct config_row *row_of(const struct config_rows *rows, const char *key)
{
	for (size_t i = 0; i < rows->count; i++)
		if (strcmp(rows->rows[i].key, key) == 0)
			return &rows->rows[i];
	return NULL;
}

static bool list_has(const char *list, struct slice wanted)
{
	struct slice item;
	while (config_list_next(&list, &item))
		if (slice_equal(item, wanted))
			return true;
	return false;
}

/* Items of `list` that `without` does not have, then a comma before what follows. */
static size_t put_items(char *out, size_t at, const char *list, const char *without)
{
	struct slice item;
	while (config_list_next(&list, &item)) {
		if (item.n == 0 || list_has(without, item))
			continue;
		if (at > 0)
			out[at++] = ',';
		memcpy(out + at, item.p, item.n);
		at += item.n;
	}
	return at;
}

/* What the list is after items were appended or taken away. NULL: the arena is full. */
static char *edited_list(struct arena *a, const char *before, const struct config_edit *edit)
{
	char *out = arena_alloc(a, strlen(before) + strlen(edit->value) + 2);
	if (out == NULL)
		return NULL;
	size_t n = put_items(out, 0, before, edit->op == CONFIG_EDIT_SUBTRACT ? edit->value : "");
	if (edit->op == CONFIG_EDIT_APPEND)
		n = put_items(out, n, edit->value, before);
	out[n] = '\0';
	return out;
}

static bool is_list(const struct config_row *row)
{
	return row->kind == SETTING_KIND_list || row->kind == SETTING_KIND_cleanup_policy;
}

static enum status resolve(const struct editing *e, const struct config_edit *edit, struct topic_config_entry *ret_entry)
{
	*ret_entry = (struct topic_config_entry){.key = edit->key};
	if (edit->op == CONFIG_EDIT_DELETE)
		return STATUS_OK;
	if (edit->value == NULL)
		return refuse(e, STATUS_INVALID_REQUEST, edit->key, "no value is given; to go back to the default, delete it");
	ret_entry->value = edit->value;
	if (edit->op == CONFIG_EDIT_SET)
		return STATUS_OK;
	const struct config_row *row = row_of(e->rows, edit->key);
	if (row == NULL)
		return STATUS_OK; /* the check of keys says it better */
	if (!is_list(row))
		return refuse(e, STATUS_INVALID_CONFIG, edit->key, "is no list: nothing can be appended or subtracted; set it");
	ret_entry->value = edited_list(e->arena, row->value, edit);
	return ret_entry->value == NULL ? STATUS_TOO_LARGE : STATUS_OK;
}

static enum status resolve_all(const struct editing *e, const struct config_edit *edits, size_t count,
	const struct topic_config_entry **ret_entries)
{
	if (count > EDITS_MAX)
		return refuse(e, STATUS_INVALID_REQUEST, edits[EDITS_MAX].key, "a request may change 1000 settings at most");
	struct topic_config_entry *entries = arena_calloc(e->arena, count + 1, sizeof(*entries));
	if (entries == NULL)
		return STATUS_TOO_LARGE;
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < i; k++)
			if (strcmp(edits[i].key, edits[k].key) == 0)
				return refuse(e, STATUS_INVALID_REQUEST, edits[i].key, "the request names it more than once");
		if (edits[i].op > CONFIG_EDIT_SUBTRACT)
			return refuse(e, STATUS_INVALID_REQUEST, edits[i].key, "no such operation: use 0 set, 1 delete, 2 append, 3 subtract");
		TRY(resolve(e, &edits[i], &entries[i]));
	}
	*ret_entries = entries;
	return STATUS_OK;
}

enum status config_edit_topic(struct service_loop *s, struct arena *a, const char *topic, const struct config_edit *edits, size_t count,
	const struct topic_config_entry **ret_entries, char **ret_message)
{
	struct config_rows rows;
	struct failure f = {0};
	TRY(config_service_describe_topic(s, a, topic, &rows, ret_message));
	struct editing e = {.arena = a, .rows = &rows, .ret_message = ret_message,
		.what = service_message_format(a, "topic %.249s", topic)};
	if (e.what == NULL)
		return STATUS_TOO_LARGE;
	TRY(resolve_all(&e, edits, count, ret_entries));
	enum status checked = config_service_check_topic(*ret_entries, count, &f);
	if (checked != STATUS_OK)
		*ret_message = service_message_format(a, "topic %.249s: %s", topic, f.text);
	return checked;
}

enum status config_edit_broker(struct service_loop *s, struct arena *a, const char *entity, const struct config_edit *edits, size_t count,
	const struct topic_config_entry **ret_entries, char **ret_message)
{
	struct config_rows rows;
	struct failure f = {0};
	int32_t id = -1;
	if (entity[0] != '\0' && (bytes_parse_i32(slice_of_str(entity), &id) != STATUS_OK || id != s->broker_id)) {
		*ret_message = service_message_format(a, "broker \"%.64s\": ask that broker itself; this one is %d", entity, s->broker_id);
		return STATUS_INVALID_REQUEST;
	}
	TRY(config_service_describe_broker(s, a, &rows));
	struct editing e = {.arena = a, .rows = &rows, .ret_message = ret_message,
		.what = entity[0] == '\0' ? "all brokers" : service_message_format(a, "broker %.16s", entity)};
	if (e.what == NULL)
		return STATUS_TOO_LARGE;
	TRY(resolve_all(&e, edits, count, ret_entries));
	for (size_t i = 0; i < count; i++) {
		enum status checked = settings_check_dynamic((*ret_entries)[i].key, (*ret_entries)[i].value, &f);
		if (checked != STATUS_OK) {
			*ret_message = service_message_format(a, "%s: %s", e.what, f.text);
			return checked;
		}
	}
	return STATUS_OK;
}

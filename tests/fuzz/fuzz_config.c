/* A settings file. Oracle: what was loaded prints as values that load again to the same, and every error is text. */
#include "config/settings.h"
#include "tests/fuzz/fuzz.h"

static void check_lines(const struct settings_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		expect(lines->list[i] != NULL && lines->list[i][0] != '\0');
}

struct printed {
	char *text;
	size_t n;
	FILE *out;
};

/* key=value in the syntax of the file. */
static void print_setting(void *arg, const struct setting_view *v)
{
	struct printed *p = arg;
	if (v->value == NULL)
		return;
	fprintf(p->out, "%s=", v->key);
	for (const char *c = v->value; *c != '\0'; c++) {
		if (strchr("\n\r\f\t ", *c) != NULL)
			fprintf(p->out, "\\u%04x", (unsigned)*c);
		else
			fprintf(p->out, "%s%c", *c == '\\' ? "\\" : "", *c);
	}
	fputc('\n', p->out);
}

static struct printed print_settings(const struct settings *s)
{
	struct printed p = {0};
	p.out = open_memstream(&p.text, &p.n);
	expect(p.out != NULL);
	settings_each(s, print_setting, &p);
	expect(fclose(p.out) == 0);
	return p;
}

static void check_loaded(const struct settings *s)
{
	struct settings_listener list[SETTINGS_LISTENERS_MAX];
	size_t count = 0;
	expect(settings_parse_listeners(s->listeners, list, &count, NULL) == STATUS_OK && count > 0);
	expect(settings_inter_broker_listener(s, list, count) < count);
	struct printed first = print_settings(s);
	struct settings_load_options o = {.path = "again", .text = slice_of(first.text, first.n), .standalone = true};
	struct settings again;
	struct settings_report report;
	enum status status = settings_load(&again, &o, &report);
	for (size_t i = 0; i < report.errors.count; i++)
		(void)fprintf(stderr, "%s\n", report.errors.list[i]);
	expect(status == STATUS_OK);
	struct printed second = print_settings(&again);
	expect(slice_equal(slice_of(first.text, first.n), slice_of(second.text, second.n)));
	free(first.text);
	free(second.text);
	settings_fini(&again);
	settings_report_fini(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 4096) /* beyond, it is more of the same, slower */
		return 0;
	struct settings_load_options o = {.path = "fuzz", .text = slice_of(size == 0 ? (const uint8_t *)"" : data, size),
		.standalone = true};
	struct settings *s = check_calloc(1, sizeof(*s));
	struct settings_report report;
	enum status status = settings_load(s, &o, &report);
	expect((status == STATUS_OK) == (report.errors.count == 0));
	check_lines(&report.errors);
	check_lines(&report.warnings);
	check_lines(&report.ignored);
	if (status == STATUS_OK) {
		check_loaded(s);
		settings_fini(s);
	}
	free(s);
	settings_report_fini(&report);
	/* The same bytes as a topic's override: KEY=VALUE. */
	char *text = check_strndup((const char *)data, size);
	char *equals = strchr(text, '=');
	struct topic_settings t;
	struct failure f = {0};
	topic_settings_init_defaults(&t);
	if (equals != NULL) {
		*equals = '\0';
		enum status applied = topic_settings_apply(&t, text, equals + 1, &f);
		expect((applied == STATUS_OK) == (f.text[0] == '\0'));
	}
	free(text);
	return 0;
}

/* correio-broker: arguments, settings, what the process needs of the system; the rest is broker.c. */
#include "base/clock.h"
#include "base/diag.h"
#include "broker.h"
#include "broker_arguments.h"

#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* Few arenas: with one per thread an idle broker would hold several times what it uses. */
enum { MALLOC_ARENAS = 2, MALLOC_TRIM_BYTES = 1024 * 1024, STANDALONE_OVERRIDES = 2 };

static void print_lines(const struct settings_lines *lines, const char *what)
{
	for (size_t i = 0; i < lines->count; i++)
		fprintf(stderr, "correio-broker: %s: %s\n", what, lines->list[i]);
}

static void print_report(const struct settings_report *r)
{
	print_lines(&r->errors, "error");
	print_lines(&r->warnings, "warning");
	for (size_t i = 0; i < r->ignored.count; i++)
		fprintf(stderr, "%s%s", i == 0 ? "correio-broker: ignored, without effect here: " : ", ", r->ignored.list[i]);
	if (r->ignored.count > 0)
		fputc('\n', stderr);
}

static enum status load(const struct broker_arguments *a, struct settings *ret_settings)
{
	const char *overrides[BROKER_OVERRIDES_MAX + STANDALONE_OVERRIDES];
	size_t count = 0;
	char *log_dirs = NULL;
	if (a->standalone_directory != NULL) {
		log_dirs = check_asprintf("log.dirs=%s/logs", a->standalone_directory);
		overrides[count++] = log_dirs; /* before the others: they may say otherwise */
		overrides[count++] = "offsets.topic.replication.factor=1"; /* there will be no other broker */
	}
	for (size_t i = 0; i < a->override_count; i++)
		overrides[count++] = a->overrides[i];
	struct settings_load_options o = {
		.path = a->properties_path,
		.overrides = overrides,
		.override_count = count,
		.standalone = a->standalone_directory != NULL,
	};
	struct settings_report report = {0};
	enum status s = settings_load(ret_settings, &o, &report);
	print_report(&report);
	settings_report_fini(&report);
	free(log_dirs);
	return s;
}

static void prepare_process(void)
{
	struct rlimit files;
	check_install_crash_handlers();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
	(void)mallopt(M_TRIM_THRESHOLD, MALLOC_TRIM_BYTES);
	(void)umask(027);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	struct broker_arguments arguments;
	struct settings settings;
	struct broker_options options = {.settings = &settings};
	struct clock *clock = clock_system();
	options.started_us = clock_monotonic_us(clock);
	broker_arguments_parse(argc, argv, &arguments);
	if (arguments.help_config) {
		settings_print_help(stdout, arguments.json);
		return fflush(stdout) == 0 ? BROKER_EXIT_OK : BROKER_EXIT_FAILED;
	}
	prepare_process();
	if (load(&arguments, &settings) != STATUS_OK)
		return BROKER_EXIT_CONFIG;
	int status = BROKER_EXIT_OK;
	if (arguments.check_config) {
		fprintf(stderr, "correio-broker: settings are valid\n");
	} else {
		options.standalone_directory = arguments.standalone_directory;
		status = broker_run(&options);
	}
	settings_fini(&settings);
	return status;
}

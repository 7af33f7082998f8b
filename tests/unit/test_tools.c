/* The parts of the command line tools: parsing, assignments, filters, the verifier, the histogram. */
#include "tools/assignment.h"
#include "tools/cli.h"
#include "tools/histogram.h"
#include "tools/partition_list.h"
#include "tools/time_text.h"
#include "tools/topic_filter.h"
#include "tools/verifier.h"
#include "unit.h"

static const struct cli_command command = {.group = "test", .name = "it", .arguments = "THING", .summary = "a test"};

struct parsed_values {
	bool flag;
	const char *text;
	int64_t number;
	struct cli_list list;
};

/* argv is NULL-terminated. Returns the positional words, joined; NULL and *ret_status on failure. */
static bool parse(char **argv, struct parsed_values *v, char *words, size_t size, int *ret_status)
{
	const struct cli_option options[] = {
		{"--flag", CLI_FLAG, NULL, &v->flag, "", 0, 0},
		{"--text", CLI_TEXT, "T", &v->text, "", 0, 0},
		{"--number", CLI_NUMBER, "N", &v->number, "", 1, 10},
		{"--item", CLI_LIST, "I", &v->list, "", 0, 0},
	};
	int argc = 0;
	while (argv[argc] != NULL)
		argc++;
	struct cli_parsed parsed;
	if (!cli_parse(&command, options, 4, argc, argv, &parsed, ret_status))
		return false;
	words[0] = '\0';
	size_t at = 0;
	for (size_t i = 0; i < parsed.positional_count; i++)
		at += (size_t)snprintf(words + at, size - at, "%s|", parsed.positional[i]);
	for (size_t i = 0; i < v->list.count; i++)
		at += (size_t)snprintf(words + at, size - at, "%s,", v->list.items[i]);
	cli_parsed_free(&parsed, options, 4);
	return true;
}

#define ARGV(...) ((char *[]){__VA_ARGS__, NULL})
static char flag[] = "--flag", text[] = "--text=x=y", number[] = "--number", three[] = "3", item[] = "--item", a_word[] = "a",
	    b_word[] = "b", dashes[] = "--", eleven[] = "11", unknown[] = "--nmber", flag_value[] = "--flag=1",
	    help[] = "--help", minus[] = "-";

START_TEST(cli_options_and_words_in_any_order)
{
	struct parsed_values v = {.number = -1};
	char words[128];
	int status = -1;
	ck_assert(parse(ARGV(a_word, flag, text, number, three, item, a_word, item, b_word, minus, dashes, flag), &v, words,
		sizeof(words), &status));
	ck_assert(v.flag);
	ck_assert_str_eq(v.text, "x=y");
	ck_assert_int_eq(v.number, 3);
	ck_assert_str_eq(words, "a|-|--flag|a,b,");
}
END_TEST

START_TEST(cli_wrong_usage_is_64)
{
	struct parsed_values v = {.number = -1};
	char words[128];
	int status = -1;
	ck_assert(!parse(ARGV(number, eleven), &v, words, sizeof(words), &status));
	ck_assert_int_eq(status, CLI_USAGE);
	ck_assert(!parse(ARGV(number, a_word), &v, words, sizeof(words), &status));
	ck_assert(!parse(ARGV(number), &v, words, sizeof(words), &status));
	ck_assert(!parse(ARGV(unknown, three), &v, words, sizeof(words), &status));
	ck_assert(!parse(ARGV(flag_value), &v, words, sizeof(words), &status));
	ck_assert_int_eq(status, CLI_USAGE);
	ck_assert(!parse(ARGV(help), &v, words, sizeof(words), &status));
	ck_assert_int_eq(status, CLI_OK);
}
END_TEST

START_TEST(cli_positional_count_is_checked)
{
	const char *words[] = {"a", "b"};
	struct cli_parsed parsed = {.positional = words, .positional_count = 2};
	int status = -1;
	ck_assert(cli_check_positional(&command, &parsed, 1, 2, &status));
	ck_assert(!cli_check_positional(&command, &parsed, 0, 1, &status));
	ck_assert_int_eq(status, CLI_USAGE);
	ck_assert(!cli_check_positional(&command, &parsed, 3, 4, &status));
}
END_TEST

START_TEST(assignment_is_parsed_and_checked)
{
	struct assignment a;
	char why[160];
	ck_assert(assignment_parse("0:1,1:2,2:0", &a, why, sizeof(why)));
	ck_assert_int_eq(a.count, 3);
	ck_assert_int_eq(a.partitions[2].count, 2);
	ck_assert_int_eq(a.partitions[2].ids[0], 2);
	ck_assert_int_eq(a.partitions[2].ids[1], 0);
	assignment_free(&a);
	static const char *const bad[] = {"", "1,", "1:", "1:x", "-1", "1:1", "0:1,2", "1,,2", "99999999999"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!assignment_parse(bad[i], &a, why, sizeof(why)), "%s", bad[i]);
}
END_TEST

START_TEST(topic_filter_matches_whole_names)
{
	static const struct {
		const char *filter, *topic;
		bool matches;
	} cases[] = {
		{"orders", "orders", true}, {"orders", "orders2", false}, {"ord.*", "orders", true}, {"a,b", "b", true},
		{"a, b", "b", true}, {"\"a\"", "a", true}, {"a|b", "c", false}, {"(", "(", true}, {"(", "x", false},
		{".*", "anything", true},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topic_filter *f = topic_filter_new(cases[i].filter);
		ck_assert_msg(topic_filter_matches(f, cases[i].topic) == cases[i].matches, "%s on %s", cases[i].filter,
			cases[i].topic);
		topic_filter_free(f);
	}
}
END_TEST

static void see(struct verifier *v, int32_t partition, int64_t n)
{
	uint8_t value[VERIFIER_ID_SIZE];
	verifier_write_id(value, partition, n);
	verifier_add(v, partition, slice_of(value, sizeof(value)));
}

START_TEST(verifier_counts_lost_twice_and_out_of_order)
{
	struct verifier *v = verifier_new();
	for (int64_t i = 0; i < 10; i++) {
		see(v, 0, i);
		see(v, 3, i);
	}
	struct verifier_result r = verifier_result(v);
	ck_assert_uint_eq(r.unique, 20);
	ck_assert(r.missing == 0 && r.duplicates == 0 && r.out_of_order == 0 && r.misplaced == 0);
	see(v, 0, 9); /* again */
	see(v, 0, 14); /* 10 to 13 are missing */
	see(v, 0, 12); /* late: 10, 11 and 13 still are */
	see(v, 0, 12);
	r = verifier_result(v);
	ck_assert_uint_eq(r.duplicates, 2);
	ck_assert_uint_eq(r.missing, 3);
	ck_assert_uint_eq(r.out_of_order, 1);
	ck_assert_uint_eq(r.unique, 22);
	see(v, 0, 10);
	see(v, 0, 11);
	see(v, 0, 13);
	ck_assert_uint_eq(verifier_result(v).missing, 0);
	uint8_t value[VERIFIER_ID_SIZE];
	verifier_write_id(value, 1, 0);
	verifier_add(v, 2, slice_of(value, sizeof(value)));
	verifier_add(v, 1, slice_of(value, 5));
	ck_assert_uint_eq(verifier_result(v).misplaced, 2);
	verifier_free(v);
}
END_TEST

START_TEST(histogram_quantiles_are_close)
{
	static struct histogram h;
	ck_assert_int_eq(histogram_quantile(&h, 0.5), 0);
	for (int64_t i = 1; i <= 100000; i++)
		histogram_add(&h, i);
	static const double qs[] = {0.5, 0.95, 0.99, 0.999};
	for (size_t i = 0; i < 4; i++) {
		double exact = qs[i] * 100000, got = (double)histogram_quantile(&h, qs[i]);
		ck_assert_msg(got >= exact * 0.99 && got <= exact * 1.04, "%g: %g", qs[i], got);
	}
	ck_assert_int_eq(histogram_quantile(&h, 1), 100000);
	histogram_add(&h, INT64_MAX / 4);
	ck_assert_int_eq(h.max, INT64_MAX / 4);
	ck_assert_int_eq(histogram_quantile(&h, 0), 1);
}
END_TEST

START_TEST(time_text_instants_are_javas)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{"1970-01-01T00:00", 0}, {"1970-01-01T00:00:01.5", 1500}, {"2000-02-29T12:34:56.789Z", 951827696789},
		{"2026-11-22T10:00:00.000+01:00", 1795338000000}, {"2026-11-22T10:00:00-0130", 1795347000000},
		{"2026-12-31T23:59:59.9999999", 1798761599999},
	};
	static const char *const bad[] = {"", "2026", "2026-11-22", "2026-13-01T00:00", "2025-02-29T00:00", "2026-11-22T24:00", "2026-11-22T10:60",
		"2026-11-22T10:00:00.", "2026-11-22T10:00x", "2026-11-22T10:00+1", "1969-12-31T23:59", "26-11-22T10:00"};
	int64_t ms;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(time_text_parse_instant(good[i].text, &ms), "%s", good[i].text);
		ck_assert_msg(ms == good[i].ms, "%s: %lld", good[i].text, (long long)ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!time_text_parse_instant(bad[i], &ms), "%s", bad[i]);
}
END_TEST

START_TEST(time_text_durations_are_javas)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"P7D", 604800000}, {"PT5M", 300000}, {"P1DT2H3M4S", 93784000}, {"PT0S", 0}, {"PT90S", 90000}};
	static const char *const bad[] = {"", "P", "PT", "P5M", "5M", "P1D2H", "PT1S1M", "PTS", "P-1D"};
	int64_t ms;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(time_text_parse_duration(good[i].text, &ms), "%s", good[i].text);
		ck_assert_int_eq(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!time_text_parse_duration(bad[i], &ms), "%s", bad[i]);
}
END_TEST

START_TEST(partition_list_is_parsed)
{
	char *topic;
	int32_t *partitions;
	size_t count;
	ck_assert(partition_list_parse("t", &topic, &partitions, &count));
	ck_assert_str_eq(topic, "t");
	ck_assert_ptr_null(partitions);
	free(topic);
	ck_assert(partition_list_parse("a.b:0,12", &topic, &partitions, &count));
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(partitions[1], 12);
	free(topic);
	free(partitions);
	static const char *const bad[] = {"", ":1", "t:", "t:1,", "t:-1", "t:x", "t:1:2"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!partition_list_parse(bad[i], &topic, &partitions, &count), "%s", bad[i]);
	struct partition_list l = {.count = 0};
	partition_list_add(&l, "t", 1, 5);
	partition_list_add(&l, "t", 1, 6);
	partition_list_add(&l, "u", 1, 7);
	ck_assert_uint_eq(l.count, 2);
	ck_assert_int_eq((int)l.items[0].offset, 5);
	partition_list_free(&l);
}
END_TEST

UNIT_MAIN("tools", cli_options_and_words_in_any_order, cli_wrong_usage_is_64, cli_positional_count_is_checked,
	assignment_is_parsed_and_checked, topic_filter_matches_whole_names, verifier_counts_lost_twice_and_out_of_order,
	histogram_quantiles_are_close,
	time_text_instants_are_javas, time_text_durations_are_javas, partition_list_is_parsed)

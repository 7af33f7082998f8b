/* Expressions over topic names: whole names, refusals, and bounds for those meant to hang us. */
#include "coordinator/topic_regex.h"
#include "tests/unit/unit.h"

static bool matches(const char *text, const char *name)
{
	struct topic_regex *r = NULL;
	struct failure f;
	bool yes = false;
	ck_assert_int_eq(topic_regex_new(text, &r, &f), STATUS_OK);
	ck_assert_int_eq(topic_regex_match(r, name, &yes, &f), STATUS_OK);
	topic_regex_free(r);
	return yes;
}

START_TEST(the_whole_name_has_to_match)
{
	ck_assert(matches("foo.*", "foobar"));
	ck_assert(!matches("foo", "foobar"));
	ck_assert(!matches("bar", "foobar"));
	ck_assert(matches("foo|bar", "bar"));
	ck_assert(matches("^(foo|bar)-[0-9]+$", "foo-12"));
	ck_assert(!matches("^(foo|bar)-[0-9]+$", "foo-12x"));
	ck_assert(matches("t-\\d{2}", "t-07"));
	ck_assert(matches("(?i)ORDERS", "orders"));
	ck_assert(matches(".*", "a"));
	ck_assert(!matches("", "a"));
}
END_TEST

START_TEST(what_is_no_expression_is_refused_with_a_reason)
{
	static const char *const bad[] = {"(", "[a", "a{2,1}", "*", "\\C", "(*UTF)a", "(?<n>a)(?<n>b)"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct topic_regex *r = NULL;
		struct failure f = {0};
		ck_assert_int_eq(topic_regex_new(bad[i], &r, &f), STATUS_INVALID_REGULAR_EXPRESSION);
		ck_assert_ptr_null(r);
		ck_assert_ptr_nonnull(strstr(f.text, bad[i]));
	}
}
END_TEST

/* Deeply nested parentheses and huge repetitions are refused when compiled. */
START_TEST(what_is_too_large_is_refused)
{
	char deep[401];
	memset(deep, '(', 200);
	memset(deep + 200, ')', 200);
	deep[400] = '\0';
	const char *const bad[] = {deep, "((a{1,1000}){1,1000}){1,1000}"};
	for (size_t i = 0; i < 2; i++) {
		struct topic_regex *r = NULL;
		struct failure f = {0};
		ck_assert_int_eq(topic_regex_new(bad[i], &r, &f), STATUS_INVALID_REGULAR_EXPRESSION);
	}
}
END_TEST

/* Catastrophic backtracking ends soon, and so does much of it over many names. */
START_TEST(what_costs_too_much_is_refused)
{
	static const char *const bad[] = {"(a+)+[bx]", "(a|a)*[cx]", "(.*)*(.*)*(.*)*[xy]"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct topic_regex *r = NULL;
		struct failure f = {0};
		bool yes;
		ck_assert_int_eq(topic_regex_new(bad[i], &r, &f), STATUS_OK);
		ck_assert_int_eq(topic_regex_match(r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &yes, &f),
			STATUS_INVALID_REGULAR_EXPRESSION);
		ck_assert_ptr_nonnull(strstr(f.text, "too long"));
		topic_regex_free(r);
	}
}
END_TEST

START_TEST(slow_names_are_counted)
{
	struct topic_regex *r = NULL;
	struct failure f = {0};
	enum status s = STATUS_OK;
	bool yes;
	int asked = 0;
	ck_assert_int_eq(topic_regex_new("(a|b|ab)*[cx]", &r, &f), STATUS_OK); /* some thousand steps on the name below */
	while (s == STATUS_OK && asked < 1000) {
		s = topic_regex_match(r, "abababababab", &yes, &f);
		asked++;
	}
	ck_assert_int_eq(s, STATUS_INVALID_REGULAR_EXPRESSION);
	ck_assert_int_gt(asked, 50);
	topic_regex_free(r);
}
END_TEST

UNIT_MAIN("topic_regex", the_whole_name_has_to_match, what_is_no_expression_is_refused_with_a_reason, what_is_too_large_is_refused,
	what_costs_too_much_is_refused, slow_names_are_counted)

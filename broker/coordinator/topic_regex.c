#define PCRE2_CODE_UNIT_WIDTH 8
#include "coordinator/topic_regex.h"

#include <pcre2.h>
#include <stdlib.h>

/* Steps of backtracking. Nearly every expression decides on nearly every name within the first; the second is for the few it does not,
 * and there are not many of them: a hostile expression over 10,000 topics ends after some 6 million steps, a few dozen ms. */
enum { STEPS = 500, STEPS_LONG = 10000, LONG_MATCHES_MAX = 100, HEAP_KIB_MAX = 1024, NEST_MAX = 50 };

MAGIC(topic_regex, 0x54524547);
struct topic_regex {
	unsigned magic;
	pcre2_code *code;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	int long_matches;
};

static enum status invalid(struct failure *f, const char *text, int error, size_t at)
{
	PCRE2_UCHAR why[160];
	if (pcre2_get_error_message(error, why, sizeof(why)) < 0)
		why[0] = '\0';
	return failure_set(f, STATUS_INVALID_REGULAR_EXPRESSION,
		"SubscribedTopicRegex `%.200s` is not a valid regular expression: %s (at %zu).", text, (const char *)why, at);
}

static pcre2_code *compile(const char *text, int *ret_error, size_t *ret_at)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	expect(c != NULL);
	expect(pcre2_set_parens_nest_limit(c, NEST_MAX) == 0);
	uint32_t options = PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C |
		PCRE2_NO_AUTO_CAPTURE | PCRE2_DOLLAR_ENDONLY;
	pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, ret_error, ret_at, c);
	pcre2_compile_context_free(c);
	return code;
}

enum status topic_regex_new(const char *text, struct topic_regex **ret_regex, struct failure *f)
{
	int error = 0;
	size_t at = 0;
	pcre2_code *code = compile(text, &error, &at);
	if (code == NULL)
		return invalid(f, text, error, at);
	struct topic_regex *r = check_calloc(1, sizeof(*r));
	r->magic = topic_regex_magic;
	r->code = code;
	r->data = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	expect(r->data != NULL && r->limits != NULL);
	expect(pcre2_set_heap_limit(r->limits, HEAP_KIB_MAX) == 0);
	*ret_regex = r;
	return STATUS_OK;
}

void topic_regex_free(struct topic_regex *r)
{
	if (r == NULL)
		return;
	CHECK_MAGIC(topic_regex, r);
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	r->magic = 0;
	free(r);
}

static int match(struct topic_regex *r, const char *name, uint32_t steps)
{
	expect(pcre2_set_match_limit(r->limits, steps) == 0);
	return pcre2_match(r->code, (PCRE2_SPTR)name, strlen(name), 0, 0, r->data, r->limits);
}

enum status topic_regex_match(struct topic_regex *r, const char *name, bool *ret_matches, struct failure *f)
{
	CHECK_MAGIC(topic_regex, r);
	int n = match(r, name, STEPS);
	if (n == PCRE2_ERROR_MATCHLIMIT && ++r->long_matches <= LONG_MATCHES_MAX)
		n = match(r, name, STEPS_LONG);
	if (n < 0 && n != PCRE2_ERROR_NOMATCH)
		return failure_set(f, STATUS_INVALID_REGULAR_EXPRESSION,
			"SubscribedTopicRegex takes too long to match topics (such as %.249s): make it simpler.", name);
	*ret_matches = n >= 0;
	return STATUS_OK;
}

/* Topics by regular expression (KIP-848: SubscribedTopicRegex). Foreign expressions are matched by PCRE2 within limits, so that none
 * can hold the loop. Kafka uses RE2/J; what both know means the same in both. Back references and the like, which RE2/J has not, work
 * here as far as the limits go. */
#ifndef COORDINATOR_TOPIC_REGEX_H
#define COORDINATOR_TOPIC_REGEX_H

#include "base/bytes.h"

struct topic_regex;
/* INVALID_REGULAR_EXPRESSION, with a sentence. */
MUST_CHECK enum status topic_regex_new(const char *text, struct topic_regex **ret_regex, struct failure *f);
void topic_regex_free(struct topic_regex *r);
/* Does the whole name match? INVALID_REGULAR_EXPRESSION: it costs too much to tell, over all names asked so far. */
MUST_CHECK enum status topic_regex_match(struct topic_regex *r, const char *name, bool *ret_matches, struct failure *f);
#endif

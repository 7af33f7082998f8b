/* Topics by regular expression, as Kafka's tools take them: commas separate alternatives, the whole name must match. */
#ifndef TOOLS_TOPIC_FILTER_H
#define TOOLS_TOPIC_FILTER_H
#include <stdbool.h>
struct topic_filter;
/* Never NULL; what is no regular expression matches only itself. */
struct topic_filter *topic_filter_new(const char *text);
bool topic_filter_matches(const struct topic_filter *f, const char *topic);
void topic_filter_free(struct topic_filter *f);
#endif

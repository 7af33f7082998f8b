/* Java's .properties text (java.util.Properties.load): comments, continuations, escapes. Bytes are taken as UTF-8, where
 * Java would take Latin-1. */
#ifndef CONFIG_PROPERTIES_H
#define CONFIG_PROPERTIES_H
#include "base/bytes.h"

/* Each pair in the order of the text, with the number of the line it begins on. Both strings live for the call.
 * STATUS_INVALID_CONFIG on a malformed \u escape or a NUL byte; ret_failure begins with "line N: ". */
MUST_CHECK enum status properties_parse(struct slice text,
	void (*pair)(void *arg, const char *key, const char *value, unsigned line), void *arg, struct failure *ret_failure);
#endif

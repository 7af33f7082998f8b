/* Times as people write them on a command line, in Java's forms. */
#ifndef TOOLS_TIME_TEXT_H
#define TOOLS_TIME_TEXT_H
#include <stdbool.h>
#include <stdint.h>

/* "2026-01-31T23:59:59.123", seconds and fraction optional, then nothing or "Z" (UTC) or "+01:00", "-0530". False: it is none. */
bool time_text_parse_instant(const char *text, int64_t *ret_ms);
/* "P7DT0H0M0S", "PT5M": days, hours, minutes, seconds, each optional, at least one. */
bool time_text_parse_duration(const char *text, int64_t *ret_ms);
#endif

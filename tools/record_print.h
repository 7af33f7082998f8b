/* One record as a line. */
#ifndef TOOLS_RECORD_PRINT_H
#define TOOLS_RECORD_PRINT_H
#include "tools/client/correio.h"
#include <jansson.h>

struct record_format {
	bool key, headers, timestamp, partition, offset, json;
	const char *key_separator;
};
void record_print(const struct record_format *f, const char *topic, int32_t partition, const struct correio_record *r);
/* {"offset", "timestamp", "key", "value", "headers"}; bytes that are not UTF-8 go to "value_base64". */
json_t *record_to_json(const struct correio_record *r);
#endif

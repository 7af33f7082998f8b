/* A described topic for people and for machines. */
#ifndef TOOLS_TOPIC_PRINT_H
#define TOOLS_TOPIC_PRINT_H
#include "tools/cli.h"
#include "tools/output.h"
void topic_print_row(struct table *t, const struct correio_topic *topic);
void topic_print_text(const struct correio_topic *topic);
json_t *topic_print_json(const struct correio_topic *topic);
json_t *topic_print_json_summary(const struct correio_topic *topic);
void topic_print_id(const struct correio_topic *topic, char out[UUID_TEXT_SIZE]);
#endif

/* Lists of settings as images hold them: copied, read from a znode, looked up. */
#ifndef CLUSTER_IMAGE_CONFIGS_H
#define CLUSTER_IMAGE_CONFIGS_H

#include "cluster/cluster_image.h"
#include "coordinator-client/zk_schema.h"

/* Deep copies, never NULL; for image_configs_free. */
struct image_config *image_configs_copy(const struct image_config *from, size_t count);
struct image_config *image_configs_of_znode(const struct zk_schema_config *from);
/* configs may be NULL. */
void image_configs_free(struct image_config *configs, size_t count);
/* Borrowed; NULL: the key is not among them. */
const char *image_configs_value(const struct image_config *configs, size_t count, const char *key);

#endif

/* The names in a directory, collected before anything is done to them. */
#ifndef STORAGE_NAME_LIST_H
#define STORAGE_NAME_LIST_H

#include "storage/disk.h"

struct name_list {
	char **names;
	size_t count, capacity;
};
/* ret_list is to be freed in any case. */
MUST_CHECK enum status name_list_read(struct disk *d, const char *path, struct name_list *ret_list);
void name_list_fini(struct name_list *l);
#endif

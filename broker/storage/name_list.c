#include "storage/name_list.h"

static bool collect_name(void *arg, const char *name)
{
	struct name_list *l = arg;
	if (l->count == l->capacity) {
		l->capacity = l->capacity == 0 ? 16 : l->capacity * 2;
		l->names = check_realloc(l->names, l->capacity * sizeof(l->names[0]));
	}
	l->names[l->count++] = check_strdup(name);
	return true;
}

enum status name_list_read(struct disk *d, const char *path, struct name_list *ret_list)
{
	*ret_list = (struct name_list){0};
	return disk_list(d, path, collect_name, ret_list);
}

void name_list_fini(struct name_list *l)
{
	for (size_t i = 0; i < l->count; i++)
		free(l->names[i]);
	free(l->names);
	*l = (struct name_list){0};
}

#include "coordinator-client/zk_path.h"

static bool part_is_legal(const char *part, size_t n)
{
	if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char ch = (unsigned char)part[i];
		if (ch < 0x20 || ch == 0x7f)
			return false;
	}
	return true;
}

enum status zk_path_check(const char *path)
{
	expect(path != NULL);
	size_t n = strnlen(path, ZK_PATH_MAX);
	if (n == 0 || n >= ZK_PATH_MAX || path[0] != '/')
		return STATUS_INVALID_ARGUMENT;
	if (n == 1)
		return STATUS_OK;
	const char *part = path + 1;
	for (;;) {
		const char *slash = strchr(part, '/');
		size_t length = slash == NULL ? strlen(part) : (size_t)(slash - part);
		if (!part_is_legal(part, length))
			return STATUS_INVALID_ARGUMENT;
		if (slash == NULL)
			return STATUS_OK;
		part = slash + 1;
	}
}

bool zk_path_parent(const char *path, char ret_parent[ZK_PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	expect(slash != NULL && strlen(path) < ZK_PATH_MAX);
	if (slash[1] == '\0' && slash == path)
		return false;
	size_t n = slash == path ? 1 : (size_t)(slash - path);
	memcpy(ret_parent, path, n);
	ret_parent[n] = '\0';
	return true;
}

const char *zk_path_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	expect(slash != NULL);
	return slash + 1;
}

bool zk_path_within(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	expect(n > 0 && dir[0] == '/');
	if (n == 1)
		return path[0] == '/';
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

enum status zk_path_join(const char *dir, const char *name, char ret_path[ZK_PATH_MAX])
{
	int n = snprintf(ret_path, ZK_PATH_MAX, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name);
	return n > 0 && n < ZK_PATH_MAX ? STATUS_OK : STATUS_INVALID_ARGUMENT;
}

enum zk_protection zk_path_protection(const char *path, bool set_acl)
{
	static const char *const sensitive[] = {"/config/users", "/config/brokers", "/delegation_token/tokens"};
	if (!set_acl || zk_path_within(path, "/consumers"))
		return ZK_PROTECTION_OPEN;
	for (size_t i = 0; i < sizeof(sensitive) / sizeof(sensitive[0]); i++) {
		if (zk_path_within(path, sensitive[i]))
			return ZK_PROTECTION_CREATOR;
	}
	return ZK_PROTECTION_WORLD_READ;
}

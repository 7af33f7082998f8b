#include "service/group_host.h"

char *group_host_of(struct arena *a, const char *peer)
{
	const char *colon = strrchr(peer, ':');
	struct slice host = slice_of(peer, colon == NULL ? strlen(peer) : (size_t)(colon - peer));
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = slice_sub(host, 1, host.n - 2);
	char *text = arena_alloc(a, host.n + 2);
	if (text == NULL)
		return NULL;
	text[0] = '/';
	memcpy(&text[1], host.p, host.n);
	text[host.n + 1] = '\0';
	return text;
}

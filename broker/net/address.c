#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netdb.h>
#include <netinet/in.h>

/* Results of one family, at most up to ADDRESSES_MAX in all. */
static int take_family(const struct addrinfo *list, int family, struct address *addresses, int count)
{
	for (const struct addrinfo *ai = list; ai != NULL && count < ADDRESSES_MAX; ai = ai->ai_next) {
		if (ai->ai_family != family || ai->ai_addrlen > sizeof(addresses[0].sa))
			continue;
		addresses[count] = (struct address){.size = ai->ai_addrlen};
		memcpy(&addresses[count].sa, ai->ai_addr, ai->ai_addrlen);
		count++;
	}
	return count;
}

enum status address_resolve(const char *host, int port, enum address_use use, struct failure *ret_failure,
	struct address ret_addresses[ADDRESSES_MAX], int *ret_count)
{
	bool any = host == NULL || host[0] == '\0';
	expect(!any || use == ADDRESS_LISTEN);
	if (port < 0 || port > 65535)
		return failure_set(ret_failure, STATUS_INVALID_ARGUMENT, "port %d of host \"%s\" is not in 0..65535", port,
			any ? "" : host);
	char service[8];
	snprintf(service, sizeof(service), "%d", port);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *list = NULL;
	if (use == ADDRESS_LISTEN)
		hints.ai_flags |= AI_PASSIVE;
	if (use == ADDRESS_CONNECT_NUMERIC)
		hints.ai_flags |= AI_NUMERICHOST;
	int rc = getaddrinfo(any ? NULL : host, service, &hints, &list);
	if (rc != 0)
		return failure_set(ret_failure, STATUS_NOT_FOUND, "host \"%s\" is not known: %s", any ? "" : host,
			gai_strerror(rc));
	/* Every interface: one IPv6 socket takes both families, if there is IPv6. */
	int first = any ? AF_INET6 : AF_INET, second = any ? AF_INET : AF_INET6;
	int count = take_family(list, first, ret_addresses, 0);
	count = take_family(list, second, ret_addresses, count);
	freeaddrinfo(list);
	if (count == 0)
		return failure_set(
			ret_failure, STATUS_NOT_FOUND, "host \"%s\" has no IPv4 or IPv6 address", any ? "" : host);
	*ret_count = count;
	return STATUS_OK;
}

void address_format(const struct address *a, char out[ADDRESS_TEXT_SIZE])
{
	char text[INET6_ADDRSTRLEN] = "?";
	if (a->sa.ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, &a->sa, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		snprintf(out, ADDRESS_TEXT_SIZE, "%s:%d", text, ntohs(in.sin_port));
		return;
	}
	struct sockaddr_in6 in6;
	memcpy(&in6, &a->sa, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
		inet_ntop(AF_INET, &in6.sin6_addr.s6_addr[12], text, sizeof(text));
		snprintf(out, ADDRESS_TEXT_SIZE, "%s:%d", text, ntohs(in6.sin6_port));
		return;
	}
	inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
	snprintf(out, ADDRESS_TEXT_SIZE, "[%s]:%d", text, ntohs(in6.sin6_port));
}

int address_port(const struct address *a)
{
	static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port), "same place");
	struct sockaddr_in in;
	memcpy(&in, &a->sa, sizeof(in));
	return ntohs(in.sin_port);
}

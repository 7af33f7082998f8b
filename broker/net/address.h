/* Names and numbers of sockets. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/status.h"
#include <sys/socket.h>

enum { ADDRESS_TEXT_SIZE = 64, ADDRESSES_MAX = 4 };
struct address {
	struct sockaddr_storage sa;
	socklen_t size;
};
enum address_use { ADDRESS_LISTEN, ADDRESS_CONNECT, ADDRESS_CONNECT_NUMERIC };

/* Looks up host, IPv4 first (as Java does, so that "localhost" means the same here). May sleep unless NUMERIC.
 * ADDRESS_LISTEN: host NULL or "" is every interface, both families where there are two.
 * ret_count: 1..ADDRESSES_MAX. RESOURCE_NOT_FOUND with the reason. */
MUST_CHECK enum status address_resolve(const char *host, int port, enum address_use use, struct failure *ret_failure,
	struct address ret_addresses[ADDRESSES_MAX], int *ret_count);
/* "127.0.0.1:9092", "[::1]:9092". */
void address_format(const struct address *a, char out[ADDRESS_TEXT_SIZE]);
int address_port(const struct address *a);

#endif

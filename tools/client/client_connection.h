/* One connection to one broker: connects by itself, frames out, frames in, answers matched in order, deadlines, back-off.
 * Non-blocking; driven by its owner's poll loop on one thread. */
#ifndef CLIENT_CONNECTION_H
#define CLIENT_CONNECTION_H
#include "tools/client/client_config.h"
#include "tools/client/client_request.h"
#include <poll.h>

struct client_connection;

/* options are borrowed for its life. */
struct client_connection *client_connection_new(const struct client_options *options, const char *host, int32_t port);
/* Requests still open fail with CLOSED. */
void client_connection_free(struct client_connection *c);

/* Queues it; connects if need be. done is called exactly once, never from within this call. */
void client_connection_send(struct client_connection *c, struct client_request *r);
/* May a request be sent now: connected, or due to connect? False during the back-off after a failure. */
bool client_connection_ready(const struct client_connection *c, int64_t now_us);
/* When the back-off ends. */
int64_t client_connection_retry_at_us(const struct client_connection *c);
/* Was the last attempt a failure? Then why; else NULL. */
const struct correio_error *client_connection_failure(const struct client_connection *c);
/* Requests queued and unanswered. */
size_t client_connection_in_flight(const struct client_connection *c);
/* Largest frame the broker said it takes; 0 as long as it is not known. */
uint32_t client_connection_peer_max_frame(const struct client_connection *c);
const char *client_connection_host(const struct client_connection *c);
int32_t client_connection_port(const struct client_connection *c);

/* For poll(): fd (-1 none) and events; lowers *deadline_us to the next time process must run. */
void client_connection_prepare(struct client_connection *c, struct pollfd *ret_pollfd, int64_t *deadline_us);
/* Does what can be done without waiting. Callbacks run here. */
void client_connection_process(struct client_connection *c, short revents, int64_t now_us);
#endif

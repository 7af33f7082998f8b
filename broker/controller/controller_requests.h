/* Control requests made from the controller's state. */
#ifndef CONTROLLER_CONTROLLER_REQUESTS_H
#define CONTROLLER_CONTROLLER_REQUESTS_H

#include "controller/controller_decision.h"
#include "controller/controller_state.h"

/* Everything a broker has to know, in the order it has to learn it: the whole picture, its own roles. Configurations it reads itself. */
void controller_requests_sync(const struct controller_state *s, const struct controller_broker *b,
	struct controller_decision *d);
/* The partitions in s->changed to the brokers concerned (roles, then picture); live brokers to all if they changed. Brokers
 * that need a full picture are left out. Empties s->changed. */
void controller_requests_flush(struct controller_state *s, struct controller_decision *d);
/* The topic vanishes from every broker's picture. */
void controller_requests_topic_gone(const struct controller_state *s, const struct controller_topic *t,
	struct controller_decision *d);
/* The endpoint of this listener; the first, if there is none or listener is NULL or empty. */
const struct zk_schema_endpoint *controller_requests_endpoint(const struct zk_schema_endpoint *endpoints, size_t count,
	const char *listener);
/* What every control request begins with. */
struct control_header controller_requests_header(const struct controller_state *s, const struct controller_broker *b);
#endif

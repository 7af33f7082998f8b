/* /brokers/ids/<id>, our ephemeral: written as one multi whose Stat gives the broker epoch (KIP-380), written again after every
 * session expiry, and watched: a broker that finds another process in its place stops. On the cluster loop. */
#ifndef CLUSTER_BROKER_REGISTRATION_H
#define CLUSTER_BROKER_REGISTRATION_H

#include "coordinator-client/zk_client.h"

struct broker_registration;

struct registration_endpoint {
	const char *listener;          /* "PLAINTEXT" */
	const char *security_protocol; /* "PLAINTEXT" */
	const char *host;              /* advertised */
	int32_t port;
};
enum probe_result {
	PROBE_REFUSED, /* nothing listens there: that process is dead */
	PROBE_ALIVE,   /* something accepted the connection */
	PROBE_UNKNOWN, /* no answer within a second, or no route */
};
struct broker_registration_options {
	struct zk_client *zk;
	int32_t broker_id;
	const struct registration_endpoint *endpoints; /* deep-copied */
	size_t endpoint_count;
	const char *rack; /* NULL or "" none */
	/* The advertised endpoints are bound by this process: an older registration under the same id with one of them is
	 * then of a dead process, and no probe is made. False behind address translation. */
	bool endpoints_bound;
	/* Connects to host:port; answers once, within about a second, on the cluster loop. host and port are borrowed for the
	 * call. */
	void (*probe)(void *arg, const char *host, int32_t port, void (*done)(void *done_arg, enum probe_result r),
		void *done_arg);
	/* After each registration, the first one too: tell cluster_state_set_broker_epoch. */
	void (*registered)(void *arg, int64_t broker_epoch);
	/* For good: another live process holds the id or an endpoint, or ZooKeeper refuses us. The caller prints f->text and
	 * stops the broker. */
	void (*failed)(void *arg, const struct failure *f);
	void *arg;
};
struct broker_registration *broker_registration_new(const struct broker_registration_options *o);
/* Registers, now if connected, else as soon as we are; and again whenever the client has a new session (whoever owns the client
 * calls zk_client_reconnect after an expiry). */
void broker_registration_start(struct broker_registration *r);
/* Removes the registration (only our own), then done. For a clean stop; a closed session does the same. */
void broker_registration_stop(struct broker_registration *r, void (*done)(void *arg), void *arg);
/* After stop's done, or after the zk_client was closed: no answer may be under way. */
void broker_registration_free(struct broker_registration *r);

#endif

/* zk_client over the Apache ZooKeeper C client (multi-threaded library): connect, chroot (created if missing), digest
 * credentials, ACLs, expiry, self-fencing. The library's threads only carry mail to the scheduler. */
#ifndef COORDINATOR_CLIENT_ZK_SESSION_H
#define COORDINATOR_CLIENT_ZK_SESSION_H
#include "coordinator-client/zk_client.h"

struct zk_session_options {
	const char *connect;        /* zookeeper.connect: host:port[,host:port...][/chroot] */
	int32_t session_timeout_ms; /* asked for; the ensemble may bend it */
	const char *digest;         /* "user:password" for the digest scheme, NULL none */
	bool set_acl;               /* zookeeper.set.acl: creator all, world read; sensitive trees creator only */
	void (*state_changed)(void *arg, enum zk_state state);
	void *state_arg;
};
/* Returns at once; state_changed tells when it is connected. The chroot exists by then. A client that cannot reach the
 * ensemble for the negotiated timeout declares itself EXPIRED (ZOOKEEPER-4508: the library would never tell). Names are
 * resolved, and a session is closed, on threads of their own: neither holds up the loop. set_acl needs digest. */
MUST_CHECK enum status zk_session_open(struct scheduler *scheduler, const struct zk_session_options *o,
	struct zk_client **ret_client, struct failure *ret_failure);
/* After closed() only. */
void zk_session_free(struct zk_client *c);
/* The password the ensemble gave the session: for tests that take it over in order to end it. */
void zk_session_password(struct zk_client *c, uint8_t ret_password[16]);
/* Checks the syntax of a connect string. */
MUST_CHECK enum status zk_session_check_connect(const char *connect, struct failure *ret_failure);
#endif

/* One Fetch under way: what is asked of each partition, from the message or from a session, and how it was answered. */
#ifndef KAFKA_KAFKA_FETCH_H
#define KAFKA_KAFKA_FETCH_H

#include "kafka/kafka_call.h"
#include "service/fetch_service.h"

enum { KAFKA_FETCH_FIRST_WITH_TOPIC_IDS = 13 };

struct kafka_fetch_item {
	struct fetch_session_key topic;  /* as asked: by name or by id; the name is filled in where the id is known */
	int32_t partition;
	struct fetch_session_request asked;
	enum status refused;             /* not OK: answered without reading */
	struct fetch_entry *entry;       /* NULL: refused */
	struct fetch_session_partition *cached; /* incremental; valid while the session's epoch is expected_epoch */
	bool left_out;
};
struct kafka_fetch {
	struct kafka_call *call;
	struct kafka_fetch_item *items; /* in the order of the answer */
	size_t item_count;
	bool wants_session;
	struct fetch_session *session;  /* incremental: in use until the answer */
	int32_t expected_epoch;
	struct fetch_request request;
};

/* Fills the items. OK; TOO_LARGE: the call's memory is full; else the error of the whole request. */
MUST_CHECK enum status kafka_fetch_items_from_message(struct kafka_call *c, struct kafka_fetch *f);
MUST_CHECK enum status kafka_fetch_items_from_session(struct kafka_call *c, struct kafka_fetch *f);
/* When all is read: leaves out what is no news. INVALID_FETCH_SESSION_EPOCH: another request has used the session meanwhile. */
MUST_CHECK enum status kafka_fetch_update_session(struct kafka_fetch *f);
/* The id of a new session that holds all items; FETCH_SESSION_NONE: there is none to be had. */
int32_t kafka_fetch_new_session(struct kafka_fetch *f);
/* The session is no longer used by this request. */
void kafka_fetch_release_session(struct kafka_fetch *f);
#endif

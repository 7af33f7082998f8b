/* What the files of the group machine share; nobody else includes it. */
#ifndef COORDINATOR_GROUP_INTERNAL_H
#define COORDINATOR_GROUP_INTERNAL_H

#include "coordinator/group.h"
#include <uthash.h>

#define GROUP_NEVER_MS INT64_MAX
/* How long a member may wait for the answer that names it (Kafka: NewMemberJoinTimeoutMs): it cannot heartbeat yet, and if
 * its connection died it will come back under another id. */
enum { GROUP_NEW_MEMBER_JOIN_TIMEOUT_MS = 5 * 60 * 1000 };

/* An entry of the heap of deadlines, embedded in what it ends. */
struct group_timer {
	int64_t at_ms;
	size_t slot; /* place in the heap, from 1; 0: not armed */
	bool pending_id;
};

/* An id given out by MEMBER_ID_REQUIRED that has not come back yet. */
struct group_pending_id {
	UT_hash_handle hh;
	struct group_timer timer;
	struct slice id; /* owned */
};

/* A static member came back under a new id in a stable group: its join is answered when the record knows the id. */
enum group_replacement { GROUP_REPLACEMENT_NONE, GROUP_REPLACEMENT_WANTED, GROUP_REPLACEMENT_WRITING };

struct group_member {
	UT_hash_handle hh;          /* by id; in the order they came */
	UT_hash_handle by_instance; /* static members */
	struct group_timer session;
	struct slice id, instance_id, client_id, client_host; /* owned */
	struct group_protocol *protocols;                     /* owned, one block with what they point to */
	size_t protocol_count;
	size_t protocol_bytes;
	struct slice assignment;      /* owned: of the record, what Sync is answered with */
	struct slice next_assignment; /* owned: from the leader, being written */
	int32_t session_timeout_ms;
	int32_t rebalance_timeout_ms;
	void *join_ticket;
	void *sync_ticket;
	bool joining; /* a join is parked */
	bool syncing; /* a sync is parked */
	bool is_new;  /* has not been through a rebalance */
	bool sync_owed;
	enum group_replacement replacement;
	bool skip_assignment;     /* of the join that replaced it */
	struct slice replaced_id; /* owned: the id before that */
};

/* A protocol some member supports. */
struct group_candidate {
	UT_hash_handle hh;
	struct slice name; /* owned */
	size_t supporters;
	size_t votes;
};

/* Why a record is to be written. Each goes with one state; leaving the state withdraws the wish. */
enum group_persist {
	GROUP_PERSIST_NONE,
	GROUP_PERSIST_EMPTY,       /* EMPTY: the last member has gone */
	GROUP_PERSIST_ASSIGNMENTS, /* COMPLETING_REBALANCE: the leader's sync */
	GROUP_PERSIST_REPLACED,    /* STABLE: static members came back under new ids */
};

MAGIC(group, 0x47525550);
struct group {
	unsigned magic;
	bool answering; /* within joined() or synced() */
	struct group_owner owner;
	struct slice id; /* owned */
	enum group_state state;
	int64_t state_since_ms;
	int32_t generation;
	struct slice protocol_type; /* owned; p = NULL none */
	struct slice protocol;      /* owned; p = NULL none */
	struct group_member *leader;
	struct group_member *members;     /* by id */
	struct group_member *by_instance; /* static ones by instance id */
	struct group_candidate *candidates;
	struct group_pending_id *pending_ids;
	size_t joining_count;
	size_t sync_owed_count;
	size_t bytes; /* of all members */
	struct group_timer **timers; /* heap from slot 1 */
	size_t timer_count;
	size_t timer_room;
	int64_t join_deadline_ms; /* PREPARING_REBALANCE */
	int64_t initial_until_ms; /* how far the initial delay may be prolonged */
	bool initial_delay;       /* the round began from EMPTY: it does not end before its deadline */
	bool member_added;        /* since the initial delay was last (re)started */
	int64_t sync_deadline_ms; /* COMPLETING_REBALANCE and STABLE: for members that owe a sync */
	bool assignments_received;
	enum group_persist persist_wanted;
	enum group_persist persist_running;
	int32_t persist_generation;
	struct group_counts counts;
};

/* --- group.c --- */
void group_enter(const struct group *g);
/* Last in every call from outside: ends the round if all are here, starts the write that is wanted. */
void group_settle(struct group *g, int64_t now_ms);
void group_move(struct group *g, enum group_state to, int64_t now_ms);
struct slice group_text_copy(struct slice s);
void group_text_set(struct slice *text, struct slice to);
void group_text_free(struct slice *text);
void group_answer_join(struct group *g, void *ticket, const struct group_join_answer *answer);
void group_refuse_join(struct group *g, void *ticket, struct slice member_id, enum status status);
void group_answer_sync(struct group *g, void *ticket, const struct group_sync_answer *answer);

/* --- group_timers.c --- */
void group_timer_arm(struct group *g, struct group_timer *t, int64_t at_ms);
void group_timer_disarm(struct group *g, struct group_timer *t);
/* NULL none. */
struct group_timer *group_timer_first(const struct group *g);

/* --- group_member.c --- */
struct group_member *group_member_find(const struct group *g, struct slice id);
struct group_member *group_member_find_instance(const struct group *g, struct slice instance_id);
/* Is this the member it says it is? UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
MUST_CHECK enum status group_member_check(
	const struct group *g, struct slice id, struct slice instance_id, struct group_member **ret_member);
/* Neither id may be taken. protocols and timeouts come from the join. */
struct group_member *group_member_add(struct group *g, struct slice id, const struct group_join *join);
void group_member_update(struct group *g, struct group_member *m, const struct group_join *join);
void group_member_rename(struct group *g, struct group_member *m, struct slice id);
/* Answers what it has parked with UNKNOWN_MEMBER_ID and forgets it. */
void group_member_remove(struct group *g, struct group_member *m);
void group_member_free_all(struct group *g);
bool group_member_matches(const struct group_member *m, const struct group_join *join);
/* Metadata for the group's protocol. */
struct slice group_member_metadata(const struct group *g, const struct group_member *m);
void group_member_assign(struct group *g, struct slice *which, struct slice assignment);
void group_member_assign_next(struct group *g, struct group_member *m);
void group_member_park_join(struct group *g, struct group_member *m, void *ticket);
/* The ticket of the parked join, which is no longer parked. */
void *group_member_unpark_join(struct group *g, struct group_member *m);
void group_member_sync_done(struct group *g, struct group_member *m);
void group_member_session_restart(struct group *g, struct group_member *m, int64_t now_ms);
size_t group_member_bytes(const struct group_member *m);
size_t group_member_join_bytes(const struct group_join *join);

/* --- group_candidates.c --- */
void group_candidates_add(struct group *g, const struct group_member *m);
void group_candidates_remove(struct group *g, const struct group_member *m);
bool group_candidates_support(const struct group *g, const struct group_join *join);
/* What the vote says now; there are members. */
struct slice group_candidates_select(struct group *g);

/* --- group_pending.c --- */
struct group_pending_id *group_pending_find(const struct group *g, struct slice id);
void group_pending_add(struct group *g, struct slice id, int64_t until_ms);
void group_pending_remove(struct group *g, struct group_pending_id *p);
void group_pending_free_all(struct group *g);

/* --- group_rebalance.c --- */
/* From EMPTY, COMPLETING_REBALANCE or STABLE; otherwise it is under way already and nothing happens. */
void group_rebalance_begin(struct group *g, const char *why, int64_t now_ms);
bool group_rebalance_all_joined(const struct group *g);
void group_rebalance_complete(struct group *g, int64_t now_ms);
void group_rebalance_deadline(struct group *g, int64_t now_ms);
int32_t group_rebalance_timeout(const struct group *g);
/* Fills an answer for the current generation; the caller frees members. */
void group_rebalance_answer(
	const struct group *g, const struct group_member *m, bool with_members, struct group_join_answer *ret_answer);

/* --- group_sync.c --- */
/* Answers every parked sync. OK: with the assignment; otherwise assignments are forgotten. */
void group_sync_answer_all(struct group *g, enum status status, int64_t now_ms);
void group_sync_persist_start(struct group *g);
void group_sync_deadline(struct group *g, int64_t now_ms);
#endif

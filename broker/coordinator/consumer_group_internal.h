/* What the files of the consumer group machine share; nobody else includes it. */
#ifndef COORDINATOR_CONSUMER_GROUP_INTERNAL_H
#define COORDINATOR_CONSUMER_GROUP_INTERNAL_H

#include "coordinator/consumer_group.h"
#include <stdlib.h>
#include <uthash.h>

#define CONSUMER_GROUP_NEVER_MS INT64_MAX

/* Numbers of the records: they lie on disk. */
enum consumer_member_state {
	CONSUMER_MEMBER_STABLE = 0,
	CONSUMER_MEMBER_UNREVOKED = 1,
	CONSUMER_MEMBER_UNRELEASED = 2,
	CONSUMER_MEMBER_UNKNOWN = 127, /* of a later broker: fenced, so that it starts afresh */
};

/* What of a member, and of the group, has to be written. */
enum { CONSUMER_DIRTY_MEMBER = 1, CONSUMER_DIRTY_TARGET = 2, CONSUMER_DIRTY_CURRENT = 4, CONSUMER_DIRTY_ALL = 7 };
enum { CONSUMER_DIRTY_EPOCH = 1, CONSUMER_DIRTY_TOPICS = 2, CONSUMER_DIRTY_TARGET_EPOCH = 4, CONSUMER_DIRTY_RETIRED = 8 };

struct consumer_group_member {
	UT_hash_handle hh;          /* by id; in the order they came */
	UT_hash_handle by_instance; /* static members */
	char *id;
	char *instance_id, *rack_id; /* NULL none */
	char *client_id, *client_host;
	char *topic_regex; /* NULL none */
	char *server_assignor; /* NULL: the group's default */
	struct consumer_group_names topic_names;
	int32_t rebalance_timeout_ms;
	int32_t epoch, previous_epoch;
	enum consumer_member_state state;
	struct partition_set assigned; /* owned, or about to be */
	struct partition_set revoking; /* owned until given up */
	struct partition_set target;
	int64_t session_deadline_ms;
	int64_t rebalance_deadline_ms; /* while UNREVOKED */
	unsigned dirty, writing;
	bool has_metadata; /* while loading: its metadata record was there */
};

/* Who owns a partition: the member that has it assigned or has not yet given it up. */
struct consumer_group_owned {
	UT_hash_handle hh;
	struct partition_of_topic partition;
	struct consumer_group_member *owner;
};

/* A topic somebody subscribes to and that exists. */
struct consumer_group_subscribed {
	char *name;
	struct uuid id;
	int32_t partition_count;
};

/* The topics an expression stands for. */
struct consumer_group_regex {
	UT_hash_handle hh;
	char *regex;
	struct consumer_group_names topics;
	uint64_t version; /* of the topics it was matched with; 0: not yet */
};

/* A member that is gone but whose records are not. */
struct consumer_group_gone {
	struct consumer_group_gone *next;
	char *id;
	bool writing;
};

MAGIC(consumer_group, 0x43475250);
struct consumer_group {
	unsigned magic;
	struct consumer_group_owner owner;
	char *id;
	int32_t epoch, assignment_epoch;
	struct consumer_group_member *members, *by_instance;
	struct consumer_group_owned *owned;
	struct consumer_group_regex *regexes;
	struct consumer_group_subscribed *topics; /* sorted by name */
	size_t topic_count;
	uint64_t topics_version; /* topics is of this version; 0: not yet */
	struct consumer_group_gone *gone;
	unsigned dirty, writing;
	bool has_epoch; /* while loading */
	bool retired;
	int64_t next_deadline_ms; /* no deadline is earlier */
	char *left_id; /* of a member that just left, for the answer */
	struct consumer_group_counts counts;
};

/* --- consumer_group_names.c --- */
/* Copies; sorts; drops what is there twice. */
void consumer_group_names_set(struct consumer_group_names *n, const char *const *names, size_t count);
void consumer_group_names_fini(struct consumer_group_names *n);
bool consumer_group_names_equal(const struct consumer_group_names *a, const struct consumer_group_names *b);
bool consumer_group_names_has(const struct consumer_group_names *n, const char *name);

/* --- consumer_group_member.c --- */
struct consumer_group_member *consumer_group_member_find(const struct consumer_group *g, const char *id);
struct consumer_group_member *consumer_group_member_find_instance(const struct consumer_group *g, const char *instance_id);
/* All of it has to be written. */
struct consumer_group_member *consumer_group_member_add(struct consumer_group *g, const char *id, const char *instance_id);
/* Its partitions are free, its records become tombstones. */
void consumer_group_member_remove(struct consumer_group *g, struct consumer_group_member *m);
/* Frees it, with no trace. */
void consumer_group_member_forget(struct consumer_group *g, struct consumer_group_member *m);
void consumer_group_member_set_instance(struct consumer_group *g, struct consumer_group_member *m, const char *instance_id);
/* Takes the contents of both sets and keeps the owners right. */
void consumer_group_member_set_current(struct consumer_group *g, struct consumer_group_member *m, struct partition_set *assigned,
	struct partition_set *revoking);
bool consumer_group_member_is_reconciled(const struct consumer_group *g, const struct consumer_group_member *m);
struct consumer_group_member *consumer_group_member_owner(const struct consumer_group *g, const struct partition_of_topic *p);
/* The session begins anew. */
void consumer_group_member_touch(struct consumer_group *g, struct consumer_group_member *m, int64_t now_ms);
/* old NULL: new_text is a new string. True: it has changed. */
bool consumer_group_member_set_text(char **text, const char *new_text);

/* --- consumer_group_target.c --- */
/* Looks the subscribed topics up again if the topics have changed or the subscriptions have (changed). True: different from before. */
bool consumer_group_target_refresh(struct consumer_group *g, bool changed);
void consumer_group_target_bump(struct consumer_group *g);
/* Computes the target if it is older than the group epoch. */
void consumer_group_target_update(struct consumer_group *g);
enum consumer_assignor consumer_group_target_assignor(const struct consumer_group *g);
/* Makes sure the expression can be used. */
MUST_CHECK enum status consumer_group_target_resolve(struct consumer_group *g, const char *regex, struct failure *f);
void consumer_group_target_fini(struct consumer_group *g);

/* --- consumer_group_reconcile.c --- */
/* Walks the member on towards its target. owned NULL: it does not say. */
void consumer_group_reconcile(struct consumer_group *g, struct consumer_group_member *m, const struct partition_set *owned,
	int64_t now_ms);

static inline void consumer_group_deadline(struct consumer_group *g, int64_t at_ms)
{
	if (at_ms < g->next_deadline_ms)
		g->next_deadline_ms = at_ms;
}
#endif

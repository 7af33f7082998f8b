/* A consumer group of KIP-848 and its consumers, in one thread, from one seed. Consumers join, beat, give up partitions when they
 * come to it, change what they subscribe to, leave, crash, come back; topics come, grow and go; requests and answers get lost; records
 * take their time and fail; the coordinator moves and loads what compaction left of the log, in any order. Then the trouble stops.
 * After each step
 * - the group does not contradict itself (consumer_group_check);
 * - no partition is with two consumers that the group takes for members;
 * - epochs that were told of are never forgotten, and a member's only grow.
 * KIP-848 has one hole, which our consumers keep out of: who has heard of an assignment, says before taking it up that it owns
 * nothing, loses the answer to that, and then takes up what it was told first. Here it does not: what is lost makes it ask anew.
 * In the end the group is stable, everybody has what the group says, and then nothing moves any more.
 * Usage: test_consumer_groups [--seed N] [--seeds N] [--steps N]; a failure prints the seed. */
#include "base/diag.h"
#include "coordinator/consumer_group_records.h"
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 8, TOPICS = 4, PARTITIONS_MAX = 9, LOG_MAX = 200000, QUIET_LIMIT_MS = 10 * 60 * 1000, SESSION_MS = 45000 };
enum { BEAT_MS = 5000, REBALANCE_MS = 20000, ID_MAX = 64 };

struct stored {
	uint8_t *key, *value; /* value NULL: tombstone */
	size_t key_size, value_size;
};
/* An answer that waits for its write, then for its way. */
struct answer {
	bool under_way, lost;
	unsigned write; /* number of the write it waits for */
	int64_t at_ms;
	enum status status;
	int32_t epoch;
	char id[ID_MAX];
	bool has_assignment;
	struct partition_set assignment;
};
struct client {
	bool up, joined, is_static, brings_id;
	char id[ID_MAX], instance[16];
	int32_t epoch;
	struct partition_set owned, assignment;
	bool to_reconcile;
	int64_t reconcile_at_ms, beat_at_ms;
	unsigned names;    /* bit t: topic t */
	bool regex;        /* subscribes to t.* as well */
	bool says_all;     /* the next heartbeat is full */
	bool range;
	struct answer answer;
};
struct world {
	uint64_t seed;
	unsigned step;
	struct random random;
	int64_t now_ms;
	struct consumer_group *group;
	struct consumer_group_settings settings;
	struct consumer_group_owner owner;
	struct { bool there; struct uuid id; int32_t partitions; } topics[TOPICS];
	uint64_t topics_version;
	struct client clients[CLIENTS];
	struct stored *log;
	size_t log_count, written_count; /* written: may still fail */
	bool writing;
	unsigned write_number; /* of the one under way, or the last */
	int64_t write_ends_ms;
	int32_t told_epoch;
	bool quiet;
	uint64_t answers, moved;
};

#define HOLDS(w, cond)                                                                                                 \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			(void)fprintf(stderr, "seed %llu step %u: %s (line %d)\n", (unsigned long long)(w)->seed, (w)->step, #cond, __LINE__); \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

static bool chance(struct world *w, unsigned percent)
{
	return random_below(&w->random, 100) < percent;
}

/* --- what the group asks for ------------------------------------------------------------------------------------------ */

static const char *topic_name(size_t t)
{
	static const char *const names[TOPICS] = {"t0", "t1", "t2", "u3"};
	return names[t];
}

static bool find_topic(void *arg, const char *name, struct consumer_group_topic *ret_topic)
{
	struct world *w = arg;
	for (size_t t = 0; t < TOPICS; t++)
		if (w->topics[t].there && strcmp(topic_name(t), name) == 0) {
			*ret_topic = (struct consumer_group_topic){w->topics[t].id, w->topics[t].partitions};
			return true;
		}
	return false;
}

static uint64_t version(void *arg)
{
	return ((struct world *)arg)->topics_version;
}

/* The only expression is t.* */
static enum status match(void *arg, const char *regex, struct consumer_group_names *ret_names, struct failure *f)
{
	struct world *w = arg;
	HOLDS(w, strcmp(regex, "t.*") == 0);
	(void)f;
	*ret_names = (struct consumer_group_names){.names = calloc(TOPICS, sizeof(char *))};
	for (size_t t = 0; t < TOPICS - 1; t++)
		if (w->topics[t].there)
			ret_names->names[ret_names->count++] = check_strdup(topic_name(t));
	return STATUS_OK;
}
static const struct consumer_group_callbacks callbacks = {find_topic, version, match};

/* --- the log ----------------------------------------------------------------------------------------------------------- */

static void log_append(struct world *w, const struct group_record_bytes *r)
{
	HOLDS(w, w->written_count < LOG_MAX);
	struct stored *s = &w->log[w->written_count++];
	*s = (struct stored){check_alloc(r->key.n), NULL, r->key.n, r->value.n};
	memcpy(s->key, r->key.p, r->key.n);
	if (r->value.p == NULL)
		return;
	s->value = check_alloc(r->value.n + 1);
	memcpy(s->value, r->value.p, r->value.n);
}

static void log_cut(struct world *w, size_t count)
{
	while (w->written_count > count) {
		struct stored *s = &w->log[--w->written_count];
		free(s->key);
		free(s->value);
	}
}

static void begin_write(struct world *w)
{
	struct group_record_bytes *records = NULL;
	size_t count = 0;
	struct arena a;
	if (w->writing || !consumer_group_dirty(w->group))
		return;
	arena_init(&a, 1 << 24);
	HOLDS(w, consumer_group_records_export(w->group, &a, &records, &count) == STATUS_OK);
	HOLDS(w, count > 0);
	for (size_t i = 0; i < count; i++)
		log_append(w, &records[i]);
	arena_fini(&a);
	w->writing = true;
	w->write_number++;
	w->write_ends_ms = w->now_ms + (int64_t)random_below(&w->random, 200);
}

static void end_write(struct world *w, bool committed)
{
	w->writing = false;
	if (committed)
		w->log_count = w->written_count;
	else
		log_cut(w, w->log_count);
	consumer_group_written(w->group, committed);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct answer *a = &w->clients[i].answer;
		if (a->under_way && a->write == w->write_number && !committed && a->status == STATUS_OK)
			a->status = STATUS_COORDINATOR_NOT_AVAILABLE;
	}
	begin_write(w);
}

static bool is_last(const struct world *w, size_t i)
{
	for (size_t k = i + 1; k < w->log_count; k++)
		if (w->log[k].key_size == w->log[i].key_size && memcmp(w->log[k].key, w->log[i].key, w->log[i].key_size) == 0)
			return false;
	return true;
}

static void replay(struct world *w, size_t i)
{
	struct group_record_view v;
	struct arena a;
	arena_init(&a, 1 << 22);
	const struct stored *s = &w->log[i];
	HOLDS(w, group_records_decode(&a, slice_of(s->key, s->key_size), slice_of(s->value, s->value_size), &v) == STATUS_OK);
	consumer_group_records_replay(w->group, &v);
	arena_fini(&a);
}

/* What compaction leaves, shuffled: a tombstone says that there is nothing, wherever it stands. */
static void compact(struct world *w)
{
	size_t kept = 0;
	for (size_t i = 0; i < w->log_count; i++) {
		struct stored s = w->log[i];
		if (is_last(w, i)) {
			w->log[kept++] = s;
		} else {
			free(s.key);
			free(s.value);
			w->log[i].key = w->log[i].value = NULL;
			w->log[i].key_size = 0;
		}
	}
	w->log_count = w->written_count = kept;
	for (size_t i = 0; i + 1 < kept; i++) {
		size_t k = i + random_below(&w->random, kept - i);
		struct stored s = w->log[i];
		w->log[i] = w->log[k];
		w->log[k] = s;
	}
}

static void move_coordinator(struct world *w)
{
	log_cut(w, w->log_count);
	w->writing = false;
	consumer_group_free(w->group);
	w->group = consumer_group_new("g", &w->owner);
	if (chance(w, 60))
		compact(w);
	for (size_t i = 0; i < w->log_count; i++)
		replay(w, i);
	if (!consumer_group_records_loaded(w->group, w->now_ms)) {
		HOLDS(w, w->told_epoch == 0);
		consumer_group_free(w->group);
		w->group = consumer_group_new("g", &w->owner);
	}
	struct consumer_group_description d;
	consumer_group_describe(w->group, &d);
	free(d.members);
	HOLDS(w, d.group_epoch >= w->told_epoch);
	for (size_t i = 0; i < CLIENTS; i++) { /* nobody hears from the old one */
		w->clients[i].answer.lost = true;
		w->clients[i].answer.write = 0;
	}
	begin_write(w);
}

/* --- consumers ---------------------------------------------------------------------------------------------------------- */

static void lose_all(struct client *c)
{
	partition_set_clear(&c->owned);
	partition_set_clear(&c->assignment);
	c->to_reconcile = false;
	c->joined = false;
	c->epoch = 0;
}

static void stop(struct client *c)
{
	lose_all(c);
	c->up = false;
	c->answer.lost = true;
}

static void start(struct world *w, struct client *c)
{
	lose_all(c);
	c->up = true;
	c->brings_id = chance(w, 70);
	c->id[0] = '\0';
	if (c->brings_id)
		(void)snprintf(c->id, sizeof(c->id), "id-%llx", (unsigned long long)random_u64(&w->random));
	c->beat_at_ms = w->now_ms;
}

static void send_heartbeat(struct world *w, struct client *c, int32_t epoch)
{
	const char *names[TOPICS];
	size_t name_count = 0;
	struct partition_set none = {0};
	struct consumer_group_answer got = {0};
	struct failure f;
	bool full = epoch == 0 || c->says_all;
	for (size_t t = 0; t < TOPICS; t++)
		if ((c->names >> t & 1) != 0)
			names[name_count++] = topic_name(t);
	const struct consumer_group_heartbeat h = {
		.member_id = c->id,
		.instance_id = c->is_static ? c->instance : NULL,
		.client_id = "c",
		.client_host = "/127.0.0.1",
		.member_epoch = epoch,
		.rebalance_timeout_ms = full ? REBALANCE_MS : -1,
		.topic_names = full ? names : NULL,
		.topic_name_count = full ? name_count : 0,
		.topic_regex = full ? (c->regex ? "t.*" : "") : NULL,
		.server_assignor = full ? (c->range ? "range" : "uniform") : NULL,
		.owned = epoch == 0 ? &none : epoch > 0 ? &c->owned : NULL,
		.member_generates_id = c->brings_id,
	};
	enum status s = consumer_group_heartbeat(w->group, &h, w->now_ms, &got, &f);
	struct answer *a = &c->answer;
	a->under_way = true;
	a->lost = !w->quiet && chance(w, 10);
	a->status = s;
	a->at_ms = w->now_ms + (int64_t)random_below(&w->random, 300);
	a->epoch = got.member_epoch;
	(void)snprintf(a->id, sizeof(a->id), "%s", got.member_id == NULL ? "" : got.member_id);
	a->has_assignment = got.assignment != NULL;
	if (got.assignment != NULL)
		partition_set_copy(got.assignment, &a->assignment);
	c->says_all = false;
	begin_write(w);
	/* It holds when the write under way is over, or the next, if there is more to write by now. */
	a->write = consumer_group_dirty(w->group) ? w->write_number + 1 : w->writing ? w->write_number : 0;
}

static void heartbeat(struct world *w, struct client *c)
{
	c->beat_at_ms = w->now_ms + BEAT_MS;
	if (!c->answer.under_way && !(chance(w, 8) && !w->quiet))
		send_heartbeat(w, c, c->joined ? c->epoch : 0);
}

static void hear(struct world *w, struct client *c)
{
	struct answer *a = &c->answer;
	a->under_way = false;
	if (a->lost) {
		c->to_reconcile = false; /* it asks for everything again */
		c->beat_at_ms = w->now_ms + 1000;
		c->says_all = true;
		return;
	}
	if (a->status == STATUS_OK && a->epoch >= 0) {
		HOLDS(w, !c->joined || a->epoch >= c->epoch);
		HOLDS(w, c->id[0] == '\0' || strcmp(c->id, a->id) == 0);
		(void)snprintf(c->id, sizeof(c->id), "%s", a->id);
		c->joined = true;
		c->epoch = a->epoch;
		w->told_epoch = a->epoch > w->told_epoch ? a->epoch : w->told_epoch;
		w->answers++;
		if (a->has_assignment) {
			partition_set_copy(&a->assignment, &c->assignment);
			c->to_reconcile = true;
			c->reconcile_at_ms = w->now_ms + (int64_t)random_below(&w->random, w->quiet || !chance(w, 5) ? 2000 : 60000);
		}
		return;
	}
	c->beat_at_ms = w->now_ms + (int64_t)random_below(&w->random, 1000);
	if (a->status == STATUS_FENCED_MEMBER_EPOCH || a->status == STATUS_UNKNOWN_MEMBER_ID)
		lose_all(c);
	else if (a->status == STATUS_FENCED_INSTANCE_ID)
		stop(c);
	else
		HOLDS(w, a->status == STATUS_COORDINATOR_NOT_AVAILABLE || a->status == STATUS_UNRELEASED_INSTANCE_ID);
	c->says_all = true;
}

/* Gives up what it is not to have any more, and has the rest. */
static void reconcile(struct world *w, struct client *c)
{
	struct partition_set kept = {0};
	c->to_reconcile = false;
	partition_set_intersect(&c->owned, &c->assignment, &kept);
	w->moved += c->owned.count - kept.count;
	partition_set_fini(&kept);
	partition_set_copy(&c->assignment, &c->owned);
	c->beat_at_ms = w->now_ms;
}

static void leave(struct world *w, struct client *c)
{
	if (!c->joined || c->answer.under_way)
		return;
	bool for_a_while = c->is_static && chance(w, 70);
	lose_all(c);
	send_heartbeat(w, c, for_a_while ? CONSUMER_GROUP_STATIC_LEAVE_EPOCH : CONSUMER_GROUP_LEAVE_EPOCH);
	stop(c);
}

/* --- steps --------------------------------------------------------------------------------------------------------------- */

static void change_topic(struct world *w)
{
	size_t t = random_below(&w->random, TOPICS);
	if (!w->topics[t].there) {
		w->topics[t].there = true;
		random_uuid(&w->random, &w->topics[t].id);
		w->topics[t].partitions = 1 + (int32_t)random_below(&w->random, 5);
	} else if (w->topics[t].partitions < PARTITIONS_MAX && chance(w, 60)) {
		w->topics[t].partitions++;
	} else {
		w->topics[t].there = false;
	}
	w->topics_version++;
}

static void trouble(struct world *w)
{
	struct client *c = &w->clients[random_below(&w->random, CLIENTS)];
	switch (random_below(&w->random, 9)) {
	case 0:
		stop(c);
		break;
	case 1:
		leave(w, c);
		break;
	case 2:
		c->names = 1 + (unsigned)random_below(&w->random, (1u << TOPICS) - 1);
		c->regex = chance(w, 20);
		c->says_all = true;
		break;
	case 3:
		change_topic(w);
		break;
	case 4:
		if (chance(w, 30))
			move_coordinator(w);
		break;
	case 5:
		if (w->writing)
			end_write(w, false);
		break;
	case 6:
		c->beat_at_ms += (int64_t)random_below(&w->random, 2 * SESSION_MS); /* out of reach */
		break;
	default:
		if (!c->up)
			start(w, c);
		break;
	}
}

/* Consumers the group takes for members, by what they believe to own. */
static void check_exclusive(const struct world *w)
{
	struct consumer_group_description d;
	const struct client *members[CLIENTS];
	size_t count = 0;
	consumer_group_describe(w->group, &d);
	for (size_t i = 0; i < CLIENTS; i++)
		for (size_t k = 0; k < d.member_count; k++)
			if (w->clients[i].joined && strcmp(d.members[k].member_id, w->clients[i].id) == 0 &&
				w->clients[i].epoch <= d.members[k].member_epoch && d.members[k].member_epoch > 0)
				members[count++] = &w->clients[i];
	free(d.members);
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			HOLDS(w, !partition_set_overlap(&members[i]->owned, &members[k]->owned));
}

static void step(struct world *w)
{
	w->step++;
	w->now_ms += (int64_t)random_below(&w->random, 400);
	if (!w->quiet && chance(w, 6))
		trouble(w);
	if (w->writing && w->now_ms >= w->write_ends_ms)
		end_write(w, true);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &w->clients[i];
		struct answer *a = &c->answer;
		bool held = w->writing ? a->write >= w->write_number : a->write > w->write_number;
		if (a->under_way && w->now_ms >= a->at_ms && (a->lost || !held))
			hear(w, c);
		if (c->up && c->to_reconcile && !c->answer.under_way && w->now_ms >= c->reconcile_at_ms)
			reconcile(w, c);
		if (c->up && w->now_ms >= c->beat_at_ms)
			heartbeat(w, c);
	}
	if (w->now_ms >= consumer_group_next_deadline(w->group)) {
		consumer_group_expire(w->group, w->now_ms);
		begin_write(w);
	}
	consumer_group_check(w->group);
	check_exclusive(w);
}

/* Has nobody anything left to say? */
static bool silent(const struct world *w)
{
	for (size_t i = 0; i < CLIENTS; i++)
		if (w->clients[i].answer.under_way)
			return false;
	return true;
}

static bool settled(const struct world *w)
{
	struct consumer_group_description d;
	consumer_group_describe(w->group, &d);
	bool ok = d.state == CONSUMER_GROUP_STABLE && d.member_count == CLIENTS && !w->writing;
	for (size_t i = 0; ok && i < CLIENTS; i++) {
		const struct client *c = &w->clients[i];
		bool found = false;
		for (size_t k = 0; k < d.member_count; k++)
			found = found || (strcmp(d.members[k].member_id, c->id) == 0 && d.members[k].member_epoch == c->epoch &&
				partition_set_equal(d.members[k].assignment, &c->owned) &&
				partition_set_equal(d.members[k].target, &c->owned));
		ok = found && c->joined && !c->to_reconcile && !c->says_all;
	}
	free(d.members);
	return ok;
}

static void begin(struct world *w, uint64_t seed)
{
	struct stored *log = w->log;
	*w = (struct world){.seed = seed, .log = log, .topics_version = 1};
	random_seed(&w->random, seed);
	w->settings = (struct consumer_group_settings){
		.session_timeout_ms = SESSION_MS,
		.heartbeat_interval_ms = BEAT_MS,
		.size_max = INT32_MAX,
		.assignors = {CONSUMER_ASSIGNOR_UNIFORM, CONSUMER_ASSIGNOR_RANGE},
		.assignor_count = 2,
	};
	w->owner = (struct consumer_group_owner){&w->settings, &callbacks, w, &w->random};
	w->group = consumer_group_new("g", &w->owner);
	for (size_t t = 0; t < TOPICS; t++)
		change_topic(w);
	bool range = chance(w, 20), alike = chance(w, 40);
	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &w->clients[i];
		c->is_static = chance(w, 40);
		c->range = range;
		c->names = alike ? 15 : 1 + (unsigned)random_below(&w->random, 15);
		(void)snprintf(c->instance, sizeof(c->instance), "i%zu", i);
	}
}

static void finish(struct world *w)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		partition_set_fini(&w->clients[i].owned);
		partition_set_fini(&w->clients[i].assignment);
		partition_set_fini(&w->clients[i].answer.assignment);
	}
	consumer_group_free(w->group);
	log_cut(w, 0);
}

static int64_t run_seed(struct world *w, uint64_t seed, unsigned steps)
{
	begin(w, seed);
	while (w->step < steps)
		step(w);
	w->quiet = true;
	for (size_t i = 0; i < CLIENTS; i++)
		if (!w->clients[i].up)
			start(w, &w->clients[i]);
	int64_t quiet_ms = w->now_ms;
	while (!settled(w) || !silent(w)) {
		step(w);
		for (size_t i = 0; i < CLIENTS; i++) /* one that was fenced by its own later self */
			if (!w->clients[i].up)
				start(w, &w->clients[i]);
		HOLDS(w, w->now_ms - quiet_ms < QUIET_LIMIT_MS);
	}
	int64_t took_ms = w->now_ms - quiet_ms;
	uint64_t moved = w->moved, rebalances = consumer_group_counts(w->group).rebalances;
	while (w->now_ms < quiet_ms + took_ms + 2 * SESSION_MS)
		step(w);
	HOLDS(w, settled(w) && w->moved == moved && consumer_group_counts(w->group).rebalances == rebalances);
	finish(w);
	return took_ms;
}

static uint64_t number(const char *text)
{
	int64_t v;
	if (text == NULL || bytes_parse_i64(slice_of_str(text), &v) != STATUS_OK || v < 0) {
		(void)fprintf(stderr, "test_consumer_groups [--seed N] [--seeds N] [--steps N]\n");
		exit(2);
	}
	return (uint64_t)v;
}

int main(int argc, char **argv)
{
	static struct world world;
	uint64_t seed = 1, seeds = 100, steps = 3000, answers = 0, moved = 0;
	int64_t longest_ms = 0;
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (strcmp(argv[i], "--seed") == 0) {
			seed = number(value);
			seeds = 1;
		} else if (strcmp(argv[i], "--seeds") == 0) {
			seeds = number(value);
		} else if (strcmp(argv[i], "--steps") == 0) {
			steps = number(value);
		} else {
			(void)number(NULL);
		}
	}
	world.log = check_calloc(LOG_MAX, sizeof(*world.log));
	for (uint64_t s = seed; s < seed + seeds; s++) {
		int64_t took_ms = run_seed(&world, s, (unsigned)steps);
		longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
		answers += world.answers;
		moved += world.moved;
	}
	free(world.log);
	printf("test_consumer_groups: %llu seeds, %llu steps each: %llu answers, %llu partitions given up; settled within %lld ms\n",
		(unsigned long long)seeds, (unsigned long long)steps, (unsigned long long)answers, (unsigned long long)moved,
		(long long)longest_ms);
	return EXIT_SUCCESS;
}

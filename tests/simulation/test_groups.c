/* A classic group and its consumers, in one thread, from one seed. Consumers join, sync, beat, change what they subscribe to,
 * leave, crash, come back under their instance id or as somebody new; requests and answers get lost or late; records take
 * their time and fail; the coordinator moves and begins again from the last record. Then the trouble stops. After each step
 * - the group does not contradict itself (group_check);
 * - each parked request is answered at most once, and when the coordinator is unloaded every one has been;
 * - generations grow, each has one leader, and who is told of it is told the same;
 * - nobody gets an assignment that is not in a committed record, nor one meant for somebody else.
 * In the end all consumers are members of one stable group, within a bounded time.
 * Usage: test_groups [--seed N] [--seeds N] [--steps N]; a failure prints the seed. */
#include "base/diag.h"
#include "coordinator/group.h"

enum { CLIENTS_MAX = 12, ID_MAX = 96, QUIET_LIMIT_MS = 10 * 60 * 1000 };

enum phase { DOWN, JOINING, SYNCING, MEMBER, ROUND_ASKED };
struct ticket {
	struct ticket *next;
	unsigned client;
	bool sync, answered, given_up;
};
/* An answer on its way. */
struct message {
	struct message *next;
	int64_t at_ms;
	struct ticket *ticket;
	enum status status;
	int32_t generation;
	bool leads, skip;
	char member_id[ID_MAX];
	char assignment[ID_MAX];
	size_t member_count;
	char (*member_ids)[ID_MAX];
};
struct client {
	enum phase phase;
	bool fixed; /* has an instance id */
	bool known; /* asks for its id first */
	bool skip;
	char instance[16];
	char member_id[ID_MAX];
	int32_t generation;
	bool leads;
	size_t member_count; /* whom to assign, when leading */
	char (*member_ids)[ID_MAX];
	struct ticket *waiting;
	int64_t act_at_ms; /* next try, heartbeat, restart, or the end of waiting */
	int32_t session_ms, rebalance_ms;
	unsigned version; /* of its subscription */
};
struct saved_member {
	char id[ID_MAX], instance[16], subscription[32], assignment[ID_MAX];
	bool fixed;
	int32_t session_ms, rebalance_ms;
};
struct saved {
	bool present;
	int32_t generation;
	char leader[ID_MAX];
	size_t member_count;
	struct saved_member members[CLIENTS_MAX * 8];
};
struct world {
	uint64_t seed;
	unsigned step;
	struct random dice, ids;
	int64_t now_ms;
	struct group *group;
	struct group_settings settings;
	struct client clients[CLIENTS_MAX];
	unsigned client_count;
	struct ticket *tickets;
	struct message *messages;
	bool trouble, moves;
	bool writing;
	int64_t written_at_ms;
	struct saved being_written, committed;
	int32_t generation; /* the highest of this coordinator's life */
	int32_t led;
	char leader[ID_MAX];
	uint64_t members_told, syncs_told, moved;
};

#define HOLDS(w, cond)                                                                                                 \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			(void)fprintf(stderr, "test_groups: seed %llu step %u at %lld ms: %s\n",                       \
				(unsigned long long)(w)->seed, (w)->step, (long long)(w)->now_ms, #cond);              \
			exit(EXIT_FAILURE);                                                                            \
		}                                                                                                      \
	} while (0)

static int64_t dice(struct world *w, int64_t bound)
{
	return (int64_t)random_below(&w->dice, (uint64_t)bound);
}

/* True once in `n`, while there is trouble. */
static bool bad_luck(struct world *w, int64_t n)
{
	return w->trouble && dice(w, n) == 0;
}

static void put_text(char *out, size_t size, struct slice s)
{
	expect(s.n < size);
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static bool is_text(const char *text, struct slice s)
{
	return slice_equal(slice_of_str(text), s);
}

/* --- answers -------------------------------------------------------------- */

static struct message *send_answer(struct world *w, struct ticket *t, enum status status)
{
	HOLDS(w, !t->answered);
	t->answered = true;
	struct message *m = check_calloc(1, sizeof *m);
	m->ticket = t;
	m->status = status;
	m->at_ms = bad_luck(w, 20) ? INT64_MAX : w->now_ms + dice(w, 30);
	m->next = w->messages;
	w->messages = m;
	return m;
}

static void check_generation(struct world *w, const struct group_join_answer *a)
{
	HOLDS(w, a->generation == group_generation(w->group) && a->generation >= w->generation && a->generation > 0);
	w->generation = a->generation;
	HOLDS(w, slice_equal(a->protocol, group_protocol(w->group)) && slice_equal(a->protocol_type, slice_of_str("consumer")));
	bool leads = slice_equal(a->leader, a->member_id);
	HOLDS(w, leads || a->member_count == 0);
	HOLDS(w, leads || !a->skip_assignment);
	if (!leads || a->skip_assignment)
		return;
	HOLDS(w, a->member_count == group_member_count(w->group));
	HOLDS(w, a->generation >= w->led);
	/* Asked to assign for this generation before: only the same one, again. */
	HOLDS(w, a->generation > w->led || is_text(w->leader, a->leader));
	w->led = a->generation;
	put_text(w->leader, sizeof w->leader, a->leader);
}

static void joined(void *arg, void *ticket, const struct group_join_answer *a)
{
	struct world *w = arg;
	struct message *m = send_answer(w, ticket, a->status);
	put_text(m->member_id, sizeof m->member_id, a->member_id);
	if (a->status != STATUS_OK)
		return;
	check_generation(w, a);
	m->generation = a->generation;
	m->leads = slice_equal(a->leader, a->member_id);
	m->skip = a->skip_assignment;
	m->member_count = a->member_count;
	m->member_ids = check_calloc(a->member_count + 1, ID_MAX);
	for (size_t i = 0; i < a->member_count; i++)
		put_text(m->member_ids[i], ID_MAX, a->members[i].instance_id.p != NULL ? a->members[i].instance_id
										       : a->members[i].member_id);
	/* The leader assigns by member id, and writes into it whom it meant: the instance, if there is one. */
	for (size_t i = 0; i < a->member_count; i++) {
		char text[2 * ID_MAX];
		(void)snprintf(text, sizeof text, "%.*s>%s", (int)a->members[i].member_id.n,
			(const char *)a->members[i].member_id.p, m->member_ids[i]);
		put_text(m->member_ids[i], ID_MAX, slice_of(text, strlen(text) < ID_MAX - 1 ? strlen(text) : ID_MAX - 1));
	}
	w->members_told++;
}

static void synced(void *arg, void *ticket, const struct group_sync_answer *a)
{
	struct world *w = arg;
	struct message *m = send_answer(w, ticket, a->status);
	put_text(m->assignment, sizeof m->assignment, a->assignment);
	HOLDS(w, a->status == STATUS_OK || a->assignment.n == 0);
	if (a->status != STATUS_OK)
		return;
	HOLDS(w, group_state(w->group) == GROUP_STABLE && slice_equal(a->protocol, group_protocol(w->group)));
	HOLDS(w, w->committed.present && w->committed.generation == group_generation(w->group));
	bool recorded = false;
	for (size_t i = 0; i < w->committed.member_count; i++)
		recorded |= is_text(w->committed.members[i].assignment, a->assignment);
	HOLDS(w, recorded);
	w->syncs_told++;
}

/* --- records -------------------------------------------------------------- */

static void persist(void *arg, struct group *g)
{
	struct world *w = arg;
	struct group_record r;
	struct saved *s = &w->being_written;
	HOLDS(w, !w->writing && g == w->group);
	group_export(g, &r);
	*s = (struct saved){.present = true, .generation = r.generation, .member_count = r.member_count};
	HOLDS(w, r.member_count <= sizeof s->members / sizeof s->members[0]);
	put_text(s->leader, sizeof s->leader, r.leader);
	for (size_t i = 0; i < r.member_count; i++) {
		const struct group_record_member *o = &r.members[i];
		struct saved_member *m = &s->members[i];
		put_text(m->id, sizeof m->id, o->member_id);
		put_text(m->instance, sizeof m->instance, o->instance_id);
		put_text(m->subscription, sizeof m->subscription, o->subscription);
		put_text(m->assignment, sizeof m->assignment, o->assignment);
		m->fixed = o->instance_id.p != NULL;
		m->session_ms = o->session_timeout_ms;
		m->rebalance_ms = o->rebalance_timeout_ms;
	}
	free(r.members);
	w->writing = true;
	w->written_at_ms = w->now_ms + dice(w, 20) + (bad_luck(w, 10) ? dice(w, 20000) : 0);
}

static void finish_write(struct world *w)
{
	static const enum status failures[] = {
		STATUS_NOT_LEADER_OR_FOLLOWER, STATUS_REQUEST_TIMED_OUT, STATUS_NOT_ENOUGH_REPLICAS, STATUS_NO_SPACE};
	enum status s = bad_luck(w, 8) ? failures[dice(w, 4)] : STATUS_OK;
	w->writing = false;
	if (s == STATUS_OK)
		w->committed = w->being_written;
	group_persisted(w->group, s, w->now_ms);
}

static const struct group_callbacks callbacks = {.joined = joined, .synced = synced, .persist = persist};

static void new_group(struct world *w)
{
	struct group_owner owner = {.settings = &w->settings, .callbacks = &callbacks, .arg = w, .random = &w->ids};
	w->group = group_new(slice_of_str("g"), &owner, w->now_ms);
	w->writing = false;
	w->generation = w->led = 0;
}

/* Another broker takes the group over, from the log. */
static void move_coordinator(struct world *w)
{
	group_unload(w->group, STATUS_NOT_COORDINATOR);
	group_check(w->group);
	for (const struct ticket *t = w->tickets; t != NULL; t = t->next)
		HOLDS(w, t->answered);
	group_free(w->group);
	if (w->writing && dice(w, 2) == 0)
		w->committed = w->being_written; /* it was committed, and nobody here heard of it */
	new_group(w);
	w->moved++;
	const struct saved *s = &w->committed;
	if (!s->present)
		return;
	struct group_record_member *members = check_calloc(s->member_count + 1, sizeof(*members));
	struct group_record r = {.protocol_type = slice_of_str("consumer"), .generation = s->generation,
		.protocol = slice_of_str("range"), .leader = slice_of_str(s->leader), .members = members,
		.current_state_timestamp_ms = w->now_ms, .member_count = s->member_count};
	for (size_t i = 0; i < s->member_count; i++) {
		const struct saved_member *m = &s->members[i];
		members[i] = (struct group_record_member){
			.member_id = slice_of_str(m->id),
			.instance_id = m->fixed ? slice_of_str(m->instance) : (struct slice){0},
			.client_id = slice_of_str("c"),
			.client_host = slice_of_str("/h"),
			.rebalance_timeout_ms = m->rebalance_ms,
			.session_timeout_ms = m->session_ms,
			.subscription = slice_of_str(m->subscription),
			.assignment = slice_of_str(m->assignment),
		};
	}
	HOLDS(w, group_import(w->group, &r, w->now_ms) == STATUS_OK);
	free(members);
	w->generation = s->generation;
}

/* --- consumers ------------------------------------------------------------ */

static struct ticket *new_ticket(struct world *w, struct client *c, bool sync)
{
	struct ticket *t = check_calloc(1, sizeof *t);
	t->client = (unsigned)(c - w->clients);
	t->sync = sync;
	t->next = w->tickets;
	w->tickets = t;
	if (c->waiting != NULL)
		c->waiting->given_up = true;
	c->waiting = t;
	return t;
}

static struct slice instance_of(const struct client *c)
{
	return c->fixed ? slice_of_str(c->instance) : (struct slice){0};
}

static void send_join(struct world *w, struct client *c)
{
	char subscription[32];
	(void)snprintf(subscription, sizeof subscription, "v%u", c->version);
	struct group_protocol protocols[] = {
		{.name = slice_of_str("range"), .metadata = slice_of_str(subscription)},
		{.name = slice_of_str("sticky"), .metadata = slice_of_str(subscription)},
	};
	struct ticket *t = new_ticket(w, c, false);
	struct group_join j = {
		.ticket = t,
		.member_id = slice_of_str(c->member_id),
		.instance_id = instance_of(c),
		.client_id = slice_of_str("c"),
		.client_host = slice_of_str("/h"),
		.protocol_type = slice_of_str("consumer"),
		.protocols = protocols,
		.protocol_count = 2,
		.session_timeout_ms = c->session_ms,
		.rebalance_timeout_ms = c->rebalance_ms,
		.require_known_member_id = c->known,
		.skip_assignment = c->skip,
	};
	c->phase = JOINING;
	c->act_at_ms = w->now_ms + c->rebalance_ms + 5000;
	if (bad_luck(w, 20))
		t->answered = true; /* lost on its way there */
	else
		group_join(w->group, &j, w->now_ms);
}

static void send_sync(struct world *w, struct client *c)
{
	struct group_assignment *assignments = check_calloc(c->member_count + 1, sizeof(*assignments));
	char (*texts)[ID_MAX] = check_calloc(c->member_count + 1, ID_MAX);
	for (size_t i = 0; i < c->member_count; i++) {
		const char *whom = strchr(c->member_ids[i], '>');
		expect(whom != NULL);
		(void)snprintf(texts[i], ID_MAX, "%d%.60s", c->generation, whom);
		assignments[i] = (struct group_assignment){
			.member_id = slice_of(c->member_ids[i], (size_t)(whom - c->member_ids[i])),
			.assignment = slice_of_str(texts[i]),
		};
	}
	struct ticket *t = new_ticket(w, c, true);
	struct group_sync s = {
		.ticket = t,
		.generation = c->generation,
		.member_id = slice_of_str(c->member_id),
		.instance_id = instance_of(c),
		.protocol_type = slice_of_str("consumer"),
		.assignments = assignments,
		.assignment_count = c->member_count,
	};
	c->phase = SYNCING;
	c->act_at_ms = w->now_ms + c->rebalance_ms + 5000;
	if (bad_luck(w, 20))
		t->answered = true;
	else
		group_sync(w->group, &s, w->now_ms);
	free(assignments);
	free(texts);
}

static void go_down(struct world *w, struct client *c)
{
	if (c->waiting != NULL)
		c->waiting->given_up = true;
	c->waiting = NULL;
	c->phase = DOWN;
	c->member_id[0] = '\0';
	c->act_at_ms = w->now_ms + 1 + dice(w, bad_luck(w, 3) ? 40000 : 2000);
}

static void join_again(struct world *w, struct client *c, bool forget)
{
	if (forget)
		c->member_id[0] = '\0';
	if (c->waiting != NULL)
		c->waiting->given_up = true;
	c->waiting = NULL;
	c->phase = ROUND_ASKED;
	c->act_at_ms = w->now_ms + 1 + dice(w, 100);
}

static void met(struct world *w, struct client *c, enum status s)
{
	switch ((int)s) {
	case STATUS_FENCED_INSTANCE_ID:
		go_down(w, c);
		break;
	case STATUS_UNKNOWN_MEMBER_ID:
	case STATUS_ILLEGAL_GENERATION:
		join_again(w, c, true);
		break;
	case STATUS_REBALANCE_IN_PROGRESS:
	case STATUS_NOT_COORDINATOR:
	case STATUS_COORDINATOR_NOT_AVAILABLE:
		join_again(w, c, false);
		break;
	default:
		HOLDS(w, s == STATUS_OK);
	}
}

static void beat(struct world *w, struct client *c)
{
	struct group_identity who = {
		.member_id = slice_of_str(c->member_id), .instance_id = instance_of(c), .generation = c->generation};
	c->act_at_ms = w->now_ms + c->session_ms / 3;
	enum status s = dice(w, 4) == 0 ? group_check_commit(w->group, &who, false, w->now_ms)
					: group_heartbeat(w->group, &who, w->now_ms);
	met(w, c, s);
}

static void act(struct world *w, struct client *c)
{
	switch (c->phase) {
	case DOWN:
	case ROUND_ASKED:
	case JOINING: /* waited too long */
		send_join(w, c);
		break;
	case SYNCING:
		join_again(w, c, false);
		break;
	case MEMBER:
		beat(w, c);
		break;
	}
}

/* Within a coordinator's life what one gets is meant for it; after a move a leader of before may assign once more. */
static void check_assignment(struct world *w, const struct client *c, const struct message *m)
{
	char mine[2 * ID_MAX];
	(void)snprintf(mine, sizeof mine, "%d>%.60s", c->generation, c->fixed ? c->instance : c->member_id);
	HOLDS(w, w->moves || strcmp(mine, m->assignment) == 0);
}

static void take_join_answer(struct world *w, struct client *c, struct message *m)
{
	if (m->status == STATUS_MEMBER_ID_REQUIRED) {
		HOLDS(w, !c->fixed && c->known && m->member_id[0] != '\0');
		put_text(c->member_id, sizeof c->member_id, slice_of_str(m->member_id));
		send_join(w, c);
		return;
	}
	if (m->status != STATUS_OK) {
		met(w, c, m->status);
		return;
	}
	put_text(c->member_id, sizeof c->member_id, slice_of_str(m->member_id));
	c->generation = m->generation;
	c->leads = m->leads && !m->skip;
	free(c->member_ids);
	c->member_ids = c->leads ? m->member_ids : NULL;
	c->member_count = c->leads ? m->member_count : 0;
	if (c->leads)
		m->member_ids = NULL;
	send_sync(w, c);
}

static void deliver(struct world *w, struct message *m)
{
	struct client *c = &w->clients[m->ticket->client];
	if (m->ticket->given_up || c->waiting != m->ticket)
		return;
	c->waiting = NULL;
	if (!m->ticket->sync) {
		take_join_answer(w, c, m);
	} else if (m->status != STATUS_OK) {
		met(w, c, m->status);
	} else {
		check_assignment(w, c, m);
		c->phase = MEMBER;
		c->act_at_ms = w->now_ms + dice(w, c->session_ms / 3);
	}
}

static void disturb(struct world *w)
{
	struct client *c = &w->clients[dice(w, w->client_count)];
	struct group_leave_member l = {.member_id = slice_of_str(c->member_id), .instance_id = instance_of(c)};
	switch (dice(w, 6)) {
	case 0:
		go_down(w, c);
		break;
	case 1:
		if (c->phase != MEMBER)
			break;
		if (dice(w, 2) == 0 && c->fixed)
			l.member_id = slice_of_str("");
		HOLDS(w, group_leave(w->group, &l, 1, w->now_ms) == STATUS_OK);
		go_down(w, c);
		break;
	case 2:
		c->version++;
		if (c->phase == MEMBER)
			join_again(w, c, false);
		break;
	case 3:
		if (w->moves && dice(w, 10) == 0)
			move_coordinator(w);
		break;
	default:
		break;
	}
}

/* --- time ----------------------------------------------------------------- */

static struct message *first_message(struct world *w)
{
	struct message *first = NULL;
	for (struct message *m = w->messages; m != NULL; m = m->next) {
		if (first == NULL || m->at_ms < first->at_ms)
			first = m;
	}
	return first;
}

static void drop_message(struct world *w, struct message *m)
{
	struct message **at = &w->messages;
	while (*at != m)
		at = &(*at)->next;
	*at = m->next;
	free(m->member_ids);
	free(m);
}

/* Answers given and received (or given up) are of no further interest. */
static void forget_tickets(struct world *w)
{
	for (struct message *m = w->messages, *next; m != NULL; m = next) {
		next = m->next;
		if (m->at_ms == INT64_MAX)
			drop_message(w, m);
	}
	for (struct ticket **at = &w->tickets; *at != NULL;) {
		struct ticket *t = *at;
		bool used = !t->answered || w->clients[t->client].waiting == t;
		for (const struct message *m = w->messages; m != NULL && !used; m = m->next)
			used = m->ticket == t;
		if (used) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		free(t);
	}
}

static void step(struct world *w)
{
	w->step++;
	struct message *m = first_message(w);
	struct client *c = &w->clients[0];
	for (unsigned i = 1; i < w->client_count; i++) {
		if (w->clients[i].act_at_ms < c->act_at_ms)
			c = &w->clients[i];
	}
	int64_t group_ms = group_next_deadline(w->group), at_ms = c->act_at_ms;
	if (m != NULL && m->at_ms < at_ms)
		at_ms = m->at_ms;
	if (group_ms < at_ms)
		at_ms = group_ms;
	if (w->writing && w->written_at_ms < at_ms)
		at_ms = w->written_at_ms;
	HOLDS(w, at_ms >= w->now_ms);
	w->now_ms = at_ms;
	if (at_ms == group_ms) {
		group_expire(w->group, w->now_ms);
		HOLDS(w, group_next_deadline(w->group) > w->now_ms);
	} else if (w->writing && w->written_at_ms == at_ms) {
		finish_write(w);
	} else if (m != NULL && m->at_ms == at_ms) {
		deliver(w, m);
		drop_message(w, m);
	} else {
		act(w, c);
	}
	if (bad_luck(w, 8))
		disturb(w);
	group_check(w->group);
	if (w->step % 64 == 0)
		forget_tickets(w);
}

/* --- runs ----------------------------------------------------------------- */

static void begin(struct world *w, uint64_t seed)
{
	*w = (struct world){.seed = seed};
	random_seed(&w->dice, seed);
	random_seed(&w->ids, ~seed);
	w->settings = (struct group_settings){.session_timeout_min_ms = 6000, .session_timeout_max_ms = 1800000,
		.initial_rebalance_delay_ms = (int32_t)dice(w, 2) * 3000, .size_max = 1000};
	w->client_count = 1 + (unsigned)dice(w, CLIENTS_MAX);
	w->moves = dice(w, 2) == 0;
	w->trouble = true;
	for (unsigned i = 0; i < w->client_count; i++) {
		struct client *c = &w->clients[i];
		c->fixed = dice(w, 2) == 0;
		c->known = dice(w, 3) > 0;
		c->skip = dice(w, 2) == 0;
		c->session_ms = 6000 + (int32_t)dice(w, 10000);
		c->rebalance_ms = 5000 + (int32_t)dice(w, 30000);
		c->act_at_ms = dice(w, 5000);
		(void)snprintf(c->instance, sizeof c->instance, "i%u", i);
	}
	new_group(w);
}

static bool settled(const struct world *w)
{
	if (group_state(w->group) != GROUP_STABLE || group_member_count(w->group) != w->client_count || w->writing)
		return false;
	for (unsigned i = 0; i < w->client_count; i++) {
		if (w->clients[i].phase != MEMBER || w->clients[i].generation != group_generation(w->group))
			return false;
	}
	return true;
}

static void finish(struct world *w)
{
	group_unload(w->group, STATUS_NOT_COORDINATOR);
	for (struct ticket *t = w->tickets, *next; t != NULL; t = next) {
		next = t->next;
		HOLDS(w, t->answered);
		free(t);
	}
	group_free(w->group);
	while (w->messages != NULL)
		drop_message(w, w->messages);
	for (unsigned i = 0; i < w->client_count; i++)
		free(w->clients[i].member_ids);
}

/* Returns how long it took to settle. */
static int64_t run_seed(struct world *w, uint64_t seed, unsigned steps)
{
	begin(w, seed);
	while (w->step < steps)
		step(w);
	w->trouble = false;
	int64_t quiet_ms = w->now_ms;
	while (!settled(w)) {
		step(w);
		HOLDS(w, w->now_ms - quiet_ms < QUIET_LIMIT_MS);
	}
	int64_t took_ms = w->now_ms - quiet_ms;
	/* And stays so: nothing happens that nobody asked for. */
	struct group_counts before = group_counts(w->group);
	for (int64_t until_ms = w->now_ms + 100000; w->now_ms < until_ms;)
		step(w);
	HOLDS(w, settled(w) && group_counts(w->group).rebalances_begun == before.rebalances_begun);
	finish(w);
	return took_ms;
}

static uint64_t number(const char *text)
{
	int64_t v;
	if (text == NULL || bytes_parse_i64(slice_of_str(text), &v) != STATUS_OK || v < 0) {
		(void)fprintf(stderr, "test_groups [--seed N] [--seeds N] [--steps N]\n");
		exit(2);
	}
	return (uint64_t)v;
}

static void drop_line(void *arg, enum diag_level level, const char *line)
{
	(void)arg;
	(void)level;
	(void)line;
}

int main(int argc, char **argv)
{
	static struct world world;
	uint64_t seed = 1, seeds = 300, steps = 3000, told = 0, synced_count = 0, moved = 0;
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
	if (seeds > 1 || getenv("CORREIO_TRACE") == NULL)
		diag_set_sink(drop_line, NULL);
	for (uint64_t s = seed; s < seed + seeds; s++) {
		int64_t took_ms = run_seed(&world, s, (unsigned)steps);
		longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
		told += world.members_told;
		synced_count += world.syncs_told;
		moved += world.moved;
	}
	printf("test_groups: %llu seeds, %llu steps each: %llu joins and %llu syncs answered, %llu moves; settled within %lld ms\n",
		(unsigned long long)seeds, (unsigned long long)steps, (unsigned long long)told, (unsigned long long)synced_count,
		(unsigned long long)moved, (long long)longest_ms);
	return EXIT_SUCCESS;
}

/* One classic consumer group as scripts. Tickets are words of the script's own; member ids are written by the ticket they were
 * first given to: @t1. What goes out while a command runs is printed in order, one line each.
 *
 * new [delay=3000] [size=1000]         a fresh group with these settings (at the start: the defaults shown)
 * set [delay=N] [size=N]               changes settings in place
 * join TICKET [member=@T] [instance=I] [client=C] [type=consumer] [protocols=range:subscription,rr:other] [session=10000]
 *      [rebalance=60000] [known] [skip]
 * sync TICKET member=@T gen=N [instance=I] [type=T] [protocol=P] [assign=@T:bytes,@T:bytes]
 * heartbeat|commit member=@T gen=N [instance=I] [txn]
 * leave @T... I:INSTANCE... @T/INSTANCE...
 * persisted [STATUS]                   the append asked for has ended
 * persist at-once [STATUS] | by-hand   report each write done from within persist()
 * pass MS                              time goes by, doing what is due when it is due
 * late MS                              time goes by unnoticed; then everything due at once
 * restore                              what a new coordinator makes of the group's record
 * import gen=N [type=T] [protocol=P] [leader=ID] MEMBER[/INSTANCE]...
 * unload STATUS    export    describe    subscribes TOPIC    show */
#include "base/diag.h"
#include "coordinator/group.h"
#include "script_runner.h"

enum { NAMES_MAX = 256, ITEMS_MAX = 32 };
struct machine {
	struct group *group;
	struct group_settings settings;
	struct random random;
	int64_t now_ms;
	FILE *out;
	bool writing; /* persist() has asked */
	bool at_once;
	enum status at_once_status;
	char *tickets[NAMES_MAX];
	size_t ticket_count;
	struct {
		char *id, *name;
	} names[NAMES_MAX];
	size_t name_count;
};

/* --- names ---------------------------------------------------------------- */

static char *own_ticket(struct machine *m, const char *word)
{
	expect(m->ticket_count < NAMES_MAX);
	return m->tickets[m->ticket_count++] = check_strdup(word);
}

/* As it is; command() writes names for it when all that are new have one. */
static void print_id(const struct machine *m, struct slice id)
{
	fprintf(m->out, "'%.*s'", (int)id.n, id.p);
}

static void print_named(const struct machine *m, const char *text, FILE *out)
{
	while (*text != '\0') {
		size_t used = 0;
		for (size_t i = 0; i < m->name_count && used == 0; i++) {
			size_t n = strlen(m->names[i].id);
			if (text[0] == '\'' && strncmp(text + 1, m->names[i].id, n) == 0 && text[n + 1] == '\'') {
				fprintf(out, "@%s", m->names[i].name);
				used = n + 2;
			}
		}
		if (used == 0)
			fputc(*text, out);
		text += used == 0 ? 1 : used;
	}
}

static void name_id(struct machine *m, struct slice id, const char *ticket)
{
	for (size_t i = 0; i < m->name_count; i++) {
		if (slice_equal(id, slice_of_str(m->names[i].id)))
			return;
	}
	if (id.n == 0)
		return;
	expect(m->name_count < NAMES_MAX);
	m->names[m->name_count].id = check_strndup((const char *)id.p, id.n);
	m->names[m->name_count++].name = check_strdup(ticket);
}

/* "@t1" is the id first given to ticket t1; anything else is itself. */
static struct slice id_of(const struct script_command *c, const struct machine *m, const char *word)
{
	if (word == NULL)
		return slice_of("", 0);
	if (word[0] != '@')
		return slice_of_str(word);
	for (size_t i = 0; i < m->name_count; i++) {
		if (strcmp(m->names[i].name, word + 1) == 0)
			return slice_of_str(m->names[i].id);
	}
	script_bad(c, "no member id was given to that ticket");
}

/* --- what goes out -------------------------------------------------------- */

static void print_join_answer(struct machine *m, const char *ticket, const struct group_join_answer *a)
{
	fprintf(m->out, "%s joined: %s member ", ticket, status_name(a->status));
	print_id(m, a->member_id);
	if (a->status != STATUS_OK) {
		expect(a->generation == -1 && a->protocol.p == NULL && a->leader.n == 0 && a->member_count == 0);
		fprintf(m->out, "\n");
		return;
	}
	fprintf(m->out, " gen %d %.*s/%.*s leader ", a->generation, (int)a->protocol_type.n, a->protocol_type.p,
		(int)a->protocol.n, a->protocol.p);
	print_id(m, a->leader);
	fprintf(m->out, "%s", a->skip_assignment ? " skip" : "");
	for (size_t i = 0; i < a->member_count; i++) {
		fprintf(m->out, "%s", i == 0 ? " members " : ",");
		print_id(m, a->members[i].member_id);
		if (a->members[i].instance_id.p != NULL)
			fprintf(m->out, "/%.*s", (int)a->members[i].instance_id.n, a->members[i].instance_id.p);
		fprintf(m->out, ":%.*s", (int)a->members[i].metadata.n, a->members[i].metadata.p);
	}
	fprintf(m->out, "\n");
}

static void joined(void *arg, void *ticket, const struct group_join_answer *answer)
{
	struct machine *m = arg;
	if (answer->status == STATUS_MEMBER_ID_REQUIRED)
		name_id(m, answer->member_id, ticket);
	print_join_answer(m, ticket, answer);
}

static void synced(void *arg, void *ticket, const struct group_sync_answer *a)
{
	struct machine *m = arg;
	fprintf(m->out, "%s synced: %s", (char *)ticket, status_name(a->status));
	if (a->status == STATUS_OK)
		fprintf(m->out, " %.*s/%.*s '%.*s'", (int)a->protocol_type.n, a->protocol_type.p, (int)a->protocol.n,
			a->protocol.p, (int)a->assignment.n, a->assignment.p);
	else
		expect(a->protocol.p == NULL && a->assignment.n == 0);
	fprintf(m->out, "\n");
}

static void print_record(struct machine *m)
{
	struct group_record r;
	group_export(m->group, &r);
	fprintf(m->out, "gen %d type '%.*s' protocol '%.*s' leader ", r.generation, (int)r.protocol_type.n, r.protocol_type.p,
		(int)r.protocol.n, r.protocol.p);
	print_id(m, r.leader);
	fprintf(m->out, " since %lld\n", (long long)r.current_state_timestamp_ms);
	for (size_t i = 0; i < r.member_count; i++) {
		const struct group_record_member *o = &r.members[i];
		fprintf(m->out, "  ");
		print_id(m, o->member_id);
		if (o->instance_id.p != NULL)
			fprintf(m->out, "/%.*s", (int)o->instance_id.n, o->instance_id.p);
		fprintf(m->out, " %.*s %.*s session %d rebalance %d subscription '%.*s' assignment '%.*s'\n",
			(int)o->client_id.n, o->client_id.p, (int)o->client_host.n, o->client_host.p, o->session_timeout_ms,
			o->rebalance_timeout_ms, (int)o->subscription.n, o->subscription.p, (int)o->assignment.n,
			o->assignment.p);
	}
	free(r.members);
}

static void persist(void *arg, struct group *g)
{
	struct machine *m = arg;
	expect(!m->writing && g == m->group);
	fprintf(m->out, "persist ");
	print_record(m);
	m->writing = true;
	if (!m->at_once)
		return;
	m->writing = false;
	group_persisted(g, m->at_once_status, m->now_ms);
}

/* --- life ----------------------------------------------------------------- */

static const struct group_callbacks callbacks = {.joined = joined, .synced = synced, .persist = persist};

static void make_group(struct machine *m)
{
	struct group_owner owner = {.settings = &m->settings, .callbacks = &callbacks, .arg = m, .random = &m->random};
	m->group = group_new(slice_of_str("g"), &owner, m->now_ms);
	m->writing = false;
}

static void drop_group(struct machine *m)
{
	group_unload(m->group, STATUS_NOT_COORDINATOR);
	group_free(m->group);
}

static void *begin(void)
{
	struct machine *m = check_calloc(1, sizeof *m);
	m->settings = (struct group_settings){.session_timeout_min_ms = 6000, .session_timeout_max_ms = 1800000,
		.initial_rebalance_delay_ms = 3000, .size_max = 1000};
	random_seed(&m->random, 1);
	make_group(m);
	return m;
}

static void end(void *arg)
{
	struct machine *m = arg;
	char *text = NULL;
	size_t n = 0;
	m->out = open_memstream(&text, &n); /* whoever is still parked is answered by the end of the script */
	drop_group(m);
	fclose(m->out);
	free(text);
	for (size_t i = 0; i < m->ticket_count; i++)
		free(m->tickets[i]);
	for (size_t i = 0; i < m->name_count; i++) {
		free(m->names[i].id);
		free(m->names[i].name);
	}
	free(m);
}

/* --- commands ------------------------------------------------------------- */

static int32_t number(const struct script_command *c, const char *key, int32_t otherwise)
{
	const char *text = script_option(c, key);
	int32_t v = otherwise;
	if (text != NULL && bytes_parse_i32(slice_of_str(text), &v) != STATUS_OK)
		script_bad(c, "not a number");
	return v;
}

static bool flag(const struct script_command *c, const char *word)
{
	for (int i = 1; i < c->word_count; i++) {
		if (strcmp(c->words[i], word) == 0)
			return true;
	}
	return false;
}

static struct slice text_option(const struct script_command *c, const char *key)
{
	const char *text = script_option(c, key);
	return text == NULL ? (struct slice){0} : slice_of_str(text);
}

static enum status status_of(const struct script_command *c, const char *word)
{
	for (int s = 0; s < STATUS_COUNT; s++) {
		if (strcmp(status_name((enum status)s), word) == 0)
			return (enum status)s;
	}
	script_bad(c, "no such status");
}

static void settings(const struct script_command *c, struct machine *m)
{
	m->settings.initial_rebalance_delay_ms = number(c, "delay", m->settings.initial_rebalance_delay_ms);
	m->settings.size_max = number(c, "size", m->settings.size_max);
}

static void join(const struct script_command *c, struct machine *m)
{
	struct group_protocol protocols[ITEMS_MAX];
	const char *list = script_option(c, "protocols");
	char *copy = check_strdup(list == NULL ? "range:topics" : list), *rest = copy;
	size_t count = 0;
	for (char *item = strsep(&rest, ","); item != NULL && *item != '\0'; item = strsep(&rest, ",")) {
		char *name = strsep(&item, ":");
		expect(count < ITEMS_MAX);
		protocols[count++] = (struct group_protocol){
			.name = slice_of_str(name), .metadata = item == NULL ? slice_of("", 0) : slice_of_str(item)};
	}
	const char *client = script_option(c, "client"), *type = script_option(c, "type");
	struct group_join j = {
		.ticket = own_ticket(m, c->words[1]),
		.member_id = id_of(c, m, script_option(c, "member")),
		.instance_id = text_option(c, "instance"),
		.client_id = slice_of_str(client == NULL ? "client" : client),
		.client_host = slice_of_str("/127.0.0.1"),
		.protocol_type = slice_of_str(type == NULL ? "consumer" : type),
		.protocols = protocols,
		.protocol_count = count,
		.session_timeout_ms = number(c, "session", 10000),
		.rebalance_timeout_ms = number(c, "rebalance", 60000),
		.require_known_member_id = flag(c, "known"),
		.skip_assignment = flag(c, "skip"),
	};
	group_join(m->group, &j, m->now_ms);
	free(copy);
	/* An administrator sees its id before it does. */
	struct group_description d;
	group_describe(m->group, &d);
	for (size_t i = 0; i < d.member_count; i++)
		name_id(m, d.members[i].member_id, c->words[1]);
	free(d.members);
}

static void sync_group(const struct script_command *c, struct machine *m)
{
	struct group_assignment assignments[ITEMS_MAX];
	const char *list = script_option(c, "assign");
	char *copy = check_strdup(list == NULL ? "" : list), *rest = copy;
	size_t count = 0;
	for (char *item = strsep(&rest, ","); item != NULL && *item != '\0'; item = strsep(&rest, ",")) {
		char *name = strsep(&item, ":");
		expect(count < ITEMS_MAX && item != NULL);
		assignments[count++] =
			(struct group_assignment){.member_id = id_of(c, m, name), .assignment = slice_of_str(item)};
	}
	struct group_sync s = {
		.ticket = own_ticket(m, c->words[1]),
		.generation = number(c, "gen", -1),
		.member_id = id_of(c, m, script_option(c, "member")),
		.instance_id = text_option(c, "instance"),
		.protocol_type = text_option(c, "type"),
		.protocol = text_option(c, "protocol"),
		.assignments = assignments,
		.assignment_count = count,
	};
	group_sync(m->group, &s, m->now_ms);
	free(copy);
}

static void present(const struct script_command *c, struct machine *m, bool commit)
{
	struct group_identity who = {
		.member_id = id_of(c, m, script_option(c, "member")),
		.instance_id = text_option(c, "instance"),
		.generation = number(c, "gen", -1),
	};
	enum status s = commit ? group_check_commit(m->group, &who, flag(c, "txn"), m->now_ms)
			       : group_heartbeat(m->group, &who, m->now_ms);
	fprintf(m->out, "%s\n", status_name(s));
}

static void leave(const struct script_command *c, struct machine *m)
{
	struct group_leave_member members[ITEMS_MAX];
	size_t count = 0;
	for (int i = 1; i < c->word_count; i++) {
		char *word = c->words[i], *instance = strchr(word, '/');
		struct group_leave_member *l = &members[count++];
		expect(count <= ITEMS_MAX);
		*l = (struct group_leave_member){.status = STATUS_OK};
		if (strncmp(word, "I:", 2) == 0) {
			l->instance_id = slice_of_str(word + 2);
			l->member_id = slice_of("", 0);
			continue;
		}
		if (instance != NULL) {
			*instance = '\0';
			l->instance_id = slice_of_str(instance + 1);
		}
		l->member_id = id_of(c, m, word);
	}
	enum status s = group_leave(m->group, members, count, m->now_ms);
	fprintf(m->out, "%s", status_name(s));
	for (size_t i = 0; i < count && s == STATUS_OK; i++)
		fprintf(m->out, " %s", status_name(members[i].status));
	fprintf(m->out, "\n");
}

static void persisted(const struct script_command *c, struct machine *m)
{
	if (!m->writing)
		script_bad(c, "nothing is being written");
	m->writing = false;
	group_persisted(m->group, c->word_count > 1 ? status_of(c, c->words[1]) : STATUS_OK, m->now_ms);
}

static void pass(const struct script_command *c, struct machine *m, bool late)
{
	int64_t ms;
	if (c->word_count < 2 || bytes_parse_i64(slice_of_str(c->words[1]), &ms) != STATUS_OK)
		script_bad(c, "how many ms?");
	int64_t until = m->now_ms + ms;
	while (!late && group_next_deadline(m->group) <= until) {
		m->now_ms = group_next_deadline(m->group);
		fprintf(m->out, "at %lld\n", (long long)m->now_ms);
		group_expire(m->group, m->now_ms);
		expect(group_next_deadline(m->group) > m->now_ms);
	}
	m->now_ms = until;
	group_expire(m->group, m->now_ms);
}

static void show(struct machine *m)
{
	struct group_counts n = group_counts(m->group);
	int64_t next = group_next_deadline(m->group);
	struct slice type = group_protocol_type(m->group), protocol = group_protocol(m->group);
	fprintf(m->out, "%s since %lld gen %d members %zu type '%.*s' protocol '%.*s'", group_state_name(group_state(m->group)),
		(long long)group_state_since(m->group), group_generation(m->group), group_member_count(m->group), (int)type.n,
		type.p, (int)protocol.n, protocol.p);
	fprintf(m->out, " begun %llu completed %llu expired %llu", (unsigned long long)n.rebalances_begun,
		(unsigned long long)n.rebalances_completed, (unsigned long long)n.members_expired);
	if (next == INT64_MAX)
		fprintf(m->out, " idle");
	else
		fprintf(m->out, " next in %lld", (long long)(next - m->now_ms));
	fprintf(m->out, "%s%s\n", m->writing ? " writing" : "", group_in_use(m->group) ? "" : " unused");
}

static void describe(struct machine *m)
{
	struct group_description d;
	group_describe(m->group, &d);
	fprintf(m->out, "%s type '%.*s' protocol '%.*s'\n", group_state_name(d.state), (int)d.protocol_type.n, d.protocol_type.p,
		(int)d.protocol.n, d.protocol.p);
	for (size_t i = 0; i < d.member_count; i++) {
		const struct group_description_member *o = &d.members[i];
		fprintf(m->out, "  ");
		print_id(m, o->member_id);
		fprintf(m->out, " instance '%.*s' client '%.*s' host '%.*s' metadata '%.*s' assignment '%.*s'\n",
			(int)o->instance_id.n, o->instance_id.p, (int)o->client_id.n, o->client_id.p, (int)o->client_host.n,
			o->client_host.p, (int)o->metadata.n, o->metadata.p, (int)o->assignment.n, o->assignment.p);
	}
	free(d.members);
}

static void restore(struct machine *m)
{
	struct group_record r;
	struct group *old = m->group;
	group_export(old, &r);
	make_group(m);
	enum status s = group_import(m->group, &r, m->now_ms);
	fprintf(m->out, "%s\n", status_name(s));
	free(r.members);
	group_unload(old, STATUS_NOT_COORDINATOR);
	group_free(old);
}

static void import(const struct script_command *c, struct machine *m)
{
	struct group_record_member members[ITEMS_MAX];
	const char *leader = script_option(c, "leader");
	struct group_record r = {.protocol_type = text_option(c, "type"), .generation = number(c, "gen", 1),
		.protocol = text_option(c, "protocol"), .current_state_timestamp_ms = 77, .members = members,
		.leader = leader == NULL ? (struct slice){0} : id_of(c, m, leader)};
	for (int i = 1; i < c->word_count; i++) {
		char *word = c->words[i];
		if (strchr(word, '=') != NULL)
			continue;
		char *id = strsep(&word, "/");
		expect(r.member_count < ITEMS_MAX);
		name_id(m, slice_of_str(id), id);
		members[r.member_count++] = (struct group_record_member){
			.member_id = slice_of_str(strcmp(id, "-") == 0 ? "" : id),
			.instance_id = word == NULL ? (struct slice){0} : slice_of_str(word),
			.client_id = slice_of_str("loaded"),
			.client_host = slice_of_str("/h"),
			.rebalance_timeout_ms = 60000,
			.session_timeout_ms = 10000,
			.subscription = slice_of("\0\0\0\0\0\1\0\1t", 9),
			.assignment = slice_of_str("a"),
		};
	}
	fprintf(m->out, "%s\n", status_name(group_import(m->group, &r, m->now_ms)));
}

static void persist_mode(const struct script_command *c, struct machine *m)
{
	m->at_once = c->word_count > 1 && strcmp(c->words[1], "at-once") == 0;
	m->at_once_status = c->word_count > 2 ? status_of(c, c->words[2]) : STATUS_OK;
}

static bool command_of_requests(struct machine *m, const struct script_command *c)
{
	const char *name = c->words[0];
	if (strcmp(name, "join") == 0 && c->word_count > 1)
		join(c, m);
	else if (strcmp(name, "sync") == 0 && c->word_count > 1)
		sync_group(c, m);
	else if (strcmp(name, "heartbeat") == 0 || strcmp(name, "commit") == 0)
		present(c, m, name[0] == 'c');
	else if (strcmp(name, "leave") == 0)
		leave(c, m);
	else if (strcmp(name, "persisted") == 0)
		persisted(c, m);
	else if (strcmp(name, "persist") == 0)
		persist_mode(c, m);
	else if (strcmp(name, "pass") == 0 || strcmp(name, "late") == 0)
		pass(c, m, name[0] == 'l');
	else
		return false;
	return true;
}

static void command_of_life(struct machine *m, const struct script_command *c)
{
	const char *name = c->words[0];
	if (strcmp(name, "new") == 0 || strcmp(name, "set") == 0) {
		if (name[0] == 'n') {
			drop_group(m);
			make_group(m);
		}
		settings(c, m);
	} else if (strcmp(name, "unload") == 0 && c->word_count == 2) {
		group_unload(m->group, status_of(c, c->words[1]));
		m->writing = false;
	} else if (strcmp(name, "export") == 0) {
		print_record(m);
	} else if (strcmp(name, "restore") == 0) {
		restore(m);
	} else if (strcmp(name, "import") == 0) {
		import(c, m);
	} else if (strcmp(name, "describe") == 0) {
		describe(m);
	} else if (strcmp(name, "subscribes") == 0 && c->word_count == 2) {
		fprintf(m->out, "%s\n", group_subscribes(m->group, slice_of_str(c->words[1])) ? "yes" : "no");
	} else if (strcmp(name, "show") == 0) {
		show(m);
	} else {
		script_bad(c, "no such command");
	}
}

static void command(void *arg, const struct script_command *c, FILE *out)
{
	struct machine *m = arg;
	char *text = NULL;
	size_t n = 0;
	m->out = open_memstream(&text, &n);
	expect(m->out != NULL);
	if (!command_of_requests(m, c))
		command_of_life(m, c);
	group_check(m->group);
	fclose(m->out);
	print_named(m, text, out);
	free(text);
}

int main(int argc, char **argv)
{
	static const struct script_machine machine = {.name = "group", .begin = begin, .command = command, .end = end};
	return script_run(&machine, SCRIPT_FOLDER, argc, argv);
}

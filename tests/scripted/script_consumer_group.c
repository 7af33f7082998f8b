/* One consumer group of KIP-848 as scripts.
 *
 * new [size=N]                        a fresh group (at the start: unlimited)
 * topic NAME partitions=N             there is such a topic, or it has so many partitions now;  partitions=0: it is gone
 * join ID [instance=I] [names=A,B] [regex=PREFIX] [assignor=X] [rack=R] [rebalance=MS] [v0]      ID -: the group gives one
 * beat ID epoch=N [owned=A:0,A:1] [names=A,B] [regex=PREFIX] [instance=I]        owned=none: owns nothing
 * leave ID [instance=I] [static]
 * commit ID epoch=N    fetch ID epoch=N
 * pass MS                             time goes by, doing what is due when it is due
 * written    failed                   what was to be written has been, or not
 * show                                state, epochs, members */
#include "base/diag.h"
#include "coordinator/consumer_group_internal.h"
#include "script_runner.h"

enum { TOPICS_MAX = 8, ITEMS_MAX = 32 };
struct machine {
	struct consumer_group *group;
	struct consumer_group_settings settings;
	struct consumer_group_owner owner;
	struct random random;
	int64_t now_ms;
	struct {
		char *name;
		int32_t partitions;
	} topics[TOPICS_MAX];
	size_t topic_count;
	uint64_t version;
};

static bool find_topic(void *arg, const char *name, struct consumer_group_topic *ret_topic)
{
	struct machine *m = arg;
	for (size_t i = 0; i < m->topic_count; i++)
		if (strcmp(m->topics[i].name, name) == 0 && m->topics[i].partitions > 0) {
			*ret_topic = (struct consumer_group_topic){{{(uint8_t)(i + 1)}}, m->topics[i].partitions};
			return true;
		}
	return false;
}

static uint64_t version(void *arg)
{
	return ((struct machine *)arg)->version;
}

/* An expression is a prefix here; "(" is none. */
static enum status match(void *arg, const char *regex, struct consumer_group_names *ret_names, struct failure *f)
{
	struct machine *m = arg;
	const char *names[TOPICS_MAX];
	size_t n = 0;
	if (regex[0] == '(')
		return failure_set(f, STATUS_INVALID_REGULAR_EXPRESSION, "not an expression");
	for (size_t i = 0; i < m->topic_count; i++)
		if (strncmp(m->topics[i].name, regex, strlen(regex)) == 0 && m->topics[i].partitions > 0)
			names[n++] = m->topics[i].name;
	consumer_group_names_set(ret_names, names, n);
	return STATUS_OK;
}
static const struct consumer_group_callbacks callbacks = {find_topic, version, match};

static void *begin(void)
{
	struct machine *m = check_calloc(1, sizeof(*m));
	random_seed(&m->random, 1);
	m->version = 1;
	m->settings = (struct consumer_group_settings){.session_timeout_ms = 45000, .heartbeat_interval_ms = 5000, .size_max = INT32_MAX,
		.assignors = {CONSUMER_ASSIGNOR_UNIFORM, CONSUMER_ASSIGNOR_RANGE}, .assignor_count = 2};
	m->owner = (struct consumer_group_owner){&m->settings, &callbacks, m, &m->random};
	m->group = consumer_group_new("g", &m->owner);
	return m;
}

static void end(void *machine)
{
	struct machine *m = machine;
	consumer_group_free(m->group);
	for (size_t i = 0; i < m->topic_count; i++)
		free(m->topics[i].name);
	free(m);
}

static int32_t number(const struct script_command *c, const char *key, int32_t otherwise)
{
	const char *text = script_option(c, key);
	int32_t v = otherwise;
	if (text != NULL && bytes_parse_i32(slice_of_str(text), &v) != STATUS_OK)
		script_bad(c, "a number is wanted");
	return v;
}

static bool has_word(const struct script_command *c, const char *word)
{
	for (int i = 1; i < c->word_count; i++)
		if (strcmp(c->words[i], word) == 0)
			return true;
	return false;
}

static void print_set(const struct machine *m, const struct partition_set *s, FILE *out)
{
	if (s->count == 0)
		fprintf(out, " none");
	for (size_t i = 0; i < s->count; i++)
		fprintf(out, " %s:%d", m->topics[s->items[i].topic_id.b[0] - 1].name, (int)s->items[i].partition);
}

/* "a:0,a:1" */
static void read_owned(struct machine *m, const struct script_command *c, char *text, struct partition_set *ret_set)
{
	for (char *item = strtok_r(text, ",", &text); item != NULL && strcmp(item, "none") != 0; item = strtok_r(NULL, ",", &text)) {
		char *colon = strchr(item, ':');
		int32_t partition = 0;
		if (colon == NULL || bytes_parse_i32(slice_of_str(colon + 1), &partition) != STATUS_OK)
			script_bad(c, "TOPIC:PARTITION is wanted");
		*colon = '\0';
		for (size_t i = 0; i < m->topic_count; i++)
			if (strcmp(m->topics[i].name, item) == 0)
				partition_set_append(ret_set, &(struct uuid){{(uint8_t)(i + 1)}}, partition);
	}
	partition_set_sort(ret_set);
}

static void heartbeat(struct machine *m, const struct script_command *c, struct consumer_group_heartbeat *h, FILE *out)
{
	const char *names[ITEMS_MAX];
	struct partition_set owned = {0};
	struct consumer_group_answer a = {0};
	struct failure f = {0};
	char *list = script_option(c, "names") == NULL ? NULL : check_strdup(script_option(c, "names")), *rest = list;
	char *owned_text = script_option(c, "owned") == NULL ? NULL : check_strdup(script_option(c, "owned"));
	h->member_id = strcmp(c->words[1], "-") == 0 ? "" : c->words[1];
	h->instance_id = script_option(c, "instance");
	h->rack_id = script_option(c, "rack");
	h->topic_regex = script_option(c, "regex");
	h->server_assignor = script_option(c, "assignor");
	h->client_id = "c";
	h->client_host = "/h";
	h->member_generates_id = !has_word(c, "v0");
	if (list != NULL)
		h->topic_names = names;
	for (char *item = rest == NULL ? NULL : strtok_r(rest, ",", &rest); item != NULL; item = strtok_r(NULL, ",", &rest))
		names[h->topic_name_count++] = item;
	if (owned_text != NULL || h->member_epoch == 0)
		h->owned = &owned;
	if (owned_text != NULL)
		read_owned(m, c, owned_text, &owned);
	enum status s = consumer_group_heartbeat(m->group, h, m->now_ms, &a, &f);
	if (s != STATUS_OK) {
		fprintf(out, "%s: %s\n", status_name(s), f.text);
	} else {
		fprintf(out, "%s epoch=%d", has_word(c, "v0") ? "(an id)" : a.member_id, (int)a.member_epoch);
		if (a.assignment != NULL)
			print_set(m, a.assignment, out);
		fprintf(out, "\n");
	}
	partition_set_fini(&owned);
	free(list);
	free(owned_text);
	consumer_group_check(m->group);
}

static void show(const struct machine *m, FILE *out)
{
	struct consumer_group_description d;
	consumer_group_describe(m->group, &d);
	fprintf(out, "%s epoch=%d assignment=%d %s%s\n", consumer_group_state_name(d.state), (int)d.group_epoch, (int)d.assignment_epoch,
		consumer_assignor_name(d.assignor), consumer_group_dirty(m->group) ? " to-write" : "");
	for (size_t i = 0; i < d.member_count; i++) {
		fprintf(out, "%s epoch=%d has", d.members[i].member_id, (int)d.members[i].member_epoch);
		print_set(m, d.members[i].assignment, out);
		fprintf(out, " target");
		print_set(m, d.members[i].target, out);
		fprintf(out, "\n");
	}
	free(d.members);
}

static void set_topic(struct machine *m, const struct script_command *c)
{
	size_t i = 0;
	while (i < m->topic_count && strcmp(m->topics[i].name, c->words[1]) != 0)
		i++;
	if (i == TOPICS_MAX)
		script_bad(c, "too many topics");
	if (i == m->topic_count)
		m->topics[m->topic_count++].name = check_strdup(c->words[1]);
	m->topics[i].partitions = number(c, "partitions", 1);
	m->version++;
}

static void pass(struct machine *m, const struct script_command *c, FILE *out)
{
	int32_t ms = 0;
	if (bytes_parse_i32(slice_of_str(c->words[1]), &ms) != STATUS_OK)
		script_bad(c, "milliseconds are wanted");
	int64_t until_ms = m->now_ms + ms;
	uint64_t before = consumer_group_counts(m->group).members_expired;
	while (consumer_group_next_deadline(m->group) <= until_ms) {
		m->now_ms = consumer_group_next_deadline(m->group);
		consumer_group_expire(m->group, m->now_ms);
	}
	m->now_ms = until_ms;
	uint64_t expired = consumer_group_counts(m->group).members_expired - before;
	if (expired > 0)
		fprintf(out, "%llu expired\n", (unsigned long long)expired);
	consumer_group_check(m->group);
}

/* As the export does, without bytes. */
static void write_all(struct machine *m, bool committed)
{
	struct consumer_group *g = m->group;
	g->writing = g->dirty;
	g->dirty = 0;
	for (struct consumer_group_member *x = g->members; x != NULL; x = x->hh.next) {
		x->writing = x->dirty;
		x->dirty = 0;
	}
	for (struct consumer_group_gone *x = g->gone; x != NULL; x = x->next)
		x->writing = true;
	consumer_group_written(g, committed);
}

static void command(void *machine, const struct script_command *c, FILE *out)
{
	struct machine *m = machine;
	const char *word = c->words[0], *who = c->word_count > 1 ? c->words[1] : NULL;
	struct consumer_group_heartbeat h = {.rebalance_timeout_ms = -1};
	if (strcmp(word, "new") == 0) {
		m->settings.size_max = number(c, "size", INT32_MAX);
	} else if (strcmp(word, "topic") == 0) {
		set_topic(m, c);
	} else if (strcmp(word, "join") == 0) {
		h.rebalance_timeout_ms = number(c, "rebalance", 30000);
		heartbeat(m, c, &h, out);
	} else if (strcmp(word, "beat") == 0) {
		h.member_epoch = number(c, "epoch", 1);
		h.rebalance_timeout_ms = number(c, "rebalance", -1);
		heartbeat(m, c, &h, out);
	} else if (strcmp(word, "leave") == 0) {
		h.member_epoch = has_word(c, "static") ? CONSUMER_GROUP_STATIC_LEAVE_EPOCH : CONSUMER_GROUP_LEAVE_EPOCH;
		heartbeat(m, c, &h, out);
	} else if (strcmp(word, "commit") == 0) {
		fprintf(out, "%s\n", status_name(consumer_group_check_commit(m->group, who, number(c, "epoch", -1))));
	} else if (strcmp(word, "fetch") == 0) {
		who = strcmp(who, "-") == 0 ? NULL : who;
		fprintf(out, "%s\n", status_name(consumer_group_check_fetch(m->group, who, number(c, "epoch", -1))));
	} else if (strcmp(word, "pass") == 0) {
		pass(m, c, out);
	} else if (strcmp(word, "written") == 0 || strcmp(word, "failed") == 0) {
		write_all(m, word[0] == 'w');
	} else if (strcmp(word, "show") == 0) {
		show(m, out);
	} else {
		script_bad(c, "no such command");
	}
}

int main(int argc, char **argv)
{
	const struct script_machine m = {"consumer_group", begin, command, end};
	return script_run(&m, SCRIPT_FOLDER, argc, argv);
}

/* The controller's decisions as scripts. The machine keeps what was decided and not yet answered: writes, requests, reads.
 *
 * new id=N epoch=N [delete=off] [unclean=on]    a controller that has just been elected, nothing loaded
 * start                                         all has been loaded
 * brokers 1@100 2@101                           the live brokers and their epochs
 * topic NAME v=N 0:1,2 1:2 [0=LEADER/EPOCH/ISR/V ...] [noid] [config:k=v]   a topic's node, with partition states if loading
 * topics [#N] NAME...    deletions NAME...    pending NAME=3x2@VERSION...    config NAME [k=v...]    preferred NAME/0...
 * ack [N]                the oldest N (all) writes succeed
 * nack STATUS [N]        the oldest N (1) writes fail so
 * read NAME 0 LEADER/EPOCH/ISR/V | gone          answer to a read
 * answer BROKER [STATUS] [whole]                 all requests to that broker: every partition (or the whole) answers STATUS
 * resync BROKER    tick    show */
#include "controller/controller_decide.h"
#include "script_runner.h"

enum { OUTSTANDING_MAX = 4096 };
struct machine {
	struct controller_state state;
	struct controller_write writes[OUTSTANDING_MAX];
	size_t write_count;
	struct controller_send sends[OUTSTANDING_MAX];
	size_t send_count;
};

static void *begin(void)
{
	struct machine *m = check_calloc(1, sizeof *m);
	controller_state_init(&m->state);
	return m;
}

static void forget(struct machine *m)
{
	for (size_t i = 0; i < m->write_count; i++)
		controller_write_fini(&m->writes[i]);
	for (size_t i = 0; i < m->send_count; i++)
		control_request_fini(&m->sends[i].request);
	m->write_count = m->send_count = 0;
	controller_state_fini(&m->state);
}

static void end(void *arg)
{
	forget(arg);
	free(arg);
}

/* --- printing ------------------------------------------------------------- */

static void print_ids(FILE *out, const char *what, const int32_t *ids, size_t count)
{
	fprintf(out, " %s ", what);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%d", i > 0 ? "," : "", ids[i]);
	if (count == 0)
		fprintf(out, "-");
}

static void print_topics(FILE *out, const struct control_topic *topics, size_t count, bool roles)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < topics[i].partition_count; j++) {
			const struct control_partition *p = &topics[i].partitions[j];
			fprintf(out, "     %s-%d leader %d epoch %d", topics[i].name, p->partition, p->leader, p->leader_epoch);
			print_ids(out, "isr", p->isr, p->isr_count);
			print_ids(out, "replicas", p->replicas, p->replica_count);
			fprintf(out, " v%d%s\n", p->partition_epoch, roles && p->is_new ? " new" : "");
		}
	}
}

static void print_metadata(FILE *out, const struct update_metadata_request *r)
{
	fprintf(out, "update-metadata%s brokers", r->full ? " full" : "");
	for (size_t i = 0; i < r->broker_count; i++)
		fprintf(out, " %d@%lld", r->brokers[i].id, (long long)r->brokers[i].epoch);
	fprintf(out, "\n");
	print_topics(out, r->topics, r->topic_count, false);
}

static void print_send(FILE *out, const struct controller_send *s)
{
	const struct control_request *r = &s->request;
	fprintf(out, "-> %d@%lld by %d/%d ", s->broker_id, (long long)r->header.broker_epoch, r->header.controller_id,
		r->header.controller_epoch);
	switch (r->kind) {
	case CONTROL_UPDATE_METADATA:
		print_metadata(out, &r->update_metadata);
		break;
	case CONTROL_LEADER_AND_ISR:
		fprintf(out, "leader-and-isr\n");
		print_topics(out, r->leader_and_isr.topics, r->leader_and_isr.topic_count, true);
		break;
	case CONTROL_STOP_REPLICA:
		fprintf(out, "stop-replica");
		for (size_t i = 0; i < r->stop_replica.partition_count; i++) {
			const struct stop_replica_partition *p = &r->stop_replica.partitions[i];
			fprintf(out, " %s-%d%s", p->tp.topic, p->tp.partition, p->delete_log ? " delete" : "");
		}
		fprintf(out, "\n");
		break;
	default:
		unreachable("a request of no kind");
	}
}

static void print_write(FILE *out, const struct controller_write *w)
{
	static const char *const ops[] = {"create", "set", "delete", "check"};
	fprintf(out, "%s %s", ops[w->op], w->path);
	if (w->op != ZK_OP_CREATE && w->version != ZK_ANY_VERSION)
		fprintf(out, " if v%d", w->version);
	if (w->group != 0)
		fprintf(out, " [group %u]", w->group);
	fprintf(out, "%s%s\n", w->data == NULL ? "" : " ", w->data == NULL ? "" : w->data);
}

static void decide(struct machine *m, const struct controller_event *e, FILE *out)
{
	struct controller_decision d;
	controller_decision_init(&d);
	controller_decide(&m->state, e, &d);
	for (size_t i = 0; i < d.write_count; i++) {
		print_write(out, &d.writes[i]);
		expect(m->write_count < OUTSTANDING_MAX);
		m->writes[m->write_count++] = d.writes[i];
	}
	for (size_t i = 0; i < d.read_count; i++)
		fprintf(out, "read %s-%d\n", d.reads[i].tp.topic, d.reads[i].tp.partition);
	if (d.list_topics > 0)
		fprintf(out, "list topics #%lld\n", (long long)d.list_topics);
	for (size_t i = 0; i < d.send_count; i++) {
		print_send(out, &d.sends[i]);
		expect(m->send_count < OUTSTANDING_MAX);
		m->sends[m->send_count++] = d.sends[i];
	}
	d.write_count = d.send_count = 0;
	controller_decision_fini(&d);
}

/* --- parsing -------------------------------------------------------------- */

static int32_t number(const struct script_command *c, const char *text)
{
	int32_t n;
	if (text == NULL || bytes_parse_i32(slice_of_str(text), &n) != STATUS_OK)
		script_bad(c, "a number is missing or wrong");
	return n;
}

static size_t id_list(const struct script_command *c, char *text, int32_t ids[16])
{
	size_t count = 0;
	for (char *next = text; next != NULL && *next != '\0' && strcmp(text, "-") != 0;) {
		expect(count < 16);
		ids[count++] = number(c, strsep(&next, ","));
	}
	return count;
}

/* LEADER/EPOCH/ISR/VERSION */
static void parse_state(const struct script_command *c, const char *text, struct event_state *s, int32_t isr[16])
{
	char *copy = check_strdup(text), *next = copy;
	s->found = true;
	s->node.leader = number(c, strsep(&next, "/"));
	s->node.leader_epoch = number(c, strsep(&next, "/"));
	s->node.isr_count = id_list(c, strsep(&next, "/"), isr);
	s->node.isr = isr;
	s->version = number(c, next);
	free(copy);
}

static void command_new(struct machine *m, const struct script_command *c)
{
	forget(m);
	controller_state_init(&m->state);
	m->state.broker_id = number(c, script_option(c, "id"));
	m->state.controller_epoch = number(c, script_option(c, "epoch"));
	m->state.delete_topic_enable = script_option(c, "delete") == NULL;
	m->state.unclean_election_default = script_option(c, "unclean") != NULL;
	random_seed(&m->state.random, 1);
}

static void command_brokers(struct machine *m, const struct script_command *c, FILE *out)
{
	struct event_broker brokers[SCRIPT_WORDS_MAX];
	struct zk_schema_broker registration[SCRIPT_WORDS_MAX];
	struct zk_schema_endpoint endpoint = {.listener = (char[]){"PLAINTEXT"}, .security_protocol = (char[]){"PLAINTEXT"},
		.host = (char[]){"localhost"}, .port = 9092};
	size_t count = 0;
	for (int i = 1; i < c->word_count; i++) {
		char *text = c->words[i], *id = strsep(&text, "@");
		registration[count] = (struct zk_schema_broker){.endpoints = &endpoint, .endpoint_count = 1};
		brokers[count] = (struct event_broker){.id = number(c, id), .epoch = number(c, text),
			.registration = &registration[count]};
		count++;
	}
	decide(m, &(struct controller_event){.kind = EVENT_BROKERS, .brokers = {brokers, count}}, out);
}

struct topic_words {
	struct zk_schema_topic node;
	struct zk_schema_partition partitions[SCRIPT_WORDS_MAX];
	int32_t replicas[SCRIPT_WORDS_MAX][16], isr[SCRIPT_WORDS_MAX][16];
	struct event_state states[SCRIPT_WORDS_MAX];
	bool have_states;
	struct zk_schema_config config;
};

static void parse_topic_word(const struct script_command *c, char *word, struct topic_words *t)
{
	char *colon = strchr(word, ':'), *equals = strchr(word, '=');
	if (strcmp(word, "noid") == 0) {
		memset(&t->node.id, 0, sizeof t->node.id);
	} else if (strncmp(word, "config:", 7) == 0 && equals != NULL) {
		*equals = '\0';
		zk_schema_config_put(&t->config, word + 7, equals + 1);
	} else if (colon != NULL) {
		size_t n = t->node.partition_count++;
		*colon = '\0';
		t->partitions[n] = (struct zk_schema_partition){.partition = number(c, word), .replicas = t->replicas[n]};
		t->partitions[n].replica_count = id_list(c, colon + 1, t->replicas[n]);
	} else if (equals != NULL && word[0] != 'v') {
		*equals = '\0';
		size_t n = 0;
		while (n < t->node.partition_count && t->partitions[n].partition != number(c, word))
			n++;
		expect(n < t->node.partition_count);
		parse_state(c, equals + 1, &t->states[n], t->isr[n]);
		t->have_states = true;
	}
}

static void command_topic(struct machine *m, const struct script_command *c, FILE *out)
{
	struct topic_words *t = check_calloc(1, sizeof *t);
	t->node = (struct zk_schema_topic){.version = 3, .partitions = t->partitions};
	memset(&t->node.id, c->words[1][0], sizeof t->node.id);
	int32_t version = number(c, script_option(c, "v"));
	for (int i = 2; i < c->word_count; i++)
		parse_topic_word(c, c->words[i], t);
	decide(m, &(struct controller_event){.kind = EVENT_TOPIC, .topic = {.name = c->words[1], .node = &t->node,
		.version = version, .config = &t->config, .states = t->have_states ? t->states : NULL}}, out);
	zk_schema_config_fini(&t->config);
	free(t);
}

static void command_list(struct machine *m, const struct script_command *c, enum controller_event_kind kind, FILE *out)
{
	int first = 1;
	int64_t asked = 0;
	if (c->word_count > 1 && c->words[1][0] == '#') {
		asked = number(c, c->words[1] + 1);
		first = 2;
	}
	const char *names[SCRIPT_WORDS_MAX];
	size_t count = 0;
	for (int i = first; i < c->word_count; i++)
		names[count++] = c->words[i];
	decide(m, &(struct controller_event){.kind = kind, .list = {names, count, asked}}, out);
}

static void command_pending(struct machine *m, const struct script_command *c, FILE *out)
{
	struct event_pending_topic items[SCRIPT_WORDS_MAX];
	struct zk_schema_pending_topic wanted[SCRIPT_WORDS_MAX];
	size_t count = 0;
	for (int i = 1; i < c->word_count; i++) { /* NAME=3x2@VERSION */
		char *rest = c->words[i], *name = strsep(&rest, "="), *partitions = strsep(&rest, "x"),
		     *factor = strsep(&rest, "@");
		wanted[count] = (struct zk_schema_pending_topic){.partitions = number(c, partitions),
			.replication_factor = number(c, factor)};
		items[count] = (struct event_pending_topic){.name = name, .version = number(c, rest), .wanted = &wanted[count]};
		count++;
	}
	decide(m, &(struct controller_event){.kind = EVENT_PENDING_TOPICS, .pending = {items, count}}, out);
}

static void command_config(struct machine *m, const struct script_command *c, FILE *out)
{
	struct zk_schema_config config = {0};
	for (int i = 2; i < c->word_count; i++) {
		char *value = c->words[i], *key = strsep(&value, "=");
		zk_schema_config_put(&config, key, value);
	}
	decide(m, &(struct controller_event){.kind = EVENT_CONFIG, .config = {c->words[1], &config}}, out);
	zk_schema_config_fini(&config);
}

static void command_preferred(struct machine *m, const struct script_command *c, FILE *out)
{
	struct topic_partition *items = check_calloc(SCRIPT_WORDS_MAX, sizeof *items);
	size_t count = 0;
	for (int i = 1; i < c->word_count; i++) {
		char *partition = c->words[i], *topic = strsep(&partition, "/");
		enum status s = topic_partition_set(&items[count++], slice_of_str(topic), number(c, partition));
		expect(s == STATUS_OK);
	}
	decide(m, &(struct controller_event){.kind = EVENT_PREFERRED, .preferred = {items, count}}, out);
	free(items);
}

/* --- answers -------------------------------------------------------------- */

static enum status status_named(const struct script_command *c, const char *name)
{
	for (int i = 0; i < STATUS_COUNT; i++) {
		if (strcmp(status_name((enum status)i), name) == 0)
			return (enum status)i;
	}
	script_bad(c, "no such status");
}

static void answer_writes(struct machine *m, size_t count, enum status status, FILE *out)
{
	expect(count <= m->write_count);
	struct event_written *items = check_calloc(count + 1, sizeof *items);
	for (size_t i = 0; i < count; i++) {
		items[i] = (struct event_written){.write = &m->writes[i], .status = status,
			.version = m->writes[i].op == ZK_OP_SET ? m->writes[i].version + 1 : 0};
	}
	size_t answered = count;
	struct controller_write *done = check_calloc(count + 1, sizeof *done);
	memcpy(done, m->writes, count * sizeof *done);
	for (size_t i = 0; i < count; i++)
		items[i].write = &done[i];
	memmove(m->writes, m->writes + count, (m->write_count - count) * sizeof m->writes[0]);
	m->write_count -= count;
	decide(m, &(struct controller_event){.kind = EVENT_WRITTEN, .written = {items, answered}}, out);
	for (size_t i = 0; i < count; i++)
		controller_write_fini(&done[i]);
	free(done);
	free(items);
}

static void answer_at(struct machine *m, size_t at, enum status status, bool whole, FILE *out)
{
	int32_t broker = m->sends[at].broker_id;
	struct control_request request = m->sends[at].request;
	memmove(&m->sends[at], &m->sends[at + 1], (m->send_count - at - 1) * sizeof m->sends[0]);
	m->send_count--;
	struct control_response response = {.status = whole ? status : STATUS_OK,
		.results = check_calloc(256, sizeof *response.results)};
	for (size_t i = 0; !whole && request.kind == CONTROL_STOP_REPLICA && i < request.stop_replica.partition_count; i++)
		response.results[response.result_count++] = (struct control_partition_result){
			.tp = request.stop_replica.partitions[i].tp, .status = status};
	for (size_t i = 0; !whole && request.kind == CONTROL_LEADER_AND_ISR && i < request.leader_and_isr.topic_count; i++) {
		const struct control_topic *t = &request.leader_and_isr.topics[i];
		for (size_t j = 0; j < t->partition_count; j++) {
			struct control_partition_result *r = &response.results[response.result_count++];
			r->status = status;
			enum status s = topic_partition_set(&r->tp, slice_of_str(t->name), t->partitions[j].partition);
			expect(s == STATUS_OK);
		}
	}
	decide(m, &(struct controller_event){.kind = EVENT_RESPONSE, .response = {broker, &request, &response}}, out);
	control_response_fini(&response);
	control_request_fini(&request);
}

static void command_answer(struct machine *m, const struct script_command *c, FILE *out)
{
	int32_t broker = number(c, c->words[1]);
	enum status status = c->word_count > 2 ? status_named(c, c->words[2]) : STATUS_OK;
	size_t sent = m->send_count, at = 0;
	for (size_t i = 0; i < sent; i++) {
		if (m->sends[at].broker_id == broker)
			answer_at(m, at, status, c->word_count > 3, out);
		else
			at++;
	}
	if (at == sent)
		script_bad(c, "nothing was sent to that broker");
}

static void command_read(struct machine *m, const struct script_command *c, FILE *out)
{
	struct topic_partition tp;
	struct event_state state = {0};
	int32_t isr[16];
	enum status s = topic_partition_set(&tp, slice_of_str(c->words[1]), number(c, c->words[2]));
	expect(s == STATUS_OK);
	if (strcmp(c->words[3], "gone") != 0)
		parse_state(c, c->words[3], &state, isr);
	decide(m, &(struct controller_event){.kind = EVENT_STATE_READ, .state_read = {&tp, &state}}, out);
}

static void command_show(const struct machine *m, FILE *out)
{
	const struct controller_state *s = &m->state;
	fprintf(out, "writes %zu requests %zu\n", m->write_count, m->send_count);
	for (const struct controller_topic *t = s->topics; t != NULL; t = t->hh.next) {
		static const char *const deletion[] = {"", " stopping", " erasing"};
		fprintf(out, "%s v%d%s\n", t->name, t->node_version, deletion[t->deletion]);
		for (size_t i = 0; i < t->partition_count; i++) {
			const struct controller_partition *p = &t->partitions[i];
			fprintf(out, "  %d %s leader %d epoch %d", p->number, partition_states_name(p->state), p->leader,
				p->leader_epoch);
			print_ids(out, "isr", p->isr, p->isr_count);
			fprintf(out, " v%d%s%s\n", p->partition_epoch, p->move != NULL ? " moving" : "",
				p->reading ? " reading" : "");
		}
	}
	for (size_t i = 0; i < s->pending_count; i++)
		fprintf(out, "pending %s%s\n", s->pending[i].name, s->pending[i].placing ? " placing" : "");
}

static void command(void *arg, const struct script_command *c, FILE *out)
{
	struct machine *m = arg;
	const char *w = c->words[0];
	if (strcmp(w, "new") == 0)
		command_new(m, c);
	else if (strcmp(w, "start") == 0)
		decide(m, &(struct controller_event){.kind = EVENT_START}, out);
	else if (strcmp(w, "tick") == 0)
		decide(m, &(struct controller_event){.kind = EVENT_TICK}, out);
	else if (strcmp(w, "brokers") == 0)
		command_brokers(m, c, out);
	else if (strcmp(w, "topic") == 0)
		command_topic(m, c, out);
	else if (strcmp(w, "topics") == 0)
		command_list(m, c, EVENT_TOPIC_LIST, out);
	else if (strcmp(w, "deletions") == 0)
		command_list(m, c, EVENT_DELETIONS, out);
	else if (strcmp(w, "pending") == 0)
		command_pending(m, c, out);
	else if (strcmp(w, "config") == 0)
		command_config(m, c, out);
	else if (strcmp(w, "preferred") == 0)
		command_preferred(m, c, out);
	else if (strcmp(w, "ack") == 0)
		answer_writes(m, c->word_count > 1 ? (size_t)number(c, c->words[1]) : m->write_count, STATUS_OK, out);
	else if (strcmp(w, "nack") == 0)
		answer_writes(m, c->word_count > 2 ? (size_t)number(c, c->words[2]) : 1, status_named(c, c->words[1]), out);
	else if (strcmp(w, "read") == 0)
		command_read(m, c, out);
	else if (strcmp(w, "answer") == 0)
		command_answer(m, c, out);
	else if (strcmp(w, "resync") == 0)
		decide(m, &(struct controller_event){.kind = EVENT_RESYNC, .resync_broker = number(c, c->words[1])}, out);
	else if (strcmp(w, "show") == 0)
		command_show(m, out);
	else
		script_bad(c, "no such command");
}

int main(int argc, char **argv)
{
	static const struct script_machine machine = {"controller", begin, command, end};
	return script_run(&machine, SCRIPT_FOLDER, argc, argv);
}

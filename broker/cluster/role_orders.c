#include "cluster/role_orders.h"
#include "base/diag.h"
#include "storage/log_manager.h"

struct role_orders;
/* One replica's order. Its command travels to the owner loop and back. */
struct order {
	struct replica_command command;
	struct role_orders *orders;
	const struct replica_host *host;
	bool delete_log;
};

struct role_orders {
	unsigned magic;
	struct role_orders_environment env;
	struct order *list;
	struct control_partition_result *results; /* parallel to list; NULL: nobody wants them */
	size_t count;
	size_t pending; /* orders without an answer, and one for the sender until it has sent all */
	role_orders_done_fn done;
	void *arg;
};
MAGIC(role_orders, 0x524f4c45);

static struct role_orders *role_orders_new(const struct role_orders_environment *env, size_t count, bool with_results,
	role_orders_done_fn done, void *arg)
{
	struct role_orders *o = check_calloc(1, sizeof(*o));
	o->magic = role_orders_magic;
	o->env = *env;
	o->list = check_calloc(count + 1, sizeof(*o->list));
	if (with_results)
		o->results = check_calloc(count + 1, sizeof(*o->results));
	o->count = count;
	o->pending = count + 1;
	o->done = done;
	o->arg = arg;
	for (size_t i = 0; i < count; i++)
		o->list[i].orders = o;
	return o;
}

static void one_less(struct role_orders *o)
{
	CHECK_MAGIC(role_orders, o);
	expect(o->pending > 0);
	if (--o->pending > 0)
		return;
	role_orders_done_fn done = o->done;
	void *arg = o->arg;
	struct control_partition_result *results = o->results;
	size_t count = o->results == NULL ? 0 : o->count;
	free(o->list);
	o->magic = 0;
	free(o);
	done(arg, results, count);
}

static void answer(struct order *order, enum status s)
{
	struct role_orders *o = order->orders;
	if (o->results != NULL)
		o->results[order - o->list].status = s;
	if (s != STATUS_OK && s != STATUS_STALE_CONTROLLER_EPOCH)
		diag_warn("replica_order_failed", "partition=%s-%d why=%s text=\"%s\"", order->command.tp.topic,
			(int)order->command.tp.partition, status_name(s), status_text(s));
	one_less(o);
}

/* --- there and back ------------------------------------------------------------------------------------------------------- */

static void execute_on_owner(struct task *t)
{
	struct replica_command *c = CONTAINER_OF(t, struct replica_command, task);
	const struct replica_host *host = CONTAINER_OF(c, struct order, command)->host;
	host->execute(host->arg, c);
}

static void send(struct order *order, const struct replica_host *host, void (*done)(struct replica_command *c))
{
	struct replica_command *c = &order->command;
	order->host = host;
	c->home = order->orders->env.scheduler;
	c->done = done;
	task_init(&c->task, "replica_command", execute_on_owner);
	scheduler_post(host->scheduler, &c->task);
}

static void send_to_owner(struct order *order, void (*done)(struct replica_command *c))
{
	const struct replica_host_table *hosts = &order->orders->env.hosts;
	int place = hosts->place(hosts->place_arg, &order->command.tp);
	expect(place >= 0 && place < hosts->count);
	send(order, &hosts->hosts[place], done);
}

static void role_orders_executed(struct replica_command *c)
{
	answer(CONTAINER_OF(c, struct order, command), c->status);
}

/* --- roles ---------------------------------------------------------------------------------------------------------------- */

static void role_orders_log_opened(void *arg, enum status s, struct partition_log *log, int64_t high_watermark)
{
	struct order *order = arg;
	CHECK_MAGIC(role_orders, order->orders);
	if (s != STATUS_OK) {
		answer(order, s);
		return;
	}
	expect(log != NULL);
	order->command.log = log;
	order->command.high_watermark = high_watermark;
	send_to_owner(order, role_orders_executed);
}

static void become(struct order *order, const struct control_topic *topic, const struct control_partition *p)
{
	struct role_orders *o = order->orders;
	struct replica_command *c = &order->command;
	enum status s = topic_partition_set(&c->tp, slice_of_str(topic->name), p->partition);
	o->results[order - o->list].tp = c->tp;
	if (s != STATUS_OK) {
		answer(order, s);
		return;
	}
	c->kind = REPLICA_BECOME;
	c->leader = p->leader;
	c->leader_epoch = p->leader_epoch;
	c->partition_epoch = p->partition_epoch;
	c->isr = p->isr;
	c->isr_count = p->isr_count;
	c->replicas = p->replicas;
	c->replica_count = p->replica_count;
	topic_overrides_effective(o->env.overrides, c->tp.topic, &c->settings);
	log_manager_get_or_create(o->env.logs, &c->tp, &topic->id, p->is_new, role_orders_log_opened, order);
}

void role_orders_leader_and_isr(const struct role_orders_environment *env, const struct leader_and_isr_request *r,
	role_orders_done_fn done, void *arg)
{
	size_t count = 0;
	for (size_t i = 0; i < r->topic_count; i++)
		count += r->topics[i].partition_count;
	struct role_orders *o = role_orders_new(env, count, true, done, arg);
	struct order *next = o->list;
	for (size_t i = 0; i < r->topic_count; i++) {
		for (size_t k = 0; k < r->topics[i].partition_count; k++)
			become(next++, &r->topics[i], &r->topics[i].partitions[k]);
	}
	one_less(o);
}

static void role_orders_log_deleted(void *arg, enum status s)
{
	struct order *order = arg;
	answer(order, s == STATUS_NOT_FOUND ? STATUS_OK : s);
}

/* Its loop no longer refers to the log. */
static void role_orders_let_go(struct replica_command *c)
{
	struct order *order = CONTAINER_OF(c, struct order, command);
	struct log_manager *logs = order->orders->env.logs;
	int64_t high_watermark;
	if (c->status != STATUS_OK)
		answer(order, c->status);
	else if (log_manager_find(logs, &c->tp, &high_watermark) == NULL)
		answer(order, STATUS_OK); /* nothing on disk: deleted before */
	else
		log_manager_delete(logs, &c->tp, role_orders_log_deleted, order);
}

void role_orders_stop_replica(const struct role_orders_environment *env, const struct stop_replica_request *r,
	role_orders_done_fn done, void *arg)
{
	struct role_orders *o = role_orders_new(env, r->partition_count, true, done, arg);
	for (size_t i = 0; i < r->partition_count; i++) {
		struct order *order = &o->list[i];
		struct replica_command *c = &order->command;
		const struct stop_replica_partition *p = &r->partitions[i];
		enum status s = topic_partition_set(&c->tp, slice_of_str(p->tp.topic), p->tp.partition);
		o->results[i].tp = c->tp;
		c->leader_epoch = p->leader_epoch;
		c->kind = p->delete_log ? REPLICA_LET_GO : REPLICA_STOP;
		if (s != STATUS_OK)
			answer(order, s);
		else
			send_to_owner(order, p->delete_log ? role_orders_let_go : role_orders_executed);
	}
	one_less(o);
}

/* --- settings ------------------------------------------------------------------------------------------------------------- */

static void configure(struct order *order, const struct role_orders_environment *env, const char *topic, size_t host)
{
	struct replica_command *c = &order->command;
	enum status s = topic_partition_set(&c->tp, slice_of_str(topic), 0);
	if (s != STATUS_OK) {
		answer(order, s);
		return;
	}
	c->kind = REPLICA_CONFIGURE;
	topic_overrides_effective(env->overrides, c->tp.topic, &c->settings);
	send(order, &env->hosts.hosts[host], role_orders_executed);
}

void role_orders_configure(const struct role_orders_environment *env, const char *const *topics, size_t count,
	role_orders_done_fn done, void *arg)
{
	size_t hosts = (size_t)env->hosts.count;
	struct role_orders *o = role_orders_new(env, count * hosts, false, done, arg);
	for (size_t i = 0; i < o->count; i++)
		configure(&o->list[i], env, topics[i / hosts], i % hosts);
	one_less(o);
}

void role_orders_configure_all(const struct role_orders_environment *env, const struct cluster_image *image, role_orders_done_fn done,
	void *arg)
{
	size_t hosts = (size_t)env->hosts.count;
	struct role_orders *o = role_orders_new(env, image->topic_count * hosts, false, done, arg);
	for (size_t i = 0; i < o->count; i++)
		configure(&o->list[i], env, image->topics[i / hosts]->name, i % hosts);
	one_less(o);
}

/* --- start ---------------------------------------------------------------------------------------------------------------- */

struct found_logs {
	struct topic_partition *list;
	size_t count, capacity;
};

static void role_orders_host_found(void *arg, const struct topic_partition *tp, struct partition_log *log)
{
	struct found_logs *found = arg;
	if (log == NULL)
		return; /* known, but not open: its folder is offline */
	if (found->count == found->capacity) {
		found->capacity = found->capacity == 0 ? 64 : found->capacity * 2;
		found->list = check_realloc(found->list, found->capacity * sizeof(*found->list));
	}
	found->list[found->count++] = *tp;
}

void role_orders_host(const struct role_orders_environment *env, role_orders_done_fn done, void *arg)
{
	struct found_logs found = {0};
	log_manager_each(env->logs, role_orders_host_found, &found);
	struct role_orders *o = role_orders_new(env, found.count, false, done, arg);
	for (size_t i = 0; i < found.count; i++) {
		struct order *order = &o->list[i];
		struct replica_command *c = &order->command;
		c->tp = found.list[i];
		c->kind = REPLICA_HOST;
		c->log = log_manager_find(env->logs, &c->tp, &c->high_watermark);
		expect(c->log != NULL);
		topic_overrides_effective(env->overrides, c->tp.topic, &c->settings);
		send_to_owner(order, role_orders_executed);
	}
	free(found.list);
	one_less(o);
}

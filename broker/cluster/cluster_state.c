/* See cluster_state.h. Requests wait in one queue and are carried out one after the other: what a request finds is what the one
 * before it left, also when opening a log took a while in between. */
#include "cluster/cluster_state.h"
#include "base/diag.h"
#include "cluster/broker_overrides.h"
#include "cluster/role_orders.h"
#include "config/settings.h"
#include "storage/log_manager.h"

enum { QUEUE_MAX = 256 }; /* a controller has one request in flight; several only while controllers change */
enum { LEADER_DURING_DELETE = -2 };

enum job_kind {
	JOB_REQUEST,
	JOB_INHERITED, /* what topics inherit has changed */
	JOB_OVERRIDES, /* what some topics override has changed */
};
struct control_job {
	struct control_job *next;
	struct cluster_state *state;
	enum job_kind kind;
	struct control_request request;
	struct control_response response;
	char **topics; /* OVERRIDES */
	size_t topic_count;
	cluster_state_done_fn done;
	void *arg;
};

/* Sorted by name; owns one reference to each. */
struct topic_set {
	struct image_topic **topics;
	size_t count, capacity;
};

struct cluster_state {
	unsigned magic;
	struct scheduler *scheduler;
	struct role_orders_environment env;
	struct cluster_image_holder *const *holders;
	size_t holder_count;
	void (*controller_changed)(void *arg);
	void *arg;
	struct broker_overrides *broker_overrides;
	struct cluster_image *image;
	char *cluster_id;
	int32_t broker_id;
	int64_t broker_epoch; /* -1: not registered yet */
	int32_t controller_id, controller_epoch;

	struct control_job *queue, **queue_end;
	size_t queued;
	struct control_job *under_way;
	bool draining; /* in the loop of go_on */
	bool stopping;
	void (*stopped)(void *arg);
	void *stopped_arg;
	void (*hosted)(void *arg, enum status s);
	void *hosted_arg;
	void (*configs_loaded)(void *arg, enum status s); /* NULL: nobody waits */
	void *configs_loaded_arg;
	bool topic_configs_known;
	bool inherited_waits; /* such a job is queued, and not begun */
	struct control_job *overrides_wait; /* the same; takes more topics */
};
MAGIC(cluster_state, 0x434c5354);

static void check(const struct cluster_state *s)
{
	CHECK_MAGIC(cluster_state, s);
	expect_on_loop(s->scheduler);
}

struct cluster_state *cluster_state_new(const struct cluster_state_options *o)
{
	expect(o->scheduler != NULL && o->settings != NULL && o->hosts.count >= 1);
	struct cluster_state *s = check_calloc(1, sizeof(*s));
	s->magic = cluster_state_magic;
	s->scheduler = o->scheduler;
	s->env = (struct role_orders_environment){
		.scheduler = o->scheduler,
		.hosts = o->hosts,
		.overrides = topic_overrides_new(o->settings, o->scheduler),
	};
	s->broker_overrides = broker_overrides_new(o->settings);
	s->holders = o->holders;
	s->holder_count = o->holder_count;
	s->controller_changed = o->controller_changed;
	s->arg = o->arg;
	s->image = cluster_image_new(&(struct cluster_image_draft){.controller_id = -1});
	s->broker_id = -1;
	s->broker_epoch = -1;
	s->controller_id = -1;
	s->queue_end = &s->queue;
	return s;
}

void cluster_state_free(struct cluster_state *s)
{
	if (s == NULL)
		return;
	CHECK_MAGIC(cluster_state, s);
	expect(s->under_way == NULL && s->queue == NULL);
	topic_overrides_free(s->env.overrides);
	broker_overrides_free(s->broker_overrides);
	cluster_image_shared_unref(s->image);
	free(s->cluster_id);
	s->magic = 0;
	free(s);
}

/* --- topic sets ------------------------------------------------------------------------------------------------------------ */

/* Where name is, or would be. */
static size_t topic_set_search(const struct topic_set *set, const char *name, bool *ret_found)
{
	size_t low = 0, high = set->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = strcmp(name, set->topics[middle]->name);
		if (c == 0) {
			*ret_found = true;
			return middle;
		}
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	*ret_found = false;
	return low;
}

static void topic_set_reserve(struct topic_set *set, size_t count)
{
	if (count <= set->capacity)
		return;
	set->capacity = count > 2 * set->capacity ? count : 2 * set->capacity;
	set->topics = check_realloc(set->topics, set->capacity * sizeof(struct image_topic *));
}

/* Takes the reference. */
static void topic_set_put(struct topic_set *set, struct image_topic *t)
{
	bool found;
	size_t at = topic_set_search(set, t->name, &found);
	if (found) {
		image_topic_shared_unref(set->topics[at]);
		set->topics[at] = t;
		return;
	}
	topic_set_reserve(set, set->count + 1);
	memmove(set->topics + at + 1, set->topics + at, (set->count - at) * sizeof(struct image_topic *));
	set->topics[at] = t;
	set->count++;
}

static void topic_set_remove(struct topic_set *set, const char *name)
{
	bool found;
	size_t at = topic_set_search(set, name, &found);
	if (!found)
		return;
	image_topic_shared_unref(set->topics[at]);
	set->count--;
	memmove(set->topics + at, set->topics + at + 1, (set->count - at) * sizeof(struct image_topic *));
}

static const struct image_topic *topic_set_get(const struct topic_set *set, const char *name)
{
	bool found;
	size_t at = topic_set_search(set, name, &found);
	return found ? set->topics[at] : NULL;
}

static void topic_set_share(struct topic_set *set, const struct cluster_image *image)
{
	topic_set_reserve(set, image->topic_count);
	if (image->topic_count > 0)
		cluster_image_share_topics(image, set->topics);
	set->count = image->topic_count;
}

/* --- images ---------------------------------------------------------------------------------------------------------------- */

/* The next image goes to every loop. Moves the set's references. */
static void publish(struct cluster_state *s, struct topic_set *set, const struct image_broker *brokers, size_t broker_count)
{
	struct cluster_image *old = s->image;
	struct image_broker_configs broker_configs;
	broker_overrides_describe(s->broker_overrides, &broker_configs);
	s->image = cluster_image_new(&(struct cluster_image_draft){
		.version = old->version + 1,
		.cluster_id = s->cluster_id,
		.controller_id = s->controller_id,
		.controller_epoch = s->controller_epoch,
		.brokers = brokers,
		.broker_count = broker_count,
		.topics = set->topics,
		.topic_count = set->count,
		.broker_configs = &broker_configs,
	});
	free(set->topics);
	for (size_t i = 0; i < s->holder_count; i++)
		cluster_image_holder_post(s->holders[i], cluster_image_shared_ref(s->image));
	cluster_image_shared_unref(old);
}

static void attach_configs(const struct cluster_state *s, struct image_topic *draft)
{
	draft->configs = topic_overrides_get(s->env.overrides, draft->name, &draft->config_count);
}

static struct image_partition partition_from(const struct control_partition *p)
{
	return (struct image_partition){
		.partition = p->partition,
		.leader = p->leader,
		.leader_epoch = p->leader_epoch,
		.partition_epoch = p->partition_epoch,
		.replicas = p->replicas,
		.replica_count = p->replica_count,
		.isr = p->isr,
		.isr_count = p->isr_count,
	};
}

static int compare_control_partitions(const void *a, const void *b)
{
	const struct control_partition *x = a, *y = b;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

/* Merges the sorted partitions of `old` (may be NULL) and the news; the news win, and -2 removes. Returns how many. */
static size_t merge_partitions(struct image_partition *out, const struct image_topic *old, const struct control_topic *news)
{
	size_t n = 0, i = 0, k = 0, old_count = old == NULL ? 0 : old->partition_count;
	while (i < old_count || k < news->partition_count) {
		bool take_old = k == news->partition_count ||
				(i < old_count && old->partitions[i].partition < news->partitions[k].partition);
		if (take_old) {
			out[n++] = old->partitions[i++];
			continue;
		}
		const struct control_partition *p = &news->partitions[k++];
		if (i < old_count && old->partitions[i].partition == p->partition)
			i++;
		if (k < news->partition_count && news->partitions[k].partition == p->partition)
			continue; /* named twice: the later one counts */
		if (p->leader != LEADER_DURING_DELETE)
			out[n++] = partition_from(p);
	}
	return n;
}

static void apply_topic(struct cluster_state *s, struct topic_set *set, struct control_topic *news)
{
	if (topic_name_check(slice_of_str(news->name)) != STATUS_OK) {
		diag_warn("metadata_topic_ignored", "reason=illegal_name");
		return;
	}
	const struct image_topic *old = topic_set_get(set, news->name);
	if (old != NULL && !uuid_equal(&old->id, &news->id) && !uuid_is_zero(&news->id) && !uuid_is_zero(&old->id))
		old = NULL; /* deleted and created again */
	if (news->partition_count > 1)
		qsort(news->partitions, news->partition_count, sizeof(*news->partitions), compare_control_partitions);
	size_t most = news->partition_count + (old == NULL ? 0 : old->partition_count);
	struct image_partition *partitions = check_calloc(most + 1, sizeof(*partitions));
	struct image_topic draft = {
		.name = news->name,
		.id = uuid_is_zero(&news->id) && old != NULL ? old->id : news->id,
		.partitions = partitions,
		.partition_count = merge_partitions(partitions, old, news),
	};
	attach_configs(s, &draft);
	if (draft.partition_count > 0) {
		topic_set_put(set, image_topic_new(&draft));
	} else {
		topic_overrides_remove(s->env.overrides, news->name);
		topic_set_remove(set, news->name);
	}
	free(partitions);
}

static struct image_broker *brokers_from(const struct update_metadata_request *r)
{
	struct image_broker *brokers = check_calloc(r->broker_count + 1, sizeof(*brokers));
	for (size_t i = 0; i < r->broker_count; i++) {
		const struct control_broker *b = &r->brokers[i];
		struct image_endpoint *endpoints = check_calloc(b->endpoint_count + 1, sizeof(*endpoints));
		for (size_t k = 0; k < b->endpoint_count; k++)
			endpoints[k] = (struct image_endpoint){
				b->endpoints[k].listener, b->endpoints[k].host, b->endpoints[k].port};
		brokers[i] = (struct image_broker){
			.id = b->id,
			.epoch = b->epoch,
			.rack = b->rack,
			.endpoints = endpoints,
			.endpoint_count = b->endpoint_count,
		};
	}
	return brokers;
}

static void free_brokers(struct image_broker *brokers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		union {
			const struct image_endpoint *endpoints;
			void *memory;
		} u = {.endpoints = brokers[i].endpoints};
		free(u.memory);
	}
	free(brokers);
}

/* Topics of the old image that a full update does not name any more take their overrides with them. */
static void forget_missing(struct cluster_state *s, const struct topic_set *set)
{
	for (size_t i = 0; i < s->image->topic_count; i++) {
		if (topic_set_get(set, s->image->topics[i]->name) == NULL)
			topic_overrides_remove(s->env.overrides, s->image->topics[i]->name);
	}
}

static void tell_controller_changed(struct cluster_state *s)
{
	if (s->controller_changed != NULL)
		s->controller_changed(s->arg);
}

static bool controller_moved(const struct cluster_image *a, const struct cluster_image *b)
{
	const struct image_broker *x = cluster_image_broker(a, a->controller_id), *y = cluster_image_broker(b, b->controller_id);
	if (a->controller_id != b->controller_id || a->controller_epoch != b->controller_epoch || x == NULL || y == NULL)
		return true;
	if (x->endpoint_count != y->endpoint_count)
		return true;
	for (size_t i = 0; i < x->endpoint_count; i++)
		if (x->endpoints[i].port != y->endpoints[i].port || strcmp(x->endpoints[i].host, y->endpoints[i].host) != 0)
			return true;
	return false;
}

static void update_metadata(struct cluster_state *s, struct update_metadata_request *r)
{
	struct topic_set set = {0};
	if (!r->full)
		topic_set_share(&set, s->image);
	for (size_t i = 0; i < r->topic_count; i++)
		apply_topic(s, &set, &r->topics[i]);
	if (r->full)
		forget_missing(s, &set);
	struct image_broker *brokers = brokers_from(r);
	struct cluster_image *before = cluster_image_shared_ref(s->image);
	publish(s, &set, brokers, r->broker_count);
	free_brokers(brokers, r->broker_count);
	if (controller_moved(before, s->image))
		tell_controller_changed(s);
	cluster_image_shared_unref(before);
	diag_debug("image_published", "version=%lld brokers=%zu topics=%zu", (long long)s->image->version,
		s->image->broker_count, s->image->topic_count);
}

/* The next image shows what these topics override now. */
static void show_overrides(struct cluster_state *s, const char *const *topics, size_t count)
{
	struct topic_set set = {0};
	topic_set_share(&set, s->image);
	for (size_t i = 0; i < count; i++) {
		const struct image_topic *old = topic_set_get(&set, topics[i]);
		if (old == NULL)
			continue;
		struct image_topic draft = *old;
		attach_configs(s, &draft);
		topic_set_put(&set, image_topic_new(&draft));
	}
	publish(s, &set, s->image->brokers, s->image->broker_count);
}

/* --- obeying --------------------------------------------------------------------------------------------------------------- */

static enum status check_epochs(struct cluster_state *s, const struct control_header *h)
{
	if (h->controller_epoch < s->controller_epoch) {
		diag_warn("control_request_refused", "controller=%d controller_epoch=%d present_epoch=%d reason=stale_controller",
			(int)h->controller_id, (int)h->controller_epoch, (int)s->controller_epoch);
		return STATUS_STALE_CONTROLLER_EPOCH;
	}
	/* A larger broker epoch than ours is legal: the controller may learn of our registration before we do. */
	if (h->broker_epoch != -1 && h->broker_epoch < s->broker_epoch) {
		diag_warn("control_request_refused", "controller=%d broker_epoch=%lld own_broker_epoch=%lld reason=stale_broker",
			(int)h->controller_id, (long long)h->broker_epoch, (long long)s->broker_epoch);
		return STATUS_STALE_BROKER_EPOCH;
	}
	if (h->controller_epoch > s->controller_epoch || h->controller_id != s->controller_id)
		diag_info("controller_changed", "controller=%d controller_epoch=%d", (int)h->controller_id,
			(int)h->controller_epoch);
	s->controller_epoch = h->controller_epoch;
	s->controller_id = h->controller_id;
	return STATUS_OK;
}

static void finish(struct control_job *job)
{
	job->done(job->arg, &job->response);
	control_response_fini(&job->response);
	control_request_fini(&job->request);
	for (size_t i = 0; i < job->topic_count; i++)
		free(job->topics[i]);
	free(job->topics);
	free(job);
}

static void go_on(struct cluster_state *s);

static void cluster_state_job_done(void *arg, struct control_partition_result *results, size_t count)
{
	struct control_job *job = arg;
	struct cluster_state *s = CAST(cluster_state, job->state);
	expect(s->under_way == job);
	s->under_way = NULL;
	job->response.results = results;
	job->response.result_count = count;
	finish(job);
	go_on(s);
}

/* What topics inherit has changed: the next image says so, and every replica hears of it. */
static void reconfigure_all(struct cluster_state *s, struct control_job *job)
{
	s->inherited_waits = false;
	struct topic_set set = {0};
	topic_set_share(&set, s->image);
	publish(s, &set, s->image->brokers, s->image->broker_count);
	role_orders_configure_all(&s->env, s->image, cluster_state_job_done, job);
}

static void reconfigure_some(struct cluster_state *s, struct control_job *job)
{
	s->overrides_wait = NULL;
	const char *const *topics = (const char *const *)job->topics;
	show_overrides(s, topics, job->topic_count);
	role_orders_configure(&s->env, topics, job->topic_count, cluster_state_job_done, job);
}

static void carry_out(struct cluster_state *s, struct control_job *job)
{
	switch (job->request.kind) {
	case CONTROL_UPDATE_METADATA:
		update_metadata(s, &job->request.update_metadata);
		cluster_state_job_done(job, NULL, 0);
		return;
	case CONTROL_LEADER_AND_ISR:
		expect(s->env.logs != NULL);
		role_orders_leader_and_isr(&s->env, &job->request.leader_and_isr, cluster_state_job_done, job);
		return;
	case CONTROL_STOP_REPLICA:
		expect(s->env.logs != NULL);
		role_orders_stop_replica(&s->env, &job->request.stop_replica, cluster_state_job_done, job);
		return;
	}
	unreachable("control request kind");
}

static void cluster_state_learned(void *arg)
{
	struct control_job *job = arg;
	struct cluster_state *s = CAST(cluster_state, job->state);
	expect(s->under_way == job);
	if (s->stopping) {
		job->response.status = STATUS_CANCELLED;
		cluster_state_job_done(job, NULL, 0);
		return;
	}
	carry_out(s, job);
}

/* Topics heard of for the first time have overrides of their own, which must be known before a log is opened or anybody is told of
 * the topic. One that was deleted and made again is heard of for the first time. */
static void learn_overrides(struct cluster_state *s, struct control_job *job, const struct control_topic *topics, size_t count)
{
	const char **names = check_calloc(count + 1, sizeof(*names));
	size_t n = 0;
	for (size_t i = 0; i < count; i++) {
		const struct control_topic *t = &topics[i];
		bool goes = t->partition_count > 0 && t->partitions[0].leader == LEADER_DURING_DELETE;
		if (goes || topic_name_check(slice_of_str(t->name)) != STATUS_OK)
			continue;
		const struct image_topic *old = cluster_image_topic(s->image, slice_of_str(t->name));
		if (old != NULL && !uuid_is_zero(&old->id) && !uuid_is_zero(&t->id) && !uuid_equal(&old->id, &t->id))
			topic_overrides_remove(s->env.overrides, t->name);
		names[n++] = t->name;
	}
	topic_overrides_learn(s->env.overrides, names, n, cluster_state_learned, job);
	free(names);
}

static void obey(struct cluster_state *s, struct control_job *job)
{
	s->under_way = job;
	if (job->kind == JOB_INHERITED) {
		reconfigure_all(s, job);
		return;
	}
	if (job->kind == JOB_OVERRIDES) {
		reconfigure_some(s, job);
		return;
	}
	const struct control_request *r = &job->request;
	job->response.status = check_epochs(s, &r->header);
	if (job->response.status != STATUS_OK)
		cluster_state_job_done(job, NULL, 0);
	else if (r->kind == CONTROL_UPDATE_METADATA)
		learn_overrides(s, job, r->update_metadata.topics, r->update_metadata.topic_count);
	else if (r->kind == CONTROL_LEADER_AND_ISR)
		learn_overrides(s, job, r->leader_and_isr.topics, r->leader_and_isr.topic_count);
	else
		carry_out(s, job);
}

static struct control_job *pop(struct cluster_state *s)
{
	struct control_job *job = s->queue;
	s->queue = job->next;
	if (s->queue == NULL)
		s->queue_end = &s->queue;
	s->queued--;
	return job;
}

/* Carries out what is queued. Not reentered: a request done at once comes back here from within. */
static void go_on(struct cluster_state *s)
{
	if (s->draining)
		return;
	s->draining = true;
	while (s->stopping && s->queue != NULL) {
		struct control_job *job = pop(s);
		job->response.status = STATUS_CANCELLED;
		finish(job);
	}
	while (s->under_way == NULL && s->queue != NULL && s->broker_epoch >= 0 && !s->stopping)
		obey(s, pop(s));
	s->draining = false;
	if (s->stopping && s->under_way == NULL && s->stopped != NULL) {
		void (*stopped)(void *arg) = s->stopped;
		s->stopped = NULL;
		stopped(s->stopped_arg);
	}
}

static void enqueue(struct cluster_state *s, struct control_job *job)
{
	*s->queue_end = job;
	s->queue_end = &job->next;
	s->queued++;
	go_on(s);
}

void cluster_state_control(struct cluster_state *s, struct control_request *request, cluster_state_done_fn done, void *arg)
{
	check(s);
	struct control_job *job = check_calloc(1, sizeof(*job));
	*job = (struct control_job){.state = s, .request = *request, .done = done, .arg = arg};
	*request = (struct control_request){.kind = request->kind};
	if (s->stopping || s->queued >= QUEUE_MAX) {
		job->response.status = s->stopping ? STATUS_CANCELLED : STATUS_REQUEST_TIMED_OUT;
		finish(job);
		return;
	}
	enqueue(s, job);
}

void cluster_state_stop(struct cluster_state *s, void (*done)(void *arg), void *arg)
{
	check(s);
	expect(!s->stopping);
	s->stopping = true;
	s->stopped = done;
	s->stopped_arg = arg;
	topic_overrides_hurry(s->env.overrides);
	go_on(s);
}

/* --- start ----------------------------------------------------------------------------------------------------------------- */

void cluster_state_set_identity(struct cluster_state *s, const char *cluster_id, int32_t broker_id)
{
	check(s);
	expect(s->cluster_id == NULL && broker_id >= 0);
	s->cluster_id = check_strdup(cluster_id);
	s->broker_id = broker_id;
}

/* Both kinds are known before logs are opened: retention must not run with settings that were overridden. */
static void configs_known(struct cluster_state *s, enum status status)
{
	void (*loaded)(void *arg, enum status s) = s->configs_loaded;
	if (loaded == NULL || (status == STATUS_OK && (!s->topic_configs_known || !broker_overrides_known(s->broker_overrides))))
		return;
	s->configs_loaded = NULL;
	loaded(s->configs_loaded_arg, status);
}

static void cluster_state_reconfigured(void *arg, const struct control_response *response)
{
	(void)response;
	(void)CAST(cluster_state, arg);
}

static struct control_job *job_of_our_own(struct cluster_state *s, enum job_kind kind)
{
	struct control_job *job = check_calloc(1, sizeof(*job));
	*job = (struct control_job){.state = s, .kind = kind, .done = cluster_state_reconfigured, .arg = s};
	return job;
}

static void cluster_state_overrides_changed(void *arg, const char *topic)
{
	struct cluster_state *s = CAST(cluster_state, arg);
	if (s->stopping)
		return;
	struct control_job *job = s->overrides_wait;
	if (job == NULL)
		job = job_of_our_own(s, JOB_OVERRIDES);
	job->topics = check_realloc(job->topics, (job->topic_count + 1) * sizeof(*job->topics));
	job->topics[job->topic_count++] = check_strdup(topic);
	if (s->overrides_wait != NULL)
		return;
	s->overrides_wait = job;
	enqueue(s, job);
}

static void cluster_state_topics_loaded(void *arg, enum status status)
{
	struct cluster_state *s = CAST(cluster_state, arg);
	s->topic_configs_known = status == STATUS_OK;
	if (status == STATUS_OK)
		topic_overrides_follow(s->env.overrides, cluster_state_overrides_changed, s);
	configs_known(s, status);
}

static void cluster_state_broker_overrides_changed(void *arg)
{
	struct cluster_state *s = CAST(cluster_state, arg);
	topic_overrides_set_defaults(s->env.overrides, broker_overrides_topic_defaults(s->broker_overrides));
	configs_known(s, STATUS_OK);
	if (s->stopping || s->inherited_waits || s->configs_loaded != NULL || !s->topic_configs_known)
		return;
	s->inherited_waits = true;
	enqueue(s, job_of_our_own(s, JOB_INHERITED));
}

void cluster_state_load_configs(struct cluster_state *s, struct zk_client *zk, void (*done)(void *arg, enum status s),
	void *arg)
{
	check(s);
	expect(s->broker_id >= 0 && s->configs_loaded == NULL);
	s->configs_loaded = done;
	s->configs_loaded_arg = arg;
	topic_overrides_load(s->env.overrides, zk, cluster_state_topics_loaded, s);
	broker_overrides_watch(s->broker_overrides, zk, s->broker_id, cluster_state_broker_overrides_changed, s);
}

void cluster_state_leave_zk(struct cluster_state *s)
{
	CHECK_MAGIC(cluster_state, s);
	broker_overrides_unwatch(s->broker_overrides);
	topic_overrides_leave(s->env.overrides);
}

void cluster_state_topic_settings(void *arg, const char *topic, struct topic_settings *ret_settings)
{
	struct cluster_state *s = CAST(cluster_state, arg);
	topic_overrides_effective(s->env.overrides, topic, ret_settings);
}

static void cluster_state_host_logs_done(void *arg, struct control_partition_result *results, size_t count)
{
	struct cluster_state *s = CAST(cluster_state, arg);
	expect(results == NULL && count == 0);
	s->hosted(s->hosted_arg, STATUS_OK);
}

void cluster_state_host_logs(struct cluster_state *s, struct log_manager *logs, void (*done)(void *arg, enum status s), void *arg)
{
	check(s);
	expect(s->env.logs == NULL && logs != NULL);
	s->env.logs = logs;
	s->hosted = done;
	s->hosted_arg = arg;
	role_orders_host(&s->env, cluster_state_host_logs_done, s);
}

void cluster_state_set_broker_epoch(struct cluster_state *s, int64_t broker_epoch)
{
	check(s);
	expect(broker_epoch >= 0);
	s->broker_epoch = broker_epoch;
	tell_controller_changed(s);
	go_on(s);
}

int64_t cluster_state_broker_epoch(const struct cluster_state *s)
{
	CHECK_MAGIC(cluster_state, s);
	return s->broker_epoch;
}

struct cluster_image *cluster_state_image(const struct cluster_state *s)
{
	CHECK_MAGIC(cluster_state, s);
	return s->image;
}

/* Shared by broker.c (building, running, taking apart), broker_start.c and broker_stop.c (the two sequences). */
#ifndef BROKER_INTERNAL_H
#define BROKER_INTERNAL_H

#include "admin/admin_http.h"
#include "broker.h"
#include "broker_journal.h"
#include "broker_listeners.h"
#include "cluster/cluster_identity.h"
#include "cluster/cluster_state.h"
#include "controller/controller.h"
#include "coordinator-client/zk_session.h"
#include "coordinator-client/zk_standalone.h"
#include "kafka/kafka_dispatch.h"
#include "native/native_dispatch.h"
#include "replica/replica_checkpoints.h"
#include "replica/replica_cleaner.h"
#include "runtime/blocking_pool.h"
#include "service/admin_service.h"

struct broker_controller;
struct broker_controller_link;
struct event;
struct group_coordinator;
struct producer_ids;

/* How far the start has come; each step begins when the one before has answered. On the cluster loop:
 *   CONNECTING -> IDENTIFYING -> CONFIGURING -> LOADING -> HOSTING -> REGISTERING -> SERVING
 *        any of them -> STOPPING -> STOPPED */
enum broker_phase {
	BROKER_CONNECTING,  /* waits for ZooKeeper */
	BROKER_IDENTIFYING, /* whose cluster is it, who are we */
	BROKER_CONFIGURING, /* reads the topics' settings */
	BROKER_LOADING,     /* opens the logs */
	BROKER_HOSTING,     /* hands them to their loops */
	BROKER_REGISTERING, /* listens; /brokers/ids */
	BROKER_SERVING,
	BROKER_STOPPING,
	BROKER_STOPPED,
	BROKER_PHASE_COUNT,
};
const char *broker_phase_text(enum broker_phase p);

enum { BROKER_MAIN_HOLDERS = 1, BROKER_SIGNALS = 3 };

struct broker {
	unsigned magic;
	const struct broker_options *options;
	const struct settings *settings;
	struct broker_listeners listeners;
	struct random random; /* cluster loop */
	_Atomic int phase;    /* enum broker_phase; written on the cluster loop */
	_Atomic int zk_state; /* enum zk_state, for the status page */
	_Atomic int exit_status;

	/* Threads. main: signals, watchdog, status page. cluster: ZooKeeper's answers, cluster state, controller. */
	struct event_loop *main_loop, *cluster_loop;
	struct scheduler *main, *cluster;
	struct loop_group *loops;
	int loop_count;
	struct blocking_pool *pool;

	/* Coordination */
	struct broker_journal *journal; /* standalone */
	struct zk_tree *tree;           /* standalone */
	struct zk_client *zk;
	struct loop_timer connect_timer;
	int64_t connect_deadline_us;

	/* Cluster and replicas */
	struct cluster_image_holder **holders; /* one per loop, then main's */
	struct replica_manager **managers;
	struct replica_host *hosts;
	struct replica_router router;
	struct replica_cleaner_slots cleaner_slots;
	struct cluster_state *state;
	struct log_manager *logs;
	struct replica_checkpoints *checkpoints;
	struct broker_registration *registration;
	struct broker_controller *controller; /* NULL: process.roles without controller */
	struct broker_controller_link *controller_link;
	char *cluster_id;
	int32_t broker_id;

	/* Services and fronts */
	struct admin_service *admin;
	struct producer_ids *producer_ids;       /* cluster loop */
	struct group_coordinator **coordinators; /* one per loop */
	struct service_loop **services;          /* one per loop */
	struct group_lag *lag;
	struct native_dispatch *native;
	struct kafka_dispatch *kafka;
	struct net_server *server;

	/* Main loop */
	struct event *signals[BROKER_SIGNALS];
	struct admin_http *http;
	struct admin_http_loop *http_loops;
	struct cluster_image_watcher ready_watcher;
	struct task registered_task;
	struct loop_timer ready_timer;
	int64_t ready_since_us; /* 0: not registered, or not told of by the controller */
	bool registered, announced;

	/* The stop */
	bool stop_requested; /* cluster loop */
	bool stop_begun;     /* main loop */
	struct task stop_task, drained_task, stopped_task, fail_task;
	struct loop_timer stop_timer;
	struct broker_hurry {
		struct task task;
		struct broker *broker;
		struct service_loop *service;
		struct group_coordinator *coordinator;
	} *hurries; /* one per loop */
	_Atomic int hurrying;
	bool cluster_started, loops_started;
};
MAGIC(broker, 0x42524b52);

/* --- broker.c --- */
void broker_move(struct broker *b, enum broker_phase to);
enum broker_phase broker_phase_of(const struct broker *b);

/* --- broker_start.c: on the cluster loop, but for prepare --- */
/* On the main thread, before any loop runs: everything up to the wait for ZooKeeper. */
MUST_CHECK enum status broker_start_prepare(struct broker *b, struct failure *ret_failure);
void broker_start_zk_state(void *arg, enum zk_state state);

/* --- broker_stop.c --- */
/* Any loop. One clear line, then a stop with this exit status. */
void broker_stop_fail(struct broker *b, int exit_status, const char *event, const char *text);
/* Main loop: SIGTERM, or a failure. */
void broker_stop_begin(struct broker *b);
/* Cluster loop: a step of the start has answered while a stop was wanted; the rest of the stop follows. False: go on. */
bool broker_stop_wanted(struct broker *b);

#endif

/* The controller candidate hosted by a broker; absent with process.roles=broker. On the cluster loop. */
#ifndef BROKER_CONTROLLER_H
#define BROKER_CONTROLLER_H

#include "coordinator-client/zk_client.h"

struct broker;
struct controller;
void broker_controller_start(struct broker *b);
/* The broker is registered: nobody else lives under its id. */
void broker_controller_registered(struct broker *b);
/* This process holds the broker id: whoever had the controller's seat under it is dead. */
void broker_controller_claim_id(struct broker *b);
void broker_controller_zk_state(struct broker *b, enum zk_state state);
/* Gives the seat up if it is ours; done on the cluster loop, now or later. */
void broker_controller_stop(struct broker *b, void (*done)(struct broker *b));
void broker_controller_free(struct broker *b);
/* For kafka_dispatch_options: arg is the broker. NULL: no candidate here. */
struct controller *broker_controller_of(void *arg);

#endif

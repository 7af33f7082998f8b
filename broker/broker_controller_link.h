/* The broker's own way to the active controller, whichever process that is. On the cluster loop. */
#ifndef BROKER_CONTROLLER_LINK_H
#define BROKER_CONTROLLER_LINK_H

struct broker;
struct controller_channel;
/* Once the broker's id is known. */
void broker_controller_link_make(struct broker *b);
/* NULL before. */
struct controller_channel *broker_controller_link_channel(const struct broker *b);
/* For cluster_state_options: arg is the broker. */
void broker_controller_link_changed(void *arg);
/* What is under way ends with CANCELLED. */
void broker_controller_link_stop(struct broker *b);
/* After the loops have ended. */
void broker_controller_link_free(struct broker *b);

#endif

/* The controller's requests: LeaderAndIsr, StopReplica, UpdateMetadata; and what brokers ask of it: AlterPartition, ControlledShutdown,
 * AllocateProducerIds. */
#include "base/diag.h"
#include "config/settings.h"
#include "kafka/kafka_call.h"
#include "kafka/kafka_handlers.h"
#include "service/control_service.h"
#include "service/controller_service.h"
#include "wire/control_codec.h"
#include "wire/controller_codec.h"

struct interbroker_call {
	struct kafka_call *call;
	enum control_kind kind;
	struct control_call control;
};

static void answer(struct kafka_call *c, enum control_kind kind, const struct control_response *response)
{
	void *body = NULL;
	if (control_codec_response_to_body(kind, c->header.api_version, c->body, response, &c->request->arena, &body) == STATUS_OK)
		kafka_call_answer(c, body, NULL);
	else
		kafka_call_abort_memory(c);
}

static void refuse(struct kafka_call *c, enum control_kind kind, enum status s, const char *why)
{
	diag_warn("control_request_refused", "peer=%s listener=%s api=%s text=\"%s\"", request_peer(c->request),
		request_listener(c->request), c->api->name, why);
	answer(c, kind, &(struct control_response){.status = s});
}

static void obeyed(struct control_call *control)
{
	struct interbroker_call *i = control->arg;
	answer(CAST(kafka_call, i->call), i->kind, &control->response);
}

/* Brokers talk to each other on a listener of their own, if one is named; there and nowhere else the controller is heard. */
static bool among_brokers(const struct kafka_call *c)
{
	const char *wanted = c->service->settings->inter_broker_listener_name;
	return wanted[0] == '\0' || strcasecmp(wanted, request_listener(c->request)) == 0;
}

static void obey(struct kafka_call *c, enum control_kind kind)
{
	const struct kafka_dispatch_options *o = &c->dispatch->options;
	struct failure f;
	if (o->state == NULL || !among_brokers(c)) {
		refuse(c, kind, STATUS_CLUSTER_AUTHORIZATION_FAILED, "the controller is obeyed on inter.broker.listener.name only");
		return;
	}
	struct interbroker_call *i = kafka_call_array(c, 1, sizeof(*i));
	if (i == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	*i = (struct interbroker_call){.call = c, .kind = kind};
	i->control = (struct control_call){
		.home = c->service->scheduler,
		.cluster = o->cluster,
		.state = o->state,
		.done = obeyed,
		.arg = i,
	};
	if (control_codec_request_from_body(kind, c->header.api_version, c->body, &i->control.request, &f) != STATUS_OK) {
		refuse(c, kind, f.status, f.text);
		return;
	}
	request_release_frame(c->request);
	control_service_start(&i->control);
}

void kafka_interbroker_leader_and_isr(struct kafka_call *c)
{
	obey(c, CONTROL_LEADER_AND_ISR);
}

void kafka_interbroker_stop_replica(struct kafka_call *c)
{
	obey(c, CONTROL_STOP_REPLICA);
}

void kafka_interbroker_update_metadata(struct kafka_call *c)
{
	obey(c, CONTROL_UPDATE_METADATA);
}

/* --- to the controller ----------------------------------------------------------------------------------------------------- */

struct upward_call {
	struct kafka_call *call;
	struct controller_call controller;
};

static void answer_upward(struct kafka_call *c, enum status s, void *body)
{
	if (s == STATUS_OK)
		kafka_call_answer(c, body, NULL);
	else
		kafka_call_abort_memory(c);
}

static void altered(struct kafka_call *c, const struct alter_partition_response *response)
{
	void *body = NULL;
	enum status s = controller_codec_altered_to_body(response, &c->request->arena, &body);
	answer_upward(c, s, body);
}

static void shut_down(struct kafka_call *c, const struct controlled_shutdown_response *response)
{
	void *body = NULL;
	enum status s = controller_codec_shut_down_to_body(response, &c->request->arena, &body);
	answer_upward(c, s, body);
}

static void given(struct kafka_call *c, const struct controller_call_ids *ids)
{
	struct kafka_allocate_producer_ids_response m;
	kafka_messages_init(c->api->response, &m);
	m.error_code = status_code(ids->status);
	m.producer_id_start = ids->first;
	m.producer_id_len = ids->count;
	kafka_call_answer(c, &m, NULL);
}

static void decided(struct controller_call *controller)
{
	struct upward_call *u = controller->arg;
	struct kafka_call *c = CAST(kafka_call, u->call);
	if (controller->kind == CONTROLLER_CALL_ALTER)
		altered(c, &controller->altered);
	else if (controller->kind == CONTROLLER_CALL_SHUTDOWN)
		shut_down(c, &controller->shut_down);
	else
		given(c, &controller->ids);
}

/* OK: ask it. */
static enum status check_upward(const struct kafka_call *c)
{
	if (!among_brokers(c))
		return STATUS_CLUSTER_AUTHORIZATION_FAILED;
	return c->dispatch->options.controller == NULL ? STATUS_NOT_CONTROLLER : STATUS_OK;
}

static struct upward_call *upward(struct kafka_call *c, enum controller_call_kind kind)
{
	const struct kafka_dispatch_options *o = &c->dispatch->options;
	struct upward_call *u = kafka_call_array(c, 1, sizeof(*u));
	if (u == NULL)
		return NULL;
	*u = (struct upward_call){.call = c};
	u->controller = (struct controller_call){
		.home = c->service->scheduler,
		.cluster = o->cluster,
		.controller = o->controller,
		.controller_arg = o->controller_arg,
		.producer_ids = c->service->producer_ids,
		.kind = kind,
		.done = decided,
		.arg = u,
	};
	return u;
}

void kafka_interbroker_alter_partition(struct kafka_call *c)
{
	struct upward_call *u = upward(c, CONTROLLER_CALL_ALTER);
	if (u == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	enum status s = check_upward(c);
	if (s == STATUS_OK)
		s = controller_codec_alter_from_body(c->header.api_version, c->body, &u->controller.alter);
	if (s == STATUS_OK)
		controller_service_start(&u->controller);
	else
		altered(c, &(struct alter_partition_response){.status = s});
}

void kafka_interbroker_controlled_shutdown(struct kafka_call *c)
{
	struct upward_call *u = upward(c, CONTROLLER_CALL_SHUTDOWN);
	if (u == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	enum status s = check_upward(c);
	if (s == STATUS_OK)
		s = controller_codec_shutdown_from_body(c->body, &u->controller.shutdown);
	if (s == STATUS_OK)
		controller_service_start(&u->controller);
	else
		shut_down(c, &(struct controlled_shutdown_response){.status = s});
}

void kafka_interbroker_allocate_producer_ids(struct kafka_call *c)
{
	struct upward_call *u = upward(c, CONTROLLER_CALL_PRODUCER_IDS);
	if (u == NULL) {
		kafka_call_abort_memory(c);
		return;
	}
	enum status s = check_upward(c);
	if (s == STATUS_OK)
		controller_service_start(&u->controller);
	else
		given(c, &(struct controller_call_ids){.status = s});
}

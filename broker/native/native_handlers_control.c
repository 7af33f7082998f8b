/* The controller's requests. */
#include "native/native_call.h"
#include "native/native_handlers.h"
#include "service/control_service.h"
#include "wire/control_codec.h"

struct native_control {
	struct native_call *call;
	struct control_call control;
};

static void obeyed(struct control_call *control)
{
	struct native_control *n = control->arg;
	struct native_call *c = CAST(native_call, n->call);
	Correio__ResponseHeader header;
	enum status s = control->response.status;
	if (s != STATUS_OK) {
		native_call_fail(c, s, "Control: %s", status_text(s));
		return;
	}
	correio__response_header__init(&header);
	header.response_case = CORREIO__RESPONSE_HEADER__RESPONSE_CONTROL;
	if (control_codec_response_to_message(&control->response, &c->request->arena, &header.control) != STATUS_OK) {
		native_call_fail_memory(c);
		return;
	}
	native_call_answer(c, &header, NULL);
}

void native_handlers_control(struct native_call *c)
{
	const struct native_dispatch_options *o = &c->dispatch->options;
	struct native_control *n = native_call_array(c, 1, sizeof(*n));
	struct failure f;
	if (o->state == NULL) {
		native_call_fail(c, STATUS_INVALID_REQUEST, "Control: this process is no broker");
		return;
	}
	if (n == NULL) {
		native_call_fail_memory(c);
		return;
	}
	n->call = c;
	n->control = (struct control_call){
		.home = c->service->scheduler,
		.cluster = o->cluster,
		.state = o->state,
		.done = obeyed,
		.arg = n,
	};
	if (control_codec_request_from_message(c->header->control, &n->control.request, &f) != STATUS_OK) {
		native_call_fail(c, f.status, "Control: %s", f.text);
		return;
	}
	request_release_frame(c->request);
	control_service_start(&n->control);
}

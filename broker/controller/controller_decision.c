#include "controller/controller_decision.h"
#include <stdlib.h>

void controller_decision_init(struct controller_decision *d)
{
	*d = (struct controller_decision){0};
}

void controller_write_fini(struct controller_write *w)
{
	free(w->topic);
	free(w->path);
	free(w->data);
	*w = (struct controller_write){0};
}

void controller_decision_fini(struct controller_decision *d)
{
	for (size_t i = 0; i < d->write_count; i++)
		controller_write_fini(&d->writes[i]);
	for (size_t i = 0; i < d->send_count; i++)
		control_request_fini(&d->sends[i].request);
	free(d->writes);
	free(d->sends);
	free(d->reads);
	*d = (struct controller_decision){0};
}

/* Room for one more; capacity doubles. */
static void *grown(void *items, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return items;
	*capacity = *capacity == 0 ? 16 : *capacity * 2;
	return check_realloc(items, *capacity * size);
}

struct controller_write *controller_decision_add_write(struct controller_decision *d, enum controller_write_kind kind,
	enum zk_op_kind op, const char *path, char *data)
{
	expect(op != ZK_OP_CHECK && path[0] == '/');
	d->writes = grown(d->writes, d->write_count, &d->write_capacity, sizeof *d->writes);
	struct controller_write *w = &d->writes[d->write_count++];
	*w = (struct controller_write){.kind = kind, .op = op, .path = check_strdup(path), .data = data,
		.version = ZK_ANY_VERSION, .partition = -1};
	return w;
}

void controller_decision_name(struct controller_write *w, const char *topic, int32_t partition)
{
	expect(w->topic == NULL);
	w->topic = check_strdup(topic);
	w->partition = partition;
}

void controller_decision_add_send(struct controller_decision *d, int32_t broker_id, struct control_request *request)
{
	d->sends = grown(d->sends, d->send_count, &d->send_capacity, sizeof *d->sends);
	d->sends[d->send_count++] = (struct controller_send){.broker_id = broker_id, .request = *request};
	*request = (struct control_request){0};
}

void controller_decision_add_read(struct controller_decision *d, const char *topic, int32_t partition)
{
	d->reads = grown(d->reads, d->read_count, &d->read_capacity, sizeof *d->reads);
	enum status s = topic_partition_set(&d->reads[d->read_count].tp, slice_of_str(topic), partition);
	expect(s == STATUS_OK);
	d->read_count++;
}

const char *controller_write_kind_name(enum controller_write_kind k)
{
	static const char *const names[] = {"directory", "state", "topic", "place-config", "place-topic", "place-done",
		"erase", "remove"};
	expect((size_t)k < sizeof names / sizeof names[0]);
	return names[k];
}

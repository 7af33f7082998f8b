/* The idempotent producer's id, and the numbers of its batches: by them a broker knows a repeated batch again. At most one
 * batch of a partition is in flight, so a number is given when a batch is first sent, and counts once it is stored. */
#include "tools/client/producer_internal.h"
#include "storage/producer_state.h"

enum { ACKS_ALL = -1, ASK_AGAIN_US = 100000 };

void producer_identity_init(struct correio_producer *p)
{
	p->identity.wanted = p->options->enable_idempotence && p->options->acks == ACKS_ALL;
	p->identity.id = -1;
}

static int64_t backoff_us(const struct correio_producer *p)
{
	int64_t ms = p->options->retry_backoff_ms;
	for (int64_t i = 1; i < p->identity.attempts && ms < p->options->retry_backoff_max_ms; i++)
		ms *= 2;
	return (ms < p->options->retry_backoff_max_ms ? ms : p->options->retry_backoff_max_ms) * 1000;
}

static void init_done(void *arg, struct client_response *response)
{
	struct correio_producer *p = CAST(correio_producer, arg);
	const Correio__ResponseHeader *h = response->header;
	p->identity.asking = false;
	if (h != NULL && h->error_code == status_code(STATUS_UNSUPPORTED_VERSION)) {
		p->identity.wanted = false; /* a broker of before there were ids: as with acks=1, retries may duplicate */
	} else if (h != NULL && h->error_code == 0 && h->response_case == CORREIO__RESPONSE_HEADER__RESPONSE_INIT_PRODUCER &&
		h->init_producer->producer_id >= 0 && h->init_producer->producer_epoch >= 0 &&
		h->init_producer->producer_epoch <= INT16_MAX) {
		p->identity.id = h->init_producer->producer_id;
		p->identity.epoch = (int16_t)h->init_producer->producer_epoch;
		p->identity.attempts = 0;
		p->identity.failure.code = 0;
	} else {
		p->identity.failure = response->error;
		if (h != NULL)
			(void)client_error_from_broker(&p->identity.failure,
				h->error_code != 0 ? h->error_code : CORREIO_ERR_PROTOCOL, h->error_message, "init producer");
		p->identity.not_before_us = producer_now_us() + backoff_us(p);
	}
}

void producer_identity_ask(struct correio_producer *p, int64_t now_us)
{
	if (!p->identity.wanted || p->identity.id >= 0 || p->identity.asking || now_us < p->identity.not_before_us)
		return;
	struct client_connection *c = client_cluster_any(p->cluster, now_us);
	if (c == NULL) {
		p->identity.not_before_us = now_us + ASK_AGAIN_US;
		return;
	}
	char none[] = "";
	Correio__InitProducerRequest init = CORREIO__INIT_PRODUCER_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	init.transactional_id = none;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_INIT_PRODUCER;
	header.init_producer = &init;
	struct client_request *r = client_cluster_request(p->cluster, &header, NULL, 0, 0);
	r->done = init_done;
	r->arg = p;
	p->identity.asking = true;
	p->identity.attempts++;
	client_connection_send(c, r);
}

bool producer_identity_ready(const struct correio_producer *p, int64_t *ret_at_us)
{
	if (!p->identity.wanted || p->identity.id >= 0)
		return true;
	*ret_at_us = p->identity.asking ? INT64_MAX : p->identity.not_before_us;
	return false;
}

/* What is still under way under the old numbers is refused by the broker from the first batch of the new epoch on. */
static void begin_epoch(struct correio_producer *p, struct producer_partition *partition)
{
	partition->next_sequence = 0;
	if (partition->producer_epoch < INT16_MAX) {
		partition->producer_epoch++;
		return;
	}
	if (p->identity.id == partition->producer_id)
		p->identity.id = -1; /* used up: another one is asked for */
	partition->producer_id = -1;
}

void producer_identity_number(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b)
{
	if (!p->identity.wanted)
		return;
	expect(p->identity.id >= 0 && b->encoded.p == NULL);
	if (partition->producer_id < 0) {
		partition->producer_id = p->identity.id;
		partition->producer_epoch = p->identity.epoch;
		partition->next_sequence = 0;
	}
	b->sequence = partition->next_sequence;
	record_batch_builder_set_producer(b->builder, partition->producer_id, partition->producer_epoch, b->sequence);
}

void producer_identity_stored(struct correio_producer *p, struct producer_partition *partition, const struct producer_batch *b)
{
	if (!p->identity.wanted || partition->producer_id < 0)
		return;
	expect(b->sequence == partition->next_sequence);
	partition->next_sequence = producer_state_sequence_after(b->sequence, b->record_count);
}

void producer_identity_given_up(struct correio_producer *p, struct producer_partition *partition, const struct producer_batch *b)
{
	if (p->identity.wanted && b->encoded.p != NULL && partition->producer_id >= 0)
		begin_epoch(p, partition);
}

bool producer_identity_renumber(struct correio_producer *p, struct producer_partition *partition, struct producer_batch *b,
	int32_t code)
{
	bool numbers = code == status_code(STATUS_OUT_OF_ORDER_SEQUENCE_NUMBER) ||
		code == status_code(STATUS_INVALID_PRODUCER_EPOCH);
	if (!numbers || !p->identity.wanted || partition->producer_id < 0 || partition->producer_epoch == INT16_MAX)
		return false;
	begin_epoch(p, partition);
	b->sequence = 0;
	/* The builder's own memory, which nobody reads now. */
	record_batch_stamp_producer((uint8_t *)(uintptr_t)b->encoded.p, b->encoded.n, partition->producer_id,
		partition->producer_epoch, b->sequence);
	return true;
}

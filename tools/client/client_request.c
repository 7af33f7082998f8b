#include "tools/client/client_request.h"

struct client_request *client_request_new(Correio__RequestHeader *header, uint64_t correlation_id,
	const struct slice *payload, size_t payload_count)
{
	header->correlation_id = correlation_id;
	size_t header_size = correio__request_header__get_packed_size(header);
	size_t payload_size = 0;
	for (size_t i = 0; i < payload_count; i++)
		payload_size += payload[i].n;
	expect(header_size + payload_size < INT32_MAX);

	struct client_request *r = (struct client_request *)check_calloc(1, sizeof(*r));
	r->magic = client_request_magic;
	r->correlation_id = correlation_id;
	r->kind = header->request_case;
	r->part_count = (int)payload_count + 1;
	r->parts = (struct iovec *)check_calloc(payload_count + 1, sizeof(*r->parts));
	uint8_t *head = (uint8_t *)check_alloc(CLIENT_FRAME_PREFIX + header_size);
	bytes_put_i32(head, (int32_t)(4 + header_size + payload_size));
	bytes_put_i32(head + 4, (int32_t)header_size);
	size_t packed = correio__request_header__pack(header, head + CLIENT_FRAME_PREFIX);
	expect(packed == header_size);
	r->parts[0] = (struct iovec){.iov_base = head, .iov_len = CLIENT_FRAME_PREFIX + header_size};
	for (size_t i = 0; i < payload_count; i++) {
		/* iovec has no const; writev does not write. */
		union {
			const uint8_t *c;
			void *v;
		} base = {.c = payload[i].p};
		r->parts[i + 1] = (struct iovec){.iov_base = base.v, .iov_len = payload[i].n};
	}
	return r;
}

void client_request_free(struct client_request *r)
{
	CHECK_MAGIC(client_request, r);
	free(r->parts[0].iov_base);
	free(r->parts);
	r->magic = 0;
	free(r);
}

void client_request_fail(struct client_request *r, const struct correio_error *why)
{
	struct client_response response = {.error = *why};
	r->done(r->arg, &response);
	client_request_free(r);
}

int client_request_peek_iov(const struct client_request *r, struct iovec *iov, int max)
{
	int n = 0;
	size_t skip = r->part_at;
	for (int i = r->part; i < r->part_count && n < max; i++) {
		expect(skip <= r->parts[i].iov_len);
		iov[n].iov_base = (char *)r->parts[i].iov_base + skip;
		iov[n++].iov_len = r->parts[i].iov_len - skip;
		skip = 0;
	}
	return n;
}

size_t client_request_advance(struct client_request *r, size_t n)
{
	while (r->part < r->part_count) {
		size_t left = r->parts[r->part].iov_len - r->part_at;
		if (n < left) {
			r->part_at += n;
			return 0;
		}
		n -= left;
		r->part++;
		r->part_at = 0;
	}
	return n;
}

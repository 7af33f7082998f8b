/* From answers to the socket: fragments of memory by sendmsg, ranges of files by sendfile, in their order. */
#include "net/connection_internal.h"

#include "base/diag.h"
#include "base/metrics.h"

#include <event2/event.h>

enum { FRAGMENTS_KEPT = 64 };

static void watch_writable(struct connection *c, bool wanted)
{
	if (wanted == c->write_armed)
		return;
	int rc = wanted ? event_add(c->write_event, NULL) : event_del(c->write_event);
	if (rc != 0) {
		diag_error("connection_failed", "peer=%s cause=\"the event loop takes no more sockets\"", c->peer);
		connection_close(c);
		return;
	}
	c->write_armed = wanted;
}

void connection_flush(struct connection *c)
{
	expect(!c->closed);
	size_t left = WRITE_TURN_BYTES, sent = 0;
	while (c->out.size_bytes > 0 && left > 0) {
		size_t n = 0;
		if (stream_send_iobuf(&c->stream, &c->out, left, &n) != STATUS_OK) {
			/* The peer is gone, or was promised bytes that are not there: nothing right can follow. */
			connection_close(c);
			return;
		}
		if (n == 0)
			break;
		expect(n <= left && n <= c->response_bytes);
		iobuf_consume(&c->out, n);
		c->response_bytes -= n;
		left -= n;
		sent += n;
	}
	if (sent > 0) {
		metrics_add(METRIC_network_bytes_out, (int64_t)sent);
		net_loop_active(c->home, c, clock_monotonic_us(c->home->scheduler->clock));
	}
	if (c->out.count == 0 && c->out.capacity > FRAGMENTS_KEPT)
		iobuf_fini(&c->out); /* an idle connection keeps little */
	/* What is left goes out when the socket has room, after the other connections had their turn. */
	watch_writable(c, c->out.size_bytes > 0);
}

void connection_writable(int fd, short what, void *arg)
{
	(void)what;
	struct connection *c = CAST(connection, arg);
	expect(!c->closed && fd == c->stream.fd);
	event_loop_set_running(c->home->loop, "connection_write");
	connection_flush(c);
	connection_mark_dirty(c); /* reading may go on, or all is said */
	event_loop_set_running(c->home->loop, NULL);
}

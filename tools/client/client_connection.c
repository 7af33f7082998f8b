#include "tools/client/client_connection.h"
#include "base/clock.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	IOV_MAX_PER_WRITE = 64,
	FRAMES_PER_TURN = 16, /* then other connections get their turn */
	PREFACE_SIZE = 8,
};


enum connection_state { CONN_IDLE, CONN_CONNECTING, CONN_OPEN };

struct request_list {
	struct client_request *first, **last;
	size_t count;
};

struct client_connection {
	unsigned magic;
	const struct client_options *options;
	char *host;
	int32_t port;
	enum connection_state state;
	int fd;
	struct addrinfo *addresses, *next_address; /* of this attempt */
	int64_t setup_deadline_us, retry_at_us;
	int64_t backoff_ms;
	struct correio_error failure; /* code 0: none */

	char preface[PREFACE_SIZE]; /* a native connection begins with it; iovec knows no const */
	size_t preface_left;
	uint32_t peer_max_frame_bytes; /* from its hello; 0 not known yet */
	struct request_list queued;  /* the first may be half sent */
	struct request_list awaited; /* answers come in this order */

	uint8_t prefix[CLIENT_FRAME_PREFIX];
	size_t prefix_at;
	struct iobuf_block *frame;
	size_t frame_at, header_size;
};
MAGIC(client_connection, 0x434c434e);

static void list_init(struct request_list *l)
{
	l->first = NULL;
	l->last = &l->first;
	l->count = 0;
}

static void list_push(struct request_list *l, struct client_request *r)
{
	r->next = NULL;
	*l->last = r;
	l->last = &r->next;
	l->count++;
}

static struct client_request *list_pop(struct request_list *l)
{
	struct client_request *r = l->first;
	expect(r != NULL && l->count > 0);
	l->first = r->next;
	if (l->first == NULL)
		l->last = &l->first;
	l->count--;
	r->next = NULL;
	return r;
}

struct client_connection *client_connection_new(const struct client_options *options, const char *host, int32_t port)
{
	expect(port > 0 && port <= 65535);
	struct client_connection *c = (struct client_connection *)check_calloc(1, sizeof(*c));
	c->magic = client_connection_magic;
	c->options = options;
	c->host = check_strdup(host);
	c->port = port;
	c->fd = -1;
	list_init(&c->queued);
	list_init(&c->awaited);
	return c;
}

static void drop_addresses(struct client_connection *c)
{
	if (c->addresses != NULL)
		freeaddrinfo(c->addresses);
	c->addresses = NULL;
	c->next_address = NULL;
}

static void close_socket(struct client_connection *c)
{
	if (c->fd >= 0)
		(void)close(c->fd);
	c->fd = -1;
	c->state = CONN_IDLE;
	if (c->frame != NULL)
		iobuf_block_shared_unref(c->frame);
	c->frame = NULL;
	c->prefix_at = 0;
	c->frame_at = 0;
}

/* Fails every request. The lists are taken first: callbacks may send again. */
static void fail_requests(struct client_connection *c, const struct correio_error *why)
{
	struct request_list lists[2] = {c->awaited, c->queued};
	list_init(&c->awaited);
	list_init(&c->queued);
	for (int i = 0; i < 2; i++) {
		for (struct client_request *r = lists[i].first, *next; r != NULL; r = next) {
			next = r->next;
			client_request_fail(r, why);
		}
	}
}

void client_connection_free(struct client_connection *c)
{
	if (c == NULL)
		return;
	CHECK_MAGIC(client_connection, c);
	struct correio_error why;
	(void)client_error_code(&why, CORREIO_ERR_CLOSED, false, "the client is being closed");
	close_socket(c);
	drop_addresses(c);
	fail_requests(c, &why);
	expect(c->queued.count == 0);
	free(c->host);
	c->magic = 0;
	free(c);
}

/* The connection is lost or was never made: close, back off, tell everybody. */
static void connection_failed(struct client_connection *c, int code, const char *why)
{
	int64_t now_us = clock_monotonic_us(clock_system());
	const struct client_options *o = c->options;
	c->backoff_ms = c->backoff_ms == 0 ? o->reconnect_backoff_ms : c->backoff_ms * 2;
	if (c->backoff_ms > o->reconnect_backoff_max_ms)
		c->backoff_ms = o->reconnect_backoff_max_ms;
	c->retry_at_us = now_us + c->backoff_ms * 1000;
	close_socket(c);
	drop_addresses(c);
	struct correio_error error;
	(void)client_error_code(&error, code, code != CORREIO_ERR_PROTOCOL, "broker %s:%d: %s", c->host, (int)c->port, why);
	c->failure = error;
	fail_requests(c, &error);
}

static void hello_done(void *arg, struct client_response *response)
{
	struct client_connection *c = CAST(client_connection, arg);
	if (response->header == NULL || response->header->response_case != CORREIO__RESPONSE_HEADER__RESPONSE_HELLO)
		return;
	c->peer_max_frame_bytes = response->header->hello->max_frame_bytes;
}

/* The first request of a connection. Nobody waits for the answer: what follows is sent with it. */
static void queue_hello(struct client_connection *c)
{
	Correio__HelloRequest hello = CORREIO__HELLO_REQUEST__INIT;
	Correio__RequestHeader header = CORREIO__REQUEST_HEADER__INIT;
	char software[] = "libcorreio", version[] = PACKAGE_VERSION;
	hello.client_id = c->options->client_id;
	hello.client_software_name = software;
	hello.client_software_version = version;
	header.request_case = CORREIO__REQUEST_HEADER__REQUEST_HELLO;
	header.hello = &hello;
	struct client_request *r = client_request_new(&header, 0, NULL, 0);
	r->done = hello_done;
	r->arg = c;
	r->deadline_us = clock_monotonic_us(clock_system()) + c->options->request_timeout_ms * 1000;
	struct request_list rest = c->queued;
	list_init(&c->queued);
	list_push(&c->queued, r);
	if (rest.count > 0) {
		r->next = rest.first;
		c->queued.last = rest.last;
		c->queued.count += rest.count;
	}
}

static void connected(struct client_connection *c)
{
	int one = 1;
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	drop_addresses(c);
	c->state = CONN_OPEN;
	memcpy(c->preface, "CORREIO1", PREFACE_SIZE);
	c->preface_left = PREFACE_SIZE;
	queue_hello(c);
}

/* Tries the addresses left; on the last failure the attempt is over. */
static void connect_next(struct client_connection *c, int last_errno)
{
	while (c->next_address != NULL) {
		struct addrinfo *a = c->next_address;
		c->next_address = a->ai_next;
		c->fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
		if (c->fd < 0) {
			last_errno = errno;
			continue;
		}
		if (connect(c->fd, a->ai_addr, a->ai_addrlen) == 0) {
			connected(c);
			return;
		}
		if (errno == EINPROGRESS) {
			c->state = CONN_CONNECTING;
			return;
		}
		last_errno = errno;
		(void)close(c->fd);
		c->fd = -1;
	}
	char why[160], detail[96];
	(void)snprintf(why, sizeof(why), "cannot connect: %s; is a broker listening there?",
		strerror_r(last_errno, detail, sizeof(detail)));
	connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION, why);
}

static void connection_start(struct client_connection *c, int64_t now_us)
{
	expect(c->state == CONN_IDLE && c->fd < 0);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	char port[8];
	(void)snprintf(port, sizeof(port), "%d", (int)c->port);
	drop_addresses(c);
	/* May ask a name server and so block for as long as its timeout; only when connecting. */
	int rc = getaddrinfo(c->host, port, &hints, &c->addresses);
	if (rc != 0) {
		char why[160];
		(void)snprintf(why, sizeof(why), "cannot resolve the host name: %s", gai_strerror(rc));
		c->addresses = NULL;
		connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION, why);
		return;
	}
	c->next_address = c->addresses;
	c->setup_deadline_us = now_us + c->options->socket_connection_setup_timeout_ms * 1000;
	connect_next(c, 0);
}

void client_connection_send(struct client_connection *c, struct client_request *r)
{
	CHECK_MAGIC(client_connection, c);
	CHECK_MAGIC(client_request, r);
	list_push(&c->queued, r);
}

bool client_connection_ready(const struct client_connection *c, int64_t now_us)
{
	return c->state == CONN_OPEN || (c->state == CONN_IDLE && now_us >= c->retry_at_us);
}

int64_t client_connection_retry_at_us(const struct client_connection *c)
{
	return c->retry_at_us;
}

const struct correio_error *client_connection_failure(const struct client_connection *c)
{
	return c->failure.code != 0 ? &c->failure : NULL;
}

size_t client_connection_in_flight(const struct client_connection *c)
{
	return c->queued.count + c->awaited.count;
}

uint32_t client_connection_peer_max_frame(const struct client_connection *c)
{
	return c->peer_max_frame_bytes;
}

const char *client_connection_host(const struct client_connection *c)
{
	return c->host;
}

int32_t client_connection_port(const struct client_connection *c)
{
	return c->port;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

void client_connection_prepare(struct client_connection *c, struct pollfd *ret_pollfd, int64_t *deadline_us)
{
	CHECK_MAGIC(client_connection, c);
	*ret_pollfd = (struct pollfd){.fd = c->fd};
	if (c->state == CONN_OPEN) {
		ret_pollfd->events = POLLIN;
		if (c->queued.count > 0 || c->preface_left > 0)
			ret_pollfd->events |= POLLOUT;
	} else if (c->state == CONN_CONNECTING) {
		ret_pollfd->events = POLLOUT;
		*deadline_us = earlier(*deadline_us, c->setup_deadline_us);
	} else if (c->queued.count > 0) {
		*deadline_us = earlier(*deadline_us, c->retry_at_us);
	}
	if (c->awaited.count > 0)
		*deadline_us = earlier(*deadline_us, c->awaited.first->deadline_us);
	if (c->queued.count > 0)
		*deadline_us = earlier(*deadline_us, c->queued.first->deadline_us);
}

/* ---- out ---- */

static int gather_iov(struct client_connection *c, struct iovec *iov)
{
	int n = 0;
	if (c->preface_left > 0) {
		iov[n++] = (struct iovec){.iov_base = c->preface + PREFACE_SIZE - c->preface_left,
			.iov_len = c->preface_left};
	}
	for (struct client_request *r = c->queued.first; r != NULL && n < IOV_MAX_PER_WRITE; r = r->next)
		n += client_request_peek_iov(r, iov + n, IOV_MAX_PER_WRITE - n);
	return n;
}

/* n bytes are gone: moves requests that are wholly sent to the awaited ones. */
static void wrote(struct client_connection *c, size_t n)
{
	size_t of_preface = n < c->preface_left ? n : c->preface_left;
	c->preface_left -= of_preface;
	n -= of_preface;
	while (n > 0) {
		struct client_request *r = c->queued.first;
		expect(r != NULL);
		n = client_request_advance(r, n);
		if (r->part < r->part_count)
			break;
		(void)list_pop(&c->queued);
		if (!r->silent) {
			list_push(&c->awaited, r);
			continue;
		}
		struct client_response sent = {.header = NULL};
		r->done(r->arg, &sent);
		client_request_free(r);
	}
}

static void write_queued(struct client_connection *c)
{
	while (c->state == CONN_OPEN && (c->queued.count > 0 || c->preface_left > 0)) {
		struct iovec iov[IOV_MAX_PER_WRITE];
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)gather_iov(c, iov)};
		ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			char detail[96];
			connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION, strerror_r(errno, detail, sizeof(detail)));
			return;
		}
		wrote(c, (size_t)n);
	}
}

/* ---- in ---- */

/* Matches one whole answer with its request. */
static void frame_complete(struct client_connection *c)
{
	struct iobuf_block *block = c->frame;
	c->frame = NULL;
	c->prefix_at = 0;
	if (c->awaited.count == 0) {
		iobuf_block_shared_unref(block);
		connection_failed(c, CORREIO_ERR_PROTOCOL, "sent an answer nobody had asked for");
		return;
	}
	Correio__ResponseHeader *header = correio__response_header__unpack(NULL, c->header_size, block->data);
	if (header == NULL || header->correlation_id != c->awaited.first->correlation_id) {
		if (header != NULL)
			correio__response_header__free_unpacked(header, NULL);
		iobuf_block_shared_unref(block);
		connection_failed(c, CORREIO_ERR_PROTOCOL, "sent an answer that cannot be understood or is out of order");
		return;
	}
	c->backoff_ms = 0;
	c->failure.code = 0;
	struct client_request *r = list_pop(&c->awaited);
	struct client_response response = {
		.header = header,
		.block = block,
		.payload = slice_of(block->data + c->header_size, block->size - c->header_size),
	};
	r->done(r->arg, &response);
	if (!response.header_taken)
		correio__response_header__free_unpacked(header, NULL);
	iobuf_block_shared_unref(block);
	client_request_free(r);
}

/* The eight bytes are there: checks both lengths and makes room. */
static bool frame_begin(struct client_connection *c)
{
	uint32_t frame_size = bytes_get_u32(c->prefix);
	uint32_t header_size = bytes_get_u32(c->prefix + 4);
	if (frame_size < 4 || header_size > frame_size - 4 || (int64_t)frame_size > c->options->receive_message_max_bytes) {
		char why[160];
		(void)snprintf(why, sizeof(why),
			"sent a frame of %u bytes with a header of %u; not a native Correio listener, or raise "
			"receive.message.max.bytes",
			frame_size, header_size);
		connection_failed(c, CORREIO_ERR_PROTOCOL, why);
		return false;
	}
	c->header_size = header_size;
	c->frame_at = 0;
	/* size 0 is a frame of nothing at all: an empty header is a valid protobuf */
	c->frame = iobuf_block_new(frame_size > 4 ? frame_size - 4 : 1);
	if (c->frame == NULL) {
		connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION, "no memory for the answer");
		return false;
	}
	c->frame->size = frame_size - 4;
	return true;
}

/* Reads into p[*at..size). True when it is full. */
static bool read_into(struct client_connection *c, uint8_t *p, size_t *at, size_t size)
{
	while (*at < size) {
		ssize_t n = recv(c->fd, p + *at, size - *at, 0);
		if (n > 0) {
			*at += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return false;
		char detail[96];
		const char *why = n == 0 ? "closed the connection" : strerror_r(errno, detail, sizeof(detail));
		connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION, why);
		return false;
	}
	return true;
}

static void read_frames(struct client_connection *c)
{
	for (int i = 0; i < FRAMES_PER_TURN && c->state == CONN_OPEN; i++) {
		if (c->frame == NULL) {
			if (!read_into(c, c->prefix, &c->prefix_at, CLIENT_FRAME_PREFIX) || !frame_begin(c))
				return;
		}
		if (!read_into(c, c->frame->data, &c->frame_at, c->frame->size))
			return;
		frame_complete(c);
	}
}

/* ---- one turn ---- */

static void connecting(struct client_connection *c, short revents, int64_t now_us)
{
	if (revents == 0) {
		if (now_us >= c->setup_deadline_us)
			connection_failed(c, CORREIO_ERR_NETWORK_EXCEPTION,
				"no connection within socket.connection.setup.timeout.ms");
		return;
	}
	int error = 0;
	socklen_t size = sizeof(error);
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error == 0) {
		connected(c);
		return;
	}
	(void)close(c->fd);
	c->fd = -1;
	c->state = CONN_IDLE;
	connect_next(c, error);
}

/* Answers come in order: one that is overdue means that none behind it will come either. */
static void check_deadlines(struct client_connection *c, int64_t now_us)
{
	bool late = c->awaited.count > 0 && now_us >= c->awaited.first->deadline_us;
	late = late || (c->queued.count > 0 && now_us >= c->queued.first->deadline_us);
	if (late)
		connection_failed(c, CORREIO_ERR_REQUEST_TIMED_OUT, "no answer within request.timeout.ms");
}

void client_connection_process(struct client_connection *c, short revents, int64_t now_us)
{
	CHECK_MAGIC(client_connection, c);
	if (c->state == CONN_IDLE && c->queued.count > 0 && now_us >= c->retry_at_us)
		connection_start(c, now_us);
	if (c->state == CONN_CONNECTING)
		connecting(c, revents, now_us);
	if (c->state == CONN_OPEN && (revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		read_frames(c);
	if (c->state == CONN_OPEN)
		write_queued(c);
	check_deadlines(c, now_us);
}

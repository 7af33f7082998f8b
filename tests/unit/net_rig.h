/* A server with a front that does what the first byte of each frame says, and a client of plain sockets, for the tests
 * of net/. Frames: u32 length, command, whatever. */
#ifndef TESTS_UNIT_NET_RIG_H
#define TESTS_UNIT_NET_RIG_H

#include "net/server.h"
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum rig_command {
	RIG_ECHO = 'e',    /* answered at once with its own bytes, by reference */
	RIG_HOLD = 'h',    /* kept; answered like ECHO when told */
	RIG_RELEASE = 'r', /* answers those kept on this loop, last first, then itself */
	RIG_FILE = 'f',    /* u32 size: answered with that many bytes of the rig's file behind 4 bytes of length */
	RIG_SILENT = 's',
	RIG_REFUSE = 'x', /* the front returns an error */
	RIG_ABORT = 'a',
	RIG_LETTER = 'l', /* answered by a letter from the loop to itself: in a later part of the turn */
	RIG_DROP = 'd',   /* kept, and its frame released */
};
enum { RIG_LOOPS_MAX = 4, RIG_MAX_FRAME = 64 * 1024 * 1024, RIG_WAIT_MS = 20000 };

struct rig_held {
	struct task release;
	struct request *requests[4096];
	size_t n;
};
struct rig {
	struct loop_group *group;
	struct net_server *server;
	struct connection_front front;
	struct iobuf_file file;
	size_t file_size;
	atomic_size_t seen, seen_bytes;
	atomic_bool hold_no_more; /* after rig_release_everywhere HOLD and DROP are answered at once */
	struct rig_held held[RIG_LOOPS_MAX];
	int port;
};

struct rig_letter {
	struct task task;
	struct request *request;
};

static inline void rig_answer(struct request *r)
{
	uint8_t length[4];
	bytes_put_i32(length, (int32_t)r->frame.n);
	iobuf_append_copy(&r->response, slice_of(length, sizeof(length)));
	iobuf_append_block(&r->response, r->block, r->frame.p, r->frame.n);
	request_complete(r);
}

static inline void rig_answer_kept(struct request *r)
{
	static const uint8_t dropped[5] = {0, 0, 0, 1, 'D'};
	if (r->block != NULL) {
		rig_answer(r);
		return;
	}
	iobuf_append_copy(&r->response, slice_of(dropped, sizeof(dropped)));
	request_complete(r);
}

static inline void rig_release(struct rig_held *held)
{
	while (held->n > 0)
		rig_answer_kept(held->requests[--held->n]);
}

static inline void rig_letter_arrived(struct task *t)
{
	struct request *r = CONTAINER_OF(t, struct rig_letter, task)->request;
	rig_answer(r);
}

static inline void rig_answer_file(struct rig *rig, struct request *r)
{
	expect(r->frame.n >= 5);
	uint32_t size = bytes_get_u32(r->frame.p + 1);
	uint8_t length[4];
	bytes_put_i32(length, (int32_t)size);
	iobuf_append_copy(&r->response, slice_of(length, sizeof(length)));
	iobuf_append_file(&r->response, &rig->file, 0, size);
	request_complete(r);
}

static inline enum status rig_request(void *ctx, struct request *r)
{
	struct rig *rig = ctx;
	struct rig_held *held = &rig->held[event_loop_index(event_loop_of(r->loop))];
	struct rig_letter *letter;
	atomic_fetch_add(&rig->seen, 1);
	atomic_fetch_add(&rig->seen_bytes, r->frame.n);
	switch (r->frame.p[0]) {
	case RIG_ECHO:
		rig_answer(r);
		break;
	case RIG_DROP:
	case RIG_HOLD:
		expect(held->n < 4096);
		held->requests[held->n++] = r;
		if (r->frame.p[0] == RIG_DROP)
			request_release_frame(r);
		if (atomic_load(&rig->hold_no_more))
			rig_release(held);
		break;
	case RIG_RELEASE:
		rig_release(held);
		rig_answer(r);
		break;
	case RIG_FILE:
		rig_answer_file(rig, r);
		break;
	case RIG_SILENT:
		request_complete_silent(r);
		break;
	case RIG_ABORT:
		request_abort(r, "the test wants it");
		break;
	case RIG_LETTER:
		letter = arena_calloc(&r->arena, 1, sizeof(*letter));
		expect(letter != NULL);
		letter->request = r;
		task_init(&letter->task, "rig_letter", rig_letter_arrived);
		scheduler_post(r->loop, &letter->task);
		break;
	default:
		return STATUS_INVALID_REQUEST;
	}
	return STATUS_OK;
}

static inline void rig_file_unused(struct iobuf_file *f)
{
	(void)f;
}

static inline uint8_t rig_file_byte(size_t at)
{
	return (uint8_t)(at * 7 + (at >> 8));
}

static inline void rig_make_file(struct rig *rig, size_t size)
{
	int fd = memfd_create("rig", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	uint8_t *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert(p != MAP_FAILED);
	for (size_t i = 0; i < size; i++)
		p[i] = rig_file_byte(i);
	munmap(p, size);
	rig->file.fd = fd;
	rig->file.free = rig_file_unused;
	atomic_init(&rig->file.refs, 1);
	rig->file_size = size;
}

/* loops running, one listener on 127.0.0.1, the rig's front for native (and for kafka too). */
static inline struct rig *rig_new(int loops, struct connection_limits limits)
{
	struct rig *rig = check_calloc(1, sizeof(*rig));
	struct failure failure = {.text = ""};
	rig->front = (struct connection_front){
		.name = "rig", .request = rig_request, .ctx = rig, .max_frame_bytes = RIG_MAX_FRAME};
	rig->file.fd = -1;
	ck_assert_int_eq(loop_group_new(loops, clock_system(), &rig->group), STATUS_OK);
	struct net_listener_spec spec = {.name = "TEST", .host = "127.0.0.1", .port = 0};
	struct net_server_options options = {.loops = rig->group,
		.native_front = &rig->front,
		.limits = limits,
		.listeners = &spec,
		.listener_count = 1};
	ck_assert_msg(net_server_new(&options, &failure, &rig->server) == STATUS_OK, "%s", failure.text);
	rig->port = net_server_port(rig->server, 0);
	ck_assert_int_gt(rig->port, 0);
	net_server_start(rig->server);
	ck_assert_int_eq(loop_group_start(rig->group), STATUS_OK);
	return rig;
}

static inline void rig_free(struct rig *rig)
{
	loop_group_stop(rig->group);
	net_server_free(rig->server);
	loop_group_free(rig->group);
	if (rig->file.fd >= 0)
		close(rig->file.fd);
	free(rig);
}

static inline void rig_release_here(struct task *t)
{
	rig_release(CONTAINER_OF(t, struct rig_held, release));
}

/* Answers all that is held, on every loop. Once per rig. */
static inline void rig_release_everywhere(struct rig *rig)
{
	atomic_store(&rig->hold_no_more, true);
	for (int i = 0; i < loop_group_count(rig->group); i++) {
		task_init(&rig->held[i].release, "rig_release", rig_release_here);
		scheduler_post(loop_group_scheduler(rig->group, i), &rig->held[i].release);
	}
}

/* ---- the client ---- */

static inline int rig_connect(int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	struct timeval tv = {.tv_sec = RIG_WAIT_MS / 1000};
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), 0);
	return fd;
}

static inline void rig_send(int fd, const void *p, size_t n)
{
	const uint8_t *at = p;
	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);
		ck_assert_msg(sent > 0, "send: errno %d", errno);
		at += sent;
		n -= (size_t)sent;
	}
}

static inline void rig_recv(int fd, void *p, size_t n)
{
	uint8_t *at = p;
	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);
		ck_assert_msg(got > 0, "recv: %zd, errno %d, %zu bytes missing", got, errno, n);
		at += got;
		n -= (size_t)got;
	}
}

/* The server closed (by FIN or reset), and sent nothing before. */
static inline void rig_expect_closed(int fd)
{
	char c;
	ssize_t got = recv(fd, &c, 1, 0);
	ck_assert_msg(got == 0 || (got < 0 && errno == ECONNRESET), "recv: %zd, errno %d", got, errno);
}

/* Writes length, command and n - 1 bytes that depend on seed; returns what it takes: 4 + n. */
static inline size_t rig_put(uint8_t *out, enum rig_command command, size_t n, unsigned seed)
{
	bytes_put_i32(out, (int32_t)n);
	out[4] = (uint8_t)command;
	for (size_t i = 1; i < n; i++)
		out[4 + i] = (uint8_t)(seed * 31 + i);
	return 4 + n;
}

static inline void rig_send_frame(int fd, enum rig_command command, size_t n, unsigned seed)
{
	uint8_t *frame = check_alloc(4 + n);
	rig_send(fd, frame, rig_put(frame, command, n, seed));
	free(frame);
}

/* The next answer is the frame of these arguments. */
static inline void rig_expect_frame(int fd, enum rig_command command, size_t n, unsigned seed)
{
	uint8_t *want = check_alloc(4 + n), *got = check_alloc(4 + n);
	rig_put(want, command, n, seed);
	rig_recv(fd, got, 4 + n);
	ck_assert_mem_eq(got, want, 4 + n);
	free(want);
	free(got);
}

/* Connected, greeted with the preface and one small echo. */
static inline int rig_client(const struct rig *rig)
{
	int fd = rig_connect(rig->port);
	rig_send(fd, "CORREIO1", 8);
	rig_send_frame(fd, RIG_ECHO, 10, 1);
	rig_expect_frame(fd, RIG_ECHO, 10, 1);
	return fd;
}

/* Sends out and receives in at once, as a client with two threads would. */
static inline void rig_exchange(int fd, const uint8_t *out, size_t n_out, uint8_t *in, size_t n_in)
{
	while (n_out > 0 || n_in > 0) {
		struct pollfd p = {.fd = fd, .events = (short)((n_out > 0 ? POLLOUT : 0) | (n_in > 0 ? POLLIN : 0))};
		ck_assert_msg(poll(&p, 1, RIG_WAIT_MS) == 1, "stuck: %zu to send, %zu to receive", n_out, n_in);
		if ((p.revents & POLLIN) != 0 || (p.revents & POLLOUT) == 0) {
			ssize_t got = recv(fd, in, n_in, MSG_DONTWAIT);
			ck_assert_msg(got > 0, "recv: %zd, errno %d", got, errno);
			in += got;
			n_in -= (size_t)got;
		}
		if ((p.revents & POLLOUT) != 0 && n_out > 0) {
			ssize_t sent = send(fd, out, n_out, MSG_DONTWAIT | MSG_NOSIGNAL);
			ck_assert_msg(sent > 0 || errno == EAGAIN, "send: errno %d", errno);
			if (sent > 0) {
				out += sent;
				n_out -= (size_t)sent;
			}
		}
	}
}

/* Sends as much of out as the server takes, until it takes nothing for quiet_ms; returns how much. */
static inline size_t rig_push(int fd, const uint8_t *out, size_t n, int quiet_ms)
{
	size_t done = 0;
	while (done < n) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		if (poll(&p, 1, quiet_ms) == 0)
			break;
		ssize_t sent = send(fd, out + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
		ck_assert_msg(sent > 0 || errno == EAGAIN, "send: errno %d", errno);
		if (sent > 0)
			done += (size_t)sent;
	}
	return done;
}

/* Waits (yielding) until *what reaches n; fails after RIG_WAIT_MS. */
static inline void rig_await(const atomic_size_t *what, size_t n)
{
	int64_t until = clock_monotonic_us(clock_system()) + RIG_WAIT_MS * 1000;
	while (atomic_load(what) < n) {
		ck_assert_msg(clock_monotonic_us(clock_system()) < until, "%zu of %zu", atomic_load(what), n);
		sched_yield();
	}
}

static inline void rig_await_request_bytes(const struct rig *rig, size_t at_least)
{
	int64_t until = clock_monotonic_us(clock_system()) + RIG_WAIT_MS * 1000;
	while (net_server_request_bytes(rig->server) < at_least) {
		ck_assert_msg(clock_monotonic_us(clock_system()) < until, "%zu bytes, not %zu",
			net_server_request_bytes(rig->server), at_least);
		sched_yield();
	}
}

static inline void rig_await_connections(const struct rig *rig, size_t n)
{
	int64_t until = clock_monotonic_us(clock_system()) + RIG_WAIT_MS * 1000;
	while (net_server_connection_count(rig->server) != n) {
		ck_assert_msg(clock_monotonic_us(clock_system()) < until, "%zu connections, not %zu",
			net_server_connection_count(rig->server), n);
		sched_yield();
	}
}

#endif

/* Connections over loopback: order, bounds, hostile peers, time-outs, ends. */
#include "net_rig.h"

#include "base/diag.h"
#include "base/metrics.h"
#include "base/random.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

enum { QUIET_MS = 150, KIB = 1024, MIB = 1024 * 1024, SCRATCH_OF_A_LOOP = 64 * KIB };

static const struct connection_limits defaults = {0};

/* ---- order ---- */

static void check_pipelining(int loops, enum rig_command command, size_t frames, size_t size_max)
{
	struct rig *rig = rig_new(loops, defaults);
	struct random dice;
	random_seed(&dice, 7);
	size_t room = frames * (4 + size_max), n = 0;
	uint8_t *out = check_alloc(room), *in = check_alloc(room);
	for (size_t i = 0; i < frames; i++)
		n += rig_put(out + n, command, 1 + random_below(&dice, size_max), (unsigned)i);
	for (int c = 0; c < 3; c++) {
		int fd = rig_client(rig);
		rig_exchange(fd, out, n, in, n);
		ck_assert_mem_eq(in, out, n);
		close(fd);
	}
	ck_assert_uint_eq(atomic_load(&rig->seen), 3 * (frames + 1));
	free(out);
	free(in);
	rig_await_connections(rig, 0);
	ck_assert_uint_eq(net_server_request_bytes(rig->server), 0);
	rig_free(rig);
}

START_TEST(connection_pipelined_requests_are_answered_in_order)
{
	check_pipelining(1, RIG_ECHO, 5000, 3000);
	check_pipelining(4, RIG_ECHO, 5000, 3000);
	check_pipelining(4, RIG_LETTER, 5000, 300);
}
END_TEST

START_TEST(connection_large_frames_pass_whole)
{
	check_pipelining(2, RIG_ECHO, 12, 3 * MIB);
}
END_TEST

START_TEST(connection_answers_finished_out_of_order_are_sent_in_order)
{
	struct rig *rig = rig_new(1, defaults);
	int fd = rig_client(rig);
	for (unsigned i = 0; i < 20; i++)
		rig_send_frame(fd, i % 3 == 0 ? RIG_ECHO : RIG_HOLD, 50 + i, i);
	rig_send_frame(fd, RIG_RELEASE, 5, 99); /* finishes them last first */
	for (unsigned i = 0; i < 20; i++)
		rig_expect_frame(fd, i % 3 == 0 ? RIG_ECHO : RIG_HOLD, 50 + i, i);
	rig_expect_frame(fd, RIG_RELEASE, 5, 99);
	close(fd);
	rig_free(rig);
}
END_TEST

START_TEST(connection_silent_requests_are_not_answered)
{
	struct rig *rig = rig_new(1, defaults);
	int fd = rig_client(rig);
	rig_send_frame(fd, RIG_HOLD, 9, 1);
	rig_send_frame(fd, RIG_SILENT, 100, 2);
	rig_send_frame(fd, RIG_DROP, 9, 1);
	rig_send_frame(fd, RIG_RELEASE, 7, 3);
	rig_expect_frame(fd, RIG_HOLD, 9, 1);
	uint8_t dropped[5];
	rig_recv(fd, dropped, 5);
	ck_assert_int_eq(dropped[4], 'D');
	rig_expect_frame(fd, RIG_RELEASE, 7, 3);
	close(fd);
	rig_free(rig);
}
END_TEST

START_TEST(connection_bytes_one_by_one_make_frames)
{
	struct rig *rig = rig_new(1, defaults);
	int fd = rig_connect(rig->port);
	uint8_t bytes[8 + 2 * (4 + 20)];
	memcpy(bytes, "CORREIO1", 8);
	size_t n = 8;
	n += rig_put(bytes + n, RIG_ECHO, 20, 1);
	n += rig_put(bytes + n, RIG_ECHO, 20, 2);
	const int one = 1;
	ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	for (size_t i = 0; i < n; i++)
		rig_send(fd, bytes + i, 1);
	rig_expect_frame(fd, RIG_ECHO, 20, 1);
	rig_expect_frame(fd, RIG_ECHO, 20, 2);
	close(fd);
	rig_free(rig);
}
END_TEST

/* ---- ends ---- */

START_TEST(connection_half_closed_peer_gets_its_answers)
{
	struct rig *rig = rig_new(2, defaults);
	int fd = rig_client(rig);
	rig_send_frame(fd, RIG_HOLD, 30, 1);
	rig_send_frame(fd, RIG_ECHO, 30, 2);
	rig_await(&rig->seen, 3);
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	rig_release_everywhere(rig);
	rig_expect_frame(fd, RIG_HOLD, 30, 1);
	rig_expect_frame(fd, RIG_ECHO, 30, 2);
	rig_expect_closed(fd);
	close(fd);
	rig_await_connections(rig, 0);
	rig_free(rig);
}
END_TEST

START_TEST(connection_refused_request_closes_after_the_answers_before_it)
{
	const enum rig_command bad[] = {RIG_REFUSE, RIG_ABORT};
	struct rig *rig = rig_new(1, defaults);
	for (size_t i = 0; i < 2; i++) {
		int fd = rig_client(rig);
		uint8_t frames[256];
		size_t n = rig_put(frames, RIG_LETTER, 40, 1);
		n += rig_put(frames + n, bad[i], 10, 2);
		n += rig_put(frames + n, RIG_ECHO, 10, 3);
		rig_send(fd, frames, n);
		rig_expect_frame(fd, RIG_LETTER, 40, 1);
		rig_expect_closed(fd);
		close(fd);
	}
	rig_await_connections(rig, 0);
	rig_free(rig);
}
END_TEST

START_TEST(connection_gone_with_requests_under_way_is_forgotten)
{
	struct rig *rig = rig_new(2, defaults);
	for (int i = 0; i < 10; i++) {
		int fd = rig_client(rig);
		rig_send_frame(fd, RIG_HOLD, 1000, 1);
		rig_send_frame(fd, RIG_ECHO, 1000, 2);
		rig_await(&rig->seen, (size_t)(i + 1) * 3);
		/* A reset, so that the server closes before the answer is known. */
		struct linger reset = {.l_onoff = 1, .l_linger = 0};
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		close(fd);
	}
	rig_await_connections(rig, 0);
	ck_assert_uint_gt(net_server_request_bytes(rig->server), 0); /* the front has them still */
	rig_release_everywhere(rig);
	int fd = rig_client(rig); /* others notice nothing */
	close(fd);
	rig_await_connections(rig, 0);
	loop_group_stop(rig->group);
	ck_assert_uint_eq(net_server_request_bytes(rig->server), 0);
	rig_free(rig);
}
END_TEST

START_TEST(connection_requests_held_at_the_end_are_freed)
{
	struct rig *rig = rig_new(2, defaults);
	int fd = rig_client(rig), gone = rig_client(rig);
	rig_send_frame(fd, RIG_HOLD, 1000, 1);
	rig_send_frame(gone, RIG_HOLD, 1000, 1);
	rig_await(&rig->seen, 4);
	close(gone);
	rig_free(rig); /* LeakSanitizer checks the rest */
	close(fd);
}
END_TEST

START_TEST(server_drains_what_it_can_and_cuts_the_rest)
{
	struct rig *rig = rig_new(2, defaults);
	int idle = rig_client(rig), busy = rig_client(rig), stranger = rig_connect(rig->port);
	rig_await_connections(rig, 3);
	rig_send_frame(busy, RIG_HOLD, 100, 1);
	rig_await(&rig->seen, 3);
	ck_assert_uint_eq(net_server_close_connections(rig->server, 100), 1);
	rig_expect_closed(idle);
	rig_expect_closed(stranger);
	rig_expect_closed(busy);
	ck_assert_uint_eq(net_server_connection_count(rig->server), 0);
	close(idle);
	close(busy);
	close(stranger);
	rig_free(rig);
}
END_TEST

START_TEST(server_drain_waits_for_answers)
{
	struct rig *rig = rig_new(2, defaults);
	int busy = rig_client(rig);
	rig_send_frame(busy, RIG_LETTER, 100, 1);
	rig_await(&rig->seen, 2);
	ck_assert_uint_eq(net_server_close_connections(rig->server, RIG_WAIT_MS), 0);
	rig_expect_frame(busy, RIG_LETTER, 100, 1);
	rig_expect_closed(busy);
	close(busy);
	rig_free(rig);
}
END_TEST

/* ---- bounds ---- */

START_TEST(connection_reads_no_further_than_the_requests_in_flight)
{
	struct rig *rig = rig_new(1, (struct connection_limits){.requests_in_flight_max = 8});
	int fd = rig_client(rig);
	enum { FRAMES = 100, SIZE = 500 };
	uint8_t *out = check_alloc(FRAMES * (4 + SIZE)), *in = check_alloc(FRAMES * (4 + SIZE));
	size_t n = 0;
	for (unsigned i = 0; i < FRAMES; i++)
		n += rig_put(out + n, i < 8 ? RIG_HOLD : RIG_ECHO, SIZE, i);
	rig_send(fd, out, n);
	rig_await(&rig->seen, 9);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, QUIET_MS), 0);
	ck_assert_uint_eq(atomic_load(&rig->seen), 9); /* the greeting and eight */
	rig_release_everywhere(rig);
	rig_recv(fd, in, n);
	ck_assert_mem_eq(in, out, n);
	close(fd);
	free(out);
	free(in);
	rig_free(rig);
}
END_TEST

START_TEST(connection_that_does_not_read_its_answers_is_not_read)
{
	const size_t response_max = 256 * KIB;
	struct rig *rig = rig_new(1, (struct connection_limits){.response_bytes_max = response_max,
		.queued_max_request_bytes = 4 * MIB, .socket_send_buffer_bytes = 64 * KIB});
	int fd = rig_client(rig);
	enum { FRAMES = 1500, SIZE = 20 * KIB };
	size_t total = (size_t)FRAMES * (4 + SIZE), n = 0;
	uint8_t *out = check_alloc(total), *in = check_alloc(total);
	for (unsigned i = 0; i < FRAMES; i++)
		n += rig_put(out + n, RIG_ECHO, SIZE, i);
	size_t pushed = rig_push(fd, out, n, QUIET_MS);
	ck_assert_uint_lt(pushed, n); /* the server pushed back */
	/* What the front was given: the bound, what the kernel holds of answers, one read. */
	size_t kernel = 8 * MIB; /* tcp_rmem of the client, at most */
	ck_assert_uint_lt(atomic_load(&rig->seen_bytes), response_max + kernel + SCRATCH_OF_A_LOOP);
	ck_assert_uint_le(net_server_request_bytes(rig->server), SCRATCH_OF_A_LOOP + SIZE + 4);
	rig_exchange(fd, out + pushed, n - pushed, in, n);
	ck_assert_mem_eq(in, out, n);
	close(fd);
	free(out);
	free(in);
	rig_free(rig);
}
END_TEST

/* The loops may not have run yet: waits, up to a deadline, until the server holds that much. */
static size_t held_at_least(struct rig *rig, size_t wanted)
{
	size_t held = net_server_request_bytes(rig->server);
	for (int i = 0; held <= wanted && i < 2000; i++) {
		(void)poll(NULL, 0, 5);
		held = net_server_request_bytes(rig->server);
	}
	return held;
}

START_TEST(connection_budget_of_the_process_holds_and_frees_all)
{
	const size_t budget = 1 * MIB;
	struct rig *rig = rig_new(2, (struct connection_limits){.queued_max_request_bytes = budget});
	enum { CLIENTS = 8, SIZE = 60 * KIB, EACH = 20 };
	int fds[CLIENTS];
	uint8_t *out = check_alloc(EACH * (4 + SIZE)), *in = check_alloc(EACH * (4 + SIZE));
	size_t pushed[CLIENTS], n = 0;
	for (unsigned i = 0; i < EACH; i++)
		n += rig_put(out + n, RIG_HOLD, SIZE, i);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = rig_client(rig);
	for (int i = 0; i < CLIENTS; i++)
		pushed[i] = rig_push(fds[i], out, n, QUIET_MS / 3);
	/* Beyond the budget: one unit (a 64th) per loop, one frame that may be completed, a small read per connection, and
	 * the fixed cost of what came in the last reads. */
	size_t held = held_at_least(rig, budget / 2);
	ck_assert_uint_gt(held, budget / 2);
	ck_assert_uint_le(held, budget + 2 * (budget / 64) + SIZE + 4 + CLIENTS * 4 * KIB + 2 * KIB * 2);
	rig_release_everywhere(rig); /* room again: everyone goes on, to the end */
	for (int i = 0; i < CLIENTS; i++) {
		rig_exchange(fds[i], out + pushed[i], n - pushed[i], in, n);
		ck_assert_mem_eq(in, out, n);
		close(fds[i]);
	}
	free(out);
	free(in);
	rig_await_connections(rig, 0);
	loop_group_stop(rig->group);
	ck_assert_uint_eq(net_server_request_bytes(rig->server), 0);
	rig_free(rig);
}
END_TEST

START_TEST(connection_frames_half_there_do_not_wait_for_each_other)
{
	const size_t budget = 256 * KIB;
	struct rig *rig = rig_new(2, (struct connection_limits){.queued_max_request_bytes = budget});
	enum { CLIENTS = 6, SIZE = 200 * KIB, HALF = 100 * KIB };
	int fds[CLIENTS];
	uint8_t *out = check_alloc(4 + SIZE), *in = check_alloc(4 + SIZE);
	rig_put(out, RIG_ECHO, SIZE, 3);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = rig_client(rig);
		ck_assert_uint_eq(rig_push(fds[i], out, HALF, QUIET_MS), HALF);
	}
	for (int i = CLIENTS - 1; i >= 0; i--)
		rig_send(fds[i], out + HALF, 4 + SIZE - HALF);
	for (int i = 0; i < CLIENTS; i++) {
		rig_recv(fds[i], in, 4 + SIZE);
		ck_assert_mem_eq(in, out, 4 + SIZE);
		close(fds[i]);
	}
	free(out);
	free(in);
	rig_free(rig);
}
END_TEST

/* As followers' fetches do, on which the produce requests wait that use the budget up. */
START_TEST(connection_small_requests_pass_when_the_budget_is_used_up)
{
	struct rig *rig = rig_new(1, (struct connection_limits){.queued_max_request_bytes = 64 * KIB});
	int producer = rig_client(rig), pipelining = rig_client(rig);
	uint8_t *out = check_alloc(40 * (4 + 20 * KIB));
	size_t n = 0;
	for (unsigned i = 0; i < 40; i++)
		n += rig_put(out + n, RIG_HOLD, 20 * KIB, i);
	(void)rig_push(producer, out, n, QUIET_MS);
	rig_await_request_bytes(rig, 60 * KIB + 1);
	ck_assert_uint_lt(atomic_load(&rig->seen), 2 + 6);
	for (unsigned i = 0; i < 5; i++) {
		rig_send_frame(pipelining, RIG_LETTER, 100, i);
		rig_send_frame(pipelining, RIG_LETTER, 2000, i);
		int newcomer = rig_client(rig);
		rig_expect_frame(pipelining, RIG_LETTER, 100, i);
		rig_expect_frame(pipelining, RIG_LETTER, 2000, i);
		close(newcomer);
	}
	rig_send_frame(pipelining, RIG_RELEASE, 4 * KIB - 4, 1);
	close(producer);
	rig_expect_frame(pipelining, RIG_RELEASE, 4 * KIB - 4, 1);
	close(pipelining);
	free(out);
	rig_free(rig);
}
END_TEST

START_TEST(connection_frame_larger_than_the_budget_passes)
{
	struct rig *rig = rig_new(2, (struct connection_limits){.queued_max_request_bytes = 128 * KIB});
	int first = rig_client(rig), second = rig_client(rig);
	rig_send_frame(first, RIG_LETTER, 2 * MIB, 1);
	rig_send_frame(second, RIG_LETTER, 3 * MIB, 2);
	rig_expect_frame(first, RIG_LETTER, 2 * MIB, 1);
	rig_expect_frame(second, RIG_LETTER, 3 * MIB, 2);
	close(first);
	close(second);
	rig_free(rig);
}
END_TEST

/* ---- files ---- */

START_TEST(connection_file_ranges_reach_a_slow_reader_whole)
{
	struct rig *rig = rig_new(1, (struct connection_limits){.response_bytes_max = 1 * MIB});
	enum { FILE_BYTES = 4 * MIB, FETCHES = 200 };
	rig_make_file(rig, FILE_BYTES);
	int fd = rig_client(rig);
	uint8_t request[9];
	bytes_put_i32(request, 5);
	request[4] = RIG_FILE;
	bytes_put_u32(request + 5, FILE_BYTES);
	for (int i = 0; i < FETCHES; i++)
		rig_send(fd, request, sizeof(request));
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, RIG_WAIT_MS), 1);
	/* Nothing is read here: the server took one read of requests, and no more than may be under way. */
	ck_assert_uint_le(atomic_load(&rig->seen), 1 + 64);
	uint8_t *in = check_alloc(4 + FILE_BYTES);
	for (int i = 0; i < FETCHES; i++) {
		rig_recv(fd, in, 4 + FILE_BYTES);
		ck_assert_int_eq(bytes_get_i32(in), FILE_BYTES);
		for (size_t at = 0; at < FILE_BYTES; at += 4093)
			ck_assert_uint_eq(in[4 + at], rig_file_byte(at));
	}
	free(in);
	ck_assert_uint_eq(atomic_load(&rig->seen), 1 + FETCHES);
	close(fd);
	rig_await_connections(rig, 0);
	ck_assert_int_eq(atomic_load(&rig->file.refs), 1);
	rig_free(rig);
}
END_TEST

START_TEST(connection_file_shorter_than_promised_closes)
{
	struct rig *rig = rig_new(1, defaults);
	rig_make_file(rig, 1000);
	int fd = rig_client(rig);
	uint8_t request[9], got[1004];
	bytes_put_i32(request, 5);
	request[4] = RIG_FILE;
	bytes_put_u32(request + 5, 2000);
	rig_send(fd, request, sizeof(request));
	rig_recv(fd, got, sizeof(got));
	rig_expect_closed(fd);
	close(fd);
	rig_await_connections(rig, 0);
	ck_assert_int_eq(atomic_load(&rig->file.refs), 1);
	rig_free(rig);
}
END_TEST

/* ---- hostile ---- */

START_TEST(connection_impossible_lengths_are_refused)
{
	const int32_t lengths[] = {-1, 0, INT32_MAX, INT32_MIN, RIG_MAX_FRAME + 1};
	struct rig *rig = rig_new(1, defaults);
	int64_t refused = metrics_read(METRIC_frames_refused);
	int good = rig_client(rig);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint8_t length[8] = {0};
		bytes_put_i32(length, lengths[i]);
		int first = rig_connect(rig->port), later = rig_client(rig);
		rig_send(first, "CORREIO1", 8);
		rig_send(first, length, sizeof(length));
		rig_expect_closed(first);
		uint8_t frames[64];
		size_t n = rig_put(frames, RIG_LETTER, 20, 5); /* owed, and given */
		memcpy(frames + n, length, sizeof(length));
		rig_send(later, frames, n + sizeof(length));
		rig_expect_frame(later, RIG_LETTER, 20, 5);
		rig_expect_closed(later);
		close(first);
		close(later);
	}
	ck_assert_int_eq(metrics_read(METRIC_frames_refused) - refused, 10);
	rig_send_frame(good, RIG_ECHO, 20, 6);
	rig_expect_frame(good, RIG_ECHO, 20, 6);
	close(good);
	rig_free(rig);
}
END_TEST

START_TEST(connection_stranger_may_not_begin_with_a_large_frame)
{
	struct rig *rig = rig_new(1, defaults);
	int fits = rig_connect(rig->port), large = rig_connect(rig->port);
	rig_send(fits, "CORREIO1", 8);
	rig_send_frame(fits, RIG_ECHO, 4 * KIB, 1);
	rig_expect_frame(fits, RIG_ECHO, 4 * KIB, 1);
	uint8_t length[4];
	bytes_put_i32(length, 4 * KIB + 1);
	rig_send(large, "CORREIO1", 8);
	rig_send(large, length, 4);
	rig_expect_closed(large);
	close(fits);
	close(large);
	rig_free(rig);
}
END_TEST

/* Known by the command, which follows the length. */
static size_t echo_may_be_large(void *ctx, struct slice head)
{
	const struct rig *rig = ctx;
	ck_assert_uint_eq(head.n, 8);
	return head.p[4] == RIG_ECHO ? rig->front.max_frame_bytes : 0;
}

START_TEST(connection_front_may_let_a_large_frame_come_first)
{
	struct rig *rig = rig_new(1, defaults);
	struct connection_front front = rig->front;
	front.first_frame_max = echo_may_be_large;
	struct net_listener_spec spec = {.name = "KAFKA", .host = "127.0.0.1"};
	struct net_server_options options = {
		.loops = rig->group, .kafka_front = &front, .listeners = &spec, .listener_count = 1};
	struct net_server *kafka = NULL;
	ck_assert_int_eq(net_server_new(&options, NULL, &kafka), STATUS_OK);
	net_server_start(kafka);
	int known = rig_connect(net_server_port(kafka, 0)), unknown = rig_connect(net_server_port(kafka, 0));
	rig_send_frame(known, RIG_ECHO, 1024 * KIB, 1);
	rig_expect_frame(known, RIG_ECHO, 1024 * KIB, 1);
	uint8_t head[8] = {0};
	bytes_put_i32(head, 4 * KIB + 1);
	head[4] = RIG_LETTER;
	rig_send(unknown, head, 5); /* too few bytes to tell */
	rig_send(unknown, head + 5, 3);
	rig_expect_closed(unknown);
	close(known);
	close(unknown);
	ck_assert_uint_eq(net_server_close_connections(kafka, RIG_WAIT_MS), 0);
	loop_group_stop(rig->group);
	net_server_free(kafka);
	rig_free(rig);
}
END_TEST

static size_t resident_bytes(void)
{
	size_t size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%zu %zu", &size, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

START_TEST(connection_claims_of_length_cost_nothing)
{
	struct rig *rig = rig_new(2, (struct connection_limits){.queued_max_request_bytes = 16 * MIB});
	enum { CLIENTS = 300 };
	int fds[CLIENTS];
	int good = rig_client(rig);
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = rig_client(rig);
	size_t before = resident_bytes();
	for (int i = 0; i < CLIENTS; i++) {
		uint8_t claim[200] = {0};
		bytes_put_i32(claim, RIG_MAX_FRAME);
		rig_send(fds[i], claim, sizeof(claim));
	}
	rig_await_request_bytes(rig, CLIENTS * 200);
	ck_assert_uint_eq(net_server_request_bytes(rig->server), CLIENTS * 200);
	rig_send_frame(good, RIG_ECHO, 1 * MIB, 6);
	rig_expect_frame(good, RIG_ECHO, 1 * MIB, 6);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	ck_assert_uint_lt(resident_bytes() - before, 10 * MIB);
#else
	(void)before;
#endif
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(good);
	rig_await_connections(rig, 0);
	rig_free(rig);
}
END_TEST

START_TEST(connection_unknown_protocol_is_refused_or_goes_to_the_other_front)
{
	struct rig *rig = rig_new(1, defaults);
	int fd = rig_connect(rig->port), almost = rig_connect(rig->port);
	rig_send_frame(fd, RIG_ECHO, 20, 1); /* no preface: Kafka's, which is not served here */
	rig_expect_closed(fd);
	rig_send(almost, "CORREIO2", 8);
	rig_expect_closed(almost);
	close(fd);
	close(almost);
	struct net_listener_spec spec = {.name = "BOTH", .host = "127.0.0.1"};
	struct net_server_options options = {
		.loops = rig->group, .kafka_front = &rig->front, .listeners = &spec, .listener_count = 1};
	struct net_server *kafka = NULL;
	ck_assert_int_eq(net_server_new(&options, NULL, &kafka), STATUS_OK);
	net_server_start(kafka);
	fd = rig_connect(net_server_port(kafka, 0));
	rig_send_frame(fd, RIG_ECHO, 20, 1);
	rig_expect_frame(fd, RIG_ECHO, 20, 1);
	close(fd);
	ck_assert_uint_eq(net_server_close_connections(kafka, RIG_WAIT_MS), 0);
	loop_group_stop(rig->group);
	net_server_free(kafka);
	rig_free(rig);
}
END_TEST

/* ---- time ---- */

START_TEST(connection_without_a_whole_request_times_out)
{
	struct rig *rig = rig_new(1, (struct connection_limits){.first_bytes_timeout_ms = 100});
	int quiet = rig_connect(rig->port), partial = rig_connect(rig->port), fine = rig_client(rig);
	rig_send(partial, "CORREIO1\0\0\0\x20" "abc", 15);
	rig_expect_closed(quiet);
	rig_expect_closed(partial);
	rig_send_frame(fine, RIG_ECHO, 20, 1);
	rig_expect_frame(fine, RIG_ECHO, 20, 1);
	close(quiet);
	close(partial);
	close(fine);
	rig_free(rig);
}
END_TEST

START_TEST(connection_idle_is_closed_but_not_one_that_waits_for_an_answer)
{
	struct rig *rig = rig_new(1, (struct connection_limits){.idle_timeout_ms = 80});
	int waits = rig_client(rig), idle = rig_client(rig);
	rig_send_frame(waits, RIG_HOLD, 20, 1);
	rig_expect_closed(idle);
	struct pollfd p = {.fd = waits, .events = POLLIN};
	ck_assert_int_eq(poll(&p, 1, 200), 0);
	rig_release_everywhere(rig);
	rig_expect_frame(waits, RIG_HOLD, 20, 1);
	rig_expect_closed(waits);
	close(waits);
	close(idle);
	rig_free(rig);
}
END_TEST

START_TEST(connection_stalled_frame_gives_way_when_the_budget_is_used_up)
{
	const size_t budget = 256 * KIB;
	struct rig *rig = rig_new(
		1, (struct connection_limits){.queued_max_request_bytes = budget, .first_bytes_timeout_ms = 150});
	enum { SIZE = 300 * KIB };
	uint8_t *out = check_alloc(4 + SIZE);
	rig_put(out, RIG_ECHO, SIZE, 1);
	int stalled = rig_client(rig), good = rig_client(rig);
	rig_send(stalled, out, SIZE - 10); /* and no more: it holds the whole budget and the overdraft */
	rig_send(good, out, 4 + SIZE);
	rig_expect_closed(stalled);
	rig_expect_frame(good, RIG_ECHO, SIZE, 1);
	free(out);
	close(stalled);
	close(good);
	rig_free(rig);
}
END_TEST

/* ---- many ---- */

START_TEST(server_serves_many_connections_and_refuses_beyond_the_limit)
{
	enum { CLIENTS = 200 };
	struct rig *rig = rig_new(4, (struct connection_limits){.max_connections = CLIENTS});
	int fds[CLIENTS];
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = rig_client(rig);
	ck_assert_uint_eq(net_server_connection_count(rig->server), CLIENTS);
	ck_assert_int_eq(metrics_read(METRIC_connections), CLIENTS);
	int64_t refused = metrics_read(METRIC_connections_refused);
	int over = rig_connect(rig->port);
	rig_expect_closed(over);
	close(over);
	ck_assert_int_eq(metrics_read(METRIC_connections_refused), refused + 1);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < CLIENTS; i++)
			rig_send_frame(fds[i], RIG_LETTER, 100, (unsigned)i);
		for (int i = 0; i < CLIENTS; i++)
			rig_expect_frame(fds[i], RIG_LETTER, 100, (unsigned)i);
	}
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	rig_await_connections(rig, 0);
	int again = rig_client(rig);
	close(again);
	rig_free(rig);
}
END_TEST

START_TEST(server_survives_running_out_of_descriptors)
{
	struct rig *rig = rig_new(1, defaults);
	int good = rig_client(rig);
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rig->port)};
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	const struct rlimit few = {.rlim_cur = 64, .rlim_max = 64};
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), taken[64], n = 0;
	while (n < 64 && (taken[n] = dup(good)) >= 0)
		n++;
	ck_assert_int_lt(n, 64);
	ck_assert_int_eq(connect(late, (const struct sockaddr *)&in, sizeof(in)), 0); /* by the kernel; accept fails */
	rig_send_frame(good, RIG_ECHO, 20, 1);
	rig_expect_frame(good, RIG_ECHO, 20, 1);
	while (n > 0)
		close(taken[--n]);
	rig_send(late, "CORREIO1", 8);
	rig_send_frame(late, RIG_ECHO, 20, 2);
	rig_expect_frame(late, RIG_ECHO, 20, 2); /* accepted when there was room again */
	close(good);
	close(late);
	rig_free(rig);
}
END_TEST

/* ---- listening ---- */

START_TEST(server_names_the_address_it_cannot_have)
{
	struct rig *rig = rig_new(1, defaults);
	struct failure failure;
	struct net_server *second = NULL;
	struct net_listener_spec spec = {.name = "TEST", .host = "127.0.0.1", .port = rig->port};
	struct net_server_options options = {
		.loops = rig->group, .native_front = &rig->front, .listeners = &spec, .listener_count = 1};
	char address[32];
	snprintf(address, sizeof(address), "127.0.0.1:%d", rig->port);
	ck_assert_int_eq(net_server_new(&options, &failure, &second), STATUS_IO);
	ck_assert_ptr_nonnull(strstr(failure.text, address));
	spec.host = "no such host";
	ck_assert_int_eq(net_server_new(&options, &failure, &second), STATUS_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(failure.text, "no such host"));
	spec.port = 70000;
	ck_assert_int_eq(net_server_new(&options, &failure, &second), STATUS_INVALID_ARGUMENT);
	rig_free(rig);
}
END_TEST

START_TEST(server_listens_on_names_and_on_every_interface)
{
	struct rig *rig = rig_new(2, defaults);
	struct net_listener_spec specs[] = {{.name = "NAME", .host = "localhost"}, {.name = "ALL", .host = ""}};
	struct net_server_options options = {
		.loops = rig->group, .native_front = &rig->front, .listeners = specs, .listener_count = 2};
	struct net_server *server = NULL;
	struct failure failure = {.text = ""};
	ck_assert_msg(net_server_new(&options, &failure, &server) == STATUS_OK, "%s", failure.text);
	net_server_start(server);
	for (int i = 0; i < 2; i++) {
		int fd = rig_connect(net_server_port(server, i));
		rig_send(fd, "CORREIO1", 8);
		rig_send_frame(fd, RIG_ECHO, 20, 2);
		rig_expect_frame(fd, RIG_ECHO, 20, 2);
		close(fd);
	}
	ck_assert_uint_eq(net_server_close_connections(server, RIG_WAIT_MS), 0);
	loop_group_stop(rig->group);
	net_server_free(server);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("net_connection", connection_pipelined_requests_are_answered_in_order, connection_large_frames_pass_whole,
	connection_answers_finished_out_of_order_are_sent_in_order, connection_silent_requests_are_not_answered,
	connection_bytes_one_by_one_make_frames, connection_half_closed_peer_gets_its_answers,
	connection_refused_request_closes_after_the_answers_before_it,
	connection_gone_with_requests_under_way_is_forgotten, connection_requests_held_at_the_end_are_freed,
	server_drains_what_it_can_and_cuts_the_rest, server_drain_waits_for_answers,
	connection_reads_no_further_than_the_requests_in_flight, connection_that_does_not_read_its_answers_is_not_read,
	connection_budget_of_the_process_holds_and_frees_all,
	connection_small_requests_pass_when_the_budget_is_used_up, connection_frames_half_there_do_not_wait_for_each_other,
	connection_frame_larger_than_the_budget_passes, connection_file_ranges_reach_a_slow_reader_whole,
	connection_file_shorter_than_promised_closes, connection_impossible_lengths_are_refused,
	connection_stranger_may_not_begin_with_a_large_frame, connection_front_may_let_a_large_frame_come_first, connection_claims_of_length_cost_nothing,
	connection_unknown_protocol_is_refused_or_goes_to_the_other_front, connection_without_a_whole_request_times_out,
	connection_idle_is_closed_but_not_one_that_waits_for_an_answer,
	connection_stalled_frame_gives_way_when_the_budget_is_used_up,
	server_serves_many_connections_and_refuses_beyond_the_limit, server_survives_running_out_of_descriptors,
	server_names_the_address_it_cannot_have, server_listens_on_names_and_on_every_interface)

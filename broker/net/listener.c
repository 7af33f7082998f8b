#include "net/listener.h"

#include "base/diag.h"
#include "net/address.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <unistd.h>

enum {
	ACCEPTS_PER_TURN = 64,
	BACK_OFF_US = 100 * 1000, /* when the process has no descriptor or memory for a connection */
	BACKLOG = 4096,           /* the system cuts it to net.core.somaxconn */
};

struct listener {
	unsigned magic;
	struct event_loop *loop;
	struct scheduler *scheduler;
	char *name;
	int index, fd, port;
	listener_accepted_fn accepted;
	void *arg;
	struct event *event;
	struct loop_timer back_off;
	struct task start_task, stop_task;
};
MAGIC(listener, 0x4c495354);

/* ---- accepting ---- */

static bool is_exhaustion(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* False: nothing more to accept now. */
static bool accept_one(struct listener *l)
{
	struct address a = {.size = sizeof(a.sa)};
	int fd = accept4(l->fd, (struct sockaddr *)&a.sa, &a.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0) {
		char peer[ADDRESS_TEXT_SIZE];
		address_format(&a, peer);
		l->accepted(l->arg, l->index, fd, peer);
		return true;
	}
	int error = errno;
	if (error == EAGAIN)
		return false;
	if (!is_exhaustion(error))
		return true; /* that one connection failed before it was taken (accept(2) lists a dozen ways); on to the next */
	diag_error("accept_failed", "listener=%s port=%d errno=%d cause=\"no descriptor or memory left: raise the limit of open files or lower max.connections\"",
		l->name, l->port, error);
	/* The socket stays readable: without a pause the loop would spin. */
	event_del(l->event);
	scheduler_timer_arm(l->scheduler, &l->back_off, BACK_OFF_US);
	return false;
}

static void listener_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct listener *l = CAST(listener, arg);
	expect(fd == l->fd);
	event_loop_set_running(l->loop, "accept");
	for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l); i++)
		continue;
	event_loop_set_running(l->loop, NULL);
}

static void listener_resume(struct loop_timer *t)
{
	struct listener *l = CAST(listener, CONTAINER_OF(t, struct listener, back_off));
	if (event_add(l->event, NULL) != 0)
		scheduler_timer_arm(l->scheduler, t, BACK_OFF_US);
}

static void listener_start_here(struct task *t)
{
	struct listener *l = CAST(listener, CONTAINER_OF(t, struct listener, start_task));
	if (l->fd < 0)
		return; /* stopped in the meantime */
	l->event = event_new(event_loop_base(l->loop), l->fd, EV_READ | EV_PERSIST, listener_readable, l);
	expect(l->event != NULL);
	listener_resume(&l->back_off);
}

static void listener_close(struct listener *l)
{
	if (l->back_off.armed)
		scheduler_timer_cancel(l->scheduler, &l->back_off);
	if (l->event != NULL)
		event_free(l->event);
	l->event = NULL;
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void listener_stop_here(struct task *t)
{
	listener_close(CAST(listener, CONTAINER_OF(t, struct listener, stop_task)));
}

void listener_start(struct listener *l)
{
	CHECK_MAGIC(listener, l);
	scheduler_post(l->scheduler, &l->start_task);
}

void listener_stop(struct listener *l)
{
	CHECK_MAGIC(listener, l);
	scheduler_post(l->scheduler, &l->stop_task);
}

/* ---- binding ---- */

/* -1 with errno. */
static int bind_address(const struct address *a, bool every_interface)
{
	const int one = 1, v6_only = every_interface ? 0 : 1;
	int fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
		(a->sa.ss_family != AF_INET6 ||
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) == 0) &&
		bind(fd, (const struct sockaddr *)&a->sa, a->size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

static enum status listener_bind(struct listener *l, const struct listener_options *o, struct failure *ret_failure)
{
	struct address addresses[ADDRESSES_MAX];
	int count = 0, error = 0;
	char text[ADDRESS_TEXT_SIZE] = "";
	bool every = o->host == NULL || o->host[0] == '\0';
	TRY(address_resolve(o->host, o->port, ADDRESS_LISTEN, ret_failure, addresses, &count));
	expect(count > 0);
	for (int i = 0; i < count && l->fd < 0; i++) {
		l->fd = bind_address(&addresses[i], every);
		error = errno;
		address_format(&addresses[i], text);
		/* Where there is no IPv6, every interface is every IPv4 one; any other failure is the operator's to know. */
		if (l->fd < 0 && error != EAFNOSUPPORT && error != EADDRNOTAVAIL)
			break;
	}
	if (l->fd < 0)
		return failure_set(ret_failure, error == EACCES ? STATUS_PERMISSION : STATUS_IO,
			"listener %s cannot listen on %s: %s%s", o->name, text, strerror(error),
			error == EADDRINUSE ? "; another process has this port: stop it, or change `listeners`" : "");
	struct address bound = {.size = sizeof(bound.sa)};
	int rc = getsockname(l->fd, (struct sockaddr *)&bound.sa, &bound.size);
	expect(rc == 0);
	l->port = address_port(&bound);
	return STATUS_OK;
}

enum status listener_new(
	const struct listener_options *options, struct failure *ret_failure, struct listener **ret_listener)
{
	expect(options->name != NULL && options->accepted != NULL && options->loop != NULL);
	struct listener *l = check_calloc(1, sizeof(*l));
	l->magic = listener_magic;
	l->loop = options->loop;
	l->scheduler = event_loop_scheduler(options->loop);
	l->name = check_strdup(options->name);
	l->index = options->index;
	l->fd = -1;
	l->accepted = options->accepted;
	l->arg = options->arg;
	loop_timer_init(&l->back_off, "accept_back_off", listener_resume);
	task_init(&l->start_task, "listener_start", listener_start_here);
	task_init(&l->stop_task, "listener_stop", listener_stop_here);
	enum status s = listener_bind(l, options, ret_failure);
	if (s != STATUS_OK) {
		listener_free(l);
		return s;
	}
	*ret_listener = l;
	return STATUS_OK;
}

void listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	CHECK_MAGIC(listener, l);
	listener_close(l);
	free(l->name);
	l->magic = 0;
	free(l);
}

int listener_port(const struct listener *l)
{
	CHECK_MAGIC(listener, l);
	return l->port;
}

const char *listener_name(const struct listener *l)
{
	CHECK_MAGIC(listener, l);
	return l->name;
}

#include "broker_probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PROBE_TIMEOUT_MS = 1000, PORT_TEXT = 12 };

struct broker_probe {
	struct job job;
	char *host;
	char port[PORT_TEXT];
	enum probe_result result;
	void (*done)(void *arg, enum probe_result r);
	void *arg;
};

static enum probe_result result_of(int error)
{
	if (error == 0)
		return PROBE_ALIVE;
	return error == ECONNREFUSED ? PROBE_REFUSED : PROBE_UNKNOWN;
}

static enum probe_result connect_to(const struct addrinfo *a)
{
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return PROBE_UNKNOWN;
	int error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
	if (error == EINPROGRESS) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		socklen_t n = sizeof(error);
		if (poll(&p, 1, PROBE_TIMEOUT_MS) != 1)
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
			error = errno;
	}
	(void)close(fd);
	return result_of(error);
}

/* One address that answers is enough to be alive; dead is who refuses at all of them. */
static void work(struct job *job)
{
	struct broker_probe *p = CONTAINER_OF(job, struct broker_probe, job);
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	p->result = PROBE_UNKNOWN;
	if (getaddrinfo(p->host, p->port, &hints, &list) != 0)
		return;
	enum probe_result result = PROBE_REFUSED;
	for (const struct addrinfo *a = list; a != NULL && result != PROBE_ALIVE; a = a->ai_next) {
		enum probe_result one = connect_to(a);
		if (one != PROBE_REFUSED)
			result = one;
	}
	p->result = result;
	freeaddrinfo(list);
}

static void probed(struct job *job)
{
	struct broker_probe *p = CONTAINER_OF(job, struct broker_probe, job);
	p->done(p->arg, p->result);
	free(p->host);
	free(p);
}

void broker_probe_start(struct background *background, struct scheduler *home, const char *host, int32_t port,
	void (*done)(void *arg, enum probe_result r), void *arg)
{
	struct broker_probe *p = check_calloc(1, sizeof(*p));
	expect(done != NULL);
	p->host = check_strdup(host);
	(void)snprintf(p->port, sizeof(p->port), "%d", port);
	p->done = done;
	p->arg = arg;
	job_init(&p->job, "probe", home, work, probed);
	background_submit(background, &p->job);
}

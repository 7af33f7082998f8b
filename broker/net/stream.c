#include "net/stream.h"

#include "base/diag.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IOV_PER_CALL = 64 };

static enum status socket_failed(const struct stream *s, const char *call)
{
	/* Peers come and go: a reset is no news for the operator. */
	diag_debug("connection_lost", "peer=%s call=%s errno=%d", s->peer, call, errno);
	return STATUS_NETWORK_EXCEPTION;
}

static bool would_block(void)
{
	return errno == EAGAIN || errno == EINTR; /* EWOULDBLOCK is EAGAIN on Linux */
}

static enum status tcp_recv(struct stream *s, struct iovec *iov, int count, size_t *ret_n)
{
	ssize_t n = count == 1 ? recv(s->fd, iov[0].iov_base, iov[0].iov_len, 0) : readv(s->fd, iov, count);
	if (n == 0)
		return STATUS_CLOSED;
	if (n < 0 && !would_block())
		return socket_failed(s, "recv");
	*ret_n = n < 0 ? 0 : (size_t)n;
	return STATUS_OK;
}

static enum status tcp_send(struct stream *s, struct iovec *iov, int count, bool more, size_t *ret_n)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)count};
	ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
	if (n < 0 && !would_block())
		return socket_failed(s, "send");
	*ret_n = n < 0 ? 0 : (size_t)n;
	return STATUS_OK;
}

static enum status tcp_sendfile(struct stream *s, int fd, int64_t position, size_t n, size_t *ret_n)
{
	off_t offset = position;
	/* Its SIGPIPE is blocked in every loop's thread. */
	ssize_t sent = sendfile(s->fd, fd, &offset, n);
	if (sent > 0 || (sent < 0 && would_block())) {
		*ret_n = sent < 0 ? 0 : (size_t)sent;
		return STATUS_OK;
	}
	if (sent == 0) {
		diag_warn("sendfile_short", "peer=%s position=%" PRId64 " missing_bytes=%zu cause=\"the file is shorter than promised\"",
			s->peer, position, n);
		return STATUS_TRUNCATED;
	}
	if (errno == EIO || errno == EINVAL || errno == EBADF || errno == EOVERFLOW) {
		diag_error("sendfile_failed", "peer=%s position=%" PRId64 " bytes=%zu errno=%d", s->peer, position, n, errno);
		return STATUS_IO;
	}
	return socket_failed(s, "sendfile");
}

static void tcp_close(struct stream *s)
{
	close(s->fd);
}

static const struct stream_ops tcp_ops = {
	.recv = tcp_recv, .send = tcp_send, .sendfile = tcp_sendfile, .close = tcp_close};

void stream_init_tcp(struct stream *s, int fd, const char *peer)
{
	expect(fd >= 0 && peer != NULL);
	*s = (struct stream){.ops = &tcp_ops, .fd = fd, .peer = peer};
}

enum status stream_recv(struct stream *s, struct iovec *iov, int count, size_t *ret_n)
{
	expect(s->fd >= 0 && count > 0);
	return s->ops->recv(s, iov, count, ret_n);
}

enum status stream_send(struct stream *s, struct iovec *iov, int count, bool more, size_t *ret_n)
{
	expect(s->fd >= 0 && count > 0);
	return s->ops->send(s, iov, count, more, ret_n);
}

enum status stream_sendfile(struct stream *s, int fd, int64_t position, size_t n, size_t *ret_n)
{
	expect(s->fd >= 0 && position >= 0 && n > 0);
	return s->ops->sendfile(s, fd, position, n, ret_n);
}

enum status stream_send_iobuf(struct stream *s, const struct iobuf *out, size_t most, size_t *ret_n)
{
	expect(out->size_bytes > 0 && most > 0);
	const struct iobuf_fragment *file = iobuf_peek_file(out);
	if (file != NULL) {
		if (file->file->fd < 0)
			return STATUS_IO;
		return stream_sendfile(s, file->file->fd, file->position, file->n < most ? file->n : most, ret_n);
	}
	struct iovec iov[IOV_PER_CALL];
	int found = iobuf_peek_iov(out, iov, IOV_PER_CALL), count = 0;
	size_t total = 0;
	for (; count < found && total < most; count++) {
		if (iov[count].iov_len > most - total)
			iov[count].iov_len = most - total;
		total += iov[count].iov_len;
	}
	return stream_send(s, iov, count, total < out->size_bytes, ret_n);
}

void stream_close(struct stream *s)
{
	if (s->fd < 0)
		return;
	s->ops->close(s);
	s->fd = -1;
}

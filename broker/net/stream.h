/* A connected, non-blocking byte stream behind one table: plain TCP now, TLS as a second table. errno becomes a status
 * here and is logged here. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include "base/iobuf.h"

struct stream;
struct stream_ops {
	enum status (*recv)(struct stream *s, struct iovec *iov, int count, size_t *ret_n);
	enum status (*send)(struct stream *s, struct iovec *iov, int count, bool more, size_t *ret_n);
	enum status (*sendfile)(struct stream *s, int fd, int64_t position, size_t n, size_t *ret_n);
	void (*close)(struct stream *s);
};
struct stream {
	const struct stream_ops *ops;
	int fd;
	const char *peer; /* for the log */
};

/* Takes over a connected non-blocking socket. */
void stream_init_tcp(struct stream *s, int fd, const char *peer);
/* ret_n 0: nothing there, wait for readable. CLOSED: the peer sends no more. NETWORK_EXCEPTION: broken. */
MUST_CHECK enum status stream_recv(struct stream *s, struct iovec *iov, int count, size_t *ret_n);
/* ret_n 0: no room, wait for writable. more: other bytes follow at once. */
MUST_CHECK enum status stream_send(struct stream *s, struct iovec *iov, int count, bool more, size_t *ret_n);
/* As send. TRUNCATED: the file ends before. IO: it cannot be read. */
MUST_CHECK enum status stream_sendfile(struct stream *s, int fd, int64_t position, size_t n, size_t *ret_n);
/* One system call's worth from the front of out, at most `most` bytes: memory or a range of a file. The caller consumes
 * *ret_n. */
MUST_CHECK enum status stream_send_iobuf(struct stream *s, const struct iobuf *out, size_t most, size_t *ret_n);
/* Harmless when closed. */
void stream_close(struct stream *s);

#endif

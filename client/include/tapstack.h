/* SPDX-License-Identifier: MIT */
/*
 * libtapstack: TCP sockets of the tapstack daemon.
 *
 * A socket made here is a real file descriptor. read(2), write(2), send(2), recv(2), poll(2),
 * epoll(7), sendfile(2), shutdown(2), dup(2), fork(2), exec and close(2) work on it as they are;
 * only the calls below need the library. Each returns what the call of the same name in section 2
 * returns: -1 and errno on failure, with the errno values of tcp(7) and socket(7). The daemon's
 * control socket is $TAPSTACK_SOCKET, or /run/tapstack/tapstack.sock. All functions are thread safe
 * and safe after fork(2); ts_connect() and ts_accept4() are cancellation points where they wait.
 * Source: client/lib/.
 *
 * When no daemon can be reached: ts_socket() fails with what connect(2) says of the control socket
 * (ENOENT, ECONNREFUSED, EACCES); ts_bind(), ts_listen(), ts_connect() and ts_accept4() (of a
 * listener whose daemon has ended) with ENETDOWN; ts_getsockopt(), ts_setsockopt(), ts_info() and
 * ts_ring_attach() with ENOTCONN, but for options that are the descriptor's own. ts_getsockname()
 * and ts_getpeername() answer, ts_sendmsg() sends as far as the descriptor takes it, without hints,
 * and rings say ECONNRESET.
 */
#ifndef TAPSTACK_H
#define TAPSTACK_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Name the control socket for this process; NULL goes back to the environment. The string is
 * copied. 0, or -1 with ENAMETOOLONG. */
int ts_set_socket_path(const char *path);

/**
 * Make a TCP socket. domain: AF_INET or AF_INET6; type: SOCK_STREAM, with SOCK_NONBLOCK and
 * SOCK_CLOEXEC or'ed in; protocol: 0 or IPPROTO_TCP. Returns a descriptor that the caller closes
 * with close(2). EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL, EMFILE, ENFILE, ENOMEM, and what connect(2)
 * says of the control socket.
 */
int ts_socket(int domain, int type, int protocol);

/** bind(2). EINVAL, EADDRINUSE, EADDRNOTAVAIL, EACCES, EBADF, ENOTSOCK (not one of ours). */
int ts_bind(int fd, const struct sockaddr *addr, socklen_t len);

/** listen(2). */
int ts_listen(int fd, int backlog);

/** accept4(2): flags SOCK_NONBLOCK and SOCK_CLOEXEC. addr may be NULL. Waits unless fd is
 * non-blocking. */
int ts_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);

/** connect(2): waits unless fd is non-blocking (EINPROGRESS; poll for POLLOUT, then ask SO_ERROR
 * with ts_getsockopt). */
int ts_connect(int fd, const struct sockaddr *addr, socklen_t len);

/** getsockname(2) and getpeername(2): no round trip to the daemon. */
int ts_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int ts_getpeername(int fd, struct sockaddr *addr, socklen_t *len);

/** getsockopt(2) and setsockopt(2); ENOPROTOOPT for what this TCP does not have. */
int ts_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int ts_setsockopt(int fd, int level, int name, const void *value, socklen_t len);

/** sendmsg(2) where flags matter (MSG_MORE, MSG_EOR); a plain write(2) or send(2) does for the
 * rest. */
ssize_t ts_sendmsg(int fd, const struct msghdr *msg, int flags);

/** 1 when fd is a socket made by this library or received from it in any way, 0 otherwise. Never
 * fails, keeps errno. */
int ts_is_ours(int fd);

/* --- rings -------------------------------------------------------------------------------------
 *
 * The connection's own buffers, mapped: bytes are written where they are sent from, and read where
 * they have arrived, without a system call for each message. An established connection is attached
 * once; from then on read(2) and write(2) on its descriptor are not for bytes any more (a write
 * gives EPIPE), and shutdown(2) is ts_ring_shutdown(). The descriptor still polls: it becomes
 * readable when what ts_ring_wait() or a call that gave EAGAIN was waiting for is here; the next
 * call that gives EAGAIN, or ts_ring_wait(), takes the wake-up away. It also tells of the
 * connection's death, and close(2) ends the connection. (If the peer's end was read before the
 * attach, the descriptor stays readable for ever and wakes nobody: use ts_ring_wait().)
 *
 * One thread may send while another receives, and both may wait by ts_ring_wait() or the calls that
 * do; only one may poll the descriptor itself. A ring belongs to one process at a time. The span
 * that reserve or peek gave is valid until the matching commit or consume.
 */
struct ts_ring;

/** Attach to a connection. What arrived before is received first. The ring is to be freed by
 * ts_ring_detach(). NULL with errno: ENOTCONN (not established, shut for writing, or over), ENOMEM,
 * EMFILE, ENFILE (the daemon's limits), EBUSY (who attached before has not consumed that yet),
 * EBADF, ENOTSOCK. Source: client/lib/ring.c. */
struct ts_ring *ts_ring_attach(int fd);

/** Unmap. The descriptor stays, to be closed by close(2) or attached again. */
void ts_ring_detach(struct ts_ring *ring);

/**
 * Room for bytes to send: *span, contiguous. Returns its length in bytes, at most `want`, or -1:
 * EAGAIN (no room now), EPIPE (shut down, or the connection is over), ECONNRESET, ETIMEDOUT …
 * (why).
 */
ssize_t ts_ring_reserve(struct ts_ring *ring, size_t want, void **span);

/** Send the first n bytes of the reserved span. flags: MSG_MORE (more follows soon), MSG_ZEROCOPY
 * (see ts_ring_recverr()). 0, or -1: EINVAL (n is more than was reserved), EPIPE (shut down since),
 * ENOBUFS (MSG_ZEROCOPY: take completions first; the span stays reserved). */
int ts_ring_commit(struct ts_ring *ring, size_t n, int flags);

/** Bytes that have arrived: *span, contiguous. Returns their number, 0 at the end of the stream, or
 * -1: EAGAIN (none now), ECONNRESET, ETIMEDOUT …. */
ssize_t ts_ring_peek(struct ts_ring *ring, const void **span);

/** The first n bytes of what peek gave are done with. 0, or -1: EINVAL (n is more than that). */
int ts_ring_consume(struct ts_ring *ring, size_t n);

/** send(2) and recv(2), by one copy. They wait unless flags has MSG_DONTWAIT or the descriptor is
 * non-blocking; MSG_MORE, for send MSG_ZEROCOPY (see ts_ring_recverr(); ENOBUFS before anything is
 * taken), and for recv MSG_PEEK and MSG_WAITALL, are understood, others are EOPNOTSUPP. So is
 * MSG_ERRQUEUE: recv(2) would give bytes of a queue that has none, and no control message to carry
 * what ts_ring_recverr() gives. MSG_NOSIGNAL is always so. */
ssize_t ts_ring_send(struct ts_ring *ring, const void *data, size_t len, int flags);
ssize_t ts_ring_recv(struct ts_ring *ring, void *data, size_t len, int flags);

/** Wait until POLLIN (bytes, the end, an error), POLLOUT (room, or no use waiting for any) or
 * POLLERR (ts_ring_recverr() has something, or the connection is dead) holds; POLLERR only if
 * `events` has it, unlike poll(2). With nothing under way POLLERR waits for the connection's death.
 * timeout in milliseconds, -1: for ever. Returns those of `events` that hold, 0 after the time, or
 * -1: EINTR. */
int ts_ring_wait(struct ts_ring *ring, int events, int timeout);

/** shutdown(2): SHUT_WR sends a FIN behind what is committed; after SHUT_RD there is nothing more
 * to read. 0, or -1: EINVAL. */
int ts_ring_shutdown(struct ts_ring *ring, int how);

/** Bytes committed that the peer has not acknowledged yet: what is not among them has left the
 * buffer. It is what the daemon said last, and that it says by the way, when it looks at the ring
 * for something else: while nobody commits, consumes or waits it may stay above 0 though all has
 * been acknowledged. To wait for that there is MSG_ZEROCOPY with ts_ring_recverr(); ts_info() asks.
 */
uint64_t ts_ring_unacked(const struct ts_ring *ring);

struct sock_extended_err; /* <linux/errqueue.h> */

/**
 * The next completion of calls with MSG_ZEROCOPY, as recvmsg(2) with MSG_ERRQUEUE gives it on a
 * kernel's socket. Such calls (ts_ring_commit(), ts_ring_send()) are numbered from 0, modulo 2^32:
 * each that took bytes, once. One is complete when the peer has acknowledged the last of its bytes,
 * or the connection is dead. They come in order, each once: *out has ee_origin
 * SO_EE_ORIGIN_ZEROCOPY, ee_errno 0, the first and last number in ee_info and ee_data, and ee_code
 * 0 for commits, whose bytes were never copied, SO_EE_CODE_ZEROCOPY_COPIED for sends, whose
 * bytes were copied once, into the ring (so `data` could be used again when the call returned).
 *
 * 256 ranges of calls are remembered (8 KiB, from the first such call on). When more are wanted,
 * neighbours of one code are merged: complete ones, and others up to 512 KiB together, which then
 * complete together. So there is ENOBUFS for who leaves more than 256 changes between commits and
 * sends to be completed or taken, and for want of memory.
 *
 * For the thread that sends. Numbers and completions are the ring's, and end with it: who attaches
 * again begins at 0. 0, or -1: EAGAIN (none is due).
 */
int ts_ring_recverr(struct ts_ring *ring, struct sock_extended_err *out);

/** What a connection is doing; more in tapstack(1), `tapstack ss`. */
struct ts_info {
    uint32_t state;      /**< as tcp_info.tcpi_state */
    char state_name[16]; /**< "ESTAB" … */
    uint32_t recv_queue, send_queue;
    uint32_t rtt_us, rto_us, cwnd, mss; /**< cwnd in segments */
    uint64_t bytes_sent, bytes_acked, bytes_received, bytes_retransmitted;
};

/** Describe fd's connection. 0, or -1 with errno. */
int ts_info(int fd, struct ts_info *out);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: MIT */
/*
 * libtapstack: TCP sockets of the tapstack daemon.
 *
 * A socket made here is a real file descriptor. read(2), write(2), send(2), recv(2), poll(2),
 * epoll(7), sendfile(2), shutdown(2), dup(2), fork(2), exec and close(2) work on it as they are;
 * only the calls below need the library. Each returns what the call of the same name in section 2
 * returns: -1 and errno on failure, with the errno values of tcp(7) and socket(7). If the daemon
 * cannot be reached, the calls fail with ECONNREFUSED or ENOENT (ts_socket) or ENOTCONN (the
 * others). The daemon's control socket is $TAPSTACK_SOCKET, or /run/tapstack/tapstack.sock. All
 * functions are thread safe and safe after fork(2). Source: client/lib/.
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

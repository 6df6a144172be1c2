/* SPDX-License-Identifier: MIT */
/*
 * Making sockets, for the other files of the library and for the shim.
 */
#ifndef TS_CLIENT_LIB_SOCKET_H
#define TS_CLIENT_LIB_SOCKET_H

#include "client/lib/place.h"
#include "ipc/wire.h"

#include <stdbool.h>
#include <sys/socket.h>

/**
 * As ts_socket, but returns a negative errno value, and says in *reached whether it was the daemon
 * that answered.
 */
int socket_make(int domain, int type, int protocol, bool *reached);

/** O_NONBLOCK for a fresh descriptor. It belongs to the open file, on which nothing else is set. */
int socket_set_nonblock(int fd);

/** Set FD_CLOEXEC and O_NONBLOCK of a descriptor that came close-on-exec and blocking, by SOCK_
 * flags. */
int socket_set_flags(int fd, int sock_flags);

/**
 * Put `with` where fd is, with fd's FD_CLOEXEC, O_NONBLOCK, time-outs and epoll registrations, and
 * close `with` in any case. Returns 0 or a negative errno value.
 */
int socket_replace(const struct place *place, int fd, int with);

/**
 * A fresh socket of ours in the place of one that has ended, or is reset by it (tcp_disconnect() of
 * Linux), with its options and bound as that one was. Where the daemon does not know it any more,
 * only the name is left of it. A backlog that is not negative makes it a listener again; it then
 * shares its port (SO_REUSEPORT), because other holders of the old one do the same. Returns 0 or a
 * negative errno value; -ENETDOWN: no daemon.
 */
int socket_renew(const struct place *place, int fd, int backlog);

/** The address that the program gave it by bind(2) or listen(2). false: none, or no port yet. */
bool socket_bound(int fd, struct wire_addr *local);

/** Options that a socket's replacement inherits. */
extern const struct socket_option_id {
    int level, name;
} socket_carried[];
extern const size_t socket_n_carried;

/** What a request that makes or names a socket came to: as control_result, but -ENETDOWN when the
 * daemon could not be asked. */
int socket_result(int r);

/** SO_RCVTIMEO and SO_SNDTIMEO, which are the pair's own. */
void socket_copy_timeouts(int from, int to);

/** Has the daemon's end gone, or was it shut both ways? Then fd is neither connected nor listening.
 */
bool socket_is_over(int fd);

/** An address for bind or connect, checked against the family of fd. Returns 0 or a negative errno
 * value. */
int socket_address(int fd, const struct sockaddr *addr, socklen_t len, struct wire_addr *out);

/** The public functions' last step: r, or -1 and errno. */
int socket_return(int r);

#endif

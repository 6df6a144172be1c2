/* SPDX-License-Identifier: MIT */
/*
 * Making sockets, for the other files of the library and for the shim.
 */
#ifndef TS_CLIENT_LIB_SOCKET_H
#define TS_CLIENT_LIB_SOCKET_H

#include "ipc/wire.h"

#include <stdbool.h>
#include <sys/socket.h>

/**
 * As ts_socket, but returns a negative errno value, and says in *reached whether it was the daemon
 * that answered.
 */
int socket_make(int domain, int type, int protocol, bool *reached);

/** Set FD_CLOEXEC and O_NONBLOCK of a descriptor that came close-on-exec and blocking, by SOCK_
 * flags. */
int socket_set_flags(int fd, int sock_flags);

/**
 * Put `with` where fd is (dup3), with fd's FD_CLOEXEC, O_NONBLOCK and time-outs, and close `with`
 * in any case. Returns 0 or a negative errno value.
 */
int socket_replace(int fd, int with);

/** An address for bind or connect, checked against the family of fd. Returns 0 or a negative errno
 * value. */
int socket_address(int fd, const struct sockaddr *addr, socklen_t len, struct wire_addr *out);

/** The public functions' last step: r, or -1 and errno. */
int socket_return(int r);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Receiving, for the shim and the supervisor.
 */
#ifndef TS_CLIENT_LIB_RECV_H
#define TS_CLIENT_LIB_RECV_H

#include <sys/socket.h>
#include <sys/types.h>

/** Flags that AF_UNIX does not have as TCP does: what recv_special sees to. */
#define RECV_SPECIAL (MSG_TRUNC | MSG_ERRQUEUE)

/** recv(2) with such flags, of n bytes, which are never copied. As recv(2), -1 and errno. */
ssize_t recv_special(int fd, size_t n, int flags);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The socket calls that the preload shim intercepts, made straight to the kernel.
 *
 * ipc/ and client/lib/ are linked into the shim, where the plain names are the shim's own
 * functions: these are the ones that do not come back to us. They are no cancellation points
 * either, so a thread cannot be cancelled between a request and its reply; where connect(2) and
 * accept(2) wait, their callers allow it. errno as usual.
 */
#ifndef TS_IPC_NATIVE_H
#define TS_IPC_NATIVE_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline int native_socket(int domain, int type, int protocol)
{
    return (int)syscall(SYS_socket, domain, type, protocol);
}

static inline int native_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    return (int)syscall(SYS_bind, fd, addr, len);
}

static inline int native_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return (int)syscall(SYS_connect, fd, addr, len);
}

static inline int native_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return (int)syscall(SYS_getsockname, fd, addr, len);
}

static inline int native_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return (int)syscall(SYS_getpeername, fd, addr, len);
}

static inline int native_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

static inline int native_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static inline ssize_t native_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return syscall(SYS_sendmsg, fd, msg, flags);
}

static inline ssize_t native_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return syscall(SYS_recvmsg, fd, msg, flags);
}

#endif

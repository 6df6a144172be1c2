/* SPDX-License-Identifier: MIT */
/*
 * The functions that the shim stands in front of: the next ones of that name, usually libc's.
 *
 * REAL(connect)(fd, addr, len) calls it. They are looked up when the shim is loaded, or at first
 * use when another library's constructor is quicker than ours.
 */
#ifndef TS_CLIENT_PRELOAD_REAL_H
#define TS_CLIENT_PRELOAD_REAL_H

#include <spawn.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/* REAL_FUNCTION(name, type of the result, parameters) */
#define REAL_FUNCTIONS(F)                                                                          \
    F(socket, int, (int, int, int))                                                                \
    F(bind, int, (int, const struct sockaddr *, socklen_t))                                        \
    F(listen, int, (int, int))                                                                     \
    F(connect, int, (int, const struct sockaddr *, socklen_t))                                     \
    F(accept, int, (int, struct sockaddr *, socklen_t *))                                          \
    F(accept4, int, (int, struct sockaddr *, socklen_t *, int))                                    \
    F(getsockname, int, (int, struct sockaddr *, socklen_t *))                                     \
    F(getpeername, int, (int, struct sockaddr *, socklen_t *))                                     \
    F(getsockopt, int, (int, int, int, void *, socklen_t *))                                       \
    F(setsockopt, int, (int, int, int, const void *, socklen_t))                                   \
    F(epoll_create, int, (int))                                                                    \
    F(epoll_create1, int, (int))                                                                   \
    F(ioctl, int, (int, unsigned long, ...))                                                       \
    F(send, ssize_t, (int, const void *, size_t, int))                                             \
    F(sendto, ssize_t, (int, const void *, size_t, int, const struct sockaddr *, socklen_t))       \
    F(sendmsg, ssize_t, (int, const struct msghdr *, int))                                         \
    F(sendmmsg, int, (int, struct mmsghdr *, unsigned, int))                                       \
    F(recv, ssize_t, (int, void *, size_t, int))                                                   \
    F(recvfrom, ssize_t, (int, void *, size_t, int, struct sockaddr *, socklen_t *))               \
    F(recvmsg, ssize_t, (int, struct msghdr *, int))                                               \
    F(execve, int, (const char *, char *const *, char *const *))                                   \
    F(execvpe, int, (const char *, char *const *, char *const *))                                  \
    F(posix_spawn, int,                                                                            \
      (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,       \
       char *const *, char *const *))                                                              \
    F(posix_spawnp, int,                                                                           \
      (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,       \
       char *const *, char *const *))                                                              \
    F(recvmmsg, int, (int, struct mmsghdr *, unsigned, int, struct timespec *))                    \
    F(__recv_chk, ssize_t, (int, void *, size_t, size_t, int))                                     \
    F(__recvfrom_chk, ssize_t, (int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *))

enum real_index {
#define F(name, result, parameters) REAL_##name,
    REAL_FUNCTIONS(F)
#undef F
        REAL_COUNT
};

#define F(name, result, parameters) typedef result(*real_type_##name) parameters;
REAL_FUNCTIONS(F)
#undef F

/** The next function of that name; the process is ended with a message when there is none. */
void *real_get(enum real_index which);

#define REAL(name) ((real_type_##name)real_get(REAL_##name))

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Putting one socket in the place of another: the same number, its flags, and every epoll
 * registration that it had, with the same events and data.
 *
 * A socket is replaced when its address turns out to be the kernel's (ipc/scope.h), when its
 * connection failed and it is connected again, and when the daemon was restarted. Where that
 * happens is the caller's: in this process (place_here), or in another one that a supervisor
 * serves (client/run/).
 */
#ifndef TS_CLIENT_LIB_PLACE_H
#define TS_CLIENT_LIB_PLACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct place {
    /** Put `with` where fd is; `with` stays the caller's. Returns 0 or a negative errno value. */
    int (*put)(const struct place *p, int fd, int with);
    /** A kernel's TCP socket of this family, close-on-exec. A descriptor or a negative errno value.
     */
    int (*kernel_socket)(const struct place *p, int family);
};

/** In this process. */
extern const struct place place_here;

/** One registration of a descriptor in an epoll instance of the same process. */
struct place_epoll {
    int epfd; /**< its number there */
    uint32_t events;
    uint64_t data;
};

/**
 * The registrations of descriptor fd of process pid (0: this one), whose socket has inode `ino`: at
 * most `cap`. Returns how many, 0 also when that cannot be found out. Safe after vfork and in
 * signal handlers; errno is preserved.
 */
size_t place_find_epolls(pid_t pid, int fd, uint64_t ino, struct place_epoll *out, size_t cap);

/** Most registrations that are made again. */
#define PLACE_EPOLLS 16

#endif

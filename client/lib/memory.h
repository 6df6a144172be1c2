/* SPDX-License-Identifier: MIT */
/*
 * Memory that a program names in a call: a pointer that leads nowhere is EFAULT, not a crash, as
 * when the kernel copies.
 */
#ifndef TS_CLIENT_LIB_MEMORY_H
#define TS_CLIENT_LIB_MEMORY_H

#include "ipc/wire.h"

#include <stddef.h>
#include <sys/socket.h>

/** Can n bytes be read there? 0 or -EFAULT. */
int memory_check_read(const void *from, size_t n);

/**
 * Can n bytes be written there? 0 or -EFAULT. They may be overwritten with something: they are
 * about to be written anyway. fd: any descriptor of a socket.
 */
int memory_check_write(int fd, void *to, size_t n);

/** What the kernel makes of an address before any protocol looks at it: 0, -EINVAL, -EFAULT. */
int memory_check_address(const struct sockaddr *addr, socklen_t len);

/** Give an address in the family of socket fd, as accept(2) and getsockname(2) do: 0, -EINVAL,
 * -EFAULT. */
int memory_give_address(int fd, const struct wire_addr *a, struct sockaddr *addr, socklen_t *len);

/** Give an option's value as getsockopt(2) does: what fits, and its length. 0 or -EFAULT. */
int memory_give_value(int fd, void *value, socklen_t *len, const void *from, size_t n);

#endif

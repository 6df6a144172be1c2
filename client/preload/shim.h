/* SPDX-License-Identifier: MIT */
/*
 * What the files of the shim share.
 */
#ifndef TS_CLIENT_PRELOAD_SHIM_H
#define TS_CLIENT_PRELOAD_SHIM_H

#include "ipc/name.h"

#include <errno.h>

/** Is it a socket of ours? One system call; no table is kept, so nothing can go stale. */
#define OURS(fd) (name_kind_of(fd) != NAME_FOREIGN)

/**
 * Should a socket with this address be the kernel's: is it loopback, or, to connect to, the
 * wildcard, which means loopback? errno is preserved.
 */
bool loopback_wanted(const struct sockaddr *addr, socklen_t len, bool connecting);

/**
 * Put a kernel socket in the place of ours at fd, with its flags, its options and its wildcard
 * binding. Returns 0 or a negative errno value.
 */
int loopback_replace(int fd);

#endif

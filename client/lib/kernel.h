/* SPDX-License-Identifier: MIT */
/*
 * A socket whose address is the kernel's (ipc/scope.h) becomes a kernel socket at the same
 * number. What the program has set before is set again on the new one.
 */
#ifndef TS_CLIENT_LIB_KERNEL_H
#define TS_CLIENT_LIB_KERNEL_H

#include "client/lib/place.h"

/**
 * Put a kernel socket in the place of ours at fd, with its flags, its options, its wildcard binding
 * and its epoll registrations. bind(2) or connect(2) is then the kernel's. Returns 0 or a negative
 * errno value; errno is preserved.
 */
int kernel_replace(int fd, const struct place *place);

#endif

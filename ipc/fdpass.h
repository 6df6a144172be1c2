/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving one message with descriptors (SCM_RIGHTS).
 *
 * A receiver always has room for all that a message may carry: a kernel that runs out of room drops
 * descriptors in the receiver's context, and releasing a foreign one can block. What was received
 * belongs to the caller, also when the message turns out to be nonsense.
 */
#ifndef TS_IPC_FDPASS_H
#define TS_IPC_FDPASS_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/** The kernel's limit (SCM_MAX_FD). */
#define FDPASS_MAX 253

/** Send buf, with fd unless it is -1. flags: MSG_DONTWAIT …; MSG_NOSIGNAL is implied. Bytes, or a
 * negative errno value. */
ssize_t fdpass_send(int sock, const void *buf, size_t len, int fd, int flags);

/**
 * Receive one message and its descriptors, which are close-on-exec. *n_fds is always set, and
 * counts those in fds. *got_flags (may be NULL) has what recvmsg(2) said: MSG_TRUNC, the message
 * was longer than cap; MSG_CTRUNC, the kernel could not install all descriptors (no free slot).
 * Returns bytes, 0 at the end, or a negative errno value.
 */
ssize_t fdpass_recv(int sock, void *buf, size_t cap, int fds[FDPASS_MAX], size_t *n_fds, int flags,
                    int *got_flags);

/** The same, with flags as they are: the descriptors are close-on-exec when MSG_CMSG_CLOEXEC is in
 * them. */
ssize_t fdpass_recv_as(int sock, void *buf, size_t cap, int fds[FDPASS_MAX], size_t *n_fds,
                       int flags, int *got_flags);

/** Close all of fds; errno is preserved. */
void fdpass_close(const int *fds, size_t n_fds);

#endif

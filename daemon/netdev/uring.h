/* SPDX-License-Identifier: MIT */
/*
 * Many frames by one system call: a ring of io_uring(7) that reads from and writes to one
 * descriptor and can do nothing else. Operations of a ring pass by the system call filter, so the
 * ring is restricted for good when it is made (IORING_REGISTER_RESTRICTIONS): read and write, on
 * its one registered file, nothing to be registered any more.
 *
 * The descriptor keeps frames apart, as a TAP without a header does. Nothing here sleeps. Not for
 * two threads at once, but for any one at a time.
 */
#ifndef TS_DAEMON_NETDEV_URING_H
#define TS_DAEMON_NETDEV_URING_H

#include "daemon/netdev/netdev.h"

/** Frames of one call, at most. */
#define URING_BATCH 64

struct uring;

/**
 * A ring on fd, which must not block and must outlive it, for frames of up to frame_max bytes (what
 * is longer is cut off when read). 0 and *out; or a negative errno value: io_uring is not to be had
 * here (-ENOSYS, -EPERM: switched off or filtered; -EINVAL, -EOPNOTSUPP: an older kernel; -ENOMEM).
 */
int uring_open(int fd, uint32_t frame_max, struct uring **out);

/** What was gathered and not flushed is lost. NULL is allowed. */
void uring_close(struct uring *u);

/**
 * The next frame: its length, and *frame, where it may be changed, until the next call. Or -EAGAIN:
 * none, the descriptor has been seen empty; or another negative errno value of read(2).
 */
int uring_read(struct uring *u, uint8_t **frame);

/** Let uring_read give the last frame once more. */
void uring_unread(struct uring *u);

/**
 * Gather a frame, of which a copy is taken, and write what there is when it ends its burst
 * (frame.more) or the batch is full. 0; -EAGAIN: there is back-pressure, nothing was taken;
 * -EMSGSIZE: it is longer than frame_max.
 */
int uring_write(struct uring *u, const struct frame *f);

/** Are there frames that go before any other: of a burst, or after back-pressure? */
bool uring_holds(const struct uring *u);

/**
 * Write what was gathered, in order, and tell what has happened since the last time. What met with
 * back-pressure stays for the next write or flush; what follows it in the same batch is tried all
 * the same, and may be ahead of it.
 */
void uring_flush(struct uring *u, struct netdev_flushed *out);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A capture for a client, by a ring in memory that both share (ipc/capture.h). The daemon never
 * waits for the reader: what finds no room is dropped and counted.
 */
#ifndef TS_DAEMON_CAPTURE_RING_H
#define TS_DAEMON_CAPTURE_RING_H

#include "daemon/capture.h"
#include "daemon/poller.h"
#include "ipc/wire.h"

#include <stddef.h>

/** Clients' captures at once: each costs a filter's run and a copy of each frame, and its ring. */
#define CAPTURE_RINGS 8

struct capture_ring;

struct capture_rings {
    struct captures *all;
    struct poller *poller;
    struct capture_ring *list[CAPTURE_RINGS];
};

/**
 * Begin one as `want` says, of which `len` bytes came. *fd is for the client, to be closed here
 * after it has left. 0, -EINVAL (a size or a filter that cannot be), -EBUSY (there are
 * CAPTURE_RINGS), -ENOMEM, -EMFILE.
 */
int capture_ring_begin(struct capture_rings *rings, const struct wire_capture *want, size_t len,
                       int *fd);

/** End all of them. */
void capture_rings_end(struct capture_rings *rings);

#endif

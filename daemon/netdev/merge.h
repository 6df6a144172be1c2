/* SPDX-License-Identifier: MIT */
/* Reading from a device without offload: one read(2) a frame, or a ring's batches, consecutive
 * segments of one connection merged (proto/frame_merge.c). */
#ifndef TS_DAEMON_NETDEV_MERGE_H
#define TS_DAEMON_NETDEV_MERGE_H

#include "daemon/netdev/netdev.h"
#include "daemon/netdev/uring.h"

struct merge {
    struct uring *uring;  /**< to read by; NULL: by read(2) */
    uint32_t waiting;     /**< bytes of a frame that was read and did not join the last one */
    uint32_t split;       /**< the first of them are in headers … */
    const uint8_t *at;    /**< … the others here, in buffer */
    bool drained;         /**< the last read found nothing more: not asked twice */
    uint8_t headers[128]; /**< Ethernet, IPv4 and TCP at their longest: 94 */
    /** A frame of NETDEV_FRAME_MAX, and behind the largest merged one room for another. */
    _Alignas(8) uint8_t buffer[2 * NETDEV_FRAME_MAX];
};

/** As netdev_ops.read, from fd (that of m->uring), which gives frames without a header of the
 * device's. */
int merge_read(struct merge *m, int fd, struct frame *out);

#endif

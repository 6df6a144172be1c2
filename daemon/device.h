/* SPDX-License-Identifier: MIT */
/* Between the core and the device: batches in, one frame at a time out, back-pressure, and the
 * capture beside it. */
#ifndef TS_DAEMON_DEVICE_H
#define TS_DAEMON_DEVICE_H

#include "daemon/capture.h"
#include "daemon/log.h"
#include "daemon/netdev/netdev.h"
#include "proto/stack.h"

#define DEVICE_BATCH 64

struct worker;

struct device {
    const struct netdev_ops *ops;
    struct netdev *dev;
    struct captures *captures; /**< of all workers */
    bool blocked;              /**< back-pressure: wait until the device is writable */
    uint64_t frames;           /**< read */
    bool sent; /**< a frame went out since the loop last looked: an answer may already be there */
    bool gone; /**< the interface was deleted */
    struct worker *worker; /**< one of several, whose frames may come here too; NULL: it is alone */
    struct log_limit limit;
};

extern const struct stack_ops device_stack_ops;

/** Give up to DEVICE_BATCH frames to the core. True when there may be more. */
bool device_input(struct device *d, struct stack *st, uint64_t now);

/** Frames that had to wait for the device go out, if it takes them now, and what has become of
 * others is told. */
void device_flush(struct device *d);

#endif

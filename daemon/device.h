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
    bool gathering;            /**< frames may wait for one another */
    uint64_t frames;           /**< read */
    bool sent; /**< a frame went out since the loop last looked: an answer may already be there */
    bool gone; /**< the interface was deleted */
    struct worker *worker; /**< one of several, whose frames may come here too; NULL: it is alone */
    struct log_limit limit;
};

extern const struct stack_ops device_stack_ops;

/** Give up to DEVICE_BATCH frames to the core. True when there may be more. */
bool device_input(struct device *d, struct stack *st, uint64_t now);

/** From here on the device may let frames wait for others, until there are enough or they are
 * flushed, which is to be soon; or no longer: those that wait go out. */
void device_gather(struct device *d, bool on);
/** What waits goes out: also what the device did not take before. */
void device_flush(struct device *d);

#endif

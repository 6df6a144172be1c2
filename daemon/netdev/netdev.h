/* SPDX-License-Identifier: MIT */
/* A network device as a table of functions: a new kind is one file. daemon/device.c drives it. */
#ifndef TS_DAEMON_NETDEV_NETDEV_H
#define TS_DAEMON_NETDEV_NETDEV_H

#include "proto/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The largest frame: an Ethernet header, a VLAN tag and FRAME_MAX_PACKET, rounded up. */
#define NETDEV_FRAME_MAX (66u * 1024)

/** What a device, and the host's side of it, shall be. */
struct netdev_config {
    const char *name;
    bool multi_queue; /**< opened several times: each is a queue of the one device */
    bool offload;     /**< checksums and segmentation are left to the device, both ways */
    bool io_uring; /**< without offload: many frames by one system call, where that is possible */
    uint32_t mtu;
    bool has_host_address;
    struct ip_prefix host_address; /**< for the host's side of the device */
};

struct netdev;

/** What has become of the frames that were gathered (netdev_ops.write). */
struct netdev_flushed {
    bool waiting;  /**< back-pressure: some are kept, and no more are taken until they are gone */
    unsigned lost; /**< so many were refused … */
    int why;       /**< … the last one with this negative errno value */
};

struct netdev_ops {
    const char *kind;
    /** Open the device. 0 and *out, or a negative errno value; what went wrong has been logged. */
    int (*open)(const struct netdev_config *config, struct netdev **out);
    /** Bring the host's side up: addresses, MTU, queue. 0 or a negative errno value, logged. */
    int (*set_up)(struct netdev *dev, const struct netdev_config *config);
    void (*close)(struct netdev *dev);
    /** To be polled: readable when there are frames, writable after -EAGAIN. */
    int (*fd)(const struct netdev *dev);
    /** STACK_TX_* */
    uint32_t (*features)(const struct netdev *dev);
    /**
     * The next frame, in the device's buffer until the next call. 0, or -EAGAIN (none), -EPROTO (a
     * frame whose offload information contradicts it was dropped), -ENODEV (the device is gone),
     * another negative errno value.
     */
    int (*read)(struct netdev *dev, struct frame *out);
    /**
     * 0, or -EAGAIN, -ENOBUFS (back-pressure), -ENODEV (gone), another negative errno value (this
     * frame is lost). With frame.more the device may gather copies until the burst has ended, or
     * flush is called; what has become of those, flush tells.
     */
    int (*write)(struct netdev *dev, const struct frame *f);
    /** Write what was gathered, or met with back-pressure then: *out, since the last time. */
    void (*flush)(struct netdev *dev, struct netdev_flushed *out);
};

/** daemon/netdev/tap.c */
extern const struct netdev_ops tap_ops;

#endif

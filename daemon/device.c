/* SPDX-License-Identifier: MIT */
/* Between the core and the device; see device.h. */
#include "daemon/device.h"

#include "daemon/stats.h"
#include "daemon/stream.h"
#include "daemon/workers.h"
#include "ipc/capture.h"

#include <errno.h>
#include <string.h>

static void refused(struct device *d, unsigned frames, int rc)
{
    d->gone |= rc == -ENODEV;
    stats_add(STAT_device_write_errors, frames);
    log_limited(&d->limit, LEVEL_WARNING, "the device takes no frame: %s%s", strerror(-rc),
                rc == -EIO ? " (is the interface down?)" : "");
}

static void block(struct device *d)
{
    d->blocked = true;
    stats_add(STAT_device_backpressure, 1);
}

static int device_transmit(void *ctx, const struct frame *f)
{
    struct device *d = ctx;
    int rc;

    if (d->gone)
        return -ENODEV;
    rc = d->ops->write(d->dev, f);
    if (rc == 0) {
        d->sent = true;
        if (captures_any(d->captures))
            captures_frame(d->captures, f, CAPTURE_OUT);
        return 0;
    }
    if (rc == -EAGAIN || rc == -ENOBUFS)
        block(d);
    else
        refused(d, 1, rc);
    return rc;
}

void device_flush(struct device *d)
{
    struct netdev_flushed done;

    d->ops->flush(d->dev, &done);
    if (done.lost)
        refused(d, done.lost, done.why);
    if (done.waiting)
        block(d);
}

static bool device_taken(void *ctx, const struct sock *s, const struct ip_endpoint *local)
{
    struct device *d = ctx;

    return d->worker && worker_taken(d->worker, s, local);
}

static size_t device_deliver(void *ctx, struct sock *sock, const struct iovec *iov, int n_iov,
                             size_t *held)
{
    (void)ctx;
    return stream_deliver(sock, iov, n_iov, held);
}

const struct stack_ops device_stack_ops = {.transmit = device_transmit,
                                           .taken = device_taken,
                                           .abandoned = stream_listen_abandoned,
                                           .deliver = device_deliver,
                                           .deliver_min = STREAM_GATHER};

bool device_input(struct device *d, struct stack *st, uint64_t now)
{
    struct frame f;

    for (int i = 0; i < DEVICE_BATCH; i++) {
        int rc = d->ops->read(d->dev, &f);

        if (rc == 0) {
            if (captures_any(d->captures))
                captures_frame(d->captures, &f, CAPTURE_IN);
            d->frames++;
            if (!d->worker || worker_steer(d->worker, &f))
                stack_input(st, &f, now);
        } else if (rc == -EPROTO) {
            stats_add(STAT_device_bad_offload, 1);
        } else {
            if (rc == -EAGAIN)
                return false;
            d->gone |= rc == -ENODEV;
            stats_add(STAT_device_read_errors, 1);
            log_limited(&d->limit, LEVEL_WARNING, "cannot read from the device: %s", strerror(-rc));
            return false;
        }
    }
    return true;
}

/* SPDX-License-Identifier: MIT */
/*
 * What the rooms of the core share: the stack itself, its timers and its counters.
 * Only proto/ may include this file.
 */
#ifndef TS_PROTO_STACK_INTERNAL_H
#define TS_PROTO_STACK_INTERNAL_H

#include "proto/base/extent.h"
#include "proto/base/hash.h"
#include "proto/base/list.h"
#include "proto/base/mem.h"
#include "proto/base/pool.h"
#include "proto/base/rng.h"
#include "proto/base/siphash.h"
#include "proto/base/wheel.h"
#include "proto/ip/ip.h"
#include "proto/stack.h"
#include "proto/tcp/tcp_table.h"
#include "proto/tcp/trace.h"

/** Who owns a timer: an enum instead of a function pointer, so that all state can be written out
 * and read back. */
enum stack_timer_kind {
    STACK_TIMER_TCP = 1,  /**< struct tcb */
    STACK_TIMER_REQUEST,  /**< struct tcp_request */
    STACK_TIMER_TIMEWAIT, /**< struct tcp_timewait */
    STACK_TIMER_NEIGH,    /**< struct neigh_entry */
    STACK_TIMER_REASS,    /**< struct datagram */
    STACK_TIMER_DEVICE,   /**< the stack's own: device back-pressure is over by now */
    STACK_TIMER_CALL,     /**< struct sock_call: a blocking call's time-out */
};

struct stack_timer {
    struct wheel_node node; /**< its kind: enum stack_timer_kind, set once at birth */
};

struct stack {
    struct stack_config config;
    const struct stack_ops *ops;
    void *ctx;
    uint64_t now; /**< time of the call that is being served; never goes backwards */
    struct trace_ring
        *tracing; /**< of the connection whose segment is on its way down, NULL: of none */
    struct counters counters;
    struct mem mem;
    struct extent_pool extents;
    struct rng rng;
    struct wheel wheel;
    struct ip_state ip;
    struct tcp_table tcp;
    struct list dirty;   /**< struct tcb.dirty: connections that want output */
    struct list news;    /**< struct sock.event_link: sockets with events to report */
    struct list room;    /**< the same, those with SOCK_EV_ROOM alone */
    bool short_bursts;   /**< somebody looks on who could not read others */
    bool device_blocked; /**< the device refused a frame; cleared by stack_device_ready or the timer
                          */
    struct stack_timer device_timer;
    struct tcp_traces traces;
    uint64_t next_id;
    uint32_t n_sockets;
    uint8_t scratch[FRAME_SCRATCH]; /**< for frames whose checksum the device leaves to us */
};

#define COUNT(st, name)        ((st)->counters.v[CNT_##name]++)
#define COUNT_ADD(st, name, n) ((st)->counters.v[CNT_##name] += (n))

/** This stack's part of a limit for all on our address. */
static inline uint64_t stack_share_of(const struct stack *st, int64_t limit)
{
    uint32_t n = st->config.steer.count;

    return n > 1 ? ((uint64_t)limit + n - 1) / n : (uint64_t)limit;
}

/** A host's clock may be read by several hands: time never goes backwards in here. */
static inline void stack_set_now(struct stack *st, uint64_t now)
{
    if (now > st->now)
        st->now = now;
}

/** Arm t at an absolute time; re-arms. */
static inline void stack_timer_arm(struct stack *st, struct stack_timer *t, uint64_t at)
{
    wheel_arm(&st->wheel, &t->node, at);
}

static inline void stack_timer_stop(struct stack *st, struct stack_timer *t)
{
    wheel_disarm(&st->wheel, &t->node);
}

/**
 * Last step before the device: completes checksums and cuts segments the device cannot, then
 * ops->transmit. Returns 0, or -EAGAIN when the device is blocked (nothing of the frame went out),
 * or another negative errno value when the frame is lost. For a cut frame of which only a part went
 * out, *sent says how many payload bytes did and 0 is returned; else *sent is all. `sent` may be
 * NULL.
 */
int stack_transmit(struct stack *st, struct frame *f, uint32_t *sent);

#endif

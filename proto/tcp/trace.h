/* SPDX-License-Identifier: MIT */
/*
 * Where connections meet their traces (proto/trace.h): few connections are traced at a time, so the
 * control block holds one bit, and the table of the stack the rest.
 */
#ifndef TS_PROTO_TCP_TRACE_H
#define TS_PROTO_TCP_TRACE_H

#include "proto/trace.h"

/** Connections that may be traced at a time. */
#define TCP_TRACES 16

struct stack;
struct tcb;
struct tcp_seg;
struct tcp_reply;

struct tcp_traces {
    unsigned n;       /**< of those below */
    unsigned waiting; /**< of which so many have no connection yet */
    uint64_t read_ns; /**< when the frame that is being looked at came */
    uint32_t read_bytes;
    struct tcp_trace {
        struct trace_ring *ring;
        struct tcb *tp; /**< NULL: it waits for one that fits … */
        struct trace_match match;
        bool half_open; /**< … and this one may become it: the ring is held for it meanwhile */
        struct ip_endpoint local, remote;
    } of[TCP_TRACES];
};

/** Something happens to a connection; the values are those of trace.def. */
#define TCP_TRACE(tp, event, why, ...)                                                             \
    do {                                                                                           \
        if (__builtin_expect((tp)->traced, 0))                                                     \
            tcp_trace(tp, TRACE_##event, why, TRACE_SEVEN(__VA_ARGS__));                           \
    } while (0)

__attribute__((cold, noinline)) void tcp_trace(const struct tcb *tp, enum trace_event event,
                                               unsigned why, uint32_t a, uint32_t b, uint32_t c,
                                               uint32_t d, uint32_t e, uint32_t f, uint32_t g);
/** The same in cold places. */
void tcp_trace_values(const struct tcb *tp, enum trace_event event, unsigned why,
                      const uint32_t v[TRACE_VALUES]);

/** What follows goes down for this connection: what is below TCP does not know it, and looks at
 * st->tracing (TRACE_BELOW). */
__attribute__((cold, noinline)) void tcp_trace_enter(const struct tcb *tp);

/** A frame has come; for whom is not known yet. */
__attribute__((cold, noinline)) void tcp_trace_read(struct stack *st, uint32_t bytes);
/** It is for this connection. */
__attribute__((cold, noinline)) void tcp_trace_input(const struct tcb *tp,
                                                     const struct tcp_seg *seg);
__attribute__((cold, noinline)) void tcp_trace_ack(const struct tcb *tp, const struct tcp_seg *seg,
                                                   unsigned why, uint32_t acked);
/** Output has stopped. */
__attribute__((cold, noinline)) void tcp_trace_stop(const struct tcb *tp, unsigned stop);

/** A connection begins: perhaps it is waited for. */
void tcp_trace_born(struct tcb *tp);
/** A half-open one gets a segment, or its SYN-ACK goes out: what waits for it is held for it. */
void tcp_trace_half_open(struct stack *st, const struct tcp_seg *seg, uint32_t owner);
void tcp_trace_synack(struct stack *st, const struct tcp_reply *r, uint32_t owner);
/** It is gone, or does not answer: another one may be traced in its place. */
void tcp_trace_let_go(struct stack *st, const struct ip_endpoint *local,
                      const struct ip_endpoint *remote);
/** Nothing was kept of this SYN. */
void tcp_trace_refused(struct stack *st, const struct tcp_seg *seg);
/** It is gone. */
void tcp_trace_gone(struct tcb *tp);

#endif

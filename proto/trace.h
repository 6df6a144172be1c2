/* SPDX-License-Identifier: MIT */
/*
 * Traces: a connection under observation writes what it does, step by step, into a ring that the
 * host supplies, oldest events first to be overwritten. Who reads the ring (another process, over
 * shared memory) follows `head`; the core never reads what it wrote.
 *
 * A connection that is not traced pays one test of a bit in its hot cache lines for each event.
 */
#ifndef TS_PROTO_TRACE_H
#define TS_PROTO_TRACE_H

#include "proto/ip/addr.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The events of trace.def. */
enum trace_event {
#define TRACE_EVENT(name, step, help, fields) TRACE_##name,
#include "proto/trace.def"
#undef TRACE_EVENT
    TRACE_COUNT
};

/** Why an event went as it did: what stopped output (stops.def), other reasons (trace_why.def),
 * which timer it was (timers.def). */
enum trace_why {
    TRACE_WHY_none,
#define TCP_STOP(name, help) TRACE_WHY_stop_##name,
#include "proto/tcp/stops.def"
#undef TCP_STOP
#define TRACE_WHY(name, text) TRACE_WHY_##name,
#include "proto/trace_why.def"
#undef TRACE_WHY
#define TCP_TIMER(name, ss, help) TRACE_WHY_timer_##name,
#include "proto/tcp/timers.def"
#undef TCP_TIMER
    TRACE_WHY_COUNT
};

/** Values of one event; what they are, trace_fields() says. */
#define TRACE_VALUES 7

struct trace_slot {
    uint64_t at_ns; /**< by the ring's clock */
    uint8_t event;  /**< enum trace_event */
    uint8_t why;    /**< enum trace_why */
    uint16_t reserved;
    uint32_t v[TRACE_VALUES];
};

/** Whose a ring is: several stacks, each with a thread of its own, may wait with one ring, and one
 * of them at a time writes to it. */
enum trace_hold {
    TRACE_FREE,      /**< whose connection fits may have it */
    TRACE_HALF_OPEN, /**< a connection whose handshake is not over has it */
    TRACE_TAKEN,     /**< it is one connection's for good */
};

/**
 * Event number n lies in slots[n % n_slots] while head - n_slots < n < head; a reader copies it and
 * then looks at head again. The memory is the host's; it lives until stack_trace_stop() of each
 * stack that was given it. What is not named here is 0 when it is given to the first.
 */
struct trace_ring {
    struct trace_slot *slots;
    uint32_t n_slots;             /**< a power of two */
    _Atomic uint64_t *head;       /**< events written so far: the core stores, the reader loads */
    uint64_t (*clock)(void *ctx); /**< nanoseconds: steps of one call follow each other closely */
    void *ctx;
    uint64_t written;      /**< the core's that holds it: what head shall say */
    _Atomic uint32_t held; /**< the cores': enum trace_hold */
    _Atomic bool over;     /**< the core's: the connection is gone, nothing follows */
};

/** The connection that a trace waits for: the next one that is opened, from either side, and fits.
 */
struct trace_match {
    struct ip_endpoint local, remote; /**< unspecified address, port 0: any */
    uint16_t port;                    /**< of either end; 0: any */
    bool only_owner;                  /**< of `owner` (sock_set_owner) only */
    uint32_t owner;
};

/** Have a free ring from now on; what its last holder wrote is seen. False: it is not free. */
bool trace_hold(struct trace_ring *ring, enum trace_hold how);
/** It is anybody's again. */
void trace_let_go(struct trace_ring *ring);

/** Add one event. */
void trace_emit(struct trace_ring *ring, uint64_t at_ns, uint8_t event, uint8_t why,
                const uint32_t v[TRACE_VALUES]);

/* Seven values, those that are not named 0: by arguments, since an array would cost who is not
 * traced a stack protector. */
#define TRACE_FIRST_SEVEN(a, b, c, d, e, f, g, ...) (a), (b), (c), (d), (e), (f), (g)
#define TRACE_SEVEN(...)                            TRACE_FIRST_SEVEN(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/** An event, now, unless ring is NULL. */
#define TRACE_BELOW(ring, event, why, ...)                                                         \
    do {                                                                                           \
        if (__builtin_expect((ring) != NULL, 0))                                                   \
            trace_below(ring, TRACE_##event, why, TRACE_SEVEN(__VA_ARGS__));                       \
    } while (0)

__attribute__((cold, noinline)) void trace_below(struct trace_ring *ring, enum trace_event event,
                                                 unsigned why, uint32_t a, uint32_t b, uint32_t c,
                                                 uint32_t d, uint32_t e, uint32_t f, uint32_t g);

static inline uint64_t trace_now(const struct trace_ring *ring)
{
    return ring->clock(ring->ctx);
}

/** Does a connection of `owner` fit? */
bool trace_matches(const struct trace_match *m, const struct ip_endpoint *local,
                   const struct ip_endpoint *remote, uint32_t owner);

/** Names and texts from the lists; NULL when out of range. */
const char *trace_name(unsigned event);
const char *trace_step(unsigned event);
const char *trace_help(unsigned event);
const char *trace_fields(unsigned event);
const char *trace_why_name(unsigned why);
const char *trace_why_text(unsigned why);

#endif

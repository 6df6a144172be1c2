/* SPDX-License-Identifier: MIT */
/* The ring of a trace, and the texts of trace.def. */
#include "proto/trace.h"

#include <stddef.h>
#include <string.h>

bool trace_hold(struct trace_ring *ring, enum trace_hold how)
{
    uint32_t free = TRACE_FREE;

    return atomic_compare_exchange_strong_explicit(&ring->held, &free, how, memory_order_acquire,
                                                   memory_order_relaxed);
}

void trace_let_go(struct trace_ring *ring)
{
    atomic_store_explicit(&ring->held, TRACE_FREE, memory_order_release);
}

void trace_emit(struct trace_ring *ring, uint64_t at_ns, uint8_t event, uint8_t why,
                const uint32_t v[TRACE_VALUES])
{
    struct trace_slot *slot = &ring->slots[ring->written & (ring->n_slots - 1)];

    /* the reader learns that the old event is going before it goes */
    atomic_thread_fence(memory_order_release);
    slot->at_ns = at_ns;
    slot->event = event;
    slot->why = why;
    memcpy(slot->v, v, sizeof(slot->v));
    atomic_store_explicit(ring->head, ++ring->written, memory_order_release);
}

void trace_below(struct trace_ring *ring, enum trace_event event, unsigned why, uint32_t a,
                 uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f, uint32_t g)
{
    trace_emit(ring, trace_now(ring), (uint8_t)event, (uint8_t)why,
               (const uint32_t[TRACE_VALUES]){a, b, c, d, e, f, g});
}

static bool fits(const struct ip_endpoint *wanted, const struct ip_endpoint *is)
{
    return (!wanted->port || wanted->port == is->port) &&
           (ip_addr_is_any(&wanted->addr) || ip_addr_equal(&wanted->addr, &is->addr));
}

bool trace_matches(const struct trace_match *m, const struct ip_endpoint *local,
                   const struct ip_endpoint *remote, uint32_t owner)
{
    if (m->only_owner && m->owner != owner)
        return false;
    if (m->port && m->port != local->port && m->port != remote->port)
        return false;
    return fits(&m->local, local) && fits(&m->remote, remote);
}

static const struct {
    const char *name, *step, *help, *fields;
} events[] = {
#define TRACE_EVENT(name, step, help, fields) {#name, step, help, fields},
#include "proto/trace.def"
#undef TRACE_EVENT
};

static const struct {
    const char *name, *text;
} reasons[] = {
    {"", ""},
#define TCP_STOP(name, help) {#name, help},
#include "proto/tcp/stops.def"
#undef TCP_STOP
#define TRACE_WHY(name, text) {#name, text},
#include "proto/trace_why.def"
#undef TRACE_WHY
#define TCP_TIMER(name, ss, help) {#name, help},
#include "proto/tcp/timers.def"
#undef TCP_TIMER
};

const char *trace_name(unsigned event)
{
    return event < TRACE_COUNT ? events[event].name : NULL;
}

const char *trace_step(unsigned event)
{
    return event < TRACE_COUNT ? events[event].step : NULL;
}

const char *trace_help(unsigned event)
{
    return event < TRACE_COUNT ? events[event].help : NULL;
}

const char *trace_fields(unsigned event)
{
    return event < TRACE_COUNT ? events[event].fields : NULL;
}

const char *trace_why_name(unsigned why)
{
    return why < TRACE_WHY_COUNT ? reasons[why].name : NULL;
}

const char *trace_why_text(unsigned why)
{
    return why < TRACE_WHY_COUNT ? reasons[why].text : NULL;
}

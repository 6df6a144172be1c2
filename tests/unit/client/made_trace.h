/* SPDX-License-Identifier: MIT */
/* A trace's file in memory, with events that a test makes. */
#ifndef TS_TESTS_UNIT_CLIENT_MADE_TRACE_H
#define TS_TESTS_UNIT_CLIENT_MADE_TRACE_H

#include "client/cli/traceview.h"

#include <stdlib.h>
#include <string.h>

#define MADE_SLOTS 64u

static const struct tracefile_event made_events[] = {
    {"begin", "-", "it begins", "iss,irs,una:S,unsent,unread,state:T,mss"},
    {"tcp_transmit_segment", "15", "out", "seq:S,len,packets,flags:F,ack:R,window,in_flight"},
    {"tcp_ack", "i4", "acked", "ack:S,acked,cwnd,ssthresh,in_flight,srtt:U,window"},
    {"tcp_sack", "i4", "sacked", "start1:S,end1:S,start2:S,end2:S,start3:S,end3:S,lost"},
    {"end", "-", "it ends", "sent,received"},
};
enum made_event { MADE_BEGIN, MADE_SENT, MADE_ACK, MADE_SACK, MADE_END, MADE_EVENTS };
static const struct tracefile_reason made_reasons[] = {
    {"", ""}, {"first", "for the first time"}, {"retransmission", "again"}};

struct made_trace {
    struct tracefile file;
    struct tracefile_event events[MADE_EVENTS];
    struct tracefile_reason reasons[3];
    struct tracefile_slot slots[MADE_SLOTS];
};

static inline struct made_trace *made_trace_new(void)
{
    struct made_trace *m = calloc(1, sizeof(*m));

    if (!m)
        abort();
    m->file = (struct tracefile){.magic = TRACEFILE_MAGIC,
                                 .n_slots = MADE_SLOTS,
                                 .n_events = MADE_EVENTS,
                                 .n_reasons = 3,
                                 .events_at = offsetof(struct made_trace, events),
                                 .reasons_at = offsetof(struct made_trace, reasons),
                                 .slots_at = offsetof(struct made_trace, slots)};
    memcpy(m->events, made_events, sizeof(made_events));
    memcpy(m->reasons, made_reasons, sizeof(made_reasons));
    return m;
}

static inline void made_event(struct made_trace *m, uint64_t us, enum made_event event, uint8_t why,
                              const uint32_t v[TRACEFILE_VALUES])
{
    struct tracefile_slot *s = &m->slots[m->file.head % MADE_SLOTS];

    *s = (struct tracefile_slot){.at_ns = us * 1000, .event = (uint8_t)event, .why = why};
    memcpy(s->v, v, sizeof(s->v));
    m->file.head++;
}

#define MADE(m, us, event, why, ...)                                                               \
    made_event(m, us, event, why, (const uint32_t[TRACEFILE_VALUES]){__VA_ARGS__})

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Reading a trace (ipc/tracefile.h): events in order, what was overwritten is counted as lost.
 * Whatever the file says is checked once when it is opened; the texts are copied then.
 */
#ifndef TS_CLIENT_CLI_TRACEVIEW_H
#define TS_CLIENT_CLI_TRACEVIEW_H

#include "ipc/tracefile.h"
#include "ipc/wire.h"

#include <stdbool.h>
#include <stddef.h>

struct traceview_field {
    char name[20];
    char kind; /**< of trace.def: S, R, F, M, T, C, H, U, E; 0: a plain number */
};

struct traceview_event {
    char name[32], step[8], help[96];
    struct traceview_field field[TRACEFILE_VALUES];
    unsigned n_fields;
};

struct traceview {
    const struct tracefile *file;
    size_t size;
    struct traceview_event *events;
    struct tracefile_reason *reasons;
    unsigned n_events, n_reasons;
    uint32_t n_slots;
    uint64_t next; /**< number of the next event */
    uint64_t lost; /**< overwritten before they were read */
    uint32_t iss, irs;
    bool over; /**< the connection is gone, and all was read */
};

/** 0 or a negative errno value; -EPROTO: no trace of ours. fd may be closed afterwards. */
int traceview_open(struct traceview *v, int fd);
/** The same of a file in memory, which stays the caller's. */
int traceview_over(struct traceview *v, const void *file, size_t size);
void traceview_close(struct traceview *v);

/** Copy the next event; false: there is none now. */
bool traceview_next(struct traceview *v, struct tracefile_slot *out);

const struct traceview_event *traceview_event(const struct traceview *v,
                                              const struct tracefile_slot *s);
/** The value of that name; `otherwise` when the event has none. Sequence numbers become relative.
 */
uint32_t traceview_value(const struct traceview *v, const struct tracefile_slot *s,
                         const char *name, uint32_t otherwise);
bool traceview_is(const struct traceview *v, const struct tracefile_slot *s, const char *event);
/** The i-th value, as a number. */
uint32_t traceview_number(const struct traceview *v, const struct tracefile_slot *s, unsigned i);
/** Why; "" for no reason. */
const char *traceview_why(const struct traceview *v, const struct tracefile_slot *s);
const char *traceview_why_text(const struct traceview *v, const struct tracefile_slot *s);
/** The i-th value as people read it. Returns out. */
const char *traceview_text(const struct traceview *v, const struct tracefile_slot *s, unsigned i,
                           char *out, size_t room);

/**
 * Ask the daemon for a trace of the connection, or of the next one (want->id 0). `who` complains on
 * stderr. It lasts as long as this thread's control connection. Returns 0 or -1.
 */
int traceview_ask(const char *who, const struct wire_trace *want, struct traceview *out);

#endif

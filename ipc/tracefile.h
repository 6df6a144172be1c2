/* SPDX-License-Identifier: MIT */
/*
 * The memory file of a trace (WIRE_OP_TRACE): a header, the texts of events and reasons, a ring of
 * events. Only the daemon writes it (it is sealed against others), so whoever has the descriptor
 * can look on at no cost, and the texts are those of the daemon that runs.
 *
 * Event number n lies at n % n_slots. A reader loads `head`, copies event n < head, and loads
 * `head` again: if it is n + n_slots or more, the event may have been overwritten meanwhile. The
 * last event is "end", unless the trace is given up before: it lasts as long as the control
 * connection that asked for it.
 */
#ifndef TS_IPC_TRACEFILE_H
#define TS_IPC_TRACEFILE_H

#include <stdatomic.h>
#include <stdint.h>

#define TRACEFILE_MAGIC  0x74735431u /* "tsT1" */
#define TRACEFILE_MOST   (1u << 18)  /**< events */
#define TRACEFILE_VALUES 7

struct tracefile_slot {
    uint64_t at_ns; /**< CLOCK_MONOTONIC */
    uint8_t event, why;
    uint16_t reserved;
    uint32_t v[TRACEFILE_VALUES];
};

struct tracefile_event {
    char name[32];
    char step[8]; /**< of the send path; i1, i2 … on the way in */
    char help[96];
    char fields[96]; /**< the values' names, comma between; their kind behind a colon */
};

struct tracefile_reason {
    char name[24];
    char text[72];
};

struct tracefile {
    uint32_t magic;
    uint32_t n_slots; /**< a power of two */
    uint32_t n_events, n_reasons;
    uint32_t events_at, reasons_at, slots_at; /**< bytes from the start of the file */
    uint32_t reserved;
    uint64_t realtime_ns;  /**< what CLOCK_REALTIME was ahead of CLOCK_MONOTONIC */
    _Atomic uint64_t head; /**< events written so far */
};

#endif

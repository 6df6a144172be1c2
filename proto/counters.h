/* SPDX-License-Identifier: MIT */
/* Counters: one enum value, one name and one help text for each line of counters.def. */
#ifndef TS_PROTO_COUNTERS_H
#define TS_PROTO_COUNTERS_H

#include <stdint.h>

enum counter {
#define COUNTER(name, help) CNT_##name,
#include "proto/counters.def"
#undef COUNTER
    CNT_COUNT
};

struct counters {
    uint64_t v[CNT_COUNT];
};

/** The counter's name, e.g. "tcp_in"; NULL when c is out of range. */
const char *counter_name(unsigned c);
/** What it counts, one phrase; NULL when c is out of range. */
const char *counter_help(unsigned c);

#endif

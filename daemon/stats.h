/* SPDX-License-Identifier: MIT */
/* The daemon's own counters: one enum value, one name and one help text for each line of stats.def.
 */
#ifndef TS_DAEMON_STATS_H
#define TS_DAEMON_STATS_H

#include <stdint.h>

enum statistic {
#define STAT(name, help) STAT_##name,
#include "daemon/stats.def"
#undef STAT
    STAT_COUNT
};

/** As many threads count. */
#define STATS_TABLES 64

/** The calling thread's own: nobody else writes there. */
extern __thread uint64_t *stats_value;

/** From now on this thread counts in table `i`, at first in 0. One thread, one table. */
void stats_count_in(unsigned i);
/** The sum of all tables. */
uint64_t stats_total(enum statistic s);

/* A plain addition; others may be reading. */
static inline void stats_add(enum statistic s, uint64_t n)
{
    __atomic_store_n(&stats_value[s], __atomic_load_n(&stats_value[s], __ATOMIC_RELAXED) + n,
                     __ATOMIC_RELAXED);
}

/** NULL when s is out of range. */
const char *stats_name(unsigned s);
const char *stats_help(unsigned s);

#endif

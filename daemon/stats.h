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

/** One process, one thread that counts: a plain table. */
extern uint64_t stats_value[STAT_COUNT];

static inline void stats_add(enum statistic s, uint64_t n)
{
    stats_value[s] += n;
}

/** NULL when s is out of range. */
const char *stats_name(unsigned s);
const char *stats_help(unsigned s);

#endif

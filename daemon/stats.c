/* SPDX-License-Identifier: MIT */
/* Names and help texts of the daemon's counters, from stats.def. */
#include "daemon/stats.h"

#include <stddef.h>

static _Alignas(64) uint64_t tables[STATS_TABLES][(STAT_COUNT + 7) / 8 * 8];

__thread uint64_t *stats_value = tables[0];

void stats_count_in(unsigned i)
{
    stats_value = tables[i];
}

uint64_t stats_total(enum statistic s)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < STATS_TABLES; i++)
        sum += __atomic_load_n(&tables[i][s], __ATOMIC_RELAXED);
    return sum;
}

static const char *const names[] = {
#define STAT(name, help) #name,
#include "daemon/stats.def"
#undef STAT
};

static const char *const helps[] = {
#define STAT(name, help) help,
#include "daemon/stats.def"
#undef STAT
};

const char *stats_name(unsigned s)
{
    return s < STAT_COUNT ? names[s] : NULL;
}

const char *stats_help(unsigned s)
{
    return s < STAT_COUNT ? helps[s] : NULL;
}

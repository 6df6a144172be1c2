/* SPDX-License-Identifier: MIT */
/* Names and help texts of the daemon's counters, from stats.def. */
#include "daemon/stats.h"

#include <stddef.h>

uint64_t stats_value[STAT_COUNT];

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

/* SPDX-License-Identifier: MIT */
/* Names and help texts of the counters, from counters.def. */
#include "proto/counters.h"

#include <stddef.h>

static const char *const names[] = {
#define COUNTER(name, help) #name,
#include "proto/counters.def"
#undef COUNTER
};

static const char *const helps[] = {
#define COUNTER(name, help) help,
#include "proto/counters.def"
#undef COUNTER
};

const char *counter_name(unsigned c)
{
    return c < CNT_COUNT ? names[c] : NULL;
}

const char *counter_help(unsigned c)
{
    return c < CNT_COUNT ? helps[c] : NULL;
}

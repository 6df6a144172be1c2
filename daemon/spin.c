/* SPDX-License-Identifier: MIT */
#include "daemon/spin.h"

#include <sched.h>
#include <time.h>

/** So many vain moments in a row, and there are no more. */
#define MISSES_MAX 3
/** A yield that takes longer has let somebody run. */
#define YIELD_NS 10000

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool yield(void)
{
    uint64_t before = now_ns();

    sched_yield();
    return now_ns() - before > YIELD_NS;
}

bool (*spin_yield)(void) = yield;

void spin_useful(struct spin *s, uint64_t now)
{
    if (s->asleep_us && now - s->asleep_us > s->budget_us) {
        if (s->misses < MISSES_MAX)
            s->misses++;
    } else {
        s->misses = 0;
    }
    s->asleep_us = 0;
    s->last_us = now;
}

bool spin_again(struct spin *s, uint64_t now)
{
    if (s->budget_us && s->misses < MISSES_MAX && now - s->last_us < s->budget_us) {
        if (!spin_yield())
            return true;
        s->misses = MISSES_MAX; /* until something shows that it would pay */
    }
    if (!s->asleep_us)
        s->asleep_us = now;
    return false;
}

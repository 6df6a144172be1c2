/* SPDX-License-Identifier: MIT */
/* See link.h. */
#include "tests/sim/link.h"

#include <string.h>

#define ETH_HEADER 14

void link_init(struct link *l, const struct link_config *config, uint64_t seed)
{
    memset(l, 0, sizeof(*l));
    l->config = *config;
    l->prng.state = seed;
}

uint64_t link_backlog(const struct link *l, uint64_t now)
{
    if (!l->config.rate_bps || l->busy_until_ns <= 1000 * now)
        return 0;
    return (l->busy_until_ns / 1000 - now) * l->config.rate_bps / 8000000;
}

/* In nanoseconds: at 10 Gbit/s a packet takes about one microsecond. */
static uint64_t transmission_time(const struct link *l, uint32_t bytes)
{
    if (!l->config.rate_bps)
        return 0;
    return (uint64_t)bytes * 8000000000 / l->config.rate_bps;
}

static uint64_t arrival(struct link *l, uint64_t departs)
{
    const struct link_config *c = &l->config;
    uint64_t at = departs + c->delay_us;

    if (c->jitter_us)
        at += prng_below(&l->prng, c->jitter_us + 1);
    if (prng_chance(&l->prng, c->reorder_ppm)) {
        l->reordered++;
        return at + prng_below(&l->prng, c->reorder_us + 1);
    }
    if (at < l->last_arrival)
        at = l->last_arrival;
    l->last_arrival = at;
    return at;
}

struct link_fate link_offer(struct link *l, uint32_t bytes, bool safe, uint64_t now)
{
    const struct link_config *c = &l->config;
    struct link_fate f = {.departs = now};

    l->sent++;
    if (!safe && c->queue_bytes && link_backlog(l, now) > c->queue_bytes) {
        l->dropped++;
        return f;
    }
    if (l->busy_until_ns < 1000 * now)
        l->busy_until_ns = 1000 * now;
    l->busy_until_ns += transmission_time(l, bytes);
    f.departs = (l->busy_until_ns + 999) / 1000;
    if ((c->mtu && bytes > c->mtu + ETH_HEADER) || (!safe && prng_chance(&l->prng, c->loss_ppm))) {
        l->lost++;
        return f;
    }
    f.copies = 1;
    f.arrives[0] = arrival(l, f.departs);
    if (prng_chance(&l->prng, c->dup_ppm)) {
        l->duplicated++;
        f.arrives[f.copies++] = arrival(l, f.departs);
    }
    if (prng_chance(&l->prng, c->corrupt_ppm)) {
        l->corrupted++;
        f.corrupt = true;
    }
    return f;
}

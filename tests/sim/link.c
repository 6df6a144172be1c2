/* SPDX-License-Identifier: MIT */
/* See link.h. */
#include "tests/sim/link.h"

#include <string.h>

#define ETH_HEADER 14
#define TOKEN      8000000 /* one byte of the policer, in millionths of a bit */

void link_init(struct link *l, const struct link_config *config, uint64_t seed)
{
    memset(l, 0, sizeof(*l));
    l->config = *config;
    l->prng.state = seed;
    l->tokens = (int64_t)config->police_bytes * TOKEN;
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

/* The bucket fills by police_bps; a packet takes its bytes out of it, or there are too few. */
static bool police(struct link *l, uint32_t bytes, uint64_t now)
{
    int64_t depth = (int64_t)l->config.police_bytes * TOKEN, need = (int64_t)bytes * TOKEN;
    uint64_t since = now - l->tokens_at;

    if (!l->config.police_bps)
        return true;
    l->tokens_at = now;
    if (since > (uint64_t)depth / l->config.police_bps)
        l->tokens = depth;
    else
        l->tokens += (int64_t)(since * l->config.police_bps);
    if (l->tokens > depth)
        l->tokens = depth;
    if (l->tokens < need) {
        l->policed++;
        return false;
    }
    l->tokens -= need;
    return true;
}

static bool lost_in_burst(struct link *l, uint64_t now)
{
    const struct link_config *c = &l->config;

    if (l->bad_until > now && prng_chance(&l->prng, c->burst.end_ppm))
        l->bad_until = 0;
    else if (l->bad_until <= now && prng_chance(&l->prng, c->burst.begin_ppm))
        l->bad_until = now + c->burst.most_us;
    return l->bad_until > now && prng_chance(&l->prng, c->burst.loss_ppm);
}

static bool lost(struct link *l, const struct link_packet *p, uint64_t now)
{
    const struct link_config *c = &l->config;

    if (c->mtu && p->bytes > c->mtu + ETH_HEADER)
        return true;
    if (p->safe)
        return false;
    return lost_in_burst(l, now) || prng_chance(&l->prng, c->loss_ppm) ||
           (p->empty && prng_chance(&l->prng, c->ack_loss_ppm));
}

static uint64_t arrival(struct link *l, const struct link_packet *p, uint64_t departs)
{
    const struct link_config *c = &l->config;
    uint64_t at = departs + c->delay_us;

    if (p->empty && c->ack_hold_us)
        at += c->ack_hold_us - at % c->ack_hold_us;
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

/* Does the queue take it? With a mark, if it must be and may be (RFC 3168 §5). */
static bool enqueue(struct link *l, const struct link_packet *p, struct link_fate *f, uint64_t now)
{
    const struct link_config *c = &l->config;
    uint64_t backlog = link_backlog(l, now);

    if (!p->safe && c->queue_bytes && backlog > c->queue_bytes) {
        l->dropped++;
        return false;
    }
    if (p->ect && c->mark_bytes && backlog > c->mark_bytes) {
        l->marked++;
        f->ce = true;
    }
    if (l->busy_until_ns < 1000 * now)
        l->busy_until_ns = 1000 * now;
    l->busy_until_ns += transmission_time(l, p->bytes);
    l->busy_ns += transmission_time(l, p->bytes);
    f->departs = (l->busy_until_ns + 999) / 1000;
    return true;
}

struct link_fate link_offer(struct link *l, const struct link_packet *p, uint64_t now)
{
    struct link_fate f = {.departs = now};

    l->sent++;
    if ((!p->safe && !police(l, p->bytes, now)) || !enqueue(l, p, &f, now))
        return f;
    if (lost(l, p, now)) {
        l->lost++;
        return f;
    }
    f.copies = 1;
    f.arrives[0] = arrival(l, p, f.departs);
    if (prng_chance(&l->prng, l->config.dup_ppm)) {
        l->duplicated++;
        f.arrives[f.copies++] = arrival(l, p, f.departs);
    }
    if (prng_chance(&l->prng, l->config.corrupt_ppm)) {
        l->corrupted++;
        f.corrupt = true;
    }
    return f;
}

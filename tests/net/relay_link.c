/* SPDX-License-Identifier: MIT */
/* One direction of an emulated link; see relay_link.h. */
#include "tests/net/relay_link.h"

#include <string.h>

enum purpose { LOSS = 1, REORDER, DUP, JITTER };

const char *const relay_drop_names[RELAY_DROPS] = {
#define RELAY_DROP(name, meaning) #name,
#include "tests/net/relay_drops.def"
#undef RELAY_DROP
};

/* splitmix64's finalizer. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A number below `range`, the same for the same frame. */
static uint64_t draw(const struct relay_link *l, enum purpose p, uint32_t flow, uint32_t nth,
                     uint64_t range)
{
    uint64_t x = mix(mix(l->config.seed * 8 + p) ^ ((uint64_t)flow << 32 | nth));

    return (uint64_t)(((unsigned __int128)x * range) >> 64);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* How long the bytes take at that rate. */
static uint64_t duration(uint64_t bytes, uint64_t rate)
{
    return (uint64_t)((unsigned __int128)bytes * 8 * RELAY_S / rate);
}

void relay_link_init(struct relay_link *l, const struct relay_config *c)
{
    memset(l, 0, sizeof(*l));
    l->config = *c;
}

void relay_link_start(struct relay_link *l, uint64_t now)
{
    if (!l->started)
        l->epoch = now;
    l->started = true;
}

uint64_t relay_link_backlog(const struct relay_link *l, uint64_t now)
{
    if (!l->config.rate || l->busy_until <= now)
        return 0;
    return (uint64_t)((unsigned __int128)(l->busy_until - now) * l->config.rate / (8 * RELAY_S));
}

static bool outage(const struct relay_link *l, uint64_t now)
{
    return l->started && now - l->epoch >= l->config.outage_from &&
           now - l->epoch < l->config.outage_to;
}

/* A token bucket in its other form: when would the bucket have room for a burst again? */
static bool police(struct relay_link *l, uint64_t now, uint32_t len)
{
    const struct relay_config *c = &l->config;
    uint64_t until = later(l->police_until, now);

    until += duration(len, c->police_rate);
    if (until > now + duration(c->police_burst, c->police_rate))
        return false;
    l->police_until = until;
    return true;
}

/* Returns false if the queue is full, else when the last bit has left in *at. */
static bool enqueue(struct relay_link *l, uint64_t now, uint32_t len, uint64_t *at)
{
    uint64_t waiting;

    *at = now;
    if (!l->config.rate)
        return true;
    waiting = relay_link_backlog(l, now) + len;
    if (l->config.queue && waiting > l->config.queue && waiting > len)
        return false;
    l->queue_max = later(l->queue_max, waiting);
    l->busy_until = later(l->busy_until, now) + duration(len, l->config.rate);
    *at = l->busy_until;
    return true;
}

static struct relay_fate dropped(enum relay_drop why)
{
    return (struct relay_fate){.drop = why};
}

struct relay_fate relay_link_offer(struct relay_link *l, uint64_t now, uint32_t len, bool exempt,
                                   uint32_t flow, uint32_t nth)
{
    const struct relay_config *c = &l->config;
    struct relay_fate f = {.copies = 1};
    uint64_t at;

    if (outage(l, now))
        return dropped(RELAY_DROP_outage);
    if (c->police_rate && !police(l, now, len))
        return dropped(RELAY_DROP_policer);
    if (!enqueue(l, now, len, &at))
        return dropped(RELAY_DROP_queue);
    if (!exempt && draw(l, LOSS, flow, nth, 1000) < c->loss)
        return dropped(RELAY_DROP_loss);
    at += c->delay;
    if (c->jitter)
        at = later(at + draw(l, JITTER, flow, nth, c->jitter + 1), l->last);
    if (!exempt && draw(l, REORDER, flow, nth, 1000) < c->reorder) {
        at += c->reorder_by;
        f.reordered = true;
    } else {
        l->last = later(at, l->last);
    }
    f.at[0] = f.at[1] = at;
    if (!exempt && draw(l, DUP, flow, nth, 1000) < c->dup)
        f.copies = 2;
    return f;
}

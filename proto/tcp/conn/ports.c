/* SPDX-License-Identifier: MIT */
/*
 * Local ports: who holds which, conflicts at bind, and the choice of ephemeral ports.
 *
 * A bucket per port lists its owners. bind() conflicts as inet_csk_bind_conflict decides; connect()
 * chooses by the double-hash algorithm of RFC 6056 §3.3.4, and a port may serve many connections as
 * long as their 4-tuples differ. Of several stacks on one address each chooses ports whose tuple is
 * its own (steer.h), and which no other one has for a program that asked for it.
 */
#include "proto/tcp/tcp.h"

#include <errno.h>

static struct bind_bucket *bucket_find(const struct stack *st, uint16_t port)
{
    struct hash_node *n = hash_first(&st->tcp.binds, port);

    return n ? container_of(n, struct bind_bucket, node) : NULL;
}

/* What the other stacks on our address need to know of a port. */
enum told { HELD, FIXED };

static uint32_t *count_of(const struct stack *st, enum told what, uint16_t port)
{
    struct stack_common *all = st->config.common;

    return what == HELD ? &all->held[port] : &all->fixed[port];
}

static void tell(struct stack *st, enum told what, uint16_t port, int by)
{
    if (st->config.common)
        __atomic_fetch_add(count_of(st, what, port), (uint32_t)by, __ATOMIC_RELAXED);
}

static uint32_t told(const struct stack *st, enum told what, uint16_t port)
{
    return st->config.common ? __atomic_load_n(count_of(st, what, port), __ATOMIC_RELAXED) : 0;
}

static struct bind_bucket *bucket_get(struct stack *st, uint16_t port)
{
    struct bind_bucket *b = bucket_find(st, port);

    if (b)
        return b;
    b = pool_get(&st->tcp.bind_pool);
    if (!b)
        return NULL;
    b->port = port;
    b->fixed = false;
    list_init(&b->owners);
    hash_insert(&st->tcp.binds, &b->node, port);
    tell(st, HELD, port, 1);
    return b;
}

static void bucket_free(struct stack *st, struct bind_bucket *b)
{
    tell(st, HELD, b->port, -1);
    if (b->fixed)
        tell(st, FIXED, b->port, -1);
    hash_remove(&st->tcp.binds, &b->node);
    pool_put(&st->tcp.bind_pool, b);
}

static void bucket_fix(struct stack *st, struct bind_bucket *b)
{
    if (!b->fixed)
        tell(st, FIXED, b->port, 1);
    b->fixed = true;
}

static bool overlap(const struct ip_addr *a, const struct ip_addr *b)
{
    /* the wildcard :: stands for IPv6 alone (IPV6_V6ONLY): one that takes both families is held as
     * 0.0.0.0 */
    if (ip_addr_is_v4(a) != ip_addr_is_v4(b))
        return false;
    return ip_addr_is_any(a) || ip_addr_is_any(b) || ip_addr_equal(a, b);
}

static bool conflict(const struct bind_bucket *b, const struct bind_owner *o)
{
    struct list *l;

    list_for_each (l, &b->owners) {
        const struct bind_owner *other = container_of(l, struct bind_owner, link);

        if (other == o || !overlap(&other->addr, &o->addr))
            continue;
        /* a server may come back while its old connections and TIME-WAITs still hold the port */
        if (o->reuse && other->reuse && !other->listening)
            continue;
        /* else anybody could take a share of somebody's connections (socket(7)) */
        if (o->reuseport && other->reuseport && (other->timewait || o->owner == other->owner))
            continue;
        return true;
    }
    return false;
}

/* Nobody is there at all: what bind(0) wants even of a port that could be shared (Linux: relax =
 * false). */
static bool is_taken(const struct bind_bucket *b, const struct bind_owner *o)
{
    struct list *l;

    list_for_each (l, &b->owners) {
        if (overlap(&container_of(l, struct bind_owner, link)->addr, &o->addr))
            return true;
    }
    return false;
}

static void attach(struct bind_bucket *b, struct bind_owner *o)
{
    o->bucket = b;
    list_add_tail(&b->owners, &o->link);
}

bool port_conflicts(struct stack *st, const struct bind_owner *o, uint16_t port)
{
    const struct bind_bucket *b = bucket_find(st, port);

    return b && conflict(b, o);
}

int port_bind(struct stack *st, struct bind_owner *o, uint16_t port)
{
    struct bind_bucket *b = bucket_find(st, port);

    if (b && conflict(b, o))
        return -EADDRINUSE;
    if (o->bucket)
        return o->bucket->port == port ? 0 : -EINVAL;
    b = bucket_get(st, port);
    if (!b)
        return -ENOMEM;
    bucket_fix(st, b);
    attach(b, o);
    return 0;
}

void port_inherit(struct bind_owner *child, const struct bind_owner *parent)
{
    *child = *parent;
    child->listening = child->fixed = false;
    list_init(&child->link);
    if (parent->bucket)
        attach(parent->bucket, child);
}

void port_release(struct stack *st, struct bind_owner *o)
{
    struct bind_bucket *b = o->bucket;

    if (!b)
        return;
    o->bucket = NULL;
    list_del(&o->link);
    if (list_empty(&b->owners))
        bucket_free(st, b);
}

uint16_t port_of(const struct bind_owner *o)
{
    return o->bucket ? o->bucket->port : 0;
}

bool port_held_elsewhere(const struct stack *st, uint16_t port)
{
    uint32_t holders = told(st, HELD, port);

    return holders > 1 || (holders == 1 && !bucket_find(st, port));
}

/* bind(0): a random start; odd ports first, since connect() takes the even ones (Linux). */
uint16_t port_pick(struct stack *st, const struct bind_owner *o)
{
    uint32_t low = (uint32_t)st->tcp.tunables.port_min;
    uint32_t high = (uint32_t)st->tcp.tunables.port_max;
    uint32_t n = high - low + 1;
    uint32_t start = (uint32_t)rng_below(&st->rng, n);

    for (int odd = 1; odd >= 0; odd--) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t port = low + (start + i) % n;
            struct bind_bucket *b;

            if ((port & 1) != (uint32_t)odd)
                continue;
            b = bucket_find(st, (uint16_t)port);
            if ((!b || !is_taken(b, o)) && !port_held_elsewhere(st, (uint16_t)port))
                return (uint16_t)port;
        }
    }
    return 0;
}

static bool only_automatic(const struct bind_bucket *b)
{
    struct list *l = list_first(&b->owners);

    /* owners chosen by connect() never share a bucket with bound ones, so the first speaks for all
     */
    return l && container_of(l, struct bind_owner, link)->automatic;
}

static bool tuple_free(struct stack *st, const struct ip_addr *local, uint16_t port,
                       const struct ip_endpoint *remote)
{
    struct ip_endpoint l = {*local, port};
    struct bind_bucket *b = bucket_find(st, port);

    if (st->config.common &&
        (told(st, FIXED, port) || !steer_is_ours(&st->config.steer, &l, remote)))
        return false;
    if (!b)
        return true;
    return only_automatic(b) && !demux_find(st, &l, remote);
}

static uint64_t port_hash(struct stack *st, const struct ip_addr *local,
                          const struct ip_endpoint *remote)
{
    struct {
        struct ip_addr a, b;
        uint16_t port, zero;
        uint32_t epoch;
    } t = {*local, remote->addr, remote->port, 0, (uint32_t)(st->now / 10000000)};

    return siphash24(&st->tcp.port_key, &t, sizeof(t));
}

int port_connect(struct stack *st, struct bind_owner *o, const struct ip_addr *local,
                 const struct ip_endpoint *remote)
{
    uint32_t low = (uint32_t)st->tcp.tunables.port_min;
    uint32_t n = (uint32_t)st->tcp.tunables.port_max - low + 1;
    uint64_t h = port_hash(st, local, remote);
    uint32_t *slot = &st->tcp.port_offsets[h % TCP_PORT_TABLE];
    uint32_t offset = (*slot + (uint32_t)(h >> 32)) % n;

    /* even ports of the range first, then the odd ones */
    for (uint32_t pass = 0; pass < 2; pass++) {
        uint32_t first = (offset & ~1u) + pass;

        for (uint32_t i = 0; i < n; i += 2) {
            uint32_t port = low + (first + i) % n;
            struct bind_bucket *b;

            if (!tuple_free(st, local, (uint16_t)port, remote))
                continue;
            b = bucket_get(st, (uint16_t)port);
            if (!b)
                return -ENOMEM;
            o->automatic = true;
            o->addr = *local;
            attach(b, o);
            *slot += i + 2 + 2 * (uint32_t)rng_below(&st->rng, 8);
            return 0;
        }
    }
    COUNT(st, tcp_no_ports);
    return -EADDRNOTAVAIL;
}

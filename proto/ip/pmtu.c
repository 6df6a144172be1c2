/* SPDX-License-Identifier: MIT */
/*
 * What is known of the paths to destinations (RFC 1191 §6): the path MTU that a "too big" lowered,
 * and where a black hole was found without one (RFC 2923 §2.1).
 *
 * Hashed by destination under a key, PMTU_MAX_ENTRIES at most: the one that was told of longest ago
 * goes. Only what the transport has validated gets here, so a stranger who cannot see our packets
 * makes no entry. Nothing here ever raises an estimate: an entry ends after route.mtu_expires, and
 * the link's MTU holds again. Users compare pmtu_generation() with the one that they saw last, and
 * so notice a change with their next packet without a lookup for each.
 */
#include "proto/ip/ip_internal.h"

#include <errno.h>

struct pmtu_entry {
    struct hash_node node;
    struct list age; /**< least recently told of first */
    struct ip_addr addr;
    uint64_t expires;
    uint16_t mtu;    /**< of the path; the link's: nothing is known */
    uint16_t proven; /**< a black hole swallowed more than this size, 0: none */
    bool locked;     /**< smaller than we go: routers may fragment */
};

int pmtu_init(struct stack *st)
{
    struct ip_state *ip = &st->ip;

    list_init(&ip->pmtu_age);
    ip->pmtu_next_expiry = UINT64_MAX;
    pool_init(&ip->pmtu_pool, &st->mem, sizeof(struct pmtu_entry));
    return hash_init(&ip->pmtus, &st->mem, 8);
}

void pmtu_destroy(struct stack *st)
{
    hash_destroy(&st->ip.pmtus);
    pool_destroy(&st->ip.pmtu_pool);
    list_init(&st->ip.pmtu_age);
}

static uint64_t hash_of(const struct stack *st, const struct ip_addr *addr)
{
    return siphash13(&st->ip.neigh_key, addr->b, sizeof(addr->b));
}

static struct pmtu_entry *find(const struct stack *st, const struct ip_addr *addr)
{
    struct hash_node *n;

    if (!hash_count(&st->ip.pmtus))
        return NULL;
    for (n = hash_first(&st->ip.pmtus, hash_of(st, addr)); n; n = hash_next_same(n)) {
        struct pmtu_entry *e = container_of(n, struct pmtu_entry, node);

        if (ip_addr_equal(&e->addr, addr))
            return e;
    }
    return NULL;
}

static void forget(struct stack *st, struct pmtu_entry *e)
{
    hash_remove(&st->ip.pmtus, &e->node);
    list_del(&e->age);
    pool_put(&st->ip.pmtu_pool, e);
}

static struct pmtu_entry *oldest(struct stack *st)
{
    struct list *l = list_first(&st->ip.pmtu_age);

    return l ? container_of(l, struct pmtu_entry, age) : NULL;
}

static struct pmtu_entry *find_or_add(struct stack *st, const struct ip_addr *addr)
{
    struct pmtu_entry *e = find(st, addr);

    if (e)
        return e;
    if (hash_count(&st->ip.pmtus) >= PMTU_MAX_ENTRIES) {
        COUNT(st, pmtu_evicted);
        forget(st, oldest(st));
    }
    e = pool_get(&st->ip.pmtu_pool);
    if (!e)
        return NULL;
    e->addr = *addr;
    e->mtu = (uint16_t)st->config.mtu;
    hash_insert(&st->ip.pmtus, &e->node, hash_of(st, addr));
    return e;
}

/* News of e: its time begins anew, and everybody looks again. */
static void renew(struct stack *st, struct pmtu_entry *e)
{
    struct ip_state *ip = &st->ip;

    e->expires = st->now + (uint64_t)st->tcp.tunables.mtu_expires * 1000000;
    if (e->expires < ip->pmtu_next_expiry)
        ip->pmtu_next_expiry = e->expires;
    list_del(&e->age);
    list_add_tail(&ip->pmtu_age, &e->age);
    ip->pmtu_changes++;
}

/* Entries of one setting of route.mtu_expires are in the order of their ends; after a change of it
 * they need not be, so all are looked at. At most once for each entry and its time. */
static void expire(struct stack *st)
{
    struct ip_state *ip = &st->ip;
    struct list *l, *next;

    ip->pmtu_next_expiry = UINT64_MAX;
    list_for_each_safe (l, next, &ip->pmtu_age) {
        struct pmtu_entry *e = container_of(l, struct pmtu_entry, age);

        if (e->expires <= st->now) {
            COUNT(st, pmtu_expired);
            forget(st, e);
        } else if (e->expires < ip->pmtu_next_expiry) {
            ip->pmtu_next_expiry = e->expires;
        }
    }
    ip->pmtu_changes++;
}

uint32_t pmtu_generation(struct stack *st)
{
    if (st->now >= st->ip.pmtu_next_expiry)
        expire(st);
    return st->ip.pmtu_changes;
}

void pmtu_of(struct stack *st, const struct ip_addr *dst, struct path_mtu *out)
{
    const struct pmtu_entry *e;

    pmtu_generation(st);
    e = find(st, dst);
    *out = (struct path_mtu){.mtu = st->config.mtu};
    if (!e)
        return;
    out->proven = e->proven;
    if (e->mtu < out->mtu) {
        out->mtu = e->mtu;
        out->locked = e->locked;
        out->until = e->expires;
    }
}

void pmtu_lower(struct stack *st, const struct ip_addr *dst, uint32_t mtu, struct path_mtu *out)
{
    uint32_t least = (uint32_t)st->tcp.tunables.min_pmtu;
    struct pmtu_entry *e;

    pmtu_of(st, dst, out);
    /* RFC 1191 §3: never raised by it; and the link's MTU is no news */
    if (mtu > out->mtu || (mtu == out->mtu && !out->until))
        return;
    if (mtu < least) {
        out->locked = true;
        mtu = out->mtu < least ? out->mtu : least;
    } else {
        out->locked = false;
    }
    out->mtu = mtu;
    out->until = st->now + (uint64_t)st->tcp.tunables.mtu_expires * 1000000;
    e = find_or_add(st, dst);
    if (!e)
        return; /* no memory: who asked knows it, the others learn it for themselves */
    COUNT(st, pmtu_lowered);
    e->mtu = (uint16_t)mtu;
    e->locked = out->locked;
    renew(st, e);
}

void pmtu_black_hole(struct stack *st, const struct ip_addr *dst, uint32_t proven)
{
    struct pmtu_entry *e = find_or_add(st, dst);

    if (!e)
        return;
    e->proven = (uint16_t)proven;
    renew(st, e);
}

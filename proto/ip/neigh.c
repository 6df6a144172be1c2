/* SPDX-License-Identifier: MIT */
/*
 * The neighbour cache: which link address a next hop has, and whether it still answers.
 * States and transitions of RFC 4861 §7.3.2 with ARP as the question; the numbers are Linux's.
 * Bounded in every direction: entries (least recently used go first, those with waiting packets
 * stay), packets and bytes per entry (the oldest go first, RFC 1122 §2.3.2.2), bytes in all. One
 * timer an entry: armed in INCOMPLETE, DELAY, PROBE and FAILED; REACHABLE grows stale by comparison
 * with the clock when it is used.
 */
#include "proto/ip/ip_internal.h"

#include <errno.h>
#include <string.h>

int neigh_init(struct stack *st)
{
    struct ip_state *ip = &st->ip;

    list_init(&ip->neigh_lru);
    ip->neigh_last = NULL;
    ip->neigh_queued_bytes = 0;
    ip->neigh_key.k[0] = rng_u64(&st->rng);
    ip->neigh_key.k[1] = rng_u64(&st->rng);
    pool_init(&ip->neigh_pool, &st->mem, sizeof(struct neigh_entry));
    return hash_init(&ip->neighbours, &st->mem, 64);
}

/* --- the table
 * -------------------------------------------------------------------------------------------- */

static uint64_t neigh_hash(const struct stack *st, const struct ip_addr *addr)
{
    return siphash13(&st->ip.neigh_key, addr->b, sizeof(addr->b));
}

struct neigh_entry *neigh_find(struct stack *st, const struct ip_addr *addr)
{
    struct neigh_entry *last = st->ip.neigh_last;
    struct hash_node *n;

    if (last && ip_addr_equal(&last->addr, addr))
        return last;
    n = hash_first(&st->ip.neighbours, neigh_hash(st, addr));
    for (; n; n = hash_next_same(n)) {
        struct neigh_entry *e = container_of(n, struct neigh_entry, node);

        if (ip_addr_equal(&e->addr, addr)) {
            st->ip.neigh_last = e;
            return e;
        }
    }
    return NULL;
}

/** Take the oldest waiting packet; the entry can be evicted once there is none left. */
static struct held_packet *neigh_unqueue(struct stack *st, struct neigh_entry *e)
{
    struct list *l = list_pop(&e->waiting);
    struct held_packet *h;

    if (!l)
        return NULL;
    h = container_of(l, struct held_packet, link);
    e->waiting_count--;
    e->waiting_bytes -= h->size;
    st->ip.neigh_queued_bytes -= h->size;
    if (e->waiting_count == 0)
        list_add_tail(&st->ip.neigh_lru, &e->lru);
    return h;
}

/** Forget an entry, with whatever waits. */
static void neigh_remove(struct stack *st, struct neigh_entry *e)
{
    struct held_packet *h;

    if (st->ip.neigh_last == e)
        st->ip.neigh_last = NULL;
    st->ip.neigh_removals++;
    while ((h = neigh_unqueue(st, e)))
        held_free(st, h);
    stack_timer_stop(st, &e->timer);
    list_del(&e->lru);
    hash_remove(&st->ip.neighbours, &e->node);
    pool_put(&st->ip.neigh_pool, e);
}

/**
 * A new entry, in the place of the least recently used one if the cache is full. What strangers
 * make us learn goes to the front (`used` false): a flood of them pushes out itself, not the
 * neighbours that we talk to.
 */
static struct neigh_entry *neigh_create(struct stack *st, const struct ip_addr *addr, bool used)
{
    struct ip_state *ip = &st->ip;
    struct neigh_entry *e;

    if (hash_count(&ip->neighbours) >= NEIGH_MAX_ENTRIES) {
        struct list *oldest = list_first(&ip->neigh_lru);

        if (!oldest)
            return NULL;
        COUNT(st, neigh_evicted);
        neigh_remove(st, container_of(oldest, struct neigh_entry, lru));
    }
    e = pool_get(&ip->neigh_pool);
    if (!e)
        return NULL;
    e->timer.node.kind = STACK_TIMER_NEIGH;
    e->addr = *addr;
    list_init(&e->waiting);
    if (used)
        list_add_tail(&ip->neigh_lru, &e->lru);
    else
        list_add_head(&ip->neigh_lru, &e->lru);
    hash_insert(&ip->neighbours, &e->node, neigh_hash(st, addr));
    return e;
}

static void neigh_release(struct hash_node *node, void *ctx)
{
    struct neigh_entry *e = container_of(node, struct neigh_entry, node);
    struct stack *st = ctx;
    struct held_packet *h;

    while ((h = neigh_unqueue(st, e)))
        held_free(st, h);
    stack_timer_stop(st, &e->timer);
}

void neigh_destroy(struct stack *st)
{
    hash_each(&st->ip.neighbours, neigh_release, st);
    hash_destroy(&st->ip.neighbours);
    pool_destroy(&st->ip.neigh_pool);
    list_init(&st->ip.neigh_lru);
    st->ip.neigh_last = NULL;
}

/* --- states
 * -----------------------------------------------------------------------------------------------
 */

/** Ask once more: everybody while the address is unknown, the neighbour alone afterwards. */
static void neigh_solicit(struct stack *st, struct neigh_entry *e)
{
    int r = arp_request(st, &e->addr, e->state == NEIGH_PROBE ? e->mac : NULL);

    if (r == -EAGAIN) {
        stack_timer_arm(st, &e->timer, st->now + NEIGH_BLOCKED_US);
        return;
    }
    e->tries++;
    e->next_request = st->now + NEIGH_RETRANS_US;
    stack_timer_arm(st, &e->timer, e->next_request);
}

static void neigh_set_reachable(struct stack *st, struct neigh_entry *e)
{
    e->state = NEIGH_REACHABLE;
    e->reachable_until = st->now + e->reachable_time;
    stack_timer_stop(st, &e->timer);
}

/** About to be used: an unconfirmed address gets five seconds for the transport to confirm it. */
static void neigh_use(struct stack *st, struct neigh_entry *e)
{
    if (!list_empty(&e->waiting))
        return;
    if (list_last(&st->ip.neigh_lru) != &e->lru) {
        list_del(&e->lru);
        list_add_tail(&st->ip.neigh_lru, &e->lru);
    }
    if (e->state == NEIGH_REACHABLE && st->now >= e->reachable_until)
        e->state = NEIGH_STALE;
    if (e->state == NEIGH_STALE) {
        e->state = NEIGH_DELAY;
        stack_timer_arm(st, &e->timer, st->now + NEIGH_DELAY_US);
    }
}

/** Send what waited. A blocked device takes none of it: those count as drops of the queue. */
static void neigh_flush(struct stack *st, struct neigh_entry *e)
{
    struct held_packet *h;
    struct frame f;

    while ((h = neigh_unqueue(st, e))) {
        neigh_use(st, e);
        held_frame(h, &f);
        if (eth_output(st, &f, e->link, NULL) < 0)
            COUNT(st, neigh_queue_drops);
        held_free(st, h);
    }
}

/** Nobody answered: tell the transport once for each destination with waiting packets. */
static void neigh_fail(struct stack *st, struct neigh_entry *e)
{
    struct ip_addr told[NEIGH_MAX_PACKETS];
    struct held_packet *h;
    unsigned n = 0;

    COUNT(st, neigh_failed);
    e->state = NEIGH_FAILED;
    stack_timer_arm(st, &e->timer, st->now + NEIGH_FAILED_US);
    while ((h = neigh_unqueue(st, e))) {
        unsigned i = 0;

        while (i < n && !ip_addr_equal(&told[i], &h->dst))
            i++;
        if (i == n)
            told[n++] = h->dst;
        held_free(st, h);
    }
    /* The transport may send, and so evict e: nothing touches it from here on. */
    for (unsigned i = 0; i < n; i++)
        tcp_host_unreachable(st, &told[i]);
}

void neigh_timer(struct stack *st, struct stack_timer *t)
{
    struct neigh_entry *e = container_of(t, struct neigh_entry, timer);

    switch (e->state) {
    case NEIGH_INCOMPLETE:
        if (e->tries < NEIGH_TRIES)
            neigh_solicit(st, e);
        else
            neigh_fail(st, e);
        break;
    case NEIGH_DELAY:
        e->state = NEIGH_PROBE;
        e->tries = 0;
        neigh_solicit(st, e);
        break;
    case NEIGH_PROBE:
        if (e->tries < NEIGH_TRIES) {
            neigh_solicit(st, e);
            break;
        }
        /* RFC 4861 §7.3.3: delete it, so that the next packet asks by broadcast (its link address
         * may be new). */
        COUNT(st, neigh_failed);
        neigh_remove(st, e);
        break;
    case NEIGH_FAILED:
        neigh_remove(st, e);
        break;
    default:
        break;
    }
}

/* --- from below: ARP
 * -------------------------------------------------------------------------------------- */

void neigh_update(struct stack *st, const struct neigh_news *news)
{
    struct neigh_entry *e = neigh_find(st, &news->addr);
    bool known, same;

    if (!e) {
        if (!news->create || !(e = neigh_create(st, &news->addr, false)))
            return;
        e->state = NEIGH_FAILED; /* no address yet, nothing asked: the first news make it STALE */
    }
    known = e->state != NEIGH_INCOMPLETE && e->state != NEIGH_FAILED;
    same = known && memcmp(e->mac, news->mac, 6) == 0;
    if (known && !same && !news->gratuitous && st->now - e->updated < NEIGH_LOCK_US)
        return; /* of several answers the first one wins */
    if (!same) {
        eth_header(st, news->mac, ETH_TYPE_IPV4, e->link);
        e->updated = st->now;
    }
    if (!known) {
        COUNT(st, neigh_resolved);
        e->reachable_time = rng_between(&st->rng, NEIGH_REACHABLE_US / 2,
                                        NEIGH_REACHABLE_US + NEIGH_REACHABLE_US / 2);
    }
    if (news->solicited && (e->state == NEIGH_INCOMPLETE || e->state == NEIGH_PROBE)) {
        neigh_set_reachable(st, e);
    } else if (!same) {
        e->state = NEIGH_STALE;
        stack_timer_stop(st, &e->timer);
    }
    neigh_flush(st, e);
}

/* --- from above: packets and advice
 * ----------------------------------------------------------------------- */

/** Keep a copy of f until the address is known. */
static int neigh_wait(struct stack *st, struct neigh_entry *e, const struct frame *f,
                      const struct ip_addr *dst)
{
    uint32_t size = held_size(f);
    struct held_packet *h;

    while (e->waiting_count >= NEIGH_MAX_PACKETS ||
           (e->waiting_count > 0 && (e->waiting_bytes + size > NEIGH_MAX_BYTES ||
                                     st->ip.neigh_queued_bytes + size > NEIGH_MAX_ALL_BYTES))) {
        COUNT(st, neigh_queue_drops);
        held_free(st, neigh_unqueue(st, e));
    }
    h = st->ip.neigh_queued_bytes + size > NEIGH_MAX_ALL_BYTES ? NULL : held_copy(st, f, dst);
    if (!h) {
        COUNT(st, neigh_queue_drops);
        return -ENOBUFS;
    }
    list_del(&e->lru);
    list_add_tail(&e->waiting, &h->link);
    e->waiting_count++;
    e->waiting_bytes += size;
    st->ip.neigh_queued_bytes += size;
    COUNT(st, neigh_queued);
    return 0;
}

static __attribute__((cold, noinline)) void
trace_output(struct stack *st, const struct neigh_entry *e, const struct frame *f)
{
    enum trace_why why = TRACE_WHY_resolved;

    if (e->state == NEIGH_FAILED)
        why = TRACE_WHY_unreachable;
    else if (e->state == NEIGH_INCOMPLETE)
        why = TRACE_WHY_unresolved;
    TRACE_BELOW(st->tracing, neigh_output, why, frame_total(f));
}

int neigh_output(struct stack *st, struct frame *f, struct dst_entry *dst, uint32_t *sent)
{
    struct neigh_entry *e = dst_neighbour(st, dst);
    bool ask = false;
    int r;

    if (!e) {
        e = neigh_create(st, &dst->route.next_hop, true);
        if (!e)
            return -ENOBUFS;
        e->state = NEIGH_INCOMPLETE;
        ask = true;
    }
    if (__builtin_expect(st->tracing != NULL, 0))
        trace_output(st, e, f);
    if (e->state == NEIGH_FAILED)
        return -EHOSTUNREACH;
    if (e->state == NEIGH_INCOMPLETE) {
        if (ask)
            neigh_solicit(st, e);
        r = neigh_wait(st, e, f, &dst->addr);
        if (r == 0 && sent)
            *sent = f->span_len;
        return r;
    }
    neigh_use(st, e);
    return eth_output(st, f, e->link, sent);
}

/** The entry of the next hop towards dst, NULL when there is none. */
static struct neigh_entry *neigh_towards(struct stack *st, const struct ip_addr *dst)
{
    struct dst_entry *d = dst_lookup(st, dst);

    return d && !d->route.local ? dst_neighbour(st, d) : NULL;
}

void neigh_confirm(struct stack *st, const struct ip_addr *dst)
{
    struct neigh_entry *e = neigh_towards(st, dst);

    if (e && e->state != NEIGH_INCOMPLETE && e->state != NEIGH_FAILED)
        neigh_set_reachable(st, e);
}

void neigh_suspect(struct stack *st, const struct ip_addr *dst)
{
    struct neigh_entry *e = neigh_towards(st, dst);

    if (!e || e->state == NEIGH_INCOMPLETE || e->state == NEIGH_FAILED || e->state == NEIGH_PROBE)
        return;
    e->state = NEIGH_PROBE;
    e->tries = 0;
    if (st->now >= e->next_request)
        neigh_solicit(st, e);
    else
        stack_timer_arm(st, &e->timer, e->next_request);
}

/* SPDX-License-Identifier: MIT */
/*
 * Reassembly of IPv4 datagrams (RFC 791 §3.2, RFC 1122 §3.3.2, RFC 815 without its holes: a list is
 * enough for what a host of TCP gets).
 *
 * Fragments wait as copies, in order, until the datagram is whole or a minute is over (then ICMP
 * says so, if the first fragment was among them). Pieces that overlap end the whole datagram (as
 * RFC 8200 §4.5 has it, and Linux); the same piece again is ignored. Bounded in every direction:
 * datagrams, those of one source, fragments of one, bytes in all; the oldest goes first. A CE mark
 * on any fragment is one on the whole; a mark beside a fragment that could not be marked is a lie,
 * and the datagram is dropped (RFC 3168 §5.3).
 */
#include "proto/base/checksum.h"
#include "proto/ip/ip_internal.h"

#include <string.h>

struct fragment {
    struct list link;    /* in datagram.fragments, by offset */
    uint32_t start, end; /* of the datagram's payload */
    uint32_t header_len; /* of the copied IP header at the front of `bytes` */
    uint8_t bytes[];
};

struct datagram {
    struct list link; /* in ip_state.datagrams, oldest first */
    struct stack_timer timer;
    struct ip_addr src, dst;
    uint16_t id;
    uint8_t proto;
    bool broadcast;
    uint8_t ecn_seen; /* a bit for each value of the field */
    uint32_t total;   /* bytes of payload, 0: the last fragment has not come */
    uint32_t have, n;
    struct list fragments;
};

static struct fragment *fragment_of(struct list *l)
{
    return l ? container_of(l, struct fragment, link) : NULL;
}

static struct datagram *datagram_of(struct list *l)
{
    return l ? container_of(l, struct datagram, link) : NULL;
}

static uint32_t fragment_size(const struct fragment *f)
{
    return (uint32_t)sizeof(*f) + f->header_len + f->end - f->start;
}

static void forget(struct stack *st, struct datagram *d)
{
    struct list *l;

    while ((l = list_pop(&d->fragments))) {
        struct fragment *f = fragment_of(l);

        st->ip.reass_bytes -= fragment_size(f);
        mem_free(&st->mem, f, fragment_size(f));
    }
    stack_timer_stop(st, &d->timer);
    list_del(&d->link);
    st->ip.n_datagrams--;
    mem_free(&st->mem, d, sizeof(*d));
}

static void fail(struct stack *st, struct datagram *d)
{
    COUNT(st, ip_reass_failed);
    if (d)
        forget(st, d);
}

void reass_init(struct stack *st)
{
    list_init(&st->ip.datagrams);
    st->ip.n_datagrams = 0;
    st->ip.reass_bytes = 0;
}

void reass_destroy(struct stack *st)
{
    struct list *l;

    while ((l = list_first(&st->ip.datagrams)))
        forget(st, datagram_of(l));
}

/* RFC 1122 §3.3.2: whoever sent it hears of it, if it can be named. */
void reass_timer(struct stack *st, struct stack_timer *t)
{
    struct datagram *d = container_of(t, struct datagram, timer);
    struct fragment *f = fragment_of(list_first(&d->fragments));

    COUNT(st, ip_reass_timeouts);
    if (f && !f->start) {
        struct packet p = {.src = d->src,
                           .dst = d->dst,
                           .proto = d->proto,
                           .broadcast = d->broadcast,
                           .header = f->bytes,
                           .header_len = f->header_len,
                           .payload = f->bytes + f->header_len,
                           .len = f->end};

        icmp_time_exceeded(st, &p, ICMP_EXCEEDED_REASSEMBLY);
    }
    forget(st, d);
}

/* --- which datagram
 * ----------------------------------------------------------------------------------------- */

static struct datagram *find(struct stack *st, const struct packet *p, uint16_t id)
{
    struct list *l;

    list_for_each (l, &st->ip.datagrams) {
        struct datagram *d = datagram_of(l);

        if (d->id == id && d->proto == p->proto && ip_addr_equal(&d->src, &p->src) &&
            ip_addr_equal(&d->dst, &p->dst))
            return d;
    }
    return NULL;
}

/* Nobody takes more than his share: a source that begins too many loses its own oldest. */
static void limit_source(struct stack *st, const struct ip_addr *src)
{
    struct datagram *oldest = NULL;
    uint32_t n = 0;
    struct list *l;

    list_for_each (l, &st->ip.datagrams) {
        struct datagram *d = datagram_of(l);

        if (!ip_addr_equal(&d->src, src))
            continue;
        if (!n++)
            oldest = d;
    }
    if (n >= REASS_MAX_OF_SOURCE)
        fail(st, oldest);
}

static struct datagram *begin(struct stack *st, const struct packet *p, uint16_t id)
{
    struct datagram *d;

    limit_source(st, &p->src);
    if (st->ip.n_datagrams >= REASS_MAX_DATAGRAMS)
        fail(st, datagram_of(list_first(&st->ip.datagrams)));
    d = mem_zalloc(&st->mem, sizeof(*d));
    if (!d)
        return NULL;
    d->src = p->src;
    d->dst = p->dst;
    d->id = id;
    d->proto = p->proto;
    d->broadcast = p->broadcast;
    d->timer.node.kind = STACK_TIMER_REASS;
    list_init(&d->fragments);
    list_add_tail(&st->ip.datagrams, &d->link);
    st->ip.n_datagrams++;
    stack_timer_arm(st, &d->timer, st->now + REASS_TIMEOUT_US);
    return d;
}

/* --- which piece
 * -------------------------------------------------------------------------------------------- */

enum place { PLACE_NEW, PLACE_AGAIN, PLACE_WRONG };

/* Where does [start, end) go? *before: the fragment that it follows, NULL: none. */
static enum place find_place(struct datagram *d, uint32_t start, uint32_t end,
                             struct fragment **before)
{
    struct fragment *last = fragment_of(list_last(&d->fragments));
    struct list *l;

    *before = NULL;
    if (last && last->end <= start) { /* in order, as nearly always */
        *before = last;
        return PLACE_NEW;
    }
    list_for_each (l, &d->fragments) {
        struct fragment *f = fragment_of(l);

        if (f->start == start && f->end == end)
            return PLACE_AGAIN;
        if (f->start >= end)
            break;
        if (f->end > start)
            return PLACE_WRONG;
        *before = f;
    }
    return PLACE_NEW;
}

/* The last fragment says how long it all is; nothing may contradict it. */
static bool length_ok(struct datagram *d, uint32_t end, bool more)
{
    struct fragment *last = fragment_of(list_last(&d->fragments));

    if (more)
        return !d->total || end <= d->total;
    if ((d->total && d->total != end) || (last && last->end > end))
        return false;
    d->total = end;
    return true;
}

static bool add(struct stack *st, struct datagram *d, const struct packet *p, uint32_t start,
                struct fragment *before)
{
    uint32_t size = (uint32_t)sizeof(struct fragment) + p->header_len + p->len;
    struct fragment *f;

    while (st->ip.reass_bytes + size > REASS_MAX_BYTES) {
        struct datagram *oldest = datagram_of(list_first(&st->ip.datagrams));

        if (oldest == d)
            return false;
        fail(st, oldest);
    }
    f = mem_alloc(&st->mem, size);
    if (!f)
        return false;
    f->start = start;
    f->end = start + p->len;
    f->header_len = p->header_len;
    memcpy(f->bytes, p->header, p->header_len);
    memcpy(f->bytes + p->header_len, p->payload, p->len);
    list_init(&f->link);
    list_add_after(before ? &before->link : &d->fragments, &f->link);
    st->ip.reass_bytes += size;
    d->have += p->len;
    d->n++;
    d->ecn_seen |= (uint8_t)(1u << (p->tos & IP_ECN_MASK));
    return true;
}

/* --- the whole
 * ---------------------------------------------------------------------------------------------- */

#define SEEN(ecn) (1u << (ecn))

/* RFC 3168 §5.3. False: no such datagram can be. */
static bool join_ecn(const struct datagram *d, uint8_t *tos)
{
    if (!(d->ecn_seen & SEEN(IP_ECN_CE)))
        return true;
    *tos |= IP_ECN_CE;
    return !(d->ecn_seen & SEEN(IP_ECN_NOT));
}

static void put_header(uint8_t *h, const struct fragment *first, uint32_t total, uint8_t tos)
{
    uint16_t sum;

    memcpy(h, first->bytes, first->header_len);
    h[IPV4_TOS] = tos;
    wire_put16(h + IPV4_TOTAL, first->header_len + total);
    wire_put16(h + IPV4_FRAGMENT, 0);
    memset(h + IPV4_CHECKSUM, 0, 2);
    sum = csum_fold(csum_partial(h, first->header_len, 0));
    memcpy(h + IPV4_CHECKSUM, &sum, 2);
}

static void deliver(struct stack *st, struct datagram *d)
{
    struct fragment *first = fragment_of(list_first(&d->fragments));
    uint32_t header_len = first->header_len, size = header_len + d->total;
    struct packet p = {.src = d->src,
                       .dst = d->dst,
                       .proto = d->proto,
                       .broadcast = d->broadcast,
                       .ttl = first->bytes[IPV4_TTL],
                       .tos = first->bytes[IPV4_TOS],
                       .csum = FRAME_CSUM_NONE,
                       .header_len = header_len,
                       .len = d->total};
    bool good = size <= FRAME_MAX_PACKET && join_ecn(d, &p.tos);
    uint8_t *bytes = good ? mem_alloc(&st->mem, size) : NULL;
    struct list *l;

    if (!bytes) {
        fail(st, d);
        return;
    }
    put_header(bytes, first, d->total, p.tos);
    list_for_each (l, &d->fragments) {
        struct fragment *f = fragment_of(l);

        memcpy(bytes + header_len + f->start, f->bytes + f->header_len, f->end - f->start);
    }
    p.header = bytes;
    p.payload = bytes + header_len;
    forget(st, d);
    COUNT(st, ip_reassembled);
    ipv4_deliver(st, &p);
    mem_free(&st->mem, bytes, size);
}

void reass_input(struct stack *st, const struct packet *p)
{
    uint16_t field = wire_get16(p->header + IPV4_FRAGMENT), id = wire_get16(p->header + IPV4_ID);
    uint32_t start = (field & IPV4_OFFSET) * 8u, end = start + p->len;
    bool more = field & IPV4_MF;
    struct datagram *d = find(st, p, id);
    struct fragment *before;
    enum place place;

    COUNT(st, ip_in_fragments);
    if (!p->len || (more && p->len % 8) || p->header_len + end > FRAME_MAX_PACKET) {
        fail(st, d);
        return;
    }
    if (!d && !(d = begin(st, p, id))) {
        fail(st, NULL);
        return;
    }
    place = find_place(d, start, end, &before);
    if (place == PLACE_AGAIN)
        return;
    if (place == PLACE_WRONG || !length_ok(d, end, more) || d->n >= REASS_MAX_FRAGMENTS ||
        !add(st, d, p, start, before)) {
        fail(st, d);
        return;
    }
    if (d->total && d->have == d->total)
        deliver(st, d);
}

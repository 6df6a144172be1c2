/* SPDX-License-Identifier: MIT */
/* What the scripted receiver says, true or not; see peer.h and lies.def. */
#include "tests/sim/peer.h"

#include "proto/base/checksum.h"
#include "proto/ip/wire.h"

#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define ACK 0x10

#define TCP_AT (ETH_HEADER + IPV4_HEADER)
#define BLOCKS 4
#define BEYOND (64u << 20) /* no stream of a test is so long: surely never sent */

/* One segment being built. */
struct draft {
    uint8_t flags;
    uint32_t seq, ack, tsecr;
    uint32_t window;
    struct {
        uint32_t start, end;
    } sack[BLOCKS];
    unsigned n_sack;
};

static bool lies(struct peer *p, enum peer_lie lie)
{
    if (!prng_chance(&p->prng, p->plan.lie_ppm[lie]))
        return false;
    p->lies[lie]++;
    return true;
}

/* --- a frame -----------------------------------------------------------------------------------
 */

static uint8_t *put_syn_options(const struct peer *p, uint8_t *o)
{
    *o++ = 2, *o++ = 4;
    wire_put16(o, p->plan.mss);
    o += 2;
    if (p->wscale_on)
        *o++ = 1, *o++ = 3, *o++ = 3, *o++ = p->plan.wscale;
    if (p->sack_on)
        *o++ = 1, *o++ = 1, *o++ = 4, *o++ = 2;
    return o;
}

static uint8_t *put_options(const struct peer *p, const struct draft *d, uint8_t *o)
{
    unsigned room = p->ts_on ? 3 : 4, n = d->n_sack < room ? d->n_sack : room;

    if (d->flags & SYN)
        o = put_syn_options(p, o);
    if (p->ts_on) {
        *o++ = 1, *o++ = 1, *o++ = 8, *o++ = 10;
        wire_put32(o, (uint32_t)(p->host->sim->now / 1000));
        wire_put32(o + 4, d->tsecr);
        o += 8;
    }
    if (!n)
        return o;
    *o++ = 1, *o++ = 1, *o++ = 5, *o++ = (uint8_t)(2 + 8 * n);
    for (unsigned i = 0; i < n; i++, o += 8) {
        wire_put32(o, d->sack[i].start);
        wire_put32(o + 4, d->sack[i].end);
    }
    return o;
}

static void put_ip(const struct peer *p, uint8_t *f, uint32_t total)
{
    uint8_t *ip = f + ETH_HEADER;
    uint16_t sum;

    memcpy(f, p->mac, 6);
    memcpy(f + ETH_SOURCE, p->host->mac, 6);
    wire_put16(f + ETH_TYPE, ETH_TYPE_IPV4);
    ip[0] = 0x45;
    wire_put16(ip + IPV4_TOTAL, total);
    wire_put16(ip + IPV4_FRAGMENT, IPV4_DF);
    ip[IPV4_TTL] = 64;
    ip[IPV4_PROTO] = 6;
    wire_put32(ip + IPV4_SRC, 0x0a000001 + p->host->index);
    wire_put32(ip + IPV4_DST, p->addr);
    sum = csum_fold(csum_partial(ip, IPV4_HEADER, 0));
    memcpy(ip + IPV4_CHECKSUM, &sum, 2);
}

static void transmit(struct peer *p, const struct draft *d)
{
    uint8_t f[TCP_AT + 60] = {0}, *ip = f + ETH_HEADER, *t = f + TCP_AT, *end;
    uint32_t len, window = d->window;
    uint16_t sum;

    if (!(d->flags & SYN) && p->wscale_on)
        window >>= p->plan.wscale;
    end = put_options(p, d, t + 20);
    len = (uint32_t)(end - t);
    wire_put16(t, p->sport);
    wire_put16(t + 2, p->dport);
    wire_put32(t + 4, d->seq);
    wire_put32(t + 8, d->ack);
    t[12] = (uint8_t)(len / 4 << 4);
    t[13] = d->flags;
    wire_put16(t + 14, window > 65535 ? 65535 : window);
    put_ip(p, f, IPV4_HEADER + len);
    sum = csum_fold(csum_partial(t, len, csum_pseudo(ip + IPV4_SRC, ip + IPV4_DST, 4, 6, len)));
    memcpy(t + 16, &sum, 2);
    sim_send(p->host, f, TCP_AT + len);
}

/* --- the truth ---------------------------------------------------------------------------------
 */

static uint32_t seq_of(const struct peer *p, uint64_t offset)
{
    return p->irs + 1 + (uint32_t)offset;
}

static void add_block(struct draft *d, uint32_t start, uint32_t end)
{
    if (d->n_sack == BLOCKS)
        return;
    d->sack[d->n_sack].start = start;
    d->sack[d->n_sack].end = end;
    d->n_sack++;
}

/* RFC 2018 §4: the newest first, then others. */
static void add_true_blocks(const struct peer *p, struct draft *d)
{
    for (unsigned i = 0; i < p->n_held; i++) {
        if (p->held[i].from <= p->recent.from && p->held[i].to >= p->recent.to)
            add_block(d, seq_of(p, p->held[i].from), seq_of(p, p->held[i].to));
    }
    for (unsigned i = p->n_held; i-- > 0;) {
        if (!(p->held[i].from <= p->recent.from && p->held[i].to >= p->recent.to))
            add_block(d, seq_of(p, p->held[i].from), seq_of(p, p->held[i].to));
    }
}

static struct draft honest(struct peer *p)
{
    bool fin_here = p->fin_known && p->next >= p->fin_at;

    return (struct draft){.flags = ACK,
                          .seq = p->iss + 1 + p->fin_sent,
                          .ack = seq_of(p, p->next) + fin_here,
                          .tsecr = p->ts_recent,
                          .window = p->window};
}

/* --- and the rest ------------------------------------------------------------------------------
 */

/* Also where no SACK was agreed upon. */
static void add_false_blocks(struct peer *p, struct draft *d)
{
    uint32_t newest = seq_of(p, p->newest), some = 1 + (uint32_t)prng_below(&p->prng, 5000);
    uint64_t hole = p->n_held ? p->held[0].from : p->newest;

    if (lies(p, PEER_LIE_dsack) && p->next > some)
        add_block(d, seq_of(p, p->next - some), seq_of(p, p->next - some / 2));
    if (lies(p, PEER_LIE_sack_old))
        add_block(d, d->ack - some * 100000, d->ack - some * 100000 + some);
    if (lies(p, PEER_LIE_sack_unsent))
        add_block(d, newest + BEYOND, newest + BEYOND + some);
    if (lies(p, PEER_LIE_sack_inverted))
        add_block(d, newest, newest - some);
    if (hole > p->next && lies(p, PEER_LIE_sack_missing))
        add_block(d, seq_of(p, p->next + (hole - p->next) / 2), seq_of(p, hole));
    if (p->newest > p->next && lies(p, PEER_LIE_sack_all))
        add_block(d, seq_of(p, p->next), newest);
}

static void divide(struct peer *p, struct draft d, uint32_t before)
{
    uint32_t n = d.ack - before, pieces = 2 + (uint32_t)prng_below(&p->prng, 20);

    for (uint32_t i = 1; i < pieces; i++) {
        d.ack = before + (uint32_t)((uint64_t)n * i / pieces);
        transmit(p, &d);
    }
}

/* What was on its way is given away: it will not be sent again. */
static void give_away(struct peer *p)
{
    uint64_t to = p->newest;

    if (p->fin_known && to > p->fin_at)
        to = p->fin_at;
    if (to <= p->next || !lies(p, PEER_LIE_ack_unreceived))
        return;
    p->given += to - p->next;
    for (unsigned i = 0; i < p->n_held; i++)
        p->given -= p->held[i].to - p->held[i].from;
    p->n_held = 0;
    p->next = to;
}

static void ack_with_lies(struct peer *p, struct draft d)
{
    struct draft other = d;

    if (lies(p, PEER_LIE_ack_unsent)) {
        other.ack += BEYOND + (uint32_t)prng_below(&p->prng, 1000000);
        transmit(p, &other);
    }
    if (p->next > 10000 && lies(p, PEER_LIE_ack_old)) {
        other.ack = d.ack - (uint32_t)prng_below(&p->prng, 10000);
        transmit(p, &other);
    }
    if (p->ts_on && lies(p, PEER_LIE_ts_echo))
        d.tsecr += (uint32_t)prng_below(&p->prng, 2000000) - 1000000;
    transmit(p, &d);
    if (lies(p, PEER_LIE_dup_acks)) {
        for (uint64_t n = 1 + prng_below(&p->prng, 20); n > 0; n--)
            transmit(p, &d);
    }
}

static void send_fin(void *arg)
{
    struct peer *p = arg;
    struct draft d = honest(p);

    if (p->fin_acked || p->reset)
        return;
    d.flags = FIN | ACK;
    d.seq = p->iss + 1;
    transmit(p, &d);
    sim_at(p->host->sim, p->host->sim->now + SIM_SECOND, send_fin, p);
}

static void begin_fin(struct peer *p)
{
    if (p->fin_sent || !p->fin_known || p->next != p->fin_at)
        return;
    p->fin_sent = true;
    send_fin(p);
}

void peer_ack(struct peer *p)
{
    struct draft d;
    uint32_t before = p->acked;

    give_away(p);
    d = honest(p);
    add_false_blocks(p, &d);
    if (p->sack_on)
        add_true_blocks(p, &d);
    if ((int32_t)(d.ack - before) > 1 && lies(p, PEER_LIE_ack_division))
        divide(p, d, before);
    ack_with_lies(p, d);
    p->acked = d.ack;
    p->unacked = 0;
    begin_fin(p);
}

/* --- the ends of a connection ------------------------------------------------------------------
 */

void peer_synack(struct peer *p)
{
    struct draft d = honest(p);

    d.flags = SYN | ACK;
    d.seq = p->iss;
    p->acked = d.ack;
    transmit(p, &d);
}

void peer_arp_reply(struct peer *p, const struct sim_packet *request)
{
    uint8_t f[ETH_HEADER + 28] = {0}, *arp = f + ETH_HEADER;
    const uint8_t *asked = request->data + ETH_HEADER;

    if (wire_get16(asked + 6) != 1 || wire_get32(asked + 24) != 0x0a000001 + p->host->index)
        return;
    memcpy(f, asked + 8, 6);
    memcpy(f + ETH_SOURCE, p->host->mac, 6);
    wire_put16(f + ETH_TYPE, ETH_TYPE_ARP);
    memcpy(arp, asked, 6);
    wire_put16(arp + 6, 2);
    memcpy(arp + 8, p->host->mac, 6);
    wire_put32(arp + 14, 0x0a000001 + p->host->index);
    memcpy(arp + 18, asked + 8, 10);
    sim_send(p->host, f, sizeof(f));
}

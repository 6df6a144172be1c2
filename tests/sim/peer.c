/* SPDX-License-Identifier: MIT */
/* What the scripted receiver does with what arrives; see peer.h. */
#include "tests/sim/peer.h"

#include "proto/ip/wire.h"
#include "tests/sim/program.h"

#include <string.h>

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

static const char *const names[] = {
#define PEER_LIE(name, help) #name,
#include "tests/sim/lies.def"
#undef PEER_LIE
};

const char *peer_lie_name(unsigned lie)
{
    return names[lie];
}

/* --- bytes out of order ------------------------------------------------------------------------
 */

static void drop_range(struct peer *p, unsigned i)
{
    memmove(&p->held[i], &p->held[i + 1], (p->n_held - i - 1) * sizeof(p->held[0]));
    p->n_held--;
}

/* False: no room for another range. */
static bool insert(struct peer *p, struct peer_range r)
{
    unsigned i = 0;

    while (i < p->n_held && p->held[i].to < r.from)
        i++;
    while (i < p->n_held && p->held[i].from <= r.to) {
        r.from = p->held[i].from < r.from ? p->held[i].from : r.from;
        r.to = p->held[i].to > r.to ? p->held[i].to : r.to;
        drop_range(p, i);
    }
    if (p->n_held == PEER_RANGES)
        return false;
    memmove(&p->held[i + 1], &p->held[i], (p->n_held - i) * sizeof(p->held[0]));
    p->held[i] = r;
    p->n_held++;
    p->recent = r;
    return true;
}

static void advance(struct peer *p)
{
    while (p->n_held && p->held[0].from <= p->next) {
        if (p->held[0].to > p->next)
            p->next = p->held[0].to;
        drop_range(p, 0);
    }
}

static void compare(struct peer *p, const uint8_t *got, struct peer_range r)
{
    uint8_t want[4096];

    while (r.from < r.to) {
        size_t n = r.to - r.from < sizeof(want) ? r.to - r.from : sizeof(want);

        program_bytes(p->stream, r.from, want, n);
        if (memcmp(want, got, n) != 0) {
            sim_fail(p->host->sim, "the peer got wrong bytes at offset %llu",
                     (unsigned long long)r.from);
            return;
        }
        got += n;
        r.from += n;
    }
}

/* --- moods -------------------------------------------------------------------------------------
 */

/* RFC 2018 §8: "the data receiver is permitted to discard data in its queue that has not been
 * acknowledged to the data sender, even if the data has already been reported in a SACK option". */
static void renege(struct peer *p)
{
    if (!p->n_held || !prng_chance(&p->prng, p->plan.renege_ppm))
        return;
    p->reneged++;
    p->n_held = 0;
    p->recent = (struct peer_range){0, 0};
}

static void window_returns(void *arg)
{
    struct peer *p = arg;

    p->window = p->plan.window;
    if (p->established && !p->reset && !p->fin_acked)
        peer_ack(p);
}

static void shrink(struct peer *p)
{
    if (p->window != p->plan.window || !prng_chance(&p->prng, p->plan.shrink_ppm))
        return;
    p->shrunk++;
    p->window = prng_below(&p->prng, 3) ? (uint32_t)prng_below(&p->prng, p->plan.window) : 0;
    sim_at(p->host->sim, p->host->sim->now + prng_below(&p->prng, p->plan.shrink_us + 1),
           window_returns, p);
}

/* --- segments ----------------------------------------------------------------------------------
 */

static void ack_is_late(void *arg)
{
    struct peer *p = arg;

    p->ack_timer = false;
    if (p->unacked && !p->reset)
        peer_ack(p);
}

static void owe_ack(struct peer *p, bool now)
{
    p->unacked++;
    if (now || p->unacked >= p->plan.ack_every) {
        peer_ack(p);
        return;
    }
    if (p->ack_timer)
        return;
    p->ack_timer = true;
    sim_at(p->host->sim, p->host->sim->now + p->plan.ack_delay_us, ack_is_late, p);
}

/* The stream offset of a sequence number near what is awaited. */
static int64_t offset_of(const struct peer *p, uint32_t seq)
{
    return (int64_t)p->next + (int32_t)(seq - (p->irs + 1 + (uint32_t)p->next));
}

/* True: something new, in order. */
static bool take_data(struct peer *p, const struct wire_packet *w)
{
    int64_t from = offset_of(p, w->seq), to = from + (int64_t)w->len;
    int64_t edge = (int64_t)(p->next + p->window);
    uint64_t before = p->next;
    struct peer_range r;

    if (to > (int64_t)p->newest)
        p->newest = (uint64_t)to;
    if (to > edge)
        to = edge;
    if (from < 0 || to <= from || to <= (int64_t)p->next)
        return false;
    r = (struct peer_range){(uint64_t)from, (uint64_t)to};
    compare(p, w->payload, r);
    if (!insert(p, r))
        return false;
    advance(p);
    return p->next > before && !p->n_held;
}

static void take_fin(struct peer *p, const struct wire_packet *w)
{
    if (w->flags & FIN) {
        p->fin_known = true;
        p->fin_at = (uint64_t)offset_of(p, w->seq + w->len);
    }
}

static void take_segment(struct peer *p, const struct wire_packet *w)
{
    bool in_order = false;

    if ((w->flags & ACK) && p->fin_sent && w->ack == p->iss + 2)
        p->fin_acked = true;
    if (w->flags & ACK)
        p->established = true;
    if (w->has_ts && p->ts_on && (int32_t)(w->tsval - p->ts_recent) > 0 &&
        offset_of(p, w->seq) <= (int64_t)p->next)
        p->ts_recent = w->tsval;
    renege(p);
    shrink(p);
    if (w->len)
        in_order = take_data(p, w);
    take_fin(p, w);
    if (w->len || (w->flags & FIN) || offset_of(p, w->seq) < (int64_t)p->next)
        owe_ack(p, !in_order || (w->flags & FIN));
}

static void take_syn(struct peer *p, const struct sim_packet *f, const struct wire_packet *w)
{
    if (p->syn && w->seq != p->irs)
        return;
    p->syn = true;
    p->irs = w->seq;
    p->addr = w->src;
    p->sport = w->dport;
    p->dport = w->sport;
    memcpy(p->mac, f->data + ETH_SOURCE, 6);
    p->sack_on = p->plan.sack && w->sack_ok;
    p->ts_on = p->plan.timestamps && w->has_ts;
    p->wscale_on = w->wscale >= 0;
    p->ts_recent = w->tsval;
    if (!p->wscale_on && p->plan.window > 65535)
        p->window = p->plan.window = 65535;
    peer_synack(p);
}

static void receive(struct sim_host *h, const struct sim_packet *f)
{
    struct peer *p = h->receive_ctx;
    struct wire_packet w;

    if (wire_parse(f->data, f->len, 0, f->csum == FRAME_CSUM_NONE, &w))
        return; /* damaged on the way */
    if (w.type == ETH_TYPE_ARP)
        peer_arp_reply(p, f);
    if (!w.tcp || p->reset)
        return;
    if (p->syn && (w.sport != p->dport || w.dport != p->sport))
        return;
    if (w.flags & RST)
        p->reset = true;
    else if (w.flags & SYN)
        take_syn(p, f, &w);
    else if (p->syn)
        take_segment(p, &w);
}

void peer_init(struct peer *p, struct sim *sim, const struct sim_host_config *config,
               const struct peer_plan *plan, uint64_t seed)
{
    memset(p, 0, sizeof(*p));
    p->plan = *plan;
    p->window = plan->window;
    p->prng.state = seed;
    p->iss = (uint32_t)prng_next(&p->prng);
    p->host = sim_add_peer(sim, config, receive, p);
}

bool peer_done(const struct peer *p)
{
    return p->fin_known && p->next == p->fin_at && p->fin_acked;
}

/* SPDX-License-Identifier: MIT */
/* See transfer.h. */
#include "tests/sim/transfer.h"

#include <stdlib.h>
#include <string.h>

#define KBIT 1000ull
#define GBIT 1000000000ull

static const uint32_t losses[] = {0, 0, 100, 1000, 10000, 30000, 100000};

static uint32_t rarely(struct prng *r, unsigned one_in, uint32_t most)
{
    return prng_below(r, one_in) ? 0 : (uint32_t)prng_log(r, 100, most);
}

static void choose_link(struct prng *r, struct link_config *c, uint64_t rate, uint64_t rtt,
                        bool clean)
{
    uint64_t bdp = rate / 8 * rtt / 1000000;

    c->rate_bps = rate;
    c->delay_us = rtt / 2;
    c->jitter_us = prng_below(r, 3) ? 0 : prng_below(r, rtt / 4 + 2);
    if (clean)
        return;
    c->loss_ppm = losses[prng_below(r, sizeof(losses) / sizeof(losses[0]))];
    c->dup_ppm = rarely(r, 4, 50000);
    c->corrupt_ppm = rarely(r, 4, 20000);
    c->reorder_ppm = rarely(r, 3, 100000);
    c->reorder_us = prng_log(r, 10, rtt + 20);
    if (prng_below(r, 2))
        c->queue_bytes = (uint32_t)prng_log(r, 20000, 20000 + (bdp < 4000000 ? bdp : 4000000));
}

static void choose_host(struct prng *r, struct sim_host_config *c)
{
    static const uint32_t features[] = {0, STACK_TX_CSUM, STACK_TX_CSUM | STACK_TX_TSO4,
                                        STACK_TX_CSUM | STACK_TX_TSO4};

    c->mtu = prng_below(r, 2) ? 1500 : (uint32_t)prng_between(r, 576, 9000);
    c->features = features[prng_below(r, 4)];
    c->large_frames = prng_below(r, 2);
    c->device_queue = prng_below(r, 2);
    if (c->device_queue && !prng_below(r, 3))
        c->device_bytes = (uint32_t)prng_log(r, 16384, 300000);
    if (!prng_below(r, 4)) {
        c->refuse_ppm = (uint32_t)prng_log(r, 100, 100000);
        c->refuse_us = prng_log(r, 100, 50000);
    }
}

static void choose_plan(struct prng *r, struct program_plan *p, uint64_t send)
{
    p->send = send;
    p->write_max = (uint32_t)prng_log(r, 1 + send / 3000, 100000 + send / 3000);
    p->write_min = prng_below(r, 2) ? p->write_max : 1 + (uint32_t)prng_below(r, p->write_max);
    if (!prng_below(r, 4))
        p->write_gap_us = prng_log(r, 10, 20000);
    p->more_ppm = prng_below(r, 3) ? 0 : 300000;
    p->eor_ppm = prng_below(r, 5) ? 0 : 100000;
    p->spans_ppm = prng_below(r, 2) ? 0 : 500000;
    p->read_max = (uint32_t)prng_log(r, 16 + send / 2000, 200000 + send / 2000);
    if (!prng_below(r, 3))
        p->read_gap_us = prng_log(r, 10, 50000);
    if (!prng_below(r, 6))
        p->read_delay_us = prng_log(r, 1000, 5000000);
    p->pair = prng_below(r, 2);
    p->pair_bytes = (uint32_t)prng_log(r, 4096, 262144);
    p->nodelay = prng_below(r, 2);
    p->cork = !prng_below(r, 4);
    if (!prng_below(r, 3))
        p->sndbuf = (int)prng_log(r, 2048, 2000000);
    if (!prng_below(r, 3))
        p->rcvbuf = (int)prng_log(r, 1024, 2000000);
}

/* How they end: who shuts down first, who closes at once. */
static void choose_ends(struct prng *r, struct program_plan *a, struct program_plan *b)
{
    switch (prng_below(r, 5)) {
    case 0:
        a->close = CLOSE_AFTER;
        break;
    case 1:
        b->close = CLOSE_AFTER;
        break;
    case 2:
        if (!b->send)
            a->close = CLOSE_AT_ONCE;
        break;
    case 3:
        if (!a->send)
            b->close = CLOSE_AT_ONCE;
        break;
    default:
        break;
    }
}

/* A slow reader or a small buffer must be done within some minutes. */
static void keep_short(struct program_plan *from, struct program_plan *to, uint64_t rtt)
{
    uint64_t limit = 600 * SIM_SECOND, rounds = limit / (rtt + 50000);
    int least = from->sndbuf;

    if (to->rcvbuf && (!least || to->rcvbuf < least))
        least = to->rcvbuf;
    if (least && from->send > rounds * (uint64_t)least / 4)
        from->send = rounds * (uint64_t)least / 4;
    if (from->send / to->read_max * to->read_gap_us > limit)
        to->read_gap_us = limit / (from->send / to->read_max);
}

static void shrink(void *arg)
{
    struct transfer *t = arg;

    for (unsigned i = 0; i < t->sim.n_hosts; i++)
        t->sim.host[i].out.config.mtu = t->later_mtu;
}

static void choose_shrinking(struct transfer *t, struct prng *r, struct sim_host_config *a,
                             struct sim_host_config *b, uint64_t rtt)
{
    if (prng_below(r, 8))
        return;
    a->large_frames = b->large_frames = false;
    a->too_big_is_told = b->too_big_is_told = true;
    t->later_mtu = (uint32_t)prng_between(r, 576, 1500);
    t->shrinks_at = SIM_START + prng_below(r, 20 * rtt);
    sim_at(&t->sim, t->shrinks_at, shrink, t);
}

static void choose(struct transfer *t, uint64_t seed)
{
    struct prng r = {seed * 0x2545f4914f6cdd1dull + 11};
    uint64_t rate = prng_log(&r, 64 * KBIT, 10 * GBIT), rtt = prng_log(&r, 50, 1000000);
    uint64_t most = 2000 + rate / 8; /* a second of the link */
    struct sim_host_config hc[2] = {0};
    struct program_plan pa = {0}, pb = {0};
    uint64_t bytes = prng_log(&r, 1, most < 12000000 ? most : 12000000);

    bool clean = !prng_below(&r, 5);
    uint64_t memory = prng_below(&r, 10) ? 0 : prng_log(&r, 250000, 4000000);

    for (int i = 0; i < 2; i++) {
        choose_host(&r, &hc[i]);
        choose_link(&r, &hc[i].out, rate, rtt, clean);
        hc[i].memory_limit = memory;
    }
    choose_shrinking(t, &r, &hc[0], &hc[1], rtt);
    sim_add_host(&t->sim, &hc[0]);
    sim_add_host(&t->sim, &hc[1]);
    if (!prng_below(&r, 20))
        bytes = 0;
    choose_plan(&r, &pa, prng_below(&r, 3) ? bytes : 0);
    choose_plan(&r, &pb, !pa.send || !prng_below(&r, 3) ? prng_log(&r, 1, bytes + 1) : 0);
    keep_short(&pa, &pb, rtt);
    keep_short(&pb, &pa, rtt);
    choose_ends(&r, &pa, &pb);
    program_init(&t->a, &t->sim.host[0], &pa, prng_next(&r));
    program_init(&t->b, &t->sim.host[1], &pb, prng_next(&r));
    program_pair(&t->a, &t->b, seed);
}

static bool both_closed(void *arg)
{
    struct transfer *t = arg;

    return t->a.closed && t->b.closed;
}

static bool nothing_left(void *arg)
{
    struct transfer *t = arg;

    return !*sim_leftovers(&t->sim.host[0]) && !*sim_leftovers(&t->sim.host[1]);
}

static void check_end(struct transfer *t)
{
    struct program *p[2] = {&t->a, &t->b};

    for (int i = 0; i < 2; i++) {
        if (p[i]->error)
            sim_fail(&t->sim, "program %d ended with %s", i, strerror(p[i]->error));
        else if (p[i]->received != p[i]->expect)
            sim_fail(&t->sim, "program %d received %llu of %llu bytes", i,
                     (unsigned long long)p[i]->received, (unsigned long long)p[i]->expect);
    }
    program_server_close(&t->server);
    /* TIME-WAIT takes a minute; a lost last ACK, or an orphan's retransmissions, longer */
    sim_run_until(&t->sim, nothing_left, t, t->sim.now + 1200 * SIM_SECOND);
    for (int i = 0; i < 2; i++) {
        const char *why = sim_leftovers(&t->sim.host[i]);

        if (*why)
            sim_fail(&t->sim, "host %d still holds %s after the end", i, why);
    }
}

bool transfer_run(struct transfer *t, uint64_t seed, bool capture)
{
    struct program *waiting[1] = {&t->b};
    struct ip_endpoint to;
    int err;

    memset(t, 0, sizeof(*t));
    sim_init(&t->sim, seed, capture);
    choose(t, seed);
    err = program_listen(&t->server, &t->sim.host[1], 80, 4, waiting, 1);
    to = sim_endpoint(&t->sim.host[1], 80);
    if (!err)
        err = program_connect(&t->a, &to);
    if (err)
        sim_fail(&t->sim, "listen or connect: %s", strerror(-err));
    else if (!sim_run_until(&t->sim, both_closed, t, t->sim.now + 8 * 3600 * SIM_SECOND))
        sim_fail(
            &t->sim,
            "not done after eight hours: a sent %llu received %llu%s, b sent %llu received %llu%s",
            (unsigned long long)t->a.sent, (unsigned long long)t->a.received,
            t->a.eof ? " eof" : "", (unsigned long long)t->b.sent,
            (unsigned long long)t->b.received, t->b.eof ? " eof" : "");
    t->ended_at = t->sim.now;
    if (!t->sim.failure[0])
        check_end(t);
    return !t->sim.failure[0];
}

void transfer_free(struct transfer *t)
{
    sim_destroy(&t->sim);
}

static void describe_host(const struct sim_host *h, FILE *f)
{
    const struct link_config *c = &h->config.out;

    fprintf(f, "#  host %u: mtu %u features %u large %d devq %d/%u refuse %u ppm %llu us\n",
            h->index, h->config.mtu, h->config.features, h->config.large_frames,
            h->config.device_queue, h->config.device_bytes, h->config.refuse_ppm,
            (unsigned long long)h->config.refuse_us);
    fprintf(f,
            "#    link: %llu bit/s delay %llu us jitter %llu queue %u loss %u dup %u corrupt %u "
            "reorder %u/%llu us\n",
            (unsigned long long)c->rate_bps, (unsigned long long)c->delay_us,
            (unsigned long long)c->jitter_us, c->queue_bytes, c->loss_ppm, c->dup_ppm,
            c->corrupt_ppm, c->reorder_ppm, (unsigned long long)c->reorder_us);
}

static void describe_plan(const struct program *p, FILE *f)
{
    const struct program_plan *l = &p->plan;

    fprintf(f,
            "#  program %u: send %llu by %u..%u gap %llu us more %u eor %u spans %u nodelay %d "
            "cork %d close %d\n",
            p->host->index, (unsigned long long)l->send, l->write_min, l->write_max,
            (unsigned long long)l->write_gap_us, l->more_ppm, l->eor_ppm, l->spans_ppm, l->nodelay,
            l->cork, l->close);
    fprintf(f, "#    read %u gap %llu us delay %llu us pair %d/%u sndbuf %d rcvbuf %d\n",
            l->read_max, (unsigned long long)l->read_gap_us, (unsigned long long)l->read_delay_us,
            l->pair, l->pair_bytes, l->sndbuf, l->rcvbuf);
    fprintf(f, "#    sent %llu received %llu eof %d closed %d error %d\n",
            (unsigned long long)p->sent, (unsigned long long)p->received, p->eof, p->closed,
            p->error);
}

void transfer_describe(const struct transfer *t, FILE *f)
{
    for (unsigned i = 0; i < t->sim.n_hosts; i++)
        describe_host(&t->sim.host[i], f);
    fprintf(f, "#  memory limit %llu, path MTU %u from %.6f s on\n",
            (unsigned long long)t->sim.host[0].config.memory_limit, t->later_mtu,
            t->later_mtu ? (double)(t->shrinks_at - SIM_START) / 1e6 : 0);
    describe_plan(&t->a, f);
    describe_plan(&t->b, f);
    fprintf(f, "#  at %.6f s, %llu steps, %llu packets\n", (double)(t->sim.now - SIM_START) / 1e6,
            (unsigned long long)t->sim.steps, (unsigned long long)t->sim.packets);
}

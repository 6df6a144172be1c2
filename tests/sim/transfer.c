/* SPDX-License-Identifier: MIT */
/* See transfer.h. */
#include "tests/sim/transfer.h"

#include "tests/sim/choose.h"

#include <stdlib.h>
#include <string.h>

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

/* A second of the link, not more than twelve megabytes; less where half of it is lost: at an RTO of
 * minutes the end would not come in hours. */
static uint64_t choose_bytes(struct prng *r, const struct path *path,
                             const struct sim_host_config hc[2])
{
    uint64_t most = 2000 + path->rate_bps / 8;
    uint32_t lost = hc[0].out.loss_ppm + hc[1].out.loss_ppm;

    if (most > 12000000)
        most = 12000000;
    if (lost > 50000 && most > 20000000000 / lost)
        most = 20000000000 / lost;
    return prng_log(r, 1, most);
}

static void choose_two_cores(struct transfer *t, struct prng *r, const struct path *path,
                             struct sim_host_config hc[2])
{
    struct program_plan pa = {0}, pb = {0};
    uint64_t bytes = prng_below(r, 20) ? choose_bytes(r, path, hc) : 0;
    uint64_t memory = prng_below(r, 10) ? 0 : prng_log(r, 250000, 4000000);

    hc[0].memory_limit = hc[1].memory_limit = memory;
    choose_shrinking(t, r, &hc[0], &hc[1], path->rtt_us);
    for (int i = 0; i < 2; i++)
        choose_settings(r, sim_add_host(&t->sim, &hc[i]));
    choose_plan(r, &pa, prng_below(r, 3) ? bytes : 0);
    choose_plan(r, &pb, !pa.send || !prng_below(r, 3) ? prng_log(r, 1, bytes + 1) : 0);
    keep_short(&pa, &pb, path->rtt_us);
    keep_short(&pb, &pa, path->rtt_us);
    choose_ends(r, &pa, &pb);
    program_init(&t->a, &t->sim.host[0], &pa, prng_next(r));
    program_init(&t->b, &t->sim.host[1], &pb, prng_next(r));
    for (int i = 0; i < 2; i++)
        t->sim.host[i].config.quota = prng_below(r, 10) ? 0 : prng_log(r, 20000, 2000000);
    program_pair(&t->a, &t->b, t->sim.seed);
}

static void choose_scripted(struct transfer *t, struct prng *r, const struct path *path,
                            struct sim_host_config hc[2])
{
    struct program_plan plan = {0}, none = {.read_max = 1};
    struct peer_plan peer = {0};
    uint64_t bytes = choose_bytes(r, path, hc);

    t->scripted = true;
    choose_settings(r, sim_add_host(&t->sim, &hc[0]));
    choose_peer(r, &peer);
    hc[1].mtu = 9000;
    peer_init(&t->peer, &t->sim, &hc[1], &peer, prng_next(r));
    choose_plan(r, &plan, bytes < 3000000 ? bytes : 3000000);
    none.rcvbuf = (int)peer.window;
    keep_short(&plan, &none, path->rtt_us + peer.ack_delay_us);
    if (prng_below(r, 2))
        plan.close = CLOSE_AT_ONCE;
    program_init(&t->a, &t->sim.host[0], &plan, prng_next(r));
    t->a.stream_out = t->peer.stream = 2 * t->sim.seed;
}

static void choose(struct transfer *t, uint64_t seed)
{
    struct prng r = {seed * 0x2545f4914f6cdd1dull + 11};
    struct path path = choose_path(&r);
    struct sim_host_config hc[2] = {0};

    for (int i = 0; i < 2; i++) {
        choose_host(&r, &hc[i]);
        choose_link(&r, &hc[i], &path);
    }
    if (prng_below(&r, 4))
        choose_two_cores(t, &r, &path, hc);
    else
        choose_scripted(t, &r, &path, hc);
}

static bool both_closed(void *arg)
{
    struct transfer *t = arg;

    return t->a.closed && (t->scripted ? peer_done(&t->peer) || t->peer.reset : t->b.closed);
}

static bool nothing_left(void *arg)
{
    struct transfer *t = arg;

    return !*sim_leftovers(&t->sim.host[0]) && !*sim_leftovers(&t->sim.host[1]);
}

static void check_program(struct transfer *t, const struct program *p)
{
    if (p->error)
        sim_fail(&t->sim, "program %u ended with %s", p->host->index, strerror(p->error));
    else if (p->received != p->expect)
        sim_fail(&t->sim, "program %u received %llu of %llu bytes", p->host->index,
                 (unsigned long long)p->received, (unsigned long long)p->expect);
}

/* Every byte was compared when it came; these were all. */
static void check_peer(struct transfer *t)
{
    const struct peer *p = &t->peer;

    if (!p->fin_known || p->next != p->fin_at)
        sim_fail(&t->sim, "the peer was reset at offset %llu", (unsigned long long)p->next);
    else if (p->next != t->a.plan.send)
        sim_fail(&t->sim, "the peer got %llu of %llu bytes", (unsigned long long)p->next,
                 (unsigned long long)t->a.plan.send);
}

static void check_end(struct transfer *t)
{
    check_program(t, &t->a);
    if (t->scripted) {
        check_peer(t);
    } else {
        check_program(t, &t->b);
        program_server_close(&t->server);
    }
    /* TIME-WAIT takes a minute; a lost last ACK, or an orphan's retransmissions, longer */
    sim_run_until(&t->sim, nothing_left, t, t->sim.now + 8000 * SIM_SECOND);
    for (int i = 0; i < 2; i++) {
        const char *why = sim_leftovers(&t->sim.host[i]);

        if (*why)
            sim_fail(&t->sim, "host %d still holds %s after the end", i, why);
    }
}

static int start(struct transfer *t)
{
    static struct program *waiting[1];
    struct ip_endpoint to = sim_endpoint(&t->sim.host[1], 80);
    int err = 0;

    waiting[0] = &t->b;
    if (!t->scripted)
        err = program_listen(&t->server, &t->sim.host[1], 80, 4, waiting, 1);
    return err ? err : program_connect(&t->a, &to);
}

static void fail_by_time(struct transfer *t)
{
    sim_fail(
        &t->sim,
        "not done after eight hours: a sent %llu received %llu%s, %s sent %llu received %llu%s",
        (unsigned long long)t->a.sent, (unsigned long long)t->a.received, t->a.eof ? " eof" : "",
        t->scripted ? "peer" : "b", (unsigned long long)t->b.sent,
        (unsigned long long)(t->scripted ? t->peer.next : t->b.received), t->b.eof ? " eof" : "");
}

bool transfer_run(struct transfer *t, uint64_t seed, bool capture)
{
    int err;

    memset(t, 0, sizeof(*t));
    sim_init(&t->sim, seed, capture);
    choose(t, seed);
    err = start(t);
    if (err)
        sim_fail(&t->sim, "listen or connect: %s", strerror(-err));
    else if (!sim_run_until(&t->sim, both_closed, t, t->sim.now + 8 * 3600 * SIM_SECOND))
        fail_by_time(t);
    t->ended_at = t->sim.now;
    if (!t->sim.failure[0])
        check_end(t);
    return !t->sim.failure[0];
}

void transfer_free(struct transfer *t)
{
    sim_destroy(&t->sim);
}

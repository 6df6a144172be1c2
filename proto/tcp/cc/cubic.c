/* SPDX-License-Identifier: MIT */
/*
 * CUBIC (RFC 9438): after a reduction the window follows W(t) = C (t - K)^3 + Wmax, steep, flat
 * around the window of the last loss, and steep again; never slower than Reno would be (§4.3).
 *
 * Integers only. Time is in 1/1024 s, windows in 1/1024 packet, what grows by fractions (cwnd,
 * W_est) in 2^-32 packet. C = 0.4; beta = 717/1024 and its consequences as in Linux. Each ACK adds
 * (target - cwnd) / cwnd for each packet (§4.4). Time in which the window was not the limit does
 * not count in t (§4.2). A spurious reduction is taken back as a whole (§4.9). The first slow start
 * is HyStart++'s (hystart.c).
 */
#include "proto/tcp/cc/hystart.h"
#include "proto/tcp/tcp.h"

#define SCALE          1024u
#define BETA           717u /**< 0.7 */
#define BETA_ECN       870u /**< 0.85 (RFC 8511 §3.1) */
#define LEAST_SSTHRESH 2u
#define MAX_TIME       (UINT64_C(1) << 20) /**< 1/1024 s: the cube stays below 2^63 */

/** From one reduction to the next; what an undo restores. */
struct cubic_epoch {
    uint64_t since;      /**< t = 0; 0: congestion avoidance has not begun */
    uint64_t w_est;      /**< Reno's window, 2^-32 packet */
    uint32_t w_max;      /**< window before the last reduction, 0: none is known */
    uint32_t cwnd_prior; /**< the same without fast convergence */
    uint32_t origin;     /**< the plateau of this epoch */
    uint32_t k;          /**< when it is reached, 1/1024 s */
};

struct cubic {
    struct cubic_epoch now;
    union {
        struct hystart hystart;   /**< before there was an epoch … */
        struct cubic_epoch saved; /**< … afterwards: the one before the last reduction */
    };
    uint64_t last_ack; /**< the last time that the window was known to be in use */
    uint32_t fraction; /**< of the window, 2^-32 packet */
    bool has_saved;
    bool can_undo;
};

_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcb *)0)->cc_private),
               "cubic's state fits into the connection");

static struct cubic *cubic_of(struct tcb *tp)
{
    return (struct cubic *)(void *)tp->cc_private;
}

static void cubic_init(struct tcb *tp)
{
    struct cubic *c = cubic_of(tp);

    *c = (struct cubic){.last_ack = tp->st->now};
    hystart_init(&c->hystart, tp);
}

/* The largest r with r^3 <= x. */
static uint32_t cube_root(uint64_t x)
{
    uint64_t r = 0;

    for (int s = 63; s >= 0; s -= 3) {
        uint64_t b;

        r <<= 1;
        b = 3 * r * (r + 1) + 1;
        if (x >> s >= b) {
            x -= b << s;
            r++;
        }
    }
    return (uint32_t)r;
}

/* K = cbrt((Wmax - cwnd) / C) in 1/1024 s (§4.2, equation 2): 2^30 / 0.4 = 5 * 2^29. */
static uint32_t plateau_time(uint32_t w_max, uint32_t cwnd)
{
    uint64_t below = w_max - cwnd;

    if (below >> 31)
        below = (UINT64_C(1) << 31) - 1;
    return cube_root(below * 5 << 29);
}

static void begin_epoch(struct tcb *tp, struct cubic_epoch *e)
{
    e->since = tp->st->now ? tp->st->now : 1;
    e->w_est = (uint64_t)tp->cwnd << 32;
    if (e->w_max > tp->cwnd) {
        e->k = plateau_time(e->w_max, tp->cwnd);
        e->origin = e->w_max;
    } else {
        e->k = 0;
        e->origin = tp->cwnd;
    }
    /* the slow start before had no loss (§4.10), or it followed a time-out (§4.8) */
    if (!e->w_max)
        e->w_max = tp->cwnd;
    if (!e->cwnd_prior)
        e->cwnd_prior = tp->cwnd;
}

static uint64_t in_1024ths(uint64_t us)
{
    uint64_t t = us / 1000000 >= MAX_TIME / SCALE ? MAX_TIME : us * SCALE / 1000000;

    return t < MAX_TIME ? t : MAX_TIME;
}

/* W_cubic(t) in 1/1024 packet (§4.2, equation 1); t in 1/1024 s. */
static uint64_t w_cubic(const struct cubic_epoch *e, uint64_t t)
{
    uint64_t distance = t > e->k ? t - e->k : e->k - t;
    uint64_t origin = (uint64_t)e->origin * SCALE;
    /* 0.4 d^3 / 2^30 packets: 0.4 d^3 / 2^20 of 1/1024 */
    uint64_t delta = (distance * distance * distance / 5 * 2) >> 20;

    if (t > e->k)
        return origin + delta;
    return delta < origin ? origin - delta : 0;
}

/* W_est += alpha acked / cwnd (§4.3, equation 4). */
static void grow_w_est(struct cubic_epoch *e, uint32_t cwnd, uint32_t acked)
{
    uint64_t per_packet = (UINT64_C(1) << 32) / cwnd;

    /* once Reno would have its window back it grows as Reno: alpha is 1 */
    if (e->w_est >> 32 < e->cwnd_prior)
        per_packet = per_packet * (3 * (SCALE - BETA)) / (SCALE + BETA);
    e->w_est += per_packet * acked;
}

/* (target - cwnd) / cwnd of a packet for each that is acknowledged (§4.4), from nothing to a half.
 */
static void grow(struct tcb *tp, struct cubic *c, uint64_t target, uint32_t acked)
{
    uint64_t cwnd = (uint64_t)tp->cwnd * SCALE + (c->fraction >> 22), sum;

    if (target <= cwnd)
        return;
    if (target > cwnd + cwnd / 2)
        target = cwnd + cwnd / 2;
    sum = ((target - cwnd) << 22) / tp->cwnd * acked + c->fraction;
    tp->cwnd += (uint32_t)(sum >> 32);
    c->fraction = (uint32_t)sum;
}

static void congestion_avoidance(struct tcb *tp, struct cubic *c, uint32_t acked)
{
    struct cubic_epoch *e = &c->now;
    uint64_t elapsed;

    if (!e->since)
        begin_epoch(tp, e);
    elapsed = tp->st->now - e->since;
    grow_w_est(e, tp->cwnd, acked);
    if (w_cubic(e, in_1024ths(elapsed)) < e->w_est >> 22) {
        if (e->w_est >> 32 > tp->cwnd)
            tp->cwnd = (uint32_t)(e->w_est >> 32);
        return;
    }
    grow(tp, c, w_cubic(e, in_1024ths(elapsed + (tp->srtt_us >> 3))), acked);
}

static void cubic_cong_avoid(struct tcb *tp, uint32_t acked)
{
    struct cubic *c = cubic_of(tp);

    if (tcp_in_slow_start(tp)) {
        acked = tcp_slow_start(tp, c->has_saved ? acked : hystart_growth(&c->hystart, tp, acked));
        if (!acked)
            return;
    }
    congestion_avoidance(tp, c, acked);
}

/* In the first slow start there is no epoch to save: HyStart++ keeps its place, and may go on. */
static void save(struct cubic *c)
{
    const struct cubic_epoch *e = &c->now;

    if (!c->has_saved)
        hystart_stop(&c->hystart);
    if (!c->has_saved && !e->since && !e->w_max && !e->cwnd_prior)
        return;
    c->has_saved = true;
    c->saved = *e;
}

/* The present epoch ends in a reduction. Below the last plateau others have come: leave them room
 * (§4.7, fast convergence). */
static uint32_t reduce(struct tcb *tp, uint32_t factor, uint32_t least)
{
    struct cubic *c = cubic_of(tp);
    struct cubic_epoch *e = &c->now;
    uint32_t ssthresh = (uint32_t)((uint64_t)tp->cwnd * factor / SCALE);

    if (!tcp_in_reduction(tp)) { /* the first of a recovery */
        save(c);
        c->can_undo = true;
    }
    e->cwnd_prior = tp->cwnd;
    if (tp->cwnd < e->w_max)
        e->w_max = (uint32_t)((uint64_t)tp->cwnd * (SCALE + factor) / (2 * SCALE));
    else
        e->w_max = tp->cwnd;
    e->since = 0;
    c->fraction = 0;
    return ssthresh > least ? ssthresh : least;
}

static uint32_t cubic_ssthresh(struct tcb *tp)
{
    return reduce(tp, BETA, LEAST_SSTHRESH);
}

/* Marks reduce to one packet; from there on the timer paces (§4.6, loss/ecn.c). */
static uint32_t cubic_ecn_ssthresh(struct tcb *tp)
{
    return reduce(tp, tp->st->tcp.tunables.abe ? BETA_ECN : BETA, 1);
}

/* §4.9. */
static uint32_t cubic_undo_cwnd(struct tcb *tp)
{
    struct cubic *c = cubic_of(tp);

    if (c->can_undo)
        c->now = c->has_saved ? c->saved : (struct cubic_epoch){0};
    c->can_undo = false;
    if (tp->prior_ssthresh == TCP_INIT_SSTHRESH) {
        /* it is the first slow start still */
        if (c->has_saved)
            hystart_init(&c->hystart, tp);
        c->has_saved = false;
        hystart_resume(&c->hystart, tp);
    }
    return reno_undo_cwnd(tp);
}

/* After a time-out the next epoch starts on its plateau (§4.8). */
static void cubic_set_state(struct tcb *tp, enum ca_state state)
{
    struct cubic *c = cubic_of(tp);

    if (state != CA_LOSS)
        return;
    c->now.w_max = 0;
    c->now.since = 0;
    c->fraction = 0;
    if (!c->has_saved)
        hystart_stop(&c->hystart);
}

/* Since the last ACK the window was not the limit: that time does not count. */
static void skip_time(struct tcb *tp, struct cubic *c)
{
    if (c->now.since)
        c->now.since += tp->st->now - c->last_ack;
}

static void cubic_event(struct tcb *tp, enum tcp_cc_event ev)
{
    struct cubic *c = cubic_of(tp);

    if (ev == TCP_CC_TX_START) {
        skip_time(tp, c);
        c->last_ack = tp->st->now;
    } else if (ev == TCP_CC_CWND_RESTART) {
        c->now.since = 0; /* a new climb to the same plateau */
    }
}

static void cubic_acked(struct tcb *tp, const struct tcp_cc_ack *ack)
{
    struct cubic *c = cubic_of(tp);

    if (!tcp_is_cwnd_limited(tp))
        skip_time(tp, c);
    c->last_ack = tp->st->now;
    if (!c->has_saved)
        hystart_acked(&c->hystart, tp, ack->rtt_us);
}

const struct tcp_cc_ops tcp_cc_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .ssthresh = cubic_ssthresh,
    .ecn_ssthresh = cubic_ecn_ssthresh,
    .cong_avoid = cubic_cong_avoid,
    .undo_cwnd = cubic_undo_cwnd,
    .set_state = cubic_set_state,
    .event = cubic_event,
    .acked = cubic_acked,
};

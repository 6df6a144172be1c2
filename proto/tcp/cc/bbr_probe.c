/* SPDX-License-Identifier: MIT */
/*
 * BBR's state machine (draft-ietf-ccwg-bbr §5.3).
 *
 *   Startup -> Drain -> DOWN -> CRUISE -> REFILL -> UP -> DOWN ...,   and from any: ProbeRTT
 *
 * Startup doubles the rate each round until more sending delivers no more. Then, every two or three
 * seconds (or sooner, so that a Reno flow beside us keeps up), one round fills the pipe (REFILL)
 * and the next ones send a quarter faster (UP), until nothing is gained or too much is lost; DOWN
 * drains what that has queued. When no shorter round trip was seen for ten seconds, ProbeRTT
 * empties the pipe for 200 ms.
 */
#include "proto/tcp/cc/bbr.h"

#define DRAIN_ROUNDS      3u
#define RENO_ROUNDS       63u
#define PROBE_WAIT_US     2000000u
#define PROBE_UP_DOUBLING 30u

/* --- Startup and Drain ------------------------------------------------------------------------
 */

void bbr_enter_startup(struct bbr *b)
{
    b->state = BBR_STARTUP;
}

/* §5.3.1.3: a whole round of recovery with many holes and more than 2 % lost. */
static bool startup_loses_too_much(const struct tcb *tp, const struct bbr *b,
                                   const struct tcp_rate_sample *rs)
{
    struct bbr_flight f = bbr_flight_of_sample(tp, rs);

    if (tp->ca_state != CA_RECOVERY)
        return false;
    if (!tp->sack_ok)
        return rs->losses > 0;
    return b->loss_round_start && b->loss_events >= BBR_FULL_LOSS_COUNT &&
           bbr_is_inflight_too_high(tp, &f);
}

void bbr_check_startup_done(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    if (b->state == BBR_STARTUP && !b->full_bw_reached && startup_loses_too_much(tp, b, rs)) {
        b->undo_state = BBR_STARTUP;
        b->full_bw_now = b->full_bw_reached = true;
        b->inflight_longterm = bbr_max(bbr_bdp(tp, b, bbr_max_bw(b), BBR_GAIN), b->inflight_latest);
    }
    if (b->loss_round_start)
        b->loss_events = 0;
    if (b->state == BBR_STARTUP && b->full_bw_reached) {
        b->state = BBR_DRAIN;
        b->drain_start_round = b->round_count;
    }
}

static void start_down(struct tcb *tp, struct bbr *b);

void bbr_check_drain_done(struct tcb *tp, struct bbr *b)
{
    if (b->state != BBR_DRAIN)
        return;
    if (tcp_in_flight(tp) <= bbr_inflight(tp, b, b->bw, BBR_GAIN) ||
        b->round_count > b->drain_start_round + DRAIN_ROUNDS)
        start_down(tp, b);
}

/* --- ProbeBW: entering its states (§5.3.3.6) --------------------------------------------------
 */

/* Random, so that flows do not probe in step. */
static void pick_probe_wait(struct tcb *tp, struct bbr *b)
{
    b->rounds_since_probe_up = (uint32_t)rng_below(&tp->st->rng, 2);
    b->probe_wait_us = PROBE_WAIT_US + (uint32_t)rng_below(&tp->st->rng, 1000000);
}

static void start_down(struct tcb *tp, struct bbr *b)
{
    bbr_reset_congestion_signals(b);
    b->probe_up_acked_per_inc = UINT32_MAX;
    pick_probe_wait(tp, b);
    b->cycle_stamp = tp->st->now;
    b->ack_phase = BBR_ACKS_PROBE_STOPPING;
    bbr_start_round(tp, b);
    b->state = BBR_DOWN;
}

static void start_refill(struct tcb *tp, struct bbr *b)
{
    bbr_reset_shortterm(b);
    b->probe_up_rounds = 0;
    b->probe_up_acked = 0;
    b->prev_probe_precautionary = false;
    b->ack_phase = BBR_ACKS_REFILLING;
    bbr_start_round(tp, b);
    b->state = BBR_REFILL;
}

/* Each round the bound may rise by twice as much as in the one before. */
static void raise_longterm_slope(const struct tcb *tp, struct bbr *b)
{
    uint32_t growth = 1u << b->probe_up_rounds;

    if (b->probe_up_rounds < PROBE_UP_DOUBLING)
        b->probe_up_rounds++;
    b->probe_up_acked_per_inc = bbr_max(tp->cwnd / growth, 1);
}

static void start_up(struct tcb *tp, struct bbr *b)
{
    b->ack_phase = BBR_ACKS_PROBE_STARTING;
    bbr_start_round(tp, b);
    bbr_reset_full_bw(b);
    b->full_bw = b->sample;
    b->state = BBR_UP;
    raise_longterm_slope(tp, b);
}

/* --- ProbeBW: leaving them --------------------------------------------------------------------
 */

static bool is_time_to_probe(const struct tcb *tp, const struct bbr *b)
{
    return tp->st->now > b->cycle_stamp + b->probe_wait_us ||
           b->rounds_since_probe_up >= bbr_min(bbr_target_inflight(tp, b), RENO_ROUNDS);
}

static bool is_time_to_cruise(const struct tcb *tp, const struct bbr *b)
{
    uint32_t in_flight = tcp_in_flight(tp);

    return in_flight <= bbr_inflight_with_headroom(b) &&
           in_flight <= bbr_inflight(tp, b, bbr_max_bw(b), BBR_GAIN);
}

static bool is_time_to_go_down(struct tcb *tp, struct bbr *b)
{
    /* there were losses at this volume last time: do not stay here a second round */
    if (b->prev_probe_too_high && tcp_in_flight(tp) >= b->inflight_longterm) {
        b->prev_probe_precautionary = true;
        return true;
    }
    /* it is the bound that holds the rate, not the path */
    if (tp->is_cwnd_limited && tp->cwnd >= b->inflight_longterm) {
        bbr_reset_full_bw(b);
        b->full_bw = b->sample;
        return false;
    }
    return b->full_bw_now;
}

static void probe_longterm_upward(struct tcb *tp, struct bbr *b, uint32_t acked)
{
    if (!tp->is_cwnd_limited || tp->cwnd < b->inflight_longterm)
        return;
    b->probe_up_acked += acked;
    if (b->probe_up_acked >= b->probe_up_acked_per_inc) {
        uint32_t delta = b->probe_up_acked / b->probe_up_acked_per_inc;

        b->probe_up_acked -= delta * b->probe_up_acked_per_inc;
        b->inflight_longterm = bbr_min((uint64_t)b->inflight_longterm + delta, INT32_MAX);
    }
    if (b->round_start)
        raise_longterm_slope(tp, b);
}

/* The round after a probe is over: its samples are complete. True: the next one follows at once. */
static bool end_of_probe_samples(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    b->is_probe_sample = false;
    b->ack_phase = BBR_ACKS_INIT;
    if (!bbr_in_probe_bw(b))
        return false;
    if (!rs->app_limited)
        bbr_advance_max_bw(b);
    if (!b->prev_probe_precautionary || b->prev_probe_too_high)
        return false;
    start_refill(tp, b);
    return true;
}

/* AdaptLongTermModel(). */
static bool adapt_longterm(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    struct bbr_flight f = bbr_flight_of_sample(tp, rs);

    if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start)
        b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start &&
        end_of_probe_samples(tp, b, rs))
        return true;
    if (bbr_is_inflight_too_high(tp, &f) || b->inflight_longterm == BBR_NO_BOUND)
        return false;
    b->inflight_longterm = bbr_max(b->inflight_longterm, f.tx_in_flight);
    if (b->state == BBR_UP)
        probe_longterm_upward(tp, b, rs->acked_sacked);
    return false;
}

void bbr_update_probe_bw(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    if (!b->full_bw_reached || adapt_longterm(tp, b, rs))
        return;
    switch (b->state) {
    case BBR_DOWN:
    case BBR_CRUISE:
        if (is_time_to_probe(tp, b))
            start_refill(tp, b);
        else if (b->state == BBR_DOWN && is_time_to_cruise(tp, b))
            b->state = BBR_CRUISE;
        break;
    case BBR_REFILL:
        if (b->round_start) {
            b->is_probe_sample = true;
            start_up(tp, b);
        }
        break;
    case BBR_UP:
        if (is_time_to_go_down(tp, b)) {
            b->prev_probe_too_high = false;
            start_down(tp, b);
        }
        break;
    default:
        break;
    }
}

/* §5.5.10.2. */
void bbr_handle_inflight_too_high(struct tcb *tp, struct bbr *b, const struct bbr_flight *f)
{
    b->prev_probe_too_high = true;
    b->is_probe_sample = false; /* once for each probe */
    if (!f->app_limited)
        b->inflight_longterm = bbr_max(f->tx_in_flight, BBR_BETA(bbr_target_inflight(tp, b)));
    if (b->state == BBR_UP) {
        b->undo_state = BBR_UP;
        start_down(tp, b);
    }
}

void bbr_resume_probe(struct tcb *tp, struct bbr *b)
{
    if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
        b->full_bw_reached = false;
        if (b->state != BBR_PROBE_RTT)
            bbr_enter_startup(b);
    } else if (b->undo_state == BBR_UP && b->state != BBR_UP && b->state != BBR_PROBE_RTT) {
        start_refill(tp, b);
    }
    b->undo_state = BBR_NO_STATE;
}

/* --- ProbeRTT (§5.3.4) ------------------------------------------------------------------------
 */

void bbr_update_min_rtt(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    b->min_rtt_expired = tp->st->now > b->min_rtt_stamp + BBR_MIN_RTT_FILTER;
    /* half of what the old round trip says: the next sample may hold a full queue */
    if (b->min_rtt_expired && b->state != BBR_PROBE_RTT)
        b->probe_rtt_cwnd = bbr_max(bbr_bdp(tp, b, b->bw, BBR_GAIN / 2), BBR_MIN_PIPE_CWND);
    if (rs->rtt_us < 0 || (rs->rtt_us >= b->min_rtt_us && !b->min_rtt_expired))
        return;
    b->min_rtt_us = bbr_max(bbr_min((uint64_t)rs->rtt_us, UINT32_MAX - 1), 1);
    b->min_rtt_stamp = tp->st->now;
}

static void exit_probe_rtt(struct tcb *tp, struct bbr *b)
{
    bbr_reset_shortterm(b);
    if (b->full_bw_reached) {
        start_down(tp, b);
        b->state = BBR_CRUISE;
    } else {
        bbr_enter_startup(b);
    }
}

void bbr_check_probe_rtt_done(struct tcb *tp, struct bbr *b)
{
    if (!b->probe_rtt_done || tp->st->now <= b->probe_rtt_done)
        return;
    b->min_rtt_stamp = tp->st->now;
    bbr_restore_cwnd(tp, b);
    exit_probe_rtt(tp, b);
}

static void handle_probe_rtt(struct tcb *tp, struct bbr *b)
{
    uint32_t in_flight = tcp_in_flight(tp);

    /* low rates are our own doing */
    tp->rate.app_limited = tp->delivered + in_flight ? tp->delivered + in_flight : 1;
    if (b->probe_rtt_done) {
        if (b->round_start)
            b->probe_rtt_round_done = true;
        if (b->probe_rtt_round_done)
            bbr_check_probe_rtt_done(tp, b);
    } else if (in_flight <= b->probe_rtt_cwnd) {
        b->probe_rtt_done = tp->st->now + BBR_PROBE_RTT_DURATION;
        b->probe_rtt_round_done = false;
        bbr_start_round(tp, b);
    }
}

void bbr_check_probe_rtt(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    if (b->state != BBR_PROBE_RTT && b->min_rtt_expired && !b->idle_restart) {
        bbr_save_cwnd(tp, b);
        b->state = BBR_PROBE_RTT;
        b->probe_rtt_done = 0;
        b->ack_phase = BBR_ACKS_PROBE_STOPPING;
        bbr_start_round(tp, b);
    }
    if (b->state == BBR_PROBE_RTT)
        handle_probe_rtt(tp, b);
    if (rs->valid && rs->delivered)
        b->idle_restart = false;
}

/* SPDX-License-Identifier: MIT */
/*
 * BBR, version 3 (draft-ietf-ccwg-bbr): send at the rate that the path has been seen to deliver,
 * with as much in flight as that rate carries in the shortest round trip that was seen.
 *
 * Each ACK that delivers something makes a rate sample (loss/rate.c). bbr_model.c keeps from them
 * the rate (max_bw), the round trip (min_rtt) and the bounds that losses teach, bbr_probe.c decides
 * whether to send faster, slower, or as it is (§5.3), and this file makes pacing rate, burst and
 * window of it (§5.6). Integers only. The state does not fit into the connection: it comes from a
 * pool of the stack; without memory the connection is cubic's.
 *
 * ECN is no part of the draft: nothing is sent as ECN-capable, unless tcp_bbr_ecn lets a mark count
 * as a loss.
 */
#include "proto/tcp/cc/bbr.h"
#include "proto/tcp/tcp.h"

#include <string.h>

#define PACING_MARGIN 99u            /**< per cent: PacingMarginPercent = 1 */
#define SLOW_RATE     (1200000u / 8) /**< below it bursts are single packets */
#define LOSS_PER_CENT 2u

/* §5.6.1: pacing gain and window gain of each state. */
static const struct {
    uint16_t pacing, cwnd;
} gains[] = {
    [BBR_STARTUP] = {BBR_GAIN * 277 / 100 + 1, BBR_GAIN * 2},
    [BBR_DRAIN] = {BBR_GAIN / 2, BBR_GAIN * 2},
    [BBR_DOWN] = {BBR_GAIN * 90 / 100, BBR_GAIN * 2},
    [BBR_CRUISE] = {BBR_GAIN, BBR_GAIN * 2},
    [BBR_REFILL] = {BBR_GAIN, BBR_GAIN * 2},
    [BBR_UP] = {BBR_GAIN * 5 / 4, BBR_GAIN * 9 / 4},
    [BBR_PROBE_RTT] = {BBR_GAIN, BBR_GAIN / 2},
};

void bbr_pool_init(struct stack *st)
{
    pool_init(&st->tcp.bbr_pool, &st->mem, sizeof(struct bbr));
}

/* --- volumes (§5.6.4) -------------------------------------------------------------------------
 */

uint32_t bbr_bdp(const struct tcb *tp, const struct bbr *b, uint64_t bw, uint32_t gain)
{
    unsigned __int128 packets;

    if (b->min_rtt_us == UINT32_MAX)
        return tcp_init_cwnd(tp);
    packets = (unsigned __int128)bw * b->min_rtt_us * gain / BBR_GAIN;
    packets = (packets + (1u << BBR_RATE_SHIFT) - 1) >> BBR_RATE_SHIFT;
    return packets < INT32_MAX ? (uint32_t)packets : INT32_MAX;
}

/* Three bursts: one in the device, one being cut, one unacknowledged (§5.5.8). */
static uint32_t quantization_budget(const struct tcb *tp, const struct bbr *b, uint32_t cap)
{
    cap = bbr_max(cap, 3 * tcp_tso_autosize(tp, tp->mss_cache));
    cap = bbr_max(cap, BBR_MIN_PIPE_CWND);
    return b->state == BBR_UP ? cap + 2 : cap;
}

uint32_t bbr_inflight(const struct tcb *tp, const struct bbr *b, uint64_t bw, uint32_t gain)
{
    return quantization_budget(tp, b, bbr_bdp(tp, b, bw, gain));
}

/* Room for others: 15 % of what the path holds (§5.3.3.6). */
uint32_t bbr_inflight_with_headroom(const struct bbr *b)
{
    uint32_t headroom = bbr_max(1, (uint32_t)((uint64_t)b->inflight_longterm * 15 / 100));

    if (b->inflight_longterm == BBR_NO_BOUND)
        return BBR_NO_BOUND;
    return b->inflight_longterm > headroom + BBR_MIN_PIPE_CWND ? b->inflight_longterm - headroom
                                                               : BBR_MIN_PIPE_CWND;
}

uint32_t bbr_target_inflight(const struct tcb *tp, const struct bbr *b)
{
    return bbr_min(bbr_bdp(tp, b, b->bw, BBR_GAIN), tp->cwnd);
}

/* --- pacing rate (§5.6.2) ---------------------------------------------------------------------
 */

static void take_rate(struct tcb *tp, uint64_t rate)
{
    tp->pacing_rate = rate < tp->max_pacing_rate ? rate : tp->max_pacing_rate;
}

/* Before there is a sample: the initial window in a round trip, or in a millisecond. */
static void init_pacing_rate(struct tcb *tp, struct bbr *b)
{
    uint64_t rtt_us = tp->srtt_us ? bbr_max(tp->srtt_us >> 3, 1) : 1000;
    uint64_t bytes = (uint64_t)tcp_init_cwnd(tp) * tp->mss_cache;

    b->has_rtt = tp->srtt_us != 0;
    take_rate(tp, bytes * gains[BBR_STARTUP].pacing * 1000000 / BBR_GAIN / rtt_us);
}

void bbr_set_pacing_rate(struct tcb *tp, const struct bbr *b, uint32_t gain)
{
    unsigned __int128 rate = (unsigned __int128)b->bw * tp->mss_cache * gain / BBR_GAIN;

    rate = (rate * (10000 * PACING_MARGIN)) >> BBR_RATE_SHIFT;
    if (rate >= UINT64_MAX)
        rate = UINT64_MAX - 1;
    if (rate && (b->full_bw_reached || rate > tp->pacing_rate))
        take_rate(tp, (uint64_t)rate);
}

/* --- congestion window (§5.6.4) ---------------------------------------------------------------
 */

void bbr_save_cwnd(const struct tcb *tp, struct bbr *b)
{
    if (tp->ca_state < CA_RECOVERY && b->state != BBR_PROBE_RTT)
        b->prior_cwnd = tp->cwnd;
    else
        b->prior_cwnd = bbr_max(b->prior_cwnd, tp->cwnd);
}

void bbr_restore_cwnd(struct tcb *tp, const struct bbr *b)
{
    tp->cwnd = bbr_max(tp->cwnd, b->prior_cwnd);
}

static uint32_t max_inflight(const struct tcb *tp, const struct bbr *b)
{
    uint32_t cap = bbr_bdp(tp, b, b->bw, gains[b->state].cwnd);

    return quantization_budget(tp, b, cap + bbr_max(b->extra_acked[0], b->extra_acked[1]));
}

static void bound_cwnd_for_model(struct tcb *tp, const struct bbr *b)
{
    uint32_t cap = BBR_NO_BOUND;

    if (b->state == BBR_CRUISE || b->state == BBR_PROBE_RTT)
        cap = bbr_inflight_with_headroom(b);
    else if (bbr_in_probe_bw(b))
        cap = b->inflight_longterm;
    cap = bbr_max(bbr_min(cap, b->inflight_shortterm), BBR_MIN_PIPE_CWND);
    tp->cwnd = bbr_min(tp->cwnd, cap);
}

static void set_cwnd(struct tcb *tp, const struct bbr *b, uint32_t acked)
{
    uint32_t most = max_inflight(tp, b);

    if (b->full_bw_reached)
        tp->cwnd = bbr_min((uint64_t)tp->cwnd + acked, most);
    else if (tp->cwnd < most || tp->delivered < tcp_init_cwnd(tp))
        tp->cwnd += acked;
    tp->cwnd = bbr_max(tp->cwnd, BBR_MIN_PIPE_CWND);
    if (b->state == BBR_PROBE_RTT)
        tp->cwnd = bbr_min(tp->cwnd, b->probe_rtt_cwnd);
    bound_cwnd_for_model(tp, b);
}

/* --- the algorithm as others see it -----------------------------------------------------------
 */

static void bbr_init(struct tcb *tp)
{
    struct bbr *b = pool_get(&tp->st->tcp.bbr_pool);

    tp->cc_private[0] = (uintptr_t)b;
    if (!b) {
        tcp_cc_assign(tp, &tcp_cc_cubic);
        return;
    }
    tp->ssthresh = TCP_INIT_SSTHRESH;
    b->min_rtt_us = tp->srtt_us ? bbr_max(tp->srtt_us >> 3, 1) : UINT32_MAX;
    b->min_rtt_stamp = tp->st->now;
    b->probe_rtt_cwnd = tcp_init_cwnd(tp);
    b->extra_acked_start = tp->st->now;
    b->undo_state = BBR_NO_STATE;
    b->inflight_longterm = BBR_NO_BOUND;
    b->probe_up_acked_per_inc = UINT32_MAX;
    b->next_round_delivered = b->loss_round_delivered = tp->delivered;
    bbr_reset_congestion_signals(b);
    bbr_reset_shortterm(b);
    bbr_reset_full_bw(b);
    bbr_enter_startup(b);
    init_pacing_rate(tp, b);
}

static void bbr_release(struct tcb *tp)
{
    pool_put(&tp->st->tcp.bbr_pool, bbr_of(tp));
    tp->cc_private[0] = 0;
}

static uint64_t sample_of(const struct tcp_rate_sample *rs)
{
    uint64_t bw;

    if (!rs->valid || !rs->delivered || !rs->interval_us)
        return 0;
    bw = ((uint64_t)rs->delivered << BBR_RATE_SHIFT) / rs->interval_us;
    return bw < BBR_RATE_MAX ? bw : BBR_RATE_MAX;
}

/* A mark is a loss that was not needed (RFC 3168 §6.1.2). */
static void ecn_mark(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    struct bbr_flight f = bbr_flight_of_sample(tp, rs);

    bbr_note_loss(tp, b);
    if (b->is_probe_sample)
        bbr_handle_inflight_too_high(tp, b, &f);
}

/* §5.2.3, in its order. */
static void bbr_cong_control(struct tcb *tp, const struct tcp_rate_sample *rs)
{
    struct bbr *b = bbr_of(tp);

    b->sample = sample_of(rs);
    if (rs->is_ece && tp->st->tcp.tunables.bbr_ecn)
        ecn_mark(tp, b, rs);
    bbr_update_latest_signals(tp, b, rs);
    bbr_update_congestion_signals(tp, b, rs);
    bbr_update_ack_aggregation(tp, b, rs);
    bbr_check_full_bw(tp, b, rs);
    bbr_check_startup_done(tp, b, rs);
    bbr_check_drain_done(tp, b);
    bbr_update_probe_bw(tp, b, rs);
    bbr_update_min_rtt(tp, b, rs);
    bbr_check_probe_rtt(tp, b, rs);
    bbr_advance_latest_signals(b, rs);
    bbr_bound_bw(b);
    if (!b->has_rtt && tp->srtt_us)
        init_pacing_rate(tp, b);
    bbr_set_pacing_rate(tp, b, gains[b->state].pacing);
    set_cwnd(tp, b, rs->acked_sacked);
}

/* The window is BBR's alone: no threshold, but this is where a recovery begins (§5.6.4.4). */
static uint32_t bbr_ssthresh(struct tcb *tp)
{
    struct bbr *b = bbr_of(tp);

    if (!b->in_episode)
        bbr_save_state(tp, b);
    return tp->ssthresh;
}

static void bbr_set_state(struct tcb *tp, enum ca_state state)
{
    struct bbr *b = bbr_of(tp);

    /* the short-term bound begins at the window before the time-out, not at the one packet after */
    if (state == CA_LOSS && !bbr_is_probing(b) && b->inflight_shortterm == BBR_NO_BOUND)
        b->inflight_shortterm = bbr_max(tp->cwnd, b->prior_cwnd);
    if (state >= CA_RECOVERY)
        return;
    if (tp->ca_state >= CA_RECOVERY && b->in_episode)
        bbr_restore_cwnd(tp, b);
    if (state <= CA_DISORDER)
        b->in_episode = false;
}

/* §5.5.11.2. */
static uint32_t bbr_undo_cwnd(struct tcb *tp)
{
    struct bbr *b = bbr_of(tp);

    if (!b->can_undo)
        return tp->cwnd;
    b->can_undo = false;
    b->loss_in_round = false;
    bbr_reset_full_bw(b);
    if (b->undo_bw_shortterm > b->bw_shortterm)
        b->bw_shortterm = b->undo_bw_shortterm;
    b->inflight_shortterm = bbr_max(b->inflight_shortterm, b->undo_inflight_shortterm);
    b->inflight_longterm = bbr_max(b->inflight_longterm, b->undo_inflight_longterm);
    bbr_resume_probe(tp, b);
    return bbr_max(tp->cwnd, b->prior_cwnd);
}

/* §5.4.1. */
static void bbr_event(struct tcb *tp, enum tcp_cc_event ev)
{
    struct bbr *b = bbr_of(tp);

    if (ev != TCP_CC_TX_START || !tp->rate.app_limited)
        return;
    b->idle_restart = true;
    b->extra_acked_start = tp->st->now;
    b->extra_acked_delivered = 0;
    if (bbr_in_probe_bw(b))
        bbr_set_pacing_rate(tp, b, BBR_GAIN);
    else if (b->state == BBR_PROBE_RTT)
        bbr_check_probe_rtt_done(tp, b);
}

/* Where within the burst did the losses exceed 2 % (§5.5.10.2)? */
static uint32_t inflight_at_loss(const struct bbr_flight *f, uint32_t size)
{
    uint64_t before = f->tx_in_flight > size ? f->tx_in_flight - size : 0;
    uint64_t lost = 100 * (uint64_t)(f->lost > size ? f->lost - size : 0);
    uint64_t budget = before * LOSS_PER_CENT;

    return (uint32_t)(before + (budget > lost ? (budget - lost) / (100 - LOSS_PER_CENT) : 0));
}

static void bbr_packet_lost(struct tcb *tp, const struct segment *seg)
{
    struct bbr *b = bbr_of(tp);
    struct bbr_flight f = {seg->rate.in_flight, tp->lost_total - seg->rate.lost,
                           seg->rate.app_limited};

    /* neighbours are one event */
    if (seg->seq != b->lost_end_seq && b->loss_events < UINT8_MAX)
        b->loss_events++;
    b->lost_end_seq = seg->end_seq;
    bbr_note_loss(tp, b);
    if (!b->is_probe_sample || !bbr_is_inflight_too_high(tp, &f))
        return;
    f.tx_in_flight = inflight_at_loss(&f, seg->pcount);
    bbr_handle_inflight_too_high(tp, b, &f);
}

static bool bbr_heeds_ecn(const struct tcb *tp)
{
    return tp->st->tcp.tunables.bbr_ecn;
}

static uint32_t bbr_min_tso_segs(const struct tcb *tp)
{
    return tp->pacing_rate < SLOW_RATE ? 1 : 2;
}

/* struct tcp_bbr_info of linux/inet_diag.h. */
static size_t bbr_get_info(const struct tcb *tp, void *out)
{
    const struct bbr *b = bbr_of(tp);
    unsigned __int128 bw = (unsigned __int128)b->bw * tp->mss_cache * 1000000 >> BBR_RATE_SHIFT;
    uint32_t info[5] = {(uint32_t)bw, (uint32_t)(bw >> 32), b->min_rtt_us, gains[b->state].pacing,
                        gains[b->state].cwnd};

    memcpy(out, info, sizeof(info));
    return sizeof(info);
}

const struct tcp_cc_ops tcp_cc_bbr = {
    .name = "bbr",
    .paced = true,
    .no_idle_cut = true,
    .sndbuf_factor = 3,
    .init = bbr_init,
    .release = bbr_release,
    .ssthresh = bbr_ssthresh,
    .undo_cwnd = bbr_undo_cwnd,
    .set_state = bbr_set_state,
    .event = bbr_event,
    .cong_control = bbr_cong_control,
    .min_tso_segs = bbr_min_tso_segs,
    .heeds_ecn = bbr_heeds_ecn,
    .packet_lost = bbr_packet_lost,
    .get_info = bbr_get_info,
};

/* SPDX-License-Identifier: MIT */
/*
 * BBR's model of the path (draft-ietf-ccwg-bbr §5.5): rounds counted in packets, the largest
 * delivery rate of the last two probing cycles, how much is acknowledged at once, when more sending
 * no longer delivers more, and what to believe for a while after losses.
 */
#include "proto/tcp/cc/bbr.h"

#define GROWTH_NUM   5u /**< a round that delivers 5/4 of the best is still growing */
#define GROWTH_DEN   4u
#define PLATEAU      3u  /**< rounds without growth */
#define LOSS_INVERSE 50u /**< LossThresh 2 % */

/* --- rounds and rate --------------------------------------------------------------------------
 */

void bbr_start_round(struct tcb *tp, struct bbr *b)
{
    b->next_round_delivered = tp->delivered;
}

/* §5.5.1: a packet that was sent after the round began is delivered. */
static void update_round(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    b->round_start = b->sample && seq_geq(rs->prior_delivered, b->next_round_delivered);
    if (!b->round_start)
        return;
    bbr_start_round(tp, b);
    b->round_count++;
    b->rounds_since_probe_up++;
}

/* §5.5.5: the program's limit is not the path's, unless it is higher. */
static void update_max_bw(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    update_round(tp, b, rs);
    if (b->sample && (b->sample >= bbr_max_bw(b) || !rs->app_limited) && b->sample > b->max_bw[1])
        b->max_bw[1] = b->sample;
}

/* §5.5.6: one probing cycle is over; a cycle without samples does not count. */
void bbr_advance_max_bw(struct bbr *b)
{
    if (!b->max_bw[1])
        return;
    b->max_bw[0] = b->max_bw[1];
    b->max_bw[1] = 0;
}

void bbr_bound_bw(struct bbr *b)
{
    uint64_t most = bbr_max_bw(b);

    b->bw = most < b->bw_shortterm ? most : b->bw_shortterm;
}

/* --- ACK aggregation (§5.5.9) -----------------------------------------------------------------
 */

/* The largest of ten rounds, of one in Startup: two halves that take turns. */
static void keep_extra_acked(struct bbr *b, uint32_t extra)
{
    if (b->round_start)
        b->extra_acked_rounds++;
    if (b->extra_acked_rounds >= (b->full_bw_reached ? BBR_EXTRA_ACKED_ROUNDS : 1)) {
        b->extra_acked_rounds = 0;
        b->extra_acked_slot ^= 1;
        b->extra_acked[b->extra_acked_slot] = 0;
    }
    if (extra > b->extra_acked[b->extra_acked_slot])
        b->extra_acked[b->extra_acked_slot] = extra;
}

void bbr_update_ack_aggregation(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    uint64_t interval = tp->st->now - b->extra_acked_start;
    unsigned __int128 expected = (unsigned __int128)b->bw * interval >> BBR_RATE_SHIFT;

    /* slower than expected: a new interval begins */
    if (b->extra_acked_delivered <= expected) {
        b->extra_acked_delivered = 0;
        b->extra_acked_start = tp->st->now;
        expected = 0;
    }
    b->extra_acked_delivered += rs->acked_sacked;
    keep_extra_acked(b, bbr_min(b->extra_acked_delivered - (uint32_t)expected, tp->cwnd));
}

/* --- full pipe (§5.3.1.2) ---------------------------------------------------------------------
 */

void bbr_reset_full_bw(struct bbr *b)
{
    b->full_bw = 0;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

/* The program's limit has its flag in each sample; of the peer's window we know it now. */
static void note_peers_window(const struct tcb *tp, struct bbr *b)
{
    if (tp->chrono == TCP_CHRONO_rwnd)
        b->window_ruled = bbr_max(tp->delivered + tcp_in_flight(tp), 1);
    else if (b->window_ruled && seq_gt(tp->delivered, b->window_ruled))
        b->window_ruled = 0;
}

/*
 * Was it the peer's window that held this round, with no queue anywhere? Then more would have been
 * delivered. §5.3.1.2 trusts that three rounds are enough for the peer's autotuning; behind holes,
 * where nothing is read, they are not, and a Startup that ended there leaves the path mostly empty
 * for the two or three seconds until the first probe.
 */
static bool was_ruled_by_window(const struct tcb *tp, const struct bbr *b,
                                const struct tcp_rate_sample *rs)
{
    return b->window_ruled && seq_leq(rs->prior_delivered, b->window_ruled) &&
           (uint64_t)rs->tx_in_flight * GROWTH_DEN <=
               (uint64_t)bbr_bdp(tp, b, bbr_max_bw(b), BBR_GAIN) * GROWTH_NUM;
}

/*
 * Each sample may show that the rate still grows (as in Google's own v3). The draft looks at the
 * one alone that begins a round, and where packets are lost that is as often the low one behind a
 * hole.
 */
void bbr_check_full_bw(const struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    note_peers_window(tp, b);
    if (b->full_bw_now || rs->app_limited)
        return;
    if (b->sample && b->sample * GROWTH_DEN >= b->full_bw * GROWTH_NUM) {
        bbr_reset_full_bw(b);
        b->full_bw = b->sample;
        return;
    }
    if (!b->round_start || was_ruled_by_window(tp, b, rs))
        return;
    b->full_bw_count++;
    b->full_bw_now = b->full_bw_count >= PLATEAU;
    if (b->full_bw_now)
        b->full_bw_reached = true;
}

/* --- losses (§5.5.10) -------------------------------------------------------------------------
 */

void bbr_save_state(const struct tcb *tp, struct bbr *b)
{
    bbr_save_cwnd(tp, b);
    b->in_episode = b->can_undo = true;
    b->undo_state = BBR_NO_STATE;
    b->undo_bw_shortterm = b->bw_shortterm;
    b->undo_inflight_shortterm = b->inflight_shortterm;
    b->undo_inflight_longterm = b->inflight_longterm;
}

void bbr_note_loss(struct tcb *tp, struct bbr *b)
{
    if (!b->in_episode)
        bbr_save_state(tp, b);
    if (!b->loss_in_round)
        b->loss_round_delivered = tp->delivered;
    b->loss_in_round = true;
}

/*
 * A few losses, no more than LossThresh of the packets, say nothing about a queue. The draft takes
 * two of a hundred packets, and outside of probing each single one, for a sign of congestion: as a
 * round with a lost packet delivers one less than the bound lets out, the bounds then sink from
 * round to round, and random loss far below the tolerated rate takes a fifth of the bandwidth.
 * tcp_bbr_tolerance = 0 is the draft's letter.
 */
static bool is_tolerable(const struct tcb *tp, uint32_t lost, uint32_t sent)
{
    uint64_t few = (uint64_t)tp->st->tcp.tunables.bbr_tolerance;

    return lost < few || (uint64_t)lost * LOSS_INVERSE <= sent;
}

bool bbr_is_inflight_too_high(const struct tcb *tp, const struct bbr_flight *f)
{
    if (f->lost && !tp->sack_ok)
        return true;
    return !is_tolerable(tp, f->lost, f->tx_in_flight);
}

struct bbr_flight bbr_flight_of_sample(const struct tcb *tp, const struct tcp_rate_sample *rs)
{
    if (!rs->valid)
        return (struct bbr_flight){0};
    return (struct bbr_flight){rs->tx_in_flight, tp->lost_total - rs->prior_lost, rs->app_limited};
}

void bbr_update_latest_signals(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    b->loss_round_start = false;
    if (!b->sample)
        return;
    if (b->sample > b->bw_latest)
        b->bw_latest = b->sample;
    b->inflight_latest = bbr_max(b->inflight_latest, rs->delivered);
    if (seq_geq(rs->prior_delivered, b->loss_round_delivered)) {
        b->loss_round_delivered = tp->delivered;
        b->loss_round_start = true;
    }
}

void bbr_advance_latest_signals(struct bbr *b, const struct tcp_rate_sample *rs)
{
    if (!b->loss_round_start)
        return;
    b->bw_latest = b->sample;
    b->inflight_latest = rs->delivered;
}

void bbr_reset_congestion_signals(struct bbr *b)
{
    b->loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
}

void bbr_reset_shortterm(struct bbr *b)
{
    b->bw_shortterm = BBR_NO_RATE;
    b->inflight_shortterm = BBR_NO_BOUND;
}

static bool was_round_tolerable(const struct tcb *tp, const struct bbr *b)
{
    uint32_t lost = tp->lost_total - b->tolerance_lost;
    uint32_t sent = tp->delivered - b->tolerance_delivered + lost;

    return tp->sack_ok && tp->st->tcp.tunables.bbr_tolerance && is_tolerable(tp, lost, sent);
}

/* Once a round: what was delivered in it, but not below 0.7 of what was believed. */
static void adapt_lower_bounds(struct tcb *tp, struct bbr *b)
{
    if (bbr_is_probing(b) || !b->loss_in_round || was_round_tolerable(tp, b))
        return;
    if (b->bw_shortterm == BBR_NO_RATE)
        b->bw_shortterm = bbr_max_bw(b);
    if (b->inflight_shortterm == BBR_NO_BOUND)
        b->inflight_shortterm = tp->cwnd;
    b->bw_shortterm = BBR_BETA(b->bw_shortterm);
    if (b->bw_latest > b->bw_shortterm)
        b->bw_shortterm = b->bw_latest;
    b->inflight_shortterm = bbr_max(b->inflight_latest, BBR_BETA(b->inflight_shortterm));
}

void bbr_update_congestion_signals(struct tcb *tp, struct bbr *b, const struct tcp_rate_sample *rs)
{
    update_max_bw(tp, b, rs);
    if (!b->loss_round_start)
        return;
    adapt_lower_bounds(tp, b);
    b->loss_in_round = false;
    b->tolerance_delivered = tp->delivered;
    b->tolerance_lost = tp->lost_total;
}

/* SPDX-License-Identifier: MIT */
/*
 * The sender's state of congestion (linux-sender §10): Open, Disorder, CWR, Recovery, Loss; what
 * each ACK that is not plain progress does to it.
 *
 * Which packets are lost is said elsewhere (rack.c, rfc6675.c, newreno.c), how the window comes
 * down by prr.c, and whether it was needless by undo.c; here stands only the order of these
 * questions.
 */
#include "proto/tcp/tcp.h"

#define RENEGE_MIN 10000u

void tcp_set_ca_state(struct tcb *tp, enum ca_state state)
{
    if (tp->cc->set_state && tp->cc_started && tp->ca_state != state)
        tp->cc->set_state(tp, state);
    if (tp->ca_state == CA_LOSS && state != CA_LOSS) {
        tcp_rto_recovered(tp);
        tp->loss_unpaid = false;
    }
    if (tp->ca_state != state)
        TCP_TRACE(tp, tcp_set_ca_state, TRACE_WHY_none, tp->ca_state, state, tp->cwnd, tp->ssthresh,
                  tcp_in_flight(tp), tp->lost_out);
    tp->ca_state = (uint8_t)state;
    tcp_chrono_recovery(tp);
}

bool tcp_in_reduction(const struct tcb *tp)
{
    return tp->ca_state == CA_CWR || tp->ca_state == CA_RECOVERY;
}

bool tcp_any_retrans_done(const struct tcb *tp)
{
    const struct segment *head = scoreboard_first(tp);

    return tp->retrans_out || (head && (head->marks & SEG_EVER_RETRANS));
}

void tcp_try_keep_open(struct tcb *tp)
{
    enum ca_state state = CA_OPEN;

    if (tp->sacked_out || tp->lost_out || tcp_any_retrans_done(tp))
        state = CA_DISORDER;
    if (tp->ca_state != state) {
        tcp_set_ca_state(tp, state);
        tp->high_seq = tp->snd_nxt;
    }
}

static void try_to_open(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (!tcp_any_retrans_done(tp))
        tp->retrans_stamp = 0;
    if (as->ece)
        tcp_enter_cwr(tp, as, true);
    if (tp->ca_state != CA_CWR)
        tcp_try_keep_open(tp);
}

void tcp_enter_cwr(struct tcb *tp, const struct tcp_ack_state *as, bool ece)
{
    tcp_undo_forget(tp);
    if (tp->ca_state >= CA_CWR)
        return;
    tp->undo_ok = false;
    tp->prr.flight = 0;
    if (ece && tp->cwnd == 1) {
        tcp_ecn_hold(tp);
        return;
    }
    tcp_prr_begin(tp, as, ece);
    tcp_set_ca_state(tp, CA_CWR);
}

/* A time-out was spurious, and what was in flight then is not all acknowledged yet. */
static bool flight_before_timeout(const struct tcb *tp)
{
    return tp->eifel_answered || (tp->eifel_adapt && seq_lt(tp->snd_una, tp->eifel.until));
}

/*
 * Packets of a flight whose time-out was spurious are lost all the same: the reduction starts from
 * the window in which they were sent, not from the few packets that the answer to the time-out lets
 * out at once (RFC 4015 §3.2 gives the threshold back for that).
 */
static void begin_reduction(struct tcb *tp, const struct tcp_ack_state *as, bool ece)
{
    uint32_t cwnd = tp->cwnd;

    if (flight_before_timeout(tp) && cwnd < tp->eifel.pipe)
        tp->cwnd = tp->eifel.pipe;
    tcp_prr_begin(tp, as, ece);
    tp->cwnd = cwnd;
}

void tcp_enter_recovery(struct tcb *tp, const struct tcp_ack_state *as, bool ece)
{
    uint32_t prior = tp->prior_ssthresh;

    COUNT(tp->st, tcp_recoveries);
    tcp_cwnd_note_loss(tp);
    tcp_undo_begin(tp);
    tp->prr.flight = tp->packets_out + as->acked_packets;
    if (tcp_in_reduction(tp))
        tp->prior_ssthresh =
            prior; /* the window was cut before: that is not this undo's to judge */
    else
        begin_reduction(tp, as, ece);
    if (ece)
        tcp_undo_forget(tp);
    tcp_6675_begin(tp);
    tcp_set_ca_state(tp, CA_RECOVERY);
}

/* Not in Linux. */
void tcp_cut_again(struct tcb *tp, const struct tcp_ack_state *as)
{
    uint32_t cwnd = tp->cwnd, prior = tp->prior_cwnd;

    if (!tp->prr.lost_again || tp->ca_state != CA_RECOVERY || tp->cc->cong_control)
        return;
    tp->cwnd = tp->ssthresh; /* where the first reduction leads to, wherever cwnd is on its way */
    tcp_prr_begin(tp, as, false);
    tp->cwnd = cwnd;
    tp->prior_cwnd = prior;
}

bool tcp_reno_holds_state(struct tcb *tp)
{
    if (tp->sack_ok || tp->snd_una != tp->high_seq || !tp->packets_out)
        return false;
    if (!tcp_any_retrans_done(tp))
        tp->retrans_stamp = 0;
    return true;
}

bool tcp_finish_recovery(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (tcp_may_undo(tp, as)) {
        COUNT(tp->st, tcp_undo_full);
        tcp_undo_cwnd(tp, false);
    } else if (tp->rack.reo_wnd_persist) {
        tp->rack.reo_wnd_persist--;
    }
    if (tcp_reno_holds_state(tp))
        return false;
    tp->recover = tp->high_seq;
    tp->has_recover = true;
    tcp_set_ca_state(tp, CA_OPEN);
    return true;
}

bool tcp_check_reneging(struct tcb *tp, const struct tcp_ack_state *as)
{
    uint64_t wait = tp->srtt_us >> 4;

    if (!as->renege)
        return false;
    /* it may still be on its way: a moment, then everything goes again (RFC 2018 §8) */
    COUNT(tp->st, tcp_reneging);
    tcp_timer_clear(tp, TCP_TIMER_reorder);
    tcp_timer_clear(tp, TCP_TIMER_loss_probe);
    tcp_timer_set(tp, TCP_TIMER_rexmt, tp->st->now + (wait > RENEGE_MIN ? wait : RENEGE_MIN));
    return true;
}

/* --- which packets
 * -------------------------------------------------------------------------------------------- */

static void identify_losses(struct tcb *tp, struct tcp_ack_state *as)
{
    uint32_t prior_retrans = tp->retrans_out;
    bool timer;

    if (!tp->packets_out)
        return;
    if (!tp->sack_ok) {
        tcp_reno_mark_lost(tp, as->una_advanced);
        return;
    }
    if (!tcp_rack_enabled(tp)) {
        tcp_6675_mark_lost(tp, as);
        return;
    }
    tcp_rack_mark_lost(tp, &timer);
    if (timer)
        as->timer_kept = true;
    if (prior_retrans > tp->retrans_out)
        as->retrans_lost = true;
}

/* --- the states
 * ------------------------------------------------------------------------------------------- */

/* high_seq is acknowledged: the flight in which it began is over. True: nothing more to do. */
static bool leave(struct tcb *tp, const struct tcp_ack_state *as)
{
    switch (tp->ca_state) {
    case CA_CWR:
        /* the CWR flag rides on what comes after high_seq: it must have arrived */
        if (tp->snd_una != tp->high_seq) {
            tcp_prr_end(tp);
            tcp_set_ca_state(tp, CA_OPEN);
        }
        return false;
    case CA_RECOVERY:
        if (!tp->sack_ok)
            tcp_reno_reset(tp);
        if (!tcp_finish_recovery(tp, as))
            return true;
        tcp_prr_end(tp);
        return false;
    default:
        return false;
    }
}

/* A partial ACK whose hole was filled by a late original: nothing more is taken for lost. True:
 * wait for the retransmissions that are out. */
static bool undo_partial(struct tcb *tp, const struct tcp_ack_state *as)
{
    if (!tp->undo_ok || !tcp_is_packet_delayed(tp, as)) {
        COUNT(tp->st, tcp_partial_acks);
        return false;
    }
    tcp_check_reordering(tp, as->prior_una);
    if (tp->retrans_out)
        return true;
    if (!tcp_any_retrans_done(tp))
        tp->retrans_stamp = 0;
    COUNT(tp->st, tcp_undo_partial);
    tcp_undo_cwnd(tp, true);
    tcp_try_keep_open(tp);
    return false;
}

/* True: go on to the retransmissions. */
static bool in_recovery(struct tcb *tp, struct tcp_ack_state *as)
{
    if (!as->una_advanced) {
        if (!tp->sack_ok)
            tcp_reno_add_dup(tp, as);
    } else if (undo_partial(tp, as)) {
        return false;
    }
    if (tcp_try_undo_dsack(tp))
        try_to_open(tp, as);
    identify_losses(tp, as);
    tcp_cut_again(tp, as);
    if (tp->ca_state != CA_RECOVERY) {
        if (!tp->lost_out)
            return false;
        tcp_enter_recovery(tp, as, as->ece);
    }
    return true;
}

/* Open, Disorder, CWR, and Loss that is over or has lost a retransmission. */
static bool in_open(struct tcb *tp, struct tcp_ack_state *as)
{
    if (!tp->sack_ok) {
        if (as->una_advanced)
            tcp_reno_reset(tp);
        tcp_reno_add_dup(tp, as);
    }
    if (tp->ca_state <= CA_DISORDER)
        tcp_try_undo_dsack(tp);
    identify_losses(tp, as);
    if (!tp->lost_out) {
        try_to_open(tp, as);
        return false;
    }
    if (tcp_mtup_failed(tp))
        return true;
    tcp_enter_recovery(tp, as, as->ece);
    return true;
}

static bool in_loss(struct tcb *tp, struct tcp_ack_state *as)
{
    uint32_t before = tp->lost_total;

    tcp_loss_ack(tp, as);
    identify_losses(tp, as);
    if (tp->loss_unpaid && tp->lost_total != before) {
        tcp_enter_recovery(tp, as, as->ece);
        return true;
    }
    if (tp->ca_state != CA_OPEN && !as->retrans_lost)
        return false;
    return in_open(tp, as);
}

void tcp_fastretrans_alert(struct tcb *tp, struct tcp_ack_state *as)
{
    bool go;

    tp->eifel.acked = as->acked_packets;
    if (!tp->packets_out)
        tp->sacked_out = 0;
    if (as->ece)
        tcp_undo_forget(tp);
    if (tcp_check_reneging(tp, as))
        return;
    if (tp->ca_state == CA_OPEN)
        tp->retrans_stamp = 0;
    else if (seq_geq(tp->snd_una, tp->high_seq) && leave(tp, as))
        return;
    switch (tp->ca_state) {
    case CA_RECOVERY:
        go = in_recovery(tp, as);
        break;
    case CA_LOSS:
        go = in_loss(tp, as);
        break;
    default:
        go = in_open(tp, as);
        break;
    }
    tcp_mtup_verify(tp, false);
    if (go)
        tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

/* --- time-outs
 * -------------------------------------------------------------------------------------------- */

/* Sent within the last RTO: nothing says yet that it is lost, and it must not go again so early
 * (RFC 6298 §5); with RACK, within a round trip (RFC 8985 §6.3). */
static bool is_recent(const struct tcb *tp, const struct segment *seg)
{
    if (seg == scoreboard_first(tp))
        return false;
    if (tcp_rack_enabled(tp))
        return !tcp_rack_is_overdue(tp, seg);
    return tp->st->now - seg->sent_at < tp->rto;
}

static void mark_all_lost(struct tcb *tp)
{
    struct segment *seg = scoreboard_first(tp), *next;

    if (seg && (seg->marks & SEG_SACKED)) {
        scoreboard_renege(tp);
        return;
    }
    if (!tp->sack_ok)
        tcp_reno_reset(tp);
    for (; seg; seg = next) {
        next = scoreboard_next(tp, seg);
        if (!is_recent(tp, seg))
            scoreboard_mark_lost(tp, seg);
    }
}

/* RFC 4015 §3.1, step 1: what it was like before. */
static void remember_for_eifel(struct tcb *tp)
{
    tp->eifel.pipe = tp->packets_out > tp->ssthresh || tp->ssthresh == TCP_INIT_SSTHRESH
                         ? tp->packets_out
                         : tp->ssthresh;
    tp->eifel.srtt_us = tp->srtt_us;
    tp->eifel.rttvar_us = tp->rttvar_us;
}

static void cut_for_timeout(struct tcb *tp)
{
    remember_for_eifel(tp);
    tcp_undo_begin(tp);
    tp->loss_cut = true;
    tp->prior_cwnd = tp->cwnd;
    tp->prr.flight = tp->packets_out;
    tp->ssthresh = tcp_cc_ssthresh(tp, false);
    tcp_cc_tell(tp, TCP_CC_LOSS);
}

void tcp_enter_loss(struct tcb *tp)
{
    bool fresh = tp->ca_state < CA_RECOVERY;
    uint32_t dups = (uint32_t)tp->st->tcp.tunables.reordering;
    uint32_t sacked = tp->sacked_out;

    tcp_cwnd_note_loss(tp);
    mark_all_lost(tp);
    /* once for a window of data (RFC 5681 §3.1) */
    if (tp->ca_state <= CA_DISORDER || seq_leq(tp->high_seq, tp->snd_una) ||
        (tp->ca_state == CA_LOSS && !tp->retransmits))
        cut_for_timeout(tp);
    tp->cwnd = tcp_in_flight(tp) + 1;
    tp->cwnd_cnt = 0;
    tp->cwnd_stamp = tp->st->now;
    if (tp->ca_state <= CA_DISORDER && sacked >= dups && tp->reordering > dups)
        tp->reordering = (uint16_t)dups;
    tcp_set_ca_state(tp, CA_LOSS);
    tp->high_seq = tp->snd_nxt;
    tp->tlp_out = false;
    tcp_ecn_queue_cwr(tp);
    tp->ecn.hold = false;
    tp->loss_unpaid = false;
    tp->ptb_window = 0;
    /* not in a recovery: what it had sent again could be taken for the original (RFC 5682 §2.1,
     * step 1); and the answer to a probe's pieces would say nothing of the time-out */
    tp->frto = tp->st->tcp.tunables.frto && fresh && !tp->mtup.probe_size;
    tcp_mtup_verify(tp, true);
}

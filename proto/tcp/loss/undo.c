/* SPDX-License-Identifier: MIT */
/*
 * Undo: a reduction that turns out to have been needless is taken back.
 *
 * Three things show it: every retransmission was D-SACKed (RFC 3708), an ACK echoes a timestamp
 * from before the first retransmission (Eifel detection, RFC 3522), or nothing had been
 * retransmitted yet. A spurious time-out is answered as RFC 4015 says; ECN marks forbid any undo
 * (§3.4 there).
 */
#include "proto/tcp/tcp.h"

static uint32_t current_ssthresh(const struct tcb *tp)
{
    uint32_t three_quarters = (tp->cwnd >> 1) + (tp->cwnd >> 2);

    if (tcp_in_reduction(tp))
        return tp->ssthresh;
    return tp->ssthresh > three_quarters ? tp->ssthresh : three_quarters;
}

void tcp_undo_begin(struct tcb *tp)
{
    tp->undo_ok = true;
    tp->loss_cut = false;
    tp->undo_marker = tp->snd_una;
    /* retransmissions of before may still be D-SACKed; with none, zero would look like "all were"
     */
    tp->undo_retrans = (int32_t)tp->retrans_out + (tp->tlp_out && tp->tlp_retrans);
    if (!tp->undo_retrans)
        tp->undo_retrans = -1;
    tp->prior_ssthresh = current_ssthresh(tp);
}

void tcp_undo_forget(struct tcb *tp)
{
    tp->prior_ssthresh = 0;
}

bool tcp_is_packet_delayed(const struct tcb *tp, const struct tcp_ack_state *as)
{
    uint32_t first = (uint32_t)(tp->retrans_stamp / 1000) + tp->ts_offset;

    if (tp->retrans_stamp)
        return as->has_tsecr && seq_lt(as->tsecr, first);
    /* nothing was sent again yet; but where the state is held without SACK (tcp_reno_holds_state)
     * the stamp was cleared, and zero says nothing */
    return tp->sack_ok || seq_lt(tp->snd_una, tp->high_seq);
}

bool tcp_may_undo(const struct tcb *tp, const struct tcp_ack_state *as)
{
    return tp->undo_ok && (!tp->undo_retrans || tcp_is_packet_delayed(tp, as));
}

/* RFC 4015 §3.2, steps 6 and 7: what is in flight is not sent again, and slow start leads back to
 * where the window was. Slow start since the time-out may have come further when the news is late.
 */
static void answer_spurious_timeout(struct tcb *tp)
{
    uint32_t initial = tcp_init_cwnd(tp);
    uint32_t more = tp->eifel.acked < initial ? tp->eifel.acked : initial;
    uint32_t cwnd = tcp_in_flight(tp) + more;

    if (cwnd > tp->prior_cwnd)
        cwnd = tp->prior_cwnd;
    if (cwnd > tp->cwnd)
        tp->cwnd = cwnd;
    if (tp->eifel.pipe > tp->ssthresh)
        tp->ssthresh = tp->eifel.pipe;
    tp->eifel_adapt = tp->eifel_answered = true;
    tp->eifel.until = tp->snd_nxt;
}

void tcp_undo_cwnd(struct tcb *tp, bool unmark)
{
    if (unmark)
        scoreboard_unmark_lost(tp);
    if (tp->prior_ssthresh) {
        uint32_t cwnd = tcp_cc_undo_cwnd(tp);

        COUNT(tp->st, tcp_undone);
        tcp_ecn_withdraw_cwr(tp);
        if (tp->prior_ssthresh > tp->ssthresh)
            tp->ssthresh = tp->prior_ssthresh;
        if (tp->loss_cut && !tp->cc->cong_control)
            answer_spurious_timeout(tp);
        else
            tp->cwnd = cwnd;
    } else if (tcp_in_reduction(tp) && !tp->cc->cong_control && tp->cwnd > tp->ssthresh) {
        tp->cwnd = tp->ssthresh; /* nothing was lost, but the reduction stands (RFC 4015 §3.4) */
    }
    tp->cwnd_stamp = tp->st->now;
    tp->undo_ok = tp->loss_cut = false;
    /* what RACK thought lost is to be looked at again */
    tp->rack.advanced = true;
}

bool tcp_try_undo_dsack(struct tcb *tp)
{
    if (!tp->undo_ok || tp->undo_retrans)
        return false;
    if (tp->rack.reo_wnd_persist < 16)
        tp->rack.reo_wnd_persist++;
    COUNT(tp->st, tcp_undo_dsack);
    tcp_undo_cwnd(tp, false);
    return true;
}

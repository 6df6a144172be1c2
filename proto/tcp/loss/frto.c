/* SPDX-License-Identifier: MIT */
/*
 * After a time-out (linux-sender §10, state Loss): was it real? Forward RTO recovery (RFC 5682)
 * sends new data on the first ACK that advances and lets the next one tell; with SACK an ACK of
 * anything that was sent only once tells at once (§3). Eifel detection by timestamps comes before
 * both.
 */
#include "proto/tcp/tcp.h"

static bool try_undo_loss(struct tcb *tp, const struct tcp_ack_state *as, bool spurious)
{
    if (!spurious && !tcp_may_undo(tp, as))
        return false;
    COUNT(tp->st, tcp_undo_rto);
    if (spurious)
        COUNT(tp->st, tcp_frto_spurious);
    tcp_undo_cwnd(tp, true);
    tp->retransmits = 0;
    if (tcp_reno_holds_state(tp))
        return true;
    if (spurious || tp->sack_ok)
        tcp_set_ca_state(tp, CA_OPEN);
    return true;
}

/* 2a: the first ACK does not show which transmission it is for. Without SACK a duplicate may have
 * been under way before the time-out; what does not cover the retransmission says nothing either.
 */
static bool is_inconclusive(const struct tcb *tp, const struct tcp_ack_state *as)
{
    if (as->una_advanced)
        return !as->acked_packets;
    return !tp->sack_ok && tcp_ack_is_dup(as);
}

/* RFC 5682 §2.1 and §3.1. True: nothing more is to be decided about this ACK. */
static bool frto(struct tcb *tp, const struct tcp_ack_state *as, bool recovered)
{
    /* 3b: data that was never retransmitted has arrived */
    if (as->orig_delivered && try_undo_loss(tp, as, true))
        return true;
    if (seq_gt(tp->snd_nxt, tp->high_seq)) {
        /* 3a: the new data was answered by a duplicate: the loss is real */
        if (as->new_sack || tcp_ack_is_dup(as))
            tp->frto = false;
    } else if (is_inconclusive(tp, as)) {
        tp->frto = false;
    } else if (as->una_advanced && !recovered) {
        tp->high_seq = tp->snd_nxt;
        /* 2b: new data instead of retransmissions, if there is any and the window takes it */
        if (wqueue_send_head(tp) && seq_gt(tcp_wnd_end(tp), tp->snd_nxt)) {
            tcp_touch(tp, TCP_PEND_NEW | TCP_PEND_OUTPUT);
            return true;
        }
        tp->frto = false;
    }
    return false;
}

void tcp_loss_ack(struct tcb *tp, struct tcp_ack_state *as)
{
    bool recovered = seq_geq(tp->snd_una, tp->high_seq);

    if (as->una_advanced && try_undo_loss(tp, as, false))
        return;
    if (tp->frto && frto(tp, as, recovered))
        return;
    if (recovered) {
        tcp_finish_recovery(tp, as);
        return;
    }
    if (!tp->sack_ok) {
        if (seq_gt(tp->snd_nxt, tp->high_seq))
            tcp_reno_add_dup(tp, as);
        else if (as->una_advanced)
            tcp_reno_reset(tp);
    }
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

void tcp_frto_limit(struct tcb *tp)
{
    uint32_t most = tcp_in_flight(tp) + 2;

    if (tp->cwnd > most)
        tp->cwnd = most;
}

bool tcp_frto_sent_new(struct tcb *tp)
{
    if (seq_gt(tp->snd_nxt, tp->high_seq))
        return true;
    tp->frto = false;
    return false;
}

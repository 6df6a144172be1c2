/* SPDX-License-Identifier: MIT */
/*
 * The sender's part of ECN (RFC 3168 §6.1.2): an ACK that tells of marks is answered like a loss,
 * once for a window of data (recovery.c, state CWR), without a retransmission, and the window does
 * not grow by it. At a window of one packet there is nothing left to reduce but the time between
 * packets: the next one waits for a time-out.
 */
#include "proto/tcp/tcp.h"

/* Another ACK has overtaken this one: its counters are older than what is known (RFC 9768
 * §3.2.2.2). */
static bool is_superseded(const struct tcb *tp, const struct tcp_seg *seg,
                          const struct tcp_ack_state *as)
{
    return !as->una_advanced && !as->new_sack && !as->newer &&
           !(seg->len && seg->seq == tp->rcv_nxt);
}

void tcp_ecn_ack(struct tcb *tp, const struct tcp_seg *seg, struct tcp_ack_state *as)
{
    uint32_t packets = tp->delivered - as->prior_delivered;
    uint32_t marked = 0;

    switch (tp->ecn.mode) {
    case TCP_ECN_CLASSIC:
        as->ece = seg->flags & TH_ECE && !(seg->flags & TH_SYN);
        if (as->ece)
            marked = packets;
        break;
    case TCP_ECN_ACCURATE:
        marked = tcp_accecn_feedback(tp, seg, packets, is_superseded(tp, seg, as));
        as->ece = marked;
        break;
    }
    tp->delivered_ce += marked;
    if (as->ece)
        COUNT(tp->st, tcp_in_ece);
}

void tcp_ecn_queue_cwr(struct tcb *tp)
{
    if (tp->ecn.mode == TCP_ECN_CLASSIC)
        tp->ecn.queue_cwr = true;
}

void tcp_ecn_withdraw_cwr(struct tcb *tp)
{
    tp->ecn.queue_cwr = false;
}

void tcp_ecn_hold(struct tcb *tp)
{
    tp->ecn.hold = true;
    tp->ssthresh = tcp_cc_ssthresh(tp, false);
    tcp_ecn_queue_cwr(tp);
    if (tp->packets_out)
        tcp_rearm_rto(tp);
}

/* SPDX-License-Identifier: MIT */
/*
 * The receiver's part of ECN (RFC 3168 §6.1.3): from the first CE mark on every ACK says ECE, until
 * the peer says CWR. Only data in the window counts (§6.1.5). Quick ACKs follow Linux
 * (linux-receiver §5): the sender's window may be very small.
 */
#include "proto/tcp/tcp.h"

#define QUICK_ACKS 2

void tcp_ecn_accept_cwr(struct tcb *tp, const struct tcp_seg *seg)
{
    if (tp->ecn.mode != TCP_ECN_CLASSIC || !(seg->flags & TH_CWR))
        return;
    tp->ecn.echo = false;
    tp->ack_flags |= TCP_ACK_NOW;
}

void tcp_ecn_check_ce(struct tcb *tp, const struct tcp_seg *seg)
{
    uint8_t ecn = seg->packet->tos & IP_ECN_MASK;

    if (tp->ecn.mode != TCP_ECN_CLASSIC)
        return;
    if (ecn == IP_ECN_NOT) {
        /* probably a retransmission: there is trouble */
        if (tp->ecn.seen)
            tcp_ack_enter_quick(tp, QUICK_ACKS);
        return;
    }
    tp->ecn.seen = true;
    if (ecn == IP_ECN_CE) {
        COUNT_ADD(tp->st, tcp_in_ce, seg->n_segs);
        if (!tp->ecn.echo)
            tcp_ack_enter_quick(tp, QUICK_ACKS);
        tp->ecn.echo = true;
    }
}

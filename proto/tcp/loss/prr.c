/* SPDX-License-Identifier: MIT */
/*
 * Proportional Rate Reduction (RFC 9937): while the window is being reduced, each ACK says how much
 * may be sent for what it delivered, so that the flight arrives at ssthresh without a stall and
 * without a burst. Counted in packets.
 */
#include "proto/tcp/tcp.h"

/* What is outstanding and was not yet known to be delivered before this ACK (§6.1). */
static uint32_t recover_fs(const struct tcb *tp, const struct tcp_ack_state *as)
{
    uint32_t outstanding = tp->packets_out - tp->sacked_out;
    uint32_t delivered = as ? tp->delivered - as->prior_delivered : 0;

    return outstanding + delivered ? outstanding + delivered : 1;
}

void tcp_prr_begin(struct tcb *tp, const struct tcp_ack_state *as, bool ece)
{
    tp->high_seq = tp->snd_nxt;
    tp->tlp_out = false;
    tp->cwnd_cnt = 0;
    tp->prior_cwnd = tp->cwnd;
    tp->prr.delivered = tp->prr.out = 0;
    tp->prr.began = tp->st->now;
    tp->prr.lost_again = false;
    tp->prr.recover_fs = recover_fs(tp, as);
    tcp_ecn_queue_cwr(tp);
    tp->ssthresh = tcp_cc_ssthresh(tp, ece);
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* More in flight than the goal: ssthresh/RecoverFS of what is delivered goes out. */
static uint32_t proportional(const struct tcb *tp)
{
    uint64_t goal =
        ((uint64_t)tp->prr.delivered * tp->ssthresh + tp->prr.recover_fs - 1) / tp->prr.recover_fs;

    return goal > tp->prr.out ? (uint32_t)(goal - tp->prr.out) : 0;
}

/* Less in flight than the goal: what was delivered goes out, and one more while all goes well. */
static uint32_t reduction_bound(const struct tcb *tp, const struct tcp_ack_state *as,
                                uint32_t delivered, uint32_t in_flight)
{
    uint32_t owed = tp->prr.delivered > tp->prr.out ? tp->prr.delivered - tp->prr.out : 0;
    uint32_t n = owed > delivered ? owed : delivered;

    if (as->una_advanced && tp->lost_total == as->prior_lost)
        n++;
    return min32(n, tp->ssthresh - in_flight);
}

void tcp_prr_ack(struct tcb *tp, const struct tcp_ack_state *as, uint32_t delivered)
{
    uint32_t in_flight = tcp_in_flight(tp), n;

    /* without SACK a peer can make duplicates up: no more than was outstanding (§6.2) */
    if (!tp->sack_ok)
        delivered = min32(delivered, tp->prr.recover_fs > tp->prr.delivered
                                         ? tp->prr.recover_fs - tp->prr.delivered
                                         : 0);
    if (!delivered || !tp->prr.recover_fs)
        return;
    tp->prr.delivered += delivered;
    if (in_flight > tp->ssthresh)
        n = proportional(tp);
    else
        n = reduction_bound(tp, as, delivered, in_flight);
    if (!n && !tp->prr.out)
        n = 1; /* the first retransmission is never held back */
    tp->cwnd = in_flight + n;
}

void tcp_prr_end(struct tcb *tp)
{
    if (tp->cc->cong_control)
        return;
    if (tp->ssthresh < TCP_INIT_SSTHRESH && (tp->ca_state == CA_CWR || tp->undo_ok)) {
        tp->cwnd = tp->ssthresh;
        tp->cwnd_stamp = tp->st->now;
    }
    tcp_cc_tell(tp, TCP_CC_CWR_DONE);
}

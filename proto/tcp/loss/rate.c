/* SPDX-License-Identifier: MIT */
/*
 * Delivery rate samples (draft-ietf-ccwg-bbr, delivery rate estimation; linux-sender §12): how many
 * packets the network delivered between the sending of a packet and its acknowledgement, over the
 * longer of the two spans in which they were sent and acknowledged.
 *
 * A segment remembers what had been delivered when it was sent. Samples of a time in which the
 * program gave too little to send count only when they are not below what is known.
 */
#include "proto/tcp/tcp.h"

void tcp_rate_sent(struct tcb *tp, struct segment *seg)
{
    /* nothing in flight: what comes back from now on was carried from now on */
    if (!tp->packets_out)
        tp->rate.first_sent = tp->rate.delivered_at = tp->st->now;
    seg->rate = (struct segment_rate){
        .first_sent = tp->rate.first_sent,
        .delivered_at = tp->rate.delivered_at,
        .delivered = tp->delivered,
        .delivered_ce = tp->delivered_ce,
        .lost = tp->lost_total,
        .in_flight = tcp_in_flight(tp) + seg->pcount,
        .app_limited = tp->rate.app_limited != 0,
    };
}

/* Of several packets the one that was sent last says most. */
static bool was_sent_after(const struct tcb *tp, const struct segment *seg,
                           const struct tcp_rate_sample *rs)
{
    return seg->sent_at > tp->rate.first_sent ||
           (seg->sent_at == tp->rate.first_sent && seq_gt(seg->end_seq, rs->last_end_seq));
}

void tcp_rate_delivered(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as)
{
    struct tcp_rate_sample *rs = &as->rate;

    if (!seg->sent_at || (rs->prior_delivered_at && !was_sent_after(tp, seg, rs)))
        return;
    rs->prior_delivered = seg->rate.delivered;
    rs->prior_delivered_ce = seg->rate.delivered_ce;
    rs->prior_delivered_at = seg->rate.delivered_at;
    rs->prior_lost = seg->rate.lost;
    rs->tx_in_flight = seg->rate.in_flight;
    rs->app_limited = seg->rate.app_limited;
    rs->is_retrans = seg->marks & SEG_EVER_RETRANS;
    rs->last_end_seq = seg->end_seq;
    rs->snd_interval_us = (uint32_t)(seg->sent_at - seg->rate.first_sent);
    tp->rate.first_sent = seg->sent_at;
}

/* The best that is known, for TCP_INFO. */
static void keep(struct tcb *tp, const struct tcp_rate_sample *rs)
{
    if (rs->app_limited && (uint64_t)rs->delivered * tp->rate.interval_us <
                               (uint64_t)tp->rate.packets * rs->interval_us)
        return;
    tp->rate.packets = rs->delivered;
    tp->rate.interval_us = rs->interval_us;
    tp->rate.sample_app_limited = rs->app_limited;
}

void tcp_rate_sample(struct tcb *tp, struct tcp_ack_state *as)
{
    struct tcp_rate_sample *rs = &as->rate;

    if (tp->rate.app_limited && seq_gt(tp->delivered, tp->rate.app_limited))
        tp->rate.app_limited = 0;
    rs->acked_sacked = tp->delivered - as->prior_delivered;
    rs->losses = tp->lost_total - as->prior_lost;
    rs->prior_in_flight = as->prior_in_flight;
    rs->una_advanced = as->una_advanced;
    rs->is_ece = as->ece;
    rs->rtt_us = as->rtt_us;
    if (rs->acked_sacked)
        tp->rate.delivered_at = tp->st->now;
    if (!rs->prior_delivered_at || as->renege)
        return;
    rs->delivered = tp->delivered - rs->prior_delivered;
    rs->delivered_ce = tp->delivered_ce - rs->prior_delivered_ce;
    rs->rcv_interval_us = (uint32_t)(tp->st->now - rs->prior_delivered_at);
    rs->interval_us =
        rs->snd_interval_us > rs->rcv_interval_us ? rs->snd_interval_us : rs->rcv_interval_us;
    /* shorter than any round trip: the ACK was of a packet that we took for lost */
    if (!rs->interval_us || rs->interval_us < tp->min_rtt_us)
        return;
    rs->valid = true;
    keep(tp, rs);
}

/* At the start of a write: is it the program that has let the pipe run dry? */
void tcp_rate_check_app_limited(struct tcb *tp)
{
    uint32_t in_flight = tcp_in_flight(tp);

    if (tp->write_seq - tp->snd_nxt >= tp->mss_cache || tp->device_queued ||
        in_flight >= tp->cwnd || tp->lost_out > tp->retrans_out)
        return;
    tp->rate.app_limited = tp->delivered + in_flight;
    if (!tp->rate.app_limited)
        tp->rate.app_limited = 1;
}

uint64_t tcp_rate_bytes_per_second(const struct tcb *tp)
{
    if (!tp->rate.packets || !tp->rate.interval_us)
        return 0;
    return (uint64_t)tp->rate.packets * tp->mss_cache * 1000000 / tp->rate.interval_us;
}

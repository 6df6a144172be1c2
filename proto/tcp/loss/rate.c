/* SPDX-License-Identifier: MIT */
/*
 * Delivery rate samples (draft-cheng-iccrg-delivery-rate-estimation; linux-sender §12): how many
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
    seg->rate.first_sent = tp->rate.first_sent;
    seg->rate.delivered_at = tp->rate.delivered_at;
    seg->rate.delivered = tp->delivered;
    seg->rate.app_limited = tp->rate.app_limited != 0;
}

/* Of several packets the one that was sent last says most. */
static bool was_sent_after(const struct tcb *tp, const struct segment *seg,
                           const struct tcp_ack_state *as)
{
    return seg->sent_at > tp->rate.first_sent ||
           (seg->sent_at == tp->rate.first_sent && seq_gt(seg->end_seq, as->rate.end_seq));
}

void tcp_rate_acked(struct tcb *tp, const struct segment *seg, struct tcp_ack_state *as)
{
    if (as->rate.valid && !was_sent_after(tp, seg, as))
        return;
    as->rate.valid = true;
    as->rate.delivered = seg->rate.delivered;
    as->rate.delivered_at = seg->rate.delivered_at;
    as->rate.app_limited = seg->rate.app_limited;
    as->rate.end_seq = seg->end_seq;
    as->rate.send_span = seg->sent_at - seg->rate.first_sent;
    tp->rate.first_sent = seg->sent_at;
}

void tcp_rate_sample(struct tcb *tp, const struct tcp_ack_state *as, uint32_t prior_delivered)
{
    uint32_t packets;
    uint64_t interval;

    if (tp->rate.app_limited && seq_gt(tp->delivered, tp->rate.app_limited))
        tp->rate.app_limited = 0;
    if (tp->delivered != prior_delivered)
        tp->rate.delivered_at = tp->st->now;
    if (!as->rate.valid)
        return;
    packets = tp->delivered - as->rate.delivered;
    interval = tp->st->now - as->rate.delivered_at;
    if (as->rate.send_span > interval)
        interval = as->rate.send_span;
    /* shorter than any round trip: the ACK was of a packet that we took for lost */
    if (!interval || interval < tcp_min_rtt(tp) || interval > UINT32_MAX)
        return;
    if (as->rate.app_limited &&
        (uint64_t)packets * tp->rate.interval_us < (uint64_t)tp->rate.packets * interval)
        return;
    tp->rate.packets = packets;
    tp->rate.interval_us = (uint32_t)interval;
    tp->rate.sample_app_limited = as->rate.app_limited;
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

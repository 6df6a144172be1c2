/* SPDX-License-Identifier: MIT */
/* Retransmission: the bytes are read again from the stream, in pieces of today's MSS (linux-sender
 * §10). */
#include "proto/tcp/tcp.h"

#include <errno.h>

static bool outside_window(const struct tcb *tp, const struct segment *seg)
{
    /* the head may always go: it is the probe of a shrunk window */
    return seq_geq(seg->seq, tcp_wnd_end(tp)) && seg->seq != tp->snd_una;
}

static void note_retransmission(struct tcb *tp, struct segment *seg, uint32_t len)
{
    COUNT_ADD(tp->st, tcp_out_retrans, seg->pcount);
    COUNT_ADD(tp->st, tcp_out_retrans_bytes, len);
    tp->total_retrans += seg->pcount;
    tp->bytes_retrans += len;
    if (!tp->retrans_stamp)
        tp->retrans_stamp = tp->st->now ? tp->st->now : 1;
    if (!(seg->marks & SEG_RETRANS)) {
        seg->marks |= SEG_RETRANS;
        tp->retrans_out += seg->pcount;
    }
    seg->marks |= SEG_EVER_RETRANS;
}

int tcp_retransmit_segment(struct tcb *tp, struct segment *seg, uint32_t segs)
{
    uint32_t mss = tcp_current_mss(tp);
    uint32_t window = tcp_wnd_end(tp) - seg->seq;
    uint32_t most = (tcp_urg_mode(tp) ? 1 : segs) * mss;
    int err;

    if (outside_window(tp, seg))
        return -EAGAIN;
    if (seq_lt(seg->seq, tcp_wnd_end(tp)) && window < most)
        most = window > mss ? window - window % mss : window;
    if (most > mss * 44)
        most = mss * 44;
    if (seg_len(seg) > most && most && (err = tso_fragment(tp, seg, most, mss)) != 0)
        return err;
    err = tcp_transmit_segment(tp, seg, mss);
    if (err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM)
        return err;
    note_retransmission(tp, seg, seg_len(seg));
    return 0;
}

/* The device has room again within a millisecond; memory takes longer. */
void tcp_retry_soon(struct tcb *tp)
{
    tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + (tp->st->device_blocked ? 1000 : 10000));
}

void tcp_xmit_retransmit_queue(struct tcb *tp)
{
    struct list *l, *next;
    bool head = true;

    list_for_each_safe (l, next, &tp->rtxq) {
        struct segment *seg = container_of(l, struct segment, link);
        uint32_t in_flight = tcp_in_flight(tp);

        if (tp->lost_out <= tp->retrans_out)
            return;
        if ((seg->marks & (SEG_LOST | SEG_RETRANS)) != SEG_LOST) {
            head = false;
            continue;
        }
        /* the hole that a third duplicate or a partial ACK names goes at once (RFC 6582 §3.2, steps
         * 2 and 3) */
        if (in_flight >= tp->cwnd && !(head && tp->ca_state == CA_RECOVERY))
            return;
        /* the ACK that opens the window brings us here again; meanwhile the head is the probe */
        if (outside_window(tp, seg))
            return;
        if (tcp_retransmit_segment(tp, seg, in_flight < tp->cwnd ? tp->cwnd - in_flight : 1) != 0) {
            tcp_retry_soon(tp);
            return;
        }
        if (tp->ca_state == CA_RECOVERY)
            COUNT(tp->st, tcp_out_fast_retrans);
        if (head)
            tcp_rearm_rto(tp);
        head = false;
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * What bounds a burst: the congestion window, the peer's window, the bytes in the device's queue;
 * and where a segment is cut that goes only in part (send path, step 14; linux-sender §5). Why it
 * may be held back although it could go is nagle.c.
 */
#include "proto/tcp/tcp.h"

/* One burst takes at most half of the congestion window (linux-sender §5, 2). */
uint32_t tcp_cwnd_quota(const struct tcb *tp)
{
    uint32_t in_flight = tcp_in_flight(tp);
    uint32_t window = tcp_send_window(tp);
    uint32_t half = tp->cwnd / 2 ? tp->cwnd / 2 : 1;

    if (in_flight >= window)
        return 0;
    return half < window - in_flight ? half : window - in_flight;
}

/* The first packet of the segment must fit whole: sender SWS avoidance (RFC 9293 §3.8.6.2.1). */
bool tcp_snd_wnd_test(const struct tcb *tp, const struct segment *seg, uint32_t mss)
{
    uint32_t end = seg->end_seq;

    if (seg_len(seg) > mss)
        end = seg->seq + mss;
    return seq_leq(end, tcp_wnd_end(tp));
}

/* Where to cut a segment of several packets (linux-sender §5, 6). */
uint32_t tcp_split_point(const struct tcb *tp, const struct segment *seg, uint32_t mss,
                         uint32_t quota, uint8_t nonagle)
{
    uint32_t window = tcp_wnd_end(tp) - seg->seq;
    uint32_t most = quota * mss;
    uint32_t needed, partial;
    enum tcp_stop why;

    if (most <= window && list_last(&((struct tcb *)(uintptr_t)tp)->sendq) != &seg->link)
        return most;
    needed = seg_len(seg) < window ? seg_len(seg) : window;
    if (most <= needed)
        return most;
    partial = needed % mss;
    if (partial && needed == seg_len(seg)) {
        struct segment last = {
            .seq = seg->end_seq - partial, .end_seq = seg->end_seq, .flags = seg->flags};

        if (!tcp_nagle_test(tp, &last, mss, nonagle, &why))
            return needed - partial;
        return needed;
    }
    return partial ? needed - partial : needed;
}

/* Bytes in the device's queue are bounded so that ACK clocking stays with us (linux-sender §5,
 * small queues). */
bool tcp_small_queue_check(const struct tcb *tp, const struct segment *seg)
{
    uint64_t limit = 2ull * seg_len(seg);
    uint64_t per_ms = tp->pacing_rate == UINT64_MAX ? UINT64_MAX : tp->pacing_rate >> 10;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.limit_output_bytes;

    if (per_ms > limit)
        limit = per_ms;
    if (limit > most)
        limit = most;
    return tp->device_queued > limit && scoreboard_first(tp) != scoreboard_last(tp);
}

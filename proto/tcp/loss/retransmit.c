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
    if (!tp->stalled_since && tp->conn.state != TCPS_SYN_SENT)
        tp->stalled_since = tp->st->now ? tp->st->now : 1;
    if (tp->undo_retrans < 0)
        tp->undo_retrans = 0;
    tp->undo_retrans += (int32_t)seg->pcount;
    if (tcp_in_reduction(tp))
        tp->prr.out += seg->pcount;
    tp->sack_count.high_rxt = seq_max(tp->sack_count.high_rxt, seg->end_seq);
    scoreboard_mark_retransmitted(tp, seg);
}

/* May what follows ride in the same packet? */
static bool may_join(const struct segment *seg, const struct segment *next, uint32_t most)
{
    return next && next->pcount == 1 && next->marks == seg->marks &&
           !((seg->flags | next->flags) & (SEG_SYN | SEG_FIN)) && !(seg->flags & SEG_EOR) &&
           seg_len(seg) + seg_len(next) <= most;
}

/* Small segments go again together (tunable tcp_retrans_collapse). */
static void collapse(struct tcb *tp, struct segment *seg, uint32_t most)
{
    struct segment *next;

    if (!tp->st->tcp.tunables.retrans_collapse || seg->pcount != 1 || tcp_urg_mode(tp))
        return;
    while (may_join(seg, next = scoreboard_next(tp, seg), most)) {
        uint32_t end = next->end_seq;

        seg->flags |= next->flags;
        scoreboard_remove(tp, next);
        seg->end_seq = end;
    }
}

int tcp_retransmit_segment(struct tcb *tp, struct segment *seg, uint32_t segs)
{
    uint32_t mss = tcp_current_mss(tp);
    uint32_t window = tcp_wnd_end(tp) - seg->seq;
    uint32_t most = (tcp_urg_mode(tp) ? 1 : segs) * mss;
    int err;

    tcp_mtup_inconclusive(tp);
    if (outside_window(tp, seg))
        return -EAGAIN;
    if (seq_lt(seg->seq, tcp_wnd_end(tp)) && window < most)
        most = window > mss ? window - window % mss : window;
    if (most > mss * 44)
        most = mss * 44;
    /* without memory to cut it, better the whole than nothing: only its delivery frees memory */
    if (seg_len(seg) > most && most && (err = tso_fragment(tp, seg, most, mss)) != 0 &&
        (err != -ENOMEM || seg_len(seg) > window))
        return err;
    if (seg_len(seg) < mss && seg_len(seg) < most)
        collapse(tp, seg, most < mss ? most : mss);
    if (seg->mss != mss)
        scoreboard_repack(tp, seg, mss);
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

/* One lost segment; false: stop here. */
static bool send_lost(struct tcb *tp, struct segment *seg)
{
    uint32_t in_flight = tcp_in_flight(tp);
    uint32_t window = tcp_send_window(tp);
    uint32_t segs = window > in_flight ? window - in_flight : 0;
    uint32_t burst = tcp_tso_autosize(tp, tcp_current_mss(tp));
    bool head = seg == scoreboard_first(tp);

    if (tcp_pacing_check(tp)) {
        tcp_stop(tp, TCP_STOP_pacing);
        return false;
    }
    if (!segs) {
        tcp_stop(tp, TCP_STOP_cwnd);
        return false;
    }
    /* the ACK that opens the window brings us here again; meanwhile the head is the probe */
    if (outside_window(tp, seg))
        return false;
    if (tcp_retransmit_segment(tp, seg, segs < burst ? segs : burst) != 0) {
        tcp_retry_soon(tp);
        return false;
    }
    if (tp->ca_state == CA_RECOVERY)
        COUNT(tp->st, tcp_out_fast_retrans);
    if (head && !tcp_timer_pending(tp, TCP_TIMER_reorder))
        tcp_rearm_rto(tp);
    return true;
}

void tcp_xmit_retransmit_queue(struct tcb *tp)
{
    struct segment *seg;

    while ((seg = scoreboard_first_lost(tp))) {
        if (!send_lost(tp, seg))
            return;
    }
}

/* Too large for the path as it is now: whatever was thought of it, it did not arrive. */
void tcp_simple_retransmit(struct tcb *tp)
{
    uint32_t mss = tcp_current_mss(tp);
    struct segment *seg;
    bool any = false;

    for (seg = scoreboard_first(tp); seg; seg = scoreboard_next(tp, seg)) {
        if (seg->mss > mss && seg_len(seg) > mss)
            any |= scoreboard_mark_lost(tp, seg); /* also when the path narrows a second time */
    }
    if (!any)
        return;
    if (!tp->sack_ok)
        tcp_reno_limit(tp);
    if (tp->st->tcp.tunables.ptb_slow_start)
        tp->ptb_window = tcp_in_flight(tp) + 1;
    if (tp->ca_state != CA_LOSS) {
        tp->loss_unpaid = !tcp_in_reduction(tp);
        tp->high_seq = tp->snd_nxt;
        tcp_undo_forget(tp);
        tp->undo_ok = false;
        tcp_set_ca_state(tp, CA_LOSS);
    }
    tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
}

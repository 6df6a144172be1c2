/* SPDX-License-Identifier: MIT */
/*
 * The send path: from the program's bytes to segments on their way to IP.
 *
 *     tcp_sendmsg -> tcp_push -> tcp_push_pending_frames -> tcp_write_xmit -> tcp_transmit_segment
 * -> ip_output -> neigh_output -> device
 *
 * The steps and their names are those of Linux's send path; what differs is that a segment is a
 * range of the stream and owns no bytes. Every stop of tcp_write_xmit() is counted (stops.def):
 * "why did it not send?" always has an answer. RFC 9293 §3.8.6, §3.10.2; RFC 1122 §4.2.3.4; RFC
 * 896.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <sys/socket.h>

/* --- pushing
 * -----------------------------------------------------------------------------------------------
 */

static void tcp_mark_push(struct tcb *tp, struct segment *seg)
{
    seg->flags |= SEG_PSH;
    tp->pushed_seq = tp->write_seq;
}

/* More than half of the largest window was written since the last push: the receiver should not
 * wait for the rest. */
static bool forced_push(const struct tcb *tp)
{
    return seq_gt(tp->write_seq, tp->pushed_seq + (tp->max_window >> 1));
}

static void push_pending_frames(struct tcb *tp, uint32_t mss_now, uint8_t nonagle)
{
    if (tcp_write_xmit(tp, mss_now, nonagle, 0))
        tcp_check_probe_timer(tp);
}

void tcp_push_pending_frames(struct tcb *tp)
{
    if (wqueue_send_head(tp))
        push_pending_frames(tp, tcp_current_mss(tp), tp->nonagle);
}

static void tcp_push_one(struct tcb *tp, uint32_t mss_now)
{
    COUNT(tp->st, tcp_out_push_one);
    TCP_TRACE(tp, tcp_push_one, TRACE_WHY_none, wqueue_send_head(tp)->seq,
              seg_len(wqueue_send_head(tp)));
    tcp_write_xmit(tp, mss_now, TCP_NAGLE_PUSH, 1);
}

static __attribute__((cold, noinline)) void trace_push(const struct tcb *tp,
                                                       const struct segment *seg, int flags)
{
    TCP_TRACE(tp, tcp_push, TRACE_WHY_none, seg->seq, seg_len(seg), (uint32_t)flags,
              tp->write_seq - tp->snd_nxt, tp->device_queued);
}

/* Step 13: the end of a call. */
static void tcp_push(struct tcb *tp, int flags, uint32_t mss_now, uint8_t nonagle,
                     uint32_t size_goal)
{
    struct segment *seg = wqueue_tail(tp);

    if (!seg)
        return;
    if (!(flags & MSG_MORE) || forced_push(tp))
        tcp_mark_push(tp, seg);
    if (flags & MSG_OOB) {
        /* the byte behind the urgent one (RFC 6093 §2.2, RFC 9293 §3.8.5) */
        tp->snd_up = tp->write_seq;
        seg->flags |= SEG_EOR; /* nothing joins urgent data (send path, step 7) */
    }
    if (flags & SOCK_SEND_BATCH) {
        tp->hold_tail = true;
        tcp_touch(tp, TCP_PEND_OUTPUT);
        return;
    }
    if (tcp_should_autocork(tp, seg, size_goal)) {
        tcp_stop(tp, TCP_STOP_autocork);
        return;
    }
    if (__builtin_expect(tp->traced, 0))
        trace_push(tp, seg, flags);
    if (flags & MSG_MORE)
        nonagle = TCP_NAGLE_CORK;
    push_pending_frames(tp, mss_now, nonagle);
}

/* --- tcp_sendmsg
 * ------------------------------------------------------------------------------------------- */

struct send_call {
    tcp_copy_fn copy;
    void *ctx;
    size_t len, copied;
    int flags;
    uint32_t mss_now, size_goal;
    bool appended; /**< the tail that was there before has lost its PSH */
};

/* Step 7: room in the last unsent segment. */
static uint32_t tail_room(const struct segment *tail, uint32_t size_goal)
{
    if (!tail || (tail->flags & (SEG_EOR | SEG_FIN)))
        return 0;
    return seg_len(tail) < size_goal ? size_goal - seg_len(tail) : 0;
}

/* Step 8: an open segment, the present tail or a fresh one. */
static int get_segment(struct tcb *tp, struct send_call *c, struct segment **out, uint32_t *room)
{
    struct segment *seg = wqueue_tail(tp);

    *room = tail_room(seg, c->size_goal);
    if (*room) {
        if (!c->appended) {
            seg->flags &= (uint8_t)~SEG_PSH;
            COUNT(tp->st, tcp_out_coalesced);
        }
        c->appended = true;
        *out = seg;
        return 0;
    }
    /* room that tcp_sendmsg() granted as spans is not asked for again */
    if (c->copy && !tcp_stream_memory_free(tp))
        return -EAGAIN;
    *room = c->size_goal;
    seg = wqueue_entail(tp);
    if (!seg && !c->copy) {
        /* granted bytes are never refused: the spare takes all of them, and is cut when there is
         * memory again */
        seg = wqueue_entail_spare(tp);
        *room = UINT32_MAX;
    }
    if (!seg)
        return -ENOMEM;
    c->appended = true;
    *out = seg;
    return 0;
}

/* Step 9: n bytes into the stream behind what is there. A fault cuts it short. */
static ssize_t copy_bytes(struct tcb *tp, struct send_call *c, uint32_t n)
{
    struct iovec iov[4];
    size_t done = 0;
    int spans;

    if (!c->copy)
        return n;
    spans = bytestream_spans(&tp->snd, tp->snd_offset, n, iov);
    for (int i = 0; i < spans; i++) {
        size_t got = c->copy(c->ctx, iov[i].iov_base, iov[i].iov_len);

        done += got;
        if (got < iov[i].iov_len)
            return done ? (ssize_t)done : -EFAULT;
    }
    return (ssize_t)done;
}

static __attribute__((cold, noinline)) void trace_append(const struct tcb *tp,
                                                         const struct segment *seg, uint32_t n)
{
    const uint32_t v[TRACE_VALUES] = {tp->write_seq - n, n, seg_len(seg)};

    tcp_trace_values(tp, seg_len(seg) == n ? TRACE_skb_entail : TRACE_coalesce, TRACE_WHY_none, v);
}

/* Steps 7 to 9. */
static ssize_t append(struct tcb *tp, struct send_call *c, struct segment *seg, uint32_t room)
{
    uint32_t n = c->len - c->copied < room ? (uint32_t)(c->len - c->copied) : room;
    ssize_t got;

    if (c->copy && tcp_reserve_send(tp, n) != 0) {
        /* no new extent: what the present ones still hold, if anything */
        uint64_t left = bytestream_capacity_end(&tp->snd) - tp->snd_offset;

        if (!left)
            return -ENOMEM;
        n = left < n ? (uint32_t)left : n;
    }
    got = copy_bytes(tp, c, n);
    if (got <= 0)
        return got;
    seg->end_seq += (uint32_t)got;
    tp->write_seq += (uint32_t)got;
    tp->snd_offset += (uint64_t)got;
    wqueue_set_pcount(seg, c->mss_now);
    c->copied += (size_t)got;
    tcp_chrono_start(tp, TCP_CHRONO_app);
    if (__builtin_expect(tp->traced, 0))
        trace_append(tp, seg, (uint32_t)got);
    return (uint32_t)got < n ? -EFAULT : got;
}

/* Steps 10 and 11: a segment has reached its goal in the middle of a call. */
static void push_full_segment(struct tcb *tp, struct send_call *c, struct segment *seg)
{
    if (forced_push(tp)) {
        COUNT(tp->st, tcp_out_push_forced);
        TCP_TRACE(tp, forced_push, TRACE_WHY_none, tp->write_seq);
        tcp_mark_push(tp, seg);
        push_pending_frames(tp, c->mss_now, TCP_NAGLE_PUSH);
    } else if (seg == wqueue_send_head(tp)) {
        tcp_push_one(tp, c->mss_now);
    }
}

static ssize_t send_loop(struct tcb *tp, struct send_call *c)
{
    while (c->copied < c->len) {
        struct segment *seg;
        uint32_t room;
        ssize_t err = get_segment(tp, c, &seg, &room);

        if (err)
            return err;
        err = append(tp, c, seg, room);
        if (err < 0)
            return err;
        if (c->copied == c->len) {
            if (c->flags & MSG_EOR)
                seg->flags |= SEG_EOR;
            return 0;
        }
        /* urgent data waits for its pointer, which is known at the end */
        if (seg_len(seg) >= c->size_goal && !(c->flags & (MSG_OOB | SOCK_SEND_BATCH)))
            push_full_segment(tp, c, seg);
    }
    return 0;
}

/* Step 12: out of space or memory. What was queued goes out although MSG_MORE was said, and the
 * writer waits. */
static void wait_for_space(struct tcb *tp, struct send_call *c, ssize_t err)
{
    tp->nospace = true;
    if (tp->sock)
        tp->sock->want_write = true;
    if (err == -EAGAIN) {
        tcp_stop(tp, TCP_STOP_sndbuf);
    } else {
        TCP_TRACE(tp, wait_for_sndbuf, TRACE_WHY_memory, tcp_wmem_queued(tp), tp->sndbuf,
                  tp->write_seq - tp->snd_nxt);
        tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + TCP_PROBE_RETRY);
    }
    if (c->copied)
        tcp_push(tp, c->flags & ~MSG_MORE, c->mss_now, TCP_NAGLE_PUSH, c->size_goal);
}

static __attribute__((cold, noinline)) void trace_sendmsg(const struct tcb *tp,
                                                          const struct send_call *c)
{
    const uint32_t entry[TRACE_VALUES] = {(uint32_t)c->len, (uint32_t)c->flags,
                                          tp->write_seq - tp->snd_nxt, tcp_wmem_queued(tp),
                                          tp->sndbuf};
    const uint32_t mss[TRACE_VALUES] = {c->mss_now, c->size_goal, tp->pmtu};

    tcp_trace_values(tp, TRACE_tcp_sendmsg, TRACE_WHY_none, entry);
    tcp_trace_values(tp, TRACE_tcp_send_mss, TRACE_WHY_none, mss);
}

/* Steps 3 and 5. */
ssize_t tcp_sendmsg(struct tcb *tp, tcp_copy_fn copy, void *ctx, size_t len, int flags)
{
    struct send_call c = {.copy = copy, .ctx = ctx, .len = len, .flags = flags};
    ssize_t err;

    tcp_rate_check_app_limited(tp);
    tcp_cwnd_restart_if_idle(tp);
    c.mss_now = tcp_send_mss(tp, &c.size_goal);
    if (flags & MSG_OOB)
        c.size_goal = c.mss_now;
    if (__builtin_expect(tp->traced, 0))
        trace_sendmsg(tp, &c);
    err = send_loop(tp, &c);
    if (err)
        wqueue_drop_empty_tail(tp);
    if (err == -EAGAIN || err == -ENOMEM) {
        wait_for_space(tp, &c, err);
        return c.copied ? (ssize_t)c.copied : -EAGAIN;
    }
    if (c.copied)
        tcp_push(tp, flags, c.mss_now, tp->nonagle, c.size_goal);
    if (err < 0 && !c.copied)
        return err;
    return (ssize_t)c.copied;
}

/* --- tcp_write_xmit
 * ---------------------------------------------------------------------------------------- */

void tcp_event_new_data_sent(struct tcb *tp, struct segment *seg)
{
    bool was_idle = tp->packets_out == 0;

    scoreboard_add(tp, seg);
    tp->snd_nxt = seg->end_seq;
    if (tcp_in_reduction(tp))
        tp->prr.out += seg->pcount;
    tcp_timer_clear(tp, TCP_TIMER_persist);
    if (was_idle || tcp_timer_pending(tp, TCP_TIMER_loss_probe))
        tcp_rearm_rto(tp);
}

/* The tests of step 14, in order. Returns true when seg (cut as needed) may leave. */
static bool may_send(struct tcb *tp, struct segment *seg, uint32_t mss, uint8_t nonagle,
                     int push_one, bool *cwnd_limited)
{
    uint32_t max_segs = tcp_tso_autosize(tp, mss);
    enum tcp_stop why = TCP_STOP_empty;
    uint32_t quota, limit;

    if (tcp_pacing_check(tp))
        return tcp_stop(tp, TCP_STOP_pacing), false;
    if (tp->ecn.hold)
        return tcp_stop(tp, TCP_STOP_cwnd), false;
    quota = tcp_cwnd_quota(tp);
    if (push_one == TCP_PUSH_PROBE)
        quota = 1; /* a loss probe goes whatever the window says (RFC 8985 §7.3) */
    if (!quota) {
        *cwnd_limited = true;
        return tcp_stop(tp, TCP_STOP_cwnd), false;
    }
    if (quota > max_segs)
        quota = max_segs;
    if (tcp_urg_mode(tp))
        quota = 1; /* each packet has a pointer of its own */
    if (seg_len(seg) < quota * mss)
        wqueue_pull(tp, seg, quota * mss, mss);
    if (!tcp_snd_wnd_test(tp, seg, mss))
        return tcp_stop(tp, TCP_STOP_rwnd), false;
    wqueue_set_pcount(seg, mss);
    if (seg->pcount == 1) {
        bool tail = list_last(&tp->sendq) == &seg->link;

        if (!tcp_nagle_test(tp, seg, mss, tail ? nonagle : TCP_NAGLE_PUSH, &why))
            return tcp_stop(tp, why), false;
    } else if (!push_one && tcp_tso_should_defer(tp, seg, mss, max_segs)) {
        return tcp_stop(tp, TCP_STOP_tso_defer), false;
    }
    limit = seg->pcount > 1 ? tcp_split_point(tp, seg, mss, quota, nonagle) : mss;
    if (seg_len(seg) > limit && tso_fragment(tp, seg, limit, mss) != 0)
        return false;
    if (tp->st->device_blocked || tcp_small_queue_check(tp, seg))
        return tcp_stop(tp, TCP_STOP_device), false;
    return true;
}

static __attribute__((cold, noinline)) void trace_goes(const struct tcb *tp,
                                                       const struct segment *seg)
{
    TCP_TRACE(tp, tcp_write_xmit, TRACE_WHY_goes, seg->seq, seg_len(seg), tp->cwnd,
              tcp_in_flight(tp), tcp_wnd_end(tp) - tp->snd_nxt, tp->write_seq - tp->snd_nxt);
}

/**
 * Send what may be sent. push_one: only one segment. Returns true when nothing is in flight and
 * data waits: then only a window update or the persist timer will move it.
 */
bool tcp_write_xmit(struct tcb *tp, uint32_t mss, uint8_t nonagle, int push_one)
{
    struct segment *seg;
    bool cwnd_limited = false;
    uint32_t sent = 0;

    if (!push_one && tp->mtup.enabled) {
        int probe = tcp_mtu_probe(tp);

        if (!probe)
            return false;
        sent = probe > 0;
        mss = tcp_current_mss(tp);
    }
    while ((seg = wqueue_send_head(tp))) {
        int err;

        if (sent && tcp_holds_tail(tp, seg, mss)) {
            tcp_stop(tp, TCP_STOP_autocork);
            break;
        }
        if (!may_send(tp, seg, mss, nonagle, push_one, &cwnd_limited))
            break;
        if (__builtin_expect(tp->traced, 0))
            trace_goes(tp, seg);
        err = tcp_transmit_segment(tp, seg, mss);
        if (err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM) {
            tcp_stop(tp, TCP_STOP_device);
            break;
        }
        /* any other failure is a loss on the way: the retransmission timer takes care */
        tcp_event_new_data_sent(tp, seg);
        tcp_minshall_update(tp, seg, mss);
        sent += seg->pcount;
        if (push_one)
            break;
    }
    if (tp->st->device_blocked && wqueue_send_head(tp))
        tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + 1000);
    if (!seg)
        tcp_stop(tp, TCP_STOP_empty);
    if (seg && !cwnd_limited && !tcp_pacing_waits(tp) && seq_gt(seg->end_seq, tcp_wnd_end(tp)))
        tcp_chrono_start(tp, TCP_CHRONO_rwnd);
    else
        tcp_chrono_stop(tp, TCP_CHRONO_rwnd);
    if (sent) {
        tcp_cwnd_validate(tp, cwnd_limited || tcp_in_flight(tp) >= tp->cwnd);
        if (push_one != TCP_PUSH_PROBE)
            tcp_schedule_loss_probe(tp, false);
    }
    return !tp->packets_out && wqueue_send_head(tp);
}

/* --- once per touched connection
 * --------------------------------------------------------------------------- */

/** After a batch of input: losses first, then new data, then the question of an ACK (data may have
 * carried it). */
void tcp_output_touched(struct tcb *tp)
{
    uint8_t pending = tp->pending;

    tp->pending = 0;
    if (tp->conn.state == TCPS_SYN_SENT)
        tcp_retry_syn(tp);
    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_SYN_SENT ||
        tp->conn.state == TCPS_SYN_RECV)
        return;
    if (pending & TCP_PEND_NEW)
        tcp_frto_limit(tp);
    if ((pending & TCP_PEND_NEW) && wqueue_send_head(tp))
        push_pending_frames(tp, tcp_current_mss(tp), TCP_NAGLE_OFF);
    if (!(pending & TCP_PEND_NEW) || !tcp_frto_sent_new(tp))
        tcp_xmit_retransmit_queue(tp);
    if (tp->send_shutdown && !tp->fin_queued)
        tcp_send_fin(tp);
    if (pending & TCP_PEND_OUTPUT) {
        tcp_push_pending_frames(tp);
        tcp_6675_send_more(tp);
        tcp_tell_writer(tp);
    }
    tcp_ack_decide(tp);
}

/* SPDX-License-Identifier: MIT */
/*
 * The receive window: what to advertise, how it grows, and when a reader's progress must be told
 * (RFC 9293 §3.8.6, RFC 7323 §2; linux-receiver §3 and §4).
 *
 * Half of the receive buffer is window, the other half stands for the bookkeeping around the bytes,
 * as in Linux with its starting ratio of 128/256. Bytes in the program's pair are unread and count.
 */
#include "proto/sock/sock_internal.h"

#define SMALLEST_FULL   88 /* Linux: no peer is thought to send smaller full segments */
#define RATIO_WINDOW(x) ((uint32_t)((uint64_t)(x) / 2))
#define RATIO_SPACE(w)  ((uint64_t)(w)*2)

static uint8_t choose_scale(uint64_t space, uint32_t clamp)
{
    uint8_t scale = 0;

    if (space > clamp)
        space = clamp;
    while (space > 65535 && scale < TCP_MAX_WSCALE) {
        space >>= 1;
        scale++;
    }
    return scale;
}

uint32_t tcp_initial_clamp(const struct tcb *tp)
{
    uint32_t full = RATIO_WINDOW(tp->rcvbuf);

    if (tp->rcvbuf_locked && (!tp->user_clamp || tp->user_clamp > full))
        return full;
    return tp->user_clamp;
}

void tcp_window_initial(struct stack *st, uint32_t rcvbuf, uint32_t mss, bool wscale, uint32_t *wnd,
                        uint8_t *scale, uint32_t *clamp)
{
    uint32_t space = RATIO_WINDOW(rcvbuf);
    uint64_t largest =
        (uint64_t)st->tcp.tunables.rmem_max > rcvbuf ? (uint64_t)st->tcp.tunables.rmem_max : rcvbuf;

    uint32_t most = *clamp ? *clamp : 65535u << TCP_MAX_WSCALE;

    *scale = wscale ? choose_scale(largest, most) : 0;
    *clamp = most < 65535u << *scale ? most : 65535u << *scale;
    *wnd = space < *clamp ? space : *clamp;
    if (*wnd > mss)
        *wnd -= *wnd % mss;
}

void tcp_window_init(struct tcb *tp)
{
    uint32_t full = RATIO_WINDOW(tp->rcvbuf);
    int64_t app_win = tp->st->tcp.tunables.app_win;

    if (tp->window_clamp >= full) {
        tp->window_clamp = full;
        /* what tcp_app_win keeps for the program */
        if (app_win && full > 4u * tp->advmss) {
            uint32_t less = full - (full >> app_win);

            tp->window_clamp = less > 4u * tp->advmss ? less : 4u * tp->advmss;
        }
    }
    if (app_win && tp->window_clamp + tp->advmss > full) {
        uint32_t less = full > tp->advmss ? full - tp->advmss : 0;

        tp->window_clamp = less > 2u * tp->advmss ? less : 2u * tp->advmss;
    }
    tp->rcv_ssthresh = tp->rcv_wnd < tp->window_clamp ? tp->rcv_wnd : tp->window_clamp;
    tp->drs.space = tp->rcv_ssthresh < 10u * tp->advmss ? tp->rcv_ssthresh : 10u * tp->advmss;
    tp->drs.seq = tp->read_offset;
    tp->drs.time = tp->st->now;
    tp->rcv_mss = tp->advmss < tp->mss_cache ? tp->advmss : tp->mss_cache;
    if (tp->rcv_mss > tp->rcv_wnd / 2)
        tp->rcv_mss = (uint16_t)(tp->rcv_wnd / 2);
    if (tp->rcv_mss > TCP_DEFAULT_MSS_V4)
        tp->rcv_mss = TCP_DEFAULT_MSS_V4;
    if (tp->rcv_mss < SMALLEST_FULL)
        tp->rcv_mss = SMALLEST_FULL;
}

/* Two segments of one smaller size, neither of which ends a write: the peer's path has become
 * narrower, and every second one is to be acknowledged still (RFC 2923 §2.2). Text and SACK blocks
 * share a segment, so their sum is what counts. */
static bool is_full_size_now(struct tcb *tp, const struct tcp_seg *seg, uint32_t len,
                             uint32_t last_small)
{
    uint32_t fixed = TCP_HEADER_LEN + (tp->ts_ok ? TCP_TIMESTAMP_SPACE : 0);
    bool remnant = seg->flags & (TH_PSH | TH_FIN | TH_URG | TH_SYN);

    len += seg->header_len;
    if (len < SMALLEST_FULL + TCP_HEADER_LEN ||
        (remnant && len < TCP_DEFAULT_MSS_V4 + TCP_HEADER_LEN))
        return false;
    tp->rcv_last_small = (uint16_t)(len - fixed);
    return tp->rcv_last_small == last_small;
}

void tcp_measure_rcv_mss(struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t len = seg->packet->gso && seg->packet->gso_size ? seg->packet->gso_size : seg->len;
    uint16_t last_small = tp->rcv_last_small;

    tp->rcv_last_small = 0;
    if (len >= tp->rcv_mss) {
        tp->rcv_mss = (uint16_t)(len < tp->advmss ? len : tp->advmss);
        if (seg->flags & TH_PSH)
            tp->ack_flags |= TCP_ACK_PUSHED;
        return;
    }
    if (is_full_size_now(tp, seg, len, last_small)) {
        tp->rcv_mss = last_small;
        return;
    }
    tp->ack_flags |= tp->ack_flags & TCP_ACK_PUSHED ? TCP_ACK_PUSHED2 : TCP_ACK_PUSHED;
}

/* Slow start of the window: it opens as data comes in, so that a small sender never sees a large
 * promise. */
void tcp_window_grow(struct tcb *tp, uint32_t len)
{
    uint64_t used = tcp_unread(tp) + tp->ooo_bytes;
    uint32_t full = RATIO_WINDOW(tp->rcvbuf);
    uint32_t free = used < full ? full - (uint32_t)used : 0;
    uint32_t limit = tp->window_clamp < free ? tp->window_clamp : free;
    uint32_t incr = 2u * tp->advmss, promised = tcp_receive_window(tp);

    if (tp->rcv_ssthresh >= limit || tcp_under_pressure(tp))
        return;
    if (incr < 2 * len)
        incr = 2 * len;
    /* it was idle, and others had its part of the budget: as much as is promised still */
    if (promised > tp->rcv_ssthresh && incr < promised - tp->rcv_ssthresh)
        incr = promised - tp->rcv_ssthresh;
    if (incr > limit - tp->rcv_ssthresh)
        incr = limit - tp->rcv_ssthresh;
    incr = tcp_window_take(tp, incr);
    if (!incr)
        return;
    tp->rcv_ssthresh += incr;
    tp->quick |= 1;
}

/* Promise only what can be stored: while two extents are in use the stream cannot grow. */
static uint32_t storage_limit(const struct tcb *tp, uint32_t free)
{
    uint64_t cap;

    if (!tp->rcv.ext[1].base)
        return free;
    cap = bytestream_capacity_end(&tp->rcv) - tp->rcv_offset;
    return cap < free ? (uint32_t)cap : free;
}

/* linux-receiver §4, "Choosing" */
uint32_t tcp_choose_window(const struct tcb *tp)
{
    uint32_t full_buf = RATIO_WINDOW(tp->rcvbuf);
    uint32_t full = tp->window_clamp < full_buf ? tp->window_clamp : full_buf;
    uint64_t used = tcp_unread(tp) + tp->ooo_bytes;
    uint32_t free = used < full_buf ? full_buf - (uint32_t)used : 0;
    uint32_t mss = tp->rcv_mss < full ? tp->rcv_mss : full;
    uint32_t unit = 1u << tp->rcv_wscale;
    uint32_t ssthresh = tp->rcv_ssthresh;
    uint32_t win;

    if (!mss)
        return 0;
    if (free < full / 2) {
        free -= free % unit;
        if (free < full_buf / 16 || free < mss)
            return 0;
    }
    if (free < full / 2 && tcp_under_pressure(tp) && ssthresh > 4u * tp->advmss)
        ssthresh = 4u * tp->advmss;
    if (free > ssthresh)
        free = ssthresh;
    if (tp->rcv.ext[1].base)
        free = storage_limit(tp, free) & ~(unit - 1);
    if (tp->rcv_wscale)
        return tp->rcv.ext[1].base ? free : (free + unit - 1) & ~(unit - 1);
    /* receiver SWS avoidance (RFC 9293 §3.8.6.2.2): keep the old edge while it is within one MSS */
    win = tp->rcv_wnd;
    if (win + mss <= free || win > free)
        win = free - free % mss;
    else if (mss == full && free > win + full / 2)
        win = free;
    return win;
}

/*
 * The old edge in units of the scale. Rounding up moves it right by less than a unit with each ACK:
 * a reader that stays away would let it creep on for ever, so beyond what can be stored the wire
 * says less (RFC 7323 §2.4 expects that of a receiver), while the edge itself, up to which data is
 * accepted, stays where it was promised.
 */
static uint32_t keep_edge(struct tcb *tp, uint32_t current)
{
    uint32_t unit = 1u << tp->rcv_wscale;
    uint32_t up = (current + unit - 1) & ~(unit - 1);

    bool stored = bytestream_capacity_end(&tp->rcv) - tp->rcv_offset >= up;

    if (!stored && (tcp_unread(tp) + up > tp->rcvbuf || tp->rcv.ext[1].base)) {
        tp->rcv_wnd = current;
        return current >> tp->rcv_wscale;
    }
    tp->rcv_wnd = up;
    return up >> tp->rcv_wscale;
}

/* The window for the segment that leaves now; the right edge never moves left (RFC 9293 §3.8.6,
 * SHLD-14). */
uint32_t tcp_select_window(struct tcb *tp)
{
    uint32_t current = tcp_receive_window(tp);
    uint32_t chosen = tcp_choose_window(tp);
    uint32_t limit = 65535u << tp->rcv_wscale;

    tp->rcv_wup = tp->rcv_nxt;
    if (chosen < current)
        return keep_edge(tp, current);
    if (chosen > limit)
        chosen = limit;
    tp->rcv_wnd = chosen;
    return chosen >> tp->rcv_wscale;
}

/* --- what the program reads
 * -------------------------------------------------------------------------------- */

/* Only ever downwards: what took longer may have waited for the program (Linux:
 * tcp_rcv_rtt_measure). */
void tcp_rcv_rtt_measure(struct tcb *tp)
{
    uint64_t now = tp->st->now, delta;

    if (tp->drs.rtt_time) {
        if (seq_lt(tp->rcv_nxt, tp->drs.rtt_seq))
            return;
        delta = now > tp->drs.rtt_time ? now - tp->drs.rtt_time : 1;
        if (!tp->drs.rtt_us || delta * 8 < tp->drs.rtt_us)
            tp->drs.rtt_us = delta * 8;
    }
    tp->drs.rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
    tp->drs.rtt_time = now;
}

void tcp_rcv_rtt_sample_ts(struct tcb *tp, const struct tcp_seg *seg)
{
    uint64_t delta;

    if (!tp->ts_ok || !seg->opt.has_ts || seg->opt.tsecr == tp->drs.rtt_last_tsecr ||
        seg->len < tp->rcv_mss)
        return;
    tp->drs.rtt_last_tsecr = seg->opt.tsecr;
    delta = (uint64_t)(uint32_t)(tcp_ts_now(tp->st) + tp->ts_offset - seg->opt.tsecr) * 1000;
    if (delta == 0)
        delta = 1000;
    if (delta > 120000000)
        return;
    if (!tp->drs.rtt_us || delta * 8 < tp->drs.rtt_us)
        tp->drs.rtt_us = delta * 8;
    else
        tp->drs.rtt_us += delta - (tp->drs.rtt_us >> 3);
}

/* A buffer for a window of `want` bytes, and for what lies behind holes: until they are filled the
 * program cannot take it ([6.18]). */
static void grow_rcvbuf(struct tcb *tp, uint64_t want)
{
    struct stack *st = tp->st;
    struct rb_node *last = rb_last(&tp->ooo);

    if (!st->tcp.tunables.moderate_rcvbuf || tp->rcvbuf_locked || tcp_under_pressure(tp))
        return;
    if (last)
        want += container_of(last, struct ooo_range, node)->end_seq - tp->rcv_nxt;
    want = RATIO_SPACE(want);
    if (want > (uint64_t)st->tcp.tunables.rmem_max)
        want = (uint64_t)st->tcp.tunables.rmem_max;
    if (want <= tp->rcvbuf)
        return;
    tp->rcvbuf = (uint32_t)want;
    tp->window_clamp = RATIO_WINDOW(tp->rcvbuf);
    if (tp->window_clamp > 65535u << tp->rcv_wscale)
        tp->window_clamp = 65535u << tp->rcv_wscale;
    if (tp->user_clamp && tp->window_clamp > tp->user_clamp)
        tp->window_clamp = tp->user_clamp;
}

/* Only for a program that has accepted: nobody else can read. */
void tcp_rcvbuf_grow_ooo(struct tcb *tp)
{
    if (tp->sock && !tp->sock->parent)
        grow_rcvbuf(tp, 2 * (uint64_t)tp->drs.space);
}

/* Dynamic right-sizing: once per receiver RTT the buffer is made to hold twice what the program
 * took (linux-receiver §4). */
void tcp_rcv_space_adjust(struct tcb *tp)
{
    struct stack *st = tp->st;
    uint64_t rtt = tp->drs.rtt_us >> 3;
    uint64_t consumed = tp->read_offset - tp->held;
    uint64_t copied, want;

    if (!rtt || st->now - tp->drs.time < rtt)
        return;
    copied = consumed > tp->drs.seq ? consumed - tp->drs.seq : 0;
    if (copied > tp->drs.space) {
        want = 2 * copied + 16u * tp->advmss;
        want += 2 * want * (copied - tp->drs.space) / (tp->drs.space ? tp->drs.space : 1);
        grow_rcvbuf(tp, want);
        tp->drs.space = copied > UINT32_MAX ? UINT32_MAX : (uint32_t)copied;
    }
    tp->drs.seq = consumed;
    tp->drs.time = st->now;
}

static bool reader_owes_ack(const struct tcb *tp, bool emptied)
{
    if (!(tp->ack_flags & TCP_ACK_SCHED))
        return false;
    if (tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss)
        return true;
    return emptied && ((tp->ack_flags & TCP_ACK_PUSHED2) ||
                       ((tp->ack_flags & TCP_ACK_PUSHED) && !tp->pingpong));
}

/* In quick mode it goes out when the batch of input is over. */
bool tcp_awaits_reader(const struct tcb *tp)
{
    return reader_owes_ack(tp, true) && !tcp_ack_quick_mode(tp);
}

void tcp_cleanup_rbuf(struct tcb *tp, uint32_t copied)
{
    uint32_t current = tcp_receive_window(tp);
    uint32_t chosen;

    if (tp->conn.state == TCPS_CLOSED || tp->conn.state == TCPS_SYN_SENT)
        return;
    if (reader_owes_ack(tp, copied && tcp_unread(tp) == 0)) {
        tp->ack_flags |= TCP_ACK_NOW;
        tcp_touch(tp, TCP_PEND_ACK);
        return;
    }
    if (!copied || tp->rcv_shutdown || 2 * (uint64_t)current > tp->window_clamp)
        return;
    chosen = tcp_choose_window(tp);
    if (chosen && chosen >= 2 * current) {
        tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
        tcp_touch(tp, TCP_PEND_ACK);
    }
}

void tcp_reader_moved(struct tcb *tp, uint64_t before)
{
    uint64_t after = tcp_unread(tp);

    if (tp->read_offset == tp->rcv_offset && rb_empty(&tp->ooo) && !tp->shared)
        bytestream_give_back(&tp->rcv);
    if (tp->reader_slow && 4 * after <= tp->rcvbuf)
        tcp_chrono_reader(tp, false);
    if (after < before)
        TCP_TRACE(tp, reader, TRACE_WHY_none, (uint32_t)after, tcp_receive_window(tp));
    if (tp->conn.state == TCPS_CLOSED || after >= before)
        return;
    tcp_rcv_space_adjust(tp);
    tcp_cleanup_rbuf(tp, (uint32_t)(before - after));
}

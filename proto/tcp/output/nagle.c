/* SPDX-License-Identifier: MIT */
/*
 * Holding back: Nagle in Minshall's form, cork, auto-corking, TSO deferral, burst size
 * (RFC 896, RFC 9293 §3.7.4; linux-sender §1, §4, §5).
 */
#include "proto/tcp/tcp.h"

static bool minshall_check(const struct tcb *tp)
{
    return seq_gt(tp->snd_sml, tp->snd_una) && seq_leq(tp->snd_sml, tp->snd_nxt);
}

/* Minshall: remember the last small segment (linux-sender §4). */
void tcp_minshall_update(struct tcb *tp, const struct segment *seg, uint32_t mss)
{
    if (seg_len(seg) % mss)
        tp->snd_sml = seg->end_seq;
}

/* True: seg (of one packet) may go. Else *why says what holds it. */
bool tcp_nagle_test(const struct tcb *tp, const struct segment *seg, uint32_t mss, uint8_t nonagle,
                    enum tcp_stop *why)
{
    if ((nonagle & TCP_NAGLE_PUSH) || (seg->flags & SEG_FIN) || tcp_urg_mode(tp))
        return true;
    if (seg_len(seg) >= mss)
        return true;
    if (nonagle & TCP_NAGLE_CORK) {
        *why = TCP_STOP_cork;
        return false;
    }
    if (!(nonagle & TCP_NAGLE_OFF) && tp->packets_out && minshall_check(tp)) {
        *why = TCP_STOP_nagle;
        return false;
    }
    return true;
}

/* Earlier data still waits in the device: its completion will send this with what comes until then.
 */
bool tcp_should_autocork(struct tcb *tp, const struct segment *seg, uint32_t size_goal)
{
    return tp->st->tcp.tunables.autocorking && seg_len(seg) < size_goal &&
           !(seg->flags & SEG_EOR) && !list_empty(&tp->rtxq) && tp->device_queued > seg_len(seg);
}

uint32_t tcp_tso_autosize(const struct tcb *tp, uint32_t mss)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint64_t bytes = tp->pacing_rate >> 10;
    uint32_t shift = tun->tso_rtt_log ? tp->min_rtt_us >> tun->tso_rtt_log : 32;
    uint32_t burst = tcp_burst_max(tp);
    uint64_t segs, most = (burst - 120u) / mss;
    uint64_t least = tp->cc->min_tso_segs ? tp->cc->min_tso_segs(tp) : (uint64_t)tun->min_tso_segs;

    if (shift < 32)
        bytes += (uint64_t)burst >> shift;
    if (bytes > burst - 120u)
        bytes = burst - 120u;
    segs = bytes / mss;
    if (segs < least)
        segs = least;
    /* with an MSS above half of a frame not even the smallest burst fits */
    if (segs > most)
        segs = most;
    return segs ? (uint32_t)segs : 1;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Would the head's ACK come too late to wait for it? */
static bool ack_is_far(const struct tcb *tp)
{
    const struct segment *head = scoreboard_first(tp);
    uint64_t srtt = tp->srtt_us >> 3;
    uint64_t due = head->sent_at + srtt;
    uint64_t threshold = srtt / 2 < 1000 ? srtt / 2 : 1000;

    return due > tp->st->now && due - tp->st->now > threshold;
}

/* Wait a little to send a larger burst? Never when nothing would wake us. */
bool tcp_tso_should_defer(struct tcb *tp, const struct segment *seg, uint32_t mss,
                          uint32_t max_segs)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t len = seg_len(seg);
    uint32_t in_flight = tcp_in_flight(tp);
    uint32_t send_win = tcp_wnd_end(tp) - seg->seq;
    uint32_t cong_win = (tp->cwnd - in_flight) * mss;
    uint32_t limit = min32(send_win, cong_win);
    bool tail = list_last(&tp->sendq) == &seg->link;

    if (tp->ca_state >= CA_RECOVERY || list_empty(&tp->rtxq) || tp->st->now - tp->last_sent > 1000)
        return false;
    if (limit >= max_segs * mss || (!tail && limit >= len))
        return false;
    if (tun->tso_win_divisor) {
        uint64_t chunk =
            min32(tp->snd_wnd, tp->cwnd > UINT32_MAX / mss ? UINT32_MAX : tp->cwnd * mss);

        if (limit >= chunk / (uint64_t)tun->tso_win_divisor)
            return false;
    } else if (limit > 3 * mss) {
        return false;
    }
    if (ack_is_far(tp))
        return false;
    if (min32(cong_win, send_win) <= len)
        return true;
    return !(seg->flags & (SEG_FIN | SEG_EOR));
}

/* Behind full segments: the next ones of this writer will fill it, or the next run sends it. */
bool tcp_holds_tail(struct tcb *tp, const struct segment *seg, uint32_t mss)
{
    if (!tp->hold_tail || (seg->flags & (SEG_EOR | SEG_FIN)) || tcp_urg_mode(tp) ||
        list_last(&tp->sendq) != &seg->link || seg_len(seg) >= tcp_tso_autosize(tp, mss) * mss)
        return false;
    tp->hold_tail = false;
    tcp_touch(tp, TCP_PEND_OUTPUT);
    return true;
}

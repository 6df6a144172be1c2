/* SPDX-License-Identifier: MIT */
/* SYN-SENT (RFC 9293 §3.10.7.3): the answer to our SYN, or a crossing SYN. */
#include "proto/sock/sock_internal.h"

static bool tsecr_ok(const struct tcb *tp, const struct tcp_seg *seg)
{
    uint32_t now = tcp_ts_now(tp->st) + tp->ts_offset;

    if (!tp->ts_ok || !seg->opt.has_ts || !seg->opt.tsecr)
        return true;
    return seq_between((uint32_t)(tp->syn_sent_at / 1000) + tp->ts_offset, seg->opt.tsecr, now);
}

static void take_options(struct tcb *tp, const struct tcp_seg *seg)
{
    const struct tcp_options *o = &seg->opt;

    tp->mss_clamp = o->has_mss ? o->mss : TCP_DEFAULT_MSS_V4;
    if (o->uto)
        uto_received(tp, o->uto);
    tp->sack_ok = tp->sack_ok && o->sack_ok;
    tp->ts_ok = tp->ts_ok && o->has_ts;
    if (tp->ts_ok) {
        tp->ts_recent = o->tsval;
        tp->ts_recent_stamp_s = (uint32_t)(tp->st->now / 1000000);
        tp->ts_recent_valid = true;
    }
    tp->wscale_ok = tp->wscale_ok && o->has_wscale;
    if (tp->wscale_ok) {
        tp->snd_wscale = o->wscale;
        return;
    }
    /* RFC 7323 §2.2: both or none; no more than the SYN could say was promised */
    tp->snd_wscale = tp->rcv_wscale = 0;
    if (tp->rcv_wnd > 65535)
        tp->rcv_wnd = 65535;
    if (tp->window_clamp > 65535)
        tp->window_clamp = 65535;
}

static void take_irs(struct tcb *tp, const struct tcp_seg *seg)
{
    tp->irs = seg->seq;
    tp->rcv_nxt = tp->rcv_wup = seg->seq + 1;
    /* the window in a SYN is never scaled (RFC 7323 §2.2) */
    tp->snd_wnd = tp->max_window = seg->window;
    tp->snd_wl1 = seg->seq;
    take_options(tp, seg);
    tcp_sync_mss(tp, tp->pmtu);
}

static void syn_acked(struct tcb *tp)
{
    struct segment *syn = scoreboard_first(tp);
    bool clean = !(syn->marks & SEG_EVER_RETRANS);
    uint64_t sent = syn->sent_at;

    scoreboard_remove(tp, syn);
    tp->snd_una = tp->snd_nxt;
    tp->ca_state = CA_OPEN;
    tp->delivered++;
    tp->retransmits = tp->backoff = 0;
    tp->retrans_stamp = 0;
    tcp_rto_recovered(tp);
    tcp_timer_clear(tp, TCP_TIMER_rexmt);
    if (clean)
        tcp_rtt_handshake(tp, (uint32_t)(tp->st->now - sent));
    else
        tp->rto = TCP_RTO_FALLBACK;
}

static void established(struct tcb *tp, const struct tcp_seg *seg)
{
    take_irs(tp, seg);
    tcp_ecn_synack_received(tp, seg);
    syn_acked(tp);
    /* first the debt: a write that waited for the handshake carries the ACK */
    tp->ack_flags |= TCP_ACK_SCHED | TCP_ACK_NOW;
    tcp_touch(tp, TCP_PEND_ACK | TCP_PEND_OUTPUT);
    tcp_finish_connect(tp);
    /* with AccECN a bare ACK goes ahead of all data (RFC 9768 §3.2.2.1) */
    if (tp->ecn.mode == TCP_ECN_ACCURATE)
        tcp_send_ack(tp);
}

/* Simultaneous open (RFC 9293 §3.5, figure 8): answer the crossing SYN with a SYN-ACK of the same
 * ISN. */
static void crossing_syn(struct tcb *tp, const struct tcp_seg *seg)
{
    struct segment *syn = scoreboard_first(tp);

    take_irs(tp, seg);
    tcp_ecn_crossing_syn(tp, seg);
    tcp_set_state(tp, TCPS_SYN_RECV);
    tcp_transmit_segment(tp, syn, tp->mss_cache);
}

void tcp_synsent_input(struct tcb *tp, const struct tcp_seg *seg)
{
    struct stack *st = tp->st;

    if (seg->flags & TH_ACK) {
        if (seg->ack != tp->snd_nxt || !tsecr_ok(tp, seg)) {
            COUNT(st, tcp_in_ack_unsent);
            tcp_send_reset(st, seg);
            /* the peer held an older connection, which our reset has ended: ask again soon (Linux:
             * TCP_TIMEOUT_MIN) */
            if (!tp->retransmits)
                tcp_timer_set(tp, TCP_TIMER_rexmt, st->now + TCP_TIMEOUT_MIN);
            return;
        }
        if ((seg->flags & TH_RST) && tcp_ecn_retry_after_reset(tp)) {
            tcp_timer_set(tp, TCP_TIMER_rexmt, st->now + TCP_TIMEOUT_MIN);
            return;
        }
        if (seg->flags & TH_RST) {
            COUNT(st, tcp_open_failed);
            tcp_reset_received(tp);
            return;
        }
        if (!(seg->flags & TH_SYN)) {
            COUNT(st, tcp_in_no_flags);
            return;
        }
        established(tp, seg);
        return;
    }
    /* without an acceptable ACK a reset proves nothing (RFC 9293 §3.10.7.3, second) */
    if (seg->flags & TH_RST) {
        COUNT(st, tcp_in_rst_ignored);
        return;
    }
    if (seg->flags & TH_SYN)
        crossing_syn(tp, seg);
    else
        COUNT(st, tcp_in_no_flags);
}

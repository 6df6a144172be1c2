/* SPDX-License-Identifier: MIT */
/*
 * RACK (RFC 8985 §6): a packet is lost when one that was sent after it has been delivered, and the
 * time that reordering may take has passed.
 *
 * Time-ordered, so it sees lost retransmissions and tails as well as holes. The reordering window
 * is zero until reordering has been seen, then a quarter of the smallest round trip, widened by
 * D-SACKs (which show retransmissions that were not needed) up to a whole one. Linux's numbers.
 */
#include "proto/tcp/tcp.h"

#define RECOVERY_RACK    0x1 /* tunable tcp_recovery */
#define RECOVERY_STATIC  0x2
#define RECOVERY_NO_DUPS 0x4
#define PERSIST          16 /* recoveries for which a widened window lasts (§6.2, step 4) */

bool tcp_rack_enabled(const struct tcb *tp)
{
    return tp->sack_ok && (tp->st->tcp.tunables.recovery & RECOVERY_RACK);
}

/* Was the transmission (at, end) made after (than, than_end)? Ties by sequence number (§6.2, step
 * 2). */
static bool sent_after(uint64_t at, uint32_t end, uint64_t than, uint32_t than_end)
{
    return at > than || (at == than && seq_gt(end, than_end));
}

/* The ACK echoes a timestamp from before the last transmission: it is for an earlier one. */
static bool is_of_earlier_transmission(const struct tcb *tp, const struct segment *seg,
                                       const struct tcp_ack_state *as)
{
    uint32_t sent_ts = (uint32_t)(seg->sent_at / 1000) + tp->ts_offset;

    return as->has_tsecr && seq_lt(as->tsecr, sent_ts);
}

void tcp_rack_advance(struct tcb *tp, const struct segment *seg, const struct tcp_ack_state *as)
{
    uint32_t rtt = (uint32_t)(tp->st->now - seg->sent_at);

    /* §6.2, step 2: of a retransmission it must be sure which copy has arrived */
    if ((seg->marks & SEG_EVER_RETRANS) &&
        (rtt < tp->min_rtt_us || is_of_earlier_transmission(tp, seg, as)))
        return;
    tp->rack.advanced = true;
    tp->rack.rtt_us = rtt;
    if (!tp->rack.sent_at ||
        sent_after(seg->sent_at, seg->end_seq, tp->rack.sent_at, tp->rack.end_seq)) {
        tp->rack.sent_at = seg->sent_at;
        tp->rack.end_seq = seg->end_seq;
    }
}

static uint64_t reo_wnd(const struct tcb *tp)
{
    uint64_t wnd;

    if (!tp->reord_seen) {
        if (tp->ca_state >= CA_RECOVERY)
            return 0;
        if (tp->sacked_out >= tp->reordering && !(tp->st->tcp.tunables.recovery & RECOVERY_NO_DUPS))
            return 0;
    }
    wnd = (uint64_t)(tp->min_rtt_us >> 2) * tp->rack.reo_wnd_steps;
    return wnd < tp->srtt_us >> 3 ? wnd : tp->srtt_us >> 3;
}

void tcp_rack_update_reo_wnd(struct tcb *tp, const struct tcp_ack_state *as)
{
    if ((tp->st->tcp.tunables.recovery & RECOVERY_STATIC) || !as->rate.prior_delivered)
        return;
    /* once a round trip (§6.2, step 4) */
    if (seq_lt(as->rate.prior_delivered, tp->rack.last_delivered))
        tp->rack.dsack_seen = false;
    if (tp->rack.dsack_seen) {
        if (tp->rack.reo_wnd_steps < UINT8_MAX)
            tp->rack.reo_wnd_steps++;
        tp->rack.dsack_seen = false;
        tp->rack.last_delivered = tp->delivered;
        tp->rack.reo_wnd_persist = PERSIST;
    } else if (!tp->rack.reo_wnd_persist) {
        tp->rack.reo_wnd_steps = 1;
    }
}

/* How long seg still has, from now; 0: its time is over. */
static uint64_t time_left(const struct tcb *tp, const struct segment *seg, uint64_t window)
{
    uint64_t due = seg->sent_at + tp->rack.rtt_us + window;

    return due > tp->st->now ? due - tp->st->now : 0;
}

bool tcp_rack_is_overdue(const struct tcb *tp, const struct segment *seg)
{
    return time_left(tp, seg, reo_wnd(tp)) == 0;
}

/* Mark what is overdue; returns the time until the last of the others would be, 0: there are none.
 */
static uint64_t detect(struct tcb *tp, bool *any)
{
    uint64_t window = reo_wnd(tp), wait = 0;
    struct list *l, *next;

    list_for_each_safe (l, next, &tp->sent_order) {
        struct segment *seg = container_of(l, struct segment, sent_link);
        uint64_t left;

        if (!sent_after(tp->rack.sent_at, tp->rack.end_seq, seg->sent_at, seg->end_seq))
            break;
        left = time_left(tp, seg, window);
        if (!left)
            *any |= scoreboard_mark_lost(tp, seg);
        else if (left > wait)
            wait = left;
    }
    return wait;
}

bool tcp_rack_mark_lost(struct tcb *tp, bool *timer)
{
    bool any = false;
    uint64_t wait;

    *timer = false;
    if (!tp->rack.advanced)
        return false;
    tp->rack.advanced = false;
    wait = detect(tp, &any);
    if (wait) {
        tcp_timer_clear(tp, TCP_TIMER_rexmt);
        tcp_timer_clear(tp, TCP_TIMER_loss_probe);
        tcp_timer_set(tp, TCP_TIMER_reorder, tp->st->now + wait + TCP_TIMEOUT_MIN);
        *timer = true;
    }
    return any;
}

void tcp_rack_timer(struct tcb *tp)
{
    struct tcp_ack_state as = tcp_ack_begin(tp);
    bool any = false;

    COUNT(tp->st, tcp_rack_timer);
    if (tp->packets_out)
        detect(tp, &any);
    if (any) {
        tcp_cut_again(tp, &as);
        if (tp->ca_state != CA_RECOVERY && !tcp_mtup_failed(tp)) {
            tcp_enter_recovery(tp, &as, false);
            if (!tp->cc->cong_control)
                tcp_prr_ack(tp, &as, 1);
        }
        tcp_touch(tp, TCP_PEND_RETRANS | TCP_PEND_OUTPUT);
    }
    tcp_rearm_rto_from_head(tp);
}

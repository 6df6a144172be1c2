/* SPDX-License-Identifier: MIT */
/*
 * When acknowledgements go out (RFC 9293 §3.8.6.3, RFC 5681 §4.2; linux-receiver §5).
 *
 * Arriving data schedules an ACK; the decision is taken once per batch of input (tcp_ack_decide):
 * at once when more than one full segment is unacknowledged or the connection is in quick mode,
 * else by the delayed-ACK timer. Quick mode starts a connection and follows disturbances; an
 * interactive ("pingpong") session leaves it and lets data carry its ACKs. Behind a hole every
 * segment is acknowledged at once; with SACK only the first three, the others share an ACK.
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

#define DUP_THRESH 3u

bool tcp_ack_quick_mode(const struct tcb *tp)
{
    return tp->quickack_always || (tp->quick && !tp->pingpong);
}

static void raise_quick(struct tcb *tp, uint32_t max)
{
    uint32_t n = tp->rcv_mss ? tp->rcv_wnd / (2u * tp->rcv_mss) : 0;

    if (n == 0)
        n = 2;
    if (n > max)
        n = max;
    if (n > tp->quick)
        tp->quick = (uint8_t)n;
}

void tcp_ack_enter_quick(struct tcb *tp, uint32_t max)
{
    raise_quick(tp, max);
    tp->pingpong = 0;
    tp->ato = TCP_ATO_MIN;
}

void tcp_ack_schedule(struct tcb *tp)
{
    tp->ack_flags |= TCP_ACK_SCHED;
    tcp_touch(tp, TCP_PEND_ACK);
}

/* The delayed-ACK time follows the gaps between arrivals. */
static void adapt_ato(struct tcb *tp, uint64_t gap)
{
    if (!tp->ato) {
        raise_quick(tp, TCP_MAX_QUICKACKS);
        tp->ato = TCP_ATO_MIN;
    } else if (gap <= TCP_ATO_MIN / 2) {
        tp->ato = tp->ato / 2 + TCP_ATO_MIN / 2;
    } else if (gap < tp->ato) {
        uint64_t ato = tp->ato / 2 + gap;

        tp->ato = (uint32_t)(ato < tp->rto ? ato : tp->rto);
    } else if (gap > tp->rto) {
        /* the sender restarted from idle: help its slow start */
        raise_quick(tp, TCP_MAX_QUICKACKS);
    }
}

void tcp_ack_data_received(struct tcb *tp)
{
    adapt_ato(tp, tp->st->now - tp->last_received);
    tp->last_received = tp->st->now;
    tcp_ack_schedule(tp);
}

/* A peer of a network with a small floor has the same one, as a rule: it must have its ACK before
 * (Linux 6.7: tcp_delack_max). */
static uint64_t most_delay(const struct tcb *tp)
{
    uint32_t floor = tp->route_rto_min_us;

    if (!floor || floor > TCP_DELACK_MAX)
        return TCP_DELACK_MAX;
    return floor > 2000 ? floor - 1000 : 1000;
}

static void arm_delack(struct tcb *tp)
{
    uint64_t delay = tp->ato;
    uint64_t floor = (tp->srtt_us >> 3) > TCP_ATO_MIN ? (tp->srtt_us >> 3) : TCP_ATO_MIN;
    uint64_t at, most;

    if (delay > TCP_ATO_MIN) {
        most = tp->pingpong || (tp->ack_flags & TCP_ACK_PUSHED) ? 200000 : 500000;

        if (delay > most)
            delay = most;
        if (delay > floor)
            delay = floor;
    }
    most = most_delay(tp);
    if (delay > most)
        delay = most;
    at = tp->st->now + delay;
    if (tcp_timer_pending(tp, TCP_TIMER_delack) && tp->deadline[TCP_TIMER_delack] < at)
        at = tp->deadline[TCP_TIMER_delack];
    tcp_timer_set(tp, TCP_TIMER_delack, at ? at : 1);
}

/* More than one full segment, and the window does not lag (then the reader's update will say it
 * all); two in any case (RFC 5681 §4.2). */
static bool window_moved_enough(const struct tcb *tp)
{
    uint32_t unacked = tp->rcv_nxt - tp->rcv_wup;

    if (unacked <= tp->rcv_mss)
        return false;
    return unacked >= 2u * tp->rcv_mss || tcp_unread(tp) == 0 ||
           tcp_choose_window(tp) >= tp->rcv_wnd;
}

static bool ack_is_urgent(const struct tcb *tp)
{
    return (tp->ack_flags & TCP_ACK_NOW) || tcp_ack_quick_mode(tp) || window_moved_enough(tp);
}

static bool has_hole(const struct tcb *tp)
{
    return !rb_empty(&tp->ooo) || (tp->rcv_fin_pending && !tp->peer_fin);
}

static void send_now(struct tcb *tp)
{
    int err = tcp_send_ack(tp);

    if (err)
        tcp_timer_set(tp, TCP_TIMER_delack, tp->st->now + TCP_DELACK_MAX);
    /* back-pressure is soon over; the window was chosen and counts as told, so only the flag
     * remembers the ACK */
    if (err == -EAGAIN || err == -ENOBUFS) {
        tp->ack_flags |= TCP_ACK_NOW;
        tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + 1000);
    }
}

static __attribute__((cold, noinline)) void trace_decision(const struct tcb *tp)
{
    const uint32_t v[TRACE_VALUES] = {tp->rcv_nxt - tp->rcv_wup, tp->rcv_mss, tp->ato};
    enum trace_why why = TRACE_WHY_behind_hole;

    if (ack_is_urgent(tp))
        why = TRACE_WHY_now;
    else if (!has_hole(tp))
        why = TRACE_WHY_delayed;
    tcp_trace_values(tp, TRACE_tcp_ack_decide, why, v);
}

void tcp_ack_decide(struct tcb *tp)
{
    if (!(tp->ack_flags & TCP_ACK_SCHED))
        return;
    if (__builtin_expect(tp->traced, 0))
        trace_decision(tp);
    if (ack_is_urgent(tp))
        send_now(tp);
    else if (!has_hole(tp))
        arm_delack(tp);
    else if (!tp->ack_comp.held || tp->ack_comp.rcv_nxt != tp->rcv_nxt)
        send_now(tp); /* part of a hole was filled (RFC 5681 §4.2) */
}

/* --- compressed ACKs: behind a hole one SACK says as much as many
 * ------------------------------------------- */

/* The first three for a hole go at once: they are what tells the sender of a loss. */
static bool may_compress(struct tcb *tp, uint32_t segs)
{
    if (!tp->sack_ok || tp->ack_comp.held >= (uint64_t)tp->st->tcp.tunables.comp_sack_nr)
        return false;
    if (tp->ack_comp.rcv_nxt != tp->rcv_nxt) {
        tp->ack_comp.rcv_nxt = tp->rcv_nxt;
        tp->ack_comp.dup_acks = 0;
    }
    if (tp->ack_comp.dup_acks >= DUP_THRESH)
        return true;
    tp->ack_comp.dup_acks += segs;
    return false;
}

/* A twentieth of the round trip; nothing as long as that is not known. */
static uint64_t compress_delay(const struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint64_t rtt = tp->drs.rtt_us, most = (uint64_t)tun->comp_sack_delay_ns / 1000, delay;

    if (tp->srtt_us && tp->srtt_us < rtt)
        rtt = tp->srtt_us;
    delay = (rtt >> 3) / 20;
    return (delay < most ? delay : most) + (uint64_t)tun->comp_sack_slack_ns / 1000;
}

void tcp_ack_out_of_order(struct tcb *tp, uint32_t segs)
{
    if (ack_is_urgent(tp) || !may_compress(tp, segs)) {
        /* not one for the batch: a sender without SACK counts three */
        if (tcp_send_ack(tp) != 0)
            tp->ack_flags |= TCP_ACK_NOW;
        return;
    }
    tp->ack_comp.held += segs;
    tp->ack_flags |= TCP_ACK_SCHED; /* also when the ACK of an earlier one has just left */
    if (!tcp_timer_pending(tp, TCP_TIMER_compack))
        tcp_timer_set(tp, TCP_TIMER_compack, tp->st->now + compress_delay(tp));
}

void tcp_compack_timer(struct tcb *tp)
{
    if (!tp->ack_comp.held)
        return;
    tp->ack_comp.held--; /* this one is sent */
    tp->ack_flags |= TCP_ACK_NOW;
    tcp_touch(tp, TCP_PEND_ACK);
}

/* Any segment with an ACK left: nothing is owed any more. */
void tcp_ack_sent(struct tcb *tp)
{
    if ((tp->ack_flags & TCP_ACK_SCHED) && tp->quick) {
        tp->quick--;
        if (!tp->quick)
            tp->ato = TCP_ATO_MIN;
    }
    tp->ack_flags = 0;
    tcp_timer_clear(tp, TCP_TIMER_delack);
    tcp_timer_clear(tp, TCP_TIMER_compack);
    COUNT_ADD(tp->st, tcp_out_compressed_acks, tp->ack_comp.held);
    tp->ack_comp.held = 0;
}

/* Data that answers data soon marks an interactive session. */
void tcp_ack_data_sent(struct tcb *tp)
{
    if (tp->ato && tp->st->now - tp->last_received < tp->ato)
        tp->pingpong = 1;
}

void tcp_delack_timer(struct tcb *tp)
{
    if (!(tp->ack_flags & TCP_ACK_SCHED))
        return;
    if (!tp->pingpong) {
        uint64_t ato = 2ull * tp->ato;

        tp->ato = (uint32_t)(ato < tp->rto ? ato : tp->rto);
        if (tp->ato > 200000)
            tp->ato = 200000;
    } else {
        tp->pingpong = 0;
        tp->ato = TCP_ATO_MIN;
    }
    COUNT(tp->st, tcp_out_delayed_acks);
    tp->ack_flags |= TCP_ACK_NOW;
    tcp_touch(tp, TCP_PEND_ACK);
}

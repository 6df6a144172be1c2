/* SPDX-License-Identifier: MIT */
/*
 * The retransmission timer (RFC 6298 §5; RFC 9293 §3.8.3 with R1 and R2; linux-sender §7).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>

/* One of the three runs at a time (RFC 8985 §8). */
static void arm(struct tcb *tp, uint64_t at)
{
    tcp_timer_clear(tp, TCP_TIMER_reorder);
    tcp_timer_clear(tp, TCP_TIMER_loss_probe);
    if (tp->packets_out)
        tcp_timer_set(tp, TCP_TIMER_rexmt, at);
    else
        tcp_timer_clear(tp, TCP_TIMER_rexmt);
}

void tcp_rearm_rto_from_head(struct tcb *tp)
{
    struct segment *head = scoreboard_first(tp);
    uint64_t at = head ? head->sent_at + tp->rto : 0;

    arm(tp, at > tp->st->now ? at : tp->st->now + 1);
}

void tcp_rearm_rto(struct tcb *tp)
{
    /* probe and reordering timer stood in for it: the time since the head went out counts */
    if (tcp_timer_pending(tp, TCP_TIMER_reorder) || tcp_timer_pending(tp, TCP_TIMER_loss_probe))
        tcp_rearm_rto_from_head(tp);
    else
        arm(tp, tp->st->now + tp->rto + tcp_pacing_delay(tp));
}

void tcp_rearm_xmit_timer(struct tcb *tp)
{
    if (!tcp_schedule_loss_probe(tp, true))
        tcp_rearm_rto(tp);
}

/* The time that `boundary` doubling time-outs from the floor take, as in linux-sender's formula: R2
 * does not depend on the RTT. */
static uint64_t model_timeout(const struct tcb *tp, uint32_t boundary)
{
    uint64_t base = (uint64_t)tp->st->tcp.tunables.rto_min_us;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.rto_max_ms * 1000;
    uint32_t k = 0;

    while ((base << (k + 1)) <= most)
        k++;
    if (boundary <= k)
        return ((2ull << boundary) - 1) * base;
    return ((2ull << k) - 1) * base + (boundary - k) * most;
}

bool tcp_timed_out(const struct tcb *tp, uint32_t boundary)
{
    if (!tp->retransmits || !tp->stalled_since)
        return false;
    return tp->st->now - tp->stalled_since >= model_timeout(tp, boundary);
}

static bool syn_given_up(const struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t retries = (uint32_t)(tp->syn_cnt ? tp->syn_cnt : tun->syn_retries);

    if (tp->conn.state == TCPS_SYN_RECV)
        return tp->retransmits >= (uint64_t)tun->synack_retries;
    if (uto_effective_ms(tp) &&
        tp->st->now - tp->syn_sent_at >= (uint64_t)uto_effective_ms(tp) * 1000)
        return true;
    return tp->retransmits >= retries + (uint64_t)tun->syn_linear_timeouts;
}

static bool given_up(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint32_t r2 = (uint32_t)tun->retries2;

    if (tp->conn.state == TCPS_SYN_SENT || tp->conn.state == TCPS_SYN_RECV) {
        /* R1 of a SYN is its first retransmission, as in Linux (RFC 9293 §3.8.3, MUST-22) */
        if (tp->retransmits)
            neigh_suspect(tp->st, &tp->conn.remote.addr);
        return syn_given_up(tp);
    }
    if (tcp_timed_out(tp, (uint32_t)tun->retries1)) {
        tcp_mtup_black_hole(tp);
        neigh_suspect(tp->st, &tp->conn.remote.addr);
    }
    if (!tp->sock)
        r2 = tun->orphan_retries ? (uint32_t)tun->orphan_retries : 8;
    if (uto_effective_ms(tp) && tp->stalled_since)
        return tp->st->now - tp->stalled_since >= (uint64_t)uto_effective_ms(tp) * 1000;
    return tcp_timed_out(tp, r2);
}

/*
 * A window that closed over data in flight: the head is the probe, and R2 does not count while the
 * peer answers. The user's time-out does: answers without progress do not reset it (Linux:
 * tcp_rtx_probe0_timed_out).
 */
static bool dead_behind_window(const struct tcb *tp)
{
    uint64_t limit = 2 * (uint64_t)tp->st->tcp.tunables.rto_max_ms * 1000;
    uint64_t user = (uint64_t)uto_effective_ms(tp) * 1000;
    uint64_t elapsed = tp->stalled_since ? tp->st->now - tp->stalled_since : 0;

    if (user && tp->stalled_since && uto_elapsed(tp, tp->stalled_since) >= user)
        return true;
    return tp->st->now - tp->last_ack_received > limit && elapsed > limit;
}

static void back_off(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint64_t rto = (uint64_t)tp->rto * 2;
    uint64_t most = (uint64_t)tun->rto_max_ms * 1000;

    if (tp->conn.state == TCPS_SYN_SENT && tp->total_rto <= (uint64_t)tun->syn_linear_timeouts)
        return;
    tp->backoff++;
    tp->rto = (uint32_t)(rto < most ? rto : most);
}

static void time_out(struct tcb *tp)
{
    COUNT(tp->st, tcp_timeouts);
    if (tp->conn.state == TCPS_SYN_SENT)
        COUNT(tp->st, tcp_open_failed);
    tcp_finish(tp, tp->soft_error ? tp->soft_error : ETIMEDOUT);
}

/* The device has no room: that was no attempt, and the lost segments go out as soon as it has (a
 * SYN alone is not marked lost). */
static void refused(struct tcb *tp)
{
    uint64_t wait = tp->rto < TCP_PROBE_RETRY ? tp->rto : TCP_PROBE_RETRY;

    if (tp->conn.state == TCPS_SYN_SENT || tp->conn.state == TCPS_SYN_RECV) {
        tp->retransmits--;
        tp->total_rto--;
        wait = 1000;
    } else {
        tcp_retry_soon(tp);
        /* but R2 runs from here (Linux: the first attempted retransmit): who waits for memory must
         * not hold his own for ever */
        if (!tp->stalled_since)
            tp->stalled_since = tp->st->now ? tp->st->now : 1;
    }
    tcp_timer_set(tp, TCP_TIMER_rexmt, tp->st->now + wait);
}

/* The last time-out ends with TCP_USER_TIMEOUT, not up to twice as late (Linux:
 * tcp_clamp_rto_to_user_timeout). */
static uint64_t clamped_rto(const struct tcb *tp)
{
    uint64_t limit = (uint64_t)uto_effective_ms(tp) * 1000, elapsed;

    if (!limit || !tp->stalled_since)
        return tp->rto;
    elapsed = uto_elapsed(tp, tp->stalled_since);
    if (elapsed >= limit)
        return 1000;
    return limit - elapsed < tp->rto ? limit - elapsed : tp->rto;
}

void tcp_rto_recovered(struct tcb *tp)
{
    if (tp->rto_stamp)
        tp->total_rto_ms += tcp_ts_now(tp->st) - tp->rto_stamp;
    tp->rto_stamp = 0;
}

void tcp_retransmit_timer(struct tcb *tp)
{
    struct segment *head = scoreboard_first(tp);
    /* an orphan's patience is R2, whatever the window */
    bool closed_window = tp->snd_wnd == 0 && tp->sock && tp->conn.state != TCPS_SYN_SENT &&
                         tp->conn.state != TCPS_SYN_RECV;

    if (!tp->packets_out || !head)
        return;
    if (closed_window ? dead_behind_window(tp) : given_up(tp)) {
        time_out(tp);
        return;
    }
    COUNT(tp->st, tcp_rto);
    tcp_ptb_believe(tp);
    if (tp->conn.state != TCPS_SYN_SENT && tp->conn.state != TCPS_SYN_RECV)
        tcp_enter_loss(tp);
    if (!tp->retransmits && !tp->rto_stamp) {
        tp->total_rto_recoveries++;
        tp->rto_stamp = tcp_ts_now(tp->st) ? tcp_ts_now(tp->st) : 1;
    }
    tp->retransmits++;
    tp->total_rto++;
    if (tcp_retransmit_segment(tp, head, 1) != 0) {
        refused(tp);
        return;
    }
    back_off(tp);
    tcp_timer_set(tp, TCP_TIMER_rexmt, tp->st->now + clamped_rto(tp));
}

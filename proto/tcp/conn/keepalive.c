/* SPDX-License-Identifier: MIT */
/* Keep-alive (RFC 9293 §3.8.4): off by default, only when idle, one unanswered probe kills nothing.
 */
#include "proto/sock/sock_internal.h"

#include <assert.h>
#include <errno.h>

static uint64_t idle_time(const struct tcb *tp)
{
    uint64_t heard =
        tp->last_received > tp->last_ack_received ? tp->last_received : tp->last_ack_received;

    return tp->st->now - heard;
}

static uint64_t keep_idle(const struct tcb *tp)
{
    uint64_t idle =
        (uint64_t)(tp->keep_idle_s ? tp->keep_idle_s : tp->st->tcp.tunables.keepalive_time) *
        1000000;
    uint64_t adopted = tp->user_timeout_ms ? 0 : (uint64_t)tp->uto_adopted_ms * 1000;

    /* a peer that asked for so long a silence is not probed before (RFC 5482 §4.2) */
    return idle > adopted ? idle : adopted + 1000000;
}

static uint64_t keep_intvl(const struct tcb *tp)
{
    return (uint64_t)(tp->keep_intvl_s ? tp->keep_intvl_s : tp->st->tcp.tunables.keepalive_intvl) *
           1000000;
}

void tcp_keepalive_start(struct tcb *tp)
{
    uint64_t idle = idle_time(tp), first = keep_idle(tp);

    tcp_timer_set(tp, TCP_TIMER_keepalive, tp->st->now + (first > idle ? first - idle : 0));
}

static bool given_up(const struct tcb *tp)
{
    uint32_t probes =
        (uint32_t)(tp->keep_cnt ? tp->keep_cnt : tp->st->tcp.tunables.keepalive_probes);

    if (tp->user_timeout_ms)
        return idle_time(tp) >= (uint64_t)tp->user_timeout_ms * 1000 && tp->probes_out > 0;
    return tp->probes_out >= probes;
}

void tcp_keepalive_timer(struct tcb *tp)
{
    assert(tp->conn.state != TCPS_CLOSED && tp->conn.state != TCPS_SYN_SENT);
    /* data in flight or waiting: the other timers watch the peer (MUST-26) */
    if (tp->packets_out || !list_empty(&tp->sendq)) {
        tcp_timer_set(tp, TCP_TIMER_keepalive, tp->st->now + keep_idle(tp));
        return;
    }
    if (idle_time(tp) < keep_idle(tp)) {
        tp->probes_out = 0;
        tcp_keepalive_start(tp);
        return;
    }
    if (given_up(tp)) {
        COUNT(tp->st, tcp_timeouts);
        tcp_send_active_reset(tp);
        tcp_finish(tp, tp->soft_error ? tp->soft_error : ETIMEDOUT);
        return;
    }
    if (tcp_xmit_probe(tp, false) == 0) {
        COUNT(tp->st, tcp_out_keepalives);
        tp->probes_out++;
        tcp_timer_set(tp, TCP_TIMER_keepalive, tp->st->now + keep_intvl(tp));
    } else {
        tcp_timer_set(tp, TCP_TIMER_keepalive, tp->st->now + TCP_PROBE_RETRY);
    }
}

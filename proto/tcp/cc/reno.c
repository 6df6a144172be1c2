/* SPDX-License-Identifier: MIT */
/*
 * Reno (RFC 5681): halve at a loss, one segment more per round trip. With tcp_abe an ECN mark takes
 * a fifth instead of a half: a queue that marks is a short one (RFC 8511 §3).
 */
#include "proto/tcp/tcp.h"

#define LEAST_WINDOW 2 /**< RFC 5681 §3.1, equation 4 */

static uint32_t at_least_two(uint64_t packets)
{
    return packets > LEAST_WINDOW ? (uint32_t)packets : LEAST_WINDOW;
}

/* Half of FlightSize, not of a window that was not used; what limited transmit sent is beyond the
 * window and does not count (RFC 5681 §3.1, §3.2). */
uint32_t reno_ssthresh(struct tcb *tp)
{
    uint32_t flight = tp->prr.flight && tp->prr.flight < tp->cwnd ? tp->prr.flight : tp->cwnd;

    return at_least_two(flight / 2);
}

static uint32_t reno_ecn_ssthresh(struct tcb *tp)
{
    if (!tp->st->tcp.tunables.abe)
        return at_least_two(tp->cwnd / 2);
    return at_least_two((uint64_t)tp->cwnd * 4 / 5);
}

void reno_cong_avoid(struct tcb *tp, uint32_t acked)
{
    if (tcp_in_slow_start(tp)) {
        acked = tcp_slow_start(tp, acked);
        if (!acked)
            return;
    }
    tcp_cong_avoid_ai(tp, tp->cwnd, acked);
}

uint32_t reno_undo_cwnd(struct tcb *tp)
{
    return tp->cwnd > tp->prior_cwnd ? tp->cwnd : tp->prior_cwnd;
}

const struct tcp_cc_ops tcp_cc_reno = {
    .name = "reno",
    .ssthresh = reno_ssthresh,
    .ecn_ssthresh = reno_ecn_ssthresh,
    .cong_avoid = reno_cong_avoid,
    .undo_cwnd = reno_undo_cwnd,
};

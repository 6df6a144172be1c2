/* SPDX-License-Identifier: MIT */
/*
 * Pacing: data leaves no faster than tcb.pacing_rate (linux-sender §12).
 *
 * The rate is always kept, because it sizes bursts; it is enforced when the program asks for it
 * (SO_MAX_PACING_RATE) or the algorithm sends by it (tcp_cc_ops.paced). Each burst, new or
 * retransmitted, moves the next departure by the time that it takes at that rate. A burst that left
 * later than it could have is forgiven the delay, up to half of its own time, so that late timers
 * cost no throughput. The first ten packets of a connection are free. Departures are kept to the
 * nanosecond, or rounding would be felt in short bursts; the timer has the core's microseconds.
 */
#include "proto/tcp/tcp.h"

#define FREE_PACKETS 10
#define MOST_NS      UINT64_C(3600000000000)

static bool enforced(const struct tcb *tp)
{
    return tp->max_pacing_rate != UINT64_MAX || (tp->cc->paced && tp->cc_started);
}

bool tcp_pacing_waits(const struct tcb *tp)
{
    return enforced(tp) && tp->pacing_until > tp->st->now;
}

bool tcp_pacing_check(struct tcb *tp)
{
    if (!tcp_pacing_waits(tp))
        return false;
    if (tp->deadline[TCP_TIMER_pacing] != tp->pacing_until)
        tcp_timer_set(tp, TCP_TIMER_pacing, tp->pacing_until);
    return true;
}

uint64_t tcp_pacing_delay(const struct tcb *tp)
{
    return tcp_pacing_waits(tp) ? tp->pacing_until - tp->st->now : 0;
}

/* What `bytes` take at the present rate, in nanoseconds; an hour at most. */
static uint64_t duration_ns(const struct tcb *tp, uint32_t bytes)
{
    uint64_t ns = (uint64_t)bytes * 1000000000 / tp->pacing_rate;

    return ns < MOST_NS ? ns : MOST_NS;
}

void tcp_pacing_advance(struct tcb *tp, uint32_t bytes)
{
    uint64_t late = 0, ns;

    if (!enforced(tp))
        return;
    if (tp->st->now > tp->pacing_until) {
        late = tp->st->now - tp->pacing_until;
        tp->pacing_until = tp->st->now;
        tp->pacing_ns = 0;
    }
    if (!tp->pacing_rate || tp->pacing_rate == UINT64_MAX || tp->data_segs_out < FREE_PACKETS)
        return;
    ns = duration_ns(tp, bytes);
    ns -= late > ns / 2000 ? ns / 2 : late * 1000;
    ns += tp->pacing_ns;
    tp->pacing_until += ns / 1000;
    tp->pacing_ns = (uint16_t)(ns % 1000);
}

/* SPDX-License-Identifier: MIT */
/*
 * The congestion window around the algorithms: growth only when it was the limit, decay when idle,
 * pacing rate, send buffer (RFC 5681 §3.1 and §4.1, RFC 2861 as Linux does it; linux-sender §2,
 * §11, §12).
 */
#include "proto/sock/sock_internal.h"

bool tcp_is_cwnd_limited(const struct tcb *tp)
{
    if (tp->is_cwnd_limited)
        return true;
    return tcp_in_slow_start(tp) && tp->cwnd < 2 * tp->max_packets_out;
}

/* Not limited for an RTO: what was not used is no longer known to be there. */
static void application_limited(struct tcb *tp)
{
    uint32_t initial = (uint32_t)tp->st->tcp.tunables.initial_cwnd;
    uint32_t used = tp->cwnd_used > initial ? tp->cwnd_used : initial;

    if (tp->ca_state == CA_OPEN && !tp->nospace && used < tp->cwnd) {
        uint32_t three_quarters = (tp->cwnd >> 1) + (tp->cwnd >> 2);

        if (tp->ssthresh < three_quarters)
            tp->ssthresh = three_quarters;
        tp->cwnd = (tp->cwnd + used) >> 1;
    }
    tp->cwnd_used = 0;
    tp->cwnd_stamp = tp->st->now;
}

void tcp_cwnd_validate(struct tcb *tp, bool limited)
{
    if (!seq_lt(tp->snd_una, tp->cwnd_usage_seq) || limited ||
        (!tp->is_cwnd_limited && tp->packets_out > tp->max_packets_out)) {
        tp->is_cwnd_limited = limited;
        tp->max_packets_out = tp->packets_out;
        tp->cwnd_usage_seq = tp->snd_nxt;
    }
    if (tcp_is_cwnd_limited(tp)) {
        tp->cwnd_used = 0;
        tp->cwnd_stamp = tp->st->now;
        return;
    }
    if (list_empty(&tp->sendq) && tp->nospace)
        tcp_chrono_start(tp, TCP_CHRONO_SNDBUF);
    if (tp->packets_out > tp->cwnd_used)
        tp->cwnd_used = tp->packets_out;
    if (tp->st->tcp.tunables.slow_start_after_idle && tp->st->now - tp->cwnd_stamp >= tp->rto)
        application_limited(tp);
}

/* Nothing in flight for longer than an RTO: halve once for each RTO of idle time, down to the
 * restart window. */
void tcp_cwnd_restart_if_idle(struct tcb *tp)
{
    uint64_t idle = tp->st->now - tp->last_sent;
    uint32_t restart = (uint32_t)tp->st->tcp.tunables.initial_cwnd;
    uint32_t three_quarters = (tp->cwnd >> 1) + (tp->cwnd >> 2);

    if (!tp->st->tcp.tunables.slow_start_after_idle || tp->packets_out || idle <= tp->rto)
        return;
    if (restart > tp->cwnd)
        restart = tp->cwnd;
    if (tp->ssthresh < three_quarters)
        tp->ssthresh = three_quarters;
    while (idle > tp->rto && tp->cwnd > restart) {
        idle -= tp->rto;
        tp->cwnd >>= 1;
    }
    if (tp->cwnd < restart)
        tp->cwnd = restart;
    tp->cwnd_stamp = tp->st->now;
    tp->cwnd_used = 0;
}

/* Returns what is left of `acked` once ssthresh is reached (linux-sender §11: no cap of two). */
uint32_t tcp_slow_start(struct tcb *tp, uint32_t acked)
{
    uint32_t cwnd = tp->cwnd + acked;

    if (cwnd > tp->ssthresh)
        cwnd = tp->ssthresh;
    acked -= cwnd - tp->cwnd;
    tp->cwnd = cwnd;
    return acked;
}

/* One packet more for every w acknowledged (RFC 5681 §3.1, equation 3 by counting). */
void tcp_cong_avoid_ai(struct tcb *tp, uint32_t w, uint32_t acked)
{
    if (tp->cwnd_cnt >= w) {
        tp->cwnd_cnt = 0;
        tp->cwnd++;
    }
    tp->cwnd_cnt += acked;
    if (tp->cwnd_cnt >= w) {
        uint32_t delta = tp->cwnd_cnt / w;

        tp->cwnd_cnt -= delta * w;
        tp->cwnd += delta;
    }
}

void tcp_update_pacing_rate(struct tcb *tp)
{
    uint64_t rate;
    uint64_t packets = tp->cwnd > tp->packets_out ? tp->cwnd : tp->packets_out;

    if (!tp->srtt_us) {
        tp->pacing_rate = tp->max_pacing_rate;
        return;
    }
    rate = (uint64_t)tp->mss_cache * packets * (1000000ull << 3) / tp->srtt_us;
    rate = tp->cwnd < tp->ssthresh / 2 ? rate * 2 : rate * 6 / 5;
    tp->pacing_rate = rate < tp->max_pacing_rate ? rate : tp->max_pacing_rate;
}

uint32_t tcp_init_cwnd(const struct tcb *tp)
{
    return (uint32_t)tp->st->tcp.tunables.initial_cwnd;
}

/* The buffer holds twice what may be in flight, so that the program can refill while the peer
 * acknowledges. */
void tcp_sndbuf_expand(struct tcb *tp)
{
    uint64_t segs = tp->cwnd > 10 ? tp->cwnd : 10;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.wmem_max;
    uint64_t want;

    if (tp->sndbuf_locked || tcp_under_pressure(tp->st))
        return;
    if (tp->reordering + 1u > segs)
        segs = tp->reordering + 1u;
    want = 2 * segs * tp->mss_cache;
    if (want > most)
        want = most;
    if (want > tp->sndbuf)
        tp->sndbuf = (uint32_t)want;
}

/* SPDX-License-Identifier: MIT */
/*
 * The congestion window around the algorithms: the initial window (RFC 6928), growth only when it
 * was the limit, decay when idle or unused (RFC 5681 §4.1, RFC 2861 and RFC 7661 as Linux does
 * them), pacing rate, send buffer (linux-sender §2, §11, §12).
 *
 * What is acknowledged is counted in packets delivered, cumulatively or by SACK, which is what
 * appropriate byte counting (RFC 3465) is about: ACKs that are lost or divided change nothing.
 */
#include "proto/sock/sock_internal.h"

#define IW_SEGMENT  1460u /**< RFC 6928 §2: 14600 bytes are ten of these */
#define RFC3390_MAX 4380u

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* min(n * MSS, max(2 * MSS, bytes)), in packets */
static uint32_t initial_window(uint32_t n, uint32_t bytes, uint32_t mss)
{
    uint32_t packets = max32(2, bytes / mss);

    return max32(1, min32(n, packets));
}

uint32_t tcp_init_cwnd(const struct tcb *tp)
{
    uint32_t n = (uint32_t)tp->st->tcp.tunables.initial_cwnd;

    return initial_window(n, n * IW_SEGMENT, tp->mss_cache);
}

/* After a loss in an initial window RFC 3390's is the one to restart with (RFC 6928 §2). */
static uint32_t restart_cwnd(const struct tcb *tp)
{
    uint32_t initial = tcp_init_cwnd(tp);

    if (tp->iw_reduced)
        initial = min32(initial, initial_window(4, RFC3390_MAX, tp->mss_cache));
    return min32(initial, tp->cwnd);
}

void tcp_cwnd_init(struct tcb *tp)
{
    tp->iw.start = tp->snd_nxt;
    tp->iw.end = tp->snd_nxt + tp->cwnd * tp->mss_cache;
    tp->iw_open = true;
}

void tcp_cwnd_rescale(struct tcb *tp, uint32_t from, uint32_t to)
{
    tp->cwnd = max32(1, (uint32_t)((uint64_t)tp->cwnd * from / to));
    if (tp->ssthresh < TCP_INIT_SSTHRESH)
        tp->ssthresh = max32(2, (uint32_t)((uint64_t)tp->ssthresh * from / to));
    tp->cwnd_cnt = 0;
    tp->cwnd_stamp = tp->st->now;
}

void tcp_cwnd_note_loss(struct tcb *tp)
{
    if (tp->iw_open && seq_lt(tp->snd_una, tp->iw.end) && tp->snd_nxt - tp->iw.start > 4096)
        tp->iw_reduced = true;
}

bool tcp_is_cwnd_limited(const struct tcb *tp)
{
    if (tp->is_cwnd_limited)
        return true;
    return tcp_in_slow_start(tp) && tp->cwnd < 2 * tp->max_packets_out;
}

/* What was reached once is not forgotten: three quarters of it are slow start's. */
static void keep_ssthresh(struct tcb *tp)
{
    tp->ssthresh = max32(tp->ssthresh, (tp->cwnd >> 1) + (tp->cwnd >> 2));
}

static bool may_shrink(const struct tcb *tp)
{
    return tp->st->tcp.tunables.slow_start_after_idle && !tp->cc->no_idle_cut;
}

/* Not limited for an RTO: what was not used is no longer known to be there. */
static void application_limited(struct tcb *tp)
{
    uint32_t used = max32(tp->cwnd_used, tcp_init_cwnd(tp));

    if (tp->ca_state == CA_OPEN && !tp->nospace && used < tp->cwnd) {
        keep_ssthresh(tp);
        tp->cwnd = (tp->cwnd + used) >> 1;
    }
    tp->cwnd_used = 0;
    tp->cwnd_stamp = tp->st->now;
}

void tcp_cwnd_validate(struct tcb *tp, bool limited)
{
    if (tp->iw_open && seq_geq(tp->snd_una, tp->iw.end))
        tp->iw_open = false;
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
        tcp_chrono_start(tp, TCP_CHRONO_sndbuf);
    tp->cwnd_used = max32(tp->cwnd_used, tp->packets_out);
    if (may_shrink(tp) && tp->st->now - tp->cwnd_stamp >= tp->rto)
        application_limited(tp);
}

/* Nothing in flight for longer than an RTO: halve once for each RTO of idle time, down to the
 * restart window. */
void tcp_cwnd_restart_if_idle(struct tcb *tp)
{
    uint64_t idle = tp->st->now - tp->last_sent;
    uint32_t restart;

    if (!may_shrink(tp) || tp->packets_out || idle <= tp->rto || !tp->data_segs_out)
        return;
    tcp_cc_tell(tp, TCP_CC_CWND_RESTART);
    restart = restart_cwnd(tp);
    keep_ssthresh(tp);
    while (idle > tp->rto && tp->cwnd > restart) {
        idle -= tp->rto;
        tp->cwnd >>= 1;
    }
    tp->cwnd = max32(tp->cwnd, restart);
    tp->cwnd_stamp = tp->st->now;
    tp->cwnd_used = 0;
    tcp_cwnd_init(tp);
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

/* An algorithm with a rate of its own is only kept below the program's limit. */
void tcp_update_pacing_rate(struct tcb *tp)
{
    const struct tcp_tunables *tun = &tp->st->tcp.tunables;
    uint64_t rate;

    if (tp->cc->cong_control && tp->cc_started) {
        rate = tp->pacing_rate;
    } else if (!tp->srtt_us) {
        rate = UINT64_MAX;
    } else {
        rate = (uint64_t)tp->mss_cache * max32(tp->cwnd, tp->packets_out) * (10000u << 3);
        rate =
            rate / tp->srtt_us *
            (uint64_t)(tp->cwnd < tp->ssthresh / 2 ? tun->pacing_ss_ratio : tun->pacing_ca_ratio);
    }
    tp->pacing_rate = rate < tp->max_pacing_rate ? rate : tp->max_pacing_rate;
}

/* The buffer holds twice what may be in flight, so that the program can refill while the peer
 * acknowledges. */
void tcp_sndbuf_expand(struct tcb *tp)
{
    uint64_t segs = max32(10, max32(tp->cwnd, tp->reordering + 1u));
    uint64_t most = (uint64_t)tp->st->tcp.tunables.wmem_max;
    uint64_t want = segs * tp->mss_cache * (tp->cc->sndbuf_factor ? tp->cc->sndbuf_factor : 2);

    if (tp->sndbuf_locked || tcp_under_pressure(tp))
        return;
    if (want > most)
        want = most;
    if (want > tp->sndbuf)
        tp->sndbuf = (uint32_t)want;
}

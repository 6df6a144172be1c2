/* SPDX-License-Identifier: MIT */
/*
 * Round-trip estimation and the retransmission time-out (RFC 6298), in Linux's form (linux-sender
 * §7): the variance term already holds the factor of four, has a floor of 200 ms and decays once
 * per round.
 */
#include "proto/tcp/tcp.h"

void tcp_rtt_init(struct tcb *tp)
{
    tp->srtt_us = 0;
    tp->mdev_us = TCP_RTO_INIT;
    tp->min_rtt.us[0] = UINT32_MAX;
    tp->rto = TCP_RTO_INIT;
    tp->backoff = 0;
}

uint32_t tcp_min_rtt(const struct tcb *tp)
{
    return tp->min_rtt.us[0];
}

uint32_t tcp_rto_of(const struct tcb *tp)
{
    uint64_t rto = (uint64_t)(tp->srtt_us >> 3) + tp->rttvar_us;
    uint64_t most = (uint64_t)tp->st->tcp.tunables.rto_max_ms * 1000;

    return (uint32_t)(rto < most ? rto : most);
}

static void first_sample(struct tcb *tp, uint32_t m, uint32_t floor)
{
    tp->srtt_us = m << 3;
    tp->mdev_us = m << 1;
    tp->rttvar_us = tp->mdev_us > floor ? tp->mdev_us : floor;
    tp->mdev_max_us = tp->rttvar_us;
    tp->rtt_seq = tp->snd_nxt;
}

static void next_sample(struct tcb *tp, uint32_t sample, uint32_t floor)
{
    int64_t m = (int64_t)sample - (tp->srtt_us >> 3);

    tp->srtt_us = (uint32_t)(tp->srtt_us + m);
    if (m < 0) {
        m = -m - (tp->mdev_us >> 2);
        /* a falling round trip must not look like a growing variance */
        if (m > 0)
            m >>= 3;
    } else {
        m -= tp->mdev_us >> 2;
    }
    tp->mdev_us = (uint32_t)(tp->mdev_us + m);
    if (tp->mdev_us > tp->mdev_max_us) {
        tp->mdev_max_us = tp->mdev_us;
        if (tp->mdev_max_us > tp->rttvar_us)
            tp->rttvar_us = tp->mdev_max_us;
    }
    if (seq_gt(tp->snd_una, tp->rtt_seq)) {
        if (tp->mdev_max_us < tp->rttvar_us)
            tp->rttvar_us -= (tp->rttvar_us - tp->mdev_max_us) >> 2;
        tp->rtt_seq = tp->snd_nxt;
        tp->mdev_max_us = floor;
    }
}

void tcp_rtt_sample(struct tcb *tp, uint32_t rtt_us)
{
    uint32_t floor = (uint32_t)tp->st->tcp.tunables.rto_min_us;

    if (rtt_us == 0)
        rtt_us = 1;
    /* beyond two minutes the products above would leave 32 bits, and no RTO follows it anyway */
    if (rtt_us > 120000000)
        rtt_us = 120000000;
    COUNT(tp->st, tcp_rtt_samples);
    if (rtt_us < tp->min_rtt.us[0])
        tp->min_rtt.us[0] = rtt_us;
    if (tp->srtt_us)
        next_sample(tp, rtt_us, floor);
    else
        first_sample(tp, rtt_us, floor);
    if (!tp->srtt_us)
        tp->srtt_us = 1;
    tp->rto = tcp_rto_of(tp);
    tp->backoff = 0;
}

/* SPDX-License-Identifier: MIT */
/* A connection that no one connected, for algorithms alone: the test plays the core around it. */
#ifndef TS_TESTS_UNIT_TCP_CC_BARE_H
#define TS_TESTS_UNIT_TCP_CC_BARE_H

#include "tests/unit/tcp/fixture.h"

static struct tcb bare;

static inline void bare_start(const struct tcp_cc_ops *ops, uint32_t cwnd, uint32_t rtt_us)
{
    bare = (struct tcb){.st = fx.st,
                        .cc = ops,
                        .cwnd = cwnd,
                        .ssthresh = TCP_INIT_SSTHRESH,
                        .mss_cache = 1448,
                        .srtt_us = rtt_us << 3,
                        .rto = rtt_us + 200 * MS,
                        .sack_ok = true,
                        .is_cwnd_limited = true,
                        .pacing_rate = UINT64_MAX,
                        .max_pacing_rate = UINT64_MAX};
    bare.min_rtt_us = rtt_us;
    list_init(&bare.sendq);
    list_init(&bare.rtxq);
    tcp_cc_start(&bare);
}

static inline void pass(uint64_t us)
{
    fx.st->now += us;
    fx.now = fx.st->now;
}

/** An ACK for n packets that the window had held back. */
static inline void ack_limited(uint32_t n, int64_t rtt_us)
{
    const struct tcp_cc_ack a = {.packets = n, .in_flight = bare.cwnd, .rtt_us = rtt_us};

    bare.snd_una += n * 1448;
    bare.delivered += n;
    if (bare.cc->acked)
        bare.cc->acked(&bare, &a);
    if (bare.is_cwnd_limited)
        bare.cc->cong_avoid(&bare, n);
}

#endif

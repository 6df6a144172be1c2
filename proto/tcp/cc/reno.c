/* SPDX-License-Identifier: MIT */
/* Reno (RFC 5681): halve at a loss, one segment more per round trip. */
#include "proto/tcp/tcp.h"

#include <string.h>

uint32_t reno_ssthresh(struct tcb *tp)
{
    return tp->cwnd / 2 > 2 ? tp->cwnd / 2 : 2;
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
    .cong_avoid = reno_cong_avoid,
    .undo_cwnd = reno_undo_cwnd,
};

static const struct tcp_cc_ops *const algorithms[] = {&tcp_cc_reno};

const struct tcp_cc_ops *tcp_cc_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
        if (strlen(algorithms[i]->name) == len && !memcmp(algorithms[i]->name, name, len))
            return algorithms[i];
    }
    return NULL;
}

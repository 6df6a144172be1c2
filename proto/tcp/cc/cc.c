/* SPDX-License-Identifier: MIT */
/*
 * The congestion control algorithms by name (TCP_CONGESTION, tcp_congestion_control), and their
 * change during a connection's life. The order is that of the tunable's values: the default first.
 */
#include "proto/tcp/tcp.h"

#include <string.h>

static const struct tcp_cc_ops *const algorithms[] = {&tcp_cc_cubic, &tcp_cc_reno, &tcp_cc_bbr};

const struct tcp_cc_ops *tcp_cc_at(unsigned i)
{
    return i < sizeof(algorithms) / sizeof(algorithms[0]) ? algorithms[i] : NULL;
}

const struct tcp_cc_ops *tcp_cc_find(const char *name, size_t len)
{
    const struct tcp_cc_ops *ops;

    for (unsigned i = 0; (ops = tcp_cc_at(i)); i++) {
        if (strlen(ops->name) == len && !memcmp(ops->name, name, len))
            return ops;
    }
    return NULL;
}

void tcp_cc_start(struct tcb *tp)
{
    tcp_cc_stop(tp);
    memset(tp->cc_private, 0, sizeof(tp->cc_private));
    tp->cc_started = true;
    if (tp->cc->init)
        tp->cc->init(tp);
}

void tcp_cc_stop(struct tcb *tp)
{
    if (tp->cc_started && tp->cc->release)
        tp->cc->release(tp);
    tp->cc_started = false;
}

/* What the old algorithm knew is forgotten, its threshold for an undo as well (Linux:
 * tcp_init_congestion_control). */
void tcp_cc_assign(struct tcb *tp, const struct tcp_cc_ops *ops)
{
    bool started = tp->cc_started;

    if (tp->cc == ops)
        return;
    tcp_cc_stop(tp);
    tp->cc = ops;
    if (!started)
        return;
    tp->prior_ssthresh = 0;
    tp->cwnd_cnt = 0;
    tcp_cc_start(tp);
    tcp_update_pacing_rate(tp);
}

/* Before it has begun (SYN-RECEIVED, also behind a close) there is one packet in flight: Reno's. */
uint32_t tcp_cc_ssthresh(struct tcb *tp, bool ece)
{
    if (!tp->cc_started)
        return reno_ssthresh(tp);
    return ece && tp->cc->ecn_ssthresh ? tp->cc->ecn_ssthresh(tp) : tp->cc->ssthresh(tp);
}

uint32_t tcp_cc_undo_cwnd(struct tcb *tp)
{
    return tp->cc_started ? tp->cc->undo_cwnd(tp) : reno_undo_cwnd(tp);
}

void tcp_cc_tell(struct tcb *tp, enum tcp_cc_event ev)
{
    if (tp->cc_started && tp->cc->event)
        tp->cc->event(tp, ev);
}

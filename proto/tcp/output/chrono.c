/* SPDX-License-Identifier: MIT */
/*
 * Chronographs: for how long something was unacknowledged, and what it was that kept more from
 * leaving in that time (linux-sender §14; the reasons are chronos.def). One runs at a time, and a
 * change of reason reads the time: nothing is paid for a byte or a packet.
 *
 *   app      all that was written is on its way
 *   cwnd … device   where the last pass of tcp_write_xmit stopped (stops.def)
 *   recovery the same, but the connection repairs losses
 *   space    all that was written is on its way, and a writer waits for room
 *   rwnd     a pass of tcp_write_xmit stopped at the window … until one that did not
 *   sndbuf   the queue ran dry below the congestion window while a writer waits for space … until
 * it gets some
 *
 * Only the first lies in the control block; the others, which most connections never meet, have a
 * block of their own. Without memory for it their time counts as the program's.
 */
#include "proto/tcp/tcp.h"

static const uint8_t chrono_of[TCP_STOP_COUNT] = {
    [TCP_STOP_pacing] = TCP_CHRONO_pacing,  [TCP_STOP_cwnd] = TCP_CHRONO_cwnd,
    [TCP_STOP_rwnd] = TCP_CHRONO_rwnd,      [TCP_STOP_nagle] = TCP_CHRONO_nagle,
    [TCP_STOP_cork] = TCP_CHRONO_cork,      [TCP_STOP_autocork] = TCP_CHRONO_device,
    [TCP_STOP_tso_defer] = TCP_CHRONO_cwnd, [TCP_STOP_device] = TCP_CHRONO_device,
    [TCP_STOP_empty] = TCP_CHRONO_app,      [TCP_STOP_sndbuf] = TCP_CHRONO_space,
};

void tcp_chrono_pool_init(struct stack *st)
{
    pool_init(&st->tcp.chrono_pool, &st->mem, sizeof(struct tcp_chronos));
}

void tcp_chrono_free(struct tcb *tp)
{
    pool_put(&tp->st->tcp.chrono_pool, tp->chronos);
    tp->chronos = NULL;
}

static bool have_block(struct tcb *tp)
{
    if (!tp->chronos)
        tp->chronos = pool_get(&tp->st->tcp.chrono_pool);
    return tp->chronos;
}

static __attribute__((noinline)) void set_other(struct tcb *tp, enum tcp_chrono kind)
{
    uint64_t now = tp->st->now, took = now - tp->chrono_since;

    if (tp->chrono > TCP_CHRONO_app && tp->chronos)
        tp->chronos->us[tp->chrono] += took;
    else if (tp->chrono)
        tp->chrono_app_us += took;
    if (kind > TCP_CHRONO_app)
        (void)have_block(tp);
    tp->chrono = (uint8_t)kind;
    tp->chrono_since = now;
}

/* Most changes are between nothing and the program. */
static inline void set(struct tcb *tp, enum tcp_chrono kind)
{
    uint64_t now = tp->st->now;

    if (tp->chrono > TCP_CHRONO_app || kind > TCP_CHRONO_app) {
        set_other(tp, kind);
        return;
    }
    if (tp->chrono)
        tp->chrono_app_us += now - tp->chrono_since;
    tp->chrono = (uint8_t)kind;
    tp->chrono_since = now;
}

void tcp_chrono_start(struct tcb *tp, enum tcp_chrono kind)
{
    if (kind > tp->chrono)
        set(tp, kind);
}

void tcp_chrono_stop(struct tcb *tp, enum tcp_chrono kind)
{
    if (list_empty(&tp->sendq) && list_empty(&tp->rtxq))
        set(tp, TCP_CHRONO_NONE);
    else if (kind == tp->chrono && kind != TCP_CHRONO_app)
        set(tp, TCP_CHRONO_app);
}

static bool repairs(const struct tcb *tp)
{
    return tp->ca_state >= CA_RECOVERY;
}

/* An rwnd that ends is the end of a pass's to say, a sndbuf the writer's. */
static void chrono_stopped(struct tcb *tp, enum tcp_stop why)
{
    enum tcp_chrono kind = (enum tcp_chrono)chrono_of[why];

    if (!tp->chrono || tp->chrono == TCP_CHRONO_sndbuf)
        return;
    /* what waits to be sent waits for something else than room */
    if (kind == TCP_CHRONO_space && tp->chrono != TCP_CHRONO_app)
        return;
    if (kind == TCP_CHRONO_app && tp->nospace)
        kind = TCP_CHRONO_space;
    if (repairs(tp) && (kind == TCP_CHRONO_app || kind == TCP_CHRONO_cwnd))
        kind = TCP_CHRONO_recovery;
    if (kind != tp->chrono)
        set(tp, kind);
}

static __attribute__((noinline)) void stopped(struct tcb *tp, enum tcp_stop why)
{
    chrono_stopped(tp, why);
    if (tp->traced)
        tcp_trace_stop(tp, why);
}

void tcp_stop(struct tcb *tp, enum tcp_stop why)
{
    static const enum counter of[] = {
#define TCP_STOP(name, help) CNT_tcp_stop_##name,
#include "proto/tcp/stops.def"
#undef TCP_STOP
    };

    tp->stops[why]++;
    tp->st->counters.v[of[why]]++;
    if (chrono_of[why] != tp->chrono || tp->traced)
        stopped(tp, why);
}

void tcp_chrono_recovery(struct tcb *tp)
{
    if (repairs(tp) && (tp->chrono == TCP_CHRONO_app || tp->chrono == TCP_CHRONO_cwnd))
        set(tp, TCP_CHRONO_recovery);
    else if (!repairs(tp) && tp->chrono == TCP_CHRONO_recovery)
        set(tp, TCP_CHRONO_app);
}

uint64_t tcp_chrono_us(const struct tcb *tp, enum tcp_chrono kind)
{
    uint64_t us = kind == TCP_CHRONO_app ? tp->chrono_app_us
                  : tp->chronos          ? tp->chronos->us[kind]
                                         : 0;

    return us + (tp->chrono == kind ? tp->st->now - tp->chrono_since : 0);
}

/* --- the other way: our own program --- */

void tcp_chrono_reader(struct tcb *tp, bool slow)
{
    uint64_t now = tp->st->now;

    if (slow == tp->reader_slow || !have_block(tp))
        return;
    tp->reader_slow = slow;
    if (slow)
        tp->chronos->reader_since = now;
    else
        tp->chronos->reader_us += now - tp->chronos->reader_since;
}

uint64_t tcp_chrono_reader_us(const struct tcb *tp)
{
    if (!tp->chronos)
        return 0;
    return tp->chronos->reader_us + (tp->reader_slow ? tp->st->now - tp->chronos->reader_since : 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * The windows' common budget: all of them together must fit into the queue that feeds us, which has
 * no back-pressure, so that what does not fit is lost in bursts. Initial windows are always given;
 * what they grow by is taken here.
 *
 * An idle peer starts anew with an initial window (RFC 5681 §4.1), so what its window has grown by
 * is lent to others. What it was promised stays so (RFC 9293 §3.8.6): the edge does not move, and
 * when data comes again, the window grows back at once as far as the budget goes; the rest of the
 * promise is used up and not renewed. Who is idle is found by those who find the budget empty: a
 * few connections each time, in turn.
 */
#include "proto/tcp/tcp.h"

#define IDLE_US                                                                                    \
    1000000u    /* … or two of our retransmission time-outs, as long as a peer waits at least */
#define SWEEP 4 /* chains of the table of connections */

void tcp_window_give_back(struct tcb *tp)
{
    tp->st->tcp.windows_grown -= tp->window_grown;
    tp->window_grown = 0;
}

static bool is_idle(const struct tcb *tp)
{
    uint64_t quiet = tp->st->now - tp->last_received;

    return quiet > IDLE_US && quiet > 2ull * tp->rto;
}

static void lend(struct hash_node *n, void *ctx)
{
    struct tcb *tp = container_of(n, struct tcb, id_node);

    (void)ctx;
    if (!tp->window_grown || !is_idle(tp))
        return;
    tp->rcv_ssthresh -= tp->window_grown;
    tcp_window_give_back(tp);
    COUNT(tp->st, tcp_window_lent);
}

static uint64_t left(const struct stack *st)
{
    uint64_t budget = st->config.window_budget;

    return budget > st->tcp.windows_grown ? budget - st->tcp.windows_grown : 0;
}

uint32_t tcp_window_take(struct tcb *tp, uint32_t bytes)
{
    struct stack *st = tp->st;

    if (st->config.window_budget && left(st) < bytes) {
        for (int i = 0; i < SWEEP; i++)
            hash_each_next(&st->tcp.by_id, &st->tcp.window_sweep, lend, NULL);
        if (left(st) < bytes) {
            COUNT(st, tcp_window_budget);
            bytes = (uint32_t)left(st);
        }
    }
    st->tcp.windows_grown += bytes;
    tp->window_grown += bytes;
    return bytes;
}

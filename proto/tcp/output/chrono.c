/* SPDX-License-Identifier: MIT */
/*
 * Chronographs: for how long there was something to send, and for how much of it the peer's window
 * or our send buffer was what held it back (linux-sender §14). One runs at a time; a higher one
 * takes over from a lower one.
 *
 *   busy     from the first byte in the write queue until all of it is acknowledged
 *   rwnd     a pass of tcp_write_xmit stopped at the window … until one that did not
 *   sndbuf   the queue ran dry below the congestion window while a writer waits for space … until
 * it gets some
 */
#include "proto/tcp/tcp.h"

static void set(struct tcb *tp, enum tcp_chrono kind)
{
    uint64_t now = tp->st->now;

    if (tp->chrono)
        tp->chrono_us[tp->chrono - 1] += now - tp->chrono_since;
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
    else if (kind == tp->chrono)
        set(tp, TCP_CHRONO_BUSY);
}

uint64_t tcp_chrono_us(const struct tcb *tp, enum tcp_chrono kind)
{
    return tp->chrono_us[kind - 1] + (tp->chrono == kind ? tp->st->now - tp->chrono_since : 0);
}

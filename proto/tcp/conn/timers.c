/* SPDX-License-Identifier: MIT */
/*
 * A connection's named timers (timers.def) over one wheel entry.
 *
 * The entry is armed at or before the earliest deadline. Moving a deadline later, as each ACK does
 * with the retransmission timer, costs one store: the entry fires at the old time, finds nothing
 * due and arms itself anew.
 *
 *   rexmt     armed: data in flight; re-armed: ACK of new data, retransmission; stopped: nothing in
 * flight persist   armed: data queued, nothing in flight, nothing sendable; stopped: data went out
 *   loss_probe, reorder  stand in for rexmt (RFC 8985 §8); stopped: when one of the three is armed
 *   delack    armed: an ACK is owed and may wait; stopped: any segment with ACK went out
 *   compack   armed: duplicate ACKs are held back; stopped: as delack
 *   keepalive armed: SO_KEEPALIVE; re-armed by itself
 *   retry     armed: the device or memory refused; stopped: by itself
 *   pacing    armed: output came too early for the enforced rate; stopped: by itself
 */
#include "proto/tcp/tcp.h"

static const char *const ss_names[] = {
#define TCP_TIMER(name, ss, help) ss,
#include "proto/tcp/timers.def"
#undef TCP_TIMER
};

void tcp_timer_set(struct tcb *tp, enum tcp_timer t, uint64_t at)
{
    tp->deadline[t] = at;
    if (!wheel_armed(&tp->timer.node) || at < tp->timer.node.deadline)
        stack_timer_arm(tp->st, &tp->timer, at);
}

void tcp_timer_clear(struct tcb *tp, enum tcp_timer t)
{
    tp->deadline[t] = 0;
}

void tcp_timers_stop(struct tcb *tp)
{
    for (int i = 0; i < TCP_TIMER_COUNT; i++)
        tp->deadline[i] = 0;
    stack_timer_stop(tp->st, &tp->timer);
}

const char *tcp_timer_next(const struct tcb *tp, uint64_t *at)
{
    const char *name = NULL;

    *at = UINT64_MAX;
    for (int i = 0; i < TCP_TIMER_COUNT; i++) {
        if (tp->deadline[i] && tp->deadline[i] < *at) {
            *at = tp->deadline[i];
            name = ss_names[i];
        }
    }
    return name;
}

static void dispatch(struct tcb *tp, enum tcp_timer t)
{
    switch (t) {
    case TCP_TIMER_rexmt:
        tcp_retransmit_timer(tp);
        break;
    case TCP_TIMER_loss_probe:
        tcp_tlp_timer(tp);
        break;
    case TCP_TIMER_reorder:
        tcp_rack_timer(tp);
        break;
    case TCP_TIMER_persist:
        tcp_probe_timer(tp);
        break;
    case TCP_TIMER_delack:
        tcp_delack_timer(tp);
        break;
    case TCP_TIMER_compack:
        tcp_compack_timer(tp);
        break;
    case TCP_TIMER_keepalive:
        tcp_keepalive_timer(tp);
        break;
    case TCP_TIMER_retry:
        tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_RETRANS | TCP_PEND_ACK);
        /* a writer that found no memory has no ACK to wait for */
        tcp_tell_writer(tp);
        break;
    case TCP_TIMER_pacing:
        tcp_touch(tp, TCP_PEND_OUTPUT | TCP_PEND_RETRANS);
        break;
    case TCP_TIMER_COUNT:
        break;
    }
}

void tcp_timer_fire(struct stack *st, struct stack_timer *timer)
{
    struct tcb *tp = container_of(timer, struct tcb, timer);
    uint64_t id = tcb_id(tp);
    uint64_t next;

    for (int i = 0; i < TCP_TIMER_COUNT; i++) {
        if (!tp->deadline[i] || tp->deadline[i] > st->now)
            continue;
        tp->deadline[i] = 0;
        TCP_TRACE(tp, timer, (unsigned)(TRACE_WHY_timer_rexmt + i), tp->retransmits, tp->rto);
        dispatch(tp, (enum tcp_timer)i);
        /* a timer may end the connection and free it */
        if (!hash_first(&st->tcp.by_id, id))
            return;
    }
    if (tcp_timer_next(tp, &next))
        stack_timer_arm(st, &tp->timer, next);
}

/* SPDX-License-Identifier: MIT */
/* poll(2) masks in each state (linux-receiver §14). */
#include "proto/sock/sock_internal.h"

#include <poll.h>

static bool memory_is_short(const struct tcb *tp)
{
    const struct stack *st = tp->st;
    uint64_t limit = st->mem.limit;

    if (!account_has_room(tcp_account(tp), tcp_account(tp)->limit / 8))
        return true;
    return limit && mem_in_use(&st->mem) - st->extents.cached > limit - limit / 8;
}

/* SO_RCVLOWAT, unless what it waits for could never come: no window, no memory (Linux:
 * tcp_epollin_ready). */
static bool enough(const struct sock *s)
{
    const struct tcb *tp = s->tcb;
    uint64_t avail = tp->rcv_offset - tp->read_offset;
    uint64_t target = (uint64_t)s->rcvlowat + (sock_at_mark(s) && !s->oob_inline);

    return avail &&
           (avail >= target || tcp_receive_window(tp) <= tp->rcv_mss || memory_is_short(tp));
}

bool sock_readable(const struct sock *s)
{
    return s->tcb->rcv_shutdown || s->tcb->conn.state == TCPS_CLOSED || enough(s);
}

uint32_t sock_poll(const struct sock *s)
{
    const struct tcb *tp = s->tcb;
    uint32_t mask = s->error ? POLLERR : 0;

    if (s->listener)
        return mask | (s->listener->n_accepted ? POLLIN | POLLRDNORM : 0);
    if ((tp->rcv_shutdown && tp->send_shutdown) || tp->conn.state == TCPS_CLOSED)
        mask |= POLLHUP;
    if (tp->rcv_shutdown)
        mask |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (tp->conn.state == TCPS_SYN_SENT || tp->conn.state == TCPS_SYN_RECV)
        return mask;
    if (enough(s))
        mask |= POLLIN | POLLRDNORM;
    if (tp->urg_state == TCP_URG_VALID)
        mask |= POLLPRI;
    if (tp->send_shutdown || tp->conn.state == TCPS_CLOSED || tcp_is_writable(tp))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

/* SPDX-License-Identifier: MIT */
/* poll(2) masks in each state (linux-receiver §14). */
#include "proto/sock/sock_internal.h"

#include <poll.h>

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
    if (tp->rcv_offset - tp->read_offset >= s->rcvlowat)
        mask |= POLLIN | POLLRDNORM;
    if (tp->send_shutdown || tp->conn.state == TCPS_CLOSED || tcp_is_writable(tp))
        mask |= POLLOUT | POLLWRNORM;
    return mask;
}

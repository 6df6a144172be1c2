/* SPDX-License-Identifier: MIT */
/*
 * Bytes in order that the program takes out of the frame itself, together with what was unread
 * before them: they need no place in the receive stream, and no second copy. What the host does not
 * take waits in the stream like any other.
 */
#include "proto/sock/sock_internal.h"

bool tcp_may_deliver(const struct tcb *tp, uint32_t len)
{
    const struct stack_ops *ops = tp->st->ops;
    uint64_t unread = tp->rcv_offset - tp->read_offset + len;
    const struct sock *s = tp->sock;

    return s && ops->deliver && unread >= ops->deliver_min && unread >= s->rcvlowat && !s->parent &&
           !tp->shared && !tp->rcv_shutdown && rb_empty(&tp->ooo) && tp->urg_state == TCP_URG_NONE;
}

struct delivered tcp_deliver(struct tcb *tp, const uint8_t *data, uint32_t len)
{
    uint32_t stored = (uint32_t)(tp->rcv_offset - tp->read_offset);
    struct iovec iov[5];
    int n_iov = bytestream_spans(&tp->rcv, tp->read_offset, stored, iov);
    size_t held = tp->held;
    struct delivered d;

    iov[n_iov++] = (struct iovec){(void *)data, len};
    d.taken = (uint32_t)tp->st->ops->deliver(tp->st->ctx, tp->sock, iov, n_iov, &held);
    d.fresh = d.taken > stored ? d.taken - stored : 0;
    tp->read_offset += d.taken;
    tp->held = (uint32_t)held;
    bytestream_release(&tp->rcv, tp->read_offset);
    if (d.taken)
        TCP_TRACE(tp, recvfrom, TRACE_WHY_taken, d.taken, tp->held, stored + len - d.taken);
    return d;
}

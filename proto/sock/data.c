/* SPDX-License-Identifier: MIT */
/*
 * Bytes in and out of a socket: send(2), recv(2), and the spans by which the host reads straight
 * into the send stream and writes straight out of the receive stream (send path, steps 3 to 6 and
 * 19; linux-receiver §14).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* --- sending
 * -----------------------------------------------------------------------------------------------
 */

/* Step 19: the pending error first, then EPIPE. */
static int stream_error(struct sock *s)
{
    int error = s->error;

    if (error) {
        s->error = 0;
        return -error;
    }
    return -EPIPE;
}

/* Step 4: 0, or why nothing can be sent now. */
static inline __attribute__((always_inline)) int may_send(struct sock *s, bool keep_error)
{
    struct tcb *tp = s->tcb;

    if (s->error)
        return keep_error ? -s->error : stream_error(s);
    switch (tp->conn.state) {
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
        return tp->send_shutdown ? -EPIPE : 0;
    case TCPS_SYN_SENT:
    case TCPS_SYN_RECV:
        if (tp->send_shutdown)
            return -EPIPE;
        s->want_write = true;
        return -EAGAIN;
    default:
        return -EPIPE;
    }
}

static __attribute__((cold, noinline)) int refused(const struct sock *s, int err)
{
    if (err == -EAGAIN)
        TCP_TRACE(s->tcb, sk_stream_wait_connect, TRACE_WHY_none, s->tcb->conn.state);
    else
        TCP_TRACE(s->tcb, sk_stream_error, TRACE_WHY_none, (uint32_t)-err);
    return err;
}

/* Step 6: the walk of the caller's iovec, across its elements, empty ones included. */
struct iov_walk {
    const struct iovec *iov;
    int n;
    size_t off;
};

static size_t copy_from_iov(void *ctx, void *dst, size_t n)
{
    struct iov_walk *w = ctx;
    size_t done = 0;

    while (done < n && w->n > 0) {
        size_t left = w->iov->iov_len - w->off;
        size_t take = left < n - done ? left : n - done;

        if (take) /* an empty element may be NULL */
            memcpy((uint8_t *)dst + done, (const uint8_t *)w->iov->iov_base + w->off, take);
        done += take;
        w->off += take;
        if (w->off == w->iov->iov_len) {
            w->iov++;
            w->n--;
            w->off = 0;
        }
    }
    return done;
}

#define SEND_FLAGS (MSG_MORE | MSG_EOR | MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL)

ssize_t sock_sendmsg(struct sock *s, const struct iovec *iov, int iovcnt, int flags, uint64_t now)
{
    struct iov_walk w = {iov, iovcnt, 0};
    size_t len = 0;
    int err;

    stack_set_now(s->st, now);
    if (flags & ~SEND_FLAGS)
        return -EOPNOTSUPP;
    for (int i = 0; i < iovcnt; i++)
        len += iov[i].iov_len;
    err = may_send(s, false);
    if (err)
        return refused(s, err);
    return tcp_sendmsg(s->tcb, copy_from_iov, &w, len, flags);
}

size_t sock_send_space(const struct sock *s)
{
    const struct tcb *tp = s->tcb;
    uint32_t queued = tcp_wmem_queued(tp);

    if (tp->conn.state != TCPS_ESTABLISHED && tp->conn.state != TCPS_CLOSE_WAIT)
        return 0;
    if (!tcp_stream_memory_free(tp))
        return 0;
    return tp->sndbuf - queued;
}

/* No new extent: both are in use (the next ACKs free the older one), or memory is short (try again
 * soon). */
static size_t what_fits(struct tcb *tp, size_t want)
{
    uint64_t room = bytestream_capacity_end(&tp->snd) - tp->snd_offset;

    if (!tp->packets_out)
        tcp_timer_set(tp, TCP_TIMER_retry, tp->st->now + 10000);
    return room < want ? (size_t)room : want;
}

ssize_t sock_send_spans(struct sock *s, size_t want, struct iovec out[4], int *n_spans)
{
    struct tcb *tp = s->tcb;
    size_t space;
    int err = may_send(s, true);

    *n_spans = 0;
    if (err)
        return refused(s, err);
    space = sock_send_space(s);
    if (want > space) {
        /* a short send: the rest wants to hear of space as well */
        s->want_write = true;
        tp->nospace = true;
        want = space;
    }
    if (want && tcp_reserve_send(tp, want) != 0) {
        s->want_write = true;
        want = what_fits(tp, want);
    }
    if (want && !wqueue_have_spare(tp)) {
        tcp_timer_set(tp, TCP_TIMER_retry, s->st->now + 10000);
        want = 0;
    }
    if (!want) {
        s->want_write = true;
        tp->nospace = true;
        tcp_stop(tp, TCP_STOP_sndbuf);
        return 0;
    }
    *n_spans = bytestream_spans(&tp->snd, tp->snd_offset, want, out);
    return (ssize_t)want;
}

ssize_t sock_send_commit(struct sock *s, size_t n, int flags, uint64_t now)
{
    stack_set_now(s->st, now);
    if (!n)
        return 0;
    return tcp_sendmsg(s->tcb, NULL, NULL, n, flags);
}

size_t sock_unacked(const struct sock *s)
{
    /* the SYN is no byte of the program's (tcp(7), SIOCOUTQ) */
    if (s->tcb->conn.state == TCPS_SYN_SENT || s->tcb->conn.state == TCPS_SYN_RECV)
        return 0;
    return tcp_wmem_queued(s->tcb) - (s->tcb->fin_queued && tcp_wmem_queued(s->tcb) ? 1 : 0);
}

/* --- receiving
 * --------------------------------------------------------------------------------------------- */

bool sock_at_mark(const struct sock *s)
{
    const struct tcb *tp = s->tcb;

    return tp->urg_state != TCP_URG_NONE && tp->urg_offset == tp->read_offset;
}

/* Bytes from `off` up to the urgent mark, or to the end. A mark at `off` itself is no limit. */
static uint64_t to_mark(const struct tcb *tp, uint64_t off)
{
    uint64_t end = tp->rcv_offset;

    if (tp->urg_state != TCP_URG_NONE && tp->urg_offset > off && tp->urg_offset < end)
        end = tp->urg_offset;
    return end - off;
}

size_t sock_inq(const struct sock *s)
{
    const struct tcb *tp = s->tcb;

    if (!s->oob_inline && sock_at_mark(s) && tp->read_offset < tp->rcv_offset)
        return 0;
    return s->oob_inline ? tp->rcv_offset - tp->read_offset : to_mark(tp, tp->read_offset);
}

size_t sock_recv_spans(const struct sock *s, struct iovec out[4], int *n_spans)
{
    const struct tcb *tp = s->tcb;
    uint64_t n = tp->rcv_offset - tp->read_offset;

    if (n && sock_at_mark(s))
        n = 1;
    else
        n = to_mark(tp, tp->read_offset);
    *n_spans = n ? bytestream_spans(&tp->rcv, tp->read_offset, (size_t)n, out) : 0;
    return (size_t)n;
}

bool sock_awaits_reader(const struct sock *s)
{
    const struct tcb *tp = s->tcb;

    return tcp_awaits_reader(tp) || 2 * (uint64_t)tcp_receive_window(tp) <= tp->window_clamp;
}

void sock_recv_consume(struct sock *s, size_t n, size_t held, uint64_t now)
{
    struct tcb *tp = s->tcb;
    uint64_t before = tcp_unread(tp);

    stack_set_now(s->st, now);
    tp->read_offset += n;
    tp->held = (uint32_t)held;
    if (tp->urg_offset < tp->read_offset)
        tp->urg_state = TCP_URG_NONE;
    bytestream_release(&tp->rcv, tp->read_offset);
    tcp_reader_moved(tp, before);
}

bool sock_recv_eof(const struct sock *s)
{
    const struct tcb *tp = s->tcb;

    return tp->peer_fin && tp->read_offset == tp->rcv_offset;
}

/* What recv(2) says when there is no byte. */
static ssize_t nothing_to_read(struct sock *s)
{
    struct tcb *tp = s->tcb;

    if (tp->peer_fin)
        return 0;
    if (s->error) {
        int error = s->error;

        s->error = 0;
        return -error;
    }
    if (s->listener)
        return -ENOTCONN;
    /* what ended is shut; what never began is not, unless the program shut it (linux-receiver §14)
     */
    if (tp->rcv_shutdown)
        return 0;
    return tp->conn.state == TCPS_CLOSED ? -ENOTCONN : -EAGAIN;
}

/* recv(2) with MSG_OOB never waits (Linux: tcp_recv_urg). */
static ssize_t recv_urgent(struct sock *s, const struct iovec *iov, int iovcnt, int flags)
{
    struct tcb *tp = s->tcb;

    if (s->listener)
        return -ENOTCONN;
    if (s->oob_inline || tp->urg_state == TCP_URG_NONE || tp->urg_state == TCP_URG_READ)
        return -EINVAL;
    if (tp->urg_state == TCP_URG_NOTYET)
        return tp->conn.state == TCPS_CLOSED || tp->rcv_shutdown ? 0 : -EAGAIN;
    if (!(flags & MSG_PEEK))
        tp->urg_state = TCP_URG_READ;
    while (iovcnt && !iov->iov_len) {
        iov++;
        iovcnt--;
    }
    if (!iovcnt)
        return 0;
    if (!(flags & MSG_TRUNC))
        *(uint8_t *)iov->iov_base = tp->urg_byte;
    return 1;
}

static size_t copy_out(struct tcb *tp, uint64_t off, const struct iovec *iov, int iovcnt,
                       uint64_t avail, int flags)
{
    size_t done = 0;

    for (int i = 0; i < iovcnt && done < avail; i++) {
        size_t n = iov[i].iov_len < avail - done ? iov[i].iov_len : (size_t)(avail - done);

        if (n && !(flags & MSG_TRUNC))
            bytestream_read(&tp->rcv, off + done, iov[i].iov_base, n);
        done += n;
    }
    return done;
}

static bool has_room(const struct iovec *iov, int iovcnt)
{
    for (int i = 0; i < iovcnt; i++) {
        if (iov[i].iov_len)
            return true;
    }
    return false;
}

ssize_t sock_recvmsg(struct sock *s, const struct iovec *iov, int iovcnt, int flags, uint64_t now)
{
    struct tcb *tp = s->tcb;
    uint64_t avail = tp->rcv_offset - tp->read_offset;
    size_t hole = 0, done;

    stack_set_now(s->st, now);
    if (flags & ~(MSG_OOB | MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT | MSG_WAITALL))
        return -EOPNOTSUPP;
    if (flags & MSG_OOB)
        return recv_urgent(s, iov, iovcnt, flags);
    if (!avail)
        return nothing_to_read(s);
    /* at the mark: the urgent byte is no data, unless the program wants it in the line */
    if (sock_at_mark(s) && !s->oob_inline && has_room(iov, iovcnt))
        hole = 1;
    avail = to_mark(tp, tp->read_offset + hole);
    done = copy_out(tp, tp->read_offset + hole, iov, iovcnt, avail, flags);
    if (!(flags & MSG_PEEK) && done + hole)
        sock_recv_consume(s, done + hole, tp->held, now);
    if (!avail)
        return nothing_to_read(s);
    return (ssize_t)done;
}

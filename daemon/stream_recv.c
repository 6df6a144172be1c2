/* SPDX-License-Identifier: MIT */
/*
 * Core → program. What the program has not read is not consumed: the pair is a second receive
 * buffer, of at most STREAM_HELD_MAX, which the receive window counts. SIOCOUTQ counts memory, not
 * payload, and falls by whole messages: it is 0 exactly when all was read, and otherwise an upper
 * bound (tests/platform/queue_accounting.c). An urgent byte goes in as the pair's own, so that the
 * program sees POLLPRI, the mark and MSG_OOB (tests/platform/urgent_data.c).
 */
#include "daemon/stream.h"

#include "daemon/stats.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* What fits into a send buffer of the usual size, and leaves it writable. */
#define SMALL (16 * 1024)
/* The most that a stream's unread bytes and a frame's lie in. */
#define STREAM_PIECES 5

static size_t still_held(const struct stream *s)
{
    int memory = 0;

    if (ioctl(s->fd, SIOCOUTQ, &memory) < 0 || memory <= 0)
        return 0;
    return (size_t)memory < s->written ? (size_t)memory : s->written;
}

void stream_update_held(struct stream *s)
{
    /* closed in order: all was read */
    size_t held = s->hup && !s->hup_error ? 0 : still_held(s);

    if (held == 0)
        s->written = 0;
    if (held == s->held)
        return;
    s->held = held;
    if (s->sock && s->state != STREAM_LISTENING)
        sock_recv_consume(s->sock, 0, held, s->all->now);
}

/* Cut the spans to n bytes in all; returns how many pieces are left. */
static int limit_spans(struct iovec *spans, int n_spans, size_t n)
{
    int i;

    for (i = 0; i < n_spans && n; i++) {
        if (spans[i].iov_len > n)
            spans[i].iov_len = n;
        n -= spans[i].iov_len;
    }
    return i;
}

/* EPIPE: the program has closed, or shut down its reading. In the latter case TCP goes on, and what
 * comes is dropped. */
static void no_reader(struct stream *s)
{
    struct pollfd p = {.fd = s->fd};

    if (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR))) {
        s->hup = s->news = true;
        s->hup_error = p.revents & POLLERR;
        stream_again(s);
        return;
    }
    s->deaf = true;
    if (s->state == STREAM_OPEN)
        (void)sock_shutdown(s->sock, SHUT_RD, s->all->now);
}

void stream_drop_all(struct stream *s)
{
    struct iovec spans[4];
    int n_spans;
    size_t n;

    while ((n = sock_recv_spans(s->sock, spans, &n_spans)) > 0)
        sock_recv_consume(s->sock, n, 0, s->all->now);
}

/* A kernel without AF_UNIX's urgent data: the byte is ordinary then, as with SO_OOBINLINE. */
static ssize_t send_piece(struct stream *s, const struct msghdr *msg)
{
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t n;

    if (sock_at_mark(s->sock)) {
        n = sendmsg(s->fd, msg, flags | MSG_OOB);
        if (n >= 0 || errno != EOPNOTSUPP)
            return n;
    }
    return sendmsg(s->fd, msg, flags);
}

/* SO_RCVLOWAT: an empty pair stays empty until there is enough. One that is readable already gets
 * more, and what precedes an urgent byte goes with it. */
static bool withheld(struct stream *s)
{
    return !sock_readable(s->sock) && !(sock_poll(s->sock) & POLLPRI) && still_held(s) == 0;
}

/* An EPOLLOUT edge will end it. */
static void block(struct stream *s)
{
    s->push_blocked = true;
    sock_trace(s->sock, TRACE_recvfrom, TRACE_WHY_full, 0, (uint32_t)s->held,
               (uint32_t)sock_inq(s->sock));
    stream_watch_reader(s, true);
}

static void went_in(struct stream *s, size_t n)
{
    s->written += n;
    s->held += n;
    stats_add(STAT_streams_pushed_bytes, n);
}

/* One sendmsg into the pair. Returns the bytes that went in; 0: not now. */
static size_t push_piece(struct stream *s, size_t budget)
{
    struct iovec spans[4];
    struct msghdr msg = {.msg_iov = spans};
    int n_spans = 0;
    size_t room = s->held < STREAM_HELD_MAX ? STREAM_HELD_MAX - s->held : 0;
    size_t available = sock_recv_spans(s->sock, spans, &n_spans);
    ssize_t n;

    if (available == 0 || withheld(s))
        return 0;
    if (room == 0) {
        block(s);
        return 0;
    }
    if (s->held + available > SMALL)
        stream_big_buffer(s);
    msg.msg_iovlen = (size_t)limit_spans(spans, n_spans, room < budget ? room : budget);
    n = send_piece(s, &msg);
    if (n < 0 && errno == EAGAIN && !s->big) {
        stream_big_buffer(s);
        n = send_piece(s, &msg);
    }
    if (n <= 0) {
        if (n < 0 && errno == EPIPE)
            no_reader(s);
        else
            block(s);
        return 0;
    }
    went_in(s, (size_t)n);
    sock_recv_consume(s->sock, (size_t)n, s->held, s->all->now);
    sock_trace(s->sock, TRACE_recvfrom, TRACE_WHY_taken, (uint32_t)n, (uint32_t)s->held,
               (uint32_t)sock_inq(s->sock));
    return (size_t)n;
}

/* Its reader may have made room since, and the edge that tells of it wait for its turn. */
static bool has_room_again(struct stream *s)
{
    if (s->held)
        s->held = still_held(s);
    if (s->held == 0)
        s->written = 0;
    return s->held <= (s->push_blocked ? STREAM_HELD_MAX / 2 : STREAM_HELD_MAX - 1);
}

size_t stream_deliver(struct sock *sock, const struct iovec *iov, int n_iov, size_t *held)
{
    struct stream *s = sock_user(sock);
    struct iovec pieces[STREAM_PIECES];
    struct msghdr msg = {.msg_iov = pieces};
    bool room;
    ssize_t n;

    if (!s || s->state != STREAM_OPEN || s->ring || s->eof_done || s->hup || s->deaf ||
        n_iov > STREAM_PIECES)
        return 0;
    room = has_room_again(s);
    *held = s->held; /* the core shall know what we do, also when we take nothing */
    if (!room)
        return 0;
    memcpy(pieces, iov, (size_t)n_iov * sizeof(*iov));
    msg.msg_iovlen = (size_t)limit_spans(pieces, n_iov, STREAM_HELD_MAX - s->held);
    stream_big_buffer(s);
    n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0) /* the event finds out why, and does what is to be done */
        return 0;
    s->push_blocked = false;
    went_in(s, (size_t)n);
    *held = s->held;
    return (size_t)n;
}

void stream_push(struct stream *s)
{
    size_t budget = STREAM_TURN, n;

    if (s->ring && s->sock) {
        ringport_push(s);
        return;
    }
    if (!s->sock || s->eof_done || s->push_blocked)
        return;
    if (s->held && !s->watched)
        stream_update_held(s);
    while (!s->deaf && budget && (n = push_piece(s, budget)) > 0)
        budget -= n;
    if (budget == 0)
        stream_again(s);
    if (s->deaf)
        stream_drop_all(s);
    else if (s->held && !s->watched && (s->held > SMALL || sock_awaits_reader(s->sock)))
        stream_watch_reader(s, true);
    if (s->sock && s->state == STREAM_OPEN && sock_recv_eof(s->sock)) {
        s->eof_done = true;
        (void)shutdown(s->fd, SHUT_WR);
    }
}

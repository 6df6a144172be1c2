/* SPDX-License-Identifier: MIT */
/*
 * Program → core. The queue of our end: [skip: no news][news …]. Bytes are read straight into the
 * core's stream buffer (sock_send_spans); the newest byte is only peeked, and becomes the next kept
 * one. Small messages are peeked whole: they stay queued behind `skip` until that has grown.
 *
 * Urgent data: our end has SO_OOBINLINE, so a read stops before the urgent byte and starts with it;
 * whether the head of the queue is that byte, SIOCATMARK tells. It is taken alone, with MSG_OOB. As
 * long as `skip` is not 0 the head is old, and a mark there is one that was dealt with.
 */
#include "daemon/stream.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "ipc/fdpass.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Up to so many bytes and messages may stay queued although the core has them: they count against
 * the program's send buffer by their whole messages. */
#define PEEK_BYTES 4096
#define PEEK_COUNT 3
/* Before the spans, so many pieces of scrap: one turn's worth. */
#define SCRAP_IOVS 16

size_t stream_queued(const struct stream *s)
{
    int n = 0;

    if (s->fd < 0 || ioctl(s->fd, FIONREAD, &n) < 0 || n < 0 || (size_t)n <= s->skip)
        return 0;
    return (size_t)n - s->skip;
}

/* Give the descriptors that came with a message to the reaper. Returns how many. */
static size_t reap_rights(struct stream *s, struct msghdr *msg)
{
    size_t total = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        int fds[FDPASS_MAX];
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || count > FDPASS_MAX)
            continue;
        memcpy(fds, CMSG_DATA(c), count * sizeof(int));
        for (size_t i = 0; i < count; i++)
            reaper_close(s->all->reaper, fds[i], s->owner.uid);
        total += count;
    }
    stats_add(STAT_foreign_descriptors, total);
    return total;
}

/*
 * recvmsg without waiting. Where the kernel lets descriptors into our queue (before 6.16), there is
 * always room for them: what finds no room is released in our own context, and that may block.
 */
static ssize_t receive_rights(struct stream *s, struct iovec *iov, size_t n_iov, int flags,
                              size_t *rights)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = n_iov,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(s->fd, &msg, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *rights = n < 0 ? 0 : reap_rights(s, &msg);
    return n;
}

static ssize_t receive(struct stream *s, struct iovec *iov, size_t n_iov, int flags)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n_iov};
    size_t rights;

    if (s->all->rights_refused || (flags & MSG_PEEK))
        return recvmsg(s->fd, &msg, flags | MSG_DONTWAIT);
    return receive_rights(s, iov, n_iov, flags, &rights);
}

bool stream_holds_rights(struct stream *s)
{
    char newest;
    struct iovec iov = {&newest, 1};
    size_t rights = 0;
    int n = 0;

    if (s->all->rights_refused)
        return false;
    (void)shutdown(s->fd, SHUT_RD); /* the program's writes fail from here on */
    if (ioctl(s->fd, FIONREAD, &n) == 0 && n > 1)
        stream_discard(s, (size_t)n - 1);
    (void)receive_rights(s, &iov, 1, MSG_PEEK, &rights);
    return rights > 0;
}

size_t stream_discard(struct stream *s, size_t n)
{
    size_t done = 0;

    while (done < n) {
        struct iovec iov[SCRAP_IOVS];
        size_t want = n - done, n_iov = 0;

        for (; n_iov < SCRAP_IOVS && want; n_iov++) {
            size_t piece = want < STREAM_SCRAP ? want : STREAM_SCRAP;
            iov[n_iov] = (struct iovec){s->all->scrap, piece};
            want -= piece;
        }
        ssize_t got = receive(s, iov, n_iov, 0);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    s->skip -= done < s->skip ? done : s->skip;
    return done;
}

/* --- marks -------------------------------------------------------------------------------------
 */

int stream_mark(struct stream *s, int64_t count, uint32_t flags)
{
    uint64_t at = s->taken + stream_queued(s);
    struct stream_mark *last = s->n_marks ? &s->marks[s->n_marks - 1] : NULL;

    if (count < 0) {
        uint64_t back = (uint64_t) - (count + 1) + 1;
        /* The last one may have been used up already, by bytes that were written after all. */
        if (!last)
            return 0;
        last->to -= back < last->to - last->from ? back : last->to - last->from;
        if (last->to == last->from)
            s->n_marks--;
        return 0;
    }
    if (count == 0 || count > INT64_MAX / 2)
        return count ? -EINVAL : 0;
    if (s->n_marks == STREAM_MARKS)
        return -EAGAIN;
    if (!s->marks) {
        s->marks = calloc(STREAM_MARKS, sizeof(*s->marks));
        if (!s->marks)
            return -ENOMEM;
    }
    /* Two threads that send at once: the ranges follow each other. */
    if (last && last->to > at)
        at = last->to;
    s->marks[s->n_marks++] = (struct stream_mark){at, at + (uint64_t)count, flags};
    return 0;
}

/* How far the flags of the next byte reach, at most n. */
static size_t run_of_flags(struct stream *s, size_t n, int *flags)
{
    *flags = 0;
    while (s->n_marks && s->marks[0].to <= s->taken)
        memmove(s->marks, s->marks + 1, --s->n_marks * sizeof(*s->marks));
    if (!s->n_marks)
        return n;
    uint64_t edge = s->marks[0].from;
    if (edge <= s->taken) {
        *flags = (int)s->marks[0].flags;
        edge = s->marks[0].to;
    }
    return edge - s->taken < n ? (size_t)(edge - s->taken) : n;
}

/* --- taking ------------------------------------------------------------------------------------
 */

/* The scrap, then the first n bytes of the spans. Returns the number of pieces. */
static size_t lay_out(struct stream *s, const struct iovec *spans, int n_spans, size_t n,
                      struct iovec *iov)
{
    size_t count = 0, skip = s->skip;

    while (skip) {
        size_t piece = skip < STREAM_SCRAP ? skip : STREAM_SCRAP;
        iov[count++] = (struct iovec){s->all->scrap, piece};
        skip -= piece;
    }
    for (int i = 0; i < n_spans && n; i++) {
        size_t piece = n < spans[i].iov_len ? n : spans[i].iov_len;
        iov[count++] = (struct iovec){spans[i].iov_base, piece};
        n -= piece;
    }
    return count;
}

/* Where the byte at offset `at` of the spans is. */
static void *span_at(const struct iovec *spans, size_t at)
{
    while (at >= spans->iov_len) {
        at -= spans->iov_len;
        spans++;
    }
    return (char *)spans->iov_base + at;
}

/* All of a small message, left in the queue. Returns its bytes, or 0: do it the other way. */
static size_t take_by_peek(struct stream *s, const struct iovec *spans, int n_spans, size_t n)
{
    struct iovec iov[SCRAP_IOVS + 4];
    ssize_t got = receive(s, iov, lay_out(s, spans, n_spans, n, iov), MSG_PEEK);

    if (got < 0 || (size_t)got != s->skip + n)
        return 0;
    s->skip += n;
    s->peeks++;
    return n;
}

/* Is the head of our queue an urgent byte? */
static bool at_mark(const struct stream *s)
{
    int n = 0;

    return ioctl(s->fd, SIOCATMARK, &n) == 0 && n;
}

/* Read n bytes of news, or n - 1 and a peek at the newest. Returns those that are in the spans now.
 */
static size_t take_by_read(struct stream *s, const struct iovec *spans, int n_spans, size_t n,
                           bool keep, bool urgent)
{
    struct iovec iov[SCRAP_IOVS + 4];
    size_t body = keep ? n - 1 : n, got_news;
    size_t n_iov = lay_out(s, spans, n_spans, body, iov);
    ssize_t got = n_iov ? receive(s, iov, n_iov, 0) : 0;

    if (got < 0)
        return 0;
    s->peeks = 0;
    if ((size_t)got < s->skip) { /* the queue has a seam: descriptors, urgent data */
        s->skip -= (size_t)got;
        return 0;
    }
    got_news = (size_t)got - s->skip;
    s->skip = 0;
    /* a byte that turns out to be urgent is taken alone, the next time */
    if (keep && got_news == body && (urgent || !at_mark(s))) {
        struct iovec last = {span_at(spans, body), 1};
        if (receive(s, &last, 1, MSG_PEEK) == 1) {
            s->skip = 1;
            got_news++;
        }
    }
    return got_news;
}

static bool commit(struct stream *s, size_t n, int flags)
{
    sock_trace(s->sock, TRACE_sendto, TRACE_WHY_none, (uint32_t)n, (uint32_t)s->skip, 0);
    if (sock_send_commit(s->sock, n, flags, s->all->now) != (ssize_t)n) {
        /* They have left the queue: a reset is better than a stream with a hole. */
        log_error("the core refused bytes that it had made room for: connection reset");
        stream_reset(s);
        return false;
    }
    s->taken += n;
    stats_add(STAT_streams_taken_bytes, n);
    return true;
}

/* One piece with one set of flags. `queued` is the news in the queue. Returns the bytes taken; 0:
 * not now. */
static size_t take_piece(struct stream *s, size_t queued, size_t budget)
{
    struct iovec spans[4];
    int n_spans = 0, flags;
    bool urgent = s->skip == 0 && at_mark(s);
    size_t want = run_of_flags(s, queued < budget ? queued : budget, &flags), n, before = s->skip;
    ssize_t room;

    if (urgent) {
        want = 1;
        flags |= MSG_OOB;
    }
    if (s->skip > (SCRAP_IOVS - 1) * STREAM_SCRAP) {
        stream_discard(s, s->skip - 1);
        before = s->skip;
    }
    room = sock_send_spans(s->sock, want, spans, &n_spans);
    if (room <= 0) {
        s->send_blocked = true; /* or an error, of which an event will tell */
        return 0;
    }
    if ((size_t)room < want)
        want = (size_t)room;
    n = 0;
    if (s->skip + want <= PEEK_BYTES && s->peeks < PEEK_COUNT && !s->hup)
        n = take_by_peek(s, spans, n_spans, want);
    if (n == 0)
        n = take_by_read(s, spans, n_spans, want, want == queued && !s->hup, urgent);
    if (n == 0)
        return before != s->skip ? SIZE_MAX : 0;
    /* The end follows at once: the FIN goes with the last bytes. */
    if (n == queued && (s->hup || s->fin_seen))
        flags |= MSG_MORE;
    return commit(s, n, flags) ? n : 0;
}

/* The conditions of take_little; of descriptors and urgent data only careful counting knows where
 * they are. */
static bool little_expected(const struct stream *s, size_t want)
{
    return !s->much && !s->urgent && s->all->rights_refused && !s->n_marks &&
           (s->hup || s->peeks < PEEK_COUNT) && want >= PEEK_BYTES / 4 &&
           sock_send_space(s->sock) >= want;
}

/*
 * What an event told of, when it is little, as it mostly is: without asking before how much there
 * is. True: that was all. What stops a receive early is the end of the queue, or an urgent byte,
 * which has an event of its own.
 */
static bool take_little(struct stream *s)
{
    struct iovec spans[4], iov[SCRAP_IOVS + 4];
    int n_spans = 0, flags = s->hup || s->fin_seen ? MSG_MORE : 0; /* the FIN follows at once */
    size_t want = s->skip < PEEK_BYTES ? PEEK_BYTES - s->skip : 0, news;
    ssize_t got;

    if (!little_expected(s, want) ||
        sock_send_spans(s->sock, want, spans, &n_spans) != (ssize_t)want)
        return false;
    got = receive(s, iov, lay_out(s, spans, n_spans, want, iov), s->hup ? 0 : MSG_PEEK);
    if (got < (ssize_t)s->skip)
        return false;
    news = (size_t)got - s->skip;
    s->much = news == want;
    if (s->hup)
        s->skip = 0;
    else if (s->much)
        return false;
    if (news && !commit(s, news, s->much ? 0 : flags))
        return true;
    if (s->much)
        return false;
    if (!s->hup)
        s->skip += news;
    s->peeks += news > 0;
    s->news = false;
    return true;
}

static void take_from_pair(struct stream *s)
{
    if (s->state != STREAM_OPEN || !s->news || s->send_blocked || take_little(s))
        return;
    stream_take_exactly(s);
}

void stream_take_exactly(struct stream *s)
{
    size_t budget = STREAM_TURN, queued;

    while ((queued = stream_queued(s)) > 0) {
        size_t n;

        if (budget == 0) {
            stats_add(STAT_streams_short_budget, 1);
            stream_again(s);
            return;
        }
        n = take_piece(s, queued, budget);
        if (n == 0)
            return;
        if (n != SIZE_MAX) {
            budget -= n;
            /* All that there was: a later arrival is an edge of its own. */
            if (n == queued) {
                s->much = s->much && n >= PEEK_BYTES;
                break;
            }
        }
    }
    s->news = false;
}

void stream_take(struct stream *s)
{
    if (s->state != STREAM_OPEN || !s->news || s->send_blocked)
        return;
    if (s->ring && ringport_is_alone(s->ring))
        s->news = false;
    else
        take_from_pair(s);
    if (s->ring && !s->news)
        ringport_take(s);
}

/* SPDX-License-Identifier: MIT */
/* What moves a stream: edges of our end of the pair, events of the core, its turn among the others.
 * Here it is decided which half has work to do; see stream.h. */
#include "daemon/stream.h"

#include "daemon/stats.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* --- which half has work to do -----------------------------------------------------------------
 */

/* The program closed, and its connection with it. */
static void abandon(struct stream *s)
{
    stats_add(STAT_streams_aborted, 1);
    stream_reset(s);
}

/* Everything that the program wrote is with the core, and more cannot come: pass on the end. */
static void pass_end(struct stream *s)
{
    if (s->hup || s->closing) {
        stream_end(s, s->hup ? STREAM_END_CLEAN : STREAM_END_ERROR, s->closing ? ECONNABORTED : 0);
    } else if (s->fin_seen && !s->fin_done) {
        s->fin_done = true;
        (void)sock_shutdown(s->sock, SHUT_WR, s->all->now);
    }
}

static bool nothing_readable(struct stream *s)
{
    struct iovec spans[4];
    int n;

    return !s->sock || sock_recv_spans(s->sock, spans, &n) == 0;
}

/* In the pair; with a ring an unread wake-up is no unread byte. */
static bool left_unread(struct stream *s)
{
    uint32_t early = s->ring ? ringport_early(s) : 0;

    return early != RING_EARLY_DONE && (early == RING_EARLY_MOVED || s->hup_error);
}

static void work_open(struct stream *s)
{
    /* Bytes that were left unread make closing a reset (RFC 1122 §4.2.2.13), as close(2) does. */
    if (s->hup && !s->hup_checked && left_unread(s)) {
        abandon(s);
        return;
    }
    stream_take(s);
    if (!s->hup || s->ring)
        stream_push(s);
    if (s->state == STREAM_ENDED)
        return;
    if (s->hup && !s->hup_checked && stream_never_accepted(s)) {
        abandon(s);
        return;
    }
    s->hup_checked = s->hup;
    if (s->finished && (s->hup || nothing_readable(s)))
        stream_end(s, STREAM_END_CLEAN, 0);
    else if (!s->news)
        pass_end(s);
}

static void work_dying(struct stream *s)
{
    if (!s->hup)
        stream_push(s);
    /* After the peer's end a reset says only that it does not read any more: EPIPE to who writes,
     * still an end of file to who reads, as in Linux. */
    if (s->hup || s->deaf || nothing_readable(s))
        stream_end(s, s->eof_done && s->error == EPIPE ? STREAM_END_CLEAN : STREAM_END_ERROR,
                   s->error);
}

void stream_work(struct stream *s)
{
    switch (s->state) {
    case STREAM_FRESH:
        if (s->hup || s->closing)
            stream_end(s, s->hup ? STREAM_END_CLEAN : STREAM_END_ERROR, 0);
        break;
    case STREAM_CONNECTING:
        if (s->hup || s->closing)
            stream_end(s, s->hup ? STREAM_END_CLEAN : STREAM_END_ERROR,
                       s->hup ? ECONNRESET : ECONNABORTED);
        break;
    case STREAM_LISTENING:
        if (s->hup || s->closing)
            stream_end(s, s->hup ? STREAM_END_CLEAN : STREAM_END_ERROR, 0);
        else
            stream_listen_work(s);
        break;
    case STREAM_OPEN:
        work_open(s);
        break;
    case STREAM_DYING:
        work_dying(s);
        break;
    default:
        break;
    }
}

void stream_ready(struct watch *w, uint32_t events)
{
    struct stream *s = (struct stream *)w;

    /* A hang-up is a close, except when both directions were shut down: then the program may still
     * be reading, and closing with unread bytes is an error (EPOLLERR). */
    if ((events & EPOLLERR) || ((events & EPOLLHUP) && (s->ring || !s->eof_done)))
        s->hup = true;
    if (events & EPOLLERR)
        s->hup_error = true;
    if (s->share && s->hup)
        s->hup_error = stream_share_error(s, s->hup_error);
    if (events & EPOLLPRI)
        s->urgent = true;
    /* with rings it was us: the program says so in a word */
    if ((events & EPOLLRDHUP) && !s->ring)
        s->fin_seen = true;
    s->news = true;
    s->push_blocked = false;
    if (s->held)
        stream_update_held(s);
    stream_work(s);
}

/* --- events of the core ------------------------------------------------------------------------
 */

static void die(struct stream *s)
{
    int error = sock_error(s->sock, s->state != STREAM_CONNECTING);

    if (s->state == STREAM_CONNECTING) {
        stream_connect_failed(s, error ? error : ECONNREFUSED);
        return;
    }
    s->error = error ? error : ECONNRESET;
    s->state = STREAM_DYING;
    if (s->ring)
        ringport_die(s, s->error);
}

void stream_event(struct streams *all, struct sock *sock, uint32_t events)
{
    struct stream *s = sock_user(sock);

    (void)all;
    if (!s || s->state == STREAM_ENDED)
        return;
    if (s->state == STREAM_LISTENING) {
        stream_listen_work(s);
        return;
    }
    if ((events & SOCK_EV_CONNECTED) && s->state == STREAM_CONNECTING)
        stream_connected(s);
    if ((events & SOCK_EV_ERROR) && s->state != STREAM_DYING)
        die(s);
    if (events & SOCK_EV_WRITABLE) {
        s->send_blocked = false;
        s->news |= s->ring != NULL; /* there is room to tell of */
    }
    if ((events & SOCK_EV_ACKED) && s->ring && s->state == STREAM_OPEN)
        ringport_tell_acked(s);
    if (events & SOCK_EV_CLOSED)
        s->finished = true;
    stream_work(s);
}

/* SPDX-License-Identifier: MIT */
/* Shared words ⇄ core: what the program has moved is taken, what the core has is shown. */
#include "daemon/log.h"
#include "daemon/ringport_internal.h"
#include "daemon/stats.h"

#include <poll.h>
#include <sys/socket.h>

static struct log_limit limit;

/* --- words ---------------------------------------------------------------------------------------
 */

static struct ring_way *shared_way(struct ringport *r, enum sock_way which)
{
    return which == SOCK_SENDS ? &r->words->send : &r->words->recv;
}

static void publish_layout(struct ringport *r, enum sock_way which)
{
    struct ring_way *way = shared_way(r, which), *own = &r->ways[which];

    own->generation += 2;
    STORE(way->generation, own->generation - 1);
    FULL_FENCE();
    way->boundary = own->boundary;
    way->size[0] = own->size[0];
    way->size[1] = own->size[1];
    STORE(way->limit, own->limit);
    STORE(way->generation, own->generation);
}

void ringport_publish(struct ringport *r, enum sock_way which, uint64_t limit_now)
{
    struct ring_way *own = &r->ways[which];
    struct sock_extents now;
    bool back = limit_now < own->limit;

    sock_extents(r->stream->sock, which, &now);
    if (!back && now.boundary == own->boundary && now.size[0] == own->size[0] &&
        now.size[1] == own->size[1]) {
        if (limit_now != own->limit)
            STORE(shared_way(r, which)->limit, limit_now);
        own->limit = limit_now;
        return;
    }
    own->boundary = now.boundary;
    own->size[0] = now.size[0];
    own->size[1] = now.size[1];
    own->limit = limit_now;
    publish_layout(r, which);
}

void ringport_set_state(struct ringport *r, uint32_t what, int error)
{
    r->state |= what;
    if (what & RING_ERROR)
        STORE(r->words->error, error);
    STORE(r->words->state, r->state);
}

void ringport_wake(struct ringport *r, uint32_t what)
{
    uint32_t ticket;

    FULL_FENCE();
    ticket = LOAD(r->words->ticket);
    if (ticket == r->answered || !(ticket & what))
        return;
    r->answered = ticket;
    stats_add(STAT_ring_wakeups, 1);
    (void)send(r->stream->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* More may be granted than the program has seen: it asks again for room that came before. */
static void tell_of_room(struct ringport *r)
{
    uint32_t ticket = LOAD(r->words->ticket);
    struct sock *sock = r->stream->sock;

    if (!(ticket & RING_FOR_SPACE) || ticket == r->answered || ticket == r->room_for || !sock)
        return;
    r->room_for = ticket;
    if (r->granted > LOAD(r->words->committed) && (sock_poll(sock) & POLLOUT))
        ringport_wake(r, RING_FOR_SPACE);
}

bool ringport_asks_for_acks(const struct ringport *r)
{
    uint32_t ticket = LOAD(r->words->ticket);

    return (ticket & RING_FOR_ACKS) && ticket != r->answered && ticket != r->acks_for &&
           r->stream->sock && r->stream->state == STREAM_OPEN;
}

void ringport_tell_acked(struct stream *s)
{
    struct ringport *r = s->ring;
    uint64_t acked = sock_acked(s->sock);
    uint32_t ticket = LOAD(r->words->ticket);

    if (r->ways[SOCK_SENDS].acked != acked) {
        r->ways[SOCK_SENDS].acked = acked;
        STORE(r->words->send.acked, acked);
    }
    if (!(ticket & RING_FOR_ACKS) || ticket == r->answered)
        return;
    r->acks_for = ticket;
    if (acked >= LOAD(r->words->ack_at))
        ringport_wake(r, RING_FOR_ACKS);
    else if (acked < sock_position(s->sock, SOCK_SENDS))
        sock_want_acked(s->sock);
}

uint32_t ringport_early(const struct stream *s)
{
    return LOAD(s->ring->words->begun);
}

static void violation(struct ringport *r)
{
    struct stream *s = r->stream;

    stats_add(STAT_ring_violations, 1);
    log_limited(&limit, LEVEL_WARNING, "user %u wrote nonsense into a ring: connection reset",
                s->owner.uid);
    stream_reset(s);
}

/* --- program → core ------------------------------------------------------------------------------
 */

/* What was written to the descriptor goes first. */
static bool opened(struct ringport *r)
{
    if (!r->open && stream_queued(r->stream) == 0) {
        r->open = true;
        r->granted = sock_position(r->stream->sock, SOCK_SENDS);
    }
    return r->open;
}

/* Bytes that are committed and not with the core; SIZE_MAX: that cannot be. */
static size_t news(const struct ringport *r, uint64_t at)
{
    uint64_t committed = LOAD(r->words->committed);

    if (committed < at || committed > r->granted)
        return SIZE_MAX;
    return (size_t)(committed - at);
}

static bool commit(struct ringport *r, size_t n)
{
    struct stream *s = r->stream;
    int flags = LOAD(r->words->more) ? MSG_MORE : SOCK_SEND_BATCH;

    sock_trace(s->sock, TRACE_ring_commit, TRACE_WHY_none, (uint32_t)n, 0, 0);
    if (sock_send_commit(s->sock, n, flags, s->all->now) != (ssize_t)n) {
        log_error("the core refused bytes that it had made room for: connection reset");
        stream_reset(s);
        return false;
    }
    s->taken += n;
    stats_add(STAT_streams_taken_bytes, n);
    return true;
}

static void grant(struct ringport *r)
{
    struct sock *sock = r->stream->sock;

    r->granted = sock_send_grant(sock, r->granted);
    ringport_publish(r, SOCK_SENDS, r->granted);
    if (r->granted > sock_position(sock, SOCK_SENDS) && (sock_poll(sock) & POLLOUT))
        ringport_wake(r, RING_FOR_SPACE);
}

void ringport_take(struct stream *s)
{
    struct ringport *r = s->ring;
    size_t n;

    if (s->fin_seen || !opened(r)) /* behind the end there is nothing */
        return;
    s->send_blocked = !sock_send_ready(s->sock);
    if (s->send_blocked) {
        s->news = true; /* the end must wait for what is committed */
        return;
    }
    n = news(r, sock_position(s->sock, SOCK_SENDS));
    if (n == SIZE_MAX) {
        violation(r);
        return;
    }
    if (n > STREAM_TURN) {
        n = STREAM_TURN;
        s->news = true;
        stream_again(s);
    } else {
        if (LOAD(r->words->ask) & RING_SHUT_WR) {
            n = news(r, sock_position(s->sock, SOCK_SENDS)); /* it may have been committed since */
            if (n == SIZE_MAX) {
                violation(r);
                return;
            }
            s->fin_seen = true;
            stream_again(s); /* a request may have been in front of the stream's turn */
        }
    }
    if (n && !commit(r, n))
        return;
    if (!s->fin_seen)
        grant(r);
    ringport_tell_acked(s);
}

/* --- core → program ------------------------------------------------------------------------------
 */

bool ringport_take_back(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t at = sock_position(s->sock, SOCK_RECEIVES), consumed = LOAD(r->words->consumed);

    if (consumed < at || consumed > r->shown) {
        violation(r);
        return false;
    }
    if (consumed > at)
        sock_recv_consume(s->sock, (size_t)(consumed - at), s->held, s->all->now);
    return true;
}

/* Consuming less than a quarter of the window is no news to the peer. */
static void set_tell_at(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t at = sock_position(s->sock, SOCK_RECEIVES), tell_at = at, consumed;
    bool lower;

    if (!(r->state & (RING_EOF | RING_ERROR)))
        tell_at = at + sock_recv_room(s->sock) / 4 + 1;
    if (r->tell_at == tell_at)
        return;
    lower = tell_at < r->tell_at;
    r->tell_at = tell_at;
    STORE(r->words->tell_at, tell_at);
    if (!lower)
        return;
    FULL_FENCE(); /* the program may just have come to the new one, and looked at the old one */
    consumed = LOAD(r->words->consumed);
    if (consumed >= tell_at && consumed != at)
        stream_again(s);
}

static void show(struct ringport *r)
{
    struct stream *s = r->stream;
    uint64_t before = r->shown;
    bool eof = sock_peer_closed(s->sock) && !(r->state & RING_EOF);

    r->shown = sock_arrived(s->sock);
    ringport_publish(r, SOCK_RECEIVES, r->shown);
    if (eof) {
        s->eof_done = true;
        ringport_set_state(r, RING_EOF, 0);
    }
    set_tell_at(r);
    if (r->shown != before) {
        stats_add(STAT_streams_pushed_bytes, r->shown - before);
        sock_trace(s->sock, TRACE_ring_show, TRACE_WHY_none, (uint32_t)(r->shown - before),
                   (uint32_t)sock_inq(s->sock), 0);
    }
    if (eof || (r->shown != before && sock_readable(s->sock)))
        ringport_wake(r, RING_FOR_DATA);
}

/* Who sees the error has seen the limit before: it is shown first. */
void ringport_die(struct stream *s, int error)
{
    if (!s->deaf)
        show(s->ring);
    ringport_set_state(s->ring, RING_ERROR, error);
    ringport_wake(s->ring, RING_FOR_DATA | RING_FOR_SPACE | RING_FOR_ACKS);
}

void ringport_push(struct stream *s)
{
    struct ringport *r = s->ring;

    if (!s->deaf && !ringport_take_back(r))
        return;
    if (!s->deaf && (LOAD(r->words->ask) & RING_SHUT_RD) && s->state == STREAM_OPEN) {
        s->deaf = true;
        (void)sock_shutdown(s->sock, SHUT_RD, s->all->now);
    }
    if (s->deaf)
        stream_drop_all(s);
    else
        show(r);
    if (!r->awake) { /* it has storage again, and its time begins anew */
        ringport_rest(r, false);
        ringport_rest(r, true);
    }
}

/* --- all that are awake --------------------------------------------------------------------------
 */

/* Has the program moved a word that matters? */
static bool has_work(const struct ringport *r)
{
    const struct ring_words *w = r->words;
    const struct stream *s = r->stream;
    uint64_t consumed;

    bool takes = s->state == STREAM_OPEN && r->open && !s->send_blocked && !s->fin_seen;

    if (takes &&
        (LOAD(w->committed) != sock_position(s->sock, SOCK_SENDS) || (LOAD(w->ask) & RING_SHUT_WR)))
        return true;
    consumed = LOAD(w->consumed);
    if (consumed >= r->tell_at && consumed != sock_position(s->sock, SOCK_RECEIVES) && !s->deaf)
        return true;
    return s->state == STREAM_OPEN && (LOAD(w->ask) & RING_SHUT_RD) && !s->deaf;
}

unsigned ringports_run(struct streams *all)
{
    struct ringport *r, *next;
    unsigned n = 0;

    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (!r->awake) /* ended with one before it */
            break;
        if (ringport_asks_for_acks(r))
            ringport_tell_acked(r->stream);
        tell_of_room(r);
        if (!r->stream->sock || !has_work(r))
            continue;
        r->stream->news = true;
        stream_work(r->stream);
        n++;
    }
    return n;
}

bool ringports_sleep(struct streams *all)
{
    struct ringport *r, *next;
    bool work = false;

    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        STORE(r->words->sleeps, 1);
    }
    FULL_FENCE();
    for (r = TAILQ_FIRST(&all->awake); r; r = next) {
        next = TAILQ_NEXT(r, link);
        if (ringport_asks_for_acks(r) || (r->stream->sock && has_work(r))) {
            STORE(r->words->sleeps, 0);
            work = true;
        } else {
            ringport_fall_asleep(r);
        }
    }
    return work;
}

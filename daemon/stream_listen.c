/* SPDX-License-Identifier: MIT */
/*
 * A listener's pair carries records: a struct wire_accept and the connection's descriptor. What a
 * record adds to SIOCOUTQ is fixed, so the records that no program has received yet can be counted;
 * the core counts them as backlog. While they are few they are counted when the next connection
 * comes; only of a crowded listener each record that is received is an event. Connections whose
 * record was never received are reset when the listener is closed, as a kernel does.
 */
#include "daemon/stream.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "daemon/workers.h"
#include "ipc/fdpass.h"
#include "ipc/memo.h"
#include "ipc/name.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORDS_MAX 128
#define STARVED_TRY 8

static struct log_limit limit;

static int memory_queued(int fd)
{
    int n = 0;

    return ioctl(fd, SIOCOUTQ, &n) < 0 || n < 0 ? 0 : n;
}

int stream_listen_probe(struct streams *all)
{
    struct wire_accept record = {.magic = WIRE_MAGIC};
    int fds[2], sndbuf = STREAM_OUR_SNDBUF, rc = 0;
    socklen_t len = sizeof(sndbuf);

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, len);
    (void)getsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, &len);
    if (fdpass_send(fds[0], &record, sizeof(record), fds[0], MSG_DONTWAIT) != sizeof(record))
        rc = -errno;
    all->record_cost = memory_queued(fds[0]);
    close(fds[0]);
    close(fds[1]);
    if (rc < 0 || all->record_cost <= 0)
        return rc < 0 ? rc : -EPROTO;
    /* Below a quarter of the buffer each record that is received makes an EPOLLOUT edge. */
    all->record_max = (uint32_t)(sndbuf / 4 / all->record_cost);
    if (all->record_max > RECORDS_MAX)
        all->record_max = RECORDS_MAX;
    return all->record_max ? 0 : -ENOBUFS;
}

/* The backlog, as far as it matters here. */
static uint32_t records_allowed(const struct stream *l)
{
    return l->backlog < 0 || l->backlog > RECORDS_MAX ? RECORDS_MAX : (uint32_t)l->backlog;
}

int stream_listen(struct stream *s, int fd, int backlog)
{
    struct ip_endpoint local;
    int rc = s->sock ? sock_listen(s->sock, backlog, s->all->now) : -EINVAL;

    if (rc == -EADDRINUSE && sock_getsockname(s->sock, &local) == 0 &&
        stream_reclaim_port(s->all, local.port))
        rc = sock_listen(s->sock, backlog, s->all->now);
    if (rc < 0)
        return rc;
    s->backlog = backlog;
    if (s->share)
        stream_share_backlog(s, backlog);
    if (s->state == STREAM_FRESH) {
        s->state = STREAM_LISTENING;
        TAILQ_INSERT_TAIL(&s->all->listeners, s, listener_link);
        stream_big_buffer(s); /* record_max counts on it */
        rc = s->all->workers ? stream_share_begin(s) : 0;
        if (rc < 0) {
            stream_reset(s); /* half a listener would be worse */
            return rc;
        }
        /* A listener is not writable, and a write to it is EPIPE. */
        filler_fill(&s->all->filler, fd);
        (void)shutdown(fd, SHUT_WR);
    }
    rc = name_mark(fd, NAME_LISTENER);
    if (rc == 0 && sock_getsockname(s->sock, &local) == 0)
        rc = stream_name(fd, &local, NULL);
    return rc;
}

/* --- for the time after us ----------------------------------------------------------------------
 */

/* Its value, where that is not a fresh socket's. */
static bool was_set(struct stream *s, struct sock *fresh, const struct memo_option *o,
                    uint8_t value[MEMO_VALUE_MAX], size_t *len)
{
    uint8_t other[MEMO_VALUE_MAX];
    size_t other_len = sizeof(other);
    int n;

    *len = MEMO_VALUE_MAX;
    if (sock_getsockopt(s->sock, o->level, o->name, value, len, s->all->now) < 0 ||
        sock_getsockopt(fresh, o->level, o->name, other, &other_len, s->all->now) < 0 ||
        (*len == other_len && memcmp(value, other, *len) == 0))
        return false;
    if (o->doubled) {
        memcpy(&n, value, sizeof(n));
        n /= 2;
        memcpy(value, &n, sizeof(n));
    }
    return true;
}

void stream_listen_remember(struct stream *s)
{
    struct sock *fresh;
    struct memo m;
    uint64_t id;

    if (s->remembered || !s->sock || getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id) ||
        sock_create(s->all->stack, s->v6, &fresh) < 0)
        return;
    s->remembered = true;
    memo_begin(&m, id, s->backlog);
    for (size_t i = 0; i < memo_n_options; i++) {
        uint8_t value[MEMO_VALUE_MAX];
        size_t len;

        if (was_set(s, fresh, &memo_options[i], value, &len))
            (void)memo_add(&m, i, value, len);
    }
    sock_close(fresh, s->all->now);
    (void)bind(s->fd, (struct sockaddr *)&m.name, m.len); /* best effort */
}

/* --- which records were received ---------------------------------------------------------------
 */

static uint64_t records_sent(const struct stream *l)
{
    return l->share ? stream_share_sent(l) : l->records_sent;
}

static void refresh(struct stream *l)
{
    struct stream *child;
    uint64_t sent;
    uint32_t queued;

    if (TAILQ_EMPTY(&l->in_flight) && !l->share)
        return;
    sent = records_sent(l); /* before the queue is asked: others send too */
    queued = (uint32_t)(memory_queued(l->fd) / l->all->record_cost);
    if (queued > sent)
        queued = (uint32_t)sent;
    while ((child = TAILQ_FIRST(&l->in_flight)) != NULL && child->record < sent - queued)
        stream_leave_listener(child);
    l->records_queued = queued;
    if (l->share)
        stream_share_queued(l, queued);
}

void stream_leave_listener(struct stream *s)
{
    struct stream *l = s->listener;

    if (l && l->parked == s) {
        l->parked = NULL;
        close(l->parked_fd);
        l->parked_fd = -1;
    } else if (l) {
        TAILQ_REMOVE(&l->in_flight, s, flight_link);
    }
    s->listener = NULL;
}

static bool program_gone(int fd)
{
    struct pollfd p = {.fd = fd};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR));
}

/* Frames and what programs do come by two ways: in front of a SYN may be the bytes that a program
 * sent after it had closed this, and its peer must find nobody. */
bool stream_listen_abandoned(void *unused, const struct sock *listener)
{
    const struct stream *s = sock_user(listener);

    (void)unused;
    return s && program_gone(s->fd);
}

bool stream_never_accepted(struct stream *s)
{
    /* Who has written has accepted. */
    if ((!s->listener && !s->doubtful) || s->taken > 0 || stream_queued(s) > 0)
        return false;
    /* A listener that was closed does not tell any more. */
    if (s->listener && !program_gone(s->listener->fd))
        refresh(s->listener);
    else if (s->listener)
        s->doubtful = true;
    return s->doubtful;
}

void stream_listen_end(struct stream *l)
{
    struct stream *child;

    if (l->parked)
        stream_reset(l->parked);
    /* Closing with records unread is an error. When it was none, the queue tells the truth. */
    if (!l->hup_error)
        refresh(l);
    while ((child = TAILQ_FIRST(&l->in_flight)) != NULL) {
        stream_leave_listener(child);
        child->doubtful = true;
    }
}

/* --- handing out -------------------------------------------------------------------------------
 */

static int send_alone(struct stream *l, const struct wire_accept *record, int fd, uint64_t *number)
{
    ssize_t n = fdpass_send(l->fd, record, sizeof(*record), fd, MSG_DONTWAIT);

    if (n != (ssize_t)sizeof(*record))
        return n < 0 ? (int)n : -EIO;
    *number = l->records_sent++;
    return 0;
}

static int send_record(struct stream *l, struct stream *child, int fd)
{
    struct wire_accept record = {.magic = WIRE_MAGIC};
    struct ip_endpoint local, remote;
    int rc;

    if (sock_getsockname(child->sock, &local) == 0)
        stream_to_wire(&local, &record.local);
    if (sock_getpeername(child->sock, &remote) == 0)
        stream_to_wire(&remote, &record.remote);
    rc = l->share ? stream_share_send(l, &record, fd, &child->record)
                  : send_alone(l, &record, fd, &child->record);
    if (rc < 0)
        return rc;
    l->records_queued++;
    child->listener = l;
    TAILQ_INSERT_TAIL(&l->in_flight, child, flight_link);
    return 0;
}

static void park(struct stream *l, struct stream *child, int fd)
{
    child->listener = l;
    l->parked = child;
    l->parked_fd = fd;
}

static bool send_parked(struct stream *l)
{
    struct stream *child = l->parked;
    int fd = l->parked_fd;

    if (!child)
        return true;
    if (send_record(l, child, fd) < 0)
        return false;
    l->parked = NULL;
    l->parked_fd = -1;
    close(fd);
    return true;
}

/* Make a descriptor for a connection that the core has accepted, and send it. False: no more for
 * now. */
static bool hand_out(struct stream *l, struct sock *sock)
{
    struct streams *all = l->all;
    struct ip_endpoint local, remote;
    struct stream *child;
    int fd, rc = stream_new(all, sock, l->v6, l->owner, &child, &fd);

    if (rc < 0) {
        log_limited(&limit, LEVEL_WARNING, "a connection is reset: no descriptor for it (%d)", -rc);
        sock_abort(sock, all->now);
        return false;
    }
    stream_listen_remember(l); /* servers set up what they listen with before they accept */
    child->state = STREAM_OPEN;
    stream_inherit_options(child, fd);
    if (sock_getsockname(sock, &local) == 0 && sock_getpeername(sock, &remote) == 0)
        (void)stream_name(child->fd, &local, &remote);
    stream_again(child);
    rc = send_record(l, child, fd);
    if (rc < 0) {
        park(l, child, fd);
        return false;
    }
    close(fd);
    return true;
}

static void accept_more(struct stream *l)
{
    struct streams *all = l->all;

    if (all->stopping || !send_parked(l))
        return;
    while (l->records_queued < all->record_max) {
        struct sock *sock;

        l->starved = !policy_has_room(all->policy, &l->owner);
        if (l->starved) {
            all->starved = true;
            workers_starve(all);
            l->starved = !policy_has_room(all->policy, &l->owner); /* who gave did not see us yet */
        }
        if (l->starved) {
            stats_add(STAT_accept_starved, 1);
        }
        if (l->starved || sock_accept(l->sock, &sock, all->now) < 0 || !hand_out(l, sock))
            return;
    }
}

/* Half full: from there on each record that is received counts. */
static bool crowded(const struct stream *l)
{
    return l->parked || 2 * l->records_queued >= l->all->record_max ||
           2 * l->records_queued >= records_allowed(l);
}

void stream_listen_work(struct stream *s)
{
    uint32_t before = s->records_queued;

    refresh(s);
    accept_more(s);
    if (s->state != STREAM_LISTENING)
        return;
    stream_watch_reader(s, crowded(s));
    if (s->records_queued != before || s->parked)
        sock_accept_held(s->sock, s->records_queued + (s->parked != NULL));
}

void streams_feed_starved(struct streams *all)
{
    int tries = STARVED_TRY;
    struct stream *l;

    if (!all->starved)
        return;
    all->starved = false;
    for (l = TAILQ_FIRST(&all->listeners); l; l = TAILQ_NEXT(l, listener_link)) {
        if (!l->starved)
            continue;
        if (tries-- == 0) {
            all->starved = true;
            return;
        }
        stream_again(l);
    }
}

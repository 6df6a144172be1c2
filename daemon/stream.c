/* SPDX-License-Identifier: MIT */
/*
 * Making, watching and ending one stream; see stream.h.
 * Our ends are always readable because of the kept byte, so they are watched edge-triggered: each
 * arrival, a shutdown and a close are edges, and each message that the program has read to its end
 * where that matters (tests/platform/kept_byte_edges.c): else a request would wake us twice, when
 * it is read and when it is answered.
 */
#include "daemon/stream.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "daemon/workers.h"
#include "ipc/name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* Linux 6.16 */
#endif

#define EDGES (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET)

static int set_int(int fd, int option, int value)
{
    return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int stream_probe(struct streams *all)
{
    int fds[2], value = 0;
    socklen_t len = sizeof(value);

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    all->rights_refused = set_int(fds[0], SO_PASSRIGHTS, 0) == 0;
    (void)set_int(fds[1], SO_SNDBUF, STREAM_SNDBUF);
    if (getsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &value, &len) == 0 && value < 2 * 160 * 1024)
        log_warning("net.core.wmem_max is below 160 KiB: programs may wait for POLLOUT in vain");
    close(fds[0]);
    close(fds[1]);
    return stream_listen_probe(all);
}

/* --- one of them -------------------------------------------------------------------------------
 */

/* From here on our end has an unread byte, and says whose it is. */
static int prepare(struct streams *all, const int fds[2], bool v6, uint64_t *cookie)
{
    socklen_t len = sizeof(*cookie);
    int rc;

    if (getsockopt(fds[1], SOL_SOCKET, SO_COOKIE, cookie, &len) < 0)
        return -errno;
    (void)set_int(fds[1], SO_SNDBUF, STREAM_SNDBUF);
    /* Out-of-band bytes stay in the line: the arithmetic of the queue relies on it. */
    (void)set_int(fds[0], SO_OOBINLINE, 1);
    if (all->rights_refused)
        (void)set_int(fds[0], SO_PASSRIGHTS, 0);
    rc = name_mark_family(fds[1], NAME_SOCKET, v6);
    if (rc == 0 && send(fds[1], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1)
        rc = -errno;
    return rc;
}

void stream_big_buffer(struct stream *s)
{
    if (!s->big)
        (void)set_int(s->fd, SO_SNDBUF, STREAM_OUR_SNDBUF);
    s->big = true;
}

static bool oob_inline(const struct stream *s)
{
    int on = 0;
    size_t len = sizeof(on);

    return s->sock &&
           sock_getsockopt(s->sock, SOL_SOCKET, SO_OOBINLINE, &on, &len, s->all->now) == 0 && on;
}

void stream_mirror_options(const struct stream *s, int fd)
{
    (void)set_int(fd, SO_OOBINLINE, oob_inline(s));
}

void stream_inherit_options(const struct stream *s, int fd)
{
    if (oob_inline(s))
        stream_mirror_options(s, fd);
}

static int start(struct streams *all, struct stream *s, const int fds[2])
{
    int rc = prepare(all, fds, s->v6, &s->cookie);
    struct stat st;

    if (rc == 0 && fstat(fds[1], &st) == 0)
        s->inode = st.st_ino;
    if (rc == 0)
        rc = cookies_put(&all->cookies, s->cookie, s);
    if (rc < 0)
        return rc;
    rc = workers_note(all, s->cookie);
    if (rc == 0)
        rc = poller_add(all->poller, s->fd, EDGES, &s->watch);
    if (rc < 0) {
        workers_forget(all, s->cookie);
        cookies_remove(&all->cookies, s->cookie);
    }
    return rc;
}

void stream_watch_reader(struct stream *s, bool on)
{
    if (s->watched != on &&
        poller_change(s->all->poller, s->fd, on ? EDGES | EPOLLOUT : EDGES, &s->watch) == 0)
        s->watched = on;
}

void stream_refresh(struct stream *s)
{
    if (s->state == STREAM_LISTENING)
        stream_listen_work(s);
    else if (s->held)
        stream_update_held(s);
}

static struct stream *stream_alloc(struct streams *all, struct sock *sock, bool v6, int fd)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->watch.ready = stream_ready;
    s->all = all;
    s->sock = sock;
    s->v6 = v6;
    s->fd = fd;
    s->skip = 1; /* the marker */
    s->parked_fd = -1;
    TAILQ_INIT(&s->waiters);
    TAILQ_INIT(&s->in_flight);
    return s;
}

static int charge(struct sock *sock, const struct policy_owner *owner)
{
    return sock_set_quota(sock, owner->uid, rights_memory(owner->rights));
}

static void enlist(struct stream *s, const struct policy_owner *owner)
{
    s->owner = *owner;
    sock_set_owner(s->sock, owner->uid);
    sock_set_user(s->sock, s);
    TAILQ_INSERT_TAIL(&s->all->list, s, link);
    s->all->count++;
}

int stream_around(struct streams *all, struct sock *sock, const struct stream *like, int fd,
                  struct stream **out)
{
    int rc = charge(sock, &like->owner);
    struct stream *s = rc < 0 ? NULL : stream_alloc(all, sock, like->v6, fd);

    if (rc == 0 && !s)
        rc = -ENOMEM;
    if (rc == 0)
        rc = poller_add(all->poller, fd, EDGES, &s->watch);
    if (rc < 0) {
        free(s);
        return rc;
    }
    s->skip = like->skip;
    s->news = true;
    enlist(s, &like->owner);
    *out = s;
    return 0;
}

static void leave_lists(struct stream *s)
{
    struct streams *all = s->all;

    if (s->ready)
        TAILQ_REMOVE(&all->ready, s, ready_link);
    s->ready = false;
    if (s->state == STREAM_LISTENING)
        TAILQ_REMOVE(&all->listeners, s, listener_link);
    TAILQ_REMOVE(&all->list, s, link);
    all->count--;
}

static void moved_release(struct watch *w)
{
    free(w);
}

/* Its end, its cookie, its place among the user's sockets go along. */
static void take_place(struct stream *old, struct stream *s)
{
    struct streams *from = old->all;

    s->cookie = old->cookie;
    s->marks = old->marks;
    s->n_marks = old->n_marks;
    s->urgent = old->urgent;
    s->hup = old->hup;
    s->hup_error = old->hup_error;
    s->fin_seen = old->fin_seen;
    old->marks = NULL;
    cookies_remove(&from->cookies, old->cookie);
    leave_lists(old);
    old->state = STREAM_ENDED;
    old->sock = NULL;
    old->fd = -1;
    poller_retire(from->poller, &old->watch, moved_release);
    stream_again(s);
}

/* Only what has no connection yet moves: a socket with options and, perhaps, a port. */
int stream_move(struct stream *s, struct streams *to, struct stream **out)
{
    struct stream *moved;
    struct sock *sock;
    int rc = s->state == STREAM_FRESH && s->sock
                 ? sock_duplicate(s->sock, to->stack, &sock, to->now)
                 : -EINVAL;

    if (rc < 0)
        return rc;
    rc = cookies_put(&to->cookies, s->cookie, s);
    poller_remove(s->all->poller, s->fd);
    if (rc == 0)
        rc = stream_around(to, sock, s, s->fd, &moved);
    if (rc < 0) {
        cookies_remove(&to->cookies, s->cookie);
        (void)poller_add(s->all->poller, s->fd, EDGES, &s->watch);
        sock_close(sock, to->now);
        return rc;
    }
    (void)cookies_put(&to->cookies, s->cookie, moved);
    (void)workers_note(to, s->cookie); /* there is an entry: no memory is needed */
    sock_set_user(s->sock, NULL);
    sock_close(s->sock, s->all->now);
    take_place(s, moved);
    *out = moved;
    return 0;
}

int stream_new(struct streams *all, struct sock *sock, bool v6, struct policy_owner owner,
               struct stream **out, int *program_fd)
{
    struct stream *s = NULL;
    int fds[2], rc;

    rc = policy_take_socket(all->policy, &owner);
    if (rc < 0)
        return rc;
    rc = charge(sock, &owner);
    if (rc < 0)
        goto refuse;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        rc = -errno;
        goto refuse;
    }
    s = stream_alloc(all, sock, v6, fds[0]);
    rc = s ? start(all, s, fds) : -ENOMEM;
    if (rc < 0) {
        close(fds[0]);
        close(fds[1]);
        goto refuse;
    }
    enlist(s, &owner);
    stats_add(STAT_streams_made, 1);
    *out = s;
    *program_fd = fds[1];
    return 0;

refuse:
    free(s);
    policy_give_socket(all->policy, owner.uid);
    return rc;
}

/* The pair is shut both ways, or its other end closed: when ours closes makes no difference there.
 */
static bool both_ended(const struct stream *s)
{
    return s->hup || (s->eof_done && s->fin_seen);
}

/* Its place among the user's sockets, when its descriptor is free again. */
static void give_back(struct stream *s)
{
    if (s->replica)
        policy_give_spare(s->all->policy, 1);
    else
        policy_give_socket(s->all->policy, s->owner.uid);
    streams_feed_starved(s->all);
    workers_feed(s->all);
}

static void stream_release(struct watch *w)
{
    struct stream *s = (struct stream *)w;

    if (s->fd >= 0) {
        close(s->fd);
        give_back(s);
    }
    free(s->marks);
    free(s);
}

/*
 * Closing takes the descriptor out of the epoll instance. When the program has ended too, nobody
 * waits for it: it comes last in the round, with all others, because each close(2) of an AF_UNIX
 * socket wakes the kernel's garbage collector while any descriptor is under way anywhere.
 */
static void close_end(struct stream *s, enum stream_end how)
{
    if (stream_holds_rights(s)) {
        poller_remove(s->all->poller, s->fd);
        reaper_close(s->all->reaper, s->fd, s->owner.uid);
    } else if (how == STREAM_END_CLEAN && both_ended(s)) {
        return;
    } else {
        close(s->fd);
    }
    s->fd = -1;
}

static void bury(struct stream *s, int error)
{
    struct sock *kept = s->anew && !s->all->stopping ? s->sock : NULL;

    if (s->hup || s->replica)
        return;
    if (kept) {
        sock_retire(kept);
        s->sock = NULL;
    }
    tombstone_put(&s->all->tombs, s->cookie, error, kept, s->all->now);
}

/* Nothing may be added meanwhile. After both have ended nothing can, and what is left is known when
 * all was taken. */
static void empty_queue(struct stream *s)
{
    size_t left = SIZE_MAX;

    if (!both_ended(s))
        (void)shutdown(s->fd, SHUT_RDWR);
    else if (s->state == STREAM_OPEN && !s->news)
        left = s->skip;
    stream_discard(s, left);
}

void stream_end(struct stream *s, enum stream_end how, int error)
{
    struct streams *all = s->all;

    if (s->state == STREAM_ENDED)
        return;
    if (how == STREAM_END_CLEAN) {
        empty_queue(s);
    } else if (!s->hup) {
        stats_add(STAT_streams_errors, 1);
    }
    stream_answer(s, error ? error : ECONNABORTED);
    stream_leave_listener(s);
    if (s->state == STREAM_LISTENING)
        stream_listen_end(s);
    if (s->share)
        stream_share_leave(s);
    if (s->ring)
        ringport_end(s, error);
    leave_lists(s);
    s->state = STREAM_ENDED;
    if (!s->replica) {
        cookies_remove(&all->cookies, s->cookie);
        workers_forget(all, s->cookie);
    }
    bury(s, error);
    close_end(s, how);
    if (s->sock) {
        sock_set_user(s->sock, NULL);
        sock_close(s->sock, all->now);
        s->sock = NULL;
    }
    if (s->fd < 0)
        give_back(s);
    poller_retire(all->poller, &s->watch, stream_release);
}

void stream_reset(struct stream *s)
{
    if (s->sock) {
        sock_set_user(s->sock, NULL);
        sock_abort(s->sock, s->all->now);
        s->sock = NULL;
    }
    stream_end(s, STREAM_END_ERROR, ECONNRESET);
}

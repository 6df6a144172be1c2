/* SPDX-License-Identifier: MIT */
/*
 * A listener with several workers: each of them has one of its own for the same port, with a SYN
 * queue of its own, and sends what it accepts into the same pair through its own copy of our end. A
 * record goes in whole, so the program sees one queue; each worker counts it anew when it accepts,
 * so the backlog is one for all. The listener that the program's descriptor leads to is the first;
 * the others are its replicas: no cookie leads to them, nobody pays for them.
 */
#include "daemon/stream.h"
#include "daemon/workers.h"
#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream_share {
    pthread_mutex_t lock;           /* sending a record gives it its number */
    uint64_t sent;                  /* atomic */
    bool error;                     /* atomic: our end was closed with records unread */
    struct sock_backlog backlog;    /* held: records in the pair, as last counted or sent */
    unsigned users;                 /* atomic */
    struct stream *at[WORKERS_MAX]; /* each of its worker alone */
};

static void put(struct stream_share *sh)
{
    if (__atomic_sub_fetch(&sh->users, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&sh->lock);
    free(sh);
}

static void join(struct stream *s, struct stream_share *sh)
{
    s->share = sh;
    sh->at[s->all->index] = s;
    sock_share_backlog(s->sock, &sh->backlog);
    __atomic_fetch_add(&sh->users, 1, __ATOMIC_RELAXED);
}

void stream_share_leave(struct stream *s)
{
    s->share->at[s->all->index] = NULL;
    if (s->sock)
        sock_share_backlog(s->sock, NULL);
    put(s->share);
    s->share = NULL;
}

/* With this worker's stack, which is held. */
static int replicate(struct stream *s, struct streams *all)
{
    int fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0), rc = fd < 0 ? -errno : 0;
    struct sock *sock = NULL;
    struct stream *r;

    if (rc == 0)
        rc = sock_replicate(s->sock, all->stack, &sock, all->now);
    if (rc == 0)
        rc = stream_around(all, sock, s, fd, &r);
    if (rc < 0) {
        if (sock)
            sock_close(sock, all->now);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    r->replica = true;
    r->state = STREAM_LISTENING;
    r->backlog = s->backlog;
    r->big = true;
    TAILQ_INSERT_TAIL(&all->listeners, r, listener_link);
    join(r, s->share);
    return 0;
}

int stream_share_begin(struct stream *s)
{
    struct streams *home = workers_home(s->all);
    unsigned n = workers_count(home);
    int rc = 0;

    s->share = calloc(1, sizeof(*s->share));
    if (!s->share)
        return -ENOMEM;
    pthread_mutex_init(&s->share->lock, NULL);
    join(s, s->share);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        struct streams *all;

        if (i == s->all->index)
            continue;
        rc = policy_take_spare(s->all->policy, 1);
        if (rc < 0)
            break;
        all = workers_hold(home, i);
        rc = replicate(s, all);
        workers_release(all);
        if (rc < 0)
            policy_give_spare(s->all->policy, 1);
    }
    if (rc < 0)
        stream_share_recall(s);
    return rc;
}

/* With each replica, its worker held. */
static void each_replica(struct stream *s, void (*what)(struct stream *r, void *ctx), void *ctx)
{
    struct streams *home = workers_home(s->all);
    struct stream_share *sh = s->share;

    for (unsigned i = 0; sh && i < workers_count(home); i++) {
        struct streams *all;

        if (i == s->all->index)
            continue;
        all = workers_hold(home, i);
        if (sh->at[i])
            what(sh->at[i], ctx);
        workers_release(all);
    }
}

static void set_backlog(struct stream *r, void *ctx)
{
    r->backlog = *(int *)ctx;
    (void)sock_listen(r->sock, r->backlog, r->all->now);
}

void stream_share_backlog(struct stream *s, int backlog)
{
    each_replica(s, set_backlog, &backlog);
}

struct option {
    int level, name;
    const void *value;
    size_t len;
};

static void set_option(struct stream *r, void *ctx)
{
    const struct option *o = ctx;

    (void)sock_setsockopt(r->sock, o->level, o->name, o->value, o->len, r->all->now);
}

void stream_share_option(struct stream *s, int level, int name, const void *value, size_t len)
{
    struct option o = {level, name, value, len};

    each_replica(s, set_option, &o);
}

static void end_replica(struct stream *r, void *ctx)
{
    (void)ctx;
    stream_reset(r);
}

void stream_share_recall(struct stream *s)
{
    each_replica(s, end_replica, NULL);
}

bool stream_share_error(struct stream *s, bool error)
{
    if (error)
        __atomic_store_n(&s->share->error, true, __ATOMIC_RELEASE);
    return __atomic_load_n(&s->share->error, __ATOMIC_ACQUIRE);
}

uint64_t stream_share_sent(const struct stream *s)
{
    return __atomic_load_n(&s->share->sent, __ATOMIC_ACQUIRE);
}

void stream_share_queued(struct stream *s, uint32_t n)
{
    __atomic_store_n(&s->share->backlog.held, n, __ATOMIC_RELAXED);
}

int stream_share_send(struct stream *s, const struct wire_accept *record, int fd, uint64_t *number)
{
    struct stream_share *sh = s->share;
    ssize_t n;

    pthread_mutex_lock(&sh->lock);
    n = fdpass_send(s->fd, record, sizeof(*record), fd, MSG_DONTWAIT);
    *number = sh->sent;
    if (n == (ssize_t)sizeof(*record)) {
        __atomic_store_n(&sh->sent, *number + 1, __ATOMIC_RELEASE);
        __atomic_fetch_add(&sh->backlog.held, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&sh->lock);
    if (n != (ssize_t)sizeof(*record))
        return n < 0 ? (int)n : -EIO;
    return 0;
}

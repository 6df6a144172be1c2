/* SPDX-License-Identifier: MIT */
/*
 * bind, connect, and the names that tell a descriptor's addresses without a round trip
 * (ipc/name.h). A connect that does not wait makes the program's end unwritable first, by filling;
 * what is then in our queue is no news. When the connection is made, our end gets its name before
 * anybody can see it.
 */
#include "daemon/stream.h"
#include "daemon/workers.h"

#include "ipc/name.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_TRIES 4

void stream_to_wire(const struct ip_endpoint *e, struct wire_addr *out)
{
    *out = (struct wire_addr){.port = e->port};
    memcpy(out->addr, e->addr.b, sizeof(out->addr));
}

void stream_from_wire(const struct wire_addr *w, struct ip_endpoint *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->addr.b, w->addr, sizeof(out->addr.b));
    out->port = w->port;
}

/* Not to be guessed: anybody may bind an abstract name before us. */
static int unguessable(uint64_t *id)
{
    static __thread uint64_t store[32];
    static __thread size_t left;

    if (left == 0) {
        if (getrandom(store, sizeof(store), 0) != (ssize_t)sizeof(store))
            return -errno;
        left = sizeof(store) / sizeof(store[0]);
    }
    *id = store[--left];
    return 0;
}

int stream_name(int fd, const struct ip_endpoint *local, const struct ip_endpoint *remote)
{
    struct wire_addr l, r = {0};

    stream_to_wire(local, &l);
    if (remote)
        stream_to_wire(remote, &r);
    for (int i = 0; i < NAME_TRIES; i++) {
        struct sockaddr_un un;
        uint64_t id = 0;
        socklen_t len;
        int rc = unguessable(&id);

        if (rc < 0)
            return rc;
        len = name_build(&un, id, &l, remote ? &r : NULL);
        if (bind(fd, (struct sockaddr *)&un, len) == 0)
            return 0;
        if (errno == EINVAL) /* it has a name already */
            return 0;
        if (errno != EADDRINUSE)
            return -errno;
    }
    return -EADDRINUSE;
}

static void name_program_end(struct stream *s, int fd)
{
    struct ip_endpoint local;

    if (sock_getsockname(s->sock, &local) == 0 && local.port != 0)
        (void)stream_name(fd, &local, NULL);
}

int stream_bind(struct stream *s, int fd, const struct ip_endpoint *local)
{
    int rc = s->sock ? sock_bind(s->sock, local, s->all->now) : -EINVAL;

    if (rc == -EADDRINUSE && stream_reclaim_port(s->all, local->port))
        rc = sock_bind(s->sock, local, s->all->now);
    if (rc == 0)
        name_program_end(s, fd);
    return rc;
}

/*
 * A close(2) reaches us by another way than the requests that follow it, and may be later. What is
 * closed already does not hold a port.
 */
static bool reclaim_from(struct streams *all, uint16_t port)
{
    struct stream *s, *next;
    bool found = false;

    for (s = TAILQ_FIRST(&all->list); s; s = next) {
        struct ip_endpoint local;
        struct pollfd p = {.fd = s->fd};

        next = TAILQ_NEXT(s, link);
        if (!s->sock || s->eof_done || sock_getsockname(s->sock, &local) < 0 ||
            local.port != port || poll(&p, 1, 0) != 1 || !(p.revents & (POLLHUP | POLLERR)))
            continue;
        s->hup = s->news = found = true;
        s->hup_error = p.revents & POLLERR;
        if (s->share)
            s->hup_error = stream_share_error(s, s->hup_error);
        stream_work(s);
    }
    return found;
}

bool stream_reclaim_port(struct streams *all, uint16_t port)
{
    struct streams *home = workers_home(all);
    bool found = false;

    for (unsigned i = 0; port && i < workers_count(home); i++) {
        struct streams *one = workers_hold(home, i);

        found |= reclaim_from(one, port);
        workers_release(one);
    }
    return found;
}

static int start_anew(struct streams *all, struct sock *sock, const struct ip_endpoint *local,
                      bool v6, struct policy_owner owner, int *program_fd)
{
    struct wire_addr name;
    struct stream *s;
    int rc = stream_new(all, sock, v6, owner, &s, program_fd);

    if (rc < 0) {
        sock_close(sock, all->now);
        return rc;
    }
    stream_inherit_options(s, *program_fd);
    stream_to_wire(local, &name);
    if (local->port)
        rc = policy_bind(&owner, &name);
    if (rc == 0 && local->port)
        rc = stream_bind(s, *program_fd, local);
    if (rc < 0) {
        close(*program_fd);
        *program_fd = -1;
        stream_reset(s);
    }
    return rc;
}

int stream_renew(struct stream *s, struct policy_owner owner, int *program_fd)
{
    struct streams *all = s->all;
    struct ip_endpoint local;
    struct sock *sock;
    bool v6 = s->v6;
    int rc;

    if (!s->sock)
        return -EINVAL;
    rc = sock_clone(s->sock, s->all->stack, &sock, &local);
    if (rc < 0)
        return rc;
    if (s->share)
        stream_share_recall(s); /* they hold the port */
    stream_reset(s);
    return start_anew(all, sock, &local, v6, owner, program_fd);
}

int stream_renew_stale(struct streams *all, struct tombstone *stone, bool v6,
                       struct policy_owner owner, int *program_fd)
{
    struct ip_endpoint local = {0};
    struct sock *sock;
    int rc;

    if (!stone || !stone->sock)
        return -ESTALE;
    rc = sock_clone(stone->sock, all->stack, &sock, &local);
    return rc < 0 ? rc : start_anew(all, sock, &local, v6, owner, program_fd);
}

/* --- connect -----------------------------------------------------------------------------------
 */

static void begin(struct stream *s, int fd, const struct ip_endpoint *to, bool fill)
{
    struct ip_endpoint local;
    int flags = fill ? fcntl(fd, F_GETFL) : 0;

    s->state = STREAM_CONNECTING;
    if (flags >= 0 && (flags & O_NONBLOCK))
        filler_fill(&s->all->filler, fd);
    s->skip += stream_queued(s);
    s->news = false; /* what comes from here on is an edge */
    /* both addresses: a name that the program did not choose */
    if (sock_getsockname(s->sock, &local) == 0)
        (void)stream_name(fd, &local, to);
}

static int join(struct stream *s, struct stream_waiter *w)
{
    if (s->state != STREAM_CONNECTING || s->n_waiters == STREAM_WAITERS)
        return -EALREADY;
    w->stream = s;
    w->workers = s->all->workers;
    w->worker = s->all->index;
    TAILQ_INSERT_TAIL(&s->waiters, w, of_stream);
    s->n_waiters++;
    return 1;
}

int stream_connect(struct stream *s, int fd, const struct ip_endpoint *to,
                   struct stream_waiter *waiter)
{
    struct ip_endpoint local;
    int rc;

    if (s->state == STREAM_DYING || !s->sock)
        return -EISCONN;
    rc = sock_connect(s->sock, to, s->all->now);
    if (rc == -EADDRINUSE && sock_getsockname(s->sock, &local) == 0 &&
        stream_reclaim_port(s->all, local.port))
        rc = sock_connect(s->sock, to, s->all->now);
    if (rc == -EINPROGRESS && s->state == STREAM_FRESH)
        begin(s, fd, to, !waiter);
    if (waiter && (rc == -EINPROGRESS || rc == -EALREADY))
        return join(s, waiter);
    return rc;
}

void stream_waiter_drop(struct stream_waiter *w)
{
    TAILQ_REMOVE(&w->stream->waiters, w, of_stream);
    w->stream->n_waiters--;
    w->stream = NULL;
}

void stream_answer(struct stream *s, int error)
{
    struct stream_waiter *w;

    while ((w = TAILQ_FIRST(&s->waiters)) != NULL) {
        stream_waiter_drop(w);
        s->all->answer(w, error);
    }
}

void stream_connected(struct stream *s)
{
    struct ip_endpoint local, remote;

    if (sock_getsockname(s->sock, &local) == 0 && sock_getpeername(s->sock, &remote) == 0) {
        (void)stream_name(s->fd, &local, &remote);
        /* One more connect answers 0: a call that waited has had that answer. */
        if (s->n_waiters)
            (void)sock_connect(s->sock, &remote, s->all->now);
    }
    s->state = STREAM_OPEN;
    if (s->skip > 1)
        stream_discard(s, s->skip - 1);
    stream_answer(s, 0);
}

void stream_connect_failed(struct stream *s, int error)
{
    bool told = s->n_waiters > 0;

    stream_answer(s, error);
    if (told)
        (void)sock_connect_result(s->sock);
    s->anew = true;
    stream_end(s, STREAM_END_ERROR, told ? 0 : error);
}

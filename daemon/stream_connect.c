/* SPDX-License-Identifier: MIT */
/*
 * bind, connect, and the names that tell a descriptor's addresses without a round trip
 * (ipc/name.h). A connect that does not wait makes the program's end unwritable first, by filling;
 * what is then in our queue is no news. When the connection is made, our end gets its name before
 * anybody can see it.
 */
#include "daemon/stream.h"

#include "ipc/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

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

int stream_name(int fd, const struct ip_endpoint *local, const struct ip_endpoint *remote)
{
    struct wire_addr l, r = {0};

    stream_to_wire(local, &l);
    if (remote)
        stream_to_wire(remote, &r);
    for (int i = 0; i < NAME_TRIES; i++) {
        struct sockaddr_un un;
        uint64_t id;
        socklen_t len;

        /* Not to be guessed: anybody may bind an abstract name before us. */
        if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
            return -errno;
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

    if (rc == 0)
        name_program_end(s, fd);
    return rc;
}

/* --- connect -----------------------------------------------------------------------------------
 */

static void begin(struct stream *s, int fd, bool fill)
{
    int flags = fcntl(fd, F_GETFL);

    s->state = STREAM_CONNECTING;
    if (fill && flags >= 0 && (flags & O_NONBLOCK))
        filler_fill(&s->all->filler, fd);
    s->skip += stream_queued(s);
}

static int join(struct stream *s, struct stream_waiter *w)
{
    if (s->state != STREAM_CONNECTING || s->n_waiters == STREAM_WAITERS)
        return -EALREADY;
    w->stream = s;
    TAILQ_INSERT_TAIL(&s->waiters, w, of_stream);
    s->n_waiters++;
    return 1;
}

int stream_connect(struct stream *s, int fd, const struct ip_endpoint *to,
                   struct stream_waiter *waiter)
{
    int rc;

    if (s->state == STREAM_DYING || !s->sock)
        return -ESTALE;
    rc = sock_connect(s->sock, to, s->all->now);
    if (rc == -EINPROGRESS && s->state == STREAM_FRESH)
        begin(s, fd, !waiter);
    if (waiter && (rc == -EINPROGRESS || rc == -EALREADY))
        return join(s, waiter);
    return rc;
}

void stream_waiter_drop(struct stream_waiter *w)
{
    TAILQ_REMOVE(&w->stream->waiters, w, of_stream);
    w->stream->n_waiters--;
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
    s->news = true;
    if (s->skip > 1)
        stream_discard(s, s->skip - 1);
    stream_answer(s, 0);
}

void stream_connect_failed(struct stream *s, int error)
{
    bool told = s->n_waiters > 0;

    stream_answer(s, error);
    stream_end(s, STREAM_END_ERROR, told ? 0 : error);
}

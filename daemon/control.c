/* SPDX-License-Identifier: MIT */
/* The control socket: accepting, receiving, replying; see control.h. */
#include "daemon/control.h"

#include "daemon/log.h"
#include "daemon/stats.h"
#include "daemon/trace.h"
#include "daemon/workers.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct log_limit limit;

static void client_ready(struct watch *w, uint32_t events);
static void listener_ready(struct watch *w, uint32_t events);

/* --- the socket --------------------------------------------------------------------------------
 */

int control_init(struct control *c, int fd, struct poller *poller, struct streams *streams,
                 const struct wire_hello *hello)
{
    *c = (struct control){.watch = {.ready = listener_ready, .first = true},
                          .fd = fd,
                          .poller = poller,
                          .streams = streams,
                          .hello = *hello};
    TAILQ_INIT(&c->clients);
    streams->answer = request_answer;
    c->reserve = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (c->reserve < 0)
        return -errno;
    return poller_add(poller, fd, EPOLLIN, &c->watch);
}

/* What connected and was not accepted may have sent descriptors: the reaper releases them. */
void control_stop(struct control *c)
{
    if (c->fd < 0)
        return;
    poller_remove(c->poller, c->fd);
    reaper_close(c->streams->reaper, c->fd, geteuid());
    close(c->reserve);
    c->fd = c->reserve = -1;
}

void control_destroy(struct control *c)
{
    struct client *cl;

    control_stop(c);
    while ((cl = TAILQ_FIRST(&c->clients)) != NULL)
        control_disconnect(cl);
}

void control_policy_changed(struct control *c)
{
    struct client *cl;

    for (cl = TAILQ_FIRST(&c->clients); cl; cl = TAILQ_NEXT(cl, link)) {
        if (!policy_who(c->streams->policy, cl->fd, &cl->owner))
            cl->owner.rights = NULL;
    }
    for (unsigned i = 0; i < workers_count(c->streams); i++) {
        struct streams *all = workers_hold(c->streams, i);

        streams_policy_changed(all);
        workers_release(all);
    }
}

static void pause_all(struct control *c)
{
    struct client *cl;

    c->paused = true;
    log_limited(&limit, LEVEL_WARNING,
                "too many foreign descriptors: no requests until they are closed");
    if (c->fd >= 0)
        (void)poller_change(c->poller, c->fd, 0, &c->watch);
    TAILQ_FOREACH(cl, &c->clients, link)
    {
        if (!cl->dump)
            (void)poller_change(c->poller, cl->fd, 0, &cl->watch);
    }
}

/* One user's descriptors take their time: his own requests wait. */
static void hold(struct client *cl)
{
    cl->held = cl->control->held = true;
    (void)poller_change(cl->control->poller, cl->fd, 0, &cl->watch);
}

static void let_go(struct control *c)
{
    struct client *cl;

    c->held = false;
    for (cl = TAILQ_FIRST(&c->clients); cl; cl = TAILQ_NEXT(cl, link)) {
        bool wait = reaper_waiting_of(c->streams->reaper, cl->owner.uid) > CONTROL_REAPING_USER / 2;

        if (cl->held && wait) {
            c->held = true;
        } else if (cl->held) {
            cl->held = false;
            if (!cl->dump && !c->paused)
                (void)poller_change(c->poller, cl->fd, EPOLLIN, &cl->watch);
        }
    }
}

void control_tick(struct control *c)
{
    struct client *cl;

    if (c->held)
        let_go(c);
    if (!c->paused || reaper_waiting(c->streams->reaper) > CONTROL_REAPING / 2)
        return;
    c->paused = false;
    if (c->fd >= 0)
        (void)poller_change(c->poller, c->fd, EPOLLIN, &c->watch);
    TAILQ_FOREACH(cl, &c->clients, link)
    {
        if (!cl->dump && !cl->held)
            (void)poller_change(c->poller, cl->fd, EPOLLIN, &cl->watch);
    }
}

/* --- clients -----------------------------------------------------------------------------------
 */

/* Messages that nobody read may hold foreign descriptors. The program learns at once all the same.
 */
static void hang_up(struct control *c, int fd, uid_t uid)
{
    (void)shutdown(fd, SHUT_RDWR);
    reaper_close(c->streams->reaper, fd, uid);
}

static void client_release(struct watch *w)
{
    free(w);
}

static void forget_waiter(struct control *c, struct stream_waiter *w)
{
    struct streams *all = workers_hold(c->streams, w->worker);

    if (w->stream)
        stream_waiter_drop(w);
    else if (w->answered)
        workers_forget_answer(c->streams, w);
    workers_release(all);
}

void control_answers(struct control *c)
{
    struct stream_waiter *w;

    while ((w = workers_answered(c->streams)) != NULL)
        request_answer(w, w->error);
}

void control_disconnect(struct client *cl)
{
    struct control *c = cl->control;
    struct stream_waiter *w;

    if (cl->fd < 0)
        return;
    while ((w = TAILQ_FIRST(&cl->waiters)) != NULL) {
        forget_waiter(c, w);
        TAILQ_REMOVE(&cl->waiters, w, of_client);
        free(w);
    }
    dump_drop(cl);
    trace_drop(cl);
    poller_remove(c->poller, cl->fd);
    hang_up(c, cl->fd, cl->owner.uid);
    cl->fd = -1;
    policy_give_client(c->streams->policy, cl->owner.uid);
    TAILQ_REMOVE(&c->clients, cl, link);
    poller_retire(c->poller, &cl->watch, client_release);
}

static void client_new(struct control *c, int fd)
{
    struct policy_owner owner = {.uid = (uid_t)-1};
    struct client *cl = NULL;

    /* once and for all: whoever holds this connection acts as the one that made it */
    if (!policy_who(c->streams->policy, fd, &owner) ||
        policy_take_client(c->streams->policy, owner.uid) < 0) {
        stats_add(STAT_control_refused, 1);
        hang_up(c, fd, owner.uid);
        return;
    }
    cl = calloc(1, sizeof(*cl));
    if (cl) {
        cl->watch = (struct watch){.ready = client_ready, .first = true};
        cl->control = c;
        cl->fd = fd;
        cl->owner = owner;
        TAILQ_INIT(&cl->waiters);
    }
    if (!cl || poller_add(c->poller, fd, EPOLLIN, &cl->watch) < 0) {
        free(cl);
        policy_give_client(c->streams->policy, owner.uid);
        hang_up(c, fd, owner.uid);
        return;
    }
    TAILQ_INSERT_TAIL(&c->clients, cl, link);
    stats_add(STAT_control_clients, 1);
}

/* No descriptor left: the reserve takes the connection, so that its program learns and the queue
 * moves on. */
static void refuse_one(struct control *c)
{
    int fd;

    close(c->reserve);
    fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    c->reserve = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    stats_add(STAT_control_refused, 1);
    log_limited(&limit, LEVEL_WARNING, "out of descriptors: a control connection is refused");
}

static void listener_ready(struct watch *w, uint32_t events)
{
    struct control *c = (struct control *)w;

    (void)events;
    for (int i = 0; i < CONTROL_TURN; i++) {
        int fd;

        if (reaper_waiting(c->streams->reaper) > CONTROL_REAPING) {
            pause_all(c);
            return;
        }
        fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            client_new(c, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            refuse_one(c);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

/* --- replies -----------------------------------------------------------------------------------
 */

static int send_message(struct client *cl, uint16_t op, uint32_t id, uint32_t flags, int error,
                        const void *body, size_t len, int fd)
{
    WIRE_BUFFER(buffer);
    ssize_t n;

    if (cl->fd < 0)
        return -EPIPE;
    n = wire_encode(buffer, sizeof(buffer), op, id, flags | WIRE_REPLY, error, body, len);
    if (n > 0)
        n = fdpass_send(cl->fd, buffer, (size_t)n, fd, MSG_DONTWAIT);
    return n < 0 ? (int)n : 0;
}

int control_send(struct client *cl, uint16_t op, uint32_t id, uint32_t flags, const void *body,
                 size_t len)
{
    return send_message(cl, op, id, flags, 0, body, len, -1);
}

int control_reply(struct client *cl, const struct wire_header *request, int error, const void *body,
                  size_t len, int fd)
{
    int rc;

    if (request->flags & WIRE_NO_REPLY)
        return 0;
    rc = send_message(cl, request->op, request->id, 0, error, error ? NULL : body, error ? 0 : len,
                      fd);
    /* Too many descriptors of ours are under way to programs (ETOOMANYREFS): that can be said. */
    if (rc < 0 && fd >= 0 && rc != -EAGAIN && rc != -EPIPE)
        return send_message(cl, request->op, request->id, 0, ENFILE, NULL, 0, -1) < 0 ? rc
                                                                                      : -ENFILE;
    if (rc < 0) {
        if (rc == -EAGAIN)
            stats_add(STAT_control_slow, 1);
        control_disconnect(cl);
    }
    return rc;
}

/* --- requests ----------------------------------------------------------------------------------
 */

/* Foreign descriptors are poison: nothing but the reaper touches them, and their sender has to
 * leave. */
static void poisoned(struct client *cl, const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        reaper_close(cl->control->streams->reaper, fds[i], cl->owner.uid);
    stats_add(STAT_foreign_descriptors, n);
    stats_add(STAT_control_malformed, 1);
    log_limited(&limit, LEVEL_WARNING, "process %d (user %u) is disconnected: not our protocol",
                cl->owner.pid, cl->owner.uid);
    control_disconnect(cl);
}

/* A socket that bears our mark but is in no table: its connection, or the daemon that made it, has
 * ended. */
static bool was_ours(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return name_kind_of(fd) != NAME_FOREIGN &&
           getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX;
}

/* The worker that remembers it, held; the first one when none does. */
static struct streams *hold_stone(struct control *c, uint64_t cookie, struct tombstone **stone)
{
    struct streams *all;

    for (unsigned i = 0; i < workers_count(c->streams); i++) {
        all = workers_hold(c->streams, i);
        *stone = tombstone_find(&all->tombs, cookie, all->now);
        if (*stone)
            return all;
        workers_release(all);
    }
    return workers_hold(c->streams, 0);
}

static void stale_descriptor(struct client *cl, const struct wire_header *h, const void *body,
                             int fd, uint64_t cookie)
{
    struct tombstone *stone;
    struct streams *all = hold_stone(cl->control, cookie, &stone);

    if (stone || was_ours(fd)) {
        stats_add(STAT_stale_descriptors, 1);
        request_stale(cl, h, body, all, stone, name_is_v6(fd));
        reaper_close(cl->control->streams->reaper, fd, cl->owner.uid);
    } else {
        poisoned(cl, &fd, 1);
    }
    workers_release(all);
}

static void with_descriptor(struct client *cl, const struct wire_header *h, const void *body,
                            int fd)
{
    struct control *c = cl->control;
    struct streams *all;
    struct stream *s;
    uint64_t cookie;
    socklen_t len = sizeof(cookie);

    if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0) {
        poisoned(cl, &fd, 1);
        return;
    }
    all = workers_hold(c->streams, workers_owner(c->streams, cookie));
    s = stream_find(all, cookie);
    if (s) {
        request_stream(cl, h, body, s, fd);
        close(fd);
    }
    workers_release(all);
    if (!s)
        stale_descriptor(cl, h, body, fd, cookie);
}

/* One message. False: no more for now. */
static bool receive(struct client *cl)
{
    WIRE_BUFFER(buffer);
    int fds[FDPASS_MAX], flags;
    struct wire_header h;
    const void *body;
    size_t n_fds;
    ssize_t n = fdpass_recv(cl->fd, buffer, sizeof(buffer), fds, &n_fds, MSG_DONTWAIT, &flags);

    if (n == -EAGAIN || n == -EINTR)
        return false;
    if (n <= 0 && n_fds == 0) {
        control_disconnect(cl);
        return false;
    }
    if ((flags & (MSG_TRUNC | MSG_CTRUNC)) || wire_decode(buffer, (size_t)n, &h, &body) < 0 ||
        (h.flags & WIRE_REPLY) || n_fds != (wire_op_takes_fd(h.op) ? 1 : 0)) {
        poisoned(cl, fds, n_fds);
        return false;
    }
    stats_add(STAT_control_requests, 1);
    if (n_fds)
        with_descriptor(cl, &h, body, fds[0]);
    else
        request_plain(cl, &h, body);
    /* who waits for an answer has sent nothing else */
    return cl->fd >= 0 && !cl->dump && (h.flags & WIRE_NO_REPLY);
}

static void client_ready(struct watch *w, uint32_t events)
{
    struct client *cl = (struct client *)w;
    struct control *c = cl->control;

    if (cl->dump) {
        if (events & (EPOLLHUP | EPOLLERR))
            control_disconnect(cl);
        else
            dump_continue(cl);
        return;
    }
    if (c->paused || cl->held) {
        if (events & (EPOLLHUP | EPOLLERR))
            control_disconnect(cl);
        return;
    }
    for (int i = 0; i < CONTROL_TURN; i++) {
        if (reaper_waiting(c->streams->reaper) > CONTROL_REAPING) {
            pause_all(c);
            return;
        }
        if (reaper_waiting_of(c->streams->reaper, cl->owner.uid) > CONTROL_REAPING_USER) {
            hold(cl);
            return;
        }
        if (!receive(cl))
            return;
    }
}

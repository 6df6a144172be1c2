/* SPDX-License-Identifier: MIT */
/*
 * What each request does. A request about a connection acts at a stream position: what was written
 * to the descriptor before it is taken first.
 */
#include "daemon/control.h"

#include "daemon/figures.h"
#include "daemon/settings.h"
#include "daemon/stats.h"
#include "daemon/trace.h"
#include "daemon/workers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(WIRE_STOPS == TCP_STOP_COUNT, "ipc/wire.h and proto/tcp/stops.def agree");
_Static_assert(sizeof(struct sock_tcp_info) <= sizeof(((struct wire_info *)0)->tcp_info),
               "it fits");

/* --- without a descriptor ----------------------------------------------------------------------
 */

static int check_socket(const struct wire_socket *r)
{
    if (r->family != AF_INET && r->family != AF_INET6)
        return -EAFNOSUPPORT;
    if ((r->type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    return r->protocol == 0 || r->protocol == IPPROTO_TCP ? 0 : -EPROTONOSUPPORT;
}

static void make_socket(struct client *cl, const struct wire_header *h, const struct wire_socket *r,
                        struct streams *all)
{
    bool v6 = r->family == AF_INET6;
    struct stream *s;
    struct sock *sock;
    int fd, rc = check_socket(r);

    if (rc == 0 && all->stopping)
        rc = -ECONNREFUSED;
    if (rc == 0)
        rc = sock_create(all->stack, v6, &sock);
    if (rc < 0) {
        control_reply(cl, h, -rc, NULL, 0, -1);
        return;
    }
    rc = stream_new(all, sock, v6, cl->owner, &s, &fd);
    if (rc < 0) {
        sock_close(sock, all->now);
        control_reply(cl, h, -rc, NULL, 0, -1);
        return;
    }
    /* When nobody gets this end, its closing ends the stream. */
    control_reply(cl, h, 0, NULL, 0, fd);
    close(fd);
}

static void do_socket(struct client *cl, const struct wire_header *h, const struct wire_socket *r)
{
    struct streams *home = cl->control->streams, *all = workers_hold(home, workers_next(home));

    make_socket(cl, h, r, all);
    workers_release(all);
}

/* --- tunables: strings of a client end where their arrays do ---------------------------------- */

static void describe(struct wire_tunable *t)
{
    struct stack_tunable d;

    if (!stack_tunable_find(t->name, &d))
        return;
    snprintf(t->unit, sizeof(t->unit), "%s", d.unit);
    snprintf(t->help, sizeof(t->help), "%s", d.help);
    t->min = d.min;
    t->max = d.max;
}

static int get_tunable(struct stack *st, struct wire_tunable *t)
{
    struct stack_tunable d;

    if (!t->name[0]) {
        if (!stack_tunable_describe(t->index, &d))
            return -ENOENT;
        snprintf(t->name, sizeof(t->name), "%s", d.name);
    }
    describe(t);
    return stack_tunable_get(st, t->name, t->value, sizeof(t->value));
}

static void do_tunable(struct client *cl, const struct wire_header *h, const void *body)
{
    struct streams *home = cl->control->streams;
    struct wire_tunable t;
    int rc;

    memcpy(&t, body, sizeof(t));
    t.name[sizeof(t.name) - 1] = t.value[sizeof(t.value) - 1] = '\0';
    if (h->op == WIRE_OP_TUNABLE_GET)
        rc = get_tunable(home->stack, &t);
    else if (!policy_admin(cl->control->streams->policy, cl->owner.uid))
        rc = -EPERM;
    else
        rc = settings_set(cl->control->settings, t.name, t.value);
    control_reply(cl, h, rc < 0 ? -rc : 0, &t, rc < 0 ? 0 : sizeof(t), -1);
}

/* --- captures ----------------------------------------------------------------------------------
 */

static void do_capture(struct client *cl, const struct wire_header *h, const void *body)
{
    struct wire_capture want = {0};
    int fd = -1, rc = 0;

    memcpy(&want, body, h->len);
    if (!policy_capture(cl->control->streams->policy, &cl->owner)) {
        stats_add(STAT_policy_refused, 1);
        rc = -EPERM;
    }
    if (rc == 0)
        rc = capture_ring_begin(cl->control->captures, &want, h->len, &fd);
    control_reply(cl, h, -rc, NULL, 0, fd);
    if (fd >= 0)
        close(fd);
}

void request_plain(struct client *cl, const struct wire_header *h, const void *body)
{
    switch (h->op) {
    case WIRE_OP_HELLO:
        control_reply(cl, h, 0, &cl->control->hello, sizeof(cl->control->hello), -1);
        break;
    case WIRE_OP_SOCKET:
        do_socket(cl, h, body);
        break;
    case WIRE_OP_TUNABLE_GET:
    case WIRE_OP_TUNABLE_SET:
        do_tunable(cl, h, body);
        break;
    case WIRE_OP_CAPTURE:
        do_capture(cl, h, body);
        break;
    case WIRE_OP_LIST:
    case WIRE_OP_STATS:
    case WIRE_OP_CONFIG:
    case WIRE_OP_RELOAD:
        dump_begin(cl, h);
        break;
    case WIRE_OP_FIGURES:
        trace_figures(cl, h, body);
        break;
    case WIRE_OP_TRACE:
        trace_begin(cl, h, body);
        break;
    default:
        control_reply(cl, h, EOPNOTSUPP, NULL, 0, -1);
    }
}

/* --- about a stream ----------------------------------------------------------------------------
 */

static int do_bind(struct client *cl, struct stream *s, int fd, const struct wire_addr *a)
{
    struct ip_endpoint local;
    int rc = policy_bind(&cl->owner, a);

    stream_from_wire(a, &local);
    return rc < 0 ? rc : stream_bind(s, fd, &local);
}

/* A port that is chosen already, and the other end, say whose connection it will be. */
static int connect_there(struct stream *s, int fd, const struct ip_endpoint *to,
                         struct stream_waiter *w)
{
    int at = s->state == STREAM_FRESH && s->sock ? sock_connects_in(s->sock, to) : -1, rc;
    struct streams *all;

    if (at < 0 || (unsigned)at == s->all->index)
        return stream_connect(s, fd, to, w);
    all = workers_hold(workers_home(s->all), (unsigned)at);
    rc = stream_move(s, all, &s);
    if (rc == 0)
        rc = stream_connect(s, fd, to, w);
    workers_release(all);
    return rc;
}

/* Returns 1 when the answer comes later. */
static int do_connect(struct client *cl, const struct wire_header *h, struct stream *s, int fd,
                      const struct wire_addr *a)
{
    struct stream_waiter *w = NULL;
    struct ip_endpoint to;
    int rc;

    rc = policy_connect(&cl->owner, a);
    if (rc < 0)
        return rc;
    stream_from_wire(a, &to);
    if (h->flags & WIRE_WAIT) {
        w = calloc(1, sizeof(*w));
        if (!w)
            return -ENOMEM;
        w->client = cl;
        w->id = h->id;
    }
    rc = connect_there(s, fd, &to, w);
    if (rc == 1)
        TAILQ_INSERT_TAIL(&cl->waiters, w, of_client);
    else
        free(w);
    return rc;
}

void request_answer(struct stream_waiter *w, int error)
{
    struct wire_header h = {.op = WIRE_OP_CONNECT, .id = w->id};
    struct client *cl = w->client;

    TAILQ_REMOVE(&cl->waiters, w, of_client);
    free(w);
    control_reply(cl, &h, error, NULL, 0, -1);
}

static int put_error(struct wire_option *o, int error)
{
    if (o->len > sizeof(error))
        o->len = sizeof(error);
    memcpy(o->value, &error, o->len);
    return 0;
}

static int do_getsockopt(struct stream *s, struct wire_option *o)
{
    size_t len = o->len;
    int rc;

    if (s->state == STREAM_DYING && o->level == SOL_SOCKET && o->name == SO_ERROR) {
        int error = s->error;
        s->error = 0;
        return put_error(o, error);
    }
    rc = s->sock ? sock_getsockopt(s->sock, o->level, o->name, o->value, &len, s->all->now)
                 : -EINVAL;
    o->len = (uint32_t)(len < sizeof(o->value) ? len : sizeof(o->value));
    return rc;
}

static int do_setsockopt(struct stream *s, const struct wire_option *o)
{
    int rc = s->sock ? sock_setsockopt(s->sock, o->level, o->name, o->value, o->len, s->all->now)
                     : -EINVAL;

    if (rc == 0 && s->share)
        stream_share_option(s, o->level, o->name, o->value, o->len);
    return rc;
}

static void do_outq(struct stream *s, struct wire_outq *out)
{
    struct sock_info info;
    size_t pair = s->state == STREAM_OPEN ? stream_queued(s) : 0;

    *out = (struct wire_outq){.unacked = pair, .unsent = pair};
    if (!s->sock)
        return;
    memset(&info, 0, sizeof(info));
    sock_get_info(s->sock, &info, s->all->now);
    out->unacked += sock_unacked(s->sock);
    out->unsent += info.tcp.notsent_bytes;
}

/* The queue is asked only where something may be in it: a list has many. */
static void describe_pair(const struct stream *s, struct wire_memory *out)
{
    if (s->ring || s->state != STREAM_OPEN)
        return;
    out->pair_unread = (uint32_t)s->held;
    if (s->news || s->send_blocked || s->ready)
        out->pair_untaken = (uint32_t)stream_queued(s);
}

void request_info(const struct sock_info *from, struct wire_info *out)
{
    const struct stream *s = from->user;

    figures_info(from, out);
    stream_to_wire(&from->local, &out->local);
    stream_to_wire(&from->remote, &out->remote);
    if (s) {
        out->pid = (uint32_t)s->owner.pid;
        out->uid = s->owner.uid;
        out->inode = s->inode;
        describe_pair(s, &out->memory);
    }
}

static void do_info(struct client *cl, const struct wire_header *h, struct stream *s)
{
    struct sock_info info;
    struct wire_info out;

    memset(&info, 0, sizeof(info));
    stream_refresh(s);
    sock_get_info(s->sock, &info, s->all->now);
    info.user = s;
    request_info(&info, &out);
    control_reply(cl, h, 0, &out, sizeof(out), -1);
}

static void do_option(struct client *cl, const struct wire_header *h, const void *body,
                      struct stream *s, int fd)
{
    bool set = h->op == WIRE_OP_SETSOCKOPT;
    struct wire_option o;
    int rc;

    if (wire_option_get(body, h->len, set, &o) < 0) {
        stats_add(STAT_control_malformed, 1);
        control_disconnect(cl);
        return;
    }
    rc = set ? do_setsockopt(s, &o) : do_getsockopt(s, &o);
    if (rc == 0 && set && o.level == SOL_SOCKET && o.name == SO_OOBINLINE)
        stream_mirror_options(s, fd);
    control_reply(cl, h, rc < 0 ? -rc : 0, &o, set ? 0 : WIRE_OPTION_HEAD + o.len, -1);
}

/* The old descriptor, if it lives, ends by a reset. */
static void do_renew(struct client *cl, const struct wire_header *h, struct streams *all,
                     struct stream *s, struct tombstone *stone, bool v6)
{
    int fd = -1, rc;

    if (all->stopping)
        rc = -ECONNREFUSED;
    else if (s)
        rc = stream_renew(s, cl->owner, &fd);
    else
        rc = stream_renew_stale(all, stone, v6, cl->owner, &fd);
    control_reply(cl, h, rc < 0 ? -rc : 0, NULL, 0, fd);
    if (fd >= 0)
        close(fd);
}

/* Is it all the same whether bytes that were written before are taken before? Then they need not be
 * looked for. */
static bool no_position(const struct wire_header *h, const void *body)
{
    struct wire_option o;
    int value = 0;

    if (h->op != WIRE_OP_SETSOCKOPT || wire_option_get(body, h->len, true, &o) < 0)
        return false;
    if (o.len == sizeof(value))
        memcpy(&value, o.value, sizeof(value));
    if (o.level == SOL_SOCKET)
        return o.name == SO_KEEPALIVE;
    return o.level == IPPROTO_TCP && ((o.name == TCP_NODELAY && value) || o.name == TCP_KEEPIDLE ||
                                      o.name == TCP_KEEPINTVL || o.name == TCP_KEEPCNT);
}

/* Any holder of the descriptor may have them: it is the right to the connection. */
static void do_ring(struct client *cl, const struct wire_header *h, const struct wire_ring *want,
                    struct stream *s)
{
    int rc, fd = -1;

    if (h->op == WIRE_OP_RING_ATTACH)
        rc = ringport_attach(s, want);
    else
        rc = s->ring ? 0 : -ENOTCONN;
    if (rc == 0)
        fd = h->op == WIRE_OP_RING_ATTACH ? ringport_file(s->ring) : ringport_bell(s->ring);
    control_reply(cl, h, -rc, NULL, 0, fd);
}

void request_stream(struct client *cl, const struct wire_header *h, const void *body,
                    struct stream *s, int fd)
{
    const struct wire_mark *mark = body;
    const struct wire_listen *listen = body;
    struct wire_outq outq;
    int rc = -EOPNOTSUPP;

    if (!no_position(h, body)) {
        s->news = true;
        if (h->op != WIRE_OP_SEND_MARK && s->state != STREAM_FRESH)
            stream_take_exactly(s);
        if (s->fin_seen)
            stream_again(s); /* its FIN may be due */
    }
    if (s->state == STREAM_ENDED) {
        control_reply(cl, h, ECONNRESET, NULL, 0, -1);
        return;
    }
    switch (h->op) {
    case WIRE_OP_BIND:
        rc = do_bind(cl, s, fd, body);
        break;
    case WIRE_OP_LISTEN:
        rc = stream_listen(s, fd, listen->backlog);
        break;
    case WIRE_OP_CONNECT:
        rc = do_connect(cl, h, s, fd, body);
        if (rc == 1)
            return;
        break;
    case WIRE_OP_SEND_MARK:
        rc = stream_mark(s, mark->count, mark->flags);
        break;
    case WIRE_OP_GETSOCKOPT:
    case WIRE_OP_SETSOCKOPT:
        do_option(cl, h, body, s, fd);
        return;
    case WIRE_OP_OUTQ:
        do_outq(s, &outq);
        control_reply(cl, h, 0, &outq, sizeof(outq), -1);
        return;
    case WIRE_OP_INFO:
        do_info(cl, h, s);
        return;
    case WIRE_OP_RENEW:
        do_renew(cl, h, s->all, s, NULL, s->v6);
        return;
    case WIRE_OP_RING_ATTACH:
    case WIRE_OP_RING_BELL:
        do_ring(cl, h, body, s);
        return;
    }
    control_reply(cl, h, rc < 0 ? -rc : 0, NULL, 0, -1);
}

/* --- about what has ended ----------------------------------------------------------------------
 */

/* A socket that is only asked and told what one without a connection would be. */
static int dead_option(struct streams *all, struct tombstone *stone, bool v6, bool set,
                       struct wire_option *o)
{
    struct sock *sock = stone ? stone->sock : NULL;
    size_t len = o->len;
    int rc = 0;

    if (!sock)
        rc = sock_create(all->stack, v6, &sock);
    if (rc == 0 && set)
        rc = sock_setsockopt(sock, o->level, o->name, o->value, len, all->now);
    else if (rc == 0)
        rc = sock_getsockopt(sock, o->level, o->name, o->value, &len, all->now);
    o->len = (uint32_t)(len < sizeof(o->value) ? len : sizeof(o->value));
    if (sock && !(stone && stone->sock))
        sock_close(sock, all->now);
    return rc;
}

static void stale_option(struct client *cl, const struct wire_header *h, const void *body,
                         struct streams *all, struct tombstone *stone, bool v6)
{
    bool set = h->op == WIRE_OP_SETSOCKOPT;
    struct wire_option o;
    int rc = 0;

    if (wire_option_get(body, h->len, set, &o) < 0) {
        stats_add(STAT_control_malformed, 1);
        control_disconnect(cl);
        return;
    }
    if (!set && o.level == SOL_SOCKET && o.name == SO_ERROR && !(stone && stone->sock)) {
        /* nothing is remembered: the descriptor itself knows that it was reset */
        if (!stone)
            rc = -ESTALE;
        else
            put_error(&o, stone->error);
        if (stone)
            stone->error = 0;
    } else {
        rc = dead_option(all, stone, v6, set, &o);
    }
    control_reply(cl, h, rc < 0 ? -rc : 0, &o, set || rc < 0 ? 0 : WIRE_OPTION_HEAD + o.len, -1);
}

/* What may be done again after a connect that failed is done at a new descriptor. */
static int stale_again(const struct wire_header *h, struct tombstone *stone)
{
    int rc;

    if (!stone && h->op == WIRE_OP_CONNECT)
        return ESTALE;
    if (!stone || !stone->sock)
        return h->op == WIRE_OP_CONNECT ? EISCONN : EINVAL;
    rc = h->op == WIRE_OP_CONNECT ? sock_connect_result(stone->sock) : 1;
    return rc < 0 ? -rc : ESTALE;
}

void request_stale(struct client *cl, const struct wire_header *h, const void *body,
                   struct streams *all, struct tombstone *stone, bool v6)
{
    static const struct wire_outq nothing;

    switch (h->op) {
    case WIRE_OP_GETSOCKOPT:
    case WIRE_OP_SETSOCKOPT:
        stale_option(cl, h, body, all, stone, v6);
        break;
    case WIRE_OP_OUTQ:
        control_reply(cl, h, 0, &nothing, sizeof(nothing), -1);
        break;
    case WIRE_OP_RENEW:
        do_renew(cl, h, all, NULL, stone, v6);
        break;
    case WIRE_OP_CONNECT:
    case WIRE_OP_BIND:
    case WIRE_OP_LISTEN:
        control_reply(cl, h, stale_again(h, stone), NULL, 0, -1);
        break;
    default:
        control_reply(cl, h, ENOTCONN, NULL, 0, -1);
    }
}

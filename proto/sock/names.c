/* SPDX-License-Identifier: MIT */
/* bind(2), listen(2), accept(2), connect(2), getsockname(2), getpeername(2) (linux-receiver §10,
 * §11, §14). */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <sys/socket.h>

/* An AF_INET6 socket may name IPv4 by mapped addresses; :: means both families (RFC 3493 §3.7). */
static int check_local(const struct sock *s, const struct ip_addr *a)
{
    if (s->v6only && ip_addr_is_v4(a))
        return -EINVAL;
    if (ip_addr_is_any(a) || ip_is_ours(s->st, a))
        return 0;
    return -EADDRNOTAVAIL;
}

/* The wildcard of IPv6 takes IPv4 too, unless the program said IPV6_V6ONLY. */
static struct ip_addr neutral(const struct sock *s, const struct ip_addr *a)
{
    return ip_addr_is_any(a) && !s->v6only ? ip_addr_any(false) : *a;
}

/* By a socket of another stack on our address. */
static bool is_taken(const struct sock *s, uint16_t port)
{
    struct ip_endpoint local = {s->tcb->bind.addr, port};

    return s->st->ops->taken && port_held_elsewhere(s->st, port) &&
           s->st->ops->taken(s->st->ctx, s, &local);
}

static int bind_port(struct sock *s, uint16_t port)
{
    struct tcb *tp = s->tcb;
    int err;

    tp->bind.addr = tp->conn.local.addr;
    tp->bind.reuse = s->reuse_addr;
    tp->bind.reuseport = s->reuse_port;
    if (!port) {
        port = port_pick(s->st, &tp->bind);
        if (!port)
            return -EADDRINUSE;
    }
    err = is_taken(s, port) ? -EADDRINUSE : port_bind(s->st, &tp->bind, port);
    if (!err)
        tp->conn.local.port = port;
    return err;
}

int sock_bind(struct sock *s, const struct ip_endpoint *local, uint64_t now)
{
    struct tcb *tp = s->tcb;
    struct ip_addr old = tp->conn.local.addr;
    int err;

    stack_set_now(s->st, now);
    if (tp->bind.bucket || tp->conn.state != TCPS_CLOSED || s->listener)
        return -EINVAL;
    err = check_local(s, &local->addr);
    if (err)
        return err;
    tp->conn.local.addr = neutral(s, &local->addr);
    tp->bind.fixed = local->port != 0;
    err = !local->port && s->no_port ? 0 : bind_port(s, local->port);
    if (err) {
        tp->conn.local.addr = old;
        return err;
    }
    s->bound_addr = !ip_addr_is_any(&local->addr);
    return 0;
}

bool sock_conflicts(struct stack *other, const struct sock *s, const struct ip_endpoint *local)
{
    struct bind_owner o = s->tcb->bind;

    o.addr = local->addr;
    return port_conflicts(other, &o, local->port);
}

/* --- listening
 * --------------------------------------------------------------------------------------------- */

/* From here on SYNs to its port are answered. */
static int listener_create(struct sock *s)
{
    struct tcb *tp = s->tcb;
    struct listener *l;
    int err;

    tp->bind.listening = true;
    err = port_bind(s->st, &tp->bind, port_of(&tp->bind));
    if (err) {
        tp->bind.listening = false;
        return err;
    }
    l = pool_get(&s->st->tcp.listener_pool);
    if (!l) {
        tp->bind.listening = false;
        return -ENOMEM;
    }
    list_init(&l->requests);
    list_init(&l->accepted);
    l->sock = s;
    s->listener = l;
    tcp_set_state(tp, TCPS_LISTEN);
    hash_insert(&s->st->tcp.listeners, &l->node, tp->conn.local.port);
    return 0;
}

static int listen_first(struct sock *s)
{
    struct tcb *tp = s->tcb;
    int err;

    if (!tp->bind.bucket) {
        tp->conn.local.addr = neutral(s, &tp->conn.local.addr);
        err = bind_port(s, 0);
        if (err)
            return err;
    }
    return is_taken(s, port_of(&tp->bind)) ? -EADDRINUSE : listener_create(s);
}

int sock_listen(struct sock *s, int backlog, uint64_t now)
{
    struct tcb *tp = s->tcb;
    uint32_t most = (uint32_t)s->st->tcp.tunables.somaxconn;
    int err;

    stack_set_now(s->st, now);
    if (!s->listener) {
        if (tp->conn.state != TCPS_CLOSED || s->was_connected || s->connecting)
            return -EINVAL;
        err = listen_first(s);
        if (err)
            return err;
    }
    s->listener->backlog = (uint32_t)backlog < most ? (uint32_t)backlog : most;
    return 0;
}

int sock_duplicate(struct sock *from, struct stack *st, struct sock **out, uint64_t now)
{
    const struct bind_owner *b = &from->tcb->bind;
    struct ip_endpoint local;
    struct sock *s;
    int err = sock_clone(from, st, &s, &local);

    stack_set_now(st, now);
    if (err)
        return err;
    s->tcb->conn.local.addr = s->tcb->bind.addr = from->tcb->conn.local.addr;
    s->tcb->bind.reuse = b->reuse;
    s->tcb->bind.reuseport = b->reuseport;
    s->tcb->bind.fixed = b->fixed;
    s->bound_addr = from->bound_addr;
    err = b->bucket ? port_bind(st, &s->tcb->bind, port_of(b)) : 0;
    if (err) {
        sock_close(s, now);
        return err;
    }
    s->tcb->conn.local.port = port_of(&s->tcb->bind);
    *out = s;
    return 0;
}

int sock_replicate(struct sock *from, struct stack *st, struct sock **out, uint64_t now)
{
    struct sock *s;
    int err = sock_duplicate(from, st, &s, now);

    if (err)
        return err;
    err = listener_create(s);
    if (err) {
        sock_close(s, now);
        return err;
    }
    s->listener->backlog = from->listener->backlog;
    sock_uncount(s);
    *out = s;
    return 0;
}

void listener_destroy(struct sock *s)
{
    struct listener *l = s->listener;
    struct list *n;

    while ((n = list_first(&l->requests)))
        tcp_request_free_link(s->st, n);
    while ((n = list_first(&l->accepted)))
        sock_abort(container_of(n, struct sock, accept_link), s->st->now);
    hash_remove(&s->st->tcp.listeners, &l->node);
    s->listener = NULL;
    pool_put(&s->st->tcp.listener_pool, l);
    tcp_set_state(s->tcb, TCPS_CLOSED);
    s->tcb->bind.listening = false;
    /* a port that the program chose stays its own until close() */
    if (!s->tcb->bind.fixed)
        port_release(s->st, &s->tcb->bind);
}

/* 2: bound to this very address, 1: to any, 0: not the one. */
static int listener_score(const struct sock *s, const struct ip_endpoint *local)
{
    const struct ip_addr *a = &s->tcb->conn.local.addr;

    if (s->v6only && ip_addr_is_v4(&local->addr))
        return 0;
    if (ip_addr_equal(a, &local->addr))
        return 2;
    return ip_addr_is_any(a) ? 1 : 0;
}

/* Each member draws a lot from the tuple, the highest one wins: when a member comes or goes only
 * its own share moves. */
static uint64_t lot(uint64_t tuple, const struct sock *s)
{
    uint64_t x = (tuple ^ sock_id(s)) * 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static struct sock *best_listener(struct stack *st, const struct ip_endpoint *local,
                                  const struct ip_endpoint *remote)
{
    struct hash_node *n = hash_first(&st->tcp.listeners, local->port);
    uint64_t tuple = 0, best_lot = 0;
    struct sock *best = NULL;
    int best_score = 0;

    for (; n; n = hash_next_same(n)) {
        struct sock *s = container_of(n, struct listener, node)->sock;
        int score = listener_score(s, local);

        if (!score || score < best_score)
            continue;
        if (score > best_score) {
            best = s;
            best_score = score;
            best_lot = 0;
        }
        if (!s->reuse_port)
            continue;
        if (!tuple)
            tuple = demux_hash(st, local, remote);
        if (lot(tuple, s) >= best_lot) {
            best = s;
            best_lot = lot(tuple, s);
        }
    }
    return best;
}

struct sock *listener_find(struct stack *st, const struct ip_endpoint *local,
                           const struct ip_endpoint *remote)
{
    struct sock *s = best_listener(st, local, remote);

    while (s && st->ops->abandoned && st->ops->abandoned(st->ctx, s)) {
        (void)sock_shutdown(s, SHUT_RD, st->now);
        s = best_listener(st, local, remote);
    }
    return s;
}

int sock_accept(struct sock *s, struct sock **out, uint64_t now)
{
    struct sock *child;
    struct list *n;

    stack_set_now(s->st, now);
    if (!s->listener)
        return -EINVAL;
    n = list_pop(&s->listener->accepted);
    if (!n)
        return -EAGAIN;
    listener_count(s->listener, -1);
    child = container_of(n, struct sock, accept_link);
    child->parent = NULL;
    /* what happened while it waited */
    if (child->events)
        sock_report(child);
    *out = child;
    return 0;
}

void sock_accept_held(struct sock *s, uint32_t n)
{
    if (s->listener)
        s->listener->held = n;
}

void sock_share_backlog(struct sock *s, struct sock_backlog *common)
{
    struct listener *l = s->listener;

    if (!l)
        return;
    if (l->common)
        __atomic_fetch_sub(&l->common->accepted, l->n_accepted, __ATOMIC_RELAXED);
    l->common = common;
    if (common)
        __atomic_fetch_add(&common->accepted, l->n_accepted, __ATOMIC_RELAXED);
}

/* --- connecting
 * -------------------------------------------------------------------------------------------- */

/* What an earlier connect() has to say; 1: nothing, this one may begin. */
static int connect_again(struct sock *s)
{
    uint8_t state = s->tcb->conn.state;
    int err = s->error;

    if (!s->connecting)
        return s->was_connected || state != TCPS_CLOSED ? -EISCONN : 1;
    if (state == TCPS_SYN_SENT || state == TCPS_SYN_RECV)
        return -EALREADY;
    s->connecting = false;
    if (state != TCPS_CLOSED)
        return 0;
    /* SO_ERROR may have taken the reason (linux-receiver §14) */
    s->error = 0;
    return err ? -err : -ECONNABORTED;
}

int sock_connect_result(struct sock *s)
{
    return s->connecting ? connect_again(s) : 1;
}

int sock_connects_in(const struct sock *s, const struct ip_endpoint *remote)
{
    struct ip_endpoint local = s->tcb->conn.local, peer = *remote;
    struct route rt;

    if (!s->tcb->bind.bucket || s->listener || s->tcb->conn.state != TCPS_CLOSED ||
        s->st->config.steer.count <= 1)
        return -1;
    if (ip_addr_is_any(&peer.addr))
        peer.addr = s->st->config.address.addr;
    if (ip_addr_is_any(&local.addr)) {
        if (route_lookup(s->st, &peer.addr, &rt) != 0)
            return -1;
        local.addr = rt.source;
    }
    return (int)steer_tuple(&s->st->config.steer, &local, &peer);
}

int sock_connect(struct sock *s, const struct ip_endpoint *remote, uint64_t now)
{
    struct ip_endpoint peer = *remote;
    int err;

    stack_set_now(s->st, now);
    if (s->listener)
        return -EISCONN;
    err = connect_again(s);
    if (err <= 0)
        return err;
    if (!remote->port)
        return -ECONNREFUSED;
    if (!ip_addr_is_v4(&peer.addr) && !ip_addr_is_any(&peer.addr))
        return -ENETUNREACH;
    if (s->v6only && ip_addr_is_v4(&peer.addr))
        return -ENETUNREACH;
    /* the unspecified address means this host (Linux) */
    if (ip_addr_is_any(&peer.addr))
        peer.addr = s->st->config.address.addr;
    /* a connection that could not buffer anything is none (Linux: no memory for the SYN) */
    if (!account_may_take(tcp_account(s->tcb), EXTENT_MIN))
        return COUNT(s->st, quota_refused), -ENOBUFS;
    s->tcb->conn.local.addr = neutral(s, &s->tcb->conn.local.addr);
    err = tcp_connect(s->tcb, &peer);
    s->connecting = !err;
    if (err)
        return err;
    s->error = 0; /* of an attempt that shutdown() gave up */
    return -EINPROGRESS;
}

int sock_getsockname(const struct sock *s, struct ip_endpoint *out)
{
    *out = s->tcb->conn.local;
    return 0;
}

int sock_getpeername(const struct sock *s, struct ip_endpoint *out)
{
    uint8_t state = s->tcb->conn.state;

    if (s->listener || state == TCPS_CLOSED || state == TCPS_SYN_SENT)
        return -ENOTCONN;
    *out = s->tcb->conn.remote;
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Life of a socket: birth, events, close, abort, shutdown (socket(2), close(2), shutdown(2);
 * linux-receiver §9).
 */
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <sys/socket.h>

/* Of all stacks on this address, if there are several. */
static void count_socket(struct stack *st, int by)
{
    st->n_sockets += (uint32_t)by;
    if (st->config.common)
        __atomic_fetch_add(&st->config.common->sockets, (uint32_t)by, __ATOMIC_RELAXED);
}

static uint32_t sockets_in_all(const struct stack *st)
{
    const struct stack_common *all = st->config.common;

    return all ? __atomic_load_n(&all->sockets, __ATOMIC_RELAXED) : st->n_sockets;
}

struct sock *sock_wrap(struct stack *st, struct tcb *tp)
{
    struct sock *s = pool_get(&st->tcp.sock_pool);

    if (!s)
        return NULL;
    s->st = st;
    s->tcb = tp;
    s->rcvlowat = 1;
    tp->sock = s;
    list_init(&s->event_link);
    list_init(&s->accept_link);
    list_init(&s->calls);
    count_socket(st, 1);
    COUNT(st, sock_created);
    return s;
}

int sock_create(struct stack *st, bool v6, struct sock **out)
{
    struct tcb *tp;
    struct sock *s;

    if (sockets_in_all(st) >= st->config.max_sockets)
        return -ENFILE;
    tp = tcb_new(st, &st->tcp.common);
    if (!tp)
        return COUNT(st, sock_no_memory), -ENOMEM;
    s = sock_wrap(st, tp);
    if (!s) {
        COUNT(st, sock_no_memory);
        tcb_free(tp);
        return -ENOMEM;
    }
    s->v6 = v6;
    tp->conn.local.addr = ip_addr_any(v6);
    tp->conn.remote.addr = ip_addr_any(v6);
    *out = s;
    return 0;
}

void sock_free(struct sock *s)
{
    struct stack *st = s->st;

    if (s->listener)
        listener_destroy(s);
    list_del(&s->accept_link);
    if (s->parent)
        listener_count(s->parent->listener, -1);
    list_del(&s->event_link);
    sock_calls_cancel(s);
    if (!s->retired)
        count_socket(st, -1);
    pool_put(&st->tcp.sock_pool, s);
}

int sock_clone(struct sock *from, struct stack *st, struct sock **out, struct ip_endpoint *local)
{
    struct sock *s;
    int err = sock_create(st, from->v6, &s);

    if (err)
        return err;
    s->linger = from->linger;
    s->linger_s = from->linger_s;
    s->rcvlowat = from->rcvlowat;
    s->oob_inline = from->oob_inline;
    s->no_port = from->no_port;
    s->v6only = from->v6only;
    s->tclass = from->tclass;
    s->reuse_addr = from->reuse_addr;
    s->reuse_port = from->reuse_port;
    s->rcv_timeout_us = from->rcv_timeout_us;
    s->snd_timeout_us = from->snd_timeout_us;
    tcp_inherit_options(s->tcb, from->tcb);
    s->tcb->defer_accept = from->tcb->defer_accept;
    s->tcb->bind.owner = from->tcb->bind.owner;
    *local = (struct ip_endpoint){.addr = ip_addr_any(from->v6)};
    if (from->bound_addr)
        local->addr = from->tcb->conn.local.addr;
    if (from->tcb->bind.fixed ||
        (from->bound_addr && from->tcb->bind.bucket && !from->tcb->bind.automatic))
        local->port = from->tcb->conn.local.port;
    *out = s;
    return 0;
}

void sock_uncount(struct sock *s)
{
    s->retired = true;
    count_socket(s->st, -1);
}

void sock_retire(struct sock *s)
{
    s->user = NULL;
    s->linger = false;
    sock_uncount(s);
    quota_release(s->tcb);
    if (s->tcb->conn.state == TCPS_CLOSED)
        port_release(s->st, &s->tcb->bind);
}

void sock_set_user(struct sock *s, void *user)
{
    s->user = user;
}

void sock_set_owner(struct sock *s, uint32_t owner)
{
    s->tcb->bind.owner = owner;
}

void *sock_user(const struct sock *s)
{
    return s->user;
}

uint64_t sock_id(const struct sock *s)
{
    return tcb_id(s->tcb);
}

void sock_report(struct sock *s)
{
    list_del(&s->event_link);
    list_add_tail(s->events & ~SOCK_EV_ROOM ? &s->st->news : &s->st->room, &s->event_link);
}

void sock_event(struct sock *s, uint32_t events)
{
    bool first_news = (events & ~SOCK_EV_ROOM) && !(s->events & ~SOCK_EV_ROOM);

    s->events |= events;
    if (events & SOCK_EV_CONNECTED)
        s->was_connected = true;
    if (!s->parent && !s->lingers && (!list_linked(&s->event_link) || first_news))
        sock_report(s);
    sock_calls_wake(s);
}

void sock_dead(struct sock *s, int error)
{
    s->error = error;
    sock_event(s, error ? SOCK_EV_ERROR | SOCK_EV_READABLE | SOCK_EV_WRITABLE : SOCK_EV_CLOSED);
}

void sock_close(struct sock *s, uint64_t now)
{
    struct tcb *tp = s->tcb;
    bool linger_zero = s->linger && s->linger_s == 0;

    stack_set_now(s->st, now);
    sock_free(s);
    tp->sock = NULL;
    tcp_close(tp, linger_zero);
}

bool sock_is_closing(const struct sock *s)
{
    switch (s->tcb->conn.state) {
    case TCPS_FIN_WAIT1:
    case TCPS_CLOSING:
    case TCPS_LAST_ACK:
        return true;
    default:
        return false;
    }
}

/* Bytes that nobody read are a reset, which does not wait (linux-receiver §9). */
static bool has_fin_to_wait_for(const struct sock *s)
{
    switch (s->tcb->conn.state) {
    case TCPS_SYN_RECV:
    case TCPS_ESTABLISHED:
    case TCPS_CLOSE_WAIT:
        return !tcp_unread(s->tcb);
    default:
        return sock_is_closing(s) && !tcp_unread(s->tcb);
    }
}

bool sock_linger(struct sock *s)
{
    if (!s->linger || !s->linger_s || !has_fin_to_wait_for(s))
        return false;
    sock_calls_cancel(s);
    list_del(&s->event_link);
    s->lingers = true;
    s->user = NULL;
    s->tcb->rcv_shutdown = true;
    tcp_close_write(s->tcb);
    return sock_is_closing(s);
}

void sock_abort(struct sock *s, uint64_t now)
{
    struct tcb *tp = s->tcb;

    stack_set_now(s->st, now);
    sock_free(s);
    tp->sock = NULL;
    if (tp->conn.state == TCPS_CLOSED)
        tcp_orphan(tp);
    else
        tcp_abort(tp);
}

/* As if it had never been connected, but for the error (Linux: tcp_disconnect). */
static void give_up_connecting(struct sock *s)
{
    tcp_finish(s->tcb, ECONNRESET);
    s->connecting = false;
    s->tcb->send_shutdown = s->tcb->rcv_shutdown = false;
}

int sock_shutdown(struct sock *s, int how, uint64_t now)
{
    struct tcb *tp = s->tcb;

    stack_set_now(s->st, now);
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
        return -EINVAL;
    if (s->listener) {
        if (how == SHUT_WR)
            return 0;
        listener_destroy(s);
        sock_event(s, SOCK_EV_ACCEPT); /* who waits in accept(2) learns that nobody will come */
        return 0;
    }
    if (tp->conn.state == TCPS_SYN_SENT) {
        give_up_connecting(s);
        return 0;
    }
    if (how != SHUT_WR)
        tp->rcv_shutdown = true;
    if (tp->conn.state == TCPS_CLOSED)
        return -ENOTCONN;
    if (how != SHUT_RD)
        tcp_shutdown_write(tp);
    sock_event(s, SOCK_EV_READABLE | SOCK_EV_WRITABLE);
    return 0;
}

int sock_error(struct sock *s, bool take)
{
    int error = s->error;

    if (!error)
        error = s->tcb->conn.state == TCPS_CLOSED ? 0 : s->tcb->soft_error;
    if (take)
        s->error = s->tcb->soft_error = 0;
    return error;
}

static void destroy_listener(struct hash_node *n, void *ctx)
{
    (void)ctx;
    listener_destroy(container_of(n, struct listener, node)->sock);
}

/* What no program holds ends; the others say that they send no more. */
static void shut(struct hash_node *n, void *now)
{
    struct sock *s = container_of(n, struct tcb, id_node)->sock;

    if (!s)
        return;
    if (!s->user)
        sock_close(s, *(uint64_t *)now);
    else if (s->tcb->conn.state != TCPS_CLOSED)
        sock_shutdown(s, SHUT_WR, *(uint64_t *)now);
}

void stack_shutdown(struct stack *st, uint64_t now)
{
    stack_set_now(st, now);
    hash_each(&st->tcp.listeners, destroy_listener, NULL);
    hash_each(&st->tcp.by_id, shut, &now);
}

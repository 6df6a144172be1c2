/* SPDX-License-Identifier: MIT */
/* Blocking calls in virtual time; see wait.h. Linux: sk_stream_wait_connect, sk_stream_wait_memory,
 * sk_wait_data. */
#include "proto/sock/wait.h"
#include "proto/sock/sock_internal.h"

#include <errno.h>
#include <sys/socket.h>

struct sock_call {
    struct list link; /**< in sock.calls while it waits */
    struct stack *st;
    struct sock *sock;
    struct list accepted; /**< the connection, which may go before anybody asks for it */
    struct stack_timer timer;
    struct sock_call_args args;
    size_t done_bytes;
    ssize_t result;
    int unfinished; /**< what a connect says when its time is over */
    bool over;
};

void sock_call_pool_init(struct stack *st)
{
    pool_init(&st->tcp.call_pool, &st->mem, sizeof(struct sock_call));
}

static void end(struct sock_call *c, ssize_t result)
{
    c->over = true;
    c->result = result;
    list_del(&c->link);
    stack_timer_stop(c->st, &c->timer);
}

/* Ended early: what was done counts more than why it ended. */
static void cut_short(struct sock_call *c, int error)
{
    end(c, c->done_bytes ? (ssize_t)c->done_bytes : -error);
}

/* Bytes that were moved before an error are reported first; the error stays for the next call (send
 * path, step 19). */
static bool error_can_wait(struct sock_call *c)
{
    if (!c->done_bytes || !c->sock->error)
        return false;
    end(c, (ssize_t)c->done_bytes);
    return true;
}

static void try_send(struct sock_call *c)
{
    struct iovec iov = {(uint8_t *)c->args.buf + c->done_bytes, c->args.len - c->done_bytes};
    ssize_t n;

    if (error_can_wait(c))
        return;
    n = sock_sendmsg(c->sock, &iov, 1, c->args.flags & ~MSG_DONTWAIT, c->st->now);
    if (n > 0)
        c->done_bytes += (size_t)n;
    if (n < 0 && n != -EAGAIN)
        cut_short(c, (int)-n);
    else if (c->done_bytes == c->args.len)
        end(c, (ssize_t)c->done_bytes);
}

/* SO_RCVLOWAT, or all of it (Linux: sock_rcvlowat). */
static size_t recv_target(const struct sock_call *c)
{
    size_t low = c->sock->rcvlowat;

    return (c->args.flags & MSG_WAITALL) || low > c->args.len ? c->args.len : low;
}

/* Nothing from `off` on belongs to this read: the urgent mark, or the end. */
static bool recv_is_cut(const struct sock_call *c, uint64_t off)
{
    const struct tcb *tp = c->sock->tcb;

    if (tp->urg_state != TCP_URG_NONE && tp->urg_offset == off)
        return true;
    return off == tp->rcv_offset &&
           (tp->peer_fin || tp->rcv_shutdown || tp->conn.state == TCPS_CLOSED);
}

static void try_recv(struct sock_call *c)
{
    bool peek = c->args.flags & MSG_PEEK;
    size_t have = peek ? 0 : c->done_bytes;
    struct iovec iov = {(uint8_t *)c->args.buf + have, c->args.len - have};
    const struct tcb *tp = c->sock->tcb;
    ssize_t n;

    if (tp->read_offset == tp->rcv_offset && error_can_wait(c))
        return;
    /* the mark came to where this read waits: what stands behind it belongs to the next one */
    if (have && recv_is_cut(c, tp->read_offset)) {
        end(c, (ssize_t)have);
        return;
    }
    n = sock_recvmsg(c->sock, &iov, 1, c->args.flags & (MSG_OOB | MSG_PEEK | MSG_TRUNC),
                     c->st->now);
    if (n == -EAGAIN && !(c->args.flags & MSG_OOB))
        return;
    if (n <= 0) {
        cut_short(c, (int)-n);
        return;
    }
    c->done_bytes = have + (size_t)n;
    if ((c->args.flags & MSG_OOB) || c->done_bytes >= recv_target(c) ||
        recv_is_cut(c, tp->read_offset + (peek ? c->done_bytes : 0)))
        end(c, (ssize_t)c->done_bytes);
}

static void try_connect(struct sock_call *c)
{
    int r = sock_connect(c->sock, &c->args.remote, c->st->now);

    if (r != -EINPROGRESS && r != -EALREADY)
        end(c, r);
    else if (!c->unfinished)
        c->unfinished = -r;
}

static void try_accept(struct sock_call *c)
{
    int r = sock_accept(c->sock, &c->args.accepted, c->st->now);

    if (r == 0)
        list_add_tail(&c->accepted, &c->args.accepted->accept_link);
    if (r != -EAGAIN)
        end(c, r);
}

/* Whoever wakes us may be in the midst of the connection's input: the socket goes in a moment of
 * its own (Linux: sk_stream_wait_close). */
static void try_close(struct sock_call *c)
{
    struct sock *s = c->sock;

    if (s->lingers) {
        if (!sock_is_closing(s))
            stack_timer_arm(c->st, &c->timer, c->st->now);
    } else if (!sock_linger(s)) {
        sock_close(s, c->st->now);
        end(c, 0);
    }
}

static void attempt(struct sock_call *c)
{
    switch (c->args.op) {
    case SOCK_CALL_SEND:
        try_send(c);
        break;
    case SOCK_CALL_RECV:
        try_recv(c);
        break;
    case SOCK_CALL_CONNECT:
        try_connect(c);
        break;
    case SOCK_CALL_ACCEPT:
        try_accept(c);
        break;
    case SOCK_CALL_CLOSE:
        try_close(c);
        break;
    }
}

static uint64_t time_limit(const struct sock_call *c)
{
    bool writes = c->args.op == SOCK_CALL_SEND || c->args.op == SOCK_CALL_CONNECT;

    if (c->args.op == SOCK_CALL_CLOSE)
        return (uint64_t)c->sock->linger_s * 1000000;
    return writes ? c->sock->snd_timeout_us : c->sock->rcv_timeout_us;
}

/* The handshake goes on: EINPROGRESS, or EALREADY from the second connect() on (linux-receiver
 * §14). */
static int out_of_time(const struct sock_call *c)
{
    return c->args.op == SOCK_CALL_CONNECT ? c->unfinished : EAGAIN;
}

/* close(2) waits even when the socket does not block (linux-receiver §9). */
static bool never_waits(const struct sock_call *c)
{
    return c->args.op != SOCK_CALL_CLOSE &&
           ((c->args.flags & MSG_DONTWAIT) || time_limit(c) == SOCK_NEVER_WAITS);
}

int sock_call_start(struct sock *s, const struct sock_call_args *args, uint64_t now,
                    struct sock_call **out)
{
    struct sock_call *c = pool_get(&s->st->tcp.call_pool);

    if (!c)
        return -ENOMEM;
    stack_set_now(s->st, now);
    c->st = s->st;
    c->sock = s;
    c->args = *args;
    list_init(&c->accepted);
    c->timer.node.kind = STACK_TIMER_CALL;
    list_init(&c->link);
    *out = c;
    attempt(c);
    if (c->over)
        return 0;
    if (never_waits(c)) {
        cut_short(c, out_of_time(c));
        return 0;
    }
    list_add_tail(&s->calls, &c->link);
    if (time_limit(c))
        stack_timer_arm(c->st, &c->timer, c->st->now + time_limit(c));
    return 0;
}

bool sock_call_done(const struct sock_call *c, ssize_t *result)
{
    if (c->over)
        *result = c->result;
    return c->over;
}

struct sock *sock_call_accepted(const struct sock_call *c)
{
    struct list *l = list_first((struct list *)&c->accepted);

    return l ? container_of(l, struct sock, accept_link) : NULL;
}

/* The wait is over; a close still has to happen. */
static void give_up(struct sock_call *c, int error)
{
    struct sock *s = c->sock;

    if (c->args.op != SOCK_CALL_CLOSE) {
        cut_short(c, error);
        return;
    }
    end(c, 0);
    sock_close(s, c->st->now);
}

void sock_call_interrupt(struct sock_call *c, uint64_t now)
{
    stack_set_now(c->st, now);
    if (!c->over)
        give_up(c, EINTR);
}

void sock_call_restart(struct sock_call *c, uint64_t now)
{
    stack_set_now(c->st, now);
    if (!c->over && (c->done_bytes || time_limit(c)))
        give_up(c, EINTR);
}

void sock_call_timer(struct stack *st, struct stack_timer *t)
{
    struct sock_call *c = container_of(t, struct sock_call, timer);

    (void)st;
    give_up(c, out_of_time(c));
}

void sock_calls_wake(struct sock *s)
{
    struct list *l, *next;

    list_for_each_safe (l, next, &s->calls)
        attempt(container_of(l, struct sock_call, link));
}

/* The descriptor was closed under the call; a close itself has what it wanted. */
void sock_calls_cancel(struct sock *s)
{
    struct list *l;

    while ((l = list_first(&s->calls))) {
        struct sock_call *c = container_of(l, struct sock_call, link);

        if (c->args.op == SOCK_CALL_CLOSE)
            end(c, 0);
        else
            cut_short(c, EBADF);
    }
}

void sock_call_free(struct sock_call *c)
{
    if (!c->over)
        give_up(c, EINTR);
    list_del(&c->accepted);
    pool_put(&c->st->tcp.call_pool, c);
}

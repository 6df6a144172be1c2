/* SPDX-License-Identifier: MIT */
/*
 * System calls of virtual time: descriptors, O_NONBLOCK and waiting around proto/sock/. What blocks
 * becomes a sock_call (proto/sock/wait.h) or a pending poll, looked at after every step of the
 * core.
 */
#include "tests/pkt/virtual.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

static uint64_t core_now(const struct virtual *v)
{
    return virtual_core_time(v->now);
}

/* --- descriptors
 * ------------------------------------------------------------------------------------------- */

struct vfd *virtual_fd(struct virtual *v, int fd, enum vfd_kind kind)
{
    if (fd < 0 || fd >= VIRTUAL_FDS || v->fd[fd].kind != kind)
        return NULL;
    return &v->fd[fd];
}

int virtual_fd_new(struct virtual *v, enum vfd_kind kind)
{
    for (int fd = 0; fd < VIRTUAL_FDS; fd++) {
        struct vfd *f = &v->fd[fd];

        if (f->kind != VFD_FREE)
            continue;
        memset(f, 0, sizeof(*f));
        f->kind = kind;
        for (int i = 0; i < CALL_MAX_POLL; i++)
            f->item[i].fd = -1;
        return fd;
    }
    return -EMFILE;
}

static long adopt(struct virtual *v, struct sock *s, int type_flags)
{
    int fd = virtual_fd_new(v, VFD_SOCK);

    if (fd < 0) {
        sock_close(s, core_now(v));
        return fd;
    }
    v->fd[fd].sock = s;
    v->fd[fd].nonblock = type_flags & SOCK_NONBLOCK;
    return fd;
}

static void finish(struct virtual *v, struct call *c, long result)
{
    c->result = result;
    c->done_at = v->now;
    c->done = true;
}

/* --- waiting
 * -----------------------------------------------------------------------------------------------
 */

static void wait_for(struct virtual *v, struct call *c, struct sock_call *waiting,
                     uint64_t deadline)
{
    if (v->n_pending == VIRTUAL_PENDING) {
        finish(v, c, -EBUSY);
        return;
    }
    v->pending[v->n_pending].call = c;
    v->pending[v->n_pending].waiting = waiting;
    v->pending[v->n_pending++].deadline = deadline;
}

static void finish_sock_call(struct virtual *v, struct call *c, struct sock_call *waiting,
                             ssize_t result)
{
    struct sock *child = sock_call_accepted(waiting);

    if ((c->op == CALL_accept || c->op == CALL_accept4) && child)
        result = adopt(v, child, c->flags);
    sock_call_free(waiting);
    finish(v, c, result);
}

/* True when it has ended. */
static bool check_one(struct virtual *v, struct call *c, struct sock_call *waiting,
                      uint64_t deadline)
{
    ssize_t result;
    int n;

    if (waiting) {
        if (!sock_call_done(waiting, &result))
            return false;
        finish_sock_call(v, c, waiting, result);
        return true;
    }
    n = c->op == CALL_poll ? virtual_poll(v, c) : virtual_epoll_wait(v, c);
    if (!n && v->now < deadline)
        return false;
    finish(v, c, n);
    return true;
}

void virtual_check_pending(struct virtual *v)
{
    for (int i = 0; i < v->n_pending;) {
        if (check_one(v, v->pending[i].call, v->pending[i].waiting, v->pending[i].deadline))
            v->pending[i] = v->pending[--v->n_pending];
        else
            i++;
    }
}

/* poll(2) and epoll_wait(2) are never restarted (signal(7)). */
void virtual_interrupt(struct target *t, int fd, bool restart)
{
    struct virtual *v = (struct virtual *)t;

    for (int i = 0; i < v->n_pending;) {
        struct call *c = v->pending[i].call;

        if (v->pending[i].waiting && (fd < 0 || c->fd == fd)) {
            (restart ? sock_call_restart : sock_call_interrupt)(v->pending[i++].waiting,
                                                                core_now(v));
        } else if (!v->pending[i].waiting) {
            v->pending[i] = v->pending[--v->n_pending];
            finish(v, c, -EINTR);
        } else {
            i++;
        }
    }
    virtual_step(v);
}

void virtual_close_all(struct virtual *v)
{
    for (int i = 0; i < v->n_pending; i++)
        if (v->pending[i].waiting)
            sock_call_free(v->pending[i].waiting);
    v->n_pending = 0;
}

static struct ip_endpoint endpoint(const struct sockaddr_in *a)
{
    return (struct ip_endpoint){ip_addr_v4((const uint8_t *)&a->sin_addr), ntohs(a->sin_port)};
}

static void start_waiting(struct virtual *v, struct call *c, struct sock *s,
                          struct sock_call_args *args)
{
    struct sock_call *waiting;
    ssize_t result;
    int err = sock_call_start(s, args, core_now(v), &waiting);

    if (err && args->op == SOCK_CALL_CLOSE) {
        /* close(2) needs no memory: without any it does not wait */
        sock_close(s, core_now(v));
        finish(v, c, 0);
    } else if (err)
        finish(v, c, err);
    else if (sock_call_done(waiting, &result))
        finish_sock_call(v, c, waiting, result);
    else
        wait_for(v, c, waiting, UINT64_MAX);
}

/* --- the calls
 * --------------------------------------------------------------------------------------------- */

static void do_transfer(struct virtual *v, struct call *c, struct vfd *f, enum sock_call_op op)
{
    struct sock_call_args args = {.op = op, .buf = c->buf, .len = c->len, .flags = c->flags};

    if ((c->op == CALL_read || c->op == CALL_readv) && !c->len)
        finish(v, c, 0); /* read(2): the socket is not even asked */
    else if (!f->nonblock && !(c->flags & MSG_DONTWAIT))
        start_waiting(v, c, f->sock, &args);
    else if (op == SOCK_CALL_SEND)
        finish(v, c, sock_sendmsg(f->sock, c->iov, c->n_iov, c->flags, core_now(v)));
    else
        finish(v, c, sock_recvmsg(f->sock, c->iov, c->n_iov, c->flags, core_now(v)));
}

static void do_connect(struct virtual *v, struct call *c, struct vfd *f)
{
    struct sock_call_args args = {.op = SOCK_CALL_CONNECT, .remote = endpoint(&c->addr)};

    if (c->addr_len < sizeof(c->addr) || c->addr.sin_family != AF_INET)
        finish(v, c, c->addr_len < sizeof(c->addr) ? -EINVAL : -EAFNOSUPPORT);
    else if (f->nonblock)
        finish(v, c, sock_connect(f->sock, &args.remote, core_now(v)));
    else
        start_waiting(v, c, f->sock, &args);
}

static void do_accept(struct virtual *v, struct call *c, struct vfd *f)
{
    struct sock_call_args args = {.op = SOCK_CALL_ACCEPT};
    struct sock *child;
    int err;

    if (!f->nonblock) {
        start_waiting(v, c, f->sock, &args);
        return;
    }
    err = sock_accept(f->sock, &child, core_now(v));
    finish(v, c, err ? err : adopt(v, child, c->flags));
}

/* The number is free at once, also while close(2) lingers (socket(7), SO_LINGER). */
static void do_close(struct virtual *v, struct call *c)
{
    struct sock_call_args args = {.op = SOCK_CALL_CLOSE};
    int fd = c->fd;
    struct vfd *f = fd >= 0 && fd < VIRTUAL_FDS && v->fd[fd].kind != VFD_FREE ? &v->fd[fd] : NULL;
    struct sock *s;

    if (!f) {
        finish(v, c, -EBADF);
        return;
    }
    virtual_epoll_forget(v, fd);
    s = f->sock;
    f->sock = NULL;
    f->kind = VFD_FREE;
    if (s)
        start_waiting(v, c, s, &args);
    else
        finish(v, c, 0);
}

static long do_name(struct call *c, const struct sock *s)
{
    struct ip_endpoint e;
    int err = c->op == CALL_getsockname ? sock_getsockname(s, &e) : sock_getpeername(s, &e);

    if (err)
        return err;
    memcpy(&c->addr.sin_addr, ip_addr_v4_bytes(&e.addr), 4);
    c->addr.sin_port = htons(e.port);
    c->addr.sin_family = AF_INET;
    return 0;
}

static long do_option(struct virtual *v, struct call *c, struct sock *s)
{
    size_t len = c->opt_len;
    int err;

    if (c->op == CALL_setsockopt)
        return sock_setsockopt(s, c->a, c->b, c->opt, len, core_now(v));
    err = sock_getsockopt(s, c->a, c->b, c->opt, &len, core_now(v));
    c->opt_len = (socklen_t)len;
    return err;
}

static long do_fcntl(struct call *c, struct vfd *f)
{
    if (c->a == F_GETFL)
        return O_RDWR | (f->nonblock ? O_NONBLOCK : 0);
    if (c->a != F_SETFL)
        return -EINVAL;
    f->nonblock = c->b & O_NONBLOCK;
    return 0;
}

static long do_ioctl(struct virtual *v, struct call *c, struct vfd *f)
{
    struct sock_info info;

    sock_get_info(f->sock, &info, core_now(v));
    if (c->request == FIONBIO) {
        f->nonblock = c->a != 0;
        return 0;
    }
    if (info.state == TCPS_LISTEN && c->request != SIOCATMARK)
        return -EINVAL;
    switch (c->request) {
    case SIOCINQ:
        c->a = (int)sock_inq(f->sock);
        return 0;
    case SIOCATMARK:
        c->a = sock_at_mark(f->sock);
        return 0;
    case SIOCOUTQ:
        c->a = (int)sock_unacked(f->sock);
        return 0;
    case SIOCOUTQNSD:
        c->a = (int)info.tcp.notsent_bytes;
        return 0;
    default:
        return -ENOTTY;
    }
}

static void do_poll(struct virtual *v, struct call *c)
{
    int n = c->op == CALL_poll ? virtual_poll(v, c) : virtual_epoll_wait(v, c);

    if (n || c->timeout_ms == 0)
        finish(v, c, n);
    else
        wait_for(v, c, NULL,
                 c->timeout_ms < 0 ? UINT64_MAX : v->now + (uint64_t)c->timeout_ms * 1000);
}

static long make_socket(struct virtual *v, const struct call *c)
{
    struct sock *s;
    int err;

    if (c->a != AF_INET && c->a != AF_INET6)
        return -EAFNOSUPPORT;
    err = sock_create(v->st, c->a == AF_INET6, &s);
    return err ? err : adopt(v, s, c->b);
}

/* Calls on a socket that end at once. */
static long on_socket(struct virtual *v, struct call *c, struct vfd *f)
{
    struct ip_endpoint local;

    switch (c->op) {
    case CALL_bind:
        local = endpoint(&c->addr);
        if (c->addr_len < sizeof(c->addr))
            return -EINVAL;
        return c->addr.sin_family != AF_INET ? -EAFNOSUPPORT
                                             : sock_bind(f->sock, &local, core_now(v));
    case CALL_listen:
        return sock_listen(f->sock, c->a, core_now(v));
    case CALL_shutdown:
        return sock_shutdown(f->sock, c->a, core_now(v));
    case CALL_getsockopt:
    case CALL_setsockopt:
        return do_option(v, c, f->sock);
    case CALL_getsockname:
    case CALL_getpeername:
        return do_name(c, f->sock);
    case CALL_fcntl:
        return do_fcntl(c, f);
    case CALL_ioctl:
        return do_ioctl(v, c, f);
    default:
        return -ENOSYS;
    }
}

/* Calls on a socket. */
static void sock_call_op(struct virtual *v, struct call *c)
{
    struct vfd *f = virtual_fd(v, c->fd, VFD_SOCK);

    if (!f) {
        finish(v, c, virtual_fd(v, c->fd, VFD_EPOLL) ? -ENOTSOCK : -EBADF);
        return;
    }
    switch (c->op) {
    case CALL_read:
    case CALL_readv:
    case CALL_recv:
    case CALL_recvfrom:
    case CALL_recvmsg:
        do_transfer(v, c, f, SOCK_CALL_RECV);
        break;
    case CALL_write:
    case CALL_writev:
    case CALL_send:
    case CALL_sendto:
    case CALL_sendmsg:
        do_transfer(v, c, f, SOCK_CALL_SEND);
        break;
    case CALL_connect:
        do_connect(v, c, f);
        break;
    case CALL_accept:
    case CALL_accept4:
        do_accept(v, c, f);
        break;
    default:
        finish(v, c, on_socket(v, c, f));
    }
}

void virtual_start(struct target *t, struct call *c)
{
    struct virtual *v = (struct virtual *)t;

    switch (c->op) {
    case CALL_socket:
        finish(v, c, make_socket(v, c));
        break;
    case CALL_close:
        do_close(v, c);
        break;
    case CALL_epoll_create:
        finish(v, c, c->a <= 0 ? -EINVAL : virtual_fd_new(v, VFD_EPOLL));
        break;
    case CALL_epoll_create1:
        finish(v, c, virtual_fd_new(v, VFD_EPOLL));
        break;
    case CALL_epoll_ctl:
        finish(v, c, virtual_epoll_ctl(v, c));
        break;
    case CALL_poll:
    case CALL_epoll_wait:
        do_poll(v, c);
        break;
    default:
        sock_call_op(v, c);
    }
    virtual_step(v);
}

int virtual_tcp_info(struct target *t, int fd, struct sock_tcp_info *out)
{
    struct virtual *v = (struct virtual *)t;
    struct vfd *f = virtual_fd(v, fd, VFD_SOCK);
    struct sock_info info;

    if (!f)
        return -EBADF;
    sock_get_info(f->sock, &info, core_now(v));
    *out = info.tcp;
    return 0;
}

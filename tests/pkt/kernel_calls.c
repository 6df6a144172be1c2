/* SPDX-License-Identifier: MIT */
/* Real system calls, each in a thread of its own, so that one that blocks does not stop the clock;
 * see kernel.h. */
#include "tests/pkt/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static long message(struct call *c)
{
    struct msghdr m = {.msg_iov = c->iov, .msg_iovlen = (size_t)c->n_iov};
    long n = c->op == CALL_sendmsg ? sendmsg(c->fd, &m, c->flags) : recvmsg(c->fd, &m, c->flags);

    c->msg_flags = m.msg_flags;
    return n;
}

static long transfer(struct call *c)
{
    switch (c->op) {
    case CALL_read:
        return read(c->fd, c->buf, c->len);
    case CALL_write:
        return write(c->fd, c->buf, c->len);
    case CALL_readv:
        return readv(c->fd, c->iov, c->n_iov);
    case CALL_writev:
        return writev(c->fd, c->iov, c->n_iov);
    case CALL_recv:
    case CALL_recvfrom:
        return recv(c->fd, c->buf, c->len, c->flags);
    case CALL_send:
    case CALL_sendto:
        return send(c->fd, c->buf, c->len, c->flags);
    default:
        return message(c);
    }
}

static long wait_calls(struct call *c)
{
    switch (c->op) {
    case CALL_poll:
        return poll(c->poll, (nfds_t)c->n_poll, c->timeout_ms);
    case CALL_epoll_create:
        return epoll_create(c->a);
    case CALL_epoll_create1:
        return epoll_create1(c->a);
    case CALL_epoll_ctl:
        return epoll_ctl(c->fd, c->a, c->fd2, &c->epoll[0]);
    default:
        return epoll_wait(c->fd, c->epoll, c->n_poll, c->timeout_ms);
    }
}

static long names_and_options(struct call *c)
{
    switch (c->op) {
    case CALL_getsockname:
        c->addr_len = sizeof(c->addr);
        return getsockname(c->fd, (struct sockaddr *)&c->addr, &c->addr_len);
    case CALL_getpeername:
        c->addr_len = sizeof(c->addr);
        return getpeername(c->fd, (struct sockaddr *)&c->addr, &c->addr_len);
    case CALL_getsockopt:
        return getsockopt(c->fd, c->a, c->b, c->opt, &c->opt_len);
    case CALL_setsockopt:
        return setsockopt(c->fd, c->a, c->b, c->opt, c->opt_len);
    case CALL_fcntl:
        return fcntl(c->fd, c->a, c->b);
    default:
        return ioctl(c->fd, c->request, &c->a);
    }
}

static long connections(struct call *c)
{
    switch (c->op) {
    case CALL_socket:
        return socket(c->a, c->b, c->c);
    case CALL_bind:
        return bind(c->fd, (struct sockaddr *)&c->addr, c->addr_len);
    case CALL_connect:
        return connect(c->fd, (struct sockaddr *)&c->addr, c->addr_len);
    case CALL_listen:
        return listen(c->fd, c->a);
    case CALL_accept:
        return accept(c->fd, NULL, NULL);
    case CALL_accept4:
        return accept4(c->fd, NULL, NULL, c->flags);
    case CALL_shutdown:
        return shutdown(c->fd, c->a);
    default:
        return close(c->fd);
    }
}

static long carry_out(struct call *c)
{
    if (c->op <= CALL_close)
        return connections(c);
    if (c->op <= CALL_sendmsg)
        return transfer(c);
    if (c->op <= CALL_ioctl)
        return names_and_options(c);
    return wait_calls(c);
}

static void *run(void *arg)
{
    struct call *c = arg;
    long result = carry_out(c);

    c->result = result < 0 ? -errno : result;
    c->done_at = kernel_now(c->target);
    c->done = true;
    return NULL;
}

void kernel_start(struct target *t, struct call *c)
{
    struct kernel *k = (struct kernel *)t;
    struct kernel_thread *n = arena_alloc(t->arena, sizeof(*n));

    c->target = t;
    n->call = c;
    n->next = k->threads;
    k->threads = n;
    if (pthread_create(&n->thread, NULL, run, c) != 0) {
        c->result = -EAGAIN;
        c->done_at = kernel_now(t);
        c->done = true;
        return;
    }
    pthread_detach(n->thread);
    /* most calls return at once: give this one the chance before the packets are looked at */
    for (int i = 0; i < 100 && !c->done; i++)
        usleep(20);
}

void kernel_interrupt(struct target *t, int fd, bool restart)
{
    struct kernel *k = (struct kernel *)t;

    for (struct kernel_thread *n = k->threads; n; n = n->next)
        if (!n->call->done && (fd < 0 || n->call->fd == fd))
            pthread_kill(n->thread, restart ? SIGUSR2 : SIGUSR1);
}

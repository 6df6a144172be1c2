/* SPDX-License-Identifier: MIT */
/*
 * poll(2) and epoll(7) of virtual time. The core gives the mask of a socket (sock_poll) and says
 * when something happened (stack_next_event); an edge-triggered watcher reports once for each of
 * those.
 */
#include "tests/pkt/virtual.h"

#include <errno.h>
#include <string.h>

static uint32_t mask_of(struct virtual *v, int fd)
{
    const struct vfd *f = virtual_fd(v, fd, VFD_SOCK);

    return f ? sock_poll(f->sock) : POLLNVAL;
}

int virtual_poll(struct virtual *v, struct call *c)
{
    int ready = 0;

    for (int i = 0; i < c->n_poll; i++) {
        uint32_t mask = mask_of(v, c->poll[i].fd);

        c->poll[i].revents =
            (short)(mask & ((uint32_t)c->poll[i].events | POLLERR | POLLHUP | POLLNVAL));
        ready += c->poll[i].revents != 0;
    }
    return ready;
}

static struct vepoll_item *find(struct vfd *e, int fd)
{
    for (int i = 0; i < CALL_MAX_POLL; i++)
        if (e->item[i].fd == fd)
            return &e->item[i];
    return NULL;
}

int virtual_epoll_ctl(struct virtual *v, const struct call *c)
{
    struct vfd *e = virtual_fd(v, c->fd, VFD_EPOLL);
    struct vepoll_item *item;

    if (!virtual_fd(v, c->fd2, VFD_SOCK))
        return -EBADF;
    if (!e)
        return -EINVAL;
    item = find(e, c->fd2);
    if (c->a == EPOLL_CTL_ADD ? item != NULL : item == NULL)
        return item ? -EEXIST : -ENOENT;
    if (c->a == EPOLL_CTL_DEL) {
        item->fd = -1;
        return 0;
    }
    if (!item)
        item = find(e, -1);
    if (!item)
        return -ENOSPC;
    *item = (struct vepoll_item){.fd = c->fd2, .ev = c->epoll[0], .armed = true};
    return 0;
}

int virtual_epoll_wait(struct virtual *v, struct call *c)
{
    struct vfd *e = virtual_fd(v, c->fd, VFD_EPOLL);
    int n = 0;

    if (!e)
        return -EINVAL;
    for (int i = 0; i < CALL_MAX_POLL && n < c->n_poll; i++) {
        struct vepoll_item *item = &e->item[i];
        uint32_t mask;

        if (item->fd < 0 || item->disabled || ((item->ev.events & EPOLLET) && !item->armed))
            continue;
        mask = mask_of(v, item->fd) & (item->ev.events | EPOLLERR | EPOLLHUP);
        if (!mask)
            continue;
        item->armed = false;
        item->disabled = item->ev.events & EPOLLONESHOT;
        c->epoll[n++] = (struct epoll_event){.events = mask, .data = item->ev.data};
    }
    return n;
}

void virtual_epoll_event(struct virtual *v, const struct sock *s)
{
    for (int e = 0; e < VIRTUAL_FDS; e++) {
        if (v->fd[e].kind != VFD_EPOLL)
            continue;
        for (int i = 0; i < CALL_MAX_POLL; i++) {
            struct vepoll_item *item = &v->fd[e].item[i];

            if (item->fd >= 0 && v->fd[item->fd].sock == s)
                item->armed = true;
        }
    }
}

void virtual_epoll_forget(struct virtual *v, int fd)
{
    for (int e = 0; e < VIRTUAL_FDS; e++) {
        struct vepoll_item *item = v->fd[e].kind == VFD_EPOLL ? find(&v->fd[e], fd) : NULL;

        if (item)
            item->fd = -1;
    }
}

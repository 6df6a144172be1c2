/* SPDX-License-Identifier: MIT */
/* The nested epoll instance; see poller.h. */
#include "daemon/poller.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

int poller_init(struct poller *p)
{
    p->retired = NULL;
    p->events = 0;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? -errno : 0;
}

void poller_destroy(struct poller *p)
{
    poller_bury(p);
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static int control(struct poller *p, int op, int fd, uint32_t events, struct watch *w)
{
    struct epoll_event e = {.events = events, .data.ptr = w};

    return epoll_ctl(p->fd, op, fd, &e) < 0 ? -errno : 0;
}

int poller_add(struct poller *p, int fd, uint32_t events, struct watch *w)
{
    return control(p, EPOLL_CTL_ADD, fd, events, w);
}

int poller_change(struct poller *p, int fd, uint32_t events, struct watch *w)
{
    return control(p, EPOLL_CTL_MOD, fd, events, w);
}

void poller_remove(struct poller *p, int fd)
{
    (void)control(p, EPOLL_CTL_DEL, fd, 0, NULL);
}

void poller_retire(struct poller *p, struct watch *w, void (*release)(struct watch *w))
{
    w->retired = true;
    w->release = release;
    w->next_retired = p->retired;
    p->retired = w;
}

bool poller_run(struct poller *p)
{
    struct epoll_event events[POLLER_BATCH];
    int n = epoll_wait(p->fd, events, POLLER_BATCH, 0);

    p->events += n > 0 ? (uint64_t)n : 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < n; i++) {
            struct watch *w = events[i].data.ptr;
            if (w->first == (pass == 0) && !w->retired)
                w->ready(w, events[i].events);
        }
    }
    return n == POLLER_BATCH;
}

void poller_bury(struct poller *p)
{
    while (p->retired) {
        struct watch *w = p->retired;
        p->retired = w->next_retired;
        w->release(w);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * idle: connections that do nothing.
 *   idle serve PORT                     accept them, close each when its peer has
 *   idle hold ADDRESS PORT COUNT        make them, say "held COUNT SECONDS", hold them until
 * standard input ends
 */
#include "tests/bench/link.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define THREADS 8

static int epfd;
static const char *address, *port;
static unsigned count;

static void *close_ended(void *unused)
{
    struct epoll_event events[256];
    int n;

    while ((n = epoll_wait(epfd, events, 256, -1)) >= 0) {
        for (int i = 0; i < n; i++)
            close(events[i].data.fd);
    }
    link_fail("epoll_wait");
    return unused;
}

/* link_serve() closes what it gave: a copy stays. */
static void serve(int fd)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLRDHUP, .data.fd = dup(fd)};

    if (ev.data.fd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, ev.data.fd, &ev) < 0)
        link_fail("serve");
}

static void *make_some(void *unused)
{
    for (unsigned i = 0; i < count / THREADS; i++)
        link_open_bare(address, port, LINK_PLAIN);
    return unused;
}

static void hold(void)
{
    double begin = link_now();
    pthread_t threads[THREADS];
    char c;

    for (unsigned i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, make_some, NULL) != 0)
            link_fail("pthread_create");
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("held %u %.3f\n", count / THREADS * THREADS, link_now() - begin);
    fflush(stdout);
    while (read(0, &c, 1) > 0) {
    }
}

int main(int argc, char **argv)
{
    struct rlimit most;
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &most) == 0) {
        most.rlim_cur = most.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &most);
    }
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        epfd = epoll_create1(EPOLL_CLOEXEC);
        if (epfd < 0 || pthread_create(&thread, NULL, close_ended, NULL) != 0)
            link_fail("serve");
        link_serve(argv[2], 1, serve);
    }
    if (argc != 5 || strcmp(argv[1], "hold") != 0) {
        fprintf(stderr, "Usage: idle serve PORT\n"
                        "       idle hold ADDRESS PORT COUNT\n");
        return 2;
    }
    address = argv[2];
    port = argv[3];
    count = (unsigned)atoi(argv[4]);
    hold();
    return 0;
}

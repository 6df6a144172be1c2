/* SPDX-License-Identifier: MIT */
/*
 * An echo server for many connections with epoll(7), which knows nothing of tapstack: listener and
 * connections are descriptors as any other.
 *
 *     cc epoll.c $(pkg-config --cflags --libs tapstack) -o epoll
 *     ./epoll 7
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <tapstack.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t at, len; /* of what is still to be echoed */
    char buffer[16384];
};

static int make_listener(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (ts_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        ts_bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || ts_listen(fd, 128) < 0) {
        int error = errno;

        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void drop(struct connection *c)
{
    close(c->fd); /* epoll forgets it */
    free(c);
}

static int watch(int epoll, int op, struct connection *c, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = c};

    return epoll_ctl(epoll, op, c->fd, &e);
}

static void accept_all(int epoll, int listener)
{
    int fd;

    while ((fd = ts_accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));

        if (!c) {
            close(fd);
            continue;
        }
        c->fd = fd;
        if (watch(epoll, EPOLL_CTL_ADD, c, EPOLLIN) < 0)
            drop(c);
    }
}

/* 0: done for now; -1: the connection is to be dropped. */
static int echo(int epoll, struct connection *c)
{
    for (;;) {
        ssize_t n;

        if (c->at == c->len) {
            n = read(c->fd, c->buffer, sizeof(c->buffer));
            if (n < 0 && errno == EAGAIN)
                return watch(epoll, EPOLL_CTL_MOD, c, EPOLLIN);
            if (n <= 0)
                return -1;
            c->at = 0;
            c->len = (size_t)n;
        }
        n = send(c->fd, c->buffer + c->at, c->len - c->at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return watch(epoll, EPOLL_CTL_MOD, c, EPOLLOUT);
        if (n < 0)
            return -1;
        c->at += (size_t)n;
    }
}

int main(int argc, char **argv)
{
    int listener = argc == 2 ? make_listener((uint16_t)atoi(argv[1])) : -1;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN};

    if (argc != 2) {
        fprintf(stderr, "Usage: epoll PORT\n");
        return 2;
    }
    if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &e) < 0) {
        perror("listen");
        return 1;
    }
    fprintf(stderr, "listening\n");
    while (epoll_wait(epoll, &e, 1, -1) == 1 || errno == EINTR) {
        struct connection *c = e.data.ptr;

        if (!c)
            accept_all(epoll, listener);
        else if (echo(epoll, c) < 0)
            drop(c);
    }
    perror("epoll_wait");
    return 1;
}

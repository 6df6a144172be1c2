/* SPDX-License-Identifier: MIT */
/* The connections of the measuring programs; see link.h. */
#include "tests/bench/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void link_fail(const char *what)
{
    perror(what);
    exit(1);
}

double link_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int make_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        link_fail("socket");
    return fd;
}

static void tune(int fd)
{
    int on = 1;

    /* Not everybody has it. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, LINK_CONGESTION, strlen(LINK_CONGESTION));
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
        link_fail("setsockopt");
}

static struct {
    int listener;
    void (*serve)(int fd);
} server;

static void *serve_connections(void *unused)
{
    int fd;

    while ((fd = accept(server.listener, NULL, NULL)) >= 0) {
        server.serve(fd);
        close(fd);
    }
    link_fail("accept");
    return unused;
}

void link_serve(const char *port, unsigned threads, void (*serve)(int fd))
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    pthread_t thread;
    int on = 1;

    server.listener = make_socket();
    server.serve = serve;
    tune(server.listener); /* who is accepted inherits it */
    if (setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(server.listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        listen(server.listener, 4096) < 0)
        link_fail("listen");
    puts("listening");
    fflush(stdout);
    for (unsigned i = 1; i < threads; i++) {
        if (pthread_create(&thread, NULL, serve_connections, NULL) != 0)
            link_fail("pthread_create");
    }
    serve_connections(NULL);
}

static int connect_plain(const char *address, const char *port, bool tuned)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = make_socket();

    if (tuned)
        tune(fd);
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        link_fail("connect");
    return fd;
}

static const struct link_calls plain = {connect_plain, read, write, shutdown, close};

/* --- ways --------------------------------------------------------------------------------------
 */

enum link_way link_way(const char *name)
{
    static const char *const names[] = {"plain", "copy", "zero", "lwip"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        if (i != LINK_LWIP || &link_lwip)
            return i;
    }
    fprintf(stderr, "no such way: %s\n", name);
    exit(2);
}

static int connect_ours(const char *address, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        link_fail("ts_socket");
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
        ts_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        ts_connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        link_fail("ts_connect");
    return fd;
}

struct link link_open(const char *address, const char *port, enum link_way way)
{
    struct link l = {.calls = way == LINK_LWIP ? &link_lwip : &plain, .zero = way == LINK_ZERO};

    if (way == LINK_PLAIN || way == LINK_LWIP) {
        l.fd = l.calls->connect(address, port, true);
        return l;
    }
    l.fd = connect_ours(address, port);
    l.ring = ts_ring_attach(l.fd);
    if (!l.ring)
        link_fail("ts_ring_attach");
    return l;
}

struct link link_open_bare(const char *address, const char *port, enum link_way way)
{
    struct link l = {.calls = way == LINK_LWIP ? &link_lwip : &plain};

    l.fd = l.calls->connect(address, port, false);
    return l;
}

struct link link_accepted(int fd)
{
    return (struct link){.fd = fd, .calls = &plain, .served = true};
}

static void fail(const struct link *l, const char *what)
{
    if (!l->served)
        link_fail(what);
}

void link_close(struct link *l)
{
    if (l->ring)
        ts_ring_detach(l->ring);
    l->ring = NULL;
    if (l->calls->close(l->fd) < 0)
        link_fail("close");
}

static void write_all(const struct link *l, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = l->calls->write(l->fd, (const char *)data + done, len - done);

        if (n <= 0) {
            fail(l, "write");
            return;
        }
        done += (size_t)n;
    }
}

void link_say(const struct link *l, const void *data, size_t n)
{
    if (!l->ring)
        write_all(l, data, n);
    else if (ts_ring_send(l->ring, data, n, 0) != (ssize_t)n)
        link_fail("ts_ring_send");
}

bool link_recv_all(const struct link *l, void *data, size_t n)
{
    for (size_t done = 0, got; done < n; done += got) {
        got = link_recv(l, (char *)data + done, n - done);
        if (got == 0)
            return false;
    }
    return true;
}

static size_t reserve(const struct link *l, size_t n)
{
    void *span;
    ssize_t got;

    while ((got = ts_ring_reserve(l->ring, n, &span)) < 0) {
        if (errno != EAGAIN || ts_ring_wait(l->ring, POLLOUT, -1) < 0)
            link_fail("ts_ring_reserve");
    }
    return (size_t)got;
}

void link_send(const struct link *l, const void *data, size_t n)
{
    if (!l->zero) {
        link_say(l, data, n);
        return;
    }
    for (size_t done = 0, got; done < n; done += got) {
        got = reserve(l, n - done);
        if (ts_ring_commit(l->ring, got, 0) < 0)
            link_fail("ts_ring_commit");
    }
}

static ssize_t take_in_place(const struct link *l, size_t most)
{
    const void *span;
    ssize_t n;

    while ((n = ts_ring_peek(l->ring, &span)) < 0) {
        if (errno != EAGAIN || ts_ring_wait(l->ring, POLLIN, -1) < 0)
            return -1;
    }
    if ((size_t)n > most)
        n = (ssize_t)most;
    return ts_ring_consume(l->ring, (size_t)n) < 0 ? -1 : n;
}

size_t link_recv(const struct link *l, void *data, size_t n)
{
    ssize_t got;

    if (!l->ring)
        got = l->calls->read(l->fd, data, n);
    else if (l->zero)
        got = take_in_place(l, n);
    else
        got = ts_ring_recv(l->ring, data, n, 0);
    if (got < 0)
        fail(l, "receive");
    return got < 0 ? 0 : (size_t)got;
}

void link_end(const struct link *l)
{
    int rc = l->ring ? ts_ring_shutdown(l->ring, SHUT_WR) : l->calls->shutdown(l->fd, SHUT_WR);

    if (rc < 0)
        fail(l, "shutdown");
}

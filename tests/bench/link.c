/* SPDX-License-Identifier: MIT */
/* The plain socket calls of the measuring programs; see link.h. */
#include "tests/bench/link.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        link_fail("socket");
    /* Not everybody has it. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, LINK_CONGESTION, strlen(LINK_CONGESTION));
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        link_fail("setsockopt");
    return fd;
}

void link_serve(const char *port, void (*serve)(int fd))
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd, listener = make_socket();

    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 16) < 0)
        link_fail("listen");
    puts("listening");
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        serve(fd);
        close(fd);
    }
    link_fail("accept");
}

int link_connect(const char *address, const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = make_socket();

    if (inet_pton(AF_INET, address, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        link_fail("connect");
    return fd;
}

void link_read(int fd, void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, (char *)data + done, len - done);

        if (n <= 0)
            link_fail("read");
        done += (size_t)n;
    }
}

void link_write(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)data + done, len - done);

        if (n <= 0)
            link_fail("write");
        done += (size_t)n;
    }
}

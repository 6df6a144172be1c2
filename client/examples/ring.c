/* SPDX-License-Identifier: MIT */
/*
 * A sender and a receiver by shared rings: bytes are read from a file into the very memory that
 * they are sent from, or written to a file out of the memory that they arrived in.
 *
 *     cc ring.c $(pkg-config --cflags --libs tapstack) -o ring
 *     ./ring send 10.77.0.1 9000 <file
 *     ./ring receive 10.77.0.1 9000 >file
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapstack.h>
#include <unistd.h>

#define PIECE (256 * 1024)

/* Standard input to the peer; returns when the peer has read our end, and has closed. */
static int send_all(struct ts_ring *ring)
{
    const void *rest;
    void *span;
    ssize_t n;

    for (;;) {
        ssize_t room = ts_ring_reserve(ring, PIECE, &span);

        if (room < 0 && errno == EAGAIN) {
            if (ts_ring_wait(ring, POLLOUT, -1) < 0)
                return -1;
            continue;
        }
        if (room < 0)
            return -1;
        n = read(STDIN_FILENO, span, (size_t)room);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        if (ts_ring_commit(ring, (size_t)n, 0) < 0)
            return -1;
    }
    if (ts_ring_shutdown(ring, SHUT_WR) < 0)
        return -1;
    while ((n = ts_ring_peek(ring, &rest)) != 0) {
        if (n > 0 && ts_ring_consume(ring, (size_t)n) < 0)
            return -1;
        if (n < 0 && (errno != EAGAIN || ts_ring_wait(ring, POLLIN, -1) < 0))
            return -1;
    }
    return 0;
}

/* What the peer sends, until it has closed, to standard output. */
static int receive_all(struct ts_ring *ring)
{
    const void *span;
    ssize_t n;

    while ((n = ts_ring_peek(ring, &span)) != 0) {
        if (n < 0 && (errno != EAGAIN || ts_ring_wait(ring, POLLIN, -1) < 0))
            return -1;
        if (n > 0) {
            ssize_t written = write(STDOUT_FILENO, span, (size_t)n);

            if (written < 0 || ts_ring_consume(ring, (size_t)written) < 0)
                return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    bool sends = argc == 4 && !strcmp(argv[1], "send");
    struct ts_ring *ring;
    int fd, rc;

    if (argc != 4 || (!sends && strcmp(argv[1], "receive") != 0) ||
        inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
        fprintf(stderr, "Usage: ring send|receive ADDRESS PORT\n");
        return 2;
    }
    to.sin_port = htons((uint16_t)atoi(argv[3]));
    fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ts_connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
        !(ring = ts_ring_attach(fd))) {
        perror("connect");
        return 1;
    }
    rc = sends ? send_all(ring) : receive_all(ring);
    if (rc < 0)
        perror("transfer");
    ts_ring_detach(ring);
    close(fd);
    return rc < 0;
}

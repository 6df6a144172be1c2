/* SPDX-License-Identifier: MIT */
/*
 * bulk: how fast one connection moves bytes one way.
 *   bulk serve PORT                        the other end, for any number of connections
 *   bulk send|receive ADDRESS PORT SECONDS [PIECE [copy|zero]]
 * copy, zero: by shared rings.
 * Prints Gbit/s, always as the receiver saw it: from its first byte to the end of the stream.
 */
#include "tests/bench/link.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM (1 << 20)

struct request {
    double seconds;  /* for so long the sender sends */
    uint32_t piece;  /* bytes a write */
    uint32_t upward; /* the client sends */
};

static char data[ROOM];

static void send_for(const struct link *l, const struct request *rq)
{
    double end = link_now() + rq->seconds;

    while (link_now() < end)
        link_send(l, data, rq->piece);
    link_end(l);
}

static double receive_rate(const struct link *l)
{
    uint64_t bytes = 0;
    double start = 0;
    size_t n;

    while ((n = link_recv(l, data, sizeof(data))) > 0) {
        if (bytes == 0)
            start = link_now();
        bytes += n;
    }
    return bytes ? (double)bytes * 8e-9 / (link_now() - start) : 0;
}

static void serve(int fd)
{
    struct link l = {.fd = fd};
    struct request rq;
    double rate;
    char end;

    link_read(fd, &rq, sizeof(rq));
    if (rq.piece == 0 || rq.piece > sizeof(data))
        return;
    if (!rq.upward) {
        send_for(&l, &rq);
        if (read(fd, &end, 1) != 0) /* the client closes first */
            link_fail("the end");
        return;
    }
    rate = receive_rate(&l);
    link_write(fd, &rate, sizeof(rate));
}

/* Also by rings that are for bytes in place: these few are copied. */
static void say(const struct link *l, const struct request *rq)
{
    if (l->ring && ts_ring_send(l->ring, rq, sizeof(*rq), 0) != sizeof(*rq))
        link_fail("ts_ring_send");
    if (!l->ring)
        link_write(l->fd, rq, sizeof(*rq));
}

static void hear(const struct link *l, double *rate)
{
    if (l->ring && ts_ring_recv(l->ring, rate, sizeof(*rate), MSG_WAITALL) != sizeof(*rate))
        link_fail("ts_ring_recv");
    if (!l->ring)
        link_read(l->fd, rate, sizeof(*rate));
}

int main(int argc, char **argv)
{
    struct request rq = {.piece = 256 * 1024};
    struct link l;
    double rate;

    signal(SIGPIPE, SIG_IGN);
    memset(data, 'x', sizeof(data)); /* a page each, not the one page of zeros */
    if (argc == 3 && !strcmp(argv[1], "serve"))
        link_serve(argv[2], serve);
    if (argc < 5 || argc > 7 || (strcmp(argv[1], "send") && strcmp(argv[1], "receive"))) {
        fprintf(stderr, "Usage: bulk serve PORT\n"
                        "       bulk send|receive ADDRESS PORT SECONDS [PIECE [copy|zero]]\n");
        return 2;
    }
    rq.seconds = atof(argv[4]);
    rq.upward = !strcmp(argv[1], "send");
    if (argc >= 6)
        rq.piece = (uint32_t)atoi(argv[5]);
    if (rq.piece == 0 || rq.piece > sizeof(data))
        return 2;
    l = link_open(argv[2], argv[3], link_way(argc == 7 ? argv[6] : ""));
    say(&l, &rq);
    if (rq.upward) {
        send_for(&l, &rq);
        hear(&l, &rate);
    } else {
        rate = receive_rate(&l);
    }
    printf("%.3f\n", rate);
    return 0;
}

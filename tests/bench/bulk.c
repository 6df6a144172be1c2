/* SPDX-License-Identifier: MIT */
/*
 * bulk: how fast connections move bytes.
 *   bulk serve PORT                                       the other end, for any number of them
 *   bulk send|receive|both ADDRESS PORT SECONDS RUN CONNECTIONS PIECE WAY
 * PIECE: bytes in one call of ours; the server's are of 256 KiB. RUN: any number. Who receives says
 * so, for each connection, when its stream has ended, in a line of standard output:
 *   received RUN BYTES FIRST LAST
 * with the seconds of the monotonic clock at its first and behind its last byte.
 */
#include "tests/bench/link.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOM            (1 << 20)
#define PIECE           (256 * 1024)
#define CONNECTIONS_MAX 64

struct request {
    double seconds; /* for so long who sends sends */
    uint32_t run;
    uint8_t up, down; /* the client sends, the server does */
};

struct end {
    struct link link;
    struct request rq;
    uint32_t piece;
    pthread_t sender, receiver;
};

static char data[ROOM];

static void *send_for(void *arg)
{
    struct end *e = arg;
    double end = link_now() + e->rq.seconds;

    while (link_now() < end)
        link_send(&e->link, data, e->piece);
    link_end(&e->link);
    return NULL;
}

/* To the end of the stream. */
static void *receive(void *arg)
{
    struct end *e = arg;
    char *room = malloc(e->piece);
    double first = 0, last = 0;
    uint64_t bytes = 0;
    size_t n;

    if (!room)
        link_fail("malloc");
    while ((n = link_recv(&e->link, room, e->piece)) > 0) {
        if (bytes == 0)
            first = link_now();
        bytes += n;
    }
    last = link_now();
    free(room);
    if (bytes) {
        printf("received %u %llu %.6f %.6f\n", e->rq.run, (unsigned long long)bytes, first, last);
        fflush(stdout);
    }
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *), struct end *e)
{
    if (pthread_create(thread, NULL, run, e) != 0)
        link_fail("pthread_create");
}

static void serve(int fd)
{
    struct end e = {.link = link_accepted(fd), .piece = PIECE};

    if (!link_recv_all(&e.link, &e.rq, sizeof(e.rq)))
        return;
    if (e.rq.down)
        start(&e.sender, send_for, &e);
    receive(&e); /* where the client does not send: until it closes, which it does last */
    if (e.rq.down)
        pthread_join(e.sender, NULL);
}

static void run(struct end *ends, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        link_say(&ends[i].link, &ends[i].rq, sizeof(ends[i].rq));
        start(&ends[i].receiver, receive, &ends[i]);
        if (ends[i].rq.up)
            start(&ends[i].sender, send_for, &ends[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (ends[i].rq.up)
            pthread_join(ends[i].sender, NULL);
        pthread_join(ends[i].receiver, NULL);
        link_close(&ends[i].link);
    }
}

static int usage(void)
{
    fprintf(stderr,
            "Usage: bulk serve PORT\n"
            "       bulk send|receive|both ADDRESS PORT SECONDS RUN CONNECTIONS PIECE WAY\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct end ends[CONNECTIONS_MAX];
    struct end e = {0};
    unsigned n;

    signal(SIGPIPE, SIG_IGN);
    memset(data, 'x', sizeof(data)); /* a page each, not the one page of zeros */
    if (argc == 3 && !strcmp(argv[1], "serve"))
        link_serve(argv[2], CONNECTIONS_MAX, serve);
    if (argc != 9)
        return usage();
    e.rq.up = !strcmp(argv[1], "send") || !strcmp(argv[1], "both");
    e.rq.down = !strcmp(argv[1], "receive") || !strcmp(argv[1], "both");
    e.rq.seconds = atof(argv[4]);
    e.rq.run = (uint32_t)atoi(argv[5]);
    n = (unsigned)atoi(argv[6]);
    e.piece = (uint32_t)atoi(argv[7]);
    if ((!e.rq.up && !e.rq.down) || n < 1 || n > CONNECTIONS_MAX || e.piece < 1 ||
        e.piece > sizeof(data))
        return usage();
    for (unsigned i = 0; i < n; i++) {
        e.link = link_open(argv[2], argv[3], link_way(argv[8]));
        ends[i] = e;
    }
    run(ends, n);
    return 0;
}

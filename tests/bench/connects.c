/* SPDX-License-Identifier: MIT */
/*
 * connects: connect, request, response, close, and again.
 *   connects serve PORT
 *   connects measure ADDRESS PORT SECONDS CLIENTS WAY     (so many threads, each one after the
 * other) The client closes first. Prints connections a second.
 */
#include "tests/bench/link.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES       64
#define CLIENTS_MAX 32

static struct {
    const char *address, *port;
    enum link_way way;
    double end;
} client;

static void serve(int fd)
{
    struct link l = link_accepted(fd);
    char data[BYTES];

    if (!link_recv_all(&l, data, sizeof(data)))
        return;
    link_send(&l, data, sizeof(data));
    (void)link_recv(&l, data, sizeof(data)); /* until it has closed */
}

static void *ask(void *arg)
{
    unsigned long *n = arg;
    char data[BYTES] = {0};

    while (link_now() < client.end) {
        struct link l = link_open_bare(client.address, client.port, client.way);

        link_send(&l, data, sizeof(data));
        if (!link_recv_all(&l, data, sizeof(data)))
            link_fail("the connection has ended");
        link_close(&l);
        ++*n;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned long done[CLIENTS_MAX] = {0}, sum = 0;
    pthread_t threads[CLIENTS_MAX];
    unsigned clients;
    double begin;

    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "serve"))
        link_serve(argv[2], CLIENTS_MAX, serve);
    clients = argc == 7 ? (unsigned)atoi(argv[5]) : 0;
    if (clients < 1 || clients > CLIENTS_MAX || strcmp(argv[1], "measure") != 0) {
        fprintf(stderr, "Usage: connects serve PORT\n"
                        "       connects measure ADDRESS PORT SECONDS CLIENTS WAY\n");
        return 2;
    }
    client.address = argv[2];
    client.port = argv[3];
    client.way = link_way(argv[6]);
    begin = link_now();
    client.end = begin + atof(argv[4]);
    for (unsigned i = 0; i < clients; i++) {
        if (pthread_create(&threads[i], NULL, ask, &done[i]) != 0)
            link_fail("pthread_create");
    }
    for (unsigned i = 0; i < clients; i++) {
        pthread_join(threads[i], NULL);
        sum += done[i];
    }
    printf("%.0f\n", (double)sum / (link_now() - begin));
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * pingpong: how long a small message and its answer take on one connection.
 *   pingpong serve PORT
 *   pingpong measure ADDRESS PORT SECONDS BYTES WAY
 * Prints the 50th, the 99th and the 99.9th percentile, in microseconds, and round trips a second.
 */
#include "tests/bench/link.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIPS_MAX (4u << 20)

static char data[65536];

static void serve(int fd)
{
    struct link l = link_accepted(fd);
    size_t n;

    while ((n = link_recv(&l, data, sizeof(data))) > 0)
        link_send(&l, data, n);
}

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    double begin, end;
    size_t size, n = 0;
    float *trips;
    struct link l;

    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "serve"))
        link_serve(argv[2], 1, serve);
    if (argc != 7 || strcmp(argv[1], "measure") != 0) {
        fprintf(stderr, "Usage: pingpong serve PORT\n"
                        "       pingpong measure ADDRESS PORT SECONDS BYTES WAY\n");
        return 2;
    }
    size = (size_t)atoi(argv[5]);
    trips = malloc(TRIPS_MAX * sizeof(*trips));
    if (!trips || size == 0 || size > sizeof(data))
        return 2;
    l = link_open(argv[2], argv[3], link_way(argv[6]));
    begin = link_now();
    end = begin + atof(argv[4]);
    for (double t = begin, u; t < end && n < TRIPS_MAX; t = u) {
        link_send(&l, data, size);
        if (!link_recv_all(&l, data, size))
            link_fail("the connection has ended");
        u = link_now();
        trips[n++] = (float)((u - t) * 1e6);
    }
    end = link_now();
    link_close(&l);
    qsort(trips, n, sizeof(*trips), by_size);
    printf("%.1f %.1f %.1f %.0f\n", (double)trips[n / 2], (double)trips[n * 99 / 100],
           (double)trips[n * 999 / 1000], (double)n / (end - begin));
    free(trips);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * requests: small requests on one connection, several under way at a time.
 *   requests serve PORT
 *   requests measure ADDRESS PORT SECONDS BYTES DEPTH WAY
 * Each request is one call, and so is each answer; an answer is as long as its request. Prints
 * requests a second.
 */
#include "tests/bench/link.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX 4096

/* The first byte that comes tells the size: all messages of a connection are alike. */
struct first {
    uint32_t bytes;
};

static char data[BYTES_MAX], room[65536];

/* Whole messages that are there now, at least one; 0 at the end. *part: bytes of the next one. */
static size_t messages(const struct link *l, size_t size, size_t *part)
{
    do {
        size_t n = link_recv(l, room, sizeof(room));

        if (n == 0)
            return 0;
        *part += n;
    } while (*part < size);
    return *part / size;
}

static void serve(int fd)
{
    struct link l = link_accepted(fd);
    struct first f;
    size_t part = 0, n;

    if (!link_recv_all(&l, &f, sizeof(f)) || f.bytes == 0 || f.bytes > sizeof(data))
        return;
    while ((n = messages(&l, f.bytes, &part)) > 0) {
        part %= f.bytes;
        while (n--)
            link_send(&l, data, f.bytes);
    }
}

static double measure(const struct link *l, size_t size, size_t depth, double seconds)
{
    double begin = link_now(), end = begin + seconds;
    size_t part = 0, under_way = 0, n;
    unsigned long long answers = 0;

    do {
        for (; under_way < depth && link_now() < end; under_way++)
            link_send(l, data, size);
        n = messages(l, size, &part);
        if (n == 0)
            link_fail("the connection has ended");
        part %= size;
        under_way -= n;
        answers += n;
    } while (under_way); /* at the end every one of them has its answer */
    return (double)answers / (link_now() - begin);
}

int main(int argc, char **argv)
{
    struct first f;
    struct link l;
    size_t depth;

    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "serve"))
        link_serve(argv[2], 1, serve);
    if (argc != 8 || strcmp(argv[1], "measure") != 0) {
        fprintf(stderr, "Usage: requests serve PORT\n"
                        "       requests measure ADDRESS PORT SECONDS BYTES DEPTH WAY\n");
        return 2;
    }
    f.bytes = (uint32_t)atoi(argv[5]);
    depth = (size_t)atoi(argv[6]);
    if (f.bytes == 0 || f.bytes > sizeof(data) || depth == 0)
        return 2;
    l = link_open(argv[2], argv[3], link_way(argv[7]));
    link_say(&l, &f, sizeof(f));
    printf("%.0f\n", measure(&l, f.bytes, depth, atof(argv[4])));
    link_close(&l);
    return 0;
}

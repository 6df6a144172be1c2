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

    link_recv_all(&l, &f, sizeof(f));
    if (f.bytes == 0 || f.bytes > sizeof(data))
        return;
    while ((n = messages(&l, f.bytes, &part)) > 0) {
        part %= f.bytes;
        while (n--)
            link_send(&l, data, f.bytes);
    }
}

int main(int argc, char **argv)
{
    unsigned long long answers = 0;
    size_t part = 0, under_way = 0, depth, n;
    double begin, end;
    struct first f;
    struct link l;

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
    begin = link_now();
    end = begin + atof(argv[4]);
    while (link_now() < end) {
        for (; under_way < depth; under_way++)
            link_send(&l, data, f.bytes);
        n = messages(&l, f.bytes, &part);
        if (n == 0)
            link_fail("the connection has ended");
        part %= f.bytes;
        under_way -= n;
        answers += n;
    }
    end = link_now();
    link_close(&l);
    printf("%.0f\n", (double)answers / (end - begin));
    return 0;
}

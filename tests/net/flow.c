/* SPDX-License-Identifier: MIT */
/*
 * flow: what the comparison of two TCPs measures with. An ordinary blocking socket program, the
 * same for both; each byte is checked where it arrives. The server does what a client's request
 * says:
 *
 *   flow serve PORT              for each connection, when it received: "BYTES MICROSECONDS"
 *   flow get ADDRESS PORT        the server sends; for each connection, by who receives:
 *   flow put ADDRESS PORT        the client sends    "BYTES MICROSECONDS CONNECT_MICROSECONDS"
 *
 * -b BYTES of each connection, or -m MILLISECONDS after which the receiver counts and closes; -n
 * connections, one after the other; -C the congestion control, which must then be the one in use.
 * MICROSECONDS are from the request (for the server: its arrival) to the last byte.
 */
#include "tests/net/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 64 /* a line of text, padded with spaces */
#define PIECE   (128u << 10)

struct job {
    bool get; /* the server sends */
    uint64_t bytes, ms;
    uint32_t phase;
    uint64_t took, connect_took; /* us */
    uint64_t done;
};

static const char *congestion;
static uint8_t buffer[PIECE];

static uint64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int complain(const char *what)
{
    fprintf(stderr, "flow: %s: %s\n", what, errno ? strerror(errno) : "wrong");
    return -1;
}

static int choose(int fd)
{
    if (!congestion)
        return 0;
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) < 0)
        return complain(congestion);
    return 0;
}

/* What a connection got must be what was asked for, or the comparison is of something else. */
static int chosen(int fd)
{
    char name[16] = "";
    socklen_t len = sizeof(name) - 1;

    if (!congestion)
        return 0;
    errno = 0;
    if (getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) < 0 || strcmp(name, congestion))
        return complain("another congestion control is in use");
    return 0;
}

/* --- both ways of the bytes --------------------------------------------------------------------
 */

static int give(int fd, struct job *j)
{
    while (j->ms || j->done < j->bytes) {
        size_t len = j->ms || j->bytes - j->done > PIECE ? PIECE : (size_t)(j->bytes - j->done);
        const uint8_t *data = pattern_at(j->phase + j->done, &len);
        ssize_t n = write(fd, data, len);

        if (n < 0 && j->ms && (errno == EPIPE || errno == ECONNRESET))
            return 0; /* the receiver's time is over */
        if (n < 0)
            return complain("send");
        j->done += (uint64_t)n;
    }
    return shutdown(fd, SHUT_WR) < 0 ? complain("shutdown") : 0;
}

/* Returns 1 when there is something to read, 0 at the end of the time. */
static int readable(int fd, const struct job *j, uint64_t start)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t spent = now_us() - start, limit = j->ms * 1000;
    struct timespec wait;

    if (!j->ms)
        return 1;
    if (spent >= limit)
        return 0;
    wait.tv_sec = (time_t)((limit - spent) / 1000000);
    wait.tv_nsec = (long)((limit - spent) % 1000000 * 1000);
    return ppoll(&p, 1, &wait, NULL);
}

static int take(int fd, struct job *j, uint64_t start)
{
    int r;

    while ((r = readable(fd, j, start)) > 0) {
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0)
            return complain("receive");
        if (n == 0)
            break;
        if (pattern_differs(j->phase + j->done, buffer, (size_t)n) >= 0) {
            errno = 0;
            return complain("a byte that arrived");
        }
        j->done += (uint64_t)n;
        j->took = now_us() - start;
    }
    if (r < 0)
        return complain("poll");
    errno = 0;
    if (j->ms && r == 0)
        j->took = j->ms * 1000;
    else if (j->done != j->bytes)
        return complain("end of stream too early");
    return 0;
}

/* --- the two roles -----------------------------------------------------------------------------
 */

static int serve_one(int fd)
{
    struct job j = {0};
    char line[REQUEST + 1] = "", what[8];
    size_t got = 0;
    int r;

    if (chosen(fd) < 0)
        return -1;
    while (got < REQUEST) {
        ssize_t n = read(fd, line + got, REQUEST - got);
        if (n <= 0)
            return complain("request");
        got += (size_t)n;
    }
    if (sscanf(line, "%7s %" SCNu64 " %" SCNu64 " %" SCNu32, what, &j.bytes, &j.ms, &j.phase) != 4)
        return complain("request");
    if (!strcmp(what, "get"))
        return give(fd, &j);
    r = take(fd, &j, now_us());
    if (r == 0)
        printf("%" PRIu64 " %" PRIu64 " 0\n", j.done, j.took);
    fflush(stdout);
    return r;
}

static int serve(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (listener < 0 || choose(listener) < 0 ||
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 16) < 0)
        return complain("listen");
    puts("listening");
    fflush(stdout);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        if (serve_one(fd) < 0)
            puts("failed");
        fflush(stdout);
        close(fd);
    }
    return complain("accept");
}

static int ask(int fd, const struct job *j)
{
    char line[REQUEST + 1], padded[REQUEST + 1];

    snprintf(line, sizeof(line), "%s %" PRIu64 " %" PRIu64 " %" PRIu32, j->get ? "get" : "put",
             j->bytes, j->ms, j->phase);
    snprintf(padded, sizeof(padded), "%-*s", REQUEST, line);
    return write(fd, padded, REQUEST) == REQUEST ? 0 : complain("request");
}

static int client_one(const struct sockaddr_in *a, struct job *j)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;
    uint64_t start = now_us();

    if (fd < 0 || choose(fd) < 0)
        return complain("socket");
    if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
        return complain("connect");
    j->connect_took = now_us() - start;
    start = now_us();
    r = chosen(fd) < 0 || ask(fd, j) < 0 ? -1 : j->get ? take(fd, j, start) : give(fd, j);
    if (r == 0 && !j->get && !j->ms && read(fd, buffer, 1) != 0) /* all of it arrived */
        r = complain("end of stream");
    close(fd);
    return r;
}

static int client(bool get, const char *address, const char *port, const struct job *model, long n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};

    if (inet_pton(AF_INET, address, &a.sin_addr) != 1)
        return complain(address);
    for (long i = 0; i < n; i++) {
        struct job j = *model;

        j.get = get;
        j.phase = (uint32_t)(i * 7919 % 65536);
        if (client_one(&a, &j) < 0)
            return -1;
        if (get)
            printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", j.done, j.took, j.connect_took);
        fflush(stdout);
    }
    return 0;
}

static int usage(void)
{
    fprintf(stderr,
            "Usage: flow [-C CONGESTION] serve PORT\n"
            "       flow [-C CONGESTION] [-n COUNT] -b BYTES | -m MS  get|put ADDRESS PORT\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct job j = {0};
    long count = 1;
    int c;

    signal(SIGPIPE, SIG_IGN);
    pattern_init();
    while ((c = getopt(argc, argv, "+C:n:b:m:")) != -1) {
        if (c == 'C')
            congestion = optarg;
        else if (c == 'n')
            count = atol(optarg);
        else if (c == 'b')
            j.bytes = strtoull(optarg, NULL, 10);
        else if (c == 'm')
            j.ms = strtoull(optarg, NULL, 10);
        else
            return usage();
    }
    argv += optind;
    argc -= optind;
    if (argc == 2 && !strcmp(argv[0], "serve"))
        return serve(argv[1]) < 0;
    if (argc == 3 && (!strcmp(argv[0], "get") || !strcmp(argv[0], "put")) && (j.bytes || j.ms))
        return client(!strcmp(argv[0], "get"), argv[1], argv[2], &j, count) < 0;
    return usage();
}

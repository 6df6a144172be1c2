/* SPDX-License-Identifier: MIT */
/*
 * peer: one end of many test connections. An ordinary blocking socket program: it talks through
 * the kernel, through the daemon when it is run by `tapstack run`, and through libtapstack with -l.
 * Each of -p threads makes or accepts one connection after the other, -n together; each connection
 * sends -s and expects -r bytes at once of the stream in pattern.h, from a place in it that the
 * client's port gives (so two connections' bytes cannot be mistaken for each other), and a clean
 * end behind them. Exit status 0 only if all of that was so. With -R the connection is attached to
 * its shared rings, after -A bytes of either way.
 */
#include "client/include/tapstack.h"
#include "tests/net/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SHIFT 524287 /* between the two directions' streams */

static struct {
    bool server, quiet;
    struct sockaddr_in address;
    long connections, threads;
    uint64_t send, recv;
    size_t piece; /* of a write or read */
    long phase;   /* -1: by the client's port */
    const char *congestion;
    enum { NO_RING, RING_COPY, RING_ZERO } ring; /* by copies, or where the bytes lie */
    uint64_t attach_at;
} opt = {.connections = 1, .threads = 1, .piece = 256 * 1024, .phase = -1};

static struct calls {
    int (*socket)(int, int, int);
    int (*bind)(int, const struct sockaddr *, socklen_t);
    int (*listen)(int, int);
    int (*accept4)(int, struct sockaddr *, socklen_t *, int);
    int (*connect)(int, const struct sockaddr *, socklen_t);
    int (*getsockname)(int, struct sockaddr *, socklen_t *);
    int (*getpeername)(int, struct sockaddr *, socklen_t *);
    int (*setsockopt)(int, int, int, const void *, socklen_t);
} calls;

static atomic_long started;
static atomic_uint_fast64_t sent, received;
static int listener = -1, output = -1;

struct stream {
    int fd;
    uint64_t out_phase, in_phase;
    uint64_t out, in;
    bool ended;
    uint8_t *buffer;
    struct ts_ring *ring;
};

static int complain(const struct stream *s, const char *what, int error)
{
    fprintf(stderr,
            "peer: %s: %s (%" PRIu64 " of %" PRIu64 " sent, %" PRIu64 " of %" PRIu64 " received)\n",
            what, error ? strerror(error) : "wrong", s->out, opt.send, s->in, opt.recv);
    return -1;
}

/* --- one connection ----------------------------------------------------------------------------
 */

static int take(struct stream *s, const uint8_t *data, ssize_t n)
{
    int64_t wrong;

    if (n == 0) {
        s->ended = true;
        return s->in == opt.recv ? 0 : complain(s, "end of stream too early", 0);
    }
    if (s->in + (uint64_t)n > opt.recv)
        return complain(s, "more bytes than expected", 0);
    wrong = pattern_differs(s->in_phase + s->in, data, (size_t)n);
    if (wrong >= 0) {
        fprintf(stderr, "peer: byte %" PRIu64 " is not the one that was sent\n",
                s->in + (uint64_t)wrong);
        return -1;
    }
    for (ssize_t done = 0; output >= 0 && done < n;) {
        ssize_t w = write(output, data + done, (size_t)(n - done));
        if (w < 0)
            return complain(s, "output", errno);
        done += w;
    }
    s->in += (uint64_t)n;
    return 0;
}

/* From the place where they have arrived. */
static ssize_t ring_take(struct stream *s, int flags)
{
    const void *span;
    ssize_t n;

    while ((n = ts_ring_peek(s->ring, &span)) < 0 && errno == EAGAIN && !flags) {
        if (ts_ring_wait(s->ring, POLLIN, -1) < 0)
            return -1;
    }
    if (n < 0)
        return -1;
    if (take(s, span, n) < 0)
        return -2;
    return ts_ring_consume(s->ring, (size_t)n) < 0 ? -1 : n;
}

/* Returns 1 when nothing can be done now. */
static int receive(struct stream *s, int flags)
{
    ssize_t n;

    if (s->ring && opt.ring == RING_ZERO)
        n = ring_take(s, flags);
    else if (s->ring)
        n = ts_ring_recv(s->ring, s->buffer, opt.piece, flags);
    else
        n = flags ? recv(s->fd, s->buffer, opt.piece, flags) : read(s->fd, s->buffer, opt.piece);
    if (n == -2)
        return -1;
    if (n < 0)
        return errno == EAGAIN && flags ? 1 : complain(s, "receive", errno);
    return s->ring && opt.ring == RING_ZERO ? 0 : take(s, s->buffer, n);
}

/* Into the place from which they are sent. */
static ssize_t ring_give(struct stream *s, const uint8_t *data, size_t len, int flags)
{
    void *span;
    ssize_t n;

    while ((n = ts_ring_reserve(s->ring, len, &span)) < 0 && errno == EAGAIN && !flags) {
        if (ts_ring_wait(s->ring, POLLOUT, -1) < 0)
            return -1;
    }
    if (n < 0)
        return -1;
    memcpy(span, data, (size_t)n);
    return ts_ring_commit(s->ring, (size_t)n, 0) < 0 ? -1 : n;
}

static int end_sending(const struct stream *s)
{
    return s->ring ? ts_ring_shutdown(s->ring, SHUT_WR) : shutdown(s->fd, SHUT_WR);
}

static int give(struct stream *s, int flags)
{
    size_t len = opt.send - s->out < opt.piece ? (size_t)(opt.send - s->out) : opt.piece;
    const uint8_t *data = pattern_at(s->out_phase + s->out, &len);
    ssize_t n;

    if (s->ring && opt.ring == RING_ZERO)
        n = ring_give(s, data, len, flags);
    else if (s->ring)
        n = ts_ring_send(s->ring, data, len, flags);
    else
        n = flags ? send(s->fd, data, len, flags) : write(s->fd, data, len);
    if (n < 0)
        return errno == EAGAIN && flags ? 1 : complain(s, "send", errno);
    s->out += (uint64_t)n;
    if (s->out == opt.send && end_sending(s) < 0)
        return complain(s, "shutdown", errno);
    return 0;
}

static int attach(struct stream *s)
{
    if (!opt.ring || s->ring || s->in + s->out < opt.attach_at || s->ended ||
        (opt.send && s->out == opt.send))
        return 0;
    s->ring = ts_ring_attach(s->fd);
    return s->ring ? 0 : complain(s, "attach", errno);
}

static int wait_for(struct stream *s, int events)
{
    struct pollfd p = {.fd = s->fd, .events = (short)events};

    if (s->ring)
        return ts_ring_wait(s->ring, events, -1);
    return poll(&p, 1, -1) < 0 ? -1 : p.revents;
}

static int both_ways(struct stream *s)
{
    while (!s->ended || s->out < opt.send) {
        int r = attach(s), now;

        if (r < 0)
            return r;
        now = wait_for(s, (s->ended ? 0 : POLLIN) | (s->out < opt.send ? POLLOUT : 0));
        if (now < 0)
            return complain(s, "poll", errno);
        r = (now & ~POLLOUT) && !s->ended ? receive(s, MSG_DONTWAIT) : 0;
        if (r >= 0 && (now & ~POLLIN) && s->out < opt.send)
            r = give(s, MSG_DONTWAIT);
        if (r < 0)
            return r;
    }
    return 0;
}

static int one_way(struct stream *s)
{
    int r = 0;

    if (opt.send == 0 && !opt.server && !opt.ring && shutdown(s->fd, SHUT_WR) < 0)
        return complain(s, "shutdown", errno);
    while (r == 0 && s->out < opt.send) {
        r = attach(s);
        if (r == 0)
            r = give(s, 0);
    }
    while (r == 0 && !s->ended) {
        r = opt.send ? 0 : attach(s);
        if (r == 0)
            r = receive(s, 0);
    }
    return r;
}

static int phases(struct stream *s)
{
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    uint64_t to_server, to_client;
    int r = opt.server ? calls.getpeername(s->fd, (struct sockaddr *)&a, &len)
                       : calls.getsockname(s->fd, (struct sockaddr *)&a, &len);

    if (r < 0)
        return complain(s, "address", errno);
    if (a.sin_family != AF_INET || a.sin_port == 0)
        return complain(s, "the client's address", 0);
    to_server = opt.phase >= 0 ? (uint64_t)opt.phase : ntohs(a.sin_port) * 7919u;
    to_client = opt.phase >= 0 ? to_server : to_server + SHIFT;
    s->out_phase = opt.server ? to_client : to_server;
    s->in_phase = opt.server ? to_server : to_client;
    return 0;
}

static int serve(int fd, uint8_t *buffer)
{
    struct stream s = {.fd = fd, .buffer = buffer};
    int r = phases(&s);

    if (r == 0)
        r = opt.send && opt.recv ? both_ways(&s) : one_way(&s);
    sent += s.out;
    received += s.in;
    ts_ring_detach(s.ring);
    if (close(fd) < 0)
        return complain(&s, "close", errno);
    return r;
}

/* --- all of them -------------------------------------------------------------------------------
 */

static int open_connection(void)
{
    int fd;

    if (opt.server)
        return calls.accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    fd = calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (opt.congestion)
        (void)calls.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, opt.congestion,
                               (socklen_t)strlen(opt.congestion));
    if (calls.connect(fd, (struct sockaddr *)&opt.address, sizeof(opt.address)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void *work(void *failed)
{
    uint8_t *buffer = malloc(opt.piece);

    while (buffer && atomic_fetch_add(&started, 1) < opt.connections) {
        int fd = open_connection();

        if (fd < 0)
            fprintf(stderr, "peer: %s: %s\n", opt.server ? "accept" : "connect", strerror(errno));
        if (fd < 0 || serve(fd, buffer) < 0) {
            *(atomic_long *)failed += 1;
            break;
        }
    }
    if (!buffer)
        *(atomic_long *)failed += 1;
    free(buffer);
    return NULL;
}

static int start_listening(void)
{
    int on = 1;

    listener = calls.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || calls.setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        calls.bind(listener, (struct sockaddr *)&opt.address, sizeof(opt.address)) < 0 ||
        calls.listen(listener, 1024) < 0) {
        fprintf(stderr, "peer: port %u: %s\n", ntohs(opt.address.sin_port), strerror(errno));
        return -1;
    }
    if (opt.congestion)
        (void)calls.setsockopt(listener, IPPROTO_TCP, TCP_CONGESTION, opt.congestion,
                               (socklen_t)strlen(opt.congestion));
    fprintf(stderr, "listening\n");
    return 0;
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int run(void)
{
    static atomic_long failed;
    pthread_t *threads = calloc((size_t)opt.threads, sizeof(*threads));
    double start = now(), took;

    if (!threads)
        return 1;
    for (long i = 0; i < opt.threads; i++) {
        if (pthread_create(&threads[i], NULL, work, &failed) != 0) {
            perror("peer: thread");
            exit(1);
        }
    }
    for (long i = 0; i < opt.threads; i++)
        pthread_join(threads[i], NULL);
    free(threads);
    took = now() - start;
    if (!opt.quiet)
        fprintf(stderr,
                "peer: %ld connections, %" PRIu64 " bytes sent, %" PRIu64
                " received, %.2f s, %.2f Gbit/s\n",
                opt.connections, (uint64_t)sent, (uint64_t)received, took,
                (double)(sent + received) * 8e-9 / took);
    if (failed)
        fprintf(stderr, "peer: %ld connections failed\n", (long)failed);
    return failed != 0;
}

/* --- options -----------------------------------------------------------------------------------
 */

static uint64_t bytes(const char *text)
{
    char *end;
    uint64_t n = strtoull(text, &end, 10);

    return *end == 'K' ? n << 10 : *end == 'M' ? n << 20 : *end == 'G' ? n << 30 : n;
}

static int usage(void)
{
    fprintf(stderr, "Usage: peer -c ADDRESS:PORT | -a PORT  [-n CONNECTIONS] [-p THREADS]\n"
                    "            [-s BYTES] [-r BYTES] [-w PIECE] [-P PHASE] [-C CONGESTION]\n"
                    "            [-o] [-t SECONDS] [-l] [-q] [-R copy|zero [-A BYTES]]\n"
                    "       peer -g BYTES [-P PHASE]   (write the stream to standard output)\n"
                    "  -l: by libtapstack; -R: by shared rings; -o: what is received goes to "
                    "standard output\n");
    return 2;
}

static int generate(uint64_t count)
{
    for (uint64_t at = 0; at < count;) {
        size_t len = count - at < (1u << 20) ? (size_t)(count - at) : 1u << 20;
        const uint8_t *data = pattern_at((uint64_t)(opt.phase < 0 ? 0 : opt.phase) + at, &len);
        ssize_t n = write(STDOUT_FILENO, data, len);

        if (n < 0)
            return 1;
        at += (uint64_t)n;
    }
    return 0;
}

static int plain_accept4(int fd, struct sockaddr *a, socklen_t *len, int flags)
{
    return accept4(fd, a, len, flags);
}

static void choose(bool library)
{
    if (library)
        calls = (struct calls){ts_socket,  ts_bind,        ts_listen,      ts_accept4,
                               ts_connect, ts_getsockname, ts_getpeername, ts_setsockopt};
    else
        calls = (struct calls){socket,  bind,        listen,      plain_accept4,
                               connect, getsockname, getpeername, setsockopt};
}

static int set_address(char *text)
{
    char *colon = strrchr(text, ':');

    opt.address.sin_family = AF_INET;
    opt.address.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : text));
    if (!colon)
        return 1;
    *colon = '\0';
    return inet_pton(AF_INET, text, &opt.address.sin_addr);
}

int main(int argc, char **argv)
{
    uint64_t count = 0;
    bool library = false;
    unsigned limit = 120;
    int c;

    signal(SIGPIPE, SIG_IGN);
    pattern_init();
    while ((c = getopt(argc, argv, "c:a:n:p:s:r:w:P:C:ot:g:lqR:A:")) != -1) {
        switch (c) {
        case 'c':
        case 'a':
            opt.server = c == 'a';
            if (set_address(optarg) != 1)
                return usage();
            break;
        case 'n':
            opt.connections = atol(optarg);
            break;
        case 'p':
            opt.threads = atol(optarg);
            break;
        case 's':
            opt.send = bytes(optarg);
            break;
        case 'r':
            opt.recv = bytes(optarg);
            break;
        case 'w':
            opt.piece = bytes(optarg);
            break;
        case 'P':
            opt.phase = atol(optarg);
            break;
        case 'C':
            opt.congestion = optarg;
            break;
        case 'o':
            output = STDOUT_FILENO;
            break;
        case 't':
            limit = (unsigned)atoi(optarg);
            break;
        case 'g':
            count = bytes(optarg);
            break;
        case 'l':
            library = true;
            break;
        case 'R':
            opt.ring = optarg[0] == 'z' ? RING_ZERO : RING_COPY;
            library = true;
            break;
        case 'A':
            opt.attach_at = bytes(optarg);
            break;
        case 'q':
            opt.quiet = true;
            break;
        default:
            return usage();
        }
    }
    if (count)
        return generate(count);
    if (opt.address.sin_family == 0 || optind != argc)
        return usage();
    alarm(limit);
    choose(library);
    if (opt.server && start_listening() < 0)
        return 1;
    return run();
}

/* SPDX-License-Identifier: MIT */
/*
 * One poll(2) loop over two directions, each with a buffer: a direction reads while it has room and
 * its source has not ended, writes while it holds bytes. Nothing here knows tapstack: a connection
 * is a file descriptor.
 */
#include "client/cli/relay.h"

#include "client/include/tapstack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (256 * 1024)

struct direction {
    int from, to;
    char *data;
    size_t start, end; /* what was read and is not yet written */
    bool source_ended; /* EOF was read */
    bool closed;       /* and passed on; or the sink is gone */
    uint64_t bytes;
};

struct progress {
    bool on, terminal;
    double begun, last;
};

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void show(struct progress *p, const struct direction *out, const struct direction *in,
                 bool last)
{
    double t = now(), span = t - p->begun;

    if (!p->on || (!last && (!p->terminal || t - p->last < 1)))
        return;
    p->last = t;
    if (span < 1e-6)
        span = 1e-6;
    fprintf(stderr,
            "%ssent %" PRIu64 " bytes (%.1f Mbit/s), received %" PRIu64
            " bytes (%.1f Mbit/s) in %.2f s%s",
            p->terminal ? "\r\033[K" : "", out->bytes, (double)out->bytes * 8e-6 / span, in->bytes,
            (double)in->bytes * 8e-6 / span, span, last || !p->terminal ? "\n" : "");
}

static bool wants_read(const struct direction *d)
{
    return !d->source_ended && !d->closed && d->end < ROOM;
}

static bool wants_write(const struct direction *d)
{
    return !d->closed && d->end > d->start;
}

/* Returns 0 or a negative errno value. */
static int fill(struct direction *d)
{
    ssize_t n = read(d->from, d->data + d->end, ROOM - d->end);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        d->source_ended = true;
    d->end += (size_t)n;
    return 0;
}

static int drain(struct direction *d)
{
    ssize_t n = write(d->to, d->data + d->start, d->end - d->start);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    d->start += (size_t)n;
    d->bytes += (uint64_t)n;
    if (d->start == d->end)
        d->start = d->end = 0;
    return 0;
}

static int poll_both(const struct direction *out, const struct direction *in, struct pollfd p[3])
{
    int sock = in->from;

    p[0] = (struct pollfd){.fd = wants_read(out) ? out->from : -1, .events = POLLIN};
    p[1] = (struct pollfd){.fd = sock};
    p[2] = (struct pollfd){.fd = wants_write(in) ? in->to : -1, .events = POLLOUT};
    if (wants_read(in))
        p[1].events |= POLLIN;
    if (wants_write(out))
        p[1].events |= POLLOUT;
    /* POLLHUP and POLLERR come unasked: not while there is nothing to do about them. */
    if (!p[1].events)
        p[1].fd = -1;
    return poll(p, 3, 1000);
}

/* The peer may be gone for writing and still have bytes for us: what it sent is read to its end. */
static int socket_error(const char *who, int fd, int error)
{
    int pending = 0;
    socklen_t len = sizeof(pending);

    if (ts_getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &len) == 0 && pending)
        error = pending;
    fprintf(stderr, "tapstack %s: the connection ended: %s\n", who, strerror(error));
    return -1;
}

static int step(const char *who, struct direction *out, struct direction *in,
                const struct pollfd p[3])
{
    const short readable = POLLIN | POLLHUP | POLLERR;
    int r;

    if (p[0].revents && (r = fill(out)) < 0) {
        fprintf(stderr, "tapstack %s: standard input: %s\n", who, strerror(-r));
        return -1;
    }
    if ((p[1].revents & readable) && wants_read(in) && (r = fill(in)) < 0)
        return socket_error(who, in->from, -r);
    if ((p[1].revents & (POLLOUT | POLLHUP | POLLERR)) && wants_write(out) &&
        (r = drain(out)) < 0) {
        if (r != -EPIPE)
            return socket_error(who, out->to, -r);
        out->closed = true; /* the reason is what reading will say */
    }
    if (p[2].revents && (r = drain(in)) < 0) {
        fprintf(stderr, "tapstack %s: standard output: %s\n", who, strerror(-r));
        return -1;
    }
    if (out->source_ended && !out->closed && out->start == out->end) {
        shutdown(out->to, SHUT_WR);
        out->closed = true;
    }
    if (in->source_ended && in->start == in->end)
        in->closed = true;
    return 0;
}

/* The peer's end is not ours: a file or a pipe is sent to its end. But nobody types for a peer that
 * is gone. */
static bool finished(const struct direction *out, const struct direction *in)
{
    return in->closed && (out->closed || (out->start == out->end && isatty(out->from)));
}

static int loop(const char *who, struct direction *out, struct direction *in,
                struct progress *progress)
{
    struct pollfd p[3];

    while (!finished(out, in)) {
        if (poll_both(out, in, p) < 0) {
            if (errno == EINTR)
                continue;
            fprintf(stderr, "tapstack %s: poll: %s\n", who, strerror(errno));
            return -1;
        }
        if (step(who, out, in, p) < 0)
            return -1;
        show(progress, out, in, false);
    }
    return 0;
}

int relay(const char *who, int fd, bool verbose)
{
    struct direction out = {.from = STDIN_FILENO, .to = fd, .data = malloc(ROOM)};
    struct direction in = {.from = fd, .to = STDOUT_FILENO, .data = malloc(ROOM)};
    struct progress progress = {
        .on = verbose, .terminal = isatty(STDERR_FILENO), .begun = now(), .last = now()};
    int r = -1, flags = fcntl(fd, F_GETFL);

    signal(SIGPIPE, SIG_IGN);
    if (!out.data || !in.data)
        fprintf(stderr, "tapstack %s: out of memory\n", who);
    else if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        fprintf(stderr, "tapstack %s: %s\n", who, strerror(errno));
    else
        r = loop(who, &out, &in, &progress);
    show(&progress, &out, &in, true);
    free(out.data);
    free(in.data);
    close(fd);
    return r;
}

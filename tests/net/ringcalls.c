/* SPDX-License-Identifier: MIT */
/*
 * ringcalls OURS KERNELS [listen | die | echo PORT | shim PORT | zerocopy]: what
 * client/include/tapstack.h promises of rings, each where it is hard: polling by level and by edge,
 * two threads, several processes, half a close before the attach. One end is ours, by the library
 * (with shim: by plain calls, under `tapstack run`), the other the kernel's: an echo at the address
 * KERNELS. One line a check: its name, a tab, what happened.
 */
#include "client/include/tapstack.h"
#include "tests/net/pattern.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TOTAL (8u << 20)
#define PIECE 65536
#define TURNS 2000 /* of one byte there and back */

static struct sockaddr_in echo_at, ours_at;

static void say(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(const char *name, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    printf("%s\t", name);
    vprintf(format, ap);
    printf("\n");
    fflush(stdout);
    va_end(ap);
}

static const char *errno_of(ssize_t r)
{
    return r >= 0 ? "0" : strerrorname_np(errno);
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* --- the kernel's end --------------------------------------------------------------------------
 */

static void *echo_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    static _Thread_local char b[PIECE];
    ssize_t n;

    while ((n = read(fd, b, sizeof(b))) > 0)
        for (ssize_t done = 0, w; done < n; done += w)
            if ((w = write(fd, b + done, (size_t)(n - done))) <= 0)
                break;
    close(fd);
    return NULL;
}

static void *echo(void *arg)
{
    int listener = (int)(intptr_t)arg;

    for (;;) {
        pthread_t t;
        int fd = accept(listener, NULL, NULL);

        if (fd < 0 || pthread_create(&t, NULL, echo_one, (void *)(intptr_t)fd) != 0)
            die("echo");
        pthread_detach(t);
    }
    return NULL;
}

static int echo_listener(void)
{
    socklen_t len = sizeof(echo_at);
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (listener < 0 || bind(listener, (struct sockaddr *)&echo_at, sizeof(echo_at)) < 0 ||
        listen(listener, 64) < 0 || getsockname(listener, (struct sockaddr *)&echo_at, &len) < 0)
        die("listen");
    return listener;
}

static pid_t start_echo(void)
{
    int listener = echo_listener();
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0)
        echo((void *)(intptr_t)listener);
    close(listener);
    return child;
}

/* --- our end -----------------------------------------------------------------------------------
 */

static int plain_end(void)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || ts_connect(fd, (struct sockaddr *)&echo_at, sizeof(echo_at)) < 0)
        die("connect");
    return fd;
}

static struct ts_ring *attached(int fd)
{
    struct ts_ring *r = ts_ring_attach(fd);

    if (!r)
        die("attach");
    return r;
}

static void end(struct ts_ring *r, int fd)
{
    ts_ring_detach(r);
    close(fd);
}

struct flow {
    struct ts_ring *ring;
    uint64_t out, in, total;
    unsigned idle; /* times that we were told of something, and it was nothing */
    bool wrong;
};

/* One step each way; false: nothing could be done now. */
static bool step(struct flow *f)
{
    static _Thread_local uint8_t b[PIECE];
    bool moved = false;
    ssize_t n;

    if (f->out < f->total) {
        size_t len = f->total - f->out < PIECE ? (size_t)(f->total - f->out) : PIECE;
        const uint8_t *data = pattern_at(f->out, &len);

        n = ts_ring_send(f->ring, data, len, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            f->wrong = true;
        f->out += n > 0 ? (uint64_t)n : 0;
        moved |= n > 0;
    }
    n = ts_ring_recv(f->ring, b, sizeof(b), MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN) ||
        (n > 0 && pattern_differs(f->in, b, (size_t)n) >= 0))
        f->wrong = true;
    f->in += n > 0 ? (uint64_t)n : 0;
    return moved || n > 0;
}

/* Wait by epoll until the descriptor is readable; do all that can be done; again. */
static void by_epoll(const char *name, uint32_t edge)
{
    struct epoll_event e = {.events = EPOLLIN | edge};
    struct flow f = {.total = TOTAL};
    unsigned steps = 0;
    int fd = plain_end(), ep = epoll_create1(EPOLL_CLOEXEC);

    f.ring = attached(fd);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    while (f.in < f.total && !f.wrong) {
        bool any = false;

        while (step(&f)) {
            any = true;
            steps++;
        }
        f.idle += !any;
        if (f.in < f.total && !f.wrong && epoll_wait(ep, &e, 1, 20000) != 1)
            break; /* a wake-up was lost */
    }
    say(name, "%s, %s", f.in == f.total && !f.wrong ? "all bytes" : "stuck or wrong",
        f.idle > steps + 10 ? "spins" : "sleeps");
    end(f.ring, fd);
    close(ep);
}

/* One byte there and back: nearly every turn has to wait. */
static void turns(const char *name, bool by_poll)
{
    int fd = plain_end();
    struct ts_ring *r = attached(fd);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    unsigned done = 0, woken = 0;

    for (; done < TURNS; done++) {
        uint8_t b = (uint8_t)done, got;
        ssize_t n;

        if (ts_ring_send(r, &b, 1, 0) != 1)
            break;
        while ((n = ts_ring_recv(r, &got, 1, by_poll ? MSG_DONTWAIT : 0)) < 0 && errno == EAGAIN) {
            woken++;
            if (poll(&p, 1, 20000) != 1)
                break;
        }
        if (n != 1 || got != b)
            break;
    }
    say(name, "%s, %s", done == TURNS ? "all bytes" : "stuck or wrong",
        woken > 3 * TURNS ? "spins" : "sleeps");
    end(r, fd);
}

static void *send_it(void *arg)
{
    struct flow *f = arg;

    while (f->out < f->total) {
        size_t len = f->total - f->out < PIECE ? (size_t)(f->total - f->out) : PIECE;
        const uint8_t *data = pattern_at(f->out, &len);
        ssize_t n = ts_ring_send(f->ring, data, len, 0);

        if (n <= 0)
            break;
        f->out += (uint64_t)n;
    }
    (void)ts_ring_shutdown(f->ring, SHUT_WR);
    return NULL;
}

static void receive_it(struct flow *f)
{
    static uint8_t b[PIECE];
    ssize_t n;

    while ((n = ts_ring_recv(f->ring, b, sizeof(b), 0)) > 0) {
        if (pattern_differs(f->in, b, (size_t)n) >= 0)
            f->wrong = true;
        f->in += (uint64_t)n;
    }
    f->wrong |= n < 0;
}

static void two_threads(const char *name, int fd, uint64_t total)
{
    struct flow f = {.total = total, .ring = attached(fd)};
    pthread_t t;

    pthread_create(&t, NULL, send_it, &f);
    receive_it(&f);
    pthread_join(t, NULL);
    say(name, "%s", f.in == f.total && !f.wrong ? "all bytes and the end" : "wrong");
    end(f.ring, fd);
}

static void nonblocking(void)
{
    int fd = plain_end();
    struct ts_ring *r = attached(fd);
    char b;

    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    say("nonblocking.empty", "%s", errno_of(ts_ring_recv(r, &b, 1, 0)));
    say("nonblocking.room", "%zd", ts_ring_send(r, "a", 1, 0));
    fcntl(fd, F_SETFL, O_RDWR);
    say("blocking.waits", "%zd", ts_ring_recv(r, &b, 1, 0));
    say("blocking.byte", "%c", b);
    say("plain.write", "%s", errno_of(send(fd, "x", 1, MSG_NOSIGNAL)));
    end(r, fd);
}

static void mapped(void)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = echo_at.sin_port};
    int fd = ts_socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
    memcpy(a.sin6_addr.s6_addr + 12, &echo_at.sin_addr, 4);
    if (fd < 0 || ts_connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die("mapped");
    two_threads("mapped.both ways", fd, TOTAL);
}

/* The ring goes with the descriptor to a child. */
static void forked(void)
{
    int fd = plain_end(), status = -1;
    struct ts_ring *r = attached(fd);
    char b[6] = "";
    pid_t child;

    child = fork();
    if (child == 0)
        _exit(ts_ring_send(r, "hello", 5, 0) == 5 && ts_ring_recv(r, b, 5, MSG_WAITALL) == 5 &&
                      memcmp(b, "hello", 5) == 0
                  ? 0
                  : 1);
    waitpid(child, &status, 0);
    say("fork.child uses the ring", "%d", status);
    say("fork.second attach", "%s", ts_ring_attach(fd) ? "0" : strerrorname_np(errno));
    end(r, fd);
}

static void connecting(void)
{
    int fd = ts_socket(AF_INET, SOCK_STREAM, 0), pair[2];

    say("attach.fresh", "%s", ts_ring_attach(fd) ? "0" : strerrorname_np(errno));
    close(fd);
    say("attach.closed", "%s", ts_ring_attach(fd) ? "0" : strerrorname_np(errno));
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    say("attach.foreign", "%s", ts_ring_attach(pair[0]) ? "0" : strerrorname_np(errno));
    fd = plain_end();
    shutdown(fd, SHUT_WR);
    say("attach.shut", "%s", ts_ring_attach(fd) ? "0" : strerrorname_np(errno));
    close(fd);
}

/* --- a listener of ours ------------------------------------------------------------------------
 */

static int serve_one(int listener)
{
    int fd = ts_accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct ts_ring *r = fd < 0 ? NULL : ts_ring_attach(fd);
    const void *span;
    ssize_t n;

    if (!r)
        return 1;
    for (;;) {
        while ((n = ts_ring_peek(r, &span)) < 0 && errno == EAGAIN)
            if (ts_ring_wait(r, POLLIN, -1) < 0)
                return 1;
        if (n <= 0 || ts_ring_send(r, span, (size_t)n, 0) != n || ts_ring_consume(r, (size_t)n) < 0)
            break;
    }
    end(r, fd);
    return n < 0;
}

/* A connection of the kernel's to it: `before` bytes are there before anybody accepts. */
static int ask_one(size_t total)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    static uint8_t b[PIECE];
    uint64_t in = 0;
    ssize_t n;

    if (fd < 0 || connect(fd, (struct sockaddr *)&ours_at, sizeof(ours_at)) < 0)
        return 1;
    for (size_t out = 0; out < total;) {
        size_t len = total - out < 20000 ? total - out : 20000;
        const uint8_t *data = pattern_at(out, &len);

        if (write(fd, data, len) != (ssize_t)len)
            return 1;
        out += len;
        while (in + 100000 < out) {
            if ((n = read(fd, b, sizeof(b))) <= 0 || pattern_differs(in, b, (size_t)n) >= 0)
                return 1;
            in += (uint64_t)n;
        }
    }
    shutdown(fd, SHUT_WR); /* seen as the end before or after the attach */
    while ((n = read(fd, b, sizeof(b))) > 0) {
        if (pattern_differs(in, b, (size_t)n) >= 0)
            return 1;
        in += (uint64_t)n;
    }
    close(fd);
    return n < 0 || in != total;
}

#define SERVERS 3
#define CLIENTS 4
#define EACH    15

static void several_processes(void)
{
    static const size_t sizes[EACH] = {0,    1,     100,   5000,   20000,  60000,  100000, 300000,
                                       3000, 70000, 10000, 500000, 200000, 900000, 10};
    int listener = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), failed = 0, status;
    socklen_t len = sizeof(ours_at);
    pid_t child;

    if (listener < 0 || ts_bind(listener, (struct sockaddr *)&ours_at, sizeof(ours_at)) < 0 ||
        ts_listen(listener, 64) < 0 ||
        ts_getsockname(listener, (struct sockaddr *)&ours_at, &len) < 0)
        die("listen");
    for (int i = 0; i < SERVERS + CLIENTS; i++) {
        if ((child = fork()) != 0)
            continue;
        int wrong = 0;
        for (int k = 0; k < (i < SERVERS ? CLIENTS * EACH / SERVERS : EACH); k++)
            wrong |= i < SERVERS ? serve_one(listener) : ask_one(sizes[(k + i) % EACH]);
        _exit(wrong);
    }
    for (int i = 0; i < SERVERS + CLIENTS; i++)
        failed += wait(&status) < 0 || status != 0;
    say("accept.several processes", "%d failed", failed);
}

/* --- all ---------------------------------------------------------------------------------------
 */

static void all(void)
{
    pid_t echoes = start_echo();

    connecting();
    nonblocking();
    by_epoll("epoll.level", 0);
    by_epoll("epoll.edge", EPOLLET);
    turns("turns.poll", true);
    turns("turns.blocking", false);
    two_threads("threads.both ways", plain_end(), 4 * TOTAL);
    for (int i = 0; i < 50; i++)
        two_threads("threads.short", plain_end(), (uint64_t)i * 1000);
    mapped();
    forked();
    kill(echoes, SIGKILL);
    waitpid(echoes, NULL, 0);
}

/* Wait for bytes that never come; the daemon will die meanwhile. */
static void until_it_dies(void)
{
    pid_t echoes = start_echo();
    int fd = plain_end();
    struct ts_ring *r = attached(fd);
    char b;

    say("waiting", "now");
    say("died.receive", "%s", errno_of(ts_ring_recv(r, &b, 1, 0)));
    say("died.send", "%s", errno_of(ts_ring_send(r, &b, 1, 0)));
    end(r, fd);
    kill(echoes, SIGKILL);
    waitpid(echoes, NULL, 0);
}

/* A socket of the shim's, used as any, and then by the library. */
static void under_the_shim(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char b[4] = "";

    if (fd < 0 || connect(fd, (struct sockaddr *)&echo_at, sizeof(echo_at)) < 0)
        die("connect");
    say("shim.ours", "%d", ts_is_ours(fd));
    say("shim.write", "%zd", write(fd, "abc", 3));
    say("shim.read", "%zd", recv(fd, b, 3, MSG_WAITALL));
    two_threads("shim.both ways by the ring", fd, TOTAL);
    two_threads("shim.a socket of the library", plain_end(), TOTAL);
}

/* --- completions -------------------------------------------------------------------------------
 */

#define UNDER_WAY 32

struct completions {
    struct ts_ring *ring;
    uint32_t next;           /* number */
    uint64_t end[UNDER_WAY]; /* of the call with this number, counted from the ring's beginning */
    uint64_t sent;
    bool wrong, early;
};

/* All that are due. Each must follow the one before, and its bytes have been acknowledged. */
static unsigned collect(struct completions *c)
{
    struct sock_extended_err e;
    unsigned n = 0;

    while (ts_ring_recverr(c->ring, &e) == 0) {
        uint64_t acked = c->sent - ts_ring_unacked(c->ring);

        c->wrong |= e.ee_errno || e.ee_origin != SO_EE_ORIGIN_ZEROCOPY || e.ee_info != c->next ||
                    e.ee_data - e.ee_info >= UNDER_WAY;
        c->wrong |= e.ee_code != (e.ee_info % 2 ? 0 : SO_EE_CODE_ZEROCOPY_COPIED);
        c->early |= c->end[e.ee_data % UNDER_WAY] > acked;
        c->next = e.ee_data + 1;
        n++;
    }
    c->wrong |= errno != EAGAIN;
    return n;
}

/* Even numbers are sends, odd ones commits. */
static void number(struct completions *c, uint32_t i, size_t len)
{
    const uint8_t *data = pattern_at(c->sent, &len);
    void *span;
    ssize_t n;

    if (i % 2 == 0) {
        n = ts_ring_send(c->ring, data, len, MSG_ZEROCOPY);
    } else {
        while ((n = ts_ring_reserve(c->ring, len, &span)) < 0 && errno == EAGAIN)
            (void)ts_ring_wait(c->ring, POLLOUT, 20000);
        if (n > 0)
            memcpy(span, data, (size_t)n);
        if (n > 0 && ts_ring_commit(c->ring, (size_t)n, MSG_ZEROCOPY) < 0)
            n = -1;
    }
    c->wrong |= n <= 0;
    c->sent += n > 0 ? (uint64_t)n : 0;
    c->end[i % UNDER_WAY] = c->sent;
}

static void *read_away(void *arg)
{
    static uint8_t b[PIECE];

    while (ts_ring_recv(arg, b, sizeof(b), 0) > 0)
        ;
    return NULL;
}

static void collect_until(struct completions *c, uint32_t next)
{
    while (c->next < next && !c->wrong)
        if (!collect(c) && ts_ring_wait(c->ring, POLLERR, 20000) != POLLERR)
            c->wrong = true; /* a wake-up was lost */
}

static void complete_many(struct completions *c, uint32_t calls)
{
    for (uint32_t i = 0; i < calls && !c->wrong; i++) {
        if (i >= UNDER_WAY)
            collect_until(c, i - UNDER_WAY + 1);
        number(c, i, 1 + i * 997 % PIECE);
    }
    collect_until(c, calls);
    say("zerocopy.many", "%s, %s",
        c->wrong || c->next != calls ? "lost or wrong" : "in order, once",
        c->early ? "early" : "acknowledged");
    say("zerocopy.nothing more", "%d", ts_ring_wait(c->ring, POLLERR, 50));
}

static void told_to_go_on(const char *after)
{
    char line[16];

    say(after, "now");
    if (!fgets(line, sizeof(line), stdin))
        die("nobody answers");
}

/* A program that polls the descriptor by itself; then one whose way to the peer is cut by whoever
 * started us. */
static void complete_one(struct completions *c, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    number(c, 0, 1000);
    while (!collect(c) && !c->wrong && poll(&p, 1, 20000) == 1)
        ;
    say("zerocopy.polled", "%s", c->next == 1 && !c->wrong ? "1" : "lost or wrong");
    told_to_go_on("cut");
    number(c, 1, 1000);
    say("zerocopy.cut off", "%d", ts_ring_wait(c->ring, POLLERR, 400) || collect(c));
    told_to_go_on("mend");
    say("zerocopy.mended", "%d",
        ts_ring_wait(c->ring, POLLERR, 20000) == POLLERR && collect(c) == 1);
}

static void zerocopy(void)
{
    pid_t echoes = start_echo();
    int fd = plain_end();
    struct completions c = {.ring = attached(fd)};
    pthread_t t;

    complete_one(&c, fd);
    end(c.ring, fd);
    fd = plain_end();
    c = (struct completions){.ring = attached(fd), .wrong = c.wrong};
    pthread_create(&t, NULL, read_away, c.ring);
    complete_many(&c, 3000);
    (void)ts_ring_shutdown(c.ring, SHUT_WR); /* the echo ends as well */
    pthread_join(t, NULL);
    end(c.ring, fd);
    kill(echoes, SIGKILL);
    waitpid(echoes, NULL, 0);
}

static int usage(void)
{
    fprintf(stderr,
            "Usage: ringcalls OURS KERNELS [listen | die | echo PORT | shim PORT | zerocopy]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 3 ? argv[3] : "";

    if (argc < 3 || inet_pton(AF_INET, argv[1], &ours_at.sin_addr) != 1 ||
        inet_pton(AF_INET, argv[2], &echo_at.sin_addr) != 1)
        return usage();
    ours_at.sin_family = echo_at.sin_family = AF_INET;
    if (argc > 4)
        echo_at.sin_port = htons((uint16_t)atoi(argv[4]));
    signal(SIGPIPE, SIG_IGN);
    pattern_init();
    if (strcmp(mode, "") == 0) {
        all();
    } else if (strcmp(mode, "listen") == 0) {
        several_processes();
    } else if (strcmp(mode, "die") == 0) {
        until_it_dies();
    } else if (strcmp(mode, "shim") == 0) {
        under_the_shim();
    } else if (strcmp(mode, "zerocopy") == 0) {
        zerocopy();
    } else if (strcmp(mode, "echo") == 0) {
        int listener = echo_listener();

        say("listening", "now");
        echo((void *)(intptr_t)listener);
    } else {
        return usage();
    }
    return 0;
}

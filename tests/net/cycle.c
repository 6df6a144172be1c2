/* SPDX-License-Identifier: MIT */
/*
 * cycle: one end of very many connections, each of which is made, carries 16 bytes to and fro, and
 * is closed in order, by the end that has -f first. An ordinary blocking socket program. The
 * client's threads make -n of them, going round -p ports; the server ends when it has served -n.
 * With -x the client goes on until it has no port left, and says how many there were.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS_MAX 64

static struct {
    bool server, first, exhaust;
    struct sockaddr_in address;
    long cycles, ports, threads;
} opt = {.cycles = 1, .ports = 1, .threads = 8};

static int listeners[PORTS_MAX];
static atomic_long begun, done;

struct message {
    uint64_t number;
    uint32_t port, mark;
};

static void __attribute__((noreturn)) fail(const char *what)
{
    fprintf(stderr, "cycle: %s: %s (after %ld cycles)\n", what, strerror(errno), (long)done);
    exit(1);
}

static void receive(int fd, struct message *m)
{
    char *at = (char *)m;

    for (size_t have = 0; have < sizeof(*m);) {
        ssize_t n = read(fd, at + have, sizeof(*m) - have);

        if (n <= 0)
            fail(n == 0 ? "end of stream before the message" : "read");
        have += (size_t)n;
    }
}

static void give(int fd, const struct message *m)
{
    if (write(fd, m, sizeof(*m)) != (ssize_t)sizeof(*m))
        fail("write");
}

/* In order: who is not the first sees the other's end of stream. */
static void end(int fd)
{
    char c;
    ssize_t n = opt.first ? 0 : read(fd, &c, 1);

    if (n != 0)
        fail(n < 0 ? "read of the end" : "more than the message");
    if (close(fd) < 0)
        fail("close");
}

/* --- the client --------------------------------------------------------------------------------
 */

/* Returns a connection, or -1 when there is no port, and that is what is to be found out. */
static int open_one(long number)
{
    struct sockaddr_in to = opt.address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        fail("socket");
    to.sin_port = htons((uint16_t)(ntohs(to.sin_port) + number % opt.ports));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    if (!opt.exhaust || errno != EADDRNOTAVAIL)
        fail("connect");
    close(fd);
    return -1;
}

static void *make_them(void *unused)
{
    long number;

    (void)unused;
    while ((number = atomic_fetch_add(&begun, 1)) < opt.cycles || opt.exhaust) {
        struct message m = {.number = (uint64_t)number}, back;
        struct sockaddr_in local;
        socklen_t len = sizeof(local);
        int fd = open_one(number);

        if (fd < 0)
            break;
        if (getsockname(fd, (struct sockaddr *)&local, &len) < 0)
            fail("getsockname");
        m.port = ntohs(local.sin_port);
        give(fd, &m);
        receive(fd, &back);
        if (back.number != ~m.number || back.port != m.port || back.mark != 1)
            fail("not the answer to this message");
        end(fd);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

/* --- the server --------------------------------------------------------------------------------
 */

static void *serve_them(void *listener)
{
    for (;;) {
        struct sockaddr_in from;
        socklen_t len = sizeof(from);
        struct message m;
        int fd = accept(*(int *)listener, (struct sockaddr *)&from, &len);

        if (fd < 0)
            fail("accept");
        receive(fd, &m);
        if (m.port != ntohs(from.sin_port))
            fail("a message from another port");
        m.number = ~m.number;
        m.mark++;
        give(fd, &m);
        end(fd);
        if (atomic_fetch_add(&done, 1) + 1 == opt.cycles)
            exit(0);
    }
    return NULL;
}

static void start_listening(int i)
{
    struct sockaddr_in at = opt.address;
    int on = 1;

    at.sin_port = htons((uint16_t)(ntohs(at.sin_port) + i));
    listeners[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listeners[i] < 0 ||
        setsockopt(listeners[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(listeners[i], (struct sockaddr *)&at, sizeof(at)) < 0 ||
        listen(listeners[i], 1024) < 0)
        fail("listen");
}

/* --- both --------------------------------------------------------------------------------------
 */

static int usage(void)
{
    fprintf(stderr, "Usage: cycle -c ADDRESS:PORT [-x] | -a PORT  [-n CYCLES] [-p PORTS] "
                    "[-t THREADS] [-f]\n");
    return 2;
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
    pthread_t threads[256];
    int c;

    signal(SIGPIPE, SIG_IGN);
    while ((c = getopt(argc, argv, "c:a:n:p:t:fx")) != -1) {
        if (c == 'c' || c == 'a') {
            opt.server = c == 'a';
            if (set_address(optarg) != 1)
                return usage();
        } else if (c == 'f' || c == 'x') {
            *(c == 'f' ? &opt.first : &opt.exhaust) = true;
        } else if (c == 'n' || c == 'p' || c == 't') {
            *(c == 'n' ? &opt.cycles : c == 'p' ? &opt.ports : &opt.threads) = atol(optarg);
        } else {
            return usage();
        }
    }
    if (opt.address.sin_family == 0 || opt.threads > 256 || opt.ports > PORTS_MAX ||
        opt.ports < 1 || opt.threads < opt.ports)
        return usage();
    for (int i = 0; opt.server && i < opt.ports; i++)
        start_listening(i);
    if (opt.server)
        fprintf(stderr, "listening\n");
    for (long i = 0; i < opt.threads; i++) {
        if (pthread_create(&threads[i], NULL, opt.server ? serve_them : make_them,
                           &listeners[i % opt.ports]) != 0)
            fail("thread");
    }
    for (long i = 0; i < opt.threads; i++)
        pthread_join(threads[i], NULL);
    printf("%ld\n", (long)done);
    return 0;
}

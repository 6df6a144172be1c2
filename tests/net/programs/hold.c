/* SPDX-License-Identifier: MIT */
/*
 * hold ADDRESS PORT COUNT: hold COUNT connections to an HTTP server at once. Each asks for a page
 * that says the request's path and the port that it came from (nginx.conf.in's /say/), and the
 * answer is compared. A line on standard input, and all of them ask once more; another, and they
 * are closed. One line on standard output when each of that is done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Connections that are on their way at once: a listener's queue is as long. */
#define AT_ONCE 256
#define ANSWER  1024

struct connection {
    int fd;
    unsigned port, used;
    char answer[ANSWER];
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static struct connection *all;
static int epfd, count;

static void __attribute__((noreturn)) fail(const struct connection *c, const char *what)
{
    fprintf(stderr, "hold: connection %td from port %u: %s: %s\n%s\n", c - all, c->port, what,
            strerror(errno), c->answer);
    exit(1);
}

static void begin(struct connection *c)
{
    struct epoll_event ev = {.events = EPOLLOUT, .data.ptr = c};

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        fail(c, "socket");
    if (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) < 0 && errno != EINPROGRESS)
        fail(c, "connect");
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) < 0)
        fail(c, "epoll_ctl");
}

static void connected(struct connection *c)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};
    struct sockaddr_in local;
    socklen_t len = sizeof(local);
    int error = 0;

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}) < 0 || error) {
        errno = error;
        fail(c, "connect");
    }
    if (getsockname(c->fd, (struct sockaddr *)&local, &len) < 0 ||
        epoll_ctl(epfd, EPOLL_CTL_MOD, c->fd, &ev) < 0)
        fail(c, "connected");
    c->port = ntohs(local.sin_port);
}

static void ask(struct connection *c, const char *word)
{
    char text[128];
    int n = snprintf(text, sizeof(text), "GET /say/%s-%td HTTP/1.1\r\nHost: hold\r\n\r\n", word,
                     c - all);

    c->used = 0;
    if (send(c->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        fail(c, "send");
}

/* Returns whether the answer is complete; one that is not right ends the program. */
static bool answered(struct connection *c, const char *word)
{
    char wanted[128];
    const char *body;
    ssize_t n = read(c->fd, c->answer + c->used, ANSWER - 1 - c->used);
    int len = snprintf(wanted, sizeof(wanted), "/say/%s-%td %u ", word, c - all, c->port);

    if (n <= 0)
        fail(c, n == 0 ? "end of stream" : "read");
    c->used += (unsigned)n;
    c->answer[c->used] = '\0';
    body = strstr(c->answer, "\r\n\r\n");
    if (!body || !strchr(body + 4, '.'))
        return false;
    if (strncmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || strncmp(body + 4, wanted, (size_t)len) != 0)
        fail(c, "not the answer to this request");
    return true;
}

/* All of them ask, and some more connect first, until each has its answer. */
static void ask_all(const char *word, bool connecting)
{
    struct epoll_event got[AT_ONCE];
    int begun = 0, done = 0;

    while (done < count) {
        int n;

        for (; begun < count && begun - done < AT_ONCE; begun++) {
            if (connecting)
                begin(&all[begun]);
            else
                ask(&all[begun], word);
        }
        n = epoll_wait(epfd, got, AT_ONCE, 30000);
        if (n <= 0) {
            fprintf(stderr, "hold: %d of %d answered\n", done, count);
            exit(1);
        }
        for (int i = 0; i < n; i++) {
            struct connection *c = got[i].data.ptr;

            if (c->port == 0) {
                connected(c);
                ask(c, word);
            } else {
                done += answered(c, word);
            }
        }
    }
}

static void said(const char *what)
{
    char line[16];

    printf("%s %d\n", what, count);
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        exit(1);
}

int main(int argc, char **argv)
{
    struct rlimit limit;

    if (argc != 4 || inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) {
        fprintf(stderr, "Usage: hold ADDRESS PORT COUNT\n");
        return 2;
    }
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    count = atoi(argv[3]);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    all = calloc((size_t)count, sizeof(*all));
    epfd = epoll_create1(EPOLL_CLOEXEC);
    if (!all || epfd < 0)
        return 1;
    ask_all("first", true);
    said("served");
    ask_all("again", false);
    said("again");
    for (int i = 0; i < count; i++)
        close(all[i].fd);
    said("closed");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * The other side: a process on kernel sockets that does what each group's process tells it, one
 * message at a time over a SOCK_SEQPACKET UNIX socket: "accept 5" → "6 text". Its descriptors are
 * the handles. Each client has a process of its own.
 */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE 4096
#define WAIT_MS 5000

/* --- asking ------------------------------------------------------------------------------------
 */

char peer_text[MESSAGE];
static int control = -1;

void peer_open(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};

    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connect(control, (struct sockaddr *)&un, sizeof(un)) < 0) {
        perror("the peer");
        _exit(1);
    }
}

long peer_do(const char *format, ...)
{
    char message[MESSAGE];
    va_list args;
    ssize_t n;
    char *text;
    long value;

    va_start(args, format);
    n = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (send(control, message, (size_t)n, 0) != n)
        _exit(1);
    do {
        n = recv(control, message, sizeof(message) - 1, 0);
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        _exit(1);
    message[n] = '\0';
    value = strtol(message, &text, 10);
    strcpy(peer_text, *text ? text + 1 : "");
    return value;
}

int peer_listen(int backlog, int *port)
{
    int handle = (int)peer_do("listen %d", backlog);

    *port = atoi(peer_text);
    return handle;
}

int peer_nobody(void)
{
    peer_do("nobody");
    return atoi(peer_text);
}

const char *peer_end(int handle)
{
    peer_do("end %d", handle);
    return peer_text;
}

const char *peer_recv(int handle, int n)
{
    peer_do("recv %d %d", handle, n);
    return peer_text;
}

/* --- answering ---------------------------------------------------------------------------------
 */

static struct in_addr its_address, our_address;

static bool ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, WAIT_MS) == 1;
}

static long do_listen(struct in_addr host, int backlog, bool listening, char *text)
{
    struct sockaddr_in a = address(host, 0);
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (struct sockaddr *)&a, len) < 0 || (listening && listen(fd, backlog) < 0))
        return -errno;
    getsockname(fd, (struct sockaddr *)&a, &len);
    sprintf(text, "%d", ntohs(a.sin_port));
    return fd;
}

static long do_connect(int port)
{
    struct sockaddr_in a = address(our_address, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    port = errno;
    close(fd);
    return -port;
}

/* One that does not wait, from a port of its choice. */
static long do_start(int port)
{
    struct sockaddr_in a = address(our_address, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    return connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS ? fd : -errno;
}

static long do_send(int fd, size_t n)
{
    static char data[65536];
    size_t done = 0;

    memset(data, 'x', sizeof(data));
    while (done < n) {
        ssize_t sent = send(fd, data, n - done < sizeof(data) ? n - done : sizeof(data),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN && ready(fd, POLLOUT))
            continue;
        if (sent < 0)
            return done ? (long)done : -errno;
        done += (size_t)sent;
    }
    return (long)done;
}

static long do_recv(int fd, size_t n, char *text)
{
    size_t done = 0;

    while (done < n && done < MESSAGE - 64 && ready(fd, POLLIN)) {
        ssize_t got = recv(fd, text + done, MESSAGE - 64 - done, 0);
        if (got < 0)
            return sprintf(text, "%s", error_name(errno)), -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    text[done] = '\0';
    return (long)done;
}

static long do_end(int fd, char *text)
{
    static char waste[65536];
    long total = 0;
    ssize_t n = 1;

    while (n > 0 && ready(fd, POLLIN)) {
        n = recv(fd, waste, sizeof(waste), 0);
        if (n > 0)
            total += n;
    }
    sprintf(text, "%ld %s", total, n > 0 ? "and nothing more" : n == 0 ? "EOF" : error_name(errno));
    return total;
}

static long do_reset(int fd)
{
    struct linger l = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    return close(fd);
}

static long do_oob(int fd, char c)
{
    return send(fd, &c, 1, MSG_OOB | MSG_NOSIGNAL);
}

static long do_accept(int fd)
{
    return ready(fd, POLLIN) ? accept(fd, NULL, NULL) : -ETIMEDOUT;
}

static long obey(char *m, char *text)
{
    int a = 0, b = 0;
    char word[32] = "", rest[MESSAGE] = "";

    sscanf(m, "%31s %d %d", word, &a, &b);
    if (!strcmp(word, "listen"))
        return do_listen(its_address, a, true, text);
    if (!strcmp(word, "there"))
        return do_listen(gone, a, true, text);
    if (!strcmp(word, "nobody"))
        return do_listen(its_address, 0, false, text);
    if (!strcmp(word, "accept"))
        return do_accept(a);
    if (!strcmp(word, "connect"))
        return do_connect(a);
    if (!strcmp(word, "start"))
        return do_start(a);
    if (!strcmp(word, "send") && sscanf(m, "%*s %*d %[^\n]", rest) == 1)
        return send(a, rest, strlen(rest), MSG_NOSIGNAL);
    if (!strcmp(word, "sendn"))
        return do_send(a, (size_t)b);
    if (!strcmp(word, "oob"))
        return do_oob(a, (char)b);
    if (!strcmp(word, "recv"))
        return do_recv(a, (size_t)b, text);
    if (!strcmp(word, "end"))
        return do_end(a, text);
    if (!strcmp(word, "shut"))
        return shutdown(a, b);
    if (!strcmp(word, "reset"))
        return do_reset(a);
    if (!strcmp(word, "close"))
        return close(a);
    if (!strcmp(word, "rcvbuf"))
        return set_int(a, SOL_SOCKET, SO_RCVBUF, b);
    if (!strcmp(word, "poll"))
        return ready(a, POLLIN);
    if (!strncmp(word, "system", 6))
        return system(m + 7);
    return -ENOSYS;
}

static void serve(int fd)
{
    char message[MESSAGE], text[MESSAGE], answer[2 * MESSAGE];
    ssize_t n;

    while ((n = recv(fd, message, sizeof(message) - 1, 0)) > 0) {
        long value;

        message[n] = '\0';
        text[0] = '\0';
        errno = 0;
        value = obey(message, text);
        if (value == -1 && errno)
            value = -errno;
        n = snprintf(answer, sizeof(answer), "%ld %s", value, text);
        if (send(fd, answer, (size_t)n, MSG_NOSIGNAL) < 0)
            break;
    }
}

int peer_main(const char *path, struct in_addr its, struct in_addr ours)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), one;

    its_address = its;
    our_address = ours;
    signal(SIGCHLD, SIG_IGN);
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0 || listen(fd, 64) < 0) {
        perror(path);
        return 1;
    }
    while ((one = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        if (fork() == 0) {
            signal(SIGCHLD, SIG_DFL);
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            close(fd);
            serve(one);
            _exit(0);
        }
        close(one);
    }
    return 0;
}

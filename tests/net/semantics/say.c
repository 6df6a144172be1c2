/* SPDX-License-Identifier: MIT */
/* What the checks share: printing, poll masks, addresses, sockets. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct in_addr us, peer, gone;

/* Texts live until a few more were made. */
static char *room(void)
{
    static char texts[16][128];
    static int next;

    next = (next + 1) % 16;
    texts[next][0] = '\0';
    return texts[next];
}

void say(const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%s\t", name);
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
}

const char *error_name(int error)
{
    const char *name = error ? strerrorname_np(error) : "0";

    return name ? name : "?";
}

const char *er(long result)
{
    char *text = room();

    if (result < 0)
        return error_name(errno);
    snprintf(text, 128, "%ld", result);
    return text;
}

const char *bits(int events)
{
    static const struct {
        int bit;
        const char *name;
    } names[] = {{POLLIN, "IN"},   {POLLPRI, "PRI"}, {POLLOUT, "OUT"},  {POLLRDHUP, "RDHUP"},
                 {POLLHUP, "HUP"}, {POLLERR, "ERR"}, {POLLNVAL, "NVAL"}};
    char *text = room();

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(events & names[i].bit))
            continue;
        if (*text)
            strcat(text, "+");
        strcat(text, names[i].name);
    }
    return *text ? text : "none";
}

const char *mask(int fd, int events)
{
    struct pollfd p = {.fd = fd, .events = (short)events};

    return poll(&p, 1, 0) < 0 ? er(-1) : bits(p.revents);
}

const char *mask_when(int fd, int events, int until)
{
    struct pollfd p = {.fd = fd, .events = (short)events};

    for (int i = 0; i < 600; i++) {
        if (poll(&p, 1, 0) < 0)
            return er(-1);
        if ((p.revents & until) == until)
            break;
        pause_ms(5);
    }
    /* what comes along with it, a moment later */
    pause_ms(2);
    return mask(fd, events);
}

static volatile sig_atomic_t alarmed;

static void on_alarm(int sig)
{
    (void)sig;
    alarmed = 1;
}

void guard_begin(void)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    struct itimerval t = {{0, 50000}, {0, 400000}};

    alarmed = 0;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &t, NULL);
}

bool guard_end(void)
{
    struct itimerval off = {0};
    int saved = errno;

    setitimer(ITIMER_REAL, &off, NULL);
    errno = saved;
    return alarmed;
}

const char *guarded(long result)
{
    bool hung = guard_end();

    return hung && result < 0 && errno == EINTR ? "hangs" : er(result);
}

void pause_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* --- addresses ---------------------------------------------------------------------------------
 */

struct sockaddr_in address(struct in_addr host, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = host};
}

static const char *host_text(const struct sockaddr_storage *ss)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
    struct in_addr a = ((const struct sockaddr_in *)ss)->sin_addr;

    if (ss->ss_family == AF_INET6) {
        if (IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr))
            return "[any]";
        if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            return "[v6]";
        memcpy(&a, in6->sin6_addr.s6_addr + 12, 4);
        return a.s_addr == us.s_addr     ? "[us]"
               : a.s_addr == peer.s_addr ? "[peer]"
               : a.s_addr == 0           ? "[v4 any]"
                                         : "[other]";
    }
    return a.s_addr == us.s_addr     ? "us"
           : a.s_addr == peer.s_addr ? "peer"
           : a.s_addr == 0           ? "any"
                                     : "other";
}

const char *name_text(const struct sockaddr_storage *ss, int port)
{
    int have = ntohs(((const struct sockaddr_in *)ss)->sin_port);
    char *text = room();

    if (ss->ss_family != AF_INET && ss->ss_family != AF_INET6)
        snprintf(text, 128, "family %d", ss->ss_family);
    else
        snprintf(text, 128, "%s:%s", host_text(ss), have == 0 ? "0" : have == port ? "P" : "?");
    return text;
}

const char *local_name(int fd, int port)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    return getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ? er(-1) : name_text(&ss, port);
}

const char *remote_name(int fd, int port)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    return getpeername(fd, (struct sockaddr *)&ss, &len) < 0 ? er(-1) : name_text(&ss, port);
}

int local_port(int fd)
{
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    return getsockname(fd, (struct sockaddr *)&ss, &len) < 0
               ? -1
               : ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

/* --- sockets -----------------------------------------------------------------------------------
 */

int tcp(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

int tcp_nb(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
}

int connect_to(int fd, struct in_addr host, int port)
{
    struct sockaddr_in to = address(host, port);

    return connect(fd, (struct sockaddr *)&to, sizeof(to));
}

int bind_to(int fd, struct in_addr host, int port)
{
    struct sockaddr_in to = address(host, port);

    return bind(fd, (struct sockaddr *)&to, sizeof(to));
}

int listener(int backlog, int *port)
{
    int fd = tcp();

    if (bind_to(fd, us, 0) < 0 || listen(fd, backlog) < 0)
        say("listener", "%s", er(-1));
    *port = local_port(fd);
    return fd;
}

int connected(int *handle)
{
    int port, l = peer_listen(8, &port), fd = tcp();

    if (connect_to(fd, peer, port) < 0)
        say("connected", "%s", er(-1));
    *handle = (int)peer_do("accept %d", l);
    peer_do("close %d", l);
    return fd;
}

int accepted(int *handle)
{
    int port, l = listener(8, &port), fd;

    *handle = (int)peer_do("connect %d", port);
    fd = accept(l, NULL, NULL);
    close(l);
    return fd;
}

int get_int(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

int pending_error(int fd)
{
    return get_int(fd, SOL_SOCKET, SO_ERROR);
}

const char *queue(int fd, unsigned long request)
{
    char *text = room();
    int n = -1;

    if (ioctl(fd, request, &n) < 0)
        return er(-1);
    snprintf(text, 128, "%d", n);
    return text;
}

void wait_bytes(int fd, int n)
{
    int have = 0;

    for (int i = 0; i < 600 && ioctl(fd, FIONREAD, &have) == 0 && have < n; i++)
        pause_ms(5);
}

void wait_acked(int fd)
{
    int left = 0;

    for (int i = 0; i < 600 && ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0; i++)
        pause_ms(5);
}

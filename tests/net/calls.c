/* SPDX-License-Identifier: MIT */
/*
 * calls ADDRESS [pointers]: the socket calls that are served for a program, each where it is hard:
 * signals, time-outs, bad pointers, full tables, fork, threads, epoll over a replaced socket. Both
 * ends are here, at ADDRESS. One line a check: its name, a tab, what happened. The same program
 * runs on the kernel's TCP and, dynamic and static, under `tapstack run`; the lines must be the
 * same.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ANY      ((struct sockaddr *)-4096) /* never mapped */
#define PATIENCE 20                         /* seconds for what must come, also on a busy machine */

static struct in_addr here;
static volatile sig_atomic_t alarms, pipes;

static const char *name_of(int r)
{
    return r >= 0 ? "0" : strerrorname_np(errno);
}

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

static void on_signal(int sig)
{
    if (sig == SIGPIPE)
        pipes++;
    else
        alarms++;
}

static void handle(int sig, int flags)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

    sigaction(sig, &sa, NULL);
}

/* Again and again until alarms_end(): on a busy machine the first may come before the call that it
 * is to interrupt has begun to wait. */
static void alarms_every(int ms)
{
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};
    struct itimerval it = {.it_value = tv, .it_interval = tv};

    alarms = 0;
    setitimer(ITIMER_REAL, &it, NULL);
}

static const char *alarms_end(void)
{
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    return alarms ? "alarms" : "no alarm";
}

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in at(struct in_addr a, int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr = a, .sin_port = htons((uint16_t)port)};
}

/* A listener at a free port; its address in *a. */
static int listening(struct in_addr where, struct sockaddr_in *a)
{
    socklen_t len = sizeof(*a);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    *a = at(where, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)a, &len) < 0) {
        perror("calls: listen");
        exit(1);
    }
    return fd;
}

static int connected(const struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0) {
        perror("calls: connect");
        exit(1);
    }
    return fd;
}

static void pair(int fds[2])
{
    struct sockaddr_in a;
    int l = listening(here, &a);

    fds[0] = connected(&a);
    fds[1] = accept(l, NULL, NULL);
    close(l);
}

/* ---- signals and time-outs ---- */

static void *connect_later(void *arg)
{
    usleep(300000);
    return (void *)(intptr_t)connected(arg);
}

static void accept_and_signals(void)
{
    struct timeval tv = {0, 200000};
    struct sockaddr_in a;
    int l = listening(here, &a), r;
    pthread_t t;
    void *c;
    double start;
    sigset_t set;

    handle(SIGALRM, 0);
    alarms_every(100);
    r = accept(l, NULL, NULL);
    say("accept is interrupted by a handler", "%s, %s", name_of(r), alarms_end());

    handle(SIGALRM, SA_RESTART);
    sigemptyset(&set);
    sigaddset(&set, SIGALRM); /* in this thread only */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&t, NULL, connect_later, &a);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    alarms_every(100);
    r = accept(l, NULL, NULL);
    say("accept is restarted after a handler with SA_RESTART", "%s, %s", name_of(r), alarms_end());
    close(r);
    pthread_join(t, &c);
    close((int)(intptr_t)c);

    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    start = now();
    r = accept(l, NULL, NULL);
    say("accept with SO_RCVTIMEO", "%s, %s", name_of(r),
        now() - start > 0.15 && now() - start < PATIENCE ? "in time" : "not in time");
    tv.tv_sec = PATIENCE;
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    alarms_every(50);
    r = accept(l, NULL, NULL);
    say("accept with SO_RCVTIMEO is not restarted", "%s, %s", name_of(r), alarms_end());
    fcntl(l, F_SETFL, O_NONBLOCK);
    say("accept without waiting", "%s", name_of(accept(l, NULL, NULL)));
    close(l);
}

static void connect_and_signals(void)
{
    struct sockaddr_in nobody = at(here, 9);
    int fd = socket(AF_INET, SOCK_STREAM, 0), r;

    nobody.sin_addr.s_addr |= htonl(0x7e); /* nobody has this one */
    handle(SIGALRM, 0);
    alarms_every(150);
    r = connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
    say("connect is interrupted by a handler", "%s, %s", name_of(r), alarms_end());
    fcntl(fd, F_SETFL, O_NONBLOCK);
    r = connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));
    say("and goes on being made", "%s", name_of(r));
    close(fd);
}

static void killed_in(const char *name, bool connecting)
{
    struct sockaddr_in a, nobody = at(here, 9);
    int l = listening(here, &a), status = 0;
    double start;
    pid_t pid = fork();

    nobody.sin_addr.s_addr |= htonl(0x7e);
    if (pid == 0) {
        if (connecting)
            (void)connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&nobody,
                          sizeof(nobody));
        else
            accept(l, NULL, NULL);
        _exit(1);
    }
    usleep(100000);
    kill(pid, SIGKILL);
    start = now();
    waitpid(pid, &status, 0);
    say(name, "signal %d, %s", WIFSIGNALED(status) ? WTERMSIG(status) : 0,
        now() - start < 2 ? "at once" : "late");
    close(l);
}

static void stopped_in_accept(void)
{
    struct sockaddr_in a;
    int l = listening(here, &a), status = 0, c;
    pid_t pid = fork();

    if (pid == 0)
        _exit(accept(l, NULL, NULL) >= 0 ? 7 : 1);
    usleep(50000);
    kill(pid, SIGSTOP);
    waitpid(pid, &status, WUNTRACED);
    printf("a process that waits in accept\t%s", WIFSTOPPED(status) ? "stops" : "does not stop");
    kill(pid, SIGCONT);
    c = connected(&a);
    waitpid(pid, &status, 0);
    printf(", goes on, status %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    close(c);
    close(l);
}

/* ---- addresses, options, errors ---- */

static int int_option(int fd, int level, int name)
{
    int v = -1;
    socklen_t len = sizeof(v);

    return getsockopt(fd, level, name, &v, &len) < 0 ? -errno : v;
}

static void names_and_options(void)
{
    struct sockaddr_in a, b = {0};
    int l = listening(here, &a), c = connected(&a), s, v = 1;
    socklen_t len = sizeof(b);

    s = accept4(l, (struct sockaddr *)&b, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    say("accept4 tells the address and sets the flags", "%d %d %d %d %d", (int)len, b.sin_family,
        b.sin_addr.s_addr == here.s_addr, (fcntl(s, F_GETFL) & O_NONBLOCK) != 0, fcntl(s, F_GETFD));
    len = sizeof(b);
    v = getpeername(c, (struct sockaddr *)&b, &len);
    say("getpeername", "%s %d %d", name_of(v), (int)len, b.sin_port == a.sin_port);
    len = 4;
    memset(&b, 0, sizeof(b));
    v = getsockname(s, (struct sockaddr *)&b, &len);
    say("getsockname with little room", "%s %d %d %d", name_of(v), (int)len,
        b.sin_port == a.sin_port, b.sin_addr.s_addr != 0);
    say("options that never change", "%d %d %d %d %d", int_option(c, SOL_SOCKET, SO_TYPE),
        int_option(c, SOL_SOCKET, SO_DOMAIN), int_option(c, SOL_SOCKET, SO_PROTOCOL),
        int_option(l, SOL_SOCKET, SO_ACCEPTCONN), int_option(c, SOL_SOCKET, SO_ACCEPTCONN));
    v = 1;
    setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &v, sizeof(v));
    say("TCP_NODELAY", "%d %d", int_option(c, IPPROTO_TCP, TCP_NODELAY),
        int_option(s, IPPROTO_TCP, TCP_NODELAY));
    say("an option that does not exist", "%d", int_option(c, IPPROTO_TCP, 9999));
    say("SO_ERROR", "%d", int_option(c, SOL_SOCKET, SO_ERROR));
    v = -1;
    say("SIOCOUTQ", "%s %d", name_of(ioctl(c, SIOCOUTQ, &v)), v);
    close(c);
    close(s);
    close(l);
}

/* A shim in the same process would crash: not with it. */
static void bad_pointers(void)
{
    struct sockaddr_in a;
    int l = listening(here, &a), fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof(int);

    say("bind to nowhere", "%s", name_of(bind(fd, ANY, 16)));
    say("connect to nowhere", "%s", name_of(connect(fd, ANY, 16)));
    say("connect with a short address", "%s", name_of(connect(fd, (struct sockaddr *)&a, 8)));
    say("connect with a huge length", "%s", name_of(connect(fd, (struct sockaddr *)&a, 4096)));
    say("getsockopt to nowhere", "%s",
        name_of(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)ANY, &len)));
    say("setsockopt from nowhere", "%s",
        name_of(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, (void *)ANY, 4)));
    say("getsockname to nowhere", "%s", name_of(getsockname(l, ANY, &len)));
    close(fd);
    close(l);
}

static void bad_arguments(void)
{
    struct sockaddr_in a;
    int l = listening(here, &a), fd = socket(AF_INET, SOCK_STREAM, 0), v, un[2];
    socklen_t len = sizeof(v);

    say("accept on a socket that does not listen", "%s", name_of(accept(fd, NULL, NULL)));
    say("getpeername of an unconnected socket", "%s",
        name_of(getpeername(fd, (struct sockaddr *)&a, &len)));
    say("a closed number", "%s", name_of(listen(777, 1)));
    say("no socket", "%s", name_of(listen(STDOUT_FILENO, 1)));
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, un) == 0) {
        say("a UNIX socket is none of ours", "%d", int_option(un[0], SOL_SOCKET, SO_DOMAIN));
        close(un[0]);
        close(un[1]);
    }
    v = socket(AF_INET, SOCK_DGRAM, 0);
    say("nor a UDP socket", "%d", int_option(v, SOL_SOCKET, SO_PROTOCOL));
    close(v);
    close(fd);
    a = at(here, 9);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    say("connect to a closed port", "%s", name_of(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    close(fd);
    close(l);
}

static void full_table(void)
{
    struct rlimit before, few;
    struct sockaddr_in a;
    int l = listening(here, &a), c = connected(&a), r, free_one;

    free_one = dup(0);
    close(free_one);
    getrlimit(RLIMIT_NOFILE, &before);
    few = (struct rlimit){(rlim_t)free_one, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    r = accept(l, NULL, NULL);
    printf("accept with a full table\t%s", name_of(r));
    r = socket(AF_INET, SOCK_STREAM, 0);
    printf(", socket %s", name_of(r));
    setrlimit(RLIMIT_NOFILE, &before);
    r = accept(l, NULL, NULL);
    printf(", then %s\n", name_of(r));
    close(r);
    close(c);
    close(l);
}

/* ---- data with flags ---- */

static void data_flags(void)
{
    struct sockaddr_in a = at(here, 1);
    socklen_t len = sizeof(a);
    int p[2];
    char buf[64] = {0};
    ssize_t n;

    pair(p);
    say("send with MSG_MORE", "%zd", send(p[0], "abc", 3, MSG_MORE));
    say("sendto with an address", "%zd",
        sendto(p[0], "def", 3, 0, (struct sockaddr *)&a, sizeof(a)));
    usleep(50000);
    n = recvfrom(p[1], buf, 6, MSG_WAITALL, (struct sockaddr *)&a, &len);
    say("recvfrom with an address", "%zd %s %d", n, buf, (int)len);
    say("send for MSG_TRUNC", "%zd", send(p[0], "0123456789", 10, 0));
    usleep(50000);
    say("recv with MSG_TRUNC throws away", "%zd", recv(p[1], NULL, 4, MSG_TRUNC));
    n = recv(p[1], buf, 6, 0);
    say("and the rest comes next", "%zd %.6s", n, buf);
    say("MSG_ERRQUEUE", "%s", name_of((int)recv(p[1], buf, 1, MSG_ERRQUEUE | MSG_DONTWAIT)));
    shutdown(p[0], SHUT_WR);
    handle(SIGPIPE, 0);
    say("send with MSG_MORE after a shutdown", "%s, %d signal",
        name_of((int)send(p[0], "x", 1, MSG_MORE)), (int)pipes);
    say("and with MSG_NOSIGNAL", "%s, %d signal",
        name_of((int)send(p[0], "x", 1, MSG_MORE | MSG_NOSIGNAL)), (int)pipes);
    close(p[0]);
    close(p[1]);
}

static void fast_open(void)
{
    struct sockaddr_in a;
    int l = listening(here, &a), c = socket(AF_INET, SOCK_STREAM, 0), s;
    char buf[8] = {0};

    say("sendto with MSG_FASTOPEN", "%zd",
        sendto(c, "first", 5, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)));
    s = accept(l, NULL, NULL);
    (void)!recv(s, buf, 5, MSG_WAITALL);
    say("is a connect that sends", "%s", buf);
    close(c);
    close(s);
    close(l);
}

/* ---- processes and threads ---- */

static void inherited(void)
{
    struct sockaddr_in a;
    int l = listening(here, &a), c, status = 0;
    char buf[8] = {0};
    pid_t pid = fork();

    if (pid == 0) {
        int s = accept(l, NULL, NULL);
        struct sockaddr_in peer;
        socklen_t len = sizeof(peer);

        if (s < 0 || getpeername(s, (struct sockaddr *)&peer, &len) < 0 || write(s, "hello", 5) < 5)
            _exit(1);
        _exit(0);
    }
    c = connected(&a);
    (void)!read(c, buf, 5);
    waitpid(pid, &status, 0);
    say("a child accepts from an inherited listener", "%s %d", buf, status);
    say("and its end is the end", "%zd", read(c, buf, 5));
    close(c);
    close(l);
}

#define THREADS 8
#define ROUNDS  20

static struct sockaddr_in busy;
static int busy_listener;

static void *serve_some(void *arg)
{
    intptr_t good = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int s = accept(busy_listener, NULL, NULL);
        char c;

        good += s >= 0 && read(s, &c, 1) == 1 && write(s, &c, 1) == 1;
        close(s);
    }
    return (void *)good;
}

static void *ask_some(void *arg)
{
    intptr_t good = 0;

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int s = connected(&busy);
        char c = (char)('a' + i), d = 0;

        good += write(s, &c, 1) == 1 && read(s, &d, 1) == 1 && c == d;
        close(s);
    }
    return (void *)good;
}

static void threads(void)
{
    pthread_t t[2 * THREADS];
    intptr_t good = 0;

    busy_listener = listening(here, &busy);
    for (int i = 0; i < 2 * THREADS; i++)
        pthread_create(&t[i], NULL, i < THREADS ? serve_some : ask_some, NULL);
    for (int i = 0; i < 2 * THREADS; i++) {
        void *r;

        pthread_join(t[i], &r);
        good += (intptr_t)r;
    }
    say("threads that connect and accept at once", "%d", (int)good);
    close(busy_listener);
}

/* ---- replaced in place ---- */

static void loopback_with_epoll(void)
{
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                             .data.u64 = 0x123456789abcdef0},
                       got[4];
    struct sockaddr_in a;
    int l = listening(lo, &a), e = epoll_create1(0), r, n;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

    epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    r = connect(fd, (struct sockaddr *)&a, sizeof(a));
    say("connect to loopback", "%d, flags %d %d, nodelay %d", r == 0 || errno == EINPROGRESS,
        (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD),
        int_option(fd, IPPROTO_TCP, TCP_NODELAY));
    n = epoll_wait(e, got, 4, PATIENCE * 1000);
    say("epoll knows the socket", "%d %x %llx", n, n > 0 ? got[0].events & EPOLLOUT : 0,
        n > 0 ? (unsigned long long)got[0].data.u64 : 0);
    r = accept(l, NULL, NULL);
    (void)!write(r, "x", 1);
    n = epoll_wait(e, got, 4, PATIENCE * 1000);
    say("and its edges", "%d %d %d", n, n > 0 && (got[0].events & EPOLLIN),
        epoll_wait(e, got, 4, 50));
    ev.events = EPOLLIN;
    say("and can change it", "%s", name_of(epoll_ctl(e, EPOLL_CTL_MOD, fd, &ev)));
    n = epoll_wait(e, got, 4, PATIENCE * 1000);
    say("level-triggered", "%d %x", n, n > 0 ? got[0].events : 0);
    say("and delete it", "%s", name_of(epoll_ctl(e, EPOLL_CTL_DEL, fd, NULL)));
    close(fd);
    close(r);
    close(l);
    close(e);
}

/* Closed by one holder, an open file stays registered by its old number, and so do its successors'.
 */
static void crowded_number(void)
{
    enum { OTHERS = 32 };
    struct in_addr lo = {htonl(INADDR_LOOPBACK)};
    struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 1}, got[OTHERS + 1];
    struct sockaddr_in a;
    int l = listening(lo, &a), e = epoll_create1(0), others[OTHERS], known = 0, fd, s, n;

    fd = socket(AF_INET, SOCK_STREAM, 0);
    for (int i = 0; i < OTHERS; i++) {
        epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
        others[i] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
        close(fd);
        n = socket(AF_INET, SOCK_STREAM, 0);
        if (n != fd)
            dup2(n, fd), close(n);
    }
    ev.data.u32 = 2;
    epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
    (void)!connect(fd, (struct sockaddr *)&a, sizeof(a));
    s = accept(l, NULL, NULL);
    (void)!write(s, "x", 1);
    for (int i = 0; i < 20 && !known; i++) {
        n = epoll_wait(e, got, OTHERS + 1, 100);
        while (n > 0)
            known += got[--n].data.u32 == 2;
    }
    say("connect to loopback by a number that others had", "%d", known);
    for (int i = 0; i < OTHERS; i++)
        close(others[i]);
    close(fd);
    close(s);
    close(l);
    close(e);
}

static void reconnect_with_epoll(void)
{
    struct epoll_event ev = {.events = EPOLLIN | EPOLLONESHOT, .data.u32 = 77}, got[4];
    struct sockaddr_in a, closed = at(here, 9);
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int l = listening(here, &a), e = epoll_create1(EPOLL_CLOEXEC), r, n, s;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char c;

    say("connect that fails", "%s",
        name_of(connect(fd, (struct sockaddr *)&closed, sizeof(closed))));
    epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
    r = connect(fd, (struct sockaddr *)&a, sizeof(a));
    s = accept(l, NULL, NULL);
    ev.data.u32 = 78;
    epoll_ctl(e, EPOLL_CTL_MOD, fd, &ev);
    (void)!write(s, "y", 1);
    n = epoll_wait(e, got, 4, PATIENCE * 1000);
    say("and then succeeds, in the same epoll", "%s %d %u %d", name_of(r), n,
        n > 0 ? got[0].data.u32 : 0, epoll_wait(e, got, 4, 50));
    r = connect(fd, &nobody, sizeof(nobody));
    printf("connect to AF_UNSPEC\t%s", name_of(r));
    printf(", the peer reads %s", name_of((int)read(s, &c, 1)));
    close(s);
    r = connect(fd, (struct sockaddr *)&a, sizeof(a));
    printf(", connect again %s\n", name_of(r));
    s = accept(l, NULL, NULL);
    (void)!write(s, "z", 1);
    say("and data", "%zd", read(fd, &c, 1));
    close(s);
    close(fd);
    close(l);
    close(e);
}

static void waits_for_connect(void)
{
    struct sockaddr_in a;
    struct pollfd p = {.events = POLLOUT};
    int l = listening(here, &a), n;

    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("connect without waiting", "%s", name_of(connect(p.fd, (struct sockaddr *)&a, sizeof(a))));
    n = poll(&p, 1, PATIENCE * 1000);
    say("and poll", "%d %x %d", n, p.revents, int_option(p.fd, SOL_SOCKET, SO_ERROR));
    close(p.fd);
    a = at(here, 9);
    p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("refused", "%s", name_of(connect(p.fd, (struct sockaddr *)&a, sizeof(a))));
    n = poll(&p, 1, PATIENCE * 1000);
    say("and poll says so", "%d %d %d", n, (p.revents & POLLERR) != 0,
        int_option(p.fd, SOL_SOCKET, SO_ERROR));
    close(p.fd);
    close(l);
}

int main(int argc, char **argv)
{
    if (argc < 2 || inet_pton(AF_INET, argv[1], &here) != 1) {
        fprintf(stderr, "Usage: calls ADDRESS [pointers]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    accept_and_signals();
    connect_and_signals();
    killed_in("killed in accept", false);
    killed_in("killed in connect", true);
    stopped_in_accept();
    names_and_options();
    bad_arguments();
    if (argc == 3)
        bad_pointers();
    full_table();
    data_flags();
    fast_open();
    inherited();
    threads();
    loopback_with_epoll();
    crowded_number();
    reconnect_with_epoll();
    waits_for_connect();
    say("all checks ran", "yes");
    return 0;
}

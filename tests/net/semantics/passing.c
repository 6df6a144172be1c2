/* SPDX-License-Identifier: MIT */
/* Descriptors that travel: dup, fork, exec, SCM_RIGHTS, standard streams; and threads. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int status_of(pid_t child)
{
    int status = 0;

    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void duplicates(void)
{
    int h, fd = connected(&h), other = dup(fd), high = fcntl(fd, F_DUPFD_CLOEXEC, 50);
    char buf[8];

    say("dup name", "%.5s", remote_name(other, 0));
    set_int(other, IPPROTO_TCP, TCP_NODELAY, 1);
    say("dup shares options", "%d", get_int(fd, IPPROTO_TCP, TCP_NODELAY));
    fcntl(other, F_SETFL, O_NONBLOCK);
    say("dup shares O_NONBLOCK", "%d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    say("F_DUPFD_CLOEXEC", "%d %d", high >= 50, fcntl(high, F_GETFD));
    say("dup nothing", "%s", er(read(other, buf, 1)));
    dup2(fd, 60);
    close(fd);
    close(other);
    say("dup2 write", "%s", er(write(60, "x", 1)));
    say("dup2 arrived", "%s", peer_recv(h, 1));
    close(60);
    say("still open", "%s", er(write(high, "y", 1)));
    close(high);
    say("all closed", "%s", peer_end(h));
    peer_do("close %d", h);
}

static void forked(void)
{
    int h, fd = connected(&h), port, l;
    char buf[16] = "";
    pid_t child = fork();

    if (child == 0)
        _exit(write(fd, "child", 5) == 5 && set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0 ? 5 : 1);
    say("fork", "%d", status_of(child));
    say("fork arrived", "%s", peer_recv(h, 5));
    say("fork set an option", "%d", get_int(fd, IPPROTO_TCP, TCP_NODELAY));
    say("fork parent writes", "%s", er(write(fd, "parent", 6)));
    say("fork parent arrived", "%s", peer_recv(h, 6));
    child = fork();
    if (child == 0) {
        close(fd);
        _exit(0);
    }
    status_of(child);
    peer_do("send %d still", h);
    say("fork close keeps", "%s", er(read(fd, buf, sizeof(buf))));
    close(fd);
    peer_do("close %d", h);
    /* a server that forks */
    l = listener(4, &port);
    h = (int)peer_do("connect %d", port);
    fd = accept(l, NULL, NULL);
    child = fork();
    if (child == 0) {
        close(l);
        _exit(write(fd, "served", 6) == 6 ? 0 : 1);
    }
    close(fd);
    say("fork server", "%d", status_of(child));
    say("fork server arrived", "%s", peer_end(h));
    /* two that accept */
    child = fork();
    if (child == 0) {
        fd = accept(l, NULL, NULL);
        _exit(fd >= 0 && write(fd, "c", 1) == 1 ? 0 : 1);
    }
    h = (int)peer_do("connect %d", port);
    say("child accepts", "%s", peer_recv(h, 1));
    say("child accepted", "%d", status_of(child));
    close(l);
    /* a socket of before, connected after */
    fd = tcp();
    l = peer_listen(4, &port);
    child = fork();
    if (child == 0)
        _exit(connect_to(fd, peer, port) == 0 ? 0 : errno);
    say("child connects", "%d", status_of(child));
    say("parent sees", "%s", remote_name(fd, port));
    close(fd);
}

int inherited_main(int fd)
{
    char buf[8] = "";
    ssize_t n = read(fd, buf, sizeof(buf));

    if (n < 0 || get_int(fd, SOL_SOCKET, SO_DOMAIN) != AF_INET)
        return 1;
    if (get_int(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP)
        return 2;
    if (set_int(fd, IPPROTO_TCP, TCP_CORK, 1) < 0)
        return 3;
    return write(fd, buf, (size_t)n) == n ? 0 : 4;
}

static void executed(void)
{
    int h, fd = connected(&h), port, l;
    char number[16];
    pid_t child;

    snprintf(number, sizeof(number), "%d", fd);
    peer_do("send %d echo", h);
    child = fork();
    if (child == 0) {
        execl(self_path, self_path, "--inherited", number, NULL);
        _exit(99);
    }
    say("exec", "%d", status_of(child));
    set_int(fd, IPPROTO_TCP, TCP_CORK, 0);
    say("exec arrived", "%s", peer_recv(h, 4));
    peer_do("send %d echo", h);
    child = fork();
    if (child == 0) {
        dup2(fd, STDIN_FILENO);
        close(fd);
        execl(self_path, self_path, "--inherited", "0", NULL);
        _exit(99);
    }
    say("stdin", "%d", status_of(child));
    set_int(fd, IPPROTO_TCP, TCP_CORK, 0);
    say("stdin arrived", "%s", peer_recv(h, 4));
    child = fork();
    if (child == 0) {
        dup2(fd, STDOUT_FILENO);
        execlp("echo", "echo", "-n", "by echo", NULL);
        _exit(99);
    }
    say("stdout", "%d", status_of(child));
    say("stdout arrived", "%s", peer_recv(h, 7));
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    child = fork();
    if (child == 0) {
        execl(self_path, self_path, "--inherited", number, NULL);
        _exit(99);
    }
    say("close-on-exec", "%d", status_of(child));
    close(fd);
    say("exec closed", "%s", peer_end(h));
    peer_do("close %d", h);
    l = listener(4, &port);
    FILE *f;
    h = (int)peer_do("connect %d", port);
    fd = accept(l, NULL, NULL);
    close(l);
    f = fdopen(fd, "r+");
    fprintf(f, "line %d\n", 1);
    fflush(f);
    say("stdio arrived", "%.6s", peer_recv(h, 7));
    peer_do("send %d answer", h);
    peer_do("shut %d %d", h, SHUT_WR);
    char line[32] = "";
    say("stdio reads", "%s", fgets(line, sizeof(line), f) ? line : "nothing");
    fclose(f);
    say("stdio closed", "%s", peer_end(h));
}

static int send_fd(int by, int fd)
{
    char byte = 'f';
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    return (int)sendmsg(by, &msg, 0);
}

static int receive_fd(int by)
{
    char byte;
    int fd = -1;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

    if (recvmsg(by, &msg, 0) == 1 && CMSG_FIRSTHDR(&msg))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    return fd;
}

static void passed(void)
{
    int pair[2], h, fd = connected(&h), port, l = listener(4, &port);
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return;
    child = fork();
    if (child == 0) {
        close(fd);
        close(l);
        fd = receive_fd(pair[1]);
        l = receive_fd(pair[1]);
        int one = accept(l, NULL, NULL);
        _exit(write(fd, "passed", 6) == 6 && write(one, "accepted", 8) == 8 &&
                      get_int(fd, IPPROTO_TCP, TCP_NODELAY) == 0
                  ? 0
                  : 1);
    }
    say("passed", "%d", send_fd(pair[0], fd));
    say("passed listener", "%d", send_fd(pair[0], l));
    close(fd);
    close(l);
    int other = (int)peer_do("connect %d", port);
    say("passed, used", "%d", status_of(child));
    say("passed, arrived", "%s", peer_end(h));
    say("passed listener, arrived", "%s", peer_end(other));
    /* under way in a socket that nobody reads */
    fd = connected(&h);
    send_fd(pair[0], fd);
    close(fd);
    peer_do("send %d hello", h);
    fd = receive_fd(pair[1]);
    char buf[8];
    say("waited in a queue", "%s", er(read(fd, buf, sizeof(buf))));
    close(fd);
    close(pair[0]);
    close(pair[1]);
}

void group_passing(void)
{
    duplicates();
    forked();
    executed();
    passed();
}

/* --- threads -----------------------------------------------------------------------------------
 */

struct blocked {
    pthread_t thread;
    int fd, error;
    long result;
    volatile int over;
    enum { READ, ACCEPT, CONNECT, WRITE, POLL } call;
    int port;
};

static void *block(void *arg)
{
    static char data[1 << 20];
    struct blocked *b = arg;
    struct pollfd p = {.fd = b->fd, .events = POLLIN};
    char byte;

    switch (b->call) {
    case READ:
        b->result = read(b->fd, &byte, 1);
        break;
    case ACCEPT:
        b->result = accept(b->fd, NULL, NULL);
        break;
    case CONNECT:
        b->result = connect_to(b->fd, peer, b->port);
        break;
    case WRITE:
        do {
            b->result = write(b->fd, data, sizeof(data));
        } while (b->result > 0);
        break;
    case POLL:
        b->result = poll(&p, 1, 5000) == 1 ? p.revents : 0;
        break;
    }
    b->error = errno;
    b->over = 1;
    return NULL;
}

static struct blocked *begin(int fd, int call, int port)
{
    struct blocked *b = calloc(1, sizeof(*b));

    b->fd = fd;
    b->call = call;
    b->port = port;
    pthread_create(&b->thread, NULL, block, b);
    pause_ms(80);
    return b;
}

/* What it returned; "still blocked" after 200 ms. */
static const char *finish(struct blocked *b)
{
    for (int i = 0; i < 40 && !b->over; i++)
        pause_ms(5);
    if (!b->over)
        return "still blocked";
    pthread_join(b->thread, NULL);
    errno = b->error;
    if (b->call == POLL)
        return bits((int)b->result);
    return b->result > 0 && b->call == ACCEPT ? "a connection" : er(b->result);
}

/* Did it end? accept(2), connect(2) and read(2) are cancellation points. */
static bool cancel(struct blocked *b)
{
    struct timespec until;
    void *result = NULL;

    pthread_cancel(b->thread);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2;
    return pthread_timedjoin_np(b->thread, &result, &until) == 0 && result == PTHREAD_CANCELED;
}

void group_threads(void)
{
    int h, fd = connected(&h), port, l;
    struct blocked *b = begin(fd, READ, 0);

    close(fd);
    say("close during read", "%s", finish(b));
    peer_do("send %d x", h);
    say("close during read, then data", "%s", finish(b));
    peer_do("close %d", h);

    fd = connected(&h);
    b = begin(fd, READ, 0);
    shutdown(fd, SHUT_RD);
    say("SHUT_RD during read", "%s", finish(b));
    close(fd);
    fd = connected(&h);
    b = begin(fd, READ, 0);
    peer_do("reset %d", h);
    say("reset during read", "%s", finish(b));
    close(fd);
    fd = connected(&h);
    b = begin(fd, READ, 0);
    peer_do("close %d", h);
    say("end during read", "%s", finish(b));
    close(fd);
    fd = connected(&h);
    b = begin(fd, POLL, 0);
    close(fd);
    peer_do("send %d x", h);
    say("close during poll, then data", "%s", finish(b));

    fd = connected(&h);
    b = begin(fd, WRITE, 0);
    say("write blocks", "%s", finish(b));
    peer_do("reset %d", h);
    say("reset during write", "%s", finish(b));
    close(fd);
    fd = connected(&h);
    b = begin(fd, WRITE, 0);
    shutdown(fd, SHUT_WR);
    say("SHUT_WR during write", "%s", finish(b));
    close(fd);
    peer_do("reset %d", h);

    l = listener(4, &port);
    b = begin(l, ACCEPT, 0);
    shutdown(l, SHUT_RDWR);
    say("shutdown wakes accept", "%s", finish(b));
    close(l);
    l = listener(4, &port);
    b = begin(l, POLL, 0);
    shutdown(l, SHUT_RD);
    say("shutdown wakes poll", "%s", finish(b));
    close(l);
    l = listener(4, &port);
    b = begin(l, ACCEPT, 0);
    close(l);
    say("close during accept", "%s", finish(b));
    peer_do("start %d", port);
    say("close during accept, then a connection", "%s", finish(b));

    l = peer_listen(0, &port);
    connect_to(tcp_nb(), peer, port);
    connect_to(tcp_nb(), peer, port);
    pause_ms(30);
    fd = tcp();
    b = begin(fd, CONNECT, port);
    say("connect blocks", "%s", finish(b));
    say("connect from another thread", "%s",
        (fcntl(fd, F_SETFL, O_NONBLOCK), er(connect_to(fd, peer, port))));
    say("poll during connect", "%s", mask(fd, ALL));
    shutdown(fd, SHUT_RDWR);
    say("shutdown during connect", "%s", finish(b));
    close(fd);
    fd = tcp();
    b = begin(fd, CONNECT, port);
    close(fd);
    say("close during connect", "%s", finish(b));
    fd = tcp();
    b = begin(fd, CONNECT, port);
    say("cancelled in connect", "%d", cancel(b));
    close(fd);
}

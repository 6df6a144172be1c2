/* SPDX-License-Identifier: MIT */
/* shutdown(2), close(2), SO_LINGER, resets, EPIPE and SIGPIPE. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int state_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? -errno : info.tcpi_state;
}

static void shutting(void)
{
    int h, fd = connected(&h);
    char buf[16];

    say("SHUT_WR", "%s", er(shutdown(fd, SHUT_WR)));
    say("SHUT_WR again", "%s", er(shutdown(fd, SHUT_WR)));
    say("SHUT_WR write", "%s", er(write(fd, "x", 1)));
    say("SHUT_WR SO_ERROR", "%d", pending_error(fd));
    say("SHUT_WR seen", "%s", peer_end(h));
    peer_do("send %d late", h);
    say("SHUT_WR reads on", "%s", er(read(fd, buf, sizeof(buf))));
    pause_ms(20);
    say("SHUT_WR state", "%d", state_of(fd));
    peer_do("close %d", h);
    say("SHUT_WR end", "%s", er(read(fd, buf, sizeof(buf))));
    say("SHUT_WR end again", "%s", er(read(fd, buf, sizeof(buf))));
    pause_ms(20);
    say("both ended state", "%d", state_of(fd));
    say("both ended shutdown", "%s", er(shutdown(fd, SHUT_RDWR)));
    say("both ended SO_ERROR", "%d", pending_error(fd));
    say("both ended write", "%s", er(write(fd, "x", 1)));
    say("both ended TCP_NODELAY", "%s", er(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)));
    close(fd);

    fd = connected(&h);
    say("SHUT_RD", "%s", er(shutdown(fd, SHUT_RD)));
    say("SHUT_RD read", "%s", er(read(fd, buf, 1)));
    say("SHUT_RD writes on", "%s", er(write(fd, "x", 1)));
    say("SHUT_RD arrived", "%s", peer_recv(h, 1));
    peer_do("send %d late", h);
    pause_ms(30);
    say("SHUT_RD read late data", "%s", er(read(fd, buf, sizeof(buf))));
    say("SHUT_RD peer", "%d", (int)peer_do("send %d more", h));
    close(fd);
    peer_do("close %d", h);

    fd = connected(&h);
    peer_do("send %d data", h);
    wait_bytes(fd, 4);
    shutdown(fd, SHUT_RD);
    say("data, SHUT_RD, read", "%s", er(read(fd, buf, 2)));
    close(fd);
    say("data, SHUT_RD, close", "%s", peer_end(h));
    peer_do("close %d", h);

    fd = connected(&h);
    say("SHUT_RDWR", "%s", er(shutdown(fd, SHUT_RDWR)));
    say("SHUT_RDWR seen", "%s", peer_end(h));
    say("SHUT_RDWR read", "%s", er(read(fd, buf, 1)));
    say("SHUT_RDWR getpeername", "%.5s", remote_name(fd, 0));
    say("SHUT_RDWR write", "%s", er(write(fd, "x", 1)));
    peer_do("close %d", h);
    pause_ms(30);
    say("SHUT_RDWR later SO_ERROR", "%d", pending_error(fd));
    close(fd);
    fd = connected(&h);
    say("bad how", "%s", er(shutdown(fd, 3)));
    say("bad how -1", "%s", er(shutdown(fd, -1)));
    say("bad how harmless", "%s", er(write(fd, "x", 1)));
    close(fd);
    peer_do("close %d", h);
}

static void closing(void)
{
    int h, fd = connected(&h), port, l;
    struct linger lg = {1, 0};
    struct timespec a, b;

    (void)!write(fd, "bye", 3);
    close(fd);
    say("close", "%s", peer_end(h));
    peer_do("close %d", h);

    fd = connected(&h);
    peer_do("send %d unread", h);
    wait_bytes(fd, 6);
    close(fd);
    say("close unread", "%s", peer_end(h));
    peer_do("close %d", h);

    fd = connected(&h);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    close(fd);
    say("linger 0", "%s", peer_end(h));
    peer_do("close %d", h);

    fd = connected(&h);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    shutdown(fd, SHUT_WR);
    say("linger 0, SHUT_WR", "%s", peer_end(h));
    close(fd);
    peer_do("close %d", h);

    fd = accepted(&h);
    lg.l_linger = 1;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    (void)!write(fd, "bye", 3);
    close(fd);
    say("linger 1", "%s", peer_end(h));
    peer_do("close %d", h);

    /* with bytes that the peer has no room for: the close waits as long as it may */
    l = peer_listen(4, &port);
    peer_do("rcvbuf %d 4096", l);
    fd = tcp();
    connect_to(fd, peer, port);
    h = (int)peer_do("accept %d", l);
    static char data[200000];
    set_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    say("linger much written", "%d", send(fd, data, sizeof(data), 0) == sizeof(data));
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    clock_gettime(CLOCK_MONOTONIC, &a);
    say("linger 1 close", "%s", er(close(fd)));
    clock_gettime(CLOCK_MONOTONIC, &b);
    say("linger 1 waits", "%s",
        (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 > 700 ? "1 s" : "not");
    say("linger 1 all arrives", "%s", peer_end(h));
    peer_do("close %d", h);

    /* a duplicate keeps it open */
    fd = connected(&h);
    int other = dup(fd);
    close(fd);
    say("dup writes", "%s", er(write(other, "x", 1)));
    say("dup arrived", "%s", peer_recv(h, 1));
    close(other);
    say("dup closed", "%s", peer_end(h));
    peer_do("close %d", h);
}

void group_ending(void)
{
    shutting();
    closing();
}

/* --- resets ------------------------------------------------------------------------------------
 */

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
    (void)sig;
    pipes++;
}

static void piped(const char *name, const char *result)
{
    say(name, "%s %d", result, (int)pipes);
}

static void broken_pipes(void)
{
    int h, fd = connected(&h);

    signal(SIGPIPE, on_pipe);
    shutdown(fd, SHUT_WR);
    piped("SIGPIPE write", er(write(fd, "x", 1)));
    piped("SIGPIPE send", er(send(fd, "x", 1, 0)));
    piped("SIGPIPE MSG_NOSIGNAL", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    piped("SIGPIPE MSG_MORE MSG_NOSIGNAL", er(send(fd, "x", 1, MSG_NOSIGNAL | MSG_MORE)));
    piped("SIGPIPE MSG_MORE", er(send(fd, "x", 1, MSG_MORE)));
    signal(SIGPIPE, SIG_IGN);
    close(fd);
    peer_do("close %d", h);
}

/* One after the other, each on a connection of its own that was reset. */
static int was_reset(bool with_data)
{
    int h, fd = connected(&h);

    if (with_data) {
        peer_do("send %d data", h);
        wait_bytes(fd, 4);
    }
    peer_do("reset %d", h);
    mask_when(fd, ALL, POLLERR);
    return fd;
}

static void after_a_reset(void)
{
    char buf[16];
    int fd = was_reset(false), on = 1;
    socklen_t len = sizeof(on);

    say("read", "%s", er(read(fd, buf, 1)));
    say("read again", "%s", er(read(fd, buf, 1)));
    say("read, SO_ERROR", "%s", error_name(pending_error(fd)));
    say("read, write", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    say("read, poll", "%s", mask(fd, ALL));
    close(fd);
    fd = was_reset(false);
    say("write", "%s", er(write(fd, "x", 1)));
    say("write again", "%s", er(write(fd, "x", 1)));
    say("write, read", "%s", er(read(fd, buf, 1)));
    close(fd);
    fd = was_reset(false);
    say("SO_ERROR", "%s", error_name(pending_error(fd)));
    say("SO_ERROR again", "%s", error_name(pending_error(fd)));
    say("SO_ERROR, read", "%s", er(read(fd, buf, 1)));
    say("SO_ERROR, write", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    close(fd);
    fd = was_reset(true);
    say("data, poll", "%s", mask(fd, ALL));
    say("data, FIONREAD", "%s", queue(fd, FIONREAD));
    say("data, read", "%s", er(read(fd, buf, sizeof(buf))));
    say("data, read again", "%s", er(read(fd, buf, sizeof(buf))));
    close(fd);
    fd = was_reset(false);
    say("TCP_NODELAY", "%s", er(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)));
    say("SO_KEEPALIVE", "%s", er(set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1)));
    say("bad option", "%s", er(set_int(fd, IPPROTO_TCP, 999, 1)));
    say("get TCP_NODELAY", "%s", er(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len)));
    say("TCP_INFO state", "%d", state_of(fd));
    say("SIOCOUTQ", "%s", queue(fd, 0x5411));
    say("shutdown", "%s", er(shutdown(fd, SHUT_RDWR)));
    say("accept", "%s", er(accept(fd, NULL, NULL)));
    say("bind", "%s", er(bind_to(fd, us, 0)));
    close(fd);
    fd = was_reset(false);
    int port, l = peer_listen(4, &port), h;
    say("connect", "%s", er(connect_to(fd, peer, port)));
    h = (int)peer_do("accept %d", l);
    send(fd, "ping", 4, MSG_NOSIGNAL);
    say("connect, data", "%s", h >= 0 ? peer_recv(h, 4) : "none");
    close(fd);
    fd = was_reset(false);
    say("listen", "%s", er(listen(fd, 1)));
    say("MSG_PEEK", "%s", er(recv(fd, buf, 1, MSG_PEEK | MSG_DONTWAIT)));
    close(fd);
}

/* The peer has closed; what we still write is answered by a reset. */
static void after_their_end(void)
{
    char buf[16];
    int h, fd = connected(&h);

    peer_do("close %d", h);
    mask_when(fd, ALL, POLLRDHUP);
    say("their end, read", "%s", er(read(fd, buf, 1)));
    say("their end, write", "%s", er(write(fd, "x", 1)));
    say("their end, poll", "%s", mask_when(fd, ALL, POLLERR | POLLHUP));
    say("their end, read later", "%s", er(read(fd, buf, 1)));
    say("their end, write later", "%s", er(write(fd, "x", 1)));
    say("their end, write last", "%s", er(write(fd, "x", 1)));
    close(fd);
    fd = connected(&h);
    peer_do("close %d", h);
    mask_when(fd, ALL, POLLRDHUP);
    (void)!write(fd, "x", 1);
    mask_when(fd, ALL, POLLHUP);
    say("their end, SO_ERROR", "%s", error_name(pending_error(fd)));
    close(fd);
    /* in the midst of our stream */
    fd = connected(&h);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    static char data[65536];
    while (write(fd, data, sizeof(data)) > 0)
        ;
    peer_do("reset %d", h);
    say("writing, reset, poll", "%s", mask_when(fd, ALL, POLLERR));
    say("writing, reset, write", "%s", er(write(fd, data, 1)));
    say("writing, reset, read", "%s", er(read(fd, buf, 1)));
    close(fd);
}

void group_reset(void)
{
    broken_pipes();
    after_a_reset();
    after_their_end();
}

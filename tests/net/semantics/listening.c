/* SPDX-License-Identifier: MIT */
/* listen(2) and accept(2); what readiness calls say of listeners and connections. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static void of_a_listener(void)
{
    int port, l = listener(4, &port);
    char byte;

    /* a port that was asked for stays when the listener is shut */
    close(l);
    pause_ms(20);
    l = tcp();
    say("a free port", "%s", er(bind_to(l, us, port)));
    say("listen", "%s", er(listen(l, 4)));

    say("poll", "%s", mask(l, ALL));
    say("SO_ACCEPTCONN", "%d", get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
    say("again", "%s", er(listen(l, 8)));
    say("backlog 0", "%s", er(listen(l, 0)));
    say("backlog -1", "%s", er(listen(l, -1)));
    say("bind", "%s", er(bind_to(l, us, 0)));
    say("connect", "%s", er(connect_to(l, peer, 9)));
    say("read", "%s", GUARDED(read(l, &byte, 1)));
    say("recv", "%s", er(recv(l, &byte, 1, MSG_DONTWAIT)));
    say("send", "%s", er(send(l, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT)));
    say("FIONREAD", "%s", queue(l, FIONREAD));
    say("SIOCOUTQ", "%s", queue(l, TIOCOUTQ));
    say("SO_ERROR", "%d", pending_error(l));
    say("shutdown SHUT_WR", "%s", er(shutdown(l, SHUT_WR)));
    say("still listens", "%d", peer_do("connect %d", port) > 0);
    close(accept(l, NULL, NULL));
    pause_ms(30);
    say("shutdown SHUT_RDWR", "%s", er(shutdown(l, SHUT_RDWR)));
    say("shut accept", "%s", GUARDED(accept(l, NULL, NULL)));
    pause_ms(30);
    say("shut poll", "%s", mask(l, ALL));
    say("shut refuses", "%s", error_name((int)-peer_do("connect %d", port)));
    say("shut SO_ACCEPTCONN", "%d", get_int(l, SOL_SOCKET, SO_ACCEPTCONN));
    say("shut listens again", "%s", er(listen(l, 4)));
    say("shut port", "%s", local_name(l, port));
    say("shut listens again, connect", "%d", peer_do("connect %d", port) > 0);
    close(l);
    pause_ms(30);
    say("closed refuses", "%s", error_name((int)-peer_do("connect %d", port)));
}

static void accepting(void)
{
    int port, l = listener(4, &port), fd, h;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);
    struct timeval t = {0, 100000};

    fcntl(l, F_SETFL, O_NONBLOCK);
    say("nobody", "%s", er(accept(l, NULL, NULL)));
    h = (int)peer_do("connect %d", port);
    say("one", "%s", mask_when(l, ALL, POLLIN));
    say("accept4 bad flag", "%s", er(accept4(l, NULL, NULL, 0x4)));
    fd = accept4(l, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
    say("accept4", "%d", fd >= 0);
    say("accept4 address", "%.5s %u", name_text(&ss, 0), len);
    say("accept4 flags", "%d %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK), fcntl(fd, F_GETFD));
    say("accepted local", "%s", local_name(fd, port));
    say("accepted poll", "%s", mask(fd, ALL));
    say("none left", "%s", mask(l, ALL));
    close(fd);
    peer_do("close %d", h);
    h = (int)peer_do("connect %d", port);
    mask_when(l, ALL, POLLIN);
    fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    say("accept4 SOCK_NONBLOCK", "%d %d", !!(fcntl(fd, F_GETFL) & O_NONBLOCK), fcntl(fd, F_GETFD));
    close(fd);
    fcntl(l, F_SETFL, 0);
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    say("SO_RCVTIMEO", "%s", er(accept(l, NULL, NULL)));
    t = (struct timeval){0, 0};
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    guard_begin();
    say("EINTR", "%s", er(accept(l, NULL, NULL)));
    guard_end();
    h = (int)peer_do("connect %d", port);
    len = sizeof(ss);
    mask_when(l, ALL, POLLIN);
    say("NULL length", "%s", er(accept(l, (struct sockaddr *)&ss, NULL)));
    len = (socklen_t)-1;
    h = (int)peer_do("connect %d", port);
    mask_when(l, ALL, POLLIN);
    say("length -1", "%s", er(accept(l, (struct sockaddr *)&ss, &len)));
    close(l);
}

static void inheritance(void)
{
    int port, l = listener(4, &port), fd, h;
    struct linger lg = {1, 7};
    struct timeval t = {5, 0};
    socklen_t len = sizeof(lg);

    set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
    set_int(l, SOL_SOCKET, SO_RCVLOWAT, 3);
    set_int(l, SOL_SOCKET, SO_OOBINLINE, 1);
    set_int(l, SOL_SOCKET, SO_SNDBUF, 30000);
    set_int(l, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set_int(l, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345);
    set_int(l, IPPROTO_IP, IP_TTL, 9);
    set_int(l, IPPROTO_IP, IP_TOS, 0x20);
    setsockopt(l, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    h = (int)peer_do("connect %d", port);
    fd = accept(l, NULL, NULL);
    say("inherits TCP_NODELAY", "%d", get_int(fd, IPPROTO_TCP, TCP_NODELAY));
    say("inherits SO_KEEPALIVE", "%d", get_int(fd, SOL_SOCKET, SO_KEEPALIVE));
    say("inherits SO_REUSEADDR", "%d", get_int(fd, SOL_SOCKET, SO_REUSEADDR));
    say("inherits SO_RCVLOWAT", "%d", get_int(fd, SOL_SOCKET, SO_RCVLOWAT));
    say("inherits SO_OOBINLINE", "%d", get_int(fd, SOL_SOCKET, SO_OOBINLINE));
    say("inherits SO_SNDBUF", "%d", get_int(fd, SOL_SOCKET, SO_SNDBUF));
    say("inherits TCP_KEEPIDLE", "%d", get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE));
    say("inherits TCP_USER_TIMEOUT", "%d", get_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
    say("inherits IP_TTL", "%d", get_int(fd, IPPROTO_IP, IP_TTL));
    say("inherits IP_TOS", "%d", get_int(fd, IPPROTO_IP, IP_TOS));
    memset(&lg, 0, sizeof(lg));
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, &len);
    say("inherits SO_LINGER", "%d %d", lg.l_onoff, lg.l_linger);
    len = sizeof(t);
    memset(&t, 0, sizeof(t));
    getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len);
    say("inherits SO_RCVTIMEO", "%ld", (long)t.tv_sec);
    say("inherits SO_ACCEPTCONN", "%d", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    lg = (struct linger){0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &lg, sizeof(lg));
    close(fd);
    peer_do("close %d", h);
    close(l);
}

/* How many connections a queue takes that nobody accepts: SYNs beyond are dropped. */
static void full(void)
{
    int port, l = listener(2, &port), handles[8], n = 0, fd;

    for (int i = 0; i < 6; i++)
        handles[i] = (int)peer_do("start %d", port);
    pause_ms(300);
    fcntl(l, F_SETFL, O_NONBLOCK);
    while ((fd = accept(l, NULL, NULL)) >= 0) {
        n++;
        close(fd);
    }
    say("backlog 2 holds", "%d", n);
    for (int i = 0; i < 6; i++)
        peer_do("reset %d", handles[i]);
    close(l);
}

/* What ended before it was accepted. */
static void ended_early(void)
{
    int port, l = listener(8, &port), h = (int)peer_do("connect %d", port), fd;
    char buf[8];

    peer_do("send %d bye", h);
    peer_do("close %d", h);
    pause_ms(30);
    fd = accept(l, NULL, NULL);
    say("closed before accept", "%s", er(read(fd, buf, sizeof(buf))));
    say("closed before accept, end", "%s", er(read(fd, buf, sizeof(buf))));
    close(fd);
    h = (int)peer_do("connect %d", port);
    peer_do("reset %d", h);
    pause_ms(30);
    say("reset before accept, poll", "%s", mask(l, ALL));
    fd = accept4(l, NULL, NULL, SOCK_NONBLOCK);
    say("reset before accept", "%d", fd >= 0);
    say("reset before accept, NODELAY", "%s", er(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)));
    say("reset before accept, getpeername", "%s", remote_name(fd, 0));
    say("reset before accept, read", "%s", er(read(fd, buf, sizeof(buf))));
    close(fd);
    h = (int)peer_do("connect %d", port);
    pause_ms(30);
    close(l);
    say("listener closed, queued", "%s", peer_end(h));
}

static void reuseport(void)
{
    int a = tcp(), b = tcp(), port, n = 0, m = 0, fd;

    set_int(a, SOL_SOCKET, SO_REUSEPORT, 1);
    set_int(b, SOL_SOCKET, SO_REUSEPORT, 1);
    bind_to(a, us, 0);
    port = local_port(a);
    say("reuseport bind", "%s", er(bind_to(b, us, port)));
    say("reuseport listen", "%s %s", er(listen(a, 64)), er(listen(b, 64)));
    for (int i = 0; i < 32; i++)
        peer_do("connect %d", port);
    pause_ms(50);
    fcntl(a, F_SETFL, O_NONBLOCK);
    fcntl(b, F_SETFL, O_NONBLOCK);
    while ((fd = accept(a, NULL, NULL)) >= 0) {
        n++;
        close(fd);
    }
    while ((fd = accept(b, NULL, NULL)) >= 0) {
        m++;
        close(fd);
    }
    say("reuseport shares", "%d %s", n + m, n && m ? "both" : "one");
    close(a);
    close(b);
}

static void deferred(void)
{
    int port, l = listener(4, &port), h;

    set_int(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 3);
    h = (int)peer_do("connect %d", port);
    pause_ms(60);
    say("TCP_DEFER_ACCEPT", "%s", mask(l, ALL));
    peer_do("send %d x", h);
    say("TCP_DEFER_ACCEPT data", "%s", mask_when(l, ALL, POLLIN));
    close(l);
}

void group_listen(void)
{
    of_a_listener();
    accepting();
    inheritance();
    full();
    ended_early();
    reuseport();
    deferred();
}

/* --- readiness ---------------------------------------------------------------------------------
 */

static void epoll_masks(void)
{
    int h, fd = connected(&h), ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET}, got = {0};
    char buf[16];

    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    say("edge before", "%d", epoll_wait(ep, &got, 1, 0));
    peer_do("send %d one", h);
    say("edge data", "%d", epoll_wait(ep, &got, 1, 3000));
    say("edge again", "%d", epoll_wait(ep, &got, 1, 30));
    peer_do("send %d two", h);
    say("edge more data", "%d", epoll_wait(ep, &got, 1, 3000));
    wait_bytes(fd, 6);
    say("edge read", "%s", er(read(fd, buf, 2)));
    say("edge after a part was read", "%d", epoll_wait(ep, &got, 1, 30));
    (void)!read(fd, buf, sizeof(buf));
    e.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
    peer_do("send %d one", h);
    say("oneshot data", "%d", epoll_wait(ep, &got, 1, 3000));
    peer_do("send %d two", h);
    say("oneshot more data", "%d", epoll_wait(ep, &got, 1, 30));
    e.events = EPOLLIN | EPOLLRDHUP;
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
    say("level data", "%d", epoll_wait(ep, &got, 1, 3000));
    peer_do("close %d", h);
    for (int i = 0; i < 300 && !(got.events & EPOLLRDHUP); i++) {
        epoll_wait(ep, &got, 1, 10);
        pause_ms(1);
    }
    say("level end", "%s", bits((int)got.events));
    close(fd);
    say("closed leaves epoll", "%d", epoll_wait(ep, &got, 1, 0));
    close(ep);
}

/* Writable, until the peer's buffer and ours are full; and again. */
static void fill(void)
{
    static char data[65536];
    int h, fd = connected(&h);
    long total = 0, n;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    say("writable", "%s", mask(fd, ALL));
    /* what is under way may make room once more */
    for (int i = 0; i < 20; i++) {
        while ((n = write(fd, data, sizeof(data))) > 0)
            total += n;
        pause_ms(5);
    }
    say("full", "%s", er(n));
    say("full poll", "%s", mask(fd, ALL));
    say("full send", "%s", er(send(fd, "x", 1, MSG_DONTWAIT)));
    say("full is much", "%d", total > 65536);
    struct timeval t = {0, 50000};
    fcntl(fd, F_SETFL, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    say("full SO_SNDTIMEO", "%s", er(write(fd, data, 1)));
    t.tv_usec = 0;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    guard_begin();
    say("full EINTR", "%s", er(write(fd, data, 1)));
    guard_end();
    shutdown(fd, SHUT_WR);
    peer_do("end %d", h);
    say("all arrived", "%d", atol(peer_text) == total);
    say("shut writing poll", "%s", mask(fd, ALL));
    close(fd);
    peer_do("close %d", h);
}

void group_poll(void)
{
    int h, fd = connected(&h);
    struct pollfd p = {.fd = fd, .events = 0};
    char buf[16];

    say("connected", "%s", mask(fd, ALL));
    say("connected nothing asked", "%d", poll(&p, 1, 0));
    peer_do("send %d data", h);
    say("data", "%s", mask_when(fd, ALL, POLLIN));
    wait_bytes(fd, 4);
    (void)!read(fd, buf, 4);
    say("read", "%s", mask(fd, ALL));
    peer_do("shut %d %d", h, SHUT_WR);
    say("peer's end", "%s", mask_when(fd, ALL, POLLRDHUP));
    shutdown(fd, SHUT_WR);
    pause_ms(20);
    say("both ends", "%s", mask_when(fd, ALL, POLLHUP));
    close(fd);
    fd = connected(&h);
    shutdown(fd, SHUT_RD);
    say("SHUT_RD", "%s", mask(fd, ALL));
    close(fd);
    fd = connected(&h);
    shutdown(fd, SHUT_WR);
    say("SHUT_WR", "%s", mask(fd, ALL));
    close(fd);
    fd = connected(&h);
    shutdown(fd, SHUT_RDWR);
    say("SHUT_RDWR", "%s", mask(fd, ALL));
    close(fd);
    fd = connected(&h);
    peer_do("send %d data", h);
    wait_bytes(fd, 4);
    peer_do("reset %d", h);
    say("data, then reset", "%s", mask_when(fd, ALL, POLLERR));
    say("data, then reset, POLLOUT only", "%s", mask(fd, POLLOUT));
    close(fd);
    epoll_masks();
    fill();
}

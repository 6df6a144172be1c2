/* SPDX-License-Identifier: MIT */
/* connect(2): its errors, without waiting, again, ended; accept(2) and listen(2). */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>

static int unspec(int fd)
{
    struct sockaddr a = {.sa_family = AF_UNSPEC};

    return connect(fd, &a, sizeof(a));
}

/* A port of the peer that drops every SYN: its queue is full. */
static int full_port(void)
{
    int port;

    peer_listen(0, &port);
    for (int i = 0; i < 2; i++)
        connect_to(tcp_nb(), peer, port);
    pause_ms(30);
    return port;
}

static void arguments(void)
{
    struct sockaddr_in a = address(peer, peer_nobody());
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    int fd = tcp();

    say("NULL", "%s", er(connect(fd, NULL, sizeof(a))));
    say("length 0", "%s", er(connect(fd, (struct sockaddr *)&a, 0)));
    say("length 1", "%s", er(connect(fd, (struct sockaddr *)&a, 1)));
    say("short", "%s", er(connect(fd, (struct sockaddr *)&a, 8)));
    say("too long", "%s", er(connect(fd, (struct sockaddr *)&a, 4096)));
    say("v6 address", "%s", er(connect(fd, (struct sockaddr *)&in6, sizeof(in6))));
    a.sin_family = AF_UNIX;
    say("AF_UNIX address", "%s", er(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    say("refused", "%s", er(connect_to(fd, peer, peer_nobody())));
    say("refused SO_ERROR", "%s", error_name(pending_error(fd)));
    say("refused poll", "%s", mask(fd, ALL));
    say("refused read", "%s", GUARDED(read(fd, &a, 1)));
    say("refused write", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    say("no route", "%s", er(connect_to(fd, (struct in_addr){htonl(0xc6336401)}, 9)));
    say("broadcast", "%s", er(connect_to(fd, (struct in_addr){peer.s_addr | htonl(255)}, 9)));
    say("multicast", "%s", er(connect_to(fd, (struct in_addr){htonl(0xe0000001)}, 9)));
    close(fd);
}

/* A connect that failed may be tried again. */
static void again_after_failure(void)
{
    int port, l = peer_listen(4, &port), h, fd = tcp();

    say("refused once", "%s", er(connect_to(fd, peer, peer_nobody())));
    say("refused twice", "%s", er(connect_to(fd, peer, peer_nobody())));
    say("then a success", "%s", er(connect_to(fd, peer, port)));
    h = (int)peer_do("accept %d", l);
    send(fd, "ping", 4, 0);
    say("then data", "%s", peer_recv(h, 4));
    say("connect again", "%s", er(connect_to(fd, peer, port)));
    say("connect again elsewhere", "%s", er(connect_to(fd, peer, port + 1)));
    say("bind afterwards", "%s", er(bind_to(fd, us, 0)));
    say("listen afterwards", "%s", er(listen(fd, 1)));
    say("accept of it", "%s", er(accept(fd, NULL, NULL)));
    close(fd);
    peer_do("close %d", h);
    /* its port stays */
    fd = tcp();
    bind_to(fd, us, 0);
    int before = local_port(fd);
    connect_to(fd, peer, peer_nobody());
    say("bound, refused, name", "%s", local_name(fd, before));
    say("bound, refused, success", "%s", er(connect_to(fd, peer, port)));
    say("bound, refused, success, name", "%s", local_name(fd, before));
    close(fd);
    /* set before, still set after */
    fd = tcp();
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_IP, IP_TOS, 0x10);
    connect_to(fd, peer, peer_nobody());
    connect_to(fd, peer, port);
    say("options after a failure", "%d %d %d", get_int(fd, IPPROTO_TCP, TCP_NODELAY),
        get_int(fd, SOL_SOCKET, SO_KEEPALIVE), get_int(fd, IPPROTO_IP, IP_TOS));
    close(fd);
}

static void without_waiting(void)
{
    int port, l = peer_listen(4, &port), h, fd = tcp_nb(), busy = full_port(), n;
    struct sockaddr_in to = address(peer, busy);
    char byte;

    say("nb connect", "%s", er(connect_to(fd, peer, port)));
    say("nb becomes", "%s", mask_when(fd, ALL, POLLOUT));
    say("nb SO_ERROR", "%d", pending_error(fd));
    say("nb by connect again", "%s", er(connect_to(fd, peer, port)));
    say("nb and again", "%s", er(connect_to(fd, peer, port)));
    h = (int)peer_do("accept %d", l);
    send(fd, "ping", 4, 0);
    say("nb data", "%s", peer_recv(h, 4));
    peer_do("close %d", h);
    close(fd);

    fd = tcp_nb();
    say("waiting connect", "%s", er(connect_to(fd, peer, busy)));
    say("waiting again", "%s", er(connect_to(fd, peer, busy)));
    say("waiting again elsewhere", "%s", er(connect_to(fd, peer, port)));
    say("waiting poll", "%s", mask(fd, ALL));
    say("waiting SO_ERROR", "%d", pending_error(fd));
    say("waiting read", "%s", er(read(fd, &byte, 1)));
    say("waiting write", "%s", er(write(fd, "x", 1)));
    say("waiting send", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    say("waiting sendto", "%s",
        er(sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to))));
    say("waiting FIONREAD", "%s", queue(fd, FIONREAD));
    say("waiting SIOCOUTQ", "%s", queue(fd, SIOCOUTQ));
    say("waiting getpeername", "%s", remote_name(fd, busy));
    say("waiting getsockname", "%s", local_name(fd, local_port(fd)));
    say("waiting port", "%s", local_port(fd) > 0 ? "chosen" : "0");
    say("waiting bind", "%s", er(bind_to(fd, us, 0)));
    say("waiting listen", "%s", er(listen(fd, 1)));
    say("waiting accept", "%s", er(accept(fd, NULL, NULL)));
    set_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    say("waiting SO_SNDBUF poll", "%s", mask(fd, ALL));
    n = 1 << 20;
    syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDBUF, &n, sizeof(n));
    say("waiting SO_SNDBUF native poll", "%s", mask(fd, ALL));
    say("waiting disconnect", "%s", er(unspec(fd)));
    say("waiting disconnected poll", "%s", mask(fd, ALL));
    say("waiting disconnected connect", "%s", er(connect_to(fd, peer, port)));
    say("waiting disconnected becomes", "%s", mask_when(fd, ALL, POLLOUT));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, busy);
    say("waiting shutdown", "%s", er(shutdown(fd, SHUT_WR)));
    close(fd);
}

static void refused_later(void)
{
    int port, l = peer_listen(4, &port), fd = tcp_nb(), nobody = peer_nobody();
    char byte;

    connect_to(fd, peer, nobody);
    say("refused becomes", "%s", mask_when(fd, ALL, POLLERR));
    say("refused later SO_ERROR", "%s", error_name(pending_error(fd)));
    say("refused later SO_ERROR again", "%s", error_name(pending_error(fd)));
    say("refused later connect", "%s", er(connect_to(fd, peer, nobody)));
    say("refused later connect 2", "%s", er(connect_to(fd, peer, port)));
    say("refused later connect 2 becomes", "%s", mask_when(fd, ALL, POLLOUT));
    say("refused later connect 3", "%s", er(connect_to(fd, peer, port)));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, nobody);
    mask_when(fd, ALL, POLLERR);
    say("refused by connect", "%s", er(connect_to(fd, peer, nobody)));
    say("refused by connect, poll", "%s", mask(fd, ALL));
    say("refused by connect, SO_ERROR", "%s", error_name(pending_error(fd)));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, nobody);
    mask_when(fd, ALL, POLLERR);
    say("refused by read", "%s", er(read(fd, &byte, 1)));
    say("refused by read, then", "%s", er(read(fd, &byte, 1)));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, nobody);
    mask_when(fd, ALL, POLLERR);
    say("refused by write", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    say("refused by write, then", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    close(fd);
    (void)l;
}

static void by_select_and_epoll(void)
{
    int port, l = peer_listen(8, &port), fd = tcp_nb(), ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET}, got = {0};
    struct timeval t = {3, 0};
    fd_set w, r;

    connect_to(fd, peer, port);
    FD_ZERO(&w);
    FD_ZERO(&r);
    FD_SET(fd, &w);
    FD_SET(fd, &r);
    say("select", "%d", select(fd + 1, &r, &w, NULL, &t));
    say("select sets", "%d %d", !!FD_ISSET(fd, &r), !!FD_ISSET(fd, &w));
    close(fd);
    fd = tcp_nb();
    connect_to(fd, peer, port);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    say("epoll edge", "%d", epoll_wait(ep, &got, 1, 3000));
    say("epoll edge events", "%s", bits((int)got.events));
    say("epoll edge again", "%d", epoll_wait(ep, &got, 1, 50));
    close(fd);
    fd = tcp_nb();
    e.events = EPOLLIN | EPOLLOUT;
    connect_to(fd, peer, port);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    say("epoll level", "%d", epoll_wait(ep, &got, 1, 3000));
    say("epoll level again", "%d", epoll_wait(ep, &got, 1, 50));
    close(fd);
    fd = tcp_nb();
    e.events = EPOLLOUT | EPOLLONESHOT;
    connect_to(fd, peer, port);
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    say("epoll oneshot", "%d", epoll_wait(ep, &got, 1, 3000));
    say("epoll oneshot again", "%d", epoll_wait(ep, &got, 1, 50));
    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
    say("epoll oneshot armed", "%d", epoll_wait(ep, &got, 1, 50));
    close(fd);
    fd = tcp_nb();
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    connect_to(fd, peer, peer_nobody());
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    say("epoll refused", "%d", epoll_wait(ep, &got, 1, 3000));
    pause_ms(5); /* what comes along with the error */
    (void)epoll_wait(ep, &got, 1, 0);
    say("epoll refused events", "%s", bits((int)got.events));
    close(fd);
    /* registered before it is connected */
    fd = tcp_nb();
    e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP;
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    got.events = 0;
    say("epoll fresh", "%d", epoll_wait(ep, &got, 1, 50));
    say("epoll fresh events", "%s", bits((int)got.events));
    connect_to(fd, peer, port);
    pause_ms(50);
    got.events = 0;
    say("epoll fresh connected", "%d", epoll_wait(ep, &got, 1, 3000));
    say("epoll fresh connected events", "%s", bits((int)got.events));
    unspec(fd);
    got.events = 0;
    epoll_wait(ep, &got, 1, 50);
    say("epoll disconnected events", "%s", bits((int)got.events));
    close(fd);
    peer_do("close %d", l);
    close(ep);
}

static void disconnect(void)
{
    int port, l = peer_listen(8, &port), h, fd = connected(&h), before;
    char byte;

    say("disconnect", "%s", er(unspec(fd)));
    say("disconnect seen", "%s", peer_end(h));
    say("disconnected getpeername", "%s", remote_name(fd, 0));
    say("disconnected getsockname", "%s", local_name(fd, 0));
    say("disconnected poll", "%s", mask(fd, ALL));
    say("disconnected read", "%s", er(recv(fd, &byte, 1, MSG_DONTWAIT)));
    say("disconnected connect", "%s", er(connect_to(fd, peer, port)));
    h = (int)peer_do("accept %d", l);
    send(fd, "ping", 4, 0);
    say("disconnected data", "%s", peer_recv(h, 4));
    close(fd);
    fd = tcp();
    say("disconnect fresh", "%s", er(unspec(fd)));
    bind_to(fd, us, 0);
    before = local_port(fd);
    say("disconnect bound", "%s", er(unspec(fd)));
    say("disconnect bound name", "%s", local_name(fd, before));
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    connect_to(fd, peer, port);
    unspec(fd);
    say("disconnect keeps an option", "%d", get_int(fd, IPPROTO_TCP, TCP_NODELAY));
    say("disconnect keeps a bound name", "%s", local_name(fd, before));
    close(fd);
    fd = listener(4, &before);
    say("disconnect listener", "%s", er(unspec(fd)));
    say("disconnect listener accept", "%s", GUARDED(accept4(fd, NULL, NULL, 0)));
    say("disconnect listener connect", "%s", er(connect_to(fd, peer, port)));
    close(fd);
}

static void fast_open(void)
{
    int port, l = peer_listen(8, &port), h, fd = tcp();
    struct sockaddr_in to = address(peer, port);

    say("MSG_FASTOPEN", "%s",
        er(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to))));
    h = (int)peer_do("accept %d", l);
    say("MSG_FASTOPEN data", "%s", peer_recv(h, 5));
    say("MSG_FASTOPEN again", "%s",
        er(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to))));
    close(fd);
    fd = tcp_nb();
    say("MSG_FASTOPEN nb", "%s",
        er(sendto(fd, "hello", 5, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to))));
    say("MSG_FASTOPEN nb becomes", "%s", mask_when(fd, ALL, POLLOUT));
    close(fd);
    fd = tcp();
    to = address(peer, peer_nobody());
    say("MSG_FASTOPEN refused", "%s",
        er(sendto(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&to,
                  sizeof(to))));
    say("MSG_FASTOPEN no address", "%s", er(send(fd, "hello", 5, MSG_FASTOPEN | MSG_NOSIGNAL)));
    close(fd);
}

void group_connect(void)
{
    arguments();
    again_after_failure();
    without_waiting();
    refused_later();
    by_select_and_epoll();
    disconnect();
    fast_open();
}

/* --- what takes seconds ------------------------------------------------------------------------
 */

static void interrupted(int port)
{
    int fd = tcp();
    struct timeval t = {0, 200000};

    say("EINTR", "%s", (guard_begin(), er(connect_to(fd, peer, port))));
    guard_end();
    say("EINTR again", "%s", (fcntl(fd, F_SETFL, O_NONBLOCK), er(connect_to(fd, peer, port))));
    close(fd);
    fd = tcp();
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
    say("SO_SNDTIMEO connect", "%s", er(connect_to(fd, peer, port)));
    say("SO_SNDTIMEO connect again", "%s", er(connect_to(fd, peer, port)));
    close(fd);
}

/* Nobody answers ARP there. */
static struct in_addr silent(void)
{
    return (struct in_addr){(gone.s_addr & htonl(0xffffff00)) | htonl(77)};
}

void group_slow(void)
{
    int port = full_port(), late = tcp_nb(), far = tcp_nb(), fd, mute, to;
    char byte;

    set_int(late, IPPROTO_TCP, TCP_SYNCNT, 1);
    set_int(late, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500);
    connect_to(late, peer, port);
    connect_to(far, silent(), 9);
    /* meanwhile, a connection whose other end goes away: its address is not there any more */
    fd = tcp();
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
    peer_do("system ip addr add $GONE/24 dev $DEV");
    peer_do("there %d", 4);
    to = atoi(peer_text);
    say("gone connect", "%s", er(connect_to(fd, gone, to)));
    mute = tcp();
    set_int(mute, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
    connect_to(mute, gone, to);
    peer_do("system ip addr del $GONE/24 dev $DEV");
    send(fd, "x", 1, 0);
    send(mute, "x", 1, 0);
    interrupted(port);
    say("gone poll", "%s", mask_when(fd, ALL, POLLERR));
    say("gone SO_ERROR", "%s", error_name(pending_error(fd)));
    say("gone write", "%s", er(send(fd, "x", 1, MSG_NOSIGNAL)));
    mask_when(mute, ALL, POLLERR);
    say("gone read", "%s", er(read(mute, &byte, 1)));
    say("gone read again", "%s", er(read(mute, &byte, 1)));
    say("timed out becomes", "%s", mask_when(late, ALL, POLLERR));
    say("timed out SO_ERROR", "%s", error_name(pending_error(late)));
    say("unreachable becomes", "%s", mask_when(far, ALL, POLLERR));
    say("unreachable SO_ERROR", "%s", error_name(pending_error(far)));
}

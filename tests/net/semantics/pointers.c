/* SPDX-License-Identifier: MIT */
/*
 * Pointers that lead nowhere, half into nowhere, and to where nothing may be written: EFAULT, and
 * when. What fits exactly before a hole is as good as anywhere.
 */
#include "tests/net/semantics/semantics.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static char *memory, *hole, *read_only;

static void make_memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hole = memory + page;
    read_only = memory + 2 * page;
    mprotect(hole, page, PROT_NONE);
    memset(read_only, 0, page);
    mprotect(read_only, page, PROT_READ);
    mprotect(read_only + page, page, PROT_NONE);
}

/* n bytes that end at the hole */
static void *before_hole(size_t n)
{
    return memset(hole - n, 0, n);
}

static struct sockaddr *name_at(void *where, struct in_addr host, int port)
{
    struct sockaddr_in a = address(host, port);
    size_t room = (char *)where < hole ? (size_t)(hole - (char *)where) : 0;

    memcpy(where, &a, room < sizeof(a) ? room : sizeof(a));
    return where;
}

static void given_names(void)
{
    int port, h = peer_listen(4, &port), fd = tcp();

    say("bind nowhere", "%s", er(bind(fd, (void *)hole, 16)));
    say("bind NULL", "%s", er(bind(fd, NULL, 16)));
    say("bind nowhere, short", "%s", er(bind(fd, (void *)hole, 4)));
    say("bind nowhere, nothing", "%s", er(bind(fd, (void *)hole, 0)));
    say("bind nowhere, too long", "%s", er(bind(fd, (void *)hole, 129)));
    say("bind half", "%s", er(bind(fd, name_at(before_hole(8), us, 0), 16)));
    say("bind half of a long one", "%s", er(bind(fd, name_at(before_hole(16), us, 0), 28)));
    say("bind before a hole", "%s", er(bind(fd, name_at(before_hole(16), us, 0), 16)));
    say("connect nowhere", "%s", er(connect(fd, (void *)hole, 16)));
    say("connect nowhere, short", "%s", er(connect(fd, (void *)hole, 4)));
    say("connect half", "%s", er(connect(fd, name_at(before_hole(8), peer, port), 16)));
    say("connect family alone", "%s", er(connect(fd, name_at(before_hole(2), peer, port), 16)));
    say("connect before a hole", "%s", er(connect(fd, name_at(before_hole(16), peer, port), 16)));
    say("sendto nowhere", "%s", er(sendto(fd, "x", 1, 0, (void *)hole, 16)));
    say("sendto half", "%s", er(sendto(fd, "x", 1, 0, name_at(before_hole(8), peer, port), 16)));
    say("sendto before a hole", "%s",
        er(sendto(fd, "x", 1, 0, name_at(before_hole(16), peer, port), 16)));
    say("write nowhere", "%s", er(write(fd, hole, 1)));
    say("read nowhere", "%s", er(recv(fd, hole, 1, MSG_DONTWAIT)));
    close(fd);
    peer_do("close %d", h);
}

static const char *named(int (*call)(int, struct sockaddr *, socklen_t *), int fd, void *name,
                         socklen_t room)
{
    return er(call(fd, name, &room));
}

static int get_local(int fd, struct sockaddr *name, socklen_t *len)
{
    return getsockname(fd, name, len);
}

static int get_remote(int fd, struct sockaddr *name, socklen_t *len)
{
    return getpeername(fd, name, len);
}

static void taken_names(void)
{
    struct sockaddr_storage ss;
    int h, fd = connected(&h), loose = tcp();

    say("getsockname nowhere", "%s", named(get_local, fd, hole, 16));
    say("getsockname nowhere, no room", "%s", named(get_local, fd, hole, 0));
    say("getsockname half", "%s", named(get_local, fd, before_hole(8), 16));
    say("getsockname half, room for it", "%s", named(get_local, fd, before_hole(8), 8));
    say("getsockname before a hole", "%s", named(get_local, fd, before_hole(16), 128));
    say("getsockname read-only", "%s", named(get_local, fd, read_only, 16));
    say("getsockname length nowhere", "%s", er(getsockname(fd, (void *)&ss, (void *)hole)));
    say("getsockname length half", "%s", er(getsockname(fd, (void *)&ss, before_hole(2))));
    say("getsockname length read-only", "%s", er(getsockname(fd, (void *)&ss, (void *)read_only)));
    say("getsockname both NULL", "%s", er(getsockname(fd, NULL, NULL)));
    say("getpeername nowhere", "%s", named(get_remote, fd, hole, 16));
    say("getpeername half", "%s", named(get_remote, fd, before_hole(8), 16));
    say("getpeername length nowhere", "%s", er(getpeername(fd, (void *)&ss, (void *)hole)));
    say("getpeername nowhere, no peer", "%s", named(get_remote, loose, hole, 16));
    close(loose);
    close(fd);
    peer_do("close %d", h);
}

static const char *set_at(int fd, int level, int name, const void *value, socklen_t len)
{
    return er(setsockopt(fd, level, name, value, len));
}

static const char *get_at(int fd, int level, int name, void *value, socklen_t room)
{
    return er(getsockopt(fd, level, name, value, &room));
}

static void options(void)
{
    int fd = tcp(), value;

    say("SO_KEEPALIVE nowhere", "%s", set_at(fd, SOL_SOCKET, SO_KEEPALIVE, hole, 4));
    say("SO_KEEPALIVE half", "%s", set_at(fd, SOL_SOCKET, SO_KEEPALIVE, before_hole(2), 4));
    say("SO_KEEPALIVE before a hole", "%s",
        set_at(fd, SOL_SOCKET, SO_KEEPALIVE, before_hole(4), 4));
    say("SO_KEEPALIVE read-only", "%s", set_at(fd, SOL_SOCKET, SO_KEEPALIVE, read_only, 4));
    say("SO_LINGER half", "%s", set_at(fd, SOL_SOCKET, SO_LINGER, before_hole(4), 8));
    say("SO_RCVTIMEO nowhere", "%s", set_at(fd, SOL_SOCKET, SO_RCVTIMEO, hole, 16));
    say("TCP_NODELAY nowhere", "%s", set_at(fd, IPPROTO_TCP, TCP_NODELAY, hole, 4));
    say("TCP_NODELAY nowhere, short", "%s", set_at(fd, IPPROTO_TCP, TCP_NODELAY, hole, 2));
    say("TCP_CONGESTION nowhere", "%s", set_at(fd, IPPROTO_TCP, TCP_CONGESTION, hole, 4));
    say("get SO_KEEPALIVE nowhere", "%s", get_at(fd, SOL_SOCKET, SO_KEEPALIVE, hole, 4));
    say("get SO_KEEPALIVE nowhere, no room", "%s", get_at(fd, SOL_SOCKET, SO_KEEPALIVE, hole, 0));
    say("get SO_KEEPALIVE half", "%s", get_at(fd, SOL_SOCKET, SO_KEEPALIVE, before_hole(2), 4));
    say("get SO_KEEPALIVE before a hole", "%s",
        get_at(fd, SOL_SOCKET, SO_KEEPALIVE, before_hole(4), 64));
    say("get SO_KEEPALIVE read-only", "%s", get_at(fd, SOL_SOCKET, SO_KEEPALIVE, read_only, 4));
    say("get SO_TYPE nowhere", "%s", get_at(fd, SOL_SOCKET, SO_TYPE, hole, 4));
    say("get SO_ERROR nowhere", "%s", get_at(fd, SOL_SOCKET, SO_ERROR, hole, 4));
    say("get TCP_NODELAY nowhere", "%s", get_at(fd, IPPROTO_TCP, TCP_NODELAY, hole, 4));
    say("get TCP_INFO nowhere", "%s", get_at(fd, IPPROTO_TCP, TCP_INFO, hole, 104));
    say("get TCP_INFO half", "%s", get_at(fd, IPPROTO_TCP, TCP_INFO, before_hole(52), 104));
    say("get length nowhere", "%s",
        er(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, (void *)hole)));
    say("get length NULL", "%s", er(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, NULL)));
    close(fd);
}

static void accept_at(const char *where, int fd, int port, void *name, void *len)
{
    int h = (int)peer_do("connect %d", port), got = accept(fd, name, len);
    char what[64];

    snprintf(what, sizeof(what), "accept %s", where);
    say(what, "%s", got < 0 ? er(-1) : "a connection");
    if (got >= 0)
        close(got);
    snprintf(what, sizeof(what), "accept %s, peer", where);
    say(what, "%s", peer_end(h));
    peer_do("close %d", h);
}

static void accepting(void)
{
    socklen_t len = 16;
    struct sockaddr_in sin;
    int port, fd = listener(4, &port);

    accept_at("nowhere", fd, port, hole, &len);
    accept_at("length nowhere", fd, port, &sin, hole);
    accept_at("length NULL", fd, port, &sin, NULL);
    len = 16;
    accept_at("half", fd, port, before_hole(8), &len);
    len = 16;
    accept_at("before a hole", fd, port, before_hole(16), &len);
    len = (socklen_t)-1;
    accept_at("length negative", fd, port, &sin, &len);
    close(fd);
}

static void queues(void)
{
    struct sockaddr_in sin;
    char byte;
    int h, fd = connected(&h);

    peer_do("send %d abc", h);
    wait_bytes(fd, 3);
    say("recvfrom name nowhere", "%s",
        er(recvfrom(fd, &byte, 1, 0, (void *)hole, &(socklen_t){16})));
    say("recvfrom length nowhere", "%s",
        er(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&sin, (void *)hole)));
    say("recvfrom length NULL", "%s", er(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&sin, NULL)));

    say("SIOCOUTQ nowhere", "%s", er(ioctl(fd, SIOCOUTQ, hole)));
    say("SIOCOUTQ NULL", "%s", er(ioctl(fd, SIOCOUTQ, NULL)));
    say("SIOCOUTQ half", "%s", er(ioctl(fd, SIOCOUTQ, before_hole(2))));
    say("SIOCOUTQ read-only", "%s", er(ioctl(fd, SIOCOUTQ, read_only)));
    say("SIOCOUTQ before a hole", "%s", er(ioctl(fd, SIOCOUTQ, before_hole(4))));
    say("FIONREAD nowhere", "%s", er(ioctl(fd, FIONREAD, hole)));
    close(fd);
    peer_do("close %d", h);
}

void group_pointers(void)
{
    make_memory();
    given_names();
    taken_names();
    options();
    accepting();
    queues();
}

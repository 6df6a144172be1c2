/* SPDX-License-Identifier: MIT */
/* io_uring, by system calls: one ring, one request at a time. And AF_INET6 sockets. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
    int fd;
    _Atomic unsigned *sq_tail, *cq_head, *cq_tail;
    unsigned *sq_array, sq_mask, cq_mask;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
} ring;

static bool ring_open(void)
{
    struct io_uring_params p = {0};
    char *rings;

    ring.fd = (int)syscall(SYS_io_uring_setup, 4, &p);
    if (ring.fd < 0 || !(p.features & IORING_FEAT_SINGLE_MMAP))
        return false;
    rings = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe) + 4096,
                 PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
    ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
                     MAP_SHARED, ring.fd, IORING_OFF_SQES);
    if (rings == MAP_FAILED || ring.sqes == MAP_FAILED)
        return false;
    ring.sq_tail = (void *)(rings + p.sq_off.tail);
    ring.sq_array = (void *)(rings + p.sq_off.array);
    ring.sq_mask = *(unsigned *)(void *)(rings + p.sq_off.ring_mask);
    ring.cq_head = (void *)(rings + p.cq_off.head);
    ring.cq_tail = (void *)(rings + p.cq_off.tail);
    ring.cq_mask = *(unsigned *)(void *)(rings + p.cq_off.ring_mask);
    ring.cqes = (void *)(rings + p.cq_off.cqes);
    return true;
}

/* One request, until it is complete or 300 ms are over. Its result as er() says it. */
static const char *ring_do(uint8_t op, int fd, const void *addr, unsigned len, uint64_t off)
{
    unsigned tail = atomic_load(ring.sq_tail), head;
    struct io_uring_sqe *sqe = &ring.sqes[tail & ring.sq_mask];
    int result;

    memset(sqe, 0, sizeof(*sqe));
    sqe->opcode = op;
    sqe->fd = fd;
    sqe->addr = (uintptr_t)addr;
    sqe->len = len;
    sqe->off = off;
    ring.sq_array[tail & ring.sq_mask] = tail & ring.sq_mask;
    atomic_store(ring.sq_tail, tail + 1);
    if (syscall(SYS_io_uring_enter, ring.fd, 1, 0, 0, NULL, 0) < 0)
        return er(-1);
    head = atomic_load(ring.cq_head);
    for (int i = 0; i < 60 && atomic_load(ring.cq_tail) == head; i++)
        pause_ms(5);
    if (atomic_load(ring.cq_tail) == head)
        return "waits";
    result = ring.cqes[head & ring.cq_mask].res;
    atomic_store(ring.cq_head, head + 1);
    if (result >= 0)
        return op == IORING_OP_ACCEPT ? "a connection" : er(result);
    errno = -result;
    return er(-1);
}

void group_uring(void)
{
    int h, fd, port, l = peer_listen(4, &port), ours;
    struct sockaddr_in to = address(peer, port);
    char buf[16] = "";

    if (!ring_open()) {
        return; /* without a line: docs/differences.md has a row for all of the group */
    }
    fd = tcp();
    say("connect", "%s", ring_do(IORING_OP_CONNECT, fd, &to, 0, sizeof(to)));
    close(fd);
    fd = connected(&h);
    say("send", "%s", ring_do(IORING_OP_SEND, fd, "ring", 4, 0));
    say("send arrived", "%s", peer_recv(h, 4));
    say("write", "%s", ring_do(IORING_OP_WRITE, fd, "ring", 4, (uint64_t)-1));
    say("write arrived", "%s", peer_recv(h, 4));
    peer_do("send %d back", h);
    say("recv", "%s", ring_do(IORING_OP_RECV, fd, buf, sizeof(buf), 0));
    peer_do("send %d back", h);
    say("read", "%s", ring_do(IORING_OP_READ, fd, buf, sizeof(buf), (uint64_t)-1));
    say("shutdown", "%s", ring_do(IORING_OP_SHUTDOWN, fd, NULL, SHUT_WR, 0));
    say("shutdown seen", "%s", peer_end(h));
    peer_do("close %d", h);
    say("end", "%s", ring_do(IORING_OP_RECV, fd, buf, sizeof(buf), 0));
    say("close", "%s", ring_do(IORING_OP_CLOSE, fd, NULL, 0, 0));
    ours = listener(4, &port);
    peer_do("connect %d", port);
    mask_when(ours, ALL, POLLIN);
    say("accept", "%s", ring_do(IORING_OP_ACCEPT, ours, NULL, 0, 0));
    (void)l;
}

/* --- AF_INET6 ----------------------------------------------------------------------------------
 */

static struct sockaddr_in6 mapped(struct in_addr host, int port)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    a.sin6_addr.s6_addr[10] = a.sin6_addr.s6_addr[11] = 0xff;
    memcpy(a.sin6_addr.s6_addr + 12, &host, 4);
    return a;
}

static void v6_names(void)
{
    int port, l = peer_listen(4, &port), h, fd = socket(AF_INET6, SOCK_STREAM, 0);
    struct sockaddr_in6 to = mapped(peer, port);
    struct sockaddr_in plain = address(peer, port);
    socklen_t len = sizeof(to);

    say("SO_DOMAIN", "%d", get_int(fd, SOL_SOCKET, SO_DOMAIN));
    say("fresh name", "%s", local_name(fd, 0));
    say("connect AF_INET address", "%s", er(connect(fd, (struct sockaddr *)&plain, sizeof(plain))));
    say("bind AF_INET address", "%s", er(bind(fd, (struct sockaddr *)&plain, sizeof(plain))));
    plain.sin_family = AF_INET6;
    say("connect short", "%s", er(connect(fd, (struct sockaddr *)&plain, sizeof(plain))));
    say("mapped connect", "%s", er(connect(fd, (struct sockaddr *)&to, sizeof(to))));
    h = (int)peer_do("accept %d", l);
    say("mapped local", "%s", local_name(fd, local_port(fd)));
    say("mapped remote", "%s", remote_name(fd, port));
    memset(&to, 0, sizeof(to));
    getpeername(fd, (struct sockaddr *)&to, &len);
    say("mapped length", "%u", len);
    say("mapped write", "%s", er(write(fd, "x", 1)));
    say("mapped arrived", "%s", peer_recv(h, 1));
    close(fd);
}

static void traffic_class(int fd)
{
    static const int values[] = {0xff, -1, -2, 256, 0x20};
    char what[64];

    say("IPV6_TCLASS", "%d", get_int(fd, IPPROTO_IPV6, IPV6_TCLASS));
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const char *result = er(set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, values[i]));

        snprintf(what, sizeof(what), "IPV6_TCLASS set to %d", values[i]);
        say(what, "%s %d", result, get_int(fd, IPPROTO_IPV6, IPV6_TCLASS));
    }
    say("IP_TOS of AF_INET6", "%s", er(set_int(fd, IPPROTO_IP, IP_TOS, 0x40)));
    say("IPV6_TCLASS beside IP_TOS", "%d", get_int(fd, IPPROTO_IPV6, IPV6_TCLASS));
    say("IP_TOS beside IPV6_TCLASS", "%d", get_int(fd, IPPROTO_IP, IP_TOS));
}

static void v6_listener(void)
{
    int l = socket(AF_INET6, SOCK_STREAM, 0), fd, h, port, other;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6}, a;
    struct sockaddr_storage ss = {0};
    socklen_t len = sizeof(ss);

    say("IPV6_V6ONLY", "%d", get_int(l, IPPROTO_IPV6, IPV6_V6ONLY));
    traffic_class(l);
    say("dual bind", "%s", er(bind(l, (struct sockaddr *)&any, sizeof(any))));
    say("IPV6_V6ONLY after bind", "%s", er(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1)));
    say("dual listen", "%s", er(listen(l, 4)));
    port = local_port(l);
    say("dual name", "%s", local_name(l, port));
    h = (int)peer_do("connect %d", port);
    fd = accept(l, (struct sockaddr *)&ss, &len);
    say("dual accept", "%.6s %u", name_text(&ss, 0), len);
    say("dual accepted local", "%s", local_name(fd, port));
    say("dual accepted IPV6_TCLASS", "%d", get_int(fd, IPPROTO_IPV6, IPV6_TCLASS));
    say("dual accepted domain", "%d", get_int(fd, SOL_SOCKET, SO_DOMAIN));
    say("dual write", "%s", er(write(fd, "x", 1)));
    say("dual arrived", "%s", peer_recv(h, 1));
    other = tcp();
    say("AF_INET beside dual", "%s", er(bind_to(other, (struct in_addr){0}, port)));
    close(other);
    close(fd);
    close(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    say("v6only", "%s", er(set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1)));
    bind(l, (struct sockaddr *)&any, sizeof(any));
    listen(l, 4);
    port = local_port(l);
    say("v6only refuses IPv4", "%s", error_name((int)-peer_do("connect %d", port)));
    other = tcp();
    say("AF_INET beside v6only", "%s", er(bind_to(other, us, port)));
    close(other);
    a = mapped(us, 0);
    other = socket(AF_INET6, SOCK_STREAM, 0);
    set_int(other, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    say("v6only bind mapped", "%s", er(bind(other, (struct sockaddr *)&a, sizeof(a))));
    close(other);
    close(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    say("bind mapped", "%s", er(bind(l, (struct sockaddr *)&a, sizeof(a))));
    say("bind mapped name", "%s", local_name(l, local_port(l)));
    close(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(9)};
    a.sin6_addr.s6_addr[0] = 0x20;
    a.sin6_addr.s6_addr[1] = 0x01;
    a.sin6_addr.s6_addr[2] = 0x0d;
    a.sin6_addr.s6_addr[3] = 0xb8;
    say("no route", "%s", er(connect(l, (struct sockaddr *)&a, sizeof(a))));
    say("bind foreign", "%s", er(bind(l, (struct sockaddr *)&a, sizeof(a))));
    close(l);
}

void group_v6(void)
{
    v6_names();
    v6_listener();
}

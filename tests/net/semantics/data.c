/* SPDX-License-Identifier: MIT */
/* Bytes: calls, flags, addresses, urgent data, queues. */
#include "tests/net/semantics/semantics.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MSG_ZEROCOPY
#define MSG_ZEROCOPY 0x4000000
#endif

/* Not NULL for the compiler. */
static void *volatile nowhere;

/* Another thread of control that makes the peer send later. */
static pid_t later(int ms, const char *what, int h)
{
    pid_t child = fork();
    char command[64];

    if (child)
        return child;
    pause_ms(ms);
    snprintf(command, sizeof(command), "%s", what);
    (void)peer_do(command, h);
    _exit(0);
}

static void arrives(int fd, int h, const char *text)
{
    peer_do("send %d %s", h, text);
    wait_bytes(fd, (int)strlen(text));
}

static void calls(void)
{
    int h, fd = connected(&h), file;
    char buf[64] = "";
    struct iovec iov[2] = {{"scat", 4}, {"tered", 5}}, in[2] = {{buf, 3}, {buf + 8, 4}};
    struct mmsghdr mm[2] = {0};
    off_t at = 0;
    int pipes[2];

    say("write", "%s", er(write(fd, "hello", 5)));
    say("arrived", "%s", peer_recv(h, 5));
    say("write 0", "%s", er(write(fd, "", 0)));
    say("send 0", "%s", er(send(fd, "", 0, 0)));
    say("writev", "%s", er(writev(fd, iov, 2)));
    say("writev arrived", "%s", peer_recv(h, 9));
    mm[0].msg_hdr = (struct msghdr){.msg_iov = iov, .msg_iovlen = 2};
    mm[1].msg_hdr = (struct msghdr){.msg_iov = iov, .msg_iovlen = 1};
    say("sendmmsg", "%s", er(sendmmsg(fd, mm, 2, 0)));
    say("sendmmsg lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
    say("sendmmsg arrived", "%s", peer_recv(h, 13));
    file = memfd_create("file", 0);
    if (write(file, "from a file", 11) != 11)
        say("file", "?");
    say("sendfile", "%s", er(sendfile(fd, file, &at, 11)));
    say("sendfile arrived", "%s", peer_recv(h, 11));
    if (pipe(pipes) == 0 && write(pipes[1], "spliced", 7) == 7)
        say("splice in", "%s", er(splice(pipes[0], NULL, fd, NULL, 7, 0)));
    say("splice arrived", "%s", peer_recv(h, 7));
    say("write NULL", "%s", er(write(fd, nowhere, 5)));
    arrives(fd, h, "abcdefghij");
    say("FIONREAD", "%s", queue(fd, FIONREAD));
    say("readv", "%s %.3s %.4s", er(readv(fd, in, 2)), buf, buf + 8);
    say("read 0", "%s", er(read(fd, buf, 0)));
    say("recv 0", "%s", er(recv(fd, buf, 0, 0)));
    say("splice out", "%s", er(splice(fd, NULL, pipes[1], NULL, 3, 0)));
    say("nothing left", "%s", er(recv(fd, buf, sizeof(buf), MSG_DONTWAIT)));
    say("recv 0 of nothing", "%s", er(recv(fd, buf, 0, MSG_DONTWAIT)));
    struct timeval t = {0, 60000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    say("SO_RCVTIMEO", "%s", er(read(fd, buf, 1)));
    t.tv_usec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    guard_begin();
    say("EINTR", "%s", er(read(fd, buf, 1)));
    guard_end();
    arrives(fd, h, "x");
    say("read NULL", "%s", er(read(fd, nowhere, 5)));
    say("read after NULL", "%s", er(recv(fd, buf, 5, MSG_DONTWAIT)));
    close(file);
    close(fd);
    peer_do("close %d", h);
}

static void addresses(void)
{
    int h, fd = connected(&h);
    struct sockaddr_in to = address(peer, 9);
    struct sockaddr_storage from;
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    socklen_t len = sizeof(from);
    char buf[16];
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct mmsghdr mm[3] = {0};

    say("sendto", "%s", er(sendto(fd, "ab", 2, 0, (struct sockaddr *)&to, sizeof(to))));
    say("sendto v6 address", "%s",
        er(sendto(fd, "cd", 2, 0, (struct sockaddr *)&in6, sizeof(in6))));
    say("sendto short address", "%s", er(sendto(fd, "ef", 2, 0, (struct sockaddr *)&to, 3)));
    say("sendto arrived", "%s", peer_recv(h, 6));
    iov.iov_len = 2;
    memcpy(buf, "gh", 2);
    msg.msg_name = &to;
    msg.msg_namelen = sizeof(to);
    say("sendmsg with a name", "%s", er(sendmsg(fd, &msg, 0)));
    say("sendmsg arrived", "%s", peer_recv(h, 2));
    arrives(fd, h, "abcdef");
    memset(&from, 0x55, sizeof(from));
    say("recvfrom", "%s", er(recvfrom(fd, buf, 2, 0, (struct sockaddr *)&from, &len)));
    say("recvfrom length", "%u", len);
    say("recvfrom address", "%#x", from.ss_family);
    msg.msg_name = &from;
    msg.msg_namelen = sizeof(from);
    msg.msg_flags = -1;
    say("recvmsg", "%s", er(recvmsg(fd, &msg, 0)));
    say("recvmsg name", "%s", msg.msg_namelen ? "set" : "0");
    say("recvmsg flags", "%#x", (unsigned)msg.msg_flags);
    mm[0].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    mm[1] = mm[2] = mm[0];
    mm[0].msg_hdr.msg_name = &from;
    mm[0].msg_hdr.msg_namelen = sizeof(from);
    say("recvmmsg", "%s", er(recvmmsg(fd, mm, 3, MSG_DONTWAIT, NULL)));
    say("recvmmsg name", "%s", mm[0].msg_hdr.msg_namelen ? "set" : "0");
    close(fd);
    peer_do("close %d", h);
}

/* Control messages that TCP does not have. */
static void control_messages(void)
{
    int h, fd = connected(&h), n = -1;
    char byte = 'c';
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    say("SCM_RIGHTS", "%s", er(sendmsg(fd, &msg, 0)));
    say("SCM_RIGHTS arrived", "%s", peer_recv(h, 1));
    c->cmsg_type = 99;
    say("unknown control message", "%s", er(sendmsg(fd, &msg, 0)));
    c->cmsg_level = IPPROTO_UDP;
    say("another level's control message", "%s", er(sendmsg(fd, &msg, 0)));
    say("control arrived", "%s", er(peer_do("recv %d 1", h)));
    arrives(fd, h, "x");
    msg.msg_controllen = sizeof(room);
    say("recvmsg with room", "%s %zu", er(recvmsg(fd, &msg, 0)), msg.msg_controllen);
    say("SIOCOUTQ", "%s", (wait_acked(fd), er(ioctl(fd, SIOCOUTQ, &n))));
    say("SIOCOUTQ is", "%d", n);
    n = -1;
    say("SIOCOUTQNSD", "%s", queue(fd, SIOCOUTQNSD));
    peer_do("close %d", h);
    close(fd);
}

void group_data(void)
{
    int h, fd, n = 0;
    static char big[400000];

    calls();
    addresses();
    control_messages();
    fd = tcp();
    set_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    close(fd);
    fd = connected(&h);
    set_int(fd, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    peer_do("rcvbuf %d 4096", h);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    long sent = send(fd, big, sizeof(big), 0);
    ioctl(fd, SIOCOUTQ, &n);
    say("SIOCOUTQ while full", "%d", sent > 0 && n > 0 && n <= sent);
    n = 0;
    ioctl(fd, SIOCOUTQNSD, &n);
    say("SIOCOUTQNSD while full", "%d", n > 0);
    close(fd);
    peer_do("reset %d", h);
    fd = accepted(&h);
    say("large", "%ld", peer_do("sendn %d 60000", h));
    wait_bytes(fd, 60000);
    ioctl(fd, FIONREAD, &n);
    say("large FIONREAD", "%d", n);
    say("large read", "%s", er(read(fd, big, sizeof(big))));
    close(fd);
}

/* --- flags -------------------------------------------------------------------------------------
 */

static void peeking(void)
{
    int h, fd = connected(&h);
    char buf[16] = "";
    struct iovec none = {NULL, 2};
    struct mmsghdr mm[2] = {0};
    pid_t child;

    arrives(fd, h, "abcdef");
    say("MSG_PEEK", "%s %.3s", er(recv(fd, buf, 3, MSG_PEEK)), buf);
    say("MSG_PEEK all", "%s", er(recv(fd, buf, 16, MSG_PEEK)));
    say("MSG_PEEK leaves", "%s", queue(fd, FIONREAD));
    say("MSG_TRUNC", "%s", er(recv(fd, NULL, 2, MSG_TRUNC)));
    say("MSG_TRUNC threw away", "%s %.1s", er(recv(fd, buf, 1, 0)), buf);
    say("MSG_TRUNC MSG_PEEK", "%s", er(recv(fd, NULL, 2, MSG_TRUNC | MSG_PEEK)));
    say("MSG_TRUNC more", "%s", er(recv(fd, NULL, 100000, MSG_TRUNC)));
    say("MSG_TRUNC nothing", "%s", er(recv(fd, NULL, 5, MSG_TRUNC | MSG_DONTWAIT)));
    arrives(fd, h, "abcdef");
    mm[0].msg_hdr = mm[1].msg_hdr = (struct msghdr){.msg_iov = &none, .msg_iovlen = 1};
    say("recvmmsg MSG_TRUNC", "%s", er(recvmmsg(fd, mm, 2, MSG_TRUNC, NULL)));
    say("recvmmsg MSG_TRUNC lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
    say("recvmmsg MSG_TRUNC leaves", "%s", er(recv(fd, buf, 16, 0)));
    say("recvmmsg MSG_TRUNC nothing", "%s",
        er(recvmmsg(fd, mm, 2, MSG_TRUNC | MSG_DONTWAIT, NULL)));
    say("recvmmsg MSG_ERRQUEUE", "%s", er(recvmmsg(fd, mm, 2, MSG_ERRQUEUE, NULL)));
    arrives(fd, h, "abc");
    child = later(50, "send %d def", h);
    say("MSG_WAITALL", "%s", er(recv(fd, buf, 6, MSG_WAITALL)));
    say("MSG_WAITALL got", "%.6s", buf);
    waitpid(child, NULL, 0);
    arrives(fd, h, "abc");
    say("MSG_WAITALL MSG_DONTWAIT", "%s", er(recv(fd, buf, 6, MSG_WAITALL | MSG_DONTWAIT)));
    arrives(fd, h, "abc");
    guard_begin();
    say("MSG_WAITALL EINTR", "%s", er(recv(fd, buf, 6, MSG_WAITALL)));
    guard_end();
    arrives(fd, h, "abc");
    struct timeval t = {0, 60000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    say("MSG_WAITALL SO_RCVTIMEO", "%s", er(recv(fd, buf, 6, MSG_WAITALL)));
    arrives(fd, h, "abc");
    peer_do("shut %d %d", h, SHUT_WR);
    say("MSG_WAITALL end", "%s", er(recv(fd, buf, 6, MSG_WAITALL)));
    close(fd);
    peer_do("close %d", h);
}

static void sending(void)
{
    int h, fd = connected(&h), n;
    char data[10] = "0123456789";
    struct iovec iov = {data, sizeof(data)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct mmsghdr mm[2] = {0};

    say("MSG_MORE", "%s", er(send(fd, data, 10, MSG_MORE)));
    pause_ms(40);
    n = 0;
    ioctl(fd, SIOCOUTQ, &n);
    say("MSG_MORE waits", "%d", n);
    say("then without", "%s", er(send(fd, data, 10, 0)));
    say("MSG_MORE arrived", "%s", peer_recv(h, 20));
    mm[0].msg_hdr = mm[1].msg_hdr = msg;
    say("sendmmsg MSG_MORE", "%s", er(sendmmsg(fd, mm, 2, MSG_MORE)));
    say("sendmmsg MSG_MORE lengths", "%u %u", mm[0].msg_len, mm[1].msg_len);
    pause_ms(40);
    n = 0;
    ioctl(fd, SIOCOUTQ, &n);
    say("sendmmsg MSG_MORE waits", "%d", n);
    say("then sendmmsg without", "%s", er(sendmmsg(fd, mm, 1, 0)));
    say("sendmmsg MSG_MORE arrived", "%s", peer_recv(h, 30));
    set_int(fd, IPPROTO_TCP, TCP_CORK, 1);
    (void)!write(fd, data, 10);
    pause_ms(40);
    n = 0;
    ioctl(fd, SIOCOUTQ, &n);
    say("TCP_CORK waits", "%d", n);
    set_int(fd, IPPROTO_TCP, TCP_CORK, 0);
    say("uncorked arrived", "%s", peer_recv(h, 10));
    say("MSG_EOR", "%s", er(sendmsg(fd, &msg, MSG_EOR)));
    say("MSG_EOR arrived", "%s", peer_recv(h, 10));
    say("MSG_DONTROUTE", "%s", er(send(fd, data, 1, MSG_DONTROUTE)));
    say("MSG_CONFIRM", "%s", er(send(fd, data, 1, MSG_CONFIRM)));
    say("MSG_NOSIGNAL", "%s", er(send(fd, data, 1, MSG_NOSIGNAL)));
    say("MSG_DONTWAIT", "%s", er(send(fd, data, 1, MSG_DONTWAIT)));
    say("arrived", "%s", peer_recv(h, 4));
    close(fd);
    peer_do("close %d", h);
}

static void zero_copy(void)
{
    int h, fd = connected(&h), r;
    char buf[16];
    _Alignas(struct cmsghdr) char room[256];
    struct iovec iov = {buf, sizeof(buf)};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};

    say("MSG_ERRQUEUE", "%s", er(recvmsg(fd, &msg, MSG_ERRQUEUE)));
    say("MSG_ERRQUEUE recv", "%s", er(recv(fd, buf, 1, MSG_ERRQUEUE)));
    arrives(fd, h, "abc");
    say("MSG_ERRQUEUE with data", "%s", er(recv(fd, buf, 1, MSG_ERRQUEUE)));
    say("MSG_ZEROCOPY without the option", "%s", er(send(fd, "x", 1, MSG_ZEROCOPY)));
    r = set_int(fd, SOL_SOCKET, SO_ZEROCOPY, 1);
    say("SO_ZEROCOPY", "%s", er(r));
    say("MSG_ZEROCOPY", "%s", er(send(fd, "x", 1, MSG_ZEROCOPY)));
    say("MSG_ZEROCOPY arrived", "%s", peer_recv(h, 2));
    pause_ms(20);
    msg.msg_controllen = sizeof(room);
    say("MSG_ZEROCOPY completion", "%s", er(recvmsg(fd, &msg, MSG_ERRQUEUE)));
    close(fd);
    peer_do("close %d", h);
}

static void urgent(void)
{
    int h, fd = connected(&h), at = -1, n;
    char buf[16] = "";

    say("MSG_OOB nothing", "%s", er(recv(fd, buf, 1, MSG_OOB)));
    peer_do("send %d abc", h);
    peer_do("oob %d %d", h, 'U');
    peer_do("send %d def", h);
    say("urgent poll", "%s", mask_when(fd, ALL, POLLPRI));
    wait_bytes(fd, 3);
    pause_ms(20);
    ioctl(fd, FIONREAD, &n);
    say("urgent FIONREAD", "%d", n);
    ioctl(fd, SIOCATMARK, &at);
    say("before the mark", "%d", at);
    say("MSG_OOB peek", "%s %.1s", er(recv(fd, buf, 1, MSG_OOB | MSG_PEEK)), buf);
    say("MSG_OOB", "%s %.1s", er(recv(fd, buf, 1, MSG_OOB)), buf);
    say("MSG_OOB again", "%s", er(recv(fd, buf, 1, MSG_OOB)));
    say("to the mark", "%s %.3s", er(read(fd, buf, sizeof(buf))), buf);
    ioctl(fd, SIOCATMARK, &at);
    say("at the mark", "%d", at);
    say("behind the mark", "%s %.3s", er(read(fd, buf, sizeof(buf))), buf);
    set_int(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    peer_do("send %d abc", h);
    wait_bytes(fd, 3);
    peer_do("oob %d %d", h, 'U');
    mask_when(fd, ALL, POLLPRI);
    say("inline to the mark", "%s", er(read(fd, buf, sizeof(buf))));
    ioctl(fd, SIOCATMARK, &at);
    say("inline at the mark", "%d", at);
    say("inline MSG_OOB", "%s", er(recv(fd, buf, 1, MSG_OOB)));
    say("inline byte", "%s %.1s", er(read(fd, buf, sizeof(buf))), buf);
    say("send MSG_OOB", "%s", er(send(fd, "V", 1, MSG_OOB)));
    say("send MSG_OOB 2 bytes", "%s", er(send(fd, "xV", 2, MSG_OOB)));
    close(fd);
    peer_do("close %d", h);
}

static void low_water(void)
{
    int h, fd = connected(&h);
    char buf[16];

    say("SO_RCVLOWAT", "%s", er(set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 5)));
    peer_do("send %d abc", h);
    pause_ms(50);
    say("SO_RCVLOWAT below", "%s", mask(fd, ALL));
    say("SO_RCVLOWAT below, read", "%s", er(recv(fd, buf, 2, MSG_DONTWAIT)));
    peer_do("send %d defgh", h);
    say("SO_RCVLOWAT reached", "%s", mask_when(fd, ALL, POLLIN));
    pause_ms(20);
    say("SO_RCVLOWAT read", "%s", er(recv(fd, buf, 4, MSG_DONTWAIT)));
    say("SO_RCVLOWAT below again", "%s", mask(fd, ALL));
    set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 1);
    say("SO_RCVLOWAT lowered", "%s", mask(fd, ALL));
    close(fd);
    peer_do("close %d", h);
}

void group_flags(void)
{
    peeking();
    sending();
    zero_copy();
    urgent();
    low_water();
}

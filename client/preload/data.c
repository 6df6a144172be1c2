/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving, intercepted only for what AF_UNIX does otherwise than TCP: flags that it
 * does not know, and addresses, which TCP ignores (sending) or leaves empty (receiving). Everything
 * else goes straight to the real call.
 */
/* The fortified inline versions of some of these would stand in our way. */
#undef _FORTIFY_SOURCE

#include "client/lib/recv.h"
#include "client/lib/send.h"
#include "client/preload/real.h"
#include "client/preload/shim.h"

#include <limits.h>
#include <sys/uio.h>

/* What send_message sees to. */
#define SEND_FLAGS (MSG_MORE | MSG_EOR | MSG_FASTOPEN)

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, __SOCKADDR_ARG addr,
                       socklen_t *len);

/* ---- sending ---- */

static ssize_t send_one(int fd, const void *buf, size_t n, int flags)
{
    struct iovec iov = {(void *)buf, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    return send_message(fd, &msg, flags);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    if (!(flags & SEND_FLAGS) || !OURS(fd))
        return REAL(send)(fd, buf, n, flags);
    return send_one(fd, buf, n, flags);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG addr,
               socklen_t len)
{
    const struct sockaddr *sa = addr.__sockaddr__;

    if ((!(flags & SEND_FLAGS) && !sa) || !OURS(fd))
        return REAL(sendto)(fd, buf, n, flags, sa, len);
    return send_one(fd, buf, n, flags);
}

static bool send_is_special(const struct msghdr *msg, int flags)
{
    return (flags & SEND_FLAGS) || (msg && (msg->msg_name || msg->msg_controllen > 0));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (!send_is_special(msg, flags) || !msg || !OURS(fd))
        return REAL(sendmsg)(fd, msg, flags);
    return send_message(fd, msg, flags);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
    bool special = flags & SEND_FLAGS;

    for (unsigned i = 0; msgs && i < n && !special; i++)
        special = send_is_special(&msgs[i].msg_hdr, flags);
    if (!special || !msgs || !OURS(fd))
        return REAL(sendmmsg)(fd, msgs, n, flags);
    for (unsigned i = 0; i < n; i++) {
        ssize_t sent = send_message(fd, &msgs[i].msg_hdr, flags);

        if (sent < 0)
            return i > 0 ? (int)i : -1;
        msgs[i].msg_len = (unsigned)sent;
    }
    return (int)n;
}

/* ---- receiving ---- */

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
    if (!(flags & RECV_SPECIAL) || !OURS(fd))
        return REAL(recv)(fd, buf, n, flags);
    return recv_special(fd, n, flags);
}

ssize_t recvfrom(int fd, void *buf, size_t n, int flags, __SOCKADDR_ARG addr, socklen_t *len)
{
    struct sockaddr *sa = addr.__sockaddr__;
    ssize_t got;

    if ((!(flags & RECV_SPECIAL) && !sa) || !OURS(fd))
        return REAL(recvfrom)(fd, buf, n, flags, sa, len);
    got = flags & RECV_SPECIAL ? recv_special(fd, n, flags) : REAL(recv)(fd, buf, n, flags);
    if (got >= 0 && sa && len)
        *len = 0; /* TCP names no sender */
    return got;
}

static size_t total(const struct msghdr *msg)
{
    size_t sum = 0;

    for (size_t i = 0; i < (size_t)msg->msg_iovlen && sum < INT_MAX; i++)
        sum += msg->msg_iov[i].iov_len < INT_MAX ? msg->msg_iov[i].iov_len : INT_MAX;
    return sum;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    void *name;
    ssize_t got;

    if (!msg || (!(flags & RECV_SPECIAL) && !msg->msg_name) || !OURS(fd))
        return REAL(recvmsg)(fd, msg, flags);
    if (flags & RECV_SPECIAL) {
        got = recv_special(fd, total(msg), flags);
        if (got >= 0) {
            msg->msg_controllen = 0;
            msg->msg_flags = 0;
        }
    } else {
        name = msg->msg_name;
        msg->msg_name = NULL;
        got = REAL(recvmsg)(fd, msg, flags);
        msg->msg_name = name;
    }
    if (got >= 0)
        msg->msg_namelen = 0;
    return got;
}

/* What programs built with _FORTIFY_SOURCE call. An overflow is for the real one to punish. */
ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags)
{
    return n > room ? REAL(__recv_chk)(fd, buf, n, room, flags) : recv(fd, buf, n, flags);
}

ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, __SOCKADDR_ARG addr,
                       socklen_t *len)
{
    if (n > room)
        return REAL(__recvfrom_chk)(fd, buf, n, room, flags, addr.__sockaddr__, len);
    return recvfrom(fd, buf, n, flags, addr, len);
}

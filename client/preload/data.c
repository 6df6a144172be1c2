/* SPDX-License-Identifier: MIT */
/*
 * Sending and receiving, intercepted only for what AF_UNIX does otherwise than TCP: flags that it
 * does not know, and addresses, which TCP ignores (sending) or leaves empty (receiving). Everything
 * else goes straight to the real call.
 */
/* The fortified inline versions of some of these would stand in our way. */
#undef _FORTIFY_SOURCE

#include "client/lib/epolls.h"
#include "client/lib/memory.h"
#include "client/lib/recv.h"
#include "client/lib/send.h"
#include "client/lib/socket.h"
#include "client/preload/real.h"
#include "client/preload/shim.h"

#include <errno.h>
#include <limits.h>
#include <linux/net_tstamp.h>
#include <sys/uio.h>

/* What send_message sees to. */
#define SEND_FLAGS (MSG_MORE | MSG_EOR | MSG_FASTOPEN)

ssize_t __recv_chk(int fd, void *buf, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *buf, size_t n, size_t room, int flags, __SOCKADDR_ARG addr,
                       socklen_t *len);

/* ---- sending ---- */

/*
 * MSG_FASTOPEN is a connect that sends. What Linux does when it has no cookie of the server: an
 * ordinary handshake, which a descriptor that does not block leaves alone (EINPROGRESS, and nothing
 * was sent).
 */
static ssize_t fast_open(int fd, const struct msghdr *msg, int flags)
{
    if (connect(fd, msg->msg_name, msg->msg_namelen) < 0)
        return -1;
    if (!OURS(fd))
        return REAL(sendmsg)(fd, msg, flags & ~MSG_FASTOPEN);
    return send_message(fd, msg, flags & ~MSG_FASTOPEN);
}

/* Linux looks at what is for the level of sockets, and knows SCM_RIGHTS and SCM_CREDENTIALS as not
 * for TCP. */
static bool control_ok(const struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c)) {
        if (c->cmsg_len < sizeof(*c))
            return false;
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type != SCM_RIGHTS &&
            c->cmsg_type != SCM_CREDENTIALS && c->cmsg_type != SO_MARK &&
            c->cmsg_type != SO_TIMESTAMPING && c->cmsg_type != SCM_TXTIME)
            return false;
    }
    return true;
}

static ssize_t send_special(int fd, const struct msghdr *msg, int flags)
{
    if (msg->msg_controllen > 0 && !control_ok(msg)) {
        errno = EINVAL;
        return -1;
    }
    return flags & MSG_FASTOPEN ? fast_open(fd, msg, flags) : send_message(fd, msg, flags);
}

static ssize_t send_one(int fd, const void *buf, size_t n, int flags, const struct sockaddr *sa,
                        socklen_t len)
{
    struct iovec iov = {(void *)buf, n};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_name = (void *)sa, .msg_namelen = len};

    return send_special(fd, &msg, flags);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
    if (!(flags & SEND_FLAGS) || !OURS(fd))
        return REAL(send)(fd, buf, n, flags);
    return send_one(fd, buf, n, flags, NULL, 0);
}

ssize_t sendto(int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG addr,
               socklen_t len)
{
    const struct sockaddr *sa = addr.__sockaddr__;
    int r;

    if ((!(flags & SEND_FLAGS) && !sa) || !OURS(fd))
        return REAL(sendto)(fd, buf, n, flags, sa, len);
    if (sa && (r = memory_check_address(sa, len)) < 0)
        return socket_return(r);
    return send_one(fd, buf, n, flags, sa, len);
}

static bool send_is_special(const struct msghdr *msg, int flags)
{
    return (flags & SEND_FLAGS) || (msg && (msg->msg_name || msg->msg_controllen > 0));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    if (!send_is_special(msg, flags) || !msg || !OURS(fd))
        return REAL(sendmsg)(fd, msg, flags);
    return send_special(fd, msg, flags);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
    bool special = flags & SEND_FLAGS;

    for (unsigned i = 0; msgs && i < n && !special; i++)
        special = send_is_special(&msgs[i].msg_hdr, flags);
    if (!special || !msgs || !OURS(fd))
        return REAL(sendmmsg)(fd, msgs, n, flags);
    for (unsigned i = 0; i < n; i++) {
        ssize_t sent = send_special(fd, &msgs[i].msg_hdr, flags);

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
    if (got >= 0 && sa) {
        if (memory_check_write(fd, len, sizeof(*len)) < 0)
            return socket_return(-EFAULT);
        *len = 0; /* TCP names no sender */
    }
    return got;
}

static size_t total(const struct msghdr *msg)
{
    size_t sum = 0;

    for (size_t i = 0; i < (size_t)msg->msg_iovlen && sum < INT_MAX; i++)
        sum += msg->msg_iov[i].iov_len < INT_MAX ? msg->msg_iov[i].iov_len : INT_MAX;
    return sum;
}

/* Among descriptors that came may be an epoll instance. */
static void note_descriptors(const struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR((struct msghdr *)msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            epolls_received();
}

static ssize_t receive_plain(int fd, struct msghdr *msg, int flags)
{
    ssize_t got = REAL(recvmsg)(fd, msg, flags);

    if (got >= 0 && msg->msg_controllen > 0)
        note_descriptors(msg);
    return got;
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    void *name;
    ssize_t got;

    if (!msg || (!(flags & RECV_SPECIAL) && !msg->msg_name) || !OURS(fd))
        return receive_plain(fd, msg, flags);
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

/* One after the other: only the first may wait, and then only with MSG_WAITFORONE or no time-out.
 */
static int receive_many(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
    for (unsigned i = 0; i < n; i++) {
        ssize_t got = recvmsg(fd, &msgs[i].msg_hdr, flags & ~MSG_WAITFORONE);

        if (got < 0)
            return i > 0 ? (int)i : -1;
        msgs[i].msg_len = (unsigned)got;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
    }
    return (int)n;
}

#define MANY 64

/* TCP names no sender. At most MANY messages a call: fewer than were asked for is always possible.
 */
int recvmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags, struct timespec *timeout)
{
    void *names[MANY];
    bool special = flags & RECV_SPECIAL;
    int got;

    for (unsigned i = 0; msgs && i < n && !special; i++)
        special = msgs[i].msg_hdr.msg_name != NULL;
    if (!special || !msgs || !OURS(fd)) {
        got = REAL(recvmmsg)(fd, msgs, n, flags, timeout);
        for (int i = 0; i < got; i++)
            note_descriptors(&msgs[i].msg_hdr);
        return got;
    }
    if (flags & RECV_SPECIAL)
        return receive_many(fd, msgs, n, flags);
    if (n > MANY)
        n = MANY;
    for (unsigned i = 0; i < n; i++) {
        names[i] = msgs[i].msg_hdr.msg_name;
        msgs[i].msg_hdr.msg_name = NULL;
    }
    got = REAL(recvmmsg)(fd, msgs, n, flags, timeout);
    for (unsigned i = 0; i < n; i++) {
        msgs[i].msg_hdr.msg_name = names[i];
        if ((int)i < got)
            msgs[i].msg_hdr.msg_namelen = 0;
    }
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

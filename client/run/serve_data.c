/* SPDX-License-Identifier: MIT */
/*
 * Data calls with flags or addresses that AF_UNIX would not take as TCP does. They are done here,
 * through a copy of the bytes; all other data calls are never stopped.
 */
#include "client/lib/recv.h"
#include "client/lib/send.h"
#include "client/run/blocked.h"
#include "client/run/serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PIECE    (256 * 1024)
#define IOV_MAX_ 1024

static int64_t watched_send(struct target *t, int fd, void *buf, size_t n, int flags)
{
    struct iovec iov = {buf, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct blocked b;
    int64_t verdict;
    ssize_t sent;

    do {
        blocked_begin(&b, t);
        sent = send_message(fd, &msg, flags | MSG_NOSIGNAL);
        if (sent < 0)
            sent = -errno;
        verdict = blocked_end(&b);
    } while (sent == -EINTR && verdict == 0);
    if (sent == -EPIPE && !(flags & MSG_NOSIGNAL))
        target_signal(t, SIGPIPE);
    return sent == -EINTR ? verdict : sent;
}

/* All of the pieces, or what went; the first copy decides about EFAULT. */
static int64_t send_pieces(struct target *t, int fd, const struct iovec *iov, size_t n, int flags)
{
    char *buf = malloc(PIECE);
    int64_t total = 0, r = 0;

    if (!buf)
        return -ENOBUFS;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        for (size_t at = 0; r >= 0 && at < iov[i].iov_len; at += (size_t)r) {
            size_t len = iov[i].iov_len - at < PIECE ? iov[i].iov_len - at : PIECE;

            r = target_read(t, (uint64_t)(uintptr_t)iov[i].iov_base + at, buf, len);
            if (r == 0)
                r = watched_send(t, fd, buf, len, flags);
            if (r > 0)
                total += r;
            if (r == 0)
                break;
        }
    }
    free(buf);
    return total > 0 || r >= 0 ? total : r;
}

/* MSG_FASTOPEN is a connect that sends; ours never sends in the SYN. 0: go on and send. */
static int64_t fast_open(struct target *t, int fd, int *flags, uint64_t name, uint64_t len)
{
    if (!(*flags & MSG_FASTOPEN))
        return 0;
    *flags &= ~MSG_FASTOPEN;
    return serve_connect_to(t, fd, name, len);
}

/* The kernel copies a destination, although TCP then does not look at it. */
static int check_name(const struct target *t, uint64_t name, uint64_t len)
{
    char copy[sizeof(struct sockaddr_storage)];
    int n = (int)len;

    if (!name)
        return 0;
    return n < 0 || (size_t)n > sizeof(copy) ? -EINVAL : target_read(t, name, copy, (size_t)n);
}

int64_t serve_sendto(struct target *t, int fd)
{
    struct iovec iov = {(void *)(uintptr_t)t->args[1], t->args[2]};
    int flags = (int)t->args[3];
    int64_t r;

    if (t->args[2] > SSIZE_MAX)
        return -EINVAL;
    r = check_name(t, t->args[4], t->args[5]);
    if (r < 0)
        return r;
    r = fast_open(t, fd, &flags, t->args[4], t->args[5]);
    return r != 0 ? r : send_pieces(t, fd, &iov, 1, flags);
}

/* The header and its vector, which the caller frees. */
static int read_header(const struct target *t, uint64_t at, struct msghdr *msg, struct iovec **iov)
{
    int r = target_read(t, at, msg, sizeof(*msg));

    if (r < 0)
        return r;
    if (msg->msg_iovlen > IOV_MAX_)
        return -EMSGSIZE;
    *iov = calloc(msg->msg_iovlen + 1, sizeof(**iov));
    if (!*iov)
        return -ENOBUFS;
    r = target_read(t, (uint64_t)(uintptr_t)msg->msg_iov, *iov, msg->msg_iovlen * sizeof(**iov));
    for (size_t i = 0; r == 0 && i < msg->msg_iovlen; i++)
        r = (*iov)[i].iov_len > SSIZE_MAX ? -EINVAL : 0;
    if (r < 0)
        free(*iov);
    return r;
}

static int64_t send_at(struct target *t, int fd, uint64_t at, int flags)
{
    struct msghdr msg;
    struct iovec *iov;
    int64_t r = read_header(t, at, &msg, &iov);

    if (r < 0)
        return r;
    r = fast_open(t, fd, &flags, (uint64_t)(uintptr_t)msg.msg_name, msg.msg_namelen);
    if (r == 0)
        r = send_pieces(t, fd, iov, msg.msg_iovlen, flags);
    free(iov);
    return r;
}

int64_t serve_sendmsg(struct target *t, int fd)
{
    return send_at(t, fd, t->args[1], (int)t->args[2]);
}

/* One message after the other; what an earlier one came to goes before an error. */
static int64_t each_message(struct target *t, int fd, int flags,
                            int64_t (*one)(struct target *t, int fd, uint64_t at, int flags))
{
    unsigned n = (unsigned)t->args[2] < IOV_MAX_ ? (unsigned)t->args[2] : IOV_MAX_;

    for (unsigned i = 0; i < n; i++) {
        uint64_t at = t->args[1] + i * sizeof(struct mmsghdr);
        int64_t r = one(t, fd, at, flags & ~MSG_WAITFORONE);
        unsigned len = r < 0 ? 0 : (unsigned)r;

        if (r >= 0)
            r = target_write(t, at + offsetof(struct mmsghdr, msg_len), &len, sizeof(len));
        if (r < 0)
            return i > 0 ? i : r;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
    }
    return n;
}

int64_t serve_sendmmsg(struct target *t, int fd)
{
    return each_message(t, fd, (int)t->args[3], send_at);
}

static int64_t watched_recv(struct target *t, int fd, void *buf, size_t n, int flags)
{
    struct blocked b;
    int64_t verdict;
    ssize_t got;

    do {
        blocked_begin(&b, t);
        got = flags & RECV_SPECIAL ? recv_special(fd, n, flags) : recv(fd, buf, n, flags);
        if (got < 0)
            got = -errno;
        verdict = blocked_end(&b);
    } while (got == -EINTR && verdict == 0);
    return got == -EINTR ? verdict : got;
}

int64_t serve_recvfrom(struct target *t, int fd)
{
    size_t n = t->args[2] < PIECE ? t->args[2] : PIECE;
    int flags = (int)t->args[3], zero = 0;
    char *buf = malloc(PIECE);
    int64_t got, r = 0;

    if (!buf)
        return -ENOBUFS;
    got = watched_recv(t, fd, buf, n, flags);
    if (got > 0 && !(flags & RECV_SPECIAL))
        r = target_write(t, t->args[1], buf, (size_t)got);
    if (got >= 0 && r == 0 && t->args[4])
        r = target_write(t, t->args[5], &zero, sizeof(zero)); /* TCP names no sender */
    free(buf);
    return r < 0 ? r : got;
}

static int64_t recv_at(struct target *t, int fd, uint64_t at, int flags)
{
    struct msghdr msg;
    struct iovec *iov;
    size_t sum = 0;
    char none = 0; /* flags brought us here: nothing is copied */
    int64_t got = read_header(t, at, &msg, &iov);

    if (got < 0)
        return got;
    for (size_t i = 0; i < msg.msg_iovlen && sum < INT_MAX; i++)
        sum += iov[i].iov_len < INT_MAX ? iov[i].iov_len : INT_MAX;
    free(iov);
    got = watched_recv(t, fd, &none, sum, flags);
    if (got < 0)
        return got;
    msg.msg_namelen = 0;
    msg.msg_controllen = 0;
    msg.msg_flags = 0;
    return target_write(t, at, &msg, sizeof(msg)) < 0 ? -EFAULT : got;
}

int64_t serve_recvmsg(struct target *t, int fd)
{
    return recv_at(t, fd, t->args[1], (int)t->args[2]);
}

/* The time-out is looked at between messages only (recvmmsg(2)): of those here, none can wait. */
int64_t serve_recvmmsg(struct target *t, int fd)
{
    return each_message(t, fd, (int)t->args[3], recv_at);
}

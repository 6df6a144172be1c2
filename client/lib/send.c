/* SPDX-License-Identifier: MIT */
/*
 * ts_sendmsg. The bytes go by plain sendmsg(2) to the pair. MSG_MORE and MSG_EOR, which AF_UNIX
 * does not know, are told to the daemon before: "the next `count` bytes carry these flags". When
 * fewer were written after all, a second mark takes the rest back. Marks are answered: the daemon
 * must have seen one before the first byte that it speaks of.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/send.h"
#include "client/lib/socket.h"
#include "ipc/native.h"

#include <errno.h>
#include <stdint.h>
#include <sys/uio.h>

#define MARKED (MSG_MORE | MSG_EOR)

/* The bytes of the whole iovec; like the kernel, no more than an ssize_t holds. */
static int64_t total(const struct msghdr *msg)
{
    int64_t sum = 0;

    for (size_t i = 0; i < (size_t)msg->msg_iovlen; i++) {
        if (msg->msg_iov[i].iov_len > (size_t)(INT64_MAX - sum))
            return -EINVAL;
        sum += (int64_t)msg->msg_iov[i].iov_len;
    }
    return sum;
}

static int mark(int fd, int64_t count, int flags)
{
    struct wire_mark body = {.count = count, .flags = (uint32_t)flags};

    return control_ask(WIRE_OP_SEND_MARK, fd, &body, sizeof(body), NULL, 0);
}

static ssize_t send_plain(int fd, const struct msghdr *msg, int flags)
{
    /* TCP does not look at a destination, and the pair must carry neither names nor descriptors. */
    struct msghdr plain = {.msg_iov = msg->msg_iov, .msg_iovlen = msg->msg_iovlen};

    return native_sendmsg(fd, &plain, flags & ~MARKED);
}

static ssize_t send_marked(int fd, const struct msghdr *msg, int flags, int64_t count)
{
    int saved = errno, error = 0;
    ssize_t n;
    int r = mark(fd, count, flags & MARKED);

    /*
     * A mark that was not taken (no daemon, no memory, too many marks under way) costs the hint,
     * not the bytes; a dead descriptor is what the write itself says: EPIPE, ECONNRESET, EBADF.
     */
    n = send_plain(fd, msg, flags);
    if (n < 0)
        error = errno;
    if (r >= 0 && n < count)
        mark(fd, (n < 0 ? 0 : (int64_t)n) - count, flags & MARKED);
    errno = n < 0 ? error : saved;
    return n;
}

ssize_t send_message(int fd, const struct msghdr *msg, int flags)
{
    int64_t count = total(msg);

    if (count < 0) {
        errno = (int)-count;
        return -1;
    }
    if (flags & MSG_FASTOPEN) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (count == 0 || !(flags & MARKED))
        return send_plain(fd, msg, flags);
    return send_marked(fd, msg, flags, count);
}

ssize_t ts_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    int r = control_kind(fd);

    if (r < 0)
        return socket_return(r);
    if (!msg)
        return socket_return(-EFAULT);
    return send_message(fd, msg, flags);
}

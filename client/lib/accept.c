/* SPDX-License-Identifier: MIT */
/*
 * ts_accept4: one record with one descriptor from the listener's own descriptor; the daemon is not
 * asked.
 *
 * The kernel takes a record off the queue even when it then finds no free slot for the descriptor
 * in it, and the connection would be lost: so a slot is found before. The wait is a peek without
 * room for descriptors, which gives blocking, SO_RCVTIMEO, EINTR and SA_RESTART exactly as
 * accept(2) has them.
 */
#include "client/lib/accept.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REVIVE_BACKLOG   4096
#define REVIVE_WINDOW_US 1000000
#define REVIVE_PAUSE_NS  100000000

/* Is there a free slot? Given back at once: it is where the kernel then puts the connection. */
static int slot_free(int fd)
{
    int slot = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (slot < 0)
        return -errno;
    close(slot);
    return 0;
}

/* The end of a listener's stream: its daemon is gone (a reset, once), or somebody shut it down. */
static int ended(int fd, int error)
{
    if (error == ECONNRESET)
        name_mark_dead(fd);
    return name_is_dead(fd) ? -ENETDOWN : -EINVAL;
}

/* Until a record is there, as the descriptor's flags say. */
static int wait_record(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = native_recvmsg(fd, &msg, MSG_PEEK);

    if (n > 0)
        return 0;
    return n == 0 || errno == ECONNRESET ? ended(fd, n < 0 ? errno : 0) : -errno;
}

/* Take one record. -EAGAIN: another acceptor was quicker. */
static int take_record(int fd, struct wire_accept *record, int sock_flags)
{
    int cloexec = sock_flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0;
    int fds[FDPASS_MAX], flags;
    size_t n_fds;
    ssize_t n;

    n = fdpass_recv_as(fd, record, sizeof(*record), fds, &n_fds, MSG_DONTWAIT | cloexec, &flags);
    if (n < 0)
        return n == -ECONNRESET ? ended(fd, ECONNRESET) : (int)n;
    if (n == sizeof(*record) && n_fds == 1 && record->magic == WIRE_MAGIC)
        return fds[0];
    fdpass_close(fds, n_fds);
    if (n == 0)
        return ended(fd, 0);
    /* Another thread took the slot in between: the kernel has dropped the connection, which resets
     * it. */
    return flags & MSG_CTRUNC ? -ECONNABORTED : -EPROTO;
}

/*
 * The daemon is gone. When there is one again, the listener is made anew in its place. Until then a
 * dead pair stays readable, and AF_UNIX has nothing that would change that: so that a program that
 * only polls does not spin, each failure after the first takes a while.
 */
static int revive(const struct place *place, int fd)
{
    static _Atomic int64_t failed_us;
    struct timespec now, pause = {.tv_nsec = REVIVE_PAUSE_NS};
    int64_t us;
    int r = socket_renew(place, fd, REVIVE_BACKLOG);

    if (r == 0)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
    if (us - atomic_exchange(&failed_us, us) < REVIVE_WINDOW_US)
        (void)nanosleep(&pause, NULL);
    return r;
}

static int accept_one(const struct place *place, int fd, struct wire_accept *record, int flags)
{
    int r;

    for (;;) {
        r = slot_free(fd);
        if (r < 0)
            return r;
        r = take_record(fd, record, flags);
        if (r >= 0)
            return r;
        if (r == -EAGAIN) {
            r = wait_record(fd);
            if (r == 0)
                continue;
        }
        if (r == -ENETDOWN)
            r = revive(place, fd);
        if (r != 0)
            return r;
    }
}

static int checked(int fd, uint64_t mark, int flags)
{
    int kind = mark ? (int)name_mark_kind(mark) : control_kind(fd);

    if (kind < 0)
        return kind;
    return kind != NAME_LISTENER || (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) ? -EINVAL : 0;
}

int accept_marked(const struct place *place, int fd, uint64_t mark, struct sockaddr *addr,
                  socklen_t *len, int flags)
{
    struct wire_accept record;
    int saved = errno;
    int r = checked(fd, mark, flags), got;

    if (r < 0)
        return r;
    got = accept_one(place, fd, &record, flags);
    if (got >= 0) {
        if (mark & NAME_MARK_TIMEOUTS)
            socket_copy_timeouts(fd, got);
        if (flags & SOCK_NONBLOCK)
            r = socket_set_nonblock(got);
        if (r == 0 && addr)
            r = memory_give_address(fd, &record.remote, addr, len);
        if (r < 0) { /* as in Linux: the connection is lost */
            close(got);
            got = r;
        }
    }
    errno = saved;
    return got;
}

int accept_at(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return accept_marked(place, fd, name_mark_of(fd), addr, len, flags);
}

int ts_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return socket_return(accept_at(&place_here, fd, addr, len, flags));
}

/* SPDX-License-Identifier: MIT */
/*
 * ts_accept4: one record with one descriptor from the listener's own descriptor; the daemon is not
 * asked.
 *
 * The kernel takes a record off the queue even when it then finds no free slot for the descriptor
 * in it, and the connection would be lost: so a slot is found before. The wait is a peek without
 * room for descriptors, which gives blocking, SO_RCVTIMEO, EINTR and SA_RESTART exactly as
 * accept(2) has them. Threads of a process take turns in it (turn.h).
 */
#include "client/lib/accept.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "client/lib/socket.h"
#include "client/lib/turn.h"
#include "ipc/codec.h"
#include "ipc/fdpass.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

/* Until a record is there, or a signal or SO_RCVTIMEO says otherwise. accept(2) is a cancellation
 * point: here nothing has been taken yet. */
static int wait_record(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;
    int type;

    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
    n = native_recvmsg(fd, &msg, MSG_PEEK);
    pthread_setcanceltype(type, NULL);
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

/* What is asked for. */
struct demand {
    uint64_t mark; /* or 0: not known */
    int flags;     /* accept4's */
    bool waits;    /* if the descriptor's flags do not say otherwise */
};

/* Until it is worth trying again. Who has a time-out does not wait for others. */
static int wait_for_more(int fd, const struct demand *d, struct turn *turn)
{
    int r = 0;

    if (!d->waits || (fcntl(fd, F_GETFL) & O_NONBLOCK))
        return -EAGAIN;
    if (d->mark && !(d->mark & NAME_MARK_TIMEOUTS))
        r = turn_take(turn, fd);
    return r < 0 ? r : wait_record(fd);
}

static int try_and_wait(const struct place *place, int fd, const struct demand *d,
                        struct wire_accept *record, struct turn *turn)
{
    int r;

    for (;;) {
        r = slot_free(fd);
        if (r < 0)
            return r;
        r = take_record(fd, record, d->flags);
        if (r >= 0)
            return r;
        if (r == -EAGAIN)
            r = wait_for_more(fd, d, turn);
        if (r == -ENETDOWN) {
            turn_give(turn, false); /* it was the dead one's */
            r = revive(place, fd);
        }
        if (r != 0)
            return r;
    }
}

/* Whoever is cancelled in it, where it waits or in a close(2), leaves the turn to others. */
static int accept_one(const struct place *place, int fd, const struct demand *d,
                      struct wire_accept *record)
{
    struct turn turn = {0};
    volatile int r = 0; /* the handler's jump goes past it */

    pthread_cleanup_push(turn_drop, &turn);
    r = try_and_wait(place, fd, d, record, &turn);
    turn_give(&turn, r == -EINTR);
    pthread_cleanup_pop(0);
    return r;
}

static int checked(int fd, const struct demand *d)
{
    int kind = d->mark ? (int)name_mark_kind(d->mark) : control_kind(fd);

    if (kind < 0)
        return kind;
    return kind != NAME_LISTENER || (d->flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) ? -EINVAL : 0;
}

static int accept_as(const struct place *place, int fd, const struct demand *d,
                     struct sockaddr *addr, socklen_t *len)
{
    struct wire_accept record;
    int saved = errno;
    int r = checked(fd, d), got;

    if (r < 0)
        return r;
    got = accept_one(place, fd, d, &record);
    if (got >= 0) {
        if (d->mark & NAME_MARK_TIMEOUTS)
            socket_copy_timeouts(fd, got);
        if (d->flags & SOCK_NONBLOCK)
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

int accept_marked(const struct place *place, int fd, uint64_t mark, struct sockaddr *addr,
                  socklen_t *len, int flags)
{
    const struct demand d = {.mark = mark, .flags = flags, .waits = true};

    return accept_as(place, fd, &d, addr, len);
}

int accept_at(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return accept_marked(place, fd, name_mark_of(fd), addr, len, flags);
}

int accept_now(const struct place *place, int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    const struct demand d = {.mark = name_mark_of(fd), .flags = flags};

    return accept_as(place, fd, &d, addr, len);
}

int ts_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return socket_return(accept_at(&place_here, fd, addr, len, flags));
}

/* SPDX-License-Identifier: MIT */
/*
 * The calls that make, name and set up sockets. Each one but socket(2) begins with a copy of the
 * descriptor (pidfd_getfd), by which a socket of ours is known as everywhere; on any other the
 * kernel goes on with the call. Flags like O_NONBLOCK belong to the open file, so they hold for the
 * copy too.
 */
#include "client/run/serve.h"

#include "client/include/tapstack.h"
#include "client/lib/accept.h"
#include "client/lib/connect.h"
#include "client/lib/info.h"
#include "client/lib/kernel.h"
#include "ipc/scope.h"
#include "client/lib/socket.h"
#include "client/run/blocked.h"
#include "client/run/compat.h"
#include "ipc/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define OPTION_MAX 4096

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int64_t result(int r)
{
    return r < 0 ? -errno : r;
}

static int64_t serve_socket(struct target *t)
{
    int domain = (int)t->args[0], type = (int)t->args[1], protocol = (int)t->args[2], fd;
    bool reached;
    int64_t r;

    if (protocol == IPPROTO_MPTCP)
        return -EPROTONOSUPPORT; /* programs that try this fall back to TCP, which then is ours */
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM ||
        (protocol != 0 && protocol != IPPROTO_TCP))
        return TARGET_CONTINUE;
    r = target_identity(t);
    if (r < 0)
        return r;
    fd = socket_make(domain, type | SOCK_CLOEXEC, protocol, &reached);
    if (fd < 0)
        return reached ? fd : -ENETDOWN;
    r = target_give(t, fd, type & SOCK_CLOEXEC);
    close(fd);
    return r;
}

/* ---- addresses ---- */

static int read_address(const struct target *t, uint64_t address, uint64_t length,
                        struct sockaddr_storage *ss, socklen_t *len)
{
    int n = (int)length;

    if (n < 0 || (size_t)n > sizeof(*ss))
        return -EINVAL;
    memset(ss, 0, sizeof(*ss));
    *len = (socklen_t)n;
    return target_read(t, address, ss, (size_t)n);
}

/* What a call says in its second and third argument; `room` is what the program had in the third.
 */
static int write_address(const struct target *t, const struct sockaddr_storage *ss, socklen_t len,
                         socklen_t room)
{
    int r = target_write(t, t->args[1], ss, len < room ? len : room);

    return r < 0 ? r : target_write(t, t->args[2], &len, sizeof(len));
}

static int read_room(const struct target *t, socklen_t *room)
{
    int r = target_read(t, t->args[2], room, sizeof(*room));

    return r == 0 && (int)*room < 0 ? -EINVAL : r;
}

static int64_t serve_name(struct target *t, int fd)
{
    struct sockaddr_storage ss;
    socklen_t room, len = sizeof(ss);
    int r = t->nr == SYS_getsockname ? ts_getsockname(fd, (struct sockaddr *)&ss, &len)
                                     : ts_getpeername(fd, (struct sockaddr *)&ss, &len);

    if (r < 0)
        return -errno;
    r = read_room(t, &room);
    return r < 0 ? r : write_address(t, &ss, len, room);
}

static int64_t serve_bind(struct target *t, int fd)
{
    struct sockaddr_storage ss;
    struct target_place place;
    socklen_t len;
    int r = read_address(t, t->args[1], t->args[2], &ss, &len);

    if (r < 0)
        return r;
    if (!scope_is_kernels((struct sockaddr *)&ss, len, false))
        return result(ts_bind(fd, (struct sockaddr *)&ss, len));
    target_place(&place, t, (int)t->args[0]);
    r = kernel_replace(fd, &place.place);
    return r < 0 ? r : TARGET_CONTINUE;
}

/* ---- what may block ---- */

/* As the kernel: a wait with a time-out is not restarted. */
static int64_t interrupted(int fd, int timeout, int64_t verdict)
{
    struct timeval tv = {0};
    socklen_t len = sizeof(tv);

    if (verdict != -ESRCH && getsockopt(fd, SOL_SOCKET, timeout, &tv, &len) == 0 &&
        (tv.tv_sec || tv.tv_usec))
        return -EINTR;
    return verdict;
}

int64_t serve_connect_to(struct target *t, int fd, uint64_t address, uint64_t length)
{
    struct sockaddr_storage ss;
    struct target_place place;
    struct blocked b;
    socklen_t len;
    int r = read_address(t, address, length, &ss, &len);
    int64_t verdict;

    if (r < 0)
        return r;
    target_place(&place, t, (int)t->args[0]);
    if (name_kind_of(fd) == NAME_SOCKET && scope_is_kernels((struct sockaddr *)&ss, len, true)) {
        r = kernel_replace(fd, &place.place);
        return r < 0 ? r : TARGET_CONTINUE;
    }
    do {
        blocked_begin(&b, t);
        r = connect_at(&place.place, fd, (struct sockaddr *)&ss, len);
        verdict = blocked_end(&b);
    } while (r == -EINTR && verdict == 0);
    return r == -EINTR ? interrupted(fd, SO_SNDTIMEO, verdict) : r;
}

static int64_t serve_connect(struct target *t, int fd)
{
    return serve_connect_to(t, fd, t->args[1], t->args[2]);
}

/* Only who must wait is watched. */
static int accept_watched(struct target *t, int fd, struct sockaddr_storage *ss, socklen_t *len,
                          int64_t *verdict)
{
    int flags = t->nr == SYS_accept4 ? (int)t->args[3] : 0, r;
    struct target_place place;
    struct blocked b;

    *verdict = 0;
    *len = sizeof(*ss);
    target_place(&place, t, (int)t->args[0]);
    r = accept_now(&place.place, fd, (struct sockaddr *)ss, len, flags);
    if (r != -EAGAIN || (fcntl(fd, F_GETFL) & O_NONBLOCK))
        return r;
    do {
        *len = sizeof(*ss);
        blocked_begin(&b, t);
        r = accept_at(&place.place, fd, (struct sockaddr *)ss, len, flags);
        *verdict = blocked_end(&b);
    } while (r == -EINTR && *verdict == 0);
    return r;
}

static int64_t serve_accept(struct target *t, int fd)
{
    struct sockaddr_storage ss;
    socklen_t room = 0, len = sizeof(ss);
    int64_t r = 0, verdict;
    int got;

    /* Before a connection is taken that could then not be given. */
    if (!target_has_slot(t))
        return -EMFILE;
    got = accept_watched(t, fd, &ss, &len, &verdict);
    if (got == -EINTR && verdict)
        return interrupted(fd, SO_RCVTIMEO, verdict);
    if (got < 0)
        return got;
    if (t->args[1])
        r = read_room(t, &room);
    if (r == 0 && t->args[1])
        r = write_address(t, &ss, len, room);
    if (r == 0)
        r = target_give(t, got, t->nr == SYS_accept4 && (t->args[3] & SOCK_CLOEXEC));
    close(got);
    return r;
}

/* ---- options ---- */

static int64_t serve_getsockopt(struct target *t, int fd)
{
    _Alignas(uint64_t) char value[OPTION_MAX];
    socklen_t room, len;
    int r = target_read(t, t->args[4], &room, sizeof(room));

    if (r < 0)
        return r;
    if ((int)room < 0)
        return -EINVAL;
    len = room < sizeof(value) ? room : sizeof(value);
    if (ts_getsockopt(fd, (int)t->args[1], (int)t->args[2], value, &len) < 0)
        return -errno;
    r = target_write(t, t->args[3], value, len);
    return r < 0 ? r : target_write(t, t->args[4], &len, sizeof(len));
}

static int64_t serve_setsockopt(struct target *t, int fd)
{
    _Alignas(uint64_t) char value[OPTION_MAX];
    int len = (int)t->args[4], r;
    size_t n = len < 0 ? 0 : (size_t)len < sizeof(value) ? (size_t)len : sizeof(value);

    if (len < 0)
        return -EINVAL;
    r = target_read(t, t->args[3], value, n);
    /* a pointer that leads nowhere: what is wrong otherwise may come first */
    return result(
        ts_setsockopt(fd, (int)t->args[1], (int)t->args[2], r < 0 ? NULL : value, (socklen_t)n));
}

static int64_t serve_ioctl(struct target *t, int fd)
{
    struct wire_outq outq;
    uint64_t answer;
    int value, r;

    if (name_kind_of(fd) == NAME_LISTENER)
        return -EINVAL;
    r = info_outq(fd, &outq);
    if (r < 0)
        return r;
    answer = (unsigned)t->args[1] == SIOCOUTQ ? outq.unacked : outq.unsent;
    value = answer > INT_MAX ? INT_MAX : (int)answer;
    return target_write(t, t->args[2], &value, sizeof(value));
}

static int64_t serve_listen(struct target *t, int fd)
{
    return result(ts_listen(fd, (int)t->args[1]));
}

/* ---- which ---- */

typedef int64_t (*serve_fn)(struct target *t, int fd);

static serve_fn function_for(int nr)
{
    switch (nr) {
    case SYS_bind:
        return serve_bind;
    case SYS_listen:
        return serve_listen;
    case SYS_connect:
        return serve_connect;
    case SYS_accept:
    case SYS_accept4:
        return serve_accept;
    case SYS_getsockname:
    case SYS_getpeername:
        return serve_name;
    case SYS_getsockopt:
        return serve_getsockopt;
    case SYS_setsockopt:
        return serve_setsockopt;
    case SYS_ioctl:
        return serve_ioctl;
    case SYS_sendto:
        return serve_sendto;
    case SYS_sendmsg:
        return serve_sendmsg;
    case SYS_sendmmsg:
        return serve_sendmmsg;
    case SYS_recvfrom:
        return serve_recvfrom;
    case SYS_recvmsg:
        return serve_recvmsg;
    case SYS_recvmmsg:
        return serve_recvmmsg;
    default:
        return NULL;
    }
}

void serve(struct target *t)
{
    int64_t translated = t->other ? compat_translate(t) : 0, r = TARGET_CONTINUE;
    serve_fn f = function_for(t->nr);

    if (translated != 0)
        r = translated;
    else if (t->nr == SYS_socket)
        r = serve_socket(t);
    else if (f)
        t->borrowed = target_descriptor(t, (int)t->args[0]);
    /* What cannot be borrowed (a bad number, a process that may not be traced) is the kernel's. */
    if (t->borrowed >= 0 && name_kind_of(t->borrowed) != NAME_FOREIGN) {
        r = target_identity(t);
        if (r == 0)
            r = f(t, t->borrowed);
    }
    target_return(t);
    target_answer(t, r);
    target_release(t);
}

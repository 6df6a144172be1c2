/* SPDX-License-Identifier: MIT */
/*
 * The intercepted calls that make, name and set up sockets. Each asks whether the descriptor is
 * ours, and is then the library's call of that name, else the real one.
 */
/* The fortified inline versions of some of these would stand in our way. */
#undef _FORTIFY_SOURCE

#include "client/include/tapstack.h"
#include "client/lib/accept.h"
#include "client/lib/epolls.h"
#include "client/lib/info.h"
#include "client/lib/kernel.h"
#include "client/lib/memory.h"
#include "client/lib/option.h"
#include "client/lib/path.h"
#include "ipc/scope.h"
#include "client/lib/socket.h"
#include "client/preload/real.h"
#include "client/preload/shim.h"

#include <limits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* One line for people, once in a process: the program will only say "Network is down". */
static void say_unreachable(int error)
{
    static atomic_flag said = ATOMIC_FLAG_INIT;
    char path[PATH_ROOM + 1] = {0};
    const char *why = strerrordesc_np(error);
    const char *parts[] = {"tapstack: cannot reach the daemon at ", path, ": ", why ? why : "?",
                           " (is tapstackd running?)\n"};
    struct iovec iov[5];

    if (atomic_flag_test_and_set(&said))
        return;
    if (path_get(path) < 0)
        strcpy(path, "$" WIRE_SOCKET_ENV);
    for (int i = 0; i < 5; i++)
        iov[i] = (struct iovec){(void *)parts[i], strlen(parts[i])};
    if (writev(STDERR_FILENO, iov, 5) < 0)
        return; /* stderr is closed: errno says it to the program */
}

int socket(int domain, int type, int protocol)
{
    bool reached;
    int r;

    if ((domain != AF_INET && domain != AF_INET6) ||
        (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
        return REAL(socket)(domain, type, protocol);
    if (protocol == IPPROTO_MPTCP) {
        /* Programs that try this fall back to TCP, which then is ours. */
        errno = EPROTONOSUPPORT;
        return -1;
    }
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return REAL(socket)(domain, type, protocol);
    r = socket_make(domain, type, protocol, &reached);
    if (r < 0 && !reached) {
        say_unreachable(-r);
        r = -ENETDOWN;
    }
    return socket_return(r);
}

int bind(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    const struct sockaddr *sa = addr.__sockaddr__;
    int r;

    if (!OURS(fd))
        return REAL(bind)(fd, sa, len);
    if ((r = memory_check_address(sa, len)) < 0)
        return socket_return(r);
    if (!scope_is_kernels(sa, len, false))
        return ts_bind(fd, sa, len);
    r = kernel_replace(fd, &place_here);
    return r < 0 ? socket_return(r) : REAL(bind)(fd, sa, len);
}

int listen(int fd, int backlog)
{
    return OURS(fd) ? ts_listen(fd, backlog) : REAL(listen)(fd, backlog);
}

int connect(int fd, __CONST_SOCKADDR_ARG addr, socklen_t len)
{
    const struct sockaddr *sa = addr.__sockaddr__;
    int r;

    if (!OURS(fd))
        return REAL(connect)(fd, sa, len);
    if ((r = memory_check_address(sa, len)) < 0)
        return socket_return(r);
    if (name_kind_of(fd) == NAME_LISTENER || !scope_is_kernels(sa, len, true))
        return ts_connect(fd, sa, len);
    r = kernel_replace(fd, &place_here);
    return r < 0 ? socket_return(r) : REAL(connect)(fd, sa, len);
}

int accept4(int fd, __SOCKADDR_ARG addr, socklen_t *len, int flags)
{
    struct sockaddr *sa = addr.__sockaddr__;
    uint64_t mark = name_mark_of(fd);

    if (!mark)
        return REAL(accept4)(fd, sa, len, flags);
    return socket_return(accept_marked(&place_here, fd, mark, sa, len, flags));
}

int accept(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
    struct sockaddr *sa = addr.__sockaddr__;
    uint64_t mark = name_mark_of(fd);

    if (!mark)
        return REAL(accept)(fd, sa, len);
    return socket_return(accept_marked(&place_here, fd, mark, sa, len, 0));
}

int getsockname(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
    if (!OURS(fd))
        return REAL(getsockname)(fd, addr.__sockaddr__, len);
    return ts_getsockname(fd, addr.__sockaddr__, len);
}

int getpeername(int fd, __SOCKADDR_ARG addr, socklen_t *len)
{
    if (!OURS(fd))
        return REAL(getpeername)(fd, addr.__sockaddr__, len);
    return ts_getpeername(fd, addr.__sockaddr__, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    int kind = (int)name_kind_of(fd);

    if (kind == NAME_FOREIGN)
        return REAL(getsockopt)(fd, level, name, value, len);
    return socket_return(option_get(fd, kind, level, name, value, len));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    int kind = (int)name_kind_of(fd);

    if (kind == NAME_FOREIGN)
        return REAL(setsockopt)(fd, level, name, value, len);
    return socket_return(option_set(fd, kind, level, name, value, len));
}

/* Where a socket's registrations are to be looked for when another takes its place. */
int epoll_create(int size)
{
    int fd = REAL(epoll_create)(size);

    epolls_made(fd);
    return fd;
}

int epoll_create1(int flags)
{
    int fd = REAL(epoll_create1)(flags);

    epolls_made(fd);
    return fd;
}

int ioctl(int fd, unsigned long request, ...)
{
    struct wire_outq outq;
    uint64_t answer;
    va_list ap;
    void *arg;
    int r;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (request == FIONREAD && name_kind_of(fd) == NAME_LISTENER)
        return socket_return(-EINVAL); /* there are records, not bytes */
    /* The rest (FIONREAD, SIOCATMARK, FIONBIO) is right on the pair itself. SIOCOUTQ is TIOCOUTQ:
     * not sockets only. */
    if ((request != SIOCOUTQ && request != SIOCOUTQNSD) || !OURS(fd))
        return REAL(ioctl)(fd, request, arg);
    if (name_kind_of(fd) == NAME_LISTENER)
        return socket_return(-EINVAL);
    r = info_outq(fd, &outq);
    if (r == 0)
        r = memory_check_write(fd, arg, sizeof(int));
    if (r < 0)
        return socket_return(r);
    answer = request == SIOCOUTQ ? outq.unacked : outq.unsent;
    *(int *)arg = answer > INT_MAX ? INT_MAX : (int)answer;
    return 0;
}

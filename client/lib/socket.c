/* SPDX-License-Identifier: MIT */
/*
 * ts_socket, ts_bind, ts_listen: a request each.
 */
#include "client/lib/socket.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>

int socket_return(int r)
{
    if (r >= 0)
        return r;
    errno = -r;
    return -1;
}

int socket_set_flags(int fd, int sock_flags)
{
    int flags;

    /* O_NONBLOCK belongs to the open file, which the descriptor in the reply shares: a fresh one,
     * so it is off. */
    if (sock_flags & SOCK_NONBLOCK) {
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return -errno;
    }
    if (!(sock_flags & SOCK_CLOEXEC) && fcntl(fd, F_SETFD, 0) < 0)
        return -errno;
    return 0;
}

int socket_make(int domain, int type, int protocol, bool *reached)
{
    struct wire_socket body = {.family = domain, .type = type, .protocol = protocol};
    struct control_request rq = {
        .op = WIRE_OP_SOCKET, .fd = -1, .body = &body, .len = sizeof(body)};
    struct control_reply rp = {0};
    int saved = errno;
    int r = control_call(&rq, &rp);

    /* A lack of descriptors is the caller's own, not the daemon's absence. */
    *reached = r >= 0 || r == -EMFILE || r == -ENFILE || r == -ENOMEM;
    if (r != 0)
        return r > 0 ? -r : r;
    r = socket_set_flags(rp.fd, type);
    if (r < 0) {
        close(rp.fd);
        rp.fd = r;
    }
    errno = saved;
    return rp.fd;
}

static void copy_timeout(int from, int to, int name)
{
    struct timeval tv;
    socklen_t len = sizeof(tv);

    if (native_getsockopt(from, SOL_SOCKET, name, &tv, &len) == 0)
        native_setsockopt(to, SOL_SOCKET, name, &tv, len);
}

int socket_replace(int fd, int with)
{
    int saved = errno, r = 0;
    int status = fcntl(fd, F_GETFL), flags = fcntl(fd, F_GETFD);

    if (status < 0 || flags < 0) {
        r = -errno;
    } else {
        copy_timeout(fd, with, SO_RCVTIMEO);
        copy_timeout(fd, with, SO_SNDTIMEO);
        if ((status & O_NONBLOCK) && fcntl(with, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
            r = -errno;
        else if (dup3(with, fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0) < 0)
            r = -errno;
    }
    close(with);
    errno = saved;
    return r;
}

int socket_address(int fd, const struct sockaddr *addr, socklen_t len, struct wire_addr *out)
{
    bool v6 = name_is_v6(fd);
    int r;

    if (!addr)
        return -EFAULT;
    r = wire_addr_from_sockaddr(out, addr, len);
    if (r < 0)
        return r;
    return addr->sa_family == (v6 ? AF_INET6 : AF_INET) ? 0 : -EAFNOSUPPORT;
}

int ts_socket(int domain, int type, int protocol)
{
    bool reached;

    return socket_return(socket_make(domain, type, protocol, &reached));
}

int ts_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct wire_addr body;
    int r = control_kind(fd);

    if (r >= 0)
        r = socket_address(fd, addr, len, &body);
    if (r >= 0)
        r = control_ask(WIRE_OP_BIND, fd, &body, sizeof(body), NULL, 0);
    return socket_return(r);
}

int ts_listen(int fd, int backlog)
{
    struct wire_listen body = {.backlog = backlog};
    int r = control_kind(fd);

    if (r >= 0)
        r = control_ask(WIRE_OP_LISTEN, fd, &body, sizeof(body), NULL, 0);
    return socket_return(r);
}

int ts_is_ours(int fd)
{
    return name_kind_of(fd) != NAME_FOREIGN;
}

/* SPDX-License-Identifier: MIT */
/*
 * ts_socket, ts_bind, ts_listen: a request each.
 */
#include "client/lib/socket.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "ipc/codec.h"
#include "ipc/memo.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SIN6_LEN_RFC2133
#define SIN6_LEN_RFC2133 24
#endif

int socket_return(int r)
{
    if (r >= 0)
        return r;
    errno = -r;
    return -1;
}

int socket_set_nonblock(int fd)
{
    return fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : 0;
}

int socket_set_flags(int fd, int sock_flags)
{
    int r = sock_flags & SOCK_NONBLOCK ? socket_set_nonblock(fd) : 0;

    if (r < 0)
        return r;
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

    if (native_getsockopt(from, SOL_SOCKET, name, &tv, &len) == 0 && (tv.tv_sec || tv.tv_usec) &&
        native_setsockopt(to, SOL_SOCKET, name, &tv, len) == 0)
        name_mark_timeouts(to);
}

void socket_copy_timeouts(int from, int to)
{
    copy_timeout(from, to, SO_RCVTIMEO);
    copy_timeout(from, to, SO_SNDTIMEO);
}

int socket_replace(const struct place *place, int fd, int with)
{
    int saved = errno, r = 0;
    int status = fcntl(fd, F_GETFL);

    if (status < 0) {
        r = -errno;
    } else {
        socket_copy_timeouts(fd, with);
        if ((status & O_NONBLOCK) && fcntl(with, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
            r = -errno;
        else
            r = place->put(place, fd, with);
    }
    close(with);
    errno = saved;
    return r;
}

const struct socket_option_id socket_carried[] = {
    {SOL_SOCKET, SO_REUSEADDR},  {SOL_SOCKET, SO_REUSEPORT},   {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},     {IPPROTO_TCP, TCP_NODELAY},   {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_IPV6, IPV6_V6ONLY},
};
const size_t socket_n_carried = sizeof(socket_carried) / sizeof(socket_carried[0]);

bool socket_bound(int fd, struct wire_addr *local)
{
    struct sockaddr_un un;
    struct wire_addr remote;
    socklen_t len = sizeof(un);
    int saved = errno;
    bool has_remote, known;

    known = native_getsockname(fd, (struct sockaddr *)&un, &len) == 0 &&
            name_parse(&un, len, local, &remote, &has_remote) == 0 && !has_remote &&
            local->port != 0;
    errno = saved;
    return known;
}

int socket_result(int r)
{
    int error = control_result(r);

    return r < 0 && error == -ENOTCONN ? -ENETDOWN : error;
}

static int request(uint16_t op, int fd, const void *body, size_t len)
{
    struct control_request rq = {.op = op, .fd = fd, .body = body, .len = len};
    struct control_reply rp = {0};

    return socket_result(control_call(&rq, &rp));
}

/* On a fresh socket; it is best effort. */
static void set_on(int fd, int name)
{
    int on = 1;

    (void)ts_setsockopt(fd, SOL_SOCKET, name, &on, sizeof(on));
}

/* What the daemon that is gone has left of a listener's options. */
static void set_remembered(int fresh, const struct memo *m)
{
    uint8_t value[MEMO_VALUE_MAX];
    size_t at = 0, len;
    int i;

    while ((i = memo_next(m, &at, value, &len)) >= 0)
        (void)ts_setsockopt(fresh, memo_options[i].level, memo_options[i].name, value,
                            (socklen_t)len);
}

/* Of what the daemon does not know (any more): by its name. */
static int make_by_name(int fd, int backlog)
{
    struct memo m;
    struct wire_addr local;
    bool reached;
    int fresh =
        socket_make(name_is_v6(fd) ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, &reached);
    int r = 0;

    if (fresh < 0)
        return reached ? fresh : -ENETDOWN;
    if (backlog >= 0 && memo_read(fd, &m))
        set_remembered(fresh, &m);
    if (socket_bound(fd, &local)) {
        if (backlog >= 0) {
            set_on(fresh, SO_REUSEADDR);
            set_on(fresh, SO_REUSEPORT);
        }
        r = request(WIRE_OP_BIND, fresh, &local, sizeof(local));
    }
    if (r == 0)
        return fresh;
    close(fresh);
    return r;
}

int socket_renew(const struct place *place, int fd, int backlog)
{
    struct memo m;
    struct wire_listen listen_body = {
        .backlog = backlog >= 0 && memo_read(fd, &m) ? memo_backlog(&m) : backlog};
    struct control_request rq = {.op = WIRE_OP_RENEW, .fd = fd};
    struct control_reply rp = {0};
    int r = control_call(&rq, &rp);
    int fresh = r == ESTALE ? make_by_name(fd, backlog) : r == 0 ? rp.fd : socket_result(r);

    if (fresh < 0)
        return fresh;
    r = backlog >= 0 ? request(WIRE_OP_LISTEN, fresh, &listen_body, sizeof(listen_body)) : 0;
    if (r < 0) {
        close(fresh);
        return r;
    }
    return socket_replace(place, fd, fresh);
}

bool socket_is_over(int fd)
{
    struct pollfd p = {.fd = fd};
    int saved = errno;
    bool over = poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);

    errno = saved;
    return over;
}

int socket_address(int fd, const struct sockaddr *addr, socklen_t len, struct wire_addr *out)
{
    bool v6 = name_is_v6(fd);
    int r;

    /* shorter than the socket's own family has it: that comes before what family it is (RFC 2133's
     * length) */
    if (len < (v6 ? SIN6_LEN_RFC2133 : sizeof(struct sockaddr_in)))
        return -EINVAL;
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

/* A request that what has ended may make at a fresh descriptor. */
static int ask_anew(uint16_t op, int fd, const void *body, size_t len)
{
    struct control_request rq = {.op = op, .fd = fd, .body = body, .len = len};
    struct control_reply rp = {0};
    int r = control_call(&rq, &rp);

    if (r == ESTALE) {
        r = socket_renew(&place_here, fd, -1);
        return r < 0 ? r : request(op, fd, body, len);
    }
    return socket_result(r);
}

/* Linux: the unspecified family names the wildcard of AF_INET. */
static bool is_unspecified_any(int fd, const struct sockaddr *addr, socklen_t len)
{
    return len >= sizeof(struct sockaddr_in) && addr->sa_family == AF_UNSPEC && !name_is_v6(fd) &&
           ((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr == INADDR_ANY;
}

int ts_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sockaddr_in any;
    struct wire_addr body;
    int r = control_kind(fd);

    if (r >= 0)
        r = memory_check_address(addr, len);
    if (r >= 0 && is_unspecified_any(fd, addr, len)) {
        memcpy(&any, addr, sizeof(any));
        any.sin_family = AF_INET;
        addr = (const struct sockaddr *)&any;
    }
    if (r >= 0)
        r = socket_address(fd, addr, len, &body);
    if (r >= 0)
        r = ask_anew(WIRE_OP_BIND, fd, &body, sizeof(body));
    return socket_return(r);
}

int ts_listen(int fd, int backlog)
{
    struct wire_listen body = {.backlog = backlog};
    int r = control_kind(fd);

    if (r >= 0)
        r = ask_anew(WIRE_OP_LISTEN, fd, &body, sizeof(body));
    return socket_return(r);
}

int ts_is_ours(int fd)
{
    return name_kind_of(fd) != NAME_FOREIGN;
}

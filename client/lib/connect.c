/* SPDX-License-Identifier: MIT */
/*
 * ts_connect. On a blocking descriptor the daemon answers when the handshake has ended (WIRE_WAIT);
 * on a non-blocking one at once, with EINPROGRESS, and the descriptor becomes writable later. A
 * signal ends the wait with EINTR while the connection goes on being made; the late reply is
 * dropped by its id. SO_SNDTIMEO bounds the wait as in socket(7).
 *
 * The pair of a failed connection is dead. A socket of tcp(7) may try again, so a fresh one then
 * takes its number.
 */
#include "client/lib/connect.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/time.h>
#include <unistd.h>

/* SO_SNDTIMEO; 0 when there is none. */
static int64_t send_timeout(int fd)
{
    struct timeval tv = {0};
    socklen_t len = sizeof(tv);
    int saved = errno;

    if (native_getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, &len) < 0) {
        errno = saved;
        return 0;
    }
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

static int ask(int fd, const struct wire_addr *to)
{
    struct control_request rq = {
        .op = WIRE_OP_CONNECT, .fd = fd, .body = to, .len = sizeof(*to), .interruptible = true};
    struct control_reply rp = {0};
    int flags = fcntl(fd, F_GETFL);
    int r;

    if (flags < 0)
        return -errno;
    if (!(flags & O_NONBLOCK)) {
        rq.flags = WIRE_WAIT;
        rq.timeout_us = send_timeout(fd);
    }
    r = control_call(&rq, &rp);
    if (r == ESTALE)
        return -ESTALE;
    if (r == -EINTR || r == -ETIMEDOUT)
        control_forget(); /* nobody waits any more: the next connect(2) tells how it went */
    return r == -ETIMEDOUT ? -EINPROGRESS : socket_result(r);
}

static int check_length(const struct sockaddr *addr, socklen_t len)
{
    int r = memory_check_address(addr, len);

    return r == 0 && len < sizeof(addr->sa_family) ? -EINVAL : r;
}

static bool is_waiting(int fd)
{
    struct wire_info info;

    return control_ask(WIRE_OP_INFO, fd, NULL, 0, &info, sizeof(info)) > 0 &&
           (info.state == TCP_SYN_SENT || info.state == TCP_SYN_RECV);
}

/* With SO_SNDTIMEO, a second call that is out of time says EALREADY. */
static int ask_again(const struct place *place, int fd, const struct wire_addr *to)
{
    bool waiting = send_timeout(fd) > 0 && is_waiting(fd);
    int r = ask(fd, to);

    if (r == -ESTALE) {
        r = socket_renew(place, fd, -1);
        if (r == 0)
            r = ask(fd, to);
        if (r == -ESTALE)
            r = -ENOTCONN;
    }
    return r == -EINPROGRESS && waiting ? -EALREADY : r;
}

int connect_at(const struct place *place, int fd, const struct sockaddr *addr, socklen_t len)
{
    struct wire_addr to;
    int saved = errno;
    int kind = control_kind(fd), r;

    r = kind < 0 ? kind : check_length(addr, len);
    if (r == 0 && addr->sa_family == AF_UNSPEC)
        r = socket_renew(place, fd, -1);
    else if (r == 0 && kind == NAME_LISTENER)
        r = -EISCONN; /* tcp(7): what Linux says */
    else if (r == 0) {
        r = socket_address(fd, addr, len, &to);
        if (r == 0)
            r = ask_again(place, fd, &to);
    }
    errno = saved;
    return r;
}

int ts_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return socket_return(connect_at(&place_here, fd, addr, len));
}

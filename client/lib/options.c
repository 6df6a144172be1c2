/* SPDX-License-Identifier: MIT */
/*
 * ts_getsockopt and ts_setsockopt. Time-outs are AF_UNIX's own, on the descriptor itself; what
 * never changes is answered here; everything else is the daemon's, which knows what it has and says
 * ENOPROTOOPT to the rest.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "client/lib/option.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* What Linux takes (tcp(7)). */
#define KEEP_SECONDS_MAX 32767
#define KEEP_PROBES_MAX  127

/* Both numberings of the time-outs (64-bit time on 32-bit machines). */
static bool is_native(int level, int name)
{
    if (level != SOL_SOCKET)
        return false;
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case SO_COOKIE: /* as good as any */
#if SO_RCVTIMEO != SO_RCVTIMEO_NEW
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_NEW:
#endif
        return true;
    default:
        return false;
    }
}

static bool is_constant(int fd, enum name_kind kind, int level, int name, int *value)
{
    if (level != SOL_SOCKET)
        return false;
    switch (name) {
    case SO_TYPE:
        *value = SOCK_STREAM;
        return true;
    case SO_DOMAIN:
        *value = name_is_v6(fd) ? AF_INET6 : AF_INET;
        return true;
    case SO_PROTOCOL:
        *value = IPPROTO_TCP;
        return true;
    case SO_INCOMING_NAPI_ID:
        *value = 0; /* as before the first packet: no device's queue of this host brought any */
        return true;
    case SO_ACCEPTCONN:
        *value = kind == NAME_LISTENER && !socket_is_over(fd);
        return true;
    default:
        return false;
    }
}

/*
 * Options whose setting nobody needs to wait for: they cannot fail, and it does no harm when bytes
 * that are written right after are taken as written before. (TCP_CORK = 1 is not among them: those
 * bytes are to be held back.)
 */
static bool needs_no_answer(int level, int name, const void *value, socklen_t len)
{
    int v;

    if (len != sizeof(v))
        return false;
    memcpy(&v, value, sizeof(v));
    if (level == SOL_SOCKET)
        return name == SO_KEEPALIVE;
    if (level != IPPROTO_TCP)
        return false;
    switch (name) {
    case TCP_NODELAY:
    case TCP_QUICKACK:
        return true;
    case TCP_CORK:
        return v == 0;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
        return v >= 1 && v <= KEEP_SECONDS_MAX;
    case TCP_KEEPCNT:
        return v >= 1 && v <= KEEP_PROBES_MAX;
    default:
        return false;
    }
}

/*
 * Of a connection that is dead: the pair's own error says whether somebody has been told already;
 * why it died, the daemon remembers for a while. When that is gone as well, the pair's ECONNRESET
 * is what happened. (A connect(2) that was under way must not look as if it had succeeded.)
 */
static int last_error(int fd, void *value, socklen_t *len)
{
    struct wire_option body = {.level = SOL_SOCKET, .name = SO_ERROR, .len = sizeof(int)}, got;
    int error = 0, reason = 0, r;
    socklen_t size = sizeof(error);
    WIRE_BUFFER(reply);

    if (native_getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        return -errno;
    r = control_ask(WIRE_OP_GETSOCKOPT, fd, &body, WIRE_OPTION_HEAD, reply, sizeof(got));
    if (r >= 0 && wire_option_get(reply, (size_t)r, true, &got) == 0)
        memcpy(&reason, got.value, sizeof(reason));
    /* what read(2) cannot have said yet */
    if (r >= 0 && (error || reason != ECONNRESET))
        error = reason;
    return memory_give_value(fd, value, len, &error, sizeof(error));
}

int option_get(int fd, int kind, int level, int name, void *value, socklen_t *len)
{
    static const struct ucred nobody = {0, (uid_t)-1,
                                        (gid_t)-1}; /* no AF_UNIX socket, to the program */
    struct wire_option body = {.level = level, .name = name}, got;
    int constant, r;
    WIRE_BUFFER(reply);

    if (kind < 0)
        return kind;
    if (is_native(level, name))
        return native_getsockopt(fd, level, name, value, len) < 0 ? -errno : 0;
    if (memory_check_read(len, sizeof(*len)) < 0)
        return -EFAULT;
    if ((int)*len < 0)
        return -EINVAL;
    if (is_constant(fd, (enum name_kind)kind, level, name, &constant))
        return memory_give_value(fd, value, len, &constant, sizeof(constant));
    if (level == SOL_SOCKET && name == SO_PEERCRED)
        return memory_give_value(fd, value, len, &nobody, sizeof(nobody));
    if (level == SOL_SOCKET && name == SO_ERROR && socket_is_over(fd))
        return last_error(fd, value, len);
    body.len = *len < sizeof(body.value) ? *len : sizeof(body.value);
    r = control_ask(WIRE_OP_GETSOCKOPT, fd, &body, WIRE_OPTION_HEAD, reply, sizeof(got));
    if (r == -ENOTCONN && level == SOL_SOCKET && name == SO_ERROR)
        return last_error(fd, value, len);
    if (r < 0)
        return r;
    if (wire_option_get(reply, (size_t)r, true, &got) < 0)
        return -ENOTCONN;
    return memory_give_value(fd, value, len, got.value, got.len);
}

/* These of TCP's have any length, all others at least that of an int. */
static bool is_text(int name)
{
    return name == TCP_CONGESTION || name == TCP_ULP || name == TCP_FASTOPEN_KEY;
}

static int set_native(int fd, int level, int name, const void *value, socklen_t len)
{
    if (native_setsockopt(fd, level, name, value, len) < 0)
        return -errno;
    if (name != SO_COOKIE)
        name_mark_timeouts(fd);
    return 0;
}

int option_set(int fd, int kind, int level, int name, const void *value, socklen_t len)
{
    struct wire_option body = {.level = level, .name = name};
    struct control_request rq = {.op = WIRE_OP_SETSOCKOPT, .fd = fd, .body = &body};
    struct control_reply rp = {0};
    int constant;

    if (kind < 0)
        return kind;
    if (is_native(level, name))
        return set_native(fd, level, name, value, len);
    if ((int)len < 0)
        return -EINVAL;
    if (len < sizeof(int) && (level == SOL_SOCKET || (level == IPPROTO_TCP && !is_text(name))))
        return -EINVAL;
    /* As Linux: longer than the option is fine, the rest is not looked at. */
    body.len = len < sizeof(body.value) ? len : sizeof(body.value);
    if (memory_check_read(value, body.len) < 0)
        return -EFAULT;
    if (is_constant(fd, (enum name_kind)kind, level, name, &constant))
        return -ENOPROTOOPT;
    if (body.len > 0)
        memcpy(body.value, value, body.len);
    rq.len = WIRE_OPTION_HEAD + body.len;
    if (needs_no_answer(level, name, value, len))
        rq.flags = WIRE_NO_REPLY;
    return control_result(control_call(&rq, &rp));
}

int ts_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    return socket_return(option_get(fd, control_kind(fd), level, name, value, len));
}

int ts_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    return socket_return(option_set(fd, control_kind(fd), level, name, value, len));
}

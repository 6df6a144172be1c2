/* SPDX-License-Identifier: MIT */
/*
 * Loopback stays with the kernel: a socket that is bound or connected to 127/8 or ::1 becomes a
 * kernel socket at the same number. What the program has set before is set again on the new one.
 */
#include "client/preload/shim.h"

#include "client/include/tapstack.h"
#include "client/lib/socket.h"
#include "client/preload/real.h"
#include "ipc/codec.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool loopback_wanted(const struct sockaddr *addr, socklen_t len, bool connecting)
{
    struct wire_addr a;

    if (!addr || wire_addr_from_sockaddr(&a, addr, len) < 0)
        return false;
    return wire_addr_is_loopback(&a) || (connecting && wire_addr_is_any(&a));
}

static const struct {
    int level, name;
} carried[] = {
    {SOL_SOCKET, SO_REUSEADDR},  {SOL_SOCKET, SO_REUSEPORT},   {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},     {IPPROTO_TCP, TCP_NODELAY},   {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE}, {IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_IPV6, IPV6_V6ONLY},
};

/* Only what differs from a fresh kernel socket; an option that one of the two does not have is
 * skipped. */
static void carry_options(int from, int to)
{
    for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++) {
        char value[64], fresh[64];
        socklen_t len = sizeof(value), fresh_len = sizeof(fresh);
        int level = carried[i].level, name = carried[i].name;

        if (ts_getsockopt(from, level, name, value, &len) == 0 &&
            REAL(getsockopt)(to, level, name, fresh, &fresh_len) == 0 &&
            (len != fresh_len || memcmp(value, fresh, len) != 0))
            REAL(setsockopt)(to, level, name, value, len);
    }
}

static int carry_binding(int from, int to)
{
    struct sockaddr_storage ss;
    struct wire_addr local, remote;
    socklen_t len = sizeof(ss);

    if (name_addresses(from, &local, &remote) != 0 || local.port == 0 || !wire_addr_is_any(&local))
        return 0;
    if (ts_getsockname(from, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    return REAL(bind)(to, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

int loopback_replace(int fd)
{
    int family = name_is_v6(fd) ? AF_INET6 : AF_INET;
    int saved = errno, r;
    int kernel = REAL(socket)(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);

    if (kernel < 0)
        return -errno;
    carry_options(fd, kernel);
    r = carry_binding(fd, kernel);
    if (r < 0)
        close(kernel);
    else
        r = socket_replace(fd, kernel);
    errno = saved;
    return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * ts_getsockname and ts_getpeername, from the names of the pair: no round trip, also after the
 * daemon died.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/name.h"

#include <errno.h>

static int address_of(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
    struct wire_addr local, remote;
    int r = control_kind(fd);

    if (r < 0)
        return r;
    r = name_addresses(fd, &local, &remote);
    if (r < 0)
        return r;
    if (peer && r != 1)
        return -ENOTCONN;
    if (!addr || !len)
        return -EFAULT;
    return wire_addr_to_sockaddr(peer ? &remote : &local, name_is_v6(fd) ? AF_INET6 : AF_INET, addr,
                                 len);
}

int ts_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return socket_return(address_of(fd, false, addr, len));
}

int ts_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return socket_return(address_of(fd, true, addr, len));
}

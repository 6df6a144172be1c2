/* SPDX-License-Identifier: MIT */
/*
 * ts_getsockname and ts_getpeername, from the names of the pair: no round trip once there is a
 * port, also after the daemon died.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/memory.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/name.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

/* While it connects, or with an address and no port yet (IP_BIND_ADDRESS_NO_PORT), the address is
 * the daemon's to know. */
static void ask_local(int fd, struct wire_addr *local)
{
    struct wire_info info;

    if (control_ask(WIRE_OP_INFO, fd, NULL, 0, &info, sizeof(info)) == (int)sizeof(info))
        *local = info.local;
}

/* The names outlive the connection, which is not connected any more when the daemon says so. */
static bool is_over(int fd)
{
    struct wire_info info = {0};
    struct control_request rq = {.op = WIRE_OP_INFO, .fd = fd};
    struct control_reply rp = {.body = &info, .cap = sizeof(info)};
    int r;

    if (!socket_is_over(fd))
        return false;
    r = control_call(&rq, &rp);
    return r > 0 || (r == 0 && info.state == TCP_CLOSE);
}

static int address_of(int fd, bool peer, struct sockaddr *addr, socklen_t *len)
{
    struct wire_addr local, remote;
    int kind = control_kind(fd), r;

    if (kind < 0)
        return kind;
    r = name_addresses(fd, &local, &remote);
    if (r < 0)
        return r;
    if (peer && (r != 1 || is_over(fd)))
        return -ENOTCONN;
    /* one wildcard for both families, in the core as in its names */
    if (!peer && name_is_v6(fd) && wire_addr_is_any(&local))
        memset(local.addr, 0, sizeof(local.addr));
    if (r == 0 && !peer && kind == NAME_SOCKET && wire_addr_is_any(&local))
        ask_local(fd, &local);
    return memory_give_address(fd, peer ? &remote : &local, addr, len);
}

int ts_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return socket_return(address_of(fd, false, addr, len));
}

int ts_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return socket_return(address_of(fd, true, addr, len));
}

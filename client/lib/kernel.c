/* SPDX-License-Identifier: MIT */
/*
 * From one of ours to one of the kernel's.
 */
#include "client/lib/kernel.h"

#include "client/include/tapstack.h"
#include "client/lib/socket.h"
#include "ipc/codec.h"
#include "ipc/name.h"
#include "ipc/native.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Only what differs from a fresh kernel socket; an option that one of the two does not have is
 * skipped. */
static void carry_options(int from, int to)
{
    for (size_t i = 0; i < socket_n_carried; i++) {
        char value[64], fresh[64];
        socklen_t len = sizeof(value), fresh_len = sizeof(fresh);
        int level = socket_carried[i].level, name = socket_carried[i].name;

        if (ts_getsockopt(from, level, name, value, &len) == 0 &&
            native_getsockopt(to, level, name, fresh, &fresh_len) == 0 &&
            (len != fresh_len || memcmp(value, fresh, len) != 0))
            native_setsockopt(to, level, name, value, len);
    }
}

static int carry_binding(int from, int to)
{
    struct sockaddr_storage ss;
    struct wire_addr local;
    socklen_t len = sizeof(ss);

    if (!socket_bound(from, &local) || !wire_addr_is_any(&local))
        return 0;
    if (ts_getsockname(from, (struct sockaddr *)&ss, &len) < 0)
        return -errno;
    return native_bind(to, (struct sockaddr *)&ss, len) < 0 ? -errno : 0;
}

int kernel_replace(int fd, const struct place *place)
{
    int saved = errno, r;
    int kernel = place->kernel_socket(place, name_is_v6(fd) ? AF_INET6 : AF_INET);

    if (kernel < 0)
        return kernel;
    carry_options(fd, kernel);
    r = carry_binding(fd, kernel);
    if (r < 0)
        close(kernel);
    else
        r = socket_replace(place, fd, kernel);
    errno = saved;
    return r;
}

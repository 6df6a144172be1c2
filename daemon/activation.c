/* SPDX-License-Identifier: MIT */
/* See activation.h. */
#include "daemon/activation.h"

#include "daemon/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

int activation_socket(const char *path)
{
    int fd = SD_LISTEN_FDS_START, count = sd_listen_fds(1);

    if (count == 0)
        return -ENOENT;
    if (count < 0) {
        log_error("cannot take the socket from the service manager: %s", strerror(-count));
        return count;
    }
    if (count > 1) {
        log_error("the service manager passed %d sockets: one is the control socket", count);
        return -E2BIG;
    }
    if (sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, NULL, 0) <= 0) {
        log_error("the service manager's socket is no listening AF_UNIX SOCK_SEQPACKET one "
                  "(ListenSequentialPacket=)");
        return -EPROTOTYPE;
    }
    if (sd_is_socket_unix(fd, SOCK_SEQPACKET, 1, path, 0) <= 0) {
        log_error("the service manager's socket is not at %s: socket in the configuration and its "
                  "unit's ListenSequentialPacket= must be the same",
                  path);
        return -EADDRNOTAVAIL;
    }
    return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno : fd;
}

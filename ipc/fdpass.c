/* SPDX-License-Identifier: MIT */
/*
 * sendmsg(2) and recvmsg(2) with an SCM_RIGHTS control message.
 */
#include "ipc/fdpass.h"

#include "ipc/native.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t fdpass_send(int sock, const void *buf, size_t len, int fd, int flags)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec iov = {(void *)buf, len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *c;

        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    n = native_sendmsg(sock, &msg, flags | MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

/* All descriptors of one message; the kernel makes one control message of them, but says nowhere
 * that it must. */
static size_t collect(struct msghdr *msg, int fds[FDPASS_MAX])
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t here;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (n < FDPASS_MAX)
                fds[n++] = fd;
            else
                close(fd);
        }
    }
    return n;
}

ssize_t fdpass_recv_as(int sock, void *buf, size_t cap, int fds[FDPASS_MAX], size_t *n_fds,
                       int flags, int *got_flags)
{
    /* Beside the descriptors, room for credentials and the like that a socket may have been asked
     * to report. */
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDPASS_MAX * sizeof(int)) + 256];
    struct iovec iov = {buf, cap};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = native_recvmsg(sock, &msg, flags);

    *n_fds = 0;
    if (got_flags)
        *got_flags = n < 0 ? 0 : msg.msg_flags;
    if (n < 0)
        return -errno;
    *n_fds = collect(&msg, fds);
    return n;
}

ssize_t fdpass_recv(int sock, void *buf, size_t cap, int fds[FDPASS_MAX], size_t *n_fds, int flags,
                    int *got_flags)
{
    return fdpass_recv_as(sock, buf, cap, fds, n_fds, flags | MSG_CMSG_CLOEXEC, got_flags);
}

void fdpass_close(const int *fds, size_t n_fds)
{
    int saved = errno;

    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
    errno = saved;
}

/* SPDX-License-Identifier: MIT */
/* Filling a descriptor's send buffer; see filler.h and tests/platform/sendfile_fill.c. */
#include "daemon/filler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define FILLER_BYTES (256 * 1024)
#define FILLER_CALLS 16
/* The longest that a hostile holder of the descriptor can keep us. */
#define GUARD_US 2000

static void on_alarm(int sig)
{
    (void)sig; /* only to interrupt */
}

int filler_init(struct filler *f)
{
    struct sigaction sa = {.sa_handler = on_alarm};
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    static const char zeros[4096];
    int rc = 0;

    if (sigaction(SIGALRM, &sa, NULL) < 0)
        return -errno;
    f->file = memfd_create("tapstack-filler", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (f->file < 0)
        return -errno;
    for (int at = 0; at < FILLER_BYTES && rc == 0; at += (int)sizeof(zeros))
        if (pwrite(f->file, zeros, sizeof(zeros), at) != (ssize_t)sizeof(zeros))
            rc = -errno;
    if (rc == 0 && fcntl(f->file, F_ADD_SEALS, seals) < 0)
        rc = -errno;
    if (rc < 0)
        filler_destroy(f);
    return rc;
}

void filler_destroy(struct filler *f)
{
    if (f->file >= 0)
        close(f->file);
    f->file = -1;
}

static bool writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP)) == POLLOUT;
}

/* What takes POLLOUT away: more than a quarter of the buffer, in whole messages of sendfile's. */
static size_t quarter(int fd)
{
    int value = 0;
    socklen_t len = sizeof(value);

    if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len) < 0 || value <= 0)
        return FILLER_BYTES;
    value = value / 4 + 4096;
    return value < FILLER_BYTES ? (size_t)value : FILLER_BYTES;
}

void filler_fill(const struct filler *f, int fd)
{
    struct itimerval guard = {{0, GUARD_US}, {0, GUARD_US}}, off = {0};
    size_t step = quarter(fd);

    setitimer(ITIMER_REAL, &guard, NULL);
    for (int i = 0; i < FILLER_CALLS; i++) {
        off_t at = 0;
        if (sendfile(fd, f->file, &at, step) != (ssize_t)step || !writable(fd))
            break;
    }
    setitimer(ITIMER_REAL, &off, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * Frames of a device that merges nothing itself; see merge.h. While a merged frame is open, the
 * next one is read with its headers aside and its payload where it would continue: if it does,
 * nothing is copied. If it does not, it is put together for the next call, when the core has taken
 * what stands in its place.
 */
#include "daemon/netdev/merge.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALIGN 2 /* fourteen bytes of Ethernet, then an aligned IP header */

static int read_error(void)
{
    if (errno == EBADFD || errno == ENODEV)
        return -ENODEV;
    return errno == EINTR ? -EAGAIN : -errno;
}

/* The frame that waits, to the front of the buffer. */
static uint32_t take_waiting(struct merge *m)
{
    uint32_t n = m->waiting, split = n < m->split ? n : m->split;

    memcpy(m->buffer + ALIGN, m->headers, split);
    memmove(m->buffer + ALIGN + split, m->at, n - split);
    m->waiting = 0;
    return n;
}

/* The first frame of a merged one: its length, or a negative errno value. */
static int64_t first_frame(struct merge *m, int fd)
{
    ssize_t n;

    if (m->waiting)
        return take_waiting(m);
    if (m->drained) {
        m->drained = false;
        return -EAGAIN;
    }
    n = read(fd, m->buffer + ALIGN, NETDEV_FRAME_MAX);
    return n < 0 ? read_error() : n;
}

/* Read one more, and let it join. False: nothing more came, or another frame waits now. */
static bool read_more(struct merge *m, int fd, struct frame_merge *f)
{
    struct iovec iov[2] = {{m->headers, f->headers_len}, {f->frame + f->len, NETDEV_FRAME_MAX}};
    ssize_t n = readv(fd, iov, 2);

    if (n <= 0) {
        m->drained = n < 0 && errno == EAGAIN; /* what else it is, the next read will say */
        return false;
    }
    if (n > (ssize_t)f->headers_len && frame_merge_add(f, m->headers, (uint32_t)n - f->headers_len))
        return true;
    m->waiting = (uint32_t)n;
    m->split = f->headers_len;
    m->at = f->frame + f->len;
    return false;
}

int merge_read(struct merge *m, int fd, struct frame *out)
{
    struct frame_merge f;
    int64_t n = first_frame(m, fd);
    bool more;

    if (n < 0)
        return (int)n;
    more = frame_merge_begin(&f, m->buffer + ALIGN, (uint32_t)n);
    while (more && f.open)
        more = read_more(m, fd, &f);
    frame_merge_end(&f, out);
    return 0;
}

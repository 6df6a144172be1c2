/* SPDX-License-Identifier: MIT */
/*
 * Frames of a device that merges nothing itself; see merge.h. While a merged frame is open, the
 * next one is read with its headers aside and its payload where it would continue: if it does,
 * nothing is copied. If it does not, it is put together for the next call, when the core has taken
 * what stands in its place.
 * A ring's frames come from a batch that was read before anybody knew what they are. Their payload
 * is copied to its place while it is summed, which costs little more than the sum.
 */
#include "daemon/netdev/merge.h"

#include <errno.h>
#include <string.h>
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

/*
 * Read one more, and let it join. False: nothing more came, or another frame waits now. It is read
 * so that its payload lies where it would continue: over the last bytes of what is there, which are
 * put back when its headers have been taken out. One read(2) of one piece costs less than readv(2).
 */
static bool read_more(struct merge *m, int fd, struct frame_merge *f)
{
    uint8_t *end = f->frame + f->len, *at = end - f->headers_len, last[sizeof(m->headers)];
    ssize_t n;

    memcpy(last, at, f->headers_len);
    n = read(fd, at, NETDEV_FRAME_MAX);
    if (n <= 0) {
        m->drained = n < 0 && errno == EAGAIN; /* what else it is, the next read will say */
        return false;
    }
    memcpy(m->headers, at, f->headers_len);
    memcpy(at, last, f->headers_len);
    if (n > (ssize_t)f->headers_len && frame_merge_add(f, m->headers, (uint32_t)n - f->headers_len))
        return true;
    m->waiting = (uint32_t)n;
    m->split = f->headers_len;
    m->at = end;
    return false;
}

static int merge_single(struct merge *m, int fd, struct frame *out)
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

/* --- out of a batch ----------------------------------------------------------------------------
 */

static int next_of_batch(struct merge *m, uint8_t **frame)
{
    int n;

    if (m->drained) {
        m->drained = false;
        return -EAGAIN;
    }
    n = uring_read(m->uring, frame);
    return n == -EBADFD ? -ENODEV : n;
}

static bool join_next(struct merge *m, struct frame_merge *f)
{
    uint8_t *frame;
    int n = uring_read(m->uring, &frame);

    if (n < 0) {
        m->drained = n == -EAGAIN; /* what else it is, the next read will say */
        return false;
    }
    if (frame_merge_copy(f, frame, (uint32_t)n))
        return true;
    uring_unread(m->uring);
    return false;
}

static int merge_batch(struct merge *m, struct frame *out)
{
    struct frame_merge f;
    uint8_t *frame;
    int n = next_of_batch(m, &frame);

    if (n < 0)
        return n;
    if (frame_merge_begin(&f, frame, (uint32_t)n)) {
        f.frame = memcpy(m->buffer + ALIGN, frame, (uint32_t)n);
        while (f.open && join_next(m, &f))
            ;
    }
    frame_merge_end(&f, out);
    return 0;
}

int merge_read(struct merge *m, int fd, struct frame *out)
{
    return m->uring ? merge_batch(m, out) : merge_single(m, fd, out);
}

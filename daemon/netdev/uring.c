/* SPDX-License-Identifier: MIT */
/*
 * Reads and writes in batches; see uring.h. A batch is prepared, submitted and reaped by one
 * io_uring_enter(2): with RWF_NOWAIT each operation is carried out within the call, one behind the
 * other, or is -EAGAIN at once (O_NONBLOCK alone would wait in the kernel for the file to become
 * ready). How many reads a batch has follows how many frames the last one found; a single frame is
 * a plain read(2) or write(2), which costs less.
 */
#include "daemon/netdev/uring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALIGN     2  /* fourteen bytes of Ethernet, then an aligned IP header */
#define LINE      64 /* of the cache */
#define THE_FILE  0  /* the only one registered */
#define SLOTS_MAX (512 * 1024)
#define BATCH_MIN 16 /* reads */
#define SINGLES   8

struct uring {
    struct io_uring ring;
    int fd;
    unsigned batch;              /* URING_BATCH, or fewer large ones */
    uint32_t slot;               /* bytes from one slot to the next */
    uint32_t most;               /* of a frame */
    bool broken;                 /* the kernel took less than a batch: single calls from then on */
    uint8_t *memory;             /* slots to read into, then slots to write from */
    int32_t result[URING_BATCH]; /* of the operations of one batch, until the next */

    unsigned want;       /* reads of the next batch */
    unsigned singles;    /* reads one by one that found a frame, in a row */
    unsigned next, have; /* frames that were read: the next one, and their number */
    struct {
        unsigned slot;
        int len;
    } read[URING_BATCH];
    bool drained; /* the last read found nothing: said once, then asked again */
    int error;    /* another reason why reading ended, not yet told; 0: none */

    unsigned gathered; /* frames to be written */
    uint32_t len[URING_BATCH];
    struct netdev_flushed flushed; /* since uring_flush */
};

static uint8_t *in_slot(const struct uring *u, unsigned i)
{
    return u->memory + (size_t)i * u->slot + ALIGN;
}

static uint8_t *out_slot(const struct uring *u, unsigned i)
{
    return u->memory + (size_t)(u->batch + i) * u->slot + ALIGN;
}

/* --- a batch -----------------------------------------------------------------------------------
 */

static struct io_uring_sqe *prepare(struct uring *u, unsigned i)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring); /* there are as many as a batch has */

    u->result[i] = -EAGAIN;
    return sqe;
}

static void finish(struct io_uring_sqe *sqe, unsigned i)
{
    sqe->rw_flags = RWF_NOWAIT;
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->user_data = i;
}

static unsigned submit(struct uring *u, unsigned n)
{
    unsigned done = 0;

    while (done < n) {
        int rc = io_uring_submit(&u->ring);

        if (rc <= 0 && rc != -EINTR)
            break;
        done += rc > 0 ? (unsigned)rc : 0;
    }
    return done;
}

/* Carry out the n operations that were prepared; result[i] is what read(2) or write(2) would say.
 */
static void carry_out(struct uring *u, unsigned n)
{
    unsigned left = submit(u, n), head, seen;
    struct io_uring_cqe *cqe;

    u->broken |= left < n; /* what it did not take lies in its queue still: never again */
    while (left > 0) {
        int rc = io_uring_wait_cqe(&u->ring, &cqe); /* they are there already */

        if (rc < 0 && rc != -EINTR) {
            u->broken = true;
            return;
        }
        seen = 0;
        io_uring_for_each_cqe(&u->ring, head, cqe)
        {
            u->result[cqe->user_data] = cqe->res;
            seen++;
        }
        io_uring_cq_advance(&u->ring, seen);
        left -= seen;
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void read_one(struct uring *u)
{
    ssize_t n = read(u->fd, in_slot(u, 0), u->most);

    u->result[0] = n < 0 ? -errno : (int32_t)n;
}

static void read_many(struct uring *u, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = prepare(u, i);

        io_uring_prep_read(sqe, THE_FILE, in_slot(u, i), u->most, (uint64_t)-1);
        finish(sqe, i);
    }
    carry_out(u, n);
}

/* How many, after n were tried. A batch that finds nothing costs more than a call that does, so it
 * takes a few frames in a row to begin with. */
static unsigned want_next(struct uring *u, unsigned n)
{
    if (u->have < n) {
        u->singles = 0;
        return u->have < BATCH_MIN ? 1 : u->have;
    }
    if (n == 1 && ++u->singles < SINGLES)
        return 1;
    u->singles = 0;
    n = n < BATCH_MIN ? BATCH_MIN : 2 * n;
    return n < u->batch ? n : u->batch;
}

/* A frame that came while the batch was under way may lie behind a read that found nothing. */
static void read_batch(struct uring *u)
{
    unsigned n = u->broken ? 1 : u->want;

    if (n == 1)
        read_one(u);
    else
        read_many(u, n);
    u->next = u->have = 0;
    for (unsigned i = 0; i < n; i++) {
        int32_t r = u->result[i];

        if (r >= 0) {
            u->read[u->have].slot = i;
            u->read[u->have++].len = r;
        } else if (r != -EAGAIN && r != -EINTR) {
            u->error = r;
        }
    }
    u->drained = u->have < n;
    u->want = want_next(u, n);
}

int uring_read(struct uring *u, uint8_t **frame)
{
    int error;

    if (u->next == u->have && !u->drained)
        read_batch(u);
    if (u->next == u->have) {
        error = u->error ? u->error : -EAGAIN;
        u->drained = false;
        u->error = 0;
        return error;
    }
    *frame = in_slot(u, u->read[u->next].slot);
    return u->read[u->next++].len;
}

void uring_unread(struct uring *u)
{
    u->next--;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static bool is_back_pressure(int32_t r)
{
    return r == -EAGAIN || r == -EINTR || r == -ENOBUFS || r == -ENOMEM;
}

/* In order, and nothing behind one that has to wait. */
static void write_singly(struct uring *u, unsigned n)
{
    bool waits = false;

    for (unsigned i = 0; i < n; i++) {
        ssize_t done = waits ? 0 : write(u->fd, out_slot(u, i), u->len[i]);

        u->result[i] = waits ? -EAGAIN : done < 0 ? -errno : (int32_t)done;
        waits = waits || is_back_pressure(u->result[i]);
    }
}

static void write_many(struct uring *u, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct io_uring_sqe *sqe = prepare(u, i);

        io_uring_prep_write(sqe, THE_FILE, out_slot(u, i), u->len[i], (uint64_t)-1);
        finish(sqe, i);
    }
    carry_out(u, n);
}

/* What has to wait moves to the front. */
static void keep(struct uring *u, unsigned i)
{
    unsigned to = u->gathered++;

    if (to == i)
        return;
    memcpy(out_slot(u, to), out_slot(u, i), u->len[i]);
    u->len[to] = u->len[i];
}

static void write_batch(struct uring *u)
{
    unsigned n = u->gathered;

    if (n == 1 || u->broken)
        write_singly(u, n);
    else
        write_many(u, n);
    u->gathered = 0;
    for (unsigned i = 0; i < n; i++) {
        int32_t r = u->result[i];

        if (is_back_pressure(r)) {
            keep(u, i);
        } else if (r < 0) {
            u->flushed.lost++;
            u->flushed.why = r;
        }
    }
    u->flushed.waiting = u->gathered > 0;
}

int uring_write(struct uring *u, const struct frame *f)
{
    if (frame_total(f) > u->most)
        return -EMSGSIZE;
    if (u->flushed.waiting)
        write_batch(u);
    if (u->flushed.waiting)
        return -EAGAIN;
    frame_flatten(f, out_slot(u, u->gathered));
    u->len[u->gathered++] = frame_total(f);
    if (!f->more || u->gathered == u->batch)
        write_batch(u);
    return 0;
}

bool uring_holds(const struct uring *u)
{
    return u->gathered > 0;
}

void uring_flush(struct uring *u, struct netdev_flushed *out)
{
    if (u->gathered > 0)
        write_batch(u);
    *out = u->flushed;
    u->flushed = (struct netdev_flushed){.waiting = out->waiting};
}

/* --- life --------------------------------------------------------------------------------------
 */

/* As long as the ring is disabled. (io_uring_register_restrictions(3) and io_uring_enable_rings(3)
 * are missing in the shared library of liburing 2.3.) */
static int restrict_to(const struct io_uring *ring, int fd)
{
    struct io_uring_restriction rules[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_FIXED_FILE},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED, .sqe_flags = IOSQE_FIXED_FILE},
    };
    int rc = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_FILES, &fd, 1);

    if (rc == 0)
        rc = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_RESTRICTIONS, rules,
                               sizeof(rules) / sizeof(rules[0]));
    if (rc == 0)
        rc = io_uring_register((unsigned)ring->ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
    return rc;
}

/* Does this kind of file take RWF_NOWAIT? It finds nothing, or a frame that is lost. */
static int probe(struct uring *u)
{
    int32_t r;

    read_many(u, 1);
    r = u->result[0];
    return u->broken ? -EIO : r >= 0 || r == -EAGAIN ? 0 : r;
}

static int make(struct uring *u)
{
    int rc = io_uring_queue_init(URING_BATCH, &u->ring, IORING_SETUP_R_DISABLED);

    if (rc < 0)
        return rc;
    rc = restrict_to(&u->ring, u->fd);
    if (rc == 0)
        rc = probe(u);
    if (rc < 0)
        io_uring_queue_exit(&u->ring);
    return rc;
}

/* Written once: no page is missing later, and valgrind does not know what a ring reads. */
static uint8_t *slots(const struct uring *u)
{
    size_t n = 2 * (size_t)u->batch * u->slot;
    uint8_t *memory = aligned_alloc(LINE, n);

    return memory ? memset(memory, 0, n) : NULL;
}

int uring_open(int fd, uint32_t frame_max, struct uring **out)
{
    struct uring *u = calloc(1, sizeof(*u));
    int rc;

    if (!u)
        return -ENOMEM;
    u->fd = fd;
    u->most = frame_max;
    u->want = 1;
    u->slot = (frame_max + ALIGN + LINE - 1) / LINE * LINE;
    u->batch = SLOTS_MAX / 2 / u->slot;
    u->batch = u->batch < 1 ? 1 : u->batch > URING_BATCH ? URING_BATCH : u->batch;
    u->memory = slots(u);
    rc = u->memory ? make(u) : -ENOMEM;
    if (rc < 0) {
        free(u->memory);
        free(u);
        return rc;
    }
    *out = u;
    return 0;
}

void uring_close(struct uring *u)
{
    if (!u)
        return;
    io_uring_queue_exit(&u->ring);
    free(u->memory);
    free(u);
}

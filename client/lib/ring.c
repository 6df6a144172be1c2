/* SPDX-License-Identifier: MIT */
/*
 * The program's side of a shared ring; ipc/ring.h says what the words mean. Nothing here is secret
 * from the daemon or hidden from it: what we get wrong is our own connection.
 */
#include "ipc/ring.h"

#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "ipc/native.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOAD(word)     __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, v) __atomic_store_n(&(word), v, __ATOMIC_RELEASE)
#define FULL_FENCE()   __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* What lies where, as of one generation. */
struct layout {
    uint32_t generation;
    uint32_t size[2];
    uint64_t boundary;
    uint64_t limit;
};

struct ts_ring {
    int fd, bell;
    uint8_t *map;
    struct ring_words *words;
    /* sending: */
    uint64_t committed;
    size_t reserved; /**< of the span that was given */
    bool shut;       /**< for sending */
    /* receiving: */
    uint64_t consumed;
    size_t peeked;
    uint8_t *early; /**< what had come by the descriptor before */
    size_t early_at, early_len;
    bool deaf;
};

/* --- attaching ---------------------------------------------------------------------------------
 */

static int ask_fd(uint16_t op, int fd, const void *body, size_t len)
{
    struct control_request rq = {.op = op, .fd = fd, .body = body, .len = len};
    struct control_reply rp = {.fd = -1};
    int r = control_result(control_call(&rq, &rp));

    return r < 0 ? r : rp.fd;
}

/* The bytes that were in the descriptor: no wake-up can be among them yet. */
static int read_early(struct ts_ring *r)
{
    int n = 0;

    if (LOAD(r->words->begun))
        return 0;
    if (ioctl(r->fd, FIONREAD, &n) < 0)
        return -errno;
    if (n > 0) {
        r->early = malloc((size_t)n);
        if (!r->early)
            return -ENOMEM;
    }
    while (r->early_len < (size_t)n) {
        struct iovec iov = {r->early + r->early_len, (size_t)n - r->early_len};
        struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t got = native_recvmsg(r->fd, &msg, MSG_DONTWAIT);

        if (got <= 0)
            break;
        r->early_len += (size_t)got;
    }
    STORE(r->words->begun, 1);
    return 0;
}

static int map_file(struct ts_ring *r, int file)
{
    r->map =
        mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    close(file);
    if (r->map == MAP_FAILED) {
        r->map = NULL;
        return -errno;
    }
    r->words = (struct ring_words *)r->map;
    r->committed = LOAD(r->words->committed);
    r->consumed = LOAD(r->words->consumed);
    return r->words->magic == RING_MAGIC ? 0 : -EPROTO;
}

static int attach(struct ts_ring *r)
{
    struct wire_ring want = {0};
    int file = ask_fd(WIRE_OP_RING_ATTACH, r->fd, &want, sizeof(want)), rc;

    if (file < 0)
        return file;
    rc = map_file(r, file);
    if (rc == 0) {
        r->bell = ask_fd(WIRE_OP_RING_BELL, r->fd, NULL, 0);
        rc = r->bell < 0 ? r->bell : read_early(r);
    }
    return rc;
}

struct ts_ring *ts_ring_attach(int fd)
{
    struct ts_ring *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return NULL;
    r->fd = fd;
    r->bell = -1;
    rc = control_kind(fd);
    if (rc >= 0)
        rc = attach(r);
    if (rc >= 0)
        return r;
    ts_ring_detach(r);
    errno = -rc;
    return NULL;
}

void ts_ring_detach(struct ts_ring *r)
{
    if (!r)
        return;
    if (r->map)
        munmap(r->map, RING_FILE_SIZE);
    if (r->bell >= 0)
        close(r->bell);
    free(r->early);
    free(r);
}

/* --- wake-ups ----------------------------------------------------------------------------------
 */

/* After a word has moved. The daemon needs to be told once: who tells it clears the word. */
static void ring_bell(struct ts_ring *r)
{
    static const uint64_t one = 1;

    FULL_FENCE();
    if (LOAD(r->words->sleeps) && __atomic_exchange_n(&r->words->sleeps, 0, __ATOMIC_SEQ_CST))
        (void)!write(r->bell, &one, sizeof(one));
}

/* Wake-ups of before. */
static void drain(struct ts_ring *r)
{
    char waste[64];
    struct iovec iov = {waste, sizeof(waste)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

    while (native_recvmsg(r->fd, &msg, MSG_DONTWAIT) == (ssize_t)sizeof(waste))
        ;
}

/* Ask for a wake-up: from here on, what becomes true is told. */
static void take_ticket(struct ts_ring *r, uint32_t what)
{
    uint32_t next = (LOAD(r->words->ticket) >> RING_FOR_BITS) + 1;

    STORE(r->words->ticket, (next << RING_FOR_BITS) | what);
    FULL_FENCE();
}

/* --- where bytes lie ---------------------------------------------------------------------------
 */

static void read_layout(const struct ring_way *w, struct layout *out)
{
    do {
        out->generation = LOAD(w->generation);
        out->size[0] = w->size[0];
        out->size[1] = w->size[1];
        out->boundary = w->boundary;
        out->limit = LOAD(w->limit);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((out->generation & 1) || LOAD(w->generation) != out->generation);
}

/* The contiguous part of [off, off + n). */
static uint8_t *locate(const struct ts_ring *r, uint64_t area, const struct layout *l, uint64_t off,
                       size_t *n)
{
    int which = off >= l->boundary;
    uint32_t size = l->size[which];
    uint64_t at, left;

    if (!size || size > RING_EXTENT_MAX) {
        *n = 0;
        return NULL;
    }
    at = off & (size - 1);
    left = size - at;
    if (!which && l->boundary - off < left)
        left = l->boundary - off;
    if (left < *n)
        *n = (size_t)left;
    return r->map + area + size + at;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static int fail(int error)
{
    errno = error;
    return -1;
}

static int send_error(const struct ts_ring *r)
{
    uint32_t state = LOAD(r->words->state);

    if (state & RING_ERROR)
        return LOAD(r->words->error) ? LOAD(r->words->error) : EPIPE;
    return r->shut ? EPIPE : 0;
}

ssize_t ts_ring_reserve(struct ts_ring *r, size_t want, void **span)
{
    struct layout l;
    int error = send_error(r);
    size_t n;

    if (error)
        return fail(error);
    do {
        read_layout(&r->words->send, &l);
        n = l.limit - r->committed < want ? (size_t)(l.limit - r->committed) : want;
        /* an idle ring's storage may be about to go: what we hold stays */
        STORE(r->words->held, r->committed + n);
        FULL_FENCE();
    } while (LOAD(r->words->send.generation) != l.generation);
    *span = n ? locate(r, RING_SEND_AREA, &l, r->committed, &n) : NULL;
    r->reserved = n;
    if (n)
        return (ssize_t)n;
    take_ticket(r, RING_FOR_SPACE | (LOAD(r->words->ticket) & RING_FOR_DATA));
    ring_bell(r);
    return want ? fail(EAGAIN) : 0;
}

int ts_ring_commit(struct ts_ring *r, size_t n, int flags)
{
    if (n > r->reserved)
        return fail(EINVAL);
    r->reserved = 0;
    r->committed += n;
    STORE(r->words->held, r->committed);
    __atomic_store_n(&r->words->more, (flags & MSG_MORE) != 0, __ATOMIC_RELAXED);
    STORE(r->words->committed, r->committed);
    ring_bell(r);
    return 0;
}

uint64_t ts_ring_unacked(const struct ts_ring *r)
{
    uint64_t acked = LOAD(r->words->send.acked);

    return acked < r->committed ? r->committed - acked : 0;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static ssize_t nothing_there(struct ts_ring *r)
{
    uint32_t state = LOAD(r->words->state);

    if (r->deaf)
        return 0;
    if (state & RING_EOF)
        return LOAD(r->words->recv.limit) == r->consumed ? 0 : fail(EAGAIN);
    if (state & RING_ERROR)
        return fail(LOAD(r->words->error) ? LOAD(r->words->error) : ECONNRESET);
    take_ticket(r, RING_FOR_DATA | (LOAD(r->words->ticket) & RING_FOR_SPACE));
    return fail(EAGAIN);
}

static size_t peek_ring(struct ts_ring *r, const void **span)
{
    struct layout l;
    size_t n;

    read_layout(&r->words->recv, &l);
    n = (size_t)(l.limit - r->consumed);
    *span = n ? locate(r, RING_RECV_AREA, &l, r->consumed, &n) : NULL;
    return n;
}

ssize_t ts_ring_peek(struct ts_ring *r, const void **span)
{
    ssize_t end;

    if (r->early_at < r->early_len) {
        *span = r->early + r->early_at;
        r->peeked = r->early_len - r->early_at;
        return (ssize_t)r->peeked;
    }
    r->peeked = peek_ring(r, span);
    if (r->peeked)
        return (ssize_t)r->peeked;
    end = nothing_there(r);
    if (end == 0 || errno != EAGAIN)
        return end;
    /* once more, behind the ticket */
    r->peeked = peek_ring(r, span);
    if (r->peeked)
        return (ssize_t)r->peeked;
    return nothing_there(r);
}

int ts_ring_consume(struct ts_ring *r, size_t n)
{
    if (n > r->peeked)
        return fail(EINVAL);
    r->peeked = 0;
    if (r->early_at < r->early_len) {
        r->early_at += n;
        return 0;
    }
    r->consumed += n;
    STORE(r->words->consumed, r->consumed);
    if (r->consumed >= LOAD(r->words->tell_at))
        ring_bell(r);
    return 0;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static int ready(struct ts_ring *r, int events)
{
    uint32_t state = LOAD(r->words->state);
    int now = 0;

    if ((events & POLLIN) &&
        (r->early_at < r->early_len || r->deaf || LOAD(r->words->recv.limit) != r->consumed ||
         (state & (RING_EOF | RING_ERROR))))
        now |= POLLIN;
    if ((events & POLLOUT) &&
        (r->shut || (state & RING_ERROR) || LOAD(r->words->send.limit) > r->committed))
        now |= POLLOUT;
    return now;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int ts_ring_wait(struct ts_ring *r, int events, int timeout)
{
    int64_t until = timeout < 0 ? 0 : now_ms() + timeout;
    int now = ready(r, events);

    while (!now) {
        struct pollfd p = {.fd = r->fd, .events = POLLIN};
        int64_t left = timeout < 0 ? -1 : until - now_ms();

        drain(r);
        take_ticket(r, ((events & POLLIN) ? RING_FOR_DATA : 0) |
                           ((events & POLLOUT) ? RING_FOR_SPACE : 0));
        if (events & POLLOUT)
            ring_bell(r);
        now = ready(r, events);
        if (now || (timeout >= 0 && left <= 0))
            break;
        if (poll(&p, 1, (int)left) < 0)
            return -1;
        now = ready(r, events);
        /* the daemon has gone without a word */
        if (!now && (p.revents & (POLLHUP | POLLERR))) {
            if (!(LOAD(r->words->state) & (RING_ERROR | RING_EOF))) {
                STORE(r->words->error, ECONNRESET);
                STORE(r->words->state, LOAD(r->words->state) | RING_ERROR);
            }
            now = events & (POLLIN | POLLOUT);
        }
    }
    return now;
}

static bool waits(const struct ts_ring *r, int flags)
{
    return !(flags & MSG_DONTWAIT) && !(fcntl(r->fd, F_GETFL) & O_NONBLOCK);
}

/* --- with one copy -----------------------------------------------------------------------------
 */

ssize_t ts_ring_send(struct ts_ring *r, const void *data, size_t len, int flags)
{
    size_t done = 0;

    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_ZEROCOPY))
        return fail(EOPNOTSUPP);
    while (done < len) {
        void *span;
        ssize_t n = ts_ring_reserve(r, len - done, &span);

        if (n > 0) {
            memcpy(span, (const uint8_t *)data + done, (size_t)n);
            done += (size_t)n;
            /* the rest follows at once where only the end of an extent came between */
            (void)ts_ring_commit(r, (size_t)n,
                                 done < len && LOAD(r->words->send.limit) > r->committed + (size_t)n
                                     ? MSG_MORE
                                     : flags);
        } else if (errno != EAGAIN || !waits(r, flags) || ts_ring_wait(r, POLLOUT, -1) < 0) {
            return done ? (ssize_t)done : -1;
        }
    }
    return (ssize_t)done;
}

ssize_t ts_ring_recv(struct ts_ring *r, void *data, size_t len, int flags)
{
    size_t done = 0;

    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_PEEK | MSG_WAITALL))
        return fail(EOPNOTSUPP);
    while (done < len) {
        const void *span;
        ssize_t n = ts_ring_peek(r, &span);

        if (n > 0) {
            size_t take = (size_t)n < len - done ? (size_t)n : len - done;

            memcpy((uint8_t *)data + done, span, take);
            if (flags & MSG_PEEK)
                return (ssize_t)take;
            (void)ts_ring_consume(r, take);
            done += take;
        } else if (n == 0 || (done && !(flags & MSG_WAITALL))) {
            break;
        } else if (errno != EAGAIN || !waits(r, flags) || ts_ring_wait(r, POLLIN, -1) < 0) {
            return done ? (ssize_t)done : -1;
        }
    }
    return (ssize_t)done;
}

int ts_ring_shutdown(struct ts_ring *r, int how)
{
    uint32_t ask = how == SHUT_WR ? RING_SHUT_WR : how == SHUT_RD ? RING_SHUT_RD : 0;

    if (how == SHUT_RDWR)
        ask = RING_SHUT_WR | RING_SHUT_RD;
    if (!ask)
        return fail(EINVAL);
    r->shut |= (ask & RING_SHUT_WR) != 0;
    r->deaf |= (ask & RING_SHUT_RD) != 0;
    __atomic_fetch_or(&r->words->ask, ask, __ATOMIC_RELEASE);
    ring_bell(r);
    return 0;
}

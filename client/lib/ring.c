/* SPDX-License-Identifier: MIT */
/*
 * The program's side of a shared ring; ipc/ring.h says what the words mean. Nothing here is secret
 * from the daemon or hidden from it: what we get wrong is our own connection.
 *
 * Wake-ups come by the descriptor, and whoever reads them takes them from the others. So one thread
 * at a time watches it (`watched`); the others wait for the next `turn`, and look again then.
 */
#include "client/include/tapstack.h"
#include "client/lib/control.h"
#include "client/lib/ring_internal.h"
#include "ipc/native.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What lies where, as of one generation. */
struct layout {
    uint32_t generation;
    uint32_t size[2];
    uint64_t boundary;
    uint64_t limit;
};

/* A process knows by this that it is a child, without asking the kernel each time. */
static unsigned forks;
static pthread_once_t counting = PTHREAD_ONCE_INIT;

static void count_fork(void)
{
    forks++;
}

static void count_forks(void)
{
    (void)pthread_atfork(NULL, NULL, count_fork);
}

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
    uint32_t begun = LOAD(r->words->begun);
    int n = 0;

    if (begun) /* another holder has them, in memory of its own */
        return begun == RING_EARLY_MOVED ? -EBUSY : 0;
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
    STORE(r->words->begun, r->early_len ? RING_EARLY_MOVED : RING_EARLY_DONE);
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
    r->due_at = UINT64_MAX;
    (void)pthread_once(&counting, count_forks);
    r->forks = forks;
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
    if (r->reserved) /* else an idle ring's storage would be kept for it */
        STORE(r->words->held, r->committed);
    if (r->map)
        munmap(r->map, RING_FILE_SIZE);
    if (r->bell >= 0)
        close(r->bell);
    free(r->early);
    zerocopy_free(&r->zerocopy);
    free(r);
}

/* --- wake-ups ----------------------------------------------------------------------------------
 */

/* After a word has moved. The daemon needs to be told once: who tells it clears the word. */
static void ring_bell(const struct ts_ring *r)
{
    static const uint64_t one = 1;

    FULL_FENCE();
    if (LOAD(r->words->sleeps) && __atomic_exchange_n(&r->words->sleeps, 0, __ATOMIC_SEQ_CST))
        (void)!write(r->bell, &one, sizeof(one));
}

static void look_for_the_daemon(struct ts_ring *r)
{
    struct pollfd p = {.fd = r->fd};

    if (poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR | POLLNVAL)))
        STORE(r->gone, true);
}

/* Wake-ups of before are taken away. */
static void drain(struct ts_ring *r)
{
    char waste[64];
    struct iovec iov = {waste, sizeof(waste)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n;

    STORE(r->asked, false);
    while ((n = native_recvmsg(r->fd, &msg, MSG_DONTWAIT)) == (ssize_t)sizeof(waste))
        ;
    if (n > 0 || (n < 0 && errno == EAGAIN))
        return;
    STORE(r->ended, true);
    look_for_the_daemon(r);
}

/* Ask for a wake-up: from here on, what becomes true is told. Another thread's wish stays. */
static void take_ticket(struct ts_ring *r, uint32_t what)
{
    uint32_t old, next;

    __atomic_or_fetch(&r->wanted, what, __ATOMIC_SEQ_CST);
    STORE(r->asked, true);
    old = LOAD(r->words->ticket);
    do
        next = (((old >> RING_FOR_BITS) + 1) << RING_FOR_BITS) | LOAD(r->wanted);
    while (!__atomic_compare_exchange_n(&r->words->ticket, &old, next, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    FULL_FENCE();
    if ((what & RING_FOR_SPACE) || (next & RING_FOR_ACKS))
        ring_bell(r); /* a daemon that sleeps does not say so */
}

/* It is here. */
void ring_satisfied(struct ts_ring *r, uint32_t what)
{
    if (LOAD(r->wanted) & what)
        __atomic_and_fetch(&r->wanted, ~what, __ATOMIC_SEQ_CST);
}

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

/* The others look again. */
static void next_turn(struct ts_ring *r)
{
    __atomic_add_fetch(&r->turn, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&r->waiting, __ATOMIC_SEQ_CST))
        futex(&r->turn, FUTEX_WAKE, INT32_MAX, NULL);
}

/* True: the descriptor is ours, until stop_watching(). */
static bool watch(struct ts_ring *r)
{
    if (r->forks != forks) { /* the thread that had it is not here */
        r->forks = forks;
        r->waiting = 0;
        STORE(r->watched, 0);
    }
    return __atomic_exchange_n(&r->watched, 1, __ATOMIC_SEQ_CST) == 0;
}

static void stop_watching(struct ts_ring *r)
{
    STORE(r->watched, 0);
    next_turn(r);
}

/* For who polls the descriptor by himself: it is readable from here on only by what is to come. */
void ring_ask(struct ts_ring *r, uint32_t what)
{
    bool ours = watch(r);

    if (ours && LOAD(r->asked))
        drain(r);
    take_ticket(r, what);
    if (LOAD(r->wanted) & RING_FOR_SPACE & ~what)
        ring_bell(r); /* a wish that is carried on: perhaps its answer was just taken away */
    if (ours)
        stop_watching(r);
}

/* --- where bytes lie ---------------------------------------------------------------------------
 */

#define LAYOUT_TRIES 1000

/* False: the daemon died while it wrote it. */
static bool read_layout(struct ts_ring *r, const struct ring_way *w, struct layout *out)
{
    unsigned tries = 0;

    do {
        if (++tries % LAYOUT_TRIES == 0) {
            look_for_the_daemon(r);
            if (LOAD(r->gone)) {
                r->torn = true;
                return false;
            }
            sched_yield();
        }
        out->generation = LOAD(w->generation);
        out->size[0] = w->size[0];
        out->size[1] = w->size[1];
        out->boundary = w->boundary;
        out->limit = LOAD(w->limit);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((out->generation & 1) || LOAD(w->generation) != out->generation);
    return true;
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

static int send_error(const struct ts_ring *r)
{
    bool gone = LOAD(r->gone);
    uint32_t state = LOAD(r->words->state);

    if (state & RING_ERROR)
        return LOAD(r->words->error) ? LOAD(r->words->error) : EPIPE;
    if (gone && !(state & RING_EOF))
        return ECONNRESET;
    return r->shut || gone ? EPIPE : 0;
}

/* As much of `want` as there is room for, held against being given back. */
static size_t hold(struct ts_ring *r, size_t want, struct layout *l)
{
    size_t n;

    do {
        if (!read_layout(r, &r->words->send, l))
            return 0;
        /* an idle ring's limit falls for a moment, and what we have committed since may be above it
         */
        n = l->limit > r->committed ? (size_t)(l->limit - r->committed) : 0;
        n = n < want ? n : want;
        STORE(r->words->held, r->committed + n);
        FULL_FENCE();
    } while (LOAD(r->words->send.generation) != l->generation);
    return n;
}

ssize_t ts_ring_reserve(struct ts_ring *r, size_t want, void **span)
{
    struct layout l;
    int error = send_error(r);
    size_t n;

    r->reserved = 0;
    if (error)
        return ring_fail(error);
    n = hold(r, want, &l);
    if (!n && want) {
        ring_ask(r, RING_FOR_SPACE);
        n = hold(r, want, &l); /* once more, behind the ticket */
        error = send_error(r);
        if (!n)
            return ring_fail(error ? error : EAGAIN);
    }
    ring_satisfied(r, RING_FOR_SPACE);
    *span = n ? locate(r, RING_SEND_AREA, &l, r->committed, &n) : NULL;
    r->reserved = n;
    return (ssize_t)n;
}

int ring_commit(struct ts_ring *r, size_t n, int flags)
{
    if (n && r->shut)
        return ring_fail(EPIPE);
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

    if (acked >= r->committed)
        return 0;
    ring_bell(r); /* a daemon that sleeps does not say what was acknowledged */
    return r->committed - acked;
}

/* --- receiving ---------------------------------------------------------------------------------
 */

enum { LOOK_AGAIN = 1 };

static ssize_t nothing_there(struct ts_ring *r)
{
    bool gone = LOAD(r->gone);
    uint32_t state = LOAD(r->words->state);

    /* the state was read first: what it ends is below the limit that is read now */
    if (LOAD(r->words->recv.limit) != r->consumed && !r->torn)
        return LOOK_AGAIN;
    if (state & RING_EOF)
        return 0;
    if (state & RING_ERROR)
        return ring_fail(LOAD(r->words->error) ? LOAD(r->words->error) : ECONNRESET);
    return ring_fail(gone ? ECONNRESET : EAGAIN);
}

static size_t peek_ring(struct ts_ring *r, const void **span)
{
    struct layout l;
    size_t n;

    if (!read_layout(r, &r->words->recv, &l))
        return 0;
    n = (size_t)(l.limit - r->consumed);
    *span = n ? locate(r, RING_RECV_AREA, &l, r->consumed, &n) : NULL;
    return n;
}

ssize_t ts_ring_peek(struct ts_ring *r, const void **span)
{
    bool asked = false;
    ssize_t end;

    r->peeked = 0;
    if (r->deaf)
        return 0;
    if (r->early_at < r->early_len) {
        *span = r->early + r->early_at;
        r->peeked = r->early_len - r->early_at;
        return (ssize_t)r->peeked;
    }
    while ((r->peeked = peek_ring(r, span)) == 0) {
        end = nothing_there(r);
        if (end == LOOK_AGAIN)
            continue;
        if (end == 0 || errno != EAGAIN || asked)
            return end;
        ring_ask(r, RING_FOR_DATA); /* and once more, behind the ticket */
        asked = true;
    }
    ring_satisfied(r, RING_FOR_DATA);
    return (ssize_t)r->peeked;
}

static void consume_early(struct ts_ring *r, size_t n)
{
    r->early_at += n;
    if (r->early_at == r->early_len)
        STORE(r->words->begun, RING_EARLY_DONE);
}

int ts_ring_consume(struct ts_ring *r, size_t n)
{
    if (n > r->peeked)
        return ring_fail(EINVAL);
    r->peeked = 0;
    if (r->early_at < r->early_len) {
        consume_early(r, n);
        return 0;
    }
    r->consumed += n;
    STORE(r->words->consumed, r->consumed);
    FULL_FENCE();
    if (r->consumed >= LOAD(r->words->tell_at))
        ring_bell(r);
    return 0;
}

/* --- waiting -----------------------------------------------------------------------------------
 */

bool ring_has_bytes(const struct ts_ring *r)
{
    return r->early_at < r->early_len || LOAD(r->words->recv.limit) != r->consumed;
}

static int ready(struct ts_ring *r, int events)
{
    bool gone = LOAD(r->gone);
    uint32_t state = LOAD(r->words->state);
    int now = 0;

    if ((events & POLLIN) &&
        (r->deaf || gone || (state & (RING_EOF | RING_ERROR)) || ring_has_bytes(r)))
        now |= POLLIN;
    if ((events & POLLERR) && ring_acked_or_dead(r) >= LOAD(r->due_at))
        now |= POLLERR;
    if ((events & POLLOUT) &&
        (r->shut || gone || (state & RING_ERROR) || LOAD(r->words->send.limit) > r->committed))
        now |= POLLOUT;
    return now;
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* No wake-up comes by a descriptor that has its end already: look again so often. */
#define BLIND_MS 1

/*
 * Until the descriptor says something, or the time is over. What is in it from before is taken away
 * the second time only: mostly there is nothing, and otherwise it makes one look in vain.
 */
static int watch_it(struct ts_ring *r, int events, uint32_t what, int left, bool again)
{
    struct pollfd p = {.fd = r->fd, .events = POLLIN};

    if (again)
        drain(r);
    take_ticket(r, what);
    if (__atomic_load_n(&r->waiting, __ATOMIC_SEQ_CST))
        next_turn(r); /* that may have been another's wake-up */
    if (ready(r, events))
        return 0;
    if (LOAD(r->ended)) {
        p.events = 0;
        left = left < 0 || left > BLIND_MS ? BLIND_MS : left;
    }
    if (poll(&p, 1, left) < 0)
        return -1;
    if (p.revents & (POLLHUP | POLLERR | POLLNVAL))
        STORE(r->gone, true);
    return 0;
}

/* Another thread watches: until it is the next one's turn. */
static int wait_for_turn(struct ts_ring *r, uint32_t turn, int events, uint32_t what, int left)
{
    struct timespec t = {left / 1000, left % 1000 * 1000000L};
    long rc = 0;

    __atomic_add_fetch(&r->waiting, 1, __ATOMIC_SEQ_CST);
    take_ticket(r, what);
    if (!ready(r, events))
        rc = futex(&r->turn, FUTEX_WAIT, turn, left < 0 ? NULL : &t);
    __atomic_sub_fetch(&r->waiting, 1, __ATOMIC_SEQ_CST);
    return rc < 0 && errno == EINTR ? -1 : 0;
}

static uint32_t wishes(int events)
{
    return ((events & POLLIN) ? RING_FOR_DATA : 0) | ((events & POLLOUT) ? RING_FOR_SPACE : 0) |
           ((events & POLLERR) ? RING_FOR_ACKS : 0);
}

int ts_ring_wait(struct ts_ring *r, int events, int timeout)
{
    uint32_t what = wishes(events);
    int64_t until = timeout < 0 ? INT64_MAX : now_ms() + timeout;
    int now, left = timeout, rc;
    bool again = false;

    while (!(now = ready(r, events))) {
        uint32_t turn = __atomic_load_n(&r->turn, __ATOMIC_SEQ_CST);

        if (watch(r)) {
            rc = watch_it(r, events, what, left, again);
            again = true;
            stop_watching(r);
        } else {
            rc = wait_for_turn(r, turn, events, what, left);
        }
        if (rc < 0)
            return -1;
        if (timeout < 0)
            continue;
        if (now_ms() >= until)
            return ready(r, events);
        left = (int)(until - now_ms());
        left = left < 0 ? 0 : left;
    }
    ring_satisfied(r, wishes(now));
    return now;
}

int ts_ring_shutdown(struct ts_ring *r, int how)
{
    uint32_t ask = how == SHUT_WR ? RING_SHUT_WR : how == SHUT_RD ? RING_SHUT_RD : 0;

    if (how == SHUT_RDWR)
        ask = RING_SHUT_WR | RING_SHUT_RD;
    if (!ask)
        return ring_fail(EINVAL);
    r->shut |= (ask & RING_SHUT_WR) != 0;
    r->deaf |= (ask & RING_SHUT_RD) != 0;
    __atomic_fetch_or(&r->words->ask, ask, __ATOMIC_RELEASE);
    ring_bell(r);
    return 0;
}

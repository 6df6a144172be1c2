/* SPDX-License-Identifier: MIT */
/* The library's side of a shared ring; the daemon's words are written by the test. */
#include "tests/unit/client/fake_daemon.h"

#include "client/include/tapstack.h"
#include "ipc/ring.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 65536u

static struct {
    int fd, end, file, bell;
    uint8_t *map;
    struct ring_words *w;
    struct ts_ring *ring;
} t;

#define W(word)       __atomic_load_n(&t.w->word, __ATOMIC_SEQ_CST)
#define SET(word, to) __atomic_store_n(&t.w->word, to, __ATOMIC_SEQ_CST)

static bool give_ring(struct fake_daemon *d, const struct fake_request *rq)
{
    (void)d;
    if (rq->hdr.op != WIRE_OP_RING_ATTACH && rq->hdr.op != WIRE_OP_RING_BELL)
        return false;
    fake_daemon_reply(rq, 0, NULL, 0, rq->hdr.op == WIRE_OP_RING_ATTACH ? t.file : t.bell);
    return true;
}

/* A connection, and the daemon's side of its ring: nothing sent, nothing received, no room. */
static void prepare(struct fake_daemon *d)
{
    t.fd = ts_socket(AF_INET, SOCK_STREAM, 0);
    assert_true(t.fd >= 0);
    t.end = d->ends[d->n_ends - 1];
    t.file = memfd_create("ring", MFD_CLOEXEC);
    t.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(t.file >= 0 && t.bell >= 0);
    assert_int_equal(ftruncate(t.file, RING_FILE_SIZE), 0);
    t.map = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, t.file, 0);
    assert_true(t.map != MAP_FAILED);
    t.w = (struct ring_words *)t.map;
    t.w->magic = RING_MAGIC;
    t.w->send = t.w->recv = (struct ring_way){.size = {SIZE, 0}, .boundary = UINT64_MAX};
    t.w->tell_at = UINT64_MAX;
    d->hook = give_ring;
}

static int setup(void **state)
{
    fake_daemon_start(state);
    prepare(*state);
    t.ring = ts_ring_attach(t.fd);
    assert_non_null(t.ring);
    return 0;
}

static void close_end(void)
{
    close(t.end);
    t.end = -1;
}

static int teardown(void **state)
{
    ts_ring_detach(t.ring);
    munmap(t.map, RING_FILE_SIZE);
    close(t.file);
    close(t.bell);
    close(t.fd);
    ((struct fake_daemon *)*state)->n_ends = 0;
    if (t.end >= 0)
        close_end();
    return fake_daemon_stop(state);
}

static void arrive(uint64_t n)
{
    for (uint64_t off = W(recv.limit); n; n--, off++) {
        t.map[RING_RECV_AREA + SIZE + (off & (SIZE - 1))] = (uint8_t)off;
        SET(recv.limit, off + 1);
    }
}

static bool rung(void)
{
    uint64_t n;

    return read(t.bell, &n, sizeof(n)) == sizeof(n);
}

/* As the daemon does: one byte for a ticket that asks for it. */
static uint32_t answered;

static bool wake(uint32_t what)
{
    uint32_t ticket = W(ticket);

    if (ticket == answered || !(ticket & what))
        return false;
    answered = ticket;
    assert_int_equal(send(t.end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL), 1);
    return true;
}

static bool readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

static int64_t now_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- sending -----------------------------------------------------------------------------------
 */

static void no_room_is_eagain_with_a_ticket_and_a_bell(void **state)
{
    void *span;

    (void)state;
    SET(sleeps, 1);
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(W(ticket) & RING_FOR_SPACE);
    assert_false(W(ticket) & RING_FOR_DATA);
    assert_true(rung());
    assert_int_equal(ts_ring_reserve(t.ring, 0, &span), 0);
}

/* The limit of an idle ring falls to what the daemon has taken, on trial. */
static void a_limit_below_what_is_committed_is_no_room(void **state)
{
    void *span;

    (void)state;
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_send(t.ring, "0123456789", 10, 0), 10);
    SET(send.limit, 0);
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(W(held), 10);
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), 10);
    assert_ptr_not_equal(span, NULL);
    assert_int_equal(W(held), 20);
}

static void nothing_is_committed_after_shutdown(void **state)
{
    void *span;

    (void)state;
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), 10);
    assert_int_equal(ts_ring_commit(t.ring, 11, 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(ts_ring_shutdown(t.ring, SHUT_WR), 0);
    assert_int_equal(W(ask), RING_SHUT_WR);
    assert_int_equal(ts_ring_commit(t.ring, 10, 0), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(ts_ring_send(t.ring, "x", 1, 0), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(W(committed), 0);
}

static void who_asks_what_is_unacknowledged_wakes_the_daemon_to_say_it(void **state)
{
    (void)state;
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_send(t.ring, "0123456789", 10, 0), 10);
    SET(sleeps, 1);
    assert_int_equal(ts_ring_unacked(t.ring), 10);
    assert_true(rung());
    SET(send.acked, 10);
    SET(sleeps, 1);
    assert_int_equal(ts_ring_unacked(t.ring), 0);
    assert_false(rung());
}

/* --- completions -------------------------------------------------------------------------------
 */

static void zerocopy_send(const char *bytes)
{
    assert_int_equal(ts_ring_send(t.ring, bytes, strlen(bytes), MSG_ZEROCOPY), strlen(bytes));
}

static void zerocopy_commit(size_t n)
{
    void *span;

    assert_int_equal(ts_ring_reserve(t.ring, n, &span), n);
    assert_int_equal(ts_ring_commit(t.ring, n, MSG_ZEROCOPY), 0);
}

static void expect_completion(uint32_t first, uint32_t last, uint8_t code)
{
    struct sock_extended_err e = {.ee_errno = 99};

    assert_int_equal(ts_ring_recverr(t.ring, &e), 0);
    assert_int_equal(e.ee_errno, 0);
    assert_int_equal(e.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
    assert_int_equal(e.ee_info, first);
    assert_int_equal(e.ee_data, last);
    assert_int_equal(e.ee_code, code);
}

static void expect_none(void)
{
    struct sock_extended_err e;

    errno = 0;
    assert_int_equal(ts_ring_recverr(t.ring, &e), -1);
    assert_int_equal(errno, EAGAIN);
}

static void a_call_is_complete_when_its_last_byte_is_acknowledged(void **state)
{
    (void)state;
    SET(send.limit, 1000);
    expect_none();
    assert_int_equal(W(ticket), 0); /* there is nothing to ask for */
    assert_int_equal(ts_ring_send(t.ring, "unnumbered", 10, 0), 10);
    zerocopy_send("zero");
    zerocopy_send("one");
    zerocopy_commit(3);
    zerocopy_commit(0); /* has no number */
    assert_int_equal(ts_ring_send(t.ring, "", 0, MSG_ZEROCOPY), 0);
    SET(send.acked, 13);
    expect_none();
    SET(send.acked, 14);
    expect_completion(0, 0, SO_EE_CODE_ZEROCOPY_COPIED);
    expect_none();
    zerocopy_commit(5);
    SET(send.acked, 25);
    expect_completion(1, 1, SO_EE_CODE_ZEROCOPY_COPIED); /* not one range: other codes */
    expect_completion(2, 3, 0);
    expect_none();
}

static void who_finds_no_completion_asks_for_it_and_wakes_the_daemon(void **state)
{
    uint8_t b;

    (void)state;
    SET(send.limit, 1000);
    zerocopy_send("abc");
    zerocopy_send("def");
    SET(sleeps, 1);
    expect_none();
    assert_true(W(ticket) & RING_FOR_ACKS);
    assert_int_equal(W(ack_at), 3);
    assert_true(rung());
    assert_false(readable(t.fd));
    SET(sleeps, 1);
    assert_int_equal(ts_ring_recv(t.ring, &b, 1, MSG_DONTWAIT), -1);
    assert_int_equal(W(ticket) & 7, RING_FOR_DATA | RING_FOR_ACKS);
    assert_true(rung()); /* the daemon may have answered the one before */
    SET(send.acked, 3);
    assert_true(wake(RING_FOR_ACKS));
    assert_true(readable(t.fd));
    expect_completion(0, 0, SO_EE_CODE_ZEROCOPY_COPIED);
    assert_int_equal(W(ack_at), 6);
    assert_int_equal(ts_ring_recv(t.ring, &b, 1, MSG_DONTWAIT), -1);
    assert_int_equal(W(ticket) & 7, RING_FOR_DATA);
    assert_false(readable(t.fd));
}

static void *acknowledge_later(void *arg)
{
    while (!(W(ticket) & RING_FOR_ACKS))
        usleep(1000);
    SET(send.acked, W(ack_at));
    (void)wake(RING_FOR_ACKS);
    return arg;
}

static void waiting_for_a_completion_ends_with_it_or_with_the_connection(void **state)
{
    pthread_t later;

    (void)state;
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_wait(t.ring, POLLERR, 20), 0);
    zerocopy_send("abc");
    zerocopy_send("defg");
    assert_int_equal(ts_ring_wait(t.ring, POLLERR | POLLIN, 20), 0);
    assert_int_equal(ts_ring_wait(t.ring, POLLERR | POLLOUT, -1), POLLOUT);
    answered = W(ticket);
    ts_ring_detach(t.ring); /* a ring's completions end with it */
    SET(ticket, 0);
    t.ring = ts_ring_attach(t.fd);
    expect_none();
    zerocopy_send("hi");
    assert_int_equal(pthread_create(&later, NULL, acknowledge_later, NULL), 0);
    assert_int_equal(ts_ring_wait(t.ring, POLLERR | POLLIN, 20000), POLLERR);
    pthread_join(later, NULL);
    assert_int_equal(W(send.acked), 9);
    expect_completion(0, 0, SO_EE_CODE_ZEROCOPY_COPIED);
    assert_int_equal(ts_ring_wait(t.ring, POLLERR, 20), 0);
    zerocopy_send("j");
    zerocopy_send("k");
    SET(error, ECONNRESET);
    SET(state, RING_ERROR);
    assert_int_equal(ts_ring_wait(t.ring, POLLERR, -1), POLLERR);
    expect_completion(1, 2, SO_EE_CODE_ZEROCOPY_COPIED);
    expect_none();
}

static void without_the_daemon_every_call_is_complete(void **state)
{
    (void)state;
    SET(send.limit, 1000);
    zerocopy_commit(10);
    close_end();
    assert_int_equal(ts_ring_wait(t.ring, POLLERR, -1), POLLERR);
    expect_completion(0, 0, 0);
    expect_none();
}

/* One call, in several commits: the limit is raised while it waits. */
static void *grant_more(void *arg)
{
    for (uint64_t limit = 4; limit <= 12; limit += 4) {
        usleep(20000);
        SET(send.limit, limit);
        (void)wake(RING_FOR_SPACE);
    }
    return arg;
}

static void a_call_that_was_split_has_one_number(void **state)
{
    pthread_t more;

    (void)state;
    assert_int_equal(pthread_create(&more, NULL, grant_more, NULL), 0);
    zerocopy_send("twelve bytes");
    pthread_join(more, NULL);
    SET(send.limit, 14);
    assert_int_equal(ts_ring_send(t.ring, "four", 4, MSG_ZEROCOPY | MSG_DONTWAIT), 2);
    assert_int_equal(ts_ring_send(t.ring, "none", 4, MSG_ZEROCOPY | MSG_DONTWAIT), -1);
    SET(send.acked, 11);
    expect_none();
    SET(send.acked, 12);
    expect_completion(0, 0, SO_EE_CODE_ZEROCOPY_COPIED);
    SET(send.acked, 14);
    expect_completion(1, 1, SO_EE_CODE_ZEROCOPY_COPIED);
}

/* Calls of one code become one; where they cannot, nothing is taken. */
static void memory_for_what_is_unfinished_is_bounded(void **state)
{
    void *span;

    (void)state;
    SET(send.limit, SIZE);
    for (int i = 0; i < 1000; i++)
        zerocopy_send("x");
    SET(send.acked, 500);
    expect_none(); /* the merged ones complete together */
    SET(send.acked, 999);
    expect_completion(0, 998, SO_EE_CODE_ZEROCOPY_COPIED);
    expect_none();
    SET(send.acked, 1000);
    expect_completion(999, 999, SO_EE_CODE_ZEROCOPY_COPIED);
    for (int i = 0; i < 128; i++) {
        zerocopy_send("x");
        zerocopy_commit(1);
    }
    assert_int_equal(ts_ring_send(t.ring, "x", 1, MSG_ZEROCOPY), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), 10);
    assert_int_equal(ts_ring_commit(t.ring, 10, MSG_ZEROCOPY), -1);
    assert_int_equal(errno, ENOBUFS);
    assert_int_equal(W(committed), 1256);
    assert_int_equal(ts_ring_commit(t.ring, 10, 0), 0); /* it is still reserved */
    SET(send.acked, 1001);
    expect_completion(1000, 1000, SO_EE_CODE_ZEROCOPY_COPIED);
    zerocopy_commit(1); /* there is room for one, and for its neighbour */
    zerocopy_commit(1);
    SET(send.acked, W(committed));
    for (uint32_t i = 1001; i < 1255; i++)
        expect_completion(i, i, i & 1 ? 0 : SO_EE_CODE_ZEROCOPY_COPIED);
    expect_completion(1255, 1257, 0);
    expect_none();
}

static void the_error_queue_is_not_for_recv(void **state)
{
    uint8_t b;

    (void)state;
    assert_int_equal(ts_ring_recv(t.ring, &b, 1, MSG_ERRQUEUE | MSG_DONTWAIT), -1);
    assert_int_equal(errno, EOPNOTSUPP);
}

/* --- receiving ---------------------------------------------------------------------------------
 */

static void bytes_then_the_end(void **state)
{
    uint8_t b[100];

    (void)state;
    arrive(50);
    SET(state, RING_EOF);
    assert_int_equal(ts_ring_recv(t.ring, b, 20, MSG_PEEK), 20);
    assert_int_equal(ts_ring_recv(t.ring, b, 20, 0), 20);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, 0), 30);
    assert_int_equal(b[29], 49);
    assert_int_equal(W(consumed), 50);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, 0), 0);
}

static void bytes_then_the_error(void **state)
{
    uint8_t b[100];

    (void)state;
    arrive(50);
    SET(error, ETIMEDOUT);
    SET(state, RING_ERROR);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, 0), 50);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, 0), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(ts_ring_send(t.ring, b, 1, 0), -1);
    assert_int_equal(errno, ETIMEDOUT);
}

/* The daemon throws away what is there, so it must not be read from its place. */
static void shut_for_reading_there_is_nothing_more(void **state)
{
    uint8_t b[100];

    (void)state;
    arrive(50);
    assert_int_equal(ts_ring_shutdown(t.ring, SHUT_RD), 0);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, 0), 0);
    assert_int_equal(W(consumed), 0);
}

static void early_bytes_are_said_to_be_moved_and_then_done(void **state)
{
    uint8_t b[100];

    (void)state;
    assert_int_equal(W(begun), RING_EARLY_DONE); /* there were none */
    ts_ring_detach(t.ring);
    SET(begun, 0);
    assert_int_equal(send(t.end, "early", 5, 0), 5);
    t.ring = ts_ring_attach(t.fd);
    assert_non_null(t.ring);
    assert_int_equal(W(begun), RING_EARLY_MOVED);
    assert_null(ts_ring_attach(t.fd)); /* who came second would never see them */
    assert_int_equal(errno, EBUSY);
    arrive(1);
    assert_int_equal(ts_ring_recv(t.ring, b, 3, 0), 3);
    assert_int_equal(W(begun), RING_EARLY_MOVED);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, MSG_WAITALL | MSG_DONTWAIT), 3);
    assert_memory_equal(b, "ly", 3);
    assert_int_equal(W(begun), RING_EARLY_DONE);
    assert_int_equal(W(consumed), 1);
}

static void what_was_reserved_is_let_go_by_detaching(void **state)
{
    void *span;

    (void)state;
    SET(send.limit, 1000);
    assert_int_equal(ts_ring_send(t.ring, "abc", 3, 0), 3);
    assert_int_equal(ts_ring_reserve(t.ring, 500, &span), 500);
    assert_int_equal(W(held), 503);
    ts_ring_detach(t.ring);
    assert_int_equal(W(held), 3);
    t.ring = ts_ring_attach(t.fd);
    assert_non_null(t.ring);
    assert_int_equal(ts_ring_unacked(t.ring), 3);
}

/* --- wake-ups ----------------------------------------------------------------------------------
 */

/* A level-triggered loop: poll, take all, until EAGAIN, poll. */
static void the_call_that_finds_nothing_takes_the_wake_up_away(void **state)
{
    uint8_t b[100];
    void *span;

    (void)state;
    assert_int_equal(ts_ring_recv(t.ring, b, 100, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    for (int i = 0; i < 5; i++) {
        assert_false(readable(t.fd));
        arrive(10);
        assert_true(wake(RING_FOR_DATA));
        assert_true(readable(t.fd));
        assert_int_equal(ts_ring_recv(t.ring, b, 100, MSG_DONTWAIT), 10);
        assert_int_equal(ts_ring_recv(t.ring, b, 100, MSG_DONTWAIT), -1);
    }
    assert_false(readable(t.fd));
    assert_int_equal(ts_ring_reserve(t.ring, 1, &span), -1);
    assert_int_equal(W(ticket) & 3, RING_FOR_DATA | RING_FOR_SPACE); /* both are awaited now */
    SET(send.limit, 1);
    assert_true(wake(RING_FOR_SPACE));
    assert_true(readable(t.fd));
    assert_int_equal(ts_ring_reserve(t.ring, 1, &span), 1);
    assert_int_equal(ts_ring_recv(t.ring, b, 100, MSG_DONTWAIT), -1);
    assert_int_equal(W(ticket) & 3, RING_FOR_DATA);
    assert_false(readable(t.fd));
}

static void waiting_ends_with_its_time(void **state)
{
    int64_t before = now_ms(CLOCK_MONOTONIC);

    (void)state;
    assert_int_equal(ts_ring_wait(t.ring, POLLIN, 0), 0);
    assert_int_equal(ts_ring_wait(t.ring, POLLIN | POLLOUT, 30), 0);
    assert_true(now_ms(CLOCK_MONOTONIC) - before >= 30);
    arrive(1);
    assert_int_equal(ts_ring_wait(t.ring, POLLIN | POLLOUT, -1), POLLIN);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void a_signal_ends_waiting_with_eintr(void **state)
{
    struct sigaction sa = {.sa_handler = on_alarm}, old;
    struct itimerval soon = {{0, 20000}, {0, 20000}}, off = {0};
    int rc, error;

    (void)state;
    sigaction(SIGALRM, &sa, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    rc = ts_ring_wait(t.ring, POLLIN, 20000);
    error = errno;
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    assert_int_equal(rc, -1);
    assert_int_equal(error, EINTR);
}

/* One thread waits for bytes and one for room; the daemon has a single byte for each ticket. */
#define TURNS 20000

static void *receiver(void *arg)
{
    uint8_t b;

    (void)arg;
    for (int i = 0; i < TURNS; i++)
        if (ts_ring_recv(t.ring, &b, 1, 0) != 1 || b != (uint8_t)i)
            abort();
    return NULL;
}

static void *sender(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++)
        if (ts_ring_send(t.ring, "x", 1, 0) != 1)
            abort();
    return NULL;
}

static void two_threads_wait_and_no_wake_up_is_lost(void **state)
{
    int64_t last = now_ms(CLOCK_MONOTONIC);
    uint64_t moved = 0;
    pthread_t threads[2];

    (void)state;
    answered = W(ticket);
    assert_int_equal(pthread_create(&threads[0], NULL, receiver, NULL), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, sender, NULL), 0);
    while (W(committed) < TURNS || W(consumed) < TURNS) {
        uint64_t before = W(committed) + W(consumed);

        if (W(consumed) == W(recv.limit) && W(recv.limit) < TURNS)
            arrive(1);
        if (W(committed) == W(send.limit) && W(send.limit) < TURNS)
            SET(send.limit, W(send.limit) + 1);
        if (W(consumed) < W(recv.limit))
            wake(RING_FOR_DATA);
        if (W(committed) < W(send.limit))
            wake(RING_FOR_SPACE);
        if (before != moved)
            last = now_ms(CLOCK_MONOTONIC);
        moved = before;
        if (now_ms(CLOCK_MONOTONIC) - last > 20000)
            fail_msg("stuck: %lu received, %lu sent", (unsigned long)W(consumed),
                     (unsigned long)W(committed));
    }
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

/* --- the daemon goes ---------------------------------------------------------------------------
 */

static void without_the_daemon_everything_ends(void **state)
{
    uint8_t b[10];

    (void)state;
    arrive(5);
    close_end();
    assert_int_equal(ts_ring_recv(t.ring, b, 10, 0), 5);
    assert_int_equal(ts_ring_recv(t.ring, b, 10, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ts_ring_recv(t.ring, b, 10, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ts_ring_send(t.ring, b, 10, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ts_ring_wait(t.ring, POLLIN | POLLOUT, -1), POLLIN | POLLOUT);
}

static void who_never_waits_hears_of_it_too(void **state)
{
    uint8_t b[10];
    void *span;

    (void)state;
    close_end();
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), -1); /* it polls: POLLHUP */
    assert_int_equal(ts_ring_reserve(t.ring, 10, &span), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ts_ring_recv(t.ring, b, 10, MSG_DONTWAIT), -1);
    assert_int_equal(errno, ECONNRESET);
}

/* The peer had ended; who still sends must not look for room for ever. */
static void behind_the_peers_end_a_lost_daemon_is_epipe(void **state)
{
    uint8_t b[10];

    (void)state;
    SET(state, RING_EOF);
    close_end();
    assert_int_equal(ts_ring_send(t.ring, b, 10, 0), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(ts_ring_recv(t.ring, b, 10, 0), 0);
}

static void a_daemon_that_dies_while_it_writes_a_layout_hangs_nobody(void **state)
{
    uint8_t b[10];

    (void)state;
    SET(send.generation, 7);
    SET(recv.generation, 7);
    SET(recv.limit, 10);
    close_end();
    assert_int_equal(ts_ring_recv(t.ring, b, 10, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    assert_int_equal(ts_ring_send(t.ring, b, 10, 0), -1);
    assert_int_equal(errno, ECONNRESET);
}

static void *grant_later(void *arg)
{
    usleep(300000);
    SET(send.limit, 1);
    return arg;
}

/* The peer's end came by the descriptor, before the ring: it stays readable and carries no
 * wake-ups. */
static void a_descriptor_that_has_its_end_is_looked_past_without_spinning(void **state)
{
    pthread_t later;
    int64_t cpu;

    (void)state;
    assert_int_equal(shutdown(t.end, SHUT_WR), 0);
    SET(state, RING_EOF);
    assert_int_equal(pthread_create(&later, NULL, grant_later, NULL), 0);
    cpu = now_ms(CLOCK_THREAD_CPUTIME_ID);
    assert_int_equal(ts_ring_send(t.ring, "x", 1, 0), 1);
    assert_true(now_ms(CLOCK_THREAD_CPUTIME_ID) - cpu < 150);
    pthread_join(later, NULL);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(no_room_is_eagain_with_a_ticket_and_a_bell),
        RING_TEST(a_limit_below_what_is_committed_is_no_room),
        RING_TEST(nothing_is_committed_after_shutdown),
        RING_TEST(who_asks_what_is_unacknowledged_wakes_the_daemon_to_say_it),
        RING_TEST(a_call_is_complete_when_its_last_byte_is_acknowledged),
        RING_TEST(who_finds_no_completion_asks_for_it_and_wakes_the_daemon),
        RING_TEST(waiting_for_a_completion_ends_with_it_or_with_the_connection),
        RING_TEST(without_the_daemon_every_call_is_complete),
        RING_TEST(a_call_that_was_split_has_one_number),
        RING_TEST(memory_for_what_is_unfinished_is_bounded),
        RING_TEST(the_error_queue_is_not_for_recv),
        RING_TEST(bytes_then_the_end),
        RING_TEST(bytes_then_the_error),
        RING_TEST(shut_for_reading_there_is_nothing_more),
        RING_TEST(early_bytes_are_said_to_be_moved_and_then_done),
        RING_TEST(what_was_reserved_is_let_go_by_detaching),
        RING_TEST(the_call_that_finds_nothing_takes_the_wake_up_away),
        RING_TEST(waiting_ends_with_its_time),
        RING_TEST(a_signal_ends_waiting_with_eintr),
        RING_TEST(two_threads_wait_and_no_wake_up_is_lost),
        RING_TEST(without_the_daemon_everything_ends),
        RING_TEST(who_never_waits_hears_of_it_too),
        RING_TEST(behind_the_peers_end_a_lost_daemon_is_epipe),
        RING_TEST(a_daemon_that_dies_while_it_writes_a_layout_hangs_nobody),
        RING_TEST(a_descriptor_that_has_its_end_is_looked_past_without_spinning),
    };

    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* Batches of frames by a ring, over a socket that keeps frames apart as a TAP does: all of them, in
 * order, with back-pressure and refusals; and that the ring can do nothing else. */
#include "daemon/netdev/uring.h"

#include <dirent.h>
#include <errno.h>
#include <liburing.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MOST 1514

static int ends[2]; /* the ring's, and the other one */
static struct uring *ring;

static int open_ring(void **state)
{
    int size = 1 << 20;

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0 ||
        setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
        setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
        return -1;
    return uring_open(ends[0], MOST, &ring);
}

static int close_ring(void **state)
{
    (void)state;
    uring_close(ring);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return 0;
}

/* --- frames ------------------------------------------------------------------------------------
 */

/* Number i: its number, then bytes that follow from it; of many lengths. */
static uint32_t fill(uint8_t *to, uint32_t i)
{
    uint32_t n = 60 + i * 97 % (MOST - 59);

    memcpy(to, &i, sizeof(i));
    for (uint32_t k = sizeof(i); k < n; k++)
        to[k] = (uint8_t)(i * 13 + k);
    return n;
}

/* Every third one in pieces; `more`: its burst goes on. */
static int put_piece(uint32_t i, bool more)
{
    uint8_t bytes[MOST];
    uint32_t n = fill(bytes, i);
    struct frame f;

    frame_init(&f);
    f.data = bytes;
    f.len = n;
    f.more = more;
    if (i % 3 == 0) {
        f.len = 20;
        f.n_spans = 3;
        f.spans[0] = (struct iovec){bytes + 20, 10};
        f.spans[1] = (struct iovec){bytes, 0};
        f.spans[2] = (struct iovec){bytes + 30, n - 30};
        f.span_len = n - 20;
    }
    return uring_write(ring, &f);
}

static int put(uint32_t i)
{
    return put_piece(i, true);
}

/* Returns the number of frames that have come at the other end; they are `from` and what follows.
 */
static unsigned arrived(uint32_t from)
{
    uint8_t wanted[MOST], got[MOST + 1];
    unsigned count = 0;
    ssize_t n;

    while ((n = recv(ends[1], got, sizeof(got), 0)) > 0) {
        assert_int_equal(n, fill(wanted, from + count++));
        assert_memory_equal(got, wanted, (size_t)n);
    }
    return count;
}

static struct netdev_flushed flush(void)
{
    struct netdev_flushed out = {.lost = 99};

    uring_flush(ring, &out);
    return out;
}

static void send_frames(uint32_t from, uint32_t n)
{
    uint8_t bytes[MOST];

    for (uint32_t i = from; i < from + n; i++) {
        uint32_t len = fill(bytes, i);

        assert_int_equal(send(ends[1], bytes, len, 0), len);
    }
}

static void expect_frame(uint32_t i)
{
    uint8_t wanted[MOST], *got = NULL;
    uint32_t n = fill(wanted, i);

    assert_int_equal(uring_read(ring, &got), n);
    assert_memory_equal(got, wanted, n);
    assert_int_equal((uintptr_t)(got + 14) % 4, 0); /* the IP header is aligned */
}

static void expect_nothing(void)
{
    uint8_t *frame;

    assert_int_equal(uring_read(ring, &frame), -EAGAIN);
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void what_is_gathered_goes_out_when_flushed_in_order_and_whole(void **state)
{
    uint32_t from = 0;

    (void)state;
    for (uint32_t n = 0; n < URING_BATCH; n = n * 2 + 1) {
        struct netdev_flushed done;

        for (uint32_t i = 0; i < n; i++)
            assert_int_equal(put(from + i), 0);
        assert_int_equal(arrived(from), 0);
        done = flush();
        assert_false(done.waiting);
        assert_int_equal(done.lost, 0);
        assert_int_equal(arrived(from), n);
        from += n;
    }
}

static void a_full_batch_does_not_wait(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 2 * URING_BATCH + 5; i++)
        assert_int_equal(put(i), 0);
    assert_int_equal(arrived(0), 2 * URING_BATCH);
    flush();
    assert_int_equal(arrived(2 * URING_BATCH), 5);
}

static void the_end_of_a_burst_does_not_wait_either(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(put(i), 0);
    assert_true(uring_holds(ring));
    assert_int_equal(put_piece(10, false), 0);
    assert_false(uring_holds(ring));
    assert_int_equal(arrived(0), 11);
    assert_int_equal(put_piece(11, false), 0); /* alone */
    assert_int_equal(arrived(11), 1);
}

static void a_frame_that_is_too_long_is_not_taken(void **state)
{
    static uint8_t bytes[MOST + 1];
    struct frame f;

    (void)state;
    frame_init(&f);
    f.data = bytes;
    f.len = sizeof(bytes);
    assert_int_equal(uring_write(ring, &f), -EMSGSIZE);
    flush();
    assert_int_equal(arrived(0), 0);
}

static void back_pressure_in_the_middle_loses_and_doubles_nothing(void **state)
{
    int small = 20000;
    uint32_t taken = 0, seen = 0;
    struct netdev_flushed done;

    (void)state;
    assert_int_equal(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (unsigned round = 0; seen < 1000; round++) {
        bool waited;

        while (taken < 1000 && put(taken) == 0)
            taken++;
        done = flush();
        assert_int_equal(done.lost, 0);
        waited = uring_holds(ring);
        assert_int_equal(done.waiting, waited);
        if (round == 0) {
            assert_true(waited && taken >= URING_BATCH);
            assert_int_equal(put(taken), -EAGAIN);
        }
        seen += arrived(seen);
    }
    assert_int_equal(seen, 1000);
    assert_false(flush().waiting);
    assert_int_equal(arrived(1000), 0);
}

static void what_is_refused_is_counted_once(void **state)
{
    struct netdev_flushed done;

    (void)state;
    close(ends[1]);
    ends[1] = -1;
    for (uint32_t i = 0; i < URING_BATCH + 7; i++) /* a batch within uring_write, too */
        assert_int_equal(put(i), 0);
    done = flush();
    assert_int_equal(done.lost, URING_BATCH + 7);
    assert_int_equal(done.why, -EPIPE);
    assert_false(done.waiting);
    done = flush();
    assert_int_equal(done.lost, 0);
}

/* --- reading -----------------------------------------------------------------------------------
 */

static void frames_are_read_in_order_and_their_end_is_said_once(void **state)
{
    uint32_t from = 0;

    (void)state;
    expect_nothing();
    for (uint32_t n = 1; n <= 2 * URING_BATCH; n += 1 + n / 3) {
        send_frames(from, n);
        for (uint32_t i = 0; i < n; i++)
            expect_frame(from + i);
        expect_nothing();
        from += n;
    }
    expect_nothing();
}

static void what_comes_behind_the_end_is_there_the_next_time(void **state)
{
    (void)state;
    send_frames(0, 5);
    for (uint32_t i = 0; i < 5; i++)
        expect_frame(i);
    expect_nothing(); /* seen */
    send_frames(5, 1);
    expect_frame(5);
    expect_nothing();
}

static void a_frame_that_is_given_back_comes_again(void **state)
{
    (void)state;
    send_frames(0, 20);
    for (uint32_t i = 0; i < 20; i++) {
        expect_frame(i);
        uring_unread(ring);
        expect_frame(i);
    }
    expect_nothing();
}

static void reading_and_writing_take_turns(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 200; i += 10) {
        send_frames(i, 10);
        expect_frame(i);
        for (uint32_t k = 0; k < 10; k++)
            assert_int_equal(put(i + k), 0);
        expect_frame(i + 1);
        flush();
        assert_int_equal(arrived(i), 10);
        for (uint32_t k = 2; k < 10; k++)
            expect_frame(i + k);
        expect_nothing();
    }
}

/* --- what the ring cannot do -------------------------------------------------------------------
 */

static int find_ring(void)
{
    DIR *all = opendir("/proc/self/fd");
    const struct dirent *e;
    int fd = -1;

    assert_non_null(all);
    while ((e = readdir(all)) != NULL) {
        char path[64], target[64];
        ssize_t n;

        snprintf(path, sizeof(path), "/proc/self/fd/%.20s", e->d_name);
        n = readlink(path, target, sizeof(target));
        if (n > 0 && strncmp(target, "anon_inode:[io_uring]", (size_t)n) == 0)
            fd = atoi(e->d_name);
    }
    closedir(all);
    return fd;
}

/* What an intruder would do who can make any system call that the daemon may. */
static int32_t attempt(struct io_uring *r, void (*prepare)(struct io_uring_sqe *sqe))
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(r);
    struct io_uring_cqe *cqe;
    int32_t result;

    assert_non_null(sqe);
    prepare(sqe);
    assert_int_equal(io_uring_submit(r), 1);
    assert_int_equal(io_uring_wait_cqe(r, &cqe), 0);
    result = cqe->res;
    io_uring_cqe_seen(r, cqe);
    return result;
}

static char byte;

static void open_a_file(struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static void read_another_file(struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, ends[1], &byte, 1, 0);
}

static void send_on_the_file(struct io_uring_sqe *sqe)
{
    io_uring_prep_send(sqe, 0, &byte, 1, 0);
    sqe->flags = IOSQE_FIXED_FILE;
}

static void read_another_registered_file(struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, 1, &byte, 1, 0);
    sqe->flags = IOSQE_FIXED_FILE;
}

static void read_the_file(struct io_uring_sqe *sqe)
{
    io_uring_prep_read(sqe, 0, &byte, 1, (uint64_t)-1);
    sqe->flags = IOSQE_FIXED_FILE;
    sqe->rw_flags = RWF_NOWAIT;
}

static void hostile_the_ring_does_nothing_but_read_and_write_its_one_file(void **state)
{
    struct io_uring_params params = {0};
    struct io_uring other, r;
    int fd = find_ring();

    (void)state;
    assert_true(fd >= 0);
    /* A ring of the same size lies in memory in the same way. */
    assert_int_equal(io_uring_queue_init_params(URING_BATCH, &other, &params), 0);
    memset(&r, 0, sizeof(r));
    assert_int_equal(io_uring_queue_mmap(fd, &params, &r), 0);
    r.ring_fd = r.enter_ring_fd = fd;
    r.sq.sqe_head = r.sq.sqe_tail = *r.sq.ktail; /* it has been used */
    assert_int_equal(attempt(&r, read_the_file), -EAGAIN);
    assert_int_equal(attempt(&r, open_a_file), -EACCES);
    assert_int_equal(attempt(&r, read_another_file), -EACCES);
    assert_int_equal(attempt(&r, send_on_the_file), -EACCES);
    assert_int_equal(attempt(&r, read_another_registered_file), -EBADF);
    assert_int_equal(io_uring_register((unsigned)fd, IORING_REGISTER_FILES, ends, 2), -EACCES);
    assert_int_equal(io_uring_register((unsigned)fd, IORING_REGISTER_FILES_UPDATE,
                                       &(struct io_uring_files_update){.fds = (uintptr_t)&ends[1]},
                                       1),
                     -EACCES);
    io_uring_queue_exit(&other);
}

/* --- where there is none -----------------------------------------------------------------------
 */

#define NO_FILTER 77

static bool forbid(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool done = filter &&
                seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0) == 0 &&
                seccomp_load(filter) == 0;

    if (filter)
        seccomp_release(filter);
    return done;
}

/* In a child: a filter like a container's. */
static int open_forbidden(void)
{
    struct uring *u = NULL;
    int before = dup(ends[0]), after, rc;

    if (!forbid())
        return NO_FILTER;
    rc = uring_open(ends[0], MOST, &u);
    after = dup(ends[0]);
    return rc == -EPERM && !u && after == before + 1 ? 0 : 1;
}

static void where_it_is_forbidden_opening_says_so_and_leaves_nothing(void **state)
{
    int status = -1;
    pid_t child = fork();

    (void)state;
    assert_true(child >= 0);
    if (child == 0)
        _exit(open_forbidden());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_FILTER)
        skip(); /* under valgrind */
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A pipe takes RWF_NOWAIT, a terminal and such do not; here, what cannot be read at all. */
static void a_file_that_cannot_be_read_gets_none(void **state)
{
    struct uring *u = NULL;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(uring_open(fds[1], MOST, &u), -EBADF);
    assert_null(u);
    close(fds[0]);
    close(fds[1]);
}

static void large_frames_get_fewer_slots_and_still_come_whole(void **state)
{
    static uint8_t sent[60000];
    struct uring *large;
    int size = 1 << 20;
    uint8_t *got;

    (void)state;
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    assert_int_equal(uring_open(ends[0], 65553, &large), 0);
    for (int i = 0; i < 4; i++) {
        memset(sent, 'a' + i, sizeof(sent));
        assert_int_equal(send(ends[1], sent, sizeof(sent), 0), sizeof(sent));
    }
    for (int i = 0; i < 4; i++) {
        memset(sent, 'a' + i, sizeof(sent));
        assert_int_equal(uring_read(large, &got), sizeof(sent));
        assert_memory_equal(got, sent, sizeof(sent));
    }
    assert_int_equal(uring_read(large, &got), -EAGAIN);
    uring_close(large);
}

int main(void)
{
#define ring_test(name) cmocka_unit_test_setup_teardown(name, open_ring, close_ring)
    const struct CMUnitTest tests[] = {
        ring_test(what_is_gathered_goes_out_when_flushed_in_order_and_whole),
        ring_test(a_full_batch_does_not_wait),
        ring_test(the_end_of_a_burst_does_not_wait_either),
        ring_test(a_frame_that_is_too_long_is_not_taken),
        ring_test(back_pressure_in_the_middle_loses_and_doubles_nothing),
        ring_test(what_is_refused_is_counted_once),
        ring_test(frames_are_read_in_order_and_their_end_is_said_once),
        ring_test(what_comes_behind_the_end_is_there_the_next_time),
        ring_test(a_frame_that_is_given_back_comes_again),
        ring_test(reading_and_writing_take_turns),
        ring_test(hostile_the_ring_does_nothing_but_read_and_write_its_one_file),
        ring_test(where_it_is_forbidden_opening_says_so_and_leaves_nothing),
        ring_test(a_file_that_cannot_be_read_gets_none),
        ring_test(large_frames_get_fewer_slots_and_still_come_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

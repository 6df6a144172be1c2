/* SPDX-License-Identifier: MIT */
/*
 * A connecting socket must not poll writable: its send buffer is filled at birth by sendfile from a
 * memfd that all of them share, so that the filling costs message headers and no data pages, and is
 * drained on connect. Measured: the bytes needed, the time to fill, the time to drain by several
 * ways, and the kernel memory that a filled pair takes.
 */
#include "tests/platform/platform.h"
#include <sys/mman.h>
#include <sys/sendfile.h>

#define FILE_BYTES (8 << 20)
#define ROUNDS     100

static char buf[4 << 20];
static int shared_file;

static int make_shared_file(void **state unused)
{
    shared_file = memfd_create("filler", MFD_CLOEXEC);
    if (shared_file < 0 || ftruncate(shared_file, FILE_BYTES) != 0)
        return -1;
    for (size_t at = 0; at < FILE_BYTES; at += sizeof(buf))
        if (pwrite(shared_file, buf, sizeof(buf), (off_t)at) != (ssize_t)sizeof(buf))
            return -1;
    return 0;
}

/* Fills fd's send buffer until EAGAIN with calls of `step` bytes; *calls counts them. */
static size_t fill(int fd, size_t step, int *calls)
{
    size_t total = 0;
    off_t at = 0;
    for (*calls = 0;; at = 0) {
        ssize_t n = sendfile(fd, shared_file, &at, step);
        ++*calls;
        if (n < 0)
            break;
        total += (size_t)n;
    }
    assert_int_equal(errno, EAGAIN);
    return total;
}

/* Fills until POLLOUT is gone, no further. */
static size_t fill_until_not_writable(int fd, size_t step)
{
    size_t total = 0;
    while (poll_mask(fd) & POLLOUT) {
        off_t at = 0;
        ssize_t n = sendfile(fd, shared_file, &at, step);
        assert_true(n > 0);
        total += (size_t)n;
    }
    return total;
}

static struct pair pair_with_sndbuf(int sndbuf)
{
    struct pair s = stream_pair();
    set_int(s.p, SO_SNDBUF, sndbuf);
    return s;
}

static void a_send_buffer_filled_from_a_memfd_is_not_writable_and_drained_it_is(void **state unused)
{
    int calls;
    struct pair s = pair_with_sndbuf(208 * KIB);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    size_t filled = fill(s.p, FILE_BYTES, &calls);
    assert_int_equal(poll_mask(s.p), 0);
    assert_errno(send(s.p, "x", 1, MSG_NOSIGNAL), EAGAIN);
    assert_int_equal(readable_bytes(s.d), filled);
    assert_int_equal(drain(s.d), filled);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    assert_int_equal(unconsumed(s.p), 0);
    close_pair(s);
}

static void a_writer_blocked_by_the_filling_goes_on_when_it_is_drained(void **state unused)
{
    int calls;
    struct pair s = pair_with_sndbuf(208 * KIB);
    size_t filled = fill(s.p, FILE_BYTES, &calls);
    pid_t pid = fork();
    if (pid == 0) {
        child_check(fcntl(s.p, F_SETFL, 0) == 0);
        child_check(send(s.p, "first", 5, MSG_NOSIGNAL) == 5);
        _exit(0);
    }
    usleep(20000);
    assert_int_equal(readable_bytes(s.d), filled); /* the writer waits, nothing of it mixed in */
    size_t taken = 0;
    while (taken < filled) {
        ssize_t n = recv(s.d, buf, filled - taken < sizeof(buf) ? filled - taken : sizeof(buf), 0);
        assert_true(n > 0);
        taken += (size_t)n;
    }
    assert_int_equal(reap(pid), 0);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 5);
    assert_memory_equal(buf, "first", 5);
    close_pair(s);
}

static size_t drain_by_splice(int from)
{
    int pipefd[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    size_t total = 0;
    assert_int_equal(pipe2(pipefd, O_CLOEXEC | O_NONBLOCK), 0);
    (void)!fcntl(pipefd[0], F_SETPIPE_SZ, 1 << 20);
    for (;;) {
        ssize_t n = splice(from, NULL, pipefd[1], NULL, 1 << 20, SPLICE_F_NONBLOCK);
        if (n <= 0)
            break;
        for (ssize_t out = 0; out < n;) {
            ssize_t m = splice(pipefd[0], NULL, null, NULL, (size_t)(n - out), SPLICE_F_NONBLOCK);
            assert_true(m > 0);
            out += m;
        }
        total += (size_t)n;
    }
    close(pipefd[0]);
    close(pipefd[1]);
    close(null);
    return total;
}

static size_t drain_by_recv(int from)
{
    ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);
    return n > 0 ? (size_t)n : 0;
}

static size_t drain_by_small_recv(int from)
{
    static char small[64 * KIB];
    size_t total = 0;
    ssize_t n;
    while ((n = recv(from, small, sizeof(small), MSG_DONTWAIT)) > 0)
        total += (size_t)n;
    return total;
}

struct times {
    uint64_t fill, drain;
};

static struct times measure(int sndbuf, bool whole, size_t (*drainer)(int), size_t *filled)
{
    struct times t = {0, 0};
    struct pair s = pair_with_sndbuf(sndbuf);
    for (int i = 0; i < ROUNDS; i++) {
        int calls;
        uint64_t a = now_us();
        *filled = whole ? fill(s.p, FILE_BYTES, &calls) : fill_until_not_writable(s.p, 64 * KIB);
        uint64_t b = now_us();
        assert_int_equal(drainer(s.d), *filled);
        uint64_t c = now_us();
        t.fill += b - a;
        t.drain += c - b;
    }
    assert_int_equal(poll_mask(s.p), POLLOUT);
    close_pair(s);
    t.fill /= ROUNDS;
    t.drain /= ROUNDS;
    return t;
}

static void filling_and_draining_take_microseconds(void **state unused)
{
    static const int sizes[] = {160, 208, 1024};
    static const struct {
        const char *name;
        size_t (*run)(int);
    } ways[] = {{"one large recv", drain_by_recv},
                {"recv of 64 KiB", drain_by_small_recv},
                {"splice to a pipe and /dev/null", drain_by_splice}};
    for (size_t i = 0; i < 3; i++) {
        for (size_t w = 0; w < 6; w++) {
            size_t filled;
            struct times t = measure(sizes[i] * KIB, w < 3, ways[w % 3].run, &filled);
            note("SO_SNDBUF %d KiB, fill until %s: %zu bytes, %u us; drain by %s %u us", sizes[i],
                 w < 3 ? "EAGAIN" : "not writable", filled, (unsigned)t.fill, ways[w % 3].name,
                 (unsigned)t.drain);
            assert_true(t.fill < 5000 && t.drain < 20000);
        }
    }
}

static void
filled_only_until_not_writable_it_still_takes_writes_behind_the_filling(void **state unused)
{
    struct pair s = pair_with_sndbuf(208 * KIB);
    size_t filled = fill_until_not_writable(s.p, 64 * KIB);
    assert_int_equal(poll_mask(s.p), 0);
    assert_int_equal(filled, 128 * KIB);
    put(s.p, "early", 5); /* a write that did not ask poll */
    assert_int_equal(recv(s.d, buf, filled, 0), filled);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    assert_int_equal(recv(s.d, buf, sizeof(buf), 0), 5);
    assert_memory_equal(buf, "early", 5);
    close_pair(s);
}

static void a_buffer_filled_by_large_sendfiles_takes_no_further_byte(void **state unused)
{
    static const size_t steps[] = {4096, 64 * KIB, 1 << 20, FILE_BYTES};
    for (size_t i = 0; i < 4; i++) {
        int calls;
        struct pair s = pair_with_sndbuf(208 * KIB);
        size_t filled = fill(s.p, steps[i], &calls);
        note("sendfile of %zu: %d calls until EAGAIN, %zu bytes, SIOCOUTQ %d", steps[i], calls,
             filled, unconsumed(s.p));
        assert_errno(send(s.p, "x", 1, MSG_NOSIGNAL), EAGAIN);
        assert_true(unconsumed(s.p) >= 2 * 208 * KIB);
        close_pair(s);
    }
}

static void raising_so_sndbuf_makes_a_filled_buffer_writable_without_a_drain(void **state unused)
{
    int calls;
    struct pair s = pair_with_sndbuf(4 * KIB);
    size_t filled = fill(s.p, FILE_BYTES, &calls);
    int queued = unconsumed(s.p);
    assert_int_equal(poll_mask(s.p), 0);
    set_int(s.p, SO_SNDBUF, 208 * KIB);
    assert_int_equal(poll_mask(s.p), POLLOUT);
    set_int(s.p, SO_SNDBUF, 4 * KIB);
    assert_int_equal(poll_mask(s.p), 0);
    assert_errno(send(s.p, "x", 1, MSG_NOSIGNAL), EAGAIN);
    note("SO_SNDBUF 4 KiB is filled by %zu bytes, SIOCOUTQ %d", filled, queued);
    set_int(s.p, SO_SNDBUF, 0);
    note("the smallest SO_SNDBUF reads back as %d", get_int(s.p, SO_SNDBUF));
    close_pair(s);
}

static void only_the_writers_own_so_sndbuf_opens_a_filled_buffer(void **state unused)
{
    /* Any holder of p may enlarge SO_SNDBUF: then the filling is no longer enough. */
    int calls;
    struct pair s = pair_with_sndbuf(160 * KIB);
    fill(s.p, FILE_BYTES, &calls);
    set_int(s.d, SO_SNDBUF, 208 * KIB);
    set_int(s.d, SO_RCVBUF, 208 * KIB);
    assert_errno(send(s.p, "x", 1, MSG_NOSIGNAL), EAGAIN);
    set_int(s.p, SO_SNDBUF, 208 * KIB);
    put(s.p, "x", 1);
    close_pair(s);
}

/*
 * The queue holds the file's own pages, so a filling costs no memory but its bookkeeping: what is
 * written to the file afterwards is what the reader finds. (MemFree showed 1 KiB against 67 to 320
 * a socket, but moves too much with the rest of the machine to be a test.)
 */
static void a_filling_from_the_shared_file_holds_the_files_own_pages(void **state unused)
{
    struct pair s = pair_with_sndbuf(208 * KIB);
    int file = memfd_create("filling", MFD_CLOEXEC);
    off_t from = 0;
    char got[2];

    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, 4096), 0);
    assert_int_equal(pwrite(file, "a", 1, 0), 1);
    assert_int_equal(sendfile(s.p, file, &from, 4096), 4096);
    assert_int_equal(pwrite(file, "b", 1, 0), 1);
    assert_int_equal(recv(s.d, got, 1, 0), 1);
    assert_int_equal(got[0], 'b');
    close(file);
    close_pair(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_send_buffer_filled_from_a_memfd_is_not_writable_and_drained_it_is),
        cmocka_unit_test(a_writer_blocked_by_the_filling_goes_on_when_it_is_drained),
        cmocka_unit_test(filling_and_draining_take_microseconds),
        cmocka_unit_test(filled_only_until_not_writable_it_still_takes_writes_behind_the_filling),
        cmocka_unit_test(a_buffer_filled_by_large_sendfiles_takes_no_further_byte),
        cmocka_unit_test(raising_so_sndbuf_makes_a_filled_buffer_writable_without_a_drain),
        cmocka_unit_test(only_the_writers_own_so_sndbuf_opens_a_filled_buffer),
        cmocka_unit_test(a_filling_from_the_shared_file_holds_the_files_own_pages),
    };
    return cmocka_run_group_tests_name("sendfile_fill", tests, make_shared_file, NULL);
}
